"""Finding roles."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, exists, select

from app.db import tables
from app.db.mapping import read_role
from app.db.repositories.reading import Reader, count, holds, read_page
from app.domain.filters import RoleFilter
from app.domain.holders import Role
from app.domain.paging import Page, Slice

ROLES = tables.table_of(tables.RoleRow)
GRANTS = tables.table_of(tables.GrantRow)


class Roles:
    """Roles by id and key, and lists of them in the order of their keys."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_by(self, column: str, values: Iterable[str]) -> Sequence[Role]:
        """The roles whose `id` or `key` is one of these."""
        statement = select(ROLES).where(self.reader.known(ROLES), ROLES.c[column].in_(sorted(set(values))))
        return [read_role(row) for row in await self.reader.rows(statement)]

    async def read_page(self, wanted: RoleFilter, part: Slice) -> Page[Role]:
        page = await read_page(self.reader, select(ROLES).where(*self._conditions(wanted)), [ROLES.c.key], part)
        return Page(tuple(read_role(row) for row in page.items), page.has_next, page.has_previous)

    async def count(self, wanted: RoleFilter) -> int:
        return await count(self.reader, select(ROLES.c.id).where(*self._conditions(wanted)))

    def _conditions(self, wanted: RoleFilter) -> list[ColumnElement[bool]]:
        conditions = [self.reader.known(ROLES)]
        if wanted.search:
            conditions.append(holds(ROLES, ("key", "display_name"), wanted.search))
        if wanted.archived is not None:
            conditions.append(ROLES.c.archived.is_(wanted.archived))
        if wanted.grants is not None:
            tells = [self.reader.known(GRANTS), GRANTS.c.node == wanted.grants, GRANTS.c.holder == ROLES.c.id]
            if wanted.grant_rows is not None:
                tells.append(GRANTS.c.contract.in_(sorted(wanted.grant_rows)))
            conditions.append(exists().where(*tells))
        if wanted.ids is not None:
            conditions.append(ROLES.c.id.in_(sorted(wanted.ids)))
        return conditions
