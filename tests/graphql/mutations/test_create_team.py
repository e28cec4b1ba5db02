"""createTeam: a new team, group or queue."""

import pytest

from tests.factories import Gateway

SELECT = """id key displayName kind archived source parent { key } grants { id } limits { id } roles { id }
  members { totalCount }"""


@pytest.mark.parametrize("kind", ["TEAM", "GROUP", "QUEUE"])
async def test_creates_a_team_with_all_it_is_given(world: Gateway, kind: str) -> None:
    given = {"key": "day", "displayName": "Day shift", "kind": kind, "parent": {"key": "support"}}

    payload = await world.both_ways("createTeam", given, SELECT)

    team = payload["team"]
    assert team == {
        "id": team["id"], "key": "day", "displayName": "Day shift", "kind": kind, "archived": False,
        "source": "manual", "parent": {"key": "support"}, "grants": [], "limits": [], "roles": [],
        "members": {"totalCount": 0},
    }  # fmt: skip
    (change,) = payload["changes"]
    assert (change["action"], change["row"], change["team"]) == ("create_team", team["id"], {"key": "day"})


@pytest.mark.parametrize("given", [{}, {"displayName": None, "parent": None}])
async def test_a_key_alone_will_do(gateway: Gateway, given: dict[str, None]) -> None:
    payload = await gateway.both_ways("createTeam", {"key": "day", **given}, "displayName kind parent { key }")

    assert payload["team"] == {"displayName": "day", "kind": "TEAM", "parent": None}


async def test_a_taken_key_is_refused_an_archived_one_too(world: Gateway) -> None:
    await world.mutate("archiveTeam", {"team": {"key": "night"}})

    (error,) = await world.refuse("createTeam", {"key": "night"})

    assert (error["code"], error["path"]) == ("DUPLICATE", ["key"])
    assert error["message"] == "there is a team `night` already"


async def test_all_faults_come_together(world: Gateway) -> None:
    errors = await world.refuse("createTeam", {"key": " ", "displayName": "", "parent": {"key": "nobody"}})

    assert sorted((error["path"][0], error["code"]) for error in errors) == [
        ("displayName", "INVALID_VALUE"),
        ("key", "INVALID_VALUE"),
        ("parent", "NOT_FOUND"),
    ]


async def test_an_archived_parent_is_refused(world: Gateway) -> None:
    await world.mutate("archiveTeam", {"team": {"key": "support"}})

    (error,) = await world.refuse("createTeam", {"key": "day", "parent": {"key": "support"}})

    assert (error["code"], error["path"]) == ("CONFLICT", ["parent"])
