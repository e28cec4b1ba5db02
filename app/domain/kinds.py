"""Profiles by number, and what of each counts in one contract: what is asked about people without end costs no hashing.

Everybody's profiles are numbered (`people.Everybody`). A kind is what of a profile counts in a contract
(`Standings.narrow`): a tenth as many as there are profiles, numbered as well. What a kind has is worked out when
somebody asks about it first. `asked` leads from the id of a person to that at once: most of the time of a check goes
into finding what it needs in memory. Who has a right is found for all kinds in a row (`settling.py`).
"""

from array import array
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import compress

from app.domain.catalog import Operation, Permission
from app.domain.holders import ContractId
from app.domain.profiles import INACTIVE, Profile, Standings
from app.domain.settling import Settled
from app.domain.values import Value

LONG_AGO = datetime.min.replace(tzinfo=UTC)
FOR_EVER = datetime.max.replace(tzinfo=UTC)
AT_ONCE = 256  # profiles, between which somebody else may have a turn


class Kinds:
    """What everybody's profiles have in a contract, by their numbers, at one state of roles, teams and contracts.

    What is known of kinds is so from `since` up to `until`. When that is over it is asked for again, and `Standings`
    still has it where it is still so. `asked` has the levels of people by their ids, as long as their profiles are
    those that were numbered.
    """

    def __init__(self, standings: Standings, profiles: Sequence[Profile], contract: ContractId | None) -> None:
        self.profiles = profiles
        self.standings = standings
        self.contract = contract
        self.kind_of = array("I", bytes(4 * len(profiles)))  # by number of the profile; 0: nobody has asked
        self.narrowed: list[Profile] = [(INACTIVE,)]  # by kind; the first is nobody's
        self.since, self.until = LONG_AGO, FOR_EVER
        self.asked: dict[str, bytes] = {}
        self._levels: list[bytes | None] = [None]  # by kind; None: nobody has asked
        self._numbers: dict[Profile, int] = {}
        self._settled: Settled | None = None
        self._numbered = 0  # profiles whose kinds are known, all of them up to this one
        self._sizes: array[int] | None = None  # how many people are of each kind

    def levels(self, number: int, now: datetime) -> bytes:
        """All levels of a profile, by its number."""
        kind = self.kind_of[number] or self._find(number)
        if self.since <= now < self.until:
            levels = self._levels[kind]
            if levels is not None:
                return levels
        return self._rank(kind, now)

    def levels_of(self, user: str, number: int, now: datetime) -> bytes:
        """The same of somebody whose profile has the number; kept for those who ask again."""
        levels = self.levels(number, now)
        if self.since <= now < self.until:
            self.asked[user] = levels
        return levels

    def _find(self, number: int) -> int:
        """The kind of a profile."""
        narrowed = self.standings.narrow(self.profiles[number], self.contract)
        kind = self._numbers.get(narrowed)
        if kind is None:
            kind = self._numbers[narrowed] = len(self.narrowed)
            self.narrowed.append(narrowed)
            self._levels.append(None)
        self.kind_of[number] = kind
        return kind

    def _rank(self, kind: int, now: datetime) -> bytes:
        levels, since, until = self.standings.rank_narrow(self.narrowed[kind], self.contract, now)
        if now < self.since:  # of a question that began before others: what these know stays
            return levels
        if now >= self.until:
            self._levels, self.asked, self.until = [None] * len(self._levels), {}, FOR_EVER
        self._levels[kind] = levels
        self.since = max(self.since, since)
        self.until = min(self.until, until or FOR_EVER)
        return levels

    # ------------------------------------------------------------------ who has a right

    def decide(self, node: Permission | Operation, asked: Value | None, now: datetime) -> Generator[None, None, bytes]:
        """Which kinds have a right, or at least so much of it, a piece at a time: of each kind 1 or 0."""
        yield from self._find_all()
        while True:
            settled = self._settled
            if settled is None or not settled.lasts(now):
                settled = Settled(self.standings, self.contract, now)
                if self._settled is None or self._settled.since <= now:
                    self._settled = settled
            answers = yield from settled.decide(self.narrowed, node, asked)
            if settled.lasts(now):  # while it was worked out it was found how long it does
                return answers

    def _find_all(self) -> Iterator[None]:
        while self._numbered < len(self.profiles):
            begin = self._numbered
            for number in range(begin, min(begin + AT_ONCE, len(self.profiles))):
                if not self.kind_of[number]:
                    self._find(number)
            self._numbered = max(self._numbered, min(begin + AT_ONCE, len(self.profiles)))
            yield

    def count(self, answers: bytes, sizes: Sequence[int]) -> Generator[None, None, int]:
        """How many people are of kinds that have what was asked. `sizes`: how many are of each profile."""
        if self._sizes is None:
            counted = array("I", bytes(4 * len(self.narrowed)))
            for number, kind in enumerate(self.kind_of):
                counted[kind] += sizes[number]
                if number % AT_ONCE == 0:
                    yield
            self._sizes = counted
        return sum(compress(self._sizes, answers))

    def tell(self, answers: bytes, numbers: Iterator[int]) -> Iterator[int]:
        """Whether profiles have what was asked, one after another, by their numbers."""
        return map(answers.__getitem__, map(self.kind_of.__getitem__, numbers))
