"""What no change may do: give more than its caller has, raise its caller, leave anything without its owner.

SEMANTICS sections 7 and 8. A change is judged by what it brings about, whatever the way:

1. Every single change needs the right of the gateway that its kind needs, where it is scoped.
2. Whom a change touches may have no right of the gateway, and no more of what changes, than the caller.
3. What a holder has afterwards and had not before lies within what the caller can give, now and at each later moment
   when something of the holder or of the caller begins or ends; and so does whatever a row gives by itself, though a
   limit hides it today. For restrictions the order turns.
4. Nobody raises themselves.
5. Access levels follow section 7 instead of 2 and 3.

Roles, parents, teams, lifted limits and lists need no rule of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.authority import Authority
from app.domain.callers import GATEWAY, Right
from app.domain.catalog import Polarity
from app.domain.compiled import NOTHING, Holding
from app.domain.contracts import AccessLevel, settable_levels
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
    Contract,
    ContractId,
    ContractStatus,
    Grant,
    HolderId,
    Limit,
    Membership,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.rights import Subject
from app.domain.violations import Judgement
from app.domain.world import Change, World

Moments = tuple[datetime, ...]
GivenAt = Callable[[datetime, ContractId | None], Holding]  # what a row gives by itself, then and there


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


def guard_token(judgement: Judgement, authority: Authority, user: UserId) -> Iterator[DomainError]:
    """Why the caller may not have a token made or ended of another: whoever has one's token has all that one has."""
    if authority.owns_account or user == authority.caller:
        return
    guard = Guard(judgement, authority)
    wider = guard.find_wider(user, guard.scopes_of(user), everything=True)
    if wider is not None:
        yield SelfElevation(f"the user has more of `{wider}` than you: a token of theirs would give it to you")


@dataclass(frozen=True)
class Guard:
    """One change set, about to be written by a caller. `paths`: where the request asks for a record."""

    judgement: Judgement
    authority: Authority
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def errors(self) -> list[DomainError]:
        """Why the caller may not make this change; nothing for an account owner. A right that lacks hides all else."""
        if self.authority.owns_account:
            return []
        return self.needs() or [
            *self._guard_reach(),
            *self._guard_giving(),
            *self._guard_self(),
            *self._guard_levels(),
        ]

    def needs(self) -> list[DomainError]:
        """The rights of the gateway that the caller lacks for this change, each once."""
        return [] if self.authority.owns_account else list(self._guard_needs())

    # ------------------------------------------------------------------ 1: the right that a change needs

    def _guard_needs(self) -> Iterator[DomainError]:
        told: set[tuple[Right | None, ContractId | None]] = set()
        for change in self.judgement.changes:
            for right, contract in self._needs(change):
                if (right, contract) in told or (right is not None and self.authority.holds(right, contract)):
                    continue
                told.add((right, contract))
                yield NotPermitted(f"this needs {self._word(right, contract)}", path=self._path(change))

    def _needs(self, change: Change) -> Iterator[tuple[Right | None, ContractId | None]]:
        """The rights that one change needs, each with where; None: to own the account (or the contract)."""
        record, old, new = change.record, change.before, change.after
        match record:
            case Grant() | Limit() | Assignment():
                yield Right.GRANT_RIGHTS, record.contract
            case Membership():
                yield Right.MANAGE_MEMBERS, record.contract
            case StoredFact():
                yield Right.SET_FACTS, record.contract
            case SubscriberLink():
                assert record.contract is not None
                if not self.authority.sets_levels(record.contract):
                    yield Right.MANAGE_CONTRACTS, record.contract
            case Role():
                yield Right.MANAGE_ROLES, None
            case Team():
                yield Right.MANAGE_TEAMS, None
            case Contract():
                yield from self._contract_needs(record, old)
            case User():
                assert new is None or isinstance(new, User)
                assert old is None or isinstance(old, User)
                if (new is not None and new.is_owner) != (old is not None and old.is_owner):
                    yield None, None
                ceilings = (None if old is None else old.ceiling, None if new is None else new.ceiling)
                made_service = old is None and record.kind is UserKind.SERVICE
                if made_service or ceilings[0] != ceilings[1]:
                    yield Right.MANAGE_SERVICE_ACCOUNTS, None
                else:
                    yield Right.MANAGE_USERS, None

    def _contract_needs(self, record: Contract, old: object) -> Iterator[tuple[Right | None, ContractId | None]]:
        if not isinstance(old, Contract):
            yield Right.REGISTER_CONTRACTS, None
        elif old.owner != record.owner:
            if old.owner != self.authority.caller:
                yield None, record.id
        else:
            yield Right.MANAGE_CONTRACTS, record.id

    def _word(self, right: Right | None, contract: ContractId | None) -> str:
        known = None if contract is None else self.judgement.before.contracts.get(contract)
        if right is None:
            return "to own the account" if known is None else f"to own the contract `{known.number}`"
        return f"the right `{right}` " + ("everywhere" if known is None else f"in the contract `{known.number}`")

    def _path(self, change: Change) -> tuple[str, ...]:
        return self.paths.get(change.record.id, ())

    # ------------------------------------------------------------------ 2: whom one may touch

    def _guard_reach(self) -> Iterator[DomainError]:
        for holder, contracts in self._touched_scopes().items():
            if holder == self.authority.caller:
                continue
            scopes = self.scopes_of(holder) if None in contracts else tuple(contracts)
            wider = self.find_wider(holder, scopes)
            if wider is not None:
                yield NotPermitted(f"the holder has more of `{wider}` than you: ask somebody who has as much")

    def _touched_scopes(self) -> dict[HolderId, dict[ContractId | None, None]]:
        """The holders that the change names, each with the scopes in which it touches them."""
        found: dict[HolderId, dict[ContractId | None, None]] = {}
        for change in self.judgement.changes:
            record = change.record
            if isinstance(record, Grant | Limit | Assignment | Membership):
                found.setdefault(record.holder, {})[record.contract] = None
            elif isinstance(record, User | Role | Team):
                found.setdefault(record.id, {})[None] = None
        return found

    def scopes_of(self, holder: HolderId) -> tuple[ContractId | None, ...]:
        """None, and each contract in which a holder may have something of its own."""
        owned = [contract.id for contract in self.judgement.before.contracts.values() if contract.owner == holder]
        return tuple(dict.fromkeys((*self.judgement.scopes(holder), *owned)))

    def find_wider(
        self, holder: HolderId, scopes: Iterable[ContractId | None], *, everything: bool = False
    ) -> str | None:
        """The label of a permission of which a holder has more than the caller.

        Looked at are the gateway's rights and those that change; with `everything` all rights, and what comes later.
        """
        program = self.judgement.program
        for contract in scopes:
            for at in self._moments(holder, contract) if everything else (self.authority.at,):
                had, _ = self.judgement.values(False, holder, contract, at)
                has, _ = self.judgement.values(True, holder, contract, at)
                changing = set(program.differing(had, has))
                if holder in self.judgement.before.users:  # what a person has by owning counts as well
                    evaluation = self.judgement.evaluation(False, contract, at)
                    had = program.join(had, evaluation.effective(Subject(user=UserId(holder))).certain)
                held = self.authority.held(contract, at)
                for number, permission in enumerate(program.catalog.permissions):
                    looked_at = everything or permission.system == GATEWAY or number in changing
                    if not looked_at or permission.polarity is not Polarity.PERMISSION:
                        continue
                    if permission.access_level and not everything:
                        continue
                    if not permission.value_type.at_least(program.value(held, number), program.value(had, number)):
                        return permission.label
        return None

    # ------------------------------------------------------------------ 3: giving

    def _guard_giving(self) -> Iterator[DomainError]:
        told: set[tuple[str, int]] = set()
        for holder in (*self.judgement.touched(), *self._wakened()):
            for contract in self.scopes_of(holder):
                for at in self._moments(holder, contract):
                    for number, error in self._excess(holder, contract, at):
                        if (holder, number) not in told:
                            told.add((holder, number))
                            yield error
        for change in self.judgement.changes:
            for number, error in self._excess_of_change(change):
                named = (getattr(change.record, "holder", change.record.id), number)
                if named not in told:
                    told.add(named)
                    yield error

    def _wakened(self) -> tuple[UserId, ...]:
        """People whom the change makes active: it gives them all that they hold."""
        return tuple(
            change.after.id
            for change in self.judgement.changes
            if isinstance(change.before, User)
            and isinstance(change.after, User)
            and change.before.status is not UserStatus.ACTIVE
            and change.after.status is UserStatus.ACTIVE
        )

    def _excess(self, holder: HolderId, contract: ContractId | None, at: datetime) -> Iterator[tuple[int, DomainError]]:
        """What a holder gets by the change, and restrictions it is rid of, beyond what the caller can give."""
        program = self.judgement.program
        if holder in self._wakened():
            had, has = (
                NOTHING,
                self.judgement.evaluation(True, contract, at).effective(Subject(user=UserId(holder))).certain,
            )
        else:
            had, _ = self.judgement.values(False, holder, contract, at)
            has, _ = self.judgement.values(True, holder, contract, at)
        changed = program.differing(had, has)
        if changed:
            # What comes along with a gained right reaches those who include the holder, even if the holder is limited.
            has = program.join(has, program.close(_gains(self.judgement, had, has, changed)))
            yield from self._compare(holder, had, has, contract, at)

    def _excess_of_change(self, change: Change) -> Iterator[tuple[int, DomainError]]:
        """What a new row or parent gives by itself beyond what the caller can give, whatever limits hide today."""
        for contract, holder, given, moments in self._given(change):
            for at in moments:
                has = given(at, contract)
                yield from self._compare(holder, NOTHING, has, contract, at, path=self._path(change))

    def _given(self, change: Change) -> Iterator[tuple[ContractId | None, HolderId, GivenAt, Moments]]:
        judgement, new, old = self.judgement, change.after, change.before
        program = judgement.program
        if isinstance(new, Grant) and old is None:
            value = program.close(program.encode(program.catalog.number_of[new.node], new.value))
            yield new.contract, new.holder, lambda at, contract: value, self._window(new)
            return
        included: list[HolderId] = []
        if isinstance(new, Assignment) and old is None:
            included, holder = [new.role], new.holder
        elif isinstance(new, Membership) and old is None:
            included, holder = [new.team], new.user
        elif isinstance(new, Role):
            before = old.parents if isinstance(old, Role) else ()
            included, holder = [parent for parent in new.parents if parent not in before], new.id
        elif isinstance(new, Team):
            moved = not isinstance(old, Team) or old.parent != new.parent
            included, holder = [new.parent] if moved and new.parent is not None else [], new.id
        elif isinstance(new, User) and new.ceiling is not None:
            before_roles = old.ceiling.roles if isinstance(old, User) and old.ceiling is not None else frozenset()
            included, holder = sorted(new.ceiling.roles - before_roles), new.id
        for one in included:
            row = new if isinstance(new, Assignment | Membership) else None
            scopes = judgement.scopes(one) if row is None or row.contract is None else (row.contract,)
            for contract in scopes:

                def value_of(at: datetime, contract: ContractId | None, one: HolderId = one) -> Holding:
                    return judgement.evaluation(True, contract, at).value_of(one)

                moments = self._moments(one, contract)
                if row is not None:
                    moments = tuple(sorted({*self._window(row), *(m for m in moments if _within(row, m))}))
                yield contract, holder, value_of, moments

    def _compare(
        self,
        holder: HolderId,
        had: Holding,
        has: Holding,
        contract: ContractId | None,
        at: datetime,
        *,
        path: tuple[str, ...] = (),
    ) -> Iterator[tuple[int, DomainError]]:
        program = self.judgement.program
        giving = self.authority.giving(contract, at)
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
                printed, most = permission.value_type.print(after), permission.value_type.print(held)
                message = f"`{permission.label}: {printed}` is more than you can give ({most})"
                if holder == self.authority.caller:
                    yield number, SelfElevation(f"{message}, least of all to yourself", path=path)
                else:
                    yield (
                        number,
                        DelegationExceeded(message, node=permission.key, held=held, asked=after, path=path),
                    )

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

    def _window(self, row: Grant | Assignment | Membership) -> Moments:
        """When a row begins, and each later moment in its window when what the caller holds may change."""
        begin = max(self.authority.at, row.valid_from or self.authority.at)
        later = self._moments(self.authority.caller, row.contract)
        return tuple(sorted({begin, *(moment for moment in later if _within(row, moment))}))

    def _moments(self, holder: HolderId, contract: ContractId | None) -> Moments:
        """Now, and each later moment when something of the holder or of the caller begins or ends, before or after."""
        now = self.authority.at
        moments = {now}
        for world in (self.judgement.before, self.judgement.after):
            for one in {
                self.authority.caller,
                *world.included_in(self.authority.caller),
                holder,
                *world.included_in(holder),
            }:
                for row in world.rows_of(one):
                    if row.contract in {None, contract}:
                        moments |= {m for m in (row.valid_from, row.valid_until) if m is not None and m > now}
        return tuple(sorted(moments))

    # ------------------------------------------------------------------ 4: oneself

    def _guard_self(self) -> Iterator[DomainError]:
        """Nobody raises themselves: by what they include, by joining, by a level, a link or a fact of their own."""
        caller = self.authority.caller
        if caller in self.judgement.reached() and caller not in self.judgement.touched():
            error = next(self._excess_anywhere(caller), None)
            if error is not None:
                yield error
        for change in self.judgement.changes:
            new, old, path = change.after, change.before, self._path(change)
            if isinstance(new, Membership) and new.user == caller:
                yield SelfElevation("nobody puts themselves into a team", path=path)
            if isinstance(new, SubscriberLink) and new.user == caller:
                yield SelfElevation("nobody links themselves to a subscriber", path=path)
            if isinstance(change.record, StoredFact) and change.record.user == caller:
                yield SelfElevation("nobody stores facts of themselves", path=path)
            if isinstance(new, Contract) and old is None and new.owner == caller:
                yield SelfElevation("nobody registers a contract for themselves", path=path)
            if isinstance(new, User) and isinstance(old, User) and new.id == caller and new.ceiling != old.ceiling:
                yield SelfElevation("nobody changes what they can ever give", path=path)
            if isinstance(new, Access) and new.user == caller and self._owner_of(change) is None:
                rungs = list(AccessLevel)
                present = self._present_level(new)
                if present is None or rungs.index(new.level) > rungs.index(present):
                    yield SelfElevation(f"nobody raises their own level (`{new.product}`)", path=path)

    def _excess_anywhere(self, holder: HolderId) -> Iterator[DomainError]:
        for contract in self.scopes_of(holder):
            for at in self._moments(holder, contract):
                for _, error in self._excess(holder, contract, at):
                    yield error

    # ------------------------------------------------------------------ 5: access levels

    def _guard_levels(self) -> Iterator[DomainError]:
        """SEMANTICS section 7: who may set which level where, and the ceiling of a service account."""
        replaced = {
            (change.before.user, change.before.contract, change.before.product): change.before
            for change in self.judgement.changes
            if isinstance(change.before, Access)
        }
        set_anew = {
            (change.after.user, change.after.contract, change.after.product)
            for change in self.judgement.changes
            if isinstance(change.after, Access)
        }
        for change in self.judgement.changes:
            row = change.record
            if not isinstance(row, Access) or row.contract is None or self._owner_of(change) is not None:
                continue
            key = (row.user, row.contract, row.product)
            if change.after is None and key in set_anew:
                continue  # judged with the level that takes its place
            level = row.level if change.after is not None else None
            present = replaced[key].level if key in replaced else self._present_level(row)
            yield from self._guard_level(row, present, level, path=self._path(change))
        for change in self.judgement.changes:
            new, old = change.after, change.before
            if isinstance(new, User) and new.ceiling is not None:
                known = old.ceiling.levels if isinstance(old, User) and old.ceiling is not None else frozenset()
                for contract, product, level in sorted(new.ceiling.levels - known):
                    if not self.authority.sets_levels(contract) or self.authority.caps_level(contract, product, level):
                        yield NotPermitted(f"you cannot set `{level}` in `{product}` there yourself")

    def _guard_level(
        self, row: Access, present: AccessLevel | None, level: AccessLevel | None, *, path: tuple[str, ...]
    ) -> Iterator[DomainError]:
        assert row.contract is not None
        setter = self.authority.core_level(row.contract)
        if level not in settable_levels(setter, row.product, present):
            number = self.judgement.before.contracts[row.contract].number
            what = "remove somebody from" if level is None else f"set `{level}` in"
            with_present = "" if present is None else f" for somebody who has `{present}`"
            yield NotPermitted(
                f"your level in System [CORE] of the contract `{number}` ({setter or 'none'}) does not let you {what} "
                f"`{row.product}`{with_present}",
                path=path,
            )
        elif level is not None and self.authority.caps_level(row.contract, row.product, level):
            yield NotPermitted(f"`{level}` in `{row.product}` is above what this account can ever set", path=path)

    def _present_level(self, row: Access) -> AccessLevel | None:
        """The highest level that the person has there before the change."""
        rungs = list(AccessLevel)
        levels = [
            old.level
            for old in self.judgement.before.rows_of(row.user).access
            if (old.contract, old.product) == (row.contract, row.product)
        ]
        return max(levels, key=rungs.index, default=None)

    def _owner_of(self, change: Change) -> Contract | None:
        """The contract whose own registration, transfer or products bring a level about; None: somebody sets it."""
        row = change.record
        assert isinstance(row, Access) and row.contract is not None
        for other in self.judgement.changes:
            contract, former = other.after, other.before
            if not isinstance(contract, Contract) or contract.id != row.contract:
                continue
            owners = {contract.owner, former.owner if isinstance(former, Contract) else contract.owner}
            if row.user in owners or (change.after is None and row.product not in contract.products):
                return contract
        return None


def _within(row: Grant | Assignment | Membership, moment: datetime) -> bool:
    return (row.valid_from is None or moment >= row.valid_from) and (
        row.valid_until is None or moment < row.valid_until
    )


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
