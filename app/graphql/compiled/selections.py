"""Selections: what is asked of an object of a type, as one function that reads all of it."""

from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, NamedTuple

from graphql import GraphQLObjectType, TypeNameMetaFieldDef
from graphql.execution.collect_fields import GroupedFieldSet
from graphql.pyutils import is_awaitable
from orjson import Fragment

from app.graphql.compiled.resolvers import Resolve, Resolver
from app.graphql.compiled.runs import Complete, Place, Run, Site, await_parts
from app.graphql.compiled.splices import Keep, Partly, Splice
from app.graphql.compiled.values import Completer, make_completer, unwrap


class Step(NamedTuple):
    """A field of a selection. Where there is `read`, `work` completes what it gives; else it does everything."""

    name: str
    read: Callable[[Any], Any] | None
    plain: type | None  # the class of what is read that is answered as it is
    is_required: bool
    work: Complete
    site: Site

    def take(self, run: Run, source: Any, place: Place) -> Any:
        """What the answer holds of the field, as `Selector.select` finds it out for all fields at once."""
        if self.read is None:
            return self.work(run, source, place)
        try:
            value = self.read(source)
        except Exception as error:
            here = (place, self.name, self.site.parent.name)
            return run.fail(error, self.site.nodes, here, is_required=self.is_required)
        if value.__class__ is self.plain or (value is None and not self.is_required):
            return value
        return self.work(run, value, place)


class Selector:
    """Makes what completes objects: the selection of each field and type, made when it is first asked for."""

    def __init__(
        self,
        collect: Callable[[GraphQLObjectType, Site | None], GroupedFieldSet],
        find_resolver: Callable[[GraphQLObjectType, str], Resolver | None],
        find_splice: Callable[[Site], tuple[Splice, str | None] | None],
    ) -> None:
        self._collect = collect
        self._find_resolver = find_resolver
        self._find_splice = find_splice

    def select(self, site: Site | None, kind: GraphQLObjectType) -> Complete:
        """What completes objects of a type at a field; None: at the root."""
        steps: list[Step] | None = None

        def complete(run: Run, source: Any, place: Place) -> Any:
            nonlocal steps
            if steps is None:
                steps = self._make_steps(site, kind)
            found: dict[str, Any] = {}
            waiting: list[str] | None = None
            try:
                for name, read, plain, is_required, work, site_of in steps:
                    if read is None:
                        if found and run.pace.is_due():
                            rest = complete_rest(run, source, place, steps[len(found) :], found, waiting or [])
                            return run.own(rest)
                        completed = work(run, source, place)
                    else:
                        try:
                            value = read(source)
                        except Exception as error:
                            here = (place, name, kind.name)
                            found[name] = run.fail(error, site_of.nodes, here, is_required=is_required)
                            continue
                        if value.__class__ is plain or (value is None and not is_required):
                            found[name] = value
                            continue
                        completed = work(run, value, place)
                    found[name] = completed
                    if completed.__class__ is CoroutineType:
                        waiting = waiting or []
                        waiting.append(name)
            except Exception:
                run.settle([found[name] for name in waiting or ()])
                raise
            return found if waiting is None else run.await_parts(found, waiting)

        async def complete_rest(
            run: Run, source: Any, place: Place, steps: list[Step], found: dict[str, Any], waiting: list[str]
        ) -> Any:
            """Goes on with an object after a rest, and rests again when it is time to."""
            try:
                for step in steps:
                    await run.pace.rest()
                    found[step.name] = completed = step.take(run, source, place)
                    if completed.__class__ is CoroutineType:
                        waiting.append(step.name)
            except Exception:
                run.settle([found[name] for name in waiting])
                raise
            return await await_parts(found, waiting) if waiting else found

        return complete

    def _make_steps(self, site: Site | None, kind: GraphQLObjectType) -> list[Step]:
        steps = []
        for name, details in self._collect(kind, site).items():
            step = self._make_step(kind, name, details)
            if step is not None:
                steps.append(step)
        return steps

    def _make_step(self, kind: GraphQLObjectType, name: str, details: Any) -> Step | None:
        nodes = [one.node for one in details]
        field_name = nodes[0].name.value
        if field_name == "__typename":
            typename = kind.name
            site = Site(kind, name, details, nodes, TypeNameMetaFieldDef.type)
            return Step(name, lambda _source: typename, str, True, _never, site)
        resolver = self._find_resolver(kind, field_name)
        if resolver is None:
            return None  # as graphql-core leaves out what the type does not have
        site = Site(kind, name, details, nodes, resolver.field.type)
        is_required, nullable = unwrap(site.type)
        completer = make_completer(site, nullable, self.select, required=is_required)
        if resolver.attribute is not None:
            finish = _make_finish(site, completer, is_required=is_required)
            return Step(name, resolver.attribute, completer.plain, is_required, finish, site)
        take = _make_take(site, resolver.bind(site), completer, is_required=is_required)
        spliced = self._find_splice(site)
        if spliced is not None:
            finish = _make_finish(site, completer, is_required=is_required)
            take = _make_splice(site, resolver.bind_splice(site, *spliced), take, finish, is_required=is_required)
        return Step(name, None, None, is_required, take, site)


def _never(_run: Run, _value: Any, _place: Place) -> Any:
    raise AssertionError("the name of a type is a text")


def _make_finish(site: Site, completer: Completer, *, is_required: bool) -> Complete:
    """What completes the value of a field."""
    complete, settled, _, known, select = completer
    nodes, name, kind = site.nodes, site.response, site.parent.name

    def finish(run: Run, value: Any, place: Place) -> Any:
        here = (place, name, kind)
        try:
            if value.__class__ is known and select is not None:
                completed = select(run, value, here)
            elif value.__class__ not in settled and is_awaitable(value):
                return run.await_value(value, complete, nodes, here, is_required=is_required)
            else:
                completed = complete(run, value, here)
            if completed.__class__ is CoroutineType:
                return run.guard(completed, nodes, here, is_required=is_required)
            return completed
        except Exception as error:
            return run.fail(error, nodes, here, is_required=is_required)

    return finish


def _make_take(site: Site, resolve: Resolve, completer: Completer, *, is_required: bool) -> Complete:
    """What resolves a field and completes its value."""
    complete, settled, *_ = completer
    nodes, name, kind = site.nodes, site.response, site.parent.name

    def take(run: Run, source: Any, place: Place) -> Any:
        here = (place, name, kind)
        try:
            value = resolve(run, source, here)
            if value.__class__ not in settled and is_awaitable(value):
                return run.await_value(value, complete, nodes, here, is_required=is_required)
            completed = complete(run, value, here)
            if completed.__class__ is CoroutineType:
                return run.guard(completed, nodes, here, is_required=is_required)
            return completed
        except Exception as error:
            return run.fail(error, nodes, here, is_required=is_required)

    return take


def _make_splice(site: Site, ask: Resolve, take: Complete, finish: Complete, *, is_required: bool) -> Complete:
    """What takes the answer of a field that is there as JSON, and completes it as ever where there is none.

    `take` resolves the field and completes it, `finish` completes what a splice gives in place of that.
    """
    nodes, name, kind = site.nodes, site.response, site.parent.name

    def take_spliced(run: Run, source: Any, place: Place) -> Any:
        here = (place, name, kind)
        try:
            given = ask(run, source, here)
        except Exception as error:
            return run.fail(error, nodes, here, is_required=is_required)
        if given.__class__ is Fragment:
            return given
        failures = run.failures
        if given.__class__ is Partly:
            completed, write = finish(run, given.value, place), given.write
        else:
            completed, write = take(run, source, place), given
        if write is None or run.failures != failures:
            return completed
        if completed.__class__ is CoroutineType:
            return run.own(write_later(run, completed, write, failures))
        return write(completed)

    async def write_later(run: Run, completed: Awaitable[Any], write: Keep, failures: int) -> Any:
        found = await completed
        return write(found) if run.failures == failures else found

    return take_spliced
