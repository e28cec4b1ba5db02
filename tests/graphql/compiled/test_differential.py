"""Random documents over the whole schema, with faults in resolvers: plans answer as graphql-core, to the letter.

By default 2,000 documents, `-m deep` a million, or as many as `DEEP_DOCUMENTS` says. hypothesis-graphql writes one in
eighty of them; the others are that one dressed up anew: other parts of it, with variables (wrong ones among them),
directives, aliases, fragments, and the same field asked for twice. What resolvers give is chance too (`fakes.py`).
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import cache
from inspect import isawaitable
from random import Random
from typing import Any

import hypothesis_graphql
import pytest
from graphql import (
    DocumentNode,
    OverlappingFieldsCanBeMergedRule,
    ValuesOfCorrectTypeRule,
    VariablesInAllowedPositionRule,
    parse,
    print_ast,
    validate,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis_graphql import nodes

from app.graphql import pieces
from app.graphql.compiled import Compiler
from app.graphql.schema import build_schema
from tests.adversarial.documents import Enlivener
from tests.adversarial.test_documents import SCALARS, public_schema
from tests.graphql.compiled.dressing import Dresser
from tests.graphql.compiled.fakes import Fakes
from tests.graphql.compiled.judging import run_core, run_plan, settle

DRESSINGS = 80  # of a document: writing one anew takes longer than all of these together
DEEP_DOCUMENTS = int(os.environ.get("DEEP_DOCUMENTS", "1000000"))
BATCH = 25  # documents that are written at once, at most
WORDS = {
    "String": ["x", "ana"], "ID": ["u-1"], "Int": [1, 5], "DateTime": ["2026-11-27T12:00:00Z"], "Revision": ["1", "99"],
}  # fmt: skip
RULES = [
    OverlappingFieldsCanBeMergedRule,
    ValuesOfCorrectTypeRule,
    VariablesInAllowedPositionRule,
]  # that may be broken


def write_documents(batch: int) -> Iterator[DocumentNode]:
    """Queries that the schema allows, without end; so many are written at once."""
    scalars = {name: values.map(nodes.String) for name, values in SCALARS.items()}
    kind = hypothesis_graphql.queries(public_schema(), custom_scalars=scalars, print_ast=lambda node: node)  # type: ignore[arg-type, return-value]
    found: list[DocumentNode] = []

    @settings(
        max_examples=batch, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=tuple(HealthCheck),
    )  # fmt: skip
    @given(kind)
    def write(document: Any) -> None:
        found.append(document)

    while True:
        found.clear()
        write()
        yield from found


@cache
def fakes() -> Fakes:
    return Fakes(build_schema()._schema)


class Judge:
    """Runs documents both ways, and counts what it has seen."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self.seen = {"documents": 0, "refused variables": 0, "left to graphql-core": 0, "awaited": 0, "with errors": 0}

    async def judge(self, text: str, chance: Random, *, only_data: bool = False) -> None:
        """Asserts that a document, dressed by chance, is answered the same both ways."""
        world, schema = fakes(), self.compiler.schema
        dresser = Dresser(public_schema(), chance)
        dressed = dresser.dress(parse(text))
        document = parse(dressed)
        if validate(schema, document, RULES):
            return
        world.seed = str(chance.getrandbits(64))
        world.faults, world.waits = chance.choice((0, 0.01, 0.03, 0.1)), chance.choice((0, 0.1, 0.5))
        core = run_core(schema, document, dresser.variables)
        core_waits = isawaitable(core)
        expected = await settle(core)
        plan = run_plan(self.compiler, document, dresser.variables)
        self.seen["documents"] += 1
        if plan is None:
            self.seen["left to graphql-core"] += 1
            return
        plan_waits = isawaitable(plan)
        self.seen["refused variables"] += isinstance(plan, list)
        self.seen["awaited"] += plan_waits
        self.seen["with errors"] += '"errors": []' not in expected
        found = await settle(plan)
        if only_data:
            assert found.partition('"data": ')[2] == expected.partition('"data": ')[2], (dressed, dresser.variables)
            return
        assert found == expected, (dressed, dresser.variables, world.seed)
        assert plan_waits == core_waits, dressed


async def judge_many(count: int, *, only_data: bool = False) -> dict[str, int]:
    with fakes().installed():
        judge = Judge(Compiler(fakes().schema))
        for document in write_documents(min(BATCH, count // DRESSINGS + 1)):
            if judge.seen["documents"] >= count:
                break
            chance = Random(hash(print_ast(document)))
            text = Enlivener(public_schema(), WORDS, chance).rewrite(document)
            for _ in range(DRESSINGS):
                await judge.judge(text, chance, only_data=only_data)
    return judge.seen


@pytest.mark.long
@pytest.mark.usefixtures("called_off")
@pytest.mark.parametrize("count", [2_000, pytest.param(DEEP_DOCUMENTS, marks=pytest.mark.deep)])
def test_plans_and_graphql_core_answer_the_same(count: int, record_property: Callable[[str, object], None]) -> None:
    with asyncio.Runner() as runner:
        seen = runner.run(judge_many(count))

    record_property("seen", seen)
    assert seen["documents"] >= count
    assert seen["left to graphql-core"] < count / 100
    for kind in ("refused variables", "awaited", "with errors"):
        assert seen[kind] > count / 50, seen


@pytest.mark.usefixtures("called_off")
def test_plans_that_rest_answer_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data: in which order errors come hangs on who rests when, with graphql-core as well."""
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    monkeypatch.setattr(pieces, "REST_S", 0.0)
    with asyncio.Runner() as runner:
        seen = runner.run(judge_many(200, only_data=True))

    assert seen["awaited"] > 20
