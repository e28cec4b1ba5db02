"""One execution of a plan: its variables, its errors, its time, and what it waits for.

Everything that concerns errors and awaiting is done in the order in which graphql-core does it, and with as many tasks,
so that errors come in the same order as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from inspect import iscoroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
)
from graphql.error import located_error
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues
from graphql.pyutils import gather_with_cancel, is_awaitable

from app.graphql.pieces import Pace, close_unbegun

if TYPE_CHECKING:
    from app.graphql.compiled.plans import Plan

Place = tuple[Any, str | int, str | None] | None
"""A place in the answer: the one it lies in, its key there, and of a field the type that has it. None: the root."""


class Site(NamedTuple):
    """A field where it is asked for: what errors and resolvers are told of it."""

    parent: GraphQLObjectType
    response: str  # its name in the answer
    details: list[FieldDetails]  # each time it is asked for, as graphql-core collects them
    nodes: list[FieldNode]
    type: GraphQLOutputType

    @property
    def name(self) -> str:
        return self.nodes[0].name.value

    @property
    def null_message(self) -> str:
        """Why there is an error where there is nothing."""
        return f"Cannot return null for non-nullable field {self.parent}.{self.name}."


Complete = Callable[["Run", Any, Place], Any]
"""From what a resolver gave to what the answer holds at a place, or a coroutine of that. Raises what was wrong."""


class Run:
    """One execution of a plan. `context_value` is what resolvers share; it is set before the operation is executed."""

    __slots__ = (
        "_background", "_begun", "_inputs", "_nulled", "_root", "_values", "coerced", "context_value", "errors",
        "failures", "hide_suggestions", "pace", "plan",
    )  # fmt: skip

    def __init__(
        self, plan: "Plan", root: Complete, inputs: Mapping[str, Any], coerced: dict[str, Any],
        values: VariableValues | None, *, hide_suggestions: bool,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.coerced = coerced  # the variables
        self.hide_suggestions = hide_suggestions
        self.context_value: Any = None
        self.errors: list[GraphQLError] = []
        self.failures = 0  # errors, those included that nobody is told of
        self.pace: Pace
        self._root = root
        self._inputs = inputs
        self._values = values
        self._nulled: set[Place] = set()  # where an error has put nothing
        self._background: set[asyncio.Future[Any]] = set()
        self._begun: list[Coroutine[Any, Any, Any]] = []  # what was made to be waited for

    @property
    def operation(self) -> OperationDefinitionNode:
        """What is executed."""
        return self.plan.operation

    @property
    def variable_values(self) -> VariableValues:
        """The variables as graphql-core has them."""
        if self._values is None:
            self._values = VariableValues(self.plan.variables.find_sources(self._inputs), self.coerced)
        return self._values

    def execute_operation(self) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """The result; a coroutine of it where something has to be waited for."""
        self.pace = Pace()
        try:
            data = self._root(self, None, None)
        except GraphQLError as error:
            self._add(error, None)
            return ExecutionResult(None, self.errors)
        if data.__class__ is CoroutineType:
            return self._await_result(data)
        return ExecutionResult(data, self.errors or None)

    async def _await_result(self, data: Awaitable[Any]) -> ExecutionResult:
        try:
            return ExecutionResult(await data, self.errors or None)
        except GraphQLError as error:
            self._add(error, None)
            return ExecutionResult(None, self.errors)
        except BaseException:  # it was called off
            self.drop()
            raise
        finally:
            if self.failures and not self._background:
                self.drop()

    # ------------------------------------------------------------------ errors

    def fail(self, error: Exception, nodes: list[FieldNode], place: Place, *, is_required: bool) -> Any:
        """What is at a place by an error: nothing, and it is noted. Raises it where there has to be something."""
        self.failures += 1
        located = located_error(error, nodes, list_keys(place))
        if is_required:
            raise located
        self._add(located, place)
        return None

    def _add(self, error: GraphQLError, place: Place) -> None:
        """An error is told unless an earlier one has put nothing at its place or around it."""
        nulled, around = self._nulled, place
        if nulled:
            while around is not None:
                if around in nulled:
                    return
                around = around[0]
            if None in nulled:
                return
        nulled.add(place)
        self.errors.append(error)

    # ------------------------------------------------------------------ waiting

    def settle(self, awaitables: Sequence[Awaitable[Any]]) -> None:
        """Lets what nobody waits for any more come to its end."""
        if not awaitables:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # where there is no loop nothing of it has begun
            for one in awaitables:
                if iscoroutine(one):
                    one.close()
            return
        future = asyncio.gather(*awaitables, return_exceptions=True)
        self._background.add(future)
        future.add_done_callback(self._background.discard)

    def track(self, values: Sequence[Any]) -> None:
        """`info.async_helpers.track` of graphql-core."""
        self.settle([value for value in values if is_awaitable(value)])

    def own(self, coroutine: Any) -> Any:
        """A coroutine that this run is to wait for; one that it does not come to is closed in the end."""
        self._begun.append(coroutine)
        return coroutine

    def drop(self) -> None:
        """Closes what nobody will wait for any more, since an error or a deadline came before."""
        close_unbegun(self._begun)

    def await_value(
        self, value: Awaitable[Any], complete: Complete, nodes: list[FieldNode], place: Place, *, is_required: bool
    ) -> Any:
        """What is at a place once its value is there, to be waited for."""
        if value.__class__ is CoroutineType:
            self.own(value)
        return self.own(self._await_value(value, complete, nodes, place, is_required))

    async def _await_value(
        self, value: Awaitable[Any], complete: Complete, nodes: list[FieldNode], place: Place, is_required: bool
    ) -> Any:
        try:
            found = await value
            await self.pace.rest()
            completed = complete(self, found, place)
            if completed.__class__ is CoroutineType:
                completed = await completed
        except Exception as error:
            return self.fail(error, nodes, place, is_required=is_required)
        return completed

    def guard(self, completed: Awaitable[Any], nodes: list[FieldNode], place: Place, *, is_required: bool) -> Any:
        """What is at a place once what lies in it is there, to be waited for."""
        return self.own(self._guard(completed, nodes, place, is_required))

    async def _guard(self, completed: Awaitable[Any], nodes: list[FieldNode], place: Place, is_required: bool) -> Any:
        try:
            return await completed
        except Exception as error:
            return self.fail(error, nodes, place, is_required=is_required)

    def await_parts(self, found: Any, keys: Sequence[Any]) -> Any:
        """An object or a list whose values at these keys have to be waited for; they are, together."""
        return self.own(await_parts(found, keys))


async def await_parts(found: Any, keys: Sequence[Any]) -> Any:
    """What `Run.await_parts` waits for."""
    if len(keys) == 1:
        found[keys[0]] = await found[keys[0]]
        return found
    awaited = await gather_with_cancel(*(found[key] for key in keys))
    for key, value in zip(keys, awaited, strict=True):
        found[key] = value
    return found


def list_keys(place: Place) -> list[str | int]:
    """The path of an error."""
    keys: list[str | int] = []
    while place is not None:
        keys.append(place[1])
        place = place[0]
    keys.reverse()
    return keys
