"""GraphQL over a WebSocket, by the protocol `graphql-transport-ws` and no other.

A socket serves one caller, who is looked up again whenever something was committed: it closes within a second of the
end of the token. What is run on it goes through the executor of HTTP, with the same limits. Nothing is kept for a slow
reader: an event is read from the database when the one before was taken, and who takes none is told where to go on.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, aclosing
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

import orjson
from graphql import GraphQLError, OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.domain.callers import Caller
from app.domain.outages import Outage
from app.graphql.execution import ANSWERED, LISTENED, Admitted, Request, RequestFault, SubscriptionEnded
from app.graphql.faults import Fault, FaultCode, log_outage, read_outage
from app.graphql.listening import Listener
from app.services.buckets import Buckets
from app.services.context import Services
from app.services.feed import POLL_S
from app.settings import Limits, Settings
from app.telemetry import log
from app.telemetry.metrics import count_refusal
from app.telemetry.requests import Note, current_note, observing
from app.web.admission import Admission, Held
from app.web.authentication import authenticate_again, note_failure, read_token
from app.web.connections import CLOSE_TIMEOUT_S, SEND_TIMEOUT_S, Connections, Ending, Full, Gone
from app.web.protocol import ProtocolFault, read_object, read_payload

SUBPROTOCOL = "graphql-transport-ws"
ANYTHING = ANSWERED | LISTENED
INIT_TIMEOUT_S = 5.0  # a client has its token at hand; who says nothing holds a socket for nobody
MAX_ID = 128  # characters of an operation's id: a UUID has 36
MAX_REASON = 123  # bytes of the reason of a close frame (RFC 6455, 5.5)


class Closing(IntEnum):
    """Why a socket is closed, as the protocol numbers it; below 4000 as RFC 6455 does."""

    TOO_MANY = 1008
    RESTART = 1012
    TRY_LATER = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    NO_SUBPROTOCOL = 4406
    INIT_TIMEOUT = 4408
    ID_TAKEN = 4409
    INIT_AGAIN = 4429


class SocketEndpoint:
    """`/graphql` for WebSockets: who may connect, by which protocol, and how many."""

    def __init__(self, services: Services, admission: Admission, settings: Settings, connections: Connections) -> None:
        self.services = services
        self.admission = admission
        self.allowed_origins = settings.allowed_origins
        self.limits = settings.limits
        self.connections = connections

    async def serve(self, websocket: WebSocket) -> None:
        """Refuses a handshake, or serves the socket until it ends."""
        if not self._is_allowed(websocket):
            await websocket.close()  # before it is accepted: the handshake is answered with 403
        elif SUBPROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.accept()  # a handshake that is refused tells nobody why
            await websocket.close(Closing.NO_SUBPROTOCOL, f"Subprotocol not acceptable: offer {SUBPROTOCOL}")
        else:
            socket = _Socket(websocket, self.services, self.admission, self.limits, self.connections)
            try:
                with self.connections.open(socket):
                    await socket.serve()
            except Full:
                await websocket.accept(SUBPROTOCOL)
                await websocket.close(Closing.TRY_LATER, f"{Ending.CROWDED}: try again later")

    def _is_allowed(self, websocket: WebSocket) -> bool:
        """Whether the page that connects is ours or one of those configured. What is no browser names none."""
        origins = websocket.headers.getlist("origin")
        if not origins:
            return True
        if len(origins) > 1:
            return False
        origin = origins[0].lower()
        return origin in self.allowed_origins or _host_of(origin) == websocket.headers.get("host", "").lower()


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, as a `Host` header writes them; behind a proxy the scheme is not ours to know."""
    try:
        parts = urlsplit(origin)
        default = {"http": 80, "https": 443}[parts.scheme]
        return parts.netloc.removesuffix(f":{default}") if parts.hostname and parts.port == default else parts.netloc
    except (KeyError, ValueError):
        return None


class _Socket:
    """One socket: tasks that each wait for something, and one end that any of them may bring about."""

    def __init__(
        self,
        websocket: WebSocket,
        services: Services,
        admission: Admission,
        limits: Limits,
        connections: Connections,
    ) -> None:
        self.websocket = websocket
        self.services = services
        self.admission = admission
        self.limits = limits
        self.connections = connections
        self.token = ""
        self.caller: Caller | None = None
        self.init_received = False
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.listeners: dict[str, Listener] = {}  # of the operations that are subscriptions
        self._places = ExitStack()
        self._messages = Buckets(limits.socket_burst, limits.socket_messages)
        self._sending = asyncio.Lock()  # one frame at a time: so no more than one waits for a slow reader
        self._tasks: set[asyncio.Task[None]] = set()
        self._unfinished: set[asyncio.Task[None]] = set()  # mutations: what is begun is brought to its end
        self._end: asyncio.Future[tuple[int, str] | None] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Serves until the client leaves or has to."""
        await self.websocket.accept(subprotocol=SUBPROTOCOL)
        self._start(self._expect_init())
        self._start(self._read())
        try:
            ending = await asyncio.shield(self._end)
            if ending is not None:
                await self._close(*ending)
        finally:
            self.end()
            self._places.close()
            for task in self._tasks - self._unfinished:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def end(self, code: int | None = None, reason: str = "") -> None:
        """Ends the socket; without a code the client is gone already. The first to say so has its way."""
        if not self._end.done():
            self._end.set_result(None if code is None else (code, reason))

    def leave(self, why: Ending) -> None:
        """Ends the socket, and tells the client why and where to go on."""
        reached = [listener.reached for listener in self.listeners.values() if listener.reached is not None]
        position = f"resume after revision {min(reached)}" if reached else "begin again"
        self.end(Closing.RESTART if why is Ending.RESTART else Closing.TRY_LATER, f"{why}: {position}")

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._unfinished.discard)
        return task

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Gone:
            return
        except Exception as error:  # nothing here may leave a socket open that nobody serves
            log("a socket failed", level=logging.ERROR, exception=error)
            self.end(1011, "internal error")

    # ------------------------------------------------------------------ in

    async def _expect_init(self) -> None:
        await asyncio.sleep(INIT_TIMEOUT_S)
        if not self.init_received:
            self.end(Closing.INIT_TIMEOUT, "Connection initialisation timeout")

    async def _read(self) -> None:
        """Takes message after message. What is none ends the socket."""
        while True:
            try:
                received = await self.websocket.receive()
            except (WebSocketDisconnect, RuntimeError):
                received = {"type": "websocket.disconnect"}
            if received["type"] != "websocket.receive":
                self.end()
                return
            if self._messages.take(self, 1):
                self.end(Closing.TOO_MANY, f"too many messages: at most {self.limits.socket_messages:g} a second")
                return
            text = received.get("text")
            try:
                if text is None:
                    raise ProtocolFault(400, "messages are text")
                if len(text) > self.limits.max_body_bytes:
                    raise ProtocolFault(413, f"a message has at most {self.limits.max_body_bytes} characters")
                await self._take(read_object(text), len(text))
            except ProtocolFault as fault:
                self.end(Closing.BAD_MESSAGE, fault.message)
                return
            await asyncio.sleep(0)  # whoever floods the socket waits in line with everybody else

    async def _take(self, message: dict[str, Any], size: int) -> None:
        match message.get("type"):
            case "connection_init":
                await self._init(message.get("payload"))
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                return
            case "subscribe":
                await self._subscribe(_read_id(message), message.get("payload"), size)
            case "complete":
                self._forget(_read_id(message))
            case _:
                raise ProtocolFault(400, "the message is of no type that is known")

    async def _init(self, payload: object) -> None:
        if payload is not None and not isinstance(payload, dict):
            raise ProtocolFault(400, "`payload` must be an object")
        if self.init_received:
            return self.end(Closing.INIT_AGAIN, "Too many initialisation requests")
        self.init_received = True
        given = [value for name, value in (payload or {}).items() if name.lower() == "authorization"]
        given += self.websocket.headers.getlist("authorization")  # the same one may be sent both ways
        self.token = read_token(list(dict.fromkeys(map(str, given))))
        seen = self.services.feed.revision
        async with self.connections.introductions:
            self.caller = await self._authenticate()
        if self.caller is None:
            note_failure(self.services, self.websocket)
            return self.end(Closing.FORBIDDEN, "Forbidden")
        most = self.limits.max_caller_sockets
        try:
            self._places.enter_context(self.connections.open_for(self, ("sockets", self.caller.user), most))
        except Full:
            return self.end(Closing.TOO_MANY, f"at most {most} sockets at once")
        await self._send({"type": "connection_ack"})
        self._start(self._watch_caller(self.caller, seen))
        return None

    async def _subscribe(self, id: str, payload: object, size: int) -> None:  # noqa: A002  # as the protocol calls it
        if self.caller is None:
            return self.end(Closing.UNAUTHORIZED, "Unauthorized")
        if id in self.operations:
            return self.end(Closing.ID_TAKEN, f"Subscriber for {id} already exists")
        request = read_payload(payload, size=size)
        most = self.limits.max_socket_operations
        if len(self.operations) >= most:
            excess = Fault(f"at most {most} operations at once on a socket", FaultCode.BAD_REQUEST)
            return await self._send({"type": "error", "id": id, "payload": _format([excess])})
        self.operations[id] = self._start(self._observe(id, request, self.caller))
        return None

    def _forget(self, id: str) -> None:  # noqa: A002
        """The client wants no more answers. What it asked to be done is done all the same, and a query called off."""
        task = self.operations.pop(id, None)
        self.listeners.pop(id, None)
        if task is not None and task not in self._unfinished:
            task.cancel()

    # ------------------------------------------------------------------ who

    async def _authenticate(self) -> Caller | None:
        return await authenticate_again(self.services, self.token)

    async def _watch_caller(self, caller: Caller, seen: int) -> None:
        """Ends the socket when its token ends, whether or not anything runs on it."""
        feed = self.services.feed
        while True:
            await feed.wait(after=seen, until=caller.expires_at)
            known = feed.revision
            try:
                async with feed.seats:
                    found = await self._authenticate()
            except Exception as error:  # the database does not answer: it is asked again
                log("a caller could not be looked up", level=logging.WARNING, exception=error)
                await asyncio.sleep(POLL_S)
                continue
            if found is None or found.user != caller.user:
                return self.end(Closing.FORBIDDEN, "Forbidden")
            caller, seen = found, known

    # ------------------------------------------------------------------ what is run

    async def _observe(self, id: str, request: Request, caller: Caller) -> None:  # noqa: A002
        """Runs an operation, which has a line of its own in the access log: the request's id is that of the socket."""
        note = Note(request_id=current_note().request_id, kind="graphql", actor=caller.user)
        with observing(note):
            await self._run(id, request, caller)
            note.status = note.status or "200"

    async def _run(self, id: str, request: Request, caller: Caller) -> None:  # noqa: A002
        this = asyncio.current_task()
        try:
            assert this is not None
            admitted = await self.admission.admit(caller, request, only=ANYTHING)
            if admitted.kind is OperationType.SUBSCRIPTION:
                await self._listen(id, Listener(self.services, caller, self._authenticate), admitted)
            else:
                if admitted.kind is OperationType.MUTATION:
                    self._unfinished.add(this)
                await self._answer(id, admitted, this)
            await self._send_last({"type": "complete", "id": id}, this)
        except SubscriptionEnded as ended:
            await self._send_last({"type": "error", "id": id, "payload": _format(ended.errors)}, this)
            forbidden = ended.code is FaultCode.FORBIDDEN and ended.begun
            if forbidden or ended.code is FaultCode.UNAUTHENTICATED:
                self.end(Closing.FORBIDDEN, "Forbidden")
        except RequestFault as fault:
            current_note().status = "refused"
            if isinstance(fault, Held):
                count_refusal(str(fault.status))
            await self._send_last({"type": "error", "id": id, "payload": _format(fault.errors)}, this)
        except Gone:
            current_note().status = "gone"
            raise
        except Outage as outage:
            current_note().status = "failed"
            log_outage(outage)
            await self._send_last({"type": "error", "id": id, "payload": _format([read_outage(outage)])}, this)
        except Exception as error:  # whatever is wrong with one operation, the others go on
            current_note().status = "failed"
            log("an operation failed", level=logging.ERROR, exception=error)
            shown = Fault("internal error", FaultCode.INTERNAL_SERVER_ERROR)
            await self._send_last({"type": "error", "id": id, "payload": _format([shown])}, this)
        finally:
            if self.operations.get(id) is this:
                self._forget(id)

    async def _listen(self, id: str, listener: Listener, admitted: Admitted) -> None:  # noqa: A002
        self.listeners[id] = listener
        async with aclosing(self.admission.subscribe(listener, admitted)) as answers:
            async for answer in answers:
                await self._send({"type": "next", "id": id, "payload": answer})
                listener.reached = int(answer["extensions"]["revision"])

    async def _answer(self, id: str, admitted: Admitted, this: asyncio.Task[None]) -> None:  # noqa: A002
        caller = await self._authenticate()
        if caller is None:
            return self.end(Closing.FORBIDDEN, "Forbidden")
        answer = await self.admission.execute(caller, admitted)
        if self.operations.get(id) is this:
            await self._send({"type": "next", "id": id, "payload": answer})
        return None

    # ------------------------------------------------------------------ out

    async def _send_last(self, message: dict[str, Any], this: asyncio.Task[None] | None) -> None:
        """Sends what ends an operation, unless the client has ended it. From then on its id is free."""
        if self.operations.get(message["id"]) is this:
            del self.operations[message["id"]]
            self.listeners.pop(message["id"], None)
            await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        """Hands a message to the network. Raises `Gone` where the client is gone, or does not read."""
        text = orjson.dumps(message).decode()
        async with self._sending:
            if self._end.done():
                raise Gone
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self.websocket.send_text(text)
            except TimeoutError:
                self.leave(Ending.TOO_SLOW)
                raise Gone from None
            except (WebSocketDisconnect, RuntimeError):
                self.end()
                raise Gone from None

    async def _close(self, code: int, reason: str) -> None:
        """Tells the client why, if it listens."""
        reason = reason.encode()[:MAX_REASON].decode("utf-8", "ignore")
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S), self._sending:
                await self.websocket.close(code, reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return


def _read_id(message: dict[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 1 <= len(found) <= MAX_ID:
        raise ProtocolFault(400, f"`id` must be a text of 1 to {MAX_ID} characters")
    return found


def _format(errors: Sequence[GraphQLError]) -> list[Any]:
    return [error.formatted for error in errors]
