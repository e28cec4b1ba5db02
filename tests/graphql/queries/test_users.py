"""users: by user name, narrowed down."""

from typing import Any

import pytest

from app.domain.holders import User, UserKind
from tests.factories import Gateway, each_of, holder

DOCUMENT = """query ($filter: UserFilter) { users(filter: $filter, first: 100) {
  totalCount edges { node { userName } }
} }"""


async def find(gateway: Gateway, wanted: dict[str, Any] | None) -> list[str]:
    found = (await gateway.gql(DOCUMENT, {"filter": wanted}))["users"]
    names = [edge["node"]["userName"] for edge in found["edges"]]
    assert found["totalCount"] == len(names)
    return names


@pytest.fixture
async def people(world: Gateway) -> Gateway:
    """Besides those of the stock: a service account, somebody suspended, somebody archived."""
    robot = User(id=world.new_id(User), user_name="robot", display_name="Sync of HR", kind=UserKind.SERVICE)
    await world.plant([robot])
    await world.create_user("dora", displayName="Dora 100% Ríos", email="Dora_R@example.org")
    await world.create_user("emil", displayName="Ríos y Cía")
    await world.mutate("setUserStatus", {"user": {"userName": "dora"}, "status": "SUSPENDED"})
    await world.mutate("setUserStatus", {"user": {"userName": "emil"}, "status": "ARCHIVED"})
    return world


@each_of(
    ("wanted", "names"),
    [
        ({"search": "AN"}, ["ana"]),
        ({"search": "rios@"}, []),
        ({"search": "r\u00edos"}, ["dora", "emil"]),
        ({"search": "_r@EXAMPLE"}, ["dora"]),
        ({"search": "%"}, ["dora"]),
        ({"search": "100%"}, ["dora"]),
        ({"search": "_"}, ["dora"]),
        ({"search": "\\"}, []),
        ({"search": "of hr"}, ["robot"]),
        ({"status": "ACTIVE"}, ["ana", "ben", "cleo", "olga", "robot"]),
        ({"status": "SUSPENDED"}, ["dora"]),
        ({"status": "ARCHIVED"}, ["emil"]),
        ({"kind": "SERVICE"}, ["robot"]),
        ({"kind": "PERSON", "status": "ACTIVE"}, ["ana", "ben", "cleo", "olga"]),
        ({"role": {"key": "agents"}}, ["ana"]),
        ({"role": {"key": "writers"}}, []),
        ({"role": {"key": "nobody"}}, []),
        ({"team": {"key": "support"}}, ["ana", "ben"]),
        ({"team": {"key": "night"}}, []),
        ({"team": {"key": "nobody"}}, []),
        ({"contract": {"number": "C-1"}}, ["ana", "ben"]),
        ({"contract": {"number": "C-9"}}, []),
        ({"team": {"key": "support"}, "role": {"key": "agents"}, "contract": {"number": "C-1"}}, ["ana"]),
        ({"team": {"key": "support"}, "search": "b"}, ["ben"]),
    ],
)
async def test_every_condition_must_hold(people: Gateway, wanted: dict[str, Any], names: list[str]) -> None:
    assert await find(people, wanted) == names


async def test_search_ignores_case_and_unicode_form_of_any_letter(people: Gateway) -> None:
    for search in ("R\u00cdOS", "ri\u0301os", "RI\u0301OS"):
        assert (search, await find(people, {"search": search})) == (search, ["dora", "emil"])


async def test_every_list_is_searched_so(world: Gateway) -> None:
    await world.create_role("\u00c9tage", "desk.reports.menu")
    await world.create_team("\u00c9tage")
    await world.register_contract("\u00c9tage")

    data = await world.gql("""{
      roles(filter: {search: "\u00e9TAGE"}) { totalCount } teams(filter: {search: "\u00e9TAGE"}) { totalCount }
      contracts(filter: {search: "\u00e9TAGE"}) { totalCount }
    }""")

    assert data == {name: {"totalCount": 1} for name in ("roles", "teams", "contracts")}


async def test_search_is_of_any_length(people: Gateway) -> None:
    assert await find(people, {"search": "a" * 100_000}) == []


async def test_search_for_what_no_name_holds_finds_nobody(people: Gateway) -> None:
    for search in ("\u0000", "a\u0000", "\u202e"):
        assert (search, await find(people, {"search": search})) == (search, [])


EVERYBODY = ["ana", "ben", "cleo", "dora", "emil", "olga", "robot"]


@each_of(
    "wanted",
    [
        None,
        {},
        {"search": ""},
        {"search": None, "status": None, "kind": None, "role": None, "team": None, "contract": None},
    ],
)
async def test_without_a_condition_it_is_everybody(people: Gateway, wanted: dict[str, Any] | None) -> None:
    assert await find(people, wanted) == EVERYBODY


async def test_references_by_id_will_do(world: Gateway) -> None:
    assert await find(world, {"role": {"id": world.ids["agents"]}}) == ["ana"]
    assert await find(world, {"team": {"id": world.ids["support"]}}) == ["ana", "ben"]
    assert await find(world, {"contract": {"id": world.ids["C-1"]}}) == ["ana", "ben"]


async def test_only_rows_that_stand_count_directly(world: Gateway) -> None:
    await world.assign(holder(team="support"), "writers")  # not directly
    await world.mutate("unassignRoles", {"holder": holder(user="ana"), "roles": [{"role": {"key": "agents"}}]})

    assert await find(world, {"role": {"key": "agents"}}) == []
    assert await find(world, {"role": {"key": "writers"}}) == []


async def test_a_person_with_several_rows_is_listed_once(world: Gateway) -> None:
    await world.assign(holder(user="ana"), "agents", validUntil="2027-01-01T00:00:00Z")
    await world.join("support", "ana", supervisor=True)
    await world.set_level("C-1", "ana", "pbx")

    for wanted in ({"role": {"key": "agents"}}, {"team": {"key": "support"}, "search": "ana"}):
        assert await find(world, wanted) == ["ana"]


async def test_the_order_is_that_of_code_points_everywhere(world: Gateway) -> None:
    """Capitals before small letters, then accents; no database collation, no locale."""
    names = ["Zoe", "abe", "a b", "a-b", "\u00e9va", "\u00c9va", "\u4e2d", "\U0001f600", "~x", "10", "9"]
    await world.create_users(*names)

    found = await find(world, None)

    assert found == sorted([*names, "ana", "ben", "cleo", "olga"])
    assert found.index("10") < found.index("9") < found.index("Zoe") < found.index("abe") < found.index("\u00c9va")
