"""A18 and A19: an id is of one thing for ever, a name of one thing at a time, and both are compared exactly."""

import unicodedata
from typing import Any

import pytest

from app.domain.holders import Grant, User
from tests.factories import FIRST_REVISION, Gateway, each_of, holder, select
from tests.histories import assert_sound

MENU = "desk.reports.menu"

# Forty names that somebody might take for one another: case, accents, width, digits, look-alikes of other scripts.
NAMES = [
    "ada", "Ada", "ADA", "aDa", "\u00e4da", "\u00c4da", "\u0430da", "ad\u0430", "\uff41da", "\u1d43da",
    "strasse", "stra\u00dfe", "STRASSE", "STRA\u1e9eE", "Stra\u00dfe", "\u0131d", "id", "ID", "\u0130D", "\u00edd",
    "1", "01", "\uff11", "\u0661", "1.0", "1e0", "+1", "-1", "0_1", "1 0",
    "a.b", "a-b", "a_b", "a b", "a%b", "a*b", "a'b", 'a"b', "a\\b", "\ufb01n",
]  # fmt: skip
RELATIVES = ["aDA", "Ida", "Id", "\u00c4DA", "STRAssE", "1.00", "10", "a?b", "fin"]  # close to one of them, and none


def test_they_are_forty_and_in_the_form_in_which_names_are_kept() -> None:
    assert len(set(NAMES)) == 40
    assert all(unicodedata.normalize("NFC", name) == name for name in NAMES)
    assert not set(NAMES) & set(RELATIVES)


# ---------------------------------------------------------------------- A19: exactly, everywhere

LOOKUPS = """query($user: UserRef!, $role: RoleRef!, $team: TeamRef!, $contract: ContractRef!, $name: String!) {
  user(ref: $user) { id } role(ref: $role) { id } team(ref: $team) { id } contract(ref: $contract) { id }
  auditLog(filter: {actor: $name}) { totalCount }
}"""


async def look_up(gateway: Gateway, name: str, *, external: bool = False) -> list[str | None]:
    """The ids that a name stands for, as a person, a role, a team, a contract."""
    user = {"externalId" if external else "userName": name}
    refs = {"user": user, "role": {"key": name}, "team": {"key": name}, "contract": {"number": name}, "name": name}
    data = await gateway.gql(LOOKUPS, refs)
    return [data[noun] and data[noun]["id"] for noun in ("user", "role", "team", "contract")]


async def test_names_are_compared_exactly_by_every_noun(gateway: Gateway) -> None:
    """A19: forty names of four kinds of things stand beside each other, and each finds its own."""
    made: dict[str, list[str | None]] = {}
    for name in NAMES:
        user = await gateway.create_user(name, externalId=name)
        role, team = await gateway.create_role(name), await gateway.create_team(name)
        made[name] = [user, role, team, await gateway.register_contract(name)]

    for name in NAMES:
        assert await look_up(gateway, name) == made[name]
        assert await look_up(gateway, name, external=True) == made[name]
        assert await look_up(gateway, unicodedata.normalize("NFD", name)) == made[name]
    for name in RELATIVES:
        assert await look_up(gateway, name) == [None] * 4
        assert await look_up(gateway, name, external=True) == [None] * 4
    await assert_sound(gateway.services, gateway.path)


async def test_what_is_written_by_name_is_of_that_name_alone(gateway: Gateway) -> None:
    """A19: a grant to one is no grant to another who looks like them, in the answer of any door."""
    await gateway.create_users(*NAMES)
    for name in NAMES[::2]:
        await gateway.grant(holder(user=name), MENU)

    checks = [{"user": {"userName": name}, "node": MENU} for name in NAMES]
    data = await gateway.gql(
        "query($checks: [CheckInput!]!) { checkMany(inputs: $checks) { allowed errors { message } } "
        'permissionNode(key: "desk.reports.menu") { ... on Permission { '
        "holders(first: 100) { edges { node { userName } } } } } }",
        {"checks": checks},
    )

    assert [one["allowed"] for one in data["checkMany"]] == [name in NAMES[::2] for name in NAMES]
    found = [edge["node"]["userName"] for edge in data["permissionNode"]["holders"]["edges"]]
    assert found == sorted([*NAMES[::2], "olga"])


@each_of("name", NAMES[:20])
async def test_one_name_in_two_forms_is_one_name(gateway: Gateway, name: str) -> None:
    """A19: NFC and NFD are told apart nowhere."""
    await gateway.create_user(name)

    (error,) = await gateway.refuse("createUser", {"userName": unicodedata.normalize("NFD", name)})

    assert (error["code"], error["path"]) == ("DUPLICATE", ["userName"])


@each_of("key", ["Desk.reports.menu", "desk.reports.MENU", "desk.reports.menu ", "desk.reports.\uff4denu", ""])
async def test_keys_of_permissions_are_compared_exactly(world: Gateway, key: str) -> None:
    """A19, A25: what is not a permission is granted to nobody and allowed to nobody, an owner neither."""
    given = {"holder": holder(user="cleo"), "grants": [{"permission": key}]}
    (error,) = await world.refuse("grantPermissions", given)
    assert error["path"] == ["grants", "0", "permission"]

    decision = await world.gql(
        "query($input: CheckInput!) { check(input: $input) { allowed state errors { code } } }",
        {"input": {"user": {"userName": "olga"}, "node": key}},
    )
    assert decision["check"]["allowed"] is False
    assert decision["check"]["errors"]


@each_of("reference", ["USR", "usr_", " {id}", "{id} ", "{ID}", "{id}0", "{id}\u200b"])
async def test_ids_are_compared_exactly(world: Gateway, reference: str) -> None:
    """A19: an id in another dress is nobody's."""
    ana = world.ids["ana"]
    given = {"user": {"id": reference.format(id=ana, ID=ana.upper())}, "displayName": "Who"}

    (error,) = await world.refuse("updateUser", given)

    assert error["code"] == "NOT_FOUND"


# ---------------------------------------------------------------------- A18: once and for ever

TAKEN: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("setUserStatus", {"user": {"userName": "ana"}, "status": "ARCHIVED"}, "createUser", {"userName": "ana"}),
    ("archiveRole", {"role": {"key": "agents"}}, "createRole", {"key": "agents"}),
    ("archiveTeam", {"team": {"key": "support"}}, "createTeam", {"key": "support"}),
    (
        "updateContract", {"contract": {"number": "C-1"}, "status": "ENDED"},
        "registerContract", {"number": "C-1", "name": "Again", "owner": {"userName": "cleo"}, "products": ["core"]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("end", "ended", "make", "made"), TAKEN)
async def test_a_name_is_not_given_again_after_its_bearer_is_archived(
    world: Gateway, end: str, ended: dict[str, Any], make: str, made: dict[str, Any]
) -> None:
    """A18: nor may anything else be renamed to it."""
    await world.mutate(end, ended)

    assert [error["code"] for error in await world.refuse(make, made)] == ["DUPLICATE"]


async def test_nobody_takes_the_name_or_the_external_id_of_somebody_archived(world: Gateway) -> None:
    """A18: by being renamed neither."""
    await world.mutate("updateUser", {"user": {"userName": "ana"}, "externalId": "hr-1"})
    await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "ARCHIVED"})

    errors = await world.refuse("updateUser", {"user": {"userName": "cleo"}, "userName": "ana", "externalId": "hr-1"})

    assert [(error["code"], error["path"]) for error in errors] == [
        ("DUPLICATE", ["userName"]), ("DUPLICATE", ["externalId"]),
    ]  # fmt: skip


async def test_a_name_that_was_given_up_brings_nothing_along(world: Gateway) -> None:
    """A18: rights, levels, teams and tokens stay with the id; who takes the name later has nothing."""
    _, secret = await world.issue_token("ana")
    former = world.ids["ana"]
    await world.mutate("updateUser", {"user": {"userName": "ana"}, "userName": "anna"})
    await world.create_user("ana")
    document = """query($user: UserRef!) { user(ref: $user) {
      id tokens { id } grants { id } limits { id } roles { id } teams { id } contracts { contract { number } }
      can(node: "desk.reports.menu") { allowed }
    } }"""

    new = (await world.gql(document, {"user": {"userName": "ana"}}))["user"]
    old = (await world.gql(document, {"user": {"userName": "anna"}}))["user"]
    viewer = await world.gql("{ viewer { user { userName } } }", token=secret)

    assert old["id"] == former != new.pop("id")
    assert new == {
        "tokens": [], "grants": [], "limits": [], "roles": [], "teams": [], "contracts": [], "can": {"allowed": False},
    }  # fmt: skip
    assert old["can"] == {"allowed": True} and old["grants"] and old["roles"] and old["teams"] and old["contracts"]
    assert viewer["viewer"]["user"]["userName"] == "anna"
    await assert_sound(world.services, world.path)


@pytest.mark.parametrize("kind", [User, Grant])
async def test_an_id_that_chance_gives_twice_is_refused(world: Gateway, kind: type) -> None:
    """A18: were the source of randomness stuck, a second thing under the first one's id is never written."""
    world.services.randomness = lambda count: b"\x07" * count
    field, given, other = {
        User: ("createUser", {"userName": "eva"}, {"userName": "finn"}),
        Grant: (
            "grantPermissions",
            {"holder": holder(user="cleo"), "grants": [{"permission": MENU}]},
            {"holder": holder(user="ben"), "grants": [{"permission": "desk.staff.show_phone"}]},
        ),
    }[kind]
    await world.mutate(field, given)

    async with world.unchanged():
        answer = await world.ask(
            f"mutation($input: {field[0].upper()}{field[1:]}Input!) {{ {field}(input: $input) {{ revision }} }}",
            {"input": other},
        )

    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    await assert_sound(world.services, world.path)


async def test_nothing_is_ever_deleted_and_no_id_used_twice(world: Gateway) -> None:
    """A18: after everything that ends things, every id is there once, and nothing hangs in the air."""
    ids = {row for (row,) in select(world.path, "SELECT id FROM identities")}
    for end, ended, *_ in reversed(TAKEN):
        await world.mutate(end, {**ended, **({"onDependents": "SUSPEND"} if "archive" in end else {})})
    await world.create_users("eva", "finn")

    kept = [row for (row,) in select(world.path, "SELECT id FROM identities")]
    assert ids <= set(kept)
    assert len(kept) == len(set(kept)) == len(ids) + 2
    assert await world.revision() > FIRST_REVISION
    await assert_sound(world.services, world.path)
