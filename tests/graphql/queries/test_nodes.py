"""nodes: many things by their ids, in their order."""

from tests.factories import Gateway, each_of
from tests.graphql.queries.test_node import collect_ids

DOCUMENT = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


async def test_every_type_in_the_order_asked_with_nulls_in_their_places(world: Gateway) -> None:
    ids = await collect_ids(world)
    kinds = list(ids)
    asked = [one for kind in kinds for one in (ids[kind], "nothing")]

    found = (await world.gql(DOCUMENT, {"ids": asked}))["nodes"]

    assert found[1::2] == [None] * len(kinds)
    assert found[::2] == [{"__typename": kind.split(" ")[0], "id": ids[kind]} for kind in kinds]


async def test_the_same_id_twice_is_answered_twice(world: Gateway) -> None:
    ana = world.ids["ana"]

    assert (await world.gql(DOCUMENT, {"ids": [ana, ana]}))["nodes"] == [{"__typename": "User", "id": ana}] * 2


async def test_people_are_found_whoever_else_is_asked_for_beside_them(world: Gateway) -> None:
    """Ben is asked for by himself as well: Ana, who stands before him in the list, must not be lost by that."""
    ana, ben = world.ids["ana"], world.ids["ben"]

    data = await world.gql(
        "query ($ids: [ID!]!, $one: ID!) { one: node(id: $one) { id } many: nodes(ids: $ids) { id } }",
        {"ids": [ana, ben], "one": ben},
    )

    assert data == {"one": {"id": ben}, "many": [{"id": ana}, {"id": ben}]}


@each_of("count", [0, 100])
async def test_up_to_a_hundred(world: Gateway, count: int) -> None:
    assert await world.gql(DOCUMENT, {"ids": ["x"] * count}) == {"nodes": [None] * count}


async def test_more_than_a_hundred_are_refused(world: Gateway) -> None:
    assert await world.fault(DOCUMENT, {"ids": ["x"] * 101}) == ("BAD_USER_INPUT", "101 ids; at most 100 at once")
