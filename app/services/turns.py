"""Turns: so many at once, a short queue behind them, and a quick no for everybody else."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from time import monotonic

PACES = 16  # between turns given back of late
SLOWEST = 2  # of them, left out: a turn that hangs, or a pause of the disk, says nothing of the rest
LEAST_PACES = 8  # before anybody is told no by what they say
SURE = 0.75  # of one's patience: of those who are to have a turn just in time many would have none after all


class TooBusy(Exception):
    """There is no turn to be had now. `of_one`: because the one who asks has several already."""

    def __init__(self, *, of_one: bool) -> None:
        self.of_one = of_one
        super().__init__("no turn is free")


class Turns:
    """At most `most` at once, `most_of_one` of them under one key.

    Who finds no place waits in order, passing over those whose key has its share; there is room for `room` to wait,
    half of it for one key, and nobody waits longer than `patience_s`. Who would have to, or would hardly be in time, as
    fast as turns were given back while others waited, is told so at once.

        async with turns.take(key): ...                # a turn, waited for if need be
        if turns.take_now(key): ... turns.give_back(key)    # one that is free, or none
    """

    def __init__(
        self,
        most: int,
        *,
        most_of_one: int,
        room: int,
        patience_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.most = most
        self.most_of_one = most_of_one
        self.room = room
        self.patience_s = patience_s
        self.taken = 0  # how many have a turn
        self._taken: dict[Hashable, int] = {}  # of them, by whom
        self._queued: Counter[Hashable] = Counter()
        self._queue: dict[asyncio.Future[None], Hashable] = {}  # in order of arrival
        self._clock = clock
        self._paces: deque[float] = deque(maxlen=PACES)  # seconds between turns given back since somebody waits
        self._given_back: float | None = None  # when the last of them was

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._queue)

    @asynccontextmanager
    async def take(self, key: Hashable) -> AsyncIterator[None]:
        """A turn for as long as it is held. Raises `TooBusy`."""
        if not self.take_now(key):
            await self._wait(key)
        try:
            yield
        finally:
            self.give_back(key)

    def take_now(self, key: Hashable) -> bool:
        """Takes a turn if one is free; who is given one gives it back."""
        if self.taken >= self.most or self._has_share(key):
            return False
        self.taken += 1
        self._taken[key] = self._taken.get(key, 0) + 1
        return True

    def give_back(self, key: Hashable) -> None:
        """Ends a turn, and calls the next who may have one."""
        self.taken -= 1
        left = self._taken[key] - 1
        if left:
            self._taken[key] = left
        else:
            del self._taken[key]  # no count is kept of whoever has no turn
        for called, waiting in self._queue.items():
            if self.take_now(waiting):
                self._note_pace()
                self._dequeue(called)
                called.set_result(None)
                return
        self._given_back = None  # a turn that nobody wanted: how long until the next one says nothing
        if not self._queue:
            self._paces.clear()  # of a crowd that is gone: the next may be about something else

    def _has_share(self, key: Hashable) -> bool:
        return self._taken.get(key, 0) >= self.most_of_one

    async def _wait(self, key: Hashable) -> None:
        """Waits for a turn and has it."""
        of_one = self._queued[key] >= max(1, self.room // 2)
        if of_one or self.waiting >= self.room:
            self._forget(key)
            raise TooBusy(of_one=of_one)
        if self._expect(key) > SURE * self.patience_s:
            self._forget(key)
            raise TooBusy(of_one=self._has_share(key))
        called = asyncio.get_running_loop().create_future()
        self._queue[called] = key
        self._queued[key] += 1
        try:
            await asyncio.wait_for(asyncio.shield(called), self.patience_s)
        except BaseException as error:
            if called.done():  # it was called in the moment in which it gave up
                self.give_back(key)
            else:
                called.cancel()
                self._dequeue(called)
            if isinstance(error, TimeoutError):
                raise TooBusy(of_one=self._has_share(key)) from None
            raise

    def _expect(self, key: Hashable) -> float:
        """Seconds until a turn at least, as fast as they were given back of late; 0 where that says nothing yet.

        Of those who wait already, others are ahead only as far as they could have turns now, and what of theirs waits
        for their own share is passed over.
        """
        if len(self._paces) < LEAST_PACES:
            return 0.0
        ahead = self._queued[key]
        for other, queued in self._queued.items():
            if other != key:
                ahead += min(queued, max(0, self.most_of_one - self._taken.get(other, 0)))
        usual = sorted(self._paces)[:-SLOWEST]
        return (ahead + 1) * sum(usual) / len(usual)

    def _note_pace(self) -> None:
        now = self._clock()
        if self._given_back is not None:
            self._paces.append(now - self._given_back)
        self._given_back = now

    def _dequeue(self, called: "asyncio.Future[None]") -> None:
        key = self._queue.pop(called)
        self._queued[key] -= 1
        self._forget(key)

    def _forget(self, key: Hashable) -> None:
        """Keeps no count of whoever waits for none."""
        if not self._queued[key]:
            del self._queued[key]
