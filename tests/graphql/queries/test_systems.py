"""systems: each one manual as a catalog."""

from tests.factories import Gateway


async def test_are_listed_in_the_order_of_their_keys(gateway: Gateway) -> None:
    data = await gateway.gql("{ systems { key label description groups { key } facts { name } } }")

    assert [system for system in data["systems"] if system["key"] != "gateway"] == [
        {
            "key": "core",
            "label": "Core",
            "description": None,
            "groups": [{"key": "core.system"}, {"key": "core.pbx"}, {"key": "core.chatbots"}],
            "facts": [{"name": "subscriber_linked"}],
        },
        {
            "key": "desk",
            "label": "Desk",
            "description": "A contact centre in miniature.",
            "groups": [
                {"key": "desk.reports"},
                {"key": "desk.calls"},
                {"key": "desk.staff"},
                {"key": "desk.staff.accounts"},
            ],
            "facts": [{"name": "credit_balance"}, {"name": "trained"}],
        },
    ]
