"""Operations that are run piece by piece answer the same, and let others go on."""

import asyncio
import gc
import warnings
from contextlib import suppress
from typing import Any
from weakref import ref

import pytest
from graphql import build_schema, parse

from app.graphql import pieces
from tests.factories import Gateway

DOCUMENT = """{
  users(first: 50) { totalCount edges { cursor node { userName
    effectiveRights { state value { text } permission { key } }
    roles { role { key } } teams { team { key } }
  } } }
  permissionNodes(first: 100) { edges { node { key parent { key } } } }
  nothing: user(ref: {userName: "nobody"}) { id }
}"""


KINDS = build_schema("""
  schema { query: Item }
  interface Named { name: String }
  type Item implements Named { name: String item: Item items: [Item] many: [Item] promised: [Item] named: Named }
""")
LEAVES = "name item { name } items { name } many { name } promised { name } named { name }"
EVERY_KIND = parse(
    f"""{{ name item {{ {LEAVES} }} items {{ {LEAVES} }} many {{ {LEAVES} }} promised {{ {LEAVES} }} }}"""
)


class Item:
    """Of each of its fields something has to be waited for."""

    async def name(self, _info: Any) -> str:
        await asyncio.sleep(0)
        return "a name"

    async def item(self, _info: Any) -> "Item":
        return self

    def items(self, _info: Any) -> "list[Item]":
        return [self] * 2

    def many(self, _info: Any) -> "list[Item]":
        return [self] * (pieces.ENTRIES + 1)

    def promised(self, info: Any) -> list[Any]:
        return [self.item(info) for _ in range(2)]

    def named(self, _info: Any) -> "Item":
        return self


async def find_type(*_given: Any) -> str:
    return "Item"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    monkeypatch.setattr(pieces, "REST_S", 0.0)


async def test_the_answer_is_the_same(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_S", 60.0)
    expected = await world.ask(DOCUMENT)
    monkeypatch.setattr(pieces, "PIECE_S", 0.0)
    monkeypatch.setattr(pieces, "REST_S", 0.0)

    assert await world.ask(DOCUMENT) == expected


async def test_others_go_on_meanwhile(world: Gateway, small_pieces: None) -> None:
    turns = 0
    asked = asyncio.create_task(world.gql(DOCUMENT))
    while not asked.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns > 100
    assert await asked


@pytest.mark.parametrize(("piece_s", "rests"), [(0.0, True), (60.0, False)])
async def test_it_rests_once_a_piece_has_taken_its_time(
    piece_s: float, rests: bool, world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_S", piece_s)
    monkeypatch.setattr(pieces, "REST_S", 0.000123)  # as nobody else sleeps
    counted, sleep = 0, asyncio.sleep

    async def count(delay: float, *more: Any) -> Any:
        nonlocal counted
        is_rest = delay == pieces.REST_S
        counted += is_rest
        return await sleep(0 if is_rest else delay, *more)

    monkeypatch.setattr(asyncio, "sleep", count)
    await world.gql(DOCUMENT)

    assert counted > 10 if rests else counted == 0


async def test_errors_keep_their_place_in_a_long_list(world: Gateway, small_pieces: None) -> None:
    ids = ["x"] * 20 + [world.ids["ana"]] + ["y"] * 20
    document = (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Permission { holders(first: 101) { totalCount } } } }"
    )

    data = await world.gql(document, {"ids": ids})

    assert [place for place, node in enumerate(data["nodes"]) if node] == [20]


async def test_a_fault_of_one_entry_of_a_long_list_ends_it_as_ever(world: Gateway, small_pieces: None) -> None:
    document = """{ permissionNodes(first: 100) { edges { node {
      key ... on Permission { holders(first: 101) { totalCount } }
    } } } }"""

    answer: dict[str, Any] = await world.ask(document)

    assert answer["data"] is None  # nothing on the way may be null
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    (error,) = answer["errors"][:1]
    assert error["path"][:2] == ["permissionNodes", "edges"]


@pytest.mark.parametrize("piece_s", [0.0, 60.0])
@pytest.mark.parametrize("turns", range(12))
async def test_nothing_is_left_of_what_is_called_off(
    turns: int, piece_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it was waited for, or after so many turns of the event loop: no coroutine is told of as never awaited."""
    monkeypatch.setattr(pieces, "PIECE_S", piece_s)
    monkeypatch.setattr(pieces, "REST_S", 0.0)
    execution = pieces.PiecewiseExecution.build(KINDS, EVERY_KIND, Item(), type_resolver=find_type)
    assert isinstance(execution, pieces.PiecewiseExecution)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = execution.execute_operation()
        if turns == 0:
            result.close()
            execution.drop()
        else:
            asked = asyncio.ensure_future(result)
            for _ in range(turns):
                await asyncio.sleep(0)
            assert asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            del asked
        del execution, result
        await asyncio.sleep(0)
        gc.collect()

    assert told == []


def test_an_event_of_a_subscription_keeps_nothing_for_the_next() -> None:
    schema = build_schema("type Item { name: String } type Query { item: Item } type Subscription { items: [Item] }")
    execution = pieces.PiecewiseExecution.build(schema, parse("subscription { items { name again: name } }"))
    assert isinstance(execution, pieces.PiecewiseExecution)

    def answer(name: str) -> Any:
        event = {"items": [{"name": name}, {"name": "same"}]}
        return execution.build_per_event_executor(event).execute_operation(serially=False)

    def count_kept() -> int:
        gc.collect()
        return sum(type(one).__name__ == "FieldDetails" for one in gc.get_objects())

    before = count_kept()
    for number in range(50):
        entries = [{"name": name, "again": name} for name in (str(number), "same")]
        assert answer(str(number)).data == {"items": entries}
    assert count_kept() == before


async def test_an_execution_of_an_event_is_gone_with_its_answer() -> None:
    """Without a search for garbage: those are few."""
    execution = pieces.PiecewiseExecution.build(KINDS, EVERY_KIND, type_resolver=find_type)
    assert isinstance(execution, pieces.PiecewiseExecution)
    showing = execution.build_per_event_executor(Item())
    kept = ref(showing)

    gc.disable()
    try:
        answer: Any = await showing.execute_operation(serially=False)
        del showing
        assert kept() is None
    finally:
        gc.enable()

    assert answer.errors is None
    assert len(answer.data["many"]) == pieces.ENTRIES + 1
