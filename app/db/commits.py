"""What an error says of the commit that it answers: that there was none, or nothing at all.

SQLite, in write-ahead mode: a commit whose `fsync` failed may have reached the disk; after a crash it is there, though
every reader before saw the state without it. A full disk is another matter: the frame that makes a commit was never
whole, and is overwritten or ignored.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError

_DECIDED = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_READONLY
})  # fmt: skip  # with any of these nothing is committed, now or later


def is_decided(error: DBAPIError) -> bool:
    """Whether an error of a commit says for sure that nothing was committed."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DECIDED  # the lower byte of an extended code is the primary one


def ruins_store(error: DBAPIError) -> bool:
    """Whether an undecided commit leaves a store in which nothing may be written before it was opened anew."""
    return isinstance(error.orig, sqlite3.Error)
