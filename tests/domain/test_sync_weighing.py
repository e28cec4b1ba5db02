"""What the rules, the guards and the brake say of a feed, in examples (SEMANTICS sections 6, 8 and 10).

Everything is judged on the state after the whole of a plan. `alfa.above` needs `alfa.below`; `sam` manages and has
little, `olga` owns the account.
"""

from dataclasses import replace

import pytest

from app.domain.contracts import AccessLevel
from app.domain.errors import Braked, DependentsExist, ErrorCode, PrerequisiteNotMet, Refused
from app.domain.fixes import GiveRight
from app.domain.holders import Ceiling, RoleId, UserId, UserKind
from app.domain.references import Ref
from app.domain.sync.brake import Brake, Measure, find_alarms, find_managed, find_oddities, measure, raise_if_unsafe
from app.domain.sync.desired import SyncMode, UserDesired
from app.domain.sync.diff import SyncPlan
from app.domain.sync.weighing import MAX_ROUNDS, find_kinds
from tests.desks import (
    HR,
    IDP,
    SALES,
    YAN,
    ZOE,
    Desk,
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
    squad,
)
from tests.staff import (
    AGENTS,
    BOT,
    BOTS,
    C1,
    DESK,
    OLGA,
    OSCAR,
    SAM,
    SAMS,
    TOMORROW,
    assigned,
    every_right,
    grant,
    level,
    limit,
    member,
    person,
    role,
    team,
)


def lively(plan: SyncPlan) -> set[str]:
    """The holders to whom something is to be done."""
    return {unit.holder for unit in plan.units if unit.is_sound}


# ---------------------------------------------------------------------- prerequisites


def test_a_role_and_its_prerequisites_arrive_in_any_order() -> None:
    roles = [bundle("chief", "alfa.above", parents=["clerk"]), bundle("clerk", "alfa.below")]
    for listed in (roles, roles[::-1]):
        here = desk()
        plan = here.plan(roles=listed, users=[entry("zoe", roles=["chief"])])
        assert len(here.weigh(plan).changes) == 6
        assert errors_of(plan) == {}


def test_a_role_that_would_lack_a_prerequisite_is_one_fault_at_its_position_with_what_would_fix_it() -> None:
    here = desk()
    plan = here.plan(
        roles=[bundle("other"), bundle("chief", "alfa.plain", "alfa.above")],
        users=[entry("zoe", roles=["chief"]), entry("yan", roles=["chief"])],
    )
    assert here.weigh(plan).changes == ()
    error = list_faults(plan)[0]
    assert isinstance(error, PrerequisiteNotMet)
    assert (error.path, error.node, error.affected) == (("roles", "1", "grants", "1", "permission"), "alfa.above", 3)
    ((give,),) = error.fixes
    assert isinstance(give, GiveRight)
    assert give.node == "alfa.below"
    assert errors_of(plan) == {
        "roles.1.grants.1.permission": ["PREREQUISITE_NOT_MET"], "users.0": ["CONFLICT"], "users.1": ["CONFLICT"]
    }  # fmt: skip


def test_a_person_who_would_lack_a_prerequisite_is_a_fault_of_that_person() -> None:
    """The role stands as it is, and was given to nobody; whom it is given to first is at fault."""
    here = desk(role(SALES), grant(SALES, "alfa.above"))
    users = [entry("yan", roles=["agents"]), entry("zoe", roles=["agents", "sales"])]
    plan = here.plan(roles=[bundle("other")], users=users)
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert errors_of(plan) == {"users.1.roles.1": ["PREREQUISITE_NOT_MET"]}
    assert len(weighed.changes) == 3


def test_people_who_lack_the_same_are_each_a_fault_of_their_own() -> None:
    here = desk(role(SALES), grant(SALES, "alfa.above"), *(hired(UserId(f"p{n}")) for n in range(5)))
    plan = here.plan(users=[entry(f"p{n}", roles=["sales"]) for n in range(5)])
    kinds = find_kinds(here.world, plan.units, OLGA)
    assert [len(kind.people) for kind in kinds] == [5]
    here.weigh(plan)
    errors = [error for error in list_faults(plan) if isinstance(error, PrerequisiteNotMet)]
    assert [(error.path, error.holder, error.affected) for error in errors] == [
        (("users", str(n), "roles", "0"), f"p{n}", 5) for n in range(5)
    ]
    assert [{part.holder for fix in error.fixes for part in fix} for error in errors] == [
        {f"p{n}"} for n in range(5)
    ]  # fmt: skip


def test_a_new_person_who_lacks_what_a_role_gives_up_is_a_fault_of_that_person() -> None:
    """The role may give up a grant that nobody stands on; whoever comes to stand on it comes too late."""
    small = RoleId("small")
    here = desk(
        by_hr(role(SALES)), by_hr(grant(SALES, "alfa.above")), by_hr(grant(SALES, "alfa.below")), role(small),
        grant(small, "alfa.above"),
    )  # fmt: skip
    users = [entry(f"p{n}", roles=["agents", "sales", "small"]) for n in range(3)]
    plan = here.plan(roles=[bundle("sales")], users=users)
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert errors_of(plan) == {f"users.{n}.roles.2": ["PREREQUISITE_NOT_MET"] for n in range(3)}
    assert {getattr(change.before, "node", None) for change in weighed.changes} == {"alfa.above", "alfa.below"}


def test_what_others_stand_on_is_not_taken_and_their_own_rows_are_named() -> None:
    people = [UserId(f"p{n}") for n in range(2)]
    rows = [record for who in people for record in (hired(who), by_hr(assigned(who, SALES)), grant(who, "alfa.above"))]
    here = desk(role(SALES), grant(SALES, "alfa.below"), *rows)
    plan = here.plan(users=[entry("p0", roles=[]), entry("p1", roles=[])])
    here.weigh(plan)
    assert set(errors_of(plan)) == {"users.0.roles", "users.1.roles"}
    errors = [error for error in list_faults(plan) if isinstance(error, DependentsExist)]
    assert [(error.holder, error.dependents) for error in errors] == [(who, ("alfa.above",)) for who in people]
    for error, who in zip(errors, people, strict=True):
        assert f"given by `manual` (row {grant(who, 'alfa.above').id})" in error.message


def test_a_person_whose_own_entry_is_innocent_is_not_dropped_for_a_role() -> None:
    """`sales` would lose what zoe stands on; her entry only joins a team, and is done."""
    here = desk(
        by_hr(role(SALES)), by_hr(grant(SALES, "alfa.below")), hired(ZOE), by_hr(assigned(ZOE, SALES)),
        grant(ZOE, "alfa.above"),
    )  # fmt: skip
    plan = here.plan(roles=[bundle("sales")], users=[entry("zoe", roles=["sales"], teams=["desk"])])
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert errors_of(plan) == {"roles.0.grants": ["DEPENDENTS_EXIST"]}
    assert [type(change.record).__name__ for change in weighed.changes] == ["Membership"]


def test_a_person_with_two_rows_alike_is_not_like_one_with_one() -> None:
    """Who is given a role by two sources keeps it when one of them ends it; who has it from one loses it."""
    here = desk(
        role(SALES), grant(SALES, "alfa.plain"), hired(ZOE), by_hr(assigned(ZOE, SALES)), hired(YAN),
        by_hr(assigned(YAN, SALES)), of(IDP, replace(assigned(ZOE, SALES), id="another")),
    )  # fmt: skip
    for users in ([entry("zoe", roles=[]), entry("yan", roles=[])], [entry("yan", roles=[]), entry("zoe", roles=[])]):
        assert here.weigh(here.plan(users=users)).losing == {"yan"}


def test_what_builds_upon_a_role_that_the_rules_refuse_falls_with_it_and_the_rest_is_done() -> None:
    here = desk()
    plan = here.plan(
        roles=[bundle("chief", "alfa.above"), bundle("clerk", "alfa.plain")],
        teams=[squad("chiefs", roles=["chief"]), squad("inner", parent=Ref.of("key", "chiefs"))],
        users=[entry("zoe", teams=["inner"]), entry("yan", roles=["clerk"])],
    )
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert errors_of(plan) == {
        "roles.0.grants.0.permission": ["PREREQUISITE_NOT_MET"], "teams.0": ["CONFLICT"], "teams.1": ["CONFLICT"],
        "users.0": ["CONFLICT"],
    }  # fmt: skip
    assert sorted(type(change.record).__name__ for change in weighed.changes) == ["Assignment", "Grant", "Role", "User"]


def test_atomic_does_nothing_where_one_entry_is_faulty() -> None:
    here = desk()
    plan = here.plan(users=[entry("zoe", roles=["nothing"]), entry("yan")])
    assert here.weigh(plan, SyncMode.ATOMIC).changes == ()
    assert len(here.weigh(plan, SyncMode.PARTIAL).changes) == 1


def test_a_circle_that_comes_of_leaving_out_what_the_rules_refuse_is_refused_too() -> None:
    """`sales` would give up its parent, and may not; then the parent cannot take `sales` for its own."""
    here = desk(
        by_hr(role(SALES, AGENTS)), by_hr(role(AGENTS)), grant(AGENTS, "alfa.below"), grant(SALES, "alfa.above")
    )
    plan = here.plan(roles=[bundle("sales", parents=[]), bundle("agents", parents=["sales"])])
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert errors_of(plan) == {"roles.0": ["DEPENDENTS_EXIST"], "roles.1.parents": ["CYCLE"]}
    assert weighed.changes == ()


def test_what_does_not_settle_is_refused_whole() -> None:
    """Each round names the first of a chain of roles alone: what includes it is refused once it is left out."""
    names = [f"r{number}" for number in range(MAX_ROUNDS + 2)]
    old = [by_hr(role(RoleId(one), *([RoleId(names[n - 1])] if n else []))) for n, one in enumerate(names)]
    here = desk(*old)
    plan = here.plan(roles=[bundle(name, "alfa.above") for name in names])
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert weighed.changes == ()
    assert [error.code for error in weighed.errors] == [ErrorCode.CONFLICT]


# ---------------------------------------------------------------------- guards


def test_bulk_changes_obey_the_guards_of_single_ones() -> None:
    here = desk(role(SALES), grant(SALES, "alfa.wide"), role(RoleId("small")), grant(RoleId("small"), "alfa.plain"))
    plan = here.plan(users=[entry("zoe", roles=["sales"]), entry("yan", roles=["small"])])
    weighed = here.weigh(plan, SyncMode.PARTIAL, by=SAM)
    assert errors_of(plan) == {"users.0.roles.0": ["DELEGATION_EXCEEDED"]}
    assert lively(plan) == {change.record.id for change in weighed.changes if hasattr(change.record, "user_name")}


def test_a_role_brought_back_gives_what_its_caller_may_give() -> None:
    """No row says so, and still the fault is at the entry of the role."""
    here = desk(by_hr(role(SALES, archived=True)), grant(SALES, "alfa.wide"), by_hr(role(AGENTS)))
    plan = here.plan(roles=[bundle("agents", "alfa.plain"), bundle("sales")], users=[entry("zoe", roles=["sales"])])
    weighed = here.weigh(plan, SyncMode.PARTIAL, by=SAM)
    assert errors_of(plan) == {"roles.1": ["DELEGATION_EXCEEDED"], "users.0.roles.0": ["DELEGATION_EXCEEDED"]}
    assert len(weighed.changes) == 1


def test_a_machine_gives_nothing_beyond_its_ceiling() -> None:
    mine = [grant(BOT, "alfa.plain"), grant(BOT, "alfa.wide"), grant(BOTS, "alfa.plain"), *every_right(BOT)]
    here = desk(role(SALES), grant(SALES, "alfa.wide"), *mine)
    plan = here.plan(users=[entry("zoe", roles=["sales"]), entry("yan", roles=["bots"])])
    here.weigh(plan, SyncMode.PARTIAL, by=BOT)
    assert errors_of(plan) == {"users.0.roles.0": ["DELEGATION_EXCEEDED"]}


def test_a_right_that_lacks_is_told_of_every_change_that_needs_it() -> None:
    here = desk()
    plan = here.plan(users=[entry("zoe"), entry("yan", roles=["agents"])])
    here.weigh(plan, by=UserId("ann"))
    assert errors_of(plan) == {
        "users.0": ["NOT_PERMITTED"], "users.1": ["NOT_PERMITTED"], "users.1.roles.0": ["NOT_PERMITTED"]
    }  # fmt: skip


def test_nobody_raises_themselves_by_a_role_that_they_are_in() -> None:
    here = desk(by_hr(role(SAMS)), by_hr(role(AGENTS)))
    plan = here.plan(roles=[bundle("agents", "alfa.plain"), bundle("sams", "alfa.wide")])
    weighed = here.weigh(plan, SyncMode.PARTIAL, by=SAM)
    assert set(errors_of(plan)) == {"roles.1.grants.0.permission"}
    assert len(weighed.changes) == 1


def test_levels_are_set_by_who_may_set_them() -> None:
    here = desk(level(SAM, AccessLevel.ADMINISTRATOR), hired(ZOE), hired(YAN))
    users = [
        entry("zoe", access=(access("core", AccessLevel.WITHOUT_ACCESS),)),
        entry("yan", access=(access("core", AccessLevel.USER),)),
    ]
    plan = here.plan(users=users)
    here.weigh(plan, SyncMode.PARTIAL, by=SAM)
    assert errors_of(plan) == {"users.0.access.0": ["NOT_PERMITTED"]}


def test_a_level_ends_that_takes_nothing_for_it_is_given_by_others_as_well() -> None:
    """Not as if what is left were set: an ADMINISTRATOR by hand may be more than a machine can ever set."""
    bot = person(BOT, kind=UserKind.SERVICE, ceiling=Ceiling(levels=frozenset({(C1, "tel", AccessLevel.USER)})))
    by_hand = replace(level(ZOE, AccessLevel.ADMINISTRATOR, "tel"), id="by hand")
    given = by_hr(level(ZOE, AccessLevel.USER, "tel"))
    rights = every_right(BOT)
    here = desk(bot, *rights, level(BOT, AccessLevel.ADMINISTRATOR), hired(ZOE), by_hand, given)
    lower = desk(bot, *rights, level(BOT, AccessLevel.ADMINISTRATOR), hired(ZOE), by_hand,
                 by_hr(level(ZOE, AccessLevel.USER, "tel"), valid_until=TOMORROW))  # fmt: skip
    outsider = desk(bot, *rights, hired(ZOE), by_hand, given)

    for one, errors in ((here, []), (lower, []), (outsider, [ErrorCode.NOT_PERMITTED])):
        plan = one.plan(users=[entry("zoe", access=[])])
        one.weigh(plan, by=BOT)
        assert [error.code for error in list_faults(plan)] == errors


def test_what_a_source_gave_before_somebody_came_to_own_the_contract_may_stay_or_end() -> None:
    given = by_hr(level(OSCAR, AccessLevel.USER))
    here = desk(by_hr(replace(person(OSCAR), external_id="E-oscar")), given, level(SAM, AccessLevel.ADMINISTRATOR))
    stays = here.plan(users=[entry("oscar", access=[access("core", AccessLevel.USER)])])
    assert stays.units == ()
    raised = here.plan(users=[entry("oscar", access=[access("core", AccessLevel.ADMINISTRATOR)])])
    assert [error.code for error in list_faults(raised)] == [ErrorCode.LAST_OWNER]
    ended = here.plan(users=[entry("oscar", access=[])])
    here.weigh(ended, by=SAM)
    assert list_faults(ended) == [] and [unit.holder for unit in ended.units] == ["oscar"]


def test_the_last_owner_is_not_suspended_by_a_feed_and_the_rest_is_done() -> None:
    here = desk(hired(OLGA, is_owner=True), hired(ZOE), hired(YAN))
    plan = here.plan(users=[entry("olga", active=False), entry("zoe", display_name="Zoë")])
    weighed = here.weigh(plan, SyncMode.PARTIAL)
    assert errors_of(plan) == {"users.0": ["LAST_OWNER"]}
    assert {change.record.id for change in weighed.changes} == {"zoe", "yan"}


def test_the_owner_of_a_contract_is_not_suspended_for_being_missing() -> None:
    here = desk(hired(OSCAR), hired(ZOE))
    plan = here.plan(users=[entry("zoe")])
    assert here.weigh(plan).changes == ()
    assert errors_of(plan) == {"users": ["LAST_OWNER"]}


# ---------------------------------------------------------------------- who loses


def test_one_grant_taken_out_of_a_role_of_five_hundred_is_five_hundred_who_lose() -> None:
    people = [UserId(f"p{n}") for n in range(500)]
    here = desk(
        by_hr(role(SALES)), by_hr(grant(SALES, "alfa.plain")), by_hr(grant(SALES, "alfa.wide")),
        *(person(one) for one in people), *(assigned(one, SALES) for one in people),
    )  # fmt: skip
    plan = here.plan(roles=[bundle("sales", "alfa.plain")])
    weighed = here.weigh(plan)
    assert weighed.losing == set(people)
    measures = measure(find_managed(here.world, HR), HR, weighed.changes, weighed.losing)
    assert Measure("people lose a right", 500, 500) in measures
    assert find_alarms(measures, Brake(max_removals=499)) == ("500 people lose a right, more than the 499 allowed",)
    assert find_alarms(measures, Brake(max_removals=500)) == ()


@pytest.mark.parametrize("node", ["alfa.listen", "alfa.charge", "alfa.scored"])
def test_a_right_that_hangs_on_a_target_or_a_fact_is_lost_like_any_other(node: str) -> None:
    here = desk(
        by_hr(role(SALES)), by_hr(grant(SALES, "alfa.plain")), by_hr(grant(SALES, node)),
        person(ZOE), assigned(ZOE, SALES), person(YAN),
    )  # fmt: skip
    assert here.weigh(here.plan(roles=[bundle("sales", "alfa.plain")])).losing == {ZOE}


def test_who_keeps_a_right_by_another_way_loses_nothing() -> None:
    here = desk(
        hired(ZOE), by_hr(assigned(ZOE, SALES)), role(SALES), grant(SALES, "alfa.plain"), grant(ZOE, "alfa.plain")
    )
    assert here.weigh(here.plan(users=[entry("zoe", roles=[])])).losing == set()


def test_who_is_suspended_loses_all_and_who_had_nothing_loses_nothing() -> None:
    here = desk(hired(ZOE), hired(YAN), grant(ZOE, "alfa.plain"))
    users = [entry("zoe", active=False), entry("yan", active=False)]
    assert here.weigh(here.plan(users=users)).losing == {"zoe"}


def test_whom_a_limit_left_nothing_loses_nothing() -> None:
    here = desk(
        hired(ZOE), by_hr(assigned(ZOE, SALES)), role(SALES), grant(SALES, "alfa.plain"), limit(ZOE, "alfa.plain")
    )
    assert here.weigh(here.plan(users=[entry("zoe", roles=[])])).losing == set()


def test_a_right_held_in_a_contract_alone_is_lost_there() -> None:
    here = desk(
        hired(ZOE), by_hr(assigned(ZOE, SALES, C1)), role(SALES), grant(SALES, "alfa.plain"),
        level(ZOE, AccessLevel.USER),
    )  # fmt: skip
    assert here.weigh(here.plan(users=[entry("zoe", roles=[])])).losing == {"zoe"}


def test_a_level_that_goes_takes_everything_in_its_contract() -> None:
    here = desk(hired(ZOE), grant(ZOE, "alfa.plain"), by_hr(level(ZOE, AccessLevel.USER)))
    assert here.weigh(here.plan(users=[entry("zoe", access=())])).losing == {"zoe"}


def test_a_row_that_has_not_begun_is_lost_by_nobody_today() -> None:
    here = desk(hired(ZOE), by_hr(assigned(ZOE, SALES, valid_from=TOMORROW)), role(SALES), grant(SALES, "alfa.plain"))
    plan = here.plan(users=[entry("zoe", roles=[])])
    assert (here.weigh(plan).losing, len(changes(plan))) == (set(), 1)


# ---------------------------------------------------------------------- the brake


def taken(here: Desk, users: list[UserDesired], **more: bool) -> tuple[Measure, ...]:
    weighed = here.weigh(here.plan(users=users, **more))
    return measure(find_managed(here.world, HR), HR, weighed.changes, weighed.losing)


def staffed(number: int) -> Desk:
    """So many people of the feed, each with a role that gives something and a team."""
    people = [UserId(f"p{n}") for n in range(number)]
    rows = [record for who in people for record in (hired(who), by_hr(assigned(who, SALES)), by_hr(member(who, DESK)))]
    return desk(role(SALES), grant(SALES, "alfa.plain"), team(DESK), *rows)


def listed(number: int, **more: object) -> list[UserDesired]:
    return [entry(f"p{n}", **{"roles": ["sales"], "teams": ["desk"], **more}) for n in range(number)]


def test_a_column_of_names_that_slipped_by_a_row_is_told_of_and_stops_nothing() -> None:
    """Each would be known by the name of the next: callers are. That a few marry is no such thing."""

    def slipped(number: int) -> list[UserDesired]:
        names = [f"p{n}" for n in range(1, number)] + ["p0"]
        people = [replace(one, user_name=name) for one, name in zip(listed(number), names, strict=True)]
        return [*people, *listed(20)[number:]]

    many, few = (taken(staffed(20), slipped(number)) for number in (11, 10))
    assert find_oddities(many, Brake()) == (
        "11 of 20 people are called otherwise: look whether a column has slipped, for callers are known by their names",
    )
    assert find_oddities(few, Brake()) == find_oddities(many, Brake(share=0.6)) == ()
    for brake in (Brake(), Brake(share=0), Brake(max_removals=0)):
        assert find_alarms(many, brake) == ()


def test_a_feed_that_only_deactivates_everybody_is_stopped() -> None:
    measures = taken(staffed(20), listed(20, active=False))
    assert find_alarms(measures, Brake()) == tuple(
        f"20 of 20 people {what}, more than the 10% allowed" for what in ("are suspended", "lose a right")
    )


def test_a_blanked_column_is_stopped() -> None:
    assert find_alarms(taken(staffed(20), listed(20, teams=[])), Brake()) == (
        "20 of 20 memberships end, more than the 10% allowed",
    )


def test_a_feed_cut_in_half_is_stopped() -> None:
    assert [alarm.partition(",")[0] for alarm in find_alarms(taken(staffed(20), listed(10)), Brake())] == [
        "10 of 20 assignments end", "10 of 20 memberships end", "10 of 20 people are suspended",
        "10 of 20 people lose a right",
    ]  # fmt: skip


@pytest.mark.parametrize(("gone", "stops"), [(0, False), (2, False), (3, True)])
def test_the_share_is_what_may_go_and_no_more(gone: int, stops: bool) -> None:
    assert bool(find_alarms(taken(staffed(20), listed(20 - gone)), Brake())) is stops


def test_a_number_that_is_allowed_stands_in_for_the_share() -> None:
    measures = taken(staffed(20), listed(10))
    assert find_alarms(measures, Brake(max_removals=20)) == ()
    assert find_alarms(measures, Brake(max_removals=19)) == ("20 rows end, more than the 19 allowed",)


def test_a_first_load_and_taking_over_take_nothing_away() -> None:
    assert find_alarms(taken(desk(role(SALES), team(DESK)), listed(5)), Brake(max_removals=0)) == ()
    others = [of(IDP, person(UserId("p0"), external_id="E-p0")), of(IDP, assigned(UserId("p0"), SALES))]
    here = desk(role(SALES), grant(SALES, "alfa.plain"), team(DESK), *others)
    assert find_alarms(taken(here, listed(1), take_over=True), Brake(max_removals=0)) == ()


def test_an_empty_list_stops_always_and_what_is_too_much_until_it_is_overridden() -> None:
    here = desk(hired(ZOE))
    empty, much = here.plan(users=[]), here.plan(users=[entry("zoe", active=False)])
    for overridden in (False, True):
        with pytest.raises(Refused) as refused:
            raise_if_unsafe(empty, (), overridden=overridden)
        assert [error.path for error in refused.value.errors] == [("users",)]
    with pytest.raises(Refused) as refused:
        raise_if_unsafe(much, ("too much",))
    assert [type(error) for error in refused.value.errors] == [Braked]
    raise_if_unsafe(much, ("too much",), overridden=True)
