"""Hearing that a client has gone, while it is answered."""

import asyncio

from starlette.types import Receive

from app.graphql.execution import Abandoned


class Hearing:
    """Whether the client of a request, whose body has been read, is still there: asked before what takes long.

    Whoever sends many requests and waits for none of the answers so takes nothing but a look.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._leaving: asyncio.Future[None] | None = None

    async def __call__(self) -> "asyncio.Future[None]":
        """Listens from now on: what it gives is done when the client is gone. Raises `Abandoned` if it is already."""
        if self._leaving is None:
            self._leaving = asyncio.ensure_future(self._hear())
            await asyncio.sleep(0)  # it is known by then, if the connection has ended
            if self._leaving.done():
                raise Abandoned
        return self._leaving

    async def _hear(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def end(self) -> None:
        """Listens no more."""
        if self._leaving is not None:
            self._leaving.cancel()
