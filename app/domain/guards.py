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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from app.domain.authority import Authority
from app.domain.blame import Blame
from app.domain.callers import GATEWAY, Right
from app.domain.catalog import Permission, Polarity
from app.domain.compiled import Holding
from app.domain.contracts import rank_level
from app.domain.errors import DomainError, ErrorCode, LastOwner, NotPermitted, SelfElevation, Warned
from app.domain.giving import Giving
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
from app.domain.level_guards import find_level, guard_levels, guard_owner_levels, moves_with_contract
from app.domain.places import Places
from app.domain.rights import Subject
from app.domain.violations import Judgement
from app.domain.world import Change, World


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
    many active owners the whole account has before the change: a world may be partial. `paths`: where the request asks
    for a record.
    """
    changes, paths = tuple(changes), paths or {}
    errors: list[DomainError] = list(guard_owner_levels(after, changes, paths))
    owned: dict[UserId, list[Contract]] = {}
    for contract in before.contracts.values():
        owned.setdefault(contract.owner, []).append(contract)
    left = active_owners
    path: tuple[str, ...] = ()
    for change in changes:
        old, new = change.before, change.after
        if not isinstance(old, User) or not isinstance(new, User):
            continue
        left += _owns_actively(new) - _owns_actively(old)
        if _owns_actively(old) and not _owns_actively(new):
            path = path or paths.get(old.id, ())
        if old.status is UserStatus.ACTIVE and new.status is not UserStatus.ACTIVE:
            errors += [
                LastOwner(
                    f"`{old.user_name}` owns the contract `{contract.number}`: transfer it first",
                    path=paths.get(old.id, ()),
                )
                for contract in owned.get(old.id, ())
                if contract.status is not ContractStatus.ENDED and after.contracts[contract.id].owner == old.id
            ]
    if left < 1 <= active_owners:
        message = "nobody active would own the account any more: make somebody else an owner first"
        errors.append(LastOwner(message, path=path))
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

    @cached_property
    def _places(self) -> Places:
        return Places(self.judgement, self.authority)

    @cached_property
    def _giving(self) -> Giving:
        return Giving(self.judgement, self.authority, self._places, self._blame)

    @property
    def _blame(self) -> Blame:
        return self.judgement.blame(self.paths)

    def errors(self) -> list[DomainError]:
        """Why the caller may not make this change; nothing for an account owner. A right that lacks hides all else."""
        if self.authority.owns_account:
            return []
        return self.needs() or [
            *self._guard_reach(),
            *self._giving.find_excess(),
            *self._guard_self(),
            *guard_levels(self.judgement, self.authority, self.paths),
        ]

    def needs(self) -> list[DomainError]:
        """The rights of the gateway that the caller lacks for this change, each once."""
        return list(self._known_needs)

    @cached_property
    def _known_needs(self) -> tuple[DomainError, ...]:
        return () if self.authority.owns_account else tuple(self._guard_needs())

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
        for holder, contracts in self._places.touched.items():
            if holder == self.authority.caller:
                continue
            wider = self._find_wider(holder, self._places.scopes(holder, contracts))
            if wider is not None:
                message = f"the holder has more of `{wider}` than you: ask somebody who has as much"
                yield NotPermitted(message, path=self._blame.path_to(holder))
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

    def _find_wider(self, holder: HolderId, scopes: Iterable[ContractId | None]) -> str | None:
        """The label of a right of the gateway, or of one that changes, of which a holder has or will have more."""
        judgement = self.judgement
        if not judgement.sides[False].knows(holder):
            return None  # new: it has nothing yet
        for contract in scopes:
            mine = self.authority.having(contract)
            for at in self._places.moments(holder, contract):
                wider = [node for node in self._find_more(judgement.whole(False, holder, contract, at), mine)
                         if not node.access_level]  # fmt: skip
                if not wider:
                    continue
                had, has = (judgement.value(after, holder, contract, at) for after in (False, True))
                changing = {judgement.program.catalog.permissions[n].key for n in judgement.program.differing(had, has)}
                for node in wider:
                    if node.system == GATEWAY or node.key in changing:
                        return node.label
        return None

    def find_wider_account(self, user: UserId) -> str | None:
        """The label of any right of which a user has or will have more than the caller, access levels among them."""
        judgement, authority = self.judgement, self.authority
        rows = (*judgement.before.rows_of(user), *judgement.before.rows_of(authority.caller))
        inside = [row.contract for row in rows if row.contract in judgement.before.contracts]
        for contract in dict.fromkeys((*self._places.scopes(user), *inside)):
            for at in self._places.moments(user, contract):
                # A token passes on what a service account must not pass on; and it opens what the facts open to others.
                most = authority.giving(contract, at) if authority.is_service else authority.having(contract, at)
                whole = judgement.whole(False, user, contract, at)
                wider = self._find_more(whole, most)
                if not wider and self._find_more(whole, authority.held(contract, at)):
                    open_now = judgement.evaluation(False, contract, at).effective(Subject(user=user)).certain
                    wider = self._find_more(open_now, authority.held(contract, at))
                if wider:
                    return wider[0].label
        return None

    def _find_more(self, theirs: Holding, mine: Holding) -> list[Permission]:
        """The permissions of which one holding has more."""
        permissions = self.judgement.program.catalog.permissions
        exceeding = (permissions[number] for number in self.judgement.program.exceeding(theirs, mine))
        return [node for node in exceeding if node.polarity is Polarity.PERMISSION]

    # ------------------------------------------------------------------ 4: oneself

    def _guard_self(self) -> Iterator[DomainError]:
        """Nobody raises themselves: by what they include, by joining, by a level, a link or a fact of their own."""
        caller = self.authority.caller
        if caller in self.judgement.reached() and caller not in self.judgement.touched():
            error = next(self._giving.find_excess_of(caller), None)
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
                had = (find_level(self.judgement.before, new, at) for at in self._places.window(new, new.contract))
                if any(rank_level(new.level) > rank_level(present) for present in had):
                    yield SelfElevation(f"nobody raises their own level (`{new.product}`)", path=path)


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
