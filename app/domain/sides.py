"""One world that is judged, before a change or after it: what is asked of it again and again is worked out once.

A change set may touch a hundred thousand people who share some hundred roles and teams. What those include, and when
and where their rows count, is kept; their values are shared by all contracts and moments that do not tell them apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.compiled import NOTHING, Holding, Program
from app.domain.holders import ContractId, RoleId, TeamId, UserId
from app.domain.rights import Evaluation
from app.domain.world import World

MAX_KEPT = 50_000  # values of people: some 30 MB. People are asked about in turn, so that more would help little
Bound = tuple[ContractId | None, datetime]  # a row of this contract begins or ends then


@dataclass(frozen=True, slots=True)
class Extent:
    """Of a holder and all that it includes: which of them have rows in contracts, and when rows begin or end."""

    scoped: frozenset[str] = frozenset()
    bounds: frozenset[Bound] = frozenset()


NOWHERE = Extent()


class Side:
    """One world, with what was found out about it."""

    def __init__(self, program: Program, world: World) -> None:
        self.program = program
        self.world = world
        self._evaluations: dict[tuple[ContractId | None, datetime], Evaluation] = {}
        self._first: datetime | None = None
        self._included: dict[str, frozenset[str]] = {}
        self._extents: dict[str, Extent] = {}
        self._contracts: dict[str, tuple[ContractId, ...]] = {}
        self._of_people: dict[tuple[str, ContractId | None, datetime], tuple[Holding, Holding]] = {}

    # ------------------------------------------------------------------ what a holder includes

    def included_in(self, holder: str) -> frozenset[str]:
        """Everything that a holder includes, whenever and wherever; itself left out."""
        if holder in self._included:
            return self._included[holder]
        if self.is_shared(holder):
            found = self._included[holder] = self.world.included_in(holder)
            return found
        included: set[str] = set()
        for one in self._joined_by(holder):
            included.add(one)
            included |= self.included_in(one)
        return frozenset(included)

    def is_shared(self, holder: str) -> bool:
        """Whether others may include a holder: a role or a team."""
        return RoleId(holder) in self.world.roles or TeamId(holder) in self.world.teams

    def knows(self, holder: str) -> bool:
        """Whether there is a holder, or anything of it."""
        return holder in self.world.rows or UserId(holder) in self.world.users or self.is_shared(holder)

    def _joined_by(self, person: str) -> list[str]:
        rows = self.world.rows_of(person)
        return [*(row.role for row in rows.assignments), *(row.team for row in rows.memberships)]

    # ------------------------------------------------------------------ where and when its rows count

    def extent_of(self, holder: str) -> Extent:
        """Where and when rows of a holder, or of what it includes, count."""
        if holder not in self._extents:
            own = self._own_extent(holder)
            if self.is_shared(holder):
                others = map(self._own_extent, self.included_in(holder))
            else:
                others = map(self.extent_of, self._joined_by(holder))
            self._extents[holder] = _unite((own, *others))
        return self._extents[holder]

    def bounds_of(self, holder: str) -> frozenset[Bound]:
        """When rows of a holder itself begin or end."""
        return self._own_extent(holder).bounds

    def _own_extent(self, holder: str) -> Extent:
        rows = self.world.rows.get(holder)
        if rows is None:
            return NOWHERE
        bounds = [
            (row.contract, moment) for row in rows for moment in (row.valid_from, row.valid_until) if moment is not None
        ]
        scoped = self.contracts_of(holder)
        if not bounds and not scoped:
            return NOWHERE
        return Extent(frozenset((holder,)) if scoped else frozenset(), frozenset(bounds))

    def contracts_of(self, holder: str) -> tuple[ContractId, ...]:
        """The contracts of the grants, limits, assignments and memberships of a holder itself."""
        if holder in self._contracts:
            return self._contracts[holder]
        rows = self.world.rows_of(holder)
        kinds = (rows.grants, rows.limits, rows.assignments, rows.memberships)
        found = tuple(dict.fromkeys(row.contract for kind in kinds for row in kind if row.contract is not None))
        if found:
            self._contracts[holder] = found
        return found

    def scopes_of(self, holder: str) -> tuple[ContractId, ...]:
        """The contracts of the rows of a holder, and then of the rows of what it includes."""
        scoped = self.extent_of(holder).scoped
        if not scoped:
            return ()
        in_order = (holder, *sorted(scoped - {holder})) if holder in scoped else sorted(scoped)
        return tuple(dict.fromkeys(contract for one in in_order for contract in self.contracts_of(one)))

    # ------------------------------------------------------------------ values

    def evaluation(self, contract: ContractId | None, at: datetime) -> Evaluation:
        """The world seen in a contract, or (None, and where it is not known yet) in none."""
        if contract is not None and contract not in self.world.contracts:
            contract = None  # registered by the very change that is judged: nothing was scoped to it before
        key = (contract, at)
        if key not in self._evaluations:
            if self._first is None:
                self._first = at
            self._evaluations[key] = _Sharing(self, contract, at)
        return self._evaluations[key]

    def evaluation_of(self, holder: str, contract: ContractId | None, at: datetime) -> Evaluation:
        """The evaluation that stands for all those in which a role or team has the same value."""
        extent = self.extent_of(holder)
        if contract is not None and not any(contract in self.contracts_of(one) for one in extent.scoped):
            contract = None
        begun = [moment for _, moment in extent.bounds if moment <= at]
        first = at if self._first is None else self._first
        return self.evaluation(contract, max(begun) if begun else min(at, first))

    def value(self, holder: str, contract: ContractId | None, at: datetime) -> tuple[Holding, Holding]:
        """What a holder has: of a person without and with their own limits; of a role or team twice the same."""
        if self.is_shared(holder):
            value = self.evaluation(contract, at).value_of(holder)
            return value, value
        rows = self.world.rows.get(holder)
        if rows is None:
            return NOTHING, NOTHING
        if (
            contract is not None
            and contract not in self.scopes_of(holder)
            and not any(row.contract == contract for row in rows.access)
        ):
            contract = None  # nothing of the person tells this contract from none
        key = (holder, contract, at)
        if key not in self._of_people:
            if len(self._of_people) == MAX_KEPT:
                self._of_people.clear()
            evaluation = self.evaluation(contract, at)
            held = evaluation.held_by_user(UserId(holder))
            has = evaluation.apply_limits(holder, held) if rows.limits else held
            self._of_people[key] = held, has
        return self._of_people[key]


class _Sharing(Evaluation):
    """An evaluation that asks another for the value of a role or team which is the same there."""

    def __init__(self, side: Side, contract: ContractId | None, at: datetime) -> None:
        super().__init__(side.program, side.world, contract=contract, at=at)
        self._side = side

    def value_of_role(self, role: RoleId) -> Holding:
        if role not in self._values:
            there = self._side.evaluation_of(role, self.contract_id, self.at)
            if there is not self:
                self._values[role] = there.value_of_role(role)
        return super().value_of_role(role)

    def value_of_team(self, team: TeamId) -> Holding:
        if team not in self._values:
            there = self._side.evaluation_of(team, self.contract_id, self.at)
            if there is not self:
                self._values[team] = there.value_of_team(team)
        return super().value_of_team(team)


def _unite(extents: Iterable[Extent]) -> Extent:
    scoped: frozenset[str] = frozenset()
    bounds: frozenset[Bound] = frozenset()
    for extent in extents:
        if extent is not NOWHERE:
            scoped |= extent.scoped
            bounds |= extent.bounds
    return Extent(scoped, bounds) if scoped or bounds else NOWHERE
