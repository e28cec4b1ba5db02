"""The walks over a document that count its shape and its cost, held to ones that spread out every fragment again."""

import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from app.graphql.costs import REQUEST, SIZED_BY, expect_entries, weigh
from app.graphql.limits import (
    Shape,
    count_cost,
    count_introspected,
    is_list_of_objects,
    measure_shape,
    order_fragments,
)
from app.graphql.pagination import DEFAULT_PAGE, MAX_PAGE
from tests.factories import executor

VARIABLES: dict[str, Any] = {"a": 3, "b": 0, "c": 1000, "list": [{}, {}, {}, {}]}  # `d` is given no value
FRAGMENTS = 4  # of a document: spread so often that the last of them may run a hundred times


# ---------------------------------------------------------------------- documents


class Maker:
    """Makes documents of the schema; what they ask for makes no sense, and most of it is no valid argument."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.schema = executor().schema

    def make(self) -> str:
        parts = []
        for number in range(FRAGMENTS):
            within = self.random.choice(composite_types())
            parts.append(f"fragment F{number} on {within} {self.selections(within, 2, number + 1)}")
        root = self.random.choice(["Query", "Query", "Query", "Mutation", "Subscription"])
        head = {"Query": "query Q", "Mutation": "mutation Q", "Subscription": "subscription Q"}[root]
        return " ".join([head + self.directives(), self.selections(root, 4, 0), *parts])

    def selections(self, parent: str, depth: int, fragment: int) -> str:
        """Some selections of a type; fragments from `fragment` on may be spread."""
        chosen = [self.selection(parent, depth, fragment) for _ in range(self.random.randint(1, 3))]
        return "{ " + " ".join(chosen) + " }"

    def selection(self, parent: str, depth: int, fragment: int) -> str:
        draw = self.random.random()
        if draw < 0.25 and fragment < FRAGMENTS:
            return f"...F{self.random.randrange(fragment, FRAGMENTS)}{self.directives()}"
        if draw < 0.35 and depth > 0:
            condition = self.random.choice(["", f" on {self.random.choice(composite_types())}"])
            within = condition.removeprefix(" on ") or parent
            return f"...{condition}{self.directives()} {self.selections(within, depth - 1, fragment)}"
        return self.field(parent, depth, fragment)

    def field(self, parent: str, depth: int, fragment: int) -> str:
        fields = fields_of(parent)
        alias = f"x{self.random.randrange(9)}: " if self.random.random() < 0.2 else ""
        names = [name for name, kind in fields.items() if depth > 0 or is_leaf_type(get_named_type(kind.type))]
        if not names or self.random.random() < 0.1:
            return f"{alias}{self.random.choice(['__typename', 'nothing'])}{self.directives()}"
        name = self.random.choice(names)
        kind = get_named_type(fields[name].type)
        inner = "" if is_leaf_type(kind) else " " + self.selections(kind.name, depth - 1, fragment)
        return f"{alias}{name}{self.arguments(parent, name)}{self.directives()}{inner}"

    def arguments(self, parent: str, name: str) -> str:
        given = []
        if self.random.random() < 0.7:
            sizes = ["0", "1", "7", "100", "101", "null", "$a", "$b", "$c", "$d"]
            given.append(f"{self.random.choice(['first', 'last'])}: {self.random.choice(sizes)}")
        if sized_by := SIZED_BY.get(f"{parent}.{name}"):
            given.append(f"{sized_by}: {self.random.choice(['[1, 2]', '[]', '1', '$list', '$d'])}")
        return f"({', '.join(given)})" if given else ""

    def directives(self) -> str:
        return " @include(if: $x)" * self.random.choice([0, 0, 0, 0, 1, 2])


@cache
def composite_types() -> list[str]:
    return sorted(name for name, kind in executor().schema.type_map.items() if is_composite_type(kind))


@cache
def fields_of(parent: str) -> Mapping[str, GraphQLField]:
    kind = executor().schema.type_map[parent]
    fields: dict[str, GraphQLField] = dict(getattr(kind, "fields", {}))
    if parent == "Query":
        fields |= {name: executor().schema.get_field(kind, name) for name in ("__schema", "__type")}  # type: ignore[misc,arg-type]
    return fields


# ---------------------------------------------------------------------- the slow way


class Slow:
    """Walks along every path, as if nothing had been seen before."""

    def __init__(self, document: DocumentNode) -> None:
        self.schema: GraphQLSchema = executor().schema
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def walk(self, selections: SelectionSetNode, parent: str | None) -> Iterator[tuple[FieldNode, str | None, int]]:
        """The fields of a selection set, the type that each is looked up in, and the directives on the way to it."""
        for node in selections.selections:
            directives = len(node.directives or ())
            if isinstance(node, FieldNode):
                yield node, parent, directives
                continue
            if isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                inner = self.walk(fragment.selection_set, fragment.type_condition.name.value)
                directives += len(fragment.directives or ())
            else:
                assert isinstance(node, InlineFragmentNode)
                condition = node.type_condition
                inner = self.walk(node.selection_set, parent if condition is None else condition.name.value)
            for number, (field, within, more) in enumerate(inner):
                yield field, within, more + (directives if number == 0 else 0)

    def find(self, parent: str | None, node: FieldNode) -> GraphQLField | None:
        kind = None if parent is None else self.schema.type_map[parent]
        return self.schema.get_field(kind, node.name.value) if is_composite_type(kind) else None

    def shape(self, selections: SelectionSetNode, parent: str | None) -> Shape:
        fields = widest = depth = lists = aliases = directives = 0
        for node, within, on_the_way in self.walk(selections, parent):
            found = self.find(within, node)
            inner = Shape()
            if node.selection_set is not None:
                inner = self.shape(node.selection_set, None if found is None else get_named_type(found.type).name)
            fields, widest = fields + 1, max(widest, inner.widest)
            aliases += inner.aliases + bool(node.alias)
            directives += inner.directives + on_the_way
            hidden = within == "Query" and node.name.value in {"__schema", "__type"}
            depth = max(depth, 1 if hidden else 1 + inner.depth)
            if not hidden:
                lists = max(lists, inner.lists + (found is not None and is_list_of_objects(found)))
        return Shape(fields, max(widest, fields), depth, lists, aliases, directives)

    def cost(self, selections: SelectionSetNode, parent: str | None, page: int) -> int:
        """The cost of what is selected of one object; where that is a connection, of its page of so many."""
        return sum(self.cost_of(node, within, page) for node, within, _ in self.walk(selections, parent))

    def cost_of(self, node: FieldNode, parent: str | None, page: int) -> int:
        found = self.find(parent, node)
        kind = None if found is None else get_named_type(found.type).name
        own_page = self.page(node) if kind is not None and kind.endswith("Connection") else 0
        inner = 0 if node.selection_set is None else self.cost(node.selection_set, kind, own_page)
        if found is None or parent is None:
            return 1 + inner
        place = f"{parent}.{node.name.value}"
        if parent.startswith("__"):
            if node.selection_set is None or place == "__Type.ofType":
                return inner
            return count_introspected(self.schema).get(place, 1) * (1 + inner)
        if parent.endswith("Connection") and node.name.value == "edges":
            return page * (1 + inner)
        if own_page or (kind is not None and kind.endswith("Connection")):
            return weigh(place) + inner
        size = self.size(node, SIZED_BY[place]) if place in SIZED_BY else None
        times = size if size is not None else expect_entries(place)
        return weigh(place) * (1 if size is None else size) + (times if is_list_of_objects(found) else 1) * inner

    def page(self, node: FieldNode) -> int:
        sizes = [self.size(node, name) for name in ("first", "last")]
        given = [size for size in sizes if size is not None]
        return max(0, min(MAX_PAGE, given[0])) if given else DEFAULT_PAGE

    def size(self, node: FieldNode, name: str) -> int | None:
        for argument in node.arguments or ():
            if argument.name.value == name:
                value = argument.value
                if isinstance(value, VariableNode):
                    found = VARIABLES.get(value.name.value)
                    return len(found) if isinstance(found, list) else found
                if isinstance(value, IntValueNode):
                    return int(value.value)
                return len(value.values) if isinstance(value, ListValueNode) else None
        return None


class Counted(NamedTuple):
    shape: Shape
    cost: int


def count(document: DocumentNode) -> Counted:
    schema, fragments = executor().schema, order_fragments(document)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    (shape,) = (shape for _, shape in measure_shape(schema, document, fragments))
    cost, _ = count_cost(schema, operation, fragments, VARIABLES)
    return Counted(shape, cost)


def count_slowly(document: DocumentNode) -> Counted:
    slow = Slow(document)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    root = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}[operation.operation.value]
    shape = slow.shape(operation.selection_set, root)
    shape = shape._replace(directives=shape.directives + len(operation.directives or ()))
    return Counted(shape, REQUEST + slow.cost(operation.selection_set, root, 0))


def agree(seed: int) -> None:
    text = Maker(seed).make()
    document = parse(text)
    assert count(document) == count_slowly(document), text


# ---------------------------------------------------------------------- the laws


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_counting_once_is_counting_along_every_path(seed: int) -> None:
    agree(seed)


@pytest.mark.deep
@settings(max_examples=20_000, deadline=None)
@given(st.integers(0, 2**32))
def test_counting_once_is_counting_along_every_path_deeply(seed: int) -> None:
    agree(seed)
