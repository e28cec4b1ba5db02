"""The arguments of a field: what the document says, coerced as graphql-core does, and converted as strawberry does.

What hangs on no variable is coerced once; what a resolver may change is made anew for each call.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal
from strawberry.relay import GlobalID
from strawberry.scalars import is_scalar
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument, convert_argument
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

from app.graphql.compiled.constants import is_constant
from app.graphql.compiled.runs import Run

Read = Callable[[Run], Any]
"""The value of an argument in a run; `Undefined` where graphql-core has to say what is wrong."""
Convert = Callable[[Any], Any]


class Unknown(Exception):
    """Something of the schema that plans do not know: graphql-core runs what asks for it."""


# ---------------------------------------------------------------------- what the document says


def find_variables(node: Any) -> set[str]:
    """The variables in a value, or in the arguments of a field."""
    if isinstance(node, VariableNode):
        return {node.name.value}
    found: set[str] = set()
    for part in (*(getattr(node, "values", None) or ()), *(getattr(node, "fields", None) or ())):
        found |= find_variables(part)
    for part in getattr(node, "arguments", None) or ():
        found |= find_variables(part.value)
    value = getattr(node, "value", None)
    return found | find_variables(value) if value is not None and not isinstance(value, str | bool) else found


def read_arguments(field: GraphQLField, node: FieldNode) -> Callable[[Run], dict[str, Any]]:
    """What gives the arguments of a field in a run as graphql-core hands them to resolvers; nobody may change them."""

    def ask_carefully(run: Run) -> dict[str, Any]:
        return get_argument_values(field, node, run.variable_values, None, run.hide_suggestions)

    if not find_variables(node):
        try:
            constant = get_argument_values(field, node)
        except GraphQLError:
            return ask_carefully
        if all(is_constant(value) for value in constant.values()):
            return lambda _run: constant
    given = {one.name.value: one.value for one in node.arguments or ()}
    constants: dict[str, Any] = {}
    readers: list[tuple[str, str | None, Read, Any]] = []
    for name, argument in field.args.items():
        out_name, value, required = argument.out_name or name, given.get(name), is_required_argument(argument)
        default = Undefined if required else coerce_default_value(argument)
        if value is None:
            if required:
                return ask_carefully
            if default is not Undefined:
                constants[out_name] = default
            continue
        variable = value.name.value if isinstance(value, VariableNode) and not required else None
        readers.append((out_name, variable, read_literal(value, argument.type), default))

    def ask(run: Run) -> dict[str, Any]:
        coerced = run.coerced
        found = dict(constants)
        for out_name, variable, read, default in readers:
            if variable is not None and variable not in coerced:
                if default is not Undefined:
                    found[out_name] = default
                continue
            value = read(run)
            if value is Undefined:
                return ask_carefully(run)
            found[out_name] = value
        return found

    return ask


def read_literal(node: ValueNode, kind: GraphQLInputType) -> Read:
    """A value of the document, as `coerce_input_literal` of graphql-core coerces it."""
    if isinstance(node, VariableNode):
        return _read_variable(node.name.value, required=is_non_null_type(kind))
    if not find_variables(node):
        constant = coerce_input_literal(node, kind)
        if is_constant(constant):
            return lambda _run: constant
    if is_non_null_type(kind):
        return read_literal(node, kind.of_type)
    if is_list_type(kind):
        if not isinstance(node, ListValueNode):
            read = read_literal(node, kind.of_type)

            def read_single(run: Run) -> Any:
                value = read(run)
                return value if value is Undefined else [value]

            return read_single
        return _read_list(node, kind.of_type)
    if is_input_object_type(kind) and isinstance(node, ObjectValueNode):
        return _read_object(node, kind)
    return lambda run: coerce_input_literal(node, kind, run.variable_values)


def _read_variable(name: str, *, required: bool) -> Read:
    def read(run: Run) -> Any:
        value = run.coerced.get(name, Undefined)
        return Undefined if value is None and required else value

    return read


def _read_list(node: ListValueNode, kind: GraphQLInputType) -> Read:
    readers = [(read_literal(one, kind), isinstance(one, VariableNode)) for one in node.values]
    may_be_null = not is_non_null_type(kind)

    def read(run: Run) -> Any:
        found = []
        for read_one, is_variable in readers:
            value = read_one(run)
            if value is Undefined:
                if not (is_variable and may_be_null):
                    return Undefined
                value = None  # a variable that was not given
            found.append(value)
        return found

    return read


def _read_object(node: ObjectValueNode, kind: Any) -> Read:
    given = {one.name.value: one.value for one in node.fields}
    if any(name not in kind.fields for name in given):
        return lambda _run: Undefined
    readers: list[tuple[str, str | None, Read | None, bool, Any]] = []
    for name, field in kind.fields.items():
        value, required = given.get(name), is_required_input_field(field)
        default = Undefined if required else coerce_default_value(field)
        variable = value.name.value if isinstance(value, VariableNode) else None
        read_field = None if value is None else read_literal(value, field.type)
        readers.append((field.out_name or name, variable, read_field, required, default))
    is_one_of, finish, is_alone = kind.is_one_of, kind.out_type, len(given) == 1

    def read(run: Run) -> Any:
        found: dict[str, Any] = {}
        for out_name, variable, read_field, required, default in readers:
            if read_field is None or (variable is not None and variable not in run.coerced):
                if required:
                    return Undefined
                if default is not Undefined:
                    found[out_name] = default
                continue
            value = read_field(run)
            if value is Undefined:
                return Undefined
            found[out_name] = value
        if is_one_of and not (is_alone and len(found) == 1 and next(iter(found.values())) is not None):
            return Undefined
        return finish(found)

    return read


# ---------------------------------------------------------------------- what resolvers are given


class Conversion:
    """From the arguments of a field to those of its resolver: what strawberry's `convert_arguments` does."""

    def __init__(self, config: StrawberryConfig, scalars: Mapping[object, Any]) -> None:
        self._config = config
        self._scalars = scalars
        self._known: dict[type, Convert] = {}

    def convert_all(self, arguments: list[StrawberryArgument]) -> list[tuple[str, str, Convert | None]]:
        """Of each argument its name in the schema, that in Python, and what converts it; None: it stays as it is."""
        name_of = self._config.name_converter.from_argument
        return [(name_of(one), one.python_name, self.convert(one.type)) for one in arguments]

    def convert(self, kind: Any) -> Convert | None:
        """What converts a value of a type; None: it stays as it is."""
        if isinstance(kind, StrawberryOptional) and not isinstance(kind, StrawberryMaybe):
            return self.convert(kind.of_type)
        if isinstance(kind, LazyType):
            return self.convert(kind.resolve_type())
        if self._is_leaf(kind):
            return None
        if isinstance(kind, StrawberryList):
            inner = kind.of_type.of_type if isinstance(kind.of_type, StrawberryOptional) else kind.of_type
            if self._is_leaf(inner):
                return _copy_list
            convert_entry = self.convert(kind.of_type)
            return self._leave(kind) if convert_entry is None else _convert_list(convert_entry)
        if has_object_definition(kind):
            definition = kind.__strawberry_definition__
            if definition.from_input is not None:
                raise Unknown
            if definition.is_input:
                return self._convert_object(kind)
        return self._leave(kind)

    def _is_leaf(self, kind: Any) -> bool:
        """A scalar or an enum; what strawberry looks at once more is none."""
        if kind is GlobalID:
            return False
        return is_scalar(kind, self._scalars) or isinstance(kind, StrawberryEnumDefinition) or has_enum_definition(kind)

    def _leave(self, kind: Any) -> Convert:
        """What is not known here is left to strawberry."""
        return lambda value: convert_argument(value, kind, self._scalars, self._config)

    def _convert_object(self, kind: type) -> Convert:
        if kind not in self._known:
            self._known[kind] = lambda value: self._known[kind](value)  # noqa: PLW0108  # met again within itself, when it is there
            self._known[kind] = self._convert_new_object(kind)
        return self._known[kind]

    def _convert_new_object(self, kind: type) -> Convert:
        definition = kind.__strawberry_definition__  # type: ignore[attr-defined]  # it was looked for
        name_of = self._config.name_converter.from_field
        absent = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }
        fields = {
            name_of(field): (field.python_name, self.convert(field.resolve_type(type_definition=definition)))
            for field in definition.fields
        }

        def convert_object(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            given = dict(absent)
            for name, one in value.items():
                if name in fields:
                    python_name, convert = fields[name]
                    given[python_name] = one if convert is None else convert(one)
            return kind(**given)

        return convert_object


def _copy_list(value: Any) -> Any:
    return value if value is None or value is UNSET else list(value)


def _convert_list(convert: Convert) -> Convert:
    def convert_list(value: Any) -> Any:
        return value if value is None or value is UNSET else [convert(one) for one in value]

    return convert_list
