"""A gateway served by uvicorn on loopback, as it is served to everybody, and clients of its sockets.

Everything is waited for with a bound, and nothing is measured.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.cli import bound_server
from app.cli.commands import DEADLINE_S
from app.main import create_app
from app.services.context import Services
from app.settings import Settings
from tests.factories import Answer

PROMPTLY = 10.0  # what is owed within a second on a machine of its own may take some on one that is shared
QUIET_S = 0.1  # how long it is listened before one says that nothing came
SUBPROTOCOL = "graphql-transport-ws"
DEFAULTS = Settings()


class _Server(uvicorn.Server):
    """A server that leaves the signals of the test process alone, and says when it answers.

    It ends as soon as it is told to and nobody is left: uvicorn looks every tenth of a second whether that is so.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers, self.leaves = asyncio.Event(), asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.leaves.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        async with asyncio.timeout(DEADLINE_S):
            while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(
    services: Services, settings: Settings = DEFAULTS, *, send_buffer: int | None = None
) -> AsyncIterator[str]:
    """The application on loopback; gives host and port. With `send_buffer` the system keeps so much to be sent."""
    app = create_app(services, settings)
    server = _Server(uvicorn.Config(app, lifespan="off", **bound_server(settings)))
    listening = socket.create_server(("127.0.0.1", 0))
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await server.answers.wait()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.leaves.set()
        await task
        listening.close()


async def listening(services: Services, count: int = 2) -> None:
    """Waits until so many wait for what is new: each socket for the end of its token, each subscription for events."""
    async with services.database.reading() as unit:
        revision = await unit.audit.find_last_revision()
    waiting = services.feed._waiting
    for _ in range(1000):
        if len(waiting) == count and not any(_is_due(services, revision, *wanted) for wanted in waiting.values()):
            return
        await asyncio.sleep(PROMPTLY / 1000)
    raise AssertionError(waiting)


def _is_due(services: Services, revision: int, after: int, until: datetime | None) -> bool:
    """Whether there is what somebody waits for: they have not looked at all there is."""
    return revision > after or (until is not None and services.clock() >= until)


class Client:
    """One socket; messages are told apart by the id of their operation."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.passed: list[Answer] = []  # what came before the close that was waited for

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> Answer:
        """The next message."""
        async with asyncio.timeout(PROMPTLY):
            message: Answer = json.loads(await self.connection.recv())
            return message

    async def init(self, token: str | None) -> None:
        """Introduces itself, and is known."""
        payload = None if token is None else {"Authorization": f"Bearer {token}"}
        await self.send(type="connection_init", payload=payload)
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, *, id: str = "1", **more: Any) -> None:  # noqa: A002  # as the protocol calls it
        await self.send(type="subscribe", id=id, payload={"query": query, **more})

    async def next(self, *, id: str = "1") -> Answer:  # noqa: A002
        """The data of the next event."""
        message = await self.receive()
        assert (message["type"], message.get("id")) == ("next", id), message
        payload: Answer = message["payload"]
        assert "errors" not in payload, payload
        data: Answer = payload["data"]
        return data

    async def error(self, *, id: str = "1") -> tuple[str, str]:  # noqa: A002
        """Code and message of the only error with which an operation ended."""
        message = await self.receive()
        assert (message["type"], message.get("id")) == ("error", id), message
        (error,) = message["payload"]
        return error["extensions"]["code"], error["message"]

    async def ask(self, query: str, *, id: str = "q", **more: Any) -> Answer:  # noqa: A002
        """The data of the answer to a query or a mutation."""
        await self.subscribe(query, id=id, **more)
        data = await self.next(id=id)
        assert await self.receive() == {"type": "complete", "id": id}
        return data

    async def quiet(self, services: Services, count: int = 2) -> None:
        """Asserts that nothing comes: so many who listen have looked at all there is, and a ping is answered next."""
        await listening(services, count)
        await self.send(type="ping")
        assert await self.receive() == {"type": "pong"}

    async def closed(self) -> tuple[int, str]:
        """Code and reason with which the gateway closes; what comes before is in `passed`."""
        async with asyncio.timeout(PROMPTLY):
            with suppress(ConnectionClosed):
                while True:
                    self.passed.append(json.loads(await self.connection.recv()))
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""


@asynccontextmanager
async def connecting(
    address: str,
    *,
    headers: dict[str, str] | None = None,
    subprotocol: str | None = SUBPROTOCOL,
    receive_buffer: int | None = None,
    **more: Any,
) -> AsyncIterator[Client]:
    """A socket that has not introduced itself yet. With `receive_buffer` the system keeps so much that is not read."""
    if receive_buffer is not None:
        host, port = address.split(":")
        more["sock"] = socket.socket()
        more["sock"].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        more["sock"].connect((host, int(port)))
    async with connect(
        f"ws://{address}/graphql", subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
        additional_headers=headers, ping_interval=None, proxy=None, close_timeout=2, **more,
    ) as connection:  # fmt: skip
        yield Client(connection)


@asynccontextmanager
async def known(address: str, token: str, **more: Any) -> AsyncIterator[Client]:
    """A socket of a caller."""
    async with connecting(address, **more) as client:
        await client.init(token)
        yield client
