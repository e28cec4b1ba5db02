"""The snapshot of an operation: opened once, closed whatever becomes of the fields that asked for it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.domain.callers import Caller
from app.domain.holders import UserId
from app.graphql.context import CalledOff, Moved, Operation
from app.services.callers import authenticate
from tests.factories import Gateway


async def open_operation(world: Gateway) -> Operation:
    caller = await authenticate(world.services, world.token)
    assert caller is not None
    return Operation(world.services, caller)


def count_taken(world: Gateway) -> int:
    """Connections that somebody has out of the pool."""
    pool: Any = world.services.database.engine.pool
    return int(pool.checkedout())


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_a_field_that_is_let_go_while_it_opens_leaves_no_connection(world: Gateway, turns: int) -> None:
    """T27, F20: wherever opening it has come to, and though a field beside it asks again."""
    operation = await open_operation(world)
    fields = [asyncio.create_task(operation.read()) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for field in fields[:2]:
        field.cancel()

    await operation.end()

    await asyncio.wait(fields)
    assert count_taken(world) == 0


async def test_what_goes_on_after_the_end_opens_nothing(world: Gateway) -> None:
    operation = await open_operation(world)
    await operation.read()
    await operation.end()

    with pytest.raises(CalledOff):
        await operation.read()
    assert count_taken(world) == 0


async def test_fields_at_once_share_one(world: Gateway) -> None:
    operation = await open_operation(world)

    first, second = await asyncio.gather(operation.read(), operation.read())

    assert first is second
    assert count_taken(world) == 1
    await operation.end()


async def test_closing_that_is_called_off_again_and_again_closes_all_the_same(world: Gateway) -> None:
    """Whoever leaves is called off by its operation and by its socket: neither leaves a connection behind."""
    operation = Operation(world.services, Caller(user=UserId(world.owner), user_name="olga"))
    await operation.read()
    assert world.services.database.engine.pool.checkedout() == 1  # type: ignore[attr-defined]

    closing = asyncio.create_task(operation.end())
    for _ in range(3):
        await asyncio.sleep(0)
        closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert world.services.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_database_that_was_set_back_and_went_another_way_is_no_snapshot_for_an_index(
    world: Gateway, tmp_path: Path
) -> None:
    """It is of the same revision, and not of the same history: the number alone does not tell."""
    before, one, other = tmp_path / "before.db", tmp_path / "one.db", tmp_path / "other.db"
    copy_pages(world.path, before)
    await world.create_users("dora")
    copy_pages(world.path, one)
    copy_pages(before, world.path)
    await world.create_users("emil")
    copy_pages(world.path, other)
    copy_pages(one, world.path)
    await world.services.index.start()

    for there, is_same in ((one, True), (other, False)):
        copy_pages(one, world.path)
        operation = Operation(world.services, Caller(user=UserId(world.owner), user_name="olga"), may_index=True)
        index = operation.find_index()
        assert index is not None
        copy_pages(there, world.path)
        if is_same:
            assert (await operation.read()).mark == index.mark
        else:
            with pytest.raises(Moved):
                await operation.read()
        assert operation.has_moved is not is_same
        await operation.end()
        assert count_taken(world) == 0
    async with world.services.reading() as reading:
        assert reading.revision == index.revision


def copy_pages(source: Path, target: Path) -> None:
    """Puts what is in a file into another, as restoring a backup does: the file stays the same one."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
