"""A migration that is only rehearsed: what it would do, and that it can be done to what is there.

SQLite: it is done to a copy, and who serves is not held up. PostgreSQL: it is done and taken back; who writes waits.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from app.db.backups import making_copy
from app.db.schema import migrate
from app.db.unit_of_work import Database

CHANGING = frozenset({"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "GRANT", "REVOKE", "COMMENT"})


async def rehearse_migration(database: Database, *, role: str | None = None) -> list[str]:
    """The statements that would change the database, without the values in them. Raises `DatabaseFault`."""
    statements: list[str] = []
    if database.is_postgresql:
        with _noting(Engine, statements):
            await migrate(database, role=role, keep=False)
        return statements
    with tempfile.TemporaryDirectory(prefix="permgate-rehearsal-") as folder:
        source, target = Path(database.engine.url.database or ""), Path(folder) / "copy.db"
        if await asyncio.to_thread(source.is_file):
            await asyncio.to_thread(_copy, source, target)
        copy = Database(f"sqlite+aiosqlite:///{target}")
        try:
            with _noting(copy.engine.sync_engine, statements):
                await migrate(copy)
        finally:
            await copy.close()
    return statements


def _copy(source: Path, target: Path) -> None:
    with making_copy(source, target):
        return


@contextmanager
def _noting(engine: Any, statements: list[str]) -> Iterator[None]:
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split(None, 1)
        if words and words[0].upper() in CHANGING:
            statements.append(statement.strip())

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)
