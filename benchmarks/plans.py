"""Claim: a plan runs a query several times as fast as graphql-core does, from its variables to its data.

Four queries of what screens ask, over the world of `benchmarks/worlds.py`, as the owner of the account asks them, in
turns in one process: by its plan, and by graphql-core's `Executor` with the same resolvers. Both begin with variables
as they come out of JSON and end with data in Python, which is compared before anything is timed. What the index,
services and the database take is in both, and most of a plan's time; so each is run a second time, `alone`, with
resolvers that give at once what they gave before. Nothing is kept as JSON. `bound` is the part that is over once the
variables are coerced. Seconds are of the processor; ratios are medians of the ratios of the rounds, with their
quartiles.

    python -m benchmarks.plans [--people 10000] [--rounds 25] [--json]
"""

import argparse
import asyncio
import gc
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isawaitable
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from time import process_time
from typing import Any

from graphql import ExecutionResult, GraphQLObjectType, GraphQLSchema, OperationDefinitionNode, parse
from graphql import Executor as Core

from app.domain.callers import Caller
from app.graphql.compiled import Compiler, Plan
from app.graphql.context import Operation
from app.graphql.schema import build_schema
from app.main import open_services
from app.services.context import Services
from benchmarks.worlds import plant_world, settings_of

ROUND_S = 0.1  # of one way in a round: short beside the time for which a shared machine is fast or slow
DECISION = "allowed state missingFacts"


@dataclass(frozen=True)
class Question:
    """A query, and what it is asked with."""

    text: str
    variables: dict[str, Any]


Ask = Callable[[Question], Any]  # binds the variables, and gives what can be executed


def make_questions(people: list[str], nodes: list[str]) -> dict[str, Question]:
    """What is asked, by its name."""
    asked = [{"user": {"userName": people[n % len(people)]}, "node": nodes[n % len(nodes)]} for n in range(100)]
    check = "query ($input: CheckInput!) { check(input: $input) { allowed state missingFacts } }"
    many = "query ($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { allowed state missingFacts } }"
    users = """query ($first: Int) { users(first: $first) { edges { cursor node { id userName displayName status
        roles { role { key displayName } } teams { team { key displayName } } } } } }"""
    rights = """query ($user: UserRef!) { user(ref: $user) { id effectiveRights {
        state value { text } permission { key } } } }"""
    return {
        "check": Question(check, {"input": asked[0]}),
        "checkMany of 100": Question(many, {"inputs": asked}),
        "100 users, roles and teams": Question(users, {"first": 100}),
        "all rights of a user": Question(rights, {"user": {"userName": people[0]}}),
    }


def find_ways(schema: GraphQLSchema, texts: list[str]) -> dict[str, Ask]:
    """The ways to run a query whose document is parsed already, by name."""
    documents = {text: parse(text) for text in texts}
    compiler = Compiler(schema)
    plans: dict[str, Plan] = {}
    for text, document in documents.items():
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        plan = compiler.compile(document, operation)
        assert plan is not None, "plans know all of these"
        plans[text] = plan

    def ask_core(question: Question) -> Any:
        return Core.build(schema, documents[question.text], raw_variable_values=question.variables)

    def ask_plan(question: Question) -> Any:
        return plans[question.text].bind(question.variables, max_errors=8, hide_suggestions=False)

    return {"graphql-core": ask_core, "plan": ask_plan}


async def answer(services: Services, caller: Caller, ask: Ask, question: Question) -> ExecutionResult:
    """The answer to a question."""
    operation = Operation(services, caller, may_index=True)
    execution = ask(question)
    execution.context_value = operation
    result = execution.execute_operation()
    if not isinstance(result, ExecutionResult):
        result = await result
    if not operation.is_at_rest:
        await operation.end()
    return result  # type: ignore[no-any-return]  # by either way


async def time_way(services: Services, caller: Caller, ask: Ask, question: Question) -> tuple[float, float]:
    """Seconds of the processor that an answer takes, and that its variables take; over as many as there is time for."""
    times, begun = 0, process_time()
    while process_time() - begun < ROUND_S:
        for _ in range(5):
            await answer(services, caller, ask, question)
        times += 5
    taken = (process_time() - begun) / times
    begun = process_time()
    for _ in range(times):
        ask(question)
    return taken, (process_time() - begun) / times


async def race(
    services: Services, caller: Caller, question: Question, ways: dict[str, Ask], rounds: int
) -> dict[str, Any]:
    """Both ways in turns. Raises where they differ."""
    answers = {name: await answer(services, caller, ask, question) for name, ask in ways.items()}
    assert all(one.errors is None for one in answers.values()), answers
    shown = {json.dumps(one.data) for one in answers.values()}
    assert len(shown) == 1, "both ways say the same"
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, ask in list(ways.items())[:: 1 if number % 2 else -1]:
            taken[name].append(await time_way(services, caller, ask, question))
    ratios = [core[0] / plan[0] for core, plan in zip(taken["graphql-core"], taken["plan"], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    found: dict[str, Any] = {"bytes": len(shown.pop())}
    for name, turns in taken.items():
        found[name] = {
            "us": round(median(one for one, _ in turns) * 1e6, 1),
            "bound_us": round(median(one for _, one in turns) * 1e6, 1),
        }
    return found | {"ratio": round(median(ratios), 2), "quartiles": [round(low, 2), round(high, 2)]}


async def run(people: int, rounds: int) -> dict[str, Any]:
    """All of it: figures by question."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.db"
        await plant_world(path, people)
        services = await open_services(settings_of(path))
        try:
            await services.index.start()
            caller, names = find_people(services)
            nodes = [node.key for node in services.catalog.permissions if node.system not in {"gateway", "core"}]
            questions = make_questions(names, nodes)
            schema = build_schema()._schema
            ways = find_ways(schema, [one.text for one in questions.values()])
            gc.collect()
            gc.freeze()
            found = {name: await race(services, caller, one, ways, rounds) for name, one in questions.items()}
            for name, one in questions.items():
                with keeping_answers(schema):
                    found[f"{name}, alone"] = await race(services, caller, one, find_ways(schema, [one.text]), rounds)
            return found
        finally:
            await services.close()


@contextmanager
def keeping_answers(schema: GraphQLSchema) -> Iterator[None]:
    """Has every resolver give what it gave the first time for an object: what is left is running the query."""
    replaced: list[tuple[Any, Any]] = []
    for kind in schema.type_map.values():
        for field in getattr(kind, "fields", {}).values() if isinstance(kind, GraphQLObjectType) else ():
            resolver = getattr(field.extensions.get("strawberry-definition"), "base_resolver", None)
            if resolver is not None and all(resolver is not one for one, _ in replaced):
                replaced.append((resolver, resolver.wrapped_func))
                resolver.wrapped_func = keep_answer(resolver.wrapped_func, is_async=resolver.is_async)
    try:
        yield
    finally:
        for resolver, function in replaced:
            resolver.wrapped_func = function


def keep_answer(resolve: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    """A resolver that is asked once for each object, which it keeps as well."""
    kept: dict[int, tuple[Any, Any]] = {}

    async def keep_later(source: Any, **given: Any) -> Any:
        if id(source) not in kept:
            kept[id(source)] = (source, await resolve(source, **given))
        return kept[id(source)][1]

    async def keep_awaited(source: Any, answer: Any) -> Any:
        kept[id(source)] = (source, await answer)
        return kept[id(source)][1]

    def keep(source: Any, **given: Any) -> Any:
        if id(source) not in kept:
            answer = resolve(source, **given)
            if isawaitable(answer):
                return keep_awaited(source, answer)
            kept[id(source)] = (source, answer)
        return kept[id(source)][1]

    return keep_later if is_async else keep


def find_people(services: Services) -> tuple[Caller, list[str]]:
    """The owner of the account as a caller, and the names of a hundred others."""
    index = services.index.current()
    assert index is not None, "it was started"
    owner = index.people.find("user_name", "olga")
    assert owner is not None, "there is one"
    names = [person.user_name for person in islice(index.people, 200) if person.user_name != "olga"]
    return Caller(user=owner, user_name="olga", is_owner=True), names[-100:]


def print_table(figures: dict[str, Any]) -> None:
    """The figures for people."""
    print(f"{'question':<36}{'graphql-core':>14}{'bound':>9}{'plan':>11}{'bound':>8}{'ratio':>8}  quartiles")
    for name, one in figures.items():
        core, plan = one["graphql-core"], one["plan"]
        low, high = one["quartiles"]
        print(
            f"{name:<36}{core['us']:>11.1f} us{core['bound_us']:>9.1f}{plan['us']:>8.1f} us{plan['bound_us']:>8.1f}"
            f"{one['ratio']:>8.2f}  {low} to {high}"
        )


def main() -> None:
    """Runs it and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(run(options.people, options.rounds))
    if options.json:
        print(
            json.dumps({"benchmark": "plans", "people": options.people, "rounds": options.rounds, "figures": figures})
        )
    else:
        print_table(figures)


if __name__ == "__main__":
    main()
