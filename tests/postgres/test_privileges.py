"""The role that the gateway runs as: it can do its work, and neither rewrite the log nor change a table."""

import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from sqlmodel import SQLModel

from app.db.faults import DatabaseFault
from app.db.privileges import OF_TABLES
from app.db.schema import migrate
from app.db.unit_of_work import Database
from app.main import create_app
from app.services.context import Services
from app.settings import Settings
from tests.factories import CURSOR_KEY, Clock, Gateway, Template, copy_template, each_of, holder, stock
from tests.postgres.stores import Store

ROLE = f"permgate_test_run_{os.getpid()}"  # roles are of a whole server, which others may use as well


@pytest.fixture
async def limited(template: Template, clock: Clock, shared_schema: None, tmp_path: Any) -> AsyncIterator[Gateway]:
    """The gateway under a role of its own, which was given its rights by `migrate`."""
    store = copy_template(template, tmp_path)
    assert isinstance(store, Store)
    store.execute(f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    owner = Database(store.address)
    await migrate(owner, role=ROLE)
    await owner.close()
    database = Database(store.server.address(store.name, ROLE))
    services = Services(database, template.program, cursor_key=CURSOR_KEY, clock=clock)
    transport = httpx.ASGITransport(app=create_app(services, Settings()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Gateway(services, client, store, clock, template.owner, template.token, dict(template.ids))
    await services.close()
    store.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


async def try_as_role(gateway: Gateway, statement: str) -> None:
    assert isinstance(gateway.path, Store)
    address = gateway.path.server.address(gateway.path.name, ROLE).replace("+asyncpg", "")
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@each_of(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'nobody'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "UPDATE audit_parts SET changes = '[]'",
        "DELETE FROM audit_parts",
        "UPDATE audit_subjects SET subject = 'x'",
        "DELETE FROM audit_subjects",
        "DELETE FROM identities",
        "DELETE FROM users",
        "UPDATE users SET is_owner = true",
        "UPDATE grants SET value = 'on'",
        "UPDATE tokens SET digest = 'x'",
        "UPDATE settings SET value = 'x'",
        "DELETE FROM security_events",
        "ALTER TABLE users ADD COLUMN x text",
        "DROP TABLE users",
        "CREATE TABLE x (y text)",
        "CREATE INDEX x ON users (email)",
        "CREATE FUNCTION x() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
        "UPDATE alembic_version SET version_num = 'x'",
    ],
)
async def test_what_it_may_not(limited: Gateway, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await try_as_role(limited, statement)


async def test_the_whole_gateway_works_under_it(limited: Gateway) -> None:
    """Every kind of write: rows that are made and ended, tokens, keys, refusals that are noted, a sync, catalogs."""
    gateway = limited
    await stock(gateway)
    ana = {"userName": "ana"}
    await gateway.mutate("updateUser", {"user": ana, "email": "ana@example.org", "idempotencyKey": "k"})
    await gateway.mutate("unassignRoles", {"holder": holder(user="ana"), "roles": [{"role": {"key": "agents"}}]})
    await gateway.mutate("archiveRole", {"role": {"key": "writers"}})
    await gateway.mutate("removeTeamMembers", {"team": {"key": "support"}, "users": [ana]})
    await gateway.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})
    await gateway.mutate("transferContract", {"contract": {"number": "C-1"}, "to": {"userName": "olga"}})
    token, secret = await gateway.issue_token("ana")
    assert (await gateway.gql("{ viewer { user { userName } } }", token=secret))["viewer"]["user"] == ana
    await gateway.mutate("revokeToken", {"id": token})
    refused = await gateway.send("setAccountOwner", {"user": {"userName": "olga"}, "isOwner": False})
    assert [error["code"] for error in refused["errors"]] == ["LAST_OWNER"]
    await gateway.services.uses.finish()
    verified = await gateway.gql("{ verifyAudit { ok } }")
    assert verified["verifyAudit"] == {"ok": True}


def test_every_table_is_spoken_of() -> None:
    assert {str(row.__tablename__) for row in OF_TABLES} == set(SQLModel.metadata.tables)


async def test_a_role_that_is_not_there_is_a_fault(template: Template, tmp_path: Any) -> None:
    store = copy_template(template, tmp_path)
    assert isinstance(store, Store)
    database = Database(store.address)

    with pytest.raises(DatabaseFault, match="there is no role `nobody_here`"):
        await migrate(database, role="nobody_here")

    await database.close()
