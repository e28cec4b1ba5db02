"""Asking: checks, lists of rights and operations, holders of a right. All are views of one evaluation."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.callers import OPERATIONS, Right
from app.domain.catalog import Catalog, Operation, Permission
from app.domain.contributions import Contribution, find_contributions
from app.domain.decisions import (
    Decision,
    check,
    find_fact_faults,
    find_key_faults,
    name_missing,
    read_question,
    refuse_question,
)
from app.domain.errors import DomainError, Duplicate, NotPermitted, Refused
from app.domain.explanation import Explanation, explain
from app.domain.fixes import EndRow, GiveRight, GiveRole, JoinTeam, LiftLimit, Suggestion
from app.domain.holders import Limit, RoleId, User, UserId, UserStatus
from app.domain.paging import Page, Slice, cut_found, slice_sorted
from app.domain.references import Ref
from app.domain.requirements import Requirement
from app.domain.rights import Effective, Evaluation, State, Subject, list_rights
from app.domain.values import Value, ValueInput
from app.services.context import Reading
from app.services.history import AsOf, read_past
from app.services.references import Place, find_references, find_scope
from app.telemetry.requests import note_decisions

MAX_CHECKS = 1000  # questions in one `checkMany`
MAX_LISTED = 5000  # ids in one statement

FindPeople = Callable[[Reading, list[UserId]], Awaitable[list[User]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAsked:
    """One question as a client puts it."""

    user: Ref
    node: str
    at_least: ValueInput | None = None
    contract: Ref | None = None
    target: Ref | None = None
    target_subscriber: str | None = None
    facts: Sequence[tuple[str, str]] = ()
    at: datetime | None = None
    as_of: AsOf | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision on a question, and the reading it was answered from: that of the past it asks about."""

    decision: Decision
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a list of rights is asked under."""

    contract: Ref | None = None
    facts: Sequence[tuple[str, str]] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveRight:
    """One permission of a holder: what it has, what was granted, and how that stands."""

    permission: Permission
    value: Value
    granted: Value
    state: State
    holder: str
    missing: tuple[Requirement, ...]
    evaluation: Evaluation = field(compare=False, repr=False)

    @property
    def catalog(self) -> Catalog:
        """The catalog that the permission is of."""
        return self.evaluation.program.catalog

    def contributions(self) -> tuple[Contribution, ...]:
        """The paths by which it arrives."""
        return find_contributions(self.evaluation, UserId(self.holder), self.permission.key)


async def check_many(reading: Reading, questions: Sequence[CheckAsked]) -> list[Decision]:
    """Answers in the order of the questions; a fault in one never changes another's answer."""
    return [answer.decision for answer in await answer_many(reading, questions)]


async def check_again(reading: Reading, questions: Sequence[CheckAsked]) -> list[Decision]:
    """The decisions on questions that were answered before, and are counted already."""
    return await _check_many(reading, questions)


async def answer_many(reading: Reading, questions: Sequence[CheckAsked]) -> list[Answer]:
    """The same, with what each was answered from; questions about one moment are answered together."""
    known: dict[AsOf | None, Reading] = {}
    refusals: dict[AsOf | None, tuple[DomainError, ...]] = {}
    for as_of in dict.fromkeys(question.as_of for question in questions):
        try:
            known[as_of] = await read_past(reading, as_of)
        except Refused as refused:
            refusals[as_of] = refused.errors
    groups: dict[Reading, list[int]] = {}
    for number, question in enumerate(questions):
        groups.setdefault(known.get(question.as_of, reading), []).append(number)
    answers: dict[int, Answer] = {}
    for group, numbers in groups.items():
        asked = [questions[number] for number in numbers]
        for number, decision in zip(numbers, await _check_many(group, asked), strict=True):
            wrong = refusals.get(questions[number].as_of, ())  # told together with what else is wrong
            answers[number] = Answer(decision if not wrong else _refuse_further(decision, wrong), group)
    allowed = sum(answer.decision.allowed for answer in answers.values())
    note_decisions(allowed=allowed, denied=len(answers) - allowed)
    return [answers[number] for number in range(len(questions))]


def _refuse_further(decision: Decision, errors: tuple[DomainError, ...]) -> Decision:
    return refuse_question((*errors, *decision.errors), node=decision.node, at=decision.evaluated_at)


async def _check_many(reading: Reading, questions: Sequence[CheckAsked]) -> list[Decision]:
    places = list(dict.fromkeys(place for question in questions for place in _places(question)))
    found = await find_references(reading, places)
    people = [found.user(place.ref) for place in places if place.noun == "user"]
    await reading.load_world([person for person in people if person])
    sight = await reading.sight()
    decisions = []
    for question in questions:
        facts, errors = _facts(question.facts)
        node, asked, faults = read_question(
            reading.catalog, node=question.node, at_least=question.at_least,
            has_target=question.target is not None, has_target_subscriber=question.target_subscriber is not None,
            facts=facts,
        )  # fmt: skip
        errors += [found.refusals[place] for place in _places(question) if place in found.refusals]
        errors += faults
        contract = found.contract(question.contract)
        if not errors and not sight.sees_rights(found.user(question.user), contract):
            errors.append(_refuse_view("check", "user"))
        at = question.at or reading.now
        if errors or node is None:
            decisions.append(refuse_question(tuple(errors), node=node, at=at))
            continue
        evaluation = await reading.evaluate((), contract, at)
        subject = Subject(
            user=found.user(question.user),
            target=None if question.target is None else found.user(question.target),
            target_subscriber=question.target_subscriber,
            facts=facts,
            assert_facts=sight.asserts_facts(contract),
        )
        decisions.append(check(evaluation, evaluation.effective(subject), subject, node, asked))
    return decisions


async def explain_to(reading: Reading, decision: Decision) -> Explanation:
    """The explanation of a decision, without the sets that name roles, teams or other people's rows not to be seen."""
    found = explain(decision)
    if decision.subject is None or reading.caller is None:
        return found
    sight, subject, contract = await reading.sight(), decision.subject.user, decision.contract

    def shown(suggestion: Suggestion) -> bool:
        match suggestion:
            case GiveRole(user=user, role=role):
                return sight.sees_role(role) and about(user)
            case JoinTeam(user=user, team=team):
                return sight.sees_team(team) and about(user)
            case GiveRight(holder=holder) | LiftLimit(limit=Limit(holder=holder)):
                return about(holder)
            case EndRow(row=row):
                return about(row.holder)
        return True

    def about(holder: str) -> bool:
        return holder == subject or sight.sees_rights(holder, contract)

    allow = tuple(fix for fix in found.would_allow if all(map(shown, fix)))
    deny = tuple(fix for fix in found.would_deny if all(map(shown, fix)))
    whole = len(allow) == len(found.would_allow) and len(deny) == len(found.would_deny)
    return Explanation(allow, deny, found.complete and whole)


def _refuse_view(operation: str, *path: str) -> DomainError:
    return NotPermitted(f"you may not see this. {OPERATIONS[operation]}", path=path)


def _places(question: CheckAsked) -> list[Place]:
    places = [Place("user", question.user, ("user",))]
    places += [] if question.contract is None else [Place("contract", question.contract, ("contract",))]
    places += [] if question.target is None else [Place("user", question.target, ("target",))]
    return places


def _facts(sent: Sequence[tuple[str, str]]) -> tuple[dict[str, str], list[DomainError]]:
    facts, errors = {}, list[DomainError]()
    for name, text in sent:
        if name in facts:
            errors.append(Duplicate(f"the fact `{name}` stands twice", path=("facts", name)))
        facts[name] = text
    return facts, errors


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rights of a list: those of a system, of a list of nodes, in certain states; None: of any."""

    system: str | None = None
    nodes: frozenset[str] | None = None
    states: frozenset[State] | None = None

    def takes(self, permission: Permission, state: State) -> bool:
        return (
            (self.system is None or permission.system == self.system)
            and (self.nodes is None or permission.key in self.nodes)
            and (self.states is None or state in self.states)
        )

    def is_of(self, catalog: Catalog) -> bool:
        """Whether all that is named in it is known."""
        return next(self.find_faults(catalog), None) is None

    def find_faults(self, catalog: Catalog) -> Iterator[DomainError]:
        """What is named in it and not known."""
        return find_key_faults(catalog, system=self.system, nodes=self.nodes or ())


EVERY = Choice()


async def evaluate_user(
    reading: Reading, user: UserId, circumstances: Circumstances, choice: Choice = EVERY
) -> tuple[Evaluation, Effective, Subject]:
    """The evaluation of one user under circumstances. Raises `Refused` where these are wrong."""
    places = [] if circumstances.contract is None else [Place("contract", circumstances.contract, ("contract",))]
    found = await find_references(reading, places)
    facts, errors = _facts(circumstances.facts)
    errors += [*found.errors, *find_fact_faults(reading.catalog, facts), *choice.find_faults(reading.catalog)]
    contract, sight = found.contract(circumstances.contract), await reading.sight()
    if not errors and not sight.sees_rights(user, contract):
        errors.append(_refuse_view("User.effectiveRights"))
    if errors:
        raise Refused(errors)
    evaluation = await reading.evaluate([user], contract, circumstances.at)
    subject = Subject(user=user, facts=facts, assert_facts=sight.asserts_facts(contract))
    return evaluation, evaluation.effective(subject), subject


async def list_effective_rights(
    reading: Reading, user: UserId, circumstances: Circumstances, choice: Choice = EVERY
) -> list[EffectiveRight]:
    """Every permission of a user that is chosen, in the order of the catalog."""
    evaluation, effective, _ = await evaluate_user(reading, user, circumstances, choice)
    return describe_rights(evaluation, effective, user, choice)


def describe_rights(
    evaluation: Evaluation,
    effective: Effective,
    holder: str,
    choice: Choice = EVERY,
    numbers: Collection[int] | None = None,
) -> list[EffectiveRight]:
    """Every permission of a holder (or of these numbers) that is chosen, in the order of the catalog."""
    found = {}
    for permission, value, granted, verdict in list_rights(evaluation, effective, numbers):
        if not choice.takes(permission, verdict.state):
            continue
        asked = None if granted == permission.value_type.bottom else granted
        missing = () if verdict.allowed else name_missing(evaluation, effective, permission, asked, verdict)
        found[permission.key] = EffectiveRight(
            permission=permission, value=value, granted=granted, state=verdict.state, holder=holder, missing=missing,
            evaluation=evaluation,
        )  # fmt: skip
    return [found[key] for key in evaluation.program.catalog.nodes if key in found]


async def list_operations(
    reading: Reading,
    user: UserId,
    circumstances: Circumstances,
    *,
    system: str | None = None,
    allowed: bool | None = None,
) -> list[Decision]:
    """The decision on every operation (of a system, open ones alone, shut ones alone), in the order of the catalog."""
    evaluation, effective, subject = await evaluate_user(reading, user, circumstances, Choice(system))
    decisions = []
    for operation in reading.catalog.operations:
        if system in {None, operation.system}:
            decision = check(evaluation, effective, subject, operation, None)
            if allowed in {None, decision.allowed}:
                decisions.append(decision)
    return decisions


async def list_role_rights(
    reading: Reading, role: RoleId, *, system: str | None, contract: Ref | None
) -> list[EffectiveRight]:
    """What a role gives by itself, requirements applied; facts and targets are unknown to a role."""
    scope = await find_scope(reading, contract)
    wrong = tuple(find_key_faults(reading.catalog, system=system))
    if wrong:
        raise Refused(wrong)
    if not (await reading.sight()).sees_rights(role, scope):
        raise Refused([_refuse_view("Role.rights")])
    evaluation = await reading.evaluate((), scope)
    effective = evaluation.effective_role(role)
    rights = {}
    for permission, value, granted, verdict in list_rights(evaluation, effective):
        if system in {None, permission.system} and granted != permission.value_type.bottom:
            missing = () if verdict.allowed else name_missing(evaluation, effective, permission, granted, verdict)
            rights[permission.key] = EffectiveRight(
                permission=permission, value=value, granted=granted, state=verdict.state, holder=role, missing=missing,
                evaluation=evaluation,
            )  # fmt: skip
    return [rights[key] for key in reading.catalog.nodes if key in rights]


async def find_people(reading: Reading, ids: list[UserId]) -> list[User]:
    """The records of people who are there, in this order."""
    people: dict[UserId, User] = {}
    for start in range(0, len(ids), MAX_LISTED):
        found = await reading.unit.users.find_by("id", ids[start : start + MAX_LISTED])
        people |= {user.id: user for user in found}
    return [people[user] for user in ids]


async def list_holders(
    reading: Reading,
    node: Permission | Operation,
    *,
    contract: Ref | None,
    at_least: ValueInput | None,
    part: Slice,
    find: FindPeople = find_people,
) -> tuple[Page[User], int]:
    """The users whose effective value is at least V, in the order of their names, a slice of them and their number.

    Those whom the caller does not see are left out. A node of an earlier catalog is that of its key today. `find`
    gives the records of those whom the index names.
    """
    known, asked, errors = read_question(
        reading.catalog, node=node.key, at_least=at_least, has_target=False, has_target_subscriber=False, facts={}
    )
    places = [] if contract is None else [Place("contract", contract, ("contract",))]
    found = await find_references(reading, places)
    if errors or found.errors or known is None:
        raise Refused([*errors, *found.errors])
    sight = await reading.sight()
    if not sight.reaches(Right.VIEW_RIGHTS, found.contract(contract)):
        raise Refused([_refuse_view("Permission.holders")])
    index = reading.find_index()
    if index is not None and sight.audience() is None:
        ids, total = await index.list_holders(known, asked, found.contract(contract), part, reading.now)
        return cut_found(await find(reading, ids), part), total
    evaluation = await reading.evaluate(None, found.contract(contract))
    holders = [
        user
        for user in evaluation.world.users.values()
        if sight.sees_user(evaluation.world, user.id) and _holds(evaluation, user, known, asked)
    ]
    holders.sort(key=lambda user: user.user_name)
    return slice_sorted(holders, part, key=lambda user: (user.user_name,)), len(holders)


def _holds(evaluation: Evaluation, user: User, node: Permission | Operation, asked: Value | None) -> bool:
    if user.status is not UserStatus.ACTIVE:
        return False
    return evaluation.decide(evaluation.effective(Subject(user=user.id)), node, asked).allowed
