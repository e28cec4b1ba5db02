"""Which revision is the latest, told at once and without a transaction, to those who keep something of the database.

SQLite: a connection of its own asks for `data_version`, which is another after every commit of any process; that takes
a microsecond. So what it tells is so in the moment in which it is asked. Nothing is known once there is another file in
its place, or none.

PostgreSQL tells each revision as it is committed. A notice may be lost with the connection that brings it, so what was
told is believed for `BELIEVED_S` after somebody has looked, and not at all while nobody listens. A database that was
set back is none of which anything is known, until it has gone on beyond what it was told of before.
"""

import os
import sqlite3
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.notices import NoNotices
from app.domain.audit import NO_MARK, Mark

BELIEVED_S = 1.0
LATEST = "SELECT revision, hash FROM audit_entries ORDER BY revision DESC LIMIT 1"
PULSE_S = 0.4  # how often whoever keeps something looks, so that it goes on being believed


class Sensor(Protocol):
    """Tells whether a state of the database is the latest."""

    @property
    def pulse_s(self) -> float | None:
        """How often the database is to be looked at, so that it goes on being believed; None: never."""

    @property
    def is_told(self) -> bool:
        """Whether it knows of what others commit because somebody tells it, and not by itself."""

    def is_latest(self, mark: Mark) -> bool:
        """Whether nothing was committed after a state of the database. If that is not known, it is not so."""

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
    is_told = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = _identify(path)
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        self._connection.execute("PRAGMA query_only=ON")
        self._cursor = self._connection.cursor()
        self._version: int | None = None
        self._mark: Mark | None = None

    def is_latest(self, mark: Mark) -> bool:
        if _identify(self._path) != self._file:
            return False
        try:
            (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                row = self._cursor.execute(LATEST).fetchone()
                self._version = version  # what came in between is seen the next time
                self._mark = NO_MARK if row is None else Mark(*row)
        except sqlite3.Error:
            self._version = self._mark = None
        return self._mark == mark

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
    is_told = True

    def __init__(self, notices: NoNotices, *, clock: Callable[[], float] = monotonic) -> None:
        self._notices = notices
        self._clock = clock
        self._revision = 0
        self._confirmed: float | None = None
        self._doubted: float | None = None  # when this process has last committed something
        notices.start()

    def is_latest(self, mark: Mark) -> bool:
        return self.read_revision() == mark.revision

    def read_revision(self) -> int | None:
        """The latest revision that is committed; None: that is not known."""
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
