"""A check from question to decision: what was asked, what is the answer, what is missing, what goes with a yes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.catalog import (
    Catalog,
    FactOwner,
    Group,
    Node,
    ObligationKind,
    ObligationRule,
    Operation,
    Permission,
    has_reach,
    is_open_ended,
)
from app.domain.compiled import Holding
from app.domain.errors import DomainError, InvalidValue, NotFound
from app.domain.facts import find_subscriber, parse_fact
from app.domain.holders import ContractId, RoleId, TeamId, UserId
from app.domain.names import tell_unknown
from app.domain.requirements import (
    AllOf,
    AnyOf,
    AtLeast,
    Enforcement,
    FactHolds,
    Requirement,
    Rule,
    evaluate,
    find_missing,
)
from app.domain.rights import Effective, Evaluation, Stage, State, Subject, Verdict
from app.domain.values import Members, MembersType, Reach, Scope, ScopeType, Value, ValueInput

MAX_UNKNOWN = 5  # unknown keys of one list that are named: a message has room for no more
TARGET = "target"  # how an unknown target is named among the facts that an answer hangs on


@dataclass(frozen=True, slots=True)
class Obligation:
    """What the one who acts on a yes must do; `keep` is the number of characters a mask leaves."""

    kind: ObligationKind
    fields: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    keep: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to one check. With `errors` the question itself was wrong, and the answer is no."""

    state: State
    stage: Stage | None
    node: Permission | Operation | None
    asked: Value | None
    value: Value | None
    errors: tuple[DomainError, ...] = ()
    missing: tuple[Requirement, ...] = ()
    missing_facts: tuple[str, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    subject: Subject | None = None
    contract: ContractId | None = None
    evaluated_at: datetime
    evaluation: Evaluation | None = field(default=None, compare=False, repr=False)
    effective: Effective | None = field(default=None, compare=False, repr=False)

    @property
    def allowed(self) -> bool:
        return self.state is State.ACTIVE


def check(
    evaluation: Evaluation, effective: Effective, subject: Subject, node: Permission | Operation, asked: Value | None
) -> Decision:
    """The decision of a question in which `read_question` finds no fault."""
    verdict = evaluation.decide(effective, node, asked)
    yes = verdict.allowed
    return Decision(
        state=verdict.state,
        stage=verdict.stage,
        node=node,
        asked=asked,
        value=evaluation.value_for(effective, node),
        missing=() if yes else name_missing(evaluation, effective, node, asked, verdict),
        missing_facts=name_unknown(evaluation, effective, node, asked, verdict),
        obligations=tuple(find_obligations(evaluation, effective, subject, node, asked)) if yes else (),
        subject=subject,
        contract=evaluation.contract_id,
        evaluated_at=evaluation.at,
        evaluation=evaluation,
        effective=effective,
    )


def refuse_question(errors: tuple[DomainError, ...], *, node: Node | None, at: datetime) -> Decision:
    """The decision on a question that was wrong itself: no, and why."""
    known = node if isinstance(node, Permission | Operation) else None
    return Decision(
        state=State.NOT_GRANTED, stage=None, node=known, asked=None, value=None, errors=errors, evaluated_at=at
    )


# ---------------------------------------------------------------------- faults of a question


def read_question(
    catalog: Catalog,
    *,
    node: str,
    at_least: ValueInput | None,
    has_target: bool,
    has_target_subscriber: bool,
    facts: Mapping[str, str],
) -> tuple[Permission | Operation | None, Value | None, tuple[DomainError, ...]]:
    """The node and value asked, and every fault in the question's content. People and contracts are not looked up."""
    errors = list(find_fact_faults(catalog, facts))
    found = catalog.nodes.get(node)
    if found is None or isinstance(found, Group):
        what = f"`{node}` is a group: ask for what lies in it" if found else tell_unknown("node", node, catalog.nodes)
        return None, None, (NotFound(what, path=("node",)), *errors)
    assert isinstance(found, Permission | Operation)
    value = None
    if at_least is not None:
        try:
            value = _read_asked(found, at_least)
        except InvalidValue as error:
            errors.append(error.under("atLeast"))
    if has_target and found.key not in catalog.target_users:
        errors.append(InvalidValue(f"`{node}` has no use for a target", path=("target",), expected="no target"))
    if has_target_subscriber and found.key not in catalog.subscriber_users:
        message = f"`{node}` has no use for a target subscriber"
        errors.append(InvalidValue(message, path=("targetSubscriber",), expected="no target subscriber"))
    return found, value, tuple(errors)


def _read_asked(node: Permission | Operation, asked: ValueInput) -> Value | None:
    if isinstance(node, Operation):
        if (asked.field, asked.given) in [("on", True), ("full", True), ("text", "on")]:  # a list of names may be given
            return None
        raise InvalidValue("an operation is open or not", expected="`on: true`, or no value at all")
    value = asked.read(node.value_type)
    if value == node.value_type.bottom:
        raise InvalidValue("everybody has nothing: ask for something above it", expected=node.value_type.expected())
    return value


def find_key_faults(
    catalog: Catalog, *, system: str | None, nodes: Collection[str] = (), field: str = "nodes"
) -> Iterator[DomainError]:
    """What is wrong with a choice of a system, and of nodes named in a field: keys that the catalog does not have."""
    if system is not None and system not in catalog.systems_by_key:
        yield NotFound(tell_unknown("system", system, catalog.systems_by_key), path=("system",))
    unknown = sorted(key for key in {*nodes} if key not in catalog.nodes)
    for key in unknown[:MAX_UNKNOWN]:
        yield NotFound(tell_unknown("node", key, catalog.nodes), path=(field,))


def find_fact_faults(catalog: Catalog, facts: Mapping[str, str]) -> Iterator[DomainError]:
    """What is wrong with facts that were sent along."""
    for name, text in facts.items():
        fact = catalog.facts.get(name)
        if fact is None:
            expected = (
                "one of " + ", ".join(f"`{known}`" for known in sorted(catalog.facts)) if catalog.facts else "none"
            )
            yield InvalidValue(f"there is no fact `{name}`", path=("facts", name), expected=expected)
        elif fact.owner is FactOwner.SUBSCRIBER_LINK:
            message = f"`{name}` comes from the link to a subscriber alone"
            yield InvalidValue(message, path=("facts", name), expected="a link made with `linkSubscriber`")
        else:
            try:
                parse_fact(fact, text)
            except InvalidValue as error:
                yield error.under("facts", name)


# ---------------------------------------------------------------------- what is missing


def applicable_rules(node: Permission, value: Value | None) -> Iterator[Rule]:
    """The enforced rules that hold back a value (None: everything above nothing)."""
    for rule in node.rules:
        if rule.enforcement is not Enforcement.ENFORCED:
            continue
        if rule.applies_from is None or (value is not None and node.value_type.at_least(value, rule.applies_from)):
            yield rule


def list_answers(
    evaluation: Evaluation, effective: Effective, node: Permission, asked: Value | None
) -> tuple[Value, ...]:
    """The smallest values each of which would be enough: what is asked, or the least there are.

    With a target, each holds a name that covers it as things are, so there may be none. Of members without a list the
    least are those that are held.
    """
    if effective.reaches is not None and has_reach(node):
        value_type = node.value_type
        assert isinstance(value_type, ScopeType)
        covering = [
            value_type.down([name])
            for name in value_type.names
            if Reach.OWN in effective.reaches or value_type.reach.get(name) in effective.reaches
        ]
        found = dict.fromkeys(value if asked is None else value_type.join(asked, value) for value in covering)
        return tuple(v for v in found if not any(v != less and value_type.at_least(v, less) for less in found))
    if asked is not None:
        return (asked,)
    least = dict.fromkeys(node.value_type.least_above_bottom())
    if isinstance(node.value_type, MembersType):
        held = evaluation.program.value(effective.limited, evaluation.program.catalog.number_of[node.key])
        least |= dict.fromkeys([node.value_type.top, *node.value_type.parts(held)])
    return tuple(least)


def name_missing(
    evaluation: Evaluation, effective: Effective, node: Permission | Operation, asked: Value | None, verdict: Verdict
) -> tuple[Requirement, ...]:
    """What one would have to hold and does not: the right itself, and what it needs, all the way down.

    A right that is held and only suspended is not missing; what it lacks is. Nor is a right missing that is held and
    does not reach the target.
    """
    found: dict[Requirement, None] = {}
    program = evaluation.program

    def add(requirement: Requirement) -> None:
        for missing in find_missing(requirement, lambda atom: evaluation.truth_of(effective, atom)):
            if not isinstance(missing, AtLeast):
                found[missing] = None
                continue
            permission = program.catalog.require_permission(missing.node)
            if not _is_held(evaluation, effective.limited, permission, missing.value):
                found[missing] = None
            for rule in applicable_rules(permission, missing.value):
                add(rule.requirement)

    if isinstance(node, Operation):
        if effective.active:
            add(node.requirement)
        return tuple(found)
    if verdict.state is State.LIMITED:
        return ()
    answers = list_answers(evaluation, effective, node, asked)
    if verdict.state is State.NOT_GRANTED:
        lacking = tuple(AtLeast(node.key, value) for value in answers)
        if lacking:
            found[lacking[0] if len(lacking) == 1 else AnyOf(lacking)] = None
    else:
        # Of several answers the one that was lost last is the nearest.
        held = effective.possible if verdict.state is State.CONDITIONAL else effective.limited
        answers = tuple(value for value in answers if _is_held(evaluation, held, node, value))
    for value in answers[:1]:
        for rule in applicable_rules(node, value):
            add(rule.requirement)
    return tuple(found)


def _is_held(evaluation: Evaluation, holding: Holding, node: Permission, value: Value) -> bool:
    number = evaluation.program.catalog.number_of[node.key]
    return node.value_type.at_least(evaluation.program.value(holding, number), value)


def name_unknown(
    evaluation: Evaluation, effective: Effective, node: Permission | Operation, asked: Value | None, verdict: Verdict
) -> tuple[str, ...]:
    """The facts, or `target`, on which a conditional answer hangs."""
    if verdict.state is not State.CONDITIONAL:
        return ()
    found: dict[str, None] = {}
    seen: set[tuple[bool, str, Value]] = set()

    def add(whose: Effective, requirement: Requirement) -> None:
        if evaluate(requirement, lambda atom: evaluation.truth_of(whose, atom)) is not None:
            return
        if isinstance(requirement, AllOf | AnyOf):
            for part in requirement.parts:
                add(whose, part)
        elif isinstance(requirement, FactHolds):
            found[requirement.fact] = None
        elif isinstance(requirement, AtLeast):
            add_right(whose, requirement.node, requirement.value)
        elif whose.target is None:
            found[TARGET] = None
        else:
            add_right(whose.target, requirement.node, requirement.value)

    def add_right(whose: Effective, key: str, value: Value) -> None:
        if (whose is effective, key, value) in seen:
            return
        seen.add((whose is effective, key, value))
        for rule in applicable_rules(evaluation.program.catalog.require_permission(key), value):
            add(whose, rule.requirement)

    if isinstance(node, Operation):
        add(effective, node.requirement)
        return tuple(found)
    for value in list_answers(evaluation, effective, node, asked):
        if _is_held(evaluation, effective.possible, node, value):
            add_right(effective, node.key, value)
    return tuple(found)


# ---------------------------------------------------------------------- obligations


def find_obligations(
    evaluation: Evaluation, effective: Effective, subject: Subject, node: Permission | Operation, asked: Value | None
) -> Iterator[Obligation]:
    """What goes with a yes. Whatever is unknown never lifts an obligation."""
    catalog = evaluation.program.catalog
    for rule in catalog.obligations_of.get(node.key, ()):
        if _is_due(evaluation, effective, rule):
            values = _obligation_values(evaluation, effective, subject.user, rule)
            if values is not None:
                yield Obligation(rule.kind, rule.fields, values, rule.keep)
    if isinstance(node, Permission) and is_open_ended(node) and asked is None and not _is_covered(subject, node):
        yield Obligation(ObligationKind.SCOPE, (), name_values(node, evaluation.value_for(effective, node)))
    if node.key in catalog.subscriber_users and subject.target_subscriber is None:
        subscriber = find_subscriber(evaluation.world, contract=evaluation.contract_id, user=subject.user)
        if subscriber is not None:
            yield Obligation(ObligationKind.SCOPE, ("subscriber",), (subscriber,))


def _is_covered(subject: Subject, node: Permission) -> bool:
    """Whether the question named whom the right is to reach, so that a yes leaves nothing open."""
    return subject.target is not None and has_reach(node)


def _is_due(evaluation: Evaluation, effective: Effective, rule: ObligationRule) -> bool:
    def truth(requirement: Requirement) -> bool | None:
        return evaluate(requirement, lambda atom: evaluation.truth_of(effective, atom))

    if rule.when is not None and truth(rule.when) is False:
        return False
    return rule.unless is None or truth(rule.unless) is not True


def _obligation_values(
    evaluation: Evaluation, effective: Effective, user: UserId, rule: ObligationRule
) -> tuple[str, ...] | None:
    """The values of an obligation; None where the right that names them is not held, so that there is none."""
    if rule.roles_as_values:
        return tuple(sorted(evaluation.world.roles[role].key for role in roles_of(evaluation, user)))
    if rule.values_of is None:
        return ()
    node = evaluation.program.catalog.require_permission(rule.values_of)
    value = evaluation.value_for(effective, node)
    return None if value == node.value_type.bottom else name_values(node, value)


def name_values(node: Permission, value: Value) -> tuple[str, ...]:
    """The names in a scope (the maximal ones) or among members; `all` stands for every member."""
    if isinstance(value, Scope) and isinstance(node.value_type, ScopeType):
        return node.value_type.maximal(value)
    assert isinstance(value, Members)
    return ("all",) if value.all else tuple(sorted(value.names))


def roles_of(evaluation: Evaluation, user: UserId) -> frozenset[RoleId]:
    """Every role that a user includes, directly or through roles and teams, by rows that count."""
    world, found = evaluation.world, set[RoleId]()

    def add_role(role: RoleId) -> None:
        record = world.roles.get(role)
        if record is not None and not record.archived and role not in found:
            found.add(role)
            for parent in record.parents:
                add_role(parent)

    def add_assigned(holder: str) -> None:
        for row in world.rows_of(holder).assignments:
            if row.counts(evaluation.contract_id, evaluation.at):
                add_role(row.role)

    def add_team(team: TeamId | None, seen: frozenset[TeamId]) -> None:
        record = world.teams.get(team) if team is not None else None
        if record is not None and not record.archived and record.id not in seen:
            add_assigned(record.id)
            add_team(record.parent, seen | {record.id})

    add_assigned(user)
    for membership in world.rows_of(user).memberships:
        if membership.counts(evaluation.contract_id, evaluation.at):
            add_team(membership.team, frozenset())
    return frozenset(found)
