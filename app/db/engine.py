"""The engine for a database address, and how the transactions of SQLite begin; `postgresql.py` is about the other.

SQLite: write-ahead log with `synchronous=FULL` (NORMAL loses acknowledged commits at power loss), foreign keys on,
transactions begun by ourselves: plain BEGIN for reading (one snapshot), BEGIN IMMEDIATE for writing. The driver's
own late BEGIN lets two check-then-write transactions pass the same guard.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import aiosqlite
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db import postgresql
from app.db.faults import DatabaseFault, is_damage, loses_connection, outage_of
from app.db.file_systems import find_file_system, is_networked
from app.db.visits import VisitingDriver
from app.telemetry import log

T = TypeVar("T")
_DAMAGED: WeakSet[Engine] = WeakSet()  # whose files are not what was written to them
BUSY_TIMEOUT_MS = 5000  # how long a writer waits for another process's write lock before it is told to come back
LOG_BYTES = 16 << 20  # left of a write-ahead log that has grown beside a long reader, or by a large sync
POOL_SIZE = 8  # readers at once; each is a thread with SQLite, and a server of PostgreSQL has a hundred for all
PATIENT_POOL_SIZE = 4  # for syncs: one long feed is compared, one plan is written, short ones are beside
POOL_TIMEOUT_S = 2.0  # a caller learns quickly that there is no connection left
BEGIN_OPTION = "permgate_begin"  # execution option of a connection: how its transactions begin


async def finish(work: Awaitable[T]) -> T:
    """The result of some work of a connection, which ends even where whoever waits for it is called off, and again.

    A connection that is left in the middle of anything is lost, and its thread may outlive the event loop.
    """
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    finally:
        if not running.done():
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # nobody is there to hear of it


async def conclude(work: Awaitable[T]) -> T:
    """The result of some work that nobody can call off any more: who tries to hears of the result all the same."""
    running = asyncio.ensure_future(work)
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(running)
    return running.result()


def create_engine(address: str, *, patient: bool = False, connections: int = POOL_SIZE) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite:///...` (a file; in memory one shared connection would mix transactions), or for
    `postgresql+asyncpg://...`, where a `patient` one is for what legitimately takes longer than a request.
    """
    url = make_url(address)
    match url.get_backend_name():
        case "sqlite":
            engine = _create_sqlite(url, connections)
        case "postgresql":
            engine = postgresql.create_engine(url, patient=patient, connections=connections)
        case other:
            raise ValueError(f"`{other}` is not a database that this version speaks")
    event.listen(engine.sync_engine, "handle_error", translate)
    return engine


def _create_sqlite(url: URL, connections: int) -> AsyncEngine:
    if url.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file: `sqlite+aiosqlite:///permgate.db`")
    path = url.database or ""
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        async_creator=lambda: _connect(path),
        module=VisitingDriver(),
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def translate(context: ExceptionContext) -> Exception | None:
    """What an error of the driver means, in words that whoever asked understands."""
    error = context.sqlalchemy_exception or context.original_exception
    if context.engine is not None and context.engine not in _DAMAGED and is_damage(error):
        _DAMAGED.add(context.engine)
        log("the database is damaged", level=50, exception=context.original_exception)
    if loses_connection(context.original_exception):
        context.is_disconnect = True  # whatever state such a connection is in, nobody is to be given it
    return outage_of(error)


def mark_damaged(engine: AsyncEngine) -> None:
    """Takes note that a database is not what was written to it: nobody is sent here until the next start."""
    _DAMAGED.add(engine.sync_engine)


def is_damaged(engine: AsyncEngine) -> bool:
    """Whether it was found, by SQLite in any of its pages or by us, that a database is not what was written to it."""
    return engine.sync_engine in _DAMAGED


async def _connect(path: str) -> aiosqlite.Connection:
    """A connection to a file. One that cannot be opened has ended, thread and all, when that is told."""
    connection = aiosqlite.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)
    thread = connection._thread  # noqa: SLF001  # SQLAlchemy reaches for it too: there is no other way to it
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        await finish(asyncio.to_thread(thread.join))  # it tells the event loop of its end, while there is one
        raise


def check_file(engine: AsyncEngine) -> None:
    """Opens the file of SQLite by the bare driver, for once. Raises `DatabaseFault`.

    The pool is no place to find out: it leaves a thread behind for each connection that fails.
    """
    path = Path(engine.url.database or "")
    if is_networked(path):
        raise DatabaseFault(
            f"the database `{path}` lies on a network file system (`{find_file_system(path)}`), where the locks of "
            "SQLite do not hold: put it on a disk of this machine, or use PostgreSQL"
        )
    try:
        with closing(sqlite3.connect(engine.url.database or "")) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise DatabaseFault(f"the database `{engine.url.database}` cannot be used: {error}") from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    try:
        _set_pragmas(connection)
    except Exception:
        connection.close()  # the pool does not know of it yet, and its thread would outlive the event loop
        raise


def _set_pragmas(connection: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "trusted_schema=OFF",
        f"journal_size_limit={LOG_BYTES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))
