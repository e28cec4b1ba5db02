"""The short cut for usual questions (`app/graphql/usual.py`): from a POST to its answer in one go, waiting for nothing.

All that a door holds a request to is asked here as well, and of the same objects: its head, its body, its caller,
whether they may send documents of their own, what it costs and what they have left. Where anything is not as it should
be, not known, or not at hand, nothing was done and nothing is said: the request is answered like any other.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil
from time import perf_counter
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.callers import Caller
from app.domain.rooms import Room
from app.graphql.costs import UNIT_S
from app.graphql.execution import Request, RequestFault
from app.graphql.usual import Usual
from app.services.callers import recall_caller
from app.services.index import RightsIndex
from app.telemetry import log
from app.telemetry.requests import finish_query, read_request_id
from app.telemetry.traces import is_tracing
from app.web.beginning import Begun, begin
from app.web.lifecycle import Lifecycle
from app.web.protocol import (
    EVENT_STREAM,
    FIXED,
    KEPT,
    Head,
    ProtocolFault,
    check_post,
    choose_media_type,
    find_type,
    is_small,
    read_body,
)
from app.web.routes import GraphQLEndpoint

Header = tuple[bytes, bytes]
Answer = Callable[[RightsIndex | None], None]
REQUEST_ID = b"x-request-id"
MOST_IN_A_TURN, TURN_S = 64, 0.005  # questions, and seconds, before others have a turn
USUAL_KEPT = 64  # documents: clients have a handful of these
_ANSWER = (
    b'{"data":%b,"extensions":{"revision":"%d","cost":{"requested":%d,"limit":%d,"remaining":%d,"restoreRate":%d}}}'
)
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\n"
    + b"".join(name + b": " + value + b"\r\n" for name, value in FIXED)
    + b"content-length: %d\r\ncontent-type: %b\r\n"
    + REQUEST_ID
    + b": %b\r\n\r\n%b"
)


class _Asking(NamedTuple):
    """What of a head is to be known, where there is nothing unusual about it."""

    token: str
    request_id: str
    shown_as: bytes  # the media type, as its header field has it


class Shortcut:
    """Answers POSTs to the address of GraphQL at once, or has them answered `otherwise`."""

    def __init__(self, endpoint: GraphQLEndpoint, lifecycle: Lifecycle, otherwise: ASGIApp) -> None:
        self.endpoint = endpoint
        self._lifecycle = lifecycle
        self._usual: Room[tuple[str, str | None], Usual] = Room(USUAL_KEPT)
        self.otherwise = otherwise
        self._waiting: deque[Answer] = deque()
        self._is_due = False  # somebody will answer what waits
        self._expecting: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asking = self._read_head(scope["headers"])
        if asking is None:
            await self.otherwise(scope, receive, send)
            return
        first = begin(receive())
        if first.is_done and not first.result.get("more_body") and first.result["type"] == "http.request":
            came = first.result["body"]
            body = None if _is_plainly_unusual(came) else self._answer(asking, came, self.find_index())
            if body is not None:
                headers = [
                    *FIXED, (b"content-length", b"%d" % len(body)), (b"content-type", asking.shown_as),
                    (REQUEST_ID, asking.request_id.encode()),
                ]  # fmt: skip
                with self._lifecycle.counting():
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                    await send({"type": "http.response.body", "body": body})
                return
        await self.otherwise(scope, _give_first(first, receive), send)

    def find_index(self) -> RightsIndex | None:
        """The latest index, by a look of its own.

        What the endpoint has found will not do: its next look is due before its next call, and a question may be read
        before that.
        """
        return self.endpoint.services.index.current()

    def answer_soon(self, answer: Answer) -> None:
        """Has a question answered in the next turn of the event loop, from the latest index there is then.

        All that has come by then is answered from the same one: the look for it is later than any of them was sent.
        Right after a change they wait for the index together, rather than ask the database one by one.
        """
        self._waiting.append(answer)
        self._see_to_waiting()

    def _see_to_waiting(self) -> None:
        if self._waiting and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._answer_waiting)

    def _answer_waiting(self) -> None:
        index: RightsIndex | None = None
        try:
            index = self.find_index()
        except Exception as error:  # they are answered otherwise, and those after them have another look
            log("the index cannot be looked for", level=40, exception=error)
        if index is None and self.endpoint.services.index.is_expected:
            self._expecting = asyncio.ensure_future(self._expect())
        else:
            self._answer_some(index)

    async def _expect(self) -> None:
        index: RightsIndex | None = None
        try:
            index = await self.endpoint.services.index.expect()
        finally:
            self._answer_some(index)

    def _answer_some(self, index: RightsIndex | None) -> None:
        self._is_due = False
        until = perf_counter() + TURN_S
        try:
            for _ in range(min(len(self._waiting), MOST_IN_A_TURN)):
                self._waiting.popleft()(index)
                if perf_counter() > until:
                    break
        finally:
            self._see_to_waiting()

    def answer(self, headers: Sequence[Header], body: bytes, index: RightsIndex | None) -> bytes | None:
        """The answer to a POST as HTTP/1.1 spells it; None: nothing was done, and it is to be answered otherwise.

        Names of header fields are in lower case. `index` was found after the POST was read. It raises nothing.
        """
        asking = None if _is_plainly_unusual(body) else self._read_head(headers)
        answer = None if asking is None else self._answer(asking, body, index)
        if asking is None or answer is None:
            return None
        return _RESPONSE % (len(answer), asking.shown_as, asking.request_id.encode(), answer)

    def _read_head(self, headers: Sequence[Header]) -> _Asking | None:
        found = dict(headers)
        if len(found) != len(headers) or b"content-encoding" in found:  # one that stands there twice is unusual
            return None
        authorization, length = found.get(b"authorization"), found.get(b"content-length")
        if (
            authorization is None
            or length is None
            or not is_small(length.decode("latin-1"), self.endpoint.admission.limits)
        ):
            return None
        shown_as = _choose_type(found.get(b"accept"), found.get(b"content-type"))
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if shown_as is None or scheme.lower() != "bearer" or self._lifecycle.draining or is_tracing():
            return None
        given_id = found.get(REQUEST_ID)
        request_id = read_request_id(None if given_id is None else given_id.decode("latin-1"))
        return _Asking(token.strip(), request_id, shown_as)

    def _find_usual(self, request: Request, caller: Caller) -> Usual | None:
        """The usual query that is asked. Raises `RequestFault`.

        One that was asked in a document of the caller's own is so for everybody, where such are taken from everybody.
        """
        executor, text = self.endpoint.admission.executor, request.query
        if text is None or executor.policy.trust:
            return executor.recall_usual(request, caller)
        name = request.operation_name
        usual = self._usual.get((text, name))
        if usual is None:
            usual = executor.recall_usual(request, caller)
            if usual is not None:
                self._usual.keep((text, name), usual)
        return usual

    def _answer(self, asking: _Asking, body: bytes, index: RightsIndex | None) -> bytes | None:
        """The body of the answer."""
        try:
            return None if index is None else self._find_answer(asking, body, index)
        except (ProtocolFault, RequestFault):
            return None
        except Exception as error:  # whatever it is, whoever answers otherwise has a word for it
            log("a usual question failed", level=40, exception=error)
            return None

    def _find_answer(self, asking: _Asking, body: bytes, index: RightsIndex) -> bytes | None:
        begun = perf_counter()
        services, admission = self.endpoint.services, self.endpoint.admission
        limits = admission.limits
        now = services.clock()
        caller = recall_caller(services, asking.token, index, now)
        if caller is None:
            return None
        request = read_body(body)
        usual = self._find_usual(request, caller)
        if usual is None or (request.min_revision is not None and request.min_revision > index.revision):
            return None
        variables = request.variables or {}
        cost = usual.count(variables)
        if cost > limits.max_cost or not admission.may_answer(caller, cost):
            return None
        found = usual.answer(index, caller, variables, now)
        seconds = perf_counter() - begun
        if found is None:
            admission.charge(caller, ceil(seconds / UNIT_S))
            return None
        left = admission.settle(caller, ceil(seconds / UNIT_S))
        finish_query(asking.request_id, caller.user, usual.name, found.allowed, found.denied, seconds)
        return _ANSWER % (found.data, index.revision, cost, limits.max_cost, left, limits.caller_refill)


def _is_plainly_unusual(body: bytes) -> bool:
    """Whether a look at a body is enough to tell: it has a document, which asks for no `check`."""
    return b"check" not in body and b'"query"' in body


def _give_first(first: Begun[Message], receive: Receive) -> Receive:
    """What gives the message that was begun to be waited for, and then those that follow it."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return await first

    return give


@lru_cache(KEPT)
def _choose_type(accept: bytes | None, content_type: bytes | None) -> bytes | None:
    """The media type of an answer, as a head has it; None where a request is refused, or wants to be told events."""
    head = Head({"method": "POST", "headers": [(b"content-type", content_type or b"")]})
    try:
        check_post(head)
        media_type = choose_media_type(None if accept is None else accept.decode("latin-1"), or_events=True)
    except ProtocolFault:
        return None
    return None if media_type == EVENT_STREAM else find_type(media_type)[1]
