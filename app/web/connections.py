"""Connections that stay open, sockets and streams: how many there are, whose they are, and how they hear of a restart.

Whoever has not said who they are holds a place only as long as nobody else needs it: so nobody without a token can keep
others out.
"""

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

INTRODUCTIONS = 2  # callers of sockets looked up at once: when very many come, requests still find the database free
SEND_TIMEOUT_S = 5.0  # nothing taken for so long, with all buffers on the way full: the reader is too slow
CLOSE_TIMEOUT_S = 5.0  # then a slow reader has so long to make room for what it is told
LEAVE_S = 6.0  # for all to be told, slow readers among them: a socket has five seconds to take its close frame


class Ending(StrEnum):
    """Why a connection ends that could go on. Words for the client."""

    RESTART = "the gateway restarts"
    CROWDED = "too many connections"
    TOO_SLOW = "too slow"


class Connection(Protocol):
    """One that stays open."""

    def leave(self, why: Ending) -> None:
        """Tells the client why, and where to go on, and ends."""


class Gone(Exception):
    """There is nobody to send to any more."""


class Full(Exception):
    """There is no place. `of_one`: because the caller has as many as one may have."""

    def __init__(self, *, of_one: bool) -> None:
        self.of_one = of_one
        super().__init__("no place is free")


class Connections:
    """Those of a process, `most` at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.leaving = False
        self._unknown: dict[Connection, None] = {}  # in order of arrival
        self._known: set[Connection] = set()
        self._of_callers: Counter[Hashable] = Counter()
        self._gone = asyncio.Event()
        self.introductions = asyncio.Semaphore(INTRODUCTIONS)

    def __len__(self) -> int:
        return len(self._unknown) + len(self._known)

    @contextmanager
    def open(self, connection: Connection) -> Iterator[None]:
        """A place for a connection of nobody yet, for as long as it is open. Raises `Full`."""
        if len(self) >= self.most or self.leaving:
            if not self._unknown or self.leaving:
                raise Full(of_one=False)
            oldest = next(iter(self._unknown))
            del self._unknown[oldest]
            oldest.leave(Ending.CROWDED)
        self._unknown[connection] = None
        try:
            yield
        finally:
            self._unknown.pop(connection, None)
            self._known.discard(connection)
            if not len(self):
                self._gone.set()

    @contextmanager
    def open_for(self, connection: Connection, caller: Hashable, most: int) -> Iterator[None]:
        """One of a caller's places, of `most`, for a connection that is open. Raises `Full`."""
        if self._of_callers[caller] >= most:
            raise Full(of_one=True)
        self._of_callers[caller] += 1
        self._unknown.pop(connection, None)
        self._known.add(connection)
        try:
            yield
        finally:
            self._of_callers[caller] -= 1
            if not self._of_callers[caller]:
                del self._of_callers[caller]

    async def drain(self) -> None:
        """Lets nobody in any more, tells all who are there to leave, and waits, but not for ever, until they have."""
        self.leaving = True
        self._gone.clear()
        for connection in [*self._unknown, *self._known]:
            connection.leave(Ending.RESTART)
        if len(self):
            try:
                async with asyncio.timeout(LEAVE_S):
                    await self._gone.wait()
            except TimeoutError:
                return
