"""Claim: over HTTP `check` and all rights of a person take no longer among 1,000,000 people than among 10,000.

At most 1.5 times as long, one worker each on the same core in turns, asked about people and permissions at random; what
of it is the index alone `benchmarks/engine.py` tells, which holds the same by itself. A ratio is the median of those of
the rounds, told between the second lowest and the second highest.

    python -m benchmarks.growth [--small 10000] [--large 1000000] [--rounds 9] [--seconds 1] [--json]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.drive import write_requests
from benchmarks.http import UNBOUNDED, Client, World, make_questions, prepare, serving, spell_request, spread

MOST = 1.5  # times as long
QUESTIONS = ("check", "rights")
FROM_MEMORY_MS, READ_S = 2.0, 120.0


def wait_for_index(client: Client, port: int, file: Path) -> None:
    """Waits until a server answers out of memory: a million people are read in some ten seconds."""
    deadline = time.monotonic() + READ_S
    while client.ask(port, file, 0.3, connections=1)["p50 ms"] > FROM_MEMORY_MS:
        if time.monotonic() > deadline:
            raise SystemExit("it does not answer out of memory")


def measure(small: int, large: int, rounds: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {"small": small, "large": large, "rounds": rounds, "seconds": seconds, "questions": {}}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        worlds: dict[int, World] = {}
        for people in (small, large):
            home = Path(folder) / str(people)
            home.mkdir()
            worlds[people] = prepare(home, people)
        client = Client(Path(folder))
        stack.callback(client.close)
        ports = {
            people: stack.enter_context(serving(world, "permgate", environment=UNBOUNDED)).port
            for people, world in worlds.items()
        }
        for name in QUESTIONS:
            rates: dict[int, list[float]] = {people: [] for people in worlds}
            files = {}
            for people, world in worlds.items():
                question = make_questions(world)[name]
                files[people] = Path(folder) / f"{name}-{people}.requests"
                write_requests(files[people], [spell_request(world, body) for body in question.bodies])
            for people in worlds:
                wait_for_index(client, ports[people], files[people])
            for turn in range(rounds + 1):
                for people in worlds if turn % 2 else reversed(worlds):
                    told = client.ask(ports[people], files[people], seconds, connections=question.connections)
                    if turn:  # the first time some of it is worked out
                        rates[people].append(told["answers"] / told["seconds"])
            ratio = spread([one / two for one, two in zip(rates[small], rates[large], strict=True)])
            found["questions"][name] = {
                "times as long": round(ratio[0], 2), "between": [round(one, 2) for one in ratio[1:]],
                "holds": ratio[0] <= MOST,
                **{f"/s among {people}": round(statistics.median(rates[people])) for people in worlds},
            }  # fmt: skip
    return found


def show(found: dict[str, Any], say: Callable[[str], None] = print) -> None:
    """A table of what was found."""
    say(f"{found['rounds']} rounds of {found['seconds']} s")
    for name, one in found["questions"].items():
        rates = ", ".join(f"{value} {key}" for key, value in one.items() if key.startswith("/s"))
        mark = "holds" if one["holds"] else "missed"
        say(f"{name:<8} {one['times as long']} times ({one['between'][0]} to {one['between'][1]}): {rates}  {mark}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.small, options.large, options.rounds, options.seconds)
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
