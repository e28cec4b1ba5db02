"""What judging and guarding find out only once, or see at a glance, is what they would find by looking at all of it.

By default every statement looks at 40 or 100 random worlds; `-m deep` at ten times as many.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from hypothesis import given, settings

from app.domain.authority import Authority
from app.domain.compiled import compile_catalog
from app.domain.giving import Giving
from app.domain.guards import Guard
from app.domain.holders import Contract, ContractId, HolderId, Role, Team, User
from app.domain.rights import Evaluation
from app.domain.sides import Side
from app.domain.violations import Failure, Judgement, Violation
from app.domain.world import Change, World
from tests.domain.test_guard_laws import LARGE
from tests.domain.test_laws import on_random_worlds
from tests.gatekeeping import Story, authority_of, stories
from tests.worlds import INSTANTS, NOON, Case


def glancing(count: int) -> Callable[[Callable[[Story], None]], Callable[[int], None]]:
    """Makes of a statement about a drawn story a test of its own and a deep one."""

    def decorate(statement: Callable[[Story], None]) -> Callable[[int], None]:
        drawn = given(stories())(statement)

        @pytest.mark.parametrize(
            "stories_drawn",
            [pytest.param(count, id="default"), pytest.param(10 * count, id="deep", marks=pytest.mark.deep)],
        )
        def test(stories_drawn: int) -> None:
            settings(max_examples=stories_drawn, deadline=None, suppress_health_check=LARGE)(drawn)()

        test.__name__ = statement.__name__
        return test

    return decorate


# ---------------------------------------------------------------------- one world


def everybody(world: World) -> tuple[HolderId, ...]:
    return (*world.roles, *world.teams, *world.users)


def shuffled_places(world: World, pick: int) -> list[tuple[ContractId | None, datetime]]:
    places = [(contract, at) for contract in (None, *world.contracts) for at in INSTANTS]
    random.Random(pick).shuffle(places)
    return places


@on_random_worlds(100)
def test_values_are_shared_only_where_they_are_the_same(case: Case, pick: int) -> None:
    program, world = compile_catalog(case.catalog), case.world
    side = Side(program, world)
    for contract, at in shuffled_places(world, pick):
        plain = Evaluation(program, world, contract=contract, at=at)
        for holder in everybody(world):
            held, has = side.value(holder, contract, at)
            assert has == plain.value_of(holder) == side.evaluation(contract, at).value_of(holder)
            if holder in world.users:
                assert held == plain.held_by(holder)


@on_random_worlds(100)
def test_what_holders_include_and_where_their_rows_count_is_what_the_world_says(case: Case) -> None:
    world = case.world
    side = Side(compile_catalog(case.catalog), world)
    for holder in everybody(world):
        included = world.included_in(holder)
        assert side.included_in(holder) == included
        contracts: dict[ContractId, None] = {}
        bounds = set()
        for one in (holder, *sorted(included)):
            rows = world.rows_of(one)
            for row in (*rows.grants, *rows.limits, *rows.assignments, *rows.memberships):
                if row.contract is not None:
                    contracts[row.contract] = None
            bounds |= {(row.contract, m) for row in rows for m in (row.valid_from, row.valid_until) if m is not None}
        assert side.scopes_of(holder) == tuple(contracts)
        assert side.extent_of(holder).bounds == bounds


@on_random_worlds(100)
def test_what_differs_and_what_exceeds_is_what_differs_and_exceeds_right_by_right(case: Case) -> None:
    program, world = compile_catalog(case.catalog), case.world
    evaluation = Evaluation(program, world, contract=case.contract, at=case.at)
    values = [evaluation.value_of(holder) for holder in everybody(world)]
    for left, right in zip(values, values[1:] + values[:1], strict=True):
        pairs = [
            (number, program.value(left, number), program.value(right, number)) for number in range(len(program.types))
        ]
        assert program.differing(left, right) == tuple(n for n, one, other in pairs if one != other)
        assert program.exceeding(left, right) == tuple(
            n for n, one, other in pairs if not program.types[n].at_least(other, one)
        )


# ---------------------------------------------------------------------- one change


@on_random_worlds(100)
def test_a_holder_is_judged_at_every_instant_that_matters_to_it(case: Case, pick: int) -> None:
    choices = random.Random(pick)
    entities = [record for record in case.records if isinstance(record, User | Role | Team | Contract)]
    rows = [record for record in case.records if not isinstance(record, User | Role | Team | Contract)]
    added = choices.sample(rows, choices.randint(0, len(rows)))
    before = World.of([*entities, *(row for row in rows if row not in added)])
    judgement = Judgement(compile_catalog(case.catalog), before, [Change(None, row) for row in added])
    found: dict[Failure, Violation] = {}
    for at in judgement.instants(NOON):
        for violation in judgement.violations_at(at, judgement.reached()):
            found.setdefault(violation.failure, violation)
    assert judgement.violations(NOON) == tuple(found.values())


@glancing(40)
def test_what_a_caller_can_give_is_kept_until_something_turns_it(story: Story) -> None:
    program = compile_catalog(story.catalog)
    for deed in story.deeds:
        judgement = Judgement(program, deed.before, deed.changes)
        kept = authority_of(judgement, deed.caller, deed.now)
        for contract in (None, *deed.before.contracts):
            for at in deed.moments():
                fresh = authority_of(judgement, deed.caller, deed.now)
                with pytest.MonkeyPatch.context() as patched:
                    patched.setattr(Authority, "_since", lambda authority, at: at or authority.at)
                    found = fresh.giving(contract, at), fresh.having(contract, at)
                    bound = [fresh.bound(number, contract, at) for number in range(len(program.types))]
                assert found == (kept.giving(contract, at), kept.having(contract, at))
                assert bound == [kept.bound(number, contract, at) for number in range(len(program.types))]


@glancing(40)
def test_what_is_seen_at_a_glance_to_be_harmless_is_harmless(story: Story) -> None:
    program = compile_catalog(story.catalog)
    for deed in story.deeds:
        told: list[Sequence[str]] = []
        for glances in (True, False):
            judgement = Judgement(program, deed.before, deed.changes)
            with pytest.MonkeyPatch.context() as patched:
                if not glances:
                    patched.setattr(Giving, "_is_plain", lambda *_: False)
                    patched.setattr(Giving, "_kind_of", lambda *_: None)
                guard = Guard(judgement, authority_of(judgement, deed.caller, deed.now))
                told.append([f"{type(error).__name__} {error}" for error in guard.errors()])
        assert told[0] == told[1]
