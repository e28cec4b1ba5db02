"""Every list alike: pages of 20 by default and 100 at most, walked both ways, and cursors that cannot be made up."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.domain.contracts import AccessLevel
from app.domain.holders import Access, Assignment, Contract, Grant, Membership, Record, Role, Team, User, UserId
from app.domain.values import Switch
from tests.factories import Answer, Clock, Gateway, Template, each_of, fill_template, open_gateway

PEOPLE = [f"user{number:02}" for number in range(45)]
PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { %s } }"
NOT_OURS = "this cursor was not handed out for this list"


async def crowd(gateway: Gateway) -> None:
    """45 of everything; all people in one role, one team and one contract, each planted in a revision of its own."""
    role = Role(id=gateway.new_id(Role), key="all", display_name="all")
    team = Team(id=gateway.new_id(Team), key="all", display_name="all")
    contract = Contract(
        id=gateway.new_id(Contract), number="all", name="all", owner=UserId(gateway.owner),
        products=frozenset({"core"}),
    )  # fmt: skip
    grant = Grant(
        id=gateway.new_id(Grant), holder=role.id, node="desk.reports.real_time", value=Switch(True),
        created_at=gateway.clock(),
    )  # fmt: skip
    menu = Grant(
        id=gateway.new_id(Grant), holder=role.id, node="desk.reports.menu", value=Switch(True),
        created_at=gateway.clock(),
    )  # fmt: skip
    await gateway.plant([role, team, contract, grant, menu])
    for name in reversed(PEOPLE):  # not made in the order in which they are listed
        user = User(id=gateway.new_id(User), user_name=name, display_name=name)
        common: dict[str, Any] = {"created_at": gateway.clock()}
        records: list[Record] = [
            user,
            Role(id=gateway.new_id(Role), key=name, display_name=name),
            Team(id=gateway.new_id(Team), key=name, display_name=name),
            Contract(id=gateway.new_id(Contract), number=name, name=name, owner=user.id),
            Assignment(id=gateway.new_id(Assignment), holder=user.id, role=role.id, **common),
            Membership(id=gateway.new_id(Membership), user=user.id, team=team.id, **common),
            Access(
                id=gateway.new_id(Access),
                user=user.id,
                contract=contract.id,
                product="core",
                level=AccessLevel.USER,
                **common,
            ),
        ]
        await gateway.plant(records)


@pytest.fixture(scope="module")
def crowded_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill_template(template, tmp_path_factory.mktemp("crowded") / "template.db", crowd)


@pytest.fixture
async def crowded(
    crowded_template: Template, tmp_path: Path, clock: Clock, shared_schema: None
) -> AsyncIterator[Gateway]:
    async with open_gateway(crowded_template, tmp_path / "crowded.db", clock) as gateway:
        yield gateway


@dataclass(frozen=True)
class Listing:
    """A list: the field within its document, what names an item, and the names in their order."""

    document: str
    node: str
    both_ways: bool = True

    async def ask(self, gateway: Gateway, **arguments: Any) -> Answer:
        given = ", ".join(f"{name}: ${name}" for name in arguments)
        kinds = {"first": "Int", "last": "Int", "after": "String", "before": "String"}
        head = ", ".join(f"${name}: {kinds[name]}" for name in arguments)
        field = self.document.replace("(*)", f"({given})" if given else "").replace("*", PAGE % self.node)
        return await gateway.ask(f"query {f'({head})' if head else ''} {field}", arguments)

    async def page(self, gateway: Gateway, **arguments: Any) -> Answer:
        answer = await self.ask(gateway, **arguments)
        assert "errors" not in answer, answer["errors"]
        found = answer["data"]
        while "edges" not in found:
            (found,) = found.values()
        return dict(found)

    async def refusal(self, gateway: Gateway, **arguments: Any) -> str:
        (error,) = (await self.ask(gateway, **arguments))["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}
        return str(error["message"])


def name_of(node: Any) -> str:
    while isinstance(node, dict):
        (node,) = node.values()
    return str(node)


def names(page: Answer) -> list[str]:
    return [name_of(edge["node"]) for edge in page["edges"]]


LISTINGS = {
    "users": Listing("{ users(*) { * } }", "userName"),
    "roles": Listing("{ roles(*) { * } }", "key"),
    "teams": Listing("{ teams(*) { * } }", "key"),
    "contracts": Listing("{ contracts(*) { * } }", "number"),
    "permissionNodes": Listing("{ permissionNodes(*) { * } }", "key"),
    "auditLog": Listing("{ auditLog(*) { * } }", "revision"),
    "System.nodes": Listing('{ system(key: "desk") { nodes(*) { * } } }', "key", both_ways=False),
    "Role.members": Listing('{ role(ref: {key: "all"}) { members(*) { * } } }', "userName", both_ways=False),
    "Team.members": Listing('{ team(ref: {key: "all"}) { members(*) { * } } }', "userName", both_ways=False),
    "Contract.access": Listing(
        '{ contract(ref: {number: "all"}) { access(*) { * } } }', "user { userName }", both_ways=False
    ),
    "Permission.holders": Listing(
        '{ permissionNode(key: "desk.reports.real_time") { ... on Permission { holders(*) { * } } } }',
        "userName", both_ways=False,
    ),
    "Operation.holders": Listing(
        '{ permissionNode(key: "desk.reports.open_real_time") { ... on Operation { holders(*) { * } } } }',
        "userName", both_ways=False,
    ),
}  # fmt: skip
BOTH_WAYS = [name for name, listing in LISTINGS.items() if listing.both_ways]


def whole(gateway: Gateway, name: str) -> list[str]:
    """What a list holds, in its order."""
    nodes = list(gateway.services.catalog.nodes)
    wholes = {
        "users": ["olga", *PEOPLE],
        "roles": ["all", *PEOPLE],
        "teams": ["all", *PEOPLE],
        "contracts": ["all", *PEOPLE],
        "permissionNodes": nodes,
        "auditLog": [str(revision) for revision in range(49, 0, -1)],
        "System.nodes": [key for key in nodes if key.startswith("desk")],
        "Permission.holders": ["olga", *PEOPLE],
        "Operation.holders": ["olga", *PEOPLE],
    }
    return wholes.get(name, PEOPLE)


@pytest.mark.parametrize("name", LISTINGS)
async def test_a_page_is_20_by_default_and_100_at_most(name: str, crowded: Gateway) -> None:
    listing, everything = LISTINGS[name], whole(crowded, name)

    page = await listing.page(crowded)
    largest = await listing.page(crowded, first=100)
    empty = await listing.page(crowded, first=0)

    assert names(page) == everything[:20]
    assert page["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False, "startCursor": page["edges"][0]["cursor"],
        "endCursor": page["edges"][-1]["cursor"],
    }  # fmt: skip
    assert names(largest) == everything
    assert largest["pageInfo"]["hasNextPage"] is False
    assert empty["edges"] == []
    assert empty["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False, "startCursor": None, "endCursor": None
    }  # fmt: skip
    assert page["totalCount"] == largest["totalCount"] == empty["totalCount"] == len(everything)


@pytest.mark.parametrize("name", LISTINGS)
async def test_walking_forwards_gives_each_item_once(name: str, crowded: Gateway) -> None:
    listing, everything = LISTINGS[name], whole(crowded, name)
    walked: list[str] = []
    cursor = None
    while True:
        page = await listing.page(crowded, first=13, after=cursor)
        walked += names(page)
        assert page["totalCount"] == len(everything)
        assert page["pageInfo"]["hasPreviousPage"] is (cursor is not None)
        assert page["pageInfo"]["hasNextPage"] is (len(walked) < len(everything))
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]

    assert walked == everything
    beyond = await listing.page(crowded, after=page["pageInfo"]["endCursor"])
    assert beyond["edges"] == []
    assert beyond["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize("name", BOTH_WAYS)
async def test_walking_backwards_gives_each_item_once(name: str, crowded: Gateway) -> None:
    listing, everything = LISTINGS[name], whole(crowded, name)
    walked: list[str] = []
    cursor = None
    while True:
        page = await listing.page(crowded, last=13, before=cursor)
        walked = names(page) + walked
        assert page["pageInfo"]["hasNextPage"] is (cursor is not None)
        assert page["pageInfo"]["hasPreviousPage"] is (len(walked) < len(everything))
        if not page["pageInfo"]["hasPreviousPage"]:
            break
        cursor = page["pageInfo"]["startCursor"]

    assert walked == everything


@pytest.mark.parametrize("name", BOTH_WAYS)
async def test_what_lies_between_two_cursors(name: str, crowded: Gateway) -> None:
    listing, everything = LISTINGS[name], whole(crowded, name)
    cursors = [edge["cursor"] for edge in (await listing.page(crowded, first=30))["edges"]]

    between = await listing.page(crowded, after=cursors[3], before=cursors[9])
    front = await listing.page(crowded, after=cursors[3], before=cursors[9], first=2)
    back = await listing.page(crowded, after=cursors[3], before=cursors[9], last=2)

    assert names(between) == everything[4:9]
    assert names(front) == everything[4:6]
    assert names(back) == everything[7:9]


@pytest.mark.parametrize("name", LISTINGS)
async def test_sizes_out_of_bounds_are_refused(name: str, crowded: Gateway) -> None:
    listing = LISTINGS[name]
    sizes = ["first", "last"] if listing.both_ways else ["first"]

    for size in sizes:
        for number in (-1, 101, 2**31 - 1):
            refusal = await listing.refusal(crowded, **{size: number})
            assert refusal == f"`{size}` must be between 0 and 100: page through the list"
    if listing.both_ways:
        assert await listing.refusal(crowded, first=1, last=1) == "give `first` or `last`, not both"


@pytest.mark.parametrize("name", LISTINGS)
async def test_cursors_that_were_not_handed_out_for_the_list_are_refused(name: str, crowded: Gateway) -> None:
    listing = LISTINGS[name]
    cursor = (await listing.page(crowded, first=1))["pageInfo"]["endCursor"]
    other = LISTINGS["roles" if name == "teams" else "teams"]
    foreign = (await other.page(crowded, first=1))["pageInfo"]["endCursor"]
    forged = [
        "",
        "x",
        "====",
        "\u00e9",
        "eyJhIjoxfQ",
        foreign,
        cursor[:-2],
        cursor[4:],
        ("A" if cursor[0] != "A" else "B") + cursor[1:],
        cursor + cursor,
        cursor.swapcase(),
    ]

    for one in forged:
        for place in ("after", "before") if listing.both_ways else ("after",):
            assert await listing.refusal(crowded, **{place: one}) == NOT_OURS


@each_of("added", ["!", " ", "\n", "A", "!!!!"])
async def test_a_cursor_that_was_added_to_is_refused(added: str, crowded: Gateway) -> None:
    cursor = (await LISTINGS["users"].page(crowded, first=1))["pageInfo"]["endCursor"]

    assert await LISTINGS["users"].refusal(crowded, after=cursor + added) == NOT_OURS


async def test_a_cursor_outlives_its_item_and_what_happens_around_it(crowded: Gateway) -> None:
    """A page begins after a place in the order, not after a number of items."""
    page = await LISTINGS["users"].page(crowded, first=3)
    assert names(page) == ["olga", "user00", "user01"]
    await crowded.mutate("updateUser", {"user": {"userName": "user01"}, "userName": "zoe"})
    await crowded.create_users("adam", "user01a")

    after = await LISTINGS["users"].page(crowded, first=2, after=page["pageInfo"]["endCursor"])

    assert names(after) == ["user01a", "user02"]


async def test_a_page_of_a_narrowed_list(crowded: Gateway) -> None:
    document = """query ($after: String) { users(filter: {search: "user1"}, first: 4, after: $after) {
      totalCount pageInfo { hasNextPage endCursor } edges { node { userName } }
    } }"""

    first = (await crowded.gql(document))["users"]
    second = (await crowded.gql(document, {"after": first["pageInfo"]["endCursor"]}))["users"]

    assert names(first) + names(second) == [f"user1{digit}" for digit in range(8)]
    assert first["totalCount"] == second["totalCount"] == 10
    assert second["pageInfo"]["hasNextPage"] is True


async def test_null_is_as_left_out(crowded: Gateway) -> None:
    page = await LISTINGS["users"].page(crowded, first=None, after=None, last=None, before=None)

    assert names(page) == ["olga", *PEOPLE[:19]]


async def test_siblings_page_each_by_themselves(crowded: Gateway) -> None:
    document = """{
      one: users(first: 1) { edges { node { userName } } }
      two: users(last: 2) { edges { node { userName } } }
      role(ref: {key: "all"}) {
        few: members(first: 2) { edges { node { userName } } } more: members(first: 3) { edges { node { userName } } }
      }
    }"""

    data = await crowded.gql(document)

    assert names(data["one"]) == ["olga"]
    assert names(data["two"]) == ["user43", "user44"]
    assert names(data["role"]["few"]) == ["user00", "user01"]
    assert names(data["role"]["more"]) == ["user00", "user01", "user02"]
