"""Everybody, read for the index: of one state, found by every name, and the same whatever fits into a block."""

import gc
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.db.faults import DisagreeingIndexes
from app.db.repositories import profiles
from app.db.repositories.profiles import Signatures, _Gathering, _Making, _Naming
from app.db.repositories.reading import Reader
from app.db.repositories.worlds import pausing_collection
from app.domain.holders import Assignment, User, UserId
from app.domain.people import Everybody, People
from app.domain.profiles import Profile
from app.main import _living
from app.settings import Settings
from app.web.lifecycle import Lifecycle
from tests.bulk import assign, create, make_people
from tests.factories import Gateway, holder, select
from tests.serving import until

NAMES = ("zoe", "ärmel", "Zoe", "straße", 'a "quote"', "~", "\uff5e", "𝄞", "a\\n", "a")  # in no order
NO_LINES = [(None, None)] * len(profiles._KINDS)


async def read(world: Gateway, signatures: Signatures) -> Everybody:
    async with world.services.database.reading(world.services.catalog) as unit:
        return await unit.profiles.load_everybody(signatures, [world.ids["ben"]])


def tell(everybody: Everybody) -> list[tuple[str, str, str | None, Profile]]:
    return [tuple(person) for person in People(everybody)]


def make_named(world: Gateway) -> list[User]:
    """People of odd names, of whom some have an external id that sorts otherwise."""
    return [
        User(
            id=UserId(world.new_id(User)), user_name=name, display_name=name,
            external_id=None if number % 3 == 2 else f"{9 - number}{name}",
        )
        for number, name in enumerate(NAMES)
    ]  # fmt: skip


@pytest.mark.parametrize(("block", "sparse"), [(1, 16), (3, 16), (3, 0), (16_000, 16)])
async def test_they_are_found_by_any_name_in_the_order_of_these(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, block: int, sparse: int
) -> None:
    monkeypatch.setattr(profiles, "IN_A_BLOCK", block)
    monkeypatch.setattr(profiles, "SPARSE", sparse)
    made = make_named(world)
    await create(world, made)
    people = People(await read(world, Signatures()))
    for user in made:
        assert people.find("user_name", user.user_name) == user.id
        assert user.external_id is None or people.find("external_id", user.external_id) == user.id
        found = people.person(user.id)
        assert found is not None
        assert (found.user_name, found.external_id) == (user.user_name, user.external_id)
    names = [person.user_name for person in people]
    assert set(names) >= {*NAMES, "ana", "ben", "cleo"}
    assert names == sorted(names)
    for name in ("", "b", "9", "zoe\x00"):
        assert people.find("user_name", name) is people.find("external_id", name) is None


async def test_a_role_alone_says_less_than_one_with_anything_else(world: Gateway) -> None:
    people = make_people(world, 5)
    now = world.clock()
    changes: list[dict[str, Any]] = [
        {}, {"contract": world.ids["C-1"]}, {"valid_from": now}, {"valid_until": now},
        {"contract": world.ids["C-1"], "valid_from": now, "valid_until": now},
    ]  # fmt: skip
    rows = [replace(row, **change) for row, change in zip(assign(world, "agents", people), changes, strict=True)]
    await create(world, [*people, *rows])
    signatures = Signatures()
    everybody = People(await read(world, signatures))
    async with world.services.database.reading(world.services.catalog) as unit:
        listed = await unit.profiles.load([user.id for user in people], signatures, [])
    assert len({person.profile for person in listed}) == 5
    for user, row in zip(people, rows, strict=True):
        profile = everybody.profile(user.id)
        assert profile is not None
        assert profile == next(person.profile for person in listed if person.id == user.id)
        (told,) = signatures.read(world.services.catalog, profile).rows
        assert isinstance(told, Assignment)
        assert (told.role, told.contract, told.valid_from, told.valid_until) == (
            row.role, row.contract, row.valid_from, row.valid_until
        )  # fmt: skip


async def test_they_are_of_one_state_whatever_is_committed_meanwhile(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and rows are read one after another: between them somebody comes, and somebody is given a right."""
    monkeypatch.setattr(profiles, "IN_A_BLOCK", 1)
    signatures, take_in, come = Signatures(), profiles._take_in, iter(("adam", "zacharias", "mia"))
    before = tell(await read(world, signatures))

    async def take_in_and_commit(blocks: AsyncGenerator[Any, None], take: Callable[..., None]) -> None:
        await take_in(blocks, take)
        await world.create_user(next(come))
        await world.grant(holder(user="cleo"), "desk.staff.show_phone")

    monkeypatch.setattr(profiles, "_take_in", take_in_and_commit)
    assert tell(await read(world, signatures)) == before
    monkeypatch.undo()
    after = tell(await read(world, signatures))
    assert len(after) == len(before) + 3
    assert {profile for *_, profile in after} - {profile for *_, profile in before}


@pytest.mark.parametrize("but_people", [False, True])
async def test_of_what_the_log_names_no_more_is_read_than_is_told(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, *, but_people: bool
) -> None:
    """Where it is more than that all there is is read: millions of names would be read for nothing before."""
    brought: list[int] = []
    read = Reader.tuples

    async def count(self: Reader, *given: Any) -> Any:
        rows = await read(self, *given)
        brought.append(len(rows))
        return rows

    monkeypatch.setattr(Reader, "tuples", count)
    named = [name for (name,) in select(world.path, "SELECT subject FROM audit_subjects WHERE revision > 3")]
    named = [name for name in named if not (but_people and name.startswith("usr_"))]
    for most, told in ((len(named), frozenset(named)), (len(named) - 1, None), (3, None)):
        monkeypatch.setattr(profiles, "MOST_NAMED", most)
        async with world.services.database.reading() as unit:
            assert await unit.profiles.list_subjects(3, but_people=but_people) == told
    assert brought == [len(named), len(named), 4]


def gather(*rows: int) -> _Gathering:
    """What takes in people of these rows."""
    naming = _Naming()
    naming.add(json.dumps([f"name {row}" for row in rows]), json.dumps(rows))
    return _Gathering(naming, _Making(Signatures(), []))


@pytest.mark.parametrize(
    ("ids", "rows"),
    [("usr_a", "[1]"), ("usr_a\nusr_a", "[1, 2]"), ("usr_a\nusr_b", "[1, 1]"), ("usr_a\nusr_b\nusr_c", "[1, 2, 2]")],
    ids=["one is missing", "twice the same", "twice the same row", "one too many"],
)
def test_indexes_that_do_not_agree_make_nobody(ids: str, rows: str) -> None:
    """Such a file is damaged."""
    gathering, flags = gather(1, 2), "\n".join(["ACTIVE0"] * len(json.loads(rows)))

    def take_in() -> None:
        gathering.add_people(ids, rows, flags, 0, NO_LINES)
        gathering.pack()

    with pytest.raises(ValueError, match="not the same people"):
        take_in()


def test_nobody_is_said_twice_in_different_blocks() -> None:
    gathering = gather(1, 2)
    for row in (1, 2):
        gathering.add_people("usr_a", f"[{row}]", "ACTIVE0", 0, NO_LINES)
    with pytest.raises(ValueError, match="not the same people"):
        gathering.pack()


def test_what_says_who_people_are_has_a_line_for_each() -> None:
    with pytest.raises(ValueError, match="is none"):
        gather(1, 2).add_people("usr_a\nusr_b", "[1, 2]", "ACTIVE0", 0, NO_LINES)


def test_rows_of_whoever_is_not_there_are_nobodys() -> None:
    gathering = gather(1, 2)
    lines = [("usr_a\nusr_gone", '["one"]\n["another"]'), *NO_LINES[1:]]
    gathering.add_people("usr_b\nusr_a", "[1, 2]", "ACTIVE0\nACTIVE0", 0, lines)
    assert [profile for *_, profile in tell(gathering.pack())] == [(0,), (0, 0)]


def test_profiles_are_no_burden_to_later_searches_for_garbage() -> None:
    gathering = gather(1, 2)
    with pausing_collection():
        gathering.add_people("usr_b\nusr_a", "[1, 2]", "ACTIVE0\nACTIVE0", 0, [("usr_a", '["one"]'), *NO_LINES[1:]])
        found = gathering.pack().profiles
        assert len(found) == 2
        assert not any(map(gc.is_tracked, found))


@pytest.mark.parametrize(
    ("names", "rows", "there_are"),
    [(["x"], "[3]", 1), (["x"], "[9]", 1), (["x"], "[1]", 2), (["x", "y"], "[1, 1]", 2), (["y", "x"], "[1, 2]", 2)],
    ids=["a row without a name", "no row at all", "one is missing", "one has two", "in no order"],
)
@pytest.mark.parametrize("sparse", [1, 1000], ids=["close", "sparse"])
def test_external_ids_that_do_not_agree_make_nobody(names: list[str], rows: str, there_are: int, sparse: int) -> None:
    """Else they would be somebody else's."""
    gathering = gather(1, 2, 4 * sparse)

    def take_in() -> None:
        flags = "\n".join(["ACTIVE0"] * 3)
        gathering.add_people("usr_a\nusr_b\nusr_c", f"[1, 2, {4 * sparse}]", flags, there_are, NO_LINES)
        gathering.add_external_ids(json.dumps(names), rows)
        gathering.pack()

    with pytest.raises(ValueError, match=r"people|order"):
        take_in()


def test_names_in_no_order_make_nobody() -> None:
    """They are looked for by halving, and would not be found."""
    for first, second in (('["b"]', '["a"]'), ('["a", "c", "b"]', "[]"), ('["a"]', '["a"]')):
        naming = _Naming()

        def add(naming: _Naming = naming, names: tuple[str, ...] = (first, second)) -> None:
            for listed in names:
                naming.add(listed, json.dumps([*range(len(json.loads(listed)))]))

        with pytest.raises(ValueError, match="order"):
            add()


def _refuse(_self: object) -> None:
    raise DisagreeingIndexes("damaged")


async def test_a_server_whose_database_makes_no_index_is_not_ready(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_Gathering, "pack", _refuse)
    await world.services.index.close()
    with caplog.at_level(50, "permgate"):
        async with _living(world.services, Settings(), Lifecycle()):
            assert world.services.index.current() is None
            assert world.services.database.is_damaged
            found = await world.gql(
                '{ check(input: {user: {userName: "ana"}, node: "desk.reports.menu"}) { allowed } }'
            )
            assert found["check"]["allowed"]
    assert "do not say what its tables do" in caplog.text


async def test_neither_is_one_whose_database_makes_no_next_index_and_it_leaves_no_snapshot(
    world: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of what was read before nothing is told any more, nor by whoever starts over the mended file."""
    database, index, snapshot = world.services.database, world.services.index, tmp_path / "index.snapshot"
    await index.start()
    index.snapshot = snapshot
    assert (await world.client.get("/readyz")).status_code == 200
    monkeypatch.setattr("app.services.index.MOST_LOADED", 0)
    monkeypatch.setattr(_Gathering, "pack", _refuse)
    with caplog.at_level(40, "permgate"):
        await world.create_user("dana")
        await until(lambda: database.is_damaged)
        await world.create_user("emil")
        await index.catch_up()
        assert index.current() is None
    found = await world.client.get("/readyz")
    assert (found.status_code, found.text) == (503, "the database is damaged\n")
    assert [record.getMessage() for record in caplog.records] == [
        "the indexes of the database do not say what its tables do: make them anew"
    ]
    await index.close()
    assert not snapshot.exists()


def test_nobody_at_all() -> None:
    assert list(People(gather().pack())) == []
