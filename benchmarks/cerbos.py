"""Claim: over HTTP one worker answers many times as fast as a Cerbos server on the same core, single checks and lists.

Both are told the same: 50 roles of 119 permissions. Cerbos is asked over its own HTTP about one action, and about all
of them, for a principal whose roles come along; the gateway over GraphQL, and finds the person's roles itself. Their
answers are compared first, on rights that need no others: of such needs Cerbos is told nothing. In turns, the server on
one core and whoever asks on the other; a ratio is the median of those of the rounds, with its quartiles.

Cerbos is no dependency; its server comes as a package of npm. Where it is not found the benchmark says so.

    npm install --prefix /tmp/cerbos @cerbos/cerbos-linux-x64
    python -m benchmarks.cerbos --binary /tmp/cerbos/node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64

    [--people 100000] [--rounds 9] [--seconds 1.0] [--quick] [--json]
"""

import argparse
import asyncio
import json
import os
import random
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engine import opened, tell_engines
from benchmarks.http import CHECK, CLIENT_CORE, RIGHTS, SERVER_CORE, World, prepare, serving, spell_request
from benchmarks.rounds import describe_machine, find_ratio, round_off, spread

REQUESTS = 256
CONNECTIONS = 32
MOST_ACTIONS = 500  # that Cerbos takes in one request, at most
STARTING_S = 30


@dataclass(frozen=True)
class Told:
    """What Cerbos is told of people, and what may be asked of both with the same answer."""

    roles_of: Mapping[str, Sequence[str]]  # by user name
    gives: Mapping[str, Sequence[str]]  # by role
    keys: Sequence[str]
    free: frozenset[str]  # keys of rights that need no others


async def tell(path: Path, names: Sequence[str]) -> Told:
    """What is so of these people in a database; those with grants of their own are left out."""
    async with opened(path) as services:
        roles_of, given = await tell_engines(services)
        permissions = services.catalog.permissions
        async with services.database.reading(services.catalog) as unit:
            users = await unit.users.find_by("user_name", list(names))
        return Told(
            {user.user_name: roles_of[user.id] for user in users if user.id in roles_of.keys() - given.keys()},
            {role: [permissions[n].key for n in rights] for role, rights in given.items() if role.startswith("rol_")},
            [one.key for one in permissions if one.system not in {"gateway", "core"}][:MOST_ACTIONS],
            frozenset(one.key for one in permissions if not one.rules),
        )


@contextmanager
def serving_cerbos(binary: str, folder: Path, told: Told) -> Iterator[int]:
    """Cerbos in a process of its own on the core of servers; gives its port."""
    rules = [{"actions": list(keys), "effect": "EFFECT_ALLOW", "roles": [role]} for role, keys in told.gives.items()]
    policies = folder / "policies"
    policies.mkdir()
    policy = {"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": {"version": "default", "resource": "right"}}
    policy["resourcePolicy"]["rules"] = rules  # type: ignore[index]  # a mapping, as stands a line above
    (policies / "right.json").write_text(json.dumps(policy))
    ports = []
    for _ in range(2):
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            ports.append(int(free.getsockname()[1]))
    chosen = {
        "server.httpListenAddr": f"127.0.0.1:{ports[0]}", "server.grpcListenAddr": f"127.0.0.1:{ports[1]}",
        "server.requestLimits.maxActionsPerResource": MOST_ACTIONS, "storage.driver": "disk",
        "storage.disk.directory": policies, "telemetry.disabled": "true",
    }  # fmt: skip
    command = [binary, "server", "--log-level=error", *(f"--set={name}={value}" for name, value in chosen.items())]
    with (folder / "cerbos.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, SERVER_CORE)), *command], stdout=log, stderr=log,
            env={**os.environ, "GOMAXPROCS": "1"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + STARTING_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", ports[0]), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((folder / "cerbos.log").read_text()) from None
                time.sleep(0.1)
        yield ports[0]
    finally:
        process.terminate()
        process.wait(10)


def spell_cerbos(told: Told, user: str, actions: Sequence[str]) -> bytes:
    """A request to Cerbos."""
    asked = {
        "requestId": "1", "principal": {"id": user, "roles": list(told.roles_of[user])},
        "resources": [{"actions": list(actions), "resource": {"kind": "right", "id": "1"}}],
    }  # fmt: skip
    content = json.dumps(asked).encode()
    head = (
        "POST /api/check/resources HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


# ---------------------------------------------------------------------- who asks


def find_end(answer: bytes) -> int:
    """How long an answer is of which this has come; more than has come where that is not known yet."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return len(answer) + 1
    fields = answer[:head].lower()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"it answers {answer[:400]!r}")
    if b"transfer-encoding: chunked" in fields:
        return len(answer) + (not answer.endswith(b"\r\n0\r\n\r\n"))
    return head + 4 + int(fields.split(b"content-length:", 1)[1].split(b"\r", 1)[0])


def ask_once(port: int, request: bytes) -> Any:
    """The JSON of an answer."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(request)
        answer = b""
        while len(answer) < find_end(answer):
            answer += sock.recv(1 << 16)
    head, content = answer.split(b"\r\n\r\n", 1)
    if b"chunked" in head.lower():
        content = read_chunks(content)
    return json.loads(content)


def read_chunks(content: bytes) -> bytes:
    found = b""
    while content:
        size, content = content.split(b"\r\n", 1)
        found, content = found + content[: int(size, 16)], content[int(size, 16) + 2 :]
    return found


def drive(port: int, requests: Sequence[bytes], seconds: float) -> float:
    """Answers a second, over connections that are kept open with one request under way each."""
    poll, socks = select.epoll(), {}
    for number in range(CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(sock.fileno(), select.EPOLLIN)
        socks[sock.fileno()] = sock
        sock.sendall(requests[number % len(requests)])
    come = dict.fromkeys(socks, b"")
    answers, begin = 0, time.perf_counter()
    while (taken := time.perf_counter() - begin) < seconds:
        for place, _ in poll.poll(0.1):
            come[place] += socks[place].recv(1 << 18)
            if len(come[place]) >= find_end(come[place]):
                come[place] = b""
                answers += 1
                socks[place].sendall(requests[(answers + CONNECTIONS) % len(requests)])
    for sock in socks.values():
        sock.close()
    poll.close()
    return answers / taken


# ---------------------------------------------------------------------- what is measured


def compare_answers(told: Told, world: World, cerbos: int, ours: int) -> int:
    """How many answers were the same; raises `SystemExit` where one is not."""
    rnd, equal = random.Random(4), 0
    for user in list(told.roles_of)[:20]:
        node = rnd.choice(sorted(told.free.intersection(told.keys)))
        theirs = ask_once(cerbos, spell_cerbos(told, user, told.keys))["results"][0]["actions"]
        answer = ask_once(ours, spell_request(world, {"query": RIGHTS, "variables": {"user": user}}))
        check = ask_once(ours, spell_request(world, {"query": CHECK, "variables": {"user": user, "node": node}}))
        rights = {one["permission"]["key"]: one["state"] == "ACTIVE" for one in find_list(answer["data"])}
        for key in told.free.intersection(told.keys):
            if rights.get(key, False) != (theirs[key] == "EFFECT_ALLOW"):
                raise SystemExit(f"`{key}` of {user}: Cerbos says {theirs[key]}")
            equal += 1
        if check["data"]["check"]["allowed"] != (theirs[node] == "EFFECT_ALLOW"):
            raise SystemExit(f"a check of `{node}` of {user}: Cerbos says {theirs[node]}")
    return equal


def find_list(data: Any) -> list[dict[str, Any]]:
    """The list in an answer, wherever it is."""
    while not isinstance(data, list):
        (data,) = data.values()
    return data


def measure(binary: str, people: int, rounds: int, seconds: float) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = prepare(folder, people)
        told = asyncio.run(tell(world.path, [*world.sharing, *world.alone]))
        cerbos = stack.enter_context(serving_cerbos(binary, folder, told))
        ours = stack.enter_context(serving(world, "permgate")).port
        os.sched_setaffinity(0, CLIENT_CORE)
        found: dict[str, Any] = {"people": people, "equal answers": compare_answers(told, world, cerbos, ours)}
        rnd, users = random.Random(5), list(told.roles_of)[:REQUESTS]
        pairs = [(user, rnd.choice(told.keys)) for user in users]
        kinds = {
            "one check": (
                [spell_request(world, {"query": CHECK, "variables": {"user": u, "node": n}}) for u, n in pairs],
                [spell_cerbos(told, user, [node]) for user, node in pairs],
            ),
            f"all rights ({len(told.keys)} actions)": (
                [spell_request(world, {"query": RIGHTS, "variables": {"user": user}}) for user in users],
                [spell_cerbos(told, user, told.keys) for user in users],
            ),
        }
        for kind, (our_requests, their_requests) in kinds.items():
            drive(ours, our_requests, seconds)
            drive(cerbos, their_requests, seconds)
            rates: dict[int, list[float]] = {ours: [], cerbos: []}
            for turn in range(rounds):
                for port in (ours, cerbos) if turn % 2 else (cerbos, ours):
                    rates[port].append(drive(port, our_requests if port == ours else their_requests, seconds))
            found[f"{kind}: ours a second"] = round_off(median(rates[ours]))
            found[f"{kind}: Cerbos a second"] = round_off(median(rates[cerbos]))
            found[f"{kind}: ours to Cerbos"] = find_ratio(rates[ours], rates[cerbos])
            found[f"{kind}: ours, quartiles"] = spread(rates[ours])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", default="cerbos")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if shutil.which(chosen.binary) is None:
        print(f"there is no Cerbos at `{chosen.binary}`: nothing is compared")
        return
    if chosen.quick:
        chosen.people, chosen.rounds, chosen.seconds = 2_000, 3, 0.5
    found = measure(chosen.binary, chosen.people, chosen.rounds, chosen.seconds)
    if chosen.json:
        print(json.dumps({**found, "machine": describe_machine()}))
        return
    for name, value in found.items():
        print(f"{name:<50} {value}")


if __name__ == "__main__":
    main()
