"""What a resolver is told of its field: in place of graphql-core's tuple of fourteen, what is asked for when it is."""

from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers

from app.graphql.compiled.runs import Place, Run, Site


class FieldInfo:
    """Has the attributes of `GraphQLResolveInfo`. `context` is what resolvers ask for nearly every time."""

    __slots__ = ("_place", "_run", "_site", "context")

    root_value = None
    abort_signal = None
    is_awaitable = staticmethod(is_awaitable)

    def __init__(self, run: Run, site: Site, place: Place) -> None:
        self.context = run.context_value
        self._run = run
        self._site = site
        self._place = place

    @classmethod
    def make(cls, run: Run, site: Site, place: Place) -> Any:
        """What to hand to whoever expects a `GraphQLResolveInfo`."""
        return cls(run, site, place)

    @property
    def field_name(self) -> str:
        return self._site.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._site.nodes

    @property
    def return_type(self) -> GraphQLOutputType:
        return self._site.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        return self._site.parent

    @property
    def path(self) -> Path | None:
        return _make_path(_find_field(self._place))

    @property
    def schema(self) -> GraphQLSchema:
        return self._run.plan.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return self._run.plan.fragment_definitions

    @property
    def operation(self) -> OperationDefinitionNode:
        return self._run.plan.operation

    @property
    def variable_values(self) -> VariableValues:
        return self._run.variable_values

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        return GraphQLResolveInfoHelpers(gather=_gather, track=self._run.track)


def _gather(values: Any) -> Any:
    return gather_with_cancel(*values)


def _find_field(place: Place) -> Place:
    """The field that a place in it, an entry of its list, belongs to."""
    while place is not None and place[2] is None:
        place = place[0]
    return place


def _make_path(place: Place) -> Path | None:
    return None if place is None else Path(_make_path(place[0]), place[1], place[2])
