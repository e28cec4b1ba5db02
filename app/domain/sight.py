"""What a caller may see (SEMANTICS section 8): themselves, what they include, their contracts, and what a right opens.

A right to view that is held everywhere opens everything of its kind; held in one contract it opens the rows scoped to
that contract, the people who have a level in it, and the records of roles and teams, which belong to no contract. What
is not to be seen looks like what is not there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from app.domain.authority import Authority
from app.domain.callers import Right
from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    ContractId,
    Grant,
    Limit,
    Membership,
    RoleId,
    StoredFact,
    SubscriberLink,
    TeamId,
    UserId,
)
from app.domain.world import HolderRows, World

R = TypeVar("R", bound=AnyRow)
_RIGHT_OF_ROW: dict[type, Right] = {
    Grant: Right.VIEW_RIGHTS, Limit: Right.VIEW_RIGHTS, Assignment: Right.VIEW_RIGHTS, Membership: Right.VIEW_TEAMS,
    Access: Right.VIEW_CONTRACTS, SubscriberLink: Right.VIEW_CONTRACTS, StoredFact: Right.VIEW_USERS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Audience:
    """The people whom a caller sees who does not see everybody: those with a level in `contracts`, and `oneself`."""

    contracts: frozenset[ContractId]
    oneself: UserId


class Sight:
    """What one caller sees. Without an authority it is the gateway itself that looks, and sees everything."""

    def __init__(self, authority: Authority | None) -> None:
        self.authority = authority
        self._reached: dict[tuple[Right, ContractId | None], bool] = {}

    # ------------------------------------------------------------------ rights to view

    def reaches(self, right: Right, contract: ContractId | None) -> bool:
        """Whether the caller has a right where a row is scoped (None: everywhere)."""
        if self.authority is None:
            return True
        reached = self._reached.get((right, contract))
        if reached is None:
            reached = self._reached[right, contract] = self.authority.holds(right, contract)
        return reached

    def contracts_with(self, right: Right) -> frozenset[ContractId] | None:
        """The contracts in which the caller has a right; None: everywhere."""
        return None if self.authority is None else self.authority.contracts_with(right)

    def _somewhere(self, right: Right) -> bool:
        return self.contracts_with(right) != frozenset()

    def _oneself(self, holder: str) -> bool:
        return self.authority is not None and holder in self.authority.included

    # ------------------------------------------------------------------ records

    def sees_everybody(self) -> bool:
        return self.reaches(Right.VIEW_USERS, None)

    def audience(self) -> Audience | None:
        """Whom the caller sees; None: everybody."""
        if self.authority is None or self.sees_everybody():
            return None
        return Audience(self.authority.contracts_with(Right.VIEW_USERS) or frozenset(), self.authority.caller)

    def sees_user(self, world: World, user: UserId) -> bool:
        """Whether a person of the world, whose rows are in it, is to be seen."""
        audience = self.audience()
        if audience is None or user == audience.oneself:
            return True
        return any(row.contract in audience.contracts for row in world.rows_of(user).access)

    def sees_anyhow(self, user: UserId) -> bool:
        """Whether a person is seen whatever their rows are, by a right to see everybody or as oneself."""
        return self.authority is None or user == self.authority.caller or self.sees_everybody()

    def sees_people_in(self, contract: ContractId | None) -> bool:
        """Whether everybody is seen, with all roles and teams that they have there (None: everywhere)."""
        if not self.sees_everybody() or not self._somewhere(Right.VIEW_ROLES):
            return False
        return self.reaches(Right.VIEW_RIGHTS, contract) and self.reaches(Right.VIEW_TEAMS, contract)

    def sees_role(self, role: RoleId) -> bool:
        return self._oneself(role) or self._somewhere(Right.VIEW_ROLES)

    def sees_team(self, team: TeamId) -> bool:
        return self._oneself(team) or self._somewhere(Right.VIEW_TEAMS)

    def sees_contract(self, contract: ContractId) -> bool:
        if self.authority is None or self.reaches(Right.VIEW_CONTRACTS, contract):
            return True
        return contract in self.authority.home_contracts()

    def sees_inside(self, contract: ContractId) -> bool:
        """Whether facts and the table of levels of a contract are to be seen."""
        if self.authority is None or self.reaches(Right.VIEW_CONTRACTS, contract):
            return True
        return self.authority.sets_levels(contract)

    def contracts_inside(self) -> frozenset[ContractId] | None:
        """The contracts whose facts and tables of levels are to be seen; None: of every contract."""
        found = self.contracts_with(Right.VIEW_CONTRACTS)
        if self.authority is None or found is None:
            return None
        return found | {c for c in self.authority.own_contracts() if self.authority.sets_levels(c)}

    def sees_tokens(self, user: UserId) -> bool:
        return self.authority is None or user == self.authority.caller or self.reaches(Right.MANAGE_TOKENS, None)

    # ------------------------------------------------------------------ rows

    def sees_row(self, row: AnyRow) -> bool:
        """Whether a row is to be seen: one's own and what counts for oneself, or by a right to view where it counts."""
        if self._oneself(row.holder) and (row.contract is None or self.sees_contract(row.contract)):
            return True
        if isinstance(row, Access | SubscriberLink) or (isinstance(row, StoredFact) and row.user is None):
            return row.contract is not None and self.sees_inside(row.contract)
        return self.reaches(_RIGHT_OF_ROW[type(row)], row.contract)

    def rows_of(self, world: World, holder: str) -> HolderRows:
        """The rows of a holder that are to be seen."""
        rows = world.rows_of(holder)
        if self.authority is None or self.authority.owns_account:
            return rows

        def seen(of_kind: Iterable[R]) -> tuple[R, ...]:
            return tuple(row for row in of_kind if self.sees_row(row))

        return HolderRows(
            grants=seen(rows.grants), limits=seen(rows.limits), assignments=seen(rows.assignments),
            memberships=seen(rows.memberships), access=seen(rows.access), links=seen(rows.links),
            facts=seen(rows.facts),
        )  # fmt: skip

    # ------------------------------------------------------------------ decisions

    def sees_rights(self, holder: str, contract: ContractId | None) -> bool:
        """Whether what a holder may do in a contract is to be seen; of oneself it always is."""
        return self._oneself(holder) or self.reaches(Right.VIEW_RIGHTS, contract)

    def sees_all_rights(self) -> bool:
        """Whether everybody is seen, and what they may do where no contract is asked about."""
        return self.sees_everybody() and self.reaches(Right.VIEW_RIGHTS, None)

    def asserts_facts(self, contract: ContractId | None) -> bool:
        """Whether facts that the caller sends count though others are stored."""
        return self.authority is not None and self.reaches(Right.ASSERT_FACTS, contract)
