"""Copies of a SQLite file while it is written: by SQLite's own means, since a file that is copied may be torn.

A copy appears under its name when it is whole and on the disk, or not at all.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.db.faults import DatabaseFault

BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file: part of that database, and of no other
MODE = 0o600  # a copy holds what the database does


@contextmanager
def making_copy(source: Path, target: Path) -> Iterator[Path]:
    """A whole copy, under another name until this ends well: there it is looked at. Raises `DatabaseFault`.

    All of it is of one moment. Who writes meanwhile is not held up; the write-ahead log grows until it is done.
    """
    if not source.is_file():
        raise DatabaseFault(f"there is no file `{source}`")
    for path in (target, *(Path(f"{target}{suffix}") for suffix in BESIDE)):
        if path.exists():
            raise DatabaseFault(f"there is a file `{path}` already: nothing is overwritten")
    partial = Path(f"{target}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, MODE))
    except FileExistsError:
        raise DatabaseFault(f"there is `{partial}` already: what was broken off, or is under way") from None
    except OSError as error:
        raise DatabaseFault(f"`{partial}` cannot be written: {error.strerror}") from None
    try:
        _copy(source, partial)
        yield partial
        _publish(partial, target)
    finally:
        for path in (partial, *(Path(f"{partial}{suffix}") for suffix in BESIDE)):
            path.unlink(missing_ok=True)


def _copy(source: Path, partial: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{_quote(source)}?mode=rw", uri=True)) as original,
            closing(sqlite3.connect(partial)) as copy,
        ):
            original.backup(copy)
            faults = [row[0] for row in copy.execute("PRAGMA integrity_check(1)")]
            dangling = copy.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise DatabaseFault(f"`{source}` cannot be copied: {error}") from None
    if faults != ["ok"]:
        raise DatabaseFault(f"`{source}` is damaged: {faults[0]}")
    if dangling is not None:
        raise DatabaseFault(f"`{source}` is damaged: a row of `{dangling[0]}` refers to one of `{dangling[2]}`")


def _quote(path: Path) -> str:
    """A path as SQLite's addresses spell it."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _publish(partial: Path, target: Path) -> None:
    """Gives a copy its name, which nobody has taken meanwhile, once it is on the disk."""
    try:
        for path, link in ((partial, True), (target.parent, False)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if link:
                os.link(partial, target)
    except FileExistsError:
        raise DatabaseFault(f"there is a file `{target}` already: nothing is overwritten") from None
    except OSError as error:
        raise DatabaseFault(f"`{target}` cannot be written: {error.strerror}") from None
