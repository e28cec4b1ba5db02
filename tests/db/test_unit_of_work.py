"""Units of work: one snapshot to read, one writer at a time, all or nothing, and nothing ever overwritten."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Table, text
from sqlmodel import SQLModel

from app.db.unit_of_work import Database, WritingUnit
from app.domain.audit import AuditEntry, ChangeRecord
from app.domain.holders import User
from app.domain.world import Change
from tests.factories import FIRST_REVISION, Gateway, address_of, holder, read_database, select


def entry(gateway: Gateway) -> Any:
    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=gateway.clock(), actor="test", actor_id=None, source="test", action="test",
            reason=None, subjects=(), changes=(ChangeRecord(action="test", detail="a test"),), previous_hash=previous,
        )  # fmt: skip

    return make_entry


def person(gateway: Gateway, name: str) -> User:
    return User(id=gateway.new_id(User), user_name=name, display_name=name)


async def add(unit: WritingUnit, gateway: Gateway, name: str) -> int:
    return (await unit.record([Change(None, person(gateway, name))], entry(gateway))).revision


@pytest.fixture
async def other(gateway: Gateway) -> AsyncIterator[Database]:
    """The same database opened by somebody else: another process has no more to do with us."""
    database = Database(address_of(gateway.path))
    yield database
    await database.close()


# ---------------------------------------------------------------------- reading


async def test_a_reading_unit_keeps_its_snapshot_while_another_commits(gateway: Gateway) -> None:
    services = gateway.services
    async with services.database.reading(services.catalog) as unit:
        assert await unit.audit.find_last_revision() == FIRST_REVISION

        await gateway.create_user("ana")

        assert await unit.audit.find_last_revision() == FIRST_REVISION
        assert await unit.users.find_by("user_name", ["ana"]) == []
        assert await unit.users.count_all() == 1
    assert await gateway.revision() == FIRST_REVISION + 1


async def test_readers_do_not_wait_for_a_writer(gateway: Gateway) -> None:
    services = gateway.services
    async with services.database.writing(services.catalog) as unit:
        await add(unit, gateway, "ana")

        assert await asyncio.wait_for(gateway.revision(), 2) == FIRST_REVISION

    assert await gateway.revision() == FIRST_REVISION + 1


async def test_a_dry_run_waits_for_nobody(gateway: Gateway) -> None:
    async with gateway.services.database.writing():
        payload = await asyncio.wait_for(gateway.send("createUser", {"userName": "ana", "dryRun": True}), 2)

    assert payload["user"] is not None


async def test_who_is_called_off_in_the_middle_of_a_statement_leaves_the_connection_to_the_others(
    gateway: Gateway,
) -> None:
    """Fields of one document share a snapshot; where one fails the others are called off."""
    services = gateway.services
    slow: Any = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n"
    )
    async with services.database.reading(services.catalog) as unit:
        called_off = asyncio.create_task(unit.reader.value(slow))
        await asyncio.sleep(0.01)
        called_off.cancel()
        with pytest.raises(asyncio.CancelledError):
            await called_off

        assert await unit.audit.find_last_revision() == FIRST_REVISION


# ---------------------------------------------------------------------- writing


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_two_writers_take_turns(gateway: Gateway, other: Database, elsewhere: bool) -> None:
    """The second sees what the first has written, whether it lives in this process or in another."""
    services, log = gateway.services, list[str]()
    holding, release = asyncio.Event(), asyncio.Event()

    async def write_first() -> None:
        async with services.database.writing(services.catalog) as unit:
            log.append("first in")
            holding.set()
            await release.wait()
            await add(unit, gateway, "ana")
            log.append("first done")

    async def write_second() -> None:
        async with (other if elsewhere else services.database).writing(services.catalog) as unit:
            log.append("second in")
            assert [user.user_name for user in await unit.users.find_by("user_name", ["ana"])] == ["ana"]
            assert await add(unit, gateway, "ben") == FIRST_REVISION + 2

    first = asyncio.create_task(write_first())
    await holding.wait()
    second = asyncio.create_task(write_second())
    await asyncio.sleep(0.05)
    assert log == ["first in"]
    release.set()
    await asyncio.gather(first, second)

    assert log == ["first in", "first done", "second in"]


async def test_check_then_write_lets_nobody_by(gateway: Gateway) -> None:
    """Twenty ask for the same name at once: one has it, nineteen are told so, and there is one revision."""
    payloads = await asyncio.gather(*(gateway.send("createUser", {"userName": "ana"}) for _ in range(20)))

    codes = sorted(error["code"] for payload in payloads for error in payload["errors"])
    assert codes == ["DUPLICATE"] * 19
    assert await gateway.revision() == FIRST_REVISION + 1


async def test_writes_at_once_make_revisions_without_gaps_in_one_chain(gateway: Gateway) -> None:
    await asyncio.gather(*(gateway.create_user(f"user{number}") for number in range(10)))

    data = await gateway.gql("{ auditLog(first: 100) { edges { node { revision hash previousHash } } } }")
    entries = [edge["node"] for edge in data["auditLog"]["edges"]]
    assert [int(one["revision"]) for one in entries] == list(range(FIRST_REVISION + 10, 0, -1))
    assert [one["previousHash"] for one in entries[:-1]] == [one["hash"] for one in entries[1:]]


async def test_an_error_leaves_nothing(gateway: Gateway) -> None:
    services, before = gateway.services, read_database(gateway.path)

    async def write() -> None:
        async with services.database.writing(services.catalog) as unit:
            await add(unit, gateway, "ana")
            await unit.write_setting("x", "y")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await write()

    assert read_database(gateway.path) == before
    await gateway.create_user("ana")  # and the lock is free


async def test_a_task_that_is_cancelled_leaves_nothing(gateway: Gateway) -> None:
    services, before = gateway.services, read_database(gateway.path)
    written = asyncio.Event()

    async def write() -> None:
        async with services.database.writing(services.catalog) as unit:
            await add(unit, gateway, "ana")
            written.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert read_database(gateway.path) == before
    await gateway.create_user("ana")


async def test_what_is_to_end_must_be_there(gateway: Gateway) -> None:
    services = gateway.services
    ghost = person(gateway, "ghost")

    async def end() -> None:
        async with services.database.writing(services.catalog) as unit:
            await unit.record([Change(ghost, None)], entry(gateway))

    with pytest.raises(RuntimeError, match="was to end and is not there"):
        await end()

    assert await gateway.revision() == FIRST_REVISION


# ---------------------------------------------------------------------- history

VERSIONS = (
    "SELECT display_name, created_revision, ended_revision FROM users WHERE user_name = ? ORDER BY created_revision"
)


async def test_a_changed_entity_is_a_further_version(gateway: Gateway) -> None:
    await gateway.create_user("ana", displayName="One")
    await gateway.mutate("updateUser", {"user": {"userName": "ana"}, "displayName": "Two"})
    await gateway.mutate("updateUser", {"user": {"userName": "ana"}, "displayName": "Three"})
    first = FIRST_REVISION + 1

    assert select(gateway.path, VERSIONS, "ana") == [
        ("One", first, first + 1),
        ("Two", first + 1, first + 2),
        ("Three", first + 2, None),
    ]
    assert len({row[0] for row in select(gateway.path, "SELECT id FROM users WHERE user_name = 'ana'")}) == 1


async def test_an_ended_row_stays_with_the_revision_that_ended_it(world: Gateway) -> None:
    (row,) = await world.grant(holder(user="cleo"), "desk.reports.menu")
    created = world.answered_from
    await world.mutate("revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"id": row}]})

    statement = "SELECT created_revision, ended_revision, node, value, actor FROM grants WHERE id = ?"
    assert select(world.path, statement, row) == [(created, created + 1, "desk.reports.menu", "on", "olga")]


async def test_no_row_is_ever_overwritten_or_deleted(world: Gateway) -> None:
    """After every kind of change each row of before is there as it was; all that may be new of it is its end."""
    before = {table.name: list_rows(world, table) for table in SQLModel.metadata.sorted_tables}
    c1, ana = {"number": "C-1"}, {"userName": "ana"}
    await world.mutate("updateUser", {"user": ana, "userName": "anna", "email": "a@example.org"})
    await world.mutate("updateUser", {"user": {"userName": "anna"}, "userName": "ana"})
    await world.mutate("unassignRoles", {"holder": holder(user="ana"), "roles": [{"role": {"key": "agents"}}]})
    await world.mutate("updateRole", {"role": {"key": "writers"}, "parents": []})
    await world.mutate("archiveTeam", {"team": {"key": "support"}})
    await world.mutate("removeTeamMembers", {"team": {"key": "support"}, "users": [ana]})
    await world.mutate("liftLimits", {"holder": holder(user="ana"), "limits": [{"permission": "desk.reports.export"}]})
    await world.mutate("revokePermissions", {
        "holder": holder(user="ana"), "revokes": [{"permission": "desk.staff.show_phone"}]
    })  # fmt: skip
    await world.set_level("C-1", "ana", "core", None)
    await world.mutate("transferContract", {"contract": c1, "to": {"userName": "cleo"}})
    await world.mutate("setUserStatus", {"user": ana, "status": "ARCHIVED"})

    for table in SQLModel.metadata.sorted_tables:
        now = list_rows(world, table)
        for key, was in before[table.name].items():
            changed = {column for column, value in was.items() if now[key][column] != value}
            assert changed <= {"ended_revision"}
            assert not changed or was["ended_revision"] is None


def list_rows(gateway: Gateway, table: Table) -> dict[Any, dict[str, Any]]:
    """Every row of a table by its primary key."""
    names = [column.name for column in table.columns]
    listed = ", ".join(f'"{name}"' for name in names)
    rows = [dict(zip(names, row, strict=True)) for row in select(gateway.path, f'SELECT {listed} FROM "{table.name}"')]
    return {tuple(row[column.name] for column in table.primary_key): row for row in rows}


async def test_every_revision_that_rows_name_is_in_the_log(world: Gateway) -> None:
    revisions = {revision for (revision,) in select(world.path, "SELECT revision FROM audit_entries")}
    assert revisions == set(range(1, max(revisions) + 1))
    for table in ("users", "roles", "teams", "contracts", "grants", "limits", "assignments", "memberships"):
        named = select(world.path, f"SELECT created_revision FROM {table}")
        assert named and {revision for (revision,) in named} <= revisions


async def test_what_was_known_at_a_revision_can_be_read(world: Gateway) -> None:
    """`known_at` is there for history queries: every repository sees the same revision of the past."""
    services = world.services
    then = await world.revision()
    await world.mutate("updateUser", {"user": {"userName": "ana"}, "displayName": "Ana later"})
    await world.create_user("dora")
    await world.mutate("unassignRoles", {"holder": holder(user="ana"), "roles": [{"role": {"key": "agents"}}]})

    async with services.database.reading(services.catalog, known_at=then) as unit:
        (ana,) = await unit.users.find_by("user_name", ["ana"])
        assert ana.display_name == "ana"
        assert await unit.users.find_by("user_name", ["dora"]) == []
        assert await unit.users.count_all() == 4
        people = await unit.worlds.load_people([ana.id])
    assert any(type(record).__name__ == "Assignment" for record in people)


async def test_every_row_has_the_revision_of_its_payload(world: Gateway) -> None:
    payload = await world.mutate(
        "grantPermissions",
        {"holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.menu"}]},
        "grants { revision createdAt }",
    )

    assert payload["holder"]["grants"] == [{"revision": payload["revision"], "createdAt": "2026-06-01T09:00:00Z"}]
