"""system: one manual, with all that is in it."""

from tests.factories import Gateway, each_of


async def test_by_its_key(gateway: Gateway) -> None:
    data = await gateway.gql("""{ system(key: "desk") {
      id key label description
      facts { name type unit value }
      templates { key label description source { document heading } grants { permission { key } value { text } } }
    } }""")

    system = data["system"]
    assert system.pop("id").startswith("sys_")
    assert system == {
        "key": "desk",
        "label": "Desk",
        "description": "A contact centre in miniature.",
        "facts": [
            {"name": "credit_balance", "type": "decimal", "unit": "credits", "value": None},
            {"name": "trained", "type": "boolean", "unit": None, "value": None},
        ],
        "templates": [
            {
                "key": "desk.supervisor",
                "label": "Supervisor",
                "description": "Leads a shift.",
                "source": {"document": "desk.txt", "heading": "Supervisor"},
                "grants": [
                    {"permission": {"key": "desk.reports.menu"}, "value": {"text": "on"}},
                    {"permission": {"key": "desk.staff.accounts.users"}, "value": {"text": "Modify"}},
                ],
            }
        ],
    }


@each_of("key", ["", "nothing", "DESK", "desk.reports"])
async def test_there_is_none_of_another_key(gateway: Gateway, key: str) -> None:
    assert await gateway.gql("query ($key: String!) { system(key: $key) { id } }", {"key": key}) == {"system": None}


async def test_nodes_are_those_of_the_system_in_the_order_of_the_manual(gateway: Gateway) -> None:
    data = await gateway.gql("""{ system(key: "core") { nodes {
      totalCount pageInfo { hasNextPage hasPreviousPage } edges { node { key } }
    } } }""")

    assert data["system"]["nodes"] == {
        "totalCount": 8,
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False},
        "edges": [
            {"node": {"key": key}}
            for key in (
                "core.system",
                "core.system.access",
                "core.system.change_the_settings",
                "core.pbx",
                "core.pbx.access",
                "core.pbx.listen_to_own_records",
                "core.chatbots",
                "core.chatbots.access",
            )
        ],
    }


@each_of(
    ("search", "keys"),
    [
        ("RECORDS", ["core.pbx.listen_to_own_records"]),
        ("the system", ["core.system.access"]),
        ("pbx.acc", ["core.pbx.access"]),
        ("%", []),
        ("spy", []),
    ],
)
async def test_nodes_can_be_searched(gateway: Gateway, search: str, keys: list[str]) -> None:
    data = await gateway.gql(
        'query ($s: String!) { system(key: "core") { nodes(search: $s) { totalCount edges { node { key } } } } }',
        {"s": search},
    )

    assert data["system"]["nodes"] == {"totalCount": len(keys), "edges": [{"node": {"key": key}} for key in keys]}
