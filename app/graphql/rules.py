"""Rules of validation beside those of graphql-core.

Strawberry tells it nothing of `@oneOf`, and what it says of numbers that are too long is what Python says.
"""

from collections.abc import Iterable
from typing import Any

from graphql import (
    SKIP,
    FloatValueNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLNamedType,
    IntValueNode,
    ListValueNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationRule,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VisitorAction,
    get_named_type,
    specified_rules,
)

MAX_DIGITS = 20  # as of a number in a body: an Int has ten


class OneOfRule(ValidationRule):
    """A `@oneOf` in a document names exactly one thing, and a variable for it is never null."""

    def enter_object_value(self, node: ObjectValueNode, *_rest: Any) -> None:
        kind = get_named_type(self.context.get_input_type())
        if _is_one_of(kind) and (len(node.fields) != 1 or isinstance(node.fields[0].value, NullValueNode)):
            self.report_error(GraphQLError(f"a {kind} names exactly one thing, and not null", node))

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_rest: Any) -> None:
        declared = {one.variable.name.value: one for one in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            kind, definition = get_named_type(usage.parent_type), declared.get(usage.node.name.value)
            if _is_one_of(kind) and definition is not None and not isinstance(definition.type, NonNullTypeNode):
                message = f"`${usage.node.name.value}` stands in a {kind} and so may not be null: declare it with `!`"
                self.report_error(GraphQLError(message, [definition, usage.node]))


def _is_one_of(kind: GraphQLNamedType | None) -> bool:
    return kind is not None and getattr(kind.extensions.get("strawberry-definition"), "is_one_of", False)


class ValuesRule(ValuesOfCorrectTypeRule):
    """Values fit their types. A number of more digits than any that is taken is not read: Python would refuse it."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        if (number := _find_long_number(node)) is not None:
            self.report_error(GraphQLError(f"a number has at most {MAX_DIGITS} digits", number))
            return SKIP
        return super().is_valid_value_node(node, input_type)


def _find_long_number(node: ValueNode) -> ValueNode | None:
    if isinstance(node, IntValueNode | FloatValueNode):
        return node if len(node.value) > MAX_DIGITS else None
    inner: Iterable[ValueNode] = ()
    if isinstance(node, ListValueNode):
        inner = node.values
    elif isinstance(node, ObjectValueNode):
        inner = (field.value for field in node.fields)
    return next((found for one in inner if (found := _find_long_number(one)) is not None), None)


RULES = (*(ValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules), OneOfRule)
