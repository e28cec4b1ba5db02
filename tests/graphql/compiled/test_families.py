"""Plans and graphql-core beside each other, on a small schema, family by family: where they could come apart."""

import asyncio
import builtins
import gc
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from enum import Enum
from inspect import isawaitable
from typing import Annotated, Any

import pytest
import strawberry
from graphql import GraphQLError, parse, specified_rules, validate
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission

from app.graphql.compiled import Compiler
from tests.graphql.compiled.judging import run_core, run_plan, settle, write


@strawberry.enum
class Colour(Enum):
    RED = 1
    BLUE = "blue"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Cat(Named):
    colour: Colour = Colour.RED
    lives: int = 9
    kittens: list["Cat"] = strawberry.field(default_factory=list)
    born: datetime | None = None

    @strawberry.field
    def greeting(self, info: strawberry.Info, whom: str = "you") -> str:
        return f"{info.field_name} {info.path.as_list()} {self.name} {whom}"

    @strawberry.field
    async def slow(self, turns: int = 1, wrong: bool = False) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        if wrong:
            raise ValueError(f"after {turns}")
        return self.name

    @strawberry.field
    def must(self) -> str:
        return None  # type: ignore[return-value]  # what this is about


@strawberry.type
class Dog(Named):
    bark: str | None = None


@strawberry.type
class Stone:
    weight: float = 1.5


Thing = Annotated[Cat | Stone, strawberry.union("Thing")]


@strawberry.input(one_of=True)
class Which:
    name: str | None = strawberry.UNSET
    number: int | None = strawberry.UNSET


@strawberry.input
class Wish:
    which: Which
    colours: list[Colour] = strawberry.field(default_factory=lambda: [Colour.BLUE])
    at: datetime | None = None
    within: "Wish | None" = strawberry.UNSET
    many: list[list[int | None]] | None = strawberry.UNSET
    ratio: float = 0.5
    note: str | None = "none"


def wrong_cat() -> Cat:
    return Cat(name=5, colour="green", lives=2**40, kittens=[Cat(name="k"), "no cat", None], born="today")  # type: ignore[arg-type, list-item]  # on purpose


@strawberry.type
class Query:
    @strawberry.field
    def cat(self, name: str = "tom") -> Cat:
        return Cat(
            name=name, kittens=[Cat(name="a", colour=Colour.BLUE), Cat(name="b", born=datetime(2026, 1, 1, tzinfo=UTC))]
        )

    @strawberry.field
    def wrong(self) -> Cat | None:
        return wrong_cat()

    @strawberry.field
    def named(self) -> list[Named]:
        return [Cat(name="tom"), Dog(name="rex"), Cat(name="kit")]

    @strawberry.field
    def mixed(self) -> list[Named | None] | None:
        return [Cat(name="tom"), 5, None, ValueError("an entry"), Stone(), Dog(name="rex")]  # type: ignore[list-item]  # wrong on purpose

    @strawberry.field
    def things(self) -> list[Thing | None]:
        return [Cat(name="tom"), Stone(), Dog(name="rex"), 5, None]  # type: ignore[list-item]  # wrong on purpose

    @strawberry.field
    def cast(self) -> Named:
        return strawberry.cast(Dog, Cat(name="a cat that is a dog"))

    @strawberry.field
    def grid(self) -> list[list[int | None]]:
        return [[1, 2], [], [None, 3], (4,)]  # type: ignore[list-item]  # a tuple is a list too

    @strawberry.field
    def bad_grid(self) -> list[list[int] | None] | None:
        return [[1, None], 5, [1, "x"], "no list", {1: 2}, [2**31]]  # type: ignore[list-item]  # wrong on purpose

    @strawberry.field
    def generated(self) -> list[int]:
        def generate() -> Iterator[int]:
            yield 1
            yield 2
            raise KeyError("no third")

        return generate()  # type: ignore[return-value]  # anything that can be gone through

    @strawberry.field
    async def streamed(self, fail: bool = False) -> list[int | None]:
        async def generate() -> AsyncGenerator[int | None, None]:
            yield 1
            yield None
            if fail:
                raise ValueError("no third")

        return generate()  # type: ignore[return-value]  # anything that can be gone through

    @strawberry.field
    def wish(self, wish: Wish, more: list[Wish] | None = None, ids: list[strawberry.ID] | None = None) -> str:
        return repr((wish, more, ids))

    @strawberry.field
    def plain(
        self, a: int | None = None, b: Colour = Colour.RED, c: list[str] | None = strawberry.UNSET,
        d: float | None = 1.0, e: bool = True, f: datetime | None = None, g: strawberry.ID | None = None,
    ) -> str:  # fmt: skip
        return repr((a, b, c, d, e, f, g))

    @strawberry.field
    def told(self) -> str | None:
        raise GraphQLError("told", extensions={"code": "TOLD"})

    @strawberry.field
    def located(self) -> str | None:
        raise GraphQLError("of elsewhere", path=["elsewhere"])

    @strawberry.field
    def given(self) -> str:
        return ValueError("given back")  # type: ignore[return-value]  # as good as raised

    @strawberry.field
    def nothing(self) -> Cat:
        return None  # type: ignore[return-value]  # what this is about

    @strawberry.field
    def all_info(self, info: strawberry.Info) -> str:
        raw = info._raw_info
        return repr(
            (
                info.field_name, info.python_name, info.path.as_list(), info.path.typename,
                raw.parent_type, raw.return_type,
                [node.name.value for node in raw.field_nodes], sorted(raw.fragments), info.variable_values,
                raw.variable_values.sources.keys(), info.operation.name and info.operation.name.value, info.root_value,
                info.selected_fields, info.context, raw.abort_signal, raw.is_awaitable(5), info.schema is schema,
            )
        )  # fmt: skip


schema = strawberry.Schema(query=Query, types=[Dog])
compiler = Compiler(schema._schema)


async def compare(
    text: str, variables: dict[str, Any] | None = None, *, rules: Any = specified_rules
) -> dict[str, Any]:
    """The answer, the same both ways."""
    document = parse(text)
    assert validate(schema._schema, document, rules) == []
    core = run_core(schema._schema, document, variables or {}, "shared")
    core_waits = isawaitable(core)
    expected = await settle(core)
    plan = run_plan(compiler, document, variables or {}, "shared")
    assert plan is not None, "plans know it"
    assert isawaitable(plan) == core_waits
    assert await settle(plan) == expected
    found: dict[str, Any] = json.loads(expected)
    return found


# ---------------------------------------------------------------------- directives


DIRECTIVES = """query ($yes: Boolean!, $no: Boolean!, $open: Boolean! = true) {
  cat @include(if: $yes) @skip(if: $no) { name @skip(if: $no) lives @include(if: $no) colour @include(if: $open)
    ... @skip(if: $yes) { born } ...more @include(if: $yes) ...more @skip(if: $yes) __typename @include(if: $open) }
  named @skip(if: true) { name }
}
fragment more on Cat { kittens { name @include(if: $no) colour } }"""


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("no", [True, False])
@pytest.mark.parametrize("open_", [True, False, "left out"])
async def test_conditions(yes: bool, no: bool, open_: Any) -> None:
    variables = {"yes": yes, "no": no, "open": open_}
    if open_ == "left out":
        del variables["open"]

    answer = await compare(DIRECTIVES, variables)

    assert ("cat" in answer["data"]) == (yes and not no)


async def test_a_plan_turns_out_otherwise_for_every_request() -> None:
    document = parse(DIRECTIVES)
    plan = compiler.compile(document, document.definitions[0])  # type: ignore[arg-type]  # it is an operation
    assert plan is not None
    seen = set()
    for number in range(16):
        variables = {"yes": bool(number & 1), "no": bool(number & 2), "open": bool(number & 4)}
        run = plan.bind(variables, max_errors=8, hide_suggestions=False)
        assert run is not None
        assert not isinstance(run, list)
        result = run.execute_operation()
        assert write(result) == write(run_core(schema._schema, document, variables))  # type: ignore[arg-type]  # nothing waits
        seen.add(write(result))  # type: ignore[arg-type]  # as above

    assert len(seen) == 3


async def test_a_condition_that_is_null_is_left_to_graphql_core() -> None:
    document = parse("query ($open: Boolean = true) { cat { name @include(if: $open) } }")

    assert run_plan(compiler, document, {"open": None}) is None
    assert run_plan(compiler, document, {"open": False}).data == {"cat": {}}


# ---------------------------------------------------------------------- fragments and types


@pytest.mark.parametrize(
    "document",
    [
        "{ named { name ... on Cat { lives name } ... on Dog { bark } ... on Named { __typename name } } }",
        """{ named { ...a ...b } } fragment a on Named { ... on Cat { kittens { name } } }
           fragment b on Named { ...a name ... on Cat { kittens { lives ...a } } }""",
        "{ cat { kittens { name } } cat { kittens { lives kit: name } ... { kittens { colour } } } }",
        "{ mixed { name __typename ... on Cat { lives } } }",
        "{ things { __typename ... on Cat { name } ... on Stone { weight } ... on Named { n: name } } }",
        "{ cast { __typename name ... on Dog { bark } ... on Cat { lives } } }",
        '{ a: cat(name: "a") { name } b: cat(name: "b") { name greeting(whom: "me") } __typename kind: __typename }',
    ],
)
async def test_fragments_and_types(document: str) -> None:
    for _ in range(2):  # what was learnt of classes the first time is used the second
        await compare(document)


# ---------------------------------------------------------------------- nulls and errors


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ("{ grid }", {"grid": [[1, 2], [], [None, 3], [4]]}),
        ("{ bad_grid: badGrid }", {"bad_grid": [None, None, None, None, None, None]}),
        ("{ generated }", None),
        ("{ told located cat { name } }", {"told": None, "located": None, "cat": {"name": "tom"}}),
        ("{ given }", None),
        ("{ nothing { name } }", None),
        ("{ cat { must } told }", None),
        ("{ wrong { name } }", {"wrong": {"name": "5"}}),
        ("{ wrong { lives } }", {"wrong": None}),
        ("{ wrong { colour } }", {"wrong": None}),
        ("{ wrong { born } }", {"wrong": {"born": None}}),
        ("{ wrong { kittens { name } } }", {"wrong": None}),
        ("{ mixed { name ... on Cat { must } } }", {"mixed": [None, None, None, None, None, {"name": "rex"}]}),
        ("{ named { name ... on Cat { must } } told }", None),
    ],
)
async def test_nulls_go_up_as_far_as_they_must(document: str, data: Any) -> None:
    answer = await compare(document)

    assert answer["data"] == data
    assert answer["errors"] or document == "{ grid }" or "name" in str(data)


@pytest.mark.parametrize(
    "document",
    [
        "{ cat { a: slow(turns: 3, wrong: true) b: slow(turns: 1, wrong: true) c: slow } }",
        "{ a: cat { slow(turns: 2, wrong: true) } b: cat { slow(turns: 1, wrong: true) } told }",
        "{ told cat { kittens { a: slow(turns: 2, wrong: true) b: slow(turns: 1) } must } }",
        "{ named { ... on Cat { slow(turns: 1, wrong: true) kittens { name } } name } mixed { name } }",
        "{ mixed { ... on Cat { a: slow(turns: 3, wrong: true) b: slow(turns: 2, wrong: true) } } told wrong {name} }",
        "{ streamed s: streamed(fail: true) told }",
        "{ streamed cat { slow name } }",
    ],
)
@pytest.mark.usefixtures("called_off")
async def test_the_order_of_errors_is_that_in_which_they_come(document: str) -> None:
    await compare(document)


@pytest.mark.parametrize("builtins", [{}, vars(builtins)], ids=["nowhere to warn", "somewhere"])
@pytest.mark.usefixtures("called_off")
def test_what_is_called_off_is_no_fault_wherever_it_is_collected(builtins: dict[str, Any]) -> None:
    async def resolve() -> None:
        return None

    held: list[Any] = [resolve()]
    held.append(held)
    del held

    eval("collect()", {"__builtins__": builtins, "collect": gc.collect})


# ---------------------------------------------------------------------- variables and arguments


WISH = "query ($w: Wish!, $m: [Wish!], $i: [ID!]) { wish(wish: $w, more: $m, ids: $i) }"
RIGHT = {"which": {"name": "n"}, "many": [[1, None], []], "within": {"which": {"number": 4}}}


@pytest.mark.parametrize(
    "given",
    [
        {"w": RIGHT},
        {"w": RIGHT, "m": [RIGHT], "i": ["a", "b"]},
        {"w": RIGHT, "m": RIGHT, "i": "a"},
        {"w": RIGHT, "i": [5]},
        {"w": RIGHT, "m": None},
        {"w": {"which": {"name": "n"}, "note": None}},
        {"w": {"which": {"name": "n"}, "ratio": 1}},
        {},
        {"w": None},
        {"w": 5},
        {"w": {}},
        {"w": {"which": {}}},
        {"w": {"which": {"name": "a", "number": 1}}},
        {"w": {"which": {"name": None}}},
        {"w": {"which": {"nam": "a"}}},
        {"w": {"which": {"name": 5}}},
        {"w": {**RIGHT, "colours": ["RED", "BLUE"]}},
        {"w": {**RIGHT, "colours": ["red"]}},
        {"w": {**RIGHT, "colours": "RED"}},
        {"w": {**RIGHT, "at": "never"}},
        {"w": {**RIGHT, "at": "2026-11-27T12:00:00+00:00"}},
        {"w": {**RIGHT, "many": 5}},
        {"w": {**RIGHT, "many": [[2**31]]}},
        {"w": {**RIGHT, "many": [[1.0]]}},
        {"w": {**RIGHT, "ratio": float("inf")}},
        {"w": {**RIGHT, "odd": 1, "odder": 2}},
        {"w": {**RIGHT, "within": {"which": {}}}},
        {"w": [RIGHT]},
        {
            "w": {"which": [], "ratio": "x", "note": 1, "at": 5, "many": {}, "colours": [5, None]},
            "m": [None],
            "i": [None, True],
        },
        {"w": RIGHT, "unknown": 5},
    ],
    ids=str,
)
async def test_variables_and_what_is_wrong_with_them(given: dict[str, Any]) -> None:
    await compare(WISH, given)


@pytest.mark.parametrize(
    ("document", "given"),
    [
        (
            "query ($n: String!, $k: Int!) { a: wish(wish: {which: {name: $n}}) b: wish(wish: {which: {number: $k}}) }",
            {"n": "x", "k": 1},
        ),
        ('query ($a: [Int]!, $b: Int) { wish(wish: {which: {name: "n"}, many: [[$b, 1], $a]}) }', {"a": [1, None]}),
        (
            """query ($b: Int, $r: Float! = 2.5, $t: DateTime) {
               wish(wish: {which: {name: "n"}, many: [[$b]], ratio: $r, at: $t}) }""",
            {"b": 3},
        ),
        ("query ($a: Int, $b: Colour! = BLUE, $c: [String!], $g: ID) { plain(a: $a, b: $b, c: $c, g: $g) }", {}),
        (
            "query ($a: Int, $b: Colour! = BLUE, $c: [String!], $g: ID) { plain(a: $a, b: $b, c: $c, g: $g) }",
            {"a": None, "c": ["x"], "g": "1"},
        ),
        ("query ($b: Colour = BLUE) { plain(b: $b) }", {"b": None}),
        ("query ($b: Colour = BLUE) { plain(b: $b) }", {}),
        ('query ($r: Float = 1.5) { wish(wish: {which: {name: "n"}, ratio: $r}) }', {"r": None}),
        ('query ($w: [Wish!] = [{which: {name: "d"}}]) { wish(wish: {which: {number: 1}}, more: $w) }', {}),
        ('{ plain(a: 1, b: RED, c: ["x"], d: 2, e: false, f: "2026-01-01T00:00:00+00:00", g: 5) }', {}),
        (
            '{ plain(a: null, c: null, d: null) p: plain wish(wish: {which: {name: "n"}, many: [], within: null}) }',
            {},
        ),
        ('{ plain(c: "one") wish(wish: {which: {name: "n"}, colours: RED}, ids: 7) }', {}),
    ],
)
async def test_arguments_and_what_is_wrong_with_them(document: str, given: dict[str, Any]) -> None:
    await compare(document, given)


async def test_arguments_that_validation_would_have_refused() -> None:
    for document in (
        '{ plain(a: "x") }',
        '{ plain(f: "never") told }',
        "{ wish }",
        "{ wish(wish: {which: {}}) }",
        "{ wish(wish: {which: {name: null}}) }",
        '{ wish(wish: {odd: 1, which: {name: "x"}}) }',
        "query ($n: String) { wish(wish: {which: {name: $n, number: 1}}) }",
    ):
        answer = await compare(document, {"n": "x"}, rules=[])
        assert answer["errors"], document


async def test_what_one_call_is_given_no_other_call_sees() -> None:
    kept: list[Any] = []

    @strawberry.type
    class Taking:
        @strawberry.field
        def take(self, wish: Wish, names: list[str]) -> int:
            kept.append((wish, names))
            names.append("mine")
            wish.colours.append(Colour.RED)
            return len(names)

    taking = Compiler(strawberry.Schema(query=Taking)._schema)
    document = parse(
        '{ a: take(wish: {which: {name: "n"}}, names: ["x"]) b: take(wish: {which: {name: "n"}}, names: ["x"]) }'
    )
    plan = taking.compile(document, document.definitions[0])  # type: ignore[arg-type]  # it is an operation
    assert plan is not None
    for _ in range(2):
        run = plan.bind({}, max_errors=8, hide_suggestions=False)
        assert run is not None
        assert not isinstance(run, list)
        assert run.execute_operation().data == {"a": 2, "b": 2}  # type: ignore[union-attr]  # nothing waits

    assert len({id(wish) for wish, _ in kept}) == len({id(names) for _, names in kept}) == 4


async def test_a_resolver_is_told_of_its_field_as_ever() -> None:
    named = "query Named($x: Int = 5, $y: ID) { ...f } fragment f on Query { here: allInfo plain(a: $x, g: $y) }"
    await compare(named, {"y": "1"})
    await compare("{ cat { kittens { greeting slow } greeting } }")


# ---------------------------------------------------------------------- what plans do not know


class Refusing(BasePermission):
    message = "not you"

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        return False


class Shouting(FieldExtension):
    def resolve(self, next_: Callable[..., Any], source: Any, info: Any, **kwargs: Any) -> Any:
        return next_(source, info, **kwargs).upper()


@strawberry.type
class Guarded:
    open: str = "open"

    @strawberry.field(permission_classes=[Refusing])
    def shut(self) -> str:
        return "shut"

    @strawberry.field(extensions=[Shouting()])
    def loud(self) -> str:
        return "loud"


@strawberry.type
class Strange:
    @strawberry.field
    def guarded(self) -> Guarded:
        return Guarded()


@pytest.mark.parametrize(
    ("document", "is_known"),
    [
        ("{ guarded { open } }", True), ("{ guarded { shut } }", False), ("{ guarded { loud } }", False),
        ("{ __schema { queryType { name } } }", False), ('{ __type(name: "Guarded") { name } }', False),
        ("{ __typename }", True), ("query @odd { guarded { open } }", False),
        ("{ guarded { open @defer } }", False), ("{ guarded { ...f } } fragment f on Guarded { shut }", False),
    ],
)  # fmt: skip
def test_what_plans_do_not_know_is_left_to_graphql_core(document: str, is_known: bool) -> None:
    strange = Compiler(strawberry.Schema(query=Strange)._schema)
    parsed = parse(document)

    assert (strange.compile(parsed, parsed.definitions[0]) is not None) is is_known  # type: ignore[arg-type]  # it is an operation


def test_a_resolver_that_strawberry_did_not_make_is_left_to_graphql_core() -> None:
    built = strawberry.Schema(query=Strange)._schema
    built.type_map["Guarded"].fields["open"].resolve = lambda *_: "another"
    parsed = parse("{ guarded { open } }")

    assert Compiler(built).compile(parsed, parsed.definitions[0]) is None  # type: ignore[arg-type]  # it is an operation
