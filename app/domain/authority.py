"""What a caller may do and give, out of what the caller holds (SEMANTICS section 8).

A gateway right held in one contract reaches only what is scoped to that contract; held unscoped it reaches everything.
What a service account gives is bounded by its ceiling as well.
"""

from collections.abc import Callable
from datetime import datetime

from app.domain.callers import Need, Right, Standing
from app.domain.compiled import NOTHING, Holding
from app.domain.contracts import CORE, AccessLevel, level_of_value, settable_levels
from app.domain.errors import NotPermitted
from app.domain.holders import Access, ContractId, User, UserId, UserKind, UserStatus
from app.domain.rights import Evaluation, Subject
from app.domain.values import Level

EvaluationOf = Callable[[ContractId | None, datetime], Evaluation]
SETTERS = frozenset({AccessLevel.ADMINISTRATOR, AccessLevel.OWNER})  # the levels in System [CORE] that set levels


class Authority:
    """One caller's standing in one world. `evaluation` gives the world at a moment, seen in a contract or in none."""

    def __init__(self, caller: UserId, evaluation: EvaluationOf, *, at: datetime) -> None:
        self.caller = caller
        self.at = at
        self._evaluation = evaluation
        self._held: dict[tuple[ContractId | None, datetime], Holding] = {}
        here = evaluation(None, at)
        self.program = here.program
        self.world = here.world
        self.user: User | None = here.world.users.get(caller)
        self.included = frozenset({caller, *self.world.included_in(caller)})

    @property
    def owns_account(self) -> bool:
        """Whether the caller is an active account owner, from whom nothing is kept."""
        return self.user is not None and self.user.is_owner and self.user.status is UserStatus.ACTIVE

    # ------------------------------------------------------------------ holding and giving

    def held(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """The caller's effective rights in a contract, those held everywhere among them."""
        moment = at or self.at
        if (contract, moment) not in self._held:
            evaluation = self._evaluation(contract, moment)
            found = evaluation.effective(Subject(user=self.caller)).certain
            if contract is not None:
                # Held unscoped it reaches every contract, those too in which the caller has no part.
                found = self.program.join(found, evaluation.apply_limits(self.caller, self.held(None, moment)))
            self._held[contract, moment] = found
        return self._held[contract, moment]

    def giving(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """The most that the caller can give there: what is held, under the ceiling of a service account."""
        held = self.held(contract, at)
        if self.user is None or self.user.kind is not UserKind.SERVICE:
            return held
        if self.user.ceiling is None:
            return NOTHING
        ceiling = NOTHING
        evaluation = self._evaluation(contract, at or self.at)
        for role in self.user.ceiling.roles:
            ceiling = self.program.join(ceiling, self.program.close(evaluation.value_of_role(role)))
        return self.program.meet(held, ceiling)

    def caps_level(self, contract: ContractId, product: str, level: AccessLevel) -> bool:
        """Whether the ceiling of a service account lies below a level of a product of a contract."""
        if self.user is None or self.user.kind is not UserKind.SERVICE:
            return False
        rungs = list(AccessLevel)
        ceilings = () if self.user.ceiling is None else self.user.ceiling.levels
        return not any(
            (contract, product) == (there, what) and rungs.index(level) <= rungs.index(most)
            for there, what, most in ceilings
        )

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
        """The contracts that the caller owns, has a level in, or has rows of their own in."""
        found = {row.contract for row in self.world.rows_of(self.caller) if row.contract is not None}
        found |= {contract.id for contract in self.world.contracts.values() if contract.owner == self.caller}
        return frozenset(found & self.world.contracts.keys())

    def core_level(self, contract: ContractId) -> AccessLevel | None:
        """The caller's effective level in System [CORE] of a contract."""
        node = self.program.catalog.access_nodes.get(CORE)
        if node is None:
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
        rungs = list(AccessLevel)
        return frozenset(
            level
            for level in found
            if level is None
            or not (
                self.caps_level(contract.id, row.product, level)
                or (row.user == self.caller and rungs.index(level) > rungs.index(row.level))
            )
        )

    # ------------------------------------------------------------------ operations

    def require(self, need: Need) -> None:
        """Raises `NotPermitted`, naming what is missing, where the caller cannot do an operation to anything at all."""
        if not self._may(need):
            raise NotPermitted(f"you may not do this. {need}")

    def _may(self, need: Need) -> bool:
        if self.owns_account or Standing.ANYBODY in need.standing or Standing.ONESELF in need.standing:
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
