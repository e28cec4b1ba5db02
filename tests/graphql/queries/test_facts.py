"""facts: everything that catalogs declare, with what a contract has."""

from tests.factories import Gateway

DOCUMENT = "query ($c: ContractRef) { facts(contract: $c) { name type unit value } }"


async def test_without_a_contract_nothing_is_known(world: Gateway) -> None:
    await world.set_facts({"credit_balance": "3"}, contract={"number": "C-1"})

    assert (await world.gql(DOCUMENT))["facts"] == [
        {"name": "subscriber_linked", "type": "boolean", "unit": None, "value": None},
        {"name": "credit_balance", "type": "decimal", "unit": "credits", "value": None},
        {"name": "trained", "type": "boolean", "unit": None, "value": None},
    ]


async def test_of_a_contract(world: Gateway) -> None:
    await world.set_facts({"credit_balance": "3"}, contract={"number": "C-1"})
    await world.set_facts({"trained": "true"}, contract={"number": "C-1"}, user={"userName": "ana"})

    for ref in ({"number": "C-1"}, {"id": world.ids["C-1"]}):
        values = {fact["name"]: fact["value"] for fact in (await world.gql(DOCUMENT, {"c": ref}))["facts"]}
        assert values == {"subscriber_linked": None, "credit_balance": "3", "trained": None}


async def test_of_a_contract_that_is_not_there_is_a_fault(world: Gateway) -> None:
    fault = await world.fault(DOCUMENT, {"c": {"number": "C-9"}})

    assert fault == ("BAD_USER_INPUT", "contract: there is no contract `C-9`")
