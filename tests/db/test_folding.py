"""What a process of the version before writes beside newer ones is found by its names from the next start on."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.db import folding
from app.db.folding import fill_folded
from app.db.repositories.people import People
from app.db.schema import migrate
from app.db.unit_of_work import Database
from tests.factories import Gateway, read_database

ENGINES = ("sqlite",)
TABLES = ("users", "roles", "teams", "contracts")


@pytest.fixture
async def path(world: Gateway) -> Path:
    """A database in which each kind has names with more than ASCII and without, and somebody has had two."""
    await world.create_user("Žofie", displayName="Žofie Malá")
    await world.mutate("updateUser", {"user": {"userName": "Žofie"}, "displayName": "Žofie Velká"})
    await world.create_user("bob", email="bób@example.com")
    await world.mutate("createTeam", {"key": "dusk", "displayName": "Nächte"})
    await world.mutate("createRole", {"key": "watcher", "displayName": "Wächter"})
    return Path(world.path)


def forget(path: Path) -> None:
    """Leaves the names as a version that folds nothing has written them."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in TABLES:
            connection.execute(f"UPDATE {table} SET folded = NULL")
        connection.execute("UPDATE users SET folded_user_name = NULL")


async def find(database: Database, name: str) -> list[str]:
    async with database.reading() as unit:
        return [user.user_name for user in await People(unit.reader).find_named(name)]


@pytest.mark.parametrize("at_once", [1, 1000])
async def test_what_was_left_out_is_filled_in_by_the_next_start(
    path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(folding, "AT_ONCE", at_once)
    before = read_database(path)
    forget(path)
    database = Database(f"sqlite+aiosqlite:///{path}")
    assert await find(database, "žOFIE") == []

    await migrate(database)  # as every process does that begins to serve

    assert await find(database, "žOFIE") == ["Žofie"]
    assert read_database(path) == before
    assert await fill_folded(database) == 0
    await database.close()


async def test_it_is_said_of_how_many(path: Path) -> None:
    forget(path)
    database = Database(f"sqlite+aiosqlite:///{path}")

    assert await fill_folded(database) == 5  # two versions of one person among them
    await database.close()
