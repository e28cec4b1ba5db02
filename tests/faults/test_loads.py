"""F21: under a load new clients are let in, and probes with them; `benchmarks/overload.py` measures the rest."""

import asyncio
import socket

import uvloop

from app.cli.commands import bind

CLIENTS = 100
TURNS = 20  # of the event loop; by one descriptor they would let in as many


def test_f21_many_connections_are_let_in_at_each_turn_of_the_loop() -> None:
    async def count() -> int:
        made = 0

        class Noting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                nonlocal made
                made += 1

        sockets = bind("127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Noting, sock=sock, backlog=2048) for sock in sockets]
        clients = [socket.create_connection(sockets[0].getsockname()) for _ in range(CLIENTS)]
        try:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            return made
        finally:
            for client in clients:
                client.close()
            for server in servers:
                server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(count()) == CLIENTS
