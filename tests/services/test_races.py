"""Two writers against each invariant, over one database, as two processes are.

After each round there is nothing broken, and what was answered and written is, id by id, what one of the serial orders
of the same moves answers and writes on a copy. The serial orders are made, not described: whatever the moves are, they
are the table of outcomes.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import combinations
from pathlib import Path

import pytest

from app.domain.callers import Right
from app.domain.references import Ref
from app.services.access import CheckAsked, check_many
from app.services.context import Services
from tests.factories import (
    Clock,
    Gateway,
    Place,
    Template,
    address_of,
    copy_template,
    fill_template,
    holder,
    open_copy,
    select,
)
from tests.histories import assert_kept, assert_sound, tell
from tests.moves import (
    Answer,
    Move,
    archive_role,
    assign,
    by,
    create_user,
    demote,
    edit_role,
    grant,
    make,
    rename,
    revoke,
    suspend,
    transfer,
)
from tests.processes import two_rivals

MENU, REAL_TIME, SHOW_PHONE = "desk.reports.menu", "desk.reports.real_time", "desk.staff.show_phone"
HEAD_START_S = 0.004  # a write takes some milliseconds: each side comes first about as often

GIVEN = "SELECT holder, created_revision FROM grants WHERE node = ? AND holder LIKE 'usr%'"
BEARERS = """SELECT id FROM users
  WHERE user_name = ?1 AND created_revision < ?2 AND (ended_revision IS NULL OR ended_revision >= ?2)"""

Outcome = tuple[list[Answer], list[Answer], str]  # what either side was told, and the whole file

many_rounds = pytest.mark.parametrize(
    "rounds", [pytest.param(20, id="default"), pytest.param(200, id="deep", marks=pytest.mark.deep)]
)


@pytest.fixture(scope="session")
def rivals(stocked_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The small contact centre with people who get into each other's way.

    ina    owns the account as well
    sam    may grant rights and has one to give, and no more
    """

    async def fill(gateway: Gateway) -> None:
        await gateway.create_users("ina", "sam")
        await gateway.mutate("setAccountOwner", {"user": {"userName": "ina"}, "isOwner": True})
        await gateway.grant(
            holder(user="sam"), Right.GRANT_RIGHTS, Right.VIEW_USERS, SHOW_PHONE, onMissingPrerequisites="INCLUDE"
        )
        gateway.ids["olga"] = gateway.owner

    return fill_template(stocked_template, tmp_path_factory.mktemp("rivals") / "template.db", fill)


Racing = Callable[[Sequence[Move], Sequence[Move]], "Race"]


@pytest.fixture
def racing(rivals: Template, tmp_path: Path, record_property: Callable[[str, object], None]) -> Iterator[Racing]:
    """Makes a race of the moves of two sides; how often each serial order came out is noted with the test."""
    races: list[Race] = []

    def start(left: Sequence[Move], right: Sequence[Move]) -> Race:
        races.append(Race(rivals, tmp_path, left, right))
        return races[-1]

    yield start
    for race in races:
        record_property("orders", sorted(race.seen.items()))


def interleavings(left: Sequence[Move], right: Sequence[Move]) -> list[list[tuple[int, Move]]]:
    """Every order of the moves in which each side keeps its own: `0` is the left side, `1` the right."""
    total = len(left) + len(right)
    orders = []
    for places in combinations(range(total), len(left)):
        sides = [iter(left), iter(right)]
        turns = [0 if place in places else 1 for place in range(total)]
        orders.append([(turn, next(sides[turn])) for turn in turns])
    return orders


@asynccontextmanager
async def opened(template: Template, path: Place) -> AsyncIterator[Services]:
    """Services over a file, its first connection made: what comes next is the race."""
    services = open_copy(template, path, Clock())
    try:
        async with services.reading():
            pass
        yield services
    finally:
        await services.close()


class Race:
    """Moves of two sides over copies of one world."""

    def __init__(self, template: Template, folder: Path, left: Sequence[Move], right: Sequence[Move]) -> None:
        self.template, self.folder, self.sides = template, folder, (left, right)
        self.seen: Counter[int] = Counter()  # how often each serial order came out
        self.serial: list[Outcome] = []

    async def run(self, rounds: int, check: Callable[[Place], None] = lambda _place: None) -> list[Outcome]:
        """Rounds in this process, over two `Database`s; every one of them came out as a serial order, and passes."""
        await self.make_serial_orders()
        outcomes = []
        for number in range(rounds):
            path = self.copy(f"round {number}")
            async with self.open(path) as left, self.open(path) as right:
                playing = [
                    make(moves, services, self.template.ids, within=HEAD_START_S)
                    for moves, services in zip(self.sides, (left, right), strict=True)
                ]
                told = await asyncio.gather(*playing)
                outcomes.append(await self.judge(left, path, told))
                check(path)
        return outcomes

    async def run_in_processes(self, rounds: int) -> None:
        """Rounds in two processes, which are kept for all of them; every one came out as a serial order."""
        await self.make_serial_orders()
        with two_rivals(self.template.ids) as processes:
            for number in range(rounds):
                path = self.copy(f"round {number}")
                for process, moves in zip(processes, self.sides, strict=True):
                    process.send(address_of(path), moves, HEAD_START_S)
                told = [process.receive() for process in processes]
                async with self.open(path) as services:
                    await self.judge(services, path, told)

    async def make_serial_orders(self) -> None:
        for number, order in enumerate(interleavings(*self.sides)):
            path = self.copy(f"serial {number}")
            told: tuple[list[Answer], list[Answer]] = ([], [])
            async with self.open(path) as services:
                for side, move in order:
                    told[side].append(await move.make(services, self.template.ids))
                await assert_sound(services, path)
            self.serial.append((*told, tell(path)))

    async def judge(self, services: Services, path: Place, told: Sequence[list[Answer]]) -> Outcome:
        """Asserts that a round came out as one of the serial orders, which are sound, and that its log is whole."""
        await assert_kept(services, path)
        outcome = (told[0], told[1], tell(path))
        orders = [number for number, serial in enumerate(self.serial) if _in_short(serial) == _in_short(outcome)]
        assert orders, f"no serial order answers {_in_short(outcome)[:2]}: {[_in_short(s)[:2] for s in self.serial]}"
        self.seen[orders[0]] += 1
        return outcome

    def copy(self, name: str) -> Place:
        """A copy of the world of before."""
        return copy_template(self.template, self.folder / f"{name}.db")

    def open(self, path: Place) -> AbstractAsyncContextManager[Services]:
        return opened(self.template, path)

    @property
    def errors(self) -> set[tuple[str, ...]]:
        """The errors of either side in each serial order."""
        return {
            tuple(error for side in serial[:2] for answer in side for error in answer.errors) for serial in self.serial
        }


def _in_short(outcome: Outcome) -> tuple[object, object, str]:
    """Without the ids of changes: the file has them all."""
    left, right, file = outcome
    return *([(a.errors, a.revision, len(a.changes)) for a in side] for side in (left, right)), file  # type: ignore[return-value]


# ---------------------------------------------------------------------- A16: the last owner


@many_rounds
async def test_two_owners_demote_each_other(rounds: int, racing: Racing) -> None:
    """A16, A7: whoever comes second owns nothing any more, and may demote nobody."""
    race = racing([by("olga", demote, "ina")], [by("ina", demote, "olga")])

    await race.run(rounds)

    assert race.errors == {("NOT_PERMITTED",)}


@many_rounds
async def test_two_owners_step_down_at_once(rounds: int, racing: Racing) -> None:
    """A16: each may go while the other stays."""
    race = racing([by("olga", demote, "olga")], [by("ina", demote, "ina")])

    await race.run(rounds)

    assert race.errors == {("LAST_OWNER",)}


@many_rounds
async def test_one_owner_is_suspended_while_the_other_steps_down(rounds: int, racing: Racing) -> None:
    """A16: an owner who is suspended counts as little as one who is none."""
    race = racing([by("olga", demote, "olga")], [by("olga", suspend, "ina")])

    await race.run(rounds)

    assert race.errors == {("NOT_PERMITTED",), ("LAST_OWNER",)}


@many_rounds
async def test_two_processes_of_two_owners_who_demote_each_other(rounds: int, racing: Racing) -> None:
    """A16, A7 with nothing shared but the file."""
    race = racing([by("olga", demote, "ina")], [by("ina", demote, "olga")])

    await race.run_in_processes(rounds)


# ---------------------------------------------------------------------- prerequisites


def prerequisite_race(racing: Racing) -> Race:
    """Ana has the menu by her role; real time needs it."""
    return racing(
        [by("olga", revoke, "role", "agents", MENU)],
        [by("ina", grant, "user", "ana", REAL_TIME)],
    )  # fmt: skip


@many_rounds
async def test_a_prerequisite_is_revoked_while_what_needs_it_is_granted(rounds: int, racing: Racing) -> None:
    """A7: the grant is refused, or else the revoke."""
    race = prerequisite_race(racing)

    await race.run(rounds)

    assert race.errors == {("PREREQUISITE_NOT_MET",), ("DEPENDENTS_EXIST",)}


@many_rounds
async def test_two_processes_at_a_prerequisite(rounds: int, racing: Racing) -> None:
    """A7 with nothing shared but the file."""
    await prerequisite_race(racing).run_in_processes(rounds)


@many_rounds
async def test_a_role_is_archived_while_it_is_assigned(rounds: int, racing: Racing) -> None:
    """A18: nobody is given a role that is there no more, and none is archived from under what stands on it."""
    race = racing(
        [by("olga", archive_role, "agents")],
        [by("ina", assign, "cleo", "agents"), by("ina", grant, "user", "cleo", REAL_TIME)],
    )  # fmt: skip

    await race.run(rounds)

    assert ("DEPENDENTS_EXIST",) in race.errors


# ---------------------------------------------------------------------- A6: a name changes hands


@many_rounds
async def test_a_name_changes_hands_while_it_is_granted_something(rounds: int, racing: Racing) -> None:
    """A6: the grant is for whom the name meant in the transaction that gave it, or for nobody: never for the other."""
    race = racing(
        [by("olga", rename, "ana", "anna"), by("olga", rename, "cleo", "ana")],
        [by("ina", grant, "user", "ana", "desk.staff.edit_contacts")],
    )  # fmt: skip

    def check(place: Place) -> None:
        for given_to, at in select(place, GIVEN, "desk.staff.edit_contacts"):
            assert select(place, BEARERS, "ana", at) == [(given_to,)]

    await race.run(rounds, check)

    assert race.errors == {(), ("NOT_FOUND",)}


@many_rounds
async def test_a_name_comes_to_somebody_above_while_it_is_granted_something(rounds: int, racing: Racing) -> None:
    """A6: who may touch the one and not the other is judged by the one whose name it is then."""
    race = racing(
        [by("olga", rename, "cleo", "cora"), by("olga", rename, "ina", "cleo")],
        [by("sam", grant, "user", "cleo", SHOW_PHONE)],
    )  # fmt: skip

    await race.run(rounds)

    assert len(race.errors) == 3, race.errors


@many_rounds
async def test_one_name_is_taken_twice(rounds: int, racing: Racing) -> None:
    """A18, A19: by a new person, and by one who is renamed."""
    race = racing([by("olga", create_user, "eva")], [by("ina", rename, "cleo", "eva")])

    await race.run(rounds)

    assert race.errors == {("DUPLICATE",)}


# ---------------------------------------------------------------------- A8: two editors


@many_rounds
async def test_one_role_is_edited_twice_from_the_same_revision(
    rounds: int, racing: Racing, rivals: Template, tmp_path: Path
) -> None:
    """A8: the second editor is told that the role is another by now."""
    untouched = copy_template(rivals, tmp_path / "untouched.db")
    seen = select(untouched, "SELECT max(revision) FROM audit_entries")[0][0]
    race = racing(
        [by("olga", edit_role, "agents", display_name="Agents", expected_revision=seen)],
        [by("ina", edit_role, "agents", description="Who answer calls", expected_revision=seen)],
    )  # fmt: skip

    await race.run(rounds)

    assert race.errors == {("STALE_REVISION",)}


# ---------------------------------------------------------------------- A7: who may, may no more


@many_rounds
async def test_an_administrator_loses_the_right_to_grant_while_granting(rounds: int, racing: Racing) -> None:
    """A7: the grant was made while it might be, or it was refused."""
    race = racing(
        [by("olga", revoke, "user", "sam", Right.GRANT_RIGHTS)],
        [by("sam", grant, "user", "cleo", SHOW_PHONE)],
    )  # fmt: skip

    await race.run(rounds)

    assert race.errors == {(), ("NOT_PERMITTED",)}


@many_rounds
async def test_an_administrator_loses_what_they_give_while_granting(rounds: int, racing: Racing) -> None:
    """A7: one gives what one holds in the transaction that gives it."""
    race = racing(
        [by("olga", revoke, "user", "sam", SHOW_PHONE)],
        [by("sam", grant, "user", "cleo", SHOW_PHONE)],
    )  # fmt: skip

    await race.run(rounds)

    assert race.errors == {(), ("DELEGATION_EXCEEDED",)}


@many_rounds
async def test_a_contract_is_transferred_to_somebody_who_is_suspended_meanwhile(rounds: int, racing: Racing) -> None:
    """A16: a contract in force has an owner who is active."""
    race = racing([by("olga", transfer, "C-1", "cleo")], [by("ina", suspend, "cleo")])

    await race.run(rounds)

    assert race.errors == {("CONFLICT",), ("LAST_OWNER",)}


# ---------------------------------------------------------------------- the same request twice


@many_rounds
async def test_one_idempotency_key_is_sent_twice_at_once(rounds: int, racing: Racing) -> None:
    """F1: a client that lost patience and sent it again: one change, and both are told of it."""
    move = by("olga", grant, "user", "cleo", "desk.staff.edit_contacts", key="once")
    race = racing([move], [move])

    for left, right, _ in await race.run(rounds):
        assert left == right
        assert left[0].changes and not left[0].errors


# ---------------------------------------------------------------------- A9: the new enemy


@many_rounds
async def test_what_is_revoked_here_is_not_allowed_there(rounds: int, rivals: Template, tmp_path: Path) -> None:
    """A9: another process that asks after the answer to a revoke, or to a limit of a role, never says yes."""
    path = copy_template(rivals, tmp_path / "file.db")
    revoking, granting = [by("olga", revoke, "role", "agents", MENU)], [by("olga", grant, "role", "agents", MENU)]

    async def allowed(services: Services) -> bool:
        async with services.reading() as reading:
            (decision,) = await check_many(reading, [CheckAsked(user=Ref.of("user_name", "ana"), node=MENU)])
            assert not decision.errors
            return decision.allowed

    async with opened(rivals, path) as here, opened(rivals, path) as there:
        assert await allowed(there)
        for _ in range(rounds):
            for moves, expected in ((revoking, False), (granting, True)):
                (answer,) = await make(moves, here, rivals.ids)
                assert not answer.errors
                assert await allowed(there) is expected
        await assert_sound(here, path)
