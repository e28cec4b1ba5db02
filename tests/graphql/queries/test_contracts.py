"""contracts: by number, narrowed down."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of

DOCUMENT = """query ($filter: ContractFilter) { contracts(filter: $filter, first: 100) {
  totalCount edges { node { number } }
} }"""


@pytest.fixture
async def contracts(world: Gateway) -> Gateway:
    await world.register_contract("C-10", name="Tenth of July")
    await world.register_contract("C-2", name="Second")
    await world.register_contract("B-7", name="Gone")
    await world.mutate("updateContract", {"contract": {"number": "C-2"}, "status": "SUSPENDED"})
    await world.mutate("updateContract", {"contract": {"number": "B-7"}, "status": "ENDED"})
    return world


@each_of(
    ("wanted", "numbers"),
    [
        (None, ["B-7", "C-1", "C-10", "C-2"]),
        ({"search": None, "status": None}, ["B-7", "C-1", "C-10", "C-2"]),
        ({"search": "c-1"}, ["C-1", "C-10"]),
        ({"search": "of july"}, ["C-10"]),
        ({"search": "%"}, []),
        ({"status": "ACTIVE"}, ["C-1", "C-10"]),
        ({"status": "SUSPENDED"}, ["C-2"]),
        ({"status": "ENDED"}, ["B-7"]),
        ({"status": "ACTIVE", "search": "tenth"}, ["C-10"]),
    ],
)
async def test_every_condition_must_hold(contracts: Gateway, wanted: dict[str, Any] | None, numbers: list[str]) -> None:
    found = (await contracts.gql(DOCUMENT, {"filter": wanted}))["contracts"]

    assert [edge["node"]["number"] for edge in found["edges"]] == numbers
    assert found["totalCount"] == len(numbers)
