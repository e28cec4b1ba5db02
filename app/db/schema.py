"""Bringing a database to the schema of this version, and telling whether it is there."""

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from app.db import postgresql, privileges
from app.db.engine import BEGIN_OPTION, check_file, translate
from app.db.faults import DatabaseFault
from app.db.folding import fill_folded
from app.db.unit_of_work import Database, ReadingUnit
from app.domain.outages import Outage

MIGRATIONS = Path(__file__).parent / "migrations"

SchemaState = Literal["current", "old", "newer", "empty"]


def alembic_config(connection: Connection | None = None) -> Config:
    """The configuration that Alembic's commands need; there is no file for it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


async def migrate(database: Database, *, role: str | None = None, keep: bool = True) -> None:
    """Brings the database to the current schema, all or nothing, while nobody writes.

    `role` is given what the gateway needs of PostgreSQL to run. Raises `DatabaseFault` for a database that cannot be
    opened, or is of a newer version: that is left alone. `keep`: else it is done and taken back (PostgreSQL).
    """
    if database.is_postgresql:
        await _migrate_postgresql(database, role, keep=keep)
        return
    await asyncio.to_thread(check_file, database.engine)
    async with database.engine.connect() as connection:
        await connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
        async with connection.begin():
            await connection.run_sync(_upgrade)
    await fill_folded(database)


async def _migrate_postgresql(database: Database, role: str | None, *, keep: bool) -> None:
    engine = postgresql.create_migrating_engine(database.engine.url)
    event.listen(engine.sync_engine, "handle_error", translate)
    try:
        async with engine.connect() as connection:
            transaction = await postgresql.begin_writing(connection)
            await postgresql.require_own_server(connection)
            await connection.run_sync(_upgrade)
            if role is not None:
                await connection.run_sync(privileges.grant, role)
            await (transaction.commit() if keep else transaction.rollback())
    except (Outage, DBAPIError, OSError, TimeoutError) as error:
        raise DatabaseFault(f"{_name(database)} cannot be migrated: {error or type(error).__name__}") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    if _read_state(connection) == "newer":
        revision = MigrationContext.configure(connection).get_current_revision()
        message = f"the schema of the database (`{revision}`) is of a newer version of permgate: run that one"
        raise DatabaseFault(message)
    command.upgrade(alembic_config(connection), "head")


async def require_schema(database: Database) -> None:
    """Raises `DatabaseFault` where the database cannot be reached, or its schema is not that of this version."""
    if not database.is_postgresql:
        path = database.engine.url.database or ""
        if not await asyncio.to_thread(Path(path).is_file):
            raise DatabaseFault(f"there is no database `{path}`")
        await asyncio.to_thread(check_file, database.engine)
    try:
        if database.is_postgresql:
            async with database.engine.connect() as connection:
                await postgresql.require_own_server(connection)
        state = await read_schema_state(database)
    except (Outage, DBAPIError, OSError, TimeoutError) as error:
        raise DatabaseFault(f"{_name(database)} cannot be used: {error or type(error).__name__}") from error
    if state == "newer":
        raise DatabaseFault("the schema of the database is of a newer version of permgate: run that one")
    if state != "current":
        raise DatabaseFault(f"the schema of the database is {state}: run `permgate migrate`")


async def open_schema(database: Database) -> None:
    """Brings SQLite to the current schema; PostgreSQL has to have it. Raises `DatabaseFault`.

    A server is shared by gateways of several versions, and the role that they run as may change no table.
    """
    await (require_schema if database.is_postgresql else migrate)(database)


async def read_schema_state(database: Database) -> SchemaState:
    """How the schema of the database compares with that of this version."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_read_state)


async def read_state_of(unit: ReadingUnit) -> SchemaState:
    """The same, as a snapshot shows it."""
    return await unit.reader.connection.run_sync(_read_state)


def _name(database: Database) -> str:
    return f"the database `{database.engine.url.render_as_string(hide_password=True)}`"


def _read_state(connection: Connection) -> SchemaState:
    current = MigrationContext.configure(connection).get_current_revision()
    known = _list_revisions()
    if current is None:
        return "empty"
    if current == known[0]:
        return "current"
    return "old" if current in known else "newer"


@lru_cache(1)
def _list_revisions() -> tuple[str, ...]:
    """The migrations of this version, the latest first."""
    script = ScriptDirectory.from_config(alembic_config())
    return tuple(revision.revision for revision in script.walk_revisions())
