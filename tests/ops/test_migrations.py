"""F26, F25: a migration that is killed half-way can be made again; a rehearsed one changes nothing; and none takes away
what the version before it still reads.
"""

import ast
import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, event

from app.db.rehearsals import CHANGING
from app.db.schema import MIGRATIONS, alembic_config, migrate, read_schema_state
from app.db.unit_of_work import Database
from tests.db.test_migrations import describe
from tests.factories import read_database
from tests.processes import FORKING
from tests.test_cli import Run, run

FIXTURES = (run,)  # named, so that pytest finds it here too
OLD = "0003"  # some versions ago: what follows makes tables, adds columns, and fills them
WAIT_S = 60


def address(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def make(path: Path, revision: str) -> None:
    """A database of an older version."""
    await upgrade_to(address(path), revision)


async def upgrade_to(url: str, revision: str) -> None:
    """Brings a database as far as some version."""

    def upgrade(connection: Connection) -> None:
        command.upgrade(alembic_config(connection), revision)

    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade)
    await database.close()


async def bring_up_to_date(path: Path) -> str:
    database = Database(address(path))
    await migrate(database)
    state = await read_schema_state(database)
    await database.close()
    return state


def _migrate_until(path: Path, last: int) -> None:
    """In a process of its own: it ends in the middle of its statement number so many."""
    count = 0

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal count
        count += statement.split(None, 1)[0].upper() in CHANGING
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

    async def do() -> None:
        database = Database(address(path))
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        await migrate(database)
        await database.close()

    asyncio.run(do())


def kill_and_begin_again(folder: Path, statements: list[str], *, times: int) -> None:
    made, fresh = folder / "made.db", folder / "fresh.db"
    asyncio.run(make(made, OLD))
    asyncio.run(bring_up_to_date(fresh))
    before, after = read_database(made), describe(fresh)
    for number in range(times):
        last = 1 + number * (len(statements) - 1) // max(1, times - 1)
        path = folder / f"{number}.db"
        path.write_bytes(made.read_bytes())
        process = FORKING.Process(target=_migrate_until, args=(path, last), daemon=True)
        process.start()
        process.join(WAIT_S)
        assert process.exitcode == -signal.SIGKILL, f"statement {last} of {len(statements)}"

        assert read_database(path) == before, f"statement {last}: {statements[last - 1]}"
        assert asyncio.run(bring_up_to_date(path)) == "current"
        assert describe(path) == after


@pytest.fixture
def statements(run: Run, tmp_path: Path) -> list[str]:
    """What leads from the old version to this one."""
    asyncio.run(make(tmp_path / "permgate.db", OLD))
    found = [part.strip() for part in run("migrate", "--dry-run").out.split(";\n\n") if part.strip()]
    assert len(found) > 10
    return found


def test_f26_a_migration_that_is_killed_leaves_nothing_and_is_made_again(statements: list[str], tmp_path: Path) -> None:
    kill_and_begin_again(tmp_path, statements, times=2)


@pytest.mark.deep
def test_f26_so_are_twenty_killed_at_twenty_places(statements: list[str], tmp_path: Path) -> None:
    kill_and_begin_again(tmp_path, statements, times=20)


def test_a_rehearsal_prints_what_would_be_done_and_does_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "permgate.db"
    asyncio.run(make(path, OLD))
    before = read_database(path)

    first, again = run("migrate", "--dry-run"), run("migrate", "--dry-run")

    assert first == again
    assert (first.status, first.err, first.left_open) == (0, "nothing was changed\n", 0)
    assert "CREATE TABLE sync_runs" in first.out
    assert "UPDATE alembic_version SET version_num='0004'" in first.out
    assert {part.split(None, 1)[0] for part in first.out.split(";\n\n") if part} <= CHANGING
    assert read_database(path) == before
    assert run("migrate").status == 0
    assert run("migrate", "--dry-run").out == ""


def test_a_rehearsal_makes_no_database_where_there_is_none(run: Run, tmp_path: Path) -> None:
    result = run("migrate", "--dry-run")

    assert (result.status, "CREATE TABLE users" in result.out) == (0, True)
    assert list(tmp_path.glob("permgate.db*")) == []


def test_a_rehearsal_of_a_newer_version_is_refused(run: Run, tmp_path: Path) -> None:
    asyncio.run(make(tmp_path / "permgate.db", "head"))
    database = Database(address(tmp_path / "permgate.db"))

    async def age() -> None:
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        await database.close()

    asyncio.run(age())
    result = run("migrate", "--dry-run")

    assert (result.status, result.out) == (78, "")
    assert "newer" in result.err


# ---------------------------------------------------------------------- F25: expand, migrate, contract

SHRINKING = {"drop_column", "drop_table", "rename_table", "drop_constraint", "create_check_constraint",
             "create_unique_constraint", "create_foreign_key"}  # fmt: skip
CONTRACTED: dict[str, str] = {}  # migration: what it takes away, and since when no version that runs needs it


def iterate_calls(path: Path) -> Iterator[ast.Call]:
    """The calls of a migration, but for those of its way back."""
    for part in ast.parse(path.read_text("utf-8")).body:
        if isinstance(part, ast.FunctionDef) and part.name != "downgrade":
            yield from (node for node in ast.walk(part) if isinstance(node, ast.Call))


def find_shrinking(path: Path) -> list[str]:
    found = []
    for call in iterate_calls(path):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        text = ast.unparse(call)
        if name in SHRINKING or "new_column_name" in named:
            found.append(text)
        if name == "alter_column" and isinstance(named.get("nullable"), ast.Constant) and not named["nullable"].value:  # type: ignore[attr-defined]
            found.append(text)
        if name == "add_column" and "nullable=False" in text and "server_default" not in text:
            found.append(text)
        if name == "execute" and any(word in text.upper() for word in ("DROP ", "RENAME ", "SET NOT NULL")):
            found.append(text)
    return found


@pytest.mark.parametrize("path", sorted((MIGRATIONS / "versions").glob("*.py")), ids=lambda path: path.stem)
def test_f25_a_migration_takes_nothing_away_that_the_version_before_it_uses(path: Path) -> None:
    """So that while a new version takes over, the old one goes on reading and writing beside it."""
    if path.stem not in CONTRACTED:
        assert find_shrinking(path) == []


def test_f25_the_rule_finds_what_it_is_there_for(tmp_path: Path) -> None:
    path = tmp_path / "0099_bad.py"
    path.write_text(
        "def upgrade():\n"
        "    op.drop_column('users', 'email')\n"
        "    op.add_column('users', sa.Column('x', sa.Text(), nullable=False))\n"
        "    op.add_column('users', sa.Column('y', sa.Text(), nullable=True))\n"
        "    op.alter_column('users', 'a', new_column_name='b')\n"
        "    op.alter_column('users', 'a', nullable=False)\n"
        "    op.execute('ALTER TABLE users RENAME TO people')\n"
        "def downgrade():\n"
        "    op.drop_column('users', 'y')\n"
    )

    assert len(find_shrinking(path)) == 5
