"""node: anything by its id. What is no id, or nobody's, answers null."""

from typing import Any

from app.domain.holders import StoredFact, SubscriberLink
from tests.factories import Gateway, each_of, holder

DOCUMENT = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def find(gateway: Gateway, one: str) -> Any:
    return (await gateway.gql(DOCUMENT, {"id": one}))["node"]


async def collect_ids(world: Gateway) -> dict[str, str]:
    """An id of every type that has one."""
    await world.assign(holder(team="support"), "writers")
    await world.grant(holder(role="writers"), "desk.staff.show_phone")
    data = await world.gql("""{
      system(key: "desk") { id nodes(first: 1, search: "reports") { edges { node { id } } } }
      permission: permissionNode(key: "desk.reports.menu") { id }
      operation: permissionNode(key: "desk.reports.listen_in") { id }
      products { id }
      user(ref: {userName: "ana"}) {
        id grants { id } limits { id } roles { id } teams { id } contracts { levels { id } }
      }
      role(ref: {key: "writers"}) { id grants { id } }
      team(ref: {key: "support"}) { id roles { id } }
      contract(ref: {number: "C-1"}) { id }
    }""")
    return {
        "System": data["system"]["id"],
        "PermissionGroup": data["system"]["nodes"]["edges"][0]["node"]["id"],
        "Permission": data["permission"]["id"],
        "Operation": data["operation"]["id"],
        "Product": data["products"][0]["id"],
        "User": data["user"]["id"],
        "Role": data["role"]["id"],
        "Team": data["team"]["id"],
        "Contract": data["contract"]["id"],
        "Grant": data["user"]["grants"][0]["id"],
        "Grant of a role": data["role"]["grants"][0]["id"],
        "Limit": data["user"]["limits"][0]["id"],
        "RoleAssignment": data["user"]["roles"][0]["id"],
        "RoleAssignment of a team": data["team"]["roles"][0]["id"],
        "TeamMembership": data["user"]["teams"][0]["id"],
        "ProductAccess": data["user"]["contracts"][0]["levels"][0]["id"],
    }


async def test_every_type_is_found_by_its_id(world: Gateway) -> None:
    ids = await collect_ids(world)
    assert len(set(ids.values())) == len(ids)

    for kind, one in ids.items():
        assert (kind, await find(world, one)) == (kind, {"__typename": kind.split(" ")[0], "id": one})


async def test_an_audit_entry_is_found_by_its_id(world: Gateway) -> None:
    head = (await world.head())["id"]

    data = await world.gql("query ($id: ID!) { node(id: $id) { ... on AuditEntry { id revision } } }", {"id": head})

    assert data["node"] == {"id": head, "revision": str(world.answered_from)}


@each_of(
    "one",
    [
        "",
        " ",
        "ana",
        "usr",
        "usr_",
        "usr_ana",
        "\u0000",
        "usr_01kt16jkm0",
        "xyz_0123456789abcdefghjkmnpqrs",
        "usr_0123456789abcdefghjkmnpqrs",
        "rol_0123456789abcdefghjkmnpqrs",
        "gra_0123456789abcdefghjkmnpqrs",
        "mem_0123456789abcdefghjkmnpqrs",
        "acc_0123456789abcdefghjkmnpqrs",
        "nod_0123456789abcdefghjkmnpqrs",
        "sys_0123456789abcdefghjkmnpqrs",
        "pro_0123456789abcdefghjkmnpqrs",
        "aud_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "aud_0000000zzzzzzzzzzzzzzzzzzz",
        "tok_0123456789abcdefghjkmnpqrs",
        "' OR 1=1 --",
        "\U0001f600",
        "x" * 10_000,
    ],
)
async def test_what_is_no_id_is_nothing(world: Gateway, one: str) -> None:
    assert await find(world, one) is None


async def test_an_id_is_taken_exactly(world: Gateway) -> None:
    found = world.ids["ana"]

    for other in (found.upper(), f" {found}", f"{found}\n", found[:-1], found + "0", found.replace("usr_", "rol_")):
        assert await find(world, other) is None


async def test_a_row_that_has_ended_is_nothing(world: Gateway) -> None:
    (row,) = await world.grant(holder(user="cleo"), "desk.reports.menu")
    await world.mutate("revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"id": row}]})

    assert await find(world, row) is None


async def test_what_has_no_type_of_its_own_is_nothing(world: Gateway) -> None:
    """Tokens, stored facts and links to subscribers have ids and are no nodes."""
    token, _ = await world.issue_token("ana")
    fact = StoredFact(
        id=world.new_id(StoredFact), name="trained", text="true", user=world.ids["ana"], created_at=world.clock()
    )
    link = SubscriberLink(
        id=world.new_id(SubscriberLink), user=world.ids["ana"], contract=world.ids["C-1"], subscriber="1",
        created_at=world.clock(),
    )  # fmt: skip
    await world.plant([fact, link])

    for one in (token, fact.id, link.id):
        assert await find(world, one) is None


async def test_the_ids_of_catalog_entries_are_the_same_everywhere(world: Gateway) -> None:
    data = await world.gql('{ permissionNode(key: "desk.reports.menu") { id } system(key: "desk") { id } }')

    # Made of the key alone. Written down here once: a change would break what clients have kept.
    assert data == {
        "permissionNode": {"id": "nod_2whd0dxdk5z1qe231gdhaf1dz7"},
        "system": {"id": "sys_5n6fp2ay1gqvkqcyn0z0npn45t"},
    }
