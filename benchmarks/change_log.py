"""Claim: what the change log takes grows with the people, in a straight line; so what 100 million take can be said.

Over an empty, migrated PostgreSQL, by the writing unit of the gateway itself: people with two and a half assignments
each, ten thousand a revision; then a night in which 1 % of the assignments end and others begin. Measured: bytes of
tables and indexes for each person, of the write-ahead log for a person and a night, and people a second. What is
extrapolated to 100 million is printed as such: it is a multiplication.

    PERMGATE_DATABASE_URL=postgresql+asyncpg://... python -m benchmarks.change_log [--people 20000 100000] [--json]
"""

import argparse
import asyncio
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from app.catalogs.catalog_files import load_catalog
from app.db.unit_of_work import Database
from app.domain.audit import AuditEntry, describe_change
from app.domain.catalog import Catalog
from app.domain.holders import Assignment, Record, Role, User
from app.domain.ids import PREFIX_OF, make_id
from app.domain.world import Change
from app.services.systems import find_catalog_files
from app.settings import find_seeds

AT = datetime(2026, 11, 27, tzinfo=UTC)
A_REVISION = 10_000  # people of one
ROLES = 60
TARGET = 100_000_000
SIZES = """SELECT relname, pg_table_size(oid), pg_indexes_size(oid), reltuples::bigint FROM pg_class
  WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_total_relation_size(oid) DESC"""


def new_id(kind: type) -> Any:
    return make_id(PREFIX_OF[kind], AT, secrets.token_bytes(10))


def make_people(first: int, count: int, roles: list[Role]) -> Iterator[Record]:
    """People and what each is assigned: two roles, and every other one a third."""
    for number in range(first, first + count):
        user = User(
            id=new_id(User), user_name=f"person{number:09}", display_name=f"Person {number}", source="hr",
            email=f"person{number:09}@example.org", external_id=f"e{number:09}",
        )  # fmt: skip
        yield user
        for place in range(2 + number % 2):
            role = roles[(number + place) % ROLES].id
            yield Assignment(id=new_id(Assignment), holder=user.id, role=role, source="hr", created_at=AT)


async def record(database: Database, catalog: Catalog, changes: Iterable[Change]) -> None:
    """One revision of these changes."""
    kept = list(changes)

    def entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=AT, actor="hr", actor_id=None, source="hr", action="applySync", reason=None,
            subjects=(), changes=(), previous_hash=previous,
        )  # fmt: skip

    async with database.writing(catalog, patient=True) as unit:
        await unit.record(kept, entry, told=(describe_change(catalog, change) for change in kept))


async def ask(database: Database, statement: str) -> Any:
    async with database.reading(patient=True) as unit:
        return (await unit.reader.connection.execute(text(statement))).all()


async def measure(people: list[int]) -> list[dict[str, Any]]:
    """What there is after so many people each, and what a night of each takes."""
    database, catalog = Database(os.environ["PERMGATE_DATABASE_URL"]), load_catalog(find_catalog_files(find_seeds()))
    roles = [Role(id=new_id(Role), key=f"role{number}", display_name=f"Role {number}") for number in range(ROLES)]
    await record(database, catalog, (Change(None, role) for role in roles))
    found, made, given = [], 0, []
    for target in sorted(people):
        wal = (await ask(database, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))[0][0]
        begun, before = time.perf_counter(), made
        while made < target:
            records = list(make_people(made, min(A_REVISION, target - made), roles))
            given += [one for one in records if isinstance(one, Assignment)]
            await record(database, catalog, (Change(None, one) for one in records))
            made += min(A_REVISION, target - made)
        took = time.perf_counter() - begun
        loaded = (await ask(database, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))[0][0]
        changed, given = given[: len(given) // 100], given[len(given) // 100 :]
        again = [
            Assignment(id=new_id(Assignment), holder=one.holder, role=one.role, source="hr", created_at=AT)
            for one in changed
        ]
        begun = time.perf_counter()
        exchanged = [*(Change(one, None) for one in changed), *(Change(None, one) for one in again)]
        await record(database, catalog, exchanged)
        night = time.perf_counter() - begun
        given += again
        after = (await ask(database, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))[0][0]
        sizes = [tuple(row) for row in await ask(database, SIZES)]
        found.append({
            "people": target, "seconds": took, "people_a_second": (target - before) / took,
            "table_bytes": sum(row[1] for row in sizes) / target, "index_bytes": sum(row[2] for row in sizes) / target,
            "wal_bytes": float(loaded - wal) / (target - before), "night_seconds": night,
            "night_wal_bytes": float(after - loaded) / target, "night_changes": len(changed) * 2,
            "largest": [(name, (table + index) / target) for name, table, index, _ in sizes[:5]],
        })  # fmt: skip
    await database.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.people))
    if arguments.json:
        print(json.dumps(found))
    for one in found:
        print(
            f"{one['people']:>9} people: {one['people_a_second']:.0f} a second; bytes a person: "
            f"{one['table_bytes']:.0f} tables, {one['index_bytes']:.0f} indexes, {one['wal_bytes']:.0f} log; "
            f"a night of {one['night_changes']} changes: {one['night_seconds']:.1f} s, "
            f"{one['night_wal_bytes']:.1f} bytes of log a person"
        )
        print("          " + ", ".join(f"{name} {size:.0f}" for name, size in one["largest"]))
    last = found[-1]
    total = (last["table_bytes"] + last["index_bytes"]) * TARGET
    print(
        f"extrapolated to {TARGET}: {total / 1e12:.2f} TB ({last['index_bytes'] * TARGET / 1e12:.2f} of it indexes), "
        f"first load {TARGET / last['people_a_second'] / 3600:.0f} h by one writer, "
        f"log of a night {last['night_wal_bytes'] * TARGET / 1e9:.1f} GB"
    )


if __name__ == "__main__":
    main()
