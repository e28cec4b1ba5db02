"""Entries of very many changes: their changes lie in parts, and are written, ended and read like any others."""

import json
from hashlib import sha256
from typing import Any

import pytest

from app.domain.audit import PART_SIZE, AuditEntry, ChangeRecord, describe_change, hash_entry, name_subjects
from app.domain.contracts import AccessLevel
from app.domain.holders import Access, User
from app.domain.world import Change
from tests.bulk import COUNT, assign, create, make_people, plant_people, record
from tests.factories import Gateway, select

ENTRY = "SELECT subjects, changes, changes_total, parts_digest, scope FROM audit_entries WHERE revision = ?"
PARTS = "SELECT number, changes, hash FROM audit_parts WHERE revision = ? ORDER BY number"
SUBJECTS = "SELECT subject FROM audit_subjects WHERE revision = ? ORDER BY subject"


async def test_a_large_change_set_lies_in_parts_and_its_entry_holds_their_digest(gateway: Gateway) -> None:
    people, entry = await plant_people(gateway)

    parts = select(gateway.path, PARTS, entry.revision)
    assert [(number, len(json.loads(changes))) for number, changes, _ in parts] == [(0, 1000), (1, 1000), (2, 500)]
    assert [digest for *_, digest in parts] == [sha256(changes.encode()).hexdigest() for _, changes, _ in parts]
    digest = sha256("".join(digest for *_, digest in parts).encode()).hexdigest()
    assert select(gateway.path, ENTRY, entry.revision) == [("[]", "[]", COUNT, digest, None)]
    told = [change["holder"] for _, changes, _ in parts for change in json.loads(changes)]
    assert told == [user.id for user in people]
    assert select(gateway.path, SUBJECTS, entry.revision) == sorted((user.id,) for user in people)


async def test_what_is_written_in_parts_is_there(gateway: Gateway) -> None:
    people, entry = await plant_people(gateway)

    async with gateway.services.reading() as reading:
        world = await reading.load_world(None)
        last = await reading.unit.audit.find_last()

    assert [world.users[user.id] for user in people] == people
    assert last == entry
    assert (entry.changes, entry.subjects, entry.changes_total) == ((), (), COUNT)
    assert entry.hash == hash_entry(entry)
    revisions = "SELECT DISTINCT created_revision, ended_revision FROM users WHERE source = 'hr'"
    assert select(gateway.path, revisions) == [(entry.revision, None)]


@pytest.mark.parametrize("count", [PART_SIZE, PART_SIZE + 1])
async def test_told_beside_the_entry_or_in_it_is_the_same(gateway: Gateway, count: int) -> None:
    """Up to `PART_SIZE` changes an entry is one row, as ever; one change more, and it is in parts."""
    catalog, people = gateway.services.catalog, make_people(gateway, count)
    made = await create(gateway, people)
    ended = [Change(user, None) for user in people]
    await record(gateway, ended)
    records = tuple(describe_change(catalog, Change(None, user)) for user in people)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=gateway.clock(), actor="hr", actor_id=None, source="hr", action="applySync",
            reason=None, subjects=name_subjects(records), changes=records, previous_hash=previous,
        )  # fmt: skip

    async with gateway.services.database.writing(catalog) as unit:
        again = await unit.record([], make_entry)

    for statement in (ENTRY, PARTS, SUBJECTS):
        assert select(gateway.path, statement, made.revision) == select(gateway.path, statement, again.revision)
    assert (made.parts is None) == (again.parts is None) == (count == PART_SIZE)
    assert len(made.changes) == (count if count == PART_SIZE else 0)


async def test_very_many_rows_end_at_once(gateway: Gateway) -> None:
    people, _ = await plant_people(gateway)

    entry = await record(gateway, [Change(user, None) for user in people])

    left = "SELECT count(*) FROM users WHERE source = 'hr' AND ended_revision IS DISTINCT FROM ?"
    assert select(gateway.path, left, entry.revision) == [(0,)]
    assert entry.changes_total == COUNT


@pytest.mark.parametrize("twice", [False, True])
async def test_one_of_many_that_is_not_there_undoes_all(gateway: Gateway, twice: bool) -> None:
    people, entry = await plant_people(gateway)
    gone = people[2100] if twice else make_people(gateway, 1, "ghost")[0]

    with pytest.raises(RuntimeError, match=f"the row {gone.id} was to end and is not there"):
        await record(gateway, [*(Change(user, None) for user in people), Change(gone, None)])

    assert await gateway.revision() == entry.revision
    assert select(gateway.path, "SELECT count(*) FROM users WHERE ended_revision IS NOT NULL") == [(0,)]


async def test_an_error_in_the_middle_of_parts_leaves_nothing(gateway: Gateway) -> None:
    before = await gateway.revision()

    def tell() -> Any:
        yield from (ChangeRecord(action="test", detail=f"{number}") for number in range(PART_SIZE * 2))
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await record(gateway, [], told=tell())

    assert await gateway.revision() == before
    assert select(gateway.path, "SELECT count(*) FROM audit_parts") == [(0,)]


# ---------------------------------------------------------------------- what an entry is about


async def is_about(gateway: Gateway, entry: AuditEntry, subject: str) -> bool:
    async with gateway.services.database.reading() as unit:
        return await unit.audit.is_about(entry, subject)


async def test_what_it_is_about_is_found_in_every_part(world: Gateway) -> None:
    """A person in the first part and one in the last; the role that all are given is not changed by that."""
    people = make_people(world, COUNT)
    await create(world, people)
    entry = await create(world, assign(world, "agents", people))

    for user in (people[0], people[1700], people[-1]):
        assert await is_about(world, entry, user.id)
    for subject in (world.ids["agents"], world.ids["ana"], world.ids["C-1"], "usr_%"):
        assert not await is_about(world, entry, subject)


async def test_a_contract_is_changed_by_levels_in_it_and_not_by_what_is_scoped_to_it(world: Gateway) -> None:
    people = make_people(world, COUNT)
    await create(world, people)
    scoped = await create(world, assign(world, "agents", people, contract="C-1"))
    level = Access(
        id=world.new_id(Access), user=people[-1].id, product="core", level=AccessLevel.USER,
        contract=world.ids["C-1"], created_at=world.clock(),
    )  # fmt: skip
    with_level = await create(world, [*assign(world, "writers", people, contract="C-1"), level])

    assert not await is_about(world, scoped, world.ids["C-1"])
    assert await is_about(world, with_level, world.ids["C-1"])


async def test_the_scope_is_that_of_all_parts(world: Gateway) -> None:
    people, entry = await plant_people(world)
    scoped = await create(world, assign(world, "agents", people, contract="C-1"))
    mixed = await create(
        world, [*assign(world, "writers", people, contract="C-1"), *assign(world, "writers", people[:1])]
    )

    scopes = [select(world.path, ENTRY, one.revision)[0][-1] for one in (entry, scoped, mixed)]
    assert scopes == [None, world.ids["C-1"], None]


async def test_entities_of_every_kind_come_back_as_they_went_in(world: Gateway) -> None:
    """What is written by columns and read by columns, beside one another and one by one."""
    async with world.services.reading() as reading:
        everything = await reading.load_world(None)
        people = [user for user in everything.users.values() if isinstance(user, User)]
        one_by_one = await reading.unit.users.find_by("id", [user.id for user in people])
        rows = [row for held in everything.rows.values() for row in held]
        found = await reading.unit.rows.find([row.id for row in rows])

    assert sorted(one_by_one, key=lambda user: user.id) == sorted(people, key=lambda user: user.id)
    assert {row.id: row for row in found} == {row.id: row for row in rows}
    assert {type(row).__name__ for row in rows} >= {"Grant", "Limit", "Assignment", "Membership", "Access"}
