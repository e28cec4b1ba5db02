"""Metrics in the words of Prometheus: how many, how long, how far. Labels are closed lists; nobody is named in them.

Of several worker processes each writes its figures to a folder they share (`PROMETHEUS_MULTIPROC_DIR`, which the
command line sets before it starts them), and whoever is asked gives the sum.
"""

import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from time import perf_counter
from typing import Any, ParamSpec, Protocol, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector


class Outcome(Protocol):
    """What came of a step of a sync."""

    @property
    def errors(self) -> Sequence[object]: ...


P = ParamSpec("P")
A = TypeVar("A", bound=Outcome)
Answering = Callable[P, Coroutine[Any, Any, A]]

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LIMITS = {"408": "time", "413": "size", "429": "rate", "503": "capacity"}  # what a status of HTTP says was reached
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # a check, to what is cut off

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, and nobody asks for it
REGISTRY = CollectorRegistry()


class _Before(Collector):
    """Has whoever keeps figures back hand them over, before any are read: it comes first, and has none itself."""

    def __init__(self) -> None:
        self.tells: list[Callable[[], None]] = []

    def collect(self) -> Iterator[Metric]:
        for tell in self.tells:
            tell()
        return iter(())


_before = _Before()
REGISTRY.register(_before)
ProcessCollector(registry=REGISTRY)

REQUESTS = Counter(
    "permgate_requests", "Requests answered, by kind of operation and status", ["kind", "status"], registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "permgate_request_seconds", "Time from a request to the end of its answer", ["kind"], buckets=SECONDS,
    registry=REGISTRY,
)  # fmt: skip
IN_PROGRESS = Gauge(
    "permgate_requests_in_progress", "Requests being answered", multiprocess_mode="livesum", registry=REGISTRY
)
OPEN_SOCKETS = Gauge(
    "permgate_sockets_open", "WebSockets that are open", multiprocess_mode="livesum", registry=REGISTRY
)
OPEN_STREAMS = Gauge(
    "permgate_streams_open", "Subscriptions that are running", multiprocess_mode="livesum", registry=REGISTRY
)
REFUSED = Counter("permgate_refused", "Requests refused by a limit", ["limit"], registry=REGISTRY)
DECISIONS = Counter("permgate_decisions", "Checks answered", ["outcome"], registry=REGISTRY)
DATABASE_WAIT = Histogram(
    "permgate_database_wait_seconds", "Time spent waiting for a connection, or for the turn to write", ["turn"],
    buckets=SECONDS, registry=REGISTRY,
)  # fmt: skip
DATABASE_RETRIES = Counter(
    "permgate_database_retries", "Transactions done anew after the database called them off", registry=REGISTRY
)
REVISION = Gauge("permgate_revision", "Latest revision seen", multiprocess_mode="max", registry=REGISTRY)
SYNC_RUNS = Counter("permgate_sync_runs", "Plans made and applied", ["step", "outcome"], registry=REGISTRY)
DROPPED_LINES = Counter("permgate_log_lines_dropped", "Log lines that nobody took", registry=REGISTRY)


def before_metrics(tell: Callable[[], None]) -> None:
    """Calls something before the metrics of this process are read."""
    _before.tells.append(tell)


def render_metrics() -> tuple[bytes, str]:
    """All metrics, of all workers, and their media type."""
    return generate_latest(find_registry()), CONTENT_TYPE_LATEST


def find_registry() -> CollectorRegistry:
    """What has the metrics of all workers."""
    if SHARED_FOLDER not in os.environ:
        return REGISTRY
    _before.collect()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


@cache
def _find_request(kind: str, status: str) -> tuple[Counter, Histogram]:
    """The figures of requests of a kind with a status: kept, since finding them takes as long as counting."""
    return REQUESTS.labels(kind, status), REQUEST_SECONDS.labels(kind)


@cache
def _find_decisions(outcome: str) -> Counter:
    return DECISIONS.labels(outcome)


def count_request(kind: str, status: str, seconds: float) -> None:
    """Counts a request that was answered. Both labels are of closed lists."""
    requests, times = _find_request(kind, status)
    requests.inc()
    times.observe(seconds)


def count_decisions(*, allowed: int, denied: int) -> None:
    """Counts checks that were answered."""
    if allowed:
        _find_decisions("allowed").inc(allowed)
    if denied:
        _find_decisions("denied").inc(denied)


def count_refusal(status: str) -> None:
    """Counts a request refused by a limit, if the status says so."""
    limit = LIMITS.get(status)
    if limit is not None:
        REFUSED.labels(limit).inc()


def counting_sync(step: str) -> Callable[[Answering[P, A]], Answering[P, A]]:
    """Counts what comes of planning or applying a sync."""

    def decorate(work: Answering[P, A]) -> Answering[P, A]:
        @wraps(work)
        async def do(*given: P.args, **named: P.kwargs) -> A:
            outcome = "failed"
            try:
                answer = await work(*given, **named)
                outcome = "refused" if answer.errors else "done"
                return answer
            finally:
                SYNC_RUNS.labels(step, outcome).inc()

        return do

    return decorate


@contextmanager
def timing_wait(turn: str) -> Iterator[None]:
    """Measures how long something of the database is waited for."""
    begun = perf_counter()
    try:
        yield
    finally:
        DATABASE_WAIT.labels(turn).observe(perf_counter() - begun)
