"""F7, F8, F10: a file that is damaged, a log that grows, another process that holds the lock."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.db.engine import LOG_BYTES
from tests.factories import Gateway, select
from tests.faults.conftest import Figure
from tests.histories import assert_sound
from tests.moves import by, create_user
from tests.web.test_outages import MAKE, UNAVAILABLE

QUESTION = '{ check(input: {user: {userName: "ana"}, node: "desk.reports.menu"}) { allowed } }'

# ---------------------------------------------------------------------- F7: damaged


def damage(path: Path, table: str) -> None:
    """Overwrites the root page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.usefixtures("unindexed")  # what is in memory is none of the file
@pytest.mark.parametrize("table", ["grants", "limits", "assignments", "users", "tokens"])
async def test_f7_a_damaged_file_lets_nobody_in_and_the_process_is_not_ready(world: Gateway, table: str) -> None:
    """Neither is a page of limits that cannot be read none. It stays so until somebody has looked into it."""
    assert (await world.gql(QUESTION))["check"]["allowed"]
    await world.services.database.engine.dispose()
    damage(world.path, table)

    for _ in range(3):
        response = await world.post({"query": QUESTION})
        assert '"allowed":true' not in response.text
        assert response.status_code == 500 or "errors" in response.json(), response.text
    ready = await world.client.get("/readyz")
    assert ready.status_code == 503
    assert (await world.client.get("/livez")).status_code == 200


# ---------------------------------------------------------------------- F8: the log grows


def log_size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


@pytest.mark.parametrize(
    "writes", [pytest.param(60, id="default"), pytest.param(1000, id="deep", marks=pytest.mark.deep)]
)
async def test_f8_the_log_is_put_in_its_place_once_a_long_reader_has_gone(
    writes: int, world: Gateway, figure: Figure
) -> None:
    async def make(name: str) -> None:
        assert not (await by("olga", create_user, name).make(world.services, {"olga": world.owner})).errors

    async with world.services.database.reading() as unit:
        await unit.audit.find_last_revision()
        for number in range(writes):
            await make(f"held-{number}")
        held = log_size(world.path)
    for number in range(writes):
        await make(f"free-{number}")
    free = log_size(world.path)
    for number in range(writes):
        await make(f"more-{number}")

    assert max(free, log_size(world.path)) <= min(held, LOG_BYTES) + 1024 * 1024
    await assert_sound(world.services, world.path)
    figure(
        f"F8: {writes} changes beside a reader made a log of {held / 1e6:.1f} MB, {writes} more after it "
        f"{free / 1e6:.1f} MB, and {writes} more {log_size(world.path) / 1e6:.1f} MB"
    )


# ---------------------------------------------------------------------- F10: the lock is held


@contextmanager
def holding_the_lock(path: Path, seconds: float) -> Iterator[None]:
    """Another connection holds the write lock for so long."""
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE users SET display_name = display_name")
            holds.set()
            done.wait(seconds)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    ("busy_ms", "scale"),
    [pytest.param(500, 0.1, id="default"), pytest.param(5000, 1, id="deep", marks=pytest.mark.deep)],
)
async def test_f10_a_lock_that_another_holds_is_waited_for_up_to_a_bound(
    busy_ms: int, scale: float, world: Gateway, figure: Figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 s work, 8 s are refused, and nothing is there in part."""
    monkeypatch.setattr("app.db.engine.BUSY_TIMEOUT_MS", busy_ms)
    await world.services.database.engine.dispose()

    with holding_the_lock(world.path, 3 * scale):
        waited = await world.post({"query": MAKE, "variables": {"name": "eva"}})
    assert waited.status_code == 200 and waited.json()["data"]["createUser"]["errors"] == []

    async with world.unchanged():
        with holding_the_lock(world.path, 8 * scale):
            before = asyncio.get_running_loop().time()
            refused = await world.post({"query": MAKE, "variables": {"name": "eve"}})
            took = asyncio.get_running_loop().time() - before
            assert (await world.gql(QUESTION))["check"]["allowed"], "who reads does not wait for who writes"
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["errors"][0]["extensions"] == UNAVAILABLE

    assert (await world.gql(MAKE, {"name": "eve"}))["createUser"]["errors"] == []
    assert select(world.path, "SELECT count(*) FROM users WHERE user_name LIKE 'ev_'") == [(2,)]
    figure(f"F10: a lock held for {3 * scale:g} s is waited for; one of {8 * scale:g} s is refused after {took:.1f} s")
