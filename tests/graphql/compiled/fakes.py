"""A world made of nothing but chance: resolvers that give what their types allow, and what they do not.

What a field gives hangs on the seed, on the object it is of and on its arguments alone: whoever asks is told the same.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    is_enum_type,
    is_interface_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    is_union_type,
)
from strawberry.types.field import StrawberryField

from app.graphql.faults import Fault

DEFINITION = "strawberry-definition"
EPOCH = datetime(2026, 11, 27, tzinfo=UTC)


class Soon:
    """Something that is there after some turns of the event loop, or fails then; it can be awaited twice."""

    def __init__(self, value: Any, turns: int) -> None:
        self.value = value
        self.turns = turns

    def __await__(self) -> Any:
        for _ in range(self.turns):
            yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def __repr__(self) -> str:
        return "<soon>"


class Odd:
    """Nothing that a schema knows."""

    def __repr__(self) -> str:
        return "<odd>"


class Fakes:
    """What fields give. `faults`: how often something is wrong; `waits`: how often something has to be waited for."""

    def __init__(self, schema: GraphQLSchema, *, faults: float = 0.02, waits: float = 0.1) -> None:
        self.schema = schema
        self.faults = faults
        self.waits = waits
        self.seed = ""

    @contextmanager
    def installed(self) -> Iterator["Fakes"]:
        """All resolvers of queries and of types give what there is here."""
        replaced: list[tuple[Any, Any]] = []
        try:
            for kind in self.schema.type_map.values():
                if is_object_type(kind) and kind not in {self.schema.mutation_type, self.schema.subscription_type}:
                    for field in kind.fields.values():
                        definition = field.extensions.get(DEFINITION)
                        resolver = getattr(definition, "base_resolver", None)
                        if resolver is not None and all(resolver is not one for one, _ in replaced):
                            replaced.append((resolver, resolver.wrapped_func))
                            resolver.wrapped_func = self._make_resolver(definition, field.type)
            yield self
        finally:
            for resolver, function in replaced:
                resolver.wrapped_func = function

    def _make_resolver(self, definition: StrawberryField, kind: Any) -> Any:
        name = definition.python_name

        def find(source: Any, arguments: dict[str, Any]) -> Any:
            asked = sorted((key, repr(value)) for key, value in arguments.items() if key != "info")
            chance = Random(f"{self.seed} {getattr(source, 'fake_seed', source)!r} {name} {asked}")
            value = self.make(kind, chance)
            info = arguments.get("info")
            if info is not None and chance.random() < 0.02:
                value = Odd() if isinstance(value, Exception) else self._describe(info, value, kind)
            if isinstance(value, Exception) and chance.random() < 0.5:
                raise value
            return value

        if definition.is_async:

            async def resolve_later(self_: Any = None, **arguments: Any) -> Any:
                value = find(self_, arguments)
                for _ in range(len(name) % 3):
                    await asyncio.sleep(0)
                return value

            return resolve_later

        def resolve(self_: Any = None, **arguments: Any) -> Any:
            return find(self_, arguments)

        return resolve

    @staticmethod
    def _describe(info: Any, value: Any, kind: Any) -> Any:
        """What a resolver is told, where its type can hold it."""
        kind = kind.of_type if is_non_null_type(kind) else kind
        if str(kind) != "String":
            return value
        raw = info._raw_info
        told = (
            info.field_name, info.path.as_list(), [one.typename for one in _walk(info.path)], str(raw.parent_type),
            str(raw.return_type), len(raw.field_nodes), sorted(raw.fragments), sorted(info.variable_values),
            raw.operation.name, info.python_name, info.root_value, sorted(raw.variable_values.sources),
        )  # fmt: skip
        return repr(told)

    def make(self, kind: Any, chance: Random, depth: int = 0) -> Any:
        """A value of a type, or what is none. Within itself, `depth` objects down, it is small."""
        if chance.random() < self.faults:
            return chance.choice(FAULTS)(chance)
        if not is_non_null_type(kind) and chance.random() < 0.15:
            return None
        value = self._make_present(kind.of_type if is_non_null_type(kind) else kind, chance, depth)
        return Soon(value, chance.randrange(4)) if chance.random() < self.waits / 2 else value

    def _make_present(self, kind: Any, chance: Random, depth: int) -> Any:
        if is_list_type(kind):
            count = 20 if chance.random() < 0.02 else chance.randrange(4)
            entries = [self.make(kind.of_type, chance, depth) for _ in range(count if depth < DEEP else 0)]
            shape = chance.random()
            return tuple(entries) if shape < 0.1 else iter(entries) if shape < 0.15 else entries
        if is_enum_type(kind):
            return chance.choice(list(kind.wrapped_cls))
        if is_interface_type(kind) or is_union_type(kind):
            return self.make_object(chance.choice(self.schema.get_possible_types(kind)), chance, depth)
        if is_object_type(kind):
            return self.make_object(kind, chance, depth)
        return LEAVES[kind.name](chance)

    def make_object(self, kind: GraphQLObjectType, chance: Random, depth: int) -> Any:
        """An object of a type, its attributes set; now and then one is missing."""
        made = object.__new__(kind.extensions[DEFINITION].origin)
        made.fake_seed = chance.getrandbits(40)
        for field in kind.fields.values():
            definition = field.extensions[DEFINITION]
            if definition.base_resolver is None and chance.random() >= self.faults / 4:
                setattr(made, definition.python_name, self.make(field.type, chance, depth + 1))
        return made


def _walk(path: Any) -> Iterator[Any]:
    while path is not None:
        yield path
        path = path.prev


DEEP = 3  # objects within objects that are attributes; below that lists are empty
LEAVES: dict[str, Any] = {
    "String": lambda chance: chance.choice(("", "ana", "\u202e", "é", "long " * 9)),
    "ID": lambda chance: chance.choice(("u-1", "", 7)),
    "Int": lambda chance: chance.choice((0, 1, -1, 2**31 - 1, -(2**31))),
    "Boolean": lambda chance: chance.random() < 0.5,
    "DateTime": lambda chance: EPOCH + timedelta(seconds=chance.randrange(10**6)),
    "Revision": lambda chance: chance.randrange(99),
}
FAULTS: tuple[Any, ...] = (
    lambda _: None,
    lambda _: Odd(),
    lambda _: {"id": "x", "text": 1},
    lambda _: "text",
    lambda _: 2**31,
    lambda _: 1.5,
    lambda _: float("nan"),
    lambda _: True,
    lambda _: [None, "x", [1]],
    lambda _: {1, 2},
    lambda _: ValueError("a fault"),
    lambda _: KeyError("a key"),
    lambda _: GraphQLError("told", extensions={"code": "TOLD"}),
    lambda _: Fault("meant for the client"),
    lambda _: GraphQLError("of elsewhere", path=["elsewhere", 3]),
    lambda chance: Soon(RuntimeError("late"), chance.randrange(4)),
    lambda chance: Soon(None, chance.randrange(4)),
)
