"""Claims about the engine alone, in process, with our own catalog (`worlds.py` says who is in it):

- at 100,000 people a check (random person, permission, level) takes under 1 microsecond, and listing all levels of a
  person with their keys under 50; at least 100 times faster than pycasbin's FastEnforcer, 10 times than regorus;
- both are flat within 1.5 times from 10,000 to 1,000,000 people;
- the index takes under 30 MB for 100,000 people, and is there for 1,000,000 in under 10 s from the database;
- a changed role that all 100,000 people have is answered by under 50 ms after the commit, and who asks never waits;
- a denied check is explained in under 2 ms;
- the first 100 holders of a right and their exact count at 1,000,000 people take under 50 ms.

Checks and lists are measured when everything was asked about once before; how long the first time takes stands beside
them. What is compared takes turns (`rounds.py`). Memory is the growth of the resident set of a fresh process, and what
`tracemalloc` counts in another. Peers are no dependencies: see `engines.py`.

    python -m benchmarks.engine [--quick] [--json FILE] [--folder FOLDER] [--only check,start,...]

`--quick`: at most 10,000 people, under a minute. `--folder`: where databases are kept for the next time.
"""

import argparse
import asyncio
import gc
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from app.domain.audit import AuditEntry, describe_change, name_subjects
from app.domain.catalog import Permission
from app.domain.compiled import NOTHING, Holding, Program
from app.domain.holders import Assignment, Grant, Role, RoleId, RowId
from app.domain.paging import Slice
from app.domain.references import Ref
from app.domain.rights import Evaluation
from app.domain.values import Level
from app.domain.world import Change
from app.main import create_app, open_services, settle_memory
from app.services.access import CheckAsked, answer_many, explain_to
from app.services.callers import issue_token
from app.services.context import Services
from app.services.index import RightsIndex
from benchmarks.engines import ENGINES, Engine, Given
from benchmarks.rounds import describe_machine, find_ratio, middle, round_off, spread, take_turns
from benchmarks.worlds import MOMENT, make_ids_of, plant_world, settings_of

ASKED, LISTED = 20_000, 2_000  # questions of a turn
ROUNDS = 15
EVERYBODY = "role.everybody"  # that all people have, in the world in which it is changed
EXPLAIN = """query ($user: ID!, $node: String!) { check(input: {user: {id: $user}, node: $node}) {
  allowed explanation { complete steps { rule outcome detail } wouldAllow { __typename } } } }"""
Figures = dict[str, Any]


@dataclass(frozen=True)
class Options:
    quick: bool
    folder: Path

    @property
    def people(self) -> int:
        return 10_000 if self.quick else 100_000

    @property
    def most(self) -> int:
        return 10_000 if self.quick else 1_000_000

    @property
    def sizes(self) -> tuple[int, ...]:
        return (1_000, 10_000) if self.quick else (10_000, 100_000, 1_000_000)

    @property
    def rounds(self) -> int:
        return 5 if self.quick else ROUNDS


async def find_world(options: Options, people: int) -> Path:
    """The database with so many people, made if it is not there."""
    path = options.folder / f"{people}.db"
    if not path.exists():
        await plant_world(path.with_suffix(".making"), people)
        path.with_suffix(".making").rename(path)
    return path


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Services]:
    """Services with an index over a database."""
    services = await open_services(settings_of(path))
    try:
        await services.index.start()
        settle_memory()  # as a gateway does that serves
        yield services
    finally:
        gc.unfreeze()
        await services.close()


def current(services: Services) -> RightsIndex:
    index = services.index.current()
    assert index is not None
    return index


# ---------------------------------------------------------------------- checks and lists


def draw_questions(index: RightsIndex, count: int, seed: int = 1) -> list[tuple[str, int, int]]:
    """So many random questions: person, number of a permission, rank."""
    rnd = random.Random(seed)
    people, numbers = list(index.people.packed.ids), range(len(index.program.types))
    return [(rnd.choice(people), rnd.choice(numbers), rnd.choice((1, 1, 2))) for _ in range(count)]


def ask_all(index: RightsIndex, questions: Sequence[tuple[str, int, int]], now: datetime) -> Callable[[], int]:
    """What asks every question, one after another, and counts the yeses."""

    def ask() -> int:
        allows, found = index.allows, 0
        for user, number, rank in questions:
            found += allows(user, number, now, None, rank)
        return found

    return ask


def touch_all(questions: Sequence[tuple[str, int, int]]) -> Callable[[], int]:
    """What asks nothing, but has to find every question in memory, as whoever asks it has."""

    def touch(user: str, _number: int, _now: object, _contract: object, rank: int) -> bool:
        return hash(user) == rank

    def ask() -> int:
        found = 0
        for user, number, rank in questions:
            found += touch(user, number, None, None, rank)
        return found

    return ask


def ask_bare(index: RightsIndex, questions: Sequence[tuple[str, int, int]]) -> Callable[[], int]:
    """What asks a plain dictionary of everybody's levels the same, which is as fast as any answer in Python may be."""
    kinds = index.kinds(None)
    levels = {user: kinds.asked[user] for user in index.people.packed.ids}

    def look(user: str, number: int, _now: object, _contract: object, rank: int) -> bool:
        return levels[user][number] >= rank

    def ask() -> int:
        found = 0
        for user, number, rank in questions:
            found += look(user, number, None, None, rank)
        return found

    return ask


def list_all(index: RightsIndex, people: Sequence[str], now: datetime) -> Callable[[], int]:
    """What lists the levels of each person with their keys, and counts them."""
    keys = [permission.key for permission in index.catalog.permissions]

    def ask() -> int:
        found = 0
        for user in people:
            levels = index.levels(user, now)
            found += len([(key, level) for key, level in zip(keys, levels, strict=True) if level])
        return found

    return ask


def count_spins(spins: Sequence[float]) -> list[float]:
    """Nanoseconds of a turn of the loop that does nothing: lower quartile, median, upper quartile."""
    return spread(list(spins))


async def measure_checks(options: Options) -> Figures:
    """A check and a list at each size, in turns."""
    found: Figures = {}
    indexes: dict[int, RightsIndex] = {}
    opening = [await open_world(options, size) for size in options.sizes]
    try:
        works: dict[str, Callable[[], Any]] = {}
        now = datetime.now(UTC)
        for size, services in zip(options.sizes, opening, strict=True):
            index = indexes[size] = current(services)
            questions = draw_questions(index, ASKED)
            people = [user for user, _, _ in questions[:LISTED]]
            begin = time.perf_counter()
            for user in index.people.packed.ids:
                index.levels(user, now)
            found[f"first time of everybody, {size:,} people, s"] = round_off(time.perf_counter() - begin)
            found[f"profiles, {size:,} people"] = len(index.people.packed.profiles)
            works[f"check {size}"] = ask_all(index, questions, now)
            works[f"touch {size}"] = touch_all(questions)
            works[f"bare {size}"] = ask_bare(index, questions)
            works[f"list {size}"] = list_all(index, people, now)
            works[f"again {size}"] = ask_all(index, questions[:200] * (ASKED // 200), now)
        taken, spins = take_turns(works, options.rounds)
    finally:
        for services in opening:
            await services.close()
    found["a turn of an empty loop, ns"] = count_spins(spins)
    for size in options.sizes:
        found[f"check, {size:,} people, us"] = spread([one / ASKED * 1e6 for one in taken[f"check {size}"]])
        found[f"a bare dictionary of levels, {size:,} people, us"] = middle(taken[f"bare {size}"], ASKED)
        found[f"check to that, {size:,} people"] = find_ratio(taken[f"check {size}"], taken[f"bare {size}"])
        found[f"of it finding the questions, {size:,} people, us"] = middle(taken[f"touch {size}"], ASKED)
        asked = zip(taken[f"check {size}"], taken[f"touch {size}"], strict=True)
        found[f"check without that, {size:,} people, us"] = spread([(a - b) / ASKED * 1e6 for a, b in asked])
        found[f"check, the same 200 questions, {size:,} people, us"] = middle(taken[f"again {size}"], ASKED)
        found[f"list all, {size:,} people, us"] = spread([one / LISTED * 1e6 for one in taken[f"list {size}"]])
    least, most = options.sizes[0], options.sizes[-1]
    for name in ("check", "bare", "list", "again"):
        found[f"{name}: {most:,} people to {least:,}"] = find_ratio(taken[f"{name} {most}"], taken[f"{name} {least}"])
    return found


async def open_world(options: Options, people: int) -> Services:
    services = await open_services(settings_of(await find_world(options, people)))
    await services.index.start()
    return services


# ---------------------------------------------------------------------- peers


async def measure_peers(options: Options) -> Figures:
    """A check beside other engines, over the same people, asked about rights that need no other."""
    found: Figures = {}
    async with opened(await find_world(options, options.people)) as services:
        index, now = current(services), datetime.now(UTC)
        roles_of, given = await tell_engines(services)
        free = [n for n, permission in enumerate(index.catalog.permissions) if not permission.rules]
        rnd = random.Random(3)
        people = [user for user in index.people.packed.ids if user in roles_of]
        questions = [(rnd.choice(people), rnd.choice(free), rnd.choice((1, 1, 2))) for _ in range(ASKED)]
        for user, number, rank in questions:
            index.allows(user, number, now, None, rank)
        few = questions[: 20 if options.quick else 200]
        works: dict[str, Callable[[], Any]] = {"ours": ask_all(index, few * (ASKED // len(few)), now)}
        for name, open_peer in ENGINES.items():
            begin = time.perf_counter()
            try:
                peer = open_peer(roles_of, given)
            except ImportError:
                found[name] = "is not installed"
                continue
            found[f"{name}: loaded in s"] = round_off(time.perf_counter() - begin)
            wrong = [one for one in few if peer(*one) != index.allows(one[0], one[1], now, None, one[2])]
            if wrong:
                raise SystemExit(f"{name} answers otherwise: {wrong[:3]}")
            works[name] = ask_peer(peer, few)
        taken, _ = take_turns(works, options.rounds)
        ours = [one / ASKED for one in taken["ours"]]
        found["ours, us"] = middle(ours)
        found["yeses"] = sum(index.allows(user, number, now, None, rank) for user, number, rank in few) / len(few)
        for name in works:
            if name != "ours":
                theirs = [one / len(few) for one in taken[name]]
                found[f"{name}, us"] = middle(theirs)
                found[f"{name}: times ours"] = find_ratio(theirs, ours)
    return found


def ask_peer(peer: Engine, questions: Sequence[tuple[str, int, int]]) -> Callable[[], int]:
    return lambda: sum(peer(*one) for one in questions)


async def tell_engines(services: Services) -> tuple[Mapping[str, Sequence[str]], Given]:
    """The roles of people, those of their teams included, and what each role or person is given, in no contract."""
    async with services.database.reading(services.catalog) as unit:
        world = await unit.worlds.join_people(await unit.worlds.load_directory(), None)
    program, catalog = services.program, services.catalog
    evaluation = Evaluation(program, world, contract=None, at=datetime.now(UTC))
    given = {str(role): rank_holding(program, evaluation.value_of_role(role)) for role in world.roles}
    roles_of: dict[str, Sequence[str]] = {}
    for user in world.users.values():
        if user.is_owner:
            continue
        rows = world.rows_of(user.id)
        assigned = list(rows.assignments)
        for membership in rows.memberships:
            assigned += world.rows_of(membership.team).assignments
        roles_of[user.id] = sorted({row.role for row in assigned})
        own = NOTHING
        for grant in rows.grants:
            own = program.join(own, program.encode(catalog.number_of[grant.node], grant.value))
        if rows.grants:
            given[user.id] = rank_holding(program, program.close(own))
    return roles_of, given


def rank_holding(program: Program, held: Holding) -> Mapping[int, int]:
    """Of each permission that is held the rank, as `Program.rank` counts."""
    numbers = (number for number in range(len(program.types)) if program.holds_any(held, number))
    values = ((number, program.value(held, number)) for number in numbers)
    return {number: value.rank if isinstance(value, Level) else 1 for number, value in values}


# ---------------------------------------------------------------------- memory and start


def measure_starts(options: Options) -> Figures:
    """What a fresh process needs for its index: memory and time."""
    found: Figures = {}
    for size in options.sizes:
        path = asyncio.run(find_world(options, size))
        runs = [in_child("start", path) for _ in range(1 if size > 100_000 or options.quick else 3)]
        for name in runs[0]:
            found[f"{name}, {size:,} people"] = round_off(median(run[name] for run in runs))
        in_child("resume", path)  # which leaves the snapshot that the next one starts from
        found |= {f"{name}, {size:,} people": value for name, value in in_child("resume", path).items()}
    counted = in_child("count", asyncio.run(find_world(options, options.people)))
    found.update({f"{name}, {options.people:,} people": value for name, value in counted.items()})
    return found


def in_child(work: str, path: Path) -> Mapping[str, float]:
    """What a fresh process finds."""
    command = [sys.executable, "-m", "benchmarks.engine", "--child", work, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: Mapping[str, float] = json.loads(output.splitlines()[-1])
    return found


async def start_once(path: Path) -> Figures:
    """Seconds until the first answer, and the growth of the resident set, in this process."""
    begin = time.perf_counter()
    services = await open_services(settings_of(path))
    opened_at = time.perf_counter()
    gc.collect()
    before = read_resident()
    building, worked = time.perf_counter(), time.process_time()
    await services.index.start()
    built, used = time.perf_counter(), time.process_time() - worked
    index, now = current(services), datetime.now(UTC)
    (question,) = draw_questions(index, 1)
    first = time.perf_counter()
    index.allows(question[0], question[1], now)
    answered = time.perf_counter()
    gc.collect()
    grown = read_resident() - before
    for user in index.people.packed.ids:
        index.levels(user, now)
    gc.collect()
    known = read_resident() - before
    await services.close()
    return {
        "index built in s": built - building, "of the processor s": used, "opened and built in s": built - begin,
        "opened in s": opened_at - begin, "first answer ms": (answered - first) * 1000, "resident MB": grown,
        "resident MB, levels of everybody asked": known, "peak MB": read_peak(),
    }  # fmt: skip


async def resume_once(path: Path) -> Figures:
    """Seconds until there is an index, from a snapshot if there is one; there is one afterwards."""
    services = await open_services(settings_of(path))
    services.index.snapshot = path.with_suffix(".snapshot")
    begin = time.perf_counter()
    await services.index.start()
    built = time.perf_counter() - begin
    current(services)
    await services.close()
    return {"index from a snapshot in s": round_off(built)}


async def count_once(path: Path) -> Figures:
    """What `tracemalloc` counts of an index, and of the levels of everybody."""
    services = await open_services(settings_of(path))
    gc.collect()
    tracemalloc.start()
    await services.index.start()
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    index, now = current(services), datetime.now(UTC)
    for user in index.people.packed.ids:
        index.levels(user, now)
    gc.collect()
    known, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await services.close()
    return {"counted MB": round_off(grown / 1e6), "counted MB, levels of everybody asked": round_off(known / 1e6)}


def read_resident() -> float:
    """Megabytes of this process that are in memory."""
    return _read_status("VmRSS")


def read_peak() -> float:
    return _read_status("VmHWM")


def _read_status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return round_off(int(next(line.split()[1] for line in lines if line.startswith(name))) / 1000)


# ---------------------------------------------------------------------- a role changes


async def measure_change(options: Options) -> Figures:
    """A right is put into a role that everybody has, and taken out again, while somebody keeps asking."""
    path = options.folder / f"{options.people}.changed.db"
    path.unlink(missing_ok=True)
    path.write_bytes((await find_world(options, options.people)).read_bytes())
    services = await open_services(settings_of(path))
    role = await give_everybody_a_role(services, path)
    await services.index.start()
    try:
        index = current(services)
        number = next(
            n for n, one in enumerate(index.catalog.permissions) if one.system == "maxcontact" and not one.rules
        )
        node = index.catalog.permissions[number]
        people = list(index.people.packed.ids)[: options.people // 2]
        lacking = [user for user in people if not index.allows(user, number, datetime.now(UTC))]
        grant: Grant | None = None
        commits, visible, works, firsts = [], [], [], []
        with Asking(index, people, number) as asking:
            pauses: list[float] = []
            watching = asyncio.create_task(watch_loop(pauses))
            await asyncio.sleep(0.1)
            pauses.clear()
            for turn in range(2 * options.rounds):
                before, grant = grant, None if grant is not None else make_grant(services, role, node)
                change = Change(before, grant)
                begin = time.perf_counter()
                await commit(services, change)
                committed, worked = time.perf_counter(), time.process_time()
                following = await wait_for_index(services)
                there = time.perf_counter()
                assert following.allows(lacking[turn], number, datetime.now(UTC)) is (turn % 2 == 0)
                answered = time.perf_counter()
                commits.append((committed - begin) * 1000)
                visible.append((answered - committed) * 1000)
                works.append((time.process_time() - worked) * 1000)
                firsts.append((answered - there) * 1000)
                await asyncio.sleep(0.05)
            watching.cancel()
        return {
            "commit, ms": spread(commits),
            "from commit to the new answer, ms": spread(visible),
            "the same, at best and at worst": [round_off(min(visible)), round_off(max(visible))],
            "meanwhile of the processor, ms": spread(works),
            "of it the first answer, ms": spread(firsts),
            "a reader of the former index in a thread: longest answer, ms": round_off(asking.longest * 1000),
            "its questions meanwhile": asking.asked,
            "the event loop: longest pause, ms": round_off(max(pauses) * 1000),
        }
    finally:
        gc.unfreeze()
        await services.close()
        path.unlink()


def make_grant(services: Services, role: RoleId, node: Permission) -> Grant:
    return Grant(
        id=RowId(services.new_id(Grant)), holder=role, node=node.key, value=node.value_type.top, actor="benchmark",
        created_at=MOMENT,
    )  # fmt: skip


async def give_everybody_a_role(services: Services, path: Path) -> RoleId:
    """Writes a role that all people have, by the bare driver."""
    role = Role(id=RoleId(services.new_id(Role)), key=EVERYBODY, display_name="Everybody")
    await commit(services, Change(None, role))
    ids = make_ids_of(random.Random(5))
    with closing(sqlite3.connect(path)) as connection:
        revision = connection.execute("SELECT max(revision) FROM audit_entries").fetchone()[0]
        people = connection.execute("SELECT id FROM users WHERE user_name LIKE 'user.%'").fetchall()
        connection.executemany(
            "INSERT INTO assignments (id, holder, role, source, actor, created_at, created_revision) "
            "VALUES (?, ?, ?, 'hr', 'hr', '2026-01-01 00:00:00.000000', ?)",
            [(ids(Assignment), user, role.id, revision) for (user,) in people],
        )
        connection.commit()
    return role.id


async def commit(services: Services, change: Change) -> None:
    """Writes one change under an entry that names what it is about."""
    told = describe_change(services.catalog, change)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=services.clock(), actor="benchmark", actor_id=None, source="benchmark",
            action="grantPermissions", reason=None, subjects=name_subjects((told,)), changes=(told,),
            previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        await unit.record([change], make_entry)


class Asking:
    """A thread that asks an index one question after another, and how long the longest took."""

    def __init__(self, index: RightsIndex, people: Sequence[str], number: int) -> None:
        self.longest, self.asked = 0.0, 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(index, people, number))

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _ask(self, index: RightsIndex, people: Sequence[str], number: int) -> None:
        while not self._ending.is_set():
            begin = time.perf_counter()
            index.allows(people[self.asked % len(people)], number, MOMENT)
            self.longest = max(self.longest, time.perf_counter() - begin)
            self.asked += 1
            time.sleep(0.0005)  # or half of the interpreter would be its own


async def wait_for_index(services: Services) -> RightsIndex:
    """The index of the latest revision, a millisecond after it is there at the latest."""
    while True:
        index = services.index.current()
        if index is not None:
            return index
        await asyncio.sleep(0.001)


async def watch_loop(pauses: list[float]) -> None:
    """Notes how much later than it should the loop comes back."""
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(0.001)
        pauses.append(time.perf_counter() - begin - 0.001)


# ---------------------------------------------------------------------- explanations


async def measure_explanations(options: Options) -> Figures:
    """Why somebody may not, and what would change it: by the services and over GraphQL, in process."""
    path = await find_world(options, options.people)
    async with opened(path) as services:
        index, now = current(services), datetime.now(UTC)
        questions = [one for one in draw_questions(index, 2000) if not index.allows(one[0], one[1], now)]
        questions = questions[: 30 if options.quick else 300]
        permissions = index.catalog.permissions
        alone, whole = [], []
        async with services.reading() as reading:
            for user, number, _ in questions:
                asked = CheckAsked(user=Ref("id", user), node=permissions[number].key)
                begin = time.perf_counter()
                (answer,) = await answer_many(reading, [asked])
                decided = time.thread_time()
                await explain_to(reading, answer.decision)
                alone.append((time.thread_time() - decided) * 1000)
                whole.append((time.perf_counter() - begin) * 1000)
                assert not answer.decision.allowed
        _, token = await issue_token(services, "benchmark", "olga", label="benchmark", expires_at=None)
        transport = httpx.ASGITransport(app=create_app(services, settings_of(path)))
        over = []
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            client.headers["authorization"] = f"Bearer {token}"
            for user, number, _ in questions:
                variables = {"user": user, "node": permissions[number].key}
                begin = time.perf_counter()
                answer_ = await client.post("/graphql", json={"query": EXPLAIN, "variables": variables})
                over.append((time.perf_counter() - begin) * 1000)
                assert answer_.json()["data"]["check"]["allowed"] is False, answer_.text
    return {
        "questions": len(questions),
        "explaining a denied decision, of the processor ms": spread(alone),
        "the same, p99": p99(alone),
        "deciding and explaining from the database, ms": spread(whole),
        "over GraphQL in process, ms": spread(over),
    }


def p99(values: Sequence[float]) -> float:
    return round_off(sorted(values)[int(len(values) * 0.99)])


# ---------------------------------------------------------------------- holders


async def measure_holders(options: Options) -> Figures:
    """The first hundred who have a right, and how many there are."""
    async with opened(await find_world(options, options.most)) as services:
        index, now = current(services), datetime.now(UTC)
        part = Slice(limit=100)
        nodes = [one for one in index.catalog.permissions if one.system not in {"gateway", "core"}]
        chosen = random.Random(9).sample(nodes, 20)
        begin = time.perf_counter()
        await index.list_holders(chosen[0], None, None, part, now)
        first = time.perf_counter() - begin
        taken, totals = [], []
        for node in chosen[1:]:
            begin = time.perf_counter()
            _, total = await index.list_holders(node, None, None, part, now)
            taken.append((time.perf_counter() - begin) * 1000)
            totals.append(total)
        return {
            "people": options.most, "profiles": len(index.people.packed.profiles),
            "first question, s": round_off(first), "any later one, ms": spread(taken), "holders found": spread(totals),
        }  # fmt: skip


# ----------------------------------------------------------------------


PARTS: Mapping[str, Callable[[Options], Awaitable[Figures]]] = {
    "check": measure_checks,
    "peers": measure_peers,
    "start": lambda options: asyncio.to_thread(measure_starts, options),
    "change": measure_change,
    "explain": measure_explanations,
    "holders": measure_holders,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is not None:
        work = {"start": start_once, "resume": resume_once, "count": count_once}[chosen.child[0]]
        print(json.dumps(asyncio.run(work(Path(chosen.child[1])))))
        return
    with tempfile.TemporaryDirectory() as folder:
        options = Options(quick=chosen.quick, folder=chosen.folder or Path(folder))
        options.folder.mkdir(exist_ok=True)
        found: dict[str, Any] = {"machine": describe_machine(*ENGINES)}
        for part in chosen.only.split(","):
            found[part] = asyncio.run(measure_part(options, part))
            for name, value in found[part].items():
                print(f"{part:8} {name:70} {value}", flush=True)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=1))


async def measure_part(options: Options, part: str) -> Figures:
    return await PARTS[part](options)


if __name__ == "__main__":
    main()
