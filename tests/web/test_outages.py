"""What each door says when the database fails: whether anything was changed, and what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.db.unit_of_work import Database
from app.domain.outages import Unavailable
from tests.factories import Answer, Gateway, select
from tests.scim import Provider
from tests.sockets import known

MAKE = """mutation Make($name: String!) {
    createUser(input: {userName: $name, idempotencyKey: $name}) { revision errors { code } }
}"""
IOERR_FSYNC = 1034  # SQLITE_IOERR_FSYNC
UNKNOWN = {"code": "INTERNAL_SERVER_ERROR", "outcome": "UNKNOWN"}
UNAVAILABLE = {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}
SECRET = "/data/permgate.db"


@contextmanager
def undecided_commits(gateway: Gateway) -> Iterator[None]:
    """The disk fails when a commit is made durable."""
    original = sqlite3.OperationalError(f"disk I/O error at {SECRET}")
    original.sqlite_errorcode = IOERR_FSYNC

    def fail(_connection: Any) -> None:
        raise OperationalError("COMMIT", None, original)

    engine = gateway.services.database.engine.sync_engine
    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)


def no_database(monkeypatch: pytest.MonkeyPatch, *units: str) -> None:
    """The database gives out no units any more."""

    def refuse(*_given: object, **_named: object) -> Any:
        raise Unavailable(f"the database failed: no room at {SECRET}")

    for unit in units:
        monkeypatch.setattr(Database, unit, refuse)


def only_error(response: Any) -> Answer:
    assert SECRET not in response.text
    (error,) = response.json()["errors"]
    found: Answer = error
    return found


async def test_f3_a_change_of_which_nobody_knows_is_told_as_that(world: Gateway) -> None:
    """And what comes after it is told that nothing was done; reads go on."""
    with undecided_commits(world):
        response = await world.post({"query": MAKE, "variables": {"name": "eva"}})
    assert response.status_code == 500
    error = only_error(response)
    assert (error["extensions"], error["path"]) == (UNKNOWN, ["createUser"])
    assert "same `idempotencyKey`" in error["message"]
    assert response.json()["data"] is None

    later = await world.post({"query": MAKE, "variables": {"name": "eva"}})
    assert (later.status_code, later.headers["retry-after"]) == (503, "1")
    assert only_error(later)["extensions"] == UNAVAILABLE
    assert "nothing was changed" in only_error(later)["message"]

    assert (await world.gql('{ user(ref: {userName: "eva"}) { id } }'))["user"] is None
    assert (await world.client.get("/readyz")).status_code == 503


async def test_f3_so_does_a_socket_say(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        with undecided_commits(world):
            await client.subscribe(MAKE, variables={"name": "eva"})
            told = await client.receive()
        assert told["payload"]["errors"][0]["extensions"] == UNKNOWN
        assert await client.receive() == {"type": "complete", "id": "1"}


async def test_f3_so_does_scim_say(world: Gateway) -> None:
    """A provider reads before it sends again: there is no key to ask under."""
    provider = Provider(world, world.token)
    user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "eva"}
    with undecided_commits(world):
        unknown = await provider.call("POST", "/Users", user)
    later = await provider.call("POST", "/Users", user)

    assert (unknown.status_code, later.status_code) == (500, 503)
    assert "nobody knows whether this was done" in unknown.json()["detail"]
    assert later.headers["retry-after"] == "1"
    assert SECRET not in unknown.text + later.text
    assert (await provider.get("/Users", filter='userName eq "eva"'))["totalResults"] == 0


async def test_f3_so_does_a_plan_say(world: Gateway) -> None:
    with undecided_commits(world):
        response = await world.client.post(
            "/sync/hr", content=b'{"kind": "user", "userName": "eva"}\n',
            headers={"authorization": f"Bearer {world.token}", "content-type": "application/x-ndjson"},
        )  # fmt: skip

    assert response.status_code == 500
    assert only_error(response)["extensions"] == UNKNOWN


async def test_f5_a_full_disk_is_a_refusal_and_passes(world: Gateway) -> None:
    """Only the pages that are there already can be written; then there is space again."""
    size = select(world.path, "PRAGMA page_count")[0][0]

    async def limit_pages(most: int) -> None:
        async with world.services.database.writing() as unit:
            await unit.reader.connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

    await limit_pages(size)
    made = 0
    while (response := await world.post({"query": MAKE, "variables": {"name": f"eva-{made}"}})).status_code == 200:
        made += 1
        assert made < 500

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert only_error(response)["extensions"] == UNAVAILABLE
    there = await world.gql('{ users(filter: {search: "eva-"}) { totalCount } }')
    assert there["users"]["totalCount"] == made
    assert select(world.path, "PRAGMA integrity_check") == [("ok",)]
    await limit_pages(10 * size)
    assert (await world.gql(MAKE, {"name": f"eva-{made}"}))["createUser"]["errors"] == []


async def test_f10_where_the_database_is_taken_a_change_is_refused_and_a_question_answered(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_database(monkeypatch, "transact", "writing")

    response = await world.post({"query": MAKE, "variables": {"name": "eva"}})

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert only_error(response)["extensions"] == UNAVAILABLE
    assert (await world.gql("{ revision }"))["revision"]


async def test_f10_where_there_is_no_database_each_door_says_so(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that they are unknown, and nothing that is internal."""
    no_database(monkeypatch, "reading", "transact", "writing")
    headers = {"authorization": f"Bearer {world.token}"}

    for method, path in (("POST", "/graphql"), ("GET", "/scim/v2/Users"), ("POST", "/sync/hr")):
        sent = headers if path != "/sync/hr" else {**headers, "content-type": "application/x-ndjson"}
        content = b'{"query": "{ revision }"}' if path == "/graphql" else None
        response = await world.client.request(
            method, path, content=content, headers={"content-type": "application/json", **sent}
        )
        assert response.status_code == 503, (path, response.text)
        assert SECRET not in response.text
        if path != "/scim/v2/Users":
            assert only_error(response)["extensions"] == UNAVAILABLE
        assert response.headers["retry-after"] == "1"
