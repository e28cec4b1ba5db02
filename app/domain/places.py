"""Where and when a change has to be looked at, against what its caller has there and then."""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property

from app.domain.authority import Authority
from app.domain.holders import (
    Assignment,
    ContractId,
    Grant,
    HolderId,
    Limit,
    Membership,
    Role,
    Row,
    StoredFact,
    SubscriberLink,
    Team,
    User,
    UserId,
)
from app.domain.sides import Bound
from app.domain.violations import Judgement

Moments = tuple[datetime, ...]


class Places:
    """The scopes and the moments of one change, made by one caller."""

    def __init__(self, judgement: Judgement, authority: Authority) -> None:
        self.judgement = judgement
        self.authority = authority

    @cached_property
    def touched(self) -> dict[HolderId, dict[ContractId | None, None]]:
        """The holders that the change names, each with the scopes in which it touches them."""
        found: dict[HolderId, dict[ContractId | None, None]] = {}
        for change in self.judgement.changes:
            record = change.record
            if isinstance(record, Grant | Limit | Assignment | Membership):
                found.setdefault(record.holder, {})[record.contract] = None
            elif isinstance(record, SubscriberLink) or (isinstance(record, StoredFact) and record.user is not None):
                found.setdefault(UserId(record.holder), {})[record.contract] = None
            elif isinstance(record, User | Role | Team):
                found.setdefault(record.id, {})[None] = None
        return found

    def scopes(self, holder: HolderId, touched: Iterable[ContractId | None] = (None,)) -> tuple[ContractId | None, ...]:
        """The scopes in which a change looks different from how it looks in no contract.

        What is touched in contracts alone is touched nowhere else.
        """
        touched = tuple(touched)
        if None not in touched:
            return touched
        here, owned = self.judgement.scopes(holder), self._owned.get(holder, [])
        if not owned and not self.authority.scopes:
            return here
        return tuple(dict.fromkeys((*here, *owned, *self.authority.scopes)))

    @cached_property
    def _owned(self) -> dict[str, list[ContractId]]:
        """The contracts that each owner has before the change."""
        found: dict[str, list[ContractId]] = {}
        for contract in self.judgement.before.contracts.values():
            found.setdefault(contract.owner, []).append(contract.id)
        return found

    def moments(self, holder: HolderId, contract: ContractId | None) -> Moments:
        """Now, and each later moment when something of the holder or of the caller begins or ends, before or after."""
        now, bounds = self.authority.at, self._bounds_of_caller
        for side in self.judgement.sides:
            bounds |= side.extent_of(holder).bounds
        later = {moment for scope, moment in bounds if scope in {None, contract} and moment > now}
        return (now, *sorted(later))

    @cached_property
    def _bounds_of_caller(self) -> frozenset[Bound]:
        sources = self.authority.sources
        return frozenset().union(*(side.bounds_of(one) for side in self.judgement.sides for one in sources))

    def window(self, row: Row, contract: ContractId | None) -> Moments:
        """When a row begins, and each later moment in its window when what the caller holds may change."""
        begin = max(self.authority.at, row.valid_from or self.authority.at)
        later = self.moments(self.authority.caller, contract)
        return tuple(sorted(moment for moment in {begin, *later} if row.is_valid_at(moment)))
