"""Lets in whoever waits to be let in, many at each turn of the event loop.

libuv lets in one connection a turn by each descriptor that it listens at, and a turn takes as long as all that is asked
in it: under a load new clients, and the probes of orchestrators, would wait for as long as the load goes on.
"""

import asyncio
import socket
from collections.abc import Callable

AT_ONCE = 256  # connections let in at one turn: some 10 ms
# At which a worker listens: it serves as uvicorn does, which has no place for an acceptor. Where each takes very many
# at a turn, the first to wake has most of what came together, and others stand idle as long as those connections live.
DESCRIPTORS = 4


def listen_often(sock: socket.socket) -> list[socket.socket]:
    """The same socket by several descriptors, each of which lets in one connection a turn."""
    return [sock, *(sock.dup() for _ in range(DESCRIPTORS - 1))]


class Acceptor:
    """Lets in connections to a socket at which others may listen too, from `start` to `stop`, within one event loop."""

    def __init__(self, sock: socket.socket, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._sock = sock.dup()
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._made: set[asyncio.Task[object]] = set()

    def start(self) -> None:
        self._sock.setblocking(False)
        self._loop.add_reader(self._sock, self._let_in)

    def stop(self) -> None:
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _let_in(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._sock.accept()
            except OSError:  # there is none left; or no descriptor: then libuv refuses one, and so makes room
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._make(connection))
            self._made.add(task)
            task.add_done_callback(self._made.discard)

    async def _make(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:  # it has gone already
            connection.close()
