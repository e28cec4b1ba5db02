"""Completing values: from what a resolver gave to what the answer holds, by the type of the field.

Each completer first looks whether a value is of a class that it has no more questions about; every other value is taken
through the same questions, in the same order, as graphql-core asks.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import CoroutineType
from typing import Any, NamedTuple

from graphql import (
    Executor,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLString,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.error import located_error
from graphql.execution.executor import (
    collect_iterator_awaitables,
    default_type_resolver,
    invalid_return_type_error,
)
from graphql.pyutils import Undefined, is_async_iterable, is_awaitable, is_iterable
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from app.graphql.compiled.constants import PLAIN
from app.graphql.compiled.info import FieldInfo
from app.graphql.compiled.runs import Complete, Place, Run, Site, await_parts, list_keys

NOTHING = type(None)
Select = Callable[[Site, GraphQLObjectType], Complete]
"""What completes objects of a type at a field: its selection, without any question."""


class Completer(NamedTuple):
    """Completes values of a type at a field."""

    complete: Complete
    settled: set[type]  # classes of values that nobody waits for
    plain: type | None = None  # the class of values that are answered as they are
    known: type | None = None  # the class of objects about which there is no question; `select` completes them
    select: Complete | None = None


def make_completer(site: Site, kind: Any, select: Select, *, required: bool) -> Completer:
    """What completes values of a nullable type, where there must or need not be any."""
    if is_list_type(kind):
        return _make_list(site, kind, select, required=required)
    if is_leaf_type(kind):
        return _make_leaf(site, kind, required=required)
    if is_abstract_type(kind):
        return _make_abstract(site, kind, select, required=required)
    assert is_object_type(kind), "there is no other type of output"
    return _make_object(site, kind, select, required=required)


def _is_nothing(site: Site, value: Any, *, required: bool) -> bool:
    """Whether there is no value. Raises it where it is an error, and where there must be one."""
    if isinstance(value, Exception):
        raise value
    if value is None or value is Undefined:
        if required:
            raise TypeError(site.null_message)
        return True
    return False


# ---------------------------------------------------------------------- leaves


def _make_leaf(site: Site, kind: Any, *, required: bool) -> Completer:
    def ask(value: Any) -> Any:
        if _is_nothing(site, value, required=required):
            return None
        completed = Executor.complete_leaf_value(kind, value)
        return _await(completed) if is_awaitable(completed) else completed

    if kind is GraphQLString or kind is GraphQLID:
        return Completer(_as_it_is(str, ask), {str, NOTHING}, str)
    if kind is GraphQLBoolean:
        return Completer(_as_it_is(bool, ask), {bool, NOTHING}, bool)
    if kind is GraphQLInt:

        def complete_int(_run: Run, value: Any, _place: Place) -> Any:
            if value.__class__ is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT:
                return value
            return ask(value)

        return Completer(complete_int, {int, NOTHING})
    if isinstance(kind, CustomGraphQLEnumType):
        members: Any = kind.wrapped_cls
        names: dict[Any, str] = {member: kind.coerce_output_value(member) for member in members}

        def complete_enum(_run: Run, value: Any, _place: Place) -> Any:
            return names[value] if value.__class__ is members else ask(value)

        return Completer(complete_enum, {members, NOTHING})
    return Completer(lambda _run, value, _place: ask(value), set(PLAIN))


def _as_it_is(plain: type, ask: Callable[[Any], Any]) -> Complete:
    def complete(_run: Run, value: Any, _place: Place) -> Any:
        return value if value.__class__ is plain else ask(value)

    return complete


async def _await(value: Any) -> Any:
    return await value


# ---------------------------------------------------------------------- objects


def _find_definition(kind: Any) -> StrawberryObjectDefinition | None:
    found = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return found if isinstance(found, StrawberryObjectDefinition) else None


def _is_known_by_class(kind: GraphQLObjectType) -> type | None:
    """The class whose objects are of a type without more questions; one that was cast to another is asked about."""
    definition = _find_definition(kind)
    if definition is None or definition.is_type_of is not None or definition.concrete_of is not None:
        return None
    found = definition.origin
    return None if hasattr(found, "__await__") or issubclass(found, Exception) else found


def _make_object(site: Site, kind: GraphQLObjectType, select: Select, *, required: bool) -> Completer:
    complete_known = select(site, kind)
    known, is_type_of = _is_known_by_class(kind), kind.is_type_of

    def complete(run: Run, value: Any, place: Place) -> Any:
        if value.__class__ is known and _is_not_cast(value):
            return complete_known(run, value, place)
        if _is_nothing(site, value, required=required):
            return None
        if is_type_of is not None:
            verdict = is_type_of(value, FieldInfo.make(run, site, place))
            if is_awaitable(verdict):
                return run.own(_complete_judged(run, value, place, verdict))
            if not verdict:
                raise invalid_return_type_error(kind, value, site.details)
        return complete_known(run, value, place)

    async def _complete_judged(run: Run, value: Any, place: Place, verdict: Any) -> Any:
        if not await verdict:
            raise invalid_return_type_error(kind, value, site.details)
        completed = complete_known(run, value, place)
        return await completed if completed.__class__ is CoroutineType else completed

    if known is None:
        return Completer(complete, {NOTHING})
    if is_type_of is None:  # nobody asks what an object was cast to
        return Completer(complete, {known, NOTHING}, known=known, select=complete_known)
    return Completer(complete, {known, NOTHING})


def _make_abstract(site: Site, kind: Any, select: Select, *, required: bool) -> Completer:
    resolve_type = kind.resolve_type or default_type_resolver
    definition = _find_definition(kind)
    is_open = definition is not None and definition.is_interface and definition.resolve_type is not None
    settled: set[type] = {NOTHING}
    by_class: dict[type, Complete] = {}  # what strawberry finds by the class of an object alone
    by_type: dict[GraphQLObjectType, Complete] = {}

    def complete(run: Run, value: Any, place: Place) -> Any:
        found = by_class.get(value.__class__)
        if found is not None and _is_not_cast(value):
            return found(run, value, place)
        if _is_nothing(site, value, required=required):
            return None
        info = FieldInfo.make(run, site, place)
        name = resolve_type(value, info, kind)
        if is_awaitable(name):
            return run.own(_complete_awaited(run, value, place, name, info))
        return complete_as(run, value, place, name, info)

    def complete_as(run: Run, value: Any, place: Place, name: Any, info: Any) -> Any:
        concrete = Executor.ensure_valid_runtime_type(info, name, kind, site.details, info, value)
        found = by_type.get(concrete)
        if found is None:
            found = by_type[concrete] = _make_object(site, concrete, select, required=True).complete
        of_class = value.__class__
        if not is_open and of_class == _is_known_by_class(concrete) and _is_not_cast(value):
            by_class[of_class] = select(site, concrete)
            settled.add(of_class)
        return found(run, value, place)

    async def _complete_awaited(run: Run, value: Any, place: Place, name: Any, info: Any) -> Any:
        completed = complete_as(run, value, place, await name, info)
        return await completed if completed.__class__ is CoroutineType else completed

    return Completer(complete, settled)


def _is_not_cast(value: Any) -> bool:
    return getattr(value, TYPE_CAST_ATTRIBUTE, None) is None


# ---------------------------------------------------------------------- lists


def _make_list(site: Site, kind: Any, select: Select, *, required: bool) -> Completer:
    is_required, item_type = unwrap(kind.of_type)
    complete_item, settled, plain, known, select_item = make_completer(site, item_type, select, required=is_required)
    nodes = site.nodes

    def complete(run: Run, value: Any, place: Place) -> Any:
        if value.__class__ is not list and value.__class__ is not tuple:
            if _is_nothing(site, value, required=required):
                return None
            if is_async_iterable(value):
                return run.own(complete_async(run, value.__aiter__(), place))
            if not is_iterable(value):
                message = f"Expected Iterable, but did not find one for field '{site.parent}.{site.name}'."
                raise GraphQLError(message)
        elif plain is not None:
            for item in value:
                if item.__class__ is not plain:
                    break
            else:
                return list(value)
        iterator = iter(value)
        found: list[Any] = []
        waiting: list[int] = []
        if run.pace.is_due():
            return run.own(complete_rest(run, iterator, place, found, waiting))
        try:
            if complete_some(run, iterator, place, found, waiting):
                return run.own(complete_rest(run, iterator, place, found, waiting))
        except Exception:
            run.settle([*(found[index] for index in waiting), *collect_iterator_awaitables(iterator, is_awaitable)])
            raise
        return run.await_parts(found, waiting) if waiting else found

    def complete_some(run: Run, items: Iterator[Any], place: Place, found: list[Any], waiting: list[int]) -> bool:
        """Completes the next entries, until it is time to rest; whether there may be more."""
        for item in items:
            here = (place, len(found), None)
            if item.__class__ is known and select_item is not None:
                try:
                    completed = select_item(run, item, here)
                except Exception as error:
                    completed = run.fail(error, nodes, here, is_required=is_required)
                if completed.__class__ is CoroutineType:
                    waiting.append(len(found))
                    completed = run.guard(completed, nodes, here, is_required=is_required)
                found.append(completed)
            else:
                complete_one(run, item, here, found, waiting)
            if run.pace.is_due():
                return True
        return False

    def complete_one(run: Run, item: Any, place: Any, found: list[Any], waiting: list[int]) -> None:
        """Completes an entry; one that is wrong and must not be ends the list."""
        if item.__class__ not in settled and is_awaitable(item):
            waiting.append(len(found))
            found.append(run.await_value(item, complete_item, nodes, place, is_required=is_required))
            return
        try:
            completed = complete_item(run, item, place)
        except Exception as error:
            completed = run.fail(error, nodes, place, is_required=is_required)
        if completed.__class__ is CoroutineType:
            waiting.append(len(found))
            completed = run.guard(completed, nodes, place, is_required=is_required)
        found.append(completed)

    async def complete_rest(run: Run, items: Iterator[Any], place: Place, found: list[Any], waiting: list[int]) -> Any:
        """Goes on with a list after a rest, and rests again when it is time to."""
        try:
            await run.pace.rest()
            while complete_some(run, items, place, found, waiting):
                await run.pace.rest()
        except Exception:
            run.settle([*(found[index] for index in waiting), *collect_iterator_awaitables(items, is_awaitable)])
            raise
        return await await_parts(found, waiting) if waiting else found

    async def complete_async(run: Run, items: AsyncIterator[Any], place: Place) -> Any:
        """The entries of an async generator, one after the other."""
        found: list[Any] = []
        waiting: list[int] = []
        try:
            while True:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    raise located_error(error, nodes, list_keys(place)) from error
                complete_one(run, item, (place, len(found), None), found, waiting)
        except Exception:
            with suppress(Exception):
                await items.aclose()  # type: ignore[attr-defined]  # what cannot be closed need not be
            run.settle([found[index] for index in waiting])
            raise
        return await await_parts(found, waiting) if waiting else found

    return Completer(complete, {list, tuple, NOTHING})


def unwrap(kind: Any) -> tuple[bool, Any]:
    """Whether there must be a value, and the type that it is of where there is one."""
    return (True, kind.of_type) if is_non_null_type(kind) else (False, kind)
