"""What documents were made into, kept so that the next who asks the same need not wait for it again.

A document is found under its whole text. There are two shelves: one for what was asked for once, one for what was asked
for again. A flood of documents that are each sent once goes through the first and moves nothing of the second, on which
what the screens of a client ask stands. Both have bounds, in entries and in what these weigh: a unit is a hundred
bytes to 150.

Of what was refused the reasons alone are kept, under the digest of the text.
"""

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import sha256
from threading import Lock
from typing import Generic, TypeVar

from app.graphql.compiled.plans import MAX_VARIANTS

AGAIN, AGAIN_SIZE = 512, 1024 * 1024  # more than a frontend has; some 150 MB when full
ONCE, ONCE_SIZE = 128, 128 * 1024  # enough to be asked for again before as many others have come; 20 MB
REFUSED = 256  # reasons; 4 KB each at most

V = TypeVar("V")


class Shelf(Generic[V]):
    """Entries in the order of their last use; the oldest give way when there are too many, or too much of them."""

    def __init__(self, entries: int, size: int) -> None:
        self.entries = entries
        self.size = size
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._filled = 0

    def find(self, key: Hashable) -> V | None:
        """What is kept under a key; it has been used now."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def take(self, key: Hashable) -> tuple[V, int] | None:
        """What was kept under a key until now, and its size."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._filled -= found[1]
        return found

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keeps something; the newest stays, however large it is."""
        self.take(key)
        self._kept[key] = (value, size)
        self._filled += size
        while len(self._kept) > 1 and (len(self._kept) > self.entries or self._filled > self.size):
            self._filled -= self._kept.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def filled(self) -> int:
        """The size of all entries."""
        return self._filled


class Documents(Generic[V]):
    """What valid documents were made into, by text. It may be asked from several threads.

    A key is a text, and whatever else its outcome hangs on.
    """

    def __init__(self) -> None:
        self.again: Shelf[V] = Shelf(AGAIN, AGAIN_SIZE)
        self.once: Shelf[V] = Shelf(ONCE, ONCE_SIZE)
        self._lock = Lock()

    def find(self, text: str, extra: Hashable = None) -> V | None:
        """What a text was made into; None where it was never seen, or not for long."""
        key = (text, extra)
        with self._lock:
            found = self.again.find(key)
            if found is not None:
                return found
            moved = self.once.take(key)
            if moved is None:
                return None
            self.again.put(key, *moved)
            return moved[0]

    def keep(self, text: str, value: V, extra: Hashable = None) -> None:
        """Keeps what a text was made into that was not known."""
        with self._lock:
            if self.again.find((text, extra)) is None:  # another thread was as fast
                self.once.put((text, extra), value, weigh(text))


def weigh(text: str) -> int:
    """What a document weighs: a unit for each of its characters, and four times as much for a plan.

    A plan has as many variants as its directives have outcomes.
    """
    return len(text) * (1 + 4 * min(1 << min(text.count("@"), 10), MAX_VARIANTS))


class Refusals(Generic[V]):
    """Why documents were refused, by the digest of their text. It may be asked from several threads."""

    def __init__(self) -> None:
        self.kept: Shelf[V] = Shelf(REFUSED, REFUSED)
        self._lock = Lock()

    def find(self, text: str, extra: Hashable = None) -> V | None:
        """Why a text was refused; None where it was not, or not for long."""
        with self._lock:
            return self.kept.find((_digest(text), extra))

    def keep(self, text: str, value: V, extra: Hashable = None) -> None:
        """Keeps why a text was refused."""
        with self._lock:
            self.kept.put((_digest(text), extra), value, 1)


def _digest(text: str) -> bytes:
    """Of a text with half a character in it, which no document has, as well."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
