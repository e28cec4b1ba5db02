"""contract: by id or number; owner, products, facts and the table of access levels."""

from tests.factories import Gateway, each_of

DOCUMENT = "query ($ref: ContractRef!) { contract(ref: $ref) { id number } }"
C1 = {"number": "C-1"}


async def test_by_id_or_number(world: Gateway) -> None:
    for ref in (C1, {"id": world.ids["C-1"]}):
        assert await world.gql(DOCUMENT, {"ref": ref}) == {"contract": {"id": world.ids["C-1"], "number": "C-1"}}


@each_of("ref", [{"number": "c-1"}, {"number": ""}, {"number": "C\u20101"}, {"id": "C-1"}, {"id": ""}])
async def test_there_is_none_of_another_name(world: Gateway, ref: dict[str, str]) -> None:
    assert await world.gql(DOCUMENT, {"ref": ref}) == {"contract": None}


async def test_shows_everything_about_a_contract(world: Gateway) -> None:
    await world.set_facts({"credit_balance": "7"}, contract=C1)
    await world.mutate("linkSubscriber", {"contract": C1, "user": {"userName": "ana"}, "subscriber": "101"})

    data = await world.gql(
        """query ($ref: ContractRef!) { contract(ref: $ref) {
      number name status products { key label } facts { name type unit value }
      access { totalCount edges { node {
        contract { number } user { userName } subscriber
        levels { product { key } level source settable }
      } } }
    } }""",
        {"ref": C1},
    )

    settable = ["WITHOUT_ACCESS", "USER", "ADMINISTRATOR"]
    ana, ben = data["contract"].pop("access")["edges"]
    assert data["contract"] == {
        "number": "C-1", "name": "Contract C-1", "status": "ACTIVE",
        "products": [
            {"key": "core", "label": "System [CORE]"},
            {"key": "pbx", "label": "Virtual PBX"},
            {"key": "chatbots", "label": "Chatbots"},
        ],
        "facts": [{"name": "credit_balance", "type": "decimal", "unit": "credits", "value": "7"}],
    }  # fmt: skip
    assert ana["node"] == {
        "contract": C1, "user": {"userName": "ana"}, "subscriber": "101",
        "levels": [{"product": {"key": "core"}, "level": "USER", "source": "manual", "settable": settable}],
    }  # fmt: skip
    assert ben["node"]["user"] == {"userName": "ben"}
    assert {(row["level"], tuple(row["settable"])) for row in ben["node"]["levels"]} == {("OWNER", ())}


async def test_levels_stand_in_the_order_of_the_catalog(world: Gateway) -> None:
    data = await world.gql(
        """query ($ref: ContractRef!) { contract(ref: $ref) {
      access { edges { node { user { userName } levels { product { key } } } } }
    } }""",
        {"ref": C1},
    )

    ben = data["contract"]["access"]["edges"][1]["node"]
    assert [row["product"]["key"] for row in ben["levels"]] == ["core", "pbx", "chatbots"]


async def test_everybody_in_the_table_has_their_levels_whoever_else_is_asked_for(world: Gateway) -> None:
    """The owner, who is asked for beside the table, is the last of the table: Ana must not lose her level by that."""
    document = """query ($ref: ContractRef!) { contract(ref: $ref) {
      owner { userName } access { edges { node { user { userName } levels { level } } } }
    } }"""

    data = await world.gql(document, {"ref": C1})

    levels = {
        edge["node"]["user"]["userName"]: sorted(row["level"] for row in edge["node"]["levels"])
        for edge in data["contract"]["access"]["edges"]
    }
    assert data["contract"]["owner"] == {"userName": "ben"}
    assert levels == {"ana": ["USER"], "ben": ["OWNER"] * 3}


async def test_who_is_only_linked_is_not_in_the_table(world: Gateway) -> None:
    await world.mutate("linkSubscriber", {"contract": C1, "user": {"userName": "cleo"}, "subscriber": "303"})

    data = await world.gql(
        """query ($ref: ContractRef!) { contract(ref: $ref) { access { totalCount } }
      user(ref: {userName: "cleo"}) { contracts { contract { number } levels { id } subscriber } } }""",
        {"ref": C1},
    )

    assert data == {
        "contract": {"access": {"totalCount": 2}},
        "user": {"contracts": [{"contract": C1, "levels": [], "subscriber": "303"}]},
    }
