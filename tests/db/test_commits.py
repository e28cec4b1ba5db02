"""Commits that fail: either nothing was committed, or nobody knows, and then nothing is written any more."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.domain.outages import UndecidedCommit, WritesStopped
from tests.factories import FIRST_REVISION, Gateway, read_database

ENGINES = ("sqlite",)

IOERR_FSYNC = 1034  # SQLITE_IOERR_FSYNC


@contextmanager
def failing_commits(gateway: Gateway, code: int) -> Iterator[None]:
    """Every commit is answered with an error of SQLite."""
    original = sqlite3.OperationalError("it failed")
    original.sqlite_errorcode = code

    def fail(_connection: Any) -> None:
        raise OperationalError("COMMIT", None, original)

    engine = gateway.services.database.engine.sync_engine
    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)


async def write(gateway: Gateway) -> None:
    async with gateway.services.database.writing() as unit:
        await unit.write_setting("x", "y")


async def test_a_commit_that_is_answered_by_an_input_error_is_undecided_and_stops_writes(gateway: Gateway) -> None:
    """F3: reads go on, every later write is refused at once, and whoever wants to hear of it does, once."""
    database, heard = gateway.services.database, []
    database.on_undecided.append(lambda: heard.append("undecided"))
    database.after_commit.append(lambda: heard.append("committed"))

    with failing_commits(gateway, IOERR_FSYNC), pytest.raises(UndecidedCommit, match="nobody knows"):
        await write(gateway)
    for _ in range(2):
        with pytest.raises(WritesStopped, match="nobody knows"):
            await write(gateway)

    assert heard == ["undecided"]
    assert isinstance(database.stopped, UndecidedCommit)
    assert await gateway.revision() == FIRST_REVISION
    assert (await gateway.client.get("/readyz")).status_code == 503
    assert (await gateway.client.get("/livez")).status_code == 200


async def test_who_waits_for_the_lock_meanwhile_is_refused_too(gateway: Gateway) -> None:
    database, entered, release = gateway.services.database, asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        async with database.writing() as unit:
            entered.set()
            await release.wait()
            await unit.write_setting("x", "y")

    first = asyncio.create_task(fail())
    await entered.wait()
    second = asyncio.create_task(write(gateway))
    await asyncio.sleep(0)
    with failing_commits(gateway, IOERR_FSYNC):
        release.set()
        answers = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(answer) for answer in answers] == [UndecidedCommit, WritesStopped]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CONSTRAINT])
async def test_a_commit_that_surely_failed_stops_nothing(gateway: Gateway, code: int) -> None:
    """F5: a full disk is full until there is space again."""
    before = read_database(gateway.path)

    with failing_commits(gateway, code), pytest.raises(OperationalError):
        await write(gateway)

    assert gateway.services.database.stopped is None
    assert read_database(gateway.path) == before
    await write(gateway)


async def test_a_reference_that_is_missed_when_it_is_committed_is_a_plain_error(gateway: Gateway) -> None:
    """Those of audit parts are looked at by the commit itself."""
    part = text("INSERT INTO audit_parts (revision, number, changes, hash) VALUES (999, 0, '[]', '')")

    async def plant() -> None:
        async with gateway.services.database.writing() as unit:
            await unit.reader.connection.execute(part)

    with pytest.raises(IntegrityError):
        await plant()

    assert gateway.services.database.stopped is None
    await write(gateway)


async def test_who_is_called_off_during_a_commit_leaves_it_whole(gateway: Gateway) -> None:
    """The commit ends; they are told that it did, and others hear of it."""
    database, heard = gateway.services.database, []
    database.after_commit.append(lambda: heard.append("committed"))
    task: asyncio.Task[None] | None = None

    def call_off(_connection: Any) -> None:
        assert task is not None
        task.cancel()

    engine = database.engine.sync_engine
    event.listen(engine, "commit", call_off)
    task = asyncio.create_task(write(gateway))
    await task
    event.remove(engine, "commit", call_off)

    assert heard == ["committed"]
    async with database.reading() as unit:
        assert await unit.catalogs.read_setting("x") == "y"
