"""Which smallest sets of changes turn a no into a yes, or a yes into a no (SEMANTICS sections 5 and 6).

A decision is monotone in what a person has, so the sets in question are the prime implicants of a monotone formula over
possible changes. They are computed as such: an either-or unites families of sets, an all-of joins them pairwise, and a
set that holds a smaller one is absorbed. Nothing is tried out and nothing is missed, short of `MAX_SETS`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.domain.catalog import Permission
from app.domain.compiled import Holding, Program
from app.domain.contracts import AccessLevel
from app.domain.holders import AnyRow, ContractId, HolderId, Limit, RoleId, TeamId, UserId
from app.domain.requirements import (
    AllOf,
    AnyOf,
    AtLeast,
    Atom,
    Enforcement,
    FactHolds,
    Requirement,
    TargetAtLeast,
)
from app.domain.values import Members, MembersType, Scope, Value

MAX_SETS = 400  # sets kept of one family: absorbing is quadratic, and nobody reads a longer list


@dataclass(frozen=True, slots=True)
class GiveRight:
    """Grant a value of a permission to a holder."""

    holder: HolderId
    node: str
    value: Value
    contract: ContractId | None


@dataclass(frozen=True, slots=True)
class GiveRole:
    """Assign a role to a user."""

    user: UserId
    role: RoleId
    contract: ContractId | None


@dataclass(frozen=True, slots=True)
class JoinTeam:
    """Make a user a member of a team, perhaps as its supervisor."""

    user: UserId
    team: TeamId
    supervisor: bool
    contract: ContractId | None


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Set the access level of a user in a product of a contract."""

    user: UserId
    contract: ContractId
    product: str
    level: AccessLevel


@dataclass(frozen=True, slots=True)
class LiftLimit:
    """End a limit."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class SetFact:
    """Store a fact that passes a test, of a contract, or of a user."""

    fact: FactHolds
    contract: ContractId | None
    user: UserId | None


@dataclass(frozen=True, slots=True)
class LinkSubscriber:
    """Link a user to a subscriber of a contract (None: to any)."""

    user: UserId
    contract: ContractId
    subscriber: str | None


@dataclass(frozen=True, slots=True)
class EndRow:
    """End a row."""

    row: AnyRow


Suggestion = GiveRight | GiveRole | JoinTeam | SetLevel | LiftLimit | SetFact | LinkSubscriber | EndRow
Fix = frozenset[Suggestion]
Family = tuple[Fix, ...]  # no set holds another; smallest first

FREE: Family = (frozenset(),)  # nothing need change
IMPOSSIBLE: Family = ()  # nothing would do


class Families:
    """The algebra of families; `complete` turns false once a family had to be cut.

    What is cut off does not hang on the order in which rows are found.
    """

    def __init__(self) -> None:
        self.complete = True
        self._words: dict[Suggestion, tuple[str, ...]] = {}

    def sort(self, family: Family) -> Family:
        """The same sets, smallest first, in an order that is the same every time."""
        return tuple(sorted(family, key=self._rank))

    def reduce(self, fix: Fix, is_enough: Callable[[Fix], bool]) -> Fix:
        """A part of a set that is enough and of which no part is."""
        for change in sorted(fix, key=self._spell):
            if is_enough(fix - {change}):
                fix -= {change}
        return fix

    def _rank(self, fix: Fix) -> tuple[int, list[tuple[str, ...]]]:
        return len(fix), sorted(map(self._spell, fix))

    def _spell(self, change: Suggestion) -> tuple[str, ...]:
        if change not in self._words:
            self._words[change] = _spell(change)
        return self._words[change]

    def absorb(self, sets: Iterable[Fix]) -> Family:
        kept: list[Fix] = []
        candidates = set(sets)
        for candidate in sorted(candidates, key=len if len(candidates) <= MAX_SETS else self._rank):
            if not any(smaller <= candidate for smaller in kept):
                kept.append(candidate)
                if len(kept) > MAX_SETS:
                    self.complete = False
                    return tuple(kept[:MAX_SETS])
        return tuple(kept)

    def any_of(self, families: Iterable[Family]) -> Family:
        return self.absorb(fix for family in families for fix in family)

    def all_of(self, families: Iterable[Family]) -> Family:
        joined = FREE
        for family in families:
            if family == FREE:
                continue
            joined = self.absorb(left | right for left in joined for right in family)
            if not joined:
                return IMPOSSIBLE
        return joined


class Trial(Families):
    """The same algebra over the two families `FREE` and `IMPOSSIBLE`: whether some changes, once made, are enough."""

    def __init__(self, made: Fix) -> None:
        super().__init__()
        self._made = made

    def absorb(self, sets: Iterable[Fix]) -> Family:
        return FREE if any(fix <= self._made for fix in sets) else IMPOSSIBLE


def _spell(change: Suggestion) -> tuple[str, ...]:
    """Words that name a change and nothing else."""
    match change:
        case GiveRight():
            value = change.value
            names = sorted(value.names) if isinstance(value, Scope | Members) and value.names else [repr(value)]
            what = [change.holder, change.node, *names]
        case SetFact(fact, contract, user):
            what = [user or contract or "", fact.fact, fact.test, str(fact.bound)]
        case SetLevel():
            what = [change.product, change.level]
        case LiftLimit(row) | EndRow(row):
            what = [row.id]
        case _:
            what = [repr(change)]
    return type(change).__name__, *what


@dataclass(frozen=True, kw_only=True)
class Means:
    """What may be changed to give one holder more, and what stands already.

    `held` is what the holder has before limits. `sources` are the changes that would give something, each with all it
    brings, implied rights included. `gate` is what must change before any of a permission counts (a contract); `atom`
    answers for facts and targets. Limits that are not `liftable` cannot be got round.
    """

    program: Program
    held: Holding
    limits: tuple[Limit, ...]
    liftable: bool
    sources: tuple[tuple[Suggestion, Holding], ...]
    gate: Callable[[Permission], Family]
    atom: Callable[[FactHolds | TargetAtLeast], Family]


class Raising:
    """Smallest sets of changes that make a holder have a right, effectively."""

    def __init__(self, means: Means, families: Families) -> None:
        self.means = means
        self.families = families
        self._known: dict[tuple[int, Value], Family] = {}

    def requirement(self, requirement: Requirement) -> Family:
        """Sets that make a requirement hold."""
        if isinstance(requirement, AllOf):
            return self.families.all_of(self.requirement(part) for part in requirement.parts)
        if isinstance(requirement, AnyOf):
            return self.families.any_of(self.requirement(part) for part in requirement.parts)
        if isinstance(requirement, AtLeast):
            return self.right(self.means.program.catalog.number_of[requirement.node], requirement.value)
        return self.means.atom(requirement)

    def right(self, number: int, value: Value) -> Family:
        """Sets that make the effective value of a permission at least `value`, which is above nothing."""
        if (number, value) not in self._known:
            self._known[number, value] = self._right(number, value)
        return self._known[number, value]

    def any_value(self, number: int) -> Family:
        """Sets that bring the effective value of a permission above nothing."""
        return self.families.any_of(self.right(number, value) for value in self.smallest_values(number))

    def smallest_values(self, number: int) -> tuple[Value, ...]:
        """Values such that whoever has anything above nothing, within the limits, has one of them."""
        value_type = self.means.program.types[number]
        found = dict.fromkeys(value_type.least_above_bottom())
        if isinstance(value_type, MembersType):
            key = self.means.program.catalog.permissions[number].key
            known = [self.means.program.value(self.means.held, number)]
            known += [self.means.program.value(brings, number) for _, brings in self.means.sources]
            known += [limit.value for limit in self.means.limits if limit.node == key]
            found |= dict.fromkeys(part for value in known for part in value_type.parts(value))
        return tuple(found)

    def _right(self, number: int, value: Value) -> Family:
        program = self.means.program
        permission = program.catalog.permissions[number]
        needs = [self._limits(permission, value), self.means.gate(permission)]
        needs += [self._part(number, part) for part in permission.value_type.parts(value)]
        needs += [
            self.requirement(rule.requirement)
            for rule in permission.rules
            if rule.enforcement is Enforcement.ENFORCED
            and (rule.applies_from is None or permission.value_type.at_least(value, rule.applies_from))
        ]
        return self.families.all_of(needs)

    def _limits(self, permission: Permission, value: Value) -> Family:
        bite = [
            limit
            for limit in self.means.limits
            if limit.node == permission.key and not permission.value_type.at_least(limit.value, value)
        ]
        if bite and not self.means.liftable:
            return IMPOSSIBLE
        return (frozenset(LiftLimit(limit) for limit in bite),)

    def _part(self, number: int, part: Value) -> Family:
        program = self.means.program
        value_type = program.types[number]
        if value_type.at_least(program.value(self.means.held, number), part):
            return FREE
        return self.families.absorb(
            frozenset([change])
            for change, brings in self.means.sources
            if value_type.at_least(program.value(brings, number), part)
        )


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What may be ended to leave one user less, and what goes on regardless.

    `sources` are the user's rows that count, each with all it brings; `fixed` is what stays when every one has gone
    (an owner's rights). `gate` is the set of rows whose end shuts the contract for every permission, if any does.
    """

    program: Program
    sources: tuple[tuple[AnyRow, Holding], ...]
    fixed: Holding
    gate: Family
    atom: Callable[[FactHolds | TargetAtLeast], Family]
    is_true: Callable[[Atom], bool]


class Lowering:
    """Smallest sets of rows whose end makes a user, who has a right effectively, lose it."""

    def __init__(self, rows: Rows, families: Families) -> None:
        self.rows = rows
        self.families = families
        self._known: dict[tuple[int, Value], Family] = {}

    def requirement(self, requirement: Requirement) -> Family:
        """Sets that make a requirement fail; the empty set where it fails already."""
        if isinstance(requirement, AllOf):
            return self.families.any_of(self.requirement(part) for part in requirement.parts)
        if isinstance(requirement, AnyOf):
            return self.families.all_of(self.requirement(part) for part in requirement.parts)
        if not self.rows.is_true(requirement):
            return FREE
        if isinstance(requirement, AtLeast):
            return self.right(self.rows.program.catalog.number_of[requirement.node], requirement.value)
        return self.rows.atom(requirement)

    def right(self, number: int, value: Value) -> Family:
        """Sets that bring the effective value of a permission below `value`, which it now reaches."""
        if (number, value) not in self._known:
            self._known[number, value] = self._right(number, value)
        return self._known[number, value]

    def _right(self, number: int, value: Value) -> Family:
        permission = self.rows.program.catalog.permissions[number]
        ways = [self._part(number, part) for part in permission.value_type.parts(value)]
        if permission.polarity == "permission":
            ways.append(self.rows.gate)
        ways += [
            self.requirement(rule.requirement)
            for rule in permission.rules
            if rule.enforcement is Enforcement.ENFORCED
            and (rule.applies_from is None or permission.value_type.at_least(value, rule.applies_from))
        ]
        return self.families.any_of(ways)

    def _part(self, number: int, part: Value) -> Family:
        program = self.rows.program
        value_type = program.types[number]
        if value_type.at_least(program.value(self.rows.fixed, number), part):
            return IMPOSSIBLE
        return (
            frozenset(
                EndRow(row)
                for row, brings in self.rows.sources
                if value_type.at_least(program.value(brings, number), part)
            ),
        )
