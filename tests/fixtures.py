"""What every test may ask for: a gateway over a database file of its own, and its parts."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from httpx._transports import default as httpx_transports

from app.db import engine
from app.services.context import Services
from app.telemetry.requests import tell_finished
from tests.factories import (
    Clock,
    Gateway,
    Template,
    executor,
    fill_template,
    make_template,
    open_gateway,
    stock,
)
from tests.sockets import serving

# What clients trust is read once a process. It takes 27 ms a client, and so each time somebody looks whether a server
# is up, which takes them from that server; all of this is plain HTTP.
httpx_transports.create_ssl_context = cache(httpx_transports.create_ssl_context)

SET_PRAGMAS = engine._set_pragmas  # as the program has it


def _set_pragmas(connection: Any) -> None:
    """Nobody waits for the disk: it is for when the power fails, and that is tried in processes of their own."""
    SET_PRAGMAS(connection)
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


engine._set_pragmas = _set_pragmas


def pytest_sessionstart(session: pytest.Session) -> None:
    """In a worker, which meets them anyhow, loads the models of SCIM from a thread.

    For each of them pydantic goes through the whole stack, and below a test that is deep: 1.5 seconds against 0.6.
    """
    if hasattr(session.config, "workerinput"):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(import_module, "app.web.scim.endpoint").result()


def pytest_runtest_teardown() -> None:
    """What is still to be told of the requests of a test is not told in another one."""
    tell_finished()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A migrated database with catalog and owner: made once a process, copied for every test."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def stocked_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template with the small contact centre of `factories.stock` in it."""
    return fill_template(template, tmp_path_factory.mktemp("stocked") / "template.db", stock)


@pytest.fixture
def unindexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that are about reading the database, whether or not the others answer from an index."""
    monkeypatch.setattr("tests.factories.INDEXED", False)


@pytest.fixture
def durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that are about what SQLite is told."""
    monkeypatch.setattr(engine, "_set_pragmas", SET_PRAGMAS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema and its documents are shared by the tests of a process: building it takes longer than most of them."""
    monkeypatch.setattr("app.web.routes.Executor", executor)


@pytest.fixture
async def gateway(template: Template, tmp_path: Path, clock: Clock, shared_schema: None) -> AsyncIterator[Gateway]:
    """The application as the account owner `olga` sees it, who is alone in it."""
    async with open_gateway(template, tmp_path / "gateway.db", clock) as gateway:
        yield gateway


@pytest.fixture
async def world(
    stocked_template: Template, tmp_path: Path, clock: Clock, shared_schema: None
) -> AsyncIterator[Gateway]:
    """The application over a small contact centre: `factories.stock` says who is there."""
    async with open_gateway(stocked_template, tmp_path / "world.db", clock) as gateway:
        yield gateway


@pytest.fixture
async def address(world: Gateway) -> AsyncIterator[str]:
    """Host and port at which that contact centre is served, for what needs a network."""
    async with serving(world.services) as address:
        yield address


@pytest.fixture
def services(gateway: Gateway) -> Services:
    """The services under the gateway."""
    return gateway.services
