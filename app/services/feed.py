"""When there is something new: one watch of the database for all who listen in this process.

Nothing is handed on here, and nothing kept for anybody: a listener that is woken reads from the database what it has
not seen yet, in order. So a slow one costs no memory, and a wake that came twice or late loses nothing.

All that takes a right or a token away is a revision, but for time; a listener says until when it may sleep.

PostgreSQL tells of the commits of other processes as they happen. Such a notice is no more than a hint: while nobody
listens it is lost, so the revision is looked at every now and then as well, and often while there is no connection that
could bring one.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from app.db.unit_of_work import Database
from app.telemetry import log

POLL_S = 0.2  # what another process commits is noticed well within the second in which a revoked token must be out
FALLBACK_S = 2.0  # ... where it is told; should a notice ever be lost, nobody waits longer
SEATS = 2  # listeners that read at once; each holds two connections of the pool, the rest is left to requests


class Feed:
    """Wakes listeners when a revision was committed, by this process or by another, or when their time has come."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], tell: Callable[[int], None] = lambda _revision: None
    ) -> None:
        self.revision = 0  # the latest that is known of
        self.seats = asyncio.Semaphore(SEATS)
        self._database = database
        self._clock = clock
        self._tell = tell  # others of this process, of each revision that is seen
        self._waiting: dict[asyncio.Future[None], tuple[int, datetime | None]] = {}
        self._hint = asyncio.Event()  # this process has committed
        self._watch: asyncio.Task[None] | None = None
        self._failing = self._closed = False
        self._notices = database.listen(self._hint.set)
        database.after_commit.append(self._hint.set)

    def note(self, revision: int) -> None:
        """Tells of a revision that somebody saw."""
        self._tell(revision)
        self.revision = max(self.revision, revision)

    async def wait(self, *, after: int, until: datetime | None = None) -> None:
        """Returns as soon as there is a revision later than `after`, or it is that late."""
        if self._is_due(after, until):
            return
        woken = asyncio.get_running_loop().create_future()
        self._waiting[woken] = (after, until)
        self._notices.start()
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_database())
        try:
            await woken
        finally:
            del self._waiting[woken]

    async def close(self) -> None:
        """Stops watching, once what is being read has been read."""
        self._closed = True
        self._hint.set()
        if self._watch is not None:
            await asyncio.wait([self._watch])
        await self._notices.close()

    def _is_due(self, after: int, until: datetime | None) -> bool:
        return self.revision > after or (until is not None and self._clock() >= until)

    async def _watch_database(self) -> None:
        """Looks again and again, as long as anybody waits. A database that does not answer is asked the next time."""
        while self._waiting and not self._closed:
            self._hint.clear()
            try:
                async with self._database.reading() as unit:
                    self.note(await unit.audit.find_last_revision())
                self._failing = False
            except Exception as error:  # whatever is wrong with it, those who listen go on listening
                if not self._failing:
                    log("the feed cannot read the database", level=40, exception=error)
                self._failing = True
            for woken, (after, until) in self._waiting.items():
                if not woken.done() and self._is_due(after, until):
                    woken.set_result(None)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hint.wait(), self._rest())

    def _rest(self) -> float:
        """Seconds until the database is looked at again, if nobody gives a hint before."""
        if not self._notices.is_listening:
            return POLL_S
        moments = [until for _, until in self._waiting.values() if until is not None]
        if not moments:
            return FALLBACK_S
        return min(max((min(moments) - self._clock()).total_seconds(), 0), FALLBACK_S)
