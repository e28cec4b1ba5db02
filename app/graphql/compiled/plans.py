"""Plans: a validated query, compiled once; and the compiler, which knows a schema."""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    is_object_type,
)
from graphql.execution.collect_fields import FragmentDetails, GroupedFieldSet, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined

from app.graphql.compiled.arguments import Conversion, Unknown
from app.graphql.compiled.resolvers import Resolver
from app.graphql.compiled.runs import Complete, Run, Site
from app.graphql.compiled.selections import Selector
from app.graphql.compiled.splices import Splice, Splices, find_key
from app.graphql.compiled.variables import Variables

MAX_VARIANTS = 16  # of a plan that are kept at once: one for each way in which `@skip` and `@include` turn out
CONDITIONS = frozenset({"skip", "include"})


class Compiler:
    """Makes plans for the operations of documents that are valid for a schema."""

    def __init__(self, schema: GraphQLSchema, splices: Splices | None = None) -> None:
        self.schema = schema
        self.splices: dict[tuple[str, str], Splice] = dict(splices or {})
        self._resolvers: dict[tuple[str, str], Resolver] = {}
        self._unknown = {"__schema", "__type"}  # names of fields that graphql-core has to resolve
        converter = schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]  # noqa: SLF001  # strawberry put it there for its own resolvers
        conversion = Conversion(converter.config, converter.scalar_registry)
        for kind in schema.type_map.values():
            if not is_object_type(kind) or kind.name.startswith("__"):
                continue
            for name, field in kind.fields.items():
                try:
                    self._resolvers[kind.name, name] = Resolver(field, converter, conversion)
                except Unknown:
                    if kind not in {schema.mutation_type, schema.subscription_type}:
                        self._unknown.add(name)

    def compile(self, document: DocumentNode, operation: OperationDefinitionNode) -> "Plan | None":
        """The plan of an operation; None where graphql-core has to run it."""
        if operation.operation is not OperationType.QUERY or self.schema.query_type is None or operation.directives:
            return None
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        try:
            conditions = self._find_conditions(operation, fragments)
        except Unknown:
            return None
        return Plan(self, operation, fragments, conditions)

    def find_resolver(self, kind: GraphQLObjectType, name: str) -> Resolver | None:
        """How a field of a type is resolved; None where the type has no such field."""
        return self._resolvers.get((kind.name, name))

    def _find_conditions(
        self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> frozenset[str]:
        """The variables that `@skip` and `@include` hang on. Raises `Unknown` for what plans do not know."""
        found: set[str] = set()
        spread: set[str] = set()
        waiting: list[SelectionSetNode] = [operation.selection_set]
        if any(node.directives for node in operation.variable_definitions or ()):
            raise Unknown
        while waiting:
            for node in waiting.pop().selections:
                found |= set(_find_conditions(node.directives or ()))
                if isinstance(node, FragmentSpreadNode):
                    name = node.name.value
                    fragment = fragments[name]
                    if node.arguments or fragment.variable_definitions or fragment.directives:
                        raise Unknown
                    if name not in spread:
                        spread.add(name)
                        waiting.append(fragment.selection_set)
                    continue
                if isinstance(node, FieldNode) and node.name.value in self._unknown:
                    raise Unknown
                if node.selection_set is not None:  # type: ignore[attr-defined]  # a field or an inline fragment
                    waiting.append(node.selection_set)  # type: ignore[attr-defined]
        return frozenset(found)


def _find_conditions(directives: Iterable[DirectiveNode]) -> Iterable[str]:
    for directive in directives:
        if directive.name.value not in CONDITIONS:
            raise Unknown
        for argument in directive.arguments or ():
            if isinstance(argument.value, VariableNode):
                yield argument.value.name.value


class Plan:
    """A query, compiled: what reads its variables, and what completes it, for each outcome of its conditions."""

    def __init__(
        self, compiler: Compiler, operation: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode],
        conditions: frozenset[str],
    ) -> None:  # fmt: skip
        self.schema = compiler.schema
        self.operation = operation
        self.fragment_definitions = fragments
        self.variables = Variables(compiler.schema, operation)
        self._compiler = compiler
        self._fragments = {name: FragmentDetails(node) for name, node in fragments.items()}
        self._conditions = tuple(sorted(conditions))
        self._variants: dict[tuple[bool, ...], Complete] = {}

    def bind(
        self, inputs: Mapping[str, Any], *, max_errors: int, hide_suggestions: bool
    ) -> Run | list[GraphQLError] | None:
        """A run with these variables, or what is wrong with them; None where graphql-core has to run it."""
        coerced, values = self.variables.coerce(inputs), None
        if coerced is None:
            found = self.variables.coerce_with_care(
                dict(inputs), max_errors=max_errors, hide_suggestions=hide_suggestions
            )
            if isinstance(found, list):
                return found
            coerced, values = found.coerced, found
        root = self._find_variant(coerced)
        if root is None:
            return None
        return Run(self, root, inputs, coerced, values, hide_suggestions=hide_suggestions)

    def _find_variant(self, coerced: Mapping[str, Any]) -> Complete | None:
        chosen = tuple(coerced.get(name, Undefined) for name in self._conditions)
        found = self._variants.get(chosen)
        if found is not None:
            return found
        if not all(value.__class__ is bool for value in chosen):
            return None
        if len(self._variants) >= MAX_VARIANTS:
            self._variants.clear()
        made = self._variants[chosen] = self._make_variant(dict(zip(self._conditions, chosen, strict=True)))
        return made

    def _make_variant(self, conditions: dict[str, Any]) -> Complete:
        values = VariableValues({}, conditions)
        schema, operation, fragments = self.schema, self.operation, self._fragments
        root_type = schema.query_type
        assert root_type is not None, "a query was validated"

        def collect(kind: GraphQLObjectType, site: Site | None) -> GroupedFieldSet:
            if site is None:
                return collect_fields(schema, fragments, values, kind, operation).grouped_field_set
            return collect_subfields(schema, fragments, values, operation, kind, site.details).grouped_field_set

        return Selector(collect, self._compiler.find_resolver, self._find_splice).select(None, root_type)

    def _find_splice(self, site: Site) -> tuple[Splice, str | None] | None:
        splice = self._compiler.splices.get((site.parent.name, site.name))
        return None if splice is None else (splice, find_key(site.nodes, self.fragment_definitions))
