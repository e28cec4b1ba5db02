"""User.operations: the decision on every operation."""

from typing import Any

from tests.factories import Gateway, holder

C1 = '{number: "C-1"}'


async def find(gateway: Gateway, arguments: str = "", select: str = "node { key } allowed state") -> list[Any]:
    document = f'{{ user(ref: {{userName: "ana"}}) {{ operations{arguments} {{ {select} }} }} }}'
    found: list[Any] = (await gateway.gql(document))["user"]["operations"]
    return found


def open_ones(decisions: list[Any]) -> dict[str, bool]:
    return {decision["node"]["key"]: decision["allowed"] for decision in decisions}


async def test_all_of_them_in_catalog_order(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.real_time")

    decisions = await find(world)

    found = [(decision["node"]["key"], decision["state"]) for decision in decisions]
    assert [one for one in found if one[0].startswith(("core.", "desk."))] == [
        ("core.system.change_the_settings", "NOT_GRANTED"),
        ("core.pbx.listen_to_own_records", "SUSPENDED"),
        ("desk.reports.open_real_time", "ACTIVE"),
        ("desk.reports.listen_in", "NOT_GRANTED"),
        ("desk.staff.accounts.delete_a_user", "NOT_GRANTED"),
        ("desk.staff.sit_the_exam", "CONDITIONAL"),
    ]


async def test_narrowed_down(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.real_time")

    assert open_ones(await find(world, "(allowed: true)")) == {"desk.reports.open_real_time": True}
    shut = open_ones(await find(world, "(allowed: false)"))
    assert len(shut) >= 5 and not any(shut.values())
    assert len(await find(world, '(system: "core")')) == 2
    assert len(await find(world, "(allowed: null, system: null, contract: null, facts: null, at: null)")) == len(
        await find(world)
    )


async def test_a_system_that_is_not_there_is_a_fault(world: Gateway) -> None:
    document = '{ user(ref: {userName: "ana"}) { operations(system: "%s", contract: {number: "C-9"}) { state } } }'

    assert [await world.fault(document % system) for system in ("nothing", "desks")] == [
        ("BAD_USER_INPUT", "contract: there is no contract `C-9`; system: there is no system `nothing`"),
        (
            "BAD_USER_INPUT",
            "contract: there is no contract `C-9`; system: there is no system `desks`; did you mean `desk`?",
        ),
    ]


async def test_with_circumstances(world: Gateway) -> None:
    await world.set_level("C-1", "ana", "core", "ADMINISTRATOR")
    await world.grant(holder(user="ana"), {"permission": "desk.reports.real_time", "validFrom": "2026-07-01T00:00:00Z"})

    assert open_ones(await find(world, f"(contract: {C1}, allowed: true)")) == {"core.system.change_the_settings": True}
    assert open_ones(await find(world, '(at: "2026-07-01T00:00:00Z", allowed: true)')) == {
        "desk.reports.open_real_time": True
    }
    assert open_ones(await find(world, '(facts: [{name: "trained", value: "true"}], allowed: true)')) == {
        "desk.staff.sit_the_exam": True
    }


async def test_each_is_what_can_says(world: Gateway) -> None:
    select = "node { key } allowed state value { text } missing { text } missingFacts evaluatedAt revision"
    decisions = await find(world, f"(contract: {C1})", select)

    document = f"""query ($node: String!) {{ user(ref: {{userName: "ana"}}) {{
      can(node: $node, contract: {C1}) {{ {select} }}
    }} }}"""
    for decision in decisions:
        data = await world.gql(document, {"node": decision["node"]["key"]})
        assert data["user"]["can"] == decision


async def test_wrong_circumstances_are_a_fault(world: Gateway) -> None:
    fault = await world.fault(
        '{ user(ref: {userName: "ana"}) { operations(contract: {number: "C-9"}) { state } } }'
    )  # fmt: skip

    assert fault == ("BAD_USER_INPUT", "contract: there is no contract `C-9`")
