"""Every field of the schema is resolved by the same function both ways, which is told the same."""

import asyncio
from collections.abc import Iterator
from inspect import isawaitable
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, parse
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from app.graphql.compiled import Compiler, Run
from app.graphql.compiled.runs import Site
from app.graphql.schema import build_schema

SCHEMA: GraphQLSchema = build_schema()._schema
FIELDS = [
    (kind, name, field)
    for kind in SCHEMA.type_map.values()
    if isinstance(kind, GraphQLObjectType)
    and kind not in {SCHEMA.mutation_type, SCHEMA.subscription_type}
    and not kind.name.startswith("__")
    for name, field in kind.fields.items()
]


def definition_of(field: GraphQLField) -> StrawberryField:
    found: StrawberryField = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    return found


@pytest.fixture
def calls() -> Iterator[list[tuple[str, tuple[Any, ...], list[str]]]]:
    """What resolvers are called with: whose, the arguments by position, the names of the others."""
    seen: list[tuple[str, tuple[Any, ...], list[str]]] = []
    replaced: dict[int, tuple[Any, Any]] = {}
    for kind, name, field in FIELDS:
        resolver = definition_of(field).base_resolver
        if resolver is None or id(resolver) in replaced:
            continue
        replaced[id(resolver)] = (resolver, resolver.wrapped_func)

        def spy(*given: Any, whose: str = f"{kind.name}.{name}", **named: Any) -> str:
            seen.append((whose, given, sorted(named)))
            return whose

        resolver.wrapped_func = spy
    yield seen
    for resolver, function in replaced.values():
        resolver.wrapped_func = function


def test_both_ways_call_the_same_resolver(calls: list[tuple[str, tuple[Any, ...], list[str]]]) -> None:
    compiler = Compiler(SCHEMA)
    info: Any = SimpleNamespace(context="shared")
    run: Any = SimpleNamespace(context_value="shared")
    (node,) = parse("{ any }").definitions[0].selection_set.selections  # type: ignore[attr-defined]  # it is an operation
    called = 0
    for kind, name, field in FIELDS:
        resolver = compiler.find_resolver(kind, name)
        assert resolver is not None, f"plans know {kind}.{name}"
        assert field.resolve is not None
        source = SimpleNamespace(**{definition_of(field).python_name: f"the {name} of a {kind}"})
        if resolver.attribute is not None:
            assert resolver.attribute(source) == field.resolve(source, info) == f"the {name} of a {kind}"
            continue
        called += 1
        asyncio.run(settle(field.resolve(source, info)))
        site = Site(kind, name, [], [node], field.type)
        asyncio.run(settle(resolver._prepare_call(site)(run, source, None, {})))
        by_core, by_plan = calls
        calls.clear()
        assert by_plan == by_core
        assert by_plan[1] == (source,) or "root" in by_plan[2]

    assert called > 100


async def settle(value: Any) -> Any:
    return await value if isawaitable(value) else value


def test_no_field_is_left_to_graphql_core_but_those_about_the_schema() -> None:
    assert Compiler(SCHEMA)._unknown == {"__schema", "__type"}


def test_where_nothing_waits_nothing_is_awaited() -> None:
    """Without an event loop: a query whose resolvers are synchronous, lists longer than a piece's steps included."""
    document = parse("{ viewer { source __typename } }")
    plan = Compiler(SCHEMA).compile(document, document.definitions[0])  # type: ignore[arg-type]  # it is an operation
    assert plan is not None
    run = plan.bind({}, max_errors=8, hide_suggestions=False)
    assert isinstance(run, Run)
    run.context_value = SimpleNamespace(caller=SimpleNamespace(user="usr_1"))

    result: Any = run.execute_operation()

    assert result.data == {"viewer": {"source": "manual", "__typename": "Viewer"}}
