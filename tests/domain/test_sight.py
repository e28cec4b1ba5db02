"""What a caller may do at all, and what a caller sees (SEMANTICS section 8): what is not theirs is not there."""

from dataclasses import fields, replace

import pytest

from app.domain.callers import OPERATIONS, Need, Right, Standing
from app.domain.contracts import AccessLevel
from app.domain.errors import ErrorCode, NotPermitted
from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    ContractStatus,
    Grant,
    Limit,
    Membership,
    Record,
    StoredFact,
    SubscriberLink,
    UserId,
    UserStatus,
)
from app.domain.sight import Audience, Sight
from app.domain.world import World
from tests.staff import (
    AGENTS,
    ANN,
    BOT,
    C1,
    C2,
    CREW,
    DESK,
    MANAGER,
    OLGA,
    ON,
    OSCAR,
    PEOPLE,
    SAM,
    SAMS,
    TOMORROW,
    WIM,
    Trial,
    assigned,
    contract,
    every_right,
    grant,
    level,
    limit,
    member,
    person,
    role,
    row,
    team,
)  # fmt: skip
from tests.worlds import NOON

USER, ADMIN = AccessLevel.USER, AccessLevel.ADMINISTRATOR

CREDIT = StoredFact(name="credit", text="5", **row("credit", C1))  # type: ignore[arg-type]
SCORE = StoredFact(name="score", text="5", user=ANN, **row("score"))  # type: ignore[arg-type]
SCORE_IN_C1 = StoredFact(name="score", text="6", user=ANN, **row("score", C1))  # type: ignore[arg-type]
LINK = SubscriberLink(user=ANN, subscriber="100", **row("link", C1))  # type: ignore[arg-type]
ANNS = (
    level(ANN, USER), grant(ANN, "alfa.plain"), grant(ANN, "alfa.plain", ON, C1), limit(ANN, "alfa.wide", None, C1),
    assigned(ANN, AGENTS, C1), member(ANN, DESK), SCORE, SCORE_IN_C1, LINK, CREDIT,
)  # fmt: skip


def sight_of(caller: UserId, *records: Record) -> Sight:
    return Sight(Trial((*PEOPLE, *ANNS, *records), caller=caller).authority())


def world(*records: Record) -> World:
    return Trial((*PEOPLE, *ANNS, *records)).world


def holding(right: Right, where: str | None = None) -> list[Record]:
    """`sam` with one right to view, everywhere or in C-1, in which he has a level then."""
    return [grant(SAM, right, ON, C1), level(SAM, USER)] if where else [grant(SAM, right)]


# ---------------------------------------------------------------------- the table of operations


def requires(need: Need, *records: Record, caller: UserId = SAM) -> bool:
    """Whether a caller may do what needs this to anything at all."""
    authority = Trial((*PEOPLE, *records), caller=caller).authority()
    try:
        authority.require(need)
    except NotPermitted:
        return False
    return True


def test_a_refusal_says_what_is_needed() -> None:
    need = OPERATIONS["createRole"]
    with pytest.raises(NotPermitted, match="roles") as refused:
        Trial(PEOPLE).authority().require(need)
    assert refused.value.code is ErrorCode.NOT_PERMITTED
    assert str(need) in refused.value.message


RIGHTED = {name: need for name, need in OPERATIONS.items() if need.right is not None}
OF_EVERYBODY = {Standing.ANYBODY, Standing.ONESELF, Standing.PART}  # what they do not see is as if it were not there


@pytest.mark.parametrize("name", OPERATIONS)
def test_account_owners_do_everything(name: str) -> None:
    assert requires(OPERATIONS[name], caller=OLGA)


@pytest.mark.parametrize("name", OPERATIONS)
def test_somebody_with_nothing_does_what_anybody_may(name: str) -> None:
    need = OPERATIONS[name]
    assert requires(need) is bool(OF_EVERYBODY & {*need.standing})


@pytest.mark.parametrize("name", RIGHTED)
def test_a_right_opens_its_operations_and_in_one_contract_those_alone_that_reach_its_rows(name: str) -> None:
    need = RIGHTED[name]
    assert need.right is not None
    whole = every_right(SAM)
    assert requires(need, *whole)
    # Lacking that one right, what is left opens nothing.
    lacking = [row for row in whole if row.node != need.right]
    is_open = bool(OF_EVERYBODY & {*need.standing})
    assert requires(need, *lacking) is is_open
    inside = [*every_right(SAM, C1), level(SAM, USER)]
    assert requires(need, *inside) is (not need.everywhere or is_open)


def test_a_right_in_a_contract_that_is_closed_to_somebody_opens_nothing() -> None:
    need = OPERATIONS["grantPermissions"]
    rights = every_right(SAM, C1)
    assert not requires(need, *rights)
    assert requires(need, *rights, level(SAM, USER))
    for shut in (ContractStatus.SUSPENDED, ContractStatus.ENDED):
        assert not requires(need, *rights, level(SAM, USER), contract(C1, OSCAR, status=shut))


def test_a_right_opens_nothing_before_it_begins_or_without_what_it_needs() -> None:
    need = OPERATIONS["createRole"]
    view, manage = grant(SAM, Right.VIEW_ROLES), grant(SAM, Right.MANAGE_ROLES)
    assert requires(need, view, manage)
    assert not requires(need, manage)
    assert not requires(need, view, replace(manage, valid_from=TOMORROW))
    assert not requires(need, view, replace(manage, valid_until=NOON))
    assert not requires(need, view, manage, limit(SAM, Right.MANAGE_ROLES))
    assert not requires(need, view, manage, person(SAM, status=UserStatus.SUSPENDED))


def test_levels_are_set_by_administrators_and_contracts_handed_over_by_owners() -> None:
    setting, handing = OPERATIONS["setAccessLevels"], OPERATIONS["transferContract"]
    assert requires(setting, caller=OSCAR)
    assert requires(setting, level(SAM, ADMIN))
    assert not requires(setting, level(SAM, ADMIN, "tel"))
    assert not requires(setting, *every_right(SAM))
    assert requires(handing, caller=OSCAR)
    assert not requires(handing, level(SAM, ADMIN), *every_right(SAM))


def test_every_need_says_what_it_needs() -> None:
    for name, need in OPERATIONS.items():
        text = str(need)
        assert text.startswith("Needs ") and text.endswith("."), name
        assert (need.right is None) or f"`{need.right}`" in text
        assert all(str(standing) in text for standing in need.standing)
        assert ("everywhere" in text) is need.everywhere


# ---------------------------------------------------------------------- people, roles, teams, contracts


def test_somebody_with_nothing_sees_themselves_and_what_they_include() -> None:
    sight = sight_of(ANN)
    assert {user for user in world().users if sight.sees_user(world(), user)} == {ANN}
    assert {role for role in world().roles if sight.sees_role(role)} == {AGENTS}
    assert {team for team in world().teams if sight.sees_team(team)} == {DESK}
    assert {found for found in world().contracts if sight.sees_contract(found)} == {C1}
    assert not sight.sees_inside(C1)
    assert sight.audience() == Audience(frozenset(), ANN)
    assert not sight.sees_everybody()
    assert sight.sees_tokens(ANN)
    assert not sight.sees_tokens(SAM)


@pytest.mark.parametrize("caller", [OLGA, None])
def test_owners_and_the_gateway_itself_see_everything(caller: UserId | None) -> None:
    sight = Sight(None) if caller is None else sight_of(caller)
    for user in world().users:
        assert sight.sees_user(world(), user)
        assert sight.sees_anyhow(user)
        assert sight.sees_tokens(user)
        assert sight.rows_of(world(), user) == world().rows_of(user)
    assert all(map(sight.sees_role, world().roles))
    assert all(map(sight.sees_team, world().teams))
    assert all(sight.sees_contract(found) and sight.sees_inside(found) for found in world().contracts)
    assert sight.audience() is None
    assert all(sight.sees_row(row) for row in ANNS)
    assert sight.sees_rights(ANN, None)


def test_a_right_to_view_people_opens_everybody_or_those_of_a_contract() -> None:
    everywhere = sight_of(SAM, *holding(Right.VIEW_USERS))
    assert all(everywhere.sees_user(world(), user) for user in world().users)
    inside = sight_of(SAM, *holding(Right.VIEW_USERS, "C-1"))
    seen = world(*holding(Right.VIEW_USERS, "C-1"))
    assert {user for user in seen.users if inside.sees_user(seen, user)} == {SAM, ANN, OSCAR}
    assert {user for user in seen.users if inside.sees_anyhow(user)} == {SAM}, "others by their levels"
    assert all(map(everywhere.sees_anyhow, seen.users))
    assert inside.audience() == Audience(frozenset({C1}), SAM)


@pytest.mark.parametrize(
    ("right", "look"), [(Right.VIEW_ROLES, Sight.sees_role), (Right.VIEW_TEAMS, Sight.sees_team)]
)  # fmt: skip
def test_roles_and_teams_belong_to_no_contract(right: Right, look: object) -> None:
    records = world().roles if right is Right.VIEW_ROLES else world().teams
    for where in (None, "C-1"):
        assert all(look(sight_of(SAM, *holding(right, where)), key) for key in records)  # type: ignore[operator]
    other = Right.VIEW_TEAMS if right is Right.VIEW_ROLES else Right.VIEW_ROLES
    mine = {SAMS, CREW}
    assert {key for key in records if look(sight_of(SAM, *holding(other)), key)} <= mine  # type: ignore[operator]


def test_contracts_are_seen_by_those_who_have_something_in_them() -> None:
    assert not sight_of(SAM).sees_contract(C1)
    for own in (level(SAM, USER), grant(SAM, "alfa.plain", ON, C1), assigned(SAM, AGENTS, C1), member(SAM, DESK, C1)):
        assert sight_of(SAM, own).sees_contract(C1)
        assert not sight_of(SAM, own).sees_contract(C2)
        assert not sight_of(SAM, replace(own, valid_until=NOON)).sees_contract(C1)
    assert sight_of(OSCAR).sees_contract(C1)
    assert sight_of(SAM, *holding(Right.VIEW_CONTRACTS)).sees_contract(C2)
    assert not sight_of(SAM, *holding(Right.VIEW_CONTRACTS, "C-1")).sees_contract(C2)


def test_the_inside_of_a_contract_is_seen_by_a_right_or_by_setting_its_levels() -> None:
    for inside in ([level(SAM, ADMIN)], holding(Right.VIEW_CONTRACTS), holding(Right.VIEW_CONTRACTS, "C-1")):
        assert sight_of(SAM, *inside).sees_inside(C1)
    assert not sight_of(SAM, level(SAM, USER)).sees_inside(C1)
    assert not sight_of(SAM, level(SAM, ADMIN)).sees_inside(C2)
    assert sight_of(OSCAR).sees_inside(C1)


def test_what_is_over_is_seen_no_longer() -> None:
    """Who was in a role or a team once does not see for ever what it has."""
    for valid_until, seen in ((None, True), (TOMORROW, True), (NOON, False)):
        rows = (assigned(ANN, SAMS, valid_until=valid_until), member(ANN, CREW, valid_until=valid_until))
        sight = sight_of(ANN, *rows, grant(SAMS, "alfa.plain"), grant(CREW, "alfa.plain"))
        assert sight.sees_role(SAMS) is seen
        assert sight.sees_team(CREW) is seen
        assert sight.sees_row(grant(SAMS, "alfa.plain")) is seen


def test_what_is_included_through_what_is_included_is_seen() -> None:
    above = (role(SAMS, AGENTS), team(CREW, DESK), assigned(DESK, AGENTS))
    sight = sight_of(SAM, *above)
    assert sight.sees_role(AGENTS)
    assert sight.sees_team(DESK)


# ---------------------------------------------------------------------- rows

VIEWS: tuple[tuple[AnyRow, Right], ...] = (
    (grant(ANN, "alfa.plain"), Right.VIEW_RIGHTS),
    (grant(ANN, "alfa.plain", ON, C1), Right.VIEW_RIGHTS),
    (limit(ANN, "alfa.wide", None, C1), Right.VIEW_RIGHTS),
    (assigned(ANN, AGENTS, C1), Right.VIEW_RIGHTS),
    (member(ANN, DESK), Right.VIEW_TEAMS),
    (level(ANN, USER), Right.VIEW_CONTRACTS),
    (LINK, Right.VIEW_CONTRACTS),
    (CREDIT, Right.VIEW_CONTRACTS),
    (SCORE, Right.VIEW_USERS),
    (SCORE_IN_C1, Right.VIEW_USERS),
)


def test_every_kind_of_row_is_looked_at() -> None:
    kinds = {type(row) for row, _ in VIEWS}
    assert kinds == {Grant, Limit, Assignment, Membership, Access, SubscriberLink, StoredFact}


@pytest.mark.parametrize(("row", "right"), VIEWS)
def test_a20_a21_rows_are_seen_by_their_own_right_where_they_are_scoped(row: AnyRow, right: Right) -> None:
    assert not sight_of(SAM).sees_row(row)
    for other in Right:
        assert sight_of(SAM, *holding(other)).sees_row(row) is (other is right), other
    inside = sight_of(SAM, *holding(right, "C-1"))
    assert inside.sees_row(row) is (row.contract == C1)
    elsewhere = [grant(SAM, right, ON, C2), level(SAM, USER, "core", C2)]
    assert not sight_of(SAM, *elsewhere).sees_row(row)


@pytest.mark.parametrize(("row", "right"), VIEWS)
def test_ones_own_rows_are_seen(row: AnyRow, right: Right) -> None:
    assert sight_of(ANN).sees_row(row) is (row is not CREDIT)
    assert sight_of(BOT).sees_row(row) is False


def test_rows_of_what_one_includes_are_seen_but_for_those_of_other_contracts() -> None:
    rows = {where: grant(AGENTS, "alfa.plain", ON, where) for where in (None, C1, C2)}
    sight = sight_of(ANN, *rows.values())
    assert [sight.sees_row(row) for row in rows.values()] == [True, True, False]


def test_rows_of_a_holder_are_those_that_are_seen() -> None:
    seen = sight_of(SAM, *holding(Right.VIEW_RIGHTS, "C-1")).rows_of(world(), ANN)
    assert {row.id for row in seen} == {row.id for row, right in VIEWS if right is Right.VIEW_RIGHTS and row.contract}
    assert [row.id for row in sight_of(SAM).rows_of(world(), ANN)] == []
    everything = sight_of(ANN).rows_of(world(), ANN)
    assert all(
        getattr(everything, part.name) == getattr(world().rows_of(ANN), part.name) for part in fields(everything)
    )


# ---------------------------------------------------------------------- decisions


def test_what_others_may_do_is_seen_by_the_right_to_view_rights() -> None:
    assert sight_of(SAM).sees_rights(SAM, C1)
    assert sight_of(SAM).sees_rights(SAMS, None)
    assert not sight_of(SAM).sees_rights(ANN, C1)
    inside = sight_of(SAM, *holding(Right.VIEW_RIGHTS, "C-1"))
    assert inside.sees_rights(ANN, C1)
    assert not inside.sees_rights(ANN, C2)
    assert not inside.sees_rights(ANN, None)
    assert inside.contracts_with(Right.VIEW_RIGHTS) == frozenset({C1})
    assert sight_of(SAM, *holding(Right.VIEW_RIGHTS)).contracts_with(Right.VIEW_RIGHTS) is None


def test_facts_are_asserted_with_the_right_alone() -> None:
    assert not sight_of(SAM).asserts_facts(None)
    inside = sight_of(SAM, *holding(Right.ASSERT_FACTS, "C-1"))
    assert (inside.asserts_facts(C1), inside.asserts_facts(C2), inside.asserts_facts(None)) == (True, False, False)
    assert sight_of(OLGA).asserts_facts(None)


def test_tokens_of_others_are_seen_by_those_who_manage_them_everywhere() -> None:
    assert sight_of(SAM, *holding(Right.MANAGE_TOKENS)).sees_tokens(WIM)
    assert not sight_of(SAM, *holding(Right.MANAGE_TOKENS, "C-1")).sees_tokens(WIM)


def test_a_manager_sees_everything_but_what_a_right_in_one_contract_hides() -> None:
    sight = Sight(Trial((*MANAGER, *ANNS)).authority())
    assert all(sight.sees_row(row) for row, _ in VIEWS)
    assert all(sight.sees_user(world(), user) for user in world().users)
