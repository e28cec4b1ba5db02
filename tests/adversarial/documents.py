"""Random documents brought to life: of a size that is run, and about people, rights and contracts that there are.

What hypothesis-graphql writes is valid, but names nobody, and goes round the schema until it is refused for its depth.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NameNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    print_ast,
)

Words = Mapping[str, Sequence[str | int]]  # by the argument or input field that they fit, or by the scalar
MAX_DEPTH = 7  # fields within fields; what lies deeper is asked for its `__typename` alone
MAX_FIELDS = 12  # side by side
MAX_ITEMS = 3  # of a list in the input
KEPT = 0.15  # of the texts written at random is left as it is
SELDOM = {"expectedRevision": 0.05, "idempotencyKey": 0.1, "dryRun": 0.2}  # with them most changes come to nothing
TYPENAME = FieldNode(name=NameNode(value="__typename"))


class Enlivener:
    """Rewrites documents with the words of one world."""

    def __init__(self, schema: GraphQLSchema, words: Words, chance: Random) -> None:
        self.schema, self.words, self.chance = schema, words, chance

    def rewrite(self, document: DocumentNode) -> str:
        """The document, valid as it was, as a text."""
        definitions = [
            replace(node, selection_set=self._select(node.selection_set, self.schema.get_root_type(node.operation), 0))
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        ]
        return "\n".join(print_ast(definition) for definition in definitions)

    def _select(self, found: SelectionSetNode, parent: Any, depth: int) -> SelectionSetNode:
        kept = found.selections[:MAX_FIELDS]
        return replace(found, selections=tuple(self._rewrite(one, parent, depth) for one in kept))

    def _rewrite(self, node: SelectionNode, parent: Any, depth: int) -> SelectionNode:
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            inner = parent if condition is None else self.schema.get_type(condition.name.value)
            return replace(node, selection_set=self._select(node.selection_set, inner, depth))
        if not isinstance(node, FieldNode) or node.name.value.startswith("__"):
            return node
        definition = parent.fields[node.name.value]
        arguments = tuple(self._argue(argument, parent.name, definition.args) for argument in node.arguments)
        selected = node.selection_set
        if selected is not None:
            inner = get_named_type(definition.type)
            too_deep = depth >= MAX_DEPTH
            selected = (
                SelectionSetNode(selections=(TYPENAME,)) if too_deep else self._select(selected, inner, depth + 1)
            )
        return replace(node, arguments=arguments, selection_set=selected)

    def _argue(self, node: ArgumentNode, parent: str, declared: Mapping[str, Any]) -> ArgumentNode:
        name = node.name.value
        if is_input_object_type(get_named_type(declared[name].type)) and self.chance.random() > KEPT:
            return replace(node, value=self._make(parent, name, declared[name].type))
        return replace(node, value=self._give(parent, name, node.value, declared[name].type))

    def _give(self, owner: str, name: str, value: ValueNode, kind: GraphQLInputType) -> ValueNode:
        """The value as it was written, but for its words."""
        kind = get_nullable_type(kind)
        if isinstance(value, ListValueNode) and is_list_type(kind):
            few = value.values[:MAX_ITEMS]
            return replace(value, values=tuple(self._give(owner, name, one, kind.of_type) for one in few))
        if isinstance(value, ObjectValueNode) and is_input_object_type(kind):
            if kind.is_one_of:
                return self._make(owner, name, kind)
            return replace(value, fields=tuple(self._keep(field, kind) for field in value.fields))
        if isinstance(value, StringValueNode | IntValueNode) and self.chance.random() > KEPT:
            return self._make(owner, name, kind)
        return value

    def _keep(self, field: ObjectFieldNode, kind: GraphQLInputObjectType) -> ObjectFieldNode:
        name = field.name.value
        return replace(field, value=self._give(kind.name, name, field.value, kind.fields[name].type))

    def _make(self, owner: str, name: str, kind: GraphQLInputType, depth: int = 0) -> ValueNode:
        """A value of the words that there are."""
        kind, chance = get_nullable_type(kind), self.chance
        if is_list_type(kind):
            count = chance.randrange(1, MAX_ITEMS)
            return ListValueNode(values=tuple(self._make(owner, name, kind.of_type, depth) for _ in range(count)))
        if is_input_object_type(kind):
            return ObjectValueNode(fields=tuple(self._fill(kind, depth + 1)))
        if isinstance(kind, GraphQLEnumType):
            return EnumValueNode(value=chance.choice(list(kind.values)))
        if kind.name == "Boolean":
            return BooleanValueNode(value=chance.random() < 0.5)
        word = chance.choice(self.words.get(f"{owner}.{name}") or self.words.get(name) or self.words[kind.name])
        return IntValueNode(value=str(word)) if kind.name == "Int" else StringValueNode(value=str(word))

    def _fill(self, kind: GraphQLInputObjectType, depth: int) -> Iterator[ObjectFieldNode]:
        chosen = [self.chance.choice(list(kind.fields))] if kind.is_one_of else list(kind.fields)
        for name in chosen:
            declared = kind.fields[name].type
            likely = SELDOM.get(name, 0.6 / depth)
            if kind.is_one_of or is_non_null_type(declared) or self.chance.random() < likely:
                yield ObjectFieldNode(name=NameNode(value=name), value=self._make(kind.name, name, declared, depth))
