"""How every repository reads: one connection, one moment of knowledge, one statement at a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    CursorResult,
    Row,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

from app.db.engine import finish
from app.domain.catalog import Catalog
from app.domain.names import fold_search
from app.domain.paging import Page, Slice, cut_found

Where = Callable[[Table], ColumnElement[bool]]
WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)  # what `Reader.raw` is given to compare with


@dataclass
class Reader:
    """A connection inside a transaction. Resolvers run concurrently, a connection does not: statements take turns.

    `known_at` is the revision whose knowledge is asked; None: the latest.
    """

    connection: AsyncConnection
    catalog: Catalog
    known_at: int | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def known(self, table: Table) -> ColumnElement[bool]:
        """The condition under which a row was known at the moment asked."""
        return is_known(table, self.known_at)

    async def rows(self, statement: Select[Any]) -> list[RowMapping]:
        return list((await self._execute(statement)).mappings())

    async def raw(
        self, table: Table, columns: Sequence[str], where: Where | None = None, wanted: Sequence[str] = ()
    ) -> Sequence[Row[Any]]:
        """Columns of rows in the order in which these came, as the driver gives them, for those who read very many.

        `where` is one of few functions, which says what a row must be; it may compare with `WANTED`.
        """
        in_order = self.connection.dialect.name == "postgresql"
        statement = _select_raw(table, tuple(columns), where, of_past=self.known_at is not None, in_order=in_order)
        return (await self._execute(statement, {"wanted": wanted, "known_at": self.known_at})).all()

    async def plain(
        self, columns: Sequence[ColumnElement[Any]], condition: ColumnElement[bool]
    ) -> Sequence[tuple[Any, ...]]:
        """Columns of live rows of one table in no order, the driver's own rows: there may be millions."""
        plain: list[Any] = [type_coerce(column, NullType()) for column in columns]
        known = self.known(columns[0].table)
        result = await self._execute(select(*plain).where(known, condition))
        assert result.cursor is not None, "a query has rows"
        rows: Sequence[tuple[Any, ...]] = result.cursor.fetchall()
        result.close()
        return rows

    async def tuples(self, statement: Select[Any], given: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Rows by the place of their columns. `given`: what the parameters of the statement are."""
        return (await self._execute(statement, given)).all()

    async def value(self, statement: Select[Any]) -> Any:
        return (await self._execute(statement)).scalar()

    async def _execute(self, statement: Select[Any], given: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """The result of a statement: siblings still read by the connection when one of them is called off."""
        async with self.turn:
            return await finish(self.connection.execute(statement, given))


def is_known(table: Table, at: int | ColumnElement[int] | None) -> ColumnElement[bool]:
    """The condition under which a row was known at a revision; None: is known."""
    if at is None:
        return table.c.ended_revision.is_(None)
    return and_(table.c.created_revision <= at, or_(table.c.ended_revision.is_(None), table.c.ended_revision > at))


@cache
def _select_raw(
    table: Table, columns: tuple[str, ...], where: Where | None, *, of_past: bool, in_order: bool
) -> Select[Any]:
    """The statement of `Reader.raw`, made once: making it takes longer than reading a few rows by it.

    SQLite reads them in order by itself, and is spared sorting a million of them.
    """
    plain: list[Any] = [type_coerce(table.c[name], NullType()) for name in columns]
    statement = select(*plain).where(is_known(table, bindparam("known_at", type_=BigInteger) if of_past else None))
    if where is not None:
        statement = statement.where(where(table))
    if in_order:
        came = [table.c.created_revision, table.c.place] if "place" in table.c else [table.c.row_id]
        statement = statement.order_by(*came)
    return statement


async def read_page(
    reader: Reader, statement: Select[Any], key: Sequence[ColumnElement[Any]], part: Slice
) -> Page[RowMapping]:
    """One slice of a statement ordered by a unique key: one row more than asked shows whether there is more."""
    columns = tuple_(*key)
    if part.after is not None:
        statement = statement.where(columns > tuple_(*part.after))
    if part.before is not None:
        statement = statement.where(columns < tuple_(*part.before))
    order = [column.desc() for column in key] if part.backwards else list(key)
    return cut_found(await reader.rows(statement.order_by(*order).limit(part.limit + 1)), part)


def holds(table: Table, columns: Sequence[str], search: str) -> ColumnElement[bool]:
    """Whether one of these names has a text within it, in any case and either Unicode form."""
    folded = fold_search(search)
    if folded is None:
        return false()
    plain = [table.c[name].icontains(folded, autoescape=True) for name in columns]  # in any case of ASCII
    return or_(*plain, table.c.folded.contains(folded, autoescape=True))


async def count(reader: Reader, statement: Select[Any]) -> int:
    """How many rows a statement gives."""
    return int(await reader.value(select(func.count()).select_from(statement.subquery())))
