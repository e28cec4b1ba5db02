"""`graphql-transport-ws`: what the protocol asks for, who may connect, and that a socket gives what HTTP gives."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from app.services import listening as follow
from app.services import users
from app.services.callers import revoke_token
from app.settings import Limits, Settings
from app.web import sockets
from app.web.connections import Connections
from tests.factories import Answer, Gateway, each_of
from tests.sockets import PROMPTLY, SUBPROTOCOL, connecting, known, listening, serving
from tests.web.test_nothing_internal import INTERNAL, SECRET, fail

NAMES = "{ viewer { user { userName } } }"
OLGA = {"viewer": {"user": {"userName": "olga"}}}
FOREVER = "subscription { changes { revision } }"


# ---------------------------------------------------------------------- the handshake


@each_of("subprotocol", ["graphql-ws", "graphql-transport-ws2", None])
async def test_other_protocols_are_refused(world: Gateway, address: str, subprotocol: str | None) -> None:
    """T23: the legacy protocol let clients ask before they had introduced themselves."""
    async with connecting(address, subprotocol=subprotocol) as client:
        assert client.connection.subprotocol is None
        assert await client.closed() == (4406, f"Subprotocol not acceptable: offer {SUBPROTOCOL}")
        assert client.passed == []


@each_of(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "https://127.0.0.1",
        "http://127.0.0.1.evil.example:{port}",
        "http://evil.example#{host}",
        "file://{host}",
        "http://[{host}",
    ],
)
async def test_pages_of_other_origins_are_refused(world: Gateway, address: str, origin: str) -> None:
    """T22."""
    named = origin.format(host=address, port=address.split(":")[1])
    with pytest.raises(InvalidStatus) as refused:
        async with connecting(address, headers={"Origin": named}):
            pass

    assert refused.value.response.status_code == 403


async def test_our_own_pages_and_those_configured_may_connect(world: Gateway) -> None:
    async with serving(world.services, Settings(allowed_origins=frozenset({"https://app.example:8443"}))) as address:
        for origin in (f"http://{address}", f"https://{address}", "https://app.example:8443"):
            async with connecting(address, headers={"Origin": origin}) as client:
                await client.init(world.token)
        with pytest.raises(InvalidStatus):
            async with connecting(address, headers={"Origin": "https://app.example"}):
                pass


# ---------------------------------------------------------------------- introductions


async def test_the_token_comes_with_the_introduction_or_with_the_handshake(world: Gateway, address: str) -> None:
    bearer = {"Authorization": f"Bearer {world.token}"}
    for headers, payload in ((None, bearer), (bearer, None), (bearer, {"other": 1}), (bearer, bearer)):
        async with connecting(address, headers=headers) as client:
            await client.send(type="connection_init", payload=payload)
            assert await client.receive() == {"type": "connection_ack"}
            assert await client.ask(NAMES) == OLGA


@each_of(
    "given",
    [
        None,
        {},
        {"Authorization": None},
        {"Authorization": 5},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer pgt_" + "0" * 49},
        {"Authorization": "{token}"},
        {"Authorization": "Basic {token}"},
        {"Authorization": ["Bearer {token}"]},
        {"authorization": "Bearer {token}", "Authorization": "Bearer x"},
    ],
)
async def test_who_is_not_known_is_not_served(world: Gateway, address: str, given: Answer | None) -> None:
    payload = json.loads(json.dumps(given).replace("{token}", world.token))
    async with connecting(address) as client:
        await client.send(type="connection_init", payload=payload)
        assert await client.closed() == (4403, "Forbidden")
        assert client.passed == []


async def test_two_tokens_are_none(world: Gateway, address: str) -> None:
    _, secret = await world.issue_token("ana")
    async with connecting(address, headers={"Authorization": f"Bearer {secret}"}) as client:
        await client.send(type="connection_init", payload={"Authorization": f"Bearer {world.token}"})
        assert await client.closed() == (4403, "Forbidden")


async def test_nothing_is_run_before_the_introduction(world: Gateway, address: str) -> None:
    """T23, though the handshake itself brought a good token."""
    async with connecting(address, headers={"Authorization": f"Bearer {world.token}"}) as client:
        await client.subscribe("{ __typename }")
        assert await client.closed() == (4401, "Unauthorized")
        assert client.passed == []


async def test_one_introduction_is_enough(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        await client.send(type="connection_init")
        assert await client.closed() == (4429, "Too many initialisation requests")


async def test_who_does_not_introduce_themselves_is_not_waited_for(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "INIT_TIMEOUT_S", 0.05)
    async with connecting(address) as client:
        assert await client.closed() == (4408, "Connection initialisation timeout")


# ---------------------------------------------------------------------- messages


async def test_pings_are_answered_at_any_time(world: Gateway, address: str) -> None:
    async with connecting(address) as client:
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}
        await client.init(world.token)
        await client.send(type="ping", payload={"any": "thing"})
        await client.send(type="pong")
        assert await client.receive() == {"type": "pong"}
        assert await client.ask(NAMES) == OLGA


@each_of(
    "message",
    [
        "",
        "{nope",
        "null",
        "5",
        '"text"',
        "[]",
        "[" * 100_000,
        '{"type": ' + "9" * 5000 + "}",
        "{}",
        '{"type": null}',
        '{"type": 5}',
        '{"type": ["ping"]}',
        '{"type": "exploit"}',
        '{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}',
        '{"type": "connection_ack"}',
        '{"type": "next", "id": "1", "payload": {}}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": "1", "payload": "{ __typename }"}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 5}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 5}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": "x"}}',
        '{"type": "subscribe", "id": null, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "' + "x" * 200 + '", "payload": {"query": "{ __typename }"}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": 1}',
        b'{"type": "ping"}',
        b"\xff\xfe",
    ],
)
async def test_what_is_no_message_ends_the_socket(world: Gateway, address: str, message: str | bytes) -> None:
    async with known(address, world.token) as client:
        await client.connection.send(message)
        code, reason = await client.closed()
        assert code == 4400
        assert reason
        assert not INTERNAL.search(reason)
        assert client.passed == []


async def test_a_message_has_the_size_of_a_body(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        await client.subscribe(f"#{'x' * 2_000_000}\n{{ __typename }}")
        assert (await client.closed())[0] == 1009
    assert await world.gql("{ __typename }") == {"__typename": "Query"}


async def test_a_null_payload_introduces_nobody_and_harms_nobody(world: Gateway, address: str) -> None:
    async with connecting(address, headers={"Authorization": f"Bearer {world.token}"}) as client:
        await client.send(type="connection_init", payload=None)
        assert await client.receive() == {"type": "connection_ack"}
        await client.send(type="ping", payload=None)
        assert await client.receive() == {"type": "pong"}


# ---------------------------------------------------------------------- operations


async def test_an_id_is_one_operation_until_it_is_over(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        assert await client.ask(NAMES, id="1") == OLGA
        await client.subscribe(FOREVER, id="1")
        await client.send(type="complete", id="1")
        await client.send(type="complete", id="unknown")
        assert await client.ask(NAMES, id="1") == OLGA
        await client.subscribe(FOREVER, id="1")
        await client.subscribe(FOREVER, id="1")
        assert await client.closed() == (4409, "Subscriber for 1 already exists")


async def test_a_socket_has_so_many_operations_at_once(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        for one in range(Limits().max_socket_operations):
            await client.subscribe(FOREVER, id=str(one))
        await client.subscribe(FOREVER, id="more")
        assert await client.error(id="more") == ("BAD_REQUEST", "at most 10 operations at once on a socket")
        await client.send(type="complete", id="0")
        assert await client.ask(NAMES) == OLGA


async def test_queries_and_mutations_are_answered_as_over_http(world: Gateway, address: str) -> None:
    """T26: through the same executor, so with the same answer to the letter."""
    for document in (
        "{ revision viewer { user { userName } } }",
        '{ user(ref: {userName: "nobody"}) { id } check(input: {user: {userName: "ana"}, node: "x"}) { allowed } }',
        'mutation { createUser(input: {userName: "ana"}) { errors { code path message } revision } }',
    ):
        expected = (await world.post({"query": document})).json()
        async with known(address, world.token) as client:
            await client.subscribe(document)
            message = await client.receive()
            del expected["extensions"]["cost"]["remaining"], message["payload"]["extensions"]["cost"]["remaining"]
            assert message == {"type": "next", "id": "1", "payload": expected}
            assert await client.receive() == {"type": "complete", "id": "1"}


@each_of(
    "asked",
    [
        {"query": "{ nope"},
        {"query": "{ nope }"},
        {"query": "query A { revision } query B { revision }"},
        {"query": "{ revision }", "operationName": "Nope"},
        {"query": "query ($x: UserRef!) { user(ref: $x) { id } }", "variables": {"x": 5}},
        {"query": "{ " + "a: revision " * 2000 + "}"},
        {"query": "{" * 500},
        {"query": "fragment f on Query { revision }"},
    ],
)
async def test_what_http_refuses_a_socket_refuses_in_the_same_words(
    world: Gateway, address: str, asked: dict[str, Any]
) -> None:
    expected = (await world.post(asked)).json()
    async with known(address, world.token) as client:
        await client.send(type="subscribe", id="1", payload=asked)
        assert await client.receive() == {"type": "error", "id": "1", "payload": expected["errors"]}
        assert await client.ask(NAMES) == OLGA


async def test_a_subscription_names_one_field(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        await client.subscribe("subscription { changes { revision } more: changes { revision } }")
        code, message = await client.error()
        assert code == "GRAPHQL_VALIDATION_FAILED"
        assert "must select only one top level field" in message


async def test_http_has_no_subscriptions(world: Gateway) -> None:
    error = {"message": "a subscription cannot be asked this way", "extensions": {"code": "BAD_REQUEST"}}
    assert (await world.post({"query": FOREVER})).json() == {"errors": [error]}
    headers = {"authorization": f"Bearer {world.token}"}
    response = await world.client.get("/graphql", params={"query": FOREVER}, headers=headers)
    assert (response.status_code, response.json()) == (405, {"errors": [error]})


async def test_what_was_begun_is_brought_to_its_end_though_nobody_waits(world: Gateway, address: str) -> None:
    before = await world.revision()
    async with known(address, world.token) as client:
        await client.subscribe("subscription { changes { action } }", id="watch")
        await listening(world.services)
        await client.subscribe('mutation { createUser(input: {userName: "zoe"}) { revision } }')
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}  # so the mutation was begun
        await client.send(type="complete", id="1")
        assert await client.next(id="watch") == {"changes": {"action": "createUser"}}
        await client.quiet(world.services)
    assert await world.revision() == before + 1


@pytest.mark.parametrize("by", ["complete", "leaving", "drained"])
async def test_a_query_that_nobody_waits_for_is_called_off(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """As over HTTP: nothing of it is left, no connection to the database and no place."""
    connections = Connections(10)
    monkeypatch.setattr("app.main.Connections", lambda most: connections)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def read_for_ever(*_given: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(users, "list_tokens", read_for_ever)
    pool = world.services.database.engine.pool
    async with serving(world.services, Settings(limits=Limits(max_concurrency=1))) as address:
        async with known(address, world.token) as client:
            await client.subscribe('{ user(ref: {userName: "olga"}) { tokens { label } } }')
            async with asyncio.timeout(PROMPTLY):
                await begun.wait()
                if by == "complete":
                    await client.send(type="complete", id="1")
                    await ended.wait()
                    assert await client.ask(NAMES) == OLGA
                elif by == "drained":
                    await connections.drain()
                    await ended.wait()
        async with asyncio.timeout(PROMPTLY):
            await ended.wait()
        for _ in range(1000):
            if not len(connections):
                break
            await asyncio.sleep(PROMPTLY / 1000)
        assert pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool that we have


# ---------------------------------------------------------------------- failures


async def test_a_field_that_fails_is_masked(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T30: as over HTTP."""
    monkeypatch.setattr(users, "list_tokens", fail)
    document = '{ user(ref: {userName: "ana"}) { tokens { label } } }'
    with caplog.at_level(logging.ERROR, logger="permgate"):
        expected = (await world.post({"query": document})).json()
        async with known(address, world.token) as client:
            await client.subscribe(document)
            message = await client.receive()

    del expected["extensions"], message["payload"]["extensions"]
    assert message == {"type": "next", "id": "1", "payload": expected}
    assert SECRET not in str(message)


async def test_a_subscription_that_fails_is_masked_and_harms_no_other(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow, "find_next_entry", fail)
    with caplog.at_level(logging.ERROR, logger="permgate"):
        async with known(address, world.token) as client:
            await client.subscribe(FOREVER)
            code, message = await client.error()
            assert await client.ask(NAMES) == OLGA

    assert code == "INTERNAL_SERVER_ERROR"
    assert not INTERNAL.search(message)
    assert SECRET not in message
    assert SECRET in caplog.text


async def test_an_event_whose_field_fails_is_shown_masked_and_the_next_is_well(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = "subscription { changes { subjects { ... on User { tokens { label } } } } }"
    async with known(address, world.token) as client:
        await client.subscribe(asked)
        await listening(world.services)
        with monkeypatch.context() as broken, caplog.at_level(logging.ERROR, logger="permgate"):
            broken.setattr(users, "list_tokens", fail)
            await world.create_user("zoe")
            message = await client.receive()
        await world.create_user("zita")
        assert await client.next() == {"changes": {"subjects": [{"tokens": []}]}}

    (error,) = message["payload"]["errors"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert SECRET not in str(message)


# ---------------------------------------------------------------------- the end of a token


async def _revoke(world: Gateway, token: str) -> None:
    await revoke_token(world.services, "test", token)


async def _suspend(world: Gateway, token: str) -> None:
    await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "SUSPENDED"})


async def _expire(world: Gateway, token: str) -> None:
    world.clock.advance(hours=1)


@pytest.mark.parametrize("end", [_revoke, _suspend, _expire])
async def test_a_socket_on_which_nothing_runs_ends_with_its_token(
    world: Gateway, address: str, end: Callable[[Gateway, str], Any]
) -> None:
    token, secret = await world.issue_token("ana", expires_at=world.clock() + timedelta(hours=1))
    async with known(address, secret) as client, known(address, world.token) as other:
        await listening(world.services)
        await end(world, token)
        assert await client.closed() == (4403, "Forbidden")
        await other.quiet(world.services, 1)
        assert await other.ask(NAMES) == OLGA


async def test_a_query_on_a_socket_is_authenticated_for_itself(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where nobody has noticed yet that the token is gone."""

    async def sleep_on(self: object, caller: object, seen: object) -> None:
        return

    monkeypatch.setattr(sockets._Socket, "_watch_caller", sleep_on)
    token, secret = await world.issue_token("ana")
    async with known(address, secret) as client:
        assert await client.ask(NAMES) == {"viewer": {"user": {"userName": "ana"}}}
        await revoke_token(world.services, "test", token)
        await client.subscribe(NAMES)
        assert await client.closed() == (4403, "Forbidden")
        assert client.passed == []


# ---------------------------------------------------------------------- bounds


async def test_a_caller_has_so_many_sockets_and_a_place_that_is_left_is_free(world: Gateway) -> None:
    _, secret = await world.issue_token("olga")  # of the same person: all her tokens share one bound
    _, other = await world.issue_token("ana")
    async with serving(world.services, Settings(limits=Limits(max_caller_sockets=1))) as address:
        async with known(address, world.token), known(address, other), connecting(address) as client:
            await client.send(type="connection_init", payload={"Authorization": f"Bearer {secret}"})
            assert await client.closed() == (1008, "at most 1 sockets at once")
            assert client.passed == []
        await listening(world.services, 0)
        async with known(address, secret) as client:
            assert await client.ask(NAMES) == OLGA


async def test_who_says_nothing_makes_room_for_others_and_who_is_known_does_not(world: Gateway) -> None:
    """Nobody without a token keeps those out who have one."""
    crowded = (1013, "too many connections: begin again")
    async with (
        serving(world.services, Settings(limits=Limits(max_connections=2))) as address,
        connecting(address) as silent,
        known(address, world.token) as client,
        known(address, world.token) as second,
    ):
        assert await silent.closed() == crowded
        async with connecting(address) as late:
            assert await late.closed() == (1013, "too many connections: try again later")
        assert [await one.ask(NAMES) for one in (client, second)] == [OLGA, OLGA]


async def test_who_floods_a_socket_loses_it_and_nobody_else_waits(world: Gateway, address: str) -> None:
    """T24."""
    burst = Limits().socket_burst
    async with known(address, world.token) as client, known(address, world.token) as other:
        for _ in range(burst + 50):
            await client.send(type="ping")
        assert await client.closed() == (1008, "too many messages: at most 50 a second")
        assert len(client.passed) < burst + 50
        assert await other.ask(NAMES) == OLGA


# ---------------------------------------------------------------------- restarts


async def test_a_restart_is_told_with_a_revision_to_go_on_from(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earliest of all that is listened to, and before the first event as well."""
    connections = Connections(10)
    monkeypatch.setattr("app.main.Connections", lambda most: connections)
    before = await world.revision()
    async with serving(world.services) as address:
        async with known(address, world.token) as client, known(address, world.token) as idle:
            await client.subscribe(FOREVER)
            await listening(world.services, 3)
            await connections.drain()
            assert await client.closed() == (1012, f"the gateway restarts: resume after revision {before}")
            assert await idle.closed() == (1012, "the gateway restarts: begin again")
        async with connecting(address) as client:
            assert await client.closed() == (1013, "too many connections: try again later")
    assert len(connections) == 0


async def test_what_runs_is_brought_to_its_end_at_a_restart(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = Connections(10)
    monkeypatch.setattr("app.main.Connections", lambda most: connections)
    before = await world.revision()
    async with serving(world.services) as address, known(address, world.token) as client:
        await client.subscribe('mutation { createUser(input: {userName: "zoe"}) { revision } }')
        await client.send(type="ping")
        while (await client.receive())["type"] != "pong":  # so the mutation was begun
            continue
        await connections.drain()
        assert await client.closed() == (1012, "the gateway restarts: begin again")
    assert await world.revision() == before + 1
