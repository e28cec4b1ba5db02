"""What no change may do (SEMANTICS sections 7 and 8), one rule at a time, named for the threats of the research.

`staff` says who is there: `sam` manages, `ann` has nothing, `wim` has more, `olga` and `oscar` own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from app.domain.callers import Right
from app.domain.catalog import Polarity
from app.domain.catalog_building import build_catalog
from app.domain.changes import Dependents, Stamp
from app.domain.compiled import compile_catalog
from app.domain.contracts import AccessLevel, settable_levels
from app.domain.errors import DelegationExceeded, ErrorCode
from app.domain.guards import warn_unmanageable
from app.domain.holders import (
    Ceiling,
    Contract,
    ContractId,
    ContractStatus,
    Grant,
    HolderId,
    Record,
    RoleId,
    RowId,
    StoredFact,
    SubscriberLink,
    TeamId,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.values import Switch, Value
from app.domain.violations import Judgement
from app.domain.wishes.asking import Faults
from app.domain.wishes.contracts import wish_contract, wish_contract_attributes, wish_transfer
from app.domain.wishes.roles import wish_role_copy
from app.domain.world import Change, World
from tests.drafts import alfa, core, permission, subject
from tests.gatekeeping import gateway_system
from tests.staff import (
    AGENTS,
    ANN,
    BOT,
    BOTS,
    C1,
    C2,
    CATALOG,
    CREW,
    DELETE,
    DESK,
    HOLDS,
    LATER,
    MANAGER,
    MODIFY,
    OLGA,
    ON,
    OSCAR,
    PEOPLE,
    PROGRAM,
    SAM,
    SAMS,
    SIDES,
    TOMORROW,
    VIEW,
    WIM,
    Trial,
    assigned,
    contract,
    end,
    every_right,
    grant,
    level,
    limit,
    member,
    new,
    owned,
    person,
    role,
    row,
    team,
    trial,
)  # fmt: skip
from tests.worlds import NOON

GIVING, RAISING, LACKING = ErrorCode.DELEGATION_EXCEEDED, ErrorCode.SELF_ELEVATION, ErrorCode.NOT_PERMITTED


def stamp(now: datetime = NOON) -> Stamp:
    made = iter(range(1000))
    return Stamp(actor="sam", at=now, new_id=lambda kind: f"{kind.__name__.lower()}{next(made)}")


# ---------------------------------------------------------------------- ways in which somebody comes to have a right

Tried = tuple[list[Record], tuple[Change, ...]]  # what is there before, and what is tried
ROLE, OTHER_ROLE = RoleId("role"), RoleId("other role")
TEAM, OTHER_TEAM = TeamId("team"), TeamId("other team")


@dataclass(frozen=True)
class Gift:
    """What somebody is to come to have."""

    who: UserId
    node: str
    value: Value = ON
    contract: ContractId | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def window(self) -> dict[str, datetime | None]:
        return {"valid_from": self.valid_from, "valid_until": self.valid_until}

    def to(self, holder: HolderId) -> Grant:
        """The grant, scoped as asked."""
        return grant(holder, self.node, self.value, self.contract, **self.window)


def by_grant(gift: Gift) -> Tried:
    return [], new(gift.to(gift.who))


def by_grant_to_role(gift: Gift) -> Tried:
    return [role(ROLE), assigned(gift.who, ROLE)], new(gift.to(ROLE))


def by_grant_to_team(gift: Gift) -> Tried:
    return [team(TEAM), member(gift.who, TEAM)], new(gift.to(TEAM))


def by_grant_to_parent_role(gift: Gift) -> Tried:
    return [role(OTHER_ROLE), role(ROLE, OTHER_ROLE), assigned(gift.who, ROLE)], new(gift.to(OTHER_ROLE))


def by_role(gift: Gift) -> Tried:
    there: list[Record] = [role(ROLE), grant(ROLE, gift.node, gift.value)]
    return there, new(assigned(gift.who, ROLE, gift.contract, **gift.window))


def by_role_of_team(gift: Gift) -> Tried:
    there: list[Record] = [role(ROLE), grant(ROLE, gift.node, gift.value), team(TEAM), member(gift.who, TEAM)]
    return there, new(assigned(TEAM, ROLE, gift.contract, **gift.window))


def by_joining(gift: Gift) -> Tried:
    there: list[Record] = [team(TEAM), grant(TEAM, gift.node, gift.value)]
    return there, new(member(gift.who, TEAM, gift.contract, **gift.window))


def by_joining_below(gift: Gift) -> Tried:
    there: list[Record] = [team(OTHER_TEAM), team(TEAM, OTHER_TEAM), grant(OTHER_TEAM, gift.node, gift.value)]
    return there, new(member(gift.who, TEAM, gift.contract, **gift.window))


def by_parent_role(gift: Gift) -> Tried:
    there = [role(ROLE), assigned(gift.who, ROLE), role(OTHER_ROLE), gift.to(OTHER_ROLE)]
    return there, (Change(role(ROLE), role(ROLE, OTHER_ROLE)),)


def by_parent_team(gift: Gift) -> Tried:
    there = [team(TEAM), member(gift.who, TEAM), team(OTHER_TEAM), gift.to(OTHER_TEAM)]
    return there, (Change(team(TEAM), team(TEAM, OTHER_TEAM)),)


def by_lifting(gift: Gift) -> Tried:
    barrier = limit(gift.who, gift.node, None, gift.contract)
    return [gift.to(gift.who), barrier], end(barrier)


def by_lifting_from_role(gift: Gift) -> Tried:
    barrier = limit(ROLE, gift.node, None, gift.contract)
    return [role(ROLE), assigned(gift.who, ROLE), gift.to(ROLE), barrier], end(barrier)


def by_lifting_from_team(gift: Gift) -> Tried:
    barrier = limit(TEAM, gift.node, None, gift.contract)
    return [team(TEAM), member(gift.who, TEAM), gift.to(TEAM), barrier], end(barrier)


def by_unarchiving_role(gift: Gift) -> Tried:
    there = [role(ROLE, archived=True), assigned(gift.who, ROLE), gift.to(ROLE)]
    return there, (Change(role(ROLE, archived=True), role(ROLE)),)


def by_unarchiving_team(gift: Gift) -> Tried:
    there = [team(TEAM, archived=True), member(gift.who, TEAM), gift.to(TEAM)]
    return there, (Change(team(TEAM, archived=True), team(TEAM)),)


def by_new_role(gift: Gift) -> Tried:
    return [], new(role(ROLE), gift.to(ROLE), assigned(gift.who, ROLE))


def by_new_role_below(gift: Gift) -> Tried:
    return [role(OTHER_ROLE), gift.to(OTHER_ROLE)], new(role(ROLE, OTHER_ROLE))


def by_new_team_below(gift: Gift) -> Tried:
    return [team(OTHER_TEAM), gift.to(OTHER_TEAM)], new(team(TEAM, OTHER_TEAM))


def by_cloning(gift: Gift) -> Tried:
    there = [role(OTHER_ROLE), gift.to(OTHER_ROLE)]
    world = World.of([*PEOPLE, *there])
    copy = wish_role_copy(world, OTHER_ROLE, "copy", None, stamp(), faults=Faults()).changes
    return there, copy


WAYS: tuple[Callable[[Gift], Tried], ...] = (
    by_grant, by_grant_to_role, by_grant_to_team, by_grant_to_parent_role, by_role, by_role_of_team, by_joining,
    by_joining_below, by_parent_role, by_parent_team, by_lifting, by_lifting_from_role, by_lifting_from_team,
    by_unarchiving_role, by_unarchiving_team, by_new_role, by_new_role_below, by_new_team_below, by_cloning,
)  # fmt: skip
SCOPED_WAYS = (
    by_grant, by_grant_to_role, by_grant_to_team, by_role, by_role_of_team, by_lifting, by_lifting_from_role,
    by_lifting_from_team,
)  # fmt: skip
TIMED_WAYS = (
    by_grant, by_grant_to_role, by_grant_to_team, by_grant_to_parent_role, by_role, by_role_of_team, by_joining,
    by_joining_below,
)  # fmt: skip


def each(ways: Iterable[Callable[..., object]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", [pytest.param(way, id=way.__name__) for way in ways])


def attempt(way: Callable[[Gift], Tried], gift: Gift, *more: Record, base: tuple[Record, ...] = MANAGER) -> set[str]:
    there, changes = way(gift)
    return {str(code) for code in Trial((*base, *more, *there)).codes(*changes)}


@each(WAYS)
def test_a4_what_one_holds_is_given_by_every_way(way: Callable[[Gift], Tried]) -> None:
    assert attempt(way, Gift(ANN, "alfa.plain")) == set()
    assert attempt(way, Gift(ANN, "alfa.level", MODIFY)) == set()


@each(WAYS)
def test_a1_a4_nobody_gives_what_they_do_not_hold_by_any_way(way: Callable[[Gift], Tried]) -> None:
    assert attempt(way, Gift(ANN, "alfa.wide")) == {GIVING}


@each(WAYS)
def test_a1_a4_nobody_gives_more_of_a_right_than_they_hold_by_any_way(way: Callable[[Gift], Tried]) -> None:
    assert attempt(way, Gift(ANN, "alfa.level", DELETE)) == {GIVING}


@each(way for way in WAYS if way not in (by_lifting, by_lifting_from_role, by_lifting_from_team))
def test_a1_a4_what_comes_along_is_given_too_by_any_way(way: Callable[[Gift], Tried]) -> None:
    narrowed = (grant(SAM, "alfa.giver"), limit(SAM, "alfa.implied"))
    assert attempt(way, Gift(ANN, "alfa.giver"), *narrowed) == {GIVING}
    assert attempt(way, Gift(ANN, "alfa.giver"), narrowed[0]) == set()


@each(way for way in WAYS if way not in (by_new_role_below, by_new_team_below, by_cloning))
def test_a3_a4_nobody_raises_themselves_by_any_way(way: Callable[[Gift], Tried]) -> None:
    codes = attempt(way, Gift(SAM, "alfa.wide"))
    assert codes
    assert codes <= {GIVING, RAISING}
    assert RAISING in codes


@each(WAYS)
def test_a4_a_right_of_the_gateway_is_given_like_any_other(way: Callable[[Gift], Tried]) -> None:
    lacking = tuple(r for r in MANAGER if not (isinstance(r, Grant) and r.node == Right.REGISTER_CONTRACTS))
    assert attempt(way, Gift(ANN, Right.REGISTER_CONTRACTS), base=lacking) == {GIVING}
    assert attempt(way, Gift(ANN, Right.VIEW_USERS), base=lacking) == set()


@each(SCOPED_WAYS)
def test_a_right_held_in_one_contract_does_not_reach_into_another(way: Callable[[Gift], Tried]) -> None:
    inside = (
        *PEOPLE, *every_right(SAM), level(SAM, AccessLevel.USER), level(SAM, AccessLevel.USER, "core", C2),
        grant(SAM, "alfa.plain", ON, C1),
    )  # fmt: skip
    assert attempt(way, Gift(ANN, "alfa.plain", contract=C1), base=inside) == set()
    assert attempt(way, Gift(ANN, "alfa.plain", contract=C2), base=inside) == {GIVING}
    assert attempt(way, Gift(ANN, "alfa.plain"), base=inside) == {GIVING}


@each(SCOPED_WAYS)
def test_a_gateway_right_held_in_one_contract_reaches_only_its_rows(way: Callable[[Gift], Tried]) -> None:
    inside = (*PEOPLE, *every_right(SAM, C1), *HOLDS, level(SAM, AccessLevel.USER))
    assert attempt(way, Gift(ANN, "alfa.plain", contract=C1), base=inside) == set()
    assert attempt(way, Gift(ANN, "alfa.plain", contract=C2), base=inside) == {LACKING}
    assert attempt(way, Gift(ANN, "alfa.plain"), base=inside) == {LACKING}


@each(TIMED_WAYS)
def test_a_gift_does_not_outlast_its_giver(way: Callable[[Gift], Tried]) -> None:
    until = (*PEOPLE, *every_right(SAM), grant(SAM, "alfa.plain", valid_until=LATER))
    assert attempt(way, Gift(ANN, "alfa.plain"), base=until) == {GIVING}
    assert attempt(way, Gift(ANN, "alfa.plain", valid_until=LATER + timedelta(1)), base=until) == {GIVING}
    assert attempt(way, Gift(ANN, "alfa.plain", valid_until=LATER), base=until) == set()
    assert attempt(way, Gift(ANN, "alfa.plain", valid_from=LATER), base=until) == {GIVING}


@each(TIMED_WAYS)
def test_a_gift_does_not_begin_before_its_giver(way: Callable[[Gift], Tried]) -> None:
    later = (*PEOPLE, *every_right(SAM), grant(SAM, "alfa.plain", valid_from=TOMORROW))
    assert attempt(way, Gift(ANN, "alfa.plain"), base=later) == {GIVING}
    assert attempt(way, Gift(ANN, "alfa.plain", valid_from=TOMORROW), base=later) == set()


@each((by_parent_role, by_parent_team, by_lifting, by_unarchiving_role, by_unarchiving_team, by_new_role_below))
def test_ways_without_a_window_give_for_ever(way: Callable[[Gift], Tried]) -> None:
    until = (*PEOPLE, *every_right(SAM), grant(SAM, "alfa.plain", valid_until=LATER))
    assert attempt(way, Gift(ANN, "alfa.plain"), base=until) == {GIVING}
    assert attempt(way, Gift(ANN, "alfa.plain", valid_until=LATER), base=until) == set()


@each(WAYS)
def test_an_account_owner_gives_anything(way: Callable[[Gift], Tried]) -> None:
    there, changes = way(Gift(ANN, "alfa.wide"))
    assert Trial((*PEOPLE, *there), caller=OLGA).errors(*changes) == []


@each(WAYS)
def test_without_the_right_of_the_gateway_nothing_else_is_told(way: Callable[[Gift], Tried]) -> None:
    there, changes = way(Gift(ANN, "alfa.wide"))
    assert Trial((*PEOPLE, *there)).codes(*changes) == {LACKING}


@each(SCOPED_WAYS)
def test_a_contract_owner_gives_anything_in_their_contract_alone(way: Callable[[Gift], Tried]) -> None:
    for where, expected in ((C1, set()), (C2, {LACKING}), (None, {LACKING})):
        there, changes = way(Gift(ANN, "alfa.wide", contract=where))
        assert Trial((*PEOPLE, *there), caller=OSCAR).codes(*changes) == expected, where


# ---------------------------------------------------------------------- a1: hidden, suspended, conditional


def test_a1_a_limit_in_a_contract_narrows_what_is_given_everywhere() -> None:
    ways = (limit(SAM, "alfa.plain", None, C1), limit(SAMS, "alfa.plain", None, C1))
    through_role = (*PEOPLE, *every_right(SAM), grant(SAMS, "alfa.plain"))
    for narrowed in (trial(ways[0]), Trial((*through_role, ways[1])), Trial((*through_role, ways[0]))):
        assert narrowed.codes(*new(grant(ANN, "alfa.plain", ON, C2))) == set()
        assert narrowed.codes(*new(grant(ANN, "alfa.plain", ON, C1))) == {GIVING}
        assert narrowed.codes(*new(grant(ANN, "alfa.plain"))) == {GIVING}


def test_a1_a_grant_hidden_today_by_a_limit_that_ends_is_a_grant() -> None:
    for barrier in (limit(ANN, "alfa.wide", valid_until=TOMORROW), limit(ANN, "alfa.wide")):
        assert trial(barrier).codes(*new(grant(ANN, "alfa.wide"))) == {GIVING}
        hidden = trial(barrier, role(ROLE), grant(ROLE, "alfa.wide"))
        assert hidden.codes(*new(assigned(ANN, ROLE))) == {GIVING}


def test_a1_a_role_hidden_today_by_a_limit_of_its_own_is_given_as_it_will_be() -> None:
    hidden = trial(role(ROLE), grant(ROLE, "alfa.wide"), limit(ROLE, "alfa.wide", valid_until=TOMORROW))
    assert hidden.codes(*new(assigned(ANN, ROLE))) == {GIVING}
    assert hidden.codes(*new(assigned(ANN, ROLE, valid_until=TOMORROW))) == set()


def test_a1_the_same_change_does_not_hide_what_it_gives() -> None:
    assert trial().codes(*new(grant(ANN, "alfa.wide"), limit(ANN, "alfa.wide"))) == {GIVING}
    assert trial().codes(*new(role(ROLE), grant(ROLE, "alfa.wide"), limit(ROLE, "alfa.wide"))) == {GIVING}


def test_a1_what_comes_along_counts_where_it_was_cut_off_on_the_way() -> None:
    """`agents` has the implied right already, the role below it is kept from it: there it would come back."""
    below = (role(ROLE, AGENTS), limit(ROLE, "alfa.implied"), role(OTHER_ROLE, ROLE), assigned(ANN, OTHER_ROLE))
    narrowed = (grant(SAM, "alfa.giver"), limit(SAM, "alfa.implied"), grant(AGENTS, "alfa.implied"))
    hidden = grant(AGENTS, "alfa.giver")
    barrier = limit(AGENTS, "alfa.giver")
    # The holder gains the giver alone, so its own values tell nothing of what arrives further on.
    assert trial(*narrowed, *below, hidden, barrier).codes(*end(barrier)) == {GIVING}
    assert trial(*narrowed, hidden, barrier).codes(*end(barrier)) == set()


def test_a1_what_comes_along_counts_though_the_holder_is_kept_from_it() -> None:
    narrowed = (grant(SAM, "alfa.giver"), limit(SAM, "alfa.implied"))
    barrier = limit(ROLE, "alfa.giver")
    there = (role(ROLE), grant(ROLE, "alfa.giver"), limit(ROLE, "alfa.implied"), barrier, assigned(ANN, ROLE))
    assert trial(*narrowed, *there).codes(*end(barrier)) == {GIVING}
    assert trial(narrowed[0], *there).codes(*end(barrier)) == set()


def test_a1_what_a_holder_will_include_is_given_by_lifting_today() -> None:
    barrier = limit(ANN, "alfa.wide")
    coming = (role(ROLE), grant(ROLE, "alfa.wide", valid_from=TOMORROW))
    assert trial(*coming, barrier, assigned(ANN, ROLE)).codes(*end(barrier)) == {GIVING}
    assert trial(*coming, barrier).codes(*new(assigned(ANN, ROLE))) == {GIVING}
    assert trial(*coming, barrier).codes(*new(assigned(ANN, ROLE, valid_until=TOMORROW))) == set()


def test_a1_a_parent_is_judged_by_itself() -> None:
    roles = trial(role(ROLE), limit(ROLE, "alfa.wide"), role(OTHER_ROLE), grant(OTHER_ROLE, "alfa.wide"))
    assert roles.codes(Change(role(ROLE), role(ROLE, OTHER_ROLE))) == {GIVING}
    teams = trial(team(TEAM), limit(TEAM, "alfa.wide"), team(OTHER_TEAM), grant(OTHER_TEAM, "alfa.wide"))
    assert teams.codes(Change(team(TEAM), team(TEAM, OTHER_TEAM))) == {GIVING}


def test_what_the_holder_has_already_need_not_be_held_by_the_giver() -> None:
    left, right = SIDES.down({"left"}), SIDES.down({"right"})
    there = trial(grant(SAM, "alfa.sides", right), grant(AGENTS, "alfa.sides", left))
    assert there.codes(*new(grant(AGENTS, "alfa.sides", right))) == {LACKING}  # but whom one touches may have no more
    whole = trial(grant(SAM, "alfa.sides", right), grant(ROLE, "alfa.sides", left), role(ROLE), assigned(SAM, ROLE))
    assert whole.codes(*new(grant(ROLE, "alfa.sides", right))) == set()


def test_a1_a_suspended_right_is_not_held() -> None:
    assert trial(grant(SAM, "alfa.above")).codes(*new(grant(ANN, "alfa.above"))) == {GIVING}
    whole = trial(grant(SAM, "alfa.above"), grant(SAM, "alfa.below"))
    assert whole.codes(*new(grant(ANN, "alfa.above"))) == set()
    narrowed = trial(grant(SAM, "alfa.above"), grant(SAM, "alfa.below"), limit(SAM, "alfa.below", None, C1))
    assert narrowed.codes(*new(grant(ANN, "alfa.above", ON, C2))) == set()
    assert narrowed.codes(*new(grant(ANN, "alfa.above", ON, C1))) == {GIVING}


def test_waking_a_suspended_right_is_not_giving_it() -> None:
    """It was given before, by somebody who could."""
    asleep = trial(grant(ANN, "alfa.above"), grant(SAM, "alfa.below"))
    assert asleep.codes(*new(grant(ANN, "alfa.below"))) == set()


def test_rights_that_hang_on_others_or_on_facts_are_held() -> None:
    """As wherever changes are judged, facts and targets count as met: not even an owner could give these otherwise."""
    for node in ("alfa.listen", "alfa.charge"):
        assert trial(grant(SAM, node)).codes(*new(grant(ANN, node))) == set()
        assert Trial(PEOPLE, caller=OSCAR).codes(*new(grant(ANN, node, ON, C1))) == set()


def test_settings_are_given_by_whoever_manages_the_holder() -> None:
    assert trial().codes(*new(grant(ANN, "alfa.mode"))) == set()
    assert trial().codes(*new(grant(SAMS, "alfa.tone"))) == set()


def test_a3_nobody_gives_themselves_a_setting_on_which_a_right_stands() -> None:
    asleep = trial(grant(SAM, "alfa.in_mode"))
    for change in (*new(grant(SAM, "alfa.mode")), *new(grant(SAMS, "alfa.mode")), *new(grant(CREW, "alfa.mode"))):
        assert asleep.codes(change) == {RAISING}
    assert asleep.codes(*new(grant(SAM, "alfa.tone"))) == set()
    # What one has already one may give oneself again.
    assert trial(grant(SAM, "alfa.mode")).codes(*new(grant(SAM, "alfa.mode", ON, C1))) == set()
    ending = trial(grant(SAM, "alfa.mode", valid_until=TOMORROW))
    assert ending.codes(*new(grant(SAM, "alfa.mode"))) == {RAISING}


# ---------------------------------------------------------------------- a2


def test_a2_nobody_touches_a_holder_with_rights_of_the_gateway_that_they_lack() -> None:
    clerk = (*PEOPLE, grant(SAM, Right.VIEW_USERS), grant(SAM, Right.MANAGE_USERS), grant(WIM, Right.VIEW_ROLES))
    for record in (person(WIM), person(OLGA, is_owner=True), person(OSCAR)):
        for changed in (replace(record, display_name="x"), replace(record, status=UserStatus.SUSPENDED)):
            assert Trial(clerk).codes(Change(record, changed)) == {LACKING}, changed
    assert Trial(clerk).codes(Change(person(ANN), replace(person(ANN), status=UserStatus.SUSPENDED))) == set()


def test_a2_nor_one_who_will_have_them() -> None:
    clerk = (*PEOPLE, grant(SAM, Right.VIEW_USERS), grant(SAM, Right.MANAGE_USERS))
    rename = Change(person(ANN), replace(person(ANN), display_name="x"))
    assert Trial((*clerk, grant(ANN, Right.VIEW_ROLES, valid_from=TOMORROW))).codes(rename) == {LACKING}
    assert Trial((*clerk, grant(ANN, Right.VIEW_ROLES, valid_until=NOON))).codes(rename) == set()


def test_a2_nor_an_owner_who_is_not_active() -> None:
    clerk = (*PEOPLE, grant(SAM, Right.VIEW_USERS), grant(SAM, Right.MANAGE_USERS))
    for asleep in (person(OLGA, is_owner=True, status=UserStatus.SUSPENDED),
                   person(OSCAR, status=UserStatus.ARCHIVED)):  # fmt: skip
        assert Trial((*clerk, asleep)).codes(Change(asleep, replace(asleep, email="x@y.z"))) == {LACKING}


def test_a2_nobody_takes_from_somebody_who_has_more_of_it() -> None:
    for taken in (grant(WIM, "alfa.level", DELETE), grant(WIM, "alfa.wide")):
        assert trial().codes(*end(taken)) == {LACKING}
    assert trial().codes(*new(limit(WIM, "alfa.wide"))) == {LACKING}
    assert trial().codes(*new(limit(WIM, "alfa.plain"))) == set()
    assert trial(grant(ANN, "alfa.level", MODIFY)).codes(*end(grant(ANN, "alfa.level", MODIFY))) == set()


def test_a2_nor_what_somebody_will_have() -> None:
    coming = grant(ANN, "alfa.wide", valid_from=TOMORROW)
    assert trial(coming).codes(*end(coming)) == {LACKING}
    held = grant(ANN, "alfa.plain", valid_from=TOMORROW)
    until = (*PEOPLE, *every_right(SAM), grant(SAM, "alfa.plain", valid_until=TOMORROW), held)
    assert Trial(until).codes(*end(held)) == set()


def test_a2_facts_and_links_of_a_person_touch_the_person() -> None:
    clerk = Trial((*PEOPLE, grant(SAM, Right.SET_FACTS), level(SAM, AccessLevel.ADMINISTRATOR)))
    for user, expected in ((ANN, set()), (OSCAR, {LACKING})):
        fact_row = StoredFact(name="score", text="1", user=user, **row("score", C1))  # type: ignore[arg-type]
        link = SubscriberLink(user=user, subscriber="100", **row("link", C1))  # type: ignore[arg-type]
        assert clerk.codes(*new(fact_row)) == expected
        assert clerk.codes(*new(link)) == expected


def test_a2_a_name_by_which_callers_are_known_is_as_good_as_a_token() -> None:
    for changed in (replace(person(WIM), external_id="x"), replace(person(WIM), user_name="x")):
        assert trial().codes(Change(person(WIM), changed)) == {RAISING}
    assert trial().codes(Change(person(ANN), replace(person(ANN), external_id="x"))) == set()
    assert trial().codes(Change(person(SAM), replace(person(SAM), user_name="x"))) == set()


# ---------------------------------------------------------------------- a3: oneself


@pytest.mark.parametrize(
    "made",
    [
        member(SAM, DESK),
        SubscriberLink(user=SAM, subscriber="100", **row("link", C1)),  # type: ignore[arg-type]
        StoredFact(name="score", text="1", user=SAM, **row("score")),  # type: ignore[arg-type]
        contract(ContractId("c3"), SAM),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a3_nobody_does_to_themselves_what_raises(made: Record) -> None:
    assert trial().codes(*new(made)) == {RAISING}
    other = replace(made, **{"owner" if isinstance(made, Contract) else "user": ANN})  # type: ignore[arg-type]
    assert trial().codes(*new(other)) == set()


def test_a3_nor_takes_back_a_fact_of_themselves() -> None:
    stored = StoredFact(name="score", text="1", user=SAM, **row("score"))  # type: ignore[arg-type]
    assert trial(stored).codes(*end(stored)) == {RAISING}


def test_a3_what_changes_nothing_for_oneself_may_be_done() -> None:
    assert trial().codes(*new(grant(SAM, "alfa.plain", ON, C1), grant(SAMS, "alfa.plain"))) == set()
    assert trial().codes(*end(grant(SAM, "alfa.plain"))) == set()
    assert trial().codes(*new(limit(SAM, "alfa.plain"))) == set()
    assert trial().codes(*end(member(SAM, CREW))) == set()


def test_a3_a_role_one_will_be_in_is_a_role_one_is_in() -> None:
    coming = trial(role(ROLE), assigned(SAM, ROLE, valid_from=TOMORROW))
    assert RAISING in coming.codes(*new(grant(ROLE, "alfa.wide")))


# ---------------------------------------------------------------------- restrictions: the order turns

BOUND = "alfa.bound"


def by_ending_grant(who: UserId) -> Tried:
    return [grant(who, BOUND)], end(grant(who, BOUND))


def by_ending_grant_of_role(who: UserId) -> Tried:
    return [role(ROLE), assigned(who, ROLE), grant(ROLE, BOUND)], end(grant(ROLE, BOUND))


def by_unassigning(who: UserId) -> Tried:
    return [role(ROLE), assigned(who, ROLE), grant(ROLE, BOUND)], end(assigned(who, ROLE))


def by_leaving(who: UserId) -> Tried:
    return [team(TEAM), member(who, TEAM), grant(TEAM, BOUND)], end(member(who, TEAM))


def by_unassigning_from_team(who: UserId) -> Tried:
    there = [team(TEAM), member(who, TEAM), role(ROLE), grant(ROLE, BOUND), assigned(TEAM, ROLE)]
    return there, end(assigned(TEAM, ROLE))


def by_archiving_role(who: UserId) -> Tried:
    there = [role(ROLE), assigned(who, ROLE), grant(ROLE, BOUND)]
    return there, (Change(role(ROLE), role(ROLE, archived=True)),)


def by_archiving_team(who: UserId) -> Tried:
    there = [team(TEAM), member(who, TEAM), grant(TEAM, BOUND)]
    return there, (Change(team(TEAM), team(TEAM, archived=True)),)


def by_losing_parent_role(who: UserId) -> Tried:
    there = [role(OTHER_ROLE), role(ROLE, OTHER_ROLE), assigned(who, ROLE), grant(OTHER_ROLE, BOUND)]
    return there, (Change(role(ROLE, OTHER_ROLE), role(ROLE)),)


def by_losing_parent_team(who: UserId) -> Tried:
    there = [team(OTHER_TEAM), team(TEAM, OTHER_TEAM), member(who, TEAM), grant(OTHER_TEAM, BOUND)]
    return there, (Change(team(TEAM, OTHER_TEAM), team(TEAM)),)


LIFTS = (
    by_ending_grant, by_ending_grant_of_role, by_unassigning, by_leaving, by_unassigning_from_team, by_archiving_role,
    by_archiving_team, by_losing_parent_role, by_losing_parent_team,
)  # fmt: skip


@each(LIFTS)
def test_a4_a_restriction_is_lifted_by_whom_it_does_not_bind(way: Callable[[UserId], Tried]) -> None:
    there, changes = way(ANN)
    assert trial(*there).codes(*changes) == set()
    assert trial(*there, grant(SAM, BOUND)).codes(*changes) == {GIVING}
    assert trial(*there, grant(SAM, BOUND, valid_from=TOMORROW)).codes(*changes) == {GIVING}
    assert trial(*there, grant(SAM, BOUND, valid_until=NOON)).codes(*changes) == set()
    assert trial(*there, grant(SAM, BOUND, ON, C1)).codes(*changes) == {GIVING}


@each(LIFTS)
def test_a3_a4_nobody_lifts_a_restriction_from_themselves(way: Callable[[UserId], Tried]) -> None:
    there, changes = way(SAM)
    codes = trial(*there).codes(*changes)
    assert RAISING in codes
    assert codes <= {GIVING, RAISING}


def test_restrictions_are_imposed_by_whoever_manages_the_holder() -> None:
    for holder in (ANN, WIM, AGENTS, DESK, SAM, SAMS):
        assert trial().codes(*new(grant(holder, BOUND))) == set()
        assert trial(grant(SAM, BOUND)).codes(*new(grant(holder, BOUND))) == set()


def test_a_contract_owner_is_free_of_restrictions_in_the_contract_and_lifts_them_there() -> None:
    scoped = grant(ANN, BOUND, ON, C1)
    assert Trial((*PEOPLE, scoped, grant(OSCAR, BOUND)), caller=OSCAR).codes(*end(scoped)) == set()


@dataclass(frozen=True)
class Levelled(Trial):
    """A trial in which `alfa.tied` restricts whoever has `alfa.inside`, which takes a level in Telephony.

    So does the setting `alfa.tuned`, on which a right stands.
    """

    def judgement(self, changes: Iterable[Change]) -> Judgement:
        drafts = (
            permission("alfa.inside", None, subject("core.access.tel")),
            permission("alfa.tied", None, subject("alfa.inside"), polarity=Polarity.RESTRICTION),
            permission("alfa.tuned", None, subject("alfa.inside"), polarity=Polarity.SETTING),
            permission("alfa.in_tune", None, subject("alfa.tuned")),
        )
        catalog = build_catalog([core("core", "tel"), alfa(*drafts), gateway_system()], digest="levelled")
        return Judgement(compile_catalog(catalog), self.world, changes)


def test_a4_whom_a_restriction_binds_in_one_contract_by_their_level_there_lifts_it_from_nobody_everywhere() -> None:
    tied = [grant(who, "alfa.tied") for who in (SAM, ANN)]
    there = (*PEOPLE, *every_right(SAM), grant(SAM, "alfa.inside"), *tied)
    assert Levelled(there).codes(*end(tied[1])) == set()
    assert Levelled((*there, level(SAM, USER, "tel"))).codes(*end(tied[1])) == {GIVING}
    assert Levelled((*there, level(SAM, USER, "core"))).codes(*end(tied[1])) == set()


def test_a_setting_that_one_has_may_one_give_oneself_again_though_it_is_suspended() -> None:
    again = new(grant(SAM, "alfa.tuned"))
    there = (*PEOPLE, *every_right(SAM))
    assert Levelled(there).codes(*again) == {RAISING}
    assert Levelled((*there, grant(SAMS, "alfa.tuned"))).codes(*again) == set()
    assert Levelled((*there, grant(SAMS, "alfa.tuned"), replace(limit(SAM, "alfa.mode"), node="alfa.tuned"))).codes(
        *again
    ) == {RAISING}
    brief = grant(SAMS, "alfa.tuned", valid_until=TOMORROW)
    assert Levelled((*there, brief)).codes(*again) == {RAISING}


# ---------------------------------------------------------------------- a4: people, tokens, ceilings


def test_a4_making_somebody_active_again_gives_them_all_they_have() -> None:
    for gift, expected in (("alfa.plain", set()), ("alfa.wide", {GIVING}), ("alfa.above", {GIVING})):
        for status in (UserStatus.SUSPENDED, UserStatus.ARCHIVED):
            asleep = person(ANN, status=status)
            waking = trial(asleep, role(ROLE), grant(ROLE, gift), assigned(ANN, ROLE))
            assert waking.codes(Change(asleep, person(ANN))) == expected, gift


def test_a4_nor_is_an_owner_made_active_again_by_less_than_an_owner() -> None:
    asleep = person(OLGA, is_owner=True, status=UserStatus.SUSPENDED)
    assert GIVING in trial(asleep).codes(Change(asleep, person(OLGA, is_owner=True)))
    asleep = person(OSCAR, status=UserStatus.SUSPENDED)
    assert trial(asleep).codes(Change(asleep, person(OSCAR))) == {GIVING}


def test_a4_ownership_of_the_account_is_given_and_taken_by_owners_alone() -> None:
    owner = person(ANN, is_owner=True)
    assert trial().codes(Change(person(ANN), owner)) == {LACKING}
    assert trial().codes(*new(person(UserId("new"), is_owner=True))) == {LACKING}
    assert trial(owner).codes(Change(owner, person(ANN))) == {LACKING}
    assert trial(caller=OLGA).codes(Change(person(ANN), owner)) == set()


def test_a4_no_machine_becomes_a_person() -> None:
    machine = person(BOT, kind=UserKind.SERVICE, ceiling=Ceiling(roles=frozenset({BOTS})))
    assert trial().codes(Change(machine, person(BOT))) == {LACKING}


def test_a4_a_token_of_a_wider_account_is_not_had() -> None:
    assert trial().token(ANN) == []
    assert trial().token(SAM) == []
    for wider in (WIM, OLGA, OSCAR):
        assert trial().token(wider) == [RAISING], wider
    assert trial(grant(ANN, "alfa.plain"), grant(ANN, "alfa.level", MODIFY)).token(ANN) == []
    assert Trial(PEOPLE, caller=OLGA).token(WIM) == []


@pytest.mark.parametrize(
    "more",
    [
        [grant(ANN, "alfa.level", DELETE)],
        [grant(ANN, "alfa.wide", ON, C1)],
        [grant(ANN, "alfa.wide", valid_from=TOMORROW)],
        [grant(ANN, "alfa.above")],
        [level(ANN, AccessLevel.USER)],
        [person(ANN, status=UserStatus.SUSPENDED), grant(ANN, "alfa.wide")],
        [person(ANN, is_owner=True, status=UserStatus.SUSPENDED)],
        [grant(ANN, "alfa.plain"), limit(SAM, "alfa.plain", None, C1)],
    ],
    ids=["higher", "in a contract", "tomorrow", "suspended", "a level", "asleep", "an owner asleep", "limited"],
)
def test_a4_wide_is_whoever_has_more_anywhere_at_any_time(more: list[Record]) -> None:
    assert trial(*more).token(ANN) == [RAISING]


def test_a4_a_token_needs_its_right_everywhere() -> None:
    assert Trial((*PEOPLE, *HOLDS)).token(ANN) == [LACKING]
    inside = (*PEOPLE, grant(SAM, Right.MANAGE_TOKENS, ON, C1), level(SAM, AccessLevel.USER))
    assert Trial(inside).token(ANN) == [LACKING]


def test_a4_a_token_opens_what_a_fact_opens_to_its_bearer() -> None:
    scored = StoredFact(name="score", text="1", user=ANN, **row("score"))  # type: ignore[arg-type]
    rights = (grant(SAM, "alfa.scored"), grant(ANN, "alfa.scored"))
    assert trial(*rights).token(ANN) == []
    assert trial(*rights, scored).token(ANN) == [RAISING]
    mine = replace(scored, id=RowId("mine"), user=SAM)
    assert trial(*rights, scored, mine).token(ANN) == []


def test_a4_a_machine_has_no_token_beyond_its_ceiling() -> None:
    machine = (*PEOPLE, *every_right(BOT), grant(BOT, "alfa.plain"), grant(ANN, "alfa.plain"))
    assert Trial(machine, caller=BOT).token(ANN) == [RAISING]
    assert Trial((*machine, grant(BOTS, "alfa.plain")), caller=BOT).token(ANN) == []


# ---------------------------------------------------------------------- service accounts


def bot(*more: Record, ceiling: Ceiling | None = Ceiling(roles=frozenset({BOTS}))) -> Trial:  # noqa: B008
    """A machine that holds all that `sam` does, under a ceiling."""
    machine = person(BOT, kind=UserKind.SERVICE, ceiling=ceiling)
    holds = (*every_right(BOT), grant(BOT, "alfa.plain"), grant(BOT, "alfa.level", MODIFY))
    return Trial((*PEOPLE, machine, *holds, *more), caller=BOT)


@each(WAYS)
def test_a_service_account_gives_nothing_beyond_its_ceiling(way: Callable[[Gift], Tried]) -> None:
    there, changes = way(Gift(ANN, "alfa.plain"))
    assert bot(*there).codes(*changes) == {GIVING}
    assert bot(*there, grant(BOTS, "alfa.plain")).codes(*changes) == set()
    assert bot(*there, grant(BOTS, "alfa.plain"), ceiling=None).codes(*changes) == {GIVING}
    assert bot(*there, grant(BOTS, "alfa.plain"), ceiling=Ceiling()).codes(*changes) == {GIVING}


def test_a_ceiling_is_of_values_contracts_and_times_too() -> None:
    capped = bot(grant(BOTS, "alfa.level", VIEW), grant(BOTS, "alfa.plain", ON, C1))
    assert capped.codes(*new(grant(ANN, "alfa.level", VIEW))) == set()
    assert capped.codes(*new(grant(ANN, "alfa.level", MODIFY))) == {GIVING}
    assert capped.codes(*new(grant(ANN, "alfa.plain", ON, C1))) == set()
    assert capped.codes(*new(grant(ANN, "alfa.plain", ON, C2))) == {GIVING}
    ending = bot(grant(BOTS, "alfa.plain", valid_until=TOMORROW))
    assert ending.codes(*new(grant(ANN, "alfa.plain"))) == {GIVING}
    assert ending.codes(*new(grant(ANN, "alfa.plain", valid_until=TOMORROW))) == set()
    narrowed = bot(grant(BOTS, "alfa.plain"), limit(BOTS, "alfa.plain", None, C1))
    assert narrowed.codes(*new(grant(ANN, "alfa.plain"))) == {GIVING}
    assert narrowed.codes(*new(grant(ANN, "alfa.plain", ON, C2))) == set()


def test_what_comes_along_is_within_a_ceiling_too() -> None:
    ceiling = (grant(BOTS, "alfa.giver"), limit(BOTS, "alfa.implied"))
    assert bot(*ceiling, grant(BOT, "alfa.giver")).codes(*new(grant(ANN, "alfa.giver"))) == set()


def test_a_ceiling_without_the_right_held_gives_nothing() -> None:
    assert bot(grant(BOTS, "alfa.wide")).codes(*new(grant(ANN, "alfa.wide"))) == {GIVING}


@each(LIFTS)
def test_a_service_account_lifts_no_restriction_that_its_ceiling_imposes(way: Callable[[UserId], Tried]) -> None:
    there, changes = way(ANN)
    assert bot(*there).codes(*changes) == set()
    assert bot(*there, grant(BOTS, BOUND)).codes(*changes) == {GIVING}
    assert bot(*there, ceiling=None).codes(*changes) == {GIVING}


def test_a4_a_ceiling_is_not_raised_beyond_what_one_could_give() -> None:
    machine = person(BOT, kind=UserKind.SERVICE, ceiling=Ceiling(roles=frozenset({BOTS})))

    def raised(*roles: RoleId) -> Change:
        return Change(machine, replace(machine, ceiling=Ceiling(roles=frozenset({BOTS, *roles}))))

    wide = trial(role(ROLE), grant(ROLE, "alfa.wide"))
    assert wide.codes(raised(ROLE)) == {GIVING}
    assert wide.codes(raised(AGENTS)) == set()
    assert trial(role(ROLE), grant(ROLE, "alfa.wide", valid_from=TOMORROW)).codes(raised(ROLE)) == {GIVING}
    assert trial(role(ROLE), grant(ROLE, "alfa.wide", ON, C1)).codes(raised(ROLE)) == {GIVING}
    made = person(UserId("bot2"), kind=UserKind.SERVICE, ceiling=Ceiling(roles=frozenset({ROLE})))
    assert wide.codes(*new(made)) == {GIVING}
    assert wide.codes(Change(machine, replace(machine, ceiling=None))) == set()


def test_a4_nobody_raises_their_own_ceiling() -> None:
    machine = person(BOT, kind=UserKind.SERVICE, ceiling=Ceiling(roles=frozenset({BOTS})))
    higher = Change(machine, replace(machine, ceiling=Ceiling(roles=frozenset({BOTS, AGENTS}))))
    assert bot().codes(higher) == {RAISING}
    assert bot().codes(*new(grant(BOTS, "alfa.plain"))) == {GIVING}


def test_who_manages_service_accounts_need_not_manage_people() -> None:
    clerk = Trial((*PEOPLE, grant(SAM, Right.MANAGE_SERVICE_ACCOUNTS)))
    machine = person(BOT, kind=UserKind.SERVICE, ceiling=Ceiling(roles=frozenset({BOTS})))
    assert clerk.codes(Change(machine, replace(machine, display_name="x", ceiling=None))) == set()
    assert clerk.codes(Change(machine, replace(machine, display_name="x"))) == set()
    assert clerk.codes(*new(person(UserId("bot2"), kind=UserKind.SERVICE))) == set()
    assert clerk.codes(*new(person(UserId("new")))) == {LACKING}
    people = Trial((*PEOPLE, grant(SAM, Right.VIEW_USERS), grant(SAM, Right.MANAGE_USERS)))
    assert people.codes(Change(machine, replace(machine, status=UserStatus.SUSPENDED))) == set()
    assert people.codes(Change(machine, replace(machine, ceiling=None))) == {LACKING}


# ---------------------------------------------------------------------- a5: lists


@each((by_grant, by_grant_to_role, by_role, by_joining, by_lifting, by_parent_role, by_unarchiving_role))
@pytest.mark.parametrize("place", range(3))
def test_a5_one_forbidden_item_anywhere_in_a_list_is_seen(way: Callable[[Gift], Tried], place: int) -> None:
    there: list[Record] = []
    changes: list[Change] = []
    for index in range(3):
        gift = Gift(UserId(f"ann{index}"), "alfa.wide" if index == place else "alfa.plain")
        # Each item has holders of its own.
        found, tried = way(gift)
        names = {name: f"{name} {index}" for name in (ROLE, OTHER_ROLE, TEAM, OTHER_TEAM)}
        there += [person(gift.who), *(renamed(record, names) for record in found)]
        changes += [
            Change(*(None if side is None else renamed(side, names) for side in (c.before, c.after))) for c in tried
        ]  # fmt: skip
    paths = {change.record.id: ("items", str(index)) for index, change in enumerate(changes)}
    errors = trial(*there).errors(*changes, paths=paths)
    assert {error.code for error in errors} == {GIVING}
    assert {error.node for error in errors if isinstance(error, DelegationExceeded)} == {"alfa.wide"}
    assert {error.path for error in errors} <= {("items", str(place)), ()}
    allowed = [change for index, change in enumerate(changes) if index != place]
    assert trial(*there).errors(*allowed) == []


def renamed(record: Record, names: dict[str, str]) -> Record:
    """A record of other roles and teams."""

    def name(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(name, value))
        return names.get(value, value) if isinstance(value, str) else value

    fields = {key: name(getattr(record, key)) for key in record.__dataclass_fields__}
    if record.id not in names:
        fields["id"] = f"{record.id} {min(names.values())}"
    return replace(record, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", range(3))
def test_a5_a_forbidden_item_among_many_is_told_with_its_place(place: int) -> None:
    items = [grant(ANN, "alfa.plain", ON, C1), grant(ANN, "alfa.plain", ON, C2), grant(ANN, "alfa.plain")]
    items[place] = grant(ANN, "alfa.wide")
    (error,) = trial().errors(*new(*items), paths={item.id: ("grants", str(i)) for i, item in enumerate(items)})
    assert (error.code, error.path) == (GIVING, ("grants", str(place)))
    assert isinstance(error, DelegationExceeded)
    assert (error.node, error.held, error.asked) == ("alfa.wide", Switch(False), ON)


def test_a5_what_is_harmless_for_one_is_not_taken_to_be_so_for_more_for_elsewhere_or_for_longer() -> None:
    hidden = (limit(DESK, "alfa.level"), limit(SAM, "alfa.mode"))  # so that today it shows in nothing but the row
    more = trial(*hidden).codes(*new(grant(ANN, "alfa.level", VIEW), grant(DESK, "alfa.level", DELETE)))
    assert more == {GIVING}
    assert trial(*hidden).codes(*new(grant(ANN, "alfa.mode"), grant(SAM, "alfa.mode"))) == {RAISING}
    wide = (*PEOPLE, *every_right(SAM), role(ROLE), grant(ROLE, "alfa.wide"), limit(DESK, "alfa.wide"))
    here = Trial((*wide, grant(SAM, "alfa.wide", ON, C1), level(SAM, USER)))
    assert here.codes(*new(assigned(ANN, ROLE, C1), assigned(DESK, ROLE, C1))) == set()
    assert here.codes(*new(assigned(ANN, ROLE, C1), assigned(DESK, ROLE, C2))) == {GIVING}
    brief = Trial((*wide, grant(SAM, "alfa.wide", valid_until=TOMORROW)))
    assert brief.codes(*new(*(assigned(who, ROLE, valid_until=TOMORROW) for who in (ANN, DESK)))) == set()
    assert brief.codes(*new(assigned(ANN, ROLE, valid_until=TOMORROW), assigned(DESK, ROLE))) == {GIVING}


@pytest.mark.parametrize("place", range(3))
def test_a5_a_right_that_lacks_in_one_scope_refuses_the_whole(place: int) -> None:
    inside = Trial((*PEOPLE, *every_right(SAM, C1), *HOLDS, level(SAM, AccessLevel.USER)))
    items = [grant(ANN, "alfa.plain", ON, C1), grant(AGENTS, "alfa.plain", ON, C1), grant(DESK, "alfa.plain", ON, C1)]
    items[place] = replace(items[place], contract=C2)
    assert inside.codes(*new(*items)) == {LACKING}


@pytest.mark.parametrize("place", range(3))
def test_a5_a_wider_holder_anywhere_in_a_list_is_seen(place: int) -> None:
    users = [ANN, UserId("ann1"), UserId("ann2")]
    more: list[Record] = [person(UserId("ann1")), person(UserId("ann2"))]
    clerk = (*PEOPLE, *more, grant(SAM, Right.VIEW_TEAMS), grant(SAM, Right.MANAGE_MEMBERS), grant(SAM, "alfa.plain"))
    items = [member(user, DESK) for user in users]
    assert Trial(clerk).codes(*new(*items)) == set()
    wider = grant(users[place], Right.VIEW_ROLES)
    assert Trial((*clerk, wider)).codes(*new(*items)) == {LACKING}


# ---------------------------------------------------------------------- rights that operations need


@pytest.mark.parametrize(
    ("right", "changes"),
    [
        (Right.GRANT_RIGHTS, new(grant(ANN, "alfa.plain"))),
        (Right.GRANT_RIGHTS, new(limit(ANN, "alfa.plain"))),
        (Right.GRANT_RIGHTS, new(assigned(ANN, AGENTS))),
        (Right.MANAGE_MEMBERS, new(member(ANN, DESK))),
        (Right.SET_FACTS, new(StoredFact(name="credit", text="5", **row("credit", C1)))),  # type: ignore[arg-type]
        (Right.MANAGE_CONTRACTS, new(SubscriberLink(user=ANN, subscriber="1", **row("link", C1)))),  # type: ignore[arg-type]
        (Right.MANAGE_ROLES, new(role(ROLE))),
        (Right.MANAGE_ROLES, (Change(role(AGENTS), role(AGENTS, archived=True)),)),
        (Right.MANAGE_TEAMS, new(team(TEAM))),
        (Right.MANAGE_TEAMS, (Change(team(DESK), team(DESK, archived=True)),)),
        (Right.MANAGE_USERS, new(person(UserId("new")))),
        (Right.MANAGE_SERVICE_ACCOUNTS, new(person(UserId("new"), kind=UserKind.SERVICE))),
        (Right.REGISTER_CONTRACTS, new(contract(ContractId("c3"), ANN))),
        (Right.MANAGE_CONTRACTS, (Change(contract(C1, OSCAR), contract(C1, OSCAR, name="x")),)),
    ],
)
def test_every_change_needs_its_right_where_it_is_scoped(right: Right, changes: tuple[Change, ...]) -> None:
    lacking = tuple(r for r in MANAGER if not (isinstance(r, Grant) and r.node == right))
    assert trial().codes(*changes) == set()
    (error,) = Trial(lacking).errors(*changes)
    assert error.code is LACKING
    assert right in error.message


def test_a20_records_and_unscoped_rows_need_the_right_everywhere() -> None:
    inside = Trial((*PEOPLE, *every_right(SAM, C1), *HOLDS, level(SAM, AccessLevel.USER)))
    for changes in (
        new(role(ROLE)), new(team(TEAM)), new(person(UserId("new"))), new(contract(ContractId("c3"), ANN)),
        new(grant(ANN, "alfa.plain")), new(member(ANN, DESK)), (Change(role(AGENTS), role(AGENTS, SAMS)),),
        (Change(contract(C2, WIM), contract(C2, WIM, name="x")),),
    ):  # fmt: skip
        assert inside.codes(*changes) == {LACKING}, changes
    assert inside.codes(Change(contract(C1, OSCAR), contract(C1, OSCAR, name="x"))) == set()


# ---------------------------------------------------------------------- contracts and levels (section 7)

NONE, WITHOUT, USER, ADMIN, OWNER = (None, *AccessLevel)
# The rows say the setter's level in System [CORE] and the present level of the other; the sets what may be made of it.
IN_CORE = {
    (ADMIN, NONE): {USER, ADMIN}, (ADMIN, WITHOUT): {USER, ADMIN}, (ADMIN, USER): {USER, ADMIN},
    (ADMIN, ADMIN): {USER, ADMIN}, (ADMIN, OWNER): set(),
    **{(OWNER, present): {NONE, WITHOUT, USER, ADMIN} for present in (NONE, WITHOUT, USER, ADMIN, OWNER)},
}  # fmt: skip
ELSEWHERE = {
    **{(ADMIN, present): {NONE, WITHOUT, USER, ADMIN} for present in (NONE, WITHOUT, USER, ADMIN)},
    (ADMIN, OWNER): set(),
    **{(OWNER, present): {NONE, WITHOUT, USER, ADMIN} for present in (NONE, WITHOUT, USER, ADMIN, OWNER)},
}


@pytest.mark.parametrize("setter", [NONE, *AccessLevel])
@pytest.mark.parametrize("present", [NONE, *AccessLevel])
def test_settable_levels_are_those_of_section_7(setter: AccessLevel | None, present: AccessLevel | None) -> None:
    for product, table in (("core", IN_CORE), ("tel", ELSEWHERE)):
        assert settable_levels(setter, product, present) == table.get((setter, present), set())
        everything = {NONE, WITHOUT, USER, ADMIN}
        assert settable_levels(setter, product, present, account_owner=True) == everything


@pytest.mark.parametrize("setter", [NONE, *AccessLevel])
@pytest.mark.parametrize("present", [NONE, WITHOUT, USER, ADMIN, OWNER])
@pytest.mark.parametrize("product", ["core", "tel"])
def test_levels_are_set_as_section_7_says(
    setter: AccessLevel | None, present: AccessLevel | None, product: str
) -> None:  # fmt: skip
    """Whatever rights of the gateway somebody has."""
    there = [] if present is None else [level(ANN, present, product)]
    if setter is OWNER:
        there += owned(C1, SAM)
    elif setter is not None:
        there.append(level(SAM, setter))
    setting = Trial((*MANAGER, *there))
    table = IN_CORE if product == "core" else ELSEWHERE
    for wanted in (NONE, WITHOUT, USER, ADMIN, OWNER):
        if wanted == present:
            continue
        changes = end(*there[:1]) if present is not None else ()
        if wanted is not None:
            changes += new(level(ANN, wanted, product))
        allowed = wanted in table.get((setter, present), set())
        assert (setting.codes(*changes) == set()) is allowed, wanted
        owner = Trial((*MANAGER, *there), caller=OLGA)
        assert [*owner.codes(*changes), *owner.owner_codes(*changes)] == ([LACKING] if wanted is OWNER else []), wanted


def test_an_administrator_never_changes_an_owner_of_another_source() -> None:
    """What counts is the highest level that somebody has, not the row that is replaced."""
    both = (level(ANN, OWNER), level(ANN, USER), level(SAM, ADMIN))
    change = (*end(both[1]), *new(level(ANN, ADMIN)))
    assert Trial((*MANAGER, *both)).codes(*change) == {LACKING}


def test_what_is_left_by_another_source_is_what_is_set() -> None:
    both = (level(ANN, ADMIN), level(ANN, USER), level(SAM, ADMIN))
    assert Trial((*MANAGER, *both)).codes(*end(both[0])) == set()
    assert Trial((*MANAGER, *both[:1], *both[2:])).codes(*end(both[0])) == {LACKING}


def test_levels_of_one_contract_set_none_in_another() -> None:
    assert trial(level(SAM, ADMIN)).codes(*new(level(ANN, USER, "tel", C2))) == {LACKING}
    for status in (ContractStatus.SUSPENDED, ContractStatus.ENDED):
        shut = trial(level(SAM, ADMIN), contract(C1, OSCAR, status=status))
        assert shut.codes(*new(level(ANN, USER, "tel"))) == {LACKING}
    without_core = trial(level(SAM, ADMIN), contract(C1, OSCAR, products=frozenset({"tel"})))
    assert without_core.codes(*new(level(ANN, USER, "tel"))) == {LACKING}


def test_a4_nobody_raises_their_own_level() -> None:
    setting = trial(level(SAM, ADMIN), level(SAM, USER, "tel"))
    assert setting.codes(*end(level(SAM, USER, "tel")), *new(level(SAM, ADMIN, "tel"))) == {RAISING}
    assert trial(level(SAM, ADMIN)).codes(*new(level(SAM, USER, "tel"))) == {RAISING}
    assert setting.codes(*end(level(SAM, ADMIN)), *new(level(SAM, USER))) == set()
    ending = replace(level(SAM, ADMIN), valid_until=TOMORROW)
    assert trial(ending).codes(*end(ending), *new(level(SAM, USER))) == {RAISING}
    assert trial(ending).codes(*end(ending), *new(replace(level(SAM, USER), valid_until=TOMORROW))) == set()


def test_a_service_account_sets_no_level_above_its_ceiling() -> None:
    ceiling = Ceiling(levels=frozenset({(C1, "tel", USER), (C2, "tel", ADMIN)}))
    setting = bot(level(BOT, ADMIN), ceiling=ceiling)
    assert setting.codes(*new(level(ANN, USER, "tel"))) == set()
    assert setting.codes(*new(level(ANN, WITHOUT, "tel"))) == set()
    assert setting.codes(*new(level(ANN, ADMIN, "tel"))) == {LACKING}
    assert setting.codes(*new(level(ANN, USER, "core"))) == {LACKING}
    assert bot(level(BOT, ADMIN)).codes(*new(level(ANN, USER, "tel"))) == {LACKING}
    assert bot(level(BOT, ADMIN), ceiling=None).codes(*new(level(ANN, USER, "tel"))) == {LACKING}
    there = level(ANN, USER, "tel")
    assert bot(level(BOT, ADMIN), there, ceiling=None).codes(*end(there)) == set()


def test_a_service_account_makes_no_owner_beyond_its_ceiling() -> None:
    assert bot().codes(*registered(ANN)) == {LACKING}
    assert bot().codes(*new(contract(ContractId("c3"), ANN, products=frozenset()))) == {LACKING}
    smaller = contract(C1, OSCAR, products=frozenset({"core"}))
    added = Change(smaller, contract(C1, OSCAR))
    assert bot(smaller).codes(added) == {LACKING}
    assert bot(smaller).codes(Change(smaller, replace(smaller, name="x"))) == set()
    within = Ceiling(levels=frozenset({(C1, "tel", OWNER)}))
    assert bot(smaller, ceiling=within).codes(added) == set()
    mine = owned(C1, BOT)
    handed = wish_transfer(World.of([*PEOPLE, *mine]), C1, ANN, stamp=stamp(), faults=Faults()).changes
    assert bot(*mine).codes(*handed) == {LACKING}
    both = Ceiling(levels=frozenset({(C1, "tel", OWNER), (C1, "core", OWNER)}))
    assert bot(*mine, ceiling=both).codes(*handed) == set()


def test_a4_a_ceiling_of_levels_is_raised_by_those_who_set_them() -> None:
    machine = person(BOT, kind=UserKind.SERVICE)
    higher = Change(machine, replace(machine, ceiling=Ceiling(levels=frozenset({(C1, "tel", USER)}))))
    assert trial(machine).codes(higher) == {LACKING}
    assert trial(machine, level(SAM, USER)).codes(higher) == {LACKING}
    assert trial(machine, level(SAM, ADMIN)).codes(higher) == set()
    other = person(UserId("bot2"), kind=UserKind.SERVICE)
    higher = Change(other, replace(other, ceiling=Ceiling(levels=frozenset({(C1, "tel", ADMIN)}))))
    for most, expected in ((ADMIN, set()), (USER, {LACKING})):
        setting = bot(level(BOT, ADMIN), other, ceiling=Ceiling(levels=frozenset({(C1, "tel", most)})))
        assert setting.codes(higher) == expected


def registered(owner: UserId) -> tuple[Change, ...]:
    return wish_contract(
        CATALOG, World.of(PEOPLE), number="C-3", name="c", owner=owner, products=["core", "tel"], stamp=stamp(),
        faults=Faults(),
    ).changes  # fmt: skip


def test_registering_makes_the_owner_owner_and_nobody_else() -> None:
    assert trial().codes(*registered(ANN)) == set()
    assert trial().codes(*registered(SAM)) == {RAISING}
    made = registered(ANN)
    which = ContractId(made[0].record.id)
    for more in (level(WIM, USER, "tel", which), level(SAM, ADMIN, "core", which), level(ANN, USER, "tel", which)):
        assert LACKING in trial().codes(*made, *new(more)), more


def test_a_contract_is_handed_over_by_its_owner_or_an_account_owner() -> None:
    handed = wish_transfer(World.of(PEOPLE), C1, ANN, stamp=stamp(), faults=Faults()).changes
    to_caller = wish_transfer(World.of(PEOPLE), C1, SAM, stamp=stamp(), faults=Faults()).changes
    assert Trial(PEOPLE, caller=OSCAR).codes(*handed) == set()
    assert Trial(PEOPLE, caller=OSCAR).owner_codes(*handed) == []
    assert Trial(PEOPLE, caller=OLGA).codes(*handed) == set()
    for stranger in (trial(level(SAM, ADMIN)), Trial(PEOPLE, caller=WIM)):
        assert stranger.codes(*handed) == {LACKING}
        assert LACKING in stranger.codes(*to_caller)
    shut = contract(C1, OSCAR, status=ContractStatus.SUSPENDED)
    handed = wish_transfer(World.of([*PEOPLE, shut]), C1, ANN, stamp=stamp(), faults=Faults()).changes
    assert Trial((*PEOPLE, shut), caller=OSCAR).codes(*handed) == set()
    for more in (new(level(OSCAR, USER, "tel")), end(level(WIM, USER)), new(level(WIM, USER))):
        there = Trial((*PEOPLE, shut, level(WIM, USER)), caller=OSCAR)
        assert there.codes(*handed, *more) == {LACKING}, more
    reopened = (Change(shut, contract(C1, ANN)), *handed[1:])
    assert Trial((*PEOPLE, shut), caller=OSCAR).codes(*reopened) == {LACKING}


def test_levels_do_not_hide_behind_a_change_of_their_contract() -> None:
    """What moves with a contract moves as section 7 says; anything else is set by somebody."""
    renamed_contract = Change(contract(C1, OSCAR), contract(C1, OSCAR, name="x"))
    assert trial().codes(renamed_contract) == set()
    for more in (
        end(level(OSCAR, OWNER)), new(level(OSCAR, ADMIN)), new(level(ANN, ADMIN)), new(level(ANN, OWNER)),
    ):  # fmt: skip
        assert LACKING in trial().codes(renamed_contract, *more), more
    handed = Change(contract(C1, OSCAR), contract(C1, ANN))
    for more in (new(level(ANN, OWNER, "tel", C2)), new(level(OSCAR, OWNER, "tel")), new(level(WIM, OWNER))):
        after = Trial((*PEOPLE, level(OSCAR, ADMIN, "tel")), caller=OSCAR)
        assert after.codes(handed, *more) | set(after.owner_codes(handed, *more)), more


def test_a_product_that_is_added_makes_its_owner_owner_there() -> None:
    smaller = owned(C1, OSCAR, products=frozenset({"core"}))
    gone = level(OSCAR, OWNER, "tel").id
    world = World.of([*(r for r in PEOPLE if r.id not in {gone, C1, *(r.id for r in smaller)}), *smaller])
    records = (*(r for r in MANAGER if r.id != gone), *smaller)
    added, _ = wish_contract_attributes(
        CATALOG, world, C1, name=None, status=None, products=["core", "tel"], on_dependents=Dependents.REJECT,
        stamp=stamp(), faults=Faults(),
    )  # fmt: skip
    assert len(added.changes) == 2
    assert Trial(records).codes(*added.changes) == set()
    assert Trial(records).codes(added.changes[0], *new(level(ANN, USER, "tel"))) == {LACKING}
    stale = level(ANN, USER, "tel")
    assert Trial((*records, stale)).codes(*added.changes, *end(stale)) == {LACKING}


# ---------------------------------------------------------------------- a16: owners


def test_a16_the_last_active_owner_stays() -> None:
    olga = person(OLGA, is_owner=True)
    for changed in (
        person(OLGA),
        replace(olga, status=UserStatus.SUSPENDED),
        replace(olga, status=UserStatus.ARCHIVED),
    ):
        last = Trial(PEOPLE, caller=OLGA)
        assert last.owner_codes(Change(olga, changed)) == [ErrorCode.LAST_OWNER]
        second = person(UserId("otto"), is_owner=True)
        assert Trial((*PEOPLE, second)).owner_codes(Change(olga, changed)) == []
        asleep = replace(second, status=UserStatus.SUSPENDED)
        assert Trial((*PEOPLE, asleep)).owner_codes(Change(olga, changed)) == [ErrorCode.LAST_OWNER]
        assert last.owner_codes(Change(olga, changed), Change(person(ANN), person(ANN, is_owner=True))) == []


def test_a16_nor_go_all_owners_in_one_list() -> None:
    owners = [person(OLGA, is_owner=True), person(UserId("otto"), is_owner=True)]
    changes = [Change(owner, replace(owner, is_owner=False)) for owner in owners]
    assert Trial((*PEOPLE, *owners)).owner_codes(*changes) == [ErrorCode.LAST_OWNER]


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.ARCHIVED])
def test_a16_the_owner_of_a_contract_stays(status: UserStatus) -> None:
    oscar = person(OSCAR)
    leaving = Change(oscar, replace(oscar, status=status))
    assert Trial(PEOPLE).owner_codes(leaving) == [ErrorCode.LAST_OWNER]
    ended = contract(C1, OSCAR, status=ContractStatus.ENDED)
    assert Trial((*PEOPLE, ended)).owner_codes(leaving) == []
    handed = wish_transfer(World.of(PEOPLE), C1, ANN, stamp=stamp(), faults=Faults()).changes
    assert Trial(PEOPLE).owner_codes(leaving, *handed) == []


def test_a16_the_level_of_a_contracts_owner_moves_only_with_the_contract() -> None:
    mine = level(OSCAR, OWNER)
    assert Trial(PEOPLE).owner_codes(*end(mine)) == [ErrorCode.LAST_OWNER]
    assert Trial(PEOPLE).owner_codes(*end(mine), *new(level(OSCAR, ADMIN))) == [ErrorCode.LAST_OWNER]
    assert Trial(PEOPLE).owner_codes(*end(mine), *new(replace(mine, id=RowId("again")))) == []
    fewer = Change(contract(C1, OSCAR), contract(C1, OSCAR, products=frozenset({"tel"})))
    assert Trial(PEOPLE).owner_codes(fewer, *end(mine)) == []
    ended = contract(C1, OSCAR, status=ContractStatus.ENDED)
    assert Trial((*PEOPLE, ended)).owner_codes(*end(mine)) == []


def test_nobody_appoints_an_owner() -> None:
    for caller in (SAM, OSCAR, OLGA):
        assert Trial(MANAGER, caller=caller).owner_codes(*new(level(ANN, OWNER))) == [LACKING]


# ---------------------------------------------------------------------- a right that nobody could manage any more


def test_a_right_that_only_owners_could_manage_is_a_warning() -> None:
    def warned(*changes: Change, records: tuple[Record, ...] = MANAGER, at: datetime = NOON) -> list[str]:
        judgement = Judgement(PROGRAM, World.of(records), changes)
        people = [SAM, ANN, WIM, OLGA]
        found = list(warn_unmanageable(judgement, people, grant_right=Right.GRANT_RIGHTS, at=at))
        assert {warning.code for warning in found} <= {ErrorCode.UNMANAGEABLE_RIGHT}
        return [warning.message for warning in found]

    assert warned(*end(grant(SAM, "alfa.plain"))) == [
        "nobody but account owners could manage `alfa.plain` any more"
    ]  # fmt: skip
    assert len(warned(*end(grant(SAM, Right.GRANT_RIGHTS)))) > 2
    assert warned(Change(person(SAM), person(SAM, status=UserStatus.SUSPENDED)))
    second = (*MANAGER, *every_right(WIM), grant(WIM, "alfa.plain"))
    assert warned(*end(grant(SAM, "alfa.plain")), records=second) == []
    assert warned(*new(grant(ANN, "alfa.plain"))) == []
    hanging = grant(SAM, "alfa.listen")
    assert len(warned(*end(hanging), records=(*MANAGER, hanging))) == 1
