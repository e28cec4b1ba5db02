"""Claim: one worker answers over HTTP nearly as fast as a bare ASGI endpoint, and many times as fast as Strawberry.

In one run on two cores, over a database of 100,000 people (`benchmarks/worlds.py`), the server on one core and whoever
asks on the other, with authentication, limits, log and metrics as they are by default:

- `check` at 0.7 of a bare ASGI endpoint that reads the same JSON and asks the same index, at least, and 6 times as many
  as Strawberry's own view over our schema and services with its caches for parsing and validation;
- `checkMany` of 100: at least 100,000 decisions a second;
- all rights of a user, key, value and state: 20 times as many as Strawberry's view, 60 where users share profiles;
- 100 users with roles and teams in a page: 15 times as many;
- two workers answer 1.6 times as many as one, whoever asks on the same two cores: wrk, if it is installed, which takes
  less of them than a driver in Python does. Beside a `check` that is much all the same, beside `checkMany` little.

The answers of all are compared before anything is timed. Each round asks each for a second in turn; a ratio is the
median of those of the rounds, told between the second lowest and the second highest: the machine may be twice as fast
in one round as in another. A loop of additions says how fast it was. `processor` is the same ratio by what each server
took of its processor, which says more where others use the machine as well.

    python -m benchmarks.http [--people 100000] [--rounds 9] [--seconds 1.0] [--quick] [--json]
"""

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.main import open_services
from app.services.callers import issue_token
from benchmarks.drive import write_requests
from benchmarks.worlds import make_world, settings_of

ROOT = Path(__file__).parent.parent
REQUESTS = 512  # of each kind: other people, other permissions
SERVER_CORE, CLIENT_CORE = [0], [1]
UNBOUNDED = {  # one caller asks for all that a server can do
    "PERMGATE_CALLER_BUDGET": str(10**14), "PERMGATE_CALLER_REFILL": str(10**14),
    "PERMGATE_MAX_CONCURRENCY": "100", "PERMGATE_MAX_CALLER_CONCURRENCY": "100", "PERMGATE_DRAIN_SECONDS": "0",
}  # fmt: skip
CHECK = """query Check($user: String!, $node: String!) {
  check(input: {user: {userName: $user}, node: $node}) { allowed } }"""
MANY = "query Many($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { allowed } }"
RIGHTS = """query Rights($user: String!) {
  user(ref: {userName: $user}) { effectiveRights { permission { key } value { text } state } } }"""
USERS = """query Users($after: String) { users(first: 100, after: $after) {
  edges { node { id userName displayName roles { role { key } } teams { team { key } } } } } }"""


# ---------------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class World:
    """A database, a token of its owner, and who and what is asked about."""

    path: Path
    token: str
    sharing: list[str]  # users whose profile others have as well
    alone: list[str]  # users whose profile nobody else has
    nodes: list[str]
    cursors: list[str | None]  # of pages of users


def prepare(folder: Path, people: int) -> World:
    """Makes the database."""
    path = folder / "permgate.db"
    make_world(path, people)

    async def read() -> World:
        services = await open_services(settings_of(path))
        try:
            _, token = await issue_token(services, "benchmark", "olga", label="benchmark", expires_at=None)
            await services.index.start()
            index = services.index.current()
            assert index is not None
            users: dict[Any, list[str]] = {}
            with closing(sqlite3.connect(path)) as connection:
                names = dict(connection.execute("SELECT id, user_name FROM users"))
            for person in index.people:
                users.setdefault(person.profile, []).append(names[person.id])
            rnd = random.Random(1)
            nodes = [node.key for node in services.catalog.permissions if node.system not in {"gateway", "core"}]
            by_number = sorted(users.values(), key=len, reverse=True)
            sharing = [name for group in by_number[:50] for name in group]
            alone = [group[0] for group in by_number if len(group) == 1]
            return World(
                path, token, rnd.sample(sharing, min(len(sharing), REQUESTS)),
                rnd.sample(alone, min(len(alone), REQUESTS)), rnd.sample(nodes, len(nodes)), [],
            )  # fmt: skip
        finally:
            await services.close()

    return asyncio.run(read())


@dataclass(frozen=True)
class Question:
    """One kind of request. `weight`: what each answer counts for."""

    name: str
    bodies: list[dict[str, Any]]
    weight: int = 1
    connections: int = 8


def make_questions(world: World) -> dict[str, Question]:
    """Every kind of request, each of them hundreds of times otherwise."""
    rnd = random.Random(2)
    everybody = world.sharing + world.alone

    def check() -> dict[str, str]:
        return {"user": rnd.choice(everybody), "node": rnd.choice(world.nodes)}

    def one_of_many() -> dict[str, Any]:
        asked = check()
        return {"user": {"userName": asked["user"]}, "node": asked["node"]}

    listed = [
        Question("check", [{"query": CHECK, "variables": check()} for _ in range(REQUESTS)], connections=32),
        Question(
            "checkMany",
            [{"query": MANY, "variables": {"inputs": [one_of_many() for _ in range(100)]}} for _ in range(64)],
            weight=100,
        ),
        Question("rights", [{"query": RIGHTS, "variables": {"user": name}} for name in world.alone]),
        Question("shared rights", [{"query": RIGHTS, "variables": {"user": name}} for name in world.sharing]),
        Question("users", [{"query": USERS, "variables": {"after": cursor}} for cursor in world.cursors]),
    ]
    return {question.name: question for question in listed}


def spell_request(world: World, body: Mapping[str, Any]) -> bytes:
    """A request as a client sends it."""
    content = json.dumps(body).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {world.token}\r\n"
        f"content-type: application/json\r\naccept: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


# ---------------------------------------------------------------------- who answers, and who asks


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    port: int
    process: int

    def read_processor(self) -> float:
        """Seconds of a processor that its process has had."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(
    world: World,
    name: str,
    workers: int = 1,
    cores: Sequence[int] = SERVER_CORE,
    environment: Mapping[str, str] = UNBOUNDED,
) -> Iterator[Server]:
    """A server in a process of its own, on some cores."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PERMGATE_")}
    environment = {**inherited, **environment, "PERMGATE_DATABASE_URL": f"sqlite+aiosqlite:///{world.path}"}
    command = [sys.executable, "-m", "benchmarks.peers", name, "--port", str(port)]
    if name == "permgate":
        serve = ["serve", "--port", str(port), "--workers", str(workers)]
        command = [sys.executable, "-c", "from app.cli import main; main()", *serve]
    with (world.path.parent / f"{name}-{workers}.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cores)), *command], env=environment, cwd=ROOT, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((world.path.parent / f"{name}-{workers}.log").read_text()) from None
                time.sleep(0.1)
        yield Server(port, process.pid)  # `taskset` becomes what it starts
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


class Client:
    """Whoever asks: `benchmarks/drive.py` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "benchmarks.drive"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(
        self,
        port: int,
        file: Path,
        seconds: float,
        *,
        connections: int,
        cores: Sequence[int] = CLIENT_CORE,
    ) -> dict[str, Any]:
        """What came of asking for so many seconds."""
        assert self.process.stdin is not None and self.process.stdout is not None
        asked = {"port": port, "file": str(file), "connections": connections, "seconds": seconds, "cores": list(cores)}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline()
        if not told:
            raise SystemExit("whoever asks has ended: see above")
        found: dict[str, Any] = json.loads(told)
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


def spin() -> float:
    """How fast the machine is now: millions of additions a second."""
    begun, total = time.perf_counter(), 0
    for number in range(300_000):
        total += number
    return 0.3 / (time.perf_counter() - begun)


# ---------------------------------------------------------------------- what is measured


@dataclass
class Race:
    """One question put to several servers, round by round: answers a second, and a second of the server's processor."""

    question: Question
    servers: dict[str, Server]
    rates: dict[str, list[float]] = field(default_factory=dict)
    paces: dict[str, list[float]] = field(default_factory=dict)
    delays: dict[str, list[float]] = field(default_factory=dict)

    def run(self, client: Client, file: Path, rounds: int, seconds: float) -> None:
        for server in self.servers.values():
            self._ask(client, server, file, max(seconds, 0.5))  # until all is known that will be
        for turn in range(rounds):
            names = list(self.servers) if turn % 2 else list(reversed(self.servers))
            for name in names:
                begun = self.servers[name].read_processor()
                found = self._ask(client, self.servers[name], file, seconds)
                used = self.servers[name].read_processor() - begun
                answers = found["answers"] * self.question.weight
                self.rates.setdefault(name, []).append(answers / found["seconds"])
                self.paces.setdefault(name, []).append(answers / max(used, 0.01))
                self.delays.setdefault(name, []).append(found["p99 ms"])

    def _ask(self, client: Client, server: Server, file: Path, seconds: float) -> dict[str, Any]:
        return client.ask(server.port, file, seconds, connections=self.question.connections)

    def compare(self, name: str, other: str) -> tuple[float, float, float]:
        """How many times as many, and between what."""
        return spread([one / two for one, two in zip(self.rates[name], self.rates[other], strict=True)])

    def compare_paces(self, name: str, other: str) -> float:
        """The same by what the processor of a server has done, whoever else has used it meanwhile."""
        return spread([one / two for one, two in zip(self.paces[name], self.paces[other], strict=True)])[0]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, the second lowest and the second highest."""
    listed = sorted(values)
    edge = 1 if len(listed) > 4 else 0
    return statistics.median(listed), listed[edge], listed[-1 - edge]


@dataclass(frozen=True)
class Claim:
    """Something that has to hold: a ratio, or a rate."""

    name: str
    reach: float
    found: tuple[float, float, float]
    ours: float
    other: float | None = None
    by_processor: float | None = None  # what was found, by the seconds of a processor that it took

    @property
    def holds(self) -> bool:
        return self.found[0] >= self.reach


def check_equal(world: World, questions: Mapping[str, Question], servers: Mapping[str, Server]) -> int:
    """Asks everybody the same, a part of all questions, and compares what they say; how many were compared."""
    headers = {"authorization": f"Bearer {world.token}"}
    compared = 0
    with httpx.Client(headers=headers, timeout=60) as client:
        for question in questions.values():
            for body in question.bodies[:: max(1, len(question.bodies) // 12)]:
                names = [name for name in servers if name != "bare" or question.name == "check"]
                answers = {
                    name: client.post(f"http://127.0.0.1:{servers[name].port}/graphql", json=body).json()
                    for name in names
                }
                told = [answer["data"] for answer in answers.values()]
                if any(answer.get("errors") for answer in answers.values()) or any(one != told[0] for one in told):
                    raise SystemExit(f"they do not agree about {json.dumps(body)}: {json.dumps(answers)[:2000]}")
                compared += 1
    return compared


def find_cursors(world: World, port: int, pages: int) -> list[str | None]:
    """Where pages of users begin."""
    ask = "query ($after: String) { users(first: 100, after: $after) { pageInfo { endCursor hasNextPage } } }"
    found: list[str | None] = [None]
    with httpx.Client(headers={"authorization": f"Bearer {world.token}"}, timeout=60) as client:
        while len(found) < pages:
            body = {"query": ask, "variables": {"after": found[-1]}}
            page = client.post(f"http://127.0.0.1:{port}/graphql", json=body).json()["data"]["users"]["pageInfo"]
            if not page["hasNextPage"]:
                break
            found.append(page["endCursor"])
    return found


def measure(people: int, rounds: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        world = prepare(Path(folder), people)
        servers = {name: stack.enter_context(serving(world, name)) for name in ("permgate", "bare", "strawberry")}
        world.cursors.extend(find_cursors(world, servers["permgate"].port, 40))
        questions = make_questions(world)
        compared = check_equal(world, questions, servers)
        client = Client(Path(folder))
        stack.callback(client.close)
        files: dict[str, Path] = {}
        for question in questions.values():
            files[question.name] = Path(folder) / f"{question.name}.requests"
            write_requests(files[question.name], [spell_request(world, body) for body in question.bodies])
        spins, races = [spin()], dict[str, Race]()
        for name, question in questions.items():
            racing = {one: servers[one] for one in servers if one != "bare" or name == "check"}
            races[name] = Race(question, racing)
            races[name].run(client, files[name], rounds, seconds)
            spins.append(spin())
        workers = _race_workers(client, files, world, servers["permgate"], rounds, seconds)
    return {
        "people": people, "rounds": rounds, "seconds": seconds, "compared": compared,
        "python": platform.python_version(), "spin M/s": [round(one, 1) for one in spins],
        "claims": [
            {
                "claim": claim.name, "reach": claim.reach, "found": round(claim.found[0], 2),
                "between": [round(one, 2) for one in claim.found[1:]], "holds": claim.holds,
                "by processor": None if claim.by_processor is None else round(claim.by_processor, 2),
                "ours /s": round(claim.ours), "other /s": None if claim.other is None else round(claim.other),
            }
            for claim in [*_judge(races), *workers]
        ],
        "p99 ms": {
            name: {who: statistics.median(delays) for who, delays in race.delays.items()}
            for name, race in races.items()
        },
    }  # fmt: skip


def _judge(races: Mapping[str, Race]) -> Iterator[Claim]:
    def rate(name: str, who: str) -> float:
        return statistics.median(races[name].rates[who])

    for name, other, reach in (
        ("check", "bare", 0.7), ("check", "strawberry", 6), ("rights", "strawberry", 20),
        ("shared rights", "strawberry", 60), ("users", "strawberry", 15),
    ):  # fmt: skip
        found = races[name].compare("permgate", other)
        paces = races[name].compare_paces("permgate", other)
        yield Claim(f"{name} against {other}", reach, found, rate(name, "permgate"), rate(name, other), paces)
    found = spread(races["checkMany"].rates["permgate"])
    paces = statistics.median(races["checkMany"].paces["permgate"])
    other_rate = rate("checkMany", "strawberry")
    yield Claim("decisions a second by checkMany of 100", 100_000, found, found[0], other_rate, paces)


def _race_workers(
    client: Client, files: Mapping[str, Path], world: World, one: Server, rounds: int, seconds: float
) -> list[Claim]:
    """Two workers on both cores against the one on its core, whoever asks on both."""
    both: list[int] = sorted(os.sched_getaffinity(0))
    claims = []
    with serving(world, "permgate", workers=2, cores=both) as two:
        for name in ("checkMany", "check"):
            rates: dict[int, list[float]] = {one.port: [], two.port: []}
            for turn in range(rounds + 1):
                for port in rates:
                    rate = _ask_by_wrk(port, files[name], seconds)
                    if rate is None:
                        found = client.ask(port, files[name], seconds, connections=64, cores=both)
                        rate = found["answers"] / found["seconds"]
                    if turn:
                        rates[port].append(rate)
            ratios = [more / less for more, less in zip(rates[two.port], rates[one.port], strict=True)]
            by_two, by_one = statistics.median(rates[two.port]), statistics.median(rates[one.port])
            claims.append(Claim(f"two workers against one, {name}", 1.6, spread(ratios), by_two, by_one))
    return claims


def _ask_by_wrk(port: int, file: Path, seconds: float) -> float | None:
    """Answers a second that wrk has had; None where it is not installed."""
    if shutil.which("wrk") is None:
        return None
    script, place = ROOT / "benchmarks" / "requests.lua", f"http://127.0.0.1:{port}"
    asked = ["wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}s", "-s", str(script), place, "--", str(file)]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)
    return float(told.partition("Requests/sec:")[2].split()[0])


def show(found: Mapping[str, Any], say: Callable[[str], None] = print) -> None:
    """A table of what was found."""
    say(
        f"{found['people']} people, {found['rounds']} rounds of {found['seconds']} s; {found['compared']} answers equal"
    )
    say(f"{'':<38}{'reach':>9}{'found':>11}{'between':>24}{'processor':>11}{'ours /s':>10}{'other /s':>10}")
    for one in found["claims"]:
        between = "{} to {}".format(*one["between"])
        other = "" if one["other /s"] is None else one["other /s"]
        pace = "" if one["by processor"] is None else one["by processor"]
        mark = "" if one["holds"] else "  missed"
        told = f"{one['reach']:>9}{one['found']:>11}{between:>24}{pace:>11}{one['ours /s']:>10}{other:>10}{mark}"
        say(f"{one['claim']:<38}{told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--quick", action="store_true", help="10,000 people, 5 rounds of 0.3 s: under a minute")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    people, rounds, seconds = options.people, options.rounds, options.seconds
    if options.quick:
        people, rounds, seconds = 10_000, 5, 0.3
    found = measure(people, rounds, seconds)
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
