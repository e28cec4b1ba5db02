"""liftLimits: limits end."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

ANA, EXPORT, C1 = holder(user="ana"), "desk.reports.export", {"number": "C-1"}


async def test_by_permission(world: Gateway) -> None:
    payload = await world.both_ways(
        "liftLimits", {"holder": ANA, "limits": [{"permission": EXPORT}]}, "limits { id }"
    )  # fmt: skip

    assert payload["holder"]["limits"] == []
    (change,) = payload["changes"]
    assert (change["action"], change["before"], change["after"]) == ("lift_limit", "off", None)
    assert change["detail"] == "lifted the limit on `Export` (off)"


async def test_by_id(world: Gateway) -> None:
    row, other = await world.limit(ANA, {"permission": "desk.reports.menu"}, {"permission": EXPORT, "contract": C1})

    payload = await world.both_ways("liftLimits", {"holder": ANA, "limits": [{"id": row}]}, "limits { id }")

    assert other in {limit["id"] for limit in payload["holder"]["limits"]}
    assert row not in {limit["id"] for limit in payload["holder"]["limits"]}


async def test_of_exactly_one_contract(world: Gateway) -> None:
    await world.limit(ANA, {"permission": EXPORT, "contract": C1})

    payload = await world.both_ways(
        "liftLimits", {"holder": ANA, "limits": [{"permission": EXPORT, "contract": C1}]},
        "limits { contract { number } }",
    )  # fmt: skip

    assert payload["holder"]["limits"] == [{"contract": None}]


@pytest.mark.parametrize("who", [holder(role="writers"), holder(team="night")])
async def test_from_roles_and_teams_alike(world: Gateway, who: dict[str, Any]) -> None:
    await world.limit(who, EXPORT)

    await world.both_ways("liftLimits", {"holder": who, "limits": [{"permission": EXPORT}]})


async def test_the_right_is_back(world: Gateway) -> None:
    await world.grant(ANA, EXPORT)
    question = '{ user(ref: {userName: "ana"}) { can(node: "desk.reports.export") { state } } }'
    assert (await world.gql(question))["user"]["can"]["state"] == "LIMITED"

    await world.mutate("liftLimits", {"holder": ANA, "limits": [{"permission": EXPORT}]})

    assert (await world.gql(question))["user"]["can"]["state"] == "ACTIVE"


@each_of(
    ("item", "path"),
    [
        ({"permission": "desk.reports.menu"}, ["limits", "0", "permission"]),
        ({"permission": EXPORT, "contract": {"number": "C-1"}}, ["limits", "0", "permission"]),
        ({"permission": EXPORT, "source": "hr"}, ["limits", "0", "permission"]),
        ({"id": "lim_0"}, ["limits", "0", "id"]),
    ],
)
async def test_what_matches_nothing_is_refused(world: Gateway, item: dict[str, Any], path: list[str]) -> None:
    (error,) = await world.refuse("liftLimits", {"holder": ANA, "limits": [item]})

    assert (error["code"], error["path"]) == ("NOT_FOUND", path)


async def test_a_grant_is_no_limit(world: Gateway) -> None:
    (row,) = await world.grant(ANA, "desk.reports.menu")

    (error,) = await world.refuse("liftLimits", {"holder": ANA, "limits": [{"id": row}]})

    assert error["code"] == "NOT_FOUND"


async def test_a_right_that_came_back_without_what_it_needs_is_refused(world: Gateway) -> None:
    """The limit held real time back from the role; meanwhile the menu went."""
    await world.create_role("leads", "desk.reports.menu", "desk.reports.real_time")
    await world.limit(holder(role="leads"), "desk.reports.real_time")
    leads = holder(role="leads")
    await world.mutate("revokePermissions", {"holder": leads, "revokes": [{"permission": "desk.reports.menu"}]})

    (error,) = await world.refuse("liftLimits", {"holder": leads, "limits": [{"permission": "desk.reports.real_time"}]})

    assert error["code"] == "PREREQUISITE_NOT_MET"
    assert error["missing"] == [{"text": "Reports menu"}]


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("liftLimits", {"holder": ANA, "limits": [{"permission": EXPORT}] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["limits"])
