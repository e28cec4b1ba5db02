"""What PostgreSQL is told, read back from PostgreSQL itself; what it does when two are in each other's way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.db import postgresql, unit_of_work
from app.db.engine import POOL_SIZE
from app.db.unit_of_work import MAX_ATTEMPTS, Database, ReadingUnit, WritingUnit
from app.domain.outages import Conflicted, ConnectionLost, Unavailable, UndecidedCommit
from tests.factories import FIRST_REVISION, Gateway, address_of, each_of, select
from tests.postgres.stores import Store


@pytest.fixture
async def database(gateway: Gateway) -> Database:
    return gateway.services.database


@pytest.fixture
async def other(gateway: Gateway) -> AsyncIterator[Database]:
    """The same database opened by another process."""
    database = Database(address_of(gateway.path))
    yield database
    await database.close()


@pytest.fixture
async def hasty(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """The same database, opened by a process that waits for nothing long."""
    for name, seconds in (("LOCK_TIMEOUT_S", 0.2), ("POOL_TIMEOUT_S", 0.2), ("STATEMENT_TIMEOUT_S", 0.6)):
        monkeypatch.setattr(postgresql, name, seconds)
    database = Database(address_of(gateway.path))
    yield database
    await database.close()


async def show(unit: ReadingUnit, setting: str) -> str:
    return str((await unit.reader.connection.execute(text(f"SHOW {setting}"))).scalar())


# ---------------------------------------------------------------------- what it is told


@each_of(
    ("setting", "reading", "patient"),
    [
        ("transaction_isolation", "repeatable read", "repeatable read"),
        ("transaction_read_only", "on", "on"),
        ("statement_timeout", "3s", "10min"),
        ("lock_timeout", "2s", "30s"),
        ("idle_in_transaction_session_timeout", "10s", "10min"),
        ("timezone", "UTC", "UTC"),
        ("application_name", "permgate", "permgate"),
    ],
)
async def test_a_reading_unit_is_bounded(gateway: Gateway, setting: str, reading: str, patient: str) -> None:
    database = gateway.services.database
    async with database.reading() as unit, database.reading(patient=True) as job:
        assert (await show(unit, setting), await show(job, setting)) == (reading, patient)


async def test_a_job_reads_patiently(gateway: Gateway) -> None:
    """A sync compares everything between two statements; by the bounds of a request its transaction would be ended."""
    async with gateway.services.reading() as short, gateway.services.reading(patient=True) as long:
        told = [await show(one.unit, "idle_in_transaction_session_timeout") for one in (short, long)]
    assert told == ["10s", "10min"]


async def test_a_writing_unit_begins_by_taking_the_lock(gateway: Gateway, database: Database) -> None:
    held = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted"
    async with database.writing() as unit:
        assert await show(unit, "transaction_isolation") == "read committed"
        assert await show(unit, "transaction_read_only") == "off"
        assert select(gateway.path, held) == [(postgresql.WRITE_LOCK,)]
    assert select(gateway.path, held) == []


async def test_what_was_committed_while_a_writer_waited_is_seen_by_it(database: Database, other: Database) -> None:
    """The lock comes first, and what is decided sees whatever the holder before has committed."""
    holding, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with other.writing() as unit:
            holding.set()
            await release.wait()
            await unit.write_setting("turn", "first")

    first = asyncio.create_task(hold())
    await holding.wait()
    waiting = asyncio.create_task(read_setting_under_lock(database, "turn"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    release.set()
    await first

    assert await waiting == "first"


async def read_setting_under_lock(database: Database, name: str) -> str | None:
    async with database.writing() as unit:
        return await unit.catalogs.read_setting(name)


async def test_who_waits_too_long_for_the_lock_is_told_to_come_back(hasty: Database, database: Database) -> None:
    async with database.writing():
        with pytest.raises(Unavailable, match="lock timeout"):
            await read_setting_under_lock(hasty, "turn")

    assert await read_setting_under_lock(hasty, "turn") is None


async def test_a_statement_that_takes_too_long_is_given_up(hasty: Database) -> None:
    """F19: the server gives it up, and the connection serves on."""
    with pytest.raises(Unavailable, match="statement timeout"):
        async with hasty.reading() as unit:
            await unit.reader.value(text("SELECT pg_sleep(5)"))  # type: ignore[arg-type]  # as good as a select

    async with hasty.reading() as unit:
        assert await unit.audit.find_last_revision() == FIRST_REVISION


async def test_no_more_connections_than_the_pool_has(hasty: Database) -> None:
    """F18: who finds none is told so within a second or so."""
    released, held = asyncio.Event(), asyncio.Semaphore(0)

    async def hold() -> None:
        async with hasty.reading():
            held.release()
            await released.wait()

    holding = [asyncio.create_task(hold()) for _ in range(POOL_SIZE)]
    for _ in holding:
        await held.acquire()
    with pytest.raises(Unavailable, match="every connection to the database is taken"):
        async with hasty.reading():
            pass
    async with hasty.reading(patient=True) as unit:  # a job has connections of its own
        assert await unit.audit.find_last_revision() == FIRST_REVISION
    released.set()
    await asyncio.gather(*holding)


# ---------------------------------------------------------------------- done anew


def raising(state: str, times: int) -> Any:
    """Work that the server gives up so many times, and how often it was done."""
    done: list[int] = []

    async def work(unit: WritingUnit) -> int:
        done.append(await unit.audit.find_last_revision())
        await unit.write_setting("done", str(len(done)))
        if len(done) <= times:
            await unit.reader.connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))
        return len(done)

    return work


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_what_is_given_up_for_another_is_done_anew_as_a_whole(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """F15: with everything that was read and decided; the pauses are drawn by lot, each from twice as much."""
    pauses: list[float] = []

    def note(longest: float) -> float:
        pauses.append(longest)
        return 0.0

    monkeypatch.setattr(unit_of_work, "_draw_pause", note)

    assert await gateway.services.database.transact(raising(state, MAX_ATTEMPTS - 1)) == MAX_ATTEMPTS

    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32]
    assert select(gateway.path, "SELECT value FROM settings WHERE name = 'done'") == [(str(MAX_ATTEMPTS),)]


async def test_after_five_times_more_it_is_refused(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    database = gateway.services.database
    monkeypatch.setattr(unit_of_work, "_draw_pause", lambda _longest: 0.0)

    with pytest.raises(Conflicted):
        await database.transact(raising("40001", MAX_ATTEMPTS))

    assert select(gateway.path, "SELECT value FROM settings WHERE name = 'done'") == []


async def test_a_deadlock_with_somebody_who_does_not_know_the_lock_is_survived(
    world: Gateway, request: pytest.FixtureRequest
) -> None:
    """F15: somebody with `psql` holds a row that we end, and wants our lock: one of the two is given up."""
    assert isinstance(world.path, Store)
    ana = world.ids["ana"]
    by_hand = Database(address_of(world.path))
    async with by_hand.engine.connect() as connection:
        begun = await connection.begin()
        await connection.execute(text("UPDATE users SET email = email WHERE id = :id"), {"id": ana})
        writing = asyncio.create_task(
            world.mutate("updateUser", {"user": {"userName": "ana"}, "displayName": "Ana the second"})
        )
        await asyncio.sleep(0.2)  # it has the lock by now, and waits for the row
        try:
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1::bigint)", (postgresql.WRITE_LOCK,))
        except Conflicted:
            await begun.rollback()
        else:
            await begun.commit()
        payload = await writing
    await by_hand.close()

    assert payload["errors"] == []
    shown = select(world.path, "SELECT display_name FROM users WHERE id = ? AND ended_revision IS NULL", ana)
    assert shown == [("Ana the second",)]


# ---------------------------------------------------------------------- connections that are lost

TERMINATE = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'permgate'"""


async def test_a_connection_that_was_lost_in_the_pool_is_replaced_before_anybody_notices(gateway: Gateway) -> None:
    """F14: for readers and writers."""
    for _ in range(2):
        assert await gateway.revision() == FIRST_REVISION
        select(gateway.path, TERMINATE)
        assert await gateway.revision() == FIRST_REVISION
    select(gateway.path, TERMINATE)

    await gateway.create_user("ana")


async def test_a_reader_whose_snapshot_is_lost_is_told_so(gateway: Gateway, database: Database) -> None:
    async def read() -> int:
        async with database.reading() as unit:
            select(gateway.path, TERMINATE)
            return await unit.audit.find_last_revision()

    with pytest.raises(ConnectionLost):
        await read()


async def test_a_write_whose_connection_is_lost_before_its_commit_is_done_anew(gateway: Gateway) -> None:
    """F14: nothing of the first attempt is there."""
    attempts: list[int] = []

    async def work(unit: WritingUnit) -> None:
        attempts.append(await unit.audit.find_last_revision())
        await unit.write_setting("attempt", str(len(attempts)))
        if len(attempts) == 1:
            select(gateway.path, TERMINATE)
            await unit.audit.find_last_revision()

    await gateway.services.database.transact(work)

    assert attempts == [FIRST_REVISION] * 2
    assert select(gateway.path, "SELECT value FROM settings WHERE name = 'attempt'") == [("2",)]


async def test_a_commit_whose_answer_is_lost_is_undecided_and_stops_nothing(gateway: Gateway) -> None:
    """Nobody can know: the server may have committed before the connection broke."""
    database = gateway.services.database

    async def work(unit: WritingUnit) -> None:
        await unit.write_setting("lost", "yes")
        select(gateway.path, TERMINATE)

    with pytest.raises(UndecidedCommit):
        await database.transact(work)

    assert database.stopped is None
    database.require_writable()
    await gateway.create_user("ana")


@pytest.mark.parametrize("with_key", [True, False])
async def test_what_became_of_an_undecided_commit_is_told_by_its_key(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, with_key: bool
) -> None:
    """The commit is done, and its answer lost: with a key the same request finds what it did, and nobody is told."""
    database, lose = gateway.services.database, [True]
    commit = database._commit

    async def lose_answer(transaction: Any) -> None:
        await commit(transaction)
        if lose.pop() if lose else False:
            raise UndecidedCommit("the line went dead")

    monkeypatch.setattr(database, "_commit", lose_answer)
    given = {"userName": "ana"} | ({"idempotencyKey": "once"} if with_key else {})
    document = "mutation($input: CreateUserInput!) { createUser(input: $input) { user { userName } revision } }"
    await gateway.services.uses.finish()  # the use of the token is written beside
    answer = (await gateway.post({"query": document, "variables": {"input": given}})).json()

    assert select(gateway.path, "SELECT count(*) FROM users WHERE user_name = 'ana'") == [(1,)]
    if with_key:
        assert answer["data"]["createUser"] == {"user": {"userName": "ana"}, "revision": str(FIRST_REVISION + 1)}
    else:
        assert answer["errors"], answer
