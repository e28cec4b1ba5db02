"""Finding contracts, and the people who have a level in one."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, select

from app.db import tables
from app.db.mapping import read_contract
from app.db.repositories.reading import Reader, count, holds, read_page
from app.domain.filters import ContractFilter
from app.domain.holders import Contract
from app.domain.paging import Page, Slice

CONTRACTS = tables.table_of(tables.ContractRow)


class Contracts:
    """Contracts by id and number, and lists of them in the order of their numbers."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_by(self, column: str, values: Iterable[str]) -> Sequence[Contract]:
        """The contracts whose `id` or `number` is one of these."""
        statement = select(CONTRACTS).where(self.reader.known(CONTRACTS), CONTRACTS.c[column].in_(sorted(set(values))))
        return [read_contract(row) for row in await self.reader.rows(statement)]

    async def read_page(self, wanted: ContractFilter, part: Slice) -> Page[Contract]:
        statement = select(CONTRACTS).where(*self._conditions(wanted))
        page = await read_page(self.reader, statement, [CONTRACTS.c.number], part)
        return Page(tuple(read_contract(row) for row in page.items), page.has_next, page.has_previous)

    async def count(self, wanted: ContractFilter) -> int:
        return await count(self.reader, select(CONTRACTS.c.id).where(*self._conditions(wanted)))

    def _conditions(self, wanted: ContractFilter) -> list[ColumnElement[bool]]:
        conditions = [self.reader.known(CONTRACTS)]
        if wanted.search:
            conditions.append(holds(CONTRACTS, ("number", "name"), wanted.search))
        if wanted.status is not None:
            conditions.append(CONTRACTS.c.status == wanted.status)
        if wanted.ids is not None:
            conditions.append(CONTRACTS.c.id.in_(sorted(wanted.ids)))
        return conditions
