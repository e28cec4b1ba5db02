"""What is answered where it is read is the answer that a call of the application gives, and leaves as good a line."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.settings import Limits, Settings
from app.web.door import Gateway as Application
from app.web.shortcut import Shortcut
from app.web.straight import MOST_IN_A_ROW, StraightHttp
from tests.factories import Gateway
from tests.sockets import PROMPTLY, serving
from tests.web.test_heads import send
from tests.web.test_shortcut import MANY, ONE

pytestmark = pytest.mark.of_plans

LIMITS = Limits(caller_refill=10**15, max_new_documents=10**9, max_body_bytes=60_000)
CHECK = {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}}
MENU = {"node": "desk.reports.menu", "user": {"userName": "ana"}}
OTHER = {"query": "{ users(first: 2) { totalCount } }"}


@dataclass
class Line:
    """A gateway on loopback, and what of its application is called."""

    place: str
    token: str
    calls: int = 0
    answering: int = 0  # calls that have all of their request, and are not over
    received: int = 0  # bytes of the connection of now
    ended: bool = False

    def spell(self, content: Any, *fields: str, method: str = "POST", path: str = "/graphql") -> bytes:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        lines = [
            f"{method} {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {self.token}", "X-Request-Id: zoo-1",
            "Content-Type: application/json", *fields,
        ]  # fmt: skip
        if not any(field.startswith("Transfer-Encoding") for field in fields):
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    async def ask(self, *pieces: bytes, apart: bool = False) -> tuple[bytes, int]:
        """All that comes back, and how often the application was called for it.

        Pieces that are sent `apart` come one by one: each is sent when what could be answered before it was.
        """
        before, self.received, self.ended, sent = self.calls, 0, False, 0

        async def rest(piece: bytes) -> None:
            nonlocal sent
            sent += len(piece)
            if apart:
                async with asyncio.timeout(PROMPTLY):
                    while not self.ended and (self.received < sent or self.answering):
                        await asyncio.sleep(0.001)
                        await turns()

        told = await send(self.place, *pieces, rest=rest)
        return re.sub(rb'"remaining":11[0-9]{5}', b'"remaining":1200000', told), self.calls - before


@pytest.fixture
def limits() -> Limits:
    return LIMITS


@pytest.fixture
async def line(world: Gateway, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    await world.services.index.start()
    await world.services.index.catch_up()
    found = Line("", world.token)
    watch(found, monkeypatch)
    async with serving(world.services, Settings(limits=limits)) as place:
        found.place = place
        for content in (CHECK, {"query": MANY, "variables": {"inputs": [MENU]}}):
            await found.ask(found.spell(content), found.spell(content, "Connection: close"))
        yield found


def watch(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes what comes on a connection, and what the application is called for."""
    call, receive_data, lose = Application.__call__, StraightHttp.data_received, StraightHttp.connection_lost

    async def count(self: Application, scope: Any, receive: Any, send_on: Any) -> None:
        line.calls += scope["type"] == "http"
        has_all = False

        async def receive_on() -> Any:
            nonlocal has_all
            message = await receive()
            if not has_all and not message.get("more_body"):
                has_all = True
                line.answering += 1
            return message

        try:
            await call(self, scope, receive_on, send_on)
        finally:
            line.answering -= has_all

    def data_received(self: StraightHttp, data: bytes) -> None:
        receive_data(self, data)
        line.received += len(data)

    def connection_lost(self: StraightHttp, exc: Exception | None) -> None:
        lose(self, exc)
        line.ended = True

    monkeypatch.setattr(Application, "__call__", count)
    monkeypatch.setattr(StraightHttp, "data_received", data_received)
    monkeypatch.setattr(StraightHttp, "connection_lost", connection_lost)


async def turns() -> None:
    """Lets the loop go round: what was received is shown to the short cut, and then maybe called, in later turns."""
    for _ in range(5):
        await asyncio.sleep(0)


async def compare(line: Line, monkeypatch: pytest.MonkeyPatch, pieces: Sequence[bytes], *, apart: bool = False) -> int:
    """How often the application is called for what was sent; asserts that it answers the same when always called."""
    told, calls = await line.ask(*pieces, apart=apart)
    with monkeypatch.context() as patched:
        patched.setattr(StraightHttp, "_find_shortcut", lambda _self: None)
        as_ever, as_often = await line.ask(*pieces, apart=apart)
    assert told == as_ever
    assert as_often >= calls
    return calls


async def test_a_usual_question_is_no_call_of_the_application(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    last = line.spell(OTHER, "Connection: close")

    assert await compare(line, monkeypatch, [line.spell(CHECK), last], apart=True) == 1
    told, calls = await line.ask(line.spell(CHECK), line.spell(CHECK), last, apart=True)
    assert (told.count(b"HTTP/1.1 200 OK\r\n"), calls) == (3, 1)
    assert told.count(b'"data":{"check":{"allowed":true,"state":"ACTIVE"}}') == 2
    assert told.count(b"x-request-id: zoo-1\r\n") == 3


async def test_what_is_not_usual_is_shown_to_the_short_cut_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was read, or as a call of the application where that was not to be done."""
    shown, answer = [], Shortcut._answer

    def note(self: Shortcut, asking: Any, body: bytes, index: Any) -> bytes | None:
        shown.append(body)
        return answer(self, asking, body, index)

    monkeypatch.setattr(Shortcut, "_answer", note)
    for content, times in (({"query": "{ check: revision }"}, 3), (OTHER, 0)):  # the other is told by a look
        shown.clear()
        asked, last = line.spell(content), line.spell(content, "Connection: close")
        _, calls = await line.ask(asked, asked, last, apart=True)
        assert (calls, len(shown)) == (3, times)


async def test_right_after_a_change_by_others_it_waits_for_the_index(
    line: Line, world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than ask the database, like everybody else who asks then."""
    monkeypatch.setattr("app.services.index.PATIENCE_S", PROMPTLY)
    hearing = world.services.database.after_commit
    heard = hearing.copy()
    hearing.clear()
    await world.create_user("nora")
    hearing += heard
    host, _, port = line.place.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    before = line.calls
    writer.write(line.spell(CHECK))
    told = await asyncio.wait_for(reader.readuntil(b"}}}"), PROMPTLY)
    writer.close()
    assert b'"data":{"check":{"allowed":true' in told
    assert line.calls == before


REQUESTS: list[tuple[Any, dict[str, Any], tuple[str, ...]]] = [
    (CHECK, {}, ()),
    (CHECK, {}, ("Accept: application/graphql-response+json",)),
    (CHECK, {}, ("Accept: text/html",)),
    (CHECK, {}, ("Content-Encoding: gzip",)),
    (CHECK, {}, ("Authorization: Bearer another",)),
    (CHECK, {"path": "/graphql?x=1"}, ()),
    (CHECK, {"path": "/graphql/"}, ()),
    (CHECK, {"path": "/%67raphql"}, ()),
    (CHECK, {"method": "PUT"}, ()),
    (OTHER, {}, ()),
    (b"{", {}, ()),
    (b"", {}, ()),
    (b"[" * 100, {}, ()),
    ({"query": MANY, "variables": {"inputs": [MENU] * 500}}, {}, ()),
    (b" " * 61_000, {}, ()),
    (b"5\r\nabcde\r\n0\r\n\r\n", {}, ("Transfer-Encoding: chunked",)),
]


@pytest.mark.parametrize("number", range(len(REQUESTS)))
@pytest.mark.parametrize("together", [True, False])
async def test_whatever_is_sent_is_answered_as_ever(
    line: Line, monkeypatch: pytest.MonkeyPatch, number: int, together: bool
) -> None:
    """Before and behind usual questions, at once or one after another; the last one ends the connection."""
    content, named, fields = REQUESTS[number]
    pieces = [line.spell(CHECK), line.spell(content, *fields, **named), line.spell(CHECK, "Connection: close")]

    calls = await compare(line, monkeypatch, [b"".join(pieces)] if together else pieces, apart=True)
    assert calls <= 2  # the first is none


@pytest.mark.parametrize("cut", [0, 1, 20, -200, -20, -1])
async def test_in_two_pieces_it_is_answered_as_ever(line: Line, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    asked, last = line.spell(CHECK), line.spell(CHECK, "Connection: close")

    await compare(line, monkeypatch, [asked[:cut], asked[cut:], last], apart=True)


async def test_many_at_once_are_answered_in_their_order(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    for number in range(60):
        content = {"query": MANY, "variables": {"inputs": [MENU] * (number % 7)}} if number % 5 else OTHER
        asked.append(line.spell(content, *(["Connection: close"] if number == 59 else [])))

    calls = await compare(line, monkeypatch, [b"".join(asked)])
    told, _ = await line.ask(b"".join(asked))
    counts = [one.count(b'"yes"') for one in told.split(b"HTTP/1.1 200 OK")[1:]]
    assert counts == [number % 7 if number % 5 else 0 for number in range(60)]
    assert 12 <= calls <= 60  # behind one that is waited for all are queued


async def test_of_many_at_once_the_first_few_are_answered_in_a_row(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = line.spell(CHECK) * (MOST_IN_A_ROW + 5)

    assert await compare(line, monkeypatch, [asked + line.spell(CHECK, "Connection: close")]) == 6


async def test_one_that_says_no_more_is_answered(line: Line) -> None:
    """The line is closed as soon as its end was read, which may be in the same turn of the loop."""
    host, _, port = line.place.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(line.spell(CHECK))
    writer.write_eof()
    told = await asyncio.wait_for(reader.read(), PROMPTLY)
    writer.close()
    assert told.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("ending", ["shutdown", "connection_lost", "closing"])
async def test_one_that_waits_is_answered_before_the_line_ends(
    line: Line, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """And not at all where it has ended."""
    received = StraightHttp.data_received

    def receive(self: StraightHttp, data: bytes) -> None:
        received(self, data)
        assert self._is_waiting
        if ending == "shutdown":
            self.shutdown()
        elif ending == "closing":
            self.transport.close()
        else:
            self.connection_lost(ConnectionResetError())
            self.transport.close()

    monkeypatch.setattr(StraightHttp, "data_received", receive)
    told, calls = await line.ask(line.spell(CHECK))
    assert (told[:15], calls) == (b"HTTP/1.1 200 OK" if ending == "shutdown" else b"", 0)


@pytest.mark.parametrize("limits", [replace(LIMITS, receive_timeout_s=0.1)])
async def test_a_body_that_does_not_come_is_given_up(
    line: Line, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await compare(line, monkeypatch, [line.spell(CHECK)[:-1]])
    assert calls == 1
    told, _ = await line.ask(line.spell(CHECK)[:-1])
    assert told.startswith(b"HTTP/1.1 408 ")


async def test_what_is_no_http_behind_a_head_is_refused(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    head, _, _ = line.spell(CHECK, "Transfer-Encoding: chunked").partition(b"\r\n\r\n")
    told, calls = await line.ask(head + b"\r\n\r\nnonsense\r\n\r\n")

    assert (told.split(b"\r\n")[0], calls) == (b"HTTP/1.1 400 Bad Request", 0)


async def test_it_is_told_to_go_on_as_ever(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, last = line.spell(CHECK, "Expect: 100-continue"), line.spell(CHECK, "Connection: close")
    head, _, body = asked.partition(b"\r\n\r\n")

    await compare(line, monkeypatch, [head + b"\r\n\r\n", body, last], apart=True)
    await compare(line, monkeypatch, [asked, last], apart=True)


async def test_an_older_http_is_answered_and_ended(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    for fields in ((), ("Connection: keep-alive",)):
        asked = line.spell(CHECK, *fields).replace(b"HTTP/1.1", b"HTTP/1.0")
        assert await compare(line, monkeypatch, [asked]) == 1


def end_soon(monkeypatch: pytest.MonkeyPatch) -> float:
    """Has a line end that is idle for some seconds: those that it gives."""
    idle, made = 0.2, StraightHttp.__init__

    def make(self: StraightHttp, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        self.timeout_keep_alive = idle  # type: ignore[assignment]  # uvicorn takes whole seconds

    monkeypatch.setattr(StraightHttp, "__init__", make)
    return idle


async def test_one_that_is_waited_for_outlives_the_idle_time(
    line: Line, world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came together with a usual question, whose answer has begun the time that a line may be idle."""
    idle = end_soon(monkeypatch)
    read = world.services.reading

    @asynccontextmanager
    async def read_slowly(*given: Any, **named: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(3 * idle)
        async with read(*given, **named) as reading:
            yield reading

    slow = {"query": "{ auditLog(first: 1) { edges { node { id } } } }"}
    monkeypatch.setattr(world.services, "reading", read_slowly)
    told, _ = await line.ask(line.spell(CHECK) + line.spell(slow, "Connection: close"))
    assert told.count(b"HTTP/1.1 200 OK") == 2


async def test_a_line_that_is_idle_is_ended(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    end_soon(monkeypatch)
    host, _, port = line.place.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(line.spell(CHECK))
    await asyncio.wait_for(reader.readuntil(b"}}}"), PROMPTLY)
    assert await asyncio.wait_for(reader.read(), PROMPTLY) == b""
    writer.close()
