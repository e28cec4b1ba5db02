"""What of PostgreSQL is used, and nothing else: docs/scale.md says which engine that speaks its protocol lacks what."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

import app
from app.db.schema import migrate
from app.db.unit_of_work import Database
from tests.factories import Clock, Template, open_gateway, stock
from tests.postgres.stores import Store
from tests.synced import SOURCE, olga, sync, write_feed

USED = {  # each is on the page, with who lacks it
    "advisory locks": r"pg_advisory",
    "notices": r"pg_notify|\bLISTEN\b",
    "constraints that are looked at by the commit": r"\bDEFERRABLE\b",
    "sequences": r"\b(BIG)?SERIAL\b",
    "collations of columns": r'COLLATE "C"',
    "partial indexes": r"CREATE (UNIQUE )?INDEX .* WHERE",
    "changing the type of a column": r"ALTER COLUMN .* TYPE",
    "string_agg": r"\bstring_agg\(",
    "json aggregates": r"\bjson_(agg|build_array)\(",
}
UNUSED = {
    "temporary tables": r"\bTEMP(ORARY)?\b",
    "triggers": r"\bTRIGGER\b",
    "functions and procedures": r"CREATE (OR REPLACE )?(FUNCTION|PROCEDURE)|\bDO \$",
    "rules": r"CREATE (OR REPLACE )?RULE",
    "extensions": r"CREATE EXTENSION",
    "views": r"CREATE (OR REPLACE )?(MATERIALIZED )?VIEW",
    "inheritance": r"\bINHERITS\b",
    "table locks": r"\bLOCK TABLE\b",
    "row locks": r"\bFOR (NO KEY )?(UPDATE|SHARE)\b",
    "savepoints": r"\bSAVEPOINT\b",
    "two-phase commit": r"PREPARE TRANSACTION",
    "cursors": r"\bDECLARE\b.*\bCURSOR\b",
    "recursive statements": r"WITH RECURSIVE",
    "merge": r"\bMERGE INTO\b",
    "system columns": r"\b(ctid|xmin)\b",
    "sampling": r"\bTABLESAMPLE\b",
    "exclusion constraints": r"\bEXCLUDE USING\b",
    "full-text search": r"\bto_tsvector\b",
}  # fmt: skip


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """Every statement that is sent by anybody meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


def raw_statements() -> Iterator[str]:
    """The sources that hold SQL as text, in case none of it is sent here."""
    for path in (Path(app.__file__).parent / "db").rglob("*.py"):
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", path.read_text("utf-8"))
        yield from re.findall(r'"((?:SELECT|GRANT|REVOKE|UPDATE|INSERT|DELETE|CREATE|ALTER|SET|PRAGMA)\b[^"]*)"', code)


async def test_only_these_features_are_used(
    template: Template, tmp_path: Path, sent: list[str], shared_schema: None
) -> None:
    assert isinstance(template.path, Store)
    store = Store(template.path.server, template.path.direct, f"{template.path.name}_portable").create()
    database = Database(store.address)
    await migrate(database)
    await database.close()
    store.drop()
    await use_everything(template, tmp_path)

    statements = [*sent, *raw_statements()]
    assert len(set(statements)) > 150
    for name, pattern in UNUSED.items():
        found = [one for one in statements if re.search(pattern, one)]
        assert not found, f"{name}: {found[0]}"
    for name, pattern in USED.items():
        assert any(re.search(pattern, one) for one in statements), f"{name} are used no more: take them off the page"


async def use_everything(template: Template, tmp_path: Path) -> None:
    """A small contact centre is set up, synced, listed and looked at."""
    async with open_gateway(template, tmp_path / "x", Clock()) as gateway:
        await stock(gateway)
        await gateway.services.index.start()
        caller = olga(gateway.owner)
        assert not (await sync(gateway.services, caller, write_feed([{"externalId": "e", "userName": "eve"}]))).errors
        async with gateway.services.database.reading(gateway.services.catalog) as unit:
            await unit.sync.read_standing(SOURCE)  # as for a long feed
        await gateway.gql("""{
          users(first: 5, filter: {search: "a"}) { totalCount edges { node { grants { id } roles { id } } } }
          roles(first: 5) { totalCount edges { node { members(first: 5) { totalCount edges { node { id } } } } } }
          auditLog(first: 5) { totalCount edges { node { id } } } verifyAudit { ok }
          syncSources { source drift }
        }""")
