"""The catalogs that were in force, and what the database says of itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from app.db import tables
from app.db.repositories.reading import Reader

CATALOGS = tables.table_of(tables.CatalogRow)
SETTINGS = tables.table_of(tables.SettingRow)


@dataclass(frozen=True, slots=True)
class StoredCatalog:
    """A catalog and the revision from which it was in force; `data` is that of its files."""

    revision: int
    digest: str
    data: Sequence[Any]


class Catalogs:
    """Catalogs by the time at which they were in force."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_current(self) -> StoredCatalog | None:
        """The catalog in force at the moment of knowledge, None before the first."""
        statement = select(CATALOGS).order_by(CATALOGS.c.created_revision.desc()).limit(1)
        if self.reader.known_at is not None:
            statement = statement.where(CATALOGS.c.created_revision <= self.reader.known_at)
        rows = await self.reader.rows(statement)
        if not rows:
            return None
        return StoredCatalog(rows[0]["created_revision"], rows[0]["digest"], json.loads(rows[0]["data"]))

    async def find_current_digest(self) -> tuple[int, str] | None:
        """The revision from which the catalog in force then was in force, and its digest; None before the first."""
        statement = select(CATALOGS.c.created_revision, CATALOGS.c.digest)
        if self.reader.known_at is not None:
            statement = statement.where(CATALOGS.c.created_revision <= self.reader.known_at)
        rows = await self.reader.rows(statement.order_by(CATALOGS.c.created_revision.desc()).limit(1))
        return (rows[0]["created_revision"], rows[0]["digest"]) if rows else None

    async def add(self, catalog: StoredCatalog) -> None:
        columns = {"created_revision": catalog.revision, "digest": catalog.digest, "data": json.dumps(catalog.data)}
        await self.reader.connection.execute(CATALOGS.insert().values(**columns))

    async def read_setting(self, name: str) -> str | None:
        """What the database says of itself under a name."""
        value = await self.reader.value(select(SETTINGS.c.value).where(SETTINGS.c.name == name))
        return None if value is None else str(value)
