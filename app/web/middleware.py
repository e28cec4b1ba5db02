"""Around every request: its id, what is noted of it for log, metrics and traces, and an end to what failed within.

An address is told of as the door it belongs to, never as it was sent: there may be anything in it.
"""

from contextlib import ExitStack
from functools import lru_cache

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.outages import Outage
from app.graphql.faults import FaultCode
from app.telemetry import log
from app.telemetry.metrics import OPEN_SOCKETS, count_refusal
from app.telemetry.requests import Note, observing, read_request_id
from app.web.lifecycle import Lifecycle
from app.web.outages import write_outage
from app.web.protocol import write_fault

REQUEST_ID = b"x-request-id"
DOORS = {"graphql": "graphql", "scim": "scim", "sync": "sync", "graphiql": "ide"}  # by how an address begins
QUIET = frozenset({"livez", "readyz", "metrics"})


class Observation:
    """Follows requests and sockets through `app`."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self.app = app
        self.lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        note = _make_note(scope)

        async def send_on(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                note.status = str(message["status"])
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, (note.request_id or "").encode())]
                if self.lifecycle.draining:
                    # So that nobody sends on it in the moment in which we leave.
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        with self.lifecycle.counting(), observing(note):
            try:
                await self.app(scope, receive, send_on)
            except Exception as error:
                if begun:
                    log("a request failed", level=40, exception=error)
                    raise  # the server cuts the connection: what was sent is not all
                await _refuse(error)(scope, receive, send_on)
            if not note.is_quiet:
                count_refusal(note.status)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A socket is a line of its own when it ends; so is each operation on it."""
        note = _make_note(scope)
        note.kind = "socket"

        async def send_on(message: Message) -> None:
            if message["type"] == "websocket.close":
                note.status = str(message.get("code", 1000))
            await send(message)

        with ExitStack() as left_behind:
            left_behind.enter_context(observing(note))
            OPEN_SOCKETS.inc()
            left_behind.callback(OPEN_SOCKETS.dec)
            await self.app(scope, receive, send_on)
            note.status = note.status or "gone"


def _refuse(error: Exception) -> Response:
    if isinstance(error, Outage):
        return write_outage(error)
    log("a request failed", level=40, exception=error)
    return write_fault(500, FaultCode.INTERNAL_SERVER_ERROR, "internal error")


def _make_note(scope: Scope) -> Note:
    kind, is_quiet = _find_door(scope["path"])
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID), None)
    return Note(
        request_id=read_request_id(None if given is None else given.decode("latin-1")), kind=kind, is_quiet=is_quiet
    )


@lru_cache(128)
def _find_door(path: str) -> tuple[str, bool]:
    """The door that an address belongs to, and whether nobody is told of who asks there."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return "probe" if first in QUIET else DOORS.get(first, "other"), first in QUIET
