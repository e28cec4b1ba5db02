"""Decisions in words: one sentence, the steps, the suggestions. Everything said is taken from the decision's data."""

from dataclasses import dataclass

from app.domain.catalog import Catalog, Operation
from app.domain.decisions import Decision, applicable_rules
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
from app.domain.holders import AnyRow, ContractStatus, Limit
from app.domain.requirements import AllOf, AnyOf, Requirement, evaluate
from app.domain.rights import Evaluation, Stage, State
from app.domain.values import Switch


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision: `outcome` is passed, decided or skipped."""

    rule: str
    outcome: str
    detail: str


_RULES = {
    Stage.ACTIVE_USER: "1. the user is active",
    Stage.GRANTS: "2. what is granted",
    Stage.OWNERSHIP: "3. ownership",
    Stage.CONTRACT: "4. the contract",
    Stage.LIMITS: "5. limits on the user",
    Stage.REQUIREMENTS: "6. requirements",
}


def summarise(catalog: Catalog, decision: Decision) -> str:
    """One sentence for a person."""
    if decision.errors:
        return "No: the question is wrong: " + "; ".join(str(error) for error in decision.errors) + "."
    what = _name_asked(decision)
    if decision.allowed:
        duties = "".join(f", with the obligation {o.kind}" for o in decision.obligations)
        owner = decision.effective is not None and decision.effective.owner
        return f"Yes: {what} is {'held by ownership' if owner else 'held'}{duties}."
    missing = ", ".join(f"`{catalog.render(requirement)}`" for requirement in decision.missing)
    match decision.state:
        case State.NOT_GRANTED:
            rest = f"; missing: {missing}" if missing and isinstance(decision.node, Operation) else ""
            return f"No: nothing grants {what}{rest}."
        case State.SUSPENDED:
            return f"No: {what} is granted and suspended; missing: {missing}."
        case State.CONDITIONAL:
            return f"No: {what} hangs on what is not known: {', '.join(decision.missing_facts)}."
    return f"No: {what} is held back: {_why_limited(decision)}."


def _name_asked(decision: Decision) -> str:
    assert decision.node is not None
    if decision.asked is None or isinstance(decision.node, Operation) or isinstance(decision.asked, Switch):
        return f"`{decision.node.label}`"
    return f"`{decision.node.label}: {decision.node.value_type.print(decision.asked)}`"


def _why_limited(decision: Decision) -> str:
    evaluation, effective = decision.evaluation, decision.effective
    assert evaluation is not None and effective is not None and decision.subject is not None
    if decision.stage is Stage.ACTIVE_USER:
        return "the user is not active"
    if decision.stage is Stage.LIMITS:
        return "a limit on the user"
    contract = evaluation.contract
    if effective.target_outside and contract is not None:
        return f"the target has no level in the contract `{contract.number}`"
    if contract is not None and contract.status is not ContractStatus.ACTIVE:
        return f"the contract `{contract.number}` is not in force"
    if contract is not None and not evaluation.is_inside(decision.subject.user):
        return f"the user has no level in the contract `{contract.number}`"
    return "the contract lacks the product"


def describe_steps(catalog: Catalog, decision: Decision) -> list[Step]:
    """The six steps in their order, what was found at each, and which one decided."""
    evaluation, effective = decision.evaluation, decision.effective
    if evaluation is None or effective is None or decision.node is None or decision.subject is None:
        return [Step("the question", "decided", "; ".join(str(error) for error in decision.errors))]
    details = {
        Stage.ACTIVE_USER: "active" if effective.active else "not active, or unknown: nothing is left",
        Stage.GRANTS: _describe_held(decision),
        Stage.OWNERSHIP: "every permission, no restriction" if effective.owner else "owns neither account nor contract",
        Stage.CONTRACT: _describe_contract(evaluation, decision),
        Stage.LIMITS: _describe_limits(catalog, evaluation, decision),
        Stage.REQUIREMENTS: _describe_requirements(catalog, decision),
    }
    # What is not there after step 3 was not granted in step 2: ownership only ever adds.
    decided = Stage.GRANTS if decision.stage is Stage.OWNERSHIP else decision.stage
    steps = []
    for stage, rule in _RULES.items():
        outcome = "decided" if stage is decided else "skipped" if decided is not None and stage > decided else "passed"
        steps.append(Step(rule, outcome, details[stage]))
    return steps


def _describe_held(decision: Decision) -> str:
    evaluation, effective, node = decision.evaluation, decision.effective, decision.node
    assert evaluation is not None and effective is not None and node is not None
    if isinstance(node, Operation):
        met = evaluation.program.holds(
            evaluation.program.operations[node.key], effective.held, evaluation.program.met
        )  # fmt: skip
        return "the rights it requires are granted" if met else "not every right it requires is granted"
    number = evaluation.program.catalog.number_of[node.key]
    return f"granted: {node.value_type.print(evaluation.program.value(effective.held, number))}"


def _describe_contract(evaluation: Evaluation, decision: Decision) -> str:
    contract = evaluation.contract
    if contract is None:
        return "no contract was asked about: rows of every contract count alone"
    if decision.stage is Stage.CONTRACT:
        return _why_limited(decision)
    return f"`{contract.number}` is in force and the user has part in it, or owns the account"


def _describe_limits(catalog: Catalog, evaluation: Evaluation, decision: Decision) -> str:
    assert decision.subject is not None
    limits = [
        f"`{catalog.require_permission(row.node).label}`: "
        f"at most {catalog.render_value(row.node, row.value)} (row {row.id})"
        for row in evaluation.world.rows_of(decision.subject.user).limits
        if row.counts(evaluation.contract_id, evaluation.at) and row.node in catalog.number_of
    ]
    return "; ".join(limits) or "none"


def _describe_requirements(catalog: Catalog, decision: Decision) -> str:
    node = decision.node
    assert node is not None
    if isinstance(node, Operation):
        return _trace(catalog, decision, node.requirement)
    least = decision.asked if decision.asked is not None else node.value_type.least_above_bottom()[0]
    traces = [_trace(catalog, decision, rule.requirement) for rule in applicable_rules(node, least)]
    return "; ".join(traces) or "none"


def _trace(catalog: Catalog, decision: Decision, requirement: Requirement) -> str:
    """A requirement with the truth of each part behind it."""
    evaluation, effective = decision.evaluation, decision.effective
    assert evaluation is not None and effective is not None
    truth = evaluate(requirement, lambda atom: evaluation.truth_of(effective, atom))
    word = {True: "holds", False: "fails", None: "is unknown"}[truth]
    if isinstance(requirement, AllOf | AnyOf):
        joint = " and " if isinstance(requirement, AllOf) else " or "
        parts = joint.join(_trace(catalog, decision, part) for part in requirement.parts)
        return f"({parts}) {word}" if len(requirement.parts) > 1 else parts
    return f"`{catalog.render(requirement)}` {word}"


def word_suggestion(catalog: Catalog, evaluation: Evaluation | None, suggestion: Suggestion) -> str:
    """A suggestion in words."""
    world = None if evaluation is None else evaluation.world
    number = "" if evaluation is None or evaluation.contract is None else f" in contract `{evaluation.contract.number}`"
    match suggestion:
        case GiveRight():
            value = catalog.render_value(suggestion.node, suggestion.value)
            return f"grant `{catalog.require_permission(suggestion.node).label}: {value}`{number}"
        case GiveRole():
            key = suggestion.role if world is None else world.roles[suggestion.role].key
            return f"assign the role `{key}`{number}"
        case JoinTeam():
            key = suggestion.team if world is None else world.teams[suggestion.team].key
            return (
                f"make the user {'a supervisor' if suggestion.supervisor else 'a member'} of the team `{key}`{number}"
            )
        case SetLevel():
            return f"set the access level {suggestion.level} in `{suggestion.product}`{number}"
        case LiftLimit():
            return f"lift the limit {suggestion.limit.id}"
        case SetFact():
            whose = "of the contract" if suggestion.user is None else "of the user"
            return f"store the fact {whose}: {catalog.render(suggestion.fact)}"
        case LinkSubscriber():
            who = "a subscriber" if suggestion.subscriber is None else f"the subscriber `{suggestion.subscriber}`"
            return f"link the user to {who}{number}"
        case EndRow():
            return f"end the {_name_row(suggestion.row)} {suggestion.row.id}"


def _name_row(row: AnyRow) -> str:
    return "limit" if isinstance(row, Limit) else type(row).__name__.lower()
