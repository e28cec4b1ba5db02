"""A server that crashes, hangs, or ends connections: nothing acknowledged is lost, nobody is let in, and all heals."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.db.unit_of_work import WritingUnit
from app.domain.outages import Outage, Unavailable, UndecidedCommit
from app.services.context import Services
from tests.factories import Clock, Gateway, Template, copy_template, fill_empty, open_copy, select
from tests.histories import assert_kept
from tests.postgres.server import Missing, Server, running
from tests.postgres.stores import Direct, Store

HANGS_S = 12.0  # a statement is given up, its connection closed, and another tried for: 4 + 2 + 1.5 seconds, and some
TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'permgate' ORDER BY random() LIMIT 1"""

many = pytest.mark.parametrize(
    "count", [pytest.param(60, id="default"), pytest.param(1000, id="deep", marks=pytest.mark.deep)]
)


@pytest.fixture(scope="module")
def durable_server() -> Iterator[Server]:
    """A server that keeps what it acknowledged, and that may be treated badly."""
    try:
        with running() as server:
            yield server
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture
def direct() -> Iterator[Direct]:
    direct = Direct()
    yield direct
    direct.close()


@pytest.fixture
async def durable(durable_server: Server, direct: Direct) -> AsyncIterator[tuple[Services, Store]]:
    """Services over a database of that server."""
    store = Store(durable_server, direct, f"durable_{time.monotonic_ns()}").create()
    template = await fill_empty(store)
    services = open_copy(template, store, Clock())
    yield services, store
    await services.close()


async def count_up(services: Services) -> None:
    """Reads a number and writes the next one, in one unit; a lost update would leave it too small."""

    async def work(unit: WritingUnit) -> None:
        kept = await unit.catalogs.read_setting("number")
        if kept is None:
            await unit.write_setting("number", "1")
            return
        statement = "UPDATE settings SET value = $1 WHERE name = 'number'"
        await unit.reader.connection.exec_driver_sql(statement, (str(int(kept) + 1),))

    await services.database.transact(work)


@pytest.mark.parametrize("each", [pytest.param(5, id="default"), pytest.param(1000, id="deep", marks=pytest.mark.deep)])
async def test_no_update_of_sixteen_writers_is_lost(
    template: Template, tmp_path: Path, clock: Clock, each: int
) -> None:
    """F15: in two processes' worth of pools, eight writers each; who is told to come back comes back."""
    place = copy_template(template, tmp_path)
    both = [open_copy(template, place, clock) for _ in range(2)]

    async def write(services: Services) -> None:
        for _ in range(each):
            while True:
                try:
                    await count_up(services)
                    break
                except Unavailable:
                    continue

    await asyncio.gather(*(write(both[number % 2]) for number in range(16)))
    for services in both:
        await services.close()

    assert select(place, "SELECT value FROM settings WHERE name = 'number'") == [(str(16 * each),)]


@many
async def test_connections_are_ended_at_random(gateway: Gateway, count: int) -> None:
    """F14: every write ends as done, as not done, or as undecided; what was told is what is there."""
    told: dict[str, str] = {}
    ended = asyncio.Event()

    async def terminate() -> None:
        while not ended.is_set():
            await asyncio.to_thread(select, gateway.path, TERMINATE)
            await asyncio.sleep(random.uniform(0.005, 0.05))

    async def write(number: int) -> None:
        async def work(unit: WritingUnit) -> None:
            await unit.write_setting(f"number {number}", "there")

        try:
            await gateway.services.database.transact(work)
            told[f"number {number}"] = "done"
        except UndecidedCommit:
            told[f"number {number}"] = "undecided"
        except Outage:
            told[f"number {number}"] = "not done"

    ending = asyncio.create_task(terminate())
    for start in range(0, count, 4):
        await asyncio.gather(*(write(number) for number in range(start, start + 4)))
    ended.set()
    await ending

    there = {name for (name,) in select(gateway.path, "SELECT name FROM settings WHERE name LIKE 'number%'")}
    assert {name for name, what in told.items() if what == "done"} <= there
    assert not {name for name, what in told.items() if what == "not done"} & there
    assert "done" in told.values()


async def test_a_connection_that_ended_unnoticed_is_replaced(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """F14: asyncpg takes it for one that has something under way, and says so by an error without a code."""
    prepare, failed = asyncpg.Connection._get_statement, []

    async def fail_once(connection: asyncpg.Connection, *args: object, **options: object) -> object:
        if not failed:
            failed.append(connection)
            raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")
        assert connection is not failed[0]
        return await prepare(connection, *args, **options)

    await count_up(gateway.services)
    monkeypatch.setattr(asyncpg.Connection, "_get_statement", fail_once)
    await count_up(gateway.services)

    assert failed
    assert select(gateway.path, "SELECT value FROM settings WHERE name = 'number'") == [("2",)]


@pytest.mark.deep
async def test_a_server_that_crashes_under_load_loses_nothing_that_was_acknowledged(
    durable: tuple[Services, Store], durable_server: Server
) -> None:
    """F12: three crashes; the pool heals by itself, and the log is whole."""
    services, store = durable
    acknowledged: list[str] = []
    ended = asyncio.Event()
    healed: list[float] = []

    async def write(hand: int) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            name = f"{hand}-{number}"

            async def work(unit: WritingUnit, name: str = name) -> None:
                await unit.write_setting(name, "there")

            try:
                await services.database.transact(work)
                acknowledged.append(name)
            except Outage:
                await asyncio.sleep(0.02)

    hands = [asyncio.create_task(write(hand)) for hand in range(6)]
    for _ in range(3):
        await asyncio.sleep(1)
        await asyncio.to_thread(durable_server.control, "-m", "immediate", "stop")
        await asyncio.sleep(0.5)
        await asyncio.to_thread(durable_server.control, "-w", "start")
        begun, before = time.monotonic(), len(acknowledged)
        while len(acknowledged) == before:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        healed.append(time.monotonic() - begun)
    await asyncio.sleep(1)
    ended.set()
    await asyncio.gather(*hands)

    there = {name for (name,) in select(store, "SELECT name FROM settings")}
    assert set(acknowledged) <= there
    assert max(healed) < 5
    await assert_kept(services, store)
    print(f"acknowledged {len(acknowledged)}, lost 0, healed after at most {max(healed):.2f} s")  # noqa: T201


@pytest.mark.deep
async def test_a_server_that_hangs_lets_nobody_in_and_nobody_wait_for_ever(
    gateway: Gateway, template: Template
) -> None:
    """F13: SIGSTOP to every process of the server. Not ready within two seconds, alive, and errors at the deadline."""
    assert isinstance(gateway.path, Store)
    server = gateway.path.server
    assert await gateway.revision()
    stopped = [server.pid, *_children_of(server.pid)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        ready = await gateway.client.get("/readyz")
        not_ready_after = time.monotonic() - begun
        assert (await gateway.client.get("/livez")).status_code == 200
        begun = time.monotonic()
        response = await gateway.post({"query": "{ revision }"})
        answered_after = time.monotonic() - begun
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    print(f"not ready after {not_ready_after:.2f} s, answered after {answered_after:.2f} s")  # noqa: T201
    assert ready.status_code == 503
    assert not_ready_after < 2.5
    assert response.status_code == 503 or "errors" in response.json()
    assert answered_after < HANGS_S

    assert await gateway.revision()


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
