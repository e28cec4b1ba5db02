"""The slow, obvious evaluator of SEMANTICS sections 4 to 6, which the property tests compare with every fast path.

It is written from the specification and from `docs/decisions`, not from the engine, and shares none of its code: it
reads the records (`Catalog`, `World`) and nothing else of the domain. Values are compared by the definitions below, the
largest allowed value is looked for among all values, requirements are settled by repeating until nothing changes.

`Values` holds only what is above nothing: a permission that is not in it has its bottom.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce

from app.domain.catalog import Catalog, FactOwner, FactType, Operation, Permission, Polarity
from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    Contract,
    ContractStatus,
    Grant,
    Limit,
    Membership,
    StoredFact,
    SubscriberLink,
    TeamKind,
    UserStatus,
)
from app.domain.requirements import AllOf, AnyOf, AtLeast, Atom, FactHolds, FactTest, Requirement, Rule, TargetAtLeast
from app.domain.values import (
    Level,
    LevelType,
    Members,
    MembersType,
    Quantity,
    QuantityType,
    Reach,
    Scope,
    ScopeType,
    Switch,
    SwitchType,
    Value,
    ValueType,
)
from app.domain.world import World

Values = dict[str, Value]
HIGHEST_LISTED = 12  # amounts of an unlimited quantity are looked through up to here; the random worlds stay far below

# ---------------------------------------------------------------------- values


def height(kind: QuantityType, value: Quantity) -> tuple[int, float]:
    """Where an amount stands: unset below everything, the others by amount, turned where the order descends."""
    if value.amount is None and not value.unlimited:
        return (0, 0)
    amount = float("inf") if value.unlimited else float(value.amount or 0)
    return (1, -amount if kind.descending else amount)


def is_at_least(kind: ValueType, value: Value, asked: Value) -> bool:
    """Whether `value` is `asked` or more."""
    match value, asked:
        case Switch(), Switch():
            return value.on or not asked.on
        case Level(), Level():
            return value.rank >= asked.rank
        case Scope(), Scope():
            return all(name in value.names for name in asked.names)
        case Quantity(), Quantity() if isinstance(kind, QuantityType):
            return height(kind, value) >= height(kind, asked)
        case Members(), Members():
            return value.all or (not asked.all and all(name in value.names for name in asked.names))
    raise TypeError(f"{value} and {asked} are not both of {kind}")


def join(kind: ValueType, left: Value, right: Value) -> Value:
    """What both together give."""
    match left, right:
        case Scope(), Scope():
            return Scope(left.names | right.names)
        case Members(), Members():
            return Members(all=True) if left.all or right.all else Members(left.names | right.names)
    return left if is_at_least(kind, left, right) else right


def meet(kind: ValueType, left: Value, right: Value) -> Value:
    """What both allow."""
    match left, right:
        case Scope(), Scope():
            return Scope(left.names & right.names)
        case Members(), Members() if not left.all and not right.all:
            return Members(left.names & right.names)
    return right if is_at_least(kind, left, right) else left


def subsets(names: frozenset[str]) -> Iterator[frozenset[str]]:
    """Every subset, the empty one first."""
    for size in range(len(names) + 1):
        for chosen in itertools.combinations(sorted(names), size):
            yield frozenset(chosen)


def values_up_to(kind: ValueType, value: Value) -> list[Value]:
    """Every value that is not above `value`; of the members below `all`, which are without number, only nothing."""
    found: list[Value] = []
    match kind, value:
        case SwitchType(), Switch():
            found = [Switch(False), Switch(True)]
        case LevelType(), Level():
            found = [Level(rank) for rank in range(len(kind.levels))]
        case ScopeType(), Scope():
            closed = (
                names for names in subsets(value.names) if all(kind.below.get(n, frozenset()) <= names for n in names)
            )
            found = [Scope(names) for names in closed]
        case QuantityType(), Quantity():
            highest = HIGHEST_LISTED if kind.maximum is None else kind.maximum
            found = [Quantity(), *(Quantity(amount) for amount in range(kind.minimum, highest + 1))]
            found += [Quantity(unlimited=True)] if kind.maximum is None else []
            assert value in found, f"{value} is beyond what the oracle lists"
        case MembersType(), Members():
            found = [value, Members()] if value.all else [Members(names) for names in subsets(value.names)]
    return [candidate for candidate in found if is_at_least(kind, value, candidate)]


def largest(kind: ValueType, candidates: list[Value]) -> Value:
    """The one that is at least every other. That there is one is a claim of section 3, so its absence is an error."""
    for candidate in candidates:
        if all(is_at_least(kind, candidate, other) for other in candidates):
            return candidate
    raise AssertionError(f"no largest among {candidates}")


# ---------------------------------------------------------------------- questions


def whose(row: AnyRow) -> str:
    """The holder that a row is of: of a fact of a contract that contract."""
    match row:
        case Grant() | Limit() | Assignment():
            return row.holder
        case Membership() | Access() | SubscriberLink():
            return row.user
        case StoredFact():
            return row.user or row.contract or ""
    raise TypeError(row)


@dataclass(frozen=True, kw_only=True)
class Who:
    """Whom a question is about, and with whom: the oracle's own record of it."""

    user: str
    target: str | None = None
    target_subscriber: str | None = None
    facts: Mapping[str, str]
    assert_facts: bool = False


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A person's values after the steps of section 5, each as if the person were active, and what decided."""

    active: bool
    granted: Values  # after step 3
    in_contract: Values  # after step 4
    limited: Values  # after step 5
    certain: Values  # after step 6, unknowns read as false
    possible: Values  # after step 6, unknowns read as true

    @property
    def effective(self) -> Values:
        return self.certain if self.active else {}


@dataclass(frozen=True)
class Answer:
    """`step` is the number of the step that decided a no (3 for never granted), None for a yes."""

    state: str
    step: int | None

    @property
    def allowed(self) -> bool:
        return self.state == "ACTIVE"


class Oracle:
    """One world at one moment, in one contract (None: in none)."""

    def __init__(self, catalog: Catalog, world: World, *, contract: str | None, at: datetime) -> None:
        self.catalog = catalog
        self.world = world
        self.contract_id = contract
        self.contract: Contract | None = None
        if contract is not None:
            self.contract = next(c for c in world.contracts.values() if c.id == contract)
        self.at = at
        self.permissions = {permission.key: permission for permission in catalog.permissions}
        self.bottoms = {permission.key: permission.value_type.bottom for permission in catalog.permissions}
        self.rows = [row for rows in world.rows.values() for row in rows if self.counts(row)]
        self.rows_on: dict[str, list[AnyRow]] = {}
        for row in self.rows:
            self.rows_on.setdefault(whose(row), []).append(row)
        self.users = {user.id: user for user in world.users.values()}
        self.roles = {role.id: role for role in world.roles.values()}
        self.teams = {team.id: team for team in world.teams.values()}
        self._held: dict[str, Values] = {}
        self._values: dict[str, Values] = {}

    def counts(self, row: AnyRow) -> bool:
        """Whether a row is in scope and valid. Facts and links have no window: they are stored or they are not."""
        if row.contract is not None and row.contract != self.contract_id:
            return False
        if isinstance(row, StoredFact | SubscriberLink):
            return True
        begun = row.valid_from is None or row.valid_from <= self.at
        over = row.valid_until is not None and row.valid_until <= self.at
        return begun and not over

    # ------------------------------------------------------------------ values of holders (section 4)

    def get(self, values: Values, key: str) -> Value:
        return values.get(key, self.bottoms[key])

    def add(self, values: Values, key: str, value: Value) -> None:
        joined = join(self.permissions[key].value_type, self.get(values, key), value)
        if joined != self.bottoms[key]:
            values[key] = joined

    def close(self, values: Values) -> Values:
        """With all that is implied by anything above nothing, over and over."""
        closed = dict(values)
        while True:
            before = dict(closed)
            for key in before:
                for implied in self.permissions[key].implies:
                    self.add(closed, implied.node, implied.value)
            if closed == before:
                return closed

    def limit(self, holder: str, values: Values) -> Values:
        """Under the limits that stand on this very holder."""
        limited = dict(values)
        for row in self.rows_on.get(holder, ()):
            if isinstance(row, Limit):
                kind = self.permissions[row.node].value_type
                limited[row.node] = meet(kind, self.get(limited, row.node), row.value)
        return {key: value for key, value in limited.items() if value != self.bottoms[key]}

    def included(self, holder: str) -> list[str]:
        """What a holder includes: of a role its parents, of a team its roles and parent, of a user roles and teams."""
        found: list[str] = []
        if holder in self.roles:
            found += self.roles[holder].parents
        if holder in self.teams and (parent := self.teams[holder].parent) is not None:
            found.append(parent)
        for row in self.rows_on.get(holder, ()):
            if isinstance(row, Assignment):
                found.append(row.role)
            if isinstance(row, Membership):
                found.append(row.team)
        return found

    def is_archived(self, holder: str) -> bool:
        role, team = self.roles.get(holder), self.teams.get(holder)
        return (role is not None and role.archived) or (team is not None and team.archived)

    def held(self, holder: str) -> Values:
        """cl( own grants join the value of everything included ), before the holder's own limits. Archived: nothing."""
        if self.is_archived(holder):
            return {}
        if holder not in self._held:
            values: Values = {}
            for row in self.rows_on.get(holder, ()):
                if isinstance(row, Grant):
                    self.add(values, row.node, row.value)
                if isinstance(row, Access):
                    node = next(p for p in self.permissions.values() if p.access_level and p.product == row.product)
                    names = ["", "WITHOUT_ACCESS", "USER", "ADMINISTRATOR", "OWNER"]
                    self.add(values, node.key, Level(names.index(row.level)))
            for inner in self.included(holder):
                for key, value in self.value(inner).items():
                    self.add(values, key, value)
            self._held[holder] = self.close(values)
        return self._held[holder]

    def value(self, holder: str) -> Values:
        """`value(h)`."""
        if holder not in self._values:
            self._values[holder] = self.limit(holder, self.held(holder))
        return self._values[holder]

    # ------------------------------------------------------------------ facts (section 3)

    def fact_values(self, who: Who) -> dict[str, Decimal | bool]:
        """What is known; a fact that is not in it is unknown."""
        known: dict[str, Decimal | bool] = {}
        for fact in self.catalog.facts.values():
            if fact.owner is FactOwner.SUBSCRIBER_LINK:
                links = [row for row in self.rows if isinstance(row, SubscriberLink) and row.user == who.user]
                known[fact.name] = any(
                    row.contract is not None
                    and row.contract == self.contract_id
                    and who.target_subscriber in {None, row.subscriber}
                    for row in links
                )
                continue
            text = self._fact_text(who, fact.name, of_user=fact.owner is FactOwner.USER)
            if text is not None:
                known[fact.name] = text == "true" if fact.type is FactType.BOOLEAN else Decimal(text)
        return known

    def _fact_text(self, who: Who, name: str, *, of_user: bool) -> str | None:
        if who.assert_facts and name in who.facts:
            return who.facts[name]
        rows = [row for row in self.rows if isinstance(row, StoredFact) and row.name == name]
        if of_user:
            of_this = [row for row in rows if row.user == who.user]
            rows = [row for row in of_this if row.contract is not None] or of_this
        else:
            rows = [row for row in rows if row.user is None and row.contract == self.contract_id]
        stored = next((row.text for row in rows), None)
        return who.facts.get(name) if stored is None else stored

    # ------------------------------------------------------------------ effective rights (section 5)

    def owns(self, user_id: str) -> bool:
        return self.is_account_owner(user_id) or (self.contract is not None and self.contract.owner == user_id)

    def is_account_owner(self, user_id: str) -> bool:
        return user_id in self.users and self.users[user_id].is_owner

    def is_active(self, user_id: str) -> bool:
        return user_id in self.users and self.users[user_id].status is UserStatus.ACTIVE

    def is_inside(self, user_id: str) -> bool:
        """Whether a person has a level in any product that the contract has."""
        return self.contract is None or any(
            isinstance(row, Access) and row.user == user_id and row.product in self.contract.products
            for row in self.rows
        )

    def steps(self, who: Who) -> Steps:
        granted = self._after_ownership(who.user, self.held(who.user))
        in_contract = self._after_contract(who.user, granted)
        limited = self.limit(who.user, in_contract)
        target = self._target_steps(who)
        facts = self.fact_values(who)
        return Steps(
            active=self.is_active(who.user),
            granted=granted,
            in_contract=in_contract,
            limited=limited,
            certain=self.settle(limited, self._truths(facts, who, target, unknown=False)),
            possible=self.settle(limited, self._truths(facts, who, target, unknown=True)),
        )

    def _after_ownership(self, user_id: str, values: Values) -> Values:
        if not self.owns(user_id):
            return values
        owned = {key: v for key, v in values.items() if self.permissions[key].polarity is Polarity.SETTING}
        for permission in self.permissions.values():
            if permission.polarity is Polarity.PERMISSION:
                owned[permission.key] = permission.value_type.top
        return owned

    def _after_contract(self, user_id: str, values: Values) -> Values:
        if self.contract is None:
            return values
        left = dict(values)
        in_force = self.contract.status is ContractStatus.ACTIVE
        if not self.is_account_owner(user_id) and not (in_force and self.is_inside(user_id)):
            left = {key: v for key, v in left.items() if self.permissions[key].polarity is not Polarity.PERMISSION}
        return {key: value for key, value in left.items() if not self._lacks_product(self.permissions[key])}

    def _lacks_product(self, node: Permission | Operation) -> bool:
        return node.product is not None and self.contract is not None and node.product not in self.contract.products

    def _target_steps(self, who: Who) -> Steps | None:
        """The other person's own steps; of the facts sent only those of the contract are theirs too."""
        if who.target is None:
            return None
        facts = {
            name: text
            for name, text in who.facts.items()
            if self.catalog.facts[name].owner is FactOwner.CONTRACT or who.target == who.user
        }
        return self.steps(Who(user=who.target, facts=facts, assert_facts=who.assert_facts))

    def _truths(
        self, facts: Mapping[str, Decimal | bool], who: Who, target: Steps | None, *, unknown: bool
    ) -> Callable[[FactHolds | TargetAtLeast], bool]:
        """Whether an atom that is not the subject's own right holds, `unknown` standing for what is not known."""

        def truth(atom: FactHolds | TargetAtLeast) -> bool:
            if isinstance(atom, TargetAtLeast):
                if target is None:
                    return unknown
                if not target.active:
                    return False
                values = target.possible if unknown else target.certain
                return is_at_least(self.permissions[atom.node].value_type, self.get(values, atom.node), atom.value)
            if atom.fact not in facts:
                return unknown
            value = facts[atom.fact]
            if atom.test is FactTest.TRUE:
                return value is True
            assert atom.bound is not None
            return value > atom.bound if atom.test is FactTest.ABOVE else value >= atom.bound

        return truth

    def holds(
        self, requirement: Requirement, values: Values, truth: Callable[[FactHolds | TargetAtLeast], bool]
    ) -> bool:
        match requirement:
            case AllOf():
                return all(self.holds(part, values, truth) for part in requirement.parts)
            case AnyOf():
                return any(self.holds(part, values, truth) for part in requirement.parts)
            case AtLeast():
                kind = self.permissions[requirement.node].value_type
                return is_at_least(kind, self.get(values, requirement.node), requirement.value)
            case FactHolds() | TargetAtLeast():
                return truth(requirement)
        raise AssertionError(requirement)

    def settle(self, start: Values, truth: Callable[[FactHolds | TargetAtLeast], bool]) -> Values:
        """The largest values not above `start` whose enforced requirements hold on one another."""
        values = dict(start)
        while True:
            before = dict(values)
            for key, value in start.items():
                permission = self.permissions[key]
                if not permission.rules:
                    continue  # nothing is asked of it, whatever its value
                kind = permission.value_type
                allowed = []
                for candidate in values_up_to(kind, value):
                    rules = enforced_rules(permission, candidate)
                    if all(self.holds(rule.requirement, before, truth) for rule in rules):
                        allowed.append(candidate)
                values[key] = largest(kind, allowed)
            values = {key: v for key, v in values.items() if v != self.bottoms[key]}
            if values == before:
                return values

    # ------------------------------------------------------------------ checks (section 5)

    def reaches(self, who: Who, reach: Reach) -> bool:
        """Whether the subject reaches the target so; whether the target is of the contract at all is step 4."""
        if who.target == who.user or reach is Reach.ALL:
            return True
        return reach in self._relations(who)

    def _relations(self, who: Who) -> set[Reach]:
        teams = {team.id: team for team in self.world.teams.values() if not team.archived}
        mine = [row for row in self.rows if isinstance(row, Membership) and row.user == who.user]
        theirs = [row for row in self.rows if isinstance(row, Membership) and row.user == who.target]
        found = set()
        for row in mine:
            if row.team in teams and any(other.team == row.team for other in theirs):
                if teams[row.team].kind is TeamKind.GROUP:
                    found.add(Reach.SAME_GROUP)
                if teams[row.team].kind is TeamKind.QUEUE:
                    found.add(Reach.SAME_QUEUE)
                if row.supervisor:
                    found.add(Reach.SUPERVISED)
        return found

    def covers(self, permission: Permission, value: Value, who: Who) -> bool:
        """Whether a value covers the target. The subject is within every scope above none."""
        kind = permission.value_type
        if who.target is None or not isinstance(kind, ScopeType) or not kind.reach:
            return True
        assert isinstance(value, Scope)
        if who.target == who.user:
            return bool(value.names)
        return any(name in kind.reach and self.reaches(who, kind.reach[name]) for name in value.names)

    def check(self, who: Who, key: str, asked: Value | None = None, steps: Steps | None = None) -> Answer:
        """The answer to one question. `asked` None: anything above nothing; always so for an operation."""
        steps = steps or self.steps(who)
        node = self.catalog.nodes[key]
        if not steps.active:
            return Answer("LIMITED", 1)
        if isinstance(node, Permission):
            self_contained: Permission = node

            def has(values: Values) -> bool:
                value = self.get(values, key)
                kind = self_contained.value_type
                enough = value != kind.bottom if asked is None else is_at_least(kind, value, asked)
                return enough and self.covers(self_contained, value, who)

            after = [has(values) for values in (steps.granted, steps.in_contract, steps.limited)]
            certain, possible = has(steps.certain), has(steps.possible)
        else:
            assert isinstance(node, Operation)
            asked_of = node.requirement
            after = [
                self.holds(asked_of, values, lambda atom: True)
                for values in (steps.granted, steps.in_contract, steps.limited)
            ]
            after[1] = after[1] and not self._lacks_product(node)
            target, facts = self._target_steps(who), self.fact_values(who)
            certain = self.holds(asked_of, steps.certain, self._truths(facts, who, target, unknown=False))
            possible = self.holds(asked_of, steps.possible, self._truths(facts, who, target, unknown=True))
        if key in self.catalog.target_users and who.target is not None and not self.is_inside(who.target):
            after[1] = False
        if not after[0]:
            return Answer("NOT_GRANTED", 3)
        if not after[1]:
            return Answer("LIMITED", 4)
        if not after[2]:
            return Answer("LIMITED", 5)
        if not certain:
            return Answer("CONDITIONAL" if possible else "SUSPENDED", 6)
        return Answer("ACTIVE", None)

    # ------------------------------------------------------------------ obligations (section 5)

    def obligations(self, who: Who, key: str) -> set[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Kind, fields and values of what goes with a yes, but for SCOPE. What is unknown never lifts one."""
        steps = self.steps(who)
        target, facts = self._target_steps(who), self.fact_values(who)
        due = set()
        for system in self.catalog.systems:
            for rule in system.obligations:
                truth = self._truths(facts, who, target, unknown=True)
                if rule.when is not None and not self.holds(rule.when, steps.possible, truth):
                    continue
                truth = self._truths(facts, who, target, unknown=False)
                if rule.unless is not None and self.holds(rule.unless, steps.certain, truth):
                    continue
                values: tuple[str, ...] = ()
                if rule.values_of is not None:
                    tags = self.get(steps.effective, rule.values_of)
                    assert isinstance(tags, Members)
                    if tags == Members():
                        continue  # nobody is filtered by tags they do not have
                    values = ("all",) if tags.all else tuple(sorted(tags.names))
                if any(self._lies_under(key, above) for above in rule.on):
                    due.add((str(rule.kind), rule.fields, values))
        return due

    def _lies_under(self, key: str, above: str) -> bool:
        """Whether a node is another one, or lies in that group or system."""
        node = self.catalog.nodes[key]
        return above in {key, node.system} or (node.parent is not None and self._lies_under(node.parent, above))

    # ------------------------------------------------------------------ lists

    def list_rights(self, who: Who) -> dict[str, tuple[Value, Value, Answer]]:
        """Of every permission the effective value, the granted one, and how the granted one stands."""
        steps = self.steps(who)
        found = {}
        for key, permission in self.permissions.items():
            granted = self.get(steps.granted, key)
            asked = None if granted == permission.value_type.bottom else granted
            found[key] = (self.get(steps.effective, key), granted, self.check(who, key, asked, steps))
        return found

    def list_holders(self, key: str, asked: Value | None, who: Who) -> set[str]:
        """Everybody of whom a check of the same question is a yes."""
        return {
            user.id
            for user in self.world.users.values()
            if self.check(
                Who(
                    user=user.id, target=who.target, target_subscriber=who.target_subscriber,
                    facts=who.facts, assert_facts=who.assert_facts,
                ), key, asked,
            ).allowed
        }  # fmt: skip


def enforced_rules(permission: Permission, value: Value) -> list[Rule]:
    """The enforced rules that somebody with this value must meet."""
    kind = permission.value_type
    return [
        rule
        for rule in permission.rules
        if rule.enforcement == "enforced"
        and value != kind.bottom
        and (rule.applies_from is None or is_at_least(kind, value, rule.applies_from))
    ]


# ---------------------------------------------------------------------- violations (section 6)


def violations(catalog: Catalog, world: World, *, at: datetime) -> set[tuple[str, str, str | None]]:
    """(holder, right, contract) whose enforced requirement fails on `value(holder)`, facts and targets counting as met.

    Contract None is the unscoped rows alone. Limits on a person and ownership are left out, access levels count as met.
    """
    found: set[tuple[str, str, str | None]] = set()
    for contract in (None, *world.contracts):
        oracle = Oracle(catalog, world, contract=contract, at=at)
        for holder in (*world.roles, *world.teams, *world.users):
            values = oracle.held(holder) if holder in world.users else oracle.value(holder)
            generous = dict(values)
            for permission in catalog.permissions:
                if permission.access_level:
                    generous[permission.key] = permission.value_type.top
            for key, value in values.items():
                for rule in enforced_rules(oracle.permissions[key], value):
                    if not oracle.holds(rule.requirement, generous, lambda atom: True):
                        found.add((holder, key, contract))
    return found


def join_all(kind: ValueType, values: list[Value]) -> Value:
    return reduce(lambda left, right: join(kind, left, right), values, kind.bottom)


def leaves_of(requirement: Requirement) -> list[Atom]:
    """Every atom of a requirement."""
    if isinstance(requirement, AllOf | AnyOf):
        return [atom for part in requirement.parts for atom in leaves_of(part)]
    return [requirement]
