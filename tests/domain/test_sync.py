"""Sync in examples, one rule each (SEMANTICS section 10): who is meant, what becomes of whom, what stands in the way.

`staff` says who is there; `hr` sends the feeds, `idp` is another source. Rights and brake have a file of their own.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.contracts import AccessLevel
from app.domain.errors import InvalidValue
from app.domain.holders import MANUAL, Assignment, RoleId, User, UserKind, UserStatus
from app.domain.references import Ref
from app.domain.sync.desired import (
    LevelDesired,
)
from app.domain.sync.diff import Spoiled
from app.domain.sync.items import Teller, digest_lines, line_of
from tests.desks import (
    HR,
    IDP,
    SALES,
    YAN,
    ZOE,
    access,
    bundle,
    by_hr,
    changes,
    desk,
    entry,
    errors_of,
    hired,
    list_faults,
    of,
    roles_of,
    squad,
    wanted,
)
from tests.staff import (
    AGENTS,
    BOT,
    CATALOG,
    CREW,
    DESK,
    OSCAR,
    assigned,
    grant,
    level,
    member,
    person,
    role,
    team,
)
from tests.worlds import NOON

# ---------------------------------------------------------------------- people who go


def test_who_is_deactivated_in_the_feed_is_suspended_and_keeps_what_is_listed() -> None:
    here = desk(hired(ZOE), by_hr(assigned(ZOE, AGENTS)))
    after = here.done(users=[entry("zoe", active=False, roles=["agents"])])
    assert after.users[ZOE] == replace(here.world.users[ZOE], status=UserStatus.SUSPENDED)
    assert roles_of(after, ZOE) == {("agents", HR)}


def test_who_is_missing_is_suspended_and_the_rows_of_that_source_end() -> None:
    rows = (by_hr(assigned(ZOE, AGENTS)), assigned(ZOE, SALES), by_hr(member(ZOE, DESK)))
    here = desk(hired(ZOE), hired(YAN), role(SALES), *rows)
    after = here.done(users=[entry("yan")])
    assert after.users[ZOE].status is UserStatus.SUSPENDED
    assert roles_of(after, ZOE) == {("sales", MANUAL)}
    assert after.rows_of(ZOE).memberships == ()


def test_who_belongs_to_another_source_and_is_missing_stays_active_and_loses_the_rows_of_the_feed() -> None:
    here = desk(of(IDP, person(ZOE, external_id="E-zoe")), by_hr(assigned(ZOE, AGENTS)), hired(YAN))
    after = here.done(users=[entry("yan")])
    assert after.users[ZOE].status is UserStatus.ACTIVE
    assert roles_of(after, ZOE) == set()


def test_a_feed_that_only_deactivates_everybody_suspends_everybody_and_ends_nothing() -> None:
    people = (hired(ZOE), hired(YAN), by_hr(assigned(ZOE, AGENTS)))
    plan = desk(*people).plan(users=[entry("zoe", active=False), entry("yan", active=False)])
    assert [(change.before.status, change.after.status) for change in changes(plan)] == [  # type: ignore[union-attr]
        (UserStatus.ACTIVE, UserStatus.SUSPENDED)
    ] * 2


def test_whom_somebody_archived_stays_archived_when_the_feed_deactivates_them() -> None:
    here = desk(hired(ZOE, status=UserStatus.ARCHIVED))
    assert here.plan(users=[entry("zoe", active=False)]).units == ()


def test_the_feed_wakes_whom_the_feed_suspended() -> None:
    after = desk(hired(ZOE, status=UserStatus.SUSPENDED)).done(users=[entry("zoe")])
    assert after.users[ZOE].status is UserStatus.ACTIVE


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.ARCHIVED])
def test_whom_somebody_suspended_by_hand_is_not_woken_unless_taken_over(status: UserStatus) -> None:
    here = desk(hired(ZOE, status=status), held_down=frozenset({"zoe"}))
    assert errors_of(here.plan(users=[entry("zoe")])) == {"users.0.active": ["CONFLICT"]}
    assert here.done(users=[entry("zoe")], take_over=True).users[ZOE].status is UserStatus.ACTIVE


def test_a_list_of_people_left_out_is_not_managed() -> None:
    here = desk(hired(ZOE), by_hr(assigned(ZOE, AGENTS)))
    assert here.plan(roles=[]).units == ()
    assert here.plan().units == ()


def test_one_who_goes_through_a_door_for_one_is_left_once_though_also_listed() -> None:
    here = desk(hired(ZOE), hired(YAN))
    plan = here.plan(users=[entry("yan")], leaving=(ZOE, ZOE, YAN))
    assert [unit.holder for unit in plan.units] == ["zoe"]
    alone = here.plan(users=[], complete=False, leaving=(ZOE, ZOE))
    assert [unit.holder for unit in alone.units] == ["zoe"]


# ---------------------------------------------------------------------- whose attributes they are


def test_attributes_belong_to_the_first_source() -> None:
    here = desk(of(IDP, person(ZOE, external_id="E-zoe", email="z@example.org")))
    plan = here.plan(users=[entry("zoey", external_id="E-zoe", display_name="Zoë", email=None, active=False)])
    assert errors_of(plan) == {
        "users.0.userName": ["CONFLICT"], "users.0.displayName": ["CONFLICT"], "users.0.email": ["CONFLICT"],
        "users.0.active": ["CONFLICT"],
    }  # fmt: skip
    assert changes(plan) == []


def test_equal_attributes_of_another_source_are_no_conflict_and_rows_are_added() -> None:
    here = desk(of(IDP, person(ZOE, external_id="E-zoe")), of(IDP, assigned(ZOE, AGENTS)))
    after = here.done(users=[entry("zoe", display_name="zoe", roles=["agents"])])
    assert after.users[ZOE].source == IDP
    assert roles_of(after, ZOE) == {("agents", IDP), ("agents", HR)}


def test_one_who_is_suspended_and_belongs_to_another_source_is_no_conflict() -> None:
    here = desk(of(IDP, person(ZOE, external_id="E-zoe", status=UserStatus.SUSPENDED)))
    assert here.done(users=[entry("zoe")]).users[ZOE].status is UserStatus.SUSPENDED


@pytest.mark.parametrize("name", ["zoe", "zoey"])
def test_taking_over_adopts_a_person_though_nothing_else_changes(name: str) -> None:
    here = desk(of(IDP, person(ZOE, external_id="E-zoe")), of(IDP, assigned(ZOE, AGENTS)))
    feed = {"users": [entry(name, external_id="E-zoe", roles=["agents"])], "take_over": True}
    after = here.done(**feed)
    assert (after.users[ZOE].user_name, after.users[ZOE].source) == (name, HR)
    assert roles_of(after, ZOE) == {("agents", HR)}
    taken = {(step.taken_from, type(step.change.record)) for step in here.plan(**feed).steps()}
    assert taken >= {(IDP, User), (IDP, Assignment)}
    assert all(
        detail.endswith("taken over from `idp`") for action, _, detail in here.told(**feed) if action != "CREATE"
    )


def test_what_has_passed_is_not_taken_over_for_it_would_not_be_given_anew() -> None:
    past = {"valid_until": NOON - timedelta(days=1)}
    here = desk(hired(ZOE), of(IDP, assigned(ZOE, AGENTS, **past)))
    assert here.plan(users=[entry("zoe", roles=[wanted("agents", **past)])], take_over=True).units == ()


def test_a_person_is_adopted_by_user_name_who_has_no_external_id() -> None:
    here = desk(by_hr(person(ZOE)))
    assert here.done(users=[entry("zoe")]).users[ZOE].external_id == "E-zoe"


def test_a_person_made_by_hand_is_adopted_only_where_taken_over() -> None:
    here = desk(person(ZOE))
    assert errors_of(here.plan(users=[entry("zoe")])) == {"users.0.externalId": ["CONFLICT"]}
    after = here.done(users=[entry("zoe")], take_over=True)
    assert (after.users[ZOE].external_id, after.users[ZOE].source) == ("E-zoe", HR)


def test_two_entries_adopt_no_one_person() -> None:
    plan = desk(by_hr(person(ZOE))).plan(users=[entry("zoe", external_id="1"), entry("zoe", external_id="2")])
    assert errors_of(plan) == {"users.0.userName": ["DUPLICATE"], "users.1.userName": ["DUPLICATE"]}


def test_an_attribute_left_out_is_not_managed_and_null_clears_it() -> None:
    here = desk(replace(hired(ZOE, email="z@example.org"), display_name="Zoë"))
    assert here.plan(users=[entry("zoe")]).units == ()
    assert here.done(users=[entry("zoe", email=None)]).users[ZOE].email is None
    assert here.done(users=[entry("zoe", display_name=None)]).users[ZOE].display_name == "zoe"


def test_an_external_id_that_another_has_is_given_to_nobody() -> None:
    """A door that knows ids of ours may say another external id."""
    here = desk(hired(ZOE), hired(YAN))
    plan = here.plan(users=[entry("zoe", id=ZOE, external_id="E-yan")], complete=False)
    assert errors_of(plan) == {"users.0.externalId": ["DUPLICATE"]}


def test_a_service_account_is_no_person_of_a_feed() -> None:
    here = desk(person(BOT, kind=UserKind.SERVICE, external_id="E-bot"))
    assert errors_of(here.plan(users=[entry("bot")])) == {"users.0.userName": ["CONFLICT"]}


def test_everything_wrong_with_the_names_of_a_person_is_told_at_once() -> None:
    plan = desk().plan(users=[entry(" zoe", external_id="E ", display_name="a\u200b", email="nobody")])
    assert set(errors_of(plan)) == {
        "users.0.externalId", "users.0.userName", "users.0.displayName", "users.0.email"
    }  # fmt: skip


# ---------------------------------------------------------------------- names


def test_user_names_are_swapped_in_one_feed_in_whatever_order() -> None:
    here = desk(hired(ZOE), hired(YAN))
    swapped = [entry("yan", external_id="E-zoe"), entry("zoe", external_id="E-yan")]
    for users in (swapped, swapped[::-1]):
        after = here.done(users=users)
        assert (after.users[ZOE].user_name, after.users[YAN].user_name) == ("yan", "zoe")


def test_a_name_is_free_once_who_had_it_gives_it_up_and_falls_with_them() -> None:
    here = desk(hired(ZOE))
    users = [entry("zoey", external_id="E-zoe"), entry("zoe", external_id="E-new")]
    assert {user.user_name for user in here.done(users=users).users.values()} >= {"zoe", "zoey"}
    users[0] = replace(users[0], roles=(wanted("nothing"),))
    assert errors_of(here.plan(users=users)) == {
        "users.0.roles.0.role": ["NOT_FOUND"], "users.1.userName": ["DUPLICATE"]
    }  # fmt: skip


def test_who_keeps_a_name_is_in_nobodys_way() -> None:
    here = desk(hired(ZOE))
    plan = here.plan(users=[entry("zoe", display_name="Zoë"), entry("zoe", external_id="E-new")])
    assert errors_of(plan) == {"users.1.userName": ["DUPLICATE"]}
    assert [change.record.id for change in changes(plan)] == ["zoe"]


def test_a_name_that_is_taken_by_somebody_unlisted_is_a_conflict() -> None:
    assert errors_of(desk().plan(users=[entry("ann", external_id="E-new")])) == {"users.0.externalId": ["CONFLICT"]}
    here = desk(person(ZOE, external_id="other"))
    assert errors_of(here.plan(users=[entry("zoe")])) == {"users.0.userName": ["DUPLICATE"]}


def test_a_name_that_looks_alike_is_another_person() -> None:
    here = desk(hired(ZOE))
    after = here.done(users=[entry("zoe"), entry("z\u043e\u0435")])  # both in Cyrillic
    assert len([user for user in after.users.values() if user.source == HR]) == 2


def test_an_external_id_listed_twice_with_different_content_is_refused_and_with_the_same_is_one() -> None:
    here = desk(hired(ZOE), role(SALES))
    twice = [entry("zoe", roles=["agents", "sales"]), entry("zoe", roles=["sales", "agents", "sales"])]
    assert roles_of(here.done(users=twice), ZOE) == {("agents", HR), ("sales", HR)}
    plan = here.plan(users=[entry("zoe"), entry("zoe", active=False)])
    assert (errors_of(plan), changes(plan)) == ({"users.1": ["DUPLICATE"]}, [])


# ---------------------------------------------------------------------- lists of a person


def test_a_blanked_column_ends_what_the_source_gave_and_one_left_out_ends_nothing() -> None:
    rows = (by_hr(assigned(ZOE, AGENTS)), assigned(ZOE, AGENTS), of(IDP, member(ZOE, CREW)), by_hr(member(ZOE, DESK)))
    here = desk(hired(ZOE), *rows)
    assert roles_of(here.done(users=[entry("zoe", roles=[])]), ZOE) == {("agents", MANUAL)}
    assert here.plan(users=[entry("zoe")]).units == ()
    assert [row.team for row in here.done(users=[entry("zoe", teams=[])]).rows_of(ZOE).memberships] == ["crew"]


def test_a_window_that_has_passed_is_not_given_anew_and_an_old_one_stays() -> None:
    past = {"valid_until": NOON - timedelta(days=1)}
    assert desk(hired(ZOE)).plan(users=[entry("zoe", roles=[wanted("agents", **past)])]).units == ()
    here = desk(hired(ZOE), by_hr(assigned(ZOE, AGENTS, **past)))
    assert here.plan(users=[entry("zoe", roles=[wanted("agents", **past)])]).units == ()


def test_a_window_that_ends_now_has_passed() -> None:
    assert desk(hired(ZOE)).plan(users=[entry("zoe", roles=[wanted("agents", valid_until=NOON)])]).units == ()


def test_another_window_is_another_row() -> None:
    until = NOON + timedelta(days=1)
    here = desk(hired(ZOE), by_hr(assigned(ZOE, AGENTS)))
    told = here.told(users=[entry("zoe", roles=[wanted("agents", valid_until=until)])])
    assert [(action, subject) for action, subject, _ in told] == [("CREATE", "E-zoe"), ("REMOVE", "E-zoe")]


def test_a_level_replaced_by_another_is_one_item() -> None:
    here = desk(hired(ZOE), by_hr(level(ZOE, AccessLevel.USER, "tel")))
    assert here.told(users=[entry("zoe", access=(access("tel", AccessLevel.ADMINISTRATOR),))]) == [
        ("UPDATE", "E-zoe", "level in `tel` in `C1`: USER -> ADMINISTRATOR")
    ]


def test_a_level_of_another_source_is_left_beside() -> None:
    here = desk(hired(ZOE), level(ZOE, AccessLevel.USER, "tel"))
    after = here.done(users=[entry("zoe", access=(access("tel", AccessLevel.ADMINISTRATOR),))])
    assert {(row.level, row.source) for row in after.rows_of(ZOE).access} == {
        (AccessLevel.USER, MANUAL), (AccessLevel.ADMINISTRATOR, HR)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("user", "levels", "errors"),
    [
        ("zoe", [access("tel", AccessLevel.OWNER)], {"users.0.access.0.level": ["NOT_PERMITTED"]}),
        ("oscar", [access("tel", AccessLevel.USER)], {"users.0.access.0": ["LAST_OWNER"]}),
        ("zoe", [access("bot", AccessLevel.USER)], {"users.0.access.0.product": ["INVALID_VALUE"]}),
        ("zoe", [access("tel", AccessLevel.USER, "C9")], {"users.0.access.0.contract": ["NOT_FOUND"]}),
        (
            "zoe",
            [access("tel", AccessLevel.USER), access("tel", AccessLevel.ADMINISTRATOR)],
            {"users.0.access.1": ["DUPLICATE"]},
        ),
    ],
    ids=["owner", "of the owner", "no product", "no contract", "two levels"],
)
def test_levels_that_no_feed_sets(user: str, levels: list[LevelDesired], errors: dict[str, list[str]]) -> None:
    here = desk(hired(ZOE), by_hr(person(OSCAR, external_id="E-oscar")))
    plan = here.plan(users=[entry(user, access=tuple(levels)), entry("zoe" if user == "oscar" else "oscar")])
    assert errors_of(plan) == errors


# ---------------------------------------------------------------------- roles and teams


def test_a_role_and_what_builds_upon_it_arrive_in_any_order() -> None:
    roles = [bundle("chief", parents=["clerk"]), bundle("clerk", "alfa.plain")]
    teams = [squad("inner", parent=Ref.of("key", "outer")), squad("outer", roles=["chief"])]
    users = [entry("zoe", roles=["chief"], teams=["inner"])]
    forward = desk().plan(users=users, roles=roles, teams=teams)
    backward = desk().plan(users=users, roles=roles[::-1], teams=teams[::-1])
    prints = []
    for plan in (forward, backward):
        assert errors_of(plan) == {}
        prints.append(digest_lines(map(line_of, Teller.of(CATALOG, desk().world, plan).tell(plan))))
    assert prints[0] == prints[1]


def test_what_builds_upon_a_refused_role_falls_with_it_over_team_and_person() -> None:
    plan = desk().plan(
        roles=[bundle("clerk", "alfa.nothing"), bundle("other")],
        teams=[squad("desks", roles=["clerk"]), squad("rest", roles=["other"])],
        users=[entry("zoe", teams=["desks"]), entry("yan", teams=["rest"])],
    )
    assert errors_of(plan) == {
        "roles.0.grants.0.permission": ["NOT_FOUND"], "teams.0": ["CONFLICT"], "users.0": ["CONFLICT"]
    }  # fmt: skip
    assert {getattr(change.record, "user_name", None) or getattr(change.record, "key", None) for change in changes(plan)
            } == {"other", "rest", "yan", None}  # fmt: skip


def test_what_builds_upon_a_refused_change_of_a_living_role_stands() -> None:
    here = desk(by_hr(role(SALES)))
    plan = here.plan(roles=[bundle("sales", "alfa.nothing")], users=[entry("zoe", roles=["sales"])])
    assert errors_of(plan) == {"roles.0.grants.0.permission": ["NOT_FOUND"]}
    assert len(changes(plan)) == 2


def test_a_circle_of_new_roles_is_refused_and_whoever_has_one_of_them() -> None:
    roles = [bundle("one", parents=["two"]), bundle("two", parents=["three"]), bundle("three", parents=["one"])]
    plan = desk().plan(roles=[*roles, bundle("apart")], users=[entry("zoe", roles=["two"])])
    assert errors_of(plan) == {f"roles.{n}.parents": ["CYCLE"] for n in range(3)} | {"users.0": ["CONFLICT"]}


def test_a_circle_that_only_a_refused_entry_would_have_opened_is_refused_too() -> None:
    """`sales` would give up its parent `agents`, and does not: then `agents` cannot take `sales` for one."""
    here = desk(by_hr(role(SALES, AGENTS)), by_hr(role(AGENTS)))
    roles = [bundle("sales", parents=[]), bundle("agents", parents=["sales"])]
    assert errors_of(here.plan(roles=roles)) == {}
    roles[0] = bundle("sales", parents=["new"])
    plan = here.plan(roles=[*roles, bundle("new", "alfa.nothing")])
    assert errors_of(plan) == {
        "roles.2.grants.0.permission": ["NOT_FOUND"], "roles.0": ["CONFLICT"], "roles.1.parents": ["CYCLE"]
    }  # fmt: skip


def test_an_archived_role_listed_again_is_brought_back() -> None:
    here = desk(by_hr(role(SALES, archived=True)))
    after = here.done(roles=[bundle("sales")], users=[entry("zoe", roles=["sales"])])
    assert not after.roles[SALES].archived
    assert ("UPDATE", "sales", "role `sales`: brought back") in here.told(roles=[bundle("sales")])


def test_a_role_archived_by_hand_is_not_brought_back_unless_taken_over() -> None:
    here = desk(by_hr(role(SALES, archived=True)), held_down=frozenset({"sales"}))
    assert errors_of(here.plan(roles=[bundle("sales")])) == {"roles.0": ["CONFLICT"]}
    assert not here.done(roles=[bundle("sales")], take_over=True).roles[SALES].archived


def test_a_role_missing_from_the_list_is_archived_and_the_grants_of_its_source_end() -> None:
    here = desk(by_hr(role(SALES)), by_hr(grant(SALES, "alfa.plain")), grant(SALES, "alfa.wide"), by_hr(role(AGENTS)))
    after = here.done(roles=[bundle("agents")])
    assert after.roles[SALES].archived
    assert [row.node for row in after.rows_of(SALES).grants] == ["alfa.wide"]


def test_a_role_of_another_source_that_is_not_listed_keeps_all_but_the_grants_of_the_feed() -> None:
    here = desk(role(SALES), by_hr(grant(SALES, "alfa.plain")), grant(SALES, "alfa.wide"), by_hr(role(AGENTS)))
    after = here.done(roles=[bundle("agents")])
    assert not after.roles[SALES].archived
    assert [row.node for row in after.rows_of(SALES).grants] == ["alfa.wide"]


def test_a_role_that_the_very_feed_archives_is_given_to_nobody() -> None:
    here = desk(by_hr(role(SALES)))
    plan = here.plan(roles=[bundle("new")], users=[entry("zoe", roles=["sales"])])
    assert errors_of(plan) == {"users.0.roles.0.role": ["CONFLICT"]}


def test_a_role_of_another_source_is_as_listed_or_a_conflict() -> None:
    here = desk(of(IDP, role(SALES)))
    assert errors_of(here.plan(roles=[bundle("sales", display_name="Sales")])) == {"roles.0": ["CONFLICT"]}
    after = here.done(roles=[bundle("sales", "alfa.plain", display_name="sales")])
    assert [(row.node, row.source) for row in after.rows_of(SALES).grants] == [("alfa.plain", HR)]
    taken = here.done(roles=[bundle("sales", display_name="Sales")], take_over=True)
    assert (taken.roles[SALES].display_name, taken.roles[SALES].source) == ("Sales", HR)


def test_parents_in_another_order_are_no_change() -> None:
    here = desk(by_hr(role(SALES, RoleId("sams"), AGENTS)))
    assert here.plan(roles=[bundle("sales", parents=["agents", "sams"])]).units == ()


def test_a_role_that_the_caller_does_not_see_is_not_there() -> None:
    here = desk(role(SALES), hidden=frozenset({"sales"}))
    assert errors_of(here.plan(users=[entry("zoe", roles=["sales"])])) == {"users.0.roles.0.role": ["NOT_FOUND"]}


def test_of_a_role_that_the_caller_does_not_see_no_more_is_told_than_that_its_key_is_taken() -> None:
    here = desk(role(SALES), hidden=frozenset({"sales"}))
    (error,) = list_faults(here.plan(roles=[bundle("sales", display_name="Sales")]))
    assert (error.message, error.path) == ("the key `sales` is taken", ("roles", "0", "key"))


def test_a_new_role_is_told_with_everything_that_it_is() -> None:
    """Else two feeds that ask for different things would have one fingerprint."""
    plain = desk().told(roles=[bundle("clerk")], teams=[squad("desks")])
    told = [
        desk().told(roles=[bundle("clerk", parents=["agents"])], teams=[squad("desks")]),
        desk().told(roles=[bundle("clerk", display_name="Clerk")], teams=[squad("desks")]),
        desk().told(roles=[bundle("clerk", description="Clerks")], teams=[squad("desks")]),
        desk().told(roles=[bundle("clerk")], teams=[squad("desks", display_name="Desks")]),
        desk().told(roles=[bundle("clerk")], teams=[squad("desks", parent=Ref.of("key", "crew"))]),
    ]
    for other in told:
        assert other != plain


# ---------------------------------------------------------------------- entries that cannot be read

UNREADABLE = InvalidValue("it cannot be read", path=("users", "7"), expected="an entry")


def spoiled(subject: str | None, noun: str | None = "user") -> Spoiled:
    return Spoiled(noun=noun, subject=subject, faults=(UNREADABLE,), path=("users", "7"))


def test_a_spoiled_entry_is_not_missing() -> None:
    plan = desk(hired(ZOE), hired(YAN)).plan(users=[], spoiled=[spoiled("E-zoe")])
    assert [(unit.subject, unit.is_sound) for unit in plan.units] == [("E-zoe", False), ("E-yan", True)]
    assert plan.emptied == ()


def test_a_spoiled_role_is_not_missing() -> None:
    here = desk(by_hr(role(SALES)), by_hr(role(AGENTS)))
    plan = here.plan(roles=[], spoiled=[spoiled("sales", "role")])
    assert [change.record.id for change in changes(plan)] == ["agents"]


@pytest.mark.parametrize("noun", ["user", None])
def test_where_an_entry_cannot_be_read_at_all_nobody_is_taken_for_missing(noun: str | None) -> None:
    here = desk(hired(ZOE), hired(YAN), by_hr(role(SALES)))
    plan = here.plan(users=[entry("yan", display_name="Yan")], roles=[], spoiled=[spoiled(None, noun)])
    assert plan.emptied == ()
    assert [change.record.id for change in changes(plan)] == ["yan"]


@pytest.mark.parametrize("noun", ["users", "roles", "teams"])
def test_an_empty_list_is_told_where_the_source_manages_something(noun: str) -> None:
    here = desk(hired(ZOE), by_hr(role(SALES)), by_hr(team(DESK)))
    assert here.plan(**{noun: []}).emptied == (noun,)
    assert desk().plan(**{noun: []}).emptied == ()


def test_a_list_of_nothing_but_contradictions_is_not_empty() -> None:
    plan = desk(hired(ZOE)).plan(users=[entry("zoe"), entry("zoe", active=False)])
    assert (plan.emptied, changes(plan)) == ((), [])


def test_who_is_listed_once_more_where_it_cannot_be_read_is_left_alone() -> None:
    """Which of the two is meant nobody knows: neither is done, and the person is not missing."""
    listed = entry("zoe", display_name="Zoe Zed")
    plan = desk(hired(ZOE), hired(YAN)).plan(users=[listed, entry("yan")], spoiled=[spoiled("E-zoe")])

    assert {(unit.subject, unit.is_sound) for unit in plan.units} == {("E-zoe", False)}
    assert list(plan.steps()) == []
    assert any("once more" in str(error) for unit in plan.units for error in unit.faults)
