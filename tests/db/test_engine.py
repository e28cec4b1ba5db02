"""The engine: what SQLite is told, read back from SQLite itself."""

import asyncio

import pytest
from sqlalchemy import text

from app.db.engine import BUSY_TIMEOUT_MS, LOG_BYTES, create_engine, finish
from app.db.unit_of_work import Database
from tests.factories import Gateway, each_of

ENGINES = ("sqlite",)


@pytest.mark.usefixtures("durable")
@each_of(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # FULL
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("busy_timeout", BUSY_TIMEOUT_MS),
        ("journal_size_limit", LOG_BYTES),
    ],
)
async def test_what_sqlite_is_told_holds_for_every_connection(gateway: Gateway, pragma: str, value: object) -> None:
    database = gateway.services.database
    async with database.engine.connect() as first, database.engine.connect() as second:
        for connection in (first, second):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar() == value


async def test_foreign_keys_are_really_kept(gateway: Gateway) -> None:
    async with gateway.services.database.writing() as unit:
        statement = text("INSERT INTO audit_subjects (subject, revision) VALUES ('x', 999)")
        with pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
            await unit.reader.connection.execute(statement)


@pytest.mark.parametrize(
    "address",
    [
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///",
        "postgresql://localhost/permgate",
        "postgresql+psycopg://localhost/permgate",
        "mysql://localhost/permgate",
    ],
)
def test_an_address_that_is_neither_a_file_nor_a_server_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"needs a file|is not a database|is spoken to through asyncpg"):
        create_engine(address)


async def test_every_unit_is_a_transaction_of_its_own(gateway: Gateway) -> None:
    """Readers begin plainly, writers take the lock at once; neither leaves that to the driver."""
    database = gateway.services.database
    seen: list[str] = []
    connection = None

    def note(statement: str) -> None:
        seen.append(statement)

    async with database.reading() as unit:
        connection = await unit.reader.connection.get_raw_connection()
        await connection.driver_connection.set_trace_callback(note)  # type: ignore[union-attr]
        await unit.audit.find_last_revision()
    async with database.writing() as writing:
        await writing.audit.find_last_revision()

    begins = [statement for statement in seen if statement.startswith(("BEGIN", "COMMIT", "ROLLBACK"))]
    assert begins == ["BEGIN", "ROLLBACK", "BEGIN IMMEDIATE", "COMMIT"]


async def test_a_closed_database_keeps_no_file_open(gateway: Gateway) -> None:
    database = Database(f"sqlite+aiosqlite:///{gateway.path}")
    async with database.reading() as unit:
        await unit.audit.find_last_revision()

    await database.close()

    assert database.engine.sync_engine.pool.checkedin() == 0  # type: ignore[attr-defined]


async def test_what_is_called_off_again_and_again_ends_all_the_same() -> None:
    gate, done = asyncio.Event(), list[str]()

    async def work() -> None:
        await gate.wait()
        done.append("ended")

    waiting = asyncio.create_task(finish(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()

    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == ["ended"]
