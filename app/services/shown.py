"""What doors have written, to be shown again: of people, of how profiles stand, and of rights.

What is kept says nothing of who has asked: it was written for somebody who sees all of it, and may be shown to
everybody who does.
"""

from collections.abc import Hashable, Mapping, Sequence, Set
from typing import Generic, NamedTuple, TypeVar

from app.domain.holders import ContractId
from app.domain.rooms import Room

MOST_BYTES = 32 * 1024 * 1024  # of what is kept, by everybody whom a worker serves: some 60,000 people in a list
MOST_KEYS = 64  # selections: each is looked through whenever somebody has changed
PLACE = 160  # bytes that a piece takes beside its text
MOST_ANSWERS = 32 * 1024 * 1024  # bytes of whole answers, of some 50 KB each
MOST_TABLES = 32  # selections of rights
MOST_PIECES = 50_000  # of rights, 300 bytes each: a catalog has a few thousand, but amounts and members without end
V = TypeVar("V")


class Piece(NamedTuple):
    """What was written of a person, and the contracts that rows in it count in alone."""

    text: bytes
    contracts: frozenset[ContractId]


class Shown:
    """Pieces by a key of the door, which says all that they hang on but the person, and by the person's id.

    When there are too many all are dropped. Whoever keeps one answers for its being of the revision of the index.
    """

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Piece]] = {}
        self._size = 0

    def find(self, key: str) -> Mapping[str, Piece]:
        """The pieces of a key."""
        return self._kept.get(key, {})

    def keep(self, key: str, pieces: Mapping[str, Piece]) -> None:
        """Keeps pieces of people."""
        added = sum(map(_measure, pieces.values()))
        if self._size + added > MOST_BYTES or (key not in self._kept and len(self._kept) >= MOST_KEYS):
            self._kept, self._size = {}, 0
        known = self._kept.setdefault(key, {})
        self._size += added - sum(_measure(known[user]) for user in pieces if user in known)
        known.update(pieces)

    def without(self, people: Set[str]) -> "Shown":
        """The same but for what is of these people."""
        following = Shown()
        following._size = self._size
        for key, pieces in self._kept.items():
            left = following._kept[key] = pieces.copy()
            for user in people & pieces.keys() if len(people) < len(pieces) else [u for u in pieces if u in people]:
                following._size -= _measure(left.pop(user))
        return following


class Answers(Room[Hashable, bytes]):
    """Whole answers, by all that they hang on. When there are too many all are dropped."""

    def __init__(self) -> None:
        super().__init__(MOST_ANSWERS, lambda text: len(text) + PLACE)


class Tables(Generic[V]):
    """Of each place in a list the pieces that were there, by a key that tells all about it; of one catalog."""

    def __init__(self) -> None:
        self._kept: dict[str, list[dict[Hashable, V]]] = {}
        self._number = 0

    def find(self, key: str, wanted: Sequence[Hashable]) -> list[V | None]:
        """The pieces of a list, and None where one is not known."""
        known = self._kept.get(key)
        if known is None:
            return [None] * len(wanted)
        return [pieces.get(one) for pieces, one in zip(known, wanted, strict=True)]

    def keep(self, key: str, wanted: Sequence[Hashable], pieces: Mapping[int, V]) -> None:
        """Keeps pieces by their places in a list."""
        if self._number + len(pieces) > MOST_PIECES or (key not in self._kept and len(self._kept) >= MOST_TABLES):
            self._kept, self._number = {}, 0
        known = self._kept.setdefault(key, [{} for _ in wanted])
        for place, piece in pieces.items():
            at_place = known[place]
            before = len(at_place)
            at_place[wanted[place]] = piece
            self._number += len(at_place) - before


def _measure(piece: Piece) -> int:
    return len(piece.text) + PLACE
