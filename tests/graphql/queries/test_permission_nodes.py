"""permissionNodes: the catalog, narrowed down."""

from typing import Any

from tests.factories import Gateway, each_of

DOCUMENT = """query ($filter: PermissionNodeFilter) { permissionNodes(filter: $filter, first: 100) {
  totalCount edges { node { key } }
} }"""


async def find(gateway: Gateway, wanted: dict[str, Any] | None) -> list[str]:
    found = (await gateway.gql(DOCUMENT, {"filter": wanted}))["permissionNodes"]
    keys = [edge["node"]["key"] for edge in found["edges"]]
    assert found["totalCount"] == len(keys)
    return keys


@each_of(
    ("wanted", "keys"),
    [
        ({"kind": "GROUP", "system": "core"}, ["core.system", "core.pbx", "core.chatbots"]),
        ({"kind": "OPERATION", "system": "core"}, [
            "core.system.change_the_settings", "core.pbx.listen_to_own_records"
        ]),
        ({"parent": "desk.staff.accounts"}, [
            "desk.staff.accounts.users", "desk.staff.accounts.roles", "desk.staff.accounts.delete_a_user"
        ]),
        ({"parent": "desk.staff.accounts", "kind": "PERMISSION", "search": "ROLE"}, ["desk.staff.accounts.roles"]),
        ({"search": "Listen"}, [
            "core.pbx.listen_to_own_records", "desk.reports.listen_in", "desk.calls.can_be_listened_to"
        ]),
        ({"search": "wrap-up time"}, ["desk.calls.wrap_up"]),
        ({"search": "wrap_up"}, ["desk.calls.wrap_up"]),
        ({"parent": "desk.reports.menu"}, []),
        ({"search": "nothing at all"}, []),
        ({"search": "_%"}, []),
    ],
)  # fmt: skip
async def test_every_condition_must_hold(gateway: Gateway, wanted: dict[str, Any], keys: list[str]) -> None:
    assert await find(gateway, wanted) == keys


async def test_keys_that_are_not_there_are_a_fault(gateway: Gateway) -> None:
    assert await gateway.fault(DOCUMENT, {"filter": {"system": "nothing", "parent": "desk.report"}}) == (
        "BAD_USER_INPUT",
        (
            "filter.system: there is no system `nothing`; "
            "filter.parent: there is no node `desk.report`; did you mean `desk.reports`?"
        ),
    )


@each_of("wanted", [None, {}, {"system": None, "search": None, "kind": None, "parent": None}, {"search": ""}])
async def test_without_a_condition_it_is_everything_in_catalog_order(
    gateway: Gateway, wanted: dict[str, Any] | None
) -> None:
    keys = await find(gateway, wanted)

    assert keys == list(gateway.services.catalog.nodes)


async def test_search_ignores_case(gateway: Gateway) -> None:
    lower, upper = await find(gateway, {"search": "spy"}), await find(gateway, {"search": "SPY"})

    assert lower == upper == ["desk.reports.spy"]


async def test_kinds_add_up(gateway: Gateway) -> None:
    kinds = ("GROUP", "PERMISSION", "OPERATION")

    counts = [len(await find(gateway, {"kind": kind, "system": "desk"})) for kind in kinds]

    assert counts == [4, 17, 4]
    assert len(await find(gateway, {"system": "desk"})) == 25
