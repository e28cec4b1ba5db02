"""What no change may do: give more than its caller has, raise its caller, leave anything without its owner.

SEMANTICS sections 7 and 8. A change is judged by what it brings about, whatever the way:

1. Every single change needs the right of the gateway that its kind needs, where it is scoped.
2. Whom a change touches may have, now or later, no right of the gateway, and no more of what changes, than the caller.
3. What a holder has afterwards and had not before lies within what the caller can give, now and at each later moment
   when something of the holder or of the caller begins or ends, in every contract in which either has something of its
   own; and so does whatever a row gives by itself, though a limit hides it today. For restrictions the order turns.
4. Nobody raises themselves.
5. Access levels follow section 7 instead of 2 and 3.

Roles, parents, teams, lifted limits and lists need no rule of their own: what a holder gets, those who include it get
within the same bounds. What a contract is (its status, its products, its facts) gives nobody anything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.domain.authority import Authority
from app.domain.callers import GATEWAY, Right
from app.domain.catalog import Catalog, Permission, Polarity
from app.domain.compiled import NOTHING, Holding
from app.domain.contracts import rank_level
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
    Row,
    StoredFact,
    SubscriberLink,
    Team,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.level_guards import find_level, guard_levels, guard_owner_levels, moves_with_contract
from app.domain.requirements import AtLeast, Enforcement, iterate_atoms
from app.domain.rights import Subject
from app.domain.violations import Judgement
from app.domain.world import Change, World

Moments = tuple[datetime, ...]
GivenAt = Callable[[datetime, ContractId | None], Holding]  # what a row gives by itself, then and there


def guard_owners(
    before: World,
    after: World,
    changes: Iterable[Change],
    *,
    active_owners: int,
    paths: Mapping[str, tuple[str, ...]] | None = None,
) -> list[DomainError]:
    """Refusals of a change that suspends, archives or demotes the last active account owner or a contract's owner.

    Nor does anybody, an account owner either, appoint an OWNER: contract and levels go together. `active_owners` is how
    many active owners the whole account has before the change: a world may be partial.
    """
    changes = tuple(changes)
    errors: list[DomainError] = list(guard_owner_levels(after, changes))
    left = active_owners
    for change in changes:
        old, new = change.before, change.after
        if not isinstance(old, User) or not isinstance(new, User):
            continue
        left += _owns_actively(new) - _owns_actively(old)
        if old.status is UserStatus.ACTIVE and new.status is not UserStatus.ACTIVE:
            errors += [
                LastOwner(
                    f"`{old.user_name}` owns the contract `{contract.number}`: transfer it first",
                    path=(paths or {}).get(old.id, ()),
                )
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
    if not authority.holds(Right.MANAGE_TOKENS):
        yield NotPermitted(f"this needs the right `{Right.MANAGE_TOKENS}` everywhere")
        return
    wider = Guard(judgement, authority).find_wider_account(user)
    if wider is not None:
        yield SelfElevation(f"the user has more of `{wider}` than you: a token of theirs would give it to you")


@dataclass(frozen=True)
class Guard:
    """One change set, about to be written by a caller. `paths`: where the request asks for a record."""

    judgement: Judgement
    authority: Authority
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _known_limits: dict[HolderId, frozenset[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def errors(self) -> list[DomainError]:
        """Why the caller may not make this change; nothing for an account owner. A right that lacks hides all else."""
        if self.authority.owns_account:
            return []
        return self.needs() or [
            *self._guard_reach(),
            *self._guard_giving(),
            *self._guard_self(),
            *guard_levels(self.judgement, self.authority, self.paths),
        ]

    def needs(self) -> list[DomainError]:
        """The rights of the gateway that the caller lacks for this change, each once."""
        return [] if self.authority.owns_account else list(self._guard_needs())

    # ------------------------------------------------------------------ 1: the right that a change needs

    def _guard_needs(self) -> Iterator[DomainError]:
        told: set[tuple[Right | None, ContractId | None]] = set()
        for change in self.judgement.changes:
            for right, contract in self._lacking(change):
                if (right, contract) not in told:
                    told.add((right, contract))
                    yield NotPermitted(f"this needs {self._word(right, contract)}", path=self._path(change))

    def each_need(self) -> Iterator[DomainError]:
        """The rights of the gateway that the caller lacks, for each single change again."""
        if not self.authority.owns_account:
            for change in self.judgement.changes:
                for right, contract in self._lacking(change):
                    yield NotPermitted(f"this needs {self._word(right, contract)}", path=self._path(change))

    def _lacking(self, change: Change) -> list[tuple[Right | None, ContractId | None]]:
        return [
            (right, contract)
            for right, contract in self._needs(change)
            if right is None or not self.authority.holds(right, contract)
        ]

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
                owned = (old is not None and old.is_owner, new is not None and new.is_owner)
                if owned[0] != owned[1] or (old is not None and old.kind is not record.kind):
                    yield None, None
                if record.kind is UserKind.PERSON:
                    yield Right.MANAGE_USERS, None
                elif old is None or old.ceiling != record.ceiling:
                    yield Right.MANAGE_SERVICE_ACCOUNTS, None
                elif not self.authority.holds(Right.MANAGE_SERVICE_ACCOUNTS):
                    yield Right.MANAGE_USERS, None

    def _contract_needs(self, record: Contract, old: object) -> Iterator[tuple[Right | None, ContractId | None]]:
        if not isinstance(old, Contract):
            yield Right.REGISTER_CONTRACTS, None
            return
        if old.owner not in {record.owner, self.authority.caller}:
            yield None, record.id
        if replace(old, owner=record.owner) != record:
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
            wider = self._find_wider(holder, self._scopes(holder, contracts))
            if wider is not None:
                message = f"the holder has more of `{wider}` than you: ask somebody who has as much"
                yield NotPermitted(message, path=self._path_to(holder))
        for change in self.judgement.changes:
            old, new = change.before, change.after
            if not isinstance(old, User) or not isinstance(new, User) or old.id == self.authority.caller:
                continue
            if (old.user_name, old.external_id) == (new.user_name, new.external_id):
                continue
            wider = self.find_wider_account(old.id)
            if wider is not None:
                message = f"the user has more of `{wider}` than you: whoever comes by their name would have it"
                yield SelfElevation(message, path=self._path(change))

    def _touched_scopes(self) -> dict[HolderId, dict[ContractId | None, None]]:
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

    def _path_to(self, holder: HolderId) -> tuple[str, ...]:
        """Where the request first asks for something of a holder."""
        for change in self.judgement.changes:
            if holder in {change.record.id, getattr(change.record, "holder", None)} and self._path(change):
                return self._path(change)
        return ()

    def _scopes(
        self, holder: HolderId, touched: Iterable[ContractId | None] = (None,)
    ) -> tuple[ContractId | None, ...]:
        """The scopes in which a change looks different from how it looks in no contract.

        What is touched in contracts alone is touched nowhere else.
        """
        touched = tuple(touched)
        if None not in touched:
            return touched
        owned = [contract.id for contract in self.judgement.before.contracts.values() if contract.owner == holder]
        return tuple(dict.fromkeys((*self.judgement.scopes(holder), *owned, *self.authority.scopes)))

    def _find_wider(self, holder: HolderId, scopes: Iterable[ContractId | None]) -> str | None:
        """The label of a right of the gateway, or of one that changes, of which a holder has or will have more."""
        program = self.judgement.program
        gateway = [n for n, node in enumerate(program.catalog.permissions) if node.system == GATEWAY]
        for contract in scopes:
            mine = self.authority.having(contract)
            for at in self._moments(holder, contract):
                had, _ = self.judgement.values(False, holder, contract, at)
                has, _ = self.judgement.values(True, holder, contract, at)
                looked_at = {*gateway, *program.differing(had, has)}
                label = self._find_more(self._whole(False, holder, contract, at), mine, looked_at)
                if label is not None:
                    return label
        return None

    def find_wider_account(self, user: UserId) -> str | None:
        """The label of any right of which a user has or will have more than the caller, access levels among them."""
        judgement, authority = self.judgement, self.authority
        rows = (*judgement.before.rows_of(user), *judgement.before.rows_of(authority.caller))
        inside = [row.contract for row in rows if row.contract in judgement.before.contracts]
        for contract in dict.fromkeys((*self._scopes(user), *inside)):
            for at in self._moments(user, contract):
                # A token passes on what a service account must not pass on; and it opens what the facts open to others.
                most = authority.giving(contract, at) if authority.is_service else authority.having(contract, at)
                open_now = judgement.evaluation(False, contract, at).effective(Subject(user=user)).certain
                label = self._find_more(self._whole(False, user, contract, at), most) or self._find_more(
                    open_now, authority.held(contract, at)
                )
                if label is not None:
                    return label
        return None

    def _find_more(self, theirs: Holding, mine: Holding, numbers: Iterable[int] | None = None) -> str | None:
        """The label of a permission of which one holding has more; of `numbers` no access level is one."""
        program = self.judgement.program
        for number in range(len(program.types)) if numbers is None else sorted(numbers):
            node = program.catalog.permissions[number]
            if node.polarity is not Polarity.PERMISSION or (node.access_level and numbers is not None):
                continue
            if not node.value_type.at_least(program.value(mine, number), program.value(theirs, number)):
                return node.label
        return None

    def _whole(self, after: bool, holder: HolderId, contract: ContractId | None, at: datetime) -> Holding:
        """What a holder has, a person by owning too, active or not."""
        value, _ = self.judgement.values(after, holder, contract, at)
        evaluation = self.judgement.evaluation(after, contract, at)
        if holder not in evaluation.world.users:
            return value
        granted = evaluation.effective(Subject(user=UserId(holder))).granted
        return self.judgement.program.join(value, evaluation.apply_limits(holder, granted))

    # ------------------------------------------------------------------ 3: giving

    def _guard_giving(self) -> Iterator[DomainError]:
        told: set[tuple[str, int]] = set()
        for change in self.judgement.changes:
            holder = getattr(change.record, "holder", change.record.id)
            for number, error in self._excess_of_change(change):
                if (holder, number) not in told:
                    told.add((holder, number))
                    yield error
        touched = self._touched_scopes()
        for one in (*self.judgement.touched(), *self._wakened()):
            for contract in self._scopes(one, touched[one]):
                for at in self._moments(one, contract):
                    for number, error in self._excess(one, contract, at):
                        if (one, number) not in told:
                            told.add((one, number))
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
            had, has = NOTHING, self._whole(True, holder, contract, at)
        else:
            had, _ = self.judgement.values(False, holder, contract, at)
            has, _ = self.judgement.values(True, holder, contract, at)
        changed = program.differing(had, has)
        if changed:
            # What comes along with a gained right reaches those who include the holder, even if the holder is limited.
            gains = _gains(self.judgement, had, has, changed)
            yield from self._compare(holder, had, program.join(has, program.close(gains)), contract, at)
            yield from self._compare(holder, NOTHING, self._regained(holder, gains), contract, at)

    def _regained(self, holder: HolderId, gains: Holding) -> Holding:
        """What comes along with gained rights and is limited further on: there it is new, though the holder had it."""
        program = self.judgement.program
        found = NOTHING
        for number in self._limited_further_on(holder):
            along = program.close(program.without(gains, frozenset([number])))
            found = program.join(found, program.encode(number, program.value(along, number)))
        return found

    def _limited_further_on(self, holder: HolderId) -> frozenset[int]:
        """What is limited, whenever and wherever, on roles and teams that include a holder."""
        if holder not in self._known_limits:
            number_of = self.judgement.program.catalog.number_of
            self._known_limits[holder] = frozenset(
                number_of[limit.node]
                for world in (self.judgement.before, self.judgement.after)
                for one in world.reached_from([holder])
                if one != holder and one not in world.users
                for limit in world.rows_of(one).limits
                if limit.node in number_of
            )
        return self._known_limits[holder]

    def _excess_of_change(self, change: Change) -> Iterator[tuple[int, DomainError]]:
        """What a new row or parent gives by itself beyond what the caller can give, whatever limits hide today."""
        for contract, holder, given, moments in self._given(change):
            for at in moments:
                has = given(at, contract)
                yield from self._compare(holder, NOTHING, has, contract, at, path=self._path(change))

    def _given(self, change: Change) -> Iterator[tuple[ContractId | None, HolderId, GivenAt, Moments]]:
        judgement, new, old = self.judgement, change.after, change.before
        program = judgement.program
        if isinstance(new, Grant) and new != old:
            value = program.close(program.encode(program.catalog.number_of[new.node], new.value))
            for contract in self._scopes(new.holder, [new.contract]):
                yield contract, new.holder, lambda at, contract: value, self._window(new, contract)
            return
        included: list[HolderId] = []
        if isinstance(new, Assignment) and new != old:
            included, holder = [new.role], new.holder
        elif isinstance(new, Membership) and new != old:
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
            for contract in self._scopes(one, [None if row is None else row.contract]):

                def value_of(at: datetime, contract: ContractId | None, one: HolderId = one) -> Holding:
                    return judgement.evaluation(True, contract, at).value_of(one)

                moments = self._moments(one, contract)
                if row is not None:
                    moments = tuple(sorted({*self._window(row, contract), *(m for m in moments if _within(row, m))}))
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
            if permission.access_level:
                continue
            if permission.polarity is Polarity.SETTING:
                mine = program.value(self.authority.having(contract, at), number)
                raised = not permission.value_type.at_least(permission.value_type.join(before, mine), after)
                if raised and holder == self.authority.caller and _opens(program.catalog, permission):
                    message = f"rights stand on `{permission.label}`, so nobody gives it to themselves"
                    yield number, SelfElevation(message, path=path)
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
        if not self.authority.bound(number, contract, at):
            return None
        message = f"`{permission.label}` binds you, so you lift it from nobody"
        bound = program.value(self.authority.having(contract, at), number)
        return DelegationExceeded(message, node=permission.key, held=bound, asked=permission.value_type.bottom)

    def _window(self, row: Row, contract: ContractId | None) -> Moments:
        """When a row begins, and each later moment in its window when what the caller holds may change."""
        begin = max(self.authority.at, row.valid_from or self.authority.at)
        later = self._moments(self.authority.caller, contract)
        return tuple(sorted(moment for moment in {begin, *later} if _within(row, moment)))

    def _moments(self, holder: HolderId, contract: ContractId | None) -> Moments:
        """Now, and each later moment when something of the holder or of the caller begins or ends, before or after."""
        now = self.authority.at
        moments = {now}
        for world in (self.judgement.before, self.judgement.after):
            for one in {*self.authority.sources, holder, *world.included_in(holder)}:
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
            if isinstance(new, Access) and new.user == caller and not moves_with_contract(self.judgement, change):
                had = (find_level(self.judgement.before, new, at) for at in self._window(new, new.contract))
                if any(rank_level(new.level) > rank_level(present) for present in had):
                    yield SelfElevation(f"nobody raises their own level (`{new.product}`)", path=path)

    def _excess_anywhere(self, holder: HolderId) -> Iterator[DomainError]:
        for contract in self._scopes(holder):
            for at in self._moments(holder, contract):
                for _, error in self._excess(holder, contract, at):
                    yield error


def _within(row: Row, moment: datetime) -> bool:
    return (row.valid_from is None or moment >= row.valid_from) and (
        row.valid_until is None or moment < row.valid_until
    )


def _opens(catalog: Catalog, node: Permission) -> bool:
    """Whether a right stands on a node, so that more of it may wake a right."""
    return any(
        isinstance(atom, AtLeast) and atom.node == node.key
        for other in catalog.dependents.get(node.key, ())
        if isinstance(other, Permission)
        for rule in other.rules
        if rule.enforcement is Enforcement.ENFORCED
        for atom in iterate_atoms(rule.requirement)
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
        effective = evaluation.effective(Subject(user=person))
        if program.holds_any(effective.certain, grant_number):
            held = program.settle(effective.limited, program.met)
            found |= {number for number in range(len(program.types)) if program.holds_any(held, number)}
    return found
