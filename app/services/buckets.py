"""Token buckets: what somebody may use up at a time, and how fast it comes back."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

MAX_KEPT = 10_000  # buckets: one that was not touched for longest is forgotten, and full again


class Buckets:
    """A bucket for each key, full at first: it holds `capacity`, and `refill` comes back a second."""

    def __init__(self, capacity: float, refill: float, *, clock: Callable[[], float] = monotonic) -> None:
        self.capacity = capacity
        self.refill = refill
        self._clock = clock
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # how full, and when that was

    def take(self, key: Hashable, amount: float) -> float:
        """Takes an amount if it is there, and gives 0; else takes nothing, and gives the seconds until it will be.

        More than the bucket holds is there when it is full, and empties it.
        """
        now = self._clock()
        level = self._find(key, now)
        if amount > self.capacity:
            amount = self.capacity
        if amount > level:
            return (amount - level) / self.refill
        self._keep(key, level - amount, now)
        return 0.0

    def drain(self, key: Hashable, amount: float) -> float:
        """Takes what was used already, whether it is there or not, and gives what is left."""
        now = self._clock()
        level = self._find(key, now) - amount
        if amount:
            self._keep(key, level, now)
        return level

    def give_back(self, key: Hashable, amount: float) -> None:
        """Puts back what was taken and not used."""
        self.drain(key, -amount)

    def has(self, key: Hashable, amount: float) -> bool:
        """Whether an amount is there."""
        found = self._levels.get(key)
        return amount <= (self.capacity if found is None else found[0]) or amount <= self.look(key)

    def look(self, key: Hashable) -> float:
        """How much there is; less than nothing where more was used than there was."""
        return self._find(key, self._clock())

    def _find(self, key: Hashable, now: float) -> float:
        found = self._levels.get(key)
        if found is None:
            return self.capacity
        level = found[0] + (now - found[1]) * self.refill
        return min(self.capacity, level)

    def _keep(self, key: Hashable, level: float, now: float) -> None:
        self._levels[key] = (level, now)
        self._levels.move_to_end(key)
        if len(self._levels) > MAX_KEPT:
            self._levels.popitem(last=False)
