"""Places for what was worked out and may be wanted again: bounded, whoever asks for what."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Room(dict[K, V]):
    """A dictionary that is emptied when it is full: when there is so much in it by number, or by what `weigh` says.

    Where values are weighed all of them come by `keep`. One that is replaced does not weigh any more.
    """

    __slots__ = ("_most", "_weigh", "_weight")

    def __init__(self, most: int, weigh: Callable[[V], int] | None = None) -> None:
        super().__init__()
        self._most = most
        self._weigh = weigh
        self._weight = 0

    def keep(self, key: K, value: V) -> V:
        if self._weigh is None:
            if len(self) >= self._most:
                self.clear()
        else:
            self._make_place(key, self._weigh(value), self._weigh)
        self[key] = value
        return value

    def _make_place(self, key: K, weight: int, weigh: Callable[[V], int]) -> None:
        if key in self:
            self._weight -= weigh(self.pop(key))
        if self._weight + weight > self._most:
            self.clear()
            self._weight = 0
        self._weight += weight
