"""The engine against the oracle, and the laws of SEMANTICS section 11, on random worlds.

By default all tests here together look at 2,050 worlds; `-m deep` at 20,500. Laws 5 to 9 are about writing and about
revisions and have their own files.
"""

import inspect
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from app.domain.catalog import ObligationKind, Operation, Permission, Polarity, has_reach, is_open_ended
from app.domain.compiled import Holding
from app.domain.decisions import TARGET, Decision, check
from app.domain.explanation import explain
from app.domain.fixes import Fix, Suggestion
from app.domain.holders import ContractStatus, Grant, HolderId, Limit, Row, RowId
from app.domain.requirements import evaluate
from app.domain.rights import Evaluation, Stage, State, list_rights
from app.domain.values import Members, Scope, ScopeType, Value
from app.domain.world import World
from tests.oracle import Values
from tests.suggestions import Trials, ending_changes, offered_changes
from tests.worlds import (
    NOON,
    ROLES,
    TEAMS,
    USERS,
    Case,
    cases,
    values_to_ask,
)

Node = Permission | Operation


def worlds(count: int, *, deep: bool) -> settings:
    """So many random worlds in a deep run, a tenth of them otherwise.

    Large worlds take a few milliseconds to draw, hence no deadline; what is drawn is large on purpose.
    """
    large = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
    return settings(max_examples=count if deep else count // 10, deadline=None, suppress_health_check=large)


def on_random_worlds(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes of a statement about a drawn case (and, if it asks for one, a `pick`) a test of its own and a deep one."""

    def decorate(statement: Callable[..., None]) -> Callable[..., None]:
        drawn: dict[str, st.SearchStrategy[Any]] = {"case": cases()}
        if "pick" in inspect.signature(statement).parameters:
            drawn["pick"] = st.integers(0, 2**16)

        @pytest.mark.parametrize(
            "deep", [pytest.param(False, id="default"), pytest.param(True, id="deep", marks=pytest.mark.deep)]
        )
        def test(deep: bool) -> None:
            worlds(count, deep=deep)(given(**drawn)(statement))()

        test.__name__ = statement.__name__
        test.__doc__ = statement.__doc__
        return test

    return decorate


def values_of(evaluation: Evaluation, holding: Holding) -> Values:
    """What a holding of the engine says, in the words of the oracle."""
    program = evaluation.program
    found = {p.key: program.value(holding, number) for number, p in enumerate(program.catalog.permissions)}
    return {key: v for key, v in found.items() if v != program.catalog.require_permission(key).value_type.bottom}


def questions(case: Case) -> list[tuple[Node, Value | None]]:
    """Every question that can be asked of this subject, target and moment."""
    return [
        (node, asked)
        for node in case.askable()
        for asked in (None, *(values_to_ask(node.value_type) if isinstance(node, Permission) else ()))
    ]


def decide(case: Case, node: Node, asked: Value | None, world: World | None = None) -> Decision:
    evaluation = case.evaluate(world)
    return check(evaluation, evaluation.effective(case.subject), case.subject, node, asked)


# ---------------------------------------------------------------------- engine and oracle


@on_random_worlds(4000)
def test_values_are_those_of_the_oracle_after_every_step(case: Case) -> None:
    evaluation, oracle = case.evaluate(), case.ask_oracle()
    effective, steps = evaluation.effective(case.subject), oracle.steps(case.who)
    assert effective.active is steps.active
    assert values_of(evaluation, effective.granted) == steps.granted
    for name in ("in_contract", "limited", "certain", "possible"):
        expected: Values = getattr(steps, name) if steps.active else {}
        assert values_of(evaluation, getattr(effective, name)) == expected, name


@on_random_worlds(1000)
def test_values_of_roles_teams_and_people_are_those_of_the_formula(case: Case) -> None:
    evaluation, oracle = case.evaluate(), case.ask_oracle()
    for holder in (*ROLES, *TEAMS, *USERS):
        assert values_of(evaluation, evaluation.value_of(holder)) == oracle.value(holder)
        assert values_of(evaluation, evaluation.held_by(holder)) == oracle.held(holder)


@on_random_worlds(4000)
def test_answers_are_those_of_the_oracle(case: Case) -> None:
    evaluation, oracle = case.evaluate(), case.ask_oracle()
    effective, steps = evaluation.effective(case.subject), oracle.steps(case.who)
    for node, asked in questions(case):
        decision = check(evaluation, effective, case.subject, node, asked)
        answer = oracle.check(case.who, node.key, asked, steps)
        assert (decision.allowed, decision.state) == (answer.allowed, answer.state), (node.key, asked)
        assert decision.stage == answer.step, (node.key, asked)


@on_random_worlds(1000)
def test_obligations_are_those_of_the_oracle(case: Case) -> None:
    evaluation, oracle = case.evaluate(), case.ask_oracle()
    effective = evaluation.effective(case.subject)
    for node, asked in questions(case):
        decision = check(evaluation, effective, case.subject, node, asked)
        scopes = [o for o in decision.obligations if o.kind is ObligationKind.SCOPE]
        others = {(str(o.kind), o.fields, o.values) for o in decision.obligations if o not in scopes}
        assert others == (oracle.obligations(case.who, node.key) if decision.allowed else set())
        whole = [o.values for o in scopes if not o.fields]
        if case.subject.target is None or (isinstance(node, Permission) and has_reach(node)):
            assert whole == expected_scope(case, node, asked, decision)


def expected_scope(case: Case, node: Node, asked: Value | None, decision: Decision) -> list[tuple[str, ...]]:
    """A yes on scopes or members without target or V carries the value held."""
    narrowed = asked is not None or case.subject.target is not None
    if not decision.allowed or narrowed or not isinstance(node, Permission) or not is_open_ended(node):
        return []
    value, kind = decision.value, node.value_type
    if isinstance(kind, ScopeType):
        assert isinstance(value, Scope)
        highest = [n for n in kind.names if n in value.names and not any(n in kind.below[m] for m in value.names)]
        return [tuple(highest)]
    assert isinstance(value, Members)
    return [("all",) if value.all else tuple(sorted(value.names))]


@on_random_worlds(1000)
def test_what_is_missing_is_not_held_and_what_is_unknown_decides(case: Case) -> None:
    evaluation = case.evaluate()
    effective = evaluation.effective(case.subject)
    oracle = case.ask_oracle()
    known = oracle.fact_values(case.who)
    for node, asked in questions(case):
        decision = check(evaluation, effective, case.subject, node, asked)
        for missing in decision.missing:
            assert evaluate(missing, lambda atom: evaluation.truth_of(effective, atom)) is not True, (node.key, asked)
        assert bool(decision.missing_facts) is (decision.state is State.CONDITIONAL), (node.key, asked)
        if case.subject.target is None:
            unknown = [name for name in decision.missing_facts if name != TARGET]
            assert not set(unknown) & set(known), (node.key, asked)
            if unknown and TARGET not in decision.missing_facts:
                told = dict.fromkeys(unknown, "6") | ({"trained": "true"} if "trained" in unknown else {})
                informed = replace(case.subject, facts={**case.subject.facts, **told})
                assert evaluation.decide(evaluation.effective(informed), node, asked).allowed, (node.key, asked)
        else:
            assert TARGET not in decision.missing_facts, (node.key, asked)


# ---------------------------------------------------------------------- law 1


@on_random_worlds(1000)
def test_law_1_order_and_repetition_of_rows_do_not_matter(case: Case, pick: int) -> None:
    shuffled = list(case.records)
    chance = random.Random(pick)
    repeated = [replace(r, id=RowId(f"{r.id}+")) for r in shuffled if isinstance(r, Row) and chance.random() < 0.5]
    shuffled += repeated
    chance.shuffle(shuffled)
    one, other = case.evaluate(), case.evaluate(World.of(shuffled))
    before, after = one.effective(case.subject), other.effective(case.subject)
    for name in ("granted", "in_contract", "limited", "certain", "possible"):
        assert values_of(one, getattr(before, name)) == values_of(other, getattr(after, name)), name
    for node, asked in questions(case):
        left = check(one, before, case.subject, node, asked)
        right = check(other, after, case.subject, node, asked)
        assert left == right, (node.key, asked)


@on_random_worlds(500)
def test_law_1_the_order_of_rows_does_not_matter_to_an_explanation(case: Case, pick: int) -> None:
    shuffled = list(case.records)
    random.Random(pick).shuffle(shuffled)
    node, asked = _choose(case, pick)
    one, other = explain(decide(case, node, asked)), explain(decide(case, node, asked, World.of(shuffled)))
    assert set(one.would_allow) == set(other.would_allow)
    assert set(one.would_deny) == set(other.would_deny)
    assert one.complete is other.complete


# ---------------------------------------------------------------------- law 2


@on_random_worlds(1000)
def test_law_2_a_grant_of_a_permission_lowers_no_permission(case: Case, pick: int) -> None:
    _add_row(case, pick, Grant, lambda before, after: after >= before)


@on_random_worlds(1000)
def test_law_2_a_limit_on_a_permission_raises_no_permission(case: Case, pick: int) -> None:
    _add_row(case, pick, Limit, lambda before, after: before >= after)


def _add_row(case: Case, pick: int, kind: type[Grant] | type[Limit], may: Callable[[bool, bool], bool]) -> None:
    """Adds a row to anybody, and compares every permission and operation. `may` compares what is at least a value."""
    chance = random.Random(pick)
    grantable = [p for p in case.catalog.permissions if p.polarity is Polarity.PERMISSION and not p.access_level]
    assume(grantable)
    permission = chance.choice(grantable)
    value = permission.value_type.bottom if kind is Limit and chance.random() < 0.5 else None
    holders: tuple[HolderId, ...] = (case.subject.user, case.subject.target or case.subject.user, *ROLES, *TEAMS)
    row = kind(
        id=RowId("added"), created_at=NOON, holder=chance.choice(holders), node=permission.key,
        value=value or _random_value(permission, chance), contract=chance.choice((None, case.contract)),
    )  # fmt: skip
    before, after = case.evaluate(), case.evaluate(World.of([*case.records, row]))
    had, has = before.effective(case.subject), after.effective(case.subject)
    for node, asked in questions(case):
        if isinstance(node, Permission) and node.polarity is Polarity.RESTRICTION:
            continue
        assert may(before.decide(had, node, asked).allowed, after.decide(has, node, asked).allowed), (node.key, asked)


def _random_value(permission: Permission, chance: random.Random) -> Value:
    return chance.choice(values_to_ask(permission.value_type))


# ---------------------------------------------------------------------- law 3


@on_random_worlds(2000)
def test_law_3_a_check_is_membership_in_the_list_of_rights(case: Case) -> None:
    # A list is of rights: whom a right with reach covers is a question about one right and one target (see below).
    evaluation = case.evaluate()
    effective = evaluation.effective(case.subject)
    listed = {node.key: (value, granted, how) for node, value, granted, how in list_rights(evaluation, effective)}
    assert list(listed) == [permission.key for permission in case.catalog.permissions]
    expected = case.ask_oracle().list_rights(case.who)
    for node in case.askable():
        if not isinstance(node, Permission):
            continue
        value, granted, verdict = listed[node.key]
        decision = check(evaluation, effective, case.subject, node, None)
        assert (value, granted) == expected[node.key][:2]
        assert (verdict.state, verdict.stage) == (expected[node.key][2].state, expected[node.key][2].step)
        assert decision.value == value
        if case.subject.target is None:
            assert decision.allowed is (value != node.value_type.bottom), node.key
        if verdict.allowed:
            assert decision.allowed


@on_random_worlds(1000)
def test_law_3_a_check_is_membership_in_the_list_of_holders(case: Case, pick: int) -> None:
    node, asked = _choose(case, pick)
    shared = case.evaluate()  # one evaluation for everybody, as a list of holders has it
    holders = set()
    for user in case.world.users:
        subject = replace(case.subject, user=user)
        if shared.decide(shared.effective(subject), node, asked).allowed:
            holders.add(user)
    assert holders == case.ask_oracle().list_holders(node.key, asked, case.who)
    assert decide(case, node, asked).allowed is (case.subject.user in holders)


@on_random_worlds(500)
def test_law_3_an_explanation_is_of_the_decision(case: Case) -> None:
    for node, asked in questions(case):
        decision = decide(case, node, asked)
        explanation = explain(decision)
        assert () in {explanation.would_allow, explanation.would_deny}
        assert not (explanation.would_allow if decision.allowed else explanation.would_deny)


# ---------------------------------------------------------------------- law 4


def _choose(case: Case, pick: int) -> tuple[Node, Value | None]:
    asked = questions(case)
    assume(asked)
    return asked[pick % len(asked)]


@on_random_worlds(2000)
def test_law_4_explained_sets_turn_the_answer_round_and_are_all_the_smallest_there_are(case: Case, pick: int) -> None:
    node, asked = _choose(case, pick)
    compare_explanation(case, node, asked, pick)


@on_random_worlds(500)
def test_law_4_sets_are_the_smallest_even_where_some_had_to_be_cut_off(case: Case, pick: int) -> None:
    node, asked = _choose(case, pick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.domain.fixes.MAX_SETS", 2)
        compare_explanation(case, node, asked, pick)


def compare_explanation(case: Case, node: Node, asked: Value | None, pick: int = 0) -> tuple[Fix, ...]:
    """Holds an explanation against trying everything out. Returns its sets."""
    decision = decide(case, node, asked)
    explanation = explain(decision)
    sets = explanation.would_deny if decision.allowed else explanation.would_allow
    assert len(set(sets)) == len(sets)
    universe = dict.fromkeys(ending_changes(case) if decision.allowed else offered_changes(case, node, asked))
    trials = Trials(case, node, asked)
    for turning in sets:
        assert turning <= set(universe), f"nothing leans on {turning - set(universe)}"
        assert trials.is_allowed_after(turning) is not decision.allowed, turning
        for spared in turning:  # more changes never undo what fewer did, so one less is the hardest
            assert trials.is_allowed_after(turning - {spared}) is decision.allowed, (turning, spared)
    if explanation.complete:
        offered = _few_of(list(universe), sets, pick)
        smallest = trials.find_minimal_sets(offered, most=3)
        assert smallest == {turning for turning in sets if len(turning) <= 3 and turning <= set(offered)}
    return sets


def _few_of(universe: list[Suggestion], sets: tuple[Fix, ...], pick: int) -> list[Suggestion]:
    """A dozen changes to try all sets of. The smallest sets within some changes are the same whatever else there is."""
    chance = random.Random(pick)
    used = [change for change in universe if any(change in turning for turning in sets)]
    others = [change for change in universe if change not in used]
    chance.shuffle(used)
    chance.shuffle(others)
    return (used[:8] + others)[:12]


# ---------------------------------------------------------------------- the worlds themselves


def test_random_worlds_are_rich() -> None:
    """What the laws above are worth: in 600 worlds everything occurs that they speak about."""
    seen: Counter[object] = Counter()

    # Always the same draws, so that the test says something of the strategies and nothing of the day.
    @settings(
        max_examples=600,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(cases(), st.integers(0, 2**16))
    def look(case: Case, pick: int) -> None:
        evaluation = case.evaluate()
        effective = evaluation.effective(case.subject)
        asked_of_target = case.subject.target is not None
        seen.update({type(permission.value_type).__name__ for permission in case.catalog.permissions})
        for permission in case.catalog.permissions:
            seen[permission.polarity] += 1
            seen["implies"] += bool(permission.implies)
            seen["rule of a value"] += any(rule.applies_from is not None for rule in permission.rules)
            seen["product"] += permission.product is not None and not permission.access_level
        for node, asked in questions(case):
            decision = check(evaluation, effective, case.subject, node, asked)
            seen[decision.state] += 1
            seen[decision.stage] += 1
            seen["allowed on a target"] += asked_of_target and decision.allowed
            seen["refused on a target", decision.stage] += asked_of_target
            seen["operation", decision.state] += isinstance(node, Operation)
            seen["obligation"] += any(o.kind is not ObligationKind.SCOPE for o in decision.obligations)
        seen["implied right held"] += evaluation.held_by(case.subject.user) != Holding()
        for name in ("owner", "active", "target_outside"):
            seen[name, bool(getattr(effective, name))] += 1
        seen["suspended contract"] += any(
            c.status is not ContractStatus.ACTIVE and c.id == case.contract for c in case.world.contracts.values()
        )
        for number in range(3 if questions(case) else 0):
            explanation = explain(decide(case, *_choose(case, pick + number * 7)))
            sets = (*explanation.would_allow, *explanation.would_deny)
            seen.update({("would allow", min(len(turning), 4)) for turning in explanation.would_allow})
            seen.update({("would deny", min(len(turning), 3)) for turning in explanation.would_deny})
            seen.update({type(change).__name__ for turning in sets for change in turning})

    look()
    expected: list[object] = [
        *State, *(stage for stage in Stage if stage is not Stage.GRANTS), *Polarity,
        "SwitchType", "LevelType", "ScopeType", "QuantityType", "MembersType",
        "implies", "rule of a value", "product", "obligation", "allowed on a target", "suspended contract",
        *(("refused on a target", stage) for stage in (Stage.CONTRACT, Stage.LIMITS, Stage.REQUIREMENTS)),
        *(("operation", state) for state in State),
        ("owner", True), ("active", False), ("target_outside", True),
        *(("would allow", size) for size in (1, 2, 3, 4)), *(("would deny", size) for size in (1, 2, 3)),
        "GiveRight", "GiveRole", "JoinTeam", "SetLevel", "LiftLimit", "SetFact", "LinkSubscriber", "EndRow",
    ]  # fmt: skip
    assert {thing for thing in expected if seen[thing] == 0} == set()
