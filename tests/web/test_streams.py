"""Server-sent events: what is streamed and what is not, how a stream looks, and for how long it lives."""

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.services import listening as follow
from app.services import users
from app.services.callers import revoke_token
from app.settings import Limits, Settings
from app.web import streams
from app.web.connections import Connections
from tests.factories import Answer, Gateway, Template, each_of, holder
from tests.serving import Replica
from tests.serving import serving as replicas
from tests.sockets import PROMPTLY, known, listening, serving
from tests.streams import COMPLETE, streaming
from tests.web.test_nothing_internal import INTERNAL, SECRET, fail

JSON, GRAPHQL, EVENTS = "application/json", "application/graphql-response+json", "text/event-stream"
NAMES = "{ viewer { user { userName } } }"
OLGA = {"viewer": {"user": {"userName": "olga"}}}
VIEW = "gateway.history.view"


def changes(after: int | None = None, select: str = "revision") -> str:
    given = "" if after is None else f'(after: "{after}")'
    return f"subscription {{ changes{given} {{ {select} }} }}"


# ---------------------------------------------------------------------- what is streamed


@each_of(
    ("accept", "media_type"),
    [
        (f"{JSON}, {EVENTS};q=0.1", JSON),
        (f"{EVENTS}, {JSON};q=0.1", JSON),
        (f"{GRAPHQL}, application/graphql+json, {JSON}, {EVENTS}, multipart/mixed", GRAPHQL),  # as urql asks
        ("*/*", JSON),
        (f"{EVENTS}, */*;q=0.1", JSON),
        (f"{EVENTS};q=0, {JSON}", JSON),
    ],
)
async def test_a_query_is_never_made_a_stream_for_who_takes_json(world: Gateway, accept: str, media_type: str) -> None:
    response = await world.post({"query": NAMES}, accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert response.json()["data"] == OLGA


async def test_who_takes_events_alone_gets_one_and_the_end(world: Gateway) -> None:
    response = await world.post({"query": NAMES}, accept=EVENTS)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    first, last, rest = response.text.split("\n\n")
    name, place, data = first.split("\n")
    answer = json.loads(data.removeprefix("data: "))
    assert (name, place) == ("event: next", f"id: {answer['extensions']['revision']}")
    assert answer["data"] == OLGA
    assert (last, rest) == (COMPLETE, "")


@each_of(
    "asked",
    [
        {"query": "{ nope"},
        {"query": "subscription { nope }"},
        {"query": "query A { revision } query B { revision }"},
        {"query": "query ($x: UserRef!) { user(ref: $x) { id } }", "variables": {"x": 5}},
        {"query": "{ " + "a: revision " * 2000 + "}"},
        {"query": "fragment f on Query { revision }"},
        {"documentId": "sha256:" + "0" * 64},
    ],
)
async def test_what_cannot_be_run_is_told_by_an_event_in_the_words_of_json(world: Gateway, asked: Answer) -> None:
    """The protocol wants it so: a browser shows nothing of a status."""
    expected = (await world.post(asked)).json()
    response = await world.post(asked, accept=EVENTS)

    assert response.status_code == 200
    first, last, _ = response.text.split("\n\n")
    assert first == f"event: next\ndata: {json.dumps(expected, separators=(',', ':'))}"
    assert last == COMPLETE


@each_of(
    ("sent", "status"),
    [
        ({"headers": {"authorization": "Bearer nope"}}, 401),
        ({"headers": {"content-type": "text/plain"}}, 415),
        ({"content": b"{nope"}, 400),
        ({"content": b"[]"}, 400),
    ],
)
async def test_what_is_no_request_has_a_status(world: Gateway, sent: dict[str, Any], status: int) -> None:
    headers = {"authorization": f"Bearer {world.token}", "content-type": JSON, "accept": EVENTS}
    content = sent.get("content", json.dumps({"query": changes()}).encode())

    response = await world.client.post("/graphql", content=content, headers={**headers, **sent.get("headers", {})})

    assert response.status_code == status
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert set(response.json()) == {"errors"}


@each_of("accept", [JSON, GRAPHQL, "*/*", "", f"{EVENTS};q=0, {JSON}"])
async def test_a_subscription_is_streamed_to_who_asks_for_events_by_name_alone(world: Gateway, accept: str) -> None:
    response = await world.post({"query": changes()}, accept=accept)

    assert response.json()["errors"][0]["message"] == "a subscription cannot be asked this way"


async def test_a_get_streams_nothing(world: Gateway) -> None:
    """T19. What a link or a picture can ask must not listen."""
    headers = {"authorization": f"Bearer {world.token}"}
    for accept, status in ((EVENTS, 406), (f"{EVENTS}, {JSON}", 405)):
        response = await world.client.get(
            "/graphql", params={"query": changes()}, headers={**headers, "accept": accept}
        )
        assert response.status_code == status


# ---------------------------------------------------------------------- how a stream looks


async def test_events_come_one_by_one_in_order_as_on_a_socket(world: Gateway, address: str) -> None:
    before = await world.revision()
    async with streaming(address, world.token, changes(before, "revision action reason")) as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert headers["x-content-type-options"] == "nosniff"
        assert "content-length" not in headers
        async with known(address, world.token) as client:
            await client.subscribe(changes(before, "revision action reason"))
            await world.grant(holder(user="cleo"), "desk.reports.menu", reason="two\n\nlines\r\n: and a colon")
            await world.create_user("zoe")
            for revision in (before + 1, before + 2):
                expected, answer = (await client.receive())["payload"], await stream.next()
                del expected["extensions"]["cost"], answer["extensions"]["cost"]
                assert answer == expected
                assert answer["data"]["changes"]["revision"] == str(revision)
        await stream.quiet()


async def test_a_stream_on_which_nothing_happens_shows_that_it_is_alive(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    async with streaming(address, world.token, changes(await world.revision())) as stream:
        assert [await stream.piece(), await stream.piece()] == [":", ":"]


async def test_it_resumes_after_a_revision_without_a_gap(world: Gateway, address: str) -> None:
    before = await world.revision()
    await world.create_users("zoe", "zita")
    async with streaming(address, world.token, changes(before)) as stream:
        first = await stream.next()
    async with streaming(address, world.token, changes(int(first["extensions"]["revision"]))) as stream:
        assert await stream.data() == {"changes": {"revision": str(before + 2)}}


# ---------------------------------------------------------------------- for as long as they may


async def test_who_may_not_is_told_so(world: Gateway, address: str) -> None:
    _, secret = await world.issue_token("ana")
    async with streaming(address, secret, changes(0)) as stream:
        assert await stream.error() == ("FORBIDDEN", f"you may not see this. Needs the right `{VIEW}`.")


async def test_a_lost_right_ends_it_though_nothing_comes_to_be_told(world: Gateway, address: str) -> None:
    """T25. The very revision that takes the right is not shown any more."""
    (row,) = await world.grant(holder(user="ana"), VIEW)
    _, secret = await world.issue_token("ana")
    before = await world.revision()
    async with streaming(address, secret, changes(before)) as stream:
        await world.create_user("zoe")
        assert await stream.data() == {"changes": {"revision": str(before + 1)}}

        await world.mutate("revokePermissions", {"holder": holder(user="ana"), "revokes": [{"id": row}]})

        assert await stream.error() == ("FORBIDDEN", f"you may not see this. Needs the right `{VIEW}`.")


async def _revoke(world: Gateway, token: str) -> None:
    await revoke_token(world.services, "test", token)


async def _suspend(world: Gateway, token: str) -> None:
    await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "SUSPENDED"})


async def _expire(world: Gateway, token: str) -> None:
    world.clock.advance(hours=1)


@pytest.mark.parametrize("end", [_revoke, _suspend, _expire])
async def test_the_end_of_a_token_ends_it(world: Gateway, address: str, end: Callable[[Gateway, str], Any]) -> None:
    """T25, without an event; nothing of the revision that did it is shown."""
    await world.grant(holder(user="ana"), VIEW)
    token, secret = await world.issue_token("ana", expires_at=world.clock() + timedelta(hours=1))
    async with streaming(address, secret, changes(await world.revision())) as stream:
        await listening(world.services, 1)
        await end(world, token)
        assert await stream.error() == ("UNAUTHENTICATED", "the token is not good any more")


# ---------------------------------------------------------------------- failures


async def test_a_stream_that_fails_is_masked(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T30."""
    monkeypatch.setattr(follow, "find_next_entry", fail)
    with caplog.at_level(logging.ERROR, logger="permgate"):
        async with streaming(address, world.token, changes(0)) as stream:
            code, message = await stream.error()

    assert code == "INTERNAL_SERVER_ERROR"
    assert not INTERNAL.search(message)
    assert SECRET not in message
    assert SECRET in caplog.text


async def test_an_event_whose_field_fails_is_shown_masked_and_the_next_is_well(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T30."""
    asked = changes(await world.revision(), "subjects { ... on User { tokens { label } } }")
    async with streaming(address, world.token, asked) as stream:
        await listening(world.services, 1)
        with monkeypatch.context() as broken, caplog.at_level(logging.ERROR, logger="permgate"):
            broken.setattr(users, "list_tokens", fail)
            await world.create_user("zoe")
            answer = await stream.next()
        await world.create_user("zita")
        assert await stream.data() == {"changes": {"subjects": [{"tokens": []}]}}

    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert SECRET not in str(answer)


# ---------------------------------------------------------------------- bounds


async def test_a_caller_has_so_many_streams_and_a_place_that_is_left_is_free(world: Gateway) -> None:
    settings = Settings(limits=Limits(max_caller_streams=1))
    _, secret = await world.issue_token("olga")  # of the same person: all her tokens share one bound
    async with serving(world.services, settings) as address:
        async with streaming(address, world.token, changes(0)) as stream:
            await stream.next()
            async with streaming(address, secret, changes(0), status=429) as refused:
                content = json.loads(await refused.response.aread())
                assert refused.response.headers["retry-after"] == "1"
                assert content["errors"][0]["extensions"]["code"] == "REQUEST_CONCURRENCY_LIMITED"
                assert content["errors"][0]["message"] == "at most 1 streams at once"
        await freed(world, 0)
        for _ in range(250):  # its place is free a moment after its listener has gone
            if await is_served(address, secret):
                return
            await asyncio.sleep(0.02)
        pytest.fail("the place was not given back")


async def is_served(address: str, token: str) -> bool:
    """Whether there is a place for a stream, which is left at once."""
    try:
        async with streaming(address, token, changes(0)) as stream:
            await stream.next()
    except AssertionError:
        return False
    return True


async def test_a_process_has_so_many_and_says_so_quickly(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    async with (
        serving(world.services, Settings(limits=Limits(max_connections=1))) as address,
        streaming(address, world.token, changes(0)) as stream,
    ):
        await stream.next()
        async with streaming(address, secret, changes(0), status=503) as refused:
            await refused.response.aread()
            assert refused.response.json()["errors"][0]["message"] == "too many connections: try again later"


async def freed(world: Gateway, count: int) -> None:
    """Waits until so many listen."""
    await listening(world.services, count)


async def test_a_reader_who_leaves_leaves_nothing_behind(world: Gateway, address: str) -> None:
    """Wherever the stream is: no connection of the pool is lost, and nobody is listened for."""
    before = await world.revision()
    for number in range(12):
        async with streaming(address, world.token, changes(0 if number % 2 else before)):
            await asyncio.sleep(number * 0.003)
    await freed(world, 0)
    for _ in range(1000):
        if world.services.database.engine.pool.checkedout() == 0 and not world.services.feed.seats.locked():  # type: ignore[attr-defined]
            break
        await asyncio.sleep(PROMPTLY / 1000)
    assert world.services.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert await world.gql(NAMES) == OLGA


async def test_a_slow_reader_is_told_where_to_resume_and_nothing_is_kept_for_it(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31. A reader that takes nothing stops the reading of entries, not the gateway."""
    total, wide = 60, " ".join(f"a{number}: changes {{ detail before after }}" for number in range(40))
    before = await world.revision()
    for number in range(total):
        await world.create_user(f"user{number}", displayName="x" * 80)
    read, told = list[int](), asyncio.Event()
    find_next_entry, leave = follow.find_next_entry, streams.EventStream.leave

    async def find(reading, revision):  # type: ignore[no-untyped-def]
        read.append(revision)
        return await find_next_entry(reading, revision)

    def tell(stream: streams.EventStream, why: Any) -> None:
        told.set()
        leave(stream, why)

    monkeypatch.setattr(follow, "find_next_entry", find)
    monkeypatch.setattr(streams.EventStream, "leave", tell)
    monkeypatch.setattr(streams, "SEND_TIMEOUT_S", 0.3)
    body = json.dumps({"query": changes(before, f"revision {wide}")}).encode()
    async with serving(world.services, send_buffer=4096) as address:
        host, port = address.split(":")
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((host, int(port)))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
            b"accept: text/event-stream\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s"
            % (world.token.encode(), len(body), body)
        )
        async with asyncio.timeout(PROMPTLY):
            await told.wait()
        assert len(read) < total - 10
        assert await world.revision() == before + total  # everybody else is answered
        async with asyncio.timeout(PROMPTLY):
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                piece = await reader.read(4096)
                assert piece, answer[-200:]
                answer += piece
        writer.close()
        pieces = [piece.split(b"data: ", 1) for piece in answer.split(b"\n\n") if b"data: " in piece]
        answers = [json.loads(data) for _, data in pieces]
        *taken, last = answers
        reached = before + len(taken)
        assert [int(one["data"]["changes"]["revision"]) for one in taken] == list(range(before + 1, reached + 1))
        (error,) = last["errors"]
        assert error["message"] == f"too slow: resume after revision {reached}"
        assert error["extensions"] == {"code": "INTERRUPTED", "revision": str(reached)}


# ---------------------------------------------------------------------- restarts


@pytest.mark.parametrize("after", [True, False])
async def test_a_restart_tells_where_to_go_on(world: Gateway, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """Before the first event as well: where it begins now, what comes until it is asked again would be lost."""
    connections = Connections(10)
    monkeypatch.setattr("app.main.Connections", lambda most: connections)
    before = await world.revision()
    async with serving(world.services) as address:
        async with streaming(address, world.token, changes(before - 1 if after else None)) as stream:
            if after:
                await stream.next()
            await listening(world.services, 1)
            await connections.drain()
            message = f"the gateway restarts: resume after revision {before}"
            assert await stream.error() == ("INTERRUPTED", message)
        async with streaming(address, world.token, changes(0), status=503) as refused:
            await refused.response.aread()
    assert len(connections) == 0


async def test_streams_of_http_and_answers_share_one_connection(world: Gateway, address: str) -> None:
    """A stream that ended leaves the connection to the next request."""
    sent = {"authorization": f"Bearer {world.token}", "accept": EVENTS}
    async with httpx.AsyncClient(timeout=PROMPTLY, trust_env=False, limits=httpx.Limits(max_connections=1)) as client:
        for query in (NAMES, "subscription { nope }", NAMES):
            response = await client.post(f"http://{address}/graphql", json={"query": query}, headers=sent)
            assert response.status_code == 200
            assert response.text.endswith(f"{COMPLETE}\n\n")


@pytest.mark.deep
async def test_an_interrupt_at_the_keyboard_waits_for_no_reader(stocked_template: Template, tmp_path: Path) -> None:
    database = tmp_path / "permgate.db"
    database.write_bytes(stocked_template.path.read_bytes())
    replica = Replica(database, tmp_path / "log")
    with replicas(replica):
        async with streaming(replica.address.removeprefix("http://"), stocked_template.token, changes(0)) as stream:
            await stream.next()
            replica.tell(signal.SIGINT)
            while "errors" not in (answer := await stream.next()):
                continue
        assert answer["errors"][0]["message"].startswith("the gateway restarts: resume after revision ")
        assert await replica.end() == 128 + signal.SIGINT
