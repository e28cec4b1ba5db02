"""The variables of an operation, coerced as graphql-core does where all is as it should be.

A value that is not as it should be, or not of a kind that is read here, is left to graphql-core, errors and all.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.pyutils import Undefined
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

from app.graphql.compiled.constants import is_constant

Coerce = Callable[[Any], Any]
"""From a value of JSON to the one that resolvers are given; `Undefined` where graphql-core has to look at it."""


class Variables:
    """The variables that an operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._nodes = operation.variable_definitions or ()
        self._signatures: list[GraphQLVariableSignature] = []
        self._readers: list[tuple[str, Coerce, bool, Any]] | None = []
        reader = _Reader()
        for node in self._nodes:
            signature = get_variable_signature(schema, node)
            if isinstance(signature, GraphQLError):
                self._readers = None
                return
            self._signatures.append(signature)
            default: Any = Undefined
            if signature.default is not None:
                assert signature.default.literal is not None, "a default stands in the document"
                default = coerce_input_literal(signature.default.literal, signature.type)
                if default is Undefined or not is_constant(default):
                    self._readers = None  # a wrong one has to be told of, and one that may be changed made anew
            if self._readers is not None:
                required = is_non_null_type(signature.type) and signature.default is None
                self._readers.append((signature.name, reader.read(signature.type), required, default))

    def coerce(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """The variables by name; None where graphql-core has to look at them."""
        if self._readers is None:
            return None
        coerced: dict[str, Any] = {}
        try:
            for name, read, required, default in self._readers:
                value = inputs.get(name, Undefined)
                if value is not Undefined:
                    coerced[name] = value = read(value)
                    if value is Undefined:
                        return None
                elif required:
                    return None
                elif default is not Undefined:
                    coerced[name] = default
        except Exception:  # of an input object that has to look at itself as a whole
            return None
        return coerced

    def coerce_with_care(
        self, inputs: dict[str, Any], *, max_errors: int, hide_suggestions: bool
    ) -> VariableValues | list[GraphQLError]:
        """The variables, or what is wrong with them, by graphql-core."""
        return get_variable_values(
            self._schema, self._nodes, inputs, max_errors=max_errors, hide_suggestions=hide_suggestions
        )

    def find_sources(self, inputs: Mapping[str, Any]) -> dict[str, VariableValueSource]:
        """The variables as they came, as graphql-core keeps them."""
        return {one.name: VariableValueSource(one, inputs.get(one.name, Undefined)) for one in self._signatures}


MANY = 10**6  # more than an input object has fields


class _Field(NamedTuple):
    """A field of an input object."""

    name: str
    out_name: str
    read: Coerce
    required: bool
    default: Any


class _Reader:
    """Makes what coerces values of types. An input object that may hold itself is left to graphql-core."""

    def __init__(self) -> None:
        self._known: dict[str, Coerce] = {}

    def read(self, kind: GraphQLInputType) -> Coerce:
        if is_non_null_type(kind):
            return _require(self.read(kind.of_type))
        if is_list_type(kind):
            return _read_list(self.read(kind.of_type))
        name = str(kind)
        if name not in self._known:
            self._known[name] = _leave  # met again within itself
            self._known[name] = self._read_named(kind)
        return self._known[name]

    def _read_named(self, kind: GraphQLInputType) -> Coerce:
        if is_input_object_type(kind):
            return self._read_object(kind)
        if is_enum_type(kind):
            return _read_enum(kind)
        if kind is GraphQLString:
            return _read_exactly(str)
        if kind is GraphQLBoolean:
            return _read_exactly(bool)
        if kind is GraphQLID:
            return _read_exactly(str)
        if kind is GraphQLInt:
            return _read_int
        if kind is GraphQLFloat:
            return _read_float
        assert isinstance(kind, GraphQLScalarType), "there is no other type of input"
        return _read_scalar(kind)

    def _read_object(self, kind: GraphQLInputObjectType) -> Coerce:
        fields = []
        for name, field in kind.fields.items():
            default = coerce_default_value(field)  # the same for all requests, as in graphql-core
            fields.append(
                _Field(name, field.out_name or name, self.read(field.type), is_required_input_field(field), default)
            )
        by_name = {field.name: (place, field) for place, field in enumerate(fields)}
        required = {field.name for field in fields if field.required}
        has_defaults = any(field.default is not Undefined for field in fields)
        is_one_of, finish = kind.is_one_of, kind.out_type

        def coerce(value: Any) -> Any:
            if value is None:
                return None
            if value.__class__ is not dict or not required <= value.keys():
                return Undefined
            found: dict[str, Any] = {}
            last = -1
            for name, given in value.items():
                place, field = by_name.get(name, (last, None))
                if field is None:
                    return Undefined
                one = field.read(given)
                if one is Undefined:
                    return Undefined
                found[field.out_name] = one
                last = place if place > last else MANY
            if has_defaults or last == MANY:
                found = {
                    field.out_name: found.get(field.out_name, field.default)
                    for field in fields
                    if field.name in value or field.default is not Undefined
                }
            if is_one_of and (len(value) != 1 or len(found) != 1 or next(iter(found.values())) is None):
                return Undefined
            return finish(found)

        return coerce


def _leave(_value: Any) -> Any:
    return Undefined


def _require(read: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        return Undefined if value is None else read(value)

    return coerce


def _read_list(read: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        if value.__class__ is not list:
            return Undefined
        found = []
        for one in value:
            coerced = read(one)
            if coerced is Undefined:
                return Undefined
            found.append(coerced)
        return found

    return coerce


def _read_exactly(kind: type) -> Coerce:
    def coerce(value: Any) -> Any:
        return value if value is None or value.__class__ is kind else Undefined

    return coerce


def _read_int(value: Any) -> Any:
    if value is None or (value.__class__ is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT):
        return value
    return Undefined


def _read_float(value: Any) -> Any:
    return value if value is None or (value.__class__ is float and isfinite(value)) else Undefined


def _read_enum(kind: GraphQLEnumType) -> Coerce:
    known = {name: kind.coerce_input_value(name) for name in kind.values}

    def coerce(value: Any) -> Any:
        if value is None:
            return None
        return known.get(value, Undefined) if value.__class__ is str else Undefined

    return coerce


def _read_scalar(kind: GraphQLScalarType) -> Coerce:
    read = kind.coerce_input_value

    def coerce(value: Any) -> Any:
        if value is None:
            return None
        try:
            return read(value)
        except Exception:  # whatever a scalar raises, graphql-core has a word for it
            return Undefined

    return coerce
