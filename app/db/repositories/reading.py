"""How every repository reads: one connection, one moment of knowledge, one statement at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    LargeBinary,
    Row,
    RowMapping,
    Select,
    Table,
    and_,
    cast,
    false,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

from app.db.engine import FOLD, finish
from app.domain.catalog import Catalog
from app.domain.names import fold_search
from app.domain.paging import Page, Slice


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
        if self.known_at is None:
            return table.c.ended_revision.is_(None)
        return and_(
            table.c.created_revision <= self.known_at,
            or_(table.c.ended_revision.is_(None), table.c.ended_revision > self.known_at),
        )

    async def rows(self, statement: Select[Any]) -> list[RowMapping]:
        return list((await self._execute(statement)).mappings())

    async def raw(self, columns: Sequence[ColumnElement[Any]], condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Columns of rows in their order, as the driver gives them, for those who read very many."""
        plain: list[Any] = [type_coerce(column, NullType()) for column in columns]
        return (await self._execute(select(*plain).where(condition))).all()

    async def tuples(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Rows by the place of their columns."""
        return (await self._execute(statement)).all()

    async def value(self, statement: Select[Any]) -> Any:
        return (await self._execute(statement)).scalar()

    async def _execute(self, statement: Select[Any]) -> CursorResult[Any]:
        """The result of a statement: siblings still read by the connection when one of them is called off."""
        async with self.turn:
            return await finish(self.connection.execute(statement))


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
    return cut_page(await reader.rows(statement.order_by(*order).limit(part.limit + 1)), part)


def cut_page(rows: Sequence[RowMapping], part: Slice) -> Page[RowMapping]:
    """A page of rows that were read in the direction of the slice, one more than asked if there are more."""
    more = len(rows) > part.limit
    rows = rows[: part.limit]
    if part.backwards:
        return Page(tuple(reversed(rows)), has_next=part.before is not None, has_previous=more)
    return Page(tuple(rows), has_next=more, has_previous=part.after is not None)


def holds(columns: Sequence[ColumnElement[Any]], search: str) -> ColumnElement[bool]:
    """Whether one of these columns has a text within it, in any case and either Unicode form."""
    folded = fold_search(search)
    if folded is None:
        return false()
    conditions = []
    for column in columns:
        # Folding is asked for where there is more than ASCII alone: for the rest the database's own is much faster.
        is_more = func.length(cast(column, LargeBinary)) > func.length(column)
        fold = getattr(func, FOLD)(func.coalesce(column, ""))
        conditions += [column.icontains(folded, autoescape=True), is_more & fold.contains(folded, autoescape=True)]
    return or_(*conditions)


async def count(reader: Reader, statement: Select[Any]) -> int:
    """How many rows a statement gives."""
    return int(await reader.value(select(func.count()).select_from(statement.subquery())))
