"""Claim: what is not there and what is not yours are refused in the same words and in the same time.

Medians of 1,000 tries each, taken in turns, lie within 20 % of one another. Data: the demo world (44 people in 3
contracts), asked by the demo's `supervisor` over ASGI in one process.

    python -m benchmarks.refusals [--tries 1000] [--json]
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from app.main import create_app, open_services
from app.services.demo import load_demo
from app.settings import Settings, find_seeds

ALLOWED = 0.2  # of the median of the unknown one
USER = "query ($name: String!) { user(ref: {userName: $name}) { id } }"
CHECK = """query ($name: String!) { check(input: {
  user: {userName: $name}, node: "storm.privileges.wallboards", contract: {number: "C-100"}
}) { allowed errors { code message } } }"""
CONTRACT = "query ($name: String!) { contract(ref: {number: $name}) { id } }"
GRANT = """mutation ($name: String!) { grantPermissions(input: {
  holder: {user: {userName: $name}}
  grants: [{permission: "storm.privileges.agent_queue_selection", contract: {number: "C-100"}}]
}) { errors { code message } } }"""
NODE = "query ($name: ID!) { node(id: $name) { id } }"


async def prepare(folder: Path) -> tuple[httpx.AsyncClient, Mapping[str, tuple[str, str, str]]]:
    """A client with the supervisor's token, and per question the document, an unknown name and a forbidden one."""
    settings = Settings(database_url=f"sqlite+aiosqlite:///{folder}/demo.db", seeds=find_seeds())
    services = await open_services(settings)
    tokens = await load_demo(services, settings.seeds / "demo.yaml")
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(services, Settings())), base_url="http://gateway"
    )
    client.headers["authorization"] = f"Bearer {tokens['owner']}"
    found = await ask(client, '{ user(ref: {userName: "cora"}) { id } }', {})
    hidden = found["data"]["user"]["id"]
    unknown = hidden[:-1] + ("0" if hidden[-1] != "0" else "1")
    client.headers["authorization"] = f"Bearer {tokens['supervisor']}"
    return client, {
        "user by name": (USER, "corb", "cora"),
        "check": (CHECK, "corb", "cora"),
        "contract by number": (CONTRACT, "C-290", "C-200"),
        "grant to a user": (GRANT, "corb", "cora"),
        "node by id": (NODE, unknown, hidden),
    }


async def ask(client: httpx.AsyncClient, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.post("/graphql", json={"query": document, "variables": variables})).json()
    if "errors" in answer:
        raise SystemExit(f"the gateway failed: {answer['errors']}")
    return answer


async def compare(client: httpx.AsyncClient, document: str, unknown: str, hidden: str, tries: int) -> dict[str, Any]:
    """Medians in milliseconds, and whether the answers say the same but for the name that was asked for."""
    times: dict[str, list[float]] = {unknown: [], hidden: []}
    texts: dict[str, str] = {}
    for turn in range(tries):
        for name in (unknown, hidden) if turn % 2 else (hidden, unknown):
            begin = perf_counter()
            answer = await ask(client, document, {"name": name})
            times[name].append(perf_counter() - begin)
            texts[name] = json.dumps({**answer, "extensions": None}).replace(name, "NAME")
    medians = {name: median(taken) * 1000 for name, taken in times.items()}
    return {
        "unknown_ms": round(medians[unknown], 3),
        "forbidden_ms": round(medians[hidden], 3),
        "ratio": round(medians[hidden] / medians[unknown], 3),
        "same_words": texts[unknown] == texts[hidden],
    }


async def measure(tries: int) -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        client, questions = await prepare(Path(folder))
        found = {}
        for name, (document, unknown, hidden) in questions.items():
            await compare(client, document, unknown, hidden, 20)  # warms what is kept: documents, statements
            found[name] = await compare(client, document, unknown, hidden, tries)
        await client.aclose()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.tries))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'question':<20}{'unknown':>10}{'forbidden':>11}{'ratio':>8}  within 20 %  same words")
    for name, row in found.items():
        kept = "yes" if abs(row["ratio"] - 1) <= ALLOWED else "NO"
        words = "yes" if row["same_words"] else "NO"
        print(f"{name:<20}{row['unknown_ms']:>8} ms{row['forbidden_ms']:>8} ms{row['ratio']:>8}  {kept:<11}  {words}")


if __name__ == "__main__":
    main()
