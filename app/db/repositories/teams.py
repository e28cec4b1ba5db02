"""Finding teams."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, select

from app.db import tables
from app.db.mapping import read_team
from app.db.repositories.reading import Reader, count, holds, read_page
from app.domain.filters import TeamFilter
from app.domain.holders import Team
from app.domain.paging import Page, Slice

TEAMS = tables.table_of(tables.TeamRow)


class Teams:
    """Teams by id and key, and lists of them in the order of their keys."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_by(self, column: str, values: Iterable[str]) -> Sequence[Team]:
        """The teams whose `id` or `key` is one of these."""
        statement = select(TEAMS).where(self.reader.known(TEAMS), TEAMS.c[column].in_(sorted(set(values))))
        return [read_team(row) for row in await self.reader.rows(statement)]

    async def read_page(self, wanted: TeamFilter, part: Slice) -> Page[Team]:
        page = await read_page(self.reader, select(TEAMS).where(*self._conditions(wanted)), [TEAMS.c.key], part)
        return Page(tuple(read_team(row) for row in page.items), page.has_next, page.has_previous)

    async def count(self, wanted: TeamFilter) -> int:
        return await count(self.reader, select(TEAMS.c.id).where(*self._conditions(wanted)))

    def _conditions(self, wanted: TeamFilter) -> list[ColumnElement[bool]]:
        conditions = [self.reader.known(TEAMS)]
        if wanted.search:
            conditions.append(holds(TEAMS, ("key", "display_name"), wanted.search))
        if wanted.kind is not None:
            conditions.append(TEAMS.c.kind == wanted.kind)
        if wanted.archived is not None:
            conditions.append(TEAMS.c.archived.is_(wanted.archived))
        if wanted.ids is not None:
            conditions.append(TEAMS.c.id.in_(sorted(wanted.ids)))
        return conditions
