"""Which revision is the latest, told at once and without a transaction, to those who keep something of the database.

SQLite: a connection of its own asks for `data_version`, which is another after every commit of any process; that takes
a microsecond. So what it tells is so in the moment in which it is asked. Nothing is known once there is another file in
its place, or none.

PostgreSQL tells each revision as it is committed. A notice may be lost with the connection that brings it, so what was
told is believed for `BELIEVED_S` after somebody has looked, and not at all while nobody listens.
"""

import os
import sqlite3
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.notices import NoNotices

BELIEVED_S = 1.0
PULSE_S = 0.4  # how often whoever keeps something looks, so that it goes on being believed


class Sensor(Protocol):
    """Tells the latest revision."""

    @property
    def pulse_s(self) -> float | None:
        """How often the database is to be looked at, so that it goes on being believed; None: never."""

    def read_revision(self) -> int | None:
        """The latest revision that is committed; None: that is not known."""

    def confirm(self, revision: int, *, asked_at: float) -> None:
        """Takes note of the latest revision, as read in a transaction that began after a moment of `monotonic`."""

    def doubt(self) -> None:
        """Takes note that this process has committed something."""

    def note(self, revision: int) -> None:
        """Takes note of a revision that this process has seen: nothing is answered from an earlier one after that."""

    async def close(self) -> None:
        """Ends it."""


class FileSensor:
    """Of a file of SQLite."""

    pulse_s = None

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = _identify(path)
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        self._connection.execute("PRAGMA query_only=ON")
        self._cursor = self._connection.cursor()
        self._version: int | None = None
        self._revision: int | None = None

    def read_revision(self) -> int | None:
        if _identify(self._path) != self._file:
            return None
        try:
            (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                (revision,) = self._cursor.execute("SELECT max(revision) FROM audit_entries").fetchone()
                self._version, self._revision = version, revision or 0  # what came in between is seen the next time
        except sqlite3.Error:
            self._version = self._revision = None
        return self._revision

    def confirm(self, revision: int, *, asked_at: float) -> None:
        """It knows by itself."""

    def doubt(self) -> None:
        """It knows by itself."""

    def note(self, revision: int) -> None:
        """It knows by itself."""

    async def close(self) -> None:
        self._connection.close()


def _identify(path: str) -> tuple[int, int] | None:
    """Which file it is that a path leads to."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class NoticeSensor:
    """Of a PostgreSQL that tells of commits; the notices are started and closed with it."""

    pulse_s = PULSE_S

    def __init__(self, notices: NoNotices, *, clock: Callable[[], float] = monotonic) -> None:
        self._notices = notices
        self._clock = clock
        self._revision = 0
        self._confirmed: float | None = None
        self._doubted: float | None = None  # when this process has last committed something
        notices.start()

    def read_revision(self) -> int | None:
        if self._confirmed is None or not self._notices.is_listening:
            return None
        if self._clock() - self._confirmed >= BELIEVED_S:
            return None
        return max(self._revision, self._notices.told)

    def confirm(self, revision: int, *, asked_at: float) -> None:
        self._revision = max(self._revision, revision)
        if self._doubted is None or asked_at > self._doubted:
            self._confirmed = max(asked_at, self._confirmed or asked_at)

    def doubt(self) -> None:
        self._confirmed, self._doubted = None, self._clock()

    def note(self, revision: int) -> None:
        self._revision = max(self._revision, revision)

    async def close(self) -> None:
        await self._notices.close()


def open_sensor(engine: AsyncEngine, notices: NoNotices) -> Sensor:
    """The sensor of a database. Raises `sqlite3.Error` for a file that cannot be opened."""
    if engine.dialect.name == "postgresql":
        return NoticeSensor(notices)
    return FileSensor(engine.url.database or "")
