"""Answers that are there as JSON already: spliced in, kept, and never kept where they should not be."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
import strawberry
from graphql import parse

from app.graphql.compiled import Compiler, Keep, Partly, Run
from app.graphql.compiled.splices import MAX_KEY, find_key


@strawberry.type
class Part:
    name: str
    number: int = 1

    @strawberry.field
    def twice(self, by: int = 2) -> int:
        return self.number * by

    @strawberry.field
    async def later(self) -> int:
        return self.number

    @strawberry.field
    async def fails_later(self) -> int | None:
        raise ValueError("a fault")

    @strawberry.field
    def fails(self) -> int | None:
        raise ValueError("a fault")


@strawberry.type
class Query:
    @strawberry.field
    def parts(self, info: strawberry.Info, few: bool = False, names: list[str] | None = None) -> list[Part]:
        info.context.append("resolved")
        return [Part(name="a"), Part(name="b", number=2)][: 1 if few else 2]


class Shelf:
    """A splice that keeps what it is told."""

    def __init__(self) -> None:
        self.kept: dict[Any, bytes] = {}
        self.asked: list[tuple[Any, Mapping[str, Any], str | None]] = []

    def __call__(
        self, source: Any, info: Any, arguments: Mapping[str, Any], key: str | None
    ) -> orjson.Fragment | Keep | None:
        assert info.field_name == "parts"
        self.asked.append((source, arguments, key))
        if key is None:
            return None
        place = (bool(arguments.get("few")), key)
        if place in self.kept:
            return orjson.Fragment(self.kept[place])

        def keep(completed: Any) -> orjson.Fragment:
            self.kept[place] = orjson.dumps(completed)
            return orjson.Fragment(self.kept[place])

        return keep


def run(shelf: Any, document: str, variables: dict[str, Any] | None = None) -> tuple[Any, list[str]]:
    """What comes of a query, and what was resolved for it."""
    compiler = Compiler(strawberry.Schema(query=Query)._schema, {("Query", "parts"): shelf})
    parsed = parse(document)
    plan = compiler.compile(parsed, parsed.definitions[0])  # type: ignore[arg-type]  # it is an operation
    assert plan is not None
    bound = plan.bind(variables or {}, max_errors=8, hide_suggestions=False)
    assert isinstance(bound, Run)
    bound.context_value = resolved = []
    return bound.execute_operation(), resolved


def test_what_was_kept_is_the_answer() -> None:
    shelf = Shelf()

    first, resolved = run(shelf, "{ parts { name twice(by: 3) } }")
    second, resolved_again = run(shelf, "query Another { parts { ...all } } fragment all on Part { name twice(by: 3) }")
    third, _ = run(shelf, "{ parts { name twice(by: 3) } }")

    expected = b'{"parts":[{"name":"a","twice":3},{"name":"b","twice":6}]}'
    assert orjson.dumps(first.data) == orjson.dumps(second.data) == orjson.dumps(third.data) == expected
    assert (resolved, resolved_again) == (["resolved"], ["resolved"])  # a fragment may be on a type: another selection
    assert len(shelf.kept) == 2
    assert run(shelf, "{ again: parts { name twice(by: 3) } }")[1] == []


def test_it_is_told_what_the_resolver_would_be() -> None:
    shelf = Shelf()

    run(shelf, 'query ($f: Boolean!) { parts(few: $f, names: ["x"]) { name } }', {"f": True})

    assert shelf.asked == [(None, {"few": True, "names": ["x"]}, "name ")]


@pytest.mark.parametrize(
    ("selection", "is_kept"),
    [
        ("name", True), ("name fails", False), ("name later", True), ("name later fails", False),
        ("later failsLater", False), ("name number twice", True),
    ],
)  # fmt: skip
async def test_what_failed_is_not_kept(selection: str, is_kept: bool) -> None:
    shelf = Shelf()

    result, resolved = run(shelf, f"{{ parts {{ {selection} }} }}")
    if "later" in selection:
        result = await result

    assert resolved == ["resolved"]
    assert bool(shelf.kept) is is_kept
    assert bool(result.errors) is ("fails" in selection)
    if is_kept:
        again, resolved = run(shelf, f"{{ parts {{ {selection} }} }}")
        assert orjson.dumps(again.data) == orjson.dumps(result.data)
        assert resolved == []


def test_what_a_splice_raises_is_the_fault_of_the_field() -> None:
    def refuse(*_given: Any) -> None:
        raise ValueError("not you")

    result, resolved = run(refuse, "{ parts { name } }")

    assert result.data is None
    assert [(one.message, one.path) for one in result.errors] == [("not you", ["parts"])]
    assert resolved == []


@pytest.mark.parametrize(
    ("selection", "is_written"),
    [("name twice", True), ("name later", True), ("name fails", False), ("later failsLater", False)],
)
async def test_what_is_given_in_part_is_completed_and_put_together(selection: str, is_written: bool) -> None:
    """In place of what the resolver gives, which is not called; and only where nothing of it failed."""

    def write(completed: Any) -> orjson.Fragment:
        return orjson.Fragment(orjson.dumps(["known", *completed]))

    result, resolved = run(lambda *_given: Partly([Part(name="c", number=3)], write), f"{{ parts {{ {selection} }} }}")
    if "later" in selection:
        result = await result

    assert resolved == []
    expected = {"name": "c", "twice": 6, "later": 3, "fails": None, "failsLater": None}
    part = {name: expected[name] for name in selection.split()}
    assert orjson.loads(orjson.dumps(result.data)) == {"parts": ["known", part] if is_written else [part]}
    assert bool(result.errors) is not is_written


@pytest.mark.parametrize(
    ("selection", "key"),
    [
        ("name", "name "),
        ("a: name b: twice(by: 2)", "a:name b:twice(by: 2) "),
        ("name @skip(if: true) number @include(if: true)", "number "),
        ("...f ... @include(if: false) { twice } ... on Part { name }", "...Part{number } ...Part{name } "),
        ("twice(by: $n)", None),
        ("name @skip(if: $b)", None),
        ("... { name @include(if: $b) }", None),
        (" ".join(f"long_alias_of_name_{n}: name" for n in range(MAX_KEY // 20)), None),
    ],
)
def test_a_key_says_what_is_selected(selection: str, key: str | None) -> None:
    document = parse(f"query ($n: Int, $b: Boolean!) {{ parts {{ {selection} }} }} fragment f on Part {{ number }}")
    operation: Any = document.definitions[0]
    fragment: Any = document.definitions[1]

    assert find_key(list(operation.selection_set.selections), {"f": fragment}) == key


def test_a_selection_that_is_doubled_thirty_times_has_no_key() -> None:
    fragments = " ".join(f"fragment F{n} on Part {{ ...F{n + 1} ...F{n + 1} }}" for n in range(30))
    document = parse(f"{{ parts {{ ...F0 }} }} {fragments} fragment F30 on Part {{ name }}")
    operation: Any = document.definitions[0]
    known: Any = {node.name.value: node for node in document.definitions[1:]}  # type: ignore[attr-defined]  # fragments

    assert find_key(list(operation.selection_set.selections), known) is None
