"""Answers from the index, without waiting: what `access` and `users` answer from the database.

Whatever is out of the ordinary is left to them: each of these gives None where the index does not have the answer, or
where there is something to refuse. So every refusal is theirs, to the letter.
"""

from datetime import datetime

from app.domain.callers import Caller
from app.domain.decisions import Decision, read_question
from app.domain.holders import ContractId, User, UserId
from app.domain.profiles import Standing
from app.domain.references import Ref
from app.domain.sight import Sight
from app.services.access import CheckAsked, Circumstances, EffectiveRight, describe_rights
from app.services.index import RightsIndex
from app.telemetry.requests import note_decisions


def decide(index: RightsIndex, caller: Caller, question: CheckAsked, now: datetime) -> Decision | None:
    """The decision on a question. It is about a stand-in: it explains nothing, and was made at an earlier moment."""
    sight = index.sight(caller.user, now)
    if sight is None or question.as_of is not None:
        return None
    user = _find_user(index, sight, question.user)
    if user is None:
        return None
    contract: ContractId | None = None
    if question.contract is not None:
        contract = _find_contract(index, sight, question.contract)
        if contract is None:
            return None
    if not sight.sees_rights(user, contract):
        return None
    facts = dict(question.facts)
    node, asked, faults = read_question(
        index.program.catalog, node=question.node, at_least=question.at_least, has_target=question.target is not None,
        has_target_subscriber=question.target_subscriber is not None, facts=facts,
    )  # fmt: skip
    if faults or node is None or len(facts) < len(question.facts):
        return None
    at = question.at or now
    if facts or question.target is not None or question.target_subscriber is not None or at != now:
        decision = _decide_anew(index, sight, question, user, contract, at, facts)
        if decision is None:
            return None
    else:
        standing = index.standing(user, contract, now)
        if standing is None:
            return None
        decision = standing.decide(node, asked)
    note_decisions(allowed=int(decision.allowed), denied=int(not decision.allowed))
    return decision


def _decide_anew(
    index: RightsIndex,
    sight: Sight,
    question: CheckAsked,
    user: UserId,
    contract: ContractId | None,
    at: datetime,
    facts: dict[str, str],
) -> Decision | None:
    """The decision on a question that has more to it, or is about another moment: its answer is not kept."""
    catalog = index.program.catalog
    node, asked, _ = read_question(
        catalog, node=question.node, at_least=question.at_least, has_target=False, has_target_subscriber=False, facts={}
    )
    target = None if question.target is None else _find_user(index, sight, question.target)
    profile = index.people.profile(user)
    other = None if target is None else index.people.profile(target)
    if node is None or profile is None or (question.target is not None and other is None):
        return None
    return index.standings.ask(
        profile, node, asked, contract=contract, at=at, target=other, is_oneself=target == user,
        target_subscriber=question.target_subscriber, facts=facts, assert_facts=sight.asserts_facts(contract),
    )  # fmt: skip


def find_user(index: RightsIndex, caller: Caller, ref: Ref, now: datetime) -> User | None:
    """The record of a user whom somebody has read at this revision, and whom the caller sees."""
    sight = index.sight(caller.user, now)
    user = None if sight is None else _find_user(index, sight, ref)
    return None if user is None else index.records.get(user)


def stand(
    index: RightsIndex, caller: Caller, user: UserId, circumstances: Circumstances, now: datetime
) -> Standing | None:
    """How a user stands under circumstances that need no more than the index, before a caller who may see it."""
    sight = index.sight(caller.user, now)
    if sight is None or circumstances.facts or circumstances.at is not None:
        return None
    contract: ContractId | None = None
    if circumstances.contract is not None:
        contract = _find_contract(index, sight, circumstances.contract)
        if contract is None:
            return None
    return index.standing(user, contract, now) if sight.sees_rights(user, contract) else None


def list_effective_rights(standing: Standing) -> list[EffectiveRight]:
    """Every permission of a standing, in the order of the catalog. They tell of nobody real, as decisions do."""
    kept: list[EffectiveRight] | None = standing.kept.get(list_effective_rights)
    if kept is None:
        kept = describe_rights(standing.evaluation, standing.effective, "")
        standing.keep(list_effective_rights, kept)
    return kept


def _find_user(index: RightsIndex, sight: Sight, ref: Ref) -> UserId | None:
    """The person named, if the caller sees them by a right to see everybody, or is it."""
    user = index.people.find(ref.attribute, ref.value)
    audience = sight.audience()
    return user if audience is None or user == audience.oneself else None


def _find_contract(index: RightsIndex, sight: Sight, ref: Ref) -> ContractId | None:
    contract = index.find_contract(ref)
    return contract.id if contract is not None and sight.sees_contract(contract.id) else None
