"""Claim: what asks for too much is refused in under 50 ms, and counting a document takes a fraction of validating it.

Medians of some tries each, on documents of the demo's schema: fragments that double 30 and 150 times, 5,000 tokens, the
most fields that are taken, GraphiQL's introspection. The last column is the count against graphql-core's `validate`.
Then what a unit of cost stands for: operations on the demo world, their cost, and the time of the processor they took.

    python -m benchmarks.limits [--tries 50] [--json]
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from graphql import OperationDefinitionNode, get_introspection_query, parse, validate

from app.domain.callers import Caller
from app.graphql.costs import UNIT_S
from app.graphql.execution import ANSWERED, Executor, Request, RequestFault
from app.graphql.limits import Costs, check_shape, order_fragments
from app.graphql.rules import RULES
from app.main import open_services
from app.services.callers import authenticate
from app.services.demo import load_demo
from app.settings import Limits, Settings, find_seeds

ALLOWED_S = 0.05
LARGE = "{ users { edges { node { " + " ".join(f"a{n}: userName id status" for n in range(33)) + " } } } }"
OPERATIONS = {
    "a revision": "{ revision }",
    "a check": '{ check(input: {user: {userName: "cora"}, node: "storm.privileges.wallboards"}) { allowed } }',
    "a page of people": "{ users(first: 100) { edges { node { id userName displayName status } } } }",
    "their roles": "{ users(first: 100) { edges { node { id roles { role { key } contract { number } } } } } }",
    "rights of ten": "{ users(first: 10) { edges { node { effectiveRights { state value { text } } } } } }",
    "operations of ten": "{ users(first: 10) { edges { node { operations { allowed } } } } }",
    "who holds": "{ permissionNodes(first: 20) { edges { node { ... on Permission { holders { totalCount } } } } } }",
    "the log": "{ auditLog(first: 20) { edges { node { action changes { action detail } } } } }",
    "the schema": get_introspection_query(),
}


def double(times: int) -> str:
    """Fragments of which each spreads the next one twice."""
    fragments = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(times)]
    return " ".join(["{ ...F0 }", *fragments, f"fragment F{times} on Query {{ a: revision }}"])


def measure(work: Callable[[], object], tries: int) -> float:
    """The median time of some work, in seconds."""
    times = []
    for _ in range(tries):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return median(times)


def measure_documents(executor: Executor, tries: int) -> dict[str, Any]:
    """How long documents take to be refused or counted, by name."""
    caller = Caller(user="usr_1", user_name="nobody")  # type: ignore[arg-type]  # of nobody in particular
    documents = {
        "doubled 30 times": double(30), "doubled 150 times": double(150),
        "5,000 tokens": "{" + " revision" * 5000 + " }", "as many fields as are taken": LARGE,
        "introspection": get_introspection_query(),
    }  # fmt: skip
    found = {}
    for name, text in documents.items():

        def answer(text: str = text) -> str:
            executor._forget_documents()
            try:
                return f"costs {executor._admit(Request(query=text), caller, ANSWERED).cost}"
            except RequestFault:
                return "refused"

        found[name] = {"outcome": answer(), "seconds": measure(answer, tries), **compare(executor, text, tries)}
    return found


def compare(executor: Executor, text: str, tries: int) -> dict[str, float]:
    """The time of counting a document by that of validating it, where it is one that can be validated."""
    try:
        node = parse(text, max_tokens=Limits().max_tokens)
        fragments = order_fragments(node)
    except Exception:  # it is refused before there is anything to compare
        return {}

    def count() -> None:
        check_shape(executor.schema, node, fragments, Limits())
        for operation in node.definitions:
            if isinstance(operation, OperationDefinitionNode):
                Costs(executor.schema, fragments).count(operation, {})

    counting = measure(count, tries)
    return {"counted": counting, "ratio": counting / measure(lambda: validate(executor.schema, node, RULES), tries)}


async def measure_operations(executor: Executor, tries: int) -> dict[str, Any]:
    """What operations on the demo cost, and the units of the processor that they took."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite+aiosqlite:///{Path(folder)}/demo.db", seeds=find_seeds())
        services = await open_services(settings)
        tokens = await load_demo(services, settings.seeds / "demo.yaml")
        caller = await authenticate(services, tokens["owner"])
        assert caller is not None
        found = {}
        for name, text in OPERATIONS.items():
            times = []
            for _ in range(tries):
                admitted = await executor.admit(Request(query=text), caller)
                begun = process_time()
                await executor.execute(services, caller, admitted)
                times.append(process_time() - begun)
            found[name] = {"cost": admitted.cost, "units": round(median(times) / UNIT_S)}
        await services.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--tries", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    executor = Executor()
    documents = measure_documents(executor, chosen.tries)
    operations = asyncio.run(measure_operations(executor, max(3, chosen.tries // 5)))
    holds = all(one["seconds"] < ALLOWED_S for one in documents.values() if one["outcome"] == "refused")
    if chosen.json:
        print(json.dumps({"documents": documents, "operations": operations, "holds": holds}))
        return
    for name, one in documents.items():
        ratio = f"counting {one['ratio']:.2f} of validating" if "ratio" in one else ""
        print(f"{name:30} {one['outcome']:14} {one['seconds'] * 1000:8.2f} ms  {ratio}")
    for name, one in operations.items():
        print(f"{name:30} costs {one['cost']:7}  took {one['units']:7} units")
    print("holds" if holds else f"does not hold: refused in more than {ALLOWED_S * 1000:.0f} ms")


if __name__ == "__main__":
    main()
