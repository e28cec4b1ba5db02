"""Starting from a file: the same index in a fraction of the work, and never that of another history."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.db.repositories.profiles import SHAPE
from app.domain.callers import Caller
from app.domain.changes import MissingPrerequisites
from app.domain.holders import UserId
from app.domain.people import MOST_CHANGED, People, Person
from app.domain.references import Ref
from app.services import contracts, grants
from app.services.context import Services
from app.services.grants import GrantItem
from app.services.index import RightsIndex
from app.services.references import HolderRef
from app.services.snapshots import SEAL_SIZE, read_snapshot
from app.services.writing import WriteOptions
from tests.factories import Clock, Gateway, Template, count_statements, open_copy

MENU = "desk.reports.menu"
OPTIONS = WriteOptions()


@pytest.fixture
async def kept(world: Gateway, tmp_path: Path) -> Path:
    """The snapshot that a process has left."""
    path = tmp_path / "index.snapshot"
    await run_once(world, path)
    assert path.stat().st_mode & 0o077 == 0, "it tells who there is"
    return path


async def run_once(world: Gateway, path: Path) -> None:
    services = services_over(world)
    services.index.snapshot = path
    await services.index.start()
    await services.close()


def services_over(world: Gateway) -> Services:
    template = Template(world.path, world.services.program, world.owner, world.token)
    return open_copy(template, world.path, world.clock)


async def start(world: Gateway, path: Path | None) -> tuple[Any, list[str]]:
    """Everything an index says once it has started, and the statements that this took."""
    services = services_over(world)
    services.index.snapshot = path
    try:
        with count_statements(services) as statements:
            await services.index.start()
        index = services.index.current()
        assert index is not None
        return tell(index, world.clock), [one for one in statements if "users.user_name" in one]
    finally:
        await services.close()


def tell(index: RightsIndex, clock: Clock) -> Any:
    contracts = (None, *index.directory.contracts)
    people = sorted(index.people, key=lambda person: person.user_name)
    return index.revision, [
        (p.id, p.user_name, p.external_id, *(index.levels(p.id, clock(), contract) for contract in contracts))
        for p in people
    ]


def olga(world: Gateway) -> Caller:
    return Caller(user=UserId(world.owner), user_name="olga", is_owner=True)


async def grant(world: Gateway, name: str) -> None:
    written = await grants.grant_permissions(
        world.services, olga(world), HolderRef("user", Ref("id", world.ids[name])), [GrantItem(permission=MENU)],
        on_missing=MissingPrerequisites.REJECT, options=OPTIONS,
    )  # fmt: skip
    assert not written.errors


async def test_it_says_what_the_database_says(world: Gateway, kept: Path) -> None:
    from_file, read = await start(world, kept)
    assert from_file == (await start(world, None))[0]
    assert read == [], "nobody is read whom nothing was done to"


async def test_what_came_after_it_is_read_from_the_log(world: Gateway, kept: Path) -> None:
    await grant(world, "cleo")
    await world.create_user("dora")
    transferred = await contracts.transfer_contract(
        world.services, olga(world), Ref("number", "C-1"), Ref("id", world.ids["dora"]), options=OPTIONS
    )
    assert not transferred.errors
    from_file, read = await start(world, kept)
    assert from_file == (await start(world, None))[0]
    assert all(" IN (" in one for one in read), "only those whom the log names"


async def test_where_the_log_names_very_much_since_everybody_is_read(
    world: Gateway, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grant(world, "cleo")
    monkeypatch.setattr("app.db.repositories.profiles.MOST_NAMED", 0)
    from_file, read = await start(world, kept)
    assert from_file == (await start(world, None))[0]
    assert not any(" IN (" in one for one in read)


def test_a_file_that_was_altered_or_is_of_another_database_is_not_taken(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    for place in (0, SEAL_SIZE + 1, SEAL_SIZE + 30, len(whole) - 1):
        altered = bytearray(whole)
        altered[place] ^= 1
        kept.write_bytes(altered)
        assert read_snapshot(kept, bytes(range(32))) is None
    kept.write_bytes(whole[: len(whole) // 2])
    assert read_snapshot(kept, bytes(range(32))) is None
    kept.write_bytes(whole)
    assert read_snapshot(kept, b"another key") is None
    assert read_snapshot(kept, bytes(range(32))) is not None
    assert read_snapshot(tmp_path, bytes(range(32))) is None
    kept.write_bytes(b"")
    assert read_snapshot(kept, bytes(range(32))) is None


async def test_a_database_that_was_set_back_and_went_on_otherwise_is_read_anew(
    world: Gateway, template: Template, tmp_path: Path
) -> None:
    """The file is of a revision that the database has, and of a history that it has not."""
    if not isinstance(world.path, Path):
        pytest.skip("a file is copied")
    before = tmp_path / "before.db"
    await world.services.close()
    shutil.copy(world.path, before)
    services = services_over(world)
    world.services = services
    await grant(world, "cleo")
    path = tmp_path / "index.snapshot"
    await run_once(world, path)
    await services.close()
    shutil.copy(before, world.path)
    world.services = services_over(world)
    await grant(world, "ana")
    await grant(world, "ben")
    await world.services.close()
    from_file, _ = await start(world, path)
    assert from_file == (await start(world, None))[0]


def test_one_that_was_written_for_other_columns_is_not_taken(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = bytes(range(32))
    assert read_snapshot(kept, key) is not None
    monkeypatch.setattr("app.services.snapshots.FORMAT", "that of another version")
    assert read_snapshot(kept, key) is None
    assert "0007" in SHAPE
    assert "Grant" in SHAPE


async def test_a_place_that_cannot_be_written_stops_nothing(world: Gateway, tmp_path: Path) -> None:
    services = services_over(world)
    services.index.snapshot = tmp_path / "not there" / "index.snapshot"
    await services.index.start()
    assert services.index.current() is not None
    await services.close()


def test_people_beside_the_packed_ones_are_dumped_with_them() -> None:
    people = People.of(
        [Person(UserId(f"usr_{n}"), f"name {n}", f"x{n}" if n % 2 else None, (0, n % 3)) for n in range(9)]
    )
    changed = people.changed({"usr_4": None, "usr_5": Person(UserId("usr_5"), "é", None, (1, 7))})
    packed = People.of(changed).packed
    again = People(type(packed).load(packed.dump()))
    assert sorted(again, key=str) == sorted(changed, key=str)
    assert again.find("external_id", "x3") == "usr_3"
    assert again.find("user_name", "é") == "usr_5"
    assert len(changed.beside) < MOST_CHANGED
    empty = People.of([]).packed
    assert list(People(type(empty).load(empty.dump()))) == []
