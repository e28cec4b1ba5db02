"""What an error of a database means: come again, do it anew, nobody knows, or a fault that somebody has to mend.

SQLite, in write-ahead mode: a commit whose `fsync` failed may have reached the disk; after a crash it is there, though
every reader before saw the state without it. A full disk is another matter: the frame that makes a commit was never
whole, and is overwritten or ignored.

PostgreSQL: a commit that the server answered with an error of the transaction did not happen; where the connection was
lost instead, it may have. The codes are those of its manual, appendix A.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError

from app.domain.outages import Conflicted, ConnectionLost, Unavailable

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
_DECIDED = _BUSY | {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_READONLY}  # nothing is committed, now or later
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CONFLICTS = ("40001", "40P01")  # serialization failure, deadlock: the whole transaction is to be done anew
_LOST = ("08", "57P", "25P03", "25P04")  # connection exceptions, shutdowns, a transaction that was idle for too long
_LATER = ("53", "55P03", "57014", "25006", "58")  # no resources, no lock, a timeout, a standby, the system beneath
_OUT_OF_STEP = "InternalClientError"  # asyncpg's, by name as it is an extra: what goes on there is not what it began
_UNKNOWN = (*_LOST, "40003", "XX")  # "statement completion unknown", internal errors


class DatabaseFault(Exception):
    """The database cannot be used; the message tells the person who set it up why."""


class DisagreeingIndexes(ValueError):
    """What an index of the database says of a table is not what the table says, and so with the answers found by it."""


def outage_of(error: BaseException) -> Unavailable | None:
    """What an error of the driver means to whoever asked; None where it is a fault, ours or of the file."""
    message = f"the database failed: {getattr(error, 'orig', None) or error or type(error).__name__}"
    code, state = _sqlite_code(error), _sqlstate(error)
    if code is not None:
        return Unavailable(message) if code in _BUSY else None
    if state is not None:
        if state in _CONFLICTS:
            return Conflicted(message)
        if state.startswith(_LOST):
            return ConnectionLost(message)
        return Unavailable(message) if state.startswith(_LATER) else None
    is_lost = loses_connection(error) or getattr(error, "connection_invalidated", False)
    return ConnectionLost(message) if is_lost else None


def loses_connection(error: BaseException) -> bool:
    """Whether a connection is of no use to anybody after an error that has no code.

    asyncpg takes one that ends while nothing is asked of it for one that has something under way.
    """
    if isinstance(error, OSError | TimeoutError):
        return True
    return any(type(one).__name__ == _OUT_OF_STEP for one in _causes(error))


def is_decided(error: BaseException) -> bool:
    """Whether an error of a commit says for sure that nothing was committed."""
    code, state = _sqlite_code(error), _sqlstate(error)
    if code is not None:
        return code in _DECIDED
    return state is not None and not state.startswith(_UNKNOWN)


def ruins_store(error: BaseException) -> bool:
    """Whether an undecided commit leaves a store in which nothing may be written before it was opened anew.

    A server of PostgreSQL that failed to write has ended all its connections and recovers by itself.
    """
    return _sqlite_code(error) is not None


def is_damage(error: BaseException) -> bool:
    """Whether an error says that a file is not what was written to it: no page of it is to be trusted then."""
    return _sqlite_code(error) in _DAMAGE


def _sqlite_code(error: BaseException) -> int | None:
    """The primary code, which is the lower byte of an extended one."""
    for one in _causes(error):
        if isinstance(one, sqlite3.Error):
            return getattr(one, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return None


def _sqlstate(error: BaseException) -> str | None:
    return next((state for one in _causes(error) if (state := getattr(one, "sqlstate", None))), None)


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what it was made of: ours of one of SQLAlchemy, that of one of the driver."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.orig if isinstance(one, DBAPIError) and one.orig is not None else one.__cause__
    return found
