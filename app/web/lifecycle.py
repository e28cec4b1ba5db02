"""How a process comes to its end: told to stop, it says so, serves on for a while, and leaves nobody in the middle.

On SIGTERM readiness is gone at once, so that whoever spreads requests sends no more; answers close their connections;
after `PERMGATE_DRAIN_SECONDS` sockets are closed with a place to go on from, and the server stops as it would have.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from app.telemetry import log

CANCEL_S = 5.0  # for calls that the server has called off at its deadline to roll back and end


class Lifecycle:
    """What of the process's life its doors have to know. `on_drain` are waited for when the last requests have come."""

    def __init__(self) -> None:
        self.draining = False
        self.stopping = False  # the server closes what rests: who is let in from now on has to be quick
        self.on_drain: list[Callable[[], Awaitable[None]]] = []
        self._in_progress = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def counting(self) -> "_Counting":
        """Counts a request for as long as it is answered: `with lifecycle.counting()`."""
        return _Counting(self)

    def begin(self) -> None:
        self._in_progress += 1
        self._idle.clear()

    def end(self) -> None:
        self._in_progress -= 1
        if not self._in_progress:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Is not ready from now on, and tells the sockets to leave after so many seconds."""
        self.draining = True
        log("draining", seconds=seconds)
        await asyncio.sleep(seconds)
        for hear in self.on_drain:
            await hear()

    def stop(self) -> None:
        """The server is told to stop, or about to be."""
        self.draining = self.stopping = True

    async def finish(self) -> None:
        """Waits, but not for ever, until no request is being answered."""
        try:
            async with asyncio.timeout(CANCEL_S):
                await self._idle.wait()
        except TimeoutError:
            log("requests did not end", level=40, left=self._in_progress)


class _Counting:
    """One request that is counted."""

    __slots__ = ("_lifecycle",)

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def __enter__(self) -> None:
        self._lifecycle.begin()

    def __exit__(self, *_error: object) -> None:
        self._lifecycle.end()


@contextmanager
def draining_on_sigterm(lifecycle: Lifecycle, seconds: float) -> Iterator[None]:
    """Drains on SIGTERM before whoever was to hear of it hears of it. A second one makes an end of the waiting."""
    loop = asyncio.get_running_loop()
    server: Any = signal.getsignal(signal.SIGTERM)
    started: list[asyncio.Task[None]] = []

    async def drain(number: int, frame: FrameType | None) -> None:
        try:
            await lifecycle.drain(seconds)
        except Exception as error:  # whatever is wrong with a socket, the process is to end
            log("draining failed", level=40, exception=error)
        finally:
            lifecycle.stop()
            server(number, frame)

    def begin(number: int, frame: FrameType | None) -> None:
        if started:
            started[0].cancel()
        else:
            started.append(loop.create_task(drain(number, frame)))

    def hear(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin, number, frame)

    if not callable(server):  # nobody would end the process
        yield
        return
    signal.signal(signal.SIGTERM, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, server)
