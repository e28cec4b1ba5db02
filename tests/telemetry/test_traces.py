"""Traces: a span tells of a request what the access log does, and no more."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.settings import SettingsFaults, read_settings
from app.telemetry import traces
from app.telemetry.traces import use_tracer
from tests.factories import Gateway

MARKER = "marker-7731@example.org"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_tracer(provider.get_tracer("tests"))
    yield exporter
    use_tracer(None)
    provider.shutdown()


async def test_a_request_is_a_span_without_text_variables_and_names(
    world: Gateway, spans: InMemorySpanExporter
) -> None:
    document = "query WhoIs($q: String) { users(filter: {search: $q}) { totalCount } }"
    response = await world.post({"query": document, "variables": {"q": MARKER}}, x_request_id="abc-1")

    (span,) = spans.get_finished_spans()
    assert response.headers["x-request-id"] == "abc-1"
    attributes = dict(span.attributes or {})
    assert attributes["permgate.request"] == "abc-1"
    assert attributes["permgate.status"] == "200"
    assert MARKER not in str(span.to_json()) and "totalCount" not in str(span.to_json())


async def test_an_exception_is_not_recorded(
    world: Gateway, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object, **_named: object) -> object:
        raise ValueError(MARKER)

    monkeypatch.setattr("app.web.scim.endpoint.authenticate_request", fail)
    await world.client.get("/scim/v2/Users", headers={"authorization": f"Bearer {world.token}"})

    assert [(span.attributes or {})["permgate.status"] for span in spans.get_finished_spans()] == ["500"]
    assert MARKER not in str([span.to_json() for span in spans.get_finished_spans()])


async def test_they_are_off_by_default(world: Gateway) -> None:
    assert traces._tracer is None
    assert traces.span("request") is traces._NO_SPAN


def test_they_are_refused_where_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.settings.find_spec", lambda name: None)

    with pytest.raises(SettingsFaults, match="PERMGATE_TRACES: OpenTelemetry is not installed"):
        read_settings({"PERMGATE_TRACES": "on"})
