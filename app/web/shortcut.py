"""The short cut for usual questions (`app/graphql/usual.py`): from a POST to its answer in one go, waiting for nothing.

All that a door holds a request to is asked here as well, and of the same objects: its head, its body, its caller,
whether they may send documents of their own, what it costs and what they have left. Where anything is not as it should
be, not known, or not at hand, nothing was done and nothing is said: the request is answered like any other.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import ceil
from time import perf_counter
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.graphql.costs import UNIT_S
from app.graphql.execution import RequestFault
from app.services.callers import recall_caller
from app.telemetry import log
from app.telemetry.requests import Note, finish, read_request_id
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
REQUEST_ID = b"x-request-id"
_ANSWER = (
    b'{"data":%b,"extensions":{"revision":"%d","cost":{"requested":%d,"limit":%d,"remaining":%d,"restoreRate":%d}}}'
)


class _Asking(NamedTuple):
    """What of a head is to be known, where there is nothing unusual about it."""

    token: str
    request_id: str
    shown_as: Header  # the header field of the media type


class Shortcut:
    """Answers POSTs to the address of GraphQL at once, or has them answered `otherwise`."""

    def __init__(self, endpoint: GraphQLEndpoint, lifecycle: Lifecycle, otherwise: ASGIApp) -> None:
        self.endpoint = endpoint
        self._lifecycle = lifecycle
        self.otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asking = self._read_head(scope["headers"])
        if asking is None:
            await self.otherwise(scope, receive, send)
            return
        first = begin(receive())
        if first.is_done and not first.result.get("more_body") and first.result["type"] == "http.request":
            answer = self._answer(asking, first.result["body"])
            if answer is not None:
                headers, body = answer
                with self._lifecycle.counting():
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                    await send({"type": "http.response.body", "body": body})
                return
        await self.otherwise(scope, _give_first(first, receive), send)

    def answer(self, headers: Iterable[Header], body: bytes) -> tuple[list[Header], bytes] | None:
        """The header fields and the body of the answer to a POST, whose status is 200; None: it is answered otherwise.

        Names of header fields are in lower case. Nothing was done where it is None.
        """
        asking = self._read_head(headers)
        return None if asking is None else self._answer(asking, body)

    def _read_head(self, headers: Iterable[Header]) -> _Asking | None:
        if self._lifecycle.draining or is_tracing():
            return None
        authorization = given_id = accept = content_type = length = None
        for name, value in headers:
            if name == b"authorization":
                if authorization is not None:
                    return None
                authorization = value
            elif name == b"content-length":
                length = value if length is None else length
            elif name == b"content-type":
                content_type = value if content_type is None else content_type
            elif name == b"accept":
                accept = value if accept is None else accept
            elif name == REQUEST_ID:
                given_id = value if given_id is None else given_id
            elif name == b"content-encoding":
                return None
        if authorization is None or length is None or not is_small(length.decode("latin-1"), self.endpoint.limits):
            return None
        shown_as = _choose_type(accept, content_type)
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if shown_as is None or scheme.lower() != "bearer":
            return None
        return _Asking(
            token.strip(), read_request_id(None if given_id is None else given_id.decode("latin-1")), shown_as
        )

    def _answer(self, asking: _Asking, body: bytes) -> tuple[list[Header], bytes] | None:
        begun = perf_counter()
        index = self.endpoint.find_index()
        if index is None:
            return None
        services, admission = self.endpoint.services, self.endpoint.admission
        executor, limits = admission.executor, admission.limits
        now = services.clock()
        caller = recall_caller(services, asking.token, index, now)
        if caller is None:
            return None
        try:
            request = read_body(body)
            usual = executor.recall_usual(request, caller)
        except (ProtocolFault, RequestFault):
            return None
        if usual is None or (request.min_revision is not None and request.min_revision > index.revision):
            return None
        variables = request.variables or {}
        cost = usual.count(variables)
        if cost > limits.max_cost or not admission.may_answer(caller, cost):
            return None
        try:
            found = usual.answer(index, caller, variables, now)
        except Exception as error:  # whatever it is, whoever answers otherwise has a word for it
            log("a usual question failed", level=40, exception=error)
            return None
        if found is None:
            return None
        seconds = perf_counter() - begun
        left = admission.settle(caller, ceil(seconds / UNIT_S))
        written = _ANSWER % (found.data, index.revision, cost, limits.max_cost, left, limits.caller_refill)
        finish(
            Note(
                request_id=asking.request_id, kind="query", status="200", actor=caller.user, operation=usual.name,
                allowed=found.allowed, denied=found.denied,
            ),
            seconds,
        )  # fmt: skip
        headers = [
            *FIXED, (b"content-length", b"%d" % len(written)), asking.shown_as,
            (REQUEST_ID, asking.request_id.encode()),
        ]  # fmt: skip
        return headers, written


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
def _choose_type(accept: bytes | None, content_type: bytes | None) -> Header | None:
    """The header field of an answer's media type; None where a request is refused, or wants to be told events."""
    head = Head({"method": "POST", "headers": [(b"content-type", content_type or b"")]})
    try:
        check_post(head)
        media_type = choose_media_type(None if accept is None else accept.decode("latin-1"), or_events=True)
    except ProtocolFault:
        return None
    return None if media_type == EVENT_STREAM else find_type(media_type)
