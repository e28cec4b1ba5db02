"""updateContract: name, status and products. Name and status cannot be cleared, products can."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

C1 = {"number": "C-1"}
SELECT = "id number name status products { key }"
LEVELS = "access { edges { node { user { userName } levels { product { key } level } } } }"


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"name": "First"}, {"name": "First"}),
        ({"status": "SUSPENDED"}, {"status": "SUSPENDED"}),
        ({"status": "ENDED"}, {"status": "ENDED"}),
        ({"products": ["chatbots", "core"]}, {"products": [{"key": "core"}, {"key": "chatbots"}]}),
        ({"products": []}, {"products": []}),
        ({"products": None}, {"products": []}),
    ],
)
async def test_changes_what_is_given(world: Gateway, given: dict[str, Any], after: dict[str, Any]) -> None:
    before = {
        "id": world.ids["C-1"], "number": "C-1", "name": "Contract C-1", "status": "ACTIVE",
        "products": [{"key": "core"}, {"key": "pbx"}, {"key": "chatbots"}],
    }  # fmt: skip

    payload = await world.both_ways("updateContract", {"contract": C1, **given}, SELECT)

    assert payload["contract"] == {**before, **after}


@each_of("field", ["name", "status"])
async def test_what_cannot_be_cleared_is_refused(world: Gateway, field: str) -> None:
    (error,) = await world.refuse("updateContract", {"contract": C1, field: None})

    assert (error["code"], error["path"], error["expected"]) == (
        "INVALID_VALUE", [field], f"a {field}, or nothing at all"
    )  # fmt: skip


@each_of("given", [{}, {"name": "Contract C-1", "status": "ACTIVE"}, {"products": ["chatbots", "pbx", "core"]}])
async def test_what_is_so_already_is_no_change(world: Gateway, given: dict[str, Any]) -> None:
    await world.no_change("updateContract", {"contract": C1, **given})


async def test_a_contract_not_in_force_holds_permissions_back_and_restrictions_not(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.calls.withhold_number")

    payload = await world.both_ways("updateContract", {"contract": C1, "status": "SUSPENDED"})

    assert [(warning["code"], warning["message"], warning["path"]) for warning in payload["warnings"]] == [
        ("ADVISORY", "2 people lose their permissions in this contract", ["status"])
    ]
    data = await world.gql(
        """query ($c: ContractRef!) {
      user(ref: {userName: "ana"}) {
        menu: can(node: "desk.reports.menu", contract: $c) { state }
        elsewhere: can(node: "desk.reports.menu") { state }
        withhold: can(node: "desk.calls.withhold_number", contract: $c) { state }
      }
      owner: user(ref: {userName: "olga"}) { can(node: "desk.reports.menu", contract: $c) { state } }
    }""",
        {"c": C1},
    )
    assert data == {
        "user": {"menu": {"state": "LIMITED"}, "elsewhere": {"state": "ACTIVE"}, "withhold": {"state": "ACTIVE"}},
        "owner": {"can": {"state": "ACTIVE"}},
    }


async def test_a_product_that_is_added_makes_its_owner_owner_there(world: Gateway) -> None:
    await world.register_contract("C-2", owner="cleo", products=["core"])

    payload = await world.mutate("updateContract", {"contract": {"number": "C-2"}, "products": ["core", "pbx"]}, LEVELS)

    assert payload["contract"]["access"]["edges"] == [
        {
            "node": {
                "user": {"userName": "cleo"},
                "levels": [
                    {"product": {"key": "core"}, "level": "OWNER"},
                    {"product": {"key": "pbx"}, "level": "OWNER"},
                ],
            }
        }
    ]
    assert [change["action"] for change in payload["changes"]] == ["update_contract", "set_level"]


async def test_levels_of_a_product_that_is_removed_stay_without_effect_and_count_again(world: Gateway) -> None:
    await world.set_level("C-1", "ana", "pbx", "ADMINISTRATOR")
    question = """query ($c: ContractRef!) { user(ref: {userName: "ana"}) {
      effectiveRights(contract: $c, nodes: ["core.pbx.access"]) { value { text } granted { text } state }
    } }"""

    payload = await world.both_ways("updateContract", {"contract": C1, "products": ["core"]})

    assert [change["action"] for change in payload["changes"]] == ["update_contract"]
    assert sorted(warning["message"] for warning in payload["warnings"]) == [
        "1 people have a level in `chatbots`, which has no effect from now on",
        "2 people have a level in `pbx`, which has no effect from now on",
    ]
    assert (await world.gql(question, {"c": C1}))["user"]["effectiveRights"] == [
        {"value": {"text": "Not in the contract"}, "granted": {"text": "Administrator"}, "state": "LIMITED"}
    ]

    await world.mutate("updateContract", {"contract": C1, "products": ["core", "pbx"]})
    assert (await world.gql(question, {"c": C1}))["user"]["effectiveRights"][0]["state"] == "ACTIVE"


async def test_cascade_ends_them(world: Gateway) -> None:
    await world.set_level("C-1", "ana", "pbx", "ADMINISTRATOR")

    payload = await world.mutate(
        "updateContract", {"contract": C1, "products": ["core"], "onDependents": "CASCADE"}, LEVELS
    )

    assert payload["warnings"] == []
    assert sorted(change["action"] for change in payload["changes"]) == ["remove_level"] * 3 + ["update_contract"]
    core = {"product": {"key": "core"}}
    assert payload["contract"]["access"]["edges"] == [
        {"node": {"user": {"userName": "ana"}, "levels": [{**core, "level": "USER"}]}},
        {"node": {"user": {"userName": "ben"}, "levels": [{**core, "level": "OWNER"}]}},
    ]


async def test_all_faults_come_together(world: Gateway) -> None:
    errors = await world.refuse(
        "updateContract", {"contract": C1, "name": "", "status": None, "products": ["telegraph", "core", "core"]}
    )

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("name", "INVALID_VALUE"),
        ("products.0", "INVALID_VALUE"),
        ("products.2", "DUPLICATE"),
        ("status", "INVALID_VALUE"),
    ]


async def test_an_unknown_contract_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("updateContract", {"contract": {"number": "C-9"}, "name": "x"})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["contract"])


@pytest.mark.parametrize("products", [None, []])
async def test_one_that_has_ended_does_not_come_back_to_an_owner_who_is_gone(
    world: Gateway, products: list[str] | None
) -> None:
    """A16: its owner may go once it has ended; with products or without, it needs another one to come back."""
    ended = {"contract": C1, "status": "ENDED"} | ({} if products is None else {"products": products})
    await world.mutate("updateContract", {**ended, "onDependents": "CASCADE"})
    await world.mutate("setUserStatus", {"user": {"userName": "ben"}, "status": "ARCHIVED"})

    (error,) = await world.refuse("updateContract", {"contract": C1, "status": "ACTIVE"})
    assert (error["code"], error["path"]) == ("CONFLICT", ["status"])

    await world.mutate("transferContract", {"contract": C1, "to": {"userName": "cleo"}})
    await world.mutate("updateContract", {"contract": C1, "status": "ACTIVE"})
