"""The short way to GraphQL answers what the long one does, to the byte, and is watched as that is."""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from inspect import iscoroutinefunction, signature
from types import ModuleType
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from app.db.unit_of_work import Database
from app.main import create_app
from app.services import context
from app.services.callers import revoke_token
from app.services.context import Services
from app.settings import Limits, Settings
from app.telemetry import JsonFormatter
from app.web import door as doors
from app.web.door import Gateway as Application
from app.web.shortcut import Shortcut
from tests.factories import CURSOR_KEY, Gateway, address_of, executor
from tests.web import test_authentication, test_body_laws, test_graphql_over_http, test_introspection, test_min_revision
from tests.web.test_middleware import read_samples

LIMITS = Limits(caller_refill=10**15, max_new_documents=10**9)  # a budget that is full again at once reads as before
JSON = "application/json"
Header = tuple[bytes, bytes]
Told = tuple[int, list[Header], bytes]


@dataclass(frozen=True)
class Posted:
    """A POST as it comes to the application."""

    body: bytes
    headers: tuple[Header, ...]
    path: str = "/graphql"


class Recording(httpx.AsyncBaseTransport):
    """Notes what is posted to GraphQL on its way."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.seen: list[Posted] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if request.method == "POST" and request.url.path == "/graphql":
            headers = tuple((name.lower(), value) for name, value in request.headers.raw)
            self.seen.append(Posted(body, headers))
        return await self.inner.handle_async_request(request)


@dataclass
class Ways:
    """The application with its short way, and without."""

    short: Application
    long: Application

    @classmethod
    def of(cls, world: Gateway) -> "Ways":
        ways = cls(*(create_app(world.services, Settings(limits=LIMITS)) for _ in range(2)))
        assert ways.short.shortcut is not None
        ways.long.shortcut = None
        return ways

    async def ask(self, posted: Posted, pieces: int = 1) -> Told:
        """What both answer; asserts that it is the same."""
        short, long = [await send(app, posted, pieces) for app in (self.short, self.long)]
        assert short == long, posted
        return short


async def send(app: Application, posted: Posted, pieces: int = 1) -> Told:
    """What is answered, its parts as they are sent; a body in so many pieces."""
    step = len(posted.body) // pieces + 1
    parts = [posted.body[start : start + step] for start in range(0, step * pieces, step)]
    messages = [
        {"type": "http.request", "body": part, "more_body": number < pieces - 1} for number, part in enumerate(parts)
    ]
    messages.append({"type": "http.disconnect"})
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if len(messages) > 1 else await _never()

    async def keep(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": posted.path, "raw_path": posted.path.encode(), "query_string": b"", "root_path": "",
        "headers": list(posted.headers), "client": ("192.0.2.7", 1), "server": ("gateway", 80),
    }  # fmt: skip
    await app(scope, receive, keep)
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert {one["type"] for one in rest} == {"http.response.body"}
    body = b"".join(one["body"] for one in rest)
    body = re.sub(rb'"remaining":11[0-9]{5}', b'"remaining":1200000', body)  # what was taken may not be back yet
    return start["status"], list(start["headers"]), body


async def _drop(_message: Any) -> None:
    return


async def _never() -> Any:
    await asyncio.get_running_loop().create_future()


def post(world: Gateway, content: Any, **headers: str) -> Posted:
    """A POST as clients send it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {
        "host": "gateway", "authorization": f"Bearer {world.token}", "content-type": JSON,
        "content-length": str(len(body)), "x-request-id": "zoo-1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    return Posted(body, tuple((name.encode(), value.encode("latin-1")) for name, value in given.items()))


# ---------------------------------------------------------------------- the same answers


async def record(world: Gateway, *modules: ModuleType) -> list[Posted]:
    """Whatever these tests post, while they are run."""
    recording = Recording(world.client._transport)
    async with httpx.AsyncClient(transport=recording, base_url="http://gateway") as client:
        watched = Gateway(world.services, client, world.path, world.clock, world.owner, world.token, world.ids)
        for module in modules:
            for name, test in list(vars(module).items()):
                if name.startswith("test_") and iscoroutinefunction(test):
                    needs = list(signature(test).parameters)
                    if needs in (["gateway"], ["world"]):
                        with suppress(AssertionError):  # of revisions that were later when the test was run alone
                            await test(**{needs[0]: watched})
    return recording.seen


async def test_whatever_is_posted_anywhere_in_these_tests_is_answered_alike(gateway: Gateway) -> None:
    posted = await record(gateway, test_graphql_over_http)
    ways, seen = Ways.of(gateway), set[int]()

    for number, one in enumerate(posted):
        if b"mutation" in one.body:  # what was done is not done again
            continue
        headers = tuple(header for header in one.headers if header[0] != b"x-request-id")
        told = await ways.ask(Posted(one.body, (*headers, (b"x-request-id", b"zoo-%d" % number))))
        seen.add(told[0])

    assert len(posted) > 100
    assert seen >= {200, 400, 406, 413, 415}


async def test_so_is_whatever_is_posted_with_a_token_or_without(world: Gateway) -> None:
    posted = await record(world, test_authentication, test_introspection)
    ways, seen = Ways.of(world), set[int]()

    for one in posted:
        told = await ways.ask(Posted(one.body, (*one.headers, (b"x-request-id", b"zoo-1"))))
        seen.add(told[0])

    assert len(posted) > 20
    assert seen >= {200, 401}


async def test_so_is_what_waits_for_a_revision(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = Ways.of(world)

    for revision in ("1", "9999999", 1, "x", None):
        # The first is there, once a gateway has looked; the second never is.
        monkeypatch.setattr(context, "REVISION_WAIT_S", 60.0 if revision == "1" else 0.01)
        body = {"query": test_min_revision.ASK, "extensions": {"minRevision": revision}}
        await ways.ask(post(world, body))


MANY = """query Many($names: [String!]! = ["ana"], $yes: Boolean = true) {
  revision
  viewer { user { id userName } }
  user(ref: {userName: "ana"}) { id roles { role { key } } can(node: "desk.reports.menu") { allowed } }
  nobody: user(ref: {userName: "nobody"}) { id }
  users(first: 2) @include(if: $yes) { edges { cursor node { userName } } }
}"""


@pytest.mark.parametrize("accept", [None, "*/*", "application/graphql-response+json", "text/event-stream"])
async def test_so_are_questions_and_changes_that_are_refused(world: Gateway, accept: str | None) -> None:
    ways = Ways.of(world)
    more = {} if accept is None else {"accept": accept}
    refused = 'mutation { createUser(input: {userName: "ana"}) { user { id } errors { code path } } }'

    for content in (
        {"query": MANY}, {"query": MANY, "variables": {"yes": False}}, {"query": MANY, "variables": {"yes": 1}},
        {"query": MANY, "operationName": "Other"}, {"query": "{ __schema { queryType { name } } }"},
        {"query": "{ users(first: 1000) { totalCount } }"}, {"query": refused}, {"query": "{ nothing }"},
        {"documentId": "sha256:0"}, {"query": "{ __typename }"},
    ):  # fmt: skip
        for pieces in (1, 3):
            await ways.ask(post(world, content, **more), pieces)


async def test_so_are_bodies_that_say_nothing_or_too_much_of_their_length(world: Gateway) -> None:
    ways, statuses = Ways.of(world), []

    for length in (None, "0", "16", "1048576", "1048577", "9" * 30, "-1", "x", "\u0661"):
        given = post(world, {"query": "{ revision }"})
        value = None if length is None else length.encode("utf-8")
        others = [header for header in given.headers if header[0] != b"content-length"]
        headers = tuple(others if value is None else [*others, (b"content-length", value)])
        statuses.append((await ways.ask(Posted(given.body, headers)))[0])

    assert set(statuses) == {200, 413}


async def test_so_are_fields_of_a_head_that_stand_there_twice(world: Gateway) -> None:
    ways = Ways.of(world)
    given = post(world, {"query": "{ revision }"})

    for name in (b"authorization", b"accept", b"content-type", b"content-length", b"content-encoding"):
        for first in (True, False):
            other = (name, b"text/other")
            headers = (other, *given.headers) if first else (*given.headers, (b"accept", JSON.encode()), other)
            await ways.ask(Posted(given.body, headers))


async def test_so_is_what_comes_while_the_process_leaves(world: Gateway) -> None:
    ways = Ways.of(world)
    for app in (ways.short, ways.long):
        app.lifecycle.draining = True

    told = [await ways.ask(post(world, content)) for content in ({"query": "{ revision }"}, b"[" * 100)]
    too_large = await ways.ask(post(world, b" " * 100, content_length="1048577"))

    for _, headers, _ in (*told, too_large):
        assert [value for name, value in headers if name == b"connection"] == [b"close"]


async def test_any_object_is_answered_alike(world: Gateway) -> None:
    ways = Ways.of(world)
    given_objects = test_body_laws.objects | test_body_laws.objects.map(lambda one: {**one, "query": "{ revision }"})
    drawn: list[dict[str, Any]] = []

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(given_objects | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))
    def draw(content: dict[str, Any]) -> None:
        drawn.append(content)

    draw()
    for content in drawn:
        await ways.ask(post(world, json.dumps(content).encode("utf-8", "surrogatepass")))
    assert len(drawn) >= 200


# ---------------------------------------------------------------------- watched alike


async def test_one_that_fails_is_the_same_500(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_given: object, **_named: object) -> object:
        raise ValueError("here")

    monkeypatch.setattr("app.web.routes.authenticate_head", fail)

    status, _, body = await Ways.of(world).ask(post(world, {"query": "{ revision }"}))

    assert (status, json.loads(body)["errors"][0]["message"]) == (500, "internal error")


async def test_both_are_counted_and_told_of_alike(
    world: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("permgate"), "propagate", True)
    caplog.set_level(logging.INFO, logger="permgate.access")
    ways = Ways.of(world)
    moved = []

    for app in (ways.short, ways.long):
        before = read_samples()
        await send(app, post(world, {"query": MANY}))
        await send(app, post(world, {"query": "{ nothing }"}))
        await send(app, post(world, b" " * 100, content_length="1048577"))
        names = ("permgate_requests_total", "permgate_decisions_total", "permgate_refused_total",
                 "permgate_request_seconds_count", "permgate_requests_in_progress")  # fmt: skip
        after = read_samples()
        moved.append({key: after[key] - before.get(key, 0) for key in after if key[0] in names})

    assert moved[0] == moved[1]
    assert any(moved[0].values())
    records = dict.fromkeys(caplog.records)  # one that two loggers have handed on is one
    told = [json.loads(JsonFormatter().format(record)) for record in records if record.message == "request"]
    assert len(told) == 6
    bare = [{name: value for name, value in line.items() if name not in {"at", "ms"}} for line in told]
    assert bare[:3] == bare[3:]


async def test_both_are_waited_for_at_the_end(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = Ways.of(world)
    counted: list[int] = []
    admit: Callable[..., Any] = executor().__class__.admit

    async def look(*given: Any, **named: Any) -> Any:
        counted.extend(app.lifecycle._in_progress for app in (ways.short, ways.long))
        return await admit(*given, **named)

    monkeypatch.setattr("app.graphql.execution.Executor.admit", look)
    await ways.ask(post(world, {"query": "{ revision }"}))

    assert counted == [1, 0, 0, 1]
    assert [app.lifecycle._in_progress for app in (ways.short, ways.long)] == [0, 0]


async def test_what_is_not_a_post_to_the_address_goes_the_long_way(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Ways.of(world).short
    taken: list[str] = []

    async def take(scope: Any, _receive: Any, _send: Any) -> None:
        taken.append(scope["path"])

    monkeypatch.setattr(app, "shortcut", take)
    for path in ("/graphql/", "/graphql/x", "//graphql", "/GraphQL", "/", "/scim/v2/Users", "/sync/hr"):
        await send(app, Posted(b"{}", (), path))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            await client.request(method, "/graphql")

    assert taken == []
    await app({"type": "http", "method": "POST", "path": "/graphql", "headers": []}, _never, _drop)
    assert taken == ["/graphql"]


def test_there_is_one_endpoint(world: Gateway) -> None:
    app = create_app(world.services, Settings())
    (route,) = [one for one in app.routes if isinstance(one, Route) and one.path == doors.GRAPHQL]

    assert isinstance(app.shortcut, Shortcut)
    assert app.shortcut.endpoint is route.endpoint
    assert app.shortcut.otherwise.app is route.endpoint  # type: ignore[attr-defined]  # of an `Observation`


# ---------------------------------------------------------------------- one look for what has come together


async def test_what_comes_together_is_looked_at_once_and_what_comes_later_anew(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.services.index.start()
    app, asked = Ways.of(world).short, post(world, {"query": "{ revision }"})
    await send(app, asked)
    looks: list[int] = []
    current = world.services.index.current

    def look() -> Any:
        looks.append(1)
        return current()

    monkeypatch.setattr(world.services.index, "current", look)
    together = await asyncio.gather(*(send(app, asked) for _ in range(5)))
    assert len(looks) == 1  # the endpoint looks for all; what is plainly no usual question the short cut lets pass
    await asyncio.sleep(0)
    later = await send(app, asked)

    assert len(looks) == 1 + 1
    assert {told[0] for told in (*together, later)} == {200}


async def test_a_token_that_another_process_revokes_is_refused_by_the_next_request(world: Gateway) -> None:
    await world.services.index.start()
    token, secret = await world.issue_token("ana")
    app, asked = Ways.of(world).short, post(world, {"query": "{ revision }"}, authorization=f"Bearer {secret}")
    for _ in range(3):
        assert (await send(app, asked))[0] == 200
    other = open_copy_beside(world)

    await revoke_token(other, "test", token)

    assert (await send(app, asked))[0] == 401
    await other.close()


def open_copy_beside(world: Gateway) -> Services:
    """Services over the same database, as another process has them."""
    database = Database(address_of(world.path))
    return Services(database, world.services.program, cursor_key=CURSOR_KEY, clock=world.clock)
