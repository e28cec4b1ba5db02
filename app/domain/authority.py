"""What a caller may do and give, out of what the caller holds (SEMANTICS section 8).

A right held in one contract reaches only what is scoped to that contract; held unscoped it reaches everything, but for
what a limit in a contract takes of it there. What a service account gives is bounded by its ceiling as well.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

from app.domain.callers import Need, Right, Standing
from app.domain.catalog import Polarity, iterate_needed_atoms
from app.domain.compiled import NOTHING, Holding
from app.domain.contracts import CORE, AccessLevel, level_of_value, rank_level, settable_levels
from app.domain.errors import NotPermitted
from app.domain.holders import Access, ContractId, RoleId, User, UserId, UserKind, UserStatus
from app.domain.requirements import AtLeast
from app.domain.rights import Evaluation, Subject
from app.domain.values import Level

EvaluationOf = Callable[[ContractId | None, datetime], Evaluation]
SETTERS = frozenset({AccessLevel.ADMINISTRATOR, AccessLevel.OWNER})  # the levels in System [CORE] that set levels
_OPEN = frozenset({Standing.ANYBODY, Standing.ONESELF, Standing.PART})  # there is always something to do it to


class Authority:
    """One caller's standing in one world. `evaluation` gives the world at a moment, seen in a contract or in none."""

    def __init__(self, caller: UserId, evaluation: EvaluationOf, *, at: datetime) -> None:
        self.caller = caller
        self.at = at
        self._evaluation = evaluation
        self._held: dict[tuple[ContractId | None, datetime, bool], Holding] = {}
        self._giving: dict[tuple[ContractId | None, datetime], Holding] = {}
        self._ceilings: dict[tuple[ContractId | None, datetime], Holding] = {}
        self._core_levels: dict[ContractId, AccessLevel | None] = {}
        here = evaluation(None, at)
        self.program = here.program
        self.world = here.world
        self.user: User | None = here.world.users.get(caller)
        self.included = frozenset({caller, *self.world.included_in(caller, since=at)})

    @property
    def owns_account(self) -> bool:
        """Whether the caller is an active account owner, from whom nothing is kept."""
        return self.user is not None and self.user.is_owner and self.user.status is UserStatus.ACTIVE

    # ------------------------------------------------------------------ holding and giving

    def held(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """The caller's effective rights in a contract, those held everywhere among them."""
        return self._find_held(contract, at or self.at, met=False)

    def having(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """What the caller holds there, facts and targets counting as met, as wherever changes are judged."""
        return self._find_held(contract, self._since(at), met=True)

    def _find_held(self, contract: ContractId | None, at: datetime, *, met: bool) -> Holding:
        if contract not in self.world.contracts:
            contract = None  # registered by the very change that is judged: nothing is held there in particular
        if (contract, at, met) not in self._held:
            evaluation, program = self._evaluation(contract, at), self.program
            effective = evaluation.effective(Subject(user=self.caller))
            found = program.settle(effective.limited, program.met) if met else effective.certain
            if contract is not None:
                # Held unscoped it reaches every contract, those too in which the caller has no part; limits in the
                # contract, wherever they stand, narrow it there. Who is bound there is told by the contract alone.
                here = program.meet(self._find_held(None, at, met=met), evaluation.value_of(self.caller))
                here = program.keep_polarity(here, permissions=True, restrictions=False)
                found = program.join(found, program.settle(here, program.met))
            self._held[contract, at, met] = found
        return self._held[contract, at, met]

    def giving(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """The most that the caller can give there: what the caller has, under the ceiling of a service account."""
        if not self.is_service:
            return self.having(contract, at)
        key = (contract, self._since(at))
        if key not in self._giving:
            self._giving[key] = self.program.meet(self.having(*key), self._ceiling(*key))
        return self._giving[key]

    def bound(self, number: int, contract: ContractId | None, at: datetime | None = None) -> bool:
        """Whether the caller is bound by a restriction there, and so lifts it from nobody.

        A service account is bound by what its ceiling is; without a ceiling of roles by everything.
        """
        if self.is_service and (
            self._ceiling_roles == frozenset() or self.program.holds_any(self._ceiling(contract, at or self.at), number)
        ):
            return True
        return self.program.holds_any(self.having(contract, at), number)

    @property
    def is_service(self) -> bool:
        """Whether the caller is a machine, which gives nothing beyond its ceiling."""
        return self.user is not None and self.user.kind is UserKind.SERVICE

    @property
    def _ceiling_roles(self) -> frozenset[RoleId]:
        return frozenset() if self.user is None or self.user.ceiling is None else self.user.ceiling.roles

    def _ceiling(self, contract: ContractId | None, at: datetime) -> Holding:
        """What somebody with the roles of the ceiling would have."""
        if contract not in self.world.contracts:
            contract = None
        at = self._since(at)
        if (contract, at) not in self._ceilings:
            evaluation, found = self._evaluation(contract, at), NOTHING
            for role in self._ceiling_roles:
                found = self.program.join(found, evaluation.value_of_role(role))
            self._ceilings[contract, at] = self.program.close(found)
        return self._ceilings[contract, at]

    @cached_property
    def sources(self) -> frozenset[str]:
        """Everybody whose rows decide, whenever and wherever, what the caller can give."""
        found: set[str] = set()
        for one in (self.caller, *self._ceiling_roles):
            found |= {one, *self.world.included_in(one)}
        return frozenset(found)

    def _since(self, at: datetime | None) -> datetime:
        """The moment since when the caller can give what it can give then; the present (None) is one such moment."""
        if at is None or at <= self.at:
            return at or self.at
        place = bisect_right(self._turns, at)
        return self._turns[place - 1] if place else self.at

    @cached_property
    def _turns(self) -> list[datetime]:
        """The later moments when a row that decides what the caller can give begins or ends."""
        rows = (row for one in self.sources for row in self.world.rows_of(one))
        moments = {moment for row in rows for moment in (row.valid_from, row.valid_until) if moment is not None}
        return sorted(moment for moment in moments if moment > self.at)

    @cached_property
    def scopes(self) -> tuple[ContractId, ...]:
        """The contracts in which the caller may be able to give less than everywhere, or be bound by more."""
        found: dict[ContractId, None] = {}
        for holder in sorted(self.sources):
            rows = self.world.rows_of(holder)
            levels = rows.access if self._levels_bind else ()
            for row in (*rows.grants, *rows.limits, *rows.assignments, *rows.memberships, *levels):
                if row.contract in self.world.contracts and row.contract is not None:
                    found[row.contract] = None
        return tuple(found)

    @cached_property
    def _levels_bind(self) -> bool:
        """Whether a restriction of the catalog leans on an access level, and so binds in that contract alone."""
        leaning = {node.key for node in self.program.catalog.access_nodes.values()}
        for permission in self.program.catalog.permissions:  # in order of requirement
            atoms = iterate_needed_atoms(permission)
            if any(isinstance(atom, AtLeast) and atom.node in leaning for atom in atoms):
                if permission.polarity is Polarity.RESTRICTION:
                    return True
                leaning.add(permission.key)
        return False

    def caps_level(self, contract: ContractId, product: str, level: AccessLevel) -> bool:
        """Whether the ceiling of a service account lies below a level of a product of a contract."""
        if not self.is_service or self.user is None:
            return False
        return rank_level(level) > self._most_levels.get((contract, product), -1)

    @cached_property
    def _most_levels(self) -> Mapping[tuple[ContractId, str], int]:
        """The rank of the highest level that the ceiling of a service account lets it set, by contract and product."""
        found: dict[tuple[ContractId, str], int] = {}
        for there, what, most in () if self.user is None or self.user.ceiling is None else self.user.ceiling.levels:
            found[there, what] = max(rank_level(most), found.get((there, what), -1))
        return found

    # ------------------------------------------------------------------ rights of the gateway

    def holds(self, right: Right, contract: ContractId | None = None) -> bool:
        """Whether the caller has a gateway right in a contract, or (None) everywhere."""
        return self.program.holds_any(self.held(contract), self.program.catalog.number_of[right])

    def contracts_with(self, right: Right) -> frozenset[ContractId] | None:
        """The contracts in which the caller has a gateway right; None: it is held everywhere."""
        if self.holds(right):
            return None
        return frozenset(contract for contract in self.own_contracts() if self.holds(right, contract))

    def own_contracts(self) -> frozenset[ContractId]:
        """The contracts in which the caller may hold something that it does not hold everywhere."""
        found = {contract.id for contract in self.world.contracts.values() if contract.owner == self.caller}
        for holder in self.included:
            rows = self.world.rows_of(holder)
            for row in (*rows.grants, *rows.assignments, *rows.memberships, *rows.access, *rows.facts):
                if row.contract is not None:
                    found.add(row.contract)
        return frozenset(found & self.world.contracts.keys())

    def home_contracts(self) -> frozenset[ContractId]:
        """The contracts that the caller owns, has a level in, or has rows of their own in that are not over."""
        rows = self.world.rows_of(self.caller)
        found = {row.contract for row in rows if row.contract is not None and not row.is_over(self.at)}
        found |= {contract.id for contract in self.world.contracts.values() if contract.owner == self.caller}
        return frozenset(found & self.world.contracts.keys())

    def core_level(self, contract: ContractId) -> AccessLevel | None:
        """The caller's effective level in System [CORE] of a contract."""
        if contract not in self._core_levels:
            self._core_levels[contract] = self._find_core_level(contract)
        return self._core_levels[contract]

    def _find_core_level(self, contract: ContractId) -> AccessLevel | None:
        node = self.program.catalog.access_nodes.get(CORE)
        if node is None or contract not in self.world.contracts:
            return None
        holding = self._evaluation(contract, self.at).effective(Subject(user=self.caller)).certain
        value = self.program.value(holding, self.program.catalog.number_of[node.key])
        assert isinstance(value, Level)
        return level_of_value(value)

    def sets_levels(self, contract: ContractId) -> bool:
        """Whether the caller sets levels of a contract, within the bounds of SEMANTICS section 7."""
        return self.owns_account or self.core_level(contract) in SETTERS

    def settable(self, row: Access) -> frozenset[AccessLevel | None]:
        """What the caller may make of a level that somebody has (SEMANTICS section 7); None: remove it."""
        contract = None if row.contract is None else self.world.contracts.get(row.contract)
        if contract is None or contract.owner == row.user:
            return frozenset()
        account_owner = self.owns_account
        setter = self.core_level(contract.id)
        found = settable_levels(setter, row.product, row.level, account_owner=account_owner)
        if account_owner:
            return found
        return frozenset(
            level
            for level in found
            if level is None
            or not (
                self.caps_level(contract.id, row.product, level)
                or (row.user == self.caller and rank_level(level) > rank_level(row.level))
            )
        )

    # ------------------------------------------------------------------ operations

    def require(self, need: Need) -> None:
        """Raises `NotPermitted`, naming what is missing, where the caller cannot do an operation to anything at all."""
        if not self._may(need):
            raise NotPermitted(f"you may not do this. {need}")

    def _may(self, need: Need) -> bool:
        if self.owns_account or _OPEN.intersection(need.standing):
            return True
        if need.right is not None and (
            self.holds(need.right) or (not need.everywhere and self.contracts_with(need.right) != frozenset())
        ):
            return True
        if Standing.CORE_ADMINISTRATOR in need.standing and any(map(self.sets_levels, self.own_contracts())):
            return True
        return Standing.CONTRACT_OWNER in need.standing and any(
            contract.owner == self.caller for contract in self.world.contracts.values()
        )
