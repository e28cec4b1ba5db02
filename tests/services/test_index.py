"""The index: what it answers is what the database answers, at every revision of random histories; it is never behind.

By default 10 histories of 12 steps; `-m deep` 100.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.db.engine import _DAMAGED, POOL_SIZE
from app.db.repositories.profiles import Signatures
from app.db.tables import AuditSubjectRow
from app.db.unit_of_work import NO_CATALOG
from app.domain.audit import Mark
from app.domain.callers import Caller
from app.domain.changes import MissingPrerequisites
from app.domain.decisions import Decision
from app.domain.errors import Refused
from app.domain.holders import AnyRow, Assignment, Grant, Role, UserId, UserStatus
from app.domain.paging import Slice
from app.domain.people import MOST_CHANGED, People
from app.domain.references import Ref
from app.domain.rights import Subject
from app.domain.rooms import Room
from app.domain.values import Switch
from app.domain.world import World
from app.services import access, at_once, grants, users
from app.services.callers import authenticate
from app.services.context import MOST_STEPS, Reading, Services
from app.services.grants import GrantItem
from app.services.index import RightsIndex
from app.services.references import HolderRef
from app.services.writing import WriteOptions
from tests.factories import Gateway, Template, open_copy
from tests.services.test_history import PEOPLE, STEPS, History, Question, begin_history

MENU, EXPORT = "desk.reports.menu", "desk.reports.export"


@pytest.mark.long
@pytest.mark.parametrize(
    "count", [pytest.param(10, id="default"), pytest.param(100, id="deep", marks=pytest.mark.deep)]
)
async def test_it_answers_what_the_database_answers_through_random_histories(
    stocked_template: Template, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every other one everybody is put together anew after a few people have changed."""
    answered: Counter[str] = Counter()
    for seed in range(count):
        for module in ("app.services.index", "app.domain.people"):
            monkeypatch.setattr(f"{module}.MOST_CHANGED", MOST_CHANGED if seed % 2 else 2)
        history = await begin_history(stocked_template, tmp_path, seed)
        services = history.services
        await services.index.start()
        try:
            for _ in range(STEPS):
                try:
                    await history.step()
                except Refused:
                    answered["refused steps"] += 1
                await services.index.catch_up()
                await _compare(history, answered)
        finally:
            await services.close()
    assert answered["decision"] > count * STEPS * 3
    assert answered["rights"] > count * STEPS
    assert answered["holders"] > count
    assert answered["allowed"] > count * STEPS / 4
    assert answered["not here"] < answered["decision"], "the index leaves most questions to the database"


async def _compare(history: History, answered: Counter[str]) -> None:
    index = history.services.index.current()
    assert index is not None, "nothing was committed since it caught up"
    names = {user: name for name, user in history.ids.items()}
    for number in range(6):
        question = history.question()
        asked = question.asked if number % 2 else replace(question.asked, at=None, facts=(), target=None)
        caller = history.caller
        if number > 3:
            who = history.ids[history.pick(PEOPLE)]
            caller = Caller(user=UserId(who), user_name=names[who])
        async with history.services.reading(caller) as reading:
            assert reading.revision == index.revision
            with _setting_aside(history.services):
                assert index.directory == await reading.unit.worlds.load_directory()
                expected = (await access.check_many(reading, [asked]))[0]
            found = at_once.decide(index, caller, asked, reading.now)
            assert found is None or _tell(found, index) == _tell(expected, reading), (asked, caller)
            answered["not here" if found is None else "decision"] += 1
            answered["allowed"] += found is not None and found.allowed
            assert found is not None or expected.errors or caller is not history.caller, "an owner asks what is right"
            await _compare_rights(index, reading, question, caller, answered)
            if number == 5:
                await _compare_holders(index, reading, asked, answered)


@contextmanager
def _setting_aside(services: Services) -> Iterator[None]:
    """Has everything answered from the database alone meanwhile."""
    latest, services.index._latest = services.index._latest, None
    try:
        yield
    finally:
        services.index._latest = latest


def _tell(decision: Decision, known: RightsIndex | Reading) -> Any:
    return (
        decision.state, decision.stage, decision.node, decision.asked, decision.value, decision.missing_facts,
        decision.obligations, [known.catalog.render(one) for one in decision.missing], decision.errors,
        decision.contract,
    )  # fmt: skip


async def _compare_rights(
    index: RightsIndex, reading: Reading, question: Question, caller: Caller, answered: Counter[str]
) -> None:
    user, circumstances = UserId(question.user), replace(question.circumstances, at=None, facts=())
    standing = at_once.stand(index, caller, user, circumstances, reading.now)
    try:
        with _setting_aside(reading.services):
            expected = await access.list_effective_rights(reading, user, circumstances)
    except Refused:
        assert standing is None, "the caller may not see it"
        return
    if standing is not None:
        found = at_once.list_effective_rights(index, standing)
        assert [_tell_right(right) for right in found] == [_tell_right(right) for right in expected]
        answered["rights"] += 1


def _tell_right(right: access.EffectiveRight) -> Any:
    missing = [right.catalog.render(one) for one in right.missing]
    return right.permission.key, right.value, right.granted, right.state, missing


async def _compare_holders(
    index: RightsIndex, reading: Reading, asked: access.CheckAsked, answered: Counter[str]
) -> None:
    """A page of holders by the index, and by everybody's rows."""
    node = reading.catalog.nodes[asked.node]
    part = Slice(limit=2)

    async def ask() -> Any:
        try:
            page, total = await access.list_holders(
                reading, node, contract=asked.contract, at_least=asked.at_least, part=part  # type: ignore[arg-type]  # a right
            )  # fmt: skip
        except Refused as refused:
            return [str(error) for error in refused.errors]
        return [user.id for user in page.items], page.has_next, page.has_previous, total

    by_index = await ask()
    with _setting_aside(reading.services):
        assert await ask() == by_index
    answered["holders"] += reading.find_index() is index


async def read_in_blocks(services: Services) -> None:
    """Reads everybody a few at a time, and then the same people by their ids."""
    signatures = Signatures()
    async with services.reading() as reading:
        world = await reading.load_world(None)
        owners = {contract.owner for contract in world.contracts.values()}
        people = People(await reading.unit.profiles.load_everybody(signatures, owners))
        everybody = {person.id: person for person in people}
        listed = await reading.unit.profiles.load(everybody.keys(), signatures, owners)
        assert {person.id: person for person in listed} == everybody
        assert everybody.keys() == world.users.keys()
        assert await reading.unit.profiles.load(["usr_nobody"], signatures, owners) == []
        for user, person in everybody.items():
            told, known = signatures.read(services.catalog, person.profile), world.users[user]
            assert (person.user_name, person.external_id) == (known.user_name, known.external_id)
            assert told.self_id == (user if user in owners else None)
            assert Counter(map(_say, told.rows)) == Counter(dict.fromkeys(map(_say, world.rows_of(user)), 1))


def _say(row: AnyRow) -> Any:
    """What a row says but for whose it is, who made it, when and why."""
    unsaid = {"id", "source", "reason", "actor", "created_at", "revision", "holder", "user"}
    return type(row), *(getattr(row, field.name) for field in fields(row) if field.name not in unsaid)


async def test_everybody_is_read_in_blocks_as_one_by_one(
    stocked_template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.repositories.profiles.IN_A_BLOCK", 2)
    history = await begin_history(stocked_template, tmp_path, 3)
    for _ in range(2 * STEPS):
        with suppress(Refused):
            await history.step()
    await read_in_blocks(history.services)
    await history.services.close()


@pytest.mark.parametrize("count", [pytest.param(6, id="default"), pytest.param(60, id="deep", marks=pytest.mark.deep)])
async def test_what_is_kept_of_roles_teams_and_contracts_is_what_there_is(
    stocked_template: Template, tmp_path: Path, count: int
) -> None:
    """Through random histories: of the next state what the log names is read, if anything."""
    shared = anew = 0
    for seed in range(count):
        history = await begin_history(stocked_template, tmp_path, seed)
        services, before = history.services, None
        for _ in range(STEPS):
            with suppress(Refused):
                await history.step()
            async with services.reading() as reading:
                known = await services.load_directory(reading.unit, reading.mark)
                assert known == await reading.unit.worlds.load_directory()
            shared, anew = shared + (known is before), anew + (known is not before)
            before = known
        await services.close()
    assert shared > count
    assert anew > count


@pytest.mark.parametrize(
    "state",
    ["another history", "a later one", "a hundred states later", "much later", "another catalog", "of another catalog"],
)
async def test_what_is_kept_of_another_state_is_not_built_upon(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Of a database that was set back, of a snapshot that began later, of rows that another catalog made something of.

    And now and then all is read in any case, as where the log names more than that.
    """
    services = world.services
    async with services.reading() as reading:
        mark, wrong = reading.mark, World.of([])
        assert mark is not None
        (entry,) = await reading.unit.audit.find([mark.revision - 1])
        before, catalog = Mark(entry.revision, entry.hash), services.catalog
        match state:
            case "a hundred states later":
                services._steps = MOST_STEPS
            case "much later":
                monkeypatch.setattr("app.db.repositories.profiles.MOST_NAMED", 0)
            case "another catalog":
                catalog = NO_CATALOG
            case "of another catalog":
                before, catalog = mark, NO_CATALOG
            case _:
                before = Mark(mark.revision + (1 if state == "a later one" else -1), mark.hash)
        services._directory = (before, catalog, wrong)
        known = await services.load_directory(reading.unit, mark)
        assert known == await reading.unit.worlds.load_directory() != wrong


async def test_what_the_log_names_is_found_by_revision(world: Gateway) -> None:
    """Not among the subjects of all entries there are."""
    subjects = AuditSubjectRow.__table__  # type: ignore[attr-defined]  # SQLModel makes it
    plans: list[str] = []

    def explain(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if subjects.name in statement:
            with closing(sqlite3.connect(world.path)) as connection:
                plans.extend(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    engine = world.services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", explain)
    async with world.services.database.reading(world.services.catalog) as unit:
        everything = await unit.profiles.list_subjects(0)
        others = await unit.profiles.list_subjects(0, but_people=True)
    event.remove(engine, "before_cursor_execute", explain)
    assert everything is not None
    assert others == {subject for subject in everything if not subject.startswith("usr_")} < everything
    assert len(plans) == 2
    assert all("subjects_of_entry" in plan for plan in plans), plans


async def test_where_the_log_names_very_much_all_is_read_anew(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was worked out for profiles goes on until a role, a team or a contract is another."""
    monkeypatch.setattr("app.db.repositories.profiles.MOST_NAMED", 0)
    indexes, cleo, number = world.services.index, world.ids["cleo"], world.services.catalog.number_of[MENU]
    await indexes.start()
    first = indexes.current()
    await world.create_user("dora")
    await _grant(world.services, _olga(world), Ref("id", cleo), GrantItem(permission=MENU))
    await indexes.catch_up()
    second = indexes.current()
    await world.create_role("readers", MENU)
    await world.assign({"user": {"userName": "dora"}}, "readers")
    await indexes.catch_up()
    third = indexes.current()

    assert first is not None and second is not None and third is not None
    assert [index.allows(cleo, number, world.clock()) for index in (first, second, third)] == [False, True, True]
    assert (second.standings is first.standings, third.standings is second.standings) == (True, False)
    assert third.allows(world.ids["dora"], number, world.clock())


# ---------------------------------------------------------------------- never behind


@pytest.fixture
async def indexed(world: Gateway) -> Gateway:
    """The small contact centre, answered from an index."""
    if world.services.index.current() is None:
        await world.services.index.start()
    return world


@pytest.fixture
async def other(world: Gateway, stocked_template: Template) -> AsyncIterator[Services]:
    """Another process over the same database."""
    services = open_copy(stocked_template, world.path, world.clock)
    yield services
    await services.close()


def _olga(world: Gateway) -> Caller:
    return Caller(user=UserId(world.owner), user_name="olga", is_owner=True)


async def test_what_another_process_takes_away_is_taken_away_at_once(indexed: Gateway, other: Services) -> None:
    index, cleo = indexed.services.index.current(), indexed.ids["cleo"]
    assert index is not None
    number = index.program.catalog.number_of[MENU]
    assert not index.allows(cleo, number, indexed.clock())
    item = GrantItem(permission=MENU)
    await _grant(other, _olga(indexed), Ref("id", cleo), item)
    assert indexed.services.index.current() is None, "it is behind, and so it is none"
    await indexed.services.index.catch_up()
    following = indexed.services.index.current()
    assert following is not None
    assert following.allows(cleo, number, indexed.clock())
    assert not index.allows(cleo, number, indexed.clock()), "an index never changes"


async def _grant(services: Services, caller: Caller, user: Ref, item: GrantItem) -> None:
    written = await grants.grant_permissions(
        services, caller, HolderRef("user", user), [item], on_missing=MissingPrerequisites.REJECT,
        options=WriteOptions(),
    )  # fmt: skip
    assert not written.errors


async def test_right_after_a_change_the_next_index_is_waited_for(
    indexed: Gateway, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read over a connection of its own: it does not stand in line behind all who ask the database."""
    monkeypatch.setattr("app.services.index.PATIENCE_S", 10.0)
    indexes, release = indexed.services.index, asyncio.Event()

    async def hold() -> None:
        async with indexed.services.database.reading():
            await release.wait()

    holding = [asyncio.create_task(hold()) for _ in range(POOL_SIZE)]
    try:
        assert not indexes.is_expected
        assert await indexes.expect() is indexes.current() is not None
        await _grant(other, _olga(indexed), Ref("id", indexed.ids["cleo"]), GrantItem(permission=MENU))
        assert indexes.current() is None
        assert indexes.is_expected
        following = await indexes.expect()
        assert following is not None
        assert following.allows(indexed.ids["cleo"], following.catalog.number_of[MENU], indexed.clock())
        assert not indexes.is_expected
    finally:
        release.set()
        await asyncio.gather(*holding)


async def test_one_that_is_behind_again_is_waited_for_on(
    indexed: Gateway, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = indexed.services.index
    sensor, told = indexes._sensor, iter([False, False, False])  # it is behind, and so it is when it has caught up
    assert sensor is not None
    is_latest = sensor.is_latest
    monkeypatch.setattr("app.services.index.PATIENCE_S", 10.0)
    monkeypatch.setattr(sensor, "is_latest", lambda mark: next(told, True) and is_latest(mark))
    await _grant(other, _olga(indexed), Ref("id", indexed.ids["cleo"]), GrantItem(permission=MENU))
    assert indexes.current() is None
    assert await indexes.expect() is not None
    assert next(told, None) is None


async def test_an_index_that_does_not_come_is_not_waited_for(
    indexed: Gateway, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is answered from the database then, and those after them do not wait again."""
    indexes = indexed.services.index
    monkeypatch.setattr("app.services.index.PATIENCE_S", 0.01)

    async def fail() -> None:
        raise OSError

    monkeypatch.setattr(indexes, "catch_up", fail)
    await _grant(other, _olga(indexed), Ref("id", indexed.ids["cleo"]), GrantItem(permission=MENU))
    assert indexes.current() is None
    assert indexes.is_expected
    assert await indexes.expect() is None
    assert not indexes.is_expected
    await indexes.close()
    assert await indexes.expect() is None


async def test_a_token_revoked_by_another_process_is_good_no_more(indexed: Gateway, other: Services) -> None:
    _, secret = await indexed.issue_token("ana")
    await indexed.services.index.catch_up()
    for _ in range(2):  # out of the database, and out of memory
        assert await authenticate(indexed.services, secret) is not None
    await users.set_user_status(
        other, _olga(indexed), Ref("id", indexed.ids["ana"]), UserStatus.SUSPENDED, options=WriteOptions()
    )  # fmt: skip
    assert await authenticate(indexed.services, secret) is None
    await indexed.services.index.catch_up()
    assert await authenticate(indexed.services, secret) is None


async def test_a_document_that_is_overtaken_is_answered_from_one_revision(
    indexed: Gateway, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it comes from the index, half from a snapshot; a commit in between makes it begin anew."""
    cleo = indexed.ids["cleo"]
    reading, overtaken = indexed.services.reading, 0

    def read_late(*given: Any, **named: Any) -> Any:
        nonlocal overtaken
        return _after_a_grant(reading, given, named)

    @asynccontextmanager
    async def _after_a_grant(read: Any, given: Any, named: Any) -> AsyncIterator[Reading]:
        nonlocal overtaken
        if not overtaken:
            overtaken += 1
            await _grant(other, _olga(indexed), Ref("id", cleo), GrantItem(permission=MENU))
        async with read(*given, **named) as found:
            yield found

    await indexed.services.index.catch_up()
    before = indexed.services.index.current()
    assert before is not None
    monkeypatch.setattr(indexed.services, "reading", read_late)
    document = f"""{{ check(input: {{user: {{id: "{cleo}"}}, node: "{MENU}"}}) {{ allowed revision }}
      auditLog(first: 1) {{ totalCount }} revision }}"""
    data = await indexed.gql(document)
    assert overtaken == 1
    assert data["check"] == {"allowed": True, "revision": data["revision"]}
    assert int(data["revision"]) == before.revision + 1


async def test_what_is_asked_of_the_index_takes_no_statement(indexed: Gateway) -> None:
    """A check, many, and a screenful of rights; and what each tells further is read from the same revision."""
    document = """query ($ana: ID!, $node: String!) {
      check(input: {user: {id: $ana}, node: $node}) { allowed state value { text } missing { text } revision }
      checkMany(inputs: [{user: {userName: "ana"}, node: $node}, {user: {id: $ana}, node: $node}]) { allowed }
      user(ref: {id: $ana}) { effectiveRights { state value { text } permission { key } } } revision }"""
    asked = {"ana": indexed.ids["ana"], "node": MENU}
    await indexed.services.index.catch_up()
    first = await indexed.gql(document, asked)
    await indexed.services.index.catch_up()
    with indexed.counting() as statements:
        assert await indexed.gql(document, asked) == first
    assert statements == []


async def test_an_explanation_names_real_rows(indexed: Gateway) -> None:
    """The index knows no ids of rows, so that why is read from the database."""
    document = """query ($ana: ID!, $node: String!) { check(input: {user: {id: $ana}, node: $node}) {
      allowed explanation { contributions { grant { id } holders { displayName } } wouldDeny { other } } }
      user(ref: {id: $ana}) { effectiveRights(nodes: [$node]) { contributions { grant { id } } } } }"""
    asked = {"ana": indexed.ids["ana"], "node": MENU}
    await indexed.services.index.catch_up()
    found = await indexed.gql(document, asked)
    await indexed.services.index.close()
    assert await indexed.gql(document, asked) == found
    assert found["check"]["explanation"]["contributions"][0]["grant"]["id"].startswith("gra_")
    assert found["user"]["effectiveRights"][0]["contributions"][0]["grant"]["id"].startswith("gra_")


async def test_time_alone_takes_away_what_ends(indexed: Gateway) -> None:
    """A window that ends between two commits ends in the index as well, to the second."""
    until = indexed.clock() + timedelta(seconds=30)
    cleo = Ref("id", indexed.ids["cleo"])
    await _grant(indexed.services, _olga(indexed), cleo, GrantItem(permission=MENU, valid_until=until))
    await indexed.services.index.catch_up()
    index = indexed.services.index.current()
    assert index is not None
    number = index.program.catalog.number_of[MENU]
    assert index.allows(cleo.value, number, indexed.clock())
    indexed.clock.advance(seconds=29)
    assert index.allows(cleo.value, number, indexed.clock())
    indexed.clock.advance(seconds=1)
    assert not index.allows(cleo.value, number, indexed.clock())
    assert indexed.services.index.current() is index, "nothing was committed"


def test_rooms_are_emptied_when_they_are_full() -> None:
    room: Room[int] = Room(3)
    for number in range(10):
        assert room.keep(str(number), number) == number
        assert len(room) <= 3


async def test_of_a_file_that_is_gone_or_is_another_nothing_is_known(indexed: Gateway, tmp_path: Path) -> None:
    """Whoever puts a backup in the place of the file is not answered from what was there before."""
    if not isinstance(indexed.path, Path):
        pytest.skip("a file is put in the place of another")
    index, aside = indexed.services.index, tmp_path / "aside.db"
    assert index.current() is not None
    indexed.path.rename(aside)
    assert index.current() is None
    indexed.path.write_bytes(aside.read_bytes())
    assert index.current() is None
    indexed.path.unlink()
    aside.rename(indexed.path)
    assert index.current() is not None


async def test_a_file_that_is_set_back_where_it_lies_and_goes_on_is_read_anew(
    indexed: Gateway, other: Services, tmp_path: Path
) -> None:
    """Its revision is then that of the index, or a later one, and its history is another."""
    if not isinstance(indexed.path, Path):
        pytest.skip("a backup is put back into a file")
    cleo, number = indexed.ids["cleo"], indexed.services.catalog.number_of[MENU]
    aside, index = tmp_path / "aside.db", indexed.services.index
    _copy_pages(indexed.path, aside)
    for steps in (1, 3):
        await _grant(other, _olga(indexed), Ref("id", cleo), GrantItem(permission=MENU))
        await index.catch_up()
        before = index.current()
        assert before is not None
        assert before.allows(cleo, number, indexed.clock())
        async with indexed.services.reading() as reading:
            await reading.load_world()

        _copy_pages(aside, indexed.path)
        for step in range(steps):
            await indexed.plant([Role(id=indexed.new_id(Role), key=f"role{step}", display_name="another")])

        assert index.current() is None
        async with indexed.services.reading() as reading:
            assert await reading.load_world() == await reading.unit.worlds.load_directory()
        await index.catch_up()
        following = index.current()
        assert following is not None
        assert following.revision - before.revision == steps // 3, "the same one, and a later one"
        assert not following.allows(cleo, number, indexed.clock())


def _copy_pages(source: Path, target: Path) -> None:
    """Puts what is in a file into another, as restoring a backup does: the file stays the same one."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


async def test_a10_questions_that_differ_in_anything_are_answered_apart(indexed: Gateway) -> None:
    """One person and one right with every difference there is, in any order, one after the other and all at once."""
    ana, contract = Ref("id", indexed.ids["ana"]), Ref("number", "C-1")
    later = indexed.clock() + timedelta(days=400)
    questions = [
        access.CheckAsked(user=ana, node=MENU),
        access.CheckAsked(user=ana, node=MENU, contract=contract),
        access.CheckAsked(user=ana, node=MENU, at=later),
        access.CheckAsked(user=ana, node=MENU, contract=contract, at=later),
        access.CheckAsked(user=Ref("user_name", "ana"), node=MENU),
        access.CheckAsked(user=Ref("user_name", "ben"), node=MENU),
        access.CheckAsked(user=ana, node=EXPORT),
        access.CheckAsked(user=ana, node=EXPORT, facts=(("credit_balance", "5"),)),
        access.CheckAsked(user=ana, node=EXPORT, facts=(("credit_balance", "0"),)),
        access.CheckAsked(user=ana, node=EXPORT, facts=(("trained", "true"),)),
    ]
    await indexed.services.index.catch_up()
    index, olga = indexed.services.index.current(), _olga(indexed)
    assert index is not None
    async with indexed.services.reading(olga) as reading:
        with _setting_aside(indexed.services):
            expected = [_tell(one, reading) for one in await access.check_many(reading, questions)]
        for order in (range(len(questions)), reversed(range(len(questions))), [*range(len(questions))] * 2):
            numbers = list(order)
            found = at_once.decide_many(index, olga, [questions[n] for n in numbers], reading.now)
            assert found is not None
            assert [_tell(one, index) for one in found] == [expected[n] for n in numbers]
            for number in numbers:
                alone = at_once.decide(index, olga, questions[number], reading.now)
                assert alone is not None
                assert _tell(alone, index) == expected[number]
    assert len({repr(one) for one in expected}) > 3, "the questions have different answers"


async def test_a11_a_circle_is_answered_alike_by_the_index(indexed: Gateway) -> None:
    """Roles that include one another, planted past every rule, and everybody asked about in both orders."""
    one, two = (indexed.new_id(Role) for _ in range(2))
    common: dict[str, Any] = {"created_at": indexed.clock()}
    rows = [
        Grant(id=indexed.new_id(Grant), holder=one, node=MENU, value=Switch(True), **common),
        Assignment(id=indexed.new_id(Assignment), holder=indexed.ids["cleo"], role=two, **common),
        Assignment(id=indexed.new_id(Assignment), holder=indexed.ids["ben"], role=one, **common),
    ]
    roles = [
        Role(id=one, key="one", display_name="One", parents=(two,)),
        Role(id=two, key="two", display_name="Two", parents=(one,)),
    ]
    await indexed.plant([*roles, *rows])
    people = [indexed.ids[name] for name in ("cleo", "ben")]
    answers = set()
    for order in (people, people[::-1]):
        services = indexed.services
        await services.index.close()
        await services.index.start()
        index = services.index.current()
        assert index is not None
        number = index.program.catalog.number_of[MENU]
        told = {user: index.allows(user, number, indexed.clock()) for user in order}
        async with services.reading() as reading:
            with _setting_aside(services):
                evaluation = await reading.evaluate([UserId(user) for user in order], None)
        for user in order:
            effective = evaluation.effective(Subject(user=UserId(user)))
            assert told[user] is evaluation.program.holds_any(effective.certain, number)
        answers.add(tuple(sorted(told.items())))
    assert len(answers) == 1


async def test_once_a_file_is_found_to_be_damaged_nothing_is_known(indexed: Gateway) -> None:
    """F7. What was right in memory would go on being answered by a process that is not ready."""
    index, engine = indexed.services.index, indexed.services.database.engine.sync_engine
    assert index.current() is not None
    _DAMAGED.add(engine)
    try:
        assert index.current() is None
    finally:
        _DAMAGED.discard(engine)
