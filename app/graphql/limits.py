"""What a document takes: its shape before it is validated, its cost before it is run.

Both walk it once. What a fragment takes is worked out once, however often it is spread: so a chain of fragments that
each spread the next one twice is counted in full (2 to the power of its length) and costs no more than its text. The
limiters that come with strawberry walk it again and again, and stand still over some 800 bytes.

Shape (depth, aliases, root fields, directives, lists within lists) is of the document alone. Cost is of a request: one
for every field of every object of the answer, as many of these as the arguments ask for, and more for fields that take
more than reading an attribute (`app/graphql/costs.py`). Both count what may run at most: what `@skip` leaves out and
what is asked twice counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)

from app.graphql.costs import REQUEST, SIZED_BY, expect_entries, weigh
from app.graphql.pagination import DEFAULT_PAGE, MAX_PAGE
from app.graphql.policy import INTROSPECTION
from app.settings import Limits

MAX_NAME = 128  # characters of an alias, which answers and errors repeat: a generated one has some fifty
MANY = 10**12  # a count that no limit reaches is not counted on: doubled sixty times it would be a long number
MAX_KNOWN = 64  # costs that are kept of a document: by the page sizes that its variables are given
Definitions = Mapping[str, FragmentDefinitionNode]


class Shape(NamedTuple):
    """What a selection set, all its fragments spread out, comes to."""

    fields: int = 0  # side by side at its top
    widest: int = 0  # side by side anywhere in it
    depth: int = 0  # fields within fields, itself included
    lists: int = 0  # lists within lists
    aliases: int = 0
    directives: int = 0


class Cost(NamedTuple):
    """What a selection set costs: `once`, and for each entry of the page where it is that of a connection."""

    once: int = 0
    each: int = 0


@dataclass(frozen=True, slots=True)
class Fragments:
    """The fragments of a document by name, those that others spread before these."""

    in_order: tuple[FragmentDefinitionNode, ...]
    by_name: Definitions


def order_fragments(document: DocumentNode) -> Fragments:
    """The fragments of a document. Raises `GraphQLError` where one contains itself."""
    found = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    ordered: list[FragmentDefinitionNode] = []
    done: set[str] = set()
    for root in found:
        if root in done:
            continue
        path, entered = [(root, _spreads(found[root], found))], {root}
        while path:  # no recursion: a chain of fragments may be as long as the document
            name, spreads = path[-1]
            spread = next((one for one in spreads if one not in done), None)
            if spread is None:
                path.pop()
                entered.discard(name)
                done.add(name)
                ordered.append(found[name])
            elif spread in entered:
                raise GraphQLError(f"the fragment `{spread}` contains itself", found[spread])
            else:
                path.append((spread, _spreads(found[spread], found)))
                entered.add(spread)
    return Fragments(tuple(ordered), found)


def _spreads(fragment: FragmentDefinitionNode, known: Definitions) -> Iterator[str]:
    """The fragments that one spreads, as far as there are any of these names."""
    waiting = [fragment.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in known:
                    yield node.name.value
            elif node.selection_set is not None:  # type: ignore[attr-defined]  # a field or an inline fragment
                waiting.append(node.selection_set)  # type: ignore[attr-defined]


def find_root_fields(document: DocumentNode, fragments: Fragments) -> frozenset[str]:
    """The fields that stand at the root of any operation of a document, those of fragments included."""
    found: set[str] = set()
    spread: set[str] = set()
    waiting = [node.selection_set for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                found.add(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                waiting.append(fragments.by_name[node.name.value].selection_set)
    return frozenset(found)


# ---------------------------------------------------------------------- shape


def check_shape(
    schema: GraphQLSchema, document: DocumentNode, fragments: Fragments, limits: Limits
) -> list[GraphQLError]:
    """Why a document is larger than is taken: an error for each limit that an operation of it exceeds, or none.

    It need not be valid for the schema.
    """
    errors: list[GraphQLError] = []
    for node, shape in measure_shape(schema, document, fragments):
        errors += _exceed(node, shape, limits)
    return errors or list(_find_long_names(document))


def measure_shape(
    schema: GraphQLSchema, document: DocumentNode, fragments: Fragments
) -> Iterator[tuple[OperationDefinitionNode, Shape]]:
    """The operations of a document, and the shape of each."""
    shapes: dict[str, Shape] = {}
    for fragment in fragments.in_order:
        parent = schema.get_type(fragment.type_condition.name.value)
        own = len(fragment.directives or ())
        shape = _shape(schema, fragment.selection_set, parent, shapes)
        shapes[fragment.name.value] = shape._replace(directives=shape.directives + own)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            shape = _shape(schema, node.selection_set, schema.get_root_type(node.operation), shapes)
            own = len(node.directives or ()) + sum(len(one.directives or ()) for one in node.variable_definitions or ())
            yield node, shape._replace(directives=shape.directives + own)


def _exceed(node: OperationDefinitionNode, shape: Shape, limits: Limits) -> Iterator[GraphQLError]:
    for count, most, what in (
        (shape.fields, limits.max_root_fields, "fields at its root"),
        (shape.widest, max(limits.max_fields, limits.max_root_fields), "fields side by side"),
        (shape.depth, limits.max_depth, "fields within each other"),
        (shape.lists, limits.max_list_depth, "lists within each other"),
        (shape.aliases, limits.max_aliases, "aliases"),
        (shape.directives, limits.max_directives, "directives"),
    ):
        if count > most:
            told = f"{MANY} or more" if count == MANY else count
            message = f"an operation has at most {most} {what}, fragments spread out; this one has {told}"
            yield GraphQLError(message, node)


def _shape(
    schema: GraphQLSchema, selections: SelectionSetNode, parent: GraphQLNamedType | None, known: Mapping[str, Shape]
) -> Shape:
    fields = widest = depth = lists = aliases = directives = 0
    for node in selections.selections:
        directives += len(node.directives or ())
        if isinstance(node, FieldNode):
            found = find_field(schema, parent, node)
            inner = Shape()
            if node.selection_set is not None:
                inner = _shape(schema, node.selection_set, get_named_type(found.type) if found else None, known)
            fields, widest = fields + 1, max(widest, inner.widest)
            aliases += inner.aliases + (node.alias is not None)
            directives += inner.directives
            if node.name.value not in INTROSPECTION or parent is not schema.query_type:
                # Introspection nests deeper than any answer of ours; graphql-core has a rule of its own for it.
                depth = max(depth, inner.depth + 1)
                lists = max(lists, inner.lists + (found is not None and is_list_of_objects(found)))
            else:
                depth = max(depth, 1)
        else:
            if isinstance(node, FragmentSpreadNode):
                inner = known.get(node.name.value, Shape())
            else:
                assert isinstance(node, InlineFragmentNode)
                condition = node.type_condition
                within = parent if condition is None else schema.get_type(condition.name.value)
                inner = _shape(schema, node.selection_set, within, known)
            fields, widest = fields + inner.fields, max(widest, inner.widest)
            depth, lists = max(depth, inner.depth), max(lists, inner.lists)
            aliases += inner.aliases
            directives += inner.directives
    fields = min(fields, MANY)
    return Shape(fields, max(widest, fields), depth, lists, min(aliases, MANY), min(directives, MANY))


def _find_long_names(document: DocumentNode) -> Iterator[GraphQLError]:
    waiting = [node.selection_set for node in document.definitions if hasattr(node, "selection_set")]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode) and node.alias is not None and len(node.alias.value) > MAX_NAME:
                message = f"an alias has at most {MAX_NAME} characters; this one has {len(node.alias.value)}"
                yield GraphQLError(message, node)
                return
            if getattr(node, "selection_set", None) is not None:
                waiting.append(node.selection_set)


# ---------------------------------------------------------------------- cost


class Costs:
    """What the operations of a valid document cost; counted once for the same sizes."""

    def __init__(self, schema: GraphQLSchema, fragments: Fragments) -> None:
        self._schema = schema
        self._fragments = fragments
        self._fixed: dict[int, int] = {}  # what operations cost whose sizes hang on no variable
        self._sizing: dict[int, frozenset[str]] = {}  # the variables that an operation's sizes hang on
        self._known: dict[tuple[int, frozenset[tuple[str, int | None]]], int] = {}

    def count(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """The cost of an operation of the document, given its variables, coerced."""
        fixed = self._fixed.get(id(operation))
        if fixed is not None:
            return fixed
        sizing = self._sizing.get(id(operation))
        if sizing is not None:
            known = self._known.get((id(operation), _measure_all(sizing, variables)))
            if known is not None:
                return known
        cost, sizing = count_cost(self._schema, operation, self._fragments, variables)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        if not sizing:
            self._fixed[id(operation)] = cost
        self._sizing[id(operation)] = sizing
        self._known[id(operation), _measure_all(sizing, variables)] = cost
        return cost


def count_cost(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Fragments, variables: Mapping[str, Any]
) -> tuple[int, frozenset[str]]:
    """What an operation costs, and the variables that this hangs on."""
    counter = _Counter(schema, variables)
    for fragment in fragments.in_order:
        within = schema.get_type(fragment.type_condition.name.value)
        counter.known[fragment.name.value] = counter.count_selections(fragment.selection_set, within)
    cost = counter.count_selections(operation.selection_set, schema.get_root_type(operation.operation))
    return min(REQUEST + cost.once, MANY), frozenset(counter.sizing)


class _Counter:
    """One walk over a document. `known` holds what its fragments cost, each before whoever spreads it."""

    def __init__(self, schema: GraphQLSchema, variables: Mapping[str, Any]) -> None:
        self.known: dict[str, Cost] = {}
        self.sizing: set[str] = set()
        self._schema = schema
        self._variables = variables

    def count_selections(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> Cost:
        once = each = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                cost = self._count_field(node, parent)
            elif isinstance(node, FragmentSpreadNode):
                cost = self.known.get(node.name.value, Cost())
            else:
                assert isinstance(node, InlineFragmentNode)
                condition = node.type_condition
                within = parent if condition is None else self._schema.get_type(condition.name.value)
                cost = self.count_selections(node.selection_set, within)
            once, each = once + cost.once, each + cost.each
        return Cost(min(once, MANY), min(each, MANY))

    def _count_field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Cost:
        found = find_field(self._schema, parent, node)
        named = get_named_type(found.type) if found is not None else None
        inner = Cost() if node.selection_set is None else self.count_selections(node.selection_set, named)
        if found is None or parent is None or named is None:
            return Cost(1 + inner.once)
        place = f"{parent.name}.{node.name.value}"
        if parent.name.startswith("__"):
            return Cost() if node.selection_set is None else count_introspection(self._schema, place, inner)
        if is_connection(parent) and node.name.value == "edges":
            return Cost(each=1 + inner.once)
        if is_connection(named):
            return Cost(weigh(place) + inner.once + self._find_page(node) * inner.each)
        sized_by = SIZED_BY.get(place)
        size = None if sized_by is None else self._find_size(node, sized_by)
        once = weigh(place) * (1 if size is None else size)
        if is_list_of_objects(found):
            return Cost(once + (expect_entries(place) if size is None else size) * inner.once)
        return Cost(once + inner.once)

    def _find_page(self, node: FieldNode) -> int:
        """The size of the page that a connection is asked for; one that is too large is refused when it is run."""
        for name in ("first", "last"):
            size = self._find_size(node, name)
            if size is not None:
                return min(max(size, 0), MAX_PAGE)
        return DEFAULT_PAGE

    def _find_size(self, node: FieldNode, name: str) -> int | None:
        """What an argument says of a size: a number, or as many as its list has. None: nothing."""
        value = next((argument.value for argument in node.arguments or () if argument.name.value == name), None)
        if isinstance(value, VariableNode):
            self.sizing.add(value.name.value)
            return _measure(self._variables.get(value.name.value))
        if isinstance(value, IntValueNode):
            return int(value.value)
        if isinstance(value, ListValueNode):
            return len(value.values)
        return None if value is None or isinstance(value, NullValueNode) else 1


def _measure(value: Any) -> int | None:
    """What a variable says of a size."""
    if isinstance(value, list):
        return len(value)
    return value if value is None or isinstance(value, int) else 1


def _measure_all(names: frozenset[str], variables: Mapping[str, Any]) -> frozenset[tuple[str, int | None]]:
    return frozenset((name, _measure(variables.get(name))) for name in names)


@lru_cache(1)
def count_introspected(schema: GraphQLSchema) -> Mapping[str, int]:
    """How long the lists of an introspection are: of types, all; of what types have, the average, rounded up."""
    types = [kind for kind in schema.type_map.values() if not kind.name.startswith("__")]
    fields = [field for kind in types if is_composite_type(kind) for field in getattr(kind, "fields", {}).values()]
    inputs = [field for kind in types if is_input_object_type(kind) for field in kind.fields.values()]
    arguments = sum(len(field.args) for field in fields)
    return {
        "__Schema.types": len(schema.type_map),
        "__Schema.directives": len(schema.directives),
        "__Type.fields": ceil(len(fields) / len(types)),
        "__Type.inputFields": ceil(len(inputs) / len(types)),
        "__Field.args": ceil(arguments / max(len(fields), 1)),
    }


def count_introspection(schema: GraphQLSchema, place: str, inner: Cost) -> Cost:
    """What a field of introspection costs: texts nothing, objects one each, and a type within its wrappings no more."""
    if place == "__Type.ofType":
        return inner
    return Cost(count_introspected(schema).get(place, 1) * (1 + inner.once))


# ---------------------------------------------------------------------- the schema


def find_field(schema: GraphQLSchema, parent: GraphQLNamedType | None, node: FieldNode) -> GraphQLField | None:
    """The field that a node asks for; None where the type has none of that name."""
    return schema.get_field(parent, node.name.value) if is_composite_type(parent) else None


def is_connection(kind: GraphQLNamedType) -> bool:
    """Whether a type is a page of a list."""
    return kind.name.endswith("Connection")


def is_list_of_objects(field: GraphQLField) -> bool:
    """Whether a field answers with several objects."""
    kind = field.type.of_type if is_non_null_type(field.type) else field.type
    return is_list_type(kind) and is_composite_type(get_named_type(kind))
