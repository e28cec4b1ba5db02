"""permissionNode: a group, a permission or an operation by its key."""

from typing import Any

from tests.factories import Gateway, each_of

DOCUMENT = """query ($key: String!) { permissionNode(key: $key) {
  __typename key label description path system { key } parent { key } source { document heading }
  ... on PermissionGroup { children { key } }
  ... on Permission {
    polarity product { key } implies { permission { key } value { text } } dependents { key }
    valueType { __typename name ... on LevelType { levels } ... on ScopeType { scopes }
      ... on QuantityType { minimum maximum unit descending } ... on MembersType { options reserved } }
    requirements { appliesFrom { text } enforcement requirement { __typename text } }
  }
  ... on Operation { menuPath requirement { ...requirement } }
} }
fragment requirement on Requirement {
  __typename text
  ... on AtLeast { permission { key } value { text } }
  ... on TargetAtLeast { permission { key } value { text } }
  ... on FactHolds { fact { name type unit } }
  ... on AllOf { requirements { __typename text ... on AtLeast { permission { key } }
    ... on TargetAtLeast { permission { key } value { text } } } }
  ... on AnyOf { requirements { __typename text } }
}"""


async def find(gateway: Gateway, key: str) -> dict[str, Any]:
    node: dict[str, Any] = (await gateway.gql(DOCUMENT, {"key": key}))["permissionNode"]
    return node


async def test_a_group(gateway: Gateway) -> None:
    assert await find(gateway, "desk.staff") == {
        "__typename": "PermissionGroup",
        "key": "desk.staff",
        "label": "Staff",
        "description": None,
        "path": ["Desk", "Staff"],
        "system": {"key": "desk"},
        "parent": None,
        "source": {"document": "desk.txt", "heading": "Staff"},
        "children": [
            {"key": "desk.staff.accounts"},
            {"key": "desk.staff.approve"},
            {"key": "desk.staff.edit_contacts"},
            {"key": "desk.staff.read_contacts"},
            {"key": "desk.staff.show_phone"},
            {"key": "desk.staff.sit_the_exam"},
        ],
    }


async def test_a_permission(gateway: Gateway) -> None:
    assert await find(gateway, "desk.reports.real_time") == {
        "__typename": "Permission",
        "key": "desk.reports.real_time",
        "label": "Real time",
        "description": None,
        "path": ["Desk", "Reports", "Real time"],
        "system": {"key": "desk"},
        "parent": {"key": "desk.reports"},
        "source": {"document": "desk.txt", "heading": "Reports"},
        "polarity": "PERMISSION",
        "product": None,
        "implies": [],
        "dependents": [{"key": "desk.reports.spy"}, {"key": "desk.reports.open_real_time"}],
        "valueType": {"__typename": "SwitchType", "name": "Switch"},
        "requirements": [
            {
                "appliesFrom": None,
                "enforcement": "ENFORCED",
                "requirement": {"__typename": "AtLeast", "text": "Reports menu"},
            }
        ],
    }


async def test_a_permission_within_a_group_within_a_group(gateway: Gateway) -> None:
    node = await find(gateway, "desk.staff.accounts.roles")

    assert node["path"] == ["Desk", "Staff", "Accounts", "Roles"]
    assert node["parent"] == {"key": "desk.staff.accounts"}
    assert node["requirements"] == [
        {
            "appliesFrom": {"text": "Modify"},
            "enforcement": "ENFORCED",
            "requirement": {"__typename": "AtLeast", "text": "Users: View only"},
        }
    ]


async def test_advisory_requirements_and_implications_show(gateway: Gateway) -> None:
    export = await find(gateway, "desk.reports.export")
    edit = await find(gateway, "desk.staff.edit_contacts")

    assert [rule["enforcement"] for rule in export["requirements"]] == ["ADVISORY"]
    assert edit["implies"] == [{"permission": {"key": "desk.staff.read_contacts"}, "value": {"text": "on"}}]
    assert (await find(gateway, "desk.staff.read_contacts"))["dependents"] == [{"key": "desk.staff.edit_contacts"}]
    assert (await find(gateway, "desk.reports.menu"))["dependents"] == [
        {"key": "desk.reports.real_time"},
        {"key": "desk.reports.export"},
    ]


@each_of(
    ("key", "polarity", "value_type"),
    [
        ("desk.staff.accounts.users", "PERMISSION", {
            "__typename": "LevelType", "name": "Level", "levels": ["None", "View only", "Modify", "Modify and delete"]
        }),
        ("desk.calls.recordings", "PERMISSION", {
            "__typename": "ScopeType", "name": "Scope", "scopes": ["own", "same group", "all"]
        }),
        ("desk.calls.channels", "PERMISSION", {
            "__typename": "QuantityType", "name": "Quantity", "minimum": 1, "maximum": 10, "unit": "channels",
            "descending": False,
        }),
        ("desk.calls.wrap_up", "SETTING", {
            "__typename": "QuantityType", "name": "Quantity", "minimum": 0, "maximum": 600, "unit": "seconds",
            "descending": True,
        }),
        ("desk.calls.numbers", "PERMISSION", {
            "__typename": "MembersType", "name": "Members", "options": None, "reserved": ["ivr"]
        }),
        ("desk.calls.withhold_number", "RESTRICTION", {"__typename": "SwitchType", "name": "Switch"}),
    ],
)  # fmt: skip
async def test_value_types_and_polarities(
    gateway: Gateway, key: str, polarity: str, value_type: dict[str, Any]
) -> None:
    node = await find(gateway, key)

    assert (node["polarity"], node["valueType"]) == (polarity, value_type)


async def test_an_access_level_names_its_product(gateway: Gateway) -> None:
    node = await find(gateway, "core.pbx.access")

    assert node["product"] == {"key": "pbx"}
    assert node["valueType"]["levels"] == [
        "Not in the contract", "Without access", "User", "Administrator", "Owner"
    ]  # fmt: skip


@each_of(
    ("key", "menu_path", "requirement"),
    [
        (
            "desk.reports.open_real_time",
            ["Reports", "Real time"],
            {
                "__typename": "AtLeast", "text": "Real time", "permission": {"key": "desk.reports.real_time"},
                "value": {"text": "on"},
            },
        ),
        (
            "desk.reports.listen_in",
            ["Reports", "Real time", "Listen"],
            {
                "__typename": "AllOf",
                "text": "Spy on calls and the target's Can be listened to",
                "requirements": [
                    {"__typename": "AtLeast", "text": "Spy on calls", "permission": {"key": "desk.reports.spy"}},
                    {
                        "__typename": "TargetAtLeast", "text": "the target's Can be listened to",
                        "permission": {"key": "desk.calls.can_be_listened_to"}, "value": {"text": "on"},
                    },
                ],
            },
        ),
        (
            "desk.staff.sit_the_exam",
            [],
            {
                "__typename": "FactHolds", "text": "trained",
                "fact": {"name": "trained", "type": "boolean", "unit": None},
            },
        ),
    ],
)  # fmt: skip
async def test_operations(gateway: Gateway, key: str, menu_path: list[str], requirement: dict[str, Any]) -> None:
    node = await find(gateway, key)

    assert node["__typename"] == "Operation"
    assert (node["menuPath"], node["requirement"]) == (menu_path, requirement)


async def test_a_heading_of_its_own_is_cited(gateway: Gateway) -> None:
    assert (await find(gateway, "desk.reports.listen_in"))["source"] == {
        "document": "desk.txt", "heading": "Supervision"
    }  # fmt: skip


async def test_an_either_or_shows_both(gateway: Gateway) -> None:
    document = """{ permissionNode(key: "desk.staff.approve") { ... on Permission { requirements { requirement {
      text ... on AnyOf { requirements { text ... on AtLeast { permission { key } value { text } } } }
    } } } } }"""

    (rule,) = (await gateway.gql(document))["permissionNode"]["requirements"]

    assert rule["requirement"] == {
        "text": "Users: Modify or Roles: Modify",
        "requirements": [
            {
                "text": "Users: Modify", "permission": {"key": "desk.staff.accounts.users"},
                "value": {"text": "Modify"},
            },
            {
                "text": "Roles: Modify", "permission": {"key": "desk.staff.accounts.roles"},
                "value": {"text": "Modify"},
            },
        ],
    }  # fmt: skip


@each_of("key", ["", "desk", "desk.nothing", "DESK.REPORTS", "desk.reports.", "\u0000"])
async def test_there_is_none_of_another_key(gateway: Gateway, key: str) -> None:
    assert await find(gateway, key) is None
