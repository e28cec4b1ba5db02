"""Claim: a nightly sync of 100,000 people is a matter of seconds, and nobody who asks meanwhile waits for it.

On two cores with SQLite: a first load of 100,000 people with 250,000 assignments planned and applied in under 30 s, the
same feed again planned as nothing to do in under 5 s, 1 % changed planned and applied in under 6 s, the server below 1
GiB, and p99 of `check` during the apply at most 5 times that of an idle server, all in one run. Data: 50 contracts, 60
roles of 25 rights each, 200 teams; each person has one of the five jobs of a team, which is a role everywhere and one
or two in the contract of the team; 3 % have a role beside. Somebody asks one check after another meanwhile. Compared
with the same rows inserted by the bare driver into tables with the same indexes.

    python -m benchmarks.sync [--people 100000] [--json]
"""

import argparse
import asyncio
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from app.domain.audit import AuditEntry, describe_change
from app.domain.callers import Right
from app.domain.catalog import Polarity
from app.domain.holders import (
    Assignment,
    Ceiling,
    Contract,
    Grant,
    Record,
    Role,
    Team,
    User,
    UserKind,
)
from app.domain.values import Switch
from app.domain.world import Change
from app.main import open_services
from app.services.callers import issue_token
from app.services.context import Services
from app.settings import Settings, find_seeds

CONTRACTS, ROLES, TEAMS, JOBS = 50, 60, 200, 40
JOBS_OF_A_TEAM = 5
PAUSE_S = 0.02  # between one check and the next
ODD = 0.03  # of the people have a role beside their job
RIGHTS_OF_A_ROLE = 25
APPLY = """mutation ($plan: ID!, $fingerprint: String!) {
  applySync(input: {plan: $plan, fingerprint: $fingerprint, overrideBrake: true, reason: "benchmark"}) {
    run { status } errors { code message } } }"""
CHECK = """query ($user: String!, $node: String!) {
  check(input: {user: {userName: $user}, node: $node}) { allowed } }"""


# ---------------------------------------------------------------------- the world


def make_records(services: Services, now: datetime, rnd: random.Random) -> list[Record]:
    """The contracts, roles and teams, and a service account that may give all of it."""

    def row(kind: type) -> dict[str, Any]:
        return {"id": services.new_id(kind), "actor": "benchmark", "created_at": now}

    given = [
        node
        for node in services.catalog.permissions
        if node.system not in {"gateway", "core"} and node.polarity is Polarity.PERMISSION and not node.rules
    ]
    olga = User(id=services.new_id(User), user_name="olga", display_name="Olga", is_owner=True)  # type: ignore[arg-type]
    contracts = [
        Contract(
            id=services.new_id(Contract), number=f"C-{number}", name=f"Contract {number}", owner=olga.id,  # type: ignore[arg-type]
            products=frozenset({"core", "telephony"}),
        )
        for number in range(CONTRACTS)
    ]  # fmt: skip
    roles = [Role(id=services.new_id(Role), key=f"role.{n}", display_name=f"Role {n}") for n in range(ROLES)]  # type: ignore[arg-type]
    teams = [Team(id=services.new_id(Team), key=f"team.{n}", display_name=f"Team {n}") for n in range(TEAMS)]  # type: ignore[arg-type]
    ceiling = Ceiling(roles=frozenset(role.id for role in roles))
    bot = User(
        id=services.new_id(User), user_name="bot", display_name="Bot", kind=UserKind.SERVICE, ceiling=ceiling,  # type: ignore[arg-type]
    )  # fmt: skip
    ana = User(id=services.new_id(User), user_name="ana", display_name="Ana")  # type: ignore[arg-type]
    records: list[Record] = [olga, *contracts, *roles, *teams, bot, ana]
    records.append(Assignment(**row(Assignment), holder=ana.id, role=roles[0].id))
    for role in roles:
        for node in rnd.sample(given, RIGHTS_OF_A_ROLE):
            records.append(Grant(**row(Grant), holder=role.id, node=node.key, value=node.value_type.top))
        records.append(Assignment(**row(Assignment), holder=bot.id, role=role.id))
    records += [Assignment(**row(Assignment), holder=team.id, role=rnd.choice(roles).id) for team in teams]
    records += [Grant(**row(Grant), holder=bot.id, node=right.value, value=Switch(True)) for right in Right]
    return records


async def prepare(path: Path) -> tuple[str, str, str]:
    """A database with that world; the tokens of the service account and of `ana`, and a right that she has."""
    services = await open_services(Settings(database_url=f"sqlite+aiosqlite:///{path}", seeds=find_seeds()))
    now = services.clock()
    changes = [Change(None, record) for record in make_records(services, now, random.Random(7))]

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=now, actor="benchmark", actor_id=None, source="benchmark", action="load", reason=None,
            subjects=(), changes=(), previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        await unit.record(changes, make_entry, told=(describe_change(services.catalog, one) for one in changes))
    tokens = [
        (await issue_token(services, "benchmark", user, label="benchmark", expires_at=None))[1]
        for user in ("bot", "ana")
    ]
    held = next(one.record.node for one in changes if isinstance(one.record, Grant))
    await services.close()
    return tokens[0], tokens[1], held


def make_jobs() -> list[list[tuple[str, list[str]]]]:
    """What people do in each team: a few jobs, each a role everywhere and one or two in the contract of the team."""
    rnd = random.Random(3)
    jobs = [
        (f"role.{rnd.randrange(ROLES)}", [f"role.{rnd.randrange(ROLES)}" for _ in range(rnd.choice([1, 2]))])
        for _ in range(JOBS)
    ]
    return [rnd.sample(jobs, JOBS_OF_A_TEAM) for _ in range(TEAMS)]


def make_person(jobs: list[list[tuple[str, list[str]]]], number: int, night: int) -> dict[str, Any]:
    """One person as the feed of a night has them: somebody with a job; a few have a role of their own as well."""
    rnd = random.Random(number * 1000 + night)
    team = rnd.randrange(TEAMS)
    everywhere, inside = rnd.choice(jobs[team])
    if rnd.random() < ODD:
        inside = [*inside, f"role.{rnd.randrange(ROLES)}"]
    return {
        "externalId": f"e{number}", "userName": f"user.{number}", "displayName": f"Person {number}",
        "email": f"user.{number}@example.org",
        "roles": [everywhere, *({"role": role, "contract": f"C-{team % CONTRACTS}"} for role in inside)],
    }  # fmt: skip


def write_feed(path: Path, people: int, *, changed: int) -> Path:
    """A feed of so many people, every so-many-th of whom is not as on the first night."""
    jobs = make_jobs()
    with path.open("w") as file:
        for number in range(people):
            night = 1 if changed and number % changed == 0 else 0
            file.write(json.dumps(make_person(jobs, number, night)) + "\n")
    return path


# ---------------------------------------------------------------------- the server


@contextmanager
def serving(path: Path) -> Iterator[tuple[str, int]]:
    """The gateway over a database in a process of its own: its address, and the id of the process."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PERMGATE_DATABASE_URL": f"sqlite+aiosqlite:///{path}"}
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(200):
                try:
                    if httpx.get(f"{address}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield address, process.pid
        finally:
            process.terminate()


def read_peak_memory(process: int) -> int:
    """The most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024


# ---------------------------------------------------------------------- what is measured


class Checks:
    """One who asks one check after another, and how long each took."""

    def __init__(self, client: httpx.AsyncClient, token: str, node: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}
        self.node = node
        self.taken: list[float] = []

    async def ask(self) -> None:
        begin = time.perf_counter()
        variables = {"user": "ana", "node": self.node}
        asked = {"query": CHECK, "variables": variables}
        answer = await self.client.post("/graphql", json=asked, headers=self.headers)
        assert answer.json()["data"]["check"]["allowed"] is True, answer.text
        self.taken.append(time.perf_counter() - begin)

    async def go_on(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(PAUSE_S)

    def p99_ms(self) -> float:
        return sorted(self.taken)[int(len(self.taken) * 0.99)] * 1000


async def plan(client: httpx.AsyncClient, feed: Path) -> tuple[float, Mapping[str, Any]]:
    """Seconds, and the run."""
    begin = time.perf_counter()
    with feed.open("rb") as file:
        parts = iter(lambda: file.read(1 << 20), b"")

        async def read() -> Any:
            for part in parts:
                yield part

        answer = await client.post("/sync/hr", content=read(), headers={"Content-Type": "application/x-ndjson"})
    content = answer.json()
    if not content["run"] or content["errors"]:
        raise SystemExit(f"the plan was refused: {content}")
    return time.perf_counter() - begin, content["run"]


async def apply(client: httpx.AsyncClient, run: Mapping[str, Any]) -> float:
    begin = time.perf_counter()
    variables = {"plan": run["id"], "fingerprint": run["fingerprint"]}
    answer = (await client.post("/graphql", json={"query": APPLY, "variables": variables})).json()
    if answer["data"]["applySync"]["run"]["status"] != "APPLIED":
        raise SystemExit(f"the plan was not applied: {answer}")
    return time.perf_counter() - begin


async def measure(people: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "permgate.db"
        token, of_ana, node = await prepare(path)
        first = write_feed(Path(folder) / "first.jsonl", people, changed=0)
        changed = write_feed(Path(folder) / "changed.jsonl", people, changed=100)
        with serving(path) as (address, process):
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=address, headers=headers, timeout=3600) as client:
                checks = [Checks(client, of_ana, node) for _ in range(2)]
                return await _measure(client, process, path, people, (first, changed), checks)


async def _measure(
    client: httpx.AsyncClient, process: int, path: Path, people: int, feeds: tuple[Path, Path], checks: list[Checks]
) -> dict[str, Any]:
    first, changed = feeds
    idle, during = checks
    for _ in range(50):
        await idle.ask()
    idle.taken.clear()
    for _ in range(500):
        await idle.ask()
        await asyncio.sleep(PAUSE_S)
    first_plan, run = await plan(client, first)
    asking = asyncio.create_task(during.go_on())
    first_apply = await apply(client, run)
    asking.cancel()
    again, nothing = await plan(client, first)
    assert not any(nothing[count] for count in ("creates", "updates", "removes", "suspends")), nothing
    changed_plan, run = await plan(client, changed)
    changed_apply = await apply(client, run)
    floor = insert_by_the_bare_driver(path, path.with_name("floor.db"))
    return {
        "people": people,
        "first load, plan s": round(first_plan, 2),
        "first load, apply s": round(first_apply, 2),
        "first load s": round(first_plan + first_apply, 2),
        "same again, plan s": round(again, 2),
        "1 % changed s": round(changed_plan + changed_apply, 2),
        "server MiB": read_peak_memory(process),
        "check p99 idle ms": round(idle.p99_ms(), 1),
        "check p99 during apply ms": round(during.p99_ms(), 1),
        "check p99 ratio": round(during.p99_ms() / idle.p99_ms(), 2),
        "checks during apply": len(during.taken),
        "bare driver s": round(floor, 2),
        "apply to bare driver": round(first_apply / floor, 2),
    }


def insert_by_the_bare_driver(path: Path, into: Path) -> float:
    """Seconds in which the same people and assignments are inserted by `sqlite3`, indexes and all."""
    tables = ("identities", "users", "assignments")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(into)) as target:
        target.execute("PRAGMA journal_mode=WAL")
        target.execute("PRAGMA synchronous=FULL")
        listed = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC"
        rows = {}
        for table in tables:
            for (statement,) in source.execute(listed, (table,)):
                target.execute(statement)
            rows[table] = source.execute(f"SELECT * FROM {table}").fetchall()
        begin = time.perf_counter()
        target.execute("BEGIN")
        for table, found in rows.items():
            marks = ", ".join("?" * len(found[0]))
            target.executemany(f"INSERT INTO {table} VALUES ({marks})", found)
        target.execute("COMMIT")
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.people))
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<28}{value:>12}")


if __name__ == "__main__":
    main()
