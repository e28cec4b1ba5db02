"""Claim: an audit log of 100,000 entries is verified in under 5 s, and a bend in it is named.

Data: entries of one change each, a role given another description, over a file of SQLite. Compared in turns with the
bare driver reading the same rows and hashing their texts once: what any chain of hashes costs at least.

    python -m benchmarks.audit [--entries 100000] [--json]
"""

import argparse
import asyncio
import hashlib
import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from app.domain.audit import AuditEntry, describe_change, name_subjects
from app.domain.holders import Role, RoleId
from app.domain.world import Change
from app.main import open_as_it_is, open_services
from app.services.audit import verify_chain
from app.settings import Settings, find_seeds

TURNS = 3
AT_ONCE = 2000  # entries of one transaction: what is measured is reading them


async def prepare(settings: Settings, entries: int) -> None:
    """A database with so many entries."""
    services = await open_services(settings)
    role = Role(id=RoleId(services.new_id(Role)), key="agent", display_name="Agent")
    change = Change(None, role)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        told = (describe_change(services.catalog, change),)
        return AuditEntry(
            revision=revision, at=services.clock(), actor="benchmark", actor_id=None, source="benchmark",
            action="updateRole", reason=None, subjects=name_subjects(told), changes=told, previous_hash=previous,
        )  # fmt: skip

    for start in range(0, entries, AT_ONCE):
        async with services.database.writing(services.catalog) as unit:
            for number in range(start, min(start + AT_ONCE, entries)):
                await unit.record([change], make_entry)
                assert isinstance(change.after, Role)
                change = Change(change.after, replace(change.after, description=f"version {number}"))
    await services.close()


async def verify(settings: Settings) -> float:
    """Seconds in which the whole log is followed."""
    async with open_as_it_is(settings) as database, database.reading() as unit:
        begin = perf_counter()
        found = await verify_chain(unit)
        taken = perf_counter() - begin
    assert found.ok, found
    return taken


def read_and_hash(path: Path) -> float:
    """Seconds in which the bare driver reads the same rows and hashes each once."""
    with closing(sqlite3.connect(path)) as connection:
        begin = perf_counter()
        for row in connection.execute("SELECT * FROM audit_entries ORDER BY revision"):
            hashlib.sha256("\n".join(map(str, row)).encode()).hexdigest()
        connection.execute("SELECT * FROM audit_subjects").fetchall()
        return perf_counter() - begin


async def find_bend(settings: Settings, path: Path, revision: int) -> int | None:
    """The entry that is named once one in the middle says something else."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE audit_entries SET actor = 'somebody' WHERE revision = ?", (revision,))
        connection.commit()
    async with open_as_it_is(settings) as database, database.reading() as unit:
        return (await verify_chain(unit)).bad


async def measure(entries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "permgate.db"
        settings = Settings(database_url=f"sqlite+aiosqlite:///{path}", seeds=find_seeds())
        await prepare(settings, entries)
        turns = [(await verify(settings), read_and_hash(path)) for _ in range(TURNS)]
        ours, floor = (median(taken) for taken in zip(*turns, strict=True))
        bent = entries // 2
        return {
            "entries": entries,
            "verified in s": round(ours, 2),
            "bare driver s": round(floor, 2),
            "ratio": round(ours / floor, 1),
            "bent entry is named": await find_bend(settings, path, bent) == bent,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.entries))
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<24}{value!s:>12}")


if __name__ == "__main__":
    main()
