"""User.facts: what is stored of a person, everywhere and in a contract."""

from tests.factories import Gateway

DOCUMENT = """query ($c: ContractRef) { user(ref: {userName: "ana"}) { facts(contract: $c) { name value } } }"""
ANA = {"userName": "ana"}
C1 = {"number": "C-1"}


async def test_in_a_contract_what_is_stored_there_goes_first(world: Gateway) -> None:
    await world.set_facts({"trained": "true"}, user=ANA)
    await world.set_facts({"trained": "false"}, user=ANA, contract=C1)

    for contract, value in ((None, "true"), (C1, "false")):
        assert (await world.gql(DOCUMENT, {"c": contract}))["user"]["facts"] == [{"name": "trained", "value": value}]


async def test_in_a_contract_that_is_not_there_is_a_fault(world: Gateway) -> None:
    """What is stored everywhere would be taken for what holds there."""
    await world.set_facts({"trained": "true"}, user=ANA)

    fault = await world.fault(DOCUMENT, {"c": {"number": "C-9"}})

    assert fault == ("BAD_USER_INPUT", "contract: there is no contract `C-9`")
