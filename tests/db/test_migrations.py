"""Migrations: from an empty file to what the tables say, and no further."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, event
from sqlmodel import SQLModel

from app.db import tables
from app.db.schema import alembic_config, migrate, read_schema_state
from app.db.unit_of_work import Database

ENGINES = ("sqlite",)


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    yield database
    await database.close()


@pytest.fixture
async def migrated(empty: Database) -> Database:
    await migrate(empty)
    return empty


async def test_migrations_lead_to_what_the_tables_say(migrated: Database) -> None:
    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))

    async with migrated.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


def describe(path: Path) -> dict[str, Any]:
    """Columns, keys and indexes of every table, as SQLite knows them; Alembic does not look at all of it."""
    connection = sqlite3.connect(path)

    def rows(pragma: str) -> Iterator[tuple[Any, ...]]:
        yield from connection.execute(f"PRAGMA {pragma}")

    found: dict[str, Any] = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        if table == "alembic_version":
            continue
        conditions = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type = 'index'", [table]
        )
        where = {name: (sql or "").partition(" WHERE ")[2] for name, sql in conditions}
        found[table] = {
            "columns": {row[1:] for row in rows(f"table_info({table})")},  # name, type, not null, default, key
            "foreign keys": {row[2:7] for row in rows(f"foreign_key_list({table})")},
            "indexes": {
                (
                    "" if name.startswith("sqlite_autoindex") else name, unique, where.get(name, ""),
                    *(column for _, _, column in rows(f"index_info({name})")),
                )
                for _, name, unique, *_ in rows(f"index_list({table})")
            },
        }  # fmt: skip
    connection.close()
    return found


async def test_columns_keys_and_indexes_are_the_same_to_the_last(migrated: Database, tmp_path: Path) -> None:
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'made.db'}")
    async with made.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    await made.close()

    from_migrations, from_tables = describe(tmp_path / "empty.db"), describe(tmp_path / "made.db")

    assert set(from_migrations) == set(from_tables) == {table.name for table in SQLModel.metadata.sorted_tables}
    for table, expected in from_tables.items():
        assert (table, from_migrations[table]) == (table, expected)


async def test_every_reference_is_kept_by_the_database(migrated: Database, tmp_path: Path) -> None:
    """What names a holder, a role, a team, a user, a contract or a revision is a foreign key."""
    found = describe(tmp_path / "empty.db")

    names = {"holder", "role", "team", "user", "owner", "contract", "parent", "created_revision", "ended_revision"}
    for table, shape in found.items():
        columns = {column for column, *_ in shape["columns"]} & names
        assert (table, {key[1] for key in shape["foreign keys"]} >= columns) == (table, True)


def test_there_is_one_line_of_migrations_with_one_head() -> None:
    script = ScriptDirectory.from_config(alembic_config())

    assert len(script.get_heads()) == len(script.get_bases()) == 1
    assert all(revision.module.__doc__ for revision in script.walk_revisions())


async def test_the_state_of_a_schema(empty: Database) -> None:
    assert await read_schema_state(empty) == "empty"

    await migrate(empty)
    assert await read_schema_state(empty) == "current"

    async with empty.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    assert await read_schema_state(empty) == "newer"


async def test_again_is_no_change(migrated: Database, tmp_path: Path) -> None:
    before = describe(tmp_path / "empty.db")

    await migrate(migrated)

    assert describe(tmp_path / "empty.db") == before


async def test_a_migration_that_fails_half_way_leaves_nothing(empty: Database) -> None:
    """All of it is one transaction: here the third table fails."""
    creations = 0

    def fail(_target: Any, _connection: Any, **_rest: Any) -> None:
        nonlocal creations
        creations += 1
        if creations == 3:
            raise RuntimeError("the power went")

    event.listen(Table, "before_create", fail)
    try:
        with pytest.raises(RuntimeError, match="the power went"):
            await migrate(empty)
    finally:
        event.remove(Table, "before_create", fail)

    assert creations == 3
    assert await read_schema_state(empty) == "empty"
    async with empty.engine.connect() as connection:
        left = await connection.exec_driver_sql("SELECT name FROM sqlite_master")
        assert left.fetchall() == []


async def test_a_database_of_a_newer_version_is_left_alone(migrated: Database, tmp_path: Path) -> None:
    async with migrated.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    before = describe(tmp_path / "empty.db")

    with pytest.raises(Exception, match="from the future"):
        await migrate(migrated)

    assert describe(tmp_path / "empty.db") == before
    assert await read_schema_state(migrated) == "newer"


def test_every_row_class_has_its_table() -> None:
    classes = {kind for kind in vars(tables).values() if isinstance(kind, type) and issubclass(kind, SQLModel)}
    named = {kind.__tablename__: kind.__name__ for kind in classes if hasattr(kind, "__table__")}

    assert set(named) == {table.name for table in SQLModel.metadata.sorted_tables}
    assert all(name.endswith("Row") for name in named.values())
