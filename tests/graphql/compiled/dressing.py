"""Documents that are plain, dressed up: variables, directives, aliases, fragments, the same field asked for twice."""

from dataclasses import replace
from random import Random
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    parse_type,
    print_ast,
    value_from_ast_untyped,
)

WRONG: tuple[Any, ...] = (None, 5, 5.0, 1.5, "x", True, [], ["x"], [None], {}, {"id": "x"}, {"odd": 1}, 2**40, "never")


class Dresser:
    """Dresses a document anew for each seed. `variables` are those of the last one."""

    def __init__(self, schema: GraphQLSchema, chance: Random) -> None:
        self.schema = schema
        self.chance = chance
        self.variables: dict[str, Any] = {}
        self._declared: list[VariableDefinitionNode] = []
        self._fragments: list[FragmentDefinitionNode] = []

    def dress(self, document: DocumentNode) -> str:
        """The document as a text; it may have become invalid, where what is asked for twice conflicts."""
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        root = self.schema.get_root_type(operation.operation)
        selections = self._select(operation.selection_set, root)
        operation = replace(
            operation, name=NameNode(value="Asked"), selection_set=selections,
            variable_definitions=tuple(self._declared),
        )  # fmt: skip
        return print_ast(DocumentNode(definitions=(operation, *self._fragments)))

    def _select(self, found: SelectionSetNode, parent: Any) -> SelectionSetNode:
        chance = self.chance
        selections: list[SelectionNode] = []
        for node in found.selections:
            if chance.random() < 0.12:
                continue
            dressed = self._dress(node, parent)
            selections.append(dressed)
            if isinstance(dressed, FieldNode) and chance.random() < 0.08:
                again = dressed.selection_set and self._select(node.selection_set, self._type_of(node, parent))  # type: ignore[attr-defined]
                selections.append(replace(dressed, selection_set=again, directives=()))
        if not selections or chance.random() < 0.15:
            selections.insert(chance.randrange(len(selections) + 1), FieldNode(name=NameNode(value="__typename")))
        if chance.random() < 0.15:
            cut = chance.randrange(len(selections))
            group = SelectionSetNode(selections=tuple(selections[cut:]))
            selections[cut:] = [self._wrap(group, parent)]
        return replace(found, selections=tuple(selections))

    def _type_of(self, node: SelectionNode, parent: Any) -> Any:
        assert isinstance(node, FieldNode)
        return get_named_type(parent.fields[node.name.value].type)

    def _dress(self, node: SelectionNode, parent: Any) -> SelectionNode:
        if isinstance(node, InlineFragmentNode):
            inner = parent if node.type_condition is None else self.schema.get_type(node.type_condition.name.value)
            return replace(node, selection_set=self._select(node.selection_set, inner), directives=self._direct())
        if not isinstance(node, FieldNode) or node.name.value.startswith("__"):
            return node
        declared = parent.fields[node.name.value].args
        arguments = tuple(
            ArgumentNode(name=one.name, value=self._lift(one.value, declared[one.name.value].type, 0.35))
            for one in node.arguments or ()
        )
        selected = node.selection_set and self._select(node.selection_set, self._type_of(node, parent))
        alias = NameNode(value=self.chance.choice("abc")) if self.chance.random() < 0.05 else node.alias
        return replace(node, alias=alias, arguments=arguments, selection_set=selected, directives=self._direct())

    def _wrap(self, group: SelectionSetNode, parent: Any) -> SelectionNode:
        """Fields in a fragment on their type, or on none."""
        if self.chance.random() < 0.4:
            condition = NamedTypeNode(name=NameNode(value=parent.name)) if self.chance.random() < 0.6 else None
            return InlineFragmentNode(type_condition=condition, selection_set=group, directives=self._direct())
        name = NameNode(value=f"part{len(self._fragments)}")
        condition = NamedTypeNode(name=NameNode(value=parent.name))
        self._fragments.append(FragmentDefinitionNode(name=name, type_condition=condition, selection_set=group))
        return FragmentSpreadNode(name=name, directives=self._direct())

    def _direct(self) -> tuple[DirectiveNode, ...]:
        if self.chance.random() > 0.12:
            return ()
        name = self.chance.choice(("skip", "include"))
        value: ValueNode = BooleanValueNode(value=self.chance.random() < 0.5)
        if self.chance.random() < 0.7:
            value = self._declare(value, "Boolean!" if self.chance.random() < 0.8 else "Boolean", boolean=True)
        return (
            DirectiveNode(name=NameNode(value=name), arguments=(ArgumentNode(name=NameNode(value="if"), value=value),)),
        )

    def _lift(self, value: ValueNode, kind: Any, share: float) -> ValueNode:
        """A value, parts of it variables."""
        if self.chance.random() < share:
            return self._declare(value, str(kind))
        kind = get_nullable_type(kind)
        if isinstance(value, ObjectValueNode) and is_input_object_type(kind):
            fields = []
            for field in value.fields:
                inner = kind.fields[field.name.value].type
                if kind.is_one_of and self.chance.random() < share:
                    fields.append(replace(field, value=self._declare(field.value, f"{get_nullable_type(inner)}!")))
                else:
                    fields.append(replace(field, value=self._lift(field.value, inner, 0 if kind.is_one_of else share)))
            return replace(value, fields=tuple(fields))
        return value

    def _declare(self, value: ValueNode, kind: str, *, boolean: bool = False) -> VariableNode:
        """A variable of a type in place of a value; now and then it is given another value, or none."""
        chance, name = self.chance, f"v{len(self._declared)}"
        with_default = (boolean and not kind.endswith("!")) or (chance.random() < 0.3)
        if isinstance(value, NullValueNode) and kind.endswith("!"):
            with_default = False
        variable = VariableNode(name=NameNode(value=name))
        self._declared.append(
            VariableDefinitionNode(
                variable=variable, type=parse_type(kind), default_value=value if with_default else None
            )
        )
        turn = chance.random()
        if turn < 0.03:
            self.variables[name] = chance.choice(WRONG)
        elif turn < 0.9 or (kind.endswith("!") and not with_default):
            self.variables[name] = value_from_ast_untyped(value)
        return variable
