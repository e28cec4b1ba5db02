"""What strawberry's resolvers do for a field, without what it takes to find out each time.

A field is known where strawberry made its resolver, and neither an extension nor a permission class, an exception
handler nor a subclass of strawberry's stands between. Whatever else there is, graphql-core calls.
"""

from collections.abc import Callable
from operator import attrgetter
from types import CoroutineType
from typing import Any

from graphql import GraphQLField
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.utils.await_maybe import await_maybe

from app.graphql.compiled.arguments import Conversion, Convert, Unknown, read_arguments
from app.graphql.compiled.info import FieldInfo
from app.graphql.compiled.runs import Place, Run, Site
from app.graphql.compiled.splices import Splice

Resolve = Callable[[Run, Any, Place], Any]
"""From the object that a field is of to what its resolver gives: a value, or something to wait for."""

_MADE_BY = "GraphQLCoreConverter.from_resolver.<locals>."


class Resolver:
    """How a field of the schema is resolved, wherever it is asked for. Raises `Unknown` where plans do not know."""

    def __init__(self, field: GraphQLField, converter: GraphQLCoreConverter, conversion: Conversion) -> None:
        definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if type(definition) is not StrawberryField or converter.exception_handlers:
            raise Unknown
        made = getattr(field.resolve, "__qualname__", "")
        if definition.extensions or definition.is_subscription or not made.startswith(_MADE_BY):
            raise Unknown
        self.field: GraphQLField = field
        self.definition = definition
        self.attribute: Callable[[Any], Any] | None = None
        """Reads it, where that is all there is to it."""
        self.function: Callable[..., Any] | None = None
        """What is called otherwise."""
        self._info_class = converter.config.info_class
        self._arguments: list[tuple[str, str, Convert | None]] = []
        resolver, name = definition.base_resolver, definition.python_name
        if resolver is None:
            read = definition.default_resolver
            self.attribute = attrgetter(name) if read is getattr else lambda source: read(source, name)
            return
        if type(resolver) is not StrawberryResolver or not callable(resolver.wrapped_func):
            raise Unknown
        self.function = resolver.wrapped_func
        self._arguments = conversion.convert_all(definition.arguments)

    def bind(self, site: Site) -> Resolve:
        """What resolves the field where a document asks for it."""
        call, ask = self._prepare_call(site), None
        if self.field.args:
            ask = read_arguments(self.field, site.nodes[0])
        if not self.definition.is_async:
            if ask is None:
                return call
            return lambda run, source, place: call(run, source, place, ask(run))

        def begin(run: Run, source: Any, place: Place) -> Any:
            coerced = None if ask is None else ask(run)
            try:
                return _wait(call(run, source, place, coerced))
            except Exception as error:  # of an async resolver nothing is known before it is waited for
                return _raise(error)

        return begin

    def bind_splice(self, site: Site, splice: Splice, key: str | None) -> Resolve:
        """What asks a splice for the answer of the field."""
        definition, info_class, arguments = self.definition, self._info_class, self._arguments
        ask = read_arguments(self.field, site.nodes[0])

        def resolve(run: Run, source: Any, place: Place) -> Any:
            coerced = ask(run)
            given = {
                python_name: coerced[name] if convert is None else convert(coerced[name])
                for name, python_name, convert in arguments
                if name in coerced
            }
            return splice(source, info_class(_raw_info=FieldInfo.make(run, site, place), _field=definition), given, key)

        return resolve

    def _prepare_call(self, site: Site) -> Callable[..., Any]:
        """What calls the function: `(run, source, place, coerced arguments)`."""
        definition, function, info_class = self.definition, self.function, self._info_class
        resolver = definition.base_resolver
        assert function is not None and resolver is not None, "an attribute is read"
        arguments, with_self = self._arguments, resolver.self_parameter is not None
        sources = [one.name for one in (resolver.parent_parameter, resolver.root_parameter) if one is not None]
        info_name = None if resolver.info_parameter is None else resolver.info_parameter.name

        def call(run: Run, source: Any, place: Place, coerced: Any = None) -> Any:
            given: dict[str, Any] = {}
            for name, python_name, convert in arguments:
                if name in coerced:
                    value = coerced[name]
                    given[python_name] = value if convert is None else convert(value)
            for name in sources:
                given[name] = source
            if info_name is not None:
                given[info_name] = info_class(_raw_info=FieldInfo.make(run, site, place), _field=definition)
            return function(source, **given) if with_self else function(**given)

        def call_with_info(run: Run, source: Any, place: Place, _coerced: None = None) -> Any:
            return function(source, info=info_class(_raw_info=FieldInfo.make(run, site, place), _field=definition))

        def call_alone(_run: Run, source: Any, _place: Place, _coerced: None = None) -> Any:
            return function(source)

        if self.field.args or sources or not with_self or info_name not in {None, "info"}:
            return call
        return call_alone if info_name is None else call_with_info


def _wait(value: Any) -> Any:
    """What an async resolver gives: a coroutine, even where there is nothing to wait for."""
    return value if value.__class__ is CoroutineType else await_maybe(value)


async def _raise(error: Exception) -> Any:
    raise error
