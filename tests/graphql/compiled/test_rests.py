"""A plan keeps the event loop to itself for no longer than a piece, even where nothing in it has to be waited for."""

import asyncio
from typing import Any

import pytest
import strawberry
from graphql import DocumentNode, parse

from app.graphql import pieces
from app.graphql.compiled import Compiler, Run
from tests.graphql.compiled.judging import run_core

CALLS: list[str] = []


@strawberry.type
class Leaf:
    number: int

    @strawberry.field
    def heavy(self) -> int:
        CALLS.append("heavy")
        return self.number

    @strawberry.field
    def heavier(self) -> int | None:
        CALLS.append("heavier")
        if self.number == 3:
            raise ValueError("a fault")
        return self.number


@strawberry.type
class Query:
    @strawberry.field
    def leaves(self, count: int = 5) -> list[Leaf]:
        CALLS.append("leaves")
        return [Leaf(number=n) for n in range(count)]

    @strawberry.field
    def numbers(self) -> list[list[int]]:
        CALLS.append("numbers")
        return [[n, n] for n in range(40)]


SCHEMA = strawberry.Schema(query=Query)._schema
DOCUMENT = parse("{ a: leaves { number heavy heavier } numbers b: leaves(count: 20) { heavier twice: heavier heavy } }")
PLAIN_AFTER_HEAVY = parse("{ leaves { heavy __typename twice: heavy number } kind: __typename numbers __typename }")


def begin(document: DocumentNode = DOCUMENT) -> Any:
    plan = Compiler(SCHEMA).compile(document, document.definitions[0])  # type: ignore[arg-type]  # it is an operation
    assert plan is not None
    run = plan.bind({}, max_errors=8, hide_suggestions=False)
    assert isinstance(run, Run)
    return run.execute_operation()


async def test_what_is_read_after_a_rest_is_read_as_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run_core(SCHEMA, PLAIN_AFTER_HEAVY, {})
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    monkeypatch.setattr(pieces, "REST_S", 0.0)
    found = await begin(PLAIN_AFTER_HEAVY)
    assert found.errors is None
    assert found.data == expected.data
    assert found.data["leaves"][0]["__typename"] == "Leaf"


async def test_others_have_a_turn_between_any_two_resolvers(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run_core(SCHEMA, DOCUMENT, {})
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    monkeypatch.setattr(pieces, "REST_S", 0.0)
    CALLS.clear()
    turns = 0
    asked = asyncio.ensure_future(begin())
    while not asked.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns > len(CALLS)
    result = asked.result()
    assert result.data == expected.data
    assert sorted(map(str, result.errors)) == sorted(map(str, expected.errors))


async def test_what_takes_less_than_a_piece_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_S", 60.0)

    assert begin().data == run_core(SCHEMA, DOCUMENT, {}).data


async def test_what_is_called_off_while_it_rests_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    CALLS.clear()
    asked = asyncio.ensure_future(begin())
    await asyncio.sleep(0)  # it begins, and rests
    assert CALLS == ["leaves"]
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    CALLS.clear()
    await asyncio.sleep(pieces.REST_S * 2)

    assert CALLS == []
