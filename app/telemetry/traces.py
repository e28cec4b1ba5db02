"""Traces by OpenTelemetry, for whoever installed the extra `otel` and set `PERMGATE_TRACES=on`; else nothing is done.

A span tells of a request or an operation what the access log tells of it, and no more: no query text, no variable, no
name of a person. Where spans go is said by OpenTelemetry's own variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Tell = Callable[..., None]


def _tell_nobody(**_attributes: object) -> None:
    return


_NO_SPAN: AbstractContextManager[Tell] = nullcontext(_tell_nobody)
_tracer: "Tracer | None" = None


def set_up_traces() -> None:
    """Sends spans to wherever OpenTelemetry's variables say. Needs the extra `otel`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "permgate"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use_tracer(provider.get_tracer("permgate"))


def use_tracer(tracer: "Tracer | None") -> None:
    """Makes spans by a tracer from now on; None: makes none."""
    global _tracer  # noqa: PLW0603  # of a process there is one, as of its logs
    _tracer = tracer


def is_tracing() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def span(name: str) -> AbstractContextManager[Tell]:
    """A span around some work; what is entered tells it attributes, those that are None left out."""
    return _NO_SPAN if _tracer is None else _begin(_tracer, name)


@contextmanager
def _begin(tracer: "Tracer", name: str) -> Iterator[Tell]:
    # Exceptions are not recorded: what they say may be what the request said.
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as begun:

        def tell(**attributes: Any) -> None:
            for key, value in attributes.items():
                if value is not None:
                    begun.set_attribute(f"permgate.{key}", value)

        yield tell
