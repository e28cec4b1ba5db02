"""Whoever may not see something is told so in the same words, with plans and without: guards stand in services."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_non_null_type,
    print_ast,
)

from app.domain.callers import Caller
from app.graphql.execution import Executor, Request, RequestFault
from app.graphql.policy import Policy
from app.services.callers import authenticate
from app.services.context import Services
from app.services.demo import DEMO_CALLERS
from app.settings import Limits
from tests.adversarial.documents import Enlivener
from tests.adversarial.test_documents import find_words, open_demo, public_schema
from tests.factories import executor

DEPTH = 2  # objects within objects that are asked for
BY_CORE = Policy(compiled=False)
EVERYTHING = Limits(
    max_document_bytes=10**7, max_tokens=10**6, max_aliases=10**5, max_fields=10**5, max_cost=10**12
)  # fmt: skip
OF_THE_MOMENT = re.compile(r'"(evaluatedAt|verifiedAt)\w*": "[^"]*"')


class Asker(Enlivener):
    """Writes documents that ask for everything of a field."""

    def ask(self, name: str) -> str:
        """All of a field of queries, so far down."""
        root: Any = public_schema().query_type
        return f"{{ {print_ast(self.make_field(root, name, root.fields[name], DEPTH))} }}"

    def make_field(self, parent: Any, name: str, field: GraphQLField, depth: int) -> FieldNode:
        named = get_named_type(field.type)
        arguments = tuple(
            ArgumentNode(name=NameNode(value=key), value=self._make(parent.name, key, one.type))
            for key, one in field.args.items()
            if is_non_null_type(one.type) or key == "first"
        )
        inner = SelectionSetNode(selections=tuple(self.select(named, depth - 1))) if is_composite_type(named) else None
        return FieldNode(name=NameNode(value=name), arguments=arguments, selection_set=inner)

    def select(self, kind: Any, depth: int) -> Iterator[FieldNode | InlineFragmentNode]:
        yield FieldNode(name=NameNode(value="__typename"))
        if is_abstract_type(kind):
            for possible in public_schema().get_possible_types(kind):
                condition = NamedTypeNode(name=NameNode(value=possible.name))
                inner = SelectionSetNode(selections=tuple(self.select(possible, depth)))
                yield InlineFragmentNode(type_condition=condition, selection_set=inner)
            return
        assert isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items():
            if depth > 0 or not is_composite_type(get_named_type(field.type)):
                made = self.make_field(kind, name, field, depth)
                # Types of one interface give other types under the same name, which may not stand beside each other.
                yield FieldNode(
                    alias=NameNode(value=f"{name}Of{kind.name}"), name=made.name, arguments=made.arguments,
                    selection_set=made.selection_set,
                )  # fmt: skip


async def answer(services: Services, caller: Caller, by: Executor, document: str) -> str:
    try:
        admitted = await by.admit(Request(query=document), caller)
        found: Any = await by.execute(services, caller, admitted)
    except RequestFault as fault:
        found = [error.formatted for error in fault.errors]
    return OF_THE_MOMENT.sub("", json.dumps(orjson.loads(orjson.dumps(found))))  # what is spliced in, read again


@pytest.mark.long
@pytest.mark.parametrize("with_index", [True, False])
def test_every_question_of_every_caller_is_answered_the_same(with_index: bool, tmp_path: Path) -> None:
    refused = asyncio.run(ask_everything(tmp_path, with_index=with_index))

    assert set(refused) == set(DEMO_CALLERS)
    assert refused["owner"] == 0
    assert refused["agent"] > 2
    assert refused["sync"] > 0


async def ask_everything(folder: Path, *, with_index: bool) -> dict[str, int]:
    """How often each caller was refused something; asserts that both ways say so alike."""
    refused: dict[str, int] = {}
    by_plan = executor().within(EVERYTHING)
    by_core = by_plan.under(BY_CORE)
    async with open_demo(folder) as demo:
        if with_index:
            await demo.services.index.start()
        words = await find_words(demo)
        for caller_name in DEMO_CALLERS:
            caller = await authenticate(demo.services, demo.tokens[caller_name])
            assert caller is not None
            chance = Random(caller_name)
            refused[caller_name] = 0
            for name in sorted(public_schema().query_type.fields):  # type: ignore[union-attr]  # there are some
                document = Asker(public_schema(), words, chance).ask(name)
                expected = await answer(demo.services, caller, by_core, document)
                found = await answer(demo.services, caller, by_plan, document)
                assert found == expected, (caller_name, document)
                refused[caller_name] += "FORBIDDEN" in expected
    return refused
