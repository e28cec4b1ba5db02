"""Metrics on a port of their own, and what several workers need for theirs to be added up."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess

from app.cli.running import Failed
from app.main import UNDECIDED
from app.telemetry.metrics import SHARED_FOLDER, find_registry


@contextmanager
def serving_metrics(host: str, port: int | None) -> Iterator[None]:
    """Answers `/metrics` on a port of its own, in a thread of its own; without a port it does nothing."""
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, find_registry())
    except OSError as error:
        raise Failed(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another PERMGATE_METRICS_PORT"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def sharing_metrics() -> Iterator[None]:
    """A folder in which workers leave their figures for as long as they serve."""
    with tempfile.TemporaryDirectory(prefix="permgate-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder  # workers inherit it, and read it before anything is counted
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]


class Workers(Multiprocess):
    """Worker processes; of one that died, what it said was open is not counted any more.

    Where one of them ended since a commit is undecided (`undecided`), all end: each of them has the file open.
    """

    undecided = False

    def keep_subprocess_alive(self) -> None:
        former = list(self.processes)
        super().keep_subprocess_alive()
        if any(process.exitcode == UNDECIDED for process in former):
            self.undecided = True
            self.should_exit.set()
        for pid in {process.pid for process in former} - {process.pid for process in self.processes}:
            if pid is not None:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
