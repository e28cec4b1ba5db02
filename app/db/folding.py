"""Folded names that were left out, filled in: an older version that writes beside this one knows of none.

Whoever is meant is else not found by a name with more than ASCII in another case. Only SQLite has been served by a
version that folded nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, RowMapping, Table, cast, func, or_, select

from app.db.engine import BEGIN_OPTION
from app.db.mapping import FOLDED, TABLE_OF, fold_names
from app.db.tables import table_of
from app.db.unit_of_work import Database

AT_ONCE = 1000  # rows that are filled in by one transaction: writers wait for some milliseconds


async def fill_folded(database: Database) -> int:
    """Fills in what is missing, and says of how many rows. They are looked for without the write lock."""
    filled = 0
    for kind, columns in FOLDED.items():
        table, last = table_of(TABLE_OF[kind]), 0
        while True:
            async with database.engine.connect() as connection:
                rows = await connection.run_sync(_find_missing, table, columns["folded"], last)
            if not rows:
                break
            last = rows[-1]["row_id"]
            async with database.engine.connect() as connection:
                await connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
                async with connection.begin():
                    await connection.run_sync(_fill, table, columns, rows)
            filled += len(rows)
    return filled


def _find_missing(connection: Connection, table: Table, names: Sequence[str], last: int) -> Sequence[RowMapping]:
    """Rows after the last with more than ASCII in a name, of which its length in bytes tells, and nothing folded."""
    is_more = or_(*(_has_more(table.c[name]) for name in names))
    missing = select(table).where(table.c.row_id > last, table.c.folded.is_(None), is_more)
    return connection.execute(missing.order_by(table.c.row_id).limit(AT_ONCE)).mappings().all()


def _has_more(name: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.length(cast(name, LargeBinary)) > func.length(name)


def _fill(
    connection: Connection, table: Table, columns: Mapping[str, tuple[str, ...]], rows: Sequence[RowMapping]
) -> None:
    for row in rows:
        folded = {column: fold_names(*(row[name] for name in of)) for column, of in columns.items()}
        connection.execute(table.update().where(table.c.row_id == row["row_id"]).values(**folded))
