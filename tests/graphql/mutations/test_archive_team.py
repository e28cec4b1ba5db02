"""archiveTeam: it gives nothing and joins nobody; its rows stay."""

from tests.factories import Gateway, holder

SUPPORT = {"key": "support"}


async def test_gives_nothing_and_keeps_its_members(world: Gateway) -> None:
    await world.assign(holder(team="support"), "writers")

    payload = await world.both_ways(
        "archiveTeam", {"team": SUPPORT}, "archived roles { role { key } } members { totalCount }"
    )

    assert payload["team"] == {
        "archived": True, "roles": [{"role": {"key": "writers"}}], "members": {"totalCount": 2}
    }  # fmt: skip
    data = await world.gql('{ user(ref: {userName: "ana"}) { can(node: "desk.staff.edit_contacts") { state } } }')
    assert data["user"]["can"]["state"] == "NOT_GRANTED"


async def test_joins_nobody(world: Gateway) -> None:
    """Ana may reach the recordings of her group: Ben was in it with her."""
    await world.grant(holder(user="ana"), {"permission": "desk.calls.recordings", "value": {"scopes": ["same group"]}})
    question = """{ user(ref: {userName: "ana"}) {
      can(node: "desk.calls.recordings", target: {userName: "ben"}) { allowed }
    } }"""
    assert (await world.gql(question))["user"]["can"]["allowed"]

    await world.mutate("archiveTeam", {"team": SUPPORT})

    assert not (await world.gql(question))["user"]["can"]["allowed"]


async def test_again_is_no_change(world: Gateway) -> None:
    await world.mutate("archiveTeam", {"team": SUPPORT})

    await world.no_change("archiveTeam", {"team": SUPPORT})


async def test_a_team_that_rights_of_members_stand_on(world: Gateway) -> None:
    await world.grant(holder(team="support"), "desk.reports.menu")
    await world.grant(holder(user="ben"), "desk.reports.real_time")

    for on_dependents in ("REJECT", "CASCADE"):
        (error,) = await world.refuse("archiveTeam", {"team": SUPPORT, "onDependents": on_dependents})
        assert (error["code"], error["holder"]) == ("DEPENDENTS_EXIST", {"id": world.ids["ben"]})
        assert error["path"] == ["team"]

    payload = await world.both_ways("archiveTeam", {"team": SUPPORT, "onDependents": "SUSPEND"})
    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]


async def test_an_unknown_team_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("archiveTeam", {"team": {"key": "nobody"}})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["team"])
