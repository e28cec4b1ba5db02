"""removeTeamMembers: people leave a team, in exactly the scope and source that is named."""

from app.domain.holders import Membership
from tests.factories import Gateway, holder

SUPPORT, ANA, BEN, CLEO = {"key": "support"}, {"userName": "ana"}, {"userName": "ben"}, {"userName": "cleo"}


async def members_of(gateway: Gateway, team: str) -> list[str]:
    data = await gateway.gql(
        "query ($ref: TeamRef!) { team(ref: $ref) { members { edges { node { userName } } } } }",
        {"ref": {"key": team}},
    )
    return [edge["node"]["userName"] for edge in data["team"]["members"]["edges"]]


async def test_ends_every_membership_of_the_people(world: Gateway) -> None:
    payload = await world.mutate("removeTeamMembers", {"team": SUPPORT, "users": [ANA, BEN]})

    assert [(c["action"], c["before"], c["after"]) for c in payload["changes"]] == [
        ("remove_member", "member", None),
        ("remove_member", "supervisor", None),
    ]
    assert await members_of(world, "support") == []


async def test_as_supervisor_only_the_membership_that_leads_ends(world: Gateway) -> None:
    await world.join("support", "ben")  # a plain one beside that of the supervisor

    payload = await world.mutate("removeTeamMembers", {"team": SUPPORT, "users": [BEN], "supervisor": True})

    assert [change["before"] for change in payload["changes"]] == ["supervisor"]
    data = await world.gql('{ user(ref: {userName: "ben"}) { teams { supervisor } } }')
    assert data["user"]["teams"] == [{"supervisor": False}]


async def test_a_plain_member_is_not_taken_out_as_supervisor(world: Gateway) -> None:
    (error,) = await world.refuse("removeTeamMembers", {"team": SUPPORT, "users": [ANA], "supervisor": True})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["users", "0"])


async def test_only_rows_of_exactly_that_contract_end(world: Gateway) -> None:
    await world.join("support", "ana", contract={"number": "C-1"})

    payload = await world.mutate(
        "removeTeamMembers", {"team": SUPPORT, "users": [ANA], "contract": {"number": "C-1"}}
    )  # fmt: skip

    assert [change["contract"] for change in payload["changes"]] == [{"number": "C-1"}]
    assert await members_of(world, "support") == ["ana", "ben"]


async def test_only_rows_of_that_window_end_where_one_is_given(world: Gateway) -> None:
    window = {"validFrom": "2026-07-01T00:00:00Z", "validUntil": "2026-08-01T00:00:00Z"}
    await world.join("support", "ana", **window)

    (error,) = await world.refuse(
        "removeTeamMembers", {"team": SUPPORT, "users": [ANA], "validFrom": "2026-07-02T00:00:00Z"}
    )
    assert error["code"] == "NOT_FOUND"
    payload = await world.mutate("removeTeamMembers", {"team": SUPPORT, "users": [ANA], **window})

    assert len(payload["changes"]) == 1
    assert await members_of(world, "support") == ["ana", "ben"]


async def test_rows_of_another_source_stay_and_are_named(world: Gateway) -> None:
    synced = Membership(
        id=world.new_id(Membership), user=world.ids["cleo"], team=world.ids["support"], source="hr",
        created_at=world.clock(),
    )  # fmt: skip
    await world.plant([synced])

    (error,) = await world.refuse("removeTeamMembers", {"team": SUPPORT, "users": [CLEO]})
    assert error["code"] == "NOT_FOUND"
    assert error["message"] == "`cleo` is no member in this scope from `manual`; added by `hr`"

    await world.join("support", "cleo")
    payload = await world.both_ways("removeTeamMembers", {"team": SUPPORT, "users": [CLEO]})
    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        ("CONFLICT", f"the membership from `hr` (row {synced.id}) stays")
    ]
    assert await members_of(world, "support") == ["ana", "ben", "cleo"]


async def test_who_is_no_member_and_who_is_unknown_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse("removeTeamMembers", {"team": SUPPORT, "users": [ANA, CLEO, {"userName": "x"}]})

    assert sorted((error["code"], error["path"][1]) for error in errors) == [("NOT_FOUND", "1"), ("NOT_FOUND", "2")]


async def test_rights_that_stand_on_the_team(world: Gateway) -> None:
    await world.grant(holder(team="support"), "desk.reports.menu")
    (row,) = await world.grant(holder(user="ben"), "desk.reports.real_time")
    given = {"team": SUPPORT, "users": [BEN]}

    (error,) = await world.refuse("removeTeamMembers", given)
    assert (error["code"], error["holder"], error["path"]) == (
        "DEPENDENTS_EXIST", {"id": world.ids["ben"]}, ["users", "0"]
    )  # fmt: skip

    payload = await world.both_ways("removeTeamMembers", {**given, "onDependents": "CASCADE"})
    assert [change["action"] for change in payload["changes"]] == ["remove_member", "revoke"]
    assert payload["changes"][1]["row"] == row


async def test_suspend_leaves_what_stood_on_the_team(world: Gateway) -> None:
    await world.grant(holder(team="support"), "desk.reports.menu")
    await world.grant(holder(user="ben"), "desk.reports.real_time")

    payload = await world.both_ways(
        "removeTeamMembers", {"team": SUPPORT, "users": [BEN], "onDependents": "SUSPEND"}
    )  # fmt: skip

    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]
    data = await world.gql("""{ user(ref: {userName: "ben"}) {
      rights: effectiveRights(nodes: ["desk.reports.real_time"]) { state }
    } }""")
    assert data["user"]["rights"] == [{"state": "SUSPENDED"}]
