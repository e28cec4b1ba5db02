"""Claim: asked four times as much as it can take, a server goes on answering, and tells the others to come back.

One worker over SQLite with the limits that it has by default, on one core, whoever asks on another; 64 callers, who own
the account, so that what holds them off is how much the server has to do and not who they are. Of each kind (`check`, a
page of 100 `users`, a `change`) four runs, each against the first or the second of its own:

- `usual`: one after another, before and afterwards: it recovers if the median afterwards is at most 1.5 of before;
- `full`: sixteen at once, each as soon as the last is answered. What is answered a second is the capacity;
- `four times`: requests fall due at four times that rate, whatever becomes of those before, on at most 1,000
  connections; a delay counts from when a request was due. What is due while no connection is free is given up.

Then nothing but 200, 429 and 503 is answered, none of the latter two without `Retry-After`, no connection is lost, and
`/livez` answers all the while. At least half of the capacity is still answered. How long the admitted wait is told as
ratios to `usual` and to `full`.

    python -m benchmarks.overload [--people 10000] [--seconds 4] [--kinds check,users,change] [--json]
"""

import argparse
import asyncio
import gc
import json
import os
import select
import socket
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from app.main import open_services
from app.services.callers import issue_token
from benchmarks.http import CHECK, CLIENT_CORE, USERS, World, prepare, serving, spell_request
from benchmarks.worlds import settings_of

CALLERS = 64
TIMES = 4
AT_ONCE = 16  # that fill a server: it runs six queries at a time, and lets sixteen changes wait
MOST = 1000  # connections of whoever asks too much
CHANGE = """mutation Change($user: String!, $name: String!) {
  updateUser(input: {user: {userName: $user}, displayName: $name}) { errors { code } } }"""
KINDS = ("check", "users", "change")
LIVE = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
LIVE_S = 0.05  # between two looks
REST_S = 30.0  # for what is still under way at the end of a run: a change waits as long as a minute
LEAST_ANSWERED, MOST_AFTERWARDS = 0.5, 1.5  # of the capacity; of the usual median


# ---------------------------------------------------------------------- who asks, and what


def issue_tokens(path: Path) -> dict[str, str]:
    """Makes owners of some people of the world, and a token for each."""
    with closing(sqlite3.connect(path)) as connection, connection:
        found = connection.execute("SELECT user_name FROM users WHERE NOT is_owner ORDER BY user_name")
        names = [name for (name,) in found.fetchmany(CALLERS)]
        connection.executemany("UPDATE users SET is_owner = 1 WHERE user_name = ?", [(name,) for name in names])

    async def issue() -> dict[str, str]:
        services = await open_services(settings_of(path))
        try:
            return {
                name: (await issue_token(services, "benchmark", name, label="overload", expires_at=None))[1]
                for name in names
            }
        finally:
            await services.close()

    return asyncio.run(issue())


def make_requests(world: World, tokens: Mapping[str, str], kind: str) -> list[bytes]:
    """Requests of one kind, by each of the callers in turn."""
    people, nodes = cycle(world.sharing + world.alone), cycle(world.nodes)
    requests = []
    for number in range(8):
        for name, token in tokens.items():
            body: dict[str, Any] = {
                "check": {"query": CHECK, "variables": {"user": next(people), "node": next(nodes)}},
                "users": {"query": USERS, "variables": {"after": None}},
                "change": {"query": CHANGE, "variables": {"user": name, "name": f"{name} {number}"}},
            }[kind]
            requests.append(spell_request(World(world.path, token, [], [], [], []), body))
    return requests


def read_answer(came: bytes) -> tuple[int, bool] | None:
    """The status of an answer, and whether it says when to come back; None while not all of it has come."""
    end = came.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = came[:end].lower()
    place = head.find(b"content-length: ")
    size = int(head[place + 16 :].split(b"\r", 1)[0]) if place >= 0 else 0
    if len(came) < end + 4 + size:
        return None
    return int(came[9:12]), b"\r\nretry-after: " in head


# ---------------------------------------------------------------------- a run


@dataclass
class Run:
    """What came of asking for some seconds: delays in seconds, from when a request was due, by status."""

    seconds: float = 0.0
    sent: int = 0
    given_up: int = 0  # due while no connection was free
    delays: dict[int, list[float]] = field(default_factory=dict)
    unadvised: int = 0  # refused without a word about when to come back
    lost: Counter[str] = field(default_factory=Counter)  # connections, and answers that never came
    live: list[float] = field(default_factory=list)  # delays of `/livez`

    @property
    def admitted(self) -> list[float]:
        return sorted(self.delays.get(200, []))

    @property
    def refused(self) -> list[float]:
        return sorted(delay for status, some in self.delays.items() if status != 200 for delay in some)

    @property
    def rate(self) -> float:
        return len(self.admitted) / self.seconds


def at(share: float, delays: list[float]) -> float:
    """Milliseconds within which so much of them is."""
    return round(delays[min(len(delays) - 1, int(len(delays) * share))] * 1000, 2) if delays else 0.0


class Asker:
    """Connections to one server, each with one request under way at most."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self.port, self.requests = port, cycle(requests)
        self.poll = select.epoll()
        self.socks: dict[int, socket.socket] = {}
        self.free: list[int] = []
        self.due: dict[int, float] = {}
        self.came: dict[int, bytes] = {}
        self.run = Run()
        self.looker = -1
        self.looked = 0.0

    def _open(self) -> int:
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self.socks[sock.fileno()] = sock
        self.poll.register(sock.fileno(), select.EPOLLIN)
        return sock.fileno()

    def _send(self, fd: int, request: bytes, due: float) -> None:
        self.due[fd], self.came[fd] = due, b""
        try:
            self.socks[fd].send(request)
        except OSError as error:
            self._lose(fd, type(error).__name__)

    def _lose(self, fd: int, why: str) -> None:
        """Notes what was under way on a connection that is gone; one at rest may be closed by the server."""
        self.poll.unregister(fd)
        self.socks.pop(fd).close()
        if self.due.pop(fd, None) is not None:
            self.run.lost[why] += 1
        elif fd in self.free:
            self.free.remove(fd)

    def ask(self, due: float) -> None:
        """Asks on a connection that is free, or on a new one."""
        if self.free:
            fd = self.free.pop()
        elif len(self.socks) <= MOST:
            fd = self._open()
        else:
            self.run.given_up += 1
            return
        self.run.sent += 1
        self._send(fd, next(self.requests), due)

    def look(self, now: float) -> None:
        """Asks whether it lives, now and then, on a connection of its own each time, as probes do."""
        if self.looker not in self.due and now >= self.looked + LIVE_S:
            self.looked, self.looker = now, self._open()
            self._send(self.looker, LIVE, now)

    def hear(self, wait: float) -> int:
        """Hears what has come; how many requests were answered."""
        heard = 0
        for fd, _ in self.poll.poll(max(0.0, wait), 256):
            try:
                some = self.socks[fd].recv(1 << 20)
            except OSError as error:
                self._lose(fd, type(error).__name__)
                continue
            if not some:
                self._lose(fd, "closed")
                continue
            self.came[fd] += some
            answer = read_answer(self.came[fd])
            if answer is None:
                continue
            delay = time.perf_counter() - self.due.pop(fd)
            if fd == self.looker:
                self.run.live.append(delay)
                self.run.lost["not alive"] += answer[0] != 200
                self.poll.unregister(fd)
                self.socks.pop(fd).close()
                self.looker = -1  # another connection may have its number next
                continue
            heard += 1
            self.run.delays.setdefault(answer[0], []).append(delay)
            self.run.unadvised += answer[0] != 200 and not answer[1]
            self.free.append(fd)
        return heard

    def finish(self, begun: float) -> Run:
        """Hears the rest, and what came of it all."""
        self.run.seconds = time.perf_counter() - begun
        end = time.perf_counter() + REST_S
        while self.due and time.perf_counter() < end:
            self.hear(0.1)
        self.run.lost["not answered"] += len(self.due)
        for sock in self.socks.values():
            sock.close()
        self.poll.close()
        self.run.lost = +self.run.lost
        return self.run


def keep_asking(port: int, requests: list[bytes], connections: int, seconds: float) -> Run:
    """Asks again as soon as there is an answer, on some connections."""
    asker = Asker(port, requests)
    begun = now = time.perf_counter()
    for _ in range(connections):
        asker.ask(now)
    while now < begun + seconds:
        asker.look(now)
        heard = asker.hear(LIVE_S)
        now = time.perf_counter()
        for _ in range(heard if now < begun + seconds else 0):
            asker.ask(now)
    return asker.finish(begun)


def ask_at(port: int, requests: list[bytes], rate: float, seconds: float) -> Run:
    """Asks so many times a second, whatever becomes of it."""
    asker = Asker(port, requests)
    begun = now = time.perf_counter()
    number = 0
    while now < begun + seconds:
        asker.look(now)
        while (due := begun + number / rate) <= now:
            asker.ask(due)
            number += 1
            if number % 32 == 0:
                asker.hear(0)
        asker.hear(min(LIVE_S, begun + number / rate - now))
        now = time.perf_counter()
    return asker.finish(begun)


# ---------------------------------------------------------------------- what is measured


def measure_kind(port: int, requests: list[bytes], seconds: float) -> dict[str, Any]:
    """The runs of one kind, and what they say of the claim."""
    keep_asking(port, requests, 1, 1.0)
    usual = keep_asking(port, requests, 1, seconds)
    full = keep_asking(port, requests, AT_ONCE, seconds)
    much = ask_at(port, requests, TIMES * full.rate, 2 * seconds)
    after = keep_asking(port, requests, 1, seconds)
    found: dict[str, Any] = {
        "capacity /s": round(full.rate, 1),
        "offered of capacity": round((much.sent + much.given_up) / much.seconds / full.rate, 2),
        "sent of capacity": round(much.sent / much.seconds / full.rate, 2),
        "answered of capacity": round(much.rate / full.rate, 2),
        "statuses": {status: len(delays) for status, delays in sorted(much.delays.items())},
        "given up": much.given_up,
        "without Retry-After": much.unadvised,
        "lost": dict(much.lost),
        "usual p50, p99 ms": [at(0.5, usual.admitted), at(0.99, usual.admitted)],
        "full p50, p99 ms": [at(0.5, full.admitted), at(0.99, full.admitted)],
        "admitted p50, p99 ms": [at(0.5, much.admitted), at(0.99, much.admitted)],
        "refused p50, p99 ms": [at(0.5, much.refused), at(0.99, much.refused)],
        "livez p99, most ms": [at(0.99, sorted(much.live)), at(1, sorted(much.live))],
        "p99 admitted / usual": round(at(0.99, much.admitted) / at(0.99, usual.admitted), 1),
        "p99 admitted / full": round(at(0.99, much.admitted) / at(0.99, full.admitted), 1),
        "usual again": round(at(0.5, after.admitted) / at(0.5, usual.admitted), 2),
    }
    found["holds"] = (
        set(much.delays) <= {200, 429, 503} and not much.unadvised and not much.lost
        and found["answered of capacity"] >= LEAST_ANSWERED and found["usual again"] <= MOST_AFTERWARDS
    )  # fmt: skip
    return found


def measure(people: int, seconds: float, kinds: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        world = prepare(Path(folder), people)
        tokens = issue_tokens(world.path)
        os.sched_setaffinity(0, CLIENT_CORE)
        gc.disable()
        for kind in kinds:
            with serving(world, "permgate", environment={"PERMGATE_DRAIN_SECONDS": "0"}) as server:
                yield kind, measure_kind(server.port, make_requests(world, tokens, kind), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told = {}
    for kind, found in measure(options.people, options.seconds, options.kinds.split(",")):
        told[kind] = found
        if not options.json:
            print(f"{kind}: {'holds' if found.pop('holds') else 'MISSED'}")
            for name, value in found.items():
                print(f"    {name:<24}{value}")
    if options.json:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
