"""auditLog: what was changed, newest first."""

from typing import Any

import pytest

from app.domain.audit import FIRST_HASH
from app.domain.callers import Right
from tests.factories import Gateway, each_of, holder

DOCUMENT = """query ($filter: AuditFilter) { auditLog(filter: $filter, first: 100) {
  totalCount edges { node { revision action } }
} }"""


async def find(gateway: Gateway, wanted: dict[str, Any] | None) -> list[int]:
    found = (await gateway.gql(DOCUMENT, {"filter": wanted}))["auditLog"]
    revisions = [int(edge["node"]["revision"]) for edge in found["edges"]]
    assert found["totalCount"] == len(revisions)
    return revisions


async def test_holds_everything_from_the_first_catalog_on(gateway: Gateway) -> None:
    data = await gateway.gql("""{ auditLog { totalCount edges { node {
      id revision at actor source action reason previousHash
      subjects { id } changes { action row holder { id } detail }
    } } } }""")

    token, owner, catalog = (edge["node"] for edge in data["auditLog"]["edges"])
    assert (catalog["action"], catalog["actor"], catalog["source"], catalog["revision"]) == (
        "loadCatalog", "permgate", "catalog", "1"
    )  # fmt: skip
    assert catalog["previousHash"] == FIRST_HASH
    assert catalog["changes"][0]["detail"] == f"put the catalog {gateway.services.catalog.digest} in force"
    assert (owner["action"], owner["actor"], owner["subjects"]) == ("firstOwner", "permgate", [{"id": gateway.owner}])
    assert (token["action"], token["subjects"]) == ("issueToken", [{"id": gateway.owner}])
    assert token["changes"][0]["detail"].startswith("issued the token `first owner` (pgt_")
    assert gateway.token not in str(data)


async def test_every_entry_holds_the_hash_of_the_one_before(world: Gateway) -> None:
    data = await world.gql("{ auditLog(first: 100) { edges { node { revision hash previousHash } } } }")

    entries = [edge["node"] for edge in data["auditLog"]["edges"]]
    assert [int(entry["revision"]) for entry in entries] == list(range(len(entries), 0, -1))
    assert [entry["previousHash"] for entry in entries[:-1]] == [entry["hash"] for entry in entries[1:]]
    assert len({entry["hash"] for entry in entries}) == len(entries)


@pytest.fixture
async def log(world: Gateway) -> tuple[Gateway, int]:
    """Three more entries, an hour apart, the second by Ana, and the revision before them."""
    secret = await world.trust("ana", *Right, "desk.reports.menu")
    before = await world.revision()
    world.clock.advance(hours=1)
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo"})
    world.clock.advance(hours=1)
    given = {"holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.menu"}]}
    await world.send("grantPermissions", given, token=secret)
    world.clock.advance(hours=1)
    await world.mutate("updateRole", {"role": {"key": "agents"}, "displayName": "Agents"})
    return world, before


async def test_by_actor_name_or_id(log: tuple[Gateway, int]) -> None:
    world, before = log

    assert await find(world, {"actor": "ana"}) == [before + 2]
    assert await find(world, {"actor": world.ids["ana"]}) == [before + 2]
    assert await find(world, {"actor": "Ana"}) == []
    assert 1 in await find(world, {"actor": "permgate"})


async def test_the_actor_is_named_as_then(log: tuple[Gateway, int]) -> None:
    world, before = log
    await world.mutate("updateUser", {"user": {"userName": "ana"}, "userName": "anna"})

    assert await find(world, {"actor": "ana"}) == [before + 2]
    assert await find(world, {"actor": "anna"}) == []
    assert await find(world, {"actor": world.ids["ana"]}) == [before + 2]


async def test_by_action(log: tuple[Gateway, int]) -> None:
    world, before = log

    assert (await find(world, {"action": "grantPermissions"}))[0] == before + 2
    assert await find(world, {"action": "updateRole"}) == [before + 3]
    assert await find(world, {"action": "updaterole"}) == []


async def test_by_subject(log: tuple[Gateway, int]) -> None:
    world, before = log

    assert (await find(world, {"subject": world.ids["cleo"]}))[:2] == [before + 2, before + 1]
    assert (await find(world, {"subject": world.ids["agents"]}))[0] == before + 3
    assert await find(world, {"subject": "nothing"}) == []


async def test_by_time_since_is_in_and_until_is_not(log: tuple[Gateway, int]) -> None:
    world, before = log

    assert await find(world, {"since": "2026-06-01T10:00:00Z"}) == [before + 3, before + 2, before + 1]
    assert await find(world, {"since": "2026-06-01T10:00:00.000001Z"}) == [before + 3, before + 2]
    assert await find(world, {"since": "2026-06-01T12:00:00+02:00", "until": "2026-06-01T12:00:00Z"}) == [
        before + 2, before + 1
    ]  # fmt: skip
    assert await find(world, {"until": "2026-06-01T09:00:00Z"}) == []


async def test_after_a_revision(log: tuple[Gateway, int]) -> None:
    world, before = log

    assert await find(world, {"afterRevision": str(before + 1)}) == [before + 3, before + 2]
    assert await find(world, {"afterRevision": str(before + 3)}) == []
    assert len(await find(world, {"afterRevision": "0"})) == before + 3


async def test_every_condition_must_hold(log: tuple[Gateway, int]) -> None:
    world, before = log

    assert await find(world, {"subject": world.ids["cleo"], "actor": "ana", "action": "grantPermissions"}) == [
        before + 2
    ]
    assert await find(world, {"subject": world.ids["cleo"], "actor": "ana", "action": "updateUser"}) == []


@each_of("wanted", [None, {}, {"actor": None, "action": None, "subject": None, "since": None}])
async def test_without_a_condition_it_is_everything(log: tuple[Gateway, int], wanted: dict[str, Any] | None) -> None:
    world, before = log

    assert len(await find(world, wanted)) == before + 3


async def test_subjects_and_changes_show_what_they_are_about(log: tuple[Gateway, int]) -> None:
    world, _ = log

    data = await world.gql(
        """query ($filter: AuditFilter) { auditLog(filter: $filter) { edges { node {
      subjects { __typename ... on User { userName } }
      changes { action holder { displayName } permission { key } before after }
    } } } }""",
        {"filter": {"actor": "ana"}},
    )

    assert data["auditLog"]["edges"] == [
        {
            "node": {
                "subjects": [{"__typename": "User", "userName": "cleo"}],
                "changes": [
                    {
                        "action": "grant", "holder": {"displayName": "Cleo"},
                        "permission": {"key": "desk.reports.menu"}, "before": None, "after": "on",
                    }
                ],
            }
        }
    ]  # fmt: skip


async def test_every_subject_is_shown_whoever_else_is_asked_for(world: Gateway) -> None:
    """Olga is loaded for `viewer` before the page is there; Ana must not be missing from it by that."""
    await world.join("night", "ana", "olga")

    data = await world.gql("""{
      viewer { user { userName } }
      auditLog(first: 1) { edges { node { subjects { id } changes { holder { displayName } } } } }
    }""")

    (edge,) = data["auditLog"]["edges"]
    assert edge["node"]["subjects"] == [
        {"id": world.ids["ana"]}, {"id": world.ids["night"]}, {"id": world.owner}
    ]  # fmt: skip
    assert [change["holder"] for change in edge["node"]["changes"]] == [{"displayName": "ana"}, {"displayName": "olga"}]
