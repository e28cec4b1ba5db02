"""What the role may do under which the gateway runs, where that is another than the one that owns the schema.

It adds; of what has a history it says when it ended, and nothing else; it cannot change or take away a line of the
audit log, nor any table. `permgate migrate` grants this with every migration.
"""

from collections.abc import Mapping

from sqlalchemy import Connection
from sqlmodel import SQLModel

from app.db import tables
from app.db.faults import DatabaseFault

ENDED = "ended_revision"
READS, ADDS = ("SELECT",), ("SELECT", "INSERT")
HAS_HISTORY = (*ADDS, f"UPDATE ({ENDED})")
OF_TABLES: Mapping[type[SQLModel], tuple[str, ...]] = {
    tables.IdentityRow: ADDS,
    tables.AuditEntryRow: ADDS,
    tables.AuditPartRow: ADDS,
    tables.AuditSubjectRow: ADDS,
    tables.CatalogRow: ADDS,
    tables.SettingRow: ADDS,
    tables.UserRow: HAS_HISTORY,
    tables.RoleRow: HAS_HISTORY,
    tables.TeamRow: HAS_HISTORY,
    tables.ContractRow: HAS_HISTORY,
    tables.GrantRow: HAS_HISTORY,
    tables.LimitRow: HAS_HISTORY,
    tables.AssignmentRow: HAS_HISTORY,
    tables.MembershipRow: HAS_HISTORY,
    tables.AccessRow: HAS_HISTORY,
    tables.SubscriberLinkRow: HAS_HISTORY,
    tables.StoredFactRow: HAS_HISTORY,
    tables.TokenRow: (*ADDS, "UPDATE (last_used_at, revoked_at)"),
    tables.SecurityEventRow: ADDS,
    tables.IdempotencyRow: (*ADDS, "DELETE"),  # keys are kept for a week
    tables.SyncRunRow: (*ADDS, "UPDATE (status, revision, applied_at, applied_by, reason, brake)"),
    tables.SyncItemsRow: ADDS,
    tables.SyncFeedRow: (*ADDS, "DELETE"),  # feeds are kept for as long as they may be applied
}


def grant(connection: Connection, role: str) -> None:
    """Gives a role what the gateway needs, and takes from it whatever else it had. Raises `DatabaseFault`."""
    if not connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = $1", (role,)).first():
        raise DatabaseFault(f"there is no role `{role}` (PERMGATE_DATABASE_ROLE): create it, with LOGIN and a password")
    quote = connection.dialect.identifier_preparer.quote_identifier
    schema = quote(str(connection.exec_driver_sql("SELECT current_schema()").scalar()))
    to = quote(role)
    statements = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {to}",
        f"GRANT USAGE ON SCHEMA {schema} TO {to}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {to}",
        f"GRANT SELECT ON {schema}.alembic_version TO {to}",
        *(
            f"GRANT {', '.join(rights)} ON {schema}.{quote(str(row.__tablename__))} TO {to}"
            for row, rights in OF_TABLES.items()
        ),
    ]
    for statement in statements:
        connection.exec_driver_sql(statement)
