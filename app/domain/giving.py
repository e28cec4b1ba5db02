"""What a change gives, and whether its caller can give as much: rule 3 of the guards.

Most of a large change is of a kind that was looked at before, or plainly lies within what the caller can give. Both are
seen without going through every right.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from app.domain.authority import Authority
from app.domain.blame import Blame
from app.domain.catalog import Catalog, Permission, Polarity
from app.domain.compiled import NOTHING, Holding
from app.domain.errors import DelegationExceeded, DomainError, SelfElevation
from app.domain.holders import (
    Assignment,
    ContractId,
    Grant,
    HolderId,
    Membership,
    Role,
    Team,
    User,
    UserId,
    UserStatus,
)
from app.domain.places import Moments, Places
from app.domain.requirements import AtLeast, Enforcement, iterate_atoms
from app.domain.values import Value
from app.domain.violations import Judgement
from app.domain.world import Change

GivenAt = Callable[[datetime, ContractId | None], Holding]  # what a row gives by itself, then and there


class Giving:
    """What one change set gives whom, now and later, against what its caller can give there and then."""

    def __init__(self, judgement: Judgement, authority: Authority, places: Places, blame: Blame) -> None:
        self.judgement = judgement
        self.authority = authority
        self.program = judgement.program
        self._places = places
        self._blame = blame
        self._of_kind: dict[object, list[tuple[int, DomainError]]] = {}
        self._known_limits: dict[HolderId, frozenset[int]] = {}

    def find_excess(self) -> Iterator[DomainError]:
        """Whatever goes beyond what the caller can give, once for each holder and right."""
        told: set[tuple[str, int]] = set()
        for change in self.judgement.changes:
            holder = getattr(change.record, "holder", change.record.id)
            for number, error in self._excess_of_change(change):
                if (holder, number) not in told:
                    told.add((holder, number))
                    yield self._with_path(error, holder, number, change)
        for one in dict.fromkeys((*self.judgement.touched(), *self._wakened)):
            for contract in self._places.scopes(one, self._places.touched[one]):
                for at in self._places.moments(one, contract):
                    for number, error in self._excess(one, contract, at):
                        if (one, number) not in told:
                            told.add((one, number))
                            yield self._with_path(error, one, number)

    def find_excess_of(self, holder: HolderId) -> Iterator[DomainError]:
        """Whatever a holder gets by the change, wherever and whenever, that the caller could not give."""
        for contract in self._places.scopes(holder):
            for at in self._places.moments(holder, contract):
                for number, error in self._excess(holder, contract, at):
                    yield self._with_path(error, holder, number)

    def _with_path(self, error: DomainError, holder: str, number: int, change: Change | None = None) -> DomainError:
        path = () if change is None else self._blame.paths.get(change.record.id, ())
        return replace(error, path=path or self._blame.path_to(holder, self.program.catalog.permissions[number].key))

    @cached_property
    def _wakened(self) -> dict[UserId, None]:
        """People whom the change makes active: it gives them all that they hold."""
        return {
            change.after.id: None
            for change in self.judgement.changes
            if isinstance(change.before, User)
            and isinstance(change.after, User)
            and change.before.status is not UserStatus.ACTIVE
            and change.after.status is UserStatus.ACTIVE
        }

    # ------------------------------------------------------------------ what a holder gets

    def _excess(self, holder: HolderId, contract: ContractId | None, at: datetime) -> Iterator[tuple[int, DomainError]]:
        """What a holder gets by the change, and restrictions it is rid of, beyond what the caller can give."""
        program = self.program
        if holder in self._wakened:
            had, has = NOTHING, self.judgement.whole(True, holder, contract, at)
        else:
            had = self.judgement.value(False, holder, contract, at)
            has = self.judgement.value(True, holder, contract, at)
        if had == has or self._is_plain(holder, had, has, contract, at):
            return
        # What comes along with a gained right reaches those who include the holder, even if the holder is limited.
        gains = self._gains(had, has)
        yield from self._compare(holder, had, program.join(has, program.close(gains)), contract, at)
        yield from self._compare(holder, NOTHING, self._regained(holder, gains), contract, at)

    def _is_plain(
        self, holder: HolderId, had: Holding, has: Holding, contract: ContractId | None, at: datetime
    ) -> bool:
        """Whether what a holder gets plainly lies within what the caller can give, with all that may come along."""
        if holder == self.authority.caller or self._limited_further_on(holder):
            return False
        giving = self.authority.giving(contract, at)
        return not self._lifts(had, has) and self._lies_within(self.program.close(has), had, giving)

    def _gains(self, had: Holding, has: Holding) -> Holding:
        """What a holder has more of, and of it the whole value."""
        bits, beside = 0, {}
        for number in self.program.exceeding(has, had):
            bits |= has.bits & self.program.mask[number]
            if number in has.beside:
                beside[number] = has.beside[number]
        return Holding(bits, beside)

    def _regained(self, holder: HolderId, gains: Holding) -> Holding:
        """What comes along with gained rights and is limited further on: there it is new, though the holder had it."""
        program = self.program
        found = NOTHING
        for number in self._limited_further_on(holder):
            along = program.close(program.without(gains, frozenset([number])))
            found = program.join(found, program.encode(number, program.value(along, number)))
        return found

    def _limited_further_on(self, holder: HolderId) -> frozenset[int]:
        """What is limited, whenever and wherever, on roles and teams that include a holder."""
        if not any(side.is_shared(holder) for side in self.judgement.sides):
            return frozenset()  # nothing includes a person
        if holder not in self._known_limits:
            number_of = self.program.catalog.number_of
            self._known_limits[holder] = frozenset(
                number_of[limit.node]
                for world in (self.judgement.before, self.judgement.after)
                for one in world.reached_from([holder])
                if one != holder and one not in world.users
                for limit in world.rows_of(one).limits
                if limit.node in number_of
            )
        return self._known_limits[holder]

    # ------------------------------------------------------------------ what a row gives by itself

    def _excess_of_change(self, change: Change) -> list[tuple[int, DomainError]]:
        """What a new row or parent gives by itself beyond what the caller can give, whatever limits hide today."""
        kind = self._kind_of(change)
        if kind is not None and kind in self._of_kind:
            return self._of_kind[kind]
        found = [
            excess
            for contract, holder, given, moments in self._given(change)
            for at in moments
            for excess in self._compare(holder, NOTHING, given(at, contract), contract, at)
        ]
        if kind is not None:
            self._of_kind[kind] = found
        return found

    def _kind_of(self, change: Change) -> object:
        """Equal for rows that give the same to somebody else, there and then; None for what is always looked at."""
        new = change.after
        if not isinstance(new, Grant | Assignment | Membership) or new.holder == self.authority.caller:
            return None
        window = new.contract, new.valid_from, new.valid_until
        match new:
            case Grant():
                return new.node, new.value, self._places.scopes(new.holder, [new.contract]), window
            case Assignment():
                return Role, new.role, window
            case Membership():
                return Team, new.team, window

    def _given(self, change: Change) -> Iterator[tuple[ContractId | None, HolderId, GivenAt, Moments]]:
        judgement, places, new, old = self.judgement, self._places, change.after, change.before
        program = self.program
        if isinstance(new, Grant) and new != old:
            value = program.close(program.encode(program.catalog.number_of[new.node], new.value))
            for contract in places.scopes(new.holder, [new.contract]):
                yield contract, new.holder, lambda at, contract: value, places.window(new, contract)
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
            for contract in places.scopes(one, [None if row is None else row.contract]):

                def value_of(at: datetime, contract: ContractId | None, one: HolderId = one) -> Holding:
                    return judgement.evaluation(True, contract, at).value_of(one)

                moments = places.moments(one, contract)
                if row is not None:
                    within = (moment for moment in moments if row.is_valid_at(moment))
                    moments = tuple(sorted({*places.window(row, contract), *within}))
                yield contract, holder, value_of, moments

    # ------------------------------------------------------------------ comparing

    def _compare(
        self, holder: HolderId, had: Holding, has: Holding, contract: ContractId | None, at: datetime
    ) -> Iterator[tuple[int, DomainError]]:
        """What there is more of than there was and can be given, each with its refusal."""
        program, giving = self.program, self.authority.giving(contract, at)
        numbers: Iterable[int]
        if holder == self.authority.caller:
            numbers = program.differing(had, has)
        else:  # a setting of another is no matter: what exceeds or is lifted, is
            numbers = sorted({*program.exceeding(has, program.join(giving, had)), *program.exceeding(had, has)})
        for number in numbers:
            permission = program.catalog.permissions[number]
            before, after = program.value(had, number), program.value(has, number)
            if permission.access_level:
                continue
            error: DomainError | None = None
            if permission.polarity is Polarity.SETTING:
                if holder == self.authority.caller:
                    error = self._set(number, before, after, contract, at)
            elif permission.polarity is Polarity.RESTRICTION:
                if not permission.value_type.at_least(after, before):
                    error = self._lifted(holder, number, contract, at)
            else:
                error = self._given_beyond(holder, number, before, after, giving)
            if error is not None:
                yield number, error

    def _given_beyond(
        self, holder: HolderId, number: int, before: Value, after: Value, giving: Holding
    ) -> DomainError | None:
        """The refusal to give more of a permission than one can."""
        permission, held = self.program.catalog.permissions[number], self.program.value(giving, number)
        if permission.value_type.at_least(permission.value_type.join(before, held), after):
            return None
        printed, most = permission.value_type.print(after), permission.value_type.print(held)
        message = f"`{permission.label}: {printed}` is more than you can give ({most})"
        if holder == self.authority.caller:
            return SelfElevation(f"{message}, least of all to yourself")
        return DelegationExceeded(message, node=permission.key, held=held, asked=after)

    def _set(
        self, number: int, before: Value, after: Value, contract: ContractId | None, at: datetime
    ) -> DomainError | None:
        """The refusal to give oneself more of a setting on which rights stand, whatever of it is suspended."""
        permission, caller = self.program.catalog.permissions[number], self.authority.caller
        mine = self.program.value(self.judgement.value(False, caller, contract, at), number)
        is_more = not permission.value_type.at_least(permission.value_type.join(before, mine), after)
        if not is_more or not _opens(self.program.catalog, permission):
            return None
        return SelfElevation(f"rights stand on `{permission.label}`, so nobody gives it to themselves")

    def _lifted(self, holder: HolderId, number: int, contract: ContractId | None, at: datetime) -> DomainError | None:
        """The refusal to lift a restriction: from oneself, or by somebody whom it binds."""
        program = self.program
        permission = program.catalog.permissions[number]
        if holder == self.authority.caller:
            return SelfElevation(f"nobody lifts `{permission.label}` from themselves")
        if not self.authority.bound(number, contract, at):
            return None
        message = f"`{permission.label}` binds you, so you lift it from nobody"
        bound = program.value(self.authority.having(contract, at), number)
        return DelegationExceeded(message, node=permission.key, held=bound, asked=permission.value_type.bottom)

    def _lies_within(self, holding: Holding, had: Holding, giving: Holding) -> bool:
        """Whether no permission is above what there was and can be given, taken together."""
        if holding.bits & ~(had.bits | giving.bits) & self._permission_bits:
            return False
        for number, value in holding.beside.items():
            value_type = self.program.types[number]
            if self.program.beside_polarity[number] is Polarity.PERMISSION and not value_type.at_least(
                value_type.join(self.program.value(had, number), self.program.value(giving, number)), value
            ):
                return False
        return True

    def _lifts(self, had: Holding, has: Holding) -> bool:
        """Whether a restriction is not what it was."""
        return bool(had.bits & ~has.bits & self.program.restriction_bits) or any(
            self.program.beside_polarity[number] is Polarity.RESTRICTION and has.beside.get(number) != value
            for number, value in had.beside.items()
        )

    @cached_property
    def _permission_bits(self) -> int:
        """The bits of all permissions but access levels, which have rules of their own."""
        bits = self.program.permission_bits
        for node in self.program.catalog.access_nodes.values():
            bits &= ~self.program.mask[self.program.catalog.number_of[node.key]]
        return bits


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
