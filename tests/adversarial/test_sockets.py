"""Hostile sockets: each is told no or closed, nothing fails inside, and the next caller is served as before."""

# One line a case:
# ruff: noqa: E501

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.adversarial.judging import find_leaks
from tests.adversarial.server import DemoServer
from tests.adversarial.test_wire import PATIENCE_S, check_that_others_are_served
from tests.sockets import QUIET_S, SUBPROTOCOL

HELLO = {"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}
PONG = '{"type":"pong"}'
CHANGES = "subscription { changes { revision } }"
FATAL = {1006, 1011}  # closed without a word, or because something failed inside
FEW = 600  # messages that are read at most


def subscribe(payload: Any, id_: Any = "1") -> dict[str, Any]:
    return {"id": id_, "type": "subscribe", "payload": payload}


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# What is sent once the caller is known: an object is written as JSON, a text or bytes as they are.
MESSAGES: dict[str, list[Any]] = {
    "a payload that is a list": [subscribe([])],
    "a payload that is a text": [subscribe("{ __typename }")],
    "a payload that is a number": [subscribe(5)],
    "no payload": [{"id": "1", "type": "subscribe"}],
    "a document that is a list": [subscribe({"query": ["{ __typename }"]})],
    "variables that are a list": [subscribe({"query": "{ __typename }", "variables": []})],
    "extensions that are a text": [subscribe({"query": "{ __typename }", "extensions": "x"})],
    "an operation name that is an object": [subscribe({"query": "{ __typename }", "operationName": {}})],
    "an id that is nothing": [subscribe({"query": "{ __typename }"}, "")],
    "an id that is null": [subscribe({"query": "{ __typename }"}, None)],
    "an id that is a number": [subscribe({"query": "{ __typename }"}, 5)],
    "an id that is an object": [subscribe({"query": "{ __typename }"}, {"a": 1})],
    "an id of a prototype": [subscribe({"query": "{ __typename }"}, "__proto__")],
    "an id of 100 kB": [subscribe({"query": "{ __typename }"}, "a" * 100_000)],
    "an id of controls": [subscribe({"query": "{ __typename }"}, "\x00\r\n\u202e")],
    "half a pair as an id": ['{"id": "\\ud800", "type": "subscribe", "payload": {"query": "{ __typename }"}}'],
    "a type that is a number": [{"id": "1", "type": 5}],
    "a type that is null": [{"type": None}],
    "no type": [{}],
    "a list": [[]],
    "a text": ['"subscribe"'],
    "not a number": ['{"type": "ping", "payload": NaN}'],
    "a number without an end": ['{"type": "ping", "payload": ' + "9" * 5000 + "}"],
    "brackets": [nested(100_000)],
    "brackets in variables": ['{"id":"1","type":"subscribe","payload":{"query":"{a}","variables":{"a":' + nested(1000) + "}}}"],
    "nothing": [""],
    "bytes": [b"\x00\x01\x02"],
    "bytes that are JSON": [json.dumps(HELLO).encode()],
    "the end of what never began": [{"id": str(number), "type": "complete"} for number in range(500)],
    "answers that nobody asked for": [{"type": "pong", "payload": {"a": number}} for number in range(500)],
    "what only servers say": [{"id": "1", "type": "next", "payload": {"data": {}}}],
    "an introduction a hundred times": [{"type": "connection_init", "payload": {}}] * 100,
    "pings with 100 kB": [{"type": "ping", "payload": {"a": "x" * 100_000}}] * 5,
    "five hundred pings": [{"type": "ping"}] * 500,
    "one id a hundred times": [HELLO] * 100,
    "begun and ended a hundred times": [subscribe({"query": CHANGES}), {"id": "1", "type": "complete"}] * 100,
    "a hundred subscriptions": [subscribe({"query": CHANGES}, f"s{number}") for number in range(100)],
    "a document of nobody": [subscribe({"documentId": "../../etc/passwd"})],
    "a fragment of itself": [subscribe({"query": "{ ...f } fragment f on Query { ...f }"})],
    "aliases": [subscribe({"query": "{ " + " ".join(f"a{number}: __typename" for number in range(3000)) + " }"})],
    "a subscription to everything": [subscribe({"query": "subscription { changes { revision } __typename }"})],
    "a subscription from far away": [subscribe({"query": 'subscription { changes(after: "99999999999") { revision } }'})],
    "a subscription from below nought": [subscribe({"query": 'subscription { changes(after: "-1") { revision } }'})],
    "a mutation that is not allowed": [subscribe({"query": 'mutation { createUser(input: {userName: "x"}) { revision } }'})],
}  # fmt: skip


@contextmanager
def open_socket(demo: DemoServer, token: str | None) -> Iterator[ClientConnection]:
    """A socket, of a caller who is known unless there is no token."""
    with connect(
        f"ws://{demo.host}/graphql", subprotocols=[Subprotocol(SUBPROTOCOL)], open_timeout=PATIENCE_S, close_timeout=2,
        ping_interval=None, proxy=None, max_size=None,
    ) as connection:  # fmt: skip
        if token is not None:
            connection.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
            assert json.loads(connection.recv(PATIENCE_S)) == {"type": "connection_ack"}
        yield connection


def send_all(connection: ClientConnection, messages: Iterator[Any]) -> None:
    with suppress(ConnectionClosed):
        for message in messages:
            connection.send(message if isinstance(message, str | bytes) else json.dumps(message))


def hear(connection: ClientConnection) -> list[str]:
    """What is answered, until a ping that comes last is and it is quiet."""
    heard: list[str] = []
    send_all(connection, iter([{"type": "ping"}]))
    with suppress(ConnectionClosed, TimeoutError):
        while len(heard) < FEW:
            heard.append(str(connection.recv(QUIET_S if PONG in heard else PATIENCE_S)))
    return [message for message in heard if message != PONG]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_hostile_message_is_no_accident(name: str, demo: DemoServer) -> None:
    logged = demo.logged
    with open_socket(demo, demo.tokens["agent"]) as connection:
        send_all(connection, iter(MESSAGES[name]))
        heard = hear(connection)

    assert connection.close_code not in FATAL
    for message in heard:
        assert find_leaks(message, json.dumps(MESSAGES[name], default=str)) == set(), message
        assert "INTERNAL_SERVER_ERROR" not in message
    check_that_others_are_served(demo)
    assert demo.read_accidents(logged) == []


def test_a_message_in_a_thousand_pieces_is_one_message(demo: DemoServer) -> None:
    with open_socket(demo, demo.tokens["agent"]) as connection:
        text = json.dumps(HELLO).ljust(1000)
        connection.send(iter(text))
        answer = json.loads(connection.recv(PATIENCE_S))

    assert answer["payload"]["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    "payload",
    [{"a": "x" * 500_000}, {"Authorization": ["x"]}, [], "x", 5, {"Authorization": "Bearer " + "x" * 60_000}, {"__proto__": {}}],
    ids=lambda payload: str(payload)[:20],
)  # fmt: skip
def test_a_hostile_introduction_is_no_accident(payload: Any, demo: DemoServer) -> None:
    logged = demo.logged
    with open_socket(demo, None) as connection:
        send_all(connection, iter([{"type": "connection_init", "payload": payload}, HELLO]))
        heard = hear(connection)

    assert not any("__typename" in message and "data" in message for message in heard)
    assert connection.close_code not in FATAL
    check_that_others_are_served(demo)
    assert demo.read_accidents(logged) == []


def frame(head: int, length: int, payload: bytes = b"") -> bytes:
    """One masked frame; the length need not be true."""
    size = struct.pack("!BB", head, 0x80 | length) if length < 126 else struct.pack("!BBQ", head, 0xFF, length)
    mask = os.urandom(4)
    return size + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


FRAMES: dict[str, Callable[[], bytes]] = {
    "a length of all there is": lambda: frame(0x81, 2**63 - 1, b"x"),
    "a bit that is reserved": lambda: frame(0xC1, 2, b"{}"),
    "a code that is reserved": lambda: frame(0x83, 2, b"{}"),
    "a ping in pieces": lambda: frame(0x09, 1, b"x"),
    "a ping that is too long": lambda: frame(0x89, 200, b"x" * 200),
    "text that is not UTF-8": lambda: frame(0x81, 2, b"\xff\xfe"),
    "a piece of nothing": lambda: frame(0x80, 1, b"x"),
    "two beginnings": lambda: frame(0x01, 1, b"{") + frame(0x01, 1, b"{"),
    "a close of one byte": lambda: frame(0x88, 1, b"\x03"),
    "a close of no code": lambda: frame(0x88, 2, struct.pack("!H", 999)),
    "a frame without a mask": lambda: b"\x81\x02{}",
    "a thousand pings": lambda: frame(0x89, 5, b"hello") * 1000,
    "no frame at all": lambda: b"GET / HTTP/1.1\r\n\r\n",
    "half a frame": lambda: b"\x81",
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_hostile_frame_is_no_accident(name: str, demo: DemoServer) -> None:
    logged = demo.logged
    with socket.create_connection(("127.0.0.1", demo.port), timeout=PATIENCE_S) as connection:
        connection.sendall(
            f"GET /graphql HTTP/1.1\r\nHost: {demo.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nAuthorization: Bearer {demo.tokens['agent']}\r\n\r\n".encode()
        )
        told = connection.recv(65536)
        assert told.startswith(b"HTTP/1.1 101")
        with suppress(ConnectionError):
            connection.sendall(FRAMES[name]())
            connection.settimeout(QUIET_S)
            with suppress(TimeoutError):
                while part := connection.recv(65536):
                    told += part

    assert find_leaks(told.decode("latin-1").partition("\r\n\r\n")[2]) == set()
    check_that_others_are_served(demo)
    assert demo.read_accidents(logged) == []
