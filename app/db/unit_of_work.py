"""Units of work: one use case, one transaction, one revision.

A reading unit sees one snapshot. A writing unit takes the write lock before it reads anything, so that what it checks
still holds when it writes; it commits once, at its end, and rolls back on any error.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import tables
from app.db.engine import BEGIN_OPTION, create_engine, finish
from app.db.mapping import ENTITIES, TABLE_OF, columns_of, columns_of_entry
from app.db.repositories.audit import Audit
from app.db.repositories.catalogs import Catalogs
from app.db.repositories.contracts import Contracts
from app.db.repositories.idempotency import Idempotency
from app.db.repositories.reading import Reader
from app.db.repositories.roles import Roles
from app.db.repositories.rows import Rows
from app.db.repositories.security import SecurityLog
from app.db.repositories.teams import Teams
from app.db.repositories.tokens import Tokens
from app.db.repositories.users import Users
from app.db.repositories.worlds import Worlds
from app.domain.audit import FIRST_HASH, AuditEntry, seal_entry
from app.domain.catalog import Catalog
from app.domain.world import Change

NO_CATALOG = Catalog((), (), (), "")


class ReadingUnit:
    """One snapshot: every repository of it sees the same revision."""

    def __init__(self, connection: AsyncConnection, catalog: Catalog, *, known_at: int | None = None) -> None:
        self.reader = Reader(connection, catalog, known_at)
        self.users = Users(self.reader)
        self.roles = Roles(self.reader)
        self.teams = Teams(self.reader)
        self.contracts = Contracts(self.reader)
        self.rows = Rows(self.reader)
        self.worlds = Worlds(self.reader)
        self.audit = Audit(self.reader)
        self.tokens = Tokens(self.reader)
        self.security = SecurityLog(self.reader)
        self.idempotency = Idempotency(self.reader)
        self.catalogs = Catalogs(self.reader)

    def as_known_at(self, revision: int, catalog: Catalog | None = None) -> "ReadingUnit":
        """The same snapshot, but what was known at a revision of it, read by a catalog (None: by the same)."""
        past = ReadingUnit(self.reader.connection, catalog or self.reader.catalog, known_at=revision)
        past.reader.turn = self.reader.turn
        return past


class WritingUnit(ReadingUnit):
    """A snapshot that nobody else can write beside, and the one way to write it."""

    async def record(
        self,
        changes: Iterable[Change],
        entry: Callable[[int, str], AuditEntry],
    ) -> AuditEntry:
        """Writes changes and the audit entry that tells of them, as the next revision.

        `entry` makes the entry of its revision and the hash before it; what it returns is sealed here. Its time is not
        before that of the entry before it, whatever the clock of this machine says: times in the log never go back.
        """
        last = await self.audit.find_last()
        revision, previous = (1, FIRST_HASH) if last is None else (last.revision + 1, last.hash)
        made = entry(revision, previous)
        sealed = seal_entry(made if last is None or last.at <= made.at else replace(made, at=last.at))
        await self._insert(tables.AuditEntryRow, [columns_of_entry(sealed)])
        await self._insert(
            tables.AuditSubjectRow, [{"subject": subject, "revision": revision} for subject in sealed.subjects]
        )
        created: dict[type, list[dict[str, Any]]] = {}
        identities: list[dict[str, Any]] = []
        for change in changes:
            if change.before is not None:
                await self._end(change.before, revision)
            if change.after is not None:
                kind = type(change.after)
                columns = columns_of(self.reader.catalog, change.after)
                created.setdefault(kind, []).append(columns | {"created_revision": revision})
                if kind in ENTITIES and change.before is None:
                    identities.append({"id": change.after.id})
        await self._insert(tables.IdentityRow, identities)
        for kind, rows in created.items():
            await self._insert(TABLE_OF[kind], rows)
        return sealed

    async def _insert(self, row_type: type[Any], rows: list[dict[str, Any]]) -> None:
        if rows:
            await self.reader.connection.execute(tables.table_of(row_type).insert(), rows)

    async def _end(self, record: Any, revision: int) -> None:
        table = tables.table_of(TABLE_OF[type(record)])
        live = (table.c.id == record.id) & table.c.ended_revision.is_(None)
        result = await self.reader.connection.execute(update(table).where(live).values(ended_revision=revision))
        if result.rowcount != 1:
            raise RuntimeError(f"the row {record.id} was to end and is not there")

    async def write_setting(self, name: str, value: str) -> None:
        """What the database says of itself, written once."""
        await self._insert(tables.SettingRow, [{"name": name, "value": value}])


class Database:
    """A database address, opened: gives out units of work."""

    def __init__(self, address: str) -> None:
        self.engine = create_engine(address)
        self._writing = asyncio.Lock()  # writers of this process queue here; those of others wait for the file's lock
        self.after_commit: list[Callable[[], None]] = []  # who hears, once a transaction of this process is committed

    @asynccontextmanager
    async def reading(
        self, catalog: Catalog = NO_CATALOG, *, known_at: int | None = None
    ) -> AsyncIterator[ReadingUnit]:
        """A snapshot to read from; it ends without a trace."""
        async with self._connect() as connection:
            yield ReadingUnit(connection, catalog, known_at=known_at)

    @asynccontextmanager
    async def writing(self, catalog: Catalog = NO_CATALOG) -> AsyncIterator[WritingUnit]:
        """A transaction that holds the write lock from its beginning; it commits unless an error leaves it."""
        async with self._writing, self._connect() as connection:
            await connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
            async with connection.begin():
                yield WritingUnit(connection, catalog)
        for hear in self.after_commit:
            hear()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection of the pool, opened and given back whole, though whoever asked for it is called off."""
        connection = self.engine.connect()
        try:
            await finish(connection.start())
            yield connection
        finally:
            if connection.sync_connection is not None:
                await finish(connection.close())

    async def close(self) -> None:
        await self.engine.dispose()
