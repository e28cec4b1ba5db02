"""How benchmarks measure: short turns of each, beside each other, and what machine it was on.

Machines that are shared change their speed for seconds at a time. So whatever is compared takes its turn in every
round, and a ratio is the median of those of the rounds, with its quartiles; beside them stands how long a loop that
does nothing took in the same rounds.
"""

import gc
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles
from time import thread_time
from typing import Any

SPIN = 200_000  # turns of the loop that does nothing
PACKAGES = ("strawberry-graphql", "graphql-core", "starlette", "uvicorn", "orjson", "sqlalchemy", "aiosqlite")


def spin() -> float:
    """Nanoseconds that a turn of a loop takes which does nothing."""
    begin = thread_time()
    for _ in range(SPIN):
        pass
    return (thread_time() - begin) / SPIN * 1e9


def take_turns(works: Mapping[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of the processor of each work in each round, in turns whose order is turned round; and the spins."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    spins = []
    gc.collect()
    gc.disable()  # what is compared makes no circles, and a look for some falls upon whoever is at work
    try:
        for turn in range(rounds):
            spins.append(spin())
            for name in list(works) if turn % 2 else reversed(list(works)):
                begin = thread_time()
                works[name]()
                taken[name].append(thread_time() - begin)
    finally:
        gc.enable()
    return taken, spins


def find_ratio(upper: list[float], lower: list[float]) -> list[float]:
    """How many times longer one takes than another, by rounds: lower quartile, median, upper quartile."""
    return spread([one / other for one, other in zip(upper, lower, strict=True)])


def spread(values: Sequence[float]) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return [round_off(value) for value in quantiles(values, n=4)]


def round_off(value: float) -> float:
    """Three digits of a figure."""
    return float(f"{value:.3g}")


def middle(values: list[float], each: float = 1.0) -> float:
    """The median of seconds, in microseconds a piece."""
    return round_off(median(values) / each * 1e6)


def describe_machine(*packages: str) -> dict[str, Any]:
    """The processor, the Python, and the versions of packages that are installed."""
    found: dict[str, str | None] = {}
    for name in (*PACKAGES, *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "cpu MHz"))]
    return {
        "python": sys.version.split()[0], "system": platform.platform(), "processors": models, "packages": found
    }  # fmt: skip
