"""Where an error points in a request of many changes: at the change that is its cause, or nearest to it."""

from collections.abc import Mapping

from app.domain.blame import Blame
from app.domain.contracts import AccessLevel
from app.domain.errors import DelegationExceeded, ErrorCode, NotPermitted
from app.domain.guards import guard_owners
from app.domain.holders import RoleId, UserStatus
from app.domain.violations import Judgement
from app.domain.wishes.grants import find_owner_limits
from app.domain.world import Change, World
from tests.staff import (
    AGENTS,
    ANN,
    C1,
    CREW,
    OLGA,
    OSCAR,
    PEOPLE,
    PROGRAM,
    SAM,
    WIM,
    assigned,
    contract,
    end,
    grant,
    level,
    limit,
    member,
    new,
    person,
    role,
    trial,
)  # fmt: skip

KEY = "alfa.above"
LEADS = RoleId("leads")
INCLUDED: Mapping[str, frozenset[str]] = {ANN: frozenset({AGENTS, CREW}), WIM: frozenset({CREW})}


def blame(*changes: Change) -> Blame:
    return Blame(
        changes, pathed(changes), lambda holder: INCLUDED.get(holder, frozenset()),
        lambda joined, key: (joined, key) == (LEADS, KEY),
    )  # fmt: skip


def pathed(changes: tuple[Change, ...]) -> dict[str, tuple[str, ...]]:
    return {change.record.id: ("items", str(place)) for place, change in enumerate(changes)}


def test_the_nearest_change_is_blamed() -> None:
    anything = new(grant(SAM, "alfa.plain"))
    elsewhere = new(grant(OSCAR, KEY))
    of_included = new(grant(CREW, "alfa.plain"))
    of_holder = new(member(ANN, CREW))
    that_brings_it = new(assigned(ANN, LEADS))
    right_of_included = end(limit(AGENTS, KEY))
    right_of_holder = new(grant(ANN, KEY))
    all_of_them = (
        anything, elsewhere, of_included, of_holder, that_brings_it, right_of_included, right_of_holder,
    )  # fmt: skip
    for farthest in range(len(all_of_them)):
        changes = tuple(change for part in all_of_them[: farthest + 1] for change in part)
        assert blame(*changes).path_to(ANN, KEY) == ("items", str(farthest)), farthest


def test_without_a_right_or_a_holder_the_rest_is_blamed() -> None:
    changes = (*new(grant(SAM, "alfa.plain")), *new(grant(OSCAR, KEY)), *new(person(ANN)))
    assert blame(*changes).path_to(ANN) == ("items", "2")
    assert blame(*changes).path_to(key=KEY) == ("items", "1")
    assert blame(*changes).path_to(WIM) == ("items", "0")
    assert blame().path_to(ANN, KEY) == ()


def test_a_change_without_a_path_is_not_blamed() -> None:
    changes = (*new(grant(ANN, KEY)), *new(member(ANN, CREW)))
    paths = {changes[1].record.id: ("members", "0")}
    blamed = Blame(changes, paths, lambda holder: frozenset(), lambda joined, key: False)
    assert blamed.path_to(ANN, KEY) == ("members", "0")


# ---------------------------------------------------------------------- errors of rules and guards


def test_a_failing_right_points_at_what_gives_it_to_that_holder() -> None:
    gives = RoleId("gives")
    there = (*PEOPLE, role(gives), grant(gives, "alfa.below"), grant(gives, KEY))
    changes = (*new(assigned(ANN, gives)), *end(grant(gives, "alfa.below")), *new(assigned(WIM, gives)))
    judgement = Judgement(PROGRAM, World.of(there), changes)
    paths = pathed(changes)
    assert judgement.path_to("alfa.below", paths, gives) == ("items", "1")
    assert judgement.path_to("alfa.below", paths, WIM) == ("items", "1")
    assert judgement.path_to("alfa.plain", paths, WIM) == ("items", "2")
    assert judgement.path_to("alfa.plain", paths, ANN) == ("items", "0")


def places(*changes: Change, holds: tuple[object, ...] = ()) -> list[tuple[str, tuple[str, ...]]]:
    errors = trial(*holds).errors(*changes, paths=pathed(changes))  # type: ignore[arg-type]
    return [(type(error).__name__, error.path) for error in errors]


def test_what_goes_beyond_the_caller_points_at_what_gives_it() -> None:
    wide = RoleId("wide")
    there = (role(wide), grant(wide, "alfa.wide"))
    harmless = new(assigned(WIM, AGENTS))
    beyond = DelegationExceeded.__name__
    assert places(*harmless, *new(assigned(ANN, wide)), holds=there) == [(beyond, ("items", "1"))]
    # A lifted limit gives what no new row of the change gives by itself.
    held_back = (*there, assigned(ANN, wide), limit(ANN, "alfa.wide"))
    assert places(*harmless, *end(limit(ANN, "alfa.wide")), holds=held_back) == [(beyond, ("items", "1"))]


def test_a_restriction_that_binds_the_caller_points_at_what_lifts_it() -> None:
    bound = (grant(SAM, "alfa.bound"), grant(ANN, "alfa.bound"))
    changes = (*new(assigned(WIM, AGENTS)), *end(grant(ANN, "alfa.bound")))
    assert places(*changes, holds=bound) == [(DelegationExceeded.__name__, ("items", "1"))]


def test_a_wider_holder_points_at_what_touches_it() -> None:
    assert places(*new(grant(AGENTS, "alfa.plain")), *end(grant(WIM, "alfa.wide"))) == [
        (NotPermitted.__name__, ("items", "1"))
    ]  # fmt: skip


def test_owners_are_kept_with_the_place_of_what_would_lose_them() -> None:
    world = World.of(PEOPLE)
    asleep = Change(person(OSCAR), person(OSCAR, status=UserStatus.SUSPENDED))
    demoted = Change(person(OLGA, is_owner=True), person(OLGA))
    appointed = new(level(ANN, AccessLevel.OWNER))
    changes = (*new(grant(ANN, "alfa.plain")), asleep, demoted, *appointed, *end(level(OSCAR, AccessLevel.OWNER)))
    errors = guard_owners(world, world.changed(changes), changes, active_owners=1, paths=pathed(changes))
    assert [(error.code, error.path) for error in errors] == [
        (ErrorCode.NOT_PERMITTED, ("items", "3")),
        (ErrorCode.LAST_OWNER, ("items", "4")),
        (ErrorCode.LAST_OWNER, ("items", "1")),
        (ErrorCode.LAST_OWNER, ("items", "2")),
    ]


def test_a_limit_on_an_owner_points_at_the_limit_or_at_what_makes_the_owner() -> None:
    def where(*changes: Change, there: tuple[object, ...] = ()) -> list[tuple[str, ...]]:
        world = World.of([*PEOPLE, *there])  # type: ignore[list-item]
        return [error.path for error in find_owner_limits(world.changed(changes), changes, pathed(changes))]

    harmless = new(grant(ANN, "alfa.plain"))
    assert where(*harmless, *new(limit(OLGA, "alfa.plain"))) == [("items", "1")]
    handed = Change(contract(C1, OSCAR), contract(C1, ANN))
    assert where(*harmless, handed, there=(limit(ANN, "alfa.plain"),)) == [("items", "1")]
    owns = Change(person(ANN), person(ANN, is_owner=True))
    assert where(*harmless, owns, there=(limit(ANN, "alfa.plain"),)) == [("items", "1")]
