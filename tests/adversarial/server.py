"""The demo as a process of its own, as `permgate demo` serves it."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app import cli
from tests.processes import FORKING, WAIT_S


@dataclass(frozen=True)
class DemoServer:
    """Where it answers, with which tokens, and what it wrote to its log."""

    url: str
    tokens: dict[str, str]
    log: Path

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def read_accidents(self, since: int) -> list[str]:
        """What the log tells of accidents behind so many bytes of it."""
        with self.log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode("utf-8", "replace").splitlines()
        told = [line for line in lines if "Traceback" in line or '"level": "error"' in line]
        return [line for line in told if "Invalid UTF-8 sequence received from client" not in line]  # uvicorn's word

    @property
    def logged(self) -> int:
        """How long the log is."""
        return self.log.stat().st_size


@contextmanager
def serving_demo(folder: Path) -> Iterator[DemoServer]:
    """Serves until it is left."""
    said, log = folder / "said.json", folder / "log"
    process = FORKING.Process(target=_serve, args=(said, log), daemon=True)
    process.start()
    deadline = time.monotonic() + WAIT_S
    while not said.exists() or not said.read_text().endswith("\n"):
        assert time.monotonic() < deadline and process.is_alive(), log.read_text()
        time.sleep(0.02)
    told = json.loads(said.read_text())
    try:
        yield DemoServer(told["graphql"], told["tokens"], log)
    finally:
        process.terminate()
        process.join(WAIT_S)


def _serve(said: Path, log: Path) -> None:
    for path, descriptor in ((said, 1), (log, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    for name in [name for name in os.environ if name.startswith("PERMGATE_")]:
        del os.environ[name]  # the server that forks was started in the middle of some test
    sys.argv = ["permgate", "demo", "--json", "--port", "0"]
    cli.main()
