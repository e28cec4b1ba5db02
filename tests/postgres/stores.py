"""Databases of a server in the place of files: what tests do with a file of SQLite, they do with these."""

import asyncio
import re
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from tests.postgres.server import Server

T = TypeVar("T")
_MADE_UP = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}|\b[0-9a-f]{64}\b")  # ids and hashes: another each time
SAVED = "saved"  # the schema with what a template had when it was saved
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
SEQUENCES = """SELECT s.relname AS sequence, t.relname AS name, a.attname AS number FROM pg_class s
  JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a' JOIN pg_class t ON t.oid = d.refobjid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
  WHERE s.relkind = 'S' AND t.relnamespace = 'public'::regnamespace"""
RESTORE = f"""DO $$ DECLARE name text; one record; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{SAVED}' LOOP
    EXECUTE format('DELETE FROM public.%I', name);
    EXECUTE format('INSERT INTO public.%I SELECT * FROM {SAVED}.%I', name, name);
  END LOOP;
  FOR one IN {SEQUENCES} LOOP
    EXECUTE format('SELECT setval(%L, coalesce(max(%I), 0) + 1, false) FROM %I', one.sequence, one.number, one.name);
  END LOOP;
END $$"""


class Direct:
    """Connections past the program, for tests that are in the middle of an event loop of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connections: dict[str, asyncpg.Connection] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work on the loop of these connections."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def connect(self, address: str) -> asyncpg.Connection:
        """The connection to a database, made when it is first asked for."""
        kept = self._connections.get(address)
        if kept is None or kept.is_closed():
            self._connections[address] = kept = await asyncpg.connect(address.replace("+asyncpg", ""), timeout=10)
        return kept

    async def drop(self, address: str) -> None:
        """Ends the connection to a database, if there is one."""
        if (kept := self._connections.pop(address, None)) is not None:
            await kept.close()

    def close(self) -> None:
        """Ends all of them."""
        for address in list(self._connections):
            self.run(self.drop(address))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class Store:
    """A database of the test server."""

    server: Server
    direct: Direct
    name: str

    @property
    def address(self) -> str:
        return self.server.address(self.name)

    def execute(self, statement: str) -> None:
        """Does something past the program."""

        async def do() -> None:
            await (await self.direct.connect(self.address)).execute(statement)

        self.direct.run(do())

    def select(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, parameters written as for SQLite: `?`, or `?1`."""
        numbers = iter(range(1, len(parameters) + 1))
        translated = re.sub(r"\?(\d*)", lambda match: f"${match[1] or next(numbers)}", statement)

        async def do() -> list[tuple[Any, ...]]:
            rows = await (await self.direct.connect(self.address)).fetch(translated, *parameters)
            return [tuple(row) for row in rows]

        return self.direct.run(do())

    def dump(self) -> str:
        """Everything in it, a line a row, in an order that ids made up at random have no part in."""
        lines: list[str] = []
        for (table,) in self.select(TABLES):
            rows = [f'INSERT INTO "{table}" {row}' for (row,) in self.select(f'SELECT t::text FROM "{table}" t')]
            lines += sorted(rows, key=lambda line: (_MADE_UP.sub("#", line), line))
        return "\n".join(lines)

    def create(self, template: str | None = None) -> "Store":
        """Makes the database, empty or as another is: to that nobody may be connected."""

        async def do() -> None:
            connection = await self.direct.connect(self.server.address("postgres"))
            of = "" if template is None else f'TEMPLATE "{template}"'
            await connection.execute(f'CREATE DATABASE "{self.name}" {of}')

        if template is not None:
            self.direct.run(self.direct.drop(self.server.address(template)))
        self.direct.run(do())
        return self

    def drop(self) -> None:
        """Takes the database away, whoever is connected to it."""

        async def do() -> None:
            await self.direct.drop(self.address)
            connection = await self.direct.connect(self.server.address("postgres"))
            await connection.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

        self.direct.run(do())

    def save(self) -> None:
        """Keeps what is in it now, for `restore`."""
        copies = [f'CREATE TABLE {SAVED}."{table}" AS TABLE public."{table}"' for (table,) in self.select(TABLES)]
        self.execute(f"DROP SCHEMA IF EXISTS {SAVED} CASCADE; CREATE SCHEMA {SAVED}; " + "; ".join(copies))

    def clear(self) -> None:
        """Leaves nothing but tables."""
        self.execute(f"TRUNCATE {', '.join(table for (table,) in self.select(TABLES))}")

    def restore(self) -> None:
        """Makes it what it was when it was saved: in a few milliseconds, where a copy takes a hundred."""
        self.execute(RESTORE)
