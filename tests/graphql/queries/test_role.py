"""role: by id or key; rights and members."""

from tests.factories import Gateway, each_of, holder

DOCUMENT = "query ($ref: RoleRef!) { role(ref: $ref) { id key } }"


async def test_by_id_or_key(world: Gateway) -> None:
    for ref in ({"key": "agents"}, {"id": world.ids["agents"]}):
        assert await world.gql(DOCUMENT, {"ref": ref}) == {"role": {"id": world.ids["agents"], "key": "agents"}}


@each_of("ref", [{"key": "Agents"}, {"key": ""}, {"key": "support"}, {"id": "agents"}, {"id": ""}])
async def test_there_is_none_of_another_name(world: Gateway, ref: dict[str, str]) -> None:
    assert await world.gql(DOCUMENT, {"ref": ref}) == {"role": None}


async def test_rights_are_what_the_role_gives_by_itself(world: Gateway) -> None:
    await world.grant(
        holder(role="writers"),
        {"permission": "desk.calls.channels", "value": {"amount": 4}, "contract": {"number": "C-1"}},
        "desk.calls.send_texts",
        {"permission": "desk.calls.wrap_up", "value": {"amount": 30}},
    )
    await world.limit(holder(role="writers"), {"permission": "desk.calls.channels", "value": {"amount": 2}})
    document = """query ($system: String, $contract: ContractRef) { role(ref: {key: "writers"}) {
      rights(system: $system, contract: $contract) {
        permission { key } value { text } granted { text } state missing { text }
        contributions { holders { ... on Role { key } } }
      }
    } }"""

    plain = (await world.gql(document))["role"]["rights"]
    scoped = (await world.gql(document, {"contract": {"number": "C-1"}}))["role"]["rights"]
    other = (await world.gql(document, {"system": "core"}))["role"]["rights"]

    own, inherited = [{"holders": [{"key": "writers"}]}], [{"holders": [{"key": "writers"}, {"key": "agents"}]}]
    active = {"state": "ACTIVE", "missing": []}
    on = {"value": {"text": "on"}, "granted": {"text": "on"}}
    assert plain == [
        {"permission": {"key": "desk.reports.menu"}, **on, **active, "contributions": inherited},
        {
            "permission": {"key": "desk.calls.wrap_up"}, "value": {"text": "30 seconds"},
            "granted": {"text": "30 seconds"}, **active, "contributions": own,
        },
        {
            "permission": {"key": "desk.calls.send_texts"}, "value": {"text": "off"}, "granted": {"text": "on"},
            "state": "CONDITIONAL", "missing": [{"text": "credit_balance > 0"}], "contributions": own,
        },
        {"permission": {"key": "desk.staff.edit_contacts"}, **on, **active, "contributions": own},
        {"permission": {"key": "desk.staff.read_contacts"}, **on, **active, "contributions": own},
    ]  # fmt: skip
    channels = next(right for right in scoped if right["permission"]["key"] == "desk.calls.channels")
    assert (channels["value"], channels["state"]) == ({"text": "2 channels"}, "ACTIVE")
    assert len(scoped) == len(plain) + 1
    assert other == []


async def test_rights_of_an_unknown_system_are_a_fault(world: Gateway) -> None:
    fault = await world.fault('{ role(ref: {key: "agents"}) { rights(system: "cor") { state } } }')

    assert fault == ("BAD_USER_INPUT", "system: there is no system `cor`; did you mean `core`?")


async def test_rights_in_an_unknown_contract_are_a_fault(world: Gateway) -> None:
    fault = await world.fault('{ role(ref: {key: "agents"}) { rights(contract: {number: "C-9"}) { state } } }')

    assert fault == ("BAD_USER_INPUT", "contract: there is no contract `C-9`")


async def test_members_are_those_to_whom_it_is_assigned_directly(world: Gateway) -> None:
    await world.assign(holder(user="cleo"), "writers")  # which includes agents
    await world.assign(holder(team="support"), "agents")
    await world.assign(holder(user="ben"), "agents", validFrom="2027-01-01T00:00:00Z")

    data = await world.gql("""{ role(ref: {key: "agents"}) { members {
      totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor node { userName } }
    } } }""")

    members = data["role"]["members"]
    assert [edge["node"]["userName"] for edge in members["edges"]] == ["ana", "ben"]
    assert (members["totalCount"], members["pageInfo"]) == (2, {"hasNextPage": False, "hasPreviousPage": False})
