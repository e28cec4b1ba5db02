"""planSync: what a source wants, compared with what there is, and kept to be looked through."""

import sqlite3
from contextlib import closing
from typing import Any

from app.domain.callers import Right
from tests.factories import Answer, Gateway, each_of, holder, select
from tests.syncing import applied, codes, counts, faults, items, level, person, plan, planned, role, sync

C1 = {"number": "C-1"}
EVERYBODY = [person(f"p{number}", roles=[role("agents")]) for number in range(20)]
MANAGER = (
    Right.VIEW_SYNC, Right.RUN_SYNC, Right.VIEW_USERS, Right.MANAGE_USERS, Right.VIEW_ROLES, Right.VIEW_TEAMS,
    Right.VIEW_CONTRACTS, Right.VIEW_RIGHTS,
)  # fmt: skip


async def test_tells_item_by_item_what_it_would_do_and_does_none_of_it(world: Gateway) -> None:
    head = await world.head()

    payload = await plan(
        world,
        users=[
            person(
                "dora", displayName="Dora", email="dora@example.org", teams=[{"key": "support"}], access=[level()],
                roles=[role("leads"), role("agents", contract=C1, validUntil="2026-07-01T00:00:00Z")],
            ),
            person("emil", active=False),
        ],
        roles=[{"key": "leads", "parents": [{"key": "agents"}],
                "grants": [{"permission": "desk.calls.channels", "value": {"amount": 3}}]}],
        teams=[{"key": "day", "kind": "QUEUE", "parent": {"key": "support"}, "roles": [role("agents")]}],
    )  # fmt: skip

    run = payload["run"]
    assert (payload["errors"], payload["warnings"]) == ([], [])
    assert items(run) == [
        ("CREATE", "leads", "roles 0", "role `leads` (displayName: leads; description: none; parents: agents)"),
        ("CREATE", "leads", "roles 0 grants 0 permission", "grant `desk.calls.channels` (3 channels)"),
        ("CREATE", "day", "teams 0", "team `day` (displayName: day; kind: QUEUE; parent: support)"),
        ("CREATE", "day", "teams 0 roles 0", "role `agents`"),
        ("CREATE", "e-dora", "users 0", "person `dora` (displayName: Dora; email: dora@example.org)"),
        ("CREATE", "e-dora", "users 0 roles 0", "role `leads`"),
        ("CREATE", "e-dora", "users 0 roles 1", "role `agents` in `C-1` until 2026-07-01T00:00:00+00:00"),
        ("CREATE", "e-dora", "users 0 teams 0", "team `support`"),
        ("CREATE", "e-dora", "users 0 access 0", "level in `core` in `C-1`: USER"),
        ("CREATE", "e-emil", "users 1", "person `emil` (displayName: emil; email: none, not active)"),
    ]
    assert counts(run) == {"creates": 10}
    assert {name: run[name] for name in ("source", "status", "mode", "takeOver", "maxRemovals", "brake")} == {
        "source": "hr", "status": "PLANNED", "mode": "ATOMIC", "takeOver": False, "maxRemovals": None, "brake": []
    }  # fmt: skip
    assert (run["plannedBy"], run["plannedAt"]) == ("olga", "2026-06-01T09:00:00Z")
    assert (run["appliedBy"], run["appliedAt"], run["reason"], run["revision"]) == (None, None, None, None)
    assert run["baseRevision"] == head["revision"] == str(await world.revision())
    assert await world.head() == head
    assert (await world.gql('{ users(filter: {search: "dora"}) { totalCount } }'))["users"]["totalCount"] == 0


# ---------------------------------------------------------------------- the input


async def test_references_are_by_id_or_key(world: Gateway) -> None:
    agents, support, contract = ({"id": world.ids[key]} for key in ("agents", "support", "C-1"))

    run = await planned(
        world,
        users=[person("dora", teams=[support], access=[{"contract": contract, "product": "core", "level": "USER"}],
                      roles=[{"role": agents, "contract": contract}])],
        roles=[{"key": "leads", "parents": [agents], "grants": []}],
        teams=[{"key": "day", "parent": support, "roles": [{"role": agents}]}],
    )  # fmt: skip

    assert [told for *_, told in items(run)][-4:] == [
        "person `dora` (displayName: dora; email: none)",
        "role `agents` in `C-1`",
        "team `support`",
        "level in `core` in `C-1`: USER",
    ]


async def test_values_are_those_of_every_other_mutation(world: Gateway) -> None:
    grants: list[Answer] = [
        {"permission": "desk.reports.menu"},
        {"permission": "desk.reports.export", "value": None},
        {"permission": "desk.staff.show_phone", "value": {"on": True}},
        {"permission": "desk.staff.accounts.users", "value": {"level": "View only"}},
        {"permission": "desk.calls.recordings", "value": {"scopes": ["own", "same group"]}},
        {"permission": "desk.calls.channels", "value": {"amount": 2}, "contract": C1},
        {"permission": "desk.calls.numbers", "value": {"members": ["49301", "ivr"]}},
        {"permission": "desk.calls.wrap_up", "value": {"full": True}, "validFrom": "2026-07-01T12:00:00+02:00"},
    ]

    run = await planned(world, roles=[{"key": "leads", "grants": grants}])

    assert [told for *_, told in items(run)][1:] == [
        "grant `desk.reports.menu` (on)",
        "grant `desk.reports.export` (on)",
        "grant `desk.staff.show_phone` (on)",
        "grant `desk.staff.accounts.users` (View only)",
        "grant `desk.calls.recordings` (same group)",
        "grant `desk.calls.channels` (2 channels) in `C-1`",
        "grant `desk.calls.numbers` (49301, ivr)",
        "grant `desk.calls.wrap_up` (0 seconds) from 2026-07-01T10:00:00+00:00",
    ]


async def test_what_stands_in_the_document_means_the_same_as_variables(world: Gateway) -> None:
    """Enums, times and defaults included."""
    document = """mutation { planSync(input: {source: "hr", mode: PARTIAL, users: [{
      externalId: "e-dora", userName: "dora", email: null, teams: [{key: "support"}],
      access: [{contract: {number: "C-1"}, product: "core", level: ADMINISTRATOR}],
      roles: [{role: {key: "agents"}, validUntil: "2026-07-01T02:00:00.5+02:00"}]
    }], teams: [{key: "day", kind: QUEUE, parent: null}]}) { run { fingerprint } errors { message } } }"""
    window = {"validUntil": "2026-07-01T00:00:00.500000Z"}

    inline = (await world.gql(document))["planSync"]
    run = await planned(
        world, mode="PARTIAL", teams=[{"key": "day", "kind": "QUEUE"}],
        users=[person("dora", email=None, teams=[{"key": "support"}], access=[level(rung="ADMINISTRATOR")],
                      roles=[role("agents", **window)], active=True)],
    )  # fmt: skip

    assert inline == {"run": {"fingerprint": run["fingerprint"]}, "errors": []}


def role_of(**grant: Any) -> Answer:
    return {"roles": [{"key": "good", "grants": []}, {"key": "leads", "grants": [grant]}]}


def user_of(**more: Any) -> Answer:
    return {"users": [person("good"), person("dora", **more)]}


CHANNELS = "desk.calls.channels"
FAULTS: list[tuple[Answer, str, str]] = [
    (user_of(email="dora"), "INVALID_VALUE", "users 1 email"),
    (user_of(displayName=" "), "INVALID_VALUE", "users 1 displayName"),
    ({"users": [person("good"), {"externalId": "", "userName": "x"}]}, "INVALID_VALUE", "users 1 externalId"),
    ({"users": [person("good"), {"externalId": "e", "userName": ""}]}, "INVALID_VALUE", "users 1 userName"),
    (user_of(roles=[role("agents"), role("nobody")]), "NOT_FOUND", "users 1 roles 1 role"),
    (user_of(roles=[role("")]), "INVALID_VALUE", "users 1 roles 0 role key"),
    (user_of(roles=[role("agents", contract={"number": "C-9"})]), "NOT_FOUND", "users 1 roles 0 contract"),
    (
        user_of(roles=[role("agents", validFrom="2026-07-02T00:00:00Z", validUntil="2026-07-01T00:00:00Z")]),
        "INVALID_VALUE", "users 1 roles 0 validUntil",
    ),
    (user_of(teams=[{"key": "support"}, {"key": "nobody"}]), "NOT_FOUND", "users 1 teams 1"),
    (user_of(access=[level("nothing")]), "INVALID_VALUE", "users 1 access 0 product"),
    (user_of(access=[level(number="C-9")]), "NOT_FOUND", "users 1 access 0 contract"),
    (user_of(access=[level(rung="OWNER")]), "NOT_PERMITTED", "users 1 access 0 level"),
    (user_of(access=[level(), level(rung="ADMINISTRATOR")]), "DUPLICATE", "users 1 access 1"),
    (role_of(permission="desk.nothing"), "NOT_FOUND", "roles 1 grants 0 permission"),
    (role_of(permission="desk.reports"), "NOT_GRANTABLE", "roles 1 grants 0 permission"),
    (role_of(permission=CHANNELS), "INVALID_VALUE", "roles 1 grants 0 value"),
    (role_of(permission=CHANNELS, value={"amount": 11}), "INVALID_VALUE", "roles 1 grants 0 value"),
    (role_of(permission=CHANNELS, value={"on": True}), "INVALID_VALUE", "roles 1 grants 0 value"),
    (role_of(permission=CHANNELS, value={"full": False}), "INVALID_VALUE", "roles 1 grants 0 value full"),
    ({"roles": [{"key": "a", "grants": [], "parents": [{"key": "nobody"}]}]}, "NOT_FOUND", "roles 0 parents 0"),
    ({"roles": [{"key": "a", "grants": [], "description": "x" * 2001}]}, "INVALID_VALUE", "roles 0 description"),
    ({"teams": [{"key": "a", "parent": {"key": "nobody"}}]}, "NOT_FOUND", "teams 0 parent"),
    ({"teams": [{"key": "a", "roles": [role("nobody")]}]}, "NOT_FOUND", "teams 0 roles 0 role"),
]  # fmt: skip


@each_of(("given", "code", "path"), FAULTS)
async def test_a_fault_is_an_item_with_its_place_in_the_input(
    world: Gateway, given: Answer, code: str, path: str
) -> None:
    payload = await plan(world, **given)

    assert codes(payload["errors"]) == codes(faults(payload["run"])) == [(code, path)]
    assert (payload["run"]["status"], payload["run"]["refused"]) == ("REFUSED", 1)


async def test_all_faults_come_together(world: Gateway) -> None:
    payload = await plan(
        world, roles=[{"key": "one", "grants": [{"permission": "desk.nothing"}, {"permission": "desk.reports"}]}],
        users=[person("dora", roles=[role("nobody")]), person("emil", email="@"), person("good")],
    )  # fmt: skip

    assert sorted(codes(payload["errors"])) == [
        ("INVALID_VALUE", "users 1 email"),
        ("NOT_FOUND", "roles 0 grants 0 permission"),
        ("NOT_FOUND", "users 0 roles 0 role"),
        ("NOT_GRANTABLE", "roles 0 grants 1 permission"),
    ]
    assert counts(payload["run"]) == {"creates": 1, "refused": 4}


@each_of(
    ("given", "path"),
    [
        ({"source": "manual"}, "source"),
        ({"source": "Manual"}, "source"),
        ({"source": "scim:idp"}, "source"),
        ({"source": "SCIM:idp"}, "source"),
        ({"source": ""}, "source"),
        ({"source": "right\u202eto left"}, "source"),
        ({"maxRemovals": -1}, "maxRemovals"),
        ({"idempotencyKey": " "}, "idempotencyKey"),
    ],
)
async def test_a_request_that_cannot_be_meant_is_no_run(world: Gateway, given: Answer, path: str) -> None:
    async with world.unchanged():
        payload = await plan(world, **{"users": [person("dora")], **given})

    assert (payload["run"], payload["warnings"]) == (None, [])
    assert codes(payload["errors"]) == [("INVALID_VALUE", path)]


async def test_without_any_list_there_is_nothing_to_plan(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)
    nobody = (await world.issue_token("cleo"))[1]

    told = [await plan(world), await plan(world, users=None, roles=None), await plan(world, source="manual")]

    assert [(payload["run"], codes(payload["errors"])) for payload in told] == [
        (None, [("INVALID_VALUE", "")]), (None, [("INVALID_VALUE", "")]), (None, [("INVALID_VALUE", "source")])
    ]  # fmt: skip
    assert codes((await plan(world, token=nobody))["errors"]) == [("NOT_PERMITTED", "")]


async def test_what_is_left_out_or_null_is_not_managed(world: Gateway) -> None:
    await sync(
        world, roles=[{"key": "leads", "description": "of a shift", "grants": [MENU]}],
        users=[
            person("dora", displayName="Dora", roles=[role("agents")], teams=[{"key": "support"}], access=[level()])
        ],
    )  # fmt: skip

    left_out = await planned(world, users=[person("dora")])
    null = await planned(world, users=[person("dora", roles=None, teams=None, access=None)], roles=None, teams=None)
    managed = await planned(world, users=[person("dora", roles=[], displayName=None)])

    assert counts(left_out) == counts(null) == {"unchanged": 1}
    assert items(managed) == [
        ("UPDATE", "e-dora", "users 0", "person `dora`: displayName: Dora -> dora"),
        ("REMOVE", "e-dora", "users 0 roles", "role `agents`"),
    ]


async def test_the_order_of_the_input_makes_no_difference(world: Gateway) -> None:
    one, two = person("dora", roles=[role("agents"), role("writers")]), person("emil")

    first = await planned(world, users=[one, two])
    second = await planned(world, users=[two, {**one, "roles": one["roles"][::-1]}])
    other = await planned(world, users=[two, person("dora", roles=[role("agents")])])

    assert first["fingerprint"] == second["fingerprint"] != other["fingerprint"]
    assert first["id"] != second["id"]


# ---------------------------------------------------------------------- rules


SPY, REAL_TIME, MENU = ({"permission": f"desk.reports.{right}"} for right in ("spy", "real_time", "menu"))


async def test_a_role_and_what_it_needs_arrive_in_any_order(world: Gateway) -> None:
    run = await planned(
        world, users=[person("dora", roles=[role("spies")])],
        roles=[{"key": "spies", "grants": [SPY], "parents": [{"key": "watchers"}]},
               {"key": "watchers", "grants": [REAL_TIME, MENU]}],
    )  # fmt: skip

    assert counts(run) == {"creates": 7}


async def test_a_right_without_what_it_needs_is_named_with_its_place_and_what_would_mend_it(world: Gateway) -> None:
    payload = await plan(
        world, roles=[{"key": "spies", "grants": [SPY]}],
        users=[person("dora", roles=[role("spies")]), person("emil", roles=[role("agents")])],
    )  # fmt: skip

    fault, follower = payload["errors"]
    switches = [
        {"holder": None, "permission": {"key": MENU["permission"]}, "value": {"text": "on"}, "contract": None},
        {"holder": None, "permission": {"key": REAL_TIME["permission"]}, "value": {"text": "on"}, "contract": None},
    ]
    assert fault == {
        "__typename": "PrerequisiteNotMet", "code": "PREREQUISITE_NOT_MET",
        "message": "`Spy on calls` needs `Real time`, `Reports menu`",
        "path": ["roles", "0", "grants", "0", "permission"], "holder": None, "affectedCount": 2,
        "permission": {"key": "desk.reports.spy"}, "missing": [{"text": "Real time"}, {"text": "Reports menu"}],
        "fixes": [{"grants": switches, "removals": [], "other": []}],
    }  # fmt: skip
    assert codes([follower]) == [("CONFLICT", "users 0")]
    assert payload["run"]["status"] == "REFUSED"
    assert faults(payload["run"]) == payload["errors"], "kept as it was told"
    assert [(action, subject) for action, subject, *_ in items(payload["run"])] == [
        ("REFUSED", "spies"), ("REFUSED", "e-dora"), ("CREATE", "e-emil"), ("CREATE", "e-emil")
    ]  # fmt: skip


async def test_partial_lets_the_rest_be(world: Gateway) -> None:
    given: Answer = {
        "roles": [{"key": "spies", "grants": [SPY]}],
        "users": [person("dora", roles=[role("spies")]), person("emil", roles=[role("agents")])],
    }

    atomic, partial = await plan(world, **given), await plan(world, **given, mode="PARTIAL")

    assert (atomic["run"]["status"], partial["run"]["status"]) == ("REFUSED", "PLANNED")
    assert (atomic["run"]["mode"], partial["run"]["mode"]) == ("ATOMIC", "PARTIAL")
    assert codes(atomic["errors"]) == codes(partial["errors"])
    assert counts(partial["run"]) == {"creates": 2, "refused": 2}


async def test_the_last_owner_stays(world: Gateway) -> None:
    given = {"externalId": "e-olga", "userName": "olga", "active": False}

    payload = await plan(world, users=[given], takeOver=True)

    assert codes(payload["errors"]) == [("LAST_OWNER", "users 0")]
    assert payload["run"]["status"] == "REFUSED"


# ---------------------------------------------------------------------- what others manage


async def test_what_somebody_else_manages_is_a_conflict(world: Gateway) -> None:
    payload = await plan(world, users=[person("ana", displayName="Anna", roles=[role("writers")])])

    assert sorted(codes(payload["errors"])) == [
        ("CONFLICT", "users 0 displayName"),
        ("CONFLICT", "users 0 externalId"),
    ]
    assert payload["run"]["status"] == "REFUSED"
    assert counts(payload["run"]) == {"conflicts": 2}


async def test_taking_over_is_asked_for_and_told_item_by_item(world: Gateway) -> None:
    run = await planned(world, users=[person("ana", displayName="Anna", roles=[role("agents")])], takeOver=True)

    assert (run["takeOver"], run["brake"]) == (True, [])
    assert items(run) == [
        ("UPDATE", "e-ana", "users 0",
         "person `ana`: displayName: ana -> Anna; externalId: none -> e-ana; taken over from `manual`"),
        ("REMOVE", "e-ana", "users 0 roles 0", "role `agents`; taken over from `manual`"),
        ("CREATE", "e-ana", "users 0 roles 0", "role `agents`"),
    ]  # fmt: skip


async def test_a_right_given_by_hand_is_left_beside_the_same_of_a_source(world: Gateway) -> None:
    await world.mutate("updateUser", {"user": {"userName": "ana"}, "externalId": "e-ana"})

    run = await planned(world, users=[person("ana", roles=[role("agents")])])

    assert items(run) == [("CREATE", "e-ana", "users 0 roles 0", "role `agents`")]


async def test_nobody_is_woken_whom_somebody_else_has_put_down(world: Gateway) -> None:
    await sync(world, users=[person("dora")])
    await world.mutate("setUserStatus", {"user": {"userName": "dora"}, "status": "SUSPENDED"})

    payload = await plan(world, users=[person("dora")])
    asleep = await planned(world, users=[person("dora", active=False)])

    assert codes(payload["errors"]) == [("CONFLICT", "users 0 active")]
    assert counts(asleep) == {"unchanged": 1}


async def test_nobody_is_woken_whom_somebody_has_archived_since_the_source_suspended_them(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)
    await sync(world, users=EVERYBODY[1:])
    await world.mutate("setUserStatus", {"user": {"userName": "p0"}, "status": "ARCHIVED"})

    payload = await plan(world, users=EVERYBODY)

    assert codes(payload["errors"]) == [("CONFLICT", "users 0 active")]


async def test_a_service_account_is_no_person(world: Gateway) -> None:
    await world.create_service_account("bot")

    payload = await plan(world, users=[person("bot")])

    assert ("CONFLICT", "users 0 userName") in codes(payload["errors"])


# ---------------------------------------------------------------------- what is taken away


async def test_who_is_missing_is_suspended_and_what_is_missing_ends(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)

    run = await planned(world, users=EVERYBODY[1:])

    assert items(run) == [
        ("UPDATE", "e-p0", "users", "person `p0`: suspended"),
        ("REMOVE", "e-p0", "users", "role `agents`"),
    ]
    assert counts(run) == {"removes": 1, "suspends": 1, "losingRights": 1, "unchanged": 19}
    assert run["brake"] == []


async def test_the_brake_is_told_of_with_the_plan(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)

    payload = await plan(world, users=EVERYBODY[3:])

    assert payload["errors"] == []
    assert payload["run"]["status"] == "PLANNED"
    assert payload["run"]["brake"] == [
        "3 of 20 assignments end, more than the 10% allowed",
        "3 of 20 people are suspended, more than the 10% allowed",
        "3 of 20 people lose a right, more than the 10% allowed",
    ]
    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        ("BRAKE", f"{alarm}: the brake stops it until it is overridden with a reason")
        for alarm in payload["run"]["brake"]
    ]


async def test_people_who_are_called_otherwise_are_told_of_and_stop_nothing(world: Gateway) -> None:
    """SEMANTICS 10: the brake counts what is taken away. A column that slipped by a row is seen all the same."""
    await sync(world, users=EVERYBODY)
    moved = [{**one, "userName": f"{one['userName']}@example.org"} for one in EVERYBODY]

    payload = await plan(world, users=moved, maxRemovals=0)

    assert (payload["errors"], payload["run"]["brake"]) == ([], [])
    (warning,) = payload["warnings"]
    assert warning["code"] == "ADVISORY"
    assert warning["message"].startswith("20 of 20 people are called otherwise: look whether a column has slipped")
    await applied(world, payload["run"])
    assert (await plan(world, users=[*moved[:10], *EVERYBODY[10:]]))["warnings"] == []


async def test_what_a_plan_was_warned_of_stands_with_its_run(world: Gateway) -> None:
    await sync(world, users=EVERYBODY)
    moved = [{**one, "userName": f"{one['userName']}@example.org"} for one in EVERYBODY]
    shown = "query($id: ID!) { syncRun(id: $id) { warnings } syncRuns(first: 1) { edges { node { warnings } } } }"

    payload, again = [await plan(world, users=moved, idempotencyKey="moved") for _ in range(2)]
    found = await world.gql(shown, {"id": payload["run"]["id"]})
    done = await applied(world, payload["run"])

    (warning,) = payload["warnings"]
    assert payload["run"]["warnings"] == done["warnings"] == [warning["message"]]
    assert (again["run"]["id"], again["warnings"]) == (payload["run"]["id"], payload["warnings"])
    assert found["syncRun"]["warnings"] == [warning["message"]]
    assert [edge["node"]["warnings"] for edge in found["syncRuns"]["edges"]] == [[warning["message"]]]


async def test_a_run_that_an_older_version_has_kept_has_no_warnings(world: Gateway) -> None:
    run = await planned(world, users=EVERYBODY)
    with closing(sqlite3.connect(world.path)) as connection, connection:
        connection.execute("UPDATE sync_runs SET warnings = NULL")

    found = await world.gql("query($id: ID!) { syncRun(id: $id) { warnings } }", {"id": run["id"]})

    assert found == {"syncRun": {"warnings": []}}


@each_of(("most", "brake"), [(2, 3), (3, 0), (0, 3)])
async def test_how_much_may_go_can_be_said(world: Gateway, most: int, brake: int) -> None:
    await sync(world, source=f"of {most}", users=(people := _people_of(most)))

    run = await planned(world, source=f"of {most}", users=people[3:], maxRemovals=most)

    assert (run["maxRemovals"], len(run["brake"])) == (most, brake)


def _people_of(most: int) -> list[Answer]:
    return [person(f"{most}-{number}", roles=[role("agents")]) for number in range(5)]


async def test_who_loses_is_measured_against_all_whom_roles_of_the_source_reach(world: Gateway) -> None:
    """A feed of roles alone, which people have by hand: who has no part in what changes counts as well."""
    few = [{"key": "big", "grants": [MENU]}, {"key": "small", "grants": [MENU]}]
    more = [
        {"key": "big", "grants": [MENU]},
        {"key": "small", "grants": [MENU, {"permission": "desk.reports.real_time"}]},
    ]
    await sync(world, roles=more)
    for number in range(10):
        await world.create_user(f"q{number}")
        await world.assign(holder(user=f"q{number}"), "big" if number else "small")

    brake = (await plan(world, roles=few))["run"]["brake"]

    assert [alarm for alarm in brake if "people" in alarm] == []


async def test_what_goes_is_measured_against_all_that_the_source_has_whatever_the_feed_lists(world: Gateway) -> None:
    """The people whom a feed leaves alone are not looked at, and count."""
    team = {"key": "crew", "roles": [role("agents"), role("writers")]}
    await sync(world, users=EVERYBODY, teams=[team])
    await world.join("crew", "p0")

    brake = (await plan(world, teams=[{**team, "roles": [role("agents")]}]))["run"]["brake"]

    assert brake == []


async def test_an_empty_list_is_refused_where_the_source_manages_something(world: Gateway) -> None:
    assert (await plan(world, users=[]))["run"]["status"] == "PLANNED"
    await sync(world, users=EVERYBODY, roles=[{"key": "leads", "grants": [MENU]}])

    people, roles = await plan(world, users=[]), await plan(world, roles=[], maxRemovals=1000)

    assert codes(people["errors"]) == [("BRAKE", "users")]
    assert codes(roles["errors"]) == [("BRAKE", "roles")]
    assert {people["run"]["status"], roles["run"]["status"]} == {"REFUSED"}
    assert (await plan(world, teams=[]))["errors"] == []


# ---------------------------------------------------------------------- who


async def test_needs_the_right_everywhere(world: Gateway) -> None:
    nobody = await world.trust("cleo", Right.MANAGE_USERS, Right.GRANT_RIGHTS)
    somewhere = await world.trust("ben", Right.RUN_SYNC, Right.VIEW_SYNC, contract="C-1")
    await world.services.uses.finish()

    for secret in (nobody, somewhere):
        async with world.unchanged():
            payload = await plan(world, token=secret, users=[person("dora")])
        assert payload["run"] is None
        assert codes(payload["errors"]) == [("NOT_PERMITTED", "")]


async def test_a4_a_feed_is_no_side_door(world: Gateway) -> None:
    """Whoever may run syncs gives no more by it than by any other mutation, and nothing to themselves."""
    secret = await world.trust("cleo", *MANAGER, Right.GRANT_RIGHTS, Right.MANAGE_ROLES, Right.MANAGE_MEMBERS)
    await world.create_role("owners", Right.SET_FACTS)
    await world.create_team("chiefs")
    await world.assign(holder(team="chiefs"), "owners")
    tried: list[tuple[Answer, str]] = [
        ({"users": [person("dora", roles=[role("agents")])]}, "DELEGATION_EXCEEDED"),
        ({"users": [person("dora", roles=[role("owners")])]}, "DELEGATION_EXCEEDED"),
        ({"users": [person("dora", teams=[{"key": "chiefs"}])]}, "DELEGATION_EXCEEDED"),
        ({"roles": [{"key": "leads", "grants": [MENU]}]}, "DELEGATION_EXCEEDED"),
        ({"roles": [{"key": "leads", "grants": [], "parents": [{"key": "owners"}]}]}, "DELEGATION_EXCEEDED"),
        ({"users": [person("cleo", roles=[role("agents")])], "takeOver": True}, "SELF_ELEVATION"),
        ({"users": [person("cleo", teams=[{"key": "chiefs"}])], "takeOver": True}, "SELF_ELEVATION"),
        ({"users": [person("dora", access=[level()])]}, "NOT_PERMITTED"),
    ]

    told = []
    for given, code in tried:
        payload = await plan(world, token=secret, **given)
        found = {error["code"] for error in payload["errors"]}
        if code not in found or payload["run"]["status"] != "REFUSED" or not faults(payload["run"]):
            told.append((given, code, found))

    assert told == []


async def test_a_machine_gives_nothing_beyond_its_ceiling(world: Gateway) -> None:
    secret = await world.create_service_account("bot", "agents")
    await world.trust("bot", *MANAGER, Right.GRANT_RIGHTS, "desk.reports.menu", "desk.staff.edit_contacts")
    await world.trust("bot", "desk.staff.read_contacts")

    payload = await plan(
        world, token=secret, users=[person("dora", roles=[role("agents")]), person("emil", roles=[role("writers")])]
    )

    assert {(error["code"], " ".join(error["path"])) for error in faults(payload["run"])} == {
        ("DELEGATION_EXCEEDED", "users 1 roles 0")
    }
    assert [(action, subject) for action, subject, *_ in items(payload["run"])][:2] == [
        ("CREATE", "e-dora"), ("CREATE", "e-dora")
    ]  # fmt: skip


async def test_what_the_caller_does_not_see_is_not_there(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.RUN_SYNC, Right.VIEW_SYNC)
    given = person("dora", roles=[role("agents"), role("nothing")], teams=[{"key": "support"}], access=[level()])

    payload = await plan(world, token=secret, users=[given])

    assert [(error["code"], error["message"]) for error in payload["errors"]] == [
        ("NOT_FOUND", "there is no role `agents`"),
        ("NOT_FOUND", "there is no role `nothing`"),
        ("NOT_FOUND", "there is no team `support`"),
        ("NOT_FOUND", "there is no contract `C-1`"),
    ]


# ---------------------------------------------------------------------- the same again


async def test_the_same_under_the_same_key_is_the_first_run(world: Gateway) -> None:
    given: Answer = {"users": [person("dora")], "idempotencyKey": "night 1"}
    first = await plan(world, **given)
    await world.create_user("zoe")
    await world.services.uses.finish()

    async with world.unchanged():
        again = await plan(world, **given)

    assert again == first
    assert select(world.path, "SELECT count(*) FROM sync_runs") == [(1,)]


async def test_without_a_key_each_is_a_run_of_its_own(world: Gateway) -> None:
    first, second = await planned(world, users=[person("dora")]), await planned(world, users=[person("dora")])

    assert first["id"] != second["id"]
    assert first["fingerprint"] == second["fingerprint"]


async def test_who_may_plan_no_more_is_not_shown_what_they_planned(world: Gateway) -> None:
    secret = await world.trust("cleo", *MANAGER)
    given: Answer = {"users": [person("emil")], "idempotencyKey": "tonight"}
    first = await plan(world, token=secret, **given)
    revoked = {"holder": holder(user="cleo"), "revokes": [{"permission": Right.RUN_SYNC}]}
    await world.mutate("revokePermissions", revoked)

    again = await plan(world, token=secret, **given)

    assert first["run"] is not None
    assert (again["run"], codes(again["errors"])) == (None, [("NOT_PERMITTED", "")])


@each_of(
    "other",
    [
        {"users": [person("emil")]},
        {"users": [person("dora", email=None)]},
        {"users": [person("dora")], "mode": "PARTIAL"},
        {"users": [person("dora")], "source": "idp"},
        {"users": [person("dora")], "maxRemovals": 3},
        {"users": [person("dora")], "roles": []},
    ],
)
async def test_another_request_under_a_used_key_is_refused(world: Gateway, other: Answer) -> None:
    await plan(world, users=[person("dora")], idempotencyKey="night 1")

    payload = await plan(world, **other, idempotencyKey="night 1")

    assert payload["run"] is None
    assert codes(payload["errors"]) == [("IDEMPOTENCY_MISMATCH", "idempotencyKey")]


async def test_a_key_of_another_mutation_is_used_as_well(world: Gateway) -> None:
    await world.mutate("createUser", {"userName": "zoe", "idempotencyKey": "night 1"})

    payload = await plan(world, users=[person("dora")], idempotencyKey="night 1")

    assert codes(payload["errors"]) == [("IDEMPOTENCY_MISMATCH", "idempotencyKey")]


async def test_a_key_is_its_callers_own(world: Gateway) -> None:
    secret = await world.trust("cleo", *MANAGER)
    mine = await plan(world, users=[person("dora")], idempotencyKey="night 1")

    theirs = await plan(world, token=secret, users=[person("emil")], idempotencyKey="night 1")

    assert theirs["errors"] == []
    assert theirs["run"]["id"] != mine["run"]["id"]
    assert theirs["run"]["plannedBy"] == "cleo"
