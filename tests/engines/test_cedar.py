"""Our decisions against those of Cedar's engine, on random worlds that both can express: see `tests/engines/cedar.py`.

By default 25 worlds, `-m deep` 10,000. In each, everybody is asked about in every contract and in
none, right by right and value by value; and how each right of one person stands, with a target and a subscriber.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.catalog import FactOwner, FactType, Permission, Polarity, has_reach
from app.domain.compiled import compile_catalog
from app.domain.contracts import AccessLevel
from app.domain.decisions import Decision, check
from app.domain.holders import (
    Access,
    Assignment,
    ContractId,
    Grant,
    HolderId,
    Limit,
    Membership,
    Record,
    RowId,
    StoredFact,
    UserId,
)
from app.domain.rights import Evaluation, Stage, State, Subject
from tests.engines.cedar import Question, Rule, Step, Translation, Wish
from tests.worlds import (
    FACTS,
    NOON,
    POOL_SIZE,
    ROLES,
    TEAMS,
    USERS,
    Case,
    Pool,
    cases,
    draw_case,
    may_be_limited,
    values_to_ask,
)

LARGE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
Place = tuple[str, ContractId | None, str, object]  # user, contract, node, value


def enrich(case: Case, pick: int) -> Case:
    """With more that is passed on through roles and teams, and cut there, and more people of the contracts."""
    chance = random.Random(pick)
    grantable = [permission for permission in case.catalog.permissions if not permission.access_level]
    limitable = [permission for permission in grantable if permission.polarity is not Polarity.RESTRICTION]
    through: tuple[HolderId, ...] = (*ROLES, *TEAMS)
    rows: list[Record] = []

    def common(contract: ContractId | None = None) -> dict[str, Any]:
        return {"id": RowId(f"more{len(rows)}"), "created_at": NOON, "contract": contract}

    for user in USERS:
        rows.append(Assignment(holder=user, role=chance.choice(ROLES), **common()))
        rows.append(Membership(user=user, team=chance.choice(TEAMS), supervisor=chance.random() < 0.5, **common()))
    reaching = [permission for permission in grantable if has_reach(permission)]
    for permission in [*reaching, *chance.choices(grantable, k=chance.randrange(3, 10))]:
        value = chance.choice(values_to_ask(permission.value_type))
        rows.append(Grant(holder=chance.choice(through), node=permission.key, value=value, **common()))
    for _ in range(chance.randrange(5) if limitable else 0):
        permission = chance.choice(limitable)
        value = chance.choice((permission.value_type.bottom, *values_to_ask(permission.value_type)))
        rows.append(Limit(holder=chance.choice(through), node=permission.key, value=value, **common()))
    owned: dict[UserId, set[ContractId | None]] = {user: set() for user in USERS}
    for user in USERS:
        owned[user] |= {None} if case.world.users[user].is_owner else set()
        owned[user] |= {contract.id for contract in case.world.contracts.values() if contract.owner == user}
    for user in USERS:
        if limitable and may_be_limited(owned[user], None):
            permission = chance.choice(limitable)
            value = chance.choice((permission.value_type.bottom, *values_to_ask(permission.value_type)))
            rows.append(Limit(holder=user, node=permission.key, value=value, **common()))
    inside = {(row.user, row.contract) for row in case.records if isinstance(row, Access)}
    for contract in case.world.contracts:
        for user in USERS:
            product = chance.choice(tuple(case.catalog.products_by_key))
            if (user, contract) not in inside:
                rows.append(Access(user=user, product=product, level=AccessLevel.USER, **common(contract)))
    stored = {(row.user, row.contract, row.name) for row in case.records if isinstance(row, StoredFact)}
    facts = dict(case.subject.facts)
    for fact in FACTS[:4]:
        texts = ("true", "false") if fact.type is FactType.BOOLEAN else ("5", "0", "-1")
        owners = (
            [(None, c) for c in case.world.contracts]
            if fact.owner is FactOwner.CONTRACT
            else [(u, None) for u in USERS]
        )
        for user, contract in owners:
            if (user, contract, fact.name) not in stored and chance.random() < 0.4:
                text = chance.choice(texts)
                rows.append(StoredFact(user=user, name=fact.name, text=text, **common(contract)))
        if chance.random() < 0.4:
            facts[fact.name] = chance.choice(texts)
    subject = replace(case.subject, facts=facts)
    if subject.target is None and chance.random() < 0.5:
        subject = replace(subject, target=chance.choice(USERS))
    return replace(case, records=(*case.records, *rows), subject=subject)


def ask_about(subject: Subject, contract: ContractId | None, case: Case) -> Question:
    of_contract = frozenset(fact.name for fact in case.catalog.facts.values() if fact.owner is FactOwner.CONTRACT)
    return Question(
        user=subject.user, contract=contract, target=subject.target, subscriber=subject.target_subscriber,
        facts=tuple(sorted(subject.facts.items())), of_contract=of_contract, may_assert=subject.assert_facts,
    )  # fmt: skip


def wishes(case: Case) -> list[Wish]:
    return [
        (node.key, asked)
        for node in case.askable()
        for asked in (None, *(values_to_ask(node.value_type) if isinstance(node, Permission) else ()))
    ]


def everybody(case: Case) -> list[Subject]:
    """Everybody, with nobody in view; the facts that came with the question of the case are taken along."""
    of_case = case.subject
    return [Subject(user=user, facts=of_case.facts, assert_facts=of_case.assert_facts) for user in USERS]


def decide(case: Case, subject: Subject, contract: ContractId | None, wanted: list[Wish]) -> list[Decision]:
    """Our answers."""
    evaluation = Evaluation(compile_catalog(case.catalog), case.world, contract=contract, at=case.at)
    effective = evaluation.effective(subject)
    nodes = case.catalog.permissions + case.catalog.operations
    by_key = {node.key: node for node in nodes}
    return [check(evaluation, effective, subject, by_key[node], asked) for node, asked in wanted]


# ---------------------------------------------------------------------- Cedar's answers


def find_states(translation: Translation, question: Question, wanted: list[Wish]) -> list[State]:
    """How each right stands, told by what Cedar answers after every step."""
    answers = {}
    for step in Step:
        answers[step] = translation.check(translation.hold([question], step), step, wanted)[question]
    if not translation.is_active(question):
        return [State.LIMITED for _ in wanted]
    return [_read_state({step: answers[step][number] for step in Step}) for number in range(len(wanted))]


def _read_state(allowed: dict[Step, bool]) -> State:
    if not allowed[Step.GRANTED]:
        return State.NOT_GRANTED
    if not allowed[Step.IN_CONTRACT] or not allowed[Step.LIMITED]:
        return State.LIMITED
    if allowed[Step.CERTAIN]:
        return State.ACTIVE
    return State.CONDITIONAL if allowed[Step.POSSIBLE] else State.SUSPENDED


# ---------------------------------------------------------------------- differences


def find_differences(case: Case, translation: Translation) -> Iterator[Place]:
    yield from compare_question(case, translation)
    yield from compare_everybody(case, translation)


def compare_question(case: Case, translation: Translation) -> Iterator[Place]:
    """Where one person's right does not stand as Cedar says, in sight of a target."""
    wanted = wishes(case)
    states = find_states(translation, ask_about(case.subject, case.contract, case), wanted)
    for wish, state, ours in zip(wanted, states, decide(case, case.subject, case.contract, wanted), strict=True):
        if state is not ours.state:
            yield (case.subject.user, case.contract, *wish)


def compare_everybody(case: Case, translation: Translation) -> Iterator[Place]:
    """Where our answer about anybody in any contract is not Cedar's."""
    wanted = wishes(replace(case, subject=everybody(case)[0]))
    for contract in (None, *case.world.contracts):
        questions = {ask_about(subject, contract, case): subject for subject in everybody(case)}
        held = translation.hold(list(questions), Step.CERTAIN)
        for question, allowed in translation.check(held, Step.CERTAIN, wanted).items():
            ours = [decision.allowed for decision in decide(case, questions[question], contract, wanted)]
            for wish, cedars, mine in zip(wanted, allowed, ours, strict=True):
                if cedars is not mine:
                    yield (question.user, contract, *wish)


@pytest.mark.parametrize("count", [25, pytest.param(10_000, marks=pytest.mark.deep)])
def test_a13_decisions_are_those_of_cedar(count: int) -> None:
    @settings(max_examples=count, deadline=None, suppress_health_check=LARGE)
    @given(cases(), st.integers(0, 2**16))
    def compare(case: Case, pick: int) -> None:
        enriched = enrich(case, pick)
        translation = Translation(enriched.catalog, enriched.world, enriched.at)
        assert list(find_differences(enriched, translation)) == []

    compare()


# ---------------------------------------------------------------------- what that is worth


@cache
def world_number(number: int) -> Case:
    """Always the same worlds."""
    return enrich(draw_case(Pool(random.Random(number).randbytes(POOL_SIZE))), number)


RARE = {Rule.FACTS, Rule.REACH}  # decide in one world of twenty, the others in every second one


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=[pytest.mark.deep] if rule in RARE else []) for rule in Rule]
)
def test_a_rule_that_is_left_out_is_missed(rule: Rule) -> None:
    """The comparison can fail: of every rule of the translation there is a world in which it decides."""
    assert any(
        True
        for case in map(world_number, range(100))
        for _ in find_differences(case, Translation(case.catalog, case.world, case.at, without=rule))
    )


def test_the_worlds_are_rich() -> None:
    """A fair share of the answers is a yes, and of the refusals every step has its own."""
    seen: Counter[object] = Counter()
    for number in range(50):
        case = world_number(number)
        wanted = wishes(replace(case, subject=everybody(case)[0]))
        for contract in (None, *case.world.contracts):
            for subject in everybody(case):
                for decision in decide(case, subject, contract, wanted):
                    seen[decision.state] += 1
                    seen[decision.stage] += 1
    total = sum(seen[state] for state in State)
    assert seen[State.ACTIVE] > total / 5
    assert {step: seen[step] for step in Stage if step is not Stage.GRANTS and seen[step] < total / 100} == {}
