"""What no change may do: give more than its caller has, raise its caller, leave anything without its owner.

SEMANTICS section 8. A change is judged by what it brings about, whatever the way: for every holder that it touches,
what the holder has afterwards and had not before must lie within what the caller can give, now and at each later moment
when something of it begins or something of the caller's ends. Roles, parents, teams, lifted limits and lists need no
rule of their own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from app.domain.authority import Authority
from app.domain.catalog import Polarity
from app.domain.compiled import Holding
from app.domain.errors import (
    DelegationExceeded,
    DomainError,
    ErrorCode,
    LastOwner,
    NotPermitted,
    SelfElevation,
    Warned,
)
from app.domain.holders import (
    Access,
    Assignment,
    ContractId,
    ContractStatus,
    Grant,
    HolderId,
    Limit,
    Membership,
    User,
    UserId,
    UserStatus,
)
from app.domain.rights import Subject
from app.domain.violations import Judgement
from app.domain.world import Change, World

GATEWAY = "gateway"  # the built-in system of the gateway's own rights


def guard_owners(before: World, after: World, changes: Iterable[Change], *, active_owners: int) -> list[DomainError]:
    """Refusals of a change that suspends, archives or demotes the last active account owner or a contract's owner.

    `active_owners` is how many active owners the whole account has before the change: a world may be partial.
    """
    errors: list[DomainError] = []
    left = active_owners
    for change in changes:
        old, new = change.before, change.after
        if not isinstance(old, User) or not isinstance(new, User):
            continue
        left += _owns_actively(new) - _owns_actively(old)
        if old.status is UserStatus.ACTIVE and new.status is not UserStatus.ACTIVE:
            errors += [
                LastOwner(f"`{old.user_name}` owns the contract `{contract.number}`: transfer it first")
                for contract in before.contracts.values()
                if contract.owner == old.id
                and contract.status is not ContractStatus.ENDED
                and after.contracts[contract.id].owner == old.id
            ]
    if left < 1 <= active_owners:
        errors.append(LastOwner("nobody active would own the account any more: make somebody else an owner first"))
    return errors


def _owns_actively(user: User) -> bool:
    return user.is_owner and user.status is UserStatus.ACTIVE


@dataclass(frozen=True)
class Guard:
    """One change set, about to be written by a caller."""

    judgement: Judgement
    authority: Authority

    def errors(self) -> Iterator[DomainError]:
        """Why the caller may not make this change; nothing for an account owner."""
        if self.authority.owns_account:
            return
        yield from self._guard_reach()
        yield from self._guard_giving()
        yield from self._guard_self()

    # ------------------------------------------------------------------ giving

    def _guard_giving(self) -> Iterator[DomainError]:
        """Nobody gives what they do not hold, more of it than they hold, or for longer than they hold it."""
        told: set[tuple[HolderId, int]] = set()
        for holder in self.judgement.touched():
            for contract in self.judgement.scopes(holder):
                for at in self._instants(contract):
                    for number, error in self._excess(holder, contract, at):
                        if (holder, number) not in told:
                            told.add((holder, number))
                            yield error

    def _excess(self, holder: HolderId, contract: ContractId | None, at: datetime) -> Iterator[tuple[int, DomainError]]:
        program = self.judgement.program
        had, _ = self.judgement.values(False, holder, contract, at)
        has, _ = self.judgement.values(True, holder, contract, at)
        changed = program.differing(had, has)
        if not changed:
            return
        giving = self.authority.giving(contract, at)
        # What comes along with a gained right reaches those who include the holder, even where the holder is limited.
        has = program.join(has, program.close(_gains(self.judgement, had, has, changed)))
        for number in program.differing(had, has):
            permission = program.catalog.permissions[number]
            before, after = program.value(had, number), program.value(has, number)
            if permission.access_level or permission.polarity is Polarity.SETTING:
                continue
            if permission.polarity is Polarity.RESTRICTION:
                if not permission.value_type.at_least(after, before):
                    error = self._lifted(holder, number, contract, at)
                    if error is not None:
                        yield number, error
                continue
            held = program.value(giving, number)
            if not permission.value_type.at_least(permission.value_type.join(before, held), after):
                message = (
                    f"`{permission.label}: {permission.value_type.print(after)}` is more than you can give "
                    f"({permission.value_type.print(held)})"
                )
                kind = SelfElevation if holder == self.authority.caller else None
                if kind is not None:
                    yield number, kind(f"{message}, least of all to yourself")
                else:
                    yield number, DelegationExceeded(message, node=permission.key, held=held, asked=after)

    def _lifted(self, holder: HolderId, number: int, contract: ContractId | None, at: datetime) -> DomainError | None:
        """The refusal to lift a restriction: from oneself, or by somebody whom it binds."""
        program = self.judgement.program
        permission = program.catalog.permissions[number]
        if holder == self.authority.caller:
            return SelfElevation(f"nobody lifts `{permission.label}` from themselves")
        bound = program.value(self.authority.held(contract, at), number)
        if bound == permission.value_type.bottom:
            return None
        message = f"`{permission.label}` binds you, so you lift it from nobody"
        return DelegationExceeded(message, node=permission.key, held=bound, asked=permission.value_type.bottom)

    def _instants(self, contract: ContractId | None) -> list[datetime]:
        """Now, the beginnings of touched rows, and the moments when what the caller holds may end."""
        now = self.authority.at
        world = self.judgement.before
        moments = set(self.judgement.instants(now))
        for holder in (self.authority.caller, *world.included_in(self.authority.caller)):
            for row in world.rows_of(holder):
                if row.contract in {None, contract}:
                    moments |= {m for m in (row.valid_from, row.valid_until) if m is not None and m > now}
        return sorted(moments)

    # ------------------------------------------------------------------ oneself

    def _guard_self(self) -> Iterator[DomainError]:
        """Nobody raises themselves, by whatever they include or by their own level in a contract."""
        caller = self.authority.caller
        if caller in self.judgement.reached() and caller not in self.judgement.touched():
            for contract in self.judgement.scopes(caller):
                for at in self._instants(contract):
                    for _, error in self._excess(caller, contract, at):
                        yield error
                        return
        for change in self.judgement.changes:
            row = change.after
            if isinstance(row, Access) and row.user == caller:
                former = [
                    old.level
                    for old in self.judgement.before.rows_of(caller).access
                    if old.contract == row.contract and old.product == row.product
                ]
                levels = list(type(row.level))
                if levels.index(row.level) > max((levels.index(level) for level in former), default=-1):
                    yield SelfElevation(f"nobody raises their own level (`{row.product}`)")

    # ------------------------------------------------------------------ whom one may touch

    def _guard_reach(self) -> Iterator[DomainError]:
        """A caller touches only holders whose gateway rights, and whose values on what changes, lie within theirs."""
        for holder, contracts in self._touched_scopes().items():
            if holder == self.authority.caller:
                continue
            for contract in contracts:
                wider = self._wider(holder, contract)
                if wider is not None:
                    program = self.judgement.program
                    label = program.catalog.permissions[wider].label
                    yield NotPermitted(f"the holder has more of `{label}` than you: ask somebody who has as much")
                    break

    def _touched_scopes(self) -> dict[HolderId, dict[ContractId | None, None]]:
        """The holders that the change names, each with the scopes in which it touches them."""
        found: dict[HolderId, dict[ContractId | None, None]] = {}
        for change in self.judgement.changes:
            record = change.record
            if isinstance(record, Grant | Limit | Assignment | Membership):
                found.setdefault(record.holder, {})[record.contract] = None
            elif isinstance(record, User):
                found.setdefault(record.id, {})[None] = None
        for holder in self.judgement.touched():  # roles and teams whose own record changes
            found.setdefault(holder, {None: None})
        return found

    def _wider(self, holder: HolderId, contract: ContractId | None) -> int | None:
        """A permission of which the holder has more than the caller: any of the gateway's, or one that changes."""
        program = self.judgement.program
        at = self.authority.at
        had, _ = self.judgement.values(False, holder, contract, at)
        has, _ = self.judgement.values(True, holder, contract, at)
        changing = set(program.differing(had, has))
        if holder in self.judgement.before.users:  # what a person has by owning counts as well
            evaluation = self.judgement.evaluation(False, contract, at)
            had = program.join(had, evaluation.effective(Subject(user=UserId(holder))).certain)
        held = self.authority.held(contract)
        for number, permission in enumerate(program.catalog.permissions):
            if permission.polarity is not Polarity.PERMISSION or permission.access_level:
                continue
            if permission.system != GATEWAY and number not in changing:
                continue
            if not permission.value_type.at_least(program.value(held, number), program.value(had, number)):
                return number
        return None


def _gains(judgement: Judgement, had: Holding, has: Holding, changed: Iterable[int]) -> Holding:
    """What a holder has more of, and of it the whole value."""
    program = judgement.program
    gains = Holding()
    for number in changed:
        if not program.types[number].at_least(program.value(had, number), program.value(has, number)):
            gains = program.join(gains, program.encode(number, program.value(has, number)))
    return gains


def warn_unmanageable(
    judgement: Judgement, people: Iterable[UserId], *, grant_right: str, at: datetime
) -> Iterator[DomainError]:
    """Warnings of rights that somebody but account owners could manage before a change, and nobody could after it.

    To manage a right is to hold it and `grant_right`, both everywhere. `people` is everybody who might.
    """
    program = judgement.program
    grant_number = program.catalog.number_of[grant_right]
    managed = {after: _managed(judgement, people, after, grant_number, at) for after in (False, True)}
    for number in sorted(managed[False] - managed[True]):
        permission = program.catalog.permissions[number]
        message = f"nobody but account owners could manage `{permission.label}` any more"
        yield Warned(message, code=ErrorCode.UNMANAGEABLE_RIGHT)


def _managed(judgement: Judgement, people: Iterable[UserId], after: bool, grant_number: int, at: datetime) -> set[int]:
    program = judgement.program
    evaluation = judgement.evaluation(after, None, at)
    found: set[int] = set()
    for person in people:
        record = evaluation.world.users.get(person)
        if record is None or record.is_owner or record.status is not UserStatus.ACTIVE:
            continue
        held = evaluation.effective(Subject(user=person)).certain
        if program.holds_any(held, grant_number):
            found |= {number for number in range(len(program.types)) if program.holds_any(held, number)}
    return found
