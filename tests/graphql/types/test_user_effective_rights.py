"""User.effectiveRights: every permission of a person, and how each stands."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from app.graphql import pieces
from app.services import access
from tests.factories import Gateway, each_of, holder

C1 = {"number": "C-1"}
FACTS = "`credit_balance`, `subscriber_linked`, `trained`"
MENU, REAL_TIME, SPY, EXPORT = (f"desk.reports.{name}" for name in ("menu", "real_time", "spy", "export"))


async def find(gateway: Gateway, user: str = "ana", **arguments: Any) -> list[dict[str, Any]]:
    kinds = {
        "contract": "ContractRef", "system": "String", "nodes": "[String!]", "states": "[RightState!]",
        "facts": "[FactInput!]", "at": "DateTime",
    }  # fmt: skip
    head = "".join(f", ${name}: {kinds[name]}" for name in arguments)
    given = ", ".join(f"{name}: ${name}" for name in arguments)
    document = f"""query ($ref: UserRef!{head}) {{ user(ref: $ref) {{
      effectiveRights{f"({given})" if given else ""} {{
        permission {{ key }} value {{ text }} granted {{ text }} state missing {{ text }}
      }}
    }} }}"""
    data = await gateway.gql(document, {"ref": {"userName": user}, **arguments})
    found: list[dict[str, Any]] = data["user"]["effectiveRights"]
    return found


def keys(rights: list[dict[str, Any]]) -> list[str]:
    return [right["permission"]["key"] for right in rights]


async def test_without_arguments_every_permission_of_the_catalog_in_its_order(world: Gateway) -> None:
    rights = await find(world)

    catalog = world.services.catalog
    assert keys(rights) == [key for key in catalog.nodes if catalog.permission(key) is not None]
    assert {right["permission"]["key"]: right["state"] for right in rights if right["state"] != "NOT_GRANTED"} == {
        MENU: "ACTIVE",
        "desk.staff.show_phone": "ACTIVE",
    }


async def test_of_one_system(world: Gateway) -> None:
    assert keys(await find(world, system="core")) == ["core.system.access", "core.pbx.access", "core.chatbots.access"]


async def test_of_some_nodes(world: Gateway) -> None:
    assert keys(await find(world, nodes=[SPY, MENU, SPY])) == [MENU, SPY]
    assert await find(world, nodes=[]) == []
    assert keys(await find(world, nodes=["desk.reports", "desk.reports.listen_in", MENU])) == [MENU]
    assert keys(await find(world, nodes=[MENU], system="core")) == []


async def test_in_some_states(world: Gateway) -> None:
    await world.grant(holder(user="ana"), EXPORT, "desk.calls.send_texts", REAL_TIME)
    await world.mutate(
        "unassignRoles",
        {"holder": holder(user="ana"), "roles": [{"role": {"key": "agents"}}], "onDependents": "SUSPEND"},
    )

    assert keys(await find(world, states=["ACTIVE"])) == ["desk.staff.show_phone"]
    assert keys(await find(world, states=["LIMITED"])) == [EXPORT]
    assert keys(await find(world, states=["CONDITIONAL"])) == ["desk.calls.send_texts"]
    assert keys(await find(world, states=["SUSPENDED"])) == [REAL_TIME]
    assert len(await find(world, states=["NOT_GRANTED"], system="desk")) == 13
    assert keys(await find(world, states=["LIMITED", "SUSPENDED", "LIMITED"])) == [REAL_TIME, EXPORT]
    assert await find(world, states=[]) == []


async def test_value_granted_and_state_belong_together(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), {"permission": "desk.calls.channels", "value": {"amount": 5}})
    await world.limit(holder(user="cleo"), {"permission": "desk.calls.channels", "value": {"amount": 3}})

    assert await find(world, "cleo", nodes=["desk.calls.channels"]) == [
        {
            "permission": {"key": "desk.calls.channels"}, "value": {"text": "3 channels"},
            "granted": {"text": "5 channels"}, "state": "LIMITED", "missing": [],
        }
    ]  # fmt: skip


async def test_in_a_contract(world: Gateway) -> None:
    await world.grant(holder(user="ana"), {"permission": "desk.staff.read_contacts", "contract": C1})

    there = {right["permission"]["key"]: right for right in await find(world, contract=C1, states=["ACTIVE"])}

    assert set(there) == {"core.system.access", MENU, "desk.staff.show_phone", "desk.staff.read_contacts"}
    assert there["core.system.access"]["value"] == {"text": "User"}
    assert keys(await find(world, states=["ACTIVE"])) == [MENU, "desk.staff.show_phone"]


async def test_at_a_moment(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), {"permission": MENU, "validFrom": "2026-07-01T00:00:00Z"})

    assert keys(await find(world, "cleo", states=["ACTIVE"])) == []
    assert keys(await find(world, "cleo", states=["ACTIVE"], at="2026-07-01T00:00:00Z")) == [MENU]


async def test_with_facts(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.calls.send_texts")
    nodes = ["desk.calls.send_texts"]

    (unknown,) = await find(world, nodes=nodes)
    (known,) = await find(world, nodes=nodes, facts=[{"name": "credit_balance", "value": "1"}])
    (poor,) = await find(world, nodes=nodes, facts=[{"name": "credit_balance", "value": "-1"}])

    assert (unknown["state"], known["state"], poor["state"]) == ("CONDITIONAL", "ACTIVE", "SUSPENDED")
    assert unknown["missing"] == poor["missing"] == [{"text": "credit_balance > 0"}]


@each_of(
    ("arguments", "message"),
    [
        ("contract: {number: \"C-9\"}", "contract: there is no contract `C-9`"),
        (
            "facts: [{name: \"weather\", value: \"fine\"}]",
            f"facts.weather: there is no fact `weather`; expected one of {FACTS}",
        ),
        ("system: \"cor\"", "system: there is no system `cor`; did you mean `core`?"),
        ("system: \"\"", "system: there is no system ``"),
        (
            "nodes: [\"x\", \"desk.reports.menu\", \"desk.reports.mneu\", \"x\"]",
            ("nodes: there is no node `desk.reports.mneu`; did you mean `desk.reports.menu`?; "
            "nodes: there is no node `x`"),
        ),
        (
            "nodes: [\"f\", \"e\", \"d\", \"c\", \"b\", \"a\"]",
            "; ".join(f"nodes: there is no node `{key}`" for key in "abcde"),
        ),
        (
            "facts: [{name: \"trained\", value: \"yes\"}]",
            "facts.trained: `yes` is not a value of the fact `trained`; expected true or false",
        ),
    ],
)  # fmt: skip
async def test_wrong_circumstances_are_a_fault(world: Gateway, arguments: str, message: str) -> None:
    fault = await world.fault(f'{{ user(ref: {{userName: "ana"}}) {{ effectiveRights({arguments}) {{ state }} }} }}')

    assert fault == ("BAD_USER_INPUT", message)


async def test_contributions_are_the_paths_by_which_a_right_arrives(world: Gateway) -> None:
    await world.assign(holder(team="support"), "writers", validUntil="2027-01-01T00:00:00Z")
    (own,) = await world.grant(holder(user="ana"), {"permission": MENU, "contract": C1})

    data = await world.gql(
        """query ($c: ContractRef!) { user(ref: {userName: "ana"}) {
      effectiveRights(nodes: ["desk.reports.menu"], contract: $c) { contributions {
        grant { id } source value { text } impliedBy { key } contract { number } validUntil
        holders { __typename displayName }
      } }
    } }""",
        {"c": C1},
    )

    (right,) = data["user"]["effectiveRights"]
    paths = {
        tuple(one["displayName"] for one in path["holders"]): (
            path["contract"],
            path["validUntil"],
            path["grant"]["id"],
        )
        for path in right["contributions"]
    }
    role_row = paths[("ana", "agents")][2]
    assert paths == {
        ("ana",): (C1, None, own),
        ("ana", "agents"): (None, None, role_row),
        ("ana", "support", "writers", "agents"): (None, "2027-01-01T00:00:00Z", role_row),
    }
    assert {(path["source"], path["value"]["text"]) for path in right["contributions"]} == {("manual", "on")}


async def test_the_paths_of_many_rights_are_read_once(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.grant(holder(user="ben"), MENU, REAL_TIME)
    read, list_rights = [], access.list_effective_rights

    async def count(reading: Any, user: Any, *more: Any) -> Any:
        read.append((user, more))
        return await list_rights(reading, user, *more)

    await world.services.index.start()
    monkeypatch.setattr(access, "list_effective_rights", count)
    rights = "{ permission { key } contributions { value { text } } }"

    data = await world.gql(
        f"""{{ ana: user(ref: {{userName: "ana"}}) {{ all: effectiveRights {rights}
          some: effectiveRights(nodes: ["{MENU}", "{SPY}"]) {rights} }}
        ben: user(ref: {{userName: "ben"}}) {{ all: effectiveRights {rights} }} }}"""
    )

    assert len(read) == 3
    paths = {
        (person, name, right["permission"]["key"]): len(right["contributions"])
        for person, lists in data.items() for name, found in lists.items() for right in found
        if right["permission"]["key"] in {MENU, REAL_TIME, SPY}
    }  # fmt: skip
    assert paths == {
        ("ana", "all", MENU): 1, ("ana", "all", REAL_TIME): 0, ("ana", "all", SPY): 0, ("ana", "some", MENU): 1,
        ("ana", "some", SPY): 0, ("ben", "all", MENU): 1, ("ben", "all", REAL_TIME): 1, ("ben", "all", SPY): 0,
    }  # fmt: skip


async def test_an_access_level_has_no_grant(world: Gateway) -> None:
    data = await world.gql(
        """query ($c: ContractRef!) { user(ref: {userName: "ana"}) {
      effectiveRights(nodes: ["core.system.access"], contract: $c) { contributions {
        grant { id } holders { displayName } value { text } contract { number }
      } }
    } }""",
        {"c": C1},
    )

    assert data["user"]["effectiveRights"] == [
        {
            "contributions": [
                {"grant": None, "holders": [{"displayName": "ana"}], "value": {"text": "User"}, "contract": C1}
            ]
        }
    ]


async def test_the_paths_of_many_rights_are_found_piece_by_piece(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else waits until those of all rights of all people are found."""
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    monkeypatch.setattr(pieces, "REST_S", 0.0)
    turn, found, find = 0, Counter[int](), access.find_contributions

    def count(*given: Any) -> Any:
        found[turn] += 1
        return find(*given)

    await world.services.index.start()
    monkeypatch.setattr(access, "find_contributions", count)
    document = "{ users { edges { node { effectiveRights { contributions { value { text } } } } } } }"
    asked = asyncio.create_task(world.gql(document))
    while not asked.done():
        turn += 1
        await asyncio.sleep(0)

    assert found.total() > 4 * pieces.ENTRIES
    assert max(found.values()) <= pieces.ENTRIES
    assert await asked
