"""Claim: flushing its commit takes less than a fifth of a change, so that committing several at once saves no more.

Group commit would have one flush for what several callers have done. The most that it could save is all flushes: what
is left is what SQLite takes with `synchronous=OFF`, which may lose whatever was acknowledged. Eight callers at
once create people through the services, by turns over a database that flushes every commit, as ours do, and over one
that flushes none. Beside it: how long a flush of one page takes here, without anything around it.

    python -m benchmarks.commits [--rounds 9] [--each 80] [--json]
"""

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import event

from app.domain.callers import Caller
from app.domain.wishes.users import UserAsked
from app.main import open_services
from app.services.context import Services
from app.services.demo import load_demo
from app.services.users import create_user
from app.services.writing import WriteOptions
from app.settings import Settings, find_seeds
from benchmarks.rounds import describe_machine, find_ratio, round_off

REACH = 1.25
AT_ONCE = 8


async def open_world(folder: Path, *, flushes: bool) -> tuple[Services, Caller]:
    """The demo's database, and its owner."""
    path = folder / f"{'full' if flushes else 'off'}.db"
    services = await open_services(Settings(database_url=f"sqlite+aiosqlite:///{path}", seeds=find_seeds()))
    await load_demo(services, find_seeds() / "demo.yaml")
    if not flushes:

        def let_go(connection: Any, *_rest: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.close()

        event.listen(services.database.engine.sync_engine.pool, "checkout", let_go)
    async with services.database.reading(services.catalog) as unit:
        (owner,) = await unit.users.find_by("user_name", ["olga"])
    return services, Caller(user=owner.id, user_name="olga", is_owner=True)


async def change(services: Services, caller: Caller, name: str, each: int) -> float:
    """Seconds that so many changes take, eight of them under way at a time."""
    waiting = iter(range(each))

    async def write_on() -> None:
        for number in waiting:
            asked = UserAsked(user_name=f"{name}-{number}")
            written = await create_user(services, caller, asked, options=WriteOptions())
            assert not written.errors, written.errors

    begun = perf_counter()
    await asyncio.gather(*(write_on() for _ in range(AT_ONCE)))
    return perf_counter() - begun


def flush_alone(folder: Path, times: int = 50) -> float:
    """Seconds that it takes to write a page and have it on the disk."""
    with (folder / "page").open("wb") as file:
        begun = perf_counter()
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        return (perf_counter() - begun) / times


async def measure(rounds: int, each: int) -> dict[str, Any]:
    taken: dict[str, list[float]] = {"full": [], "off": []}
    flushes: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        worlds = {name: await open_world(folder, flushes=name == "full") for name in taken}
        for world in worlds.values():
            await change(*world, "first", each)
        for turn in range(rounds):
            flushes.append(flush_alone(folder))
            for name in list(worlds) if turn % 2 else reversed(list(worlds)):
                taken[name].append(await change(*worlds[name], f"round-{turn}", each) / each)
        for services, _ in worlds.values():
            await services.close()
    return {
        "machine": describe_machine(), "rounds": rounds, "each": each,
        "ms a change": {name: round_off(median(values) * 1000) for name, values in taken.items()},
        "ms a flush alone": round_off(median(flushes) * 1000),
        "ratio": find_ratio(taken["full"], taken["off"]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--each", type=int, default=80)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.rounds, options.each))
    if options.json:
        print(json.dumps(found))
        return
    low, middle, high = found["ratio"]
    print(f"a change: {found['ms a change']['full']} ms flushed, {found['ms a change']['off']} ms not flushed")
    print(f"a flush of one page: {found['ms a flush alone']} ms")
    print(
        f"{middle} times as long (quartiles {low} to {high}); reach {REACH}: {'holds' if middle <= REACH else 'missed'}"
    )


if __name__ == "__main__":
    main()
