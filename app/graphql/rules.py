"""Rules of validation that graphql-core does not apply: strawberry tells it nothing of `@oneOf`."""

from typing import Any

from graphql import (
    GraphQLError,
    GraphQLNamedType,
    NonNullTypeNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationRule,
    get_named_type,
    specified_rules,
)


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


RULES = (*specified_rules, OneOfRule)
