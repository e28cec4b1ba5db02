"""Places for what was worked out and may be wanted again: bounded, whoever asks for what."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Room(dict[K, V]):
    """A dictionary that is emptied when it is full."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> V:
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
