"""Claim: a small statement of SQLite takes at most 0.7 of the time that it takes through the driver's own cursors.

The demo's database is opened twice: by the gateway's engine, each statement of which is one visit to the thread of its
connection (`app/db/visits.py`), and by the same engine over SQLAlchemy's own adapter of the driver. In turns, in one
process: one value, a row, and the 44 people, in an open transaction; then a whole reading unit of three statements.
Microseconds a piece are medians of the rounds, and so are the ratios, with their quartiles; by clock and by processor.

    python -m benchmarks.statements [--rounds 40] [--each 200] [--json]
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import aiosqlite
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi

from app.db.tables import UserRow, table_of
from app.db.unit_of_work import Database
from app.main import open_services
from app.services.demo import load_demo
from app.settings import Settings, find_seeds

REACH = 0.7
PEOPLE = table_of(UserRow)
STATEMENTS: dict[str, Select[Any]] = {
    "one value": select(func.max(PEOPLE.c.created_revision)),
    "one row": select(PEOPLE).where(PEOPLE.c.user_name == "cora"),
    "44 rows": select(PEOPLE),
}
UNIT = "a unit of three"


def of_driver() -> AsyncAdapt_aiosqlite_dbapi:
    """What the engine took before, and takes by itself."""
    return AsyncAdapt_aiosqlite_dbapi(aiosqlite, sqlite3)


@asynccontextmanager
async def open_twice() -> AsyncIterator[tuple[Database, Database]]:
    """The demo's database through visits, and through the driver's cursors."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite+aiosqlite:///{folder}/demo.db", seeds=find_seeds())
        services = await open_services(settings)
        await load_demo(services, settings.seeds / "demo.yaml")
        with patch("app.db.engine.VisitingDriver", of_driver):
            stock = Database(settings.database_url)
        try:
            yield services.database, stock
        finally:
            await stock.close()
            await services.close()


async def ask(database: Database, name: str, times: int) -> None:
    """Asks for the same a number of times."""
    if name == UNIT:
        for _ in range(times):
            async with database.reading() as unit:
                for statement in STATEMENTS.values():
                    await unit.reader.rows(statement)
        return
    async with database.reading() as unit:
        for _ in range(times):
            await unit.reader.rows(STATEMENTS[name])


async def time(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = perf_counter(), process_time()
    await work()
    return perf_counter() - clock, process_time() - processor


async def measure(rounds: int, each: int) -> dict[str, dict[str, Any]]:
    """By what is asked: microseconds through visits and through cursors, and the ratios."""
    found = {}
    async with open_twice() as (ours, stock):
        for name in (*STATEMENTS, UNIT):
            pairs = []
            for turn in range(rounds):
                taken = {}
                for database in (ours, stock) if turn % 2 else (stock, ours):
                    taken[database] = await time(lambda name=name, database=database: ask(database, name, each))
                pairs.append((taken[ours], taken[stock]))
            del pairs[:2]  # the statements were compiled
            found[name] = {
                "visits_us": round(median(mine[0] for mine, _ in pairs) / each * 1e6, 1),
                "cursors_us": round(median(theirs[0] for _, theirs in pairs) / each * 1e6, 1),
                "clock": spread([mine[0] / theirs[0] for mine, theirs in pairs]),
                "processor": spread([mine[1] / theirs[1] for mine, theirs in pairs]),
            }
    return found


def spread(ratios: list[float]) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return [round(ratio, 3) for ratio in quantiles(ratios, n=4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = asyncio.run(measure(chosen.rounds, chosen.each))
    holds = found["one value"]["clock"][1] <= REACH
    if chosen.json:
        print(json.dumps({"statements": found, "holds": holds}))
        return
    for name, one in found.items():
        low, middle, high = one["clock"]
        print(
            f"{name:16} {one['visits_us']:8.1f} us by visits {one['cursors_us']:8.1f} us by cursors   "
            f"ratio {middle:.2f} ({low:.2f} to {high:.2f}), of the processor {one['processor'][1]:.2f}"
        )
    print("holds" if holds else f"does not hold: one value takes more than {REACH} of the time")


if __name__ == "__main__":
    main()
