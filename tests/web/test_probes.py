"""livez and readyz: alive without the database, ready with it, and why not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.domain.outages import UndecidedCommit
from app.services import health
from app.web import probes
from app.web.lifecycle import Lifecycle
from tests.factories import FIRST_REVISION, Gateway


def lifecycle_of(gateway: Gateway) -> Lifecycle:
    app: Any = gateway.client._transport.app  # type: ignore[attr-defined]  # that of httpx, over the application
    found: Lifecycle = app.lifecycle
    return found


async def test_alive_without_the_database(gateway: Gateway) -> None:
    await gateway.services.database.close()
    gateway.path.unlink()

    with gateway.counting() as statements:
        response = await gateway.client.get("/livez")

    assert (response.status_code, response.text) == (200, "alive\n")
    assert statements == []


async def test_ready_with_it(gateway: Gateway) -> None:
    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (200, f"ready at revision {FIRST_REVISION}\n")


async def test_not_ready_without_its_tables(gateway: Gateway) -> None:
    await gateway.services.database.close()
    gateway.path.unlink()

    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (503, "the database does not answer\n")


async def test_neither_needs_a_token_and_both_are_for_reading(gateway: Gateway) -> None:
    for path in ("/livez", "/readyz"):
        assert (await gateway.client.head(path)).status_code == 200
        for method in ("POST", "PUT", "DELETE"):
            assert (await gateway.client.request(method, path)).status_code == 405


async def test_not_ready_while_draining_and_alive_all_the_same(gateway: Gateway) -> None:
    lifecycle_of(gateway).draining = True

    ready, alive = await gateway.client.get("/readyz"), await gateway.client.get("/livez")

    assert (ready.status_code, ready.text) == (503, "draining: this process is about to end\n")
    assert (alive.status_code, alive.headers["connection"]) == (200, "close")


async def test_not_ready_when_writes_are_stopped(gateway: Gateway) -> None:
    gateway.services.database.stopped = UndecidedCommit("a commit failed: disk I/O error at /data")

    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (503, "writes are stopped: a commit is undecided\n")


async def test_not_ready_when_the_disk_is_full(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "find_free_bytes", lambda database: health.MIN_FREE - 1)

    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (503, "the disk is full\n")


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [("0001", 503, "the schema of the database is old\n"), ("9999", 200, f"ready at revision {FIRST_REVISION}\n")],
)
async def test_f25_an_old_schema_is_not_worked_with_a_newer_one_is_while_it_takes_over(
    gateway: Gateway, version: str, status: int, text: str
) -> None:
    async with gateway.services.database.engine.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")

    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (status, text)


async def test_f13_a_database_that_hangs_is_not_waited_for_and_asked_once_for_all(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "READY_TIMEOUT_S", 0.05)
    hanging, asked = asyncio.Event(), 0
    reading = gateway.services.reading

    @asynccontextmanager
    async def hang() -> AsyncIterator[Any]:
        nonlocal asked
        asked += 1
        await hanging.wait()
        async with reading() as unit:
            yield unit

    monkeypatch.setattr(gateway.services, "reading", hang)
    responses = await asyncio.gather(*(gateway.client.get("/readyz") for _ in range(3)))
    again = await gateway.client.get("/readyz")

    assert {(found.status_code, found.text) for found in (*responses, again)} == {
        (503, "the database does not answer\n")
    }
    assert asked == 1
    assert (await gateway.client.get("/livez")).status_code == 200
    hanging.set()
    assert (await gateway.client.get("/readyz")).status_code == 200
