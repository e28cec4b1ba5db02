"""teams: by key, narrowed down."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of

DOCUMENT = """query ($filter: TeamFilter) { teams(filter: $filter, first: 100) {
  totalCount edges { node { key } }
} }"""


@pytest.fixture
async def teams(world: Gateway) -> Gateway:
    await world.create_team("Sales", kind="QUEUE", displayName="Selling & more")
    await world.create_team("old", kind="GROUP")
    await world.mutate("archiveTeam", {"team": {"key": "old"}})
    return world


@each_of(
    ("wanted", "keys"),
    [
        (None, ["Sales", "night", "old", "support"]),
        ({"search": None, "kind": None, "archived": None}, ["Sales", "night", "old", "support"]),
        ({"search": "s"}, ["Sales", "support"]),
        ({"search": "& MORE"}, ["Sales"]),
        ({"kind": "TEAM"}, ["night"]),
        ({"kind": "GROUP"}, ["old", "support"]),
        ({"kind": "QUEUE"}, ["Sales"]),
        ({"archived": True}, ["old"]),
        ({"archived": False}, ["Sales", "night", "support"]),
        ({"kind": "GROUP", "archived": False}, ["support"]),
        ({"kind": "QUEUE", "archived": True}, []),
    ],
)
async def test_every_condition_must_hold(teams: Gateway, wanted: dict[str, Any] | None, keys: list[str]) -> None:
    found = (await teams.gql(DOCUMENT, {"filter": wanted}))["teams"]

    assert [edge["node"]["key"] for edge in found["edges"]] == keys
    assert found["totalCount"] == len(keys)
