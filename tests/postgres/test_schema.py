"""The schema of PostgreSQL: `migrate` alone brings it up to date, and it is what the tables say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

from app.db.faults import DatabaseFault
from app.db.rehearsals import CHANGING
from app.db.schema import migrate, read_schema_state
from app.db.unit_of_work import Database
from app.main import open_as_it_is, open_services
from app.settings import Settings
from tests.factories import SEEDS, Template
from tests.ops.test_migrations import OLD, upgrade_to
from tests.postgres.stores import Store
from tests.test_cli import Run, run

FIXTURES = (run,)  # named, so that pytest finds it here too

NOT_BY_CODE_POINT = """SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_collation l ON l.oid = a.attcollation
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
  AND l.collname <> 'C'"""


@pytest.fixture
async def empty(template: Template) -> AsyncIterator[Store]:
    assert isinstance(template.path, Store)
    store = Store(template.path.server, template.path.direct, f"{template.path.name}_schema").create()
    yield store
    store.drop()


async def open_for_once(address: str) -> None:
    services = await open_services(Settings(database_url=address, seeds=SEEDS))
    await services.close()


async def test_only_migrate_brings_it_up_to_date(empty: Store) -> None:
    """CLI.md: `serve` does so itself on SQLite, never on PostgreSQL."""
    for _ in range(2):
        with pytest.raises(DatabaseFault, match="the schema of the database is empty: run `permgate migrate`"):
            await open_for_once(empty.address)
    assert empty.select("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]

    database = Database(empty.address)
    await migrate(database)
    await migrate(database)
    assert await read_schema_state(database) == "current"
    await database.close()
    await open_for_once(empty.address)

    empty.execute("UPDATE alembic_version SET version_num = '0005'")
    with pytest.raises(DatabaseFault, match="the schema of the database is old: run `permgate migrate`"):
        async with open_as_it_is(Settings(database_url=empty.address)):
            pass
    empty.execute("UPDATE alembic_version SET version_num = 'from the future'")
    with pytest.raises(DatabaseFault, match="of a newer version"):
        await open_for_once(empty.address)


def test_a_rehearsal_does_all_of_it_and_takes_it_back(empty: Store, run: Run) -> None:
    """CLI.md: of an empty database, and of one of an older version; `migrate` does then what was printed."""
    nothing = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    columns = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    address = {"PERMGATE_DATABASE_URL": empty.address}

    first = run("migrate", "--dry-run", **address)

    assert (first.status, first.err) == (0, "nothing was changed\n")
    assert "CREATE TABLE users" in first.out and "UPDATE alembic_version SET version_num='0006'" in first.out
    assert empty.select(nothing) == [(0,)]

    asyncio.run(upgrade_to(empty.address, OLD))
    before = sorted(empty.select(columns))
    told = [run("migrate", "--dry-run", **address) for _ in range(2)]

    assert told[0] == told[1]
    assert "CREATE TABLE sync_runs" in told[0].out and "CREATE TABLE users" not in told[0].out
    assert {part.split(None, 1)[0] for part in told[0].out.split(";\n\n") if part} <= CHANGING
    assert sorted(empty.select(columns)) == before
    assert empty.select("SELECT version_num FROM alembic_version") == [(OLD,)]
    assert run("migrate", **address).status == 0
    assert run("migrate", "--dry-run", **address).out == ""
    assert sorted(empty.select(columns)) != before


async def test_it_is_what_the_tables_say(template: Template, tmp_path: Path) -> None:
    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))

    assert isinstance(template.path, Store)
    database = Database(template.path.address)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(compare) == []
    await database.close()


def test_every_text_is_sorted_by_code_point(template: Template) -> None:
    assert isinstance(template.path, Store)
    assert template.path.select(NOT_BY_CODE_POINT) == []


@pytest.mark.parametrize("command", ["open", "migrate"])
async def test_a_server_that_is_not_there_is_told_without_the_password(command: str) -> None:
    address = "postgresql+asyncpg://me:secret-word@127.0.0.1:1/permgate"
    database = Database(address)
    with pytest.raises(DatabaseFault, match=r"me:\*\*\*@127\.0\.0\.1:1/permgate") as caught:
        await (migrate(database) if command == "migrate" else open_for_once(address))
    assert "secret-word" not in str(caught.value)
    await database.close()


async def test_a_server_whose_locks_do_not_lock_is_refused(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it says of itself: here PostgreSQL is taken for one."""
    monkeypatch.setattr("app.db.postgresql.NO_LOCKS", ("PostgreSQL",))
    database = Database(empty.address)

    with pytest.raises(DatabaseFault, match="has no advisory locks that lock"):
        await migrate(database)
    with pytest.raises(DatabaseFault, match="has no advisory locks that lock"):
        await open_for_once(empty.address)

    await database.close()
