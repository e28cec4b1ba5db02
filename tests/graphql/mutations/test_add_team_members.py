"""addTeamMembers: people join a team, perhaps as supervisors, in a contract, for a while."""

import pytest

from tests.factories import Gateway, holder

MEMBERS = """members { totalCount edges { node { userName teams {
  id team { key } user { userName } supervisor contract { number } validFrom validUntil source reason createdAt
} } } }"""
NIGHT, ANA, CLEO = {"key": "night"}, {"userName": "ana"}, {"userName": "cleo"}


async def test_adds_people_with_all_that_is_given(world: Gateway) -> None:
    given = {
        "team": NIGHT, "users": [CLEO, {"id": world.ids["ben"]}], "supervisor": True, "contract": {"number": "C-1"},
        "validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z", "reason": "holidays",
    }  # fmt: skip

    payload = await world.mutate("addTeamMembers", given, MEMBERS)

    first, second = payload["changes"]
    assert [(c["action"], c["after"], c["contract"]) for c in (first, second)] == [
        ("add_member", "supervisor", {"number": "C-1"})
    ] * 2
    assert [change["holder"]["id"] for change in (first, second)] == [world.ids["cleo"], world.ids["ben"]]
    assert payload["team"]["members"]["totalCount"] == 2
    cleo = next(edge["node"] for edge in payload["team"]["members"]["edges"] if edge["node"]["userName"] == "cleo")
    assert cleo["teams"] == [
        {
            "id": first["row"], "team": {"key": "night"}, "user": {"userName": "cleo"}, "supervisor": True,
            "contract": {"number": "C-1"}, "validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z",
            "source": "manual", "reason": "holidays", "createdAt": "2026-06-01T09:00:00Z",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("absent", [{}, {"contract": None, "validFrom": None, "validUntil": None}])
async def test_by_default_a_plain_member_everywhere_for_ever(world: Gateway, absent: dict[str, None]) -> None:
    await world.mutate("addTeamMembers", {"team": NIGHT, "users": [CLEO], **absent})

    data = await world.gql("""{ user(ref: {userName: "cleo"}) { teams {
      team { key } supervisor contract { number } validFrom validUntil
    } } }""")
    assert data["user"]["teams"] == [
        {"team": {"key": "night"}, "supervisor": False, "contract": None, "validFrom": None, "validUntil": None}
    ]


async def test_a_person_named_twice_joins_once(world: Gateway) -> None:
    payload = await world.both_ways("addTeamMembers", {"team": NIGHT, "users": [CLEO, {"id": world.ids["cleo"]}]})

    assert len(payload["changes"]) == 1


async def test_the_same_membership_is_no_change_another_is_a_row_of_its_own(world: Gateway) -> None:
    await world.no_change("addTeamMembers", {"team": {"key": "support"}, "users": [ANA]})

    payload = await world.both_ways("addTeamMembers", {"team": {"key": "support"}, "users": [ANA], "supervisor": True})

    assert len(payload["changes"]) == 1
    data = await world.gql('{ user(ref: {userName: "ana"}) { teams { supervisor } } }')
    assert sorted(row["supervisor"] for row in data["user"]["teams"]) == [False, True]


async def test_members_have_what_the_team_and_those_around_it_give(world: Gateway) -> None:
    await world.assign(holder(team="support"), "writers")
    await world.join("night", "cleo")

    data = await world.gql('{ user(ref: {userName: "cleo"}) { can(node: "desk.staff.edit_contacts") { allowed } } }')

    assert data["user"]["can"]["allowed"]


async def test_all_unknown_references_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse(
        "addTeamMembers",
        {"team": {"key": "x"}, "users": [CLEO, {"userName": "y"}, {"externalId": "z"}], "contract": {"number": "C-9"}},
    )

    assert [(error["code"], error["path"]) for error in errors] == [
        ("NOT_FOUND", ["team"]),
        ("NOT_FOUND", ["users", "1"]),
        ("NOT_FOUND", ["users", "2"]),
        ("NOT_FOUND", ["contract"]),
    ]


async def test_a_window_that_is_none_is_refused(world: Gateway) -> None:
    for window in (
        {"validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-10T00:00:00Z"},
        {"validUntil": "2026-06-01T09:00:00Z"},
    ):
        (error,) = await world.refuse("addTeamMembers", {"team": NIGHT, "users": [CLEO], **window})
        assert (error["code"], error["path"]) == ("INVALID_VALUE", ["validUntil"])


async def test_an_archived_team_is_refused(world: Gateway) -> None:
    await world.mutate("archiveTeam", {"team": NIGHT})

    (error,) = await world.refuse("addTeamMembers", {"team": NIGHT, "users": [CLEO]})

    assert (error["code"], error["path"]) == ("CONFLICT", ["team"])


async def test_a_right_that_would_stand_without_what_it_needs(world: Gateway) -> None:
    """The team gives real time in the belief that its members have the menu; in C-1 Cleo has not."""
    await world.grant(
        holder(team="night"),
        {"permission": "desk.reports.real_time"},
        onMissingPrerequisites="INCLUDE",
    )
    await world.limit(holder(team="night"), {"permission": "desk.reports.menu"}, onDependents="SUSPEND")

    (error,) = await world.refuse("addTeamMembers", {"team": NIGHT, "users": [CLEO]})

    assert (error["code"], error["path"]) == ("PREREQUISITE_NOT_MET", ["users", "0"])
    assert error["holder"] == {"id": world.ids["cleo"]}
    assert error["permission"] == {"key": "desk.reports.real_time"}


async def test_nobody_to_add_is_no_change(world: Gateway) -> None:
    await world.no_change("addTeamMembers", {"team": NIGHT, "users": []})


async def test_more_than_a_thousand_people_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("addTeamMembers", {"team": NIGHT, "users": [CLEO] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["users"])
