"""roles: by key, narrowed down."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

DOCUMENT = """query ($filter: RoleFilter) { roles(filter: $filter, first: 100) {
  totalCount edges { node { key } }
} }"""


async def find(gateway: Gateway, wanted: dict[str, Any] | None) -> list[str]:
    found = (await gateway.gql(DOCUMENT, {"filter": wanted}))["roles"]
    keys = [edge["node"]["key"] for edge in found["edges"]]
    assert found["totalCount"] == len(keys)
    return keys


@pytest.fixture
async def roles(world: Gateway) -> Gateway:
    await world.create_role("Zeta", "desk.reports.menu", displayName="Last of all")
    await world.create_role("old", displayName="Was an agent")
    await world.mutate("archiveRole", {"role": {"key": "old"}})
    return world


@each_of(
    ("wanted", "keys"),
    [
        (None, ["Zeta", "agents", "old", "writers"]),
        ({}, ["Zeta", "agents", "old", "writers"]),
        ({"search": None, "archived": None, "grants": None}, ["Zeta", "agents", "old", "writers"]),
        ({"search": "AGENT"}, ["agents", "old"]),
        ({"search": "last of"}, ["Zeta"]),
        ({"search": "%"}, []),
        ({"archived": True}, ["old"]),
        ({"archived": False}, ["Zeta", "agents", "writers"]),
        ({"grants": "desk.reports.menu"}, ["Zeta", "agents"]),
        ({"grants": "desk.reports.menu", "search": "z"}, ["Zeta"]),
        ({"grants": "desk.staff.read_contacts"}, []),  # implied, no row of its own
        ({"grants": "desk.nothing"}, []),
    ],
)
async def test_every_condition_must_hold(roles: Gateway, wanted: dict[str, Any] | None, keys: list[str]) -> None:
    assert await find(roles, wanted) == keys


async def test_a_grant_that_has_ended_counts_no_more(roles: Gateway) -> None:
    await roles.mutate(
        "revokePermissions", {"holder": holder(role="Zeta"), "revokes": [{"permission": "desk.reports.menu"}]}
    )

    assert await find(roles, {"grants": "desk.reports.menu"}) == ["agents"]


async def test_several_rows_of_a_role_list_it_once(roles: Gateway) -> None:
    await roles.grant(holder(role="agents"), {"permission": "desk.reports.menu", "contract": {"number": "C-1"}})

    assert await find(roles, {"grants": "desk.reports.menu"}) == ["Zeta", "agents"]
