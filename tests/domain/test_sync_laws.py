"""The laws of sync on random worlds and random feeds (SEMANTICS sections 10 and 11, law 7).

What weighing finds by judging people alike once is compared with everybody judged one by one; losing and the brake with
what is counted by hand. By default every law looks at 100 feeds; `-m deep` at 1,000.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.catalog import Polarity
from app.domain.changes import Wish, judge
from app.domain.errors import DependentsExist, DomainError, ErrorCode, PrerequisiteNotMet
from app.domain.guards import Guard, guard_owners
from app.domain.holders import (
    Access,
    Assignment,
    Grant,
    Membership,
    Role,
    Row,
    Team,
    User,
    UserId,
    UserStatus,
)
from app.domain.rights import Evaluation, Subject
from app.domain.sync.brake import Brake, find_alarms, find_managed, measure
from app.domain.sync.desired import Desired, SyncMode
from app.domain.sync.diff import Spoiled, SyncPlan, diff
from app.domain.sync.items import Teller
from app.domain.sync.runs import SyncItem
from app.domain.sync.units import Unit
from app.domain.sync.weighing import Weighed, find_kinds
from app.domain.violations import Judgement
from app.domain.world import Change, World
from tests.feeds import SOURCE, Feed, Mirror, draw_feed, feeds, show_world, shuffle
from tests.gatekeeping import Scattered

LARGE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def on_random_feeds(count: int = 1000) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes of a statement about a feed (and, if it asks for one, a `pick`) a test of its own and a deep one."""

    def decorate(statement: Callable[..., None]) -> Callable[..., None]:
        drawn = {"feed": feeds(), "pick": st.integers(0, 2**16)}
        asked = {name: drawn[name] for name in statement.__annotations__ if name in drawn}

        @pytest.mark.parametrize(
            "deep", [pytest.param(False, id="default"), pytest.param(True, id="deep", marks=pytest.mark.deep)]
        )
        def test(deep: bool) -> None:
            examples = count if deep else count // 10
            limits = settings(max_examples=examples, deadline=None, suppress_health_check=LARGE)
            limits(given(**asked)(statement))()

        test.__name__ = statement.__name__
        test.__doc__ = statement.__doc__
        return test

    return decorate


# ---------------------------------------------------------------------- looking at plans


def tell(feed: Feed, plan: SyncPlan) -> list[SyncItem]:
    """The items of a plan."""
    return list(Teller.of(feed.catalog, feed.world, plan).tell(plan))


def sound(plan: SyncPlan) -> list[Unit]:
    return [unit for unit in plan.units if unit.is_sound]


def changes_of(plan: SyncPlan) -> list[Change]:
    """All that is to be done, those units left out in whose way something stands."""
    return [step.change for step in plan.steps()]


def faults_of(plan: SyncPlan) -> list[tuple[Unit, DomainError]]:
    return [(unit, error) for unit in plan.units for error in (*unit.conflicts, *unit.faults)]


def let_through(feed: Feed, mode: SyncMode = SyncMode.ATOMIC) -> Weighed | None:
    """What weighing lets be done of the sound units of a feed; None: nothing, for something is refused."""
    plan = feed.plan()
    plan = replace(plan, units=tuple(sound(plan))) if mode is SyncMode.ATOMIC else plan
    weighed = feed.weigh(plan, mode)
    refused = bool(weighed.errors) or (mode is SyncMode.ATOMIC and bool(faults_of(plan)))
    return None if refused else weighed


# ---------------------------------------------------------------------- law 7


@on_random_feeds()
def test_law_7_all_changes_at_once_are_its_items_one_by_one(feed: Feed) -> None:
    changes = changes_of(feed.plan())
    world = feed.world
    for change in changes:
        world = world.changed([change])
    assert show_world(world) == show_world(feed.world.changed(changes))


@on_random_feeds()
def test_law_7_the_plan_after_a_plan_is_empty(feed: Feed) -> None:
    """Of what stood in the way of nothing; and applying twice is once."""
    plan = feed.plan()
    after = feed.world.changed(changes_of(plan))
    again = feed.plan(world=after)
    done = {(unit.noun, unit.subject) for unit in sound(plan)}
    assert [unit for unit in again.units if (unit.noun, unit.subject) in done] == []
    assert [step for unit in sound(again) for step in unit.steps] == []
    if len(sound(plan)) == len(plan.units):
        assert again.units == ()
        entries = (*(feed.desired.users or ()), *(feed.desired.roles or ()), *(feed.desired.teams or ()))
        assert again.unchanged == len({(type(e), getattr(e, "external_id", None) or e.key) for e in entries})  # type: ignore[union-attr]


@on_random_feeds()
def test_a_mirror_asks_for_nothing(feed: Feed) -> None:
    """What a source has, said as a feed, is no change, but for what a feed cannot say."""
    mirror = Mirror(feed.catalog, feed.world)
    desired = Desired(source=SOURCE, users=_placed(mirror.users()), roles=_placed(mirror.roles()))
    for unit in diff(replace(feed, held_down=frozenset()).current(), desired).units:
        for step in unit.steps if unit.is_sound else ():
            assert is_beyond_feeds(feed.world, step.change), step


def is_beyond_feeds(world: World, change: Change) -> bool:
    """Rows that no feed asks for, and records whose archived state it cannot leave."""
    row = change.before
    if isinstance(row, User):
        return row.external_id is None  # the feed says one
    if isinstance(row, Membership):
        return row.supervisor or (row.contract, row.valid_from, row.valid_until) != (None, None, None)
    if isinstance(row, Access):
        return row.contract is None or row.product not in world.contracts[row.contract].products
    if isinstance(row, Grant | Assignment):
        archived = world.roles.get(row.holder) or world.teams.get(row.holder)  # type: ignore[call-overload]
        return change.after is None and archived is not None and archived.archived
    return False


def _placed(entries: list) -> tuple:  # type: ignore[type-arg]
    return tuple(replace(entry, path=(str(number),)) for number, entry in enumerate(entries))


# ---------------------------------------------------------------------- order


@on_random_feeds()
def test_the_order_of_entries_and_items_and_repetition_make_no_difference(feed: Feed, pick: int) -> None:
    plan = feed.plan()
    other = feed.plan(shuffle(feed.desired, pick))
    assert show_items(feed, plan) == show_items(feed, other)
    assert plan.unchanged == other.unchanged
    assert plan.emptied == other.emptied
    assert show_world(feed.world.changed(changes_of(plan))) == show_world(feed.world.changed(changes_of(other)))


@on_random_feeds()
def test_what_partial_lets_through_does_not_hang_on_the_order(feed: Feed, pick: int) -> None:
    plan, other = feed.plan(), feed.plan(shuffle(feed.desired, pick))
    weighed, again = feed.weigh(plan, SyncMode.PARTIAL), feed.weigh(other, SyncMode.PARTIAL)
    assert show_world(feed.world.changed(weighed.changes)) == show_world(feed.world.changed(again.changes))
    assert show_items(feed, plan) == show_items(feed, other)


def show_items(feed: Feed, plan: SyncPlan) -> Counter[tuple[object, ...]]:
    """The items without their positions. Of what is refused the kind alone, and once: which of several values too high
    is named, and which of several positions, hangs on the order."""
    found: Counter[tuple[object, ...]] = Counter()
    for item in tell(feed, plan):
        if item.errors:
            found[item.action, item.subject, item.errors[0].code] = 1
        else:
            found[item.action, item.subject, item.detail] += 1
    return found


# ---------------------------------------------------------------------- sources


@on_random_feeds()
def test_sources_never_end_each_others_rows_nor_what_is_given_by_hand(feed: Feed) -> None:
    desired = replace(feed.desired, take_over=False)
    for step in feed.plan(desired).steps():
        old, new = step.change.before, step.change.after
        assert step.taken_from is None
        if isinstance(old, Row | Role | Team | User):
            assert old.source == SOURCE
        if new is not None:
            assert new.source == SOURCE


@on_random_feeds()
def test_what_is_taken_over_is_said_from_whom_and_stays_the_same_otherwise(feed: Feed) -> None:
    desired = replace(feed.desired, take_over=True)
    plan = feed.plan(desired)
    for unit in sound(plan):
        made = Counter(row_of(step.change.after) for step in unit.steps if isinstance(step.change.after, Row))
        kept = Counter(row_of(row) for row in feed.world.rows_of(unit.holder) if row.source == SOURCE)
        for step in unit.steps:
            old, new = step.change.before, step.change.after
            others = old is not None and not isinstance(old, User | Role | Team) and old.source != SOURCE
            changed_hands = isinstance(old, User | Role | Team) and old.source != SOURCE
            assert step.taken_from == (old.source if others or changed_hands else None)  # type: ignore[union-attr]
            if others:
                assert row_of(old) in made | kept
            if new is not None:
                assert new.source == SOURCE
    after = feed.world.changed(changes_of(plan))
    assert [step for unit in sound(feed.plan(desired, after)) for step in unit.steps] == []


def row_of(row: object) -> tuple[object, ...]:
    """What a row says, but for who says it."""
    assert isinstance(row, Row)
    names = [name for name in row.__dataclass_fields__ if name not in UNSAID]
    return type(row), *(getattr(row, name) for name in names)


UNSAID = {"id", "source", "reason", "actor", "created_at", "revision"}


# ---------------------------------------------------------------------- one of a kind for all


def judge_everybody(feed: Feed, units: list[Unit]) -> list[DomainError]:
    """Rules and guards over the whole world and every single change of it."""
    changes = tuple(change for unit in units for change in unit.changes)
    judgement = Judgement(feed.program, feed.world, changes)
    paths = {change.record.id: (change.record.id,) for change in changes}
    guard = Guard(judgement, feed.authority(), paths)
    needs = list(guard.each_need())
    if needs:
        return needs
    outcome = judge(feed.program, feed.world, Wish(changes=changes, paths=paths), feed.stamp)
    return [
        *guard.errors(),
        *outcome.errors,
        *guard_owners(feed.world, judgement.after, changes, active_owners=feed.active_owners, paths=paths),
    ]


@on_random_feeds(2000)
def test_judging_one_of_a_kind_for_all_is_judging_everybody(feed: Feed) -> None:
    """The same is let through, and what is refused is refused for the same, as often as there are people."""
    plan = feed.plan()
    plan = replace(plan, units=tuple(sound(plan)))
    units = list(plan.units)
    kinds = find_kinds(feed.world, units, feed.caller)
    size_of = {person: len(kind.people) for kind in kinds for person in kind.people}
    weighed = feed.weigh(plan)
    found: Counter[tuple[object, ...]] = Counter()
    for unit, error in faults_of(plan):
        if str(error) == "it builds upon an entry that is refused":
            continue
        reached = isinstance(error, PrerequisiteNotMet | DependentsExist) and unit.noun != "user"
        found[said(error)] += size_of.get(UserId(error.holder or ""), 1) if reached else 1  # type: ignore[union-attr]
    found.update(said(error) for error in weighed.errors)
    expected = Counter(said(error) for error in judge_everybody(feed, units))
    for error in [error for error in expected if error[1].startswith("nobody active would own")]:
        assert found.pop(error) >= 1  # told of every owner who would be suspended
        del expected[error]
    for counted in (found, expected):  # what a role brings beyond the caller is told once of people alike
        counted.update({e: 1 - n for e, n in counted.items() if e[0][0] is ErrorCode.DELEGATION_EXCEEDED})  # type: ignore[index]
    assert found == expected
    assert bool(weighed.changes) is (not expected and bool(units))


def said(error: DomainError) -> tuple[object, str]:
    """What an error says; which of many alike it names the rows of is nothing of it."""
    affected = getattr(error, "affected", None)
    return (error.code, affected), re.sub(r" \(row [^)]*\)", "", str(error))


@on_random_feeds()
def test_a_refusal_is_told_of_whom_it_is_about(feed: Feed) -> None:
    """Where a refusal names a holder, its item is of that holder, or of what the holder includes."""
    plan = feed.plan()
    plan = replace(plan, units=tuple(sound(plan)))
    feed.weigh(plan)
    after = feed.world.changed([change for unit in plan.units for change in unit.changes])
    for unit, error in faults_of(plan):
        if isinstance(error, PrerequisiteNotMet | DependentsExist) and error.holder is not None:
            included = {
                error.holder, *feed.world.included_in(error.holder), *after.included_in(error.holder)
            }  # fmt: skip
            assert unit.holder in included
        assert error.path[:1] == unit.path[:1]
        if unit.path[1:]:
            assert error.path[: len(unit.path)] == unit.path


# ---------------------------------------------------------------------- PARTIAL


@on_random_feeds()
def test_partial_does_the_closed_valid_rest(feed: Feed) -> None:
    plan = feed.plan()
    wanted = list(plan.units)
    weighed = feed.weigh(plan, SyncMode.PARTIAL)
    if weighed.errors:
        assert weighed.changes == ()
        return
    assert list(plan.units) == wanted
    done = Counter(id(change) for change in weighed.changes)
    for unit in plan.units:
        if unit.is_sound:
            assert all(done[id(change)] == 1 for change in unit.changes)
        else:
            assert not any(done[id(change)] for change in unit.changes)
            assert all(error.path for error in (*unit.conflicts, *unit.faults))
    assert_closed(feed, weighed.changes)
    rest = replace(plan, units=tuple(sound(plan)))
    again = feed.weigh(rest)
    assert (faults_of(rest), again.errors) == ([], ())
    assert again.changes == weighed.changes
    assert again.losing == weighed.losing


@on_random_feeds()
def test_what_partial_does_is_what_the_feed_without_the_refused_does(feed: Feed) -> None:
    plan = feed.plan()
    weighed = feed.weigh(plan, SyncMode.PARTIAL)
    if weighed.errors:
        return
    refused = {(unit.noun, unit.subject) for unit in plan.units if not unit.is_sound}
    holders = {unit.holder for unit in plan.units if not unit.is_sound and unit.holder}
    keys = {"users": ("user", "external_id"), "roles": ("role", "key"), "teams": ("team", "key")}
    lists = {}
    spoiled = list(feed.spoiled)
    for name, (noun, key) in keys.items():
        entries = getattr(feed.desired, name)
        if entries is not None:
            lists[name] = tuple(e for e in entries if (noun, getattr(e, key)) not in refused)
            gone = {getattr(e, key): e for e in entries if (noun, getattr(e, key)) in refused}
            spoiled += [
                Spoiled(noun=noun, subject=subject, faults=(FAULT,), path=e.path) for subject, e in gone.items()
            ]
    other = diff(feed.current(), replace(feed.desired, **lists), spoiled)
    other = replace(other, units=tuple(unit for unit in sound(other) if unit.holder not in holders))
    again = feed.weigh(other)
    assert (faults_of(other), again.errors) == ([], ())
    assert show_world(feed.world.changed(again.changes)) == show_world(feed.world.changed(weighed.changes))


FAULT = DomainError("it is left out", path=("left out",))


def assert_closed(feed: Feed, changes: Iterable[Change]) -> None:
    """Everything that changes refer to is there, and nothing includes itself."""
    after = feed.world.changed(changes)
    for change in changes:
        match change.after:
            case Role():
                assert all(
                    not after.roles[parent].archived or parent in _old_parents(change)
                    for parent in change.after.parents
                )
            case Team(parent=parent) if parent is not None:
                assert parent in after.teams
            case Assignment():
                assert change.after.holder in {*after.users, *after.teams}
                assert not after.roles[change.after.role].archived
            case Membership():
                assert change.after.user in after.users
                assert not after.teams[change.after.team].archived
            case Grant():
                assert change.after.holder in after.roles
            case Access():
                assert change.after.contract in after.contracts
    assert after.circular <= feed.world.circular
    assert max(Counter(user.user_name for user in after.users.values()).values()) == 1
    known = Counter(user.external_id for user in after.users.values() if user.external_id is not None)
    assert max(known.values(), default=1) == 1


def _old_parents(change: Change) -> tuple[object, ...]:
    return change.before.parents if isinstance(change.before, Role) else ()


# ---------------------------------------------------------------------- who loses


@on_random_feeds()
def test_those_who_lose_are_those_who_have_less_of_a_permission(feed: Feed) -> None:
    weighed = let_through(feed, SyncMode.PARTIAL)
    if weighed is None:
        return
    after = feed.world.changed(weighed.changes)
    expected, program = set[UserId](), feed.program
    for contract in (None, *feed.world.contracts):
        had, has = (Evaluation(program, world, contract=contract, at=feed.now) for world in (feed.world, after))
        expected |= {user for user in feed.world.users if has_less(user, had, has)}
    assert weighed.losing == expected


def has_less(user: UserId, had: Evaluation, has: Evaluation) -> bool:
    program = had.program
    before, now = (evaluation.effective(Subject(user=user)) for evaluation in (had, has))
    return any(
        permission.polarity is Polarity.PERMISSION
        and not permission.value_type.at_least(program.value(less, number), program.value(more, number))
        for more, less in ((before.certain, now.certain), (before.possible, now.possible))
        for number, permission in enumerate(program.catalog.permissions)
    )


# ---------------------------------------------------------------------- the brake


@on_random_feeds()
def test_the_brake_counts_what_is_taken_away(feed: Feed, pick: int) -> None:
    weighed = let_through(feed, SyncMode.PARTIAL)
    if weighed is None:
        return
    measures = measure(find_managed(feed.world, SOURCE), SOURCE, weighed.changes, weighed.losing)
    counted = count_taken(feed, weighed)
    assert [(one.taken, one.managed) for one in measures] == counted
    share = (pick % 101) / 100
    stops = any(taken > share * managed for taken, managed in counted[:6])
    assert bool(find_alarms(measures, Brake(share=share))) is stops
    most = pick % 7
    rows, (suspended, _), (losing, _) = sum(taken for taken, _ in counted[:4]), counted[4], counted[5]
    assert bool(find_alarms(measures, Brake(max_removals=most))) is (max(rows, suspended, losing) > most)


def count_taken(feed: Feed, weighed: Weighed) -> list[tuple[int, int]]:
    """Of every kind of row, of people suspended, of people who lose: how many, of how many."""
    rows = [row for rows in feed.world.rows.values() for row in rows if row.source == SOURCE]
    ended = [change.before for change in weighed.changes if change.after is None and change.before in rows]
    found = []
    for kind in (Assignment, Membership, Access, Grant):
        found.append((sum(type(row) is kind for row in ended), sum(type(row) is kind for row in rows)))
    people = [user for user in feed.world.users.values() if user.source == SOURCE]
    after = feed.world.changed(weighed.changes)
    suspended = [
        user
        for user in feed.world.users.values()
        if user.status is UserStatus.ACTIVE and after.users[user.id].status is not UserStatus.ACTIVE
    ]
    active = [user for user in people if user.status is UserStatus.ACTIVE]
    found.append((len(suspended), max(len(active), len(suspended))))
    reached = {user.id for user in people} | {r.holder for r in rows if r.holder in feed.world.users} | weighed.losing
    found.append((len(weighed.losing), len(reached)))
    renamed = [
        user
        for user in feed.world.users.values()
        if user.user_name != after.users[user.id].user_name
        or user.external_id not in {None, after.users[user.id].external_id}
    ]
    managed = {user.id for user in people} | {row.holder for row in rows if row.holder in feed.world.users}
    found.append((len(renamed), max(len(managed), len(renamed))))
    return found


@on_random_feeds()
def test_an_empty_list_stops_where_the_source_manages_something_and_nowhere_else(feed: Feed, pick: int) -> None:
    noun = ("users", "roles", "teams")[pick % 3]
    desired = replace(feed.desired, **{noun: ()})
    plan = diff(feed.current(), desired)
    records = getattr(feed.world, noun).values()
    managed = any(
        (record.source == SOURCE and not getattr(record, "archived", False))
        or any(row.source == SOURCE for row in feed.world.rows_of(record.id))
        for record in records
    )
    assert (noun in plan.emptied) is managed


# ---------------------------------------------------------------------- the feeds themselves


def test_random_feeds_are_rich() -> None:
    """What the laws are worth: of what is asked, of every kind, a good share is done and a good share refused."""
    seen: Counter[object] = Counter()
    for seed in range(250):
        feed = draw_feed(Scattered(seed))
        plan = feed.plan()
        kinds = find_kinds(feed.world, sound(plan), feed.caller)
        seen["kinds of several people"] += any(len(kind.people) > 1 for kind in kinds)
        weighed = feed.weigh(plan, SyncMode.PARTIAL)
        seen["whole"] += not faults_of(plan)
        seen["nothing"] += not weighed.changes
        seen["partial"] += bool(faults_of(plan) and weighed.changes)
        seen["losing"] += bool(weighed.losing)
        seen["refused as a whole"] += bool(weighed.errors)
        for unit, error in faults_of(plan):
            seen[error.code] += 1
            seen[unit.noun, type(error)] += 1
        for change in weighed.changes:
            ends = "ends" if change.after is None else "begins" if change.before is None else "changes"
            seen[type(change.record), ends] += 1
        for step in plan.steps():
            seen["taken over", type(step.change.record)] += step.taken_from is not None
    assert seen["whole"] > 50
    assert seen["partial"] > 50
    assert seen["kinds of several people"] > 50
    kinds = [(kind, what) for kind in (Assignment, Membership, Access, Grant) for what in ("begins", "ends")]
    records = [(kind, what) for kind in (User, Role, Team) for what in ("begins", "changes")]
    taken = [("taken over", kind) for kind in (User, Role, Team, Assignment, Membership, Access, Grant)]
    codes = ["CONFLICT", "DUPLICATE", "NOT_FOUND", "NOT_PERMITTED", "PREREQUISITE_NOT_MET", "DEPENDENTS_EXIST",
             "DELEGATION_EXCEEDED", "CYCLE", "LAST_OWNER"]  # fmt: skip
    assert {thing for thing in (*kinds, *records, *taken, *codes, "losing") if seen[thing] < 2} == set()
