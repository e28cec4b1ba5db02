"""What an explanation may suggest, derived from SEMANTICS section 5 and `docs/decisions`, and what a suggestion does.

The universe of a no: the values that the question leans on, granted to the person; existing roles and teams; access
levels up to ADMINISTRATOR; the person's limits lifted; facts; the link to a subscriber; of a target its rights, limits
and facts. The universe of a yes: the person's own rows. Sets out of it are tried one by one, by changing the world.
"""

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from app.domain.catalog import FactOwner, Operation, Permission
from app.domain.contracts import AccessLevel, level_of_value
from app.domain.fixes import (
    EndRow,
    GiveRight,
    GiveRole,
    JoinTeam,
    LiftLimit,
    LinkSubscriber,
    SetFact,
    SetLevel,
    Suggestion,
)
from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    Grant,
    Limit,
    Membership,
    Record,
    RowId,
    StoredFact,
    SubscriberLink,
    Team,
    TeamKind,
    UserId,
)
from app.domain.requirements import AtLeast, FactHolds, FactTest, Requirement, TargetAtLeast
from app.domain.values import Level, Reach, ScopeType, Value
from app.domain.world import World
from tests.oracle import enforced_rules, leaves_of
from tests.worlds import NOON, Case

# ---------------------------------------------------------------------- what a suggestion does


def apply_suggestions(case: Case, chosen: Collection[Suggestion]) -> World:
    """The world with all of these carried out at once. Of two levels, or two facts, the higher stands."""
    ended: set[RowId] = set()
    added: dict[object, Record] = {}
    # Sorted by what they say, so that the higher of two levels or amounts comes last and stands.
    for suggestion in sorted(chosen, key=_strength):
        what = {"id": RowId(f"new{len(added)}"), "created_at": NOON}
        match suggestion:
            case GiveRight(holder, node, value, contract):
                added[suggestion] = Grant(holder=holder, node=node, value=value, contract=contract, **what)  # type: ignore[arg-type]
            case GiveRole(user, role, contract):
                added[suggestion] = Assignment(holder=user, role=role, contract=contract, **what)  # type: ignore[arg-type]
            case JoinTeam(user, team, supervisor, contract):
                added[suggestion] = Membership(user=user, team=team, supervisor=supervisor, contract=contract, **what)  # type: ignore[arg-type]
            case SetLevel(user, contract, product, level):
                ended |= {
                    row.id
                    for row in case.records
                    if isinstance(row, Access) and (row.user, row.contract, row.product) == (user, contract, product)
                }
                added["level", product] = Access(user=user, product=product, level=level, contract=contract, **what)  # type: ignore[arg-type]
            case LiftLimit(limit):
                ended.add(limit.id)
            case SetFact(fact, contract, user):
                ended |= {
                    row.id
                    for row in case.records
                    if isinstance(row, StoredFact) and (row.name, row.user, row.contract) == (fact.fact, user, contract)
                }
                added["fact", fact.fact, user] = StoredFact(
                    name=fact.fact, text=passing_text(fact), user=user, contract=contract, **what  # type: ignore[arg-type]
                )
            case LinkSubscriber(user, contract, subscriber):
                ended |= {
                    row.id
                    for row in case.records
                    if isinstance(row, SubscriberLink) and (row.user, row.contract) == (user, contract)
                }
                added["link", user] = SubscriberLink(
                    user=user, subscriber=subscriber or "100", contract=contract, **what  # type: ignore[arg-type]
                )
            case EndRow(row):
                ended.add(row.id)
    kept = [record for record in case.records if record.id not in ended]
    return World.of([*kept, *added.values()])


def _strength(suggestion: Suggestion) -> tuple[int, bool]:
    match suggestion:
        case SetLevel():
            return (list(AccessLevel).index(suggestion.level), False)
        case SetFact():
            bound = suggestion.fact.bound
            return (0 if bound is None else int(bound), suggestion.fact.test is FactTest.ABOVE)
        case LinkSubscriber():
            return (0, suggestion.subscriber is not None)
    return (0, False)


def passing_text(fact: FactHolds) -> str:
    """The least that passes a test. The bounds of the random worlds lie apart, so it passes no higher one."""
    if fact.test is FactTest.TRUE:
        return "true"
    assert fact.bound is not None
    return str(fact.bound + 1 if fact.test is FactTest.ABOVE else fact.bound)


# ---------------------------------------------------------------------- the universe of a no


@dataclass
class _Leaning:
    """What one person would need, all the way down."""

    values: set[tuple[str, Value]] = field(default_factory=set)
    facts: set[FactHolds] = field(default_factory=set)


def offered_changes(case: Case, node: Permission | Operation, asked: Value | None) -> list[Suggestion]:
    """Every change that an explanation of a no may suggest, whether it helps or not."""
    of_subject, of_target = _Leaning(), _Leaning()

    def lean_on(whose: _Leaning, requirement: Requirement) -> None:
        for atom in leaves_of(requirement):
            if isinstance(atom, AtLeast):
                lean_on_value(whose, atom.node, atom.value)
            elif isinstance(atom, TargetAtLeast):
                lean_on_value(of_target, atom.node, atom.value)
            else:
                whose.facts.add(atom)

    def lean_on_value(whose: _Leaning, key: str, value: Value) -> None:
        permission = case.catalog.require_permission(key)
        for part in permission.value_type.parts(value):
            if (key, part) not in whose.values:
                whose.values.add((key, part))
                for rule in enforced_rules(permission, part):
                    lean_on(whose, rule.requirement)

    if isinstance(node, Operation):
        lean_on(of_subject, node.requirement)
    else:
        for value in asked_values(case, node, asked):
            lean_on_value(of_subject, node.key, value)
    return [*_of_subject(case, of_subject), *_of_target(case, of_target)]


def asked_values(case: Case, node: Permission, asked: Value | None) -> list[Value]:
    """The value asked, or the least there are; with a target also every scope name that might cover it."""
    values = [asked] if asked is not None else list(node.value_type.least_above_bottom())
    if case.subject.target is not None and isinstance(node.value_type, ScopeType) and node.value_type.reach:
        itself = case.subject.target == case.subject.user
        values += [
            node.value_type.down([name])
            for name in node.value_type.names
            if itself or node.value_type.reach.get(name, Reach.OWN) is not Reach.OWN
        ]
    return values


def _of_subject(case: Case, leaning: _Leaning) -> Iterable[Suggestion]:
    user, contract = case.subject.user, case.contract
    world = case.world
    for key, value in leaning.values:
        permission = case.catalog.require_permission(key)
        if not permission.access_level:
            yield GiveRight(user, key, value, contract)
        elif contract is not None:
            assert isinstance(value, Level)
            assert permission.product is not None
            level = level_of_value(value)
            if level is not None and level is not AccessLevel.OWNER:
                yield SetLevel(user, contract, permission.product, level)
    if contract is not None:
        for product in world.contracts[contract].products:
            yield SetLevel(user, contract, product, AccessLevel.WITHOUT_ACCESS)
    for role in world.roles:
        yield GiveRole(user, role, contract)
    for team in world.teams:
        yield JoinTeam(user, team, False, contract)
        yield JoinTeam(user, team, True, contract)
    yield from (LiftLimit(limit) for limit in limits_of(case, user))
    yield from _facts(case, leaning, user)


def _of_target(case: Case, leaning: _Leaning) -> Iterable[Suggestion]:
    target = case.subject.target
    if target is None:
        return
    for key, value in leaning.values:
        if not case.catalog.require_permission(key).access_level:
            yield GiveRight(target, key, value, case.contract)
    yield from (LiftLimit(limit) for limit in limits_of(case, target))
    yield from _facts(case, leaning, target)


def limits_of(case: Case, user: UserId) -> list[Limit]:
    return [record for record in case.records if isinstance(record, Limit) and record.holder == user]


def _facts(case: Case, leaning: _Leaning, user: UserId) -> Iterable[Suggestion]:
    for fact in leaning.facts:
        owner = case.catalog.facts[fact.fact].owner
        if owner is FactOwner.USER:
            yield SetFact(fact, case.contract, user)
        elif case.contract is not None and owner is FactOwner.CONTRACT:
            yield SetFact(fact, case.contract, None)
        elif case.contract is not None and owner is FactOwner.SUBSCRIBER_LINK:
            yield LinkSubscriber(user, case.contract, case.subject.target_subscriber)


# ---------------------------------------------------------------------- the universe of a yes


def ending_changes(case: Case) -> list[Suggestion]:
    """Every row of the person that could be ended: what gives something."""
    user = case.subject.user
    return [
        EndRow(record)
        for record in case.records
        if isinstance(record, Grant | Assignment | Membership | Access | SubscriberLink | StoredFact)
        and record.holder == user
    ]


# ---------------------------------------------------------------------- trying out


def is_allowed_after(case: Case, chosen: Collection[Suggestion], node: Permission | Operation, asked: Value | None) -> bool:
    """What the engine says of the same question once these changes are made."""
    evaluation = case.evaluate(apply_suggestions(case, chosen))
    return evaluation.decide(evaluation.effective(case.subject), node, asked).allowed


def minimal_sets(
    universe: Iterable[Suggestion], turns: "dict[frozenset[Suggestion], bool]", most: int
) -> set[frozenset[Suggestion]]:
    raise NotImplementedError
