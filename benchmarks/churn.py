"""Claim: while others change something all the time, one worker answers `check` half as often as in peace, or more.

One worker with the limits that it has by default over a database of 10,000 people, on one core; whoever asks, by 64
connections of one caller, and a second server that makes the changes, a right granted and taken away in turn, on the
other. Rounds in peace and beside changes come in turns; a ratio is the median of those of the rounds, told between the
second lowest and the second highest. Beside it the same with `PERMGATE_INDEX=off`, where each question is answered from
the database. A question that is not answered by 200 ends it.

    python -m benchmarks.churn [--people 10000] [--rounds 7] [--seconds 2] [--every 0.05] [--json]
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.drive import write_requests
from benchmarks.http import CHECK, CLIENT_CORE, Client, World, make_questions, prepare, serving, spell_request, spread

CONNECTIONS = 64
FEW = 4  # connections of the server without an index: that many of one caller are answered, and 50 wait
LEAST = 0.5  # of what is answered in peace
GRANT = """mutation ($user: String!, $node: String!) { grantPermissions(
  input: {holder: {user: {userName: $user}}, grants: [{permission: $node}]}) { errors { code } } }"""
REVOKE = """mutation ($user: String!, $node: String!) { revokePermissions(
  input: {holder: {user: {userName: $user}}, revokes: [{permission: $node}]}) { errors { code } } }"""
PAID = {"PERMGATE_CALLER_BUDGET": str(10**14), "PERMGATE_CALLER_REFILL": str(10**14), "PERMGATE_DRAIN_SECONDS": "0"}


class Changer:
    """Grants a right to somebody and takes it away, again and again, at a server of its own."""

    def __init__(self, port: int, world: World, every: float) -> None:
        headers = {"authorization": f"Bearer {world.token}"}
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)
        self._every = every
        self.made = 0
        self._asked = next(asked for asked in self._draw(world) if self._is_free(asked))

    def _draw(self, world: World) -> Iterator[dict[str, str]]:
        return ({"user": world.alone[0], "node": node} for node in world.nodes)

    def _is_free(self, asked: dict[str, str]) -> bool:
        """Whether it can be granted and taken away with nothing else."""
        told = self._ask(CHECK, asked)
        if told["check"]["allowed"]:
            return False
        return not any(self._ask(change, asked)[name]["errors"] for change, name in self._changes())

    @staticmethod
    def _changes() -> tuple[tuple[str, str], ...]:
        return (GRANT, "grantPermissions"), (REVOKE, "revokePermissions")

    def _ask(self, query: str, variables: dict[str, str]) -> Any:
        answer = self._client.post("/graphql", json={"query": query, "variables": variables}).json()
        if "errors" in answer:
            raise SystemExit(f"it answers {answer['errors']}")
        return answer["data"]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Changes something all the while."""
        ended = threading.Event()

        def change() -> None:
            while not ended.is_set():
                for query, name in self._changes():
                    begun = time.monotonic()
                    if self._ask(query, self._asked)[name]["errors"]:
                        raise SystemExit("a change was refused")
                    self.made += 1
                    time.sleep(max(0.0, self._every - (time.monotonic() - begun)))

        changer = threading.Thread(target=change)
        changer.start()
        try:
            yield
        finally:
            ended.set()
            changer.join()


def measure(people: int, rounds: int, seconds: float, every: float) -> dict[str, Any]:
    found: dict[str, Any] = {"people": people, "rounds": rounds, "seconds": seconds}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        world = prepare(Path(folder), people)
        file = Path(folder) / "check.requests"
        bodies = make_questions(world)["check"].bodies
        write_requests(file, [spell_request(world, body) for body in bodies])
        client = Client(Path(folder))
        stack.callback(client.close)
        for name, index, connections in (("index", "on", CONNECTIONS), ("database", "off", FEW)):
            environment = {**PAID, "PERMGATE_INDEX": index}
            with (
                serving(world, "permgate", environment=environment) as asked,
                serving(world, "permgate", cores=CLIENT_CORE, environment=environment) as other,
            ):
                changer = Changer(other.port, world, every)
                client.ask(asked.port, file, seconds, connections=connections)
                told: dict[str, list[dict[str, Any]]] = {"peace": [], "changes": []}
                made = spent = 0.0
                for _ in range(rounds):
                    told["peace"].append(client.ask(asked.port, file, seconds, connections=connections))
                    before, begun = changer.made, time.monotonic()
                    with changer.changing():
                        told["changes"].append(client.ask(asked.port, file, seconds, connections=connections))
                        spent += time.monotonic() - begun
                    made += changer.made - before
            rates = {kind: [one["answers"] / one["seconds"] for one in all_] for kind, all_ in told.items()}
            ratio = spread([one / two for one, two in zip(rates["changes"], rates["peace"], strict=True)])
            found[name] = {
                "connections": connections, "changes a second": round(made / spent, 1),
                "ratio": round(ratio[0], 2), "between": [round(one, 2) for one in ratio[1:]],
                **{f"{kind} /s": round(statistics.median(rates[kind])) for kind in rates},
                **{f"{kind} p99 ms": statistics.median(one["p99 ms"] for one in told[kind]) for kind in told},
            }  # fmt: skip
    found["holds"] = found["index"]["ratio"] >= LEAST
    return found


def show(found: dict[str, Any], say: Callable[[str], None] = print) -> None:
    """A table of what was found."""
    say(f"{found['people']} people, {found['rounds']} rounds of {found['seconds']} s; {os.cpu_count()} cores")
    for name in ("index", "database"):
        one = found[name]
        say(
            f"{name:<9} {one['connections']:>3} connections, {one['changes a second']} changes a second: "
            f"{one['ratio']} ({one['between'][0]} to {one['between'][1]}) of {one['peace /s']} /s, "
            f"p99 {one['peace p99 ms']} to {one['changes p99 ms']} ms"
        )
    say("holds" if found["holds"] else "missed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--every", type=float, default=0.05, help="seconds from one change to the next")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.people, options.rounds, options.seconds, options.every)
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
