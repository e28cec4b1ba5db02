"""Rows of any kind by their id."""

from sqlalchemy import select

from app.db import tables
from app.db.mapping import TABLE_OF, read_record
from app.db.repositories.reading import Reader
from app.domain.holders import AnyRow
from app.domain.ids import PREFIX_OF, kind_of


class Rows:
    """Grants, limits, assignments, memberships, access levels."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find(self, ids: list[str]) -> list[AnyRow]:
        """The rows of these ids that are known, one statement for each kind among them."""
        found: list[AnyRow] = []
        for kind, row_type in TABLE_OF.items():
            table = tables.table_of(row_type)
            wanted = [row for row in ids if kind_of(row) == PREFIX_OF[kind]]
            if wanted and "valid_from" in table.c:
                statement = select(table).where(self.reader.known(table), table.c.id.in_(wanted))
                found += [read_record(kind, self.reader.catalog, row) for row in await self.reader.rows(statement)]
        return found
