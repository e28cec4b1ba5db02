"""Permission.holders and Operation.holders: who has at least so much, by user name."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

C1 = {"number": "C-1"}
USERS = "desk.staff.accounts.users"
LEVELS = "one of the levels `None`, `View only`, `Modify`, `Modify and delete`"
PERMISSION = """query ($key: String!, $contract: ContractRef, $atLeast: RightValueInput) { permissionNode(key: $key) {
  ... on Permission { holders(contract: $contract, atLeast: $atLeast) { totalCount edges { node { userName } } } }
} }"""
OPERATION = """query ($key: String!, $contract: ContractRef) { permissionNode(key: $key) {
  ... on Operation { holders(contract: $contract) { totalCount edges { node { userName } } } }
} }"""


async def find(gateway: Gateway, key: str, document: str = PERMISSION, **arguments: Any) -> list[str]:
    holders = (await gateway.gql(document, {"key": key, **arguments}))["permissionNode"]["holders"]
    names = [edge["node"]["userName"] for edge in holders["edges"]]
    assert holders["totalCount"] == len(names)
    return names


async def test_by_own_grants_roles_teams_and_ownership(world: Gateway) -> None:
    await world.grant(holder(team="support"), "desk.reports.menu")
    await world.grant(holder(user="cleo"), "desk.reports.menu")

    assert await find(world, "desk.reports.menu") == ["ana", "ben", "cleo", "olga"]


@pytest.mark.parametrize(
    ("at_least", "names"),
    [
        (None, ["ana", "cleo", "olga"]),
        ({"level": "View only"}, ["ana", "cleo", "olga"]),
        ({"level": "Modify"}, ["ana", "olga"]),
        ({"full": True}, ["olga"]),
    ],
)
async def test_at_least_so_much(world: Gateway, at_least: dict[str, Any] | None, names: list[str]) -> None:
    await world.grant(holder(user="ana"), {"permission": USERS, "value": {"level": "Modify"}})
    await world.grant(holder(user="cleo"), {"permission": USERS, "value": {"level": "View only"}})

    assert await find(world, USERS, atLeast=at_least) == names


async def test_in_a_contract(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), "desk.reports.menu")  # who has no level in it
    await world.grant(holder(user="ana"), {"permission": "desk.reports.real_time", "contract": C1})

    assert await find(world, "desk.reports.menu", contract=C1) == ["ana", "ben", "olga"]
    assert await find(world, "desk.reports.real_time", contract=C1) == ["ana", "ben", "olga"]
    assert await find(world, "desk.reports.real_time") == ["olga"]


async def test_who_is_inactive_or_limited_or_lacks_something_is_no_holder(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.export")
    await world.grant(holder(user="ben"), "desk.reports.export")
    await world.grant(holder(user="cleo"), "desk.reports.export", "desk.calls.send_texts")
    await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})

    assert await find(world, "desk.reports.export") == ["ben", "olga"]
    assert await find(world, "desk.calls.send_texts") == []


async def test_restrictions_have_no_owners_among_their_holders(world: Gateway) -> None:
    await world.grant(holder(user="olga"), "desk.calls.withhold_number")
    await world.grant(holder(user="ana"), "desk.calls.withhold_number")

    assert await find(world, "desk.calls.withhold_number") == ["ana"]


async def test_access_levels(world: Gateway) -> None:
    await world.set_level("C-1", "cleo", "core", "ADMINISTRATOR")

    assert await find(world, "core.system.access", contract=C1) == ["ana", "ben", "cleo", "olga"]
    assert await find(world, "core.system.access", contract=C1, atLeast={"level": "Administrator"}) == [
        "ben", "cleo", "olga"
    ]  # fmt: skip


async def test_of_an_operation(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), "desk.reports.real_time", onMissingPrerequisites="INCLUDE")
    await world.set_level("C-1", "cleo", "core", "ADMINISTRATOR")

    assert await find(world, "desk.reports.open_real_time", OPERATION) == ["cleo", "olga"]
    assert await find(world, "core.system.change_the_settings", OPERATION, contract=C1) == ["ben", "cleo", "olga"]


async def test_every_holder_passes_the_check_and_nobody_else_does(world: Gateway) -> None:
    await world.grant(holder(user="ana"), {"permission": USERS, "value": {"level": "Modify"}, "contract": C1})
    names = await find(world, USERS, contract=C1, atLeast={"level": "Modify"})
    document = "query ($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { allowed } }"
    everybody = ["ana", "ben", "cleo", "olga"]
    questions = [
        {"user": {"userName": name}, "node": USERS, "contract": C1, "atLeast": {"level": "Modify"}}
        for name in everybody
    ]

    decisions = (await world.gql(document, {"inputs": questions}))["checkMany"]

    assert [name for name, decision in zip(everybody, decisions, strict=True) if decision["allowed"]] == names


@each_of(
    ("arguments", "message"),
    [
        ({"contract": {"number": "C-9"}}, "contract: there is no contract `C-9`"),
        (
            {"atLeast": {"amount": 1}},
            f"atLeast: `amount` does not fit this right; expected {LEVELS}",
        ),
    ],
)
async def test_wrong_questions_are_faults(world: Gateway, arguments: dict[str, Any], message: str) -> None:
    assert await world.fault(PERMISSION, {"key": USERS, **arguments}) == ("BAD_USER_INPUT", message)
