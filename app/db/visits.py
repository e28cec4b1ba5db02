"""Statements of SQLite that are one visit to the thread of their connection each.

The driver goes there anew to make a cursor, to execute, to fetch and to close: up to four switches of threads, each of
which takes longer than most statements. Here a statement goes once, brings all its rows, and leaves no cursor open
behind it. Whoever waits may be called off: what has begun over there ends there, as with the driver.
"""
# ruff: noqa: SLF001  # the adapter between SQLAlchemy and the driver is private to both

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util import await_

Parameters = Sequence[Any] | Mapping[str, Any]


class Brought(NamedTuple):
    """What came of a statement."""

    description: Any  # the columns as the driver tells them; None where there can be no rows
    rows: list[Any]
    rowcount: int
    lastrowid: int | None


NOTHING = Brought(None, [], -1, None)


class Visit(AsyncAdapt_aiosqlite_cursor):
    """A cursor that is there only while its statement runs. What that brought may be read at any time after."""

    __slots__ = ("_brought", "_left")

    def __init__(self, adapt_connection: AsyncAdapt_dbapi_connection) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._keep(NOTHING)

    def execute(self, operation: str, parameters: Parameters | None = None) -> None:
        self._visit(_execute, operation, () if parameters is None else parameters)

    def executemany(self, operation: str, seq_of_parameters: Sequence[Parameters]) -> None:
        self._visit(_execute_many, operation, seq_of_parameters)

    def _visit(self, *work: Any) -> None:
        try:
            self._keep(await_(self._connection._execute(*work, self._connection._conn)))
        except Exception as error:
            self._adapt_connection._handle_exception(error)

    def _keep(self, brought: Brought) -> None:
        self._brought = brought
        self._left = iter(brought.rows)

    @property
    def description(self) -> Any:
        return self._brought.description

    @property
    def rowcount(self) -> int:
        return self._brought.rowcount

    @property
    def lastrowid(self) -> Any:
        return self._brought.lastrowid

    def fetchone(self) -> Any:
        return next(self._left, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return list(islice(self._left, 1 if size is None else size))

    def fetchall(self) -> list[Any]:
        return list(self._left)

    def __iter__(self) -> Iterator[Any]:
        return self._left

    def close(self) -> None:
        self._left = iter(())

    async def _async_soft_close(self) -> None:
        """Nothing is open."""


class VisitedConnection(AsyncAdapt_aiosqlite_connection):
    """A connection of which each statement is a visit."""

    __slots__ = ()

    _cursor_cls = Visit


class VisitingDriver(AsyncAdapt_aiosqlite_dbapi):
    """The driver as an engine takes it: `create_async_engine(address, module=VisitingDriver())`."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arg: Any, **kw: Any) -> VisitedConnection:
        return VisitedConnection(self, super().connect(*arg, **kw)._connection)


def _execute(operation: str, parameters: Parameters, connection: sqlite3.Connection) -> Brought:
    """Runs a statement, in the thread of its connection."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(operation, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return Brought(cursor.description, rows, cursor.rowcount, cursor.lastrowid)


def _execute_many(operation: str, parameters: Sequence[Parameters], connection: sqlite3.Connection) -> Brought:
    """Runs a statement once for each of many parameters, in the thread of its connection."""
    with closing(connection.cursor()) as cursor:
        cursor.executemany(operation, parameters)
        return Brought(cursor.description, [], cursor.rowcount, cursor.lastrowid)
