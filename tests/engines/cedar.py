"""SEMANTICS in the language of another engine: a world as Cedar policies and entities, judged by Cedar's Rust engine.

Written from SEMANTICS.md and docs/decisions/0001 alone, it shares no code with the engine in `app.domain` or with
`tests/oracle.py`: of the domain it reads records. What decides is Cedar: whether a row is valid and in scope, who owns,
what a contract lets through, what a limit cuts, whether a requirement holds, a target is covered; that forbidding wins.

    a way from a grant to a person, by roles, teams, implications    permit, unless a limit on the way cuts it
    ownership                                                        permit all permissions, forbid all restrictions
    contract, levels, products, own limits, requirements             forbid, from the step on at which it comes
    a value                                                          its parts (a rung, an amount, a name), asked singly
    permissions, restrictions; people, roles, teams, contracts       groups of actions; entities with attributes

What Cedar cannot say, and how it is worked around or left out:

- A policy cannot ask for another decision. What a right needs is asked for before the right, and each round is handed
  what Cedar answered in those before it (`context.held`); so are the rights of the target.
- A step up in Cedar's own hierarchy has no conditions, a row has: ways are counted out here, and judged there.
- Nothing is unknown to it: it is asked twice, with the unknown read as false and as true. It is asked after each step.
- Left out are circles of roles (refused on writing), advisory rules, obligations and explanations, the judging of
  changes (section 6), the past, and amounts larger than those of the random worlds.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from graphlib import TopologicalSorter
from itertools import groupby
from typing import Any

import cedarpy

from app.domain.catalog import Catalog, Fact, FactOwner, FactType, Permission
from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    Grant,
    Limit,
    Membership,
    StoredFact,
    SubscriberLink,
)
from app.domain.requirements import AllOf, AnyOf, AtLeast, FactHolds, Requirement, TargetAtLeast
from app.domain.values import (
    Level,
    LevelType,
    Members,
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

NAMES = ("a", "b", "c", "assigned")  # of members in the random worlds
EVERYTHING = "*"  # the part that only `all` of members has
UNLIMITED = 1_000_000  # stands for an amount without limit
HIGHEST = 6  # no amount of the random worlds is larger
BE = "be"  # the action of whoever is active
LEVELS = ("WITHOUT_ACCESS", "USER", "ADMINISTRATOR", "OWNER")


class Rule(StrEnum):
    """A rule of the translation that can be left out, to see that it is missed."""

    STATUS = "inactive people have nothing"
    WINDOWS = "rows count in their window"
    ROW_SCOPES = "rows count in their contract"
    ARCHIVED = "archived roles and teams give nothing"
    PARENTS = "roles include their parents, teams theirs"
    IMPLICATIONS = "rights are implied"
    LIMITS_ON_THE_WAY = "limits of roles and teams cut what passes through them"
    OWNERS_HAVE = "owners have every permission"
    OWNERS_ARE_FREE = "owners are free of restrictions"
    IN_FORCE = "a contract must be in force"
    INSIDE = "one must have a level in a product of the contract"
    PRODUCTS = "the contract must have the product"
    LIMITS = "limits on the person"
    REQUIREMENTS = "what a right needs"
    THRESHOLDS = "what a value of a right needs"
    FACTS = "stored facts go before those that are sent"
    TARGET_INSIDE = "a target must be of the contract"
    REACH = "a scope must cover the target"


class Step(StrEnum):
    """The steps of SEMANTICS section 5 that a question is asked after; the last for either reading of the unknown."""

    GRANTED = "granted"
    IN_CONTRACT = "in contract"
    LIMITED = "limited"
    CERTAIN = "certain"
    POSSIBLE = "possible"

    @property
    def number(self) -> int:
        return {Step.GRANTED: 3, Step.IN_CONTRACT: 4, Step.LIMITED: 5}.get(self, 6)


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whom a question is about: everything of it but the right."""

    user: str
    contract: str | None
    target: str | None = None
    subscriber: str | None = None
    facts: tuple[tuple[str, str], ...] = ()  # sent along, by name
    of_contract: frozenset[str] = frozenset()  # those of them that belong to the contract
    may_assert: bool = False

    def turn_round(self) -> "Question":
        """The same of the target: of the facts that were sent only those of the contract are of the target too."""
        assert self.target is not None
        shared = self.facts if self.target == self.user else tuple(f for f in self.facts if f[0] in self.of_contract)
        return replace(self, user=self.target, target=None, subscriber=None, facts=shared)


Wish = tuple[str, Value | None]  # a right, and how much of it; None: anything above nothing
Held = frozenset[str]  # parts of values, as `part_of` writes them


# ---------------------------------------------------------------------- Cedar's words


def quote(text: str) -> str:
    return json.dumps(text)


def all_of(parts: Iterable[str]) -> str:
    return " && ".join(parts) or "true"


def any_of(parts: Iterable[str]) -> str:
    joined = " || ".join(dict.fromkeys(parts))
    return f"({joined})" if joined else "false"


def moment(at: datetime) -> int:
    """Seconds: Cedar has moments too, but reading one out of every question takes it longer than deciding."""
    return int(at.timestamp())


def part_of(node: str, part: object) -> str:
    return f"{node}#{part}"


# ---------------------------------------------------------------------- values


def parts_of(kind: ValueType) -> tuple[Any, ...]:
    """What a value of this type may consist of. A value is at least another when it has all of that one's parts."""
    match kind:
        case SwitchType():
            return (1,)
        case LevelType():
            return tuple(range(1, len(kind.levels)))
        case ScopeType():
            return kind.names
        case QuantityType():
            amounts = tuple(range(kind.minimum, HIGHEST + 1 if kind.maximum is None else kind.maximum + 1))
            return amounts if kind.maximum is not None else (*amounts, UNLIMITED)
    return (*NAMES, EVERYTHING)


def parts_in(kind: ValueType, value: Value) -> tuple[Any, ...]:
    """The parts that a value has."""
    match kind, value:
        case SwitchType(), Switch():
            return (1,) if value.on else ()
        case LevelType(), Level():
            return tuple(range(1, value.rank + 1))
        case ScopeType(), Scope():
            return tuple(sorted(value.names))
        case QuantityType(), Quantity():
            if value.amount is None and not value.unlimited:
                return ()
            amount = UNLIMITED if value.unlimited else value.amount
            assert amount is not None
            return tuple(p for p in parts_of(kind) if (p >= amount if kind.descending else p <= amount))
    assert isinstance(value, Members)
    return (*NAMES, EVERYTHING) if value.all else tuple(sorted(value.names))


def within(kind: ValueType, value: Value) -> str:
    """Whether the part that is asked for is one of a value's."""
    match kind, value:
        case LevelType(), Level():
            return f"context.asked <= {value.rank}"
        case QuantityType(), Quantity() if value.amount is not None or value.unlimited:
            amount = UNLIMITED if value.unlimited else value.amount
            return f"context.asked {'>=' if kind.descending else '<='} {amount}"
    parts = parts_in(kind, value)
    if set(parts) == set(parts_of(kind)):
        return "true"
    return f"{json.dumps(parts)}.contains(context.asked)" if parts else "false"


def reaches_threshold(kind: ValueType, threshold: Value) -> str:
    """Whether somebody with the part that is asked for has at least the threshold."""
    match kind, threshold:
        case LevelType(), Level():
            return f"context.asked >= {threshold.rank}"
        case QuantityType(), Quantity():
            return f"context.asked {'<=' if kind.descending else '>='} {threshold.amount}"
        case ScopeType(), Scope():
            over = [name for name in kind.names if threshold.names <= {name, *kind.below.get(name, ())}]
            return f"{json.dumps(over)}.contains(context.asked)"
    return "true"


# ---------------------------------------------------------------------- ways from a grant to a person


@dataclass(frozen=True)
class Way:
    """One way in which a value comes to a holder: what must hold of the rows on it, and the limits that it passes."""

    node: str
    value: Value
    conditions: frozenset[str]
    limits: frozenset[Limit] = frozenset()


@dataclass(frozen=True)
class Policy:
    """One policy: of one action, of a group of them, or of all."""

    action: str | None
    effect: str
    when: str
    unless: str = "false"
    group: str | None = None
    principal: str | None = None

    def __str__(self) -> str:
        principal = "principal" if self.principal is None else f"principal == User::{quote(self.principal)}"
        action = "action"
        if self.action is not None:
            action = f"action == Action::{quote(self.action)}"
        elif self.group is not None:
            action = f"action in Action::{quote(self.group)}"
        unless = "" if self.unless == "false" else f" unless {{ {self.unless} }}"
        return f"{self.effect}({principal}, {action}, resource) when {{ {self.when} }}{unless};"


def check_of(node: str) -> str:
    """The action of the last round."""
    return f"check {node}"


class Translation:
    """One world at one moment. `without` leaves a rule out."""

    def __init__(self, catalog: Catalog, world: World, at: datetime, without: Rule | None = None) -> None:
        self.catalog = catalog
        self.world = world
        self.at = at
        self.without = without
        self.permissions = {permission.key: permission for permission in catalog.permissions}
        self.rows: tuple[AnyRow, ...] = tuple(row for rows in world.rows.values() for row in rows)
        self._ways: dict[str, frozenset[Way]] = {}
        self.policies = self._slice_policies()
        self.entities = cedarpy.Entities.from_json_str(json.dumps(list(self._write_entities())))

    def _slice_policies(self) -> dict[str, cedarpy.PolicySet]:
        """The policies that speak of an action, for each: Cedar would look at all of them, and find that out anew."""
        policies = list(self._write_policies())
        general = cedarpy.PolicySet.from_str("\n".join(str(policy) for policy in policies if policy.action is None))
        actions = [
            BE,
            *self.permissions,
            *(check_of(node.key) for node in (*self.permissions.values(), *self.catalog.operations)),
        ]
        return {
            action: general.with_added_str("\n".join(str(policy) for policy in policies if policy.action == action))
            for action in actions
        }

    def has(self, rule: Rule) -> bool:
        return rule is not self.without

    # ------------------------------------------------------------------ rows

    def valid(self, row: AnyRow) -> tuple[str, ...]:
        """What must hold for a row to count (section 4): its window, half open, and its contract."""
        conditions = []
        if row.contract is not None and self.has(Rule.ROW_SCOPES):
            conditions.append(f"resource == Contract::{quote(row.contract)}")
        if isinstance(row, StoredFact | SubscriberLink) or not self.has(Rule.WINDOWS):
            return tuple(conditions)
        if row.valid_from is not None:
            conditions.append(f"context.at >= {moment(row.valid_from)}")
        if row.valid_until is not None:
            conditions.append(f"context.at < {moment(row.valid_until)}")
        return tuple(conditions)

    def _inclusions(self, holder: str) -> Iterator[tuple[tuple[str, ...], str]]:
        """What a holder includes, each with the conditions of that."""
        if self.has(Rule.PARENTS):
            for role in self.world.roles.values():
                if role.id == holder:
                    yield from (((), parent) for parent in role.parents)
            for team in self.world.teams.values():
                if team.id == holder and team.parent is not None:
                    yield (), team.parent
        for row in self.rows:
            if isinstance(row, Assignment) and row.holder == holder:
                yield self.valid(row), row.role
            if isinstance(row, Membership) and row.user == holder:
                yield self.valid(row), row.team

    def _limits_of(self, holder: str, node: str) -> frozenset[Limit]:
        return frozenset(r for r in self.rows if isinstance(r, Limit) and r.holder == holder and r.node == node)

    def ways(self, holder: str) -> frozenset[Way]:
        """Every way to a holder, before the holder's own limits: cl( own grants join the value of all it includes )."""
        if holder not in self._ways:
            found = set(self._own_ways(holder))
            for conditions, inner in self._inclusions(holder):
                noun = "Role" if inner in self.world.roles else "Team"
                lives = {f"!{noun}::{quote(inner)}.archived"} if self.has(Rule.ARCHIVED) else set()
                for way in self.ways(inner):
                    limits = self._limits_of(inner, way.node) if self.has(Rule.LIMITS_ON_THE_WAY) else frozenset()
                    found.add(
                        replace(way, conditions=way.conditions | {*conditions, *lives}, limits=way.limits | limits)
                    )
            self._ways[holder] = frozenset(self._close(found))
        return self._ways[holder]

    def _own_ways(self, holder: str) -> Iterator[Way]:
        for row in self.rows:
            if isinstance(row, Grant) and row.holder == holder:
                yield Way(row.node, row.value, frozenset(self.valid(row)))
            if isinstance(row, Access) and row.user == holder:
                (node,) = (p.key for p in self.permissions.values() if p.access_level and p.product == row.product)
                yield Way(node, Level(1 + LEVELS.index(row.level)), frozenset(self.valid(row)))

    def _close(self, ways: set[Way]) -> set[Way]:
        """With what is implied by anything above nothing. An implied right is given like any other: uncut as yet."""
        closed, fresh = set(ways), ways
        while fresh and self.has(Rule.IMPLICATIONS):
            fresh = {
                Way(implied.node, implied.value, way.conditions | self._leaves_something(way))
                for way in fresh
                for implied in self.permissions[way.node].implies
            } - closed
            closed |= fresh
        return closed

    def _leaves_something(self, way: Way) -> frozenset[str]:
        """That the limits which a way has passed leave some part of its value."""
        if not way.limits:
            return frozenset()
        kind = self.permissions[way.node].value_type
        alternatives = [
            f"({all_of(self._spares(limit, part) for limit in sorted(way.limits, key=lambda limit: limit.id))})"
            for part in parts_in(kind, way.value)
        ]
        return frozenset({any_of(alternatives)})

    def _spares(self, limit: Limit, part: object) -> str:
        """That a limit leaves a part, or does not count."""
        if part in parts_in(self.permissions[limit.node].value_type, limit.value):
            return "true"
        return f"!({all_of(self.valid(limit))})"

    # ------------------------------------------------------------------ policies

    def _write_policies(self) -> Iterator[Policy]:
        for user in self.world.users:
            yield from (self._permit_way(user, way) for way in self.ways(user))
            yield from self._write_limits(user)
        yield from self._write_ownership()
        yield from self._write_contract()
        for permission in self.permissions.values():
            yield from self._write_requirements(permission)
            yield from self._write_reach(permission)
        yield from self._write_checks()
        yield Policy(BE, "permit", "true")
        if self.has(Rule.STATUS):
            yield Policy(None, "forbid", "context.step == 6", unless="principal has active && principal.active")

    def _permit_way(self, user: str, way: Way) -> Policy:
        kind = self.permissions[way.node].value_type
        cuts = (
            all_of((*self.valid(limit), f"!({within(kind, limit.value)})"))
            for limit in sorted(way.limits, key=lambda limit: limit.id)
        )
        when = all_of((*sorted(way.conditions), within(kind, way.value)))
        return Policy(way.node, "permit", when, principal=user, unless=any_of(f"({cut})" for cut in cuts))

    def _write_limits(self, user: str) -> Iterator[Policy]:
        for row in self.rows:
            if isinstance(row, Limit) and row.holder == user and self.has(Rule.LIMITS):
                beyond = f"!({within(self.permissions[row.node].value_type, row.value)})"
                yield Policy(
                    row.node, "forbid", all_of(("context.step >= 5", *self.valid(row), beyond)), principal=user
                )

    def _write_ownership(self) -> Iterator[Policy]:
        owns = "principal has owner && principal.owner || resource has owner && resource.owner == principal"
        if self.has(Rule.OWNERS_HAVE):
            yield Policy(None, "permit", owns, group="permissions")
        if self.has(Rule.OWNERS_ARE_FREE):
            yield Policy(None, "forbid", owns, group="restrictions")

    def _write_contract(self) -> Iterator[Policy]:
        when = "context.step >= 4 && resource is Contract"
        owner = "principal has owner && principal.owner"
        if self.has(Rule.IN_FORCE):
            yield Policy(None, "forbid", when, group="permissions", unless=f"{owner} || resource.in_force")
        if self.has(Rule.INSIDE):
            yield Policy(None, "forbid", when, group="permissions", unless=f"{owner} || {self._inside('principal')}")
        for node in (*self.permissions.values(), *self.catalog.operations):
            if node.product is not None and self.has(Rule.PRODUCTS):
                action = node.key if isinstance(node, Permission) else check_of(node.key)
                yield Policy(action, "forbid", f"{when} && !resource.products.contains({quote(node.product)})")

    def _inside(self, who: str) -> str:
        """That somebody has a level in a product which the contract has."""
        return any_of(
            f"({all_of(conditions)})"
            for row in self.rows
            if isinstance(row, Access)
            for conditions in [(
                f"{who} == User::{quote(row.user)}", *self.valid(row),
                f"resource.products.contains({quote(row.product)})",
            )]
        )  # fmt: skip

    def _write_requirements(self, permission: Permission) -> Iterator[Policy]:
        for rule in permission.rules:
            left_out = Rule.REQUIREMENTS if rule.applies_from is None else Rule.THRESHOLDS
            if rule.enforcement == "enforced" and self.has(left_out):
                threshold = "true"
                if rule.applies_from is not None:
                    threshold = reaches_threshold(permission.value_type, rule.applies_from)
                needs = self._write_requirement(rule.requirement)
                yield Policy(permission.key, "forbid", f"context.step == 6 && {threshold}", unless=needs)

    def _write_requirement(self, requirement: Requirement) -> str:
        match requirement:
            case AllOf():
                return f"({all_of(self._write_requirement(part) for part in requirement.parts)})"
            case AnyOf():
                return any_of(self._write_requirement(part) for part in requirement.parts)
            case AtLeast():
                return self._write_at_least("context.held", requirement)
            case TargetAtLeast():
                held = self._write_at_least("context.target_held", requirement)
                return f"(context.step < 6 || (if context has target then {held} else context.unknown))"
            case FactHolds():
                return f"(context.step < 6 || {self._write_fact(requirement)})"
        raise AssertionError(requirement)

    def _write_at_least(self, held: str, atom: AtLeast | TargetAtLeast) -> str:
        parts = parts_in(self.permissions[atom.node].value_type, atom.value)
        return f"{held}.containsAll({json.dumps([part_of(atom.node, part) for part in parts])})"

    def _write_fact(self, atom: FactHolds) -> str:
        """Whether a fact holds (section 3): the stored one, unless there is none or the caller may assert facts."""
        fact = self.catalog.facts[atom.fact]
        if fact.owner is FactOwner.SUBSCRIBER_LINK:
            return any_of(
                f"(principal == User::{quote(row.user)} && resource == Contract::{quote(str(row.contract))} && "
                f"(!(context has subscriber) || context.subscriber == {quote(row.subscriber)}))"
                for row in self.rows
                if isinstance(row, SubscriberLink)
            )
        sent = (f"context.sent has {fact.name}", f"context.sent.{fact.name}")
        asserted = (f"context.may_assert && {sent[0]}", sent[1])
        stored = list(self._places_of(fact))
        written = "context.unknown"
        for where, what in reversed([asserted, *stored, sent] if self.has(Rule.FACTS) else [sent, *stored]):
            compared = what if atom.bound is None else f"{what} {atom.test} {atom.bound}"
            written = f"(if {where} then {compared} else {written})"
        return written

    def _places_of(self, fact: Fact) -> Iterator[tuple[str, str]]:
        """Where a fact may be stored, the nearest first: whether it is there, and it."""
        if fact.owner is FactOwner.CONTRACT:
            yield f"resource has {fact.name}", f"resource.{fact.name}"
            return
        for contract in self.world.contracts:
            name = f"{fact.name}_in_{contract}"
            yield f"resource == Contract::{quote(contract)} && principal has {name}", f"principal.{name}"
        yield f"principal has {fact.name}", f"principal.{fact.name}"

    def _write_checks(self) -> Iterator[Policy]:
        """The last round: whether what is held is enough, and whether the target is one to ask about."""
        enough = "context.held.containsAll(context.wanted) && context.held.containsAny(context.any)"
        yield Policy(None, "permit", enough, group="checks")
        for operation in self.catalog.operations:
            yield Policy(check_of(operation.key), "permit", self._write_requirement(operation.requirement))
        if self.has(Rule.TARGET_INSIDE):
            asked = "context.step >= 4 && context has target && resource is Contract"
            yield Policy(None, "forbid", asked, group="questions", unless=self._inside("context.target"))

    def _write_reach(self, permission: Permission) -> Iterator[Policy]:
        kind = permission.value_type
        if isinstance(kind, ScopeType) and kind.reach and self.has(Rule.REACH):
            covers = ["context.target == principal"]
            for name, reach in kind.reach.items():
                held = f"context.held.contains({quote(part_of(permission.key, name))})"
                covers += [f"({held} && {shared})" for shared in self._relations(reach)]
            yield Policy(check_of(permission.key), "forbid", "context has target", unless=any_of(covers))

    def _relations(self, reach: Reach) -> Iterator[str]:
        """Each way in which principal and target stand so to one another."""
        if reach is Reach.ALL:
            yield "true"
        memberships = [row for row in self.rows if isinstance(row, Membership)]
        for mine in memberships:
            for theirs in memberships:
                if mine.team != theirs.team:
                    continue
                team = f"Team::{quote(mine.team)}"
                shared = all_of((
                    f"principal == User::{quote(mine.user)}", f"context.target == User::{quote(theirs.user)}",
                    f"!{team}.archived", *self.valid(mine), *self.valid(theirs),
                ))  # fmt: skip
                if reach is Reach.SUPERVISED and mine.supervisor:
                    yield shared
                if reach in {Reach.SAME_GROUP, Reach.SAME_QUEUE}:
                    yield f'{shared} && {team}.kind == "{"GROUP" if reach is Reach.SAME_GROUP else "QUEUE"}"'

    # ------------------------------------------------------------------ entities

    def _write_entities(self) -> Iterator[dict[str, Any]]:
        for user in self.world.users.values():
            facts = {
                row.name if row.contract is None else f"{row.name}_in_{row.contract}": self._read_fact(
                    row.name, row.text
                )
                for row in self.rows
                if isinstance(row, StoredFact) and row.user == user.id
            }
            yield _entity("User", user.id, active=user.status == "ACTIVE", owner=user.is_owner, **facts)
        for role in self.world.roles.values():
            yield _entity("Role", role.id, archived=role.archived)
        for team in self.world.teams.values():
            yield _entity("Team", team.id, archived=team.archived, kind=team.kind)
        for contract in self.world.contracts.values():
            facts = {
                row.name: self._read_fact(row.name, row.text)
                for row in self.rows
                if isinstance(row, StoredFact) and row.user is None and row.contract == contract.id
            }
            yield _entity(
                "Contract", contract.id, in_force=contract.status == "ACTIVE", products=sorted(contract.products),
                owner={"__entity": _reference("User", contract.owner)}, **facts,
            )  # fmt: skip
        for permission in self.permissions.values():
            yield _entity("Action", permission.key, (f"{permission.polarity}s",))
            yield _entity("Action", check_of(permission.key), ("checks", "questions"))
        for operation in self.catalog.operations:
            yield _entity("Action", check_of(operation.key), ("questions",))

    def _read_fact(self, name: str, text: str) -> bool | int:
        return text == "true" if self.catalog.facts[name].type is FactType.BOOLEAN else int(text)

    # ------------------------------------------------------------------ asking

    def _order(self) -> list[str]:
        """The permissions, what a right needs before the right."""
        needs = {
            permission.key: {
                atom.node
                for rule in permission.rules
                if rule.enforcement == "enforced"
                for atom in _atoms(rule.requirement)
                if isinstance(atom, AtLeast)
            }
            for permission in self.permissions.values()
        }
        return list(TopologicalSorter(needs).static_order())

    def hold(self, questions: Sequence[Question], step: Step) -> dict[Question, Held]:
        """What everybody holds after a step: for the last one in rounds, what a right needs before the right."""
        targets = self._hold_of_targets(questions, step)
        held: dict[Question, frozenset[str]] = dict.fromkeys(questions, frozenset())
        for node in self._order():
            parts = parts_of(self.permissions[node].value_type)
            requests = []
            for question in questions:
                context = self._context(question, step, held[question], targets.get(question))
                requests += [self._request(question, node, context | {"asked": part}) for part in parts]
            answers = iter(self._ask(node, requests))
            for question in questions:
                held[question] |= {part_of(node, part) for part in parts if next(answers)}
        return held

    def _hold_of_targets(self, questions: Sequence[Question], step: Step) -> dict[Question, Held]:
        """What the target of each holds; nothing is asked of it before the last step."""
        about = {question: question.turn_round() for question in questions if question.target and step.number == 6}
        held = self.hold(list(dict.fromkeys(about.values())), step) if about else {}
        return {question: held[target] for question, target in about.items()}

    def check(self, held: Mapping[Question, Held], step: Step, wishes: Sequence[Wish]) -> dict[Question, list[bool]]:
        """Of each question, by what is held after a step: whether rights are held that much, operations open."""
        targets = self._hold_of_targets(list(held), step)
        contexts = {question: self._context(question, step, held[question], targets.get(question)) for question in held}
        answers: dict[Question, list[bool]] = {question: [] for question in held}
        for node, group in groupby(wishes, key=lambda wish: wish[0]):
            action, wanted = check_of(node), [self._want(node, value) for _, value in group]
            requests = [self._request(q, action, contexts[q] | want) for q in held for want in wanted]
            allowed = iter(self._ask(action, requests))
            for question in held:
                answers[question] += [next(allowed) for _ in wanted]
        return answers

    def _want(self, node: str, value: Value | None) -> dict[str, list[str]]:
        """The parts that are asked for, and those of which some must be there; of an operation nothing is asked."""
        if node not in self.permissions:
            return {}
        kind = self.permissions[node].value_type
        wanted = () if value is None else parts_in(kind, value)
        return {
            "wanted": [part_of(node, part) for part in wanted],
            "any": [part_of(node, part) for part in parts_of(kind)],
        }

    def is_active(self, question: Question) -> bool:
        """Whether somebody may do anything at all."""
        (active,) = self._ask(BE, [self._request(question, BE, {"step": 6})])
        return active

    def _context(self, question: Question, step: Step, held: Held, target_held: Held | None) -> dict[str, Any]:
        context = {
            "step": step.number, "at": moment(self.at), "unknown": step is Step.POSSIBLE, "held": sorted(held),
            "sent": {name: self._read_fact(name, text) for name, text in question.facts},
            "may_assert": question.may_assert,
        }  # fmt: skip
        if question.target is not None:
            context |= {
                "target": {"__entity": _reference("User", question.target)},
                "target_held": sorted(target_held or ()),
            }
        if question.subscriber is not None:
            context["subscriber"] = question.subscriber
        return context

    def _request(self, question: Question, action: str, context: dict[str, Any]) -> dict[str, Any]:
        place = ("Nowhere", "nowhere") if question.contract is None else ("Contract", question.contract)
        return {
            "principal": _reference("User", question.user), "action": _reference("Action", action),
            "resource": _reference(*place), "context": context,
        }  # fmt: skip

    def _ask(self, action: str, requests: list[dict[str, Any]]) -> list[bool]:
        results = cedarpy.is_authorized_batch(requests, self.policies[action], self.entities)
        faults = [fault for result in results for fault in result.diagnostics.errors]
        assert not faults, faults[:3]
        return [result.allowed for result in results]


def _entity(type_: str, id_: str, parents: tuple[str, ...] = (), **attributes: Any) -> dict[str, Any]:
    return {"uid": _reference(type_, id_), "attrs": attributes, "parents": [_reference(type_, up) for up in parents]}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _atoms(requirement: Requirement) -> Iterator[Requirement]:
    if isinstance(requirement, AllOf | AnyOf):
        for part in requirement.parts:
            yield from _atoms(part)
    else:
        yield requirement
