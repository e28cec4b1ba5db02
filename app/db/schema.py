"""Bringing a database to the schema of this version, and telling whether it is there."""

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.db.engine import BEGIN_OPTION, DatabaseFault, check_file
from app.db.unit_of_work import Database, ReadingUnit

MIGRATIONS = Path(__file__).parent / "migrations"

SchemaState = Literal["current", "old", "newer", "empty"]


def alembic_config(connection: Connection | None = None) -> Config:
    """The configuration that Alembic's commands need; there is no file for it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


async def migrate(database: Database) -> None:
    """Brings the database to the current schema, all or nothing.

    Raises `DatabaseFault` for one that cannot be opened, or is of a newer version: that is left alone.
    """
    await asyncio.to_thread(check_file, database.engine)
    async with database.engine.connect() as connection:
        await connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
        async with connection.begin():
            await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if _read_state(connection) == "newer":
        revision = MigrationContext.configure(connection).get_current_revision()
        message = f"the schema of the database (`{revision}`) is of a newer version of permgate: run that one"
        raise DatabaseFault(message)
    command.upgrade(alembic_config(connection), "head")


async def read_schema_state(database: Database) -> SchemaState:
    """How the schema of the database compares with that of this version."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_read_state)


async def read_state_of(unit: ReadingUnit) -> SchemaState:
    """The same, as a snapshot shows it."""
    return await unit.reader.connection.run_sync(_read_state)


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
