"""What a change would newly break: judged by difference (SEMANTICS section 6).

A right of a holder fails where an enforced requirement does not hold on `value(holder)` with all it includes. Facts,
targets and access levels count as met; ownership is left out. What a person's own limits leave of a right is what is
judged, on values to which those limits are not applied: a limit on the person never makes another right fail.
A right fails in a contract, or (contract None) on unscoped rows alone.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from app.domain.blame import Blame, Path
from app.domain.compiled import Holding, Program
from app.domain.decisions import applicable_rules
from app.domain.holders import Assignment, Contract, ContractId, Grant, HolderId, Limit, Membership, Role, Team, UserId
from app.domain.requirements import AtLeast, Requirement, find_missing, iterate_atoms
from app.domain.rights import Evaluation
from app.domain.sides import Side
from app.domain.values import Value
from app.domain.world import Change, World

NO_CONTRACT: tuple[ContractId | None, ...] = (None,)


@dataclass(frozen=True, slots=True)
class Failure:
    """A right whose enforced requirement fails: who, which, in which contract; the same again is no news."""

    holder: HolderId
    number: int
    contract: ContractId | None


@dataclass(frozen=True, slots=True)
class Violation:
    """A failure that a change brings about: from when, how much of the right is asked, how much its requirement allows.

    `gained`: the holder gets more of the right by the change. Otherwise `lost` names what the right stood on and the
    change takes away.
    """

    failure: Failure
    at: datetime
    asked: Value
    allowed: Value
    gained: bool
    missing: tuple[Requirement, ...]
    lost: tuple[int, ...]


class Judgement:
    """Both sides of a change, evaluated once for each contract and instant that matters.

    It is of the size of the change: what it is asked of each holder does not grow with the number of others.
    """

    def __init__(self, program: Program, before: World, changes: Iterable[Change]) -> None:
        self.program = program
        self.before = before
        self.changes = tuple(changes)
        self.after = before.changed(self.changes)
        self.sides = (Side(program, before), Side(program, self.after))
        self.access_met = self._access_met()
        self._instants: dict[datetime, tuple[datetime, ...]] = {}
        self._scopes: dict[HolderId, tuple[ContractId | None, ...]] = {}
        self._blame: Blame | None = None

    def _access_met(self) -> Holding:
        holding = Holding()
        for node in self.program.catalog.access_nodes.values():
            number = self.program.catalog.number_of[node.key]
            holding = self.program.join(holding, self.program.encode(number, node.value_type.top))
        return holding

    # ------------------------------------------------------------------ what to look at

    def touched(self) -> tuple[HolderId, ...]:
        """The holders whose own value the change may alter."""
        return self._touched

    @cached_property
    def _touched(self) -> tuple[HolderId, ...]:
        found: dict[HolderId, None] = {}
        for change in self.changes:
            record = change.record
            if isinstance(record, Role | Team):
                found[record.id] = None
            elif isinstance(record, Grant | Limit | Assignment | Membership):
                found[record.holder] = None
        return tuple(found)

    def reached(self) -> tuple[HolderId, ...]:
        """The touched holders and all that include them, before or after the change."""
        return self._reached

    @cached_property
    def _reached(self) -> tuple[HolderId, ...]:
        touched = self.touched()
        both = (*self.before.reached_from(touched), *self.after.reached_from(touched))
        return tuple(dict.fromkeys(both))  # type: ignore[arg-type]  # what is reached from holders are holders

    @cached_property
    def contracts(self) -> Mapping[ContractId, tuple[Change, ...]]:
        """The changes after which there is a contract, or it is another, by contract."""
        found: dict[ContractId, list[Change]] = {}
        for change in self.changes:
            if isinstance(change.after, Contract):
                found.setdefault(change.after.id, []).append(change)
        return {contract: tuple(changes) for contract, changes in found.items()}

    def instants(self, now: datetime) -> tuple[datetime, ...]:
        """Now, and each later moment when a touched row begins."""
        if now not in self._instants:
            begins = {
                row.valid_from
                for change in self.changes
                for row in (change.before, change.after)
                if isinstance(row, Grant | Limit | Assignment | Membership) and row.valid_from is not None
            }
            self._instants[now] = (now, *sorted(begin for begin in begins if begin > now))
        return self._instants[now]

    def instants_of(self, holder: HolderId, now: datetime) -> tuple[datetime, ...]:
        """Those instants at which a holder may have something else than at the one before."""
        instants = self.instants(now)
        if len(instants) == 1:
            return instants
        bounds = {moment for side in self.sides for _, moment in side.extent_of(holder).bounds if moment > now}
        places = sorted({bisect_left(instants, moment) for moment in bounds})
        return (now, *(instants[place] for place in places if place < len(instants)))

    def scopes(self, holder: HolderId) -> tuple[ContractId | None, ...]:
        """None, and each contract that a row of the holder or of anything it includes is scoped to."""
        if holder not in self._scopes:
            found = [contract for side in self.sides for contract in side.scopes_of(holder)]
            self._scopes[holder] = (None, *dict.fromkeys(found)) if found else NO_CONTRACT
        return self._scopes[holder]

    def included_in(self, holder: str) -> frozenset[str]:
        """Everything that a holder includes, before or after the change."""
        before, after = self.sides
        return before.included_in(holder) | after.included_in(holder)

    def evaluation(self, after: bool, contract: ContractId | None, at: datetime) -> Evaluation:
        return self.sides[after].evaluation(contract, at)

    # ------------------------------------------------------------------ failures

    def value(self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime) -> Holding:
        """What a holder has; of a person, what the person's limits leave."""
        return self.sides[after].value(holder, contract, at)[1]

    def whole(self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime) -> Holding:
        """What a holder has, a person by owning too, active or not."""
        value, user = self.value(after, holder, contract, at), self.sides[after].world.users.get(UserId(holder))
        if user is None:
            return value
        evaluation = self.evaluation(after, contract, at)
        if not evaluation.owns(user):
            return value
        owned = self.program.own(evaluation.held_by_user(user.id))
        return self.program.join(value, evaluation.apply_limits(holder, owned))

    def values(
        self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime
    ) -> tuple[Holding, Holding]:
        """What a holder has, and what its requirements leave of it; of a person, what the person's limits leave."""
        held, has = self.sides[after].value(holder, contract, at)
        return has, self.program.settle(self.program.join(held, self.access_met), self.program.met)

    def failures(self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime) -> dict[int, Value]:
        """The failing rights of a holder, each with what its requirements allow."""
        has, settled = self.values(after, holder, contract, at)
        return {number: self.program.value(settled, number) for number in self.program.exceeding(has, settled)}

    def violations(self, now: datetime, holders: Iterable[HolderId] | None = None) -> tuple[Violation, ...]:
        """What fails after the change and did not before, each failure at its first instant; earlier ones first."""
        found: dict[Failure, Violation] = {}
        for holder in self.reached() if holders is None else holders:
            for at in self.instants_of(holder, now):
                for violation in self.violations_at(at, [holder]):
                    found.setdefault(violation.failure, violation)
        return tuple(sorted(found.values(), key=lambda violation: violation.at))

    def violations_at(self, at: datetime, holders: Iterable[HolderId]) -> Iterable[Violation]:
        """What fails after the change and did not before, at one instant."""
        for holder in holders:
            for contract in self.scopes(holder):
                after = self.failures(True, holder, contract, at)
                if not after:
                    continue
                before = self.failures(False, holder, contract, at)
                for number, allowed in after.items():
                    if number not in before:
                        yield self._violation(Failure(holder, number, contract), at, allowed)

    def _violation(self, failure: Failure, at: datetime, allowed: Value) -> Violation:
        had = self.value(False, failure.holder, failure.contract, at)
        has, settled = self.values(True, failure.holder, failure.contract, at)
        asked = self.program.value(has, failure.number)
        gained = not self.program.types[failure.number].at_least(self.program.value(had, failure.number), asked)
        missing, lost = self.trace(failure.number, asked, had=had, has=has, settled=settled)
        return Violation(failure, at, asked, allowed, gained, missing, lost)

    def trace(
        self, number: int, asked: Value, *, had: Holding, has: Holding, settled: Holding
    ) -> tuple[tuple[Requirement, ...], tuple[int, ...]]:
        """The unmet atoms below a right, all the way down, and the permissions among them that the change lowers."""
        program, catalog = self.program, self.program.catalog
        missing: dict[Requirement, None] = {}
        lost: dict[int, None] = {}

        def truth(atom: object) -> bool:
            if not isinstance(atom, AtLeast):
                return True
            number = catalog.number_of[atom.node]
            return program.types[number].at_least(program.value(settled, number), atom.value)

        def look_below(number: int, value: Value) -> None:
            for rule in applicable_rules(catalog.permissions[number], value):
                for unmet in find_missing(rule.requirement, truth):
                    if not isinstance(unmet, AtLeast):
                        missing[unmet] = None
                    for atom in iterate_atoms(unmet):
                        if not isinstance(atom, AtLeast):
                            continue
                        needed = catalog.number_of[atom.node]
                        if not program.types[needed].at_least(program.value(has, needed), atom.value):
                            if isinstance(unmet, AtLeast):
                                missing[atom] = None
                            if program.types[needed].at_least(program.value(had, needed), atom.value):
                                lost[needed] = None
                        look_below(needed, atom.value)

        look_below(number, asked)
        return tuple(missing), tuple(lost)

    # ------------------------------------------------------------------ who is first

    def first_holders(
        self, violations: Iterable[Violation], weights: Mapping[HolderId, int] | None = None
    ) -> Mapping[tuple[HolderId, int], int]:
        """Of the holders that violate one right, those that include no other; with the number of all.

        `weights`: how many holders one of them stands for, where not for itself alone.
        """
        weights = weights or {}
        of_right: dict[int, dict[HolderId, None]] = {}
        for violation in violations:
            of_right.setdefault(violation.failure.number, {})[violation.failure.holder] = None
        first = {}
        for number, holders in of_right.items():
            names, weight = set[str](holders), sum(weights.get(one, 1) for one in holders)
            for holder in holders:
                if names.isdisjoint(self.included_in(holder)):
                    first[holder, number] = weight
        return first

    def path_to(self, key: str, paths: Mapping[str, Path], holder: HolderId | None = None) -> Path:
        """Where a request asks for a right, as `Blame.path_to` finds it; `paths` are by the id of a record."""
        return self.blame(paths).path_to(holder, key)

    def blame(self, paths: Mapping[str, Path]) -> Blame:
        """Where a request asks for what of this change; `paths` are by the id of a record."""
        if self._blame is None or self._blame.paths is not paths:
            self._blame = Blame(self.changes, paths, self.included_in, self._brings)
        return self._blame

    def _brings(self, holder: str, key: str) -> bool:
        """Whether a holder, or anything that it includes, is granted a permission or what brings it along."""
        number_of = self.program.catalog.number_of
        givers = self.program.givers[number_of[key]]
        return any(
            number_of.get(grant.node) in givers
            for world in (self.before, self.after)
            for one in (holder, *self.included_in(holder))
            for grant in world.rows_of(one).grants
        )
