"""F21: under a load new clients are let in, and probes with them; `benchmarks/overload.py` measures the rest."""

import asyncio
import socket

import pytest
import uvloop

from app.cli.acceptors import DESCRIPTORS, Acceptor, listen_often

CLIENTS = 60
TURNS = 20  # of the event loop; by one descriptor they would let in as many


@pytest.mark.parametrize("how", ["by an acceptor", "by several descriptors"])
def test_f21_many_connections_are_let_in_at_each_turn_of_the_loop(how: str) -> None:
    async def count() -> int:
        made = 0

        class Noting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                nonlocal made
                made += 1

        sock = socket.create_server(("127.0.0.1", 0))
        sockets = [sock] if how == "by an acceptor" else listen_often(sock)
        assert len(sockets) in {1, DESCRIPTORS}
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Noting, sock=one, backlog=2048) for one in sockets]
        acceptor = Acceptor(sock, Noting)
        if how == "by an acceptor":
            acceptor.start()
        clients = [socket.create_connection(sock.getsockname()) for _ in range(CLIENTS)]
        try:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            return made
        finally:
            acceptor.stop()
            for client in clients:
                client.close()
            for server in servers:
                server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(count()) == CLIENTS
