"""Law 5 of SEMANTICS section 11 on random worlds and random changes, and what completing a change may do (section 6).

`broken` is section 6 read slowly: which rights fail, of whom and in which contract. By default all tests here together
look at 600 worlds; `-m deep` at 6,000.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from hypothesis import assume

from app.domain.catalog import Polarity
from app.domain.changes import Dependents, MissingPrerequisites, Outcome, Stamp, Wish, judge
from app.domain.compiled import compile_catalog
from app.domain.errors import DependentsExist, PrerequisiteNotMet
from app.domain.holders import (
    Assignment,
    ContractId,
    Grant,
    HolderId,
    Limit,
    Membership,
    Record,
    Role,
    Row,
    Team,
)
from app.domain.world import Change, World
from tests.domain.test_laws import on_random_worlds
from tests.oracle import Oracle, Values, enforced_rules
from tests.worlds import ROLES, TEAMS, USERS, WINDOWS, Case, Choices, draw_value

Failing = tuple[str, str, ContractId | None]


# ---------------------------------------------------------------------- section 6, slowly


def broken(case: Case, world: World, at: datetime) -> set[Failing]:
    """Every (holder, right, contract) whose enforced requirement fails; facts, targets and access levels are met.

    Of a person's right it is asked what the person's own limits leave of it, and what it stands on is looked for above
    them: a limit on the person makes no other right fail.
    """
    found: set[Failing] = set()
    for contract in (None, *world.contracts):
        oracle = Oracle(case.catalog, world, contract=contract, at=at)
        for holder in (*world.roles, *world.teams, *world.users):
            has: Values = {} if oracle.is_archived(holder) else oracle.value(holder)
            stands_on = dict(oracle.held(holder)) if holder in world.users else dict(has)
            for permission in case.catalog.permissions:
                if permission.access_level:
                    stands_on[permission.key] = permission.value_type.top
            settled = oracle.settle(stands_on, lambda atom: True)
            for key, value in has.items():
                for rule in enforced_rules(oracle.permissions[key], value):
                    if not oracle.holds(rule.requirement, settled, lambda atom: True):
                        found.add((holder, key, contract))
    return found


def newly_broken(case: Case, changes: Sequence[Change]) -> set[Failing]:
    """What fails after these changes and did not before, now or when a touched row begins."""
    return {failing for _, failing in newly_broken_then(case, changes)}


def newly_broken_then(case: Case, changes: Sequence[Change], *, ends: bool = False) -> set[tuple[datetime, Failing]]:
    """The same, each with when; with `ends` also what fails when any row begins or ends."""
    rows = [row for change in changes for row in (change.before, change.after) if isinstance(row, Row)]
    before, after = case.world, case.world.changed(changes)
    if ends:
        rows += [row for of_one in after.rows.values() for row in of_one if isinstance(row, Row)]
    moments = {case.at, *(row.valid_from for row in rows), *(row.valid_until for row in rows if ends)}
    found: set[tuple[datetime, Failing]] = set()
    for at in moments:
        if at is not None and at >= case.at:
            found |= {(at, failing) for failing in broken(case, after, at) - broken(case, before, at)}
    return found


# ---------------------------------------------------------------------- random changes


@dataclass(frozen=True)
class Attempt:
    """A change that somebody wishes for, and what came of it."""

    wish: Wish
    outcome: Outcome

    @property
    def added(self) -> tuple[Change, ...]:
        """The changes by which the wish was completed."""
        assert self.outcome.changes[: len(self.wish.changes)] == self.wish.changes
        return self.outcome.changes[len(self.wish.changes) :]


class _Chance(Choices):
    """Choices that hang on one number."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count)


class _Wishing:
    """One random wish: a few rows given or ended, or a role or team put together otherwise."""

    def __init__(self, case: Case, choices: Choices) -> None:
        self.case = case
        self.choices = choices
        self.world = case.world
        self.new = count()
        self.grantable = [p for p in case.catalog.permissions if not p.access_level]

    def stamp(self) -> Stamp:
        return Stamp(actor="somebody", at=self.case.at, new_id=lambda kind: f"new{next(self.new)}")

    def give(self, holder: HolderId) -> Iterator[Change]:
        choices = self.choices
        valid_from, valid_until = choices.pick(WINDOWS)
        row = self.stamp().row(Grant) | {
            "valid_from": valid_from, "valid_until": valid_until,
            "contract": choices.pick((None, None, *self.world.contracts)),
        }  # fmt: skip
        what = choices.below(6)
        if what <= 3 and self.grantable:
            permission = choices.pick(self.grantable)
            if what == 3 and permission.polarity is not Polarity.RESTRICTION:
                value = choices.pick((permission.value_type.bottom, draw_value(choices, permission.value_type)))
                yield Change(None, Limit(**row, holder=holder, node=permission.key, value=value))
            else:
                value = draw_value(choices, permission.value_type)
                yield Change(None, Grant(**row, holder=holder, node=permission.key, value=value))
        elif what == 4 and holder not in ROLES:
            yield Change(None, Assignment(**row, holder=holder, role=choices.pick(ROLES)))
        elif what == 5 and holder in USERS:
            yield Change(None, Membership(**row, user=holder, team=choices.pick(TEAMS)))  # type: ignore[arg-type]

    def end(self, holder: HolderId) -> Iterator[Change]:
        rows = self.world.rows_of(holder)
        kinds: tuple[Record, ...] = (*rows.grants, *rows.limits, *rows.assignments, *rows.memberships)
        for _ in range(1 + self.choices.below(2)):
            if kinds:
                yield Change(self.choices.pick(kinds), None)

    def rebuild(self) -> Iterator[Change]:
        choices = self.choices
        old: Role | Team = choices.pick((*self.world.roles.values(), *self.world.teams.values()))
        if choices.chance(1, 2):
            yield Change(old, replace(old, archived=not old.archived))
        elif isinstance(old, Role):
            earlier = ROLES[: ROLES.index(old.id)]
            yield Change(old, replace(old, parents=tuple(dict.fromkeys(choices.some(earlier, 2)))))
        else:
            yield Change(old, replace(old, parent=choices.pick((None, *TEAMS[: TEAMS.index(old.id)]))))

    def wish(self, on_missing: MissingPrerequisites, on_dependents: Dependents, *, grants_alone: bool = False) -> Wish:
        holder: HolderId = self.choices.pick((*USERS, *ROLES, *TEAMS))
        what = 0 if grants_alone else self.choices.below(5)
        if what == 4:
            changes = list(self.rebuild())
        elif what >= 2:
            changes = list(self.end(holder))
        else:
            changes = [change for _ in range(1 + self.choices.below(2)) for change in self.give(holder)]
        if grants_alone:
            changes = [change for change in changes if isinstance(change.after, Grant)]
        named = {getattr(change.record, "holder", change.record.id) for change in changes}
        return Wish(
            changes=tuple(dict.fromkeys(changes)), asked=frozenset(named), on_missing=on_missing,
            on_dependents=on_dependents,
        )  # fmt: skip


def attempt(
    case: Case,
    pick: int,
    on_missing: MissingPrerequisites = MissingPrerequisites.REJECT,
    on_dependents: Dependents = Dependents.REJECT,
    *,
    grants_alone: bool = False,
) -> Attempt:
    """A wish made out of `pick` and judged. The sources of the world's rows are all `manual`, as the stamp's."""
    wishing = _Wishing(case, _Chance(pick))
    wishes = (wishing.wish(on_missing, on_dependents, grants_alone=grants_alone) for _ in range(9))
    wish = next((wish for wish in wishes if wish.changes), None)
    assume(wish is not None)
    outcome = judge(compile_catalog(case.catalog), case.world, wish, wishing.stamp())
    return Attempt(wish, outcome)


# ---------------------------------------------------------------------- law 5


@on_random_worlds(2000)
def test_law_5_no_accepted_change_newly_breaks_a_requirement(case: Case, pick: int) -> None:
    tried = attempt(
        case, pick, list(MissingPrerequisites)[pick % 2], (Dependents.REJECT, Dependents.CASCADE)[pick % 3 % 2]
    )
    if not tried.outcome.errors:
        assert newly_broken(case, tried.outcome.changes) == set()


@on_random_worlds(1000)
def test_a_change_is_refused_for_what_it_newly_breaks_alone(case: Case, pick: int) -> None:
    tried = attempt(case, pick)
    found = newly_broken(case, tried.outcome.changes)
    assert bool(tried.outcome.errors) is bool(found)
    named = {(holder, key) for holder, key, _ in found}
    for error in tried.outcome.errors:
        match error:
            case PrerequisiteNotMet():
                assert (error.holder, error.node) in named
            case DependentsExist():
                assert {(error.holder, key) for key in error.dependents} <= named
            case _:
                raise AssertionError(error)


@on_random_worlds(1000)
def test_suspending_refuses_only_what_is_newly_given_without_its_needs(case: Case, pick: int) -> None:
    tried = attempt(case, pick, on_dependents=Dependents.SUSPEND)
    assert {type(error) for error in tried.outcome.errors} <= {PrerequisiteNotMet}
    assert tried.added == ()


# ---------------------------------------------------------------------- completing


def is_needed(case: Case, tried: Attempt, added: Change) -> bool:
    """Whether something would be broken without one of the changes, sooner or later, that is not with it."""
    less = [change for change in tried.outcome.changes if change is not added]
    return not newly_broken_then(case, less, ends=True) <= newly_broken_then(case, tried.outcome.changes, ends=True)


@on_random_worlds(1000)
def test_what_is_included_is_needed_and_like_what_was_asked_for(case: Case, pick: int) -> None:
    tried = attempt(case, pick, MissingPrerequisites.INCLUDE, grants_alone=True)
    if tried.outcome.errors:
        return
    asked = [change.after for change in tried.wish.changes]
    for change in tried.added:
        assert change.before is None
        assert any(_is_like(change.after, row) for row in asked)
        assert is_needed(case, tried, change)


@on_random_worlds(1000)
def test_include_is_refused_only_where_nothing_helps_or_there_is_a_choice(case: Case, pick: int) -> None:
    tried = attempt(case, pick, MissingPrerequisites.INCLUDE, grants_alone=True)
    helped = [
        error.holder in tried.wish.asked and len(error.fixes) == 1
        for error in tried.outcome.errors
        if isinstance(error, PrerequisiteNotMet)
    ]
    assert not helped or not all(helped)


def _is_like(row: Record | None, asked: Record | None) -> bool:
    assert isinstance(row, Grant)
    assert isinstance(asked, Grant)
    return replace(asked, id=row.id, node=row.node, value=row.value) == row


@on_random_worlds(1000)
def test_cascading_takes_what_must_go_from_whom_was_asked_about(case: Case, pick: int) -> None:
    tried = attempt(case, pick, on_dependents=Dependents.CASCADE)
    if tried.outcome.errors:
        return
    limited = [change.after for change in tried.added if isinstance(change.after, Limit)]
    for change in tried.added:
        row = change.record
        assert isinstance(row, Grant if change.after is None else Limit)
        assert row.holder in tried.wish.asked
        if any(isinstance(row, Grant) and (limit.holder, limit.node) == (row.holder, row.node) for limit in limited):
            continue  # ended first, as its own row; what arrives by other ways was cut after that
        assert is_needed(case, tried, change)
