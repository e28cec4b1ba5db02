"""Around every request: its id, its line in the access log, its figures; and what happens to one that fails."""

import json
import logging
import re
from typing import Any

import pytest

from app.telemetry import JsonFormatter
from app.telemetry.metrics import REGISTRY
from tests.factories import Gateway, each_of
from tests.serving import until
from tests.sockets import known

MARKER = "marker-7731@example.org"
ACCESS = logging.getLogger("permgate.access")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the log says of what is done meanwhile, as it would be written."""
    monkeypatch.setattr(logging.getLogger("permgate"), "propagate", True)
    caplog.set_level(logging.DEBUG, logger="permgate")
    caplog.set_level(logging.INFO, logger="permgate.access")

    def read(event: str | None = None) -> list[dict[str, Any]]:
        told = [json.loads(JsonFormatter().format(record)) for record in dict.fromkeys(caplog.records)]
        return [line for line in told if event is None or line["event"] == event]

    return read


@each_of("given", ["a", "A-z-0-9", "x" * 64, "0af7651916cd43dd8448eb211c80319c"])
async def test_an_id_that_a_proxy_gave_is_kept(world: Gateway, given: str) -> None:
    response = await world.client.get("/livez", headers={"x-request-id": given})

    assert response.headers["x-request-id"] == given


@each_of("given", ["", " ", "x" * 65, "a b", "a_b", "a\tb", "é", "{}", '"', "a;b"])
async def test_an_id_that_is_none_is_replaced(world: Gateway, given: str) -> None:
    response = await world.client.get("/livez", headers={"x-request-id": given.encode()})

    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


@each_of(
    ("method", "path", "status"),
    [
        ("POST", "/graphql", 401), ("PUT", "/graphql", 405), ("GET", "/nothing", 404), ("GET", "/scim/v2/Users", 401),
        ("POST", "/sync/hr", 401), ("GET", "/readyz", 200), ("GET", "/metrics", 200),
    ],
)  # fmt: skip
async def test_every_answer_has_an_id(world: Gateway, method: str, path: str, status: int) -> None:
    response = await world.client.request(method, path)

    assert response.status_code == status
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


async def test_a_request_is_one_line_that_says_who_asked_for_what_and_how_it_went(world: Gateway, lines: Any) -> None:
    document = 'query MayAna { user(ref: {userName: "ana"}) { can(node: "desk.reports.menu") { allowed } } }'
    await world.post({"query": document}, x_request_id="abc-1")

    (line,) = lines("request")
    assert set(line) - {"operation"} == {"at", "level", "event", "request", "kind", "status", "ms", "actor", "denied",
                                         "allowed"}  # fmt: skip
    assert (line["request"], line["status"], line["actor"]) == ("abc-1", "200", world.owner)
    assert line["allowed"] + line["denied"] == 1


async def test_s9_nothing_of_a_request_but_the_name_of_its_operation_is_in_the_log(world: Gateway, lines: Any) -> None:
    await world.post({"query": f'{{ user(ref: {{userName: "{MARKER}"}}) {{ id }} }}'})
    await world.post({"query": "query Q($q: String) { users(filter: {search: $q}) { totalCount } }",
                      "variables": {"q": MARKER}, "operationName": "Q"})  # fmt: skip
    await world.post({"query": "{ viewer { user { id } } }", "operationName": MARKER})
    await world.post({"query": MARKER})
    await world.client.get(f"/{MARKER}?q={MARKER}", headers={"user-agent": MARKER, "x-request-id": MARKER})
    await world.client.get(f'/scim/v2/Users?filter=userName eq "{MARKER}"',
                           headers={"authorization": f"Bearer {world.token}"})  # fmt: skip
    await world.client.post("/graphql", headers={"authorization": f"Bearer {MARKER}"}, content=MARKER)

    assert len(lines("request")) == 7
    assert [line for line in lines() if "marker-7731" in json.dumps(line)] == []


async def test_probes_are_told_of_only_when_they_fail(world: Gateway, lines: Any) -> None:
    await world.client.get("/livez")
    await world.client.get("/readyz")
    await world.client.get("/metrics")
    await world.client.post("/livez")

    assert [(line["kind"], line["status"]) for line in lines("request")] == [("probe", "405")]


async def test_the_access_log_can_be_turned_off(world: Gateway, lines: Any) -> None:
    ACCESS.setLevel(logging.WARNING)

    await world.gql("{ revision }")

    assert lines("request") == []


async def test_what_fails_in_a_door_is_an_answer_with_a_reference_and_nothing_internal(
    world: Gateway, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object, **_named: object) -> object:
        raise ValueError(MARKER)

    monkeypatch.setattr("app.web.routes.authenticate_head", fail)
    response = await world.post({"query": "{ revision }"}, x_request_id="abc-2")

    assert (response.status_code, response.headers["x-request-id"]) == (500, "abc-2")
    assert response.json()["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert MARKER not in response.text
    (line,) = lines("a request failed")
    assert (line["request"], line["exception"][0]["type"]) == ("abc-2", "ValueError")
    assert [line["status"] for line in lines("request")] == ["500"]


# ---------------------------------------------------------------------- metrics


def read_samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }


async def test_requests_and_decisions_are_counted(world: Gateway) -> None:
    before = read_samples()
    await world.gql('{ user(ref: {userName: "ana"}) { can(node: "desk.reports.menu") { allowed } } }')
    await world.client.get("/nothing")
    await world.client.get("/scim/v2/Users")

    moved = {key: value - before.get(key, 0) for key, value in read_samples().items() if value != before.get(key, 0)}
    counts = {labels: by for (name, labels), by in moved.items() if name == "permgate_requests_total"}
    assert counts[("kind", "other"), ("status", "404")] == 1
    assert counts[("kind", "scim"), ("status", "401")] == 1
    assert sum(counts.values()) == 3
    assert sum(by for (name, _), by in moved.items() if name == "permgate_decisions_total") == 1
    assert sum(by for (name, _), by in moved.items() if name == "permgate_request_seconds_count") == 3


async def test_metrics_are_served_without_anybody_in_them(world: Gateway) -> None:
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "email": MARKER, "displayName": MARKER})
    await world.post({"query": f"query {'A' * 200} {{ revision }}"})

    response = await world.client.get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert f"permgate_revision {world.answered_from}" in response.text.replace(".0", "")
    names = set(re.findall(r"^# TYPE (\S+)", response.text, re.MULTILINE))
    assert names >= {
        "permgate_requests_total", "permgate_request_seconds", "permgate_requests_in_progress", "permgate_sockets_open",
        "permgate_streams_open", "permgate_refused_total", "permgate_database_wait_seconds", "permgate_revision",
        "permgate_sync_runs_total", "permgate_log_lines_dropped_total", "permgate_database_retries_total",
        "permgate_decisions_total", "process_resident_memory_bytes",
    }  # fmt: skip
    labels = set(re.findall(r'(\w+)="', response.text))
    assert labels <= {"kind", "status", "le", "limit", "outcome", "step", "turn"}
    for secret in (MARKER, world.token, world.owner, "AAAA", "olga"):
        assert secret not in response.text


async def test_nothing_is_in_progress_when_nothing_is(world: Gateway) -> None:
    await world.gql("{ revision }")

    samples = read_samples()
    assert samples["permgate_requests_in_progress", ()] == 0
    assert samples["permgate_sockets_open", ()] == 0


async def test_an_operation_on_a_socket_is_a_line_under_the_id_of_the_socket(
    world: Gateway, address: str, lines: Any
) -> None:
    before = read_samples()
    async with known(address, world.token, headers={"x-request-id": "socket-1"}) as client:
        await client.ask("query Me { viewer { user { id } } }")
        await client.subscribe("{ nothing }", id="2")
        await client.error(id="2")
        assert read_samples()["permgate_sockets_open", ()] == 1
    await until(lambda: read_samples()["permgate_sockets_open", ()] == 0)

    told = [(line["kind"], line["status"], line.get("operation")) for line in lines("request")]
    assert told == [("query", "200", "Me"), ("graphql", "refused", None), ("socket", "gone", None)]
    assert {line["request"] for line in lines("request")} == {"socket-1"}
    moved = {key for key, value in read_samples().items() if value != before.get(key, 0)}
    assert ("permgate_requests_total", (("kind", "query"), ("status", "200"))) in moved


async def test_waiting_for_the_database_and_syncs_are_counted(world: Gateway) -> None:
    before = read_samples()
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo"})
    await world.gql('mutation { planSync(input: {source: "hr", users: []}) { errors { code } } }')

    moved = {key: value - before.get(key, 0) for key, value in read_samples().items() if value != before.get(key, 0)}
    assert moved["permgate_database_wait_seconds_count", (("turn", "write"),)] >= 1
    assert moved["permgate_database_wait_seconds_count", (("turn", "connection"),)] >= 2
    assert sum(by for (name, labels), by in moved.items() if name == "permgate_sync_runs_total") == 1
