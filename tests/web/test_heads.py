"""Clients that are slow, or send too much: what the server below us is held to, over real connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.settings import Limits, Settings
from tests.factories import Gateway
from tests.sockets import PROMPTLY, serving

LIMITS = Limits(
    head_timeout_s=0.2, receive_timeout_s=0.2, body_timeout_s=0.6, max_head_bytes=2000, max_head_fields=20,
    max_body_bytes=4000,
)  # fmt: skip
BODY = b'{"query": "{ revision }"}'
LENGTH = b"\r\nContent-Length: %d" % len(BODY)


@pytest.fixture
async def place(world: Gateway) -> AsyncIterator[str]:
    """Where it is served in haste."""
    async with serving(world.services, Settings(limits=LIMITS)) as address:
        yield address


async def send(
    place: str, *pieces: bytes, pause: float = 0.0, rest: Callable[[bytes], Awaitable[None]] | None = None
) -> bytes:
    """All that comes back until the server ends the connection. After each piece it rests, or pauses for so long."""
    host, _, port = place.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await (asyncio.sleep(pause) if rest is None else rest(piece))
        return await asyncio.wait_for(reader.read(), PROMPTLY)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(token: str, *fields: str, length: int = len(BODY)) -> bytes:
    lines = ["POST /graphql HTTP/1.1", "Host: gateway", f"Authorization: Bearer {token}", *fields]
    lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status_of(answer: bytes) -> int | None:
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None


async def test_a_request_is_answered(place: str, world: Gateway) -> None:
    answer = await send(place, head(world.token, "Connection: close") + BODY)

    assert status_of(answer) == 200
    assert b'"revision":"' in answer


@pytest.mark.parametrize("trailer", ["Authorization: Bearer nonsense", "Content-Type: text/plain", "X-A: b"])
async def test_what_comes_after_a_body_is_no_part_of_the_head(place: str, world: Gateway, trailer: str) -> None:
    """Neither of the request, nor of the next one on the connection."""
    lines = head(world.token, "Transfer-Encoding: chunked", f"Trailer: {trailer.partition(':')[0]}")
    chunked = b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(BODY), BODY, trailer.encode())
    request = lines.replace(LENGTH, b"") + chunked

    answers = await send(place, request + head(world.token, "Connection: close") + BODY)

    assert answers.count(b"HTTP/1.1 200 ") == answers.count(b"HTTP/1.1 ") == 2


async def test_many_small_heads_at_once_are_none_that_is_too_large(place: str, world: Gateway) -> None:
    """The last of them comes in two pieces: what came before it in the first one is no part of it."""
    asked = head(world.token) + BODY
    last = head(world.token, "Connection: close") + BODY

    answers = await send(place, asked * 20 + last[:30], last[30:], pause=0.05)

    assert len(asked) * 20 > LIMITS.max_head_bytes
    assert answers.count(b"HTTP/1.1 200 ") == answers.count(b"HTTP/1.1 ") == 21


async def test_what_comes_after_a_body_is_as_large_as_a_head_at_most(place: str, world: Gateway) -> None:
    request = head(world.token, "Transfer-Encoding: chunked").replace(LENGTH, b"")

    answer = await send(place, request + b"0\r\n", *[b"X-A: " + b"a" * 100 + b"\r\n"] * 30)

    assert status_of(answer) in {431, None}  # the connection may be reset before the answer is read


@pytest.mark.parametrize("before", [b"P", b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nX-A: ", b"\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(place: str, before: bytes) -> None:
    assert status_of(await send(place, before)) == 408


async def test_a_connection_for_nothing_is_closed_without_a_word(place: str) -> None:
    assert await send(place) == b""


async def test_a_head_that_trickles_is_not_waited_for(place: str) -> None:
    pieces = [b"POST /graphql HTTP/1.1\r\n", *(f"X-{n}: 1\r\n".encode() for n in range(15))]

    assert status_of(await send(place, *pieces, pause=0.05)) in {408, None}


async def test_the_head_after_an_answer_is_waited_for_as_long(place: str, world: Gateway) -> None:
    answer = await send(place, head(world.token) + BODY, b"POST /graphql HTTP/1.1\r\nX-A: ", pause=0.1)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1 408") == 1


@pytest.mark.parametrize(
    "fields",
    [["X-A: " + "a" * 2000], [f"X-{n}: 1" for n in range(30)], ["X-" + "a" * 2000 + ": 1"]],
    ids=["value", "fields", "name"],
)
async def test_a_head_that_is_too_large_is_431(place: str, world: Gateway, fields: list[str]) -> None:
    assert status_of(await send(place, head(world.token, *fields) + BODY)) == 431


async def test_a_head_that_does_not_stop_growing_is_431(place: str) -> None:
    answer = await send(place, b"POST /graphql HTTP/1.1\r\nX-A: ", *[b"a" * 500] * 5)

    assert status_of(answer) in {431, None}  # the connection may be reset before the answer is read


async def test_a_body_that_does_not_come_is_408(place: str, world: Gateway) -> None:
    answer = await send(place, head(world.token) + BODY[:5])

    assert status_of(answer) == 408
    assert b'{"errors":[{"message":"the body of the request did not come in time"' in answer
    assert b"connection: close" in answer


async def test_a_body_that_trickles_is_408(place: str, world: Gateway) -> None:
    pieces = [head(world.token, length=1000), *[b" "] * 10]

    assert status_of(await send(place, *pieces, pause=0.1)) in {408, None}


async def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(place: str, world: Gateway) -> None:
    for length in (4001, 2**31, 10**30):
        answer = await send(place, head(world.token, "Expect: 100-continue", length=length))
        assert status_of(answer) in {413, 400}  # the parser takes no length beyond 64 bits
        assert b"100 Continue" not in answer


@pytest.mark.parametrize(
    ("behind", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="what is no head"),
        pytest.param(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400, id="a body that is none"),
        pytest.param(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 3000 + b"\r\n\r\n", 431, id="a head that is too large"),
        pytest.param(b"GET / HT", 408, id="a head that does not come"),
    ],
)
async def test_what_came_before_is_answered_first(place: str, world: Gateway, behind: bytes, status: int) -> None:
    """Changes are under way when it comes: their answers are not lost, nor is the refusal taken for that of one."""
    names = ["uma", "udo"]
    bodies = [
        b'{"query": "mutation { createUser(input: {userName: \\"%b\\"}) { revision } }"}' % n.encode() for n in names
    ]
    asked = b"".join(head(world.token, length=len(body)) + body for body in bodies)

    async with world.services.database.writing(world.services.catalog):
        answering = asyncio.create_task(send(place, asked + behind))
        await asyncio.sleep(2 * LIMITS.head_timeout_s)
    answers = await answering

    assert [status_of(b"HTTP/1.1 " + one) for one in answers.split(b"HTTP/1.1 ")[1:]] == [200, 200, status]
    assert answers.count(b'"createUser":{"revision":"') == 2


async def test_others_are_served_meanwhile(place: str, world: Gateway) -> None:
    slow = [asyncio.create_task(send(place, head(world.token) + BODY[:5])) for _ in range(50)]
    await asyncio.sleep(0)

    answer = await send(place, head(world.token, "Connection: close") + BODY)

    assert status_of(answer) == 200
    assert {status_of(answer) for answer in await asyncio.gather(*slow)} == {408}


OFFERS = {
    "HTTP/2 in the clear": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "another protocol": ("Connection: upgrade, close", "Upgrade: chat/2"),
    "a socket by POST": ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
}  # fmt: skip
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_an_upgrade_that_is_offered_with_a_request_is_passed_over(
    world: Gateway, offer: tuple[str, ...], in_pieces: bool
) -> None:
    first, last = head(world.token, *offer) + BODY, head(world.token, "Connection: close") + BODY
    chunked = head(world.token, *offer).replace(LENGTH.strip(), b"Transfer-Encoding: chunked") + CHUNKS
    pieces = [first, first[:70], first[70:-9], first[-9:], last] if in_pieces else [first + first + chunked + last]
    if "close" in offer[0]:
        pieces = pieces[1:4] if in_pieces else [first]

    async with serving(world.services, Settings()) as address:
        answer = await send(address, *pieces, pause=0.02)

    expected = 1 if "close" in offer[0] else 3 if in_pieces else 4
    assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b'"data":{"revision":"') == expected
    assert answer.count(b"HTTP/1.1 ") == expected


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked", "Cookie: " + "a" * 9000])
async def test_a_handshake_that_cannot_be_read_is_answered(world: Gateway, field: str) -> None:
    lines = ["GET /graphql HTTP/1.1", "Host: gateway", *OFFERS["a socket by POST"], field]

    async with serving(world.services, Settings()) as address:
        answer = await send(address, ("\r\n".join(lines) + "\r\n\r\n").encode())

    assert status_of(answer) == 400
    assert b"connection: close" in answer


@pytest.mark.parametrize("key", ["a", "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==a", "dGhlIHNhbXBs"])
async def test_a_handshake_with_a_bad_key_is_told_what_a_key_is(place: str, key: str) -> None:
    lines = ["GET /graphql HTTP/1.1", "Host: gateway", *OFFERS["a socket by POST"][:-1], f"Sec-WebSocket-Key: {key}"]

    answer = await send(place, ("\r\n".join(lines) + "\r\n\r\n").encode())

    assert status_of(answer) == 400
    assert answer.endswith(b"\r\n\r\nInvalid handshake: a `Sec-WebSocket-Key` is 16 bytes in base64.")


@pytest.mark.parametrize("path", ["/graphql/", "/sync", "/livez/"])
async def test_nobody_is_sent_to_a_host_that_was_named(place: str, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"

    answer = await send(place, request.encode())

    assert status_of(answer) == 404
    assert b"evil.example" not in answer
