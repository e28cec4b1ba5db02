"""PostgreSQL: its connections, how its transactions begin, and how it is told that something was committed.

Reading is REPEATABLE READ, READ ONLY: one snapshot, taken by the first statement.

Writing takes an advisory lock by its first statement and is READ COMMITTED, so that every later statement has a
snapshot of its own, taken after the lock was had. Nobody else commits while it is held, for whoever writes holds it:
so all of these are one snapshot, and it has everything that was committed before. With REPEATABLE READ the snapshot
would be that of the statement that waits for the lock, taken before the wait: decisions would miss what the writer
before has committed. The lock ends with the transaction, after its commit is visible: revisions appear in order.
"""

from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine
from sqlalchemy.pool import NullPool

from app.db.faults import DatabaseFault

POOL_TIMEOUT_S = 1.0  # a caller learns quickly that there is no connection left
CONNECT_TIMEOUT_S = 1.5  # a server that hangs takes connections and says nothing
STATEMENT_TIMEOUT_S = 3.0  # of a request; the slowest that serve one take some tens of milliseconds
PATIENT_STATEMENT_TIMEOUT_S = 600.0  # of a sync: everybody's rows of ten million people take minutes
LOCK_TIMEOUT_S = 2.0  # who waits longer for another writer is better told to come back
PATIENT_LOCK_TIMEOUT_S = 30.0  # a sync that is worked out can wait for its turn
IDLE_TIMEOUT_S = 10.0  # a process that stands still lets go of the write lock
PATIENT_IDLE_TIMEOUT_S = 600.0  # between two statements of a sync everything is compared
GRACE_S = 1.0  # how much later than the server the client gives up a statement: then the server is gone or hangs
WRITE_LOCK = int.from_bytes(b"permgate")  # the number of the advisory lock; all gateways of a database share it
NO_LOCKS = ("CockroachDB",)  # whose advisory locks are functions that do nothing, where there are any
CHANNEL = "permgate"  # on which revisions are told


def create_engine(url: URL, *, patient: bool = False, connections: int) -> AsyncEngine:
    """An engine for `postgresql+asyncpg://...`; a `patient` one is for what rightly takes longer than a request."""
    statement = PATIENT_STATEMENT_TIMEOUT_S if patient else STATEMENT_TIMEOUT_S
    lock = PATIENT_LOCK_TIMEOUT_S if patient else LOCK_TIMEOUT_S
    idle = PATIENT_IDLE_TIMEOUT_S if patient else IDLE_TIMEOUT_S
    return _create(
        url,
        {"statement_timeout": statement, "lock_timeout": lock, "idle_in_transaction_session_timeout": idle},
        command_timeout=statement + GRACE_S,
        pool_size=connections, max_overflow=0, pool_timeout=POOL_TIMEOUT_S,
    )  # fmt: skip


def create_migrating_engine(url: URL) -> AsyncEngine:
    """An engine whose statements take as long as they take, but wait for no lock in front of everybody."""
    return _create(url, {"lock_timeout": LOCK_TIMEOUT_S}, command_timeout=None, poolclass=NullPool)


def _create(url: URL, timeouts: dict[str, float], *, command_timeout: float | None, **pool: Any) -> AsyncEngine:
    if url.get_driver_name() != "asyncpg":
        raise ValueError("PostgreSQL is spoken to through asyncpg: `postgresql+asyncpg://user@host/database`")
    settings = {name: f"{seconds * 1000:.0f}" for name, seconds in timeouts.items()}
    settings |= {
        "application_name": "permgate",
        "timezone": "UTC",
        "jit": "off",
    }  # of our statements none is long enough
    try:
        engine = create_async_engine(
            url,
            connect_args={
                "timeout": CONNECT_TIMEOUT_S, "command_timeout": command_timeout, "server_settings": settings
            },
            **pool,
        )  # fmt: skip
    except ModuleNotFoundError:
        raise DatabaseFault("PostgreSQL needs asyncpg: install `permgate[postgres]`") from None
    event.listen(engine.sync_engine, "before_cursor_execute", _ask_without_zeros, retval=True)
    return engine


def _ask_without_zeros(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, context: Any, is_many: bool
) -> tuple[str, Any]:
    """What is asked for with U+0000 in it, which PostgreSQL refuses in any text, is asked for with U+0001 instead.

    No text that is kept has either (`app/domain/names.py`): nothing is found, as in SQLite. What is to be kept is left
    as it is, and refused.
    """
    asks = context is not None and not (context.isinsert or context.isupdate or context.isdelete)
    if asks and not is_many and any(isinstance(one, str) and "\0" in one for one in parameters):
        parameters = tuple(one.replace("\0", "\1") if isinstance(one, str) else one for one in parameters)
    return statement, parameters


async def require_own_server(connection: AsyncConnection) -> None:
    """Raises `DatabaseFault` for a server that speaks the protocol of PostgreSQL, and whose locks let everybody in."""
    version = str((await connection.exec_driver_sql("SELECT version()")).scalar())
    for name in NO_LOCKS:
        if name in version:
            raise DatabaseFault(
                f"`{version}` has no advisory locks that lock, so writers would pass each other's checks"
            )


async def begin_reading(connection: AsyncConnection) -> None:
    """Begins a transaction that writes nothing, and takes its snapshot."""
    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    await connection.exec_driver_sql("SELECT 1")


async def begin_writing(connection: AsyncConnection) -> AsyncTransaction:
    """Begins a transaction that holds the write lock, once whoever writes has ended."""
    await connection.execution_options(isolation_level="READ COMMITTED")
    transaction = await connection.begin()
    await connection.exec_driver_sql("SELECT pg_advisory_xact_lock($1::bigint)", (WRITE_LOCK,))
    return transaction


async def tell(connection: AsyncConnection, revision: int) -> None:
    """Tells all who listen of a revision, as soon as the transaction of the connection is committed."""
    await connection.exec_driver_sql("SELECT pg_notify($1, $2)", (CHANNEL, str(revision)))
