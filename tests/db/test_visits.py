"""Statements that are one visit to the thread of their connection: how often they go there, and what they leave."""

import asyncio
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.factories import Gateway

ENGINES = ("sqlite",)
NUMBERS = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT x FROM n"
LONG = 2_000_000  # numbers: a second or so of SQLite's time


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the threads of all connections are asked to do, as it is asked."""
    asked: list[Any] = []
    execute: Any = aiosqlite.Connection._execute

    async def note(connection: aiosqlite.Connection, work: Any, *given: Any, **named: Any) -> Any:
        asked.append(work)
        return await execute(connection, work, *given, **named)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", note)
    return asked


async def test_a_statement_is_one_visit_and_so_is_the_end_of_its_unit(gateway: Gateway, visits: list[Any]) -> None:
    async with gateway.services.database.reading() as unit:
        visits.clear()
        connection = unit.reader.connection
        assert (await connection.execute(text(NUMBERS.format(200)))).scalars().all() == list(range(1, 201))
        assert len(visits) == 2  # with the BEGIN before the first one
        assert (await connection.execute(text("SELECT :x"), {"x": 7})).scalar() == 7
        assert len(visits) == 3
    assert len(visits) == 4


async def test_what_a_visit_brought_is_read_in_every_way(gateway: Gateway) -> None:
    async with gateway.services.database.reading() as unit:
        connection = unit.reader.connection

        async def count_to(most: int) -> Any:
            return (await connection.execute(text(NUMBERS.format(most)))).scalars()

        assert (await count_to(3)).first() == 1
        assert (await count_to(1)).one() == 1
        assert list(await count_to(3)) == [1, 2, 3]
        assert [list(some) for some in (await count_to(5)).partitions(2)] == [[1, 2], [3, 4], [5]]
        some = await count_to(3)
        assert [some.fetchmany(1), some.fetchmany(5), some.fetchmany(5)] == [[1], [2, 3], []]
        assert (await connection.execute(text("SELECT 1 WHERE 0"))).first() is None


async def test_many_rows_are_written_in_one_visit_and_counted(gateway: Gateway, visits: list[Any]) -> None:
    async with gateway.services.database.writing() as unit:
        connection = unit.reader.connection
        await connection.execute(text("CREATE TABLE kept (x INTEGER PRIMARY KEY)"))
        visits.clear()
        result = await connection.execute(text("INSERT INTO kept VALUES (:x)"), [{"x": x} for x in range(5)])
        assert result.rowcount == 5
        assert (await connection.execute(text("DELETE FROM kept WHERE x > 1 RETURNING x"))).scalars().all() == [2, 3, 4]
        assert len(visits) == 2


async def test_a_statement_that_fails_leaves_its_unit_as_it_was(gateway: Gateway) -> None:
    """In the middle of its rows too: nothing holds the table that it was reading."""
    async with gateway.services.database.writing() as unit:
        connection = unit.reader.connection
        await connection.execute(text("CREATE TABLE kept (x INTEGER PRIMARY KEY)"))
        with pytest.raises(IntegrityError):
            await connection.execute(text("INSERT INTO kept VALUES (1), (2), (1)"))
        with pytest.raises(Exception, match="integer overflow"):
            await connection.execute(text(f"SELECT abs(x - 9223372036854775807 - 5) FROM ({NUMBERS.format(9)})"))
        await connection.execute(text("DROP TABLE kept"))  # refused while a cursor is open


async def test_who_is_called_off_leaves_a_statement_to_its_end_and_no_lock(gateway: Gateway) -> None:
    database = gateway.services.database
    begun = asyncio.Event()

    async def write() -> None:
        async with database.writing() as unit:
            begun.set()
            await unit.reader.connection.execute(text(f"INSERT INTO kept {NUMBERS.format(LONG)}"))

    async with database.writing() as unit:
        await unit.reader.connection.execute(text("CREATE TABLE kept (x INTEGER PRIMARY KEY)"))
    writing = asyncio.create_task(write())
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    async with database.writing() as unit:  # at once: the lock was given back with the connection
        assert (await unit.reader.connection.execute(text("SELECT count(*) FROM kept"))).scalar() == 0
