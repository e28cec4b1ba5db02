"""What an explanation may suggest, derived from SEMANTICS section 5 and `docs/decisions`, and what a suggestion does.

The universe of a no: the values that the question leans on, granted to the person; existing roles and teams; access
levels up to ADMINISTRATOR; the person's limits lifted; facts; the link to a subscriber; of a target its rights, limits
and facts. The universe of a yes: the person's own rows. Sets out of it are tried one by one, by changing the world.
"""

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from app.domain.catalog import FactOwner, Operation, Permission
from app.domain.compiled import compile_catalog
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
    Assignment,
    Grant,
    Limit,
    Membership,
    Record,
    RowId,
    StoredFact,
    SubscriberLink,
    TeamId,
    UserId,
)
from app.domain.requirements import AtLeast, FactHolds, FactTest, Requirement, TargetAtLeast
from app.domain.rights import Evaluation
from app.domain.values import Level, MembersType, Reach, ScopeType, Value
from app.domain.world import Change, World
from tests.oracle import enforced_rules, join, leaves_of
from tests.worlds import NOON, Case

# ---------------------------------------------------------------------- what a suggestion does


def apply_suggestions(case: Case, chosen: Collection[Suggestion], world: World | None = None) -> World:
    """The world with all of these carried out at once. Of two levels, or two facts, the higher stands.

    `world` is that of the case, for whoever has it at hand.
    """
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
                    name=fact.fact,
                    text=passing_text(fact),
                    user=user,
                    contract=contract,
                    **what,  # type: ignore[arg-type]
                )
            case LinkSubscriber(user, contract, subscriber):
                ended |= {
                    row.id
                    for row in case.records
                    if isinstance(row, SubscriberLink) and (row.user, row.contract) == (user, contract)
                }
                added["link", user] = SubscriberLink(
                    user=user,
                    subscriber=subscriber or "100",
                    contract=contract,
                    **what,  # type: ignore[arg-type]
                )
            case EndRow(row):
                ended.add(row.id)
    changes = [Change(record, None) for record in case.records if record.id in ended]
    changes += [Change(None, record) for record in added.values()]
    return (world or World.of(case.records)).changed(changes)


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
    of_subject = _Leaning()
    of_target = of_subject if case.subject.target == case.subject.user else _Leaning()

    def lean_on(whose: _Leaning, requirement: Requirement) -> None:
        for atom in leaves_of(requirement):
            if isinstance(atom, AtLeast):
                lean_on_value(whose, atom.node, atom.value)
            elif isinstance(atom, TargetAtLeast):
                lean_on_value(of_target, atom.node, atom.value)
            else:
                whose.facts.add(atom)

    def lean_on_value(whose: _Leaning, key: str, value: Value) -> None:
        if (key, value) not in whose.values:
            whose.values.add((key, value))
            for rule in enforced_rules(case.catalog.require_permission(key), value):
                lean_on(whose, rule.requirement)

    if isinstance(node, Operation):
        lean_on(of_subject, node.requirement)
    else:
        for value in asked_values(case, node, asked):
            lean_on_value(of_subject, node.key, value)
    leads = (
        isinstance(node, Permission)
        and isinstance(node.value_type, ScopeType)
        and Reach.SUPERVISED in node.value_type.reach.values()
    )
    return [*_of_subject(case, of_subject, leads=leads), *_of_target(case, of_target)]


def asked_values(case: Case, node: Permission, asked: Value | None) -> list[Value]:
    """The value asked, or the least there are; with a target what was asked and one scope name that covers it."""
    kind = node.value_type
    target = case.subject.target
    if target is not None and isinstance(kind, ScopeType) and kind.reach:
        itself = target == case.subject.user
        covering = [kind.down([name]) for name in kind.names if itself or name in kind.reach]
        return [value if asked is None else join(kind, asked, value) for value in covering]
    if asked is not None:
        return [asked]
    least = list(kind.least_above_bottom())
    if isinstance(kind, MembersType):
        # Members without a list have no least names: those count that the person holds or that a limit lets pass.
        oracle = case.ask_oracle()
        held = oracle.get(oracle.steps(case.who).granted, node.key)
        limits = [limit.value for limit in limits_of(case, case.subject.user) if limit.node == node.key]
        least += [part for value in (held, *limits) for part in kind.parts(value)]
    return least


def teams_of_target(case: Case) -> set[TeamId]:
    """The teams that somebody could lead to supervise the target."""
    rows = case.ask_oracle().rows
    return {row.team for row in rows if isinstance(row, Membership) and row.user == case.subject.target}


def _of_subject(case: Case, leaning: _Leaning, *, leads: bool) -> Iterable[Suggestion]:
    """`leads`: whether being a supervisor matters to the question."""
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
    if leads:
        yield from (JoinTeam(user, team, True, contract) for team in teams_of_target(case))
    yield from (LiftLimit(limit) for limit in limits_of(case, user))
    yield from _facts(case, leaning, user)


def _of_target(case: Case, leaning: _Leaning) -> Iterable[Suggestion]:
    target = case.subject.target
    if target in {None, case.subject.user}:
        return  # nobody, or the subject, whose changes are offered already
    for key, value in leaning.values:
        if not case.catalog.require_permission(key).access_level:
            yield GiveRight(target, key, value, case.contract)
    yield from (LiftLimit(limit) for limit in limits_of(case, target))
    yield from _facts(case, leaning, target)


def limits_of(case: Case, user: UserId) -> list[Limit]:
    """The limits on a person that count now."""
    return [row for row in case.ask_oracle().rows if isinstance(row, Limit) and row.holder == user]


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
        if isinstance(record, Grant | Assignment | Membership | Access | SubscriberLink) and record.holder == user
    ]


# ---------------------------------------------------------------------- trying out


class Trials:
    """One question, asked again after every set of changes that somebody wants to try."""

    def __init__(self, case: Case, node: Permission | Operation, asked: Value | None) -> None:
        self.case, self.node, self.asked = case, node, asked
        self._program = compile_catalog(case.catalog)
        self._world = case.world
        self._answers: dict[frozenset[Suggestion], bool] = {}

    def is_allowed_after(self, chosen: frozenset[Suggestion]) -> bool:
        if chosen not in self._answers:
            world = apply_suggestions(self.case, chosen, self._world)
            evaluation = Evaluation(self._program, world, contract=self.case.contract, at=self.case.at)
            effective = evaluation.effective(self.case.subject)
            self._answers[chosen] = evaluation.decide(effective, self.node, self.asked).allowed
        return self._answers[chosen]

    def find_minimal_sets(self, universe: Collection[Suggestion], *, most: int) -> set[frozenset[Suggestion]]:
        """Every inclusion-minimal set of up to so many changes that turns the answer round, by trying them all."""
        now = self.is_allowed_after(frozenset())
        found: list[frozenset[Suggestion]] = []
        for size in range(1, most + 1):
            for chosen in map(frozenset, itertools.combinations(universe, size)):
                if not any(smaller <= chosen for smaller in found) and self.is_allowed_after(chosen) is not now:
                    found.append(chosen)
        return set(found)
