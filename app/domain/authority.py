"""What a caller may do and give, out of what the caller holds (SEMANTICS section 8).

A gateway right held in one contract reaches only what is scoped to that contract; held unscoped it reaches everything.
What a service account gives is bounded by its ceiling as well.
"""

from collections.abc import Callable
from datetime import datetime

from app.domain.compiled import NOTHING, Holding
from app.domain.contracts import AccessLevel, level_of_value
from app.domain.holders import ContractId, User, UserId, UserStatus
from app.domain.rights import Evaluation, Subject
from app.domain.values import Level

EvaluationOf = Callable[[ContractId | None, datetime], Evaluation]


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

    @property
    def owns_account(self) -> bool:
        """Whether the caller is an active account owner, from whom nothing is kept."""
        return self.user is not None and self.user.is_owner and self.user.status is UserStatus.ACTIVE

    def held(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """The caller's effective rights in a contract, those held everywhere among them."""
        moment = at or self.at
        if (contract, moment) not in self._held:
            found = self._evaluation(contract, moment).effective(Subject(user=self.caller)).certain
            if contract is not None:
                # Held unscoped it reaches every contract, those too in which the caller has no part.
                found = self.program.join(found, self.held(None, moment))
            self._held[contract, moment] = found
        return self._held[contract, moment]

    def giving(self, contract: ContractId | None, at: datetime | None = None) -> Holding:
        """The most that the caller can give there: what is held, under the ceiling of a service account."""
        held = self.held(contract, at)
        if self.user is None or self.user.ceiling is None:
            return held
        ceiling = NOTHING
        evaluation = self._evaluation(contract, at or self.at)
        for role in self.user.ceiling.roles:
            ceiling = self.program.join(ceiling, self.program.close(evaluation.value_of_role(role)))
        return self.program.meet(held, ceiling)

    def holds(self, key: str, contract: ContractId | None = None) -> bool:
        """Whether the caller has a gateway right in a contract, or (None) everywhere."""
        return self.program.holds_any(self.held(contract), self.program.catalog.number_of[key])

    def contracts_with(self, key: str) -> frozenset[ContractId] | None:
        """The contracts in which the caller has a gateway right; None: it is held everywhere."""
        if self.holds(key):
            return None
        return frozenset(contract for contract in self.world.contracts if self.holds(key, contract))

    def core_level(self, contract: ContractId) -> AccessLevel | None:
        """The caller's effective level in System [CORE] of a contract."""
        node = self.program.catalog.access_nodes.get("core")
        if node is None:
            return None
        holding = self._evaluation(contract, self.at).effective(Subject(user=self.caller)).certain
        value = self.program.value(holding, self.program.catalog.number_of[node.key])
        assert isinstance(value, Level)
        return level_of_value(value)
