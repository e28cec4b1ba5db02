"""registerContract: a contract and its owner, who is OWNER in every product of it."""

from typing import Any

import pytest

from tests.factories import Gateway, holder

SELECT = """id number name status products { key } owner { userName } facts { name value }
  access { totalCount edges { node {
    user { userName } levels { product { key } level source settable } subscriber
  } } }"""
GIVEN = {"number": "C-2", "name": "Second", "owner": {"userName": "cleo"}, "products": ["chatbots", "core"]}


async def test_makes_the_owner_owner_in_every_product(world: Gateway) -> None:
    payload = await world.mutate("registerContract", GIVEN, SELECT)

    contract = payload["contract"]
    for edge in contract["access"]["edges"]:
        edge["node"]["levels"].sort(key=lambda level: level["product"]["key"])
    level = {"level": "OWNER", "source": "manual", "settable": []}
    assert contract == {
        "id": contract["id"], "number": "C-2", "name": "Second", "status": "ACTIVE",
        "products": [{"key": "core"}, {"key": "chatbots"}], "owner": {"userName": "cleo"},
        "facts": [{"name": "credit_balance", "value": None}],
        "access": {
            "totalCount": 1,
            "edges": [
                {
                    "node": {
                        "user": {"userName": "cleo"}, "subscriber": None,
                        "levels": [{"product": {"key": "chatbots"}, **level}, {"product": {"key": "core"}, **level}],
                    }
                }
            ],
        },
    }  # fmt: skip
    assert [(change["action"], change["after"], change["permission"]) for change in payload["changes"][1:]] == [
        ("set_level", "OWNER", {"key": "core.chatbots.access"}),
        ("set_level", "OWNER", {"key": "core.system.access"}),
    ]
    first = payload["changes"][0]
    assert (first["action"], first["row"], first["contract"]) == (
        "register_contract", contract["id"], {"number": "C-2"}
    )  # fmt: skip


async def test_without_products(world: Gateway) -> None:
    payload = await world.both_ways("registerContract", {**GIVEN, "products": []}, SELECT)

    assert payload["contract"]["products"] == []
    assert [change["action"] for change in payload["changes"]] == ["register_contract"]


async def test_the_owner_has_every_permission_there_and_nowhere_else(world: Gateway) -> None:
    await world.mutate("registerContract", GIVEN)

    data = await world.gql("""{ user(ref: {userName: "cleo"}) {
      here: can(node: "desk.reports.spy", contract: {number: "C-2"}) { allowed }
      there: can(node: "desk.reports.spy", contract: {number: "C-1"}) { allowed }
      nowhere: can(node: "desk.reports.spy") { allowed }
    } }""")

    assert data["user"] == {"here": {"allowed": True}, "there": {"allowed": False}, "nowhere": {"allowed": False}}


async def test_a_taken_number_is_refused_an_ended_one_too(world: Gateway) -> None:
    await world.mutate("updateContract", {"contract": {"number": "C-1"}, "status": "ENDED"})

    (error,) = await world.refuse("registerContract", {**GIVEN, "number": "C-1"})

    assert (error["code"], error["path"], error["message"]) == (
        "DUPLICATE", ["number"], "there is a contract `C-1` already"
    )  # fmt: skip


@pytest.mark.parametrize("scope", [{}, {"contract": {"number": "C-1"}}])
async def test_an_owner_with_limits_that_would_bite_is_refused(world: Gateway, scope: dict[str, Any]) -> None:
    await world.limit(holder(user="cleo"), {"permission": "desk.reports.menu", **scope})

    if scope:  # a limit of another contract does not bite
        await world.both_ways("registerContract", GIVEN)
    else:
        (error,) = await world.refuse("registerContract", GIVEN)
        assert error["code"] == "CONFLICT"
        assert error["message"].startswith("`cleo` owns the contract `C-2` and cannot be limited (`desk.reports.menu`")


async def test_all_faults_come_together(world: Gateway) -> None:
    errors = await world.refuse(
        "registerContract",
        {
            "number": "\u200b",
            "name": "",
            "owner": {"userName": "nobody"},
            "products": ["core", "telegraph", "core"],
            "reason": "\u0000",
        },
    )

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("name", "INVALID_VALUE"),
        ("number", "INVALID_VALUE"),
        ("owner", "NOT_FOUND"),
        ("products.1", "INVALID_VALUE"),
        ("products.2", "DUPLICATE"),
        ("reason", "INVALID_VALUE"),
    ]
    assert next(error["expected"] for error in errors if error["path"] == ["products", "1"]) == (
        "one of `core`, `pbx`, `chatbots`"
    )


async def test_an_owner_who_is_not_active_is_refused(world: Gateway) -> None:
    """A16: nobody could act for it."""
    await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})
    given = {"number": "C-2", "name": "Second", "owner": {"userName": "cleo"}, "products": ["core"]}

    (error,) = await world.refuse("registerContract", given)

    assert (error["code"], error["path"]) == ("CONFLICT", ["owner"])
