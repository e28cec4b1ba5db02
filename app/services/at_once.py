"""Answers from the index, without waiting: what `access` and `users` answer from the database.

Whatever is out of the ordinary is left to them: each of these gives None where the index does not have the answer, or
where there is something to refuse. So every refusal is theirs, to the letter.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from app.domain.callers import Caller
from app.domain.catalog import Group, Operation, Permission
from app.domain.decisions import Decision, read_question
from app.domain.errors import DomainError
from app.domain.holders import ContractId, User, UserId
from app.domain.paging import Page, Slice, cut_found
from app.domain.people import Person
from app.domain.profiles import Standing
from app.domain.references import Attribute, Ref
from app.domain.values import Value
from app.services.access import CheckAsked, Circumstances, EffectiveRight, describe_rights
from app.services.index import RightsIndex, View
from app.telemetry.requests import note_decisions

Question = tuple[Attribute, str, str, Ref | None]
"""Who is asked about, by which name in the form in which names are kept; the key of a node; in which contract."""


def decide(index: RightsIndex, caller: Caller, question: CheckAsked, now: datetime) -> Decision | None:
    """The decision on a question. It is about a stand-in: it explains nothing, and was made at an earlier moment."""
    decision = _decide(index, caller, question, now)
    if decision is not None:
        note_decisions(allowed=int(decision.allowed), denied=int(not decision.allowed))
    return decision


def decide_many(
    index: RightsIndex, caller: Caller, questions: Sequence[CheckAsked], now: datetime
) -> list[Decision] | None:
    """The decisions on all of these questions, in their order; None where one of them is not answered here."""
    found: list[Decision] = []
    for question in questions:
        decision = _decide(index, caller, question, now)
        if decision is None:
            return None
        found.append(decision)
    allowed = sum(decision.allowed for decision in found)
    note_decisions(allowed=allowed, denied=len(found) - allowed)
    return found


def decide_plain(
    index: RightsIndex, caller: Caller, questions: Sequence[Question], now: datetime
) -> list[Decision] | None:
    """The same of questions that have nothing more to them; whoever asks notes what was decided."""
    view = index.view(caller.user, now)
    if view is None:
        return None
    found: list[Decision] = []
    for question in questions:
        decision = _decide_plain(index, view, question, now)
        if decision is None:
            return None
        found.append(decision)
    return found


def decide_one(index: RightsIndex, caller: Caller, question: Question, now: datetime) -> Decision | None:
    """The same of one question."""
    view = index.view(caller.user, now)
    return None if view is None else _decide_plain(index, view, question, now)


def _decide_plain(index: RightsIndex, view: View, question: Question, now: datetime) -> Decision | None:
    attribute, name, key, within = question
    contract: ContractId | None = None
    if within is not None:
        contract = _find_contract(index, view, within)
        if contract is None:
            return None
    known, node = index.find(attribute, name, contract, now), index.program.catalog.nodes.get(key)
    if known is None or node is None or node.__class__ is Group:
        return None
    user, standing = known
    is_open = within is None and view.sees_all_rights
    if not is_open and not (view.sees_user(user) and view.sees_rights(user, contract)):
        return None
    return standing.decide(node, None)  # type: ignore[arg-type]  # no group: see above


def _decide(index: RightsIndex, caller: Caller, question: CheckAsked, now: datetime) -> Decision | None:
    view = index.view(caller.user, now)
    if view is None or question.as_of is not None:
        return None
    user = _find_user(index, view, question.user)
    if user is None:
        return None
    contract: ContractId | None = None
    if question.contract is not None:
        contract = _find_contract(index, view, question.contract)
        if contract is None:
            return None
    if not view.sees_rights(user, contract):
        return None
    if question.facts or question.target is not None or question.target_subscriber is not None:
        return _decide_anew(index, view, question, user, contract, question.at or now)
    if question.at is not None and question.at != now:
        return _decide_anew(index, view, question, user, contract, question.at)
    node, asked = index.catalog.nodes.get(question.node), None
    if question.at_least is not None or not isinstance(node, Permission | Operation):
        node, asked, faults = _read(index, question, {})
        if faults or node is None:
            return None
    standing = index.standing(user, contract, now)
    return None if standing is None else standing.decide(node, asked)


def _read(
    index: RightsIndex, question: CheckAsked, facts: Mapping[str, str]
) -> tuple[Permission | Operation | None, Value | None, tuple[DomainError, ...]]:
    return read_question(
        index.catalog, node=question.node, at_least=question.at_least, has_target=question.target is not None,
        has_target_subscriber=question.target_subscriber is not None, facts=facts,
    )  # fmt: skip


def _decide_anew(
    index: RightsIndex, view: View, question: CheckAsked, user: UserId, contract: ContractId | None, at: datetime
) -> Decision | None:
    """The decision on a question that has more to it, or is about another moment: its answer is not kept."""
    facts = dict(question.facts)
    node, asked, faults = _read(index, question, facts)
    if faults or node is None or len(facts) < len(question.facts):
        return None
    target = None if question.target is None else _find_user(index, view, question.target)
    profile = index.people.profile(user)
    other = None if target is None else index.people.profile(target)
    if profile is None or (question.target is not None and other is None):
        return None
    return index.standings.ask(
        profile, node, asked, contract=contract, at=at, target=other, is_oneself=target == user,
        target_subscriber=question.target_subscriber, facts=facts, assert_facts=view.sight.asserts_facts(contract),
    )  # fmt: skip


def find_user(index: RightsIndex, caller: Caller, ref: Ref, now: datetime) -> User | None:
    """The record of a user whom somebody has read at this revision, and whom the caller sees."""
    view = index.view(caller.user, now)
    user = None if view is None else _find_user(index, view, ref)
    return None if user is None else index.records.get(user)


def list_users(index: RightsIndex, caller: Caller, part: Slice, now: datetime) -> Page[tuple[str, UserId]] | None:
    """A page of everybody, before a caller who sees everybody: user names and ids."""
    view = index.view(caller.user, now)
    if view is None or not view.sight.sees_everybody():
        return None
    after = None if part.after is None else part.after[0]
    before = None if part.before is None else part.before[0]
    found = index.people.list_names(after=after, before=before, most=part.limit + 1, backwards=part.backwards)
    return cut_found(found, part)


def stand(
    index: RightsIndex, caller: Caller, user: UserId, circumstances: Circumstances, now: datetime
) -> Standing | None:
    """How a user stands under circumstances that need no more than the index, before a caller who may see it."""
    view = index.view(caller.user, now)
    if view is None or circumstances.facts or circumstances.at is not None:
        return None
    contract: ContractId | None = None
    if circumstances.contract is not None:
        contract = _find_contract(index, view, circumstances.contract)
        if contract is None:
            return None
    return index.standing(user, contract, now) if view.sees_rights(user, contract) else None


def list_effective_rights(index: RightsIndex, standing: Standing) -> list[EffectiveRight]:
    """Every permission of a standing, in the order of the catalog. They tell of nobody real, as decisions do."""
    kept = index.listed.get(standing)
    if kept is None:
        kept = index.listed.keep(standing, describe_rights(standing.evaluation, standing.effective, ""))
    return kept


def describe_some(standing: Standing, numbers: Collection[int]) -> list[EffectiveRight]:
    """The permissions of a standing that have these numbers, in the order of the catalog."""
    return describe_rights(standing.evaluation, standing.effective, "", numbers=numbers)


def find_person(index: RightsIndex, caller: Caller, ref: Ref, now: datetime) -> Person | None:
    """What the index knows of a user whom the caller sees: what they are named by."""
    view = index.view(caller.user, now)
    user = None if view is None else _find_user(index, view, ref)
    return None if user is None else index.people.person(user)


def _find_user(index: RightsIndex, view: View, ref: Ref) -> UserId | None:
    """The person named, if the caller sees them by a right to see everybody, or is it."""
    user = index.people.find(ref.attribute, ref.value)
    return None if user is None or not view.sees_user(user) else user


def _find_contract(index: RightsIndex, view: View, ref: Ref) -> ContractId | None:
    contract = index.find_contract(ref)
    return contract.id if contract is not None and view.sight.sees_contract(contract.id) else None
