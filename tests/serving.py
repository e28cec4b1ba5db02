"""`permgate serve` as processes of their own, and a client that spreads its calls over them as a proxy does."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tests.factories import SEEDS

ROOT = Path(__file__).parent.parent
START_S = 60.0  # for a process to answer; under a full load of tests it takes its time
END_S = 60.0
LOOK_S = 0.05  # how often the client looks who is ready
CALL_S = 30.0  # after which a call that was tried again and again has failed


def find_free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Replica:
    """A process that serves. What it writes is in `log`."""

    database: Path
    log: Path
    port: int = field(default_factory=find_free_port)
    arguments: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    under: Sequence[str] = ()  # the command that runs it: a tracer, or one that sets a limit
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PERMGATE_")}
        settings = {
            "PERMGATE_DATABASE_URL": f"sqlite+aiosqlite:///{self.database}", "PERMGATE_SEEDS": str(SEEDS),
            "PERMGATE_DRAIN_SECONDS": "0", **self.environment,
        }  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.under, sys.executable, "-c", "from app.cli import main; main()", "serve",
                 "--port", str(self.port), *self.arguments],
                cwd=ROOT, env={**inherited, **settings}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Until it is ready."""
        deadline = time.monotonic() + START_S
        while True:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()
            try:
                if httpx.get(f"{self.address}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"it does not answer: {self.log.read_text()}"
            time.sleep(0.05)

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self) -> int:
        """How it ended; waits for that."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, END_S)

    def clear(self) -> None:
        """Ends what is left of it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # and the processes that it started
            self.process.wait()


@contextmanager
def serving(*replicas: Replica) -> Iterator[None]:
    """Starts them all, and waits until they are ready."""
    try:
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.wait()
        yield
    finally:
        for replica in replicas:
            replica.clear()


async def until(holds: Callable[[], bool], *, within: float = START_S) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + within
    while True:
        if holds():
            return
        assert time.monotonic() < deadline, "it never holds"
        await asyncio.sleep(LOOK_S / 5)


class Proxy:
    """Calls whoever is ready, in turn; a call that met nobody, or an answer that says so, is made again.

    `failed` are the calls that did not come to a good end all the same.
    """

    def __init__(self, replicas: Sequence[Replica], token: str) -> None:
        self.replicas = replicas
        self.ready = dict.fromkeys(range(len(replicas)), True)
        self.failed: list[str] = []
        self.answered = 0
        self._turn = count()
        self._client = httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=CALL_S)
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            for number, replica in enumerate(self.replicas):
                try:
                    found = await self._client.get(f"{replica.address}/readyz", timeout=5)
                    self.ready[number] = found.status_code == 200
                except httpx.TransportError:
                    self.ready[number] = False
            await asyncio.sleep(LOOK_S)

    async def call(self, document: str, **variables: Any) -> dict[str, Any] | None:
        """The data of an answer; None for a call that failed."""
        deadline = time.monotonic() + CALL_S
        why = "nobody is ready"
        while time.monotonic() < deadline:
            chosen = [number for number, is_ready in self.ready.items() if is_ready]
            if not chosen:
                await asyncio.sleep(LOOK_S)
                continue
            replica = self.replicas[chosen[next(self._turn) % len(chosen)]]
            try:
                response = await self._client.post(
                    f"{replica.address}/graphql", json={"query": document, "variables": variables}
                )
            except httpx.TransportError as error:
                why = repr(error)
                continue
            if response.status_code in {502, 503, 504}:
                why = response.text
                continue
            answer = response.json()
            if response.status_code != 200 or "errors" in answer:
                why = response.text
                break
            self.answered += 1
            data: dict[str, Any] = answer["data"]
            return data
        self.failed.append(why)
        return None

    async def close(self) -> None:
        self._looking.cancel()
        await self._client.aclose()
