"""transferContract: another owner; the former one becomes ADMINISTRATOR everywhere."""

import pytest

from tests.factories import Gateway, holder

C1, ANA, BEN, CLEO = {"number": "C-1"}, {"userName": "ana"}, {"userName": "ben"}, {"userName": "cleo"}
TABLE = """query ($ref: ContractRef!) { contract(ref: $ref) {
  access { edges { node { user { userName } levels { product { key } level } } } }
} }"""


async def table(gateway: Gateway) -> dict[str, set[tuple[str, str]]]:
    data = await gateway.gql(TABLE, {"ref": C1})
    return {
        edge["node"]["user"]["userName"]: {(row["product"]["key"], row["level"]) for row in edge["node"]["levels"]}
        for edge in data["contract"]["access"]["edges"]
    }


async def test_to_somebody_without_a_level(world: Gateway) -> None:
    payload = await world.mutate("transferContract", {"contract": C1, "to": CLEO})

    assert await table(world) == {
        "ana": {("core", "USER")},
        "ben": {("core", "ADMINISTRATOR"), ("pbx", "ADMINISTRATOR"), ("chatbots", "ADMINISTRATOR")},
        "cleo": {("core", "OWNER"), ("pbx", "OWNER"), ("chatbots", "OWNER")},
    }
    data = await world.gql('{ contract(ref: {number: "C-1"}) { owner { userName } } }')
    assert data["contract"]["owner"] == {"userName": "cleo"}
    first = payload["changes"][0]
    assert (first["action"], first["before"], first["after"]) == (
        "update_contract", f"owner: {world.ids['ben']}", f"owner: {world.ids['cleo']}"
    )  # fmt: skip


async def test_a_level_of_before_gives_way(world: Gateway) -> None:
    await world.mutate("liftLimits", {"holder": holder(user="ana"), "limits": [{"permission": "desk.reports.export"}]})

    payload = await world.mutate("transferContract", {"contract": C1, "to": ANA})

    assert (await table(world))["ana"] == {("core", "OWNER"), ("pbx", "OWNER"), ("chatbots", "OWNER")}
    assert ("remove_level", "USER") in {(change["action"], change["before"]) for change in payload["changes"]}


async def test_there_and_back_again(world: Gateway) -> None:
    await world.mutate("transferContract", {"contract": C1, "to": CLEO})

    await world.mutate("transferContract", {"contract": C1, "to": BEN})

    found = await table(world)
    assert {level for _, level in found["cleo"]} == {"ADMINISTRATOR"}
    assert {level for _, level in found["ben"]} == {"OWNER"}


async def test_the_former_owner_may_go_then(world: Gateway) -> None:
    await world.mutate("transferContract", {"contract": C1, "to": CLEO})

    await world.mutate("setUserStatus", {"user": BEN, "status": "ARCHIVED"})


async def test_to_the_owner_is_no_change(world: Gateway) -> None:
    await world.no_change("transferContract", {"contract": C1, "to": BEN})


async def test_to_somebody_with_limits_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("transferContract", {"contract": C1, "to": ANA})

    assert error["code"] == "CONFLICT"
    assert error["message"].startswith("`ana` owns the contract `C-1` and cannot be limited")


async def test_unknown_references_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse("transferContract", {"contract": {"number": "C-9"}, "to": {"userName": "nobody"}})

    assert [(error["code"], error["path"]) for error in errors] == [("NOT_FOUND", ["contract"]), ("NOT_FOUND", ["to"])]


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_to_somebody_who_is_not_active_is_refused(world: Gateway, status: str) -> None:
    """A16: a contract in force has an owner who is active, whichever of the two was first to be so."""
    await world.mutate("setUserStatus", {"user": CLEO, "status": status})

    (error,) = await world.refuse("transferContract", {"contract": C1, "to": CLEO})

    assert (error["code"], error["path"]) == ("CONFLICT", ["to"])
    assert error["message"] == "`cleo` is not active and cannot own a contract in force"
