"""The past that is kept at hand. What was known at a state of the log never changes: nothing here grows stale."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from app.domain.audit import Mark
from app.domain.compiled import Program
from app.domain.world import World

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

DIRECTORIES_KEPT = 8  # whoever looks into the past goes to and fro between few moments; each may be some megabytes
PROGRAMS_KEPT = 4  # catalogs change a few times a year


class Kept(Generic[K, V]):
    """Values by key; the one that was asked for longest ago makes room."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: K) -> V | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def keep(self, key: K, value: V) -> V:
        self._values[key] = value
        if len(self._values) > self.most:
            self._values.popitem(last=False)
        return value


class Past:
    """Roles, teams and contracts by the state of the log; compiled catalogs by their digest."""

    def __init__(self) -> None:
        self.directories: Kept[Mark, World] = Kept(DIRECTORIES_KEPT)
        self.programs: Kept[str, Program] = Kept(PROGRAMS_KEPT)
