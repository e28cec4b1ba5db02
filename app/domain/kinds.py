"""Profiles by number, and what of each counts in one contract: what is asked about people without end costs no hashing.

Everybody's profiles are numbered (`people.Everybody`). A kind is what of a profile counts in a contract
(`Standings.narrow`): a tenth as many as there are profiles, numbered as well. What a kind has is worked out when
somebody asks about it first, and stands in one table of bytes: most of the time of a check goes into finding what it
needs in memory.
"""

from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from app.domain.holders import ContractId
from app.domain.profiles import Profile, Standings

UNKNOWN = 255  # in place of a rank that nobody has asked for
LONG_AGO = datetime.min.replace(tzinfo=UTC)
COUNTED_AT_ONCE = 64  # profiles, between which somebody else may have a turn


class Kinds:
    """What everybody's profiles have in a contract, by their numbers, at one state of roles, teams and contracts.

    What is known of kinds is so from `_since` up to `_until`. When that is over it is asked for again, and `Standings`
    still has it where it is still so.
    """

    def __init__(self, standings: Standings, profiles: Sequence[Profile], contract: ContractId | None) -> None:
        self.profiles = profiles
        self.standings = standings
        self.contract = contract
        self.kind_of = array("I", bytes(4 * len(profiles)))  # by number of the profile; 0: nobody has asked
        self.narrowed: list[Profile] = [()]  # by kind, and so is what is known
        self._numbers: dict[Profile, int] = {}
        self._width = len(standings.program.types)
        self._table = bytearray([UNKNOWN]) * self._width  # the levels of each kind, one after another
        self._since = LONG_AGO
        self._until: datetime | None = None
        self._counts: dict[bytes, int] | None = None  # how many people have the same levels

    def rank(self, number: int, permission: int, now: datetime) -> int:
        """How much a profile has of a permission, both by number: see `rank_levels`."""
        if self._since <= now and (self._until is None or now < self._until):
            rank = self._table[self.kind_of[number] * self._width + permission]
            if rank != UNKNOWN:
                return rank
        return self._rank(self.kind_of[number] or self._find(number), now)[permission]

    def levels(self, number: int, now: datetime) -> bytes:
        """All levels of a profile, by its number."""
        kind = self.kind_of[number] or self._find(number)
        if self._is_known(now):
            levels = bytes(self._table[kind * self._width : (kind + 1) * self._width])
            if UNKNOWN not in levels[:1]:
                return levels
        return self._rank(kind, now)

    def _find(self, number: int) -> int:
        """The kind of a profile."""
        narrowed = self.standings.narrow(self.profiles[number], self.contract)
        kind = self._numbers.get(narrowed)
        if kind is None:
            kind = self._numbers[narrowed] = len(self.narrowed)
            self.narrowed.append(narrowed)
            self._table += bytes([UNKNOWN]) * self._width
        self.kind_of[number] = kind
        return kind

    def _rank(self, kind: int, now: datetime) -> bytes:
        levels, since, until = self.standings.rank_narrow(self.narrowed[kind], self.contract, now)
        if now < self._since:  # of a question that began before others: what these know stays
            return levels
        if self._until is not None and now >= self._until:
            self._table = bytearray([UNKNOWN]) * len(self._table)
            self._counts = self._until = None
        self._table[kind * self._width : (kind + 1) * self._width] = levels
        self._since = max(self._since, since)
        if until is not None and (self._until is None or until < self._until):
            self._until = until
        return levels

    def count(self, sizes: Sequence[int], now: datetime, counts: dict[bytes, int]) -> Iterator[None]:
        """Fills in how many people have the same levels, a piece at a time. `sizes`: how many are of each profile."""
        if self._counts is not None and self._is_known(now):
            counts.update(self._counts)
            return
        table = self._table
        for number, size in enumerate(sizes):
            levels = self.levels(number, now)
            counts[levels] = counts.get(levels, 0) + size
            if number % COUNTED_AT_ONCE == 0:
                yield
        if table is self._table and self._is_known(now):  # meanwhile others asked
            self._counts = dict(counts)

    def _is_known(self, now: datetime) -> bool:
        return self._since <= now and (self._until is None or now < self._until)
