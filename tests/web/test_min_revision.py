"""`extensions.minRevision`: never an answer from before a revision that the client has seen (threat A9)."""

import asyncio
import json
from typing import Any

import pytest

from app.db.unit_of_work import Database
from app.services import context
from app.services.callers import issue_token
from tests.factories import Gateway, each_of, holder

ASK = "{ revision users { totalCount } }"
MENU = "desk.reports.menu"


async def post(gateway: Gateway, revision: Any, document: str = ASK, **headers: str) -> tuple[int, dict[str, Any]]:
    response = await gateway.post({"query": document, "extensions": {"minRevision": revision}}, **headers)
    return response.status_code, response.json()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "REVISION_WAIT_S", 0.05)


async def test_what_is_there_is_answered_at_once(world: Gateway) -> None:
    revision = await world.revision()
    for wanted in ("0", "1", str(revision)):
        status, answer = await post(world, wanted)
        assert (status, answer["data"]["revision"]) == (200, str(revision))
        assert answer["extensions"]["revision"] == str(revision)


async def test_a_write_is_seen_by_whoever_asks_for_its_revision(world: Gateway) -> None:
    """Exclude, then grant, then check: the order of Zanzibar's new enemy."""
    for _ in range(5):
        asked = {"holder": holder(user="cleo"), "grants": [{"permission": MENU}]}
        granted = (await world.mutate("grantPermissions", asked))["revision"]
        document = f'{{ user(ref: {{userName: "cleo"}}) {{ can(node: "{MENU}") {{ allowed revision }} }} }}'
        _, answer = await post(world, granted, document)
        assert answer["data"]["user"]["can"] == {"allowed": True, "revision": granted}
        revoked = {"holder": holder(user="cleo"), "revokes": [{"permission": MENU}]}
        ended = (await world.mutate("revokePermissions", revoked))["revision"]
        _, answer = await post(world, ended, document)
        assert answer["data"]["user"]["can"] == {"allowed": False, "revision": ended}


async def test_what_is_on_its_way_is_waited_for(world: Gateway) -> None:
    revision = await world.revision()
    asking = asyncio.create_task(post(world, str(revision + 1)))
    await asyncio.sleep(0.05)
    assert not asking.done()

    await world.create_user("dora")
    status, answer = await asyncio.wait_for(asking, 5)

    assert (status, answer["data"]["revision"]) == (200, str(revision + 1))


async def test_what_another_process_commits_is_waited_for(world: Gateway) -> None:
    other = Database(f"sqlite+aiosqlite:///{world.path}")
    services = context.Services(other, world.services.program, cursor_key=b"")
    revision = await world.revision()
    asking = asyncio.create_task(post(world, str(revision + 1)))
    await asyncio.sleep(0.05)
    await issue_token(services, "test", "ana", label="for a test", expires_at=None)
    await services.close()
    status, answer = await asyncio.wait_for(asking, 5)

    assert (status, answer["data"]["revision"]) == (200, str(revision + 1))


@each_of(
    ("accept", "status"), [("application/json", 200), ("application/graphql-response+json", 400)]
)  # the statuses of the GraphQL-over-HTTP draft for what could not be run
async def test_what_does_not_come_is_refused_with_the_revision_there_is(
    world: Gateway, impatient: None, accept: str, status: int
) -> None:
    current = await world.revision()

    found, answer = await post(world, str(current + 1), accept=accept)

    assert (found, "data" in answer) == (status, False)
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "REVISION_NOT_REACHED", "revision": str(current)}
    assert f"`{current}`" in error["message"]
    assert answer["extensions"] == {"revision": str(current)}


async def test_a_change_that_is_refused_so_is_not_made(world: Gateway, impatient: None) -> None:
    async with world.unchanged():
        _, answer = await post(
            world, "999999999999999999", 'mutation { createUser(input: {userName: "dora"}) { user { id } } }'
        )

    assert answer["errors"][0]["extensions"]["code"] == "REVISION_NOT_REACHED"


async def test_waiting_keeps_no_connection(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty that wait are more than the pool has connections."""
    monkeypatch.setattr(context, "REVISION_WAIT_S", 3.0)
    revision = await world.revision()
    waiting = [asyncio.create_task(post(world, str(revision + 1))) for _ in range(30)]
    await asyncio.sleep(0.1)

    await asyncio.wait_for(world.create_user("dora"), 5)

    for answer in await asyncio.gather(*waiting):
        assert answer[1]["data"]["revision"] == str(revision + 1)


@each_of("revision", [1, 1.5, True, "", "-1", "01", "1.0", "x", "1" * 19, ["1"], {}, " 1"])
async def test_what_is_no_revision_is_refused(world: Gateway, revision: Any) -> None:
    status, answer = await post(world, revision)

    assert (status, answer["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert "minRevision" in answer["errors"][0]["message"]


async def test_null_is_none(world: Gateway) -> None:
    assert (await post(world, None))[0] == 200


async def test_a_get_takes_it_too(world: Gateway, impatient: None) -> None:
    headers = {"authorization": f"Bearer {world.token}"}
    current = await world.revision()
    for wanted, code in ((current, None), (current + 1, "REVISION_NOT_REACHED")):
        parameters = {"query": ASK, "extensions": json.dumps({"minRevision": str(wanted)})}
        answer = (await world.client.get("/graphql", params=parameters, headers=headers)).json()
        assert [error["extensions"]["code"] for error in answer.get("errors", ())] == ([code] if code else [])


async def test_a_document_is_answered_from_one_revision_though_another_is_committed_meanwhile(world: Gateway) -> None:
    """The fields of one document agree, whatever is written while it is answered."""
    document = """{ revision users(first: 100) { totalCount edges { node {
      can(node: "desk.reports.menu") { revision } roles { role { key } }
    } } } auditLog(first: 1) { totalCount edges { node { revision } } } after: revision }"""

    async def write() -> None:
        for number in range(8):
            await world.create_user(f"user{number}")

    writing = asyncio.create_task(write())
    while not writing.done():
        answer = await world.ask(document)
        data, revision = answer["data"], answer["extensions"]["revision"]
        assert (data["revision"], data["after"]) == (revision, revision)
        assert {edge["node"]["can"]["revision"] for edge in data["users"]["edges"]} == {revision}
        assert data["auditLog"]["edges"][0]["node"]["revision"] == revision
        assert data["users"]["totalCount"] == len(data["users"]["edges"])
    await writing
