"""The same order everywhere: the database sorts names as Python does, by code point."""

from tests.factories import Gateway

NAMES = [
    "a", "A", "z", "Z", "\u00e4", "\u00c4", "\u00df", "ss", "10", "9", "-", "_", "~", " x".strip(), "\u00ff", "\u0100",
    "\u4e2d", "\uffee", "\U0001f600", "\ue000".replace("\ue000", "\ufffd"), "a b", "a-b", "ab",
]  # fmt: skip


async def test_lists_from_the_database_and_lists_made_in_memory_agree(gateway: Gateway) -> None:
    names = sorted(set(NAMES))
    for name in reversed(names):
        await gateway.create_role(name, "desk.reports.menu")
    for name in names[::2]:
        await gateway.create_user(name)
        await gateway.assign({"user": {"userName": name}}, name)

    data = await gateway.gql("""{
      roles(first: 100) { edges { node { key } } }
      users(first: 100) { edges { node { userName } } }
      permissionNode(key: "desk.reports.menu") { ... on Permission {
        holders(first: 100) { edges { node { userName } } }
      } }
    }""")

    people = sorted([*names[::2], "olga"])
    assert [edge["node"]["key"] for edge in data["roles"]["edges"]] == names
    assert [edge["node"]["userName"] for edge in data["users"]["edges"]] == people
    assert [edge["node"]["userName"] for edge in data["permissionNode"]["holders"]["edges"]] == people


async def test_rows_of_a_holder_stand_in_the_order_in_which_they_were_made(gateway: Gateway) -> None:
    keys = ["desk.staff.show_phone", "desk.reports.menu", "desk.staff.read_contacts", "desk.calls.send_texts"]
    await gateway.create_user("ana")
    for key in keys:
        await gateway.create_role(f"gives {key}", key)
        await gateway.grant({"user": {"userName": "ana"}}, key)
        await gateway.assign({"user": {"userName": "ana"}}, f"gives {key}")

    data = await gateway.gql("""{ user(ref: {userName: "ana"}) {
      grants { permission { key } } roles { role { key } }
    } }""")

    assert [grant["permission"]["key"] for grant in data["user"]["grants"]] == keys
    assert [role["role"]["key"] for role in data["user"]["roles"]] == [f"gives {key}" for key in keys]
