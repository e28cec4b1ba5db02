"""What a change would newly break: judged by difference (SEMANTICS section 6).

A right of a holder fails where an enforced requirement does not hold on `value(holder)` with all it includes. Facts,
targets and access levels count as met; ownership is left out. What a person's own limits leave of a right is what is
judged, on values to which those limits are not applied: a limit on the person never makes another right fail.
A right fails in a contract, or (contract None) on unscoped rows alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.domain.compiled import Holding, Program
from app.domain.decisions import applicable_rules
from app.domain.holders import Assignment, ContractId, Grant, HolderId, Limit, Membership, Role, Team
from app.domain.requirements import AtLeast, Requirement, find_missing, iterate_atoms
from app.domain.rights import Evaluation
from app.domain.values import Value
from app.domain.world import Change, World


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
    """Both sides of a change, evaluated once for each contract and instant that matters."""

    def __init__(self, program: Program, before: World, changes: Iterable[Change]) -> None:
        self.program = program
        self.before = before
        self.changes = tuple(changes)
        self.after = before.changed(self.changes)
        self._evaluations: dict[tuple[bool, ContractId | None, datetime], Evaluation] = {}
        self.access_met = self._access_met()

    def _access_met(self) -> Holding:
        holding = Holding()
        for node in self.program.catalog.access_nodes.values():
            number = self.program.catalog.number_of[node.key]
            holding = self.program.join(holding, self.program.encode(number, node.value_type.top))
        return holding

    # ------------------------------------------------------------------ what to look at

    def touched(self) -> tuple[HolderId, ...]:
        """The holders whose own value the change may alter."""
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
        touched = self.touched()
        both = (*self.before.reached_from(touched), *self.after.reached_from(touched))
        return tuple(dict.fromkeys(both))  # type: ignore[arg-type]  # what is reached from holders are holders

    def instants(self, now: datetime) -> tuple[datetime, ...]:
        """Now, and each later moment when a touched row begins."""
        begins = {
            row.valid_from
            for change in self.changes
            for row in (change.before, change.after)
            if isinstance(row, Grant | Limit | Assignment | Membership) and row.valid_from is not None
        }
        return (now, *sorted(begin for begin in begins if begin > now))

    def scopes(self, holder: HolderId) -> tuple[ContractId | None, ...]:
        """None, and each contract that a row of the holder or of anything it includes is scoped to."""
        found: dict[ContractId | None, None] = {None: None}
        for world in (self.before, self.after):
            for included in (holder, *sorted(world.included_in(holder))):
                rows = world.rows_of(included)
                for row in (*rows.grants, *rows.limits, *rows.assignments, *rows.memberships):
                    found[row.contract] = None
        return tuple(found)

    def evaluation(self, after: bool, contract: ContractId | None, at: datetime) -> Evaluation:
        key = (after, contract, at)
        if key not in self._evaluations:
            world = self.after if after else self.before
            if contract is not None and contract not in world.contracts:
                contract = None  # registered by this very change: nothing was scoped to it before
            self._evaluations[key] = Evaluation(self.program, world, contract=contract, at=at)
        return self._evaluations[key]

    # ------------------------------------------------------------------ failures

    def values(
        self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime
    ) -> tuple[Holding, Holding]:
        """What a holder has, and what its requirements leave of it; of a person, what the person's limits leave."""
        evaluation = self.evaluation(after, contract, at)
        if holder in evaluation.world.roles or holder in evaluation.world.teams:
            held = has = evaluation.value_of(holder)
        else:
            held = evaluation.held_by(holder)
            has = evaluation.apply_limits(holder, held)
        return has, self.program.settle(self.program.join(held, self.access_met), self.program.met)

    def failures(self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime) -> dict[int, Value]:
        """The failing rights of a holder, each with what its requirements allow."""
        has, settled = self.values(after, holder, contract, at)
        found = {}
        for number in self.program.differing(has, settled):
            allowed = self.program.value(settled, number)
            if not self.program.types[number].at_least(allowed, self.program.value(has, number)):
                found[number] = allowed
        return found

    def violations(self, now: datetime, holders: Iterable[HolderId] | None = None) -> tuple[Violation, ...]:
        """What fails after the change and did not before, each failure at its first instant."""
        found: dict[Failure, Violation] = {}
        for at in self.instants(now):
            for violation in self.violations_at(at, self.reached() if holders is None else holders):
                found.setdefault(violation.failure, violation)
        return tuple(found.values())

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
        had, _ = self.values(False, failure.holder, failure.contract, at)
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
            for holder in holders:
                included = self.after.included_in(holder) | self.before.included_in(holder)
                if not any(other in included for other in holders):
                    first[holder, number] = sum(weights.get(one, 1) for one in holders)
        return first

    def path_to(self, key: str, paths: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Where a request asks for a right, or else for anything at all; `paths` are by the id of a record."""
        for change in self.changes:
            record = change.record
            if isinstance(record, Grant | Limit) and record.node == key and record.id in paths:
                return paths[record.id]
        return next((paths[change.record.id] for change in self.changes if change.record.id in paths), ())
