"""A client of event streams that shows every byte: events, what stands between them, and how a stream ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.factories import Answer
from tests.sockets import PROMPTLY, QUIET_S

COMPLETE = "event: complete\ndata:"


class Stream:
    """One answer, read piece by piece. A piece is what stands between blank lines."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._bytes = response.aiter_bytes()
        self._waiting = b""

    async def piece(self) -> str:
        """The next piece; empty at the end of the stream."""
        async with asyncio.timeout(PROMPTLY):
            while b"\n\n" not in self._waiting:
                try:
                    self._waiting += await anext(self._bytes)
                except StopAsyncIteration:
                    assert self._waiting == b"", self._waiting
                    return ""
        piece, _, self._waiting = self._waiting.partition(b"\n\n")
        return piece.decode()

    async def next(self) -> Answer:
        """The answer of the next event."""
        name, *more = (await self.piece()).split("\n")
        assert name == "event: next", [name, *more]
        *place, data = more
        assert data.startswith("data: ")
        answer: Answer = json.loads(data.removeprefix("data: "))
        revision = answer.get("extensions", {}).get("revision")
        assert place == ([] if revision is None else [f"id: {revision}"])
        return answer

    async def data(self) -> Answer:
        """The data of the next event, which has no errors."""
        answer = await self.next()
        assert "errors" not in answer, answer
        data: Answer = answer["data"]
        return data

    async def error(self) -> tuple[str, str]:
        """Code and message of the only error with which the stream ends."""
        answer = await self.next()
        assert set(answer) == {"errors"}, answer
        (error,) = answer["errors"]
        assert await self.piece() == COMPLETE
        assert await self.piece() == ""
        return error["extensions"]["code"], error["message"]

    async def quiet(self, seconds: float = QUIET_S) -> None:
        """Asserts that nothing comes."""
        try:
            async with asyncio.timeout(seconds):
                piece = await self.piece()
        except TimeoutError:
            return
        raise AssertionError(piece)


@asynccontextmanager
async def streaming(address: str, token: str, query: str, *, status: int = 200, **more: Any) -> AsyncIterator[Stream]:
    """The stream of a document."""
    sent = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    body = {"query": query, **more}
    async with (
        httpx.AsyncClient(timeout=PROMPTLY, trust_env=False) as client,
        client.stream("POST", f"http://{address}/graphql", json=body, headers=sent) as response,
    ):
        assert response.status_code == status
        yield Stream(response)
