"""products: what contracts are concluded about."""

from tests.factories import Gateway


async def test_are_listed_in_the_order_of_the_catalog(gateway: Gateway) -> None:
    data = await gateway.gql("{ products { id key label } }")

    assert [(product["key"], product["label"]) for product in data["products"]] == [
        ("core", "System [CORE]"),
        ("pbx", "Virtual PBX"),
        ("chatbots", "Chatbots"),
    ]
    assert len({product["id"] for product in data["products"]}) == 3
    assert all(product["id"].startswith("pro_") for product in data["products"])
