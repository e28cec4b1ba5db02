"""Hearing of what other processes commit, where the database tells it.

A notice is a hint and no more: it is lost with the connection, and nobody is told of that until it is made anew.
Whoever is woken by one looks at the revision, and looks at it every now and then without one too.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.postgresql import CHANNEL, CONNECT_TIMEOUT_S

RETRY_S = 0.5  # after a connection was lost, or none could be made
PULSE_S = 5.0  # how often the connection is tried: one whose other end is gone says nothing by itself
PULSE_TIMEOUT_S = 2.0  # for the answer


class NoNotices:
    """A database that tells nothing: whoever wants to know has to look."""

    is_listening = False
    told = 0  # the latest revision that was told of

    def start(self) -> None:
        """Begins to listen, if it does not yet."""

    async def close(self) -> None:
        """Ends it."""


class Notices(NoNotices):
    """One connection of its own to PostgreSQL, which listens as long as the process wants to."""

    def __init__(self, engine: AsyncEngine, hear: Callable[[], None]) -> None:
        self._engine = engine
        self._hear = hear
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        import asyncpg  # type: ignore[import-untyped]  # no need for it where the database is a file

        lost = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
        while True:
            with suppress(*lost):
                await self._listen(asyncpg)
            await asyncio.sleep(RETRY_S)

    def _take(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        if payload.isdecimal():
            self.told = max(self.told, int(payload))
        self._hear()

    async def _listen(self, asyncpg: Any) -> None:
        """Listens until the connection is lost, and raises an error of it then."""
        _, options = self._engine.dialect.create_connect_args(self._engine.url)
        connection = await asyncpg.connect(**options, timeout=CONNECT_TIMEOUT_S, command_timeout=PULSE_TIMEOUT_S)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        try:
            await connection.add_listener(CHANNEL, self._take)
            self.is_listening = True
            self._hear()  # of what was told while nobody listened
            while not ended.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_S):
                        await ended.wait()
                await connection.execute("SELECT 1")
        finally:
            self.is_listening = False
            connection.terminate()
