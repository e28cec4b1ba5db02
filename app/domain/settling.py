"""What everybody's kinds of profile have at one moment in one contract, worked out in a row: who holds a right?

Most people own nothing and have neither limits nor facts of their own: all that counts of them is what their rows give.
What a row gives by itself is what the decision says of somebody who has nothing else (`Standings.find_given`), and
whoever has several has these joined: implications begin with one right, so what a sum implies is the sum of what its
parts imply. What requirements take of it hangs on few bits, and is worked out once for all who are alike in those. So
a kind costs a handful of joins. Whoever else there is, is decided about one by one.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime

from app.domain.catalog import Operation, Permission
from app.domain.compiled import NOTHING, Condition, Holding
from app.domain.holders import ContractId
from app.domain.profiles import Given, Profile, Standings
from app.domain.rooms import Room
from app.domain.values import Value
from app.domain.windows import is_within

AT_ONCE = 256  # kinds, between which somebody else may have a turn
ANSWERS_KEPT = 64  # each a byte a kind
APART = -1  # in place of bits: it is one of the others


class Settled:
    """The effective rights of kinds of profiles, from `since` up to `until` (None: always)."""

    def __init__(self, standings: Standings, contract: ContractId | None, now: datetime) -> None:
        self.since = now
        self._standings = standings
        self._contract = contract
        self._evaluation = standings.evaluate(standings.world, contract, now)
        _, self._atoms, self.until = standings.settle((0,), contract, now)
        self._bits: list[int] = []  # of each kind the finite rights that it has
        self._others: dict[int, tuple[Holding | None, int]] = {}  # their rights (None: they are not active) and atoms
        self._given: dict[int, Given | None] = {}
        self._lost: dict[int, int] = {}
        self._answers: Room[tuple[str, Value | None], bytes] = Room(ANSWERS_KEPT)
        program = standings.program
        whole = Holding(sum(program.mask))
        self._kept = [
            self._evaluation.keep_in_contract(whole, is_owner=False, is_inside=inside).bits for inside in (False, True)
        ]  # fmt: skip
        self._relevant, self._mixes = 0, False
        for step in program.steps:
            mask, beside = _look_into(step.condition)
            self._relevant |= (step.trigger | step.clear | mask) & whole.bits
            self._mixes = self._mixes or bool(beside) or not step.trigger

    def lasts(self, now: datetime) -> bool:
        return is_within(now, self.since, self.until)

    def fill(self, narrowed: Sequence[Profile]) -> Iterator[None]:
        """Works out what these kinds have, those that came since the last time. Several may do so in turns."""
        while len(self._bits) < len(narrowed):
            for profile in narrowed[len(self._bits) : len(self._bits) + AT_ONCE]:
                self._bits.append(self._settle(profile))
            yield

    def _settle(self, profile: Profile) -> int:
        bits, is_inside = 0, self._contract is None
        if profile[:1] != (0,):
            return self._settle_apart(profile)
        for number in profile[1:]:
            given = self._given.get(number) or self._find_given(number)
            if given is None:
                return self._settle_apart(profile)
            bits |= given.bits
            is_inside |= given.is_inside
        bits &= self._kept[is_inside]
        key = bits & self._relevant
        lost = self._lost.get(key)
        if lost is None:
            settled = self._standings.program.settle(Holding(key), self._atoms)
            lost = self._lost[key] = key & ~settled.bits
        return bits & ~lost

    def _find_given(self, number: int) -> Given | None:
        if number not in self._given:
            given = self._standings.find_given(number, self._contract, self.since)
            if given is not None:
                self._narrow(given.until)
                if self._mixes and given.beside:
                    given = None
            self._given[number] = given
        return self._given[number]

    def _settle_apart(self, profile: Profile) -> int:
        certain, atoms, until = self._standings.settle(profile, self._contract, self.since)
        self._narrow(until)
        self._others[len(self._bits)] = certain, atoms
        return APART

    def _narrow(self, until: datetime | None) -> None:
        if until is not None and (self.until is None or until < self.until):
            self.until = until

    # ------------------------------------------------------------------ questions

    def decide(
        self, narrowed: Sequence[Profile], node: Permission | Operation, asked: Value | None
    ) -> Generator[None, None, bytes]:
        """Which of these kinds have a right, or at least so much of it: of each, in order, 1 or 0."""
        yield from self.fill(narrowed)
        known = self._answers.get((node.key, asked))
        if known is not None and len(known) >= len(narrowed):
            return known
        mask, beside = self._look_at(node)
        size = len(self._bits)
        if beside:
            answers = bytearray()
            while len(answers) < size:
                begin = len(answers)
                for kind in range(begin, min(begin + AT_ONCE, size)):
                    answers.append(self._has_beside(narrowed[kind], kind, mask, beside, node, asked))
                yield
        else:
            by_bits = _Answers(lambda bits: self._evaluation.is_enough(Holding(bits), self._atoms, node, asked))
            answers = bytearray(map(by_bits.__getitem__, map(mask.__and__, self._bits[:size])))
        for kind, (certain, atoms) in self._others.items():
            if kind < size:
                answers[kind] = certain is not None and self._evaluation.is_enough(certain, atoms, node, asked)
        return self._answers.keep((node.key, asked), bytes(answers))

    def _look_at(self, node: Permission | Operation) -> tuple[int, frozenset[int]]:
        """The bits, and the numbers of the permissions beside them, on which an answer hangs."""
        program = self._standings.program
        if isinstance(node, Operation):
            return _look_into(program.operations[node.key])
        number = program.catalog.number_of[node.key]
        return program.mask[number], frozenset() if program.mask[number] else frozenset({number})

    def _has_beside(
        self, profile: Profile, kind: int, mask: int, beside: frozenset[int], node: Permission | Operation,
        asked: Value | None,
    ) -> bool:  # fmt: skip
        """The same of one kind, where what is no bits counts as well."""
        if self._bits[kind] == APART:
            return False  # told elsewhere
        held, is_inside = NOTHING, self._contract is None
        for number in profile[1:]:
            given = self._given[number]
            assert given is not None
            is_inside |= given.is_inside
            if not beside.isdisjoint(given.beside):
                held = self._standings.program.join(held, Holding(0, given.beside))
        if held.beside:
            held = self._evaluation.keep_in_contract(held, is_owner=False, is_inside=is_inside)
        return self._evaluation.is_enough(
            Holding(self._bits[kind] & mask, held.beside), self._atoms, node, asked
        )  # fmt: skip


class _Answers(dict[int, bool]):
    """Answers by the bits on which they hang."""

    def __init__(self, decide: Callable[[int], bool]) -> None:
        self._decide = decide

    def __missing__(self, bits: int) -> bool:
        self[bits] = answer = self._decide(bits)
        return answer


def _look_into(condition: Condition) -> tuple[int, frozenset[int]]:
    """The bits and the permissions beside them on which a condition hangs."""
    mask, beside = condition.mask, frozenset(number for number, _ in condition.beside)
    for group in condition.any_of:
        for option in group:
            more, others = _look_into(option)
            mask, beside = mask | more, beside | others
    return mask, beside
