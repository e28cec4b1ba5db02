"""Subscriptions as server-sent events: GraphQL over SSE, each on a connection of its own.

An event is read from the database when the one before was taken, as on a socket; the caller is looked up anew for each,
and the stream ends within a second of the end of the token. Whatever ends it is told by an event with errors: the
protocol knows `next` and `complete` and nothing else.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, aclosing
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.graphql.execution import Admitted, RequestFault
from app.graphql.faults import Fault, FaultCode
from app.graphql.listening import Listener
from app.telemetry import log
from app.web.admission import SOON_S, Admission
from app.web.connections import CLOSE_TIMEOUT_S, SEND_TIMEOUT_S, Connections, Ending, Full, Gone
from app.web.protocol import EVENT_STREAM, write_fault

HEARTBEAT_S = 15.0  # proxies cut what is silent for a minute, some for half of one
HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # a proxy that gathers what it passes on would hold events back
    "x-content-type-options": "nosniff",
    "vary": "accept",
}
_HEARTBEAT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"  # without `data` a browser tells nobody of it


def write_events(*answers: dict[str, Any]) -> Response:
    """What is known already, as a stream that ends: for who accepts nothing else."""
    return Response(b"".join(map(_write, answers)) + _COMPLETE, media_type=EVENT_STREAM, headers=HEADERS)


def _write(answer: dict[str, Any]) -> bytes:
    """An answer as an event. Its id is the revision that it tells of: a client goes on after it."""
    revision = (answer.get("extensions") or {}).get("revision")
    place = b"" if revision is None else b"id: %s\n" % revision.encode()
    return b"event: next\n%sdata: %s\n\n" % (place, orjson.dumps(answer))


def _write_errors(errors: Sequence[GraphQLError]) -> bytes:
    """The errors that end a stream, and its end."""
    return _write({"errors": [error.formatted for error in errors]}) + _COMPLETE


class EventStream(Response):
    """The events of one subscription, for as long as somebody reads them."""

    media_type = EVENT_STREAM

    def __init__(
        self, admission: Admission, connections: Connections, listener: Listener, admitted: Admitted, *, most: int
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self.admission = admission
        self.connections = connections
        self.listener = listener
        self.admitted = admitted
        self.most = most  # streams of one caller
        self._sending = asyncio.Lock()  # one piece at a time: so no more than one waits for a slow reader
        self._end: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with ExitStack() as places:
                places.enter_context(self.connections.open(self))
                places.enter_context(self.connections.open_for(self, ("streams", self.listener.caller.user), self.most))
                await self._serve(receive, send)
        except Full as full:
            await self._refuse(full)(scope, receive, send)

    def leave(self, why: Ending) -> None:
        """Ends the stream, and tells the client why and where to go on."""
        reached = self.listener.reached
        position = "begin again" if reached is None else f"resume after revision {reached}"
        extensions = {"code": FaultCode.INTERRUPTED.value} | ({} if reached is None else {"revision": str(reached)})
        self.end(_write_errors([GraphQLError(f"{why}: {position}", extensions=extensions)]))

    def end(self, last: bytes | None) -> None:
        """Ends the stream with these last bytes; None where the client is gone. The first to say so has its way."""
        if not self._end.done():
            self._end.set_result(last)

    def _refuse(self, full: Full) -> Response:
        code, headers = FaultCode.REQUEST_CONCURRENCY_LIMITED, {"retry-after": str(SOON_S)}
        if full.of_one:
            return write_fault(429, code, f"at most {self.most} streams at once", headers=headers)
        return write_fault(503, code, f"{Ending.CROWDED}: try again later", headers=headers)

    async def _serve(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        work: list[Coroutine[Any, Any, None]] = [self._tell(send), self._beat(send), self._wait_for_leaving(receive)]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            last = await asyncio.shield(self._end)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if last is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except (TimeoutError, OSError):  # it made no room, or left: the server cuts the connection
            return

    async def _tell(self, send: Send) -> None:
        """Hands on event after event. Whatever ends that ends the stream."""
        try:
            async with aclosing(self.admission.subscribe(self.listener, self.admitted)) as answers:
                async for answer in answers:
                    await self._send(send, _write(answer))
                    self.listener.reached = int(answer["extensions"]["revision"])
            self.end(_COMPLETE)
        except RequestFault as fault:
            self.end(_write_errors(fault.errors))
        except Gone:
            return
        except Exception as error:  # nothing here may leave a stream open that nobody serves
            log("a stream failed", level=logging.ERROR, exception=error)
            self.end(_write_errors([Fault("internal error", FaultCode.INTERNAL_SERVER_ERROR)]))

    async def _beat(self, send: Send) -> None:
        """Says now and then that nothing has happened."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self._send(send, _HEARTBEAT)
            except Gone:
                return

    async def _wait_for_leaving(self, receive: Receive) -> None:
        """Ends the stream when the client is gone."""
        while (await receive())["type"] != "http.disconnect":
            continue
        self.end(None)

    async def _send(self, send: Send, body: bytes) -> None:
        """Hands bytes to the network. Raises `Gone` where the client is gone, or does not read."""
        async with self._sending:
            if self._end.done():
                raise Gone
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except TimeoutError:
                self.leave(Ending.TOO_SLOW)
                raise Gone from None
            except OSError:
                self.end(None)
                raise Gone from None
