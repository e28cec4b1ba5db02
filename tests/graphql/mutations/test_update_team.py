"""updateTeam: changed attributes, the parent, archived or not."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

SELECT = "id key displayName archived parent { key }"
SUPPORT, NIGHT, DAY = {"key": "support"}, {"key": "night"}, {"key": "day"}


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"displayName": "Days"}, {"displayName": "Days"}),
        ({"displayName": None}, {"displayName": "day"}),
        ({"parent": None}, {"parent": None}),
        ({"parent": NIGHT}, {"parent": {"key": "night"}}),
        ({"archived": True}, {"archived": True}),
    ],
)
async def test_changes_what_is_given_and_null_clears(
    world: Gateway, given: dict[str, Any], after: dict[str, Any]
) -> None:
    found = await world.create_team("day", displayName="Day shift", parent=SUPPORT)
    before = {
        "id": found, "key": "day", "displayName": "Day shift", "archived": False, "parent": {"key": "support"}
    }  # fmt: skip

    payload = await world.both_ways("updateTeam", {"team": DAY, **given}, SELECT)

    assert payload["team"] == {**before, **after}
    assert [(change["action"], change["row"]) for change in payload["changes"]] == [("update_team", found)]


@each_of("given", [{}, {"archived": False}, {"archived": None}, {"parent": SUPPORT}])
async def test_what_is_so_already_is_no_change(world: Gateway, given: dict[str, Any]) -> None:
    await world.no_change("updateTeam", {"team": NIGHT, **given})


@pytest.mark.parametrize("parent", ["support", "night", "day"])
async def test_a_cycle_is_refused(world: Gateway, parent: str) -> None:
    await world.create_team("day", parent=NIGHT)

    (error,) = await world.refuse("updateTeam", {"team": SUPPORT, "parent": {"key": parent}})

    assert (error["code"], error["path"]) == ("CYCLE", ["parent"])
    assert error["message"] == f"`{parent}` lies within this team already, so it cannot be its parent"


async def test_an_archived_parent_stays_and_is_not_taken_on(world: Gateway) -> None:
    await world.create_team("day")
    await world.mutate("archiveTeam", {"team": SUPPORT})

    await world.no_change("updateTeam", {"team": NIGHT, "parent": SUPPORT})
    (error,) = await world.refuse("updateTeam", {"team": DAY, "parent": SUPPORT})

    assert (error["code"], error["path"]) == ("CONFLICT", ["parent"])


async def test_unknown_references_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse("updateTeam", {"team": {"key": "x"}, "parent": {"key": "y"}})

    assert [(error["code"], error["path"]) for error in errors] == [("NOT_FOUND", ["team"]), ("NOT_FOUND", ["parent"])]


async def test_an_invalid_display_name_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("updateTeam", {"team": NIGHT, "displayName": ""})

    assert (error["code"], error["path"]) == ("INVALID_VALUE", ["displayName"])


async def test_leaving_a_parent_that_rights_stand_on(world: Gateway) -> None:
    """The menu comes to `night` by its parent, real time is its own."""
    await world.assign(holder(team="support"), "agents")
    (row,) = await world.grant(holder(team="night"), "desk.reports.real_time")
    given = {"team": NIGHT, "parent": None}

    (error,) = await world.refuse("updateTeam", given)
    assert (error["code"], error["path"], error["holder"]) == (
        "DEPENDENTS_EXIST", ["team"], {"id": world.ids["night"]}
    )  # fmt: skip
    assert error["dependents"] == [{"key": "desk.reports.real_time"}]

    payload = await world.both_ways("updateTeam", {**given, "onDependents": "CASCADE"}, "grants { id } parent { id }")
    assert payload["team"] == {"grants": [], "parent": None}
    assert [(change["action"], change["row"]) for change in payload["changes"]] == [
        ("update_team", world.ids["night"]),
        ("revoke", row),
    ]


async def test_suspend_leaves_dependents(world: Gateway) -> None:
    await world.assign(holder(team="support"), "agents")
    await world.grant(holder(team="night"), "desk.reports.real_time")

    payload = await world.both_ways(
        "updateTeam", {"team": NIGHT, "parent": None, "onDependents": "SUSPEND"}, "grants { permission { key } }"
    )

    assert payload["team"]["grants"] == [{"permission": {"key": "desk.reports.real_time"}}]
    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]
