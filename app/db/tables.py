"""The tables. Every fact that affects rights is a row with the revision that created it and the one that ended it.

Entities (users, roles, teams, contracts) have a row a version, all with the id of the entity; other rows have one id
each. `identities` holds every id ever given, so that none is given twice and references cannot dangle. Live rows are
those with no `ended_revision`; natural keys are unique among them.

`folded` of an entity is what its names are folded to for searching, a line each, of those that are not ASCII alone:
folding is more than any database does by itself, and not the same in any two. With ASCII their own `lower` will do.

Text is compared and sorted by code point: SQLite does so by itself, in PostgreSQL every column says `COLLATE "C"`.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times in, aware UTC times out, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


RowNumber = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself in an INTEGER key alone


def table_of(row: type[SQLModel]) -> Table:
    """The table of a row class, for statements that give plain rows."""
    return SQLModel.metadata.tables[str(row.__tablename__)]


class IdentityRow(SQLModel, table=True):
    """An id, once given, for ever."""

    __tablename__ = "identities"
    id: str = Field(primary_key=True)


class AuditEntryRow(SQLModel, table=True):
    """One committed change set; its primary key is the revision."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("audit_by_time", "at", "revision"),  # each ends with the order in which entries are listed
        Index("audit_by_actor", "actor", "revision"),
        Index("audit_by_actor_id", "actor_id", "revision"),
        Index("audit_by_action", "action", "revision"),
        Index("audit_by_scope", "scope", "revision"),
    )
    revision: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    actor_id: str | None = None
    source: str
    action: str
    reason: str | None = None
    subjects: str = Field(sa_type=Text)  # JSON list of ids; empty where the changes are in parts
    changes: str = Field(sa_type=Text)  # JSON list of change records; empty where they are in parts
    changes_total: int | None = Field(default=None, sa_type=BigInteger)  # how many there are in parts
    parts_digest: str | None = None  # over the hashes of the parts; NULL where there are none
    scope: str | None = None  # the contract that each of the changes is scoped to; NULL where there is no such one
    previous_hash: str
    hash: str


class AuditPartRow(SQLModel, table=True):
    """A part of the changes of an entry that has too many for a row of its own.

    Parts are written before their entry, which holds their digest: the reference is looked at when it is committed.
    """

    __tablename__ = "audit_parts"
    __table_args__ = (
        ForeignKeyConstraint(["revision"], ["audit_entries.revision"], deferrable=True, initially="DEFERRED"),
    )
    revision: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    changes: str = Field(sa_type=Text)  # JSON list of change records
    hash: str  # SHA-256 of the text of the changes


class AuditSubjectRow(SQLModel, table=True):
    """What an audit entry is about, for finding entries by it."""

    __tablename__ = "audit_subjects"
    __table_args__ = (Index("subjects_of_entry", "revision"),)
    subject: str = Field(primary_key=True)
    revision: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="audit_entries.revision")


class CatalogRow(SQLModel, table=True):
    """A catalog that was loaded from one revision on; the latest is in force."""

    __tablename__ = "catalogs"
    created_revision: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="audit_entries.revision")
    digest: str
    data: str = Field(sa_type=Text)  # JSON list of the files' data


class SettingRow(SQLModel, table=True):
    """What the database says of itself: its epoch and the key that signs cursors."""

    __tablename__ = "settings"
    name: str = Field(primary_key=True)
    value: str


class VersionedRow(SQLModel):
    """Columns of everything that has a history."""

    created_revision: int = Field(sa_type=BigInteger, foreign_key="audit_entries.revision")
    ended_revision: int | None = Field(default=None, sa_type=BigInteger, foreign_key="audit_entries.revision")


def live(name: str, *columns: str, unique: bool = True) -> Index:
    """An index of live rows alone."""
    condition = text("ended_revision IS NULL")
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class UserRow(VersionedRow, table=True):
    """A version of a user."""

    __tablename__ = "users"
    __table_args__ = (
        live("live_users", "id"),
        live("live_user_names", "user_name"),
        live("live_external_ids", "external_id"),
        live("live_owners", "is_owner", "status", unique=False),
        Index("user_versions", "id", "created_revision"),
    )
    row_id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(foreign_key="identities.id")
    user_name: str
    display_name: str
    email: str | None = None
    external_id: str | None = None
    kind: str
    status: str
    is_owner: bool
    source: str
    ceiling: str | None = Field(default=None, sa_type=Text)  # JSON, of service accounts alone
    folded: str | None = Field(default=None, sa_type=Text)
    folded_user_name: str | None = None  # as `folded`, of this name alone, for finding somebody by it in any case


class RoleRow(VersionedRow, table=True):
    """A version of a role. `parents` is a JSON list of ids."""

    __tablename__ = "roles"
    __table_args__ = (live("live_roles", "id"), live("live_role_keys", "key"))
    row_id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(foreign_key="identities.id")
    key: str
    display_name: str
    description: str | None = None
    parents: str = Field(sa_type=Text)
    archived: bool
    source: str
    folded: str | None = Field(default=None, sa_type=Text)


class TeamRow(VersionedRow, table=True):
    """A version of a team."""

    __tablename__ = "teams"
    __table_args__ = (live("live_teams", "id"), live("live_team_keys", "key"))
    row_id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(foreign_key="identities.id")
    key: str
    display_name: str
    kind: str
    parent: str | None = Field(default=None, foreign_key="identities.id")
    archived: bool
    source: str
    folded: str | None = Field(default=None, sa_type=Text)


class ContractRow(VersionedRow, table=True):
    """A version of a contract. `products` is a JSON list of keys."""

    __tablename__ = "contracts"
    __table_args__ = (live("live_contracts", "id"), live("live_contract_numbers", "number"))
    row_id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(foreign_key="identities.id")
    number: str
    name: str
    owner: str = Field(foreign_key="identities.id")
    status: str
    products: str = Field(sa_type=Text)
    folded: str | None = Field(default=None, sa_type=Text)


class HeldRow(VersionedRow):
    """Columns of every row that hangs on a holder.

    `place` is that among the rows of its kind and revision, so that rows can be read in the order in which they came.
    """

    id: str = Field(primary_key=True)
    place: int | None = Field(default=None, sa_type=BigInteger)
    contract: str | None = Field(default=None, foreign_key="identities.id")
    valid_from: datetime | None = Field(default=None, sa_type=UtcDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    source: str
    reason: str | None = None
    actor: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class GrantRow(HeldRow, table=True):
    """A grant."""

    __tablename__ = "grants"
    __table_args__ = (Index("grants_of", "holder"), live("live_grants_by_node", "node", unique=False))
    holder: str = Field(foreign_key="identities.id")
    node: str
    value: str


class LimitRow(HeldRow, table=True):
    """A limit."""

    __tablename__ = "limits"
    __table_args__ = (Index("limits_of", "holder"),)
    holder: str = Field(foreign_key="identities.id")
    node: str
    value: str


class AssignmentRow(HeldRow, table=True):
    """A role of a user or a team."""

    __tablename__ = "assignments"
    __table_args__ = (Index("assignments_of", "holder"), live("live_assignments_by_role", "role", unique=False))
    holder: str = Field(foreign_key="identities.id")
    role: str = Field(foreign_key="identities.id")


class MembershipRow(HeldRow, table=True):
    """A user in a team."""

    __tablename__ = "memberships"
    __table_args__ = (Index("memberships_of", "user"), live("live_memberships_by_team", "team", unique=False))
    user: str = Field(foreign_key="identities.id")
    team: str = Field(foreign_key="identities.id")
    supervisor: bool


class AccessRow(HeldRow, table=True):
    """An access level."""

    __tablename__ = "access_levels"
    __table_args__ = (Index("access_of", "user"), live("live_access_by_contract", "contract", unique=False))
    user: str = Field(foreign_key="identities.id")
    product: str
    level: str


class SubscriberLinkRow(HeldRow, table=True):
    """A link to a subscriber; a person has one in a contract."""

    __tablename__ = "subscriber_links"
    __table_args__ = (Index("links_of", "user"), live("live_links", "contract", "user"))
    user: str = Field(foreign_key="identities.id")
    subscriber: str


class StoredFactRow(HeldRow, table=True):
    """A stored fact; exactly one text of a name for each contract, user, or both."""

    __tablename__ = "facts"
    __table_args__ = (Index("facts_of_user", "user"), Index("facts_of_contract", "contract"))
    user: str | None = Field(default=None, foreign_key="identities.id")
    name: str
    text: str


class TokenRow(SQLModel, table=True):
    """A gateway token; of its secret the SHA-256 alone."""

    __tablename__ = "tokens"
    __table_args__ = (Index("tokens_of", "user"),)
    id: str = Field(primary_key=True, foreign_key="identities.id")
    user: str = Field(foreign_key="identities.id")
    label: str
    prefix: str
    digest: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SecurityEventRow(SQLModel, table=True):
    """A refused attempt to raise rights. No part of the audit chain: nothing was changed."""

    __tablename__ = "security_events"
    __table_args__ = (Index("security_events_by_time", "at"), Index("security_events_of", "actor_id"))
    number: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    actor_id: str
    token: str | None = None
    action: str
    refusals: str = Field(sa_type=Text)  # JSON list of codes and messages


class IdempotencyRow(SQLModel, table=True):
    """The first answer that a caller's idempotency key was given, written in the transaction of the change."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_by_time", "at"),)
    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    action: str
    fingerprint: str  # SHA-256 of the canonical text of the input
    answer: str = Field(sa_type=Text)  # JSON
    at: datetime = Field(sa_type=UtcDateTime)


class SyncRunRow(SQLModel, table=True):
    """A plan of a sync source and what became of it."""

    __tablename__ = "sync_runs"
    __table_args__ = (Index("sync_runs_of", "source", "number"),)
    number: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(unique=True)
    source: str
    status: str
    mode: str
    take_over: bool
    max_removals: int | None = None
    base_revision: int = Field(sa_type=BigInteger)
    revision: int | None = Field(default=None, sa_type=BigInteger)
    fingerprint: str
    differences: str  # digest of what the feed and the database differ in, whatever the rules say of it
    catalog: str  # digest of the catalog that the plan was made by
    counts: str = Field(sa_type=Text)  # JSON
    brake: str = Field(sa_type=Text)  # JSON list of alarms
    refusals: str = Field(sa_type=Text)  # JSON list of the errors that concern the plan as a whole
    warnings: str | None = Field(default=None, sa_type=Text)  # JSON list of what looks like a fault
    format: str  # of the feed
    planned_at: datetime = Field(sa_type=UtcDateTime)
    planned_by: str
    applied_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    applied_by: str | None = None
    reason: str | None = None


class SyncItemsRow(SQLModel, table=True):
    """A block of the items of a plan: compressed JSON, so that a page costs a block or two."""

    __tablename__ = "sync_items"
    run: str = Field(primary_key=True, foreign_key="sync_runs.id")
    block: int = Field(primary_key=True)
    counts: str  # JSON: how many items of each action
    content: bytes = Field(sa_type=LargeBinary)


class SyncFeedRow(SQLModel, table=True):
    """A part of the feed that a plan was made of, as it came, compressed: it is compared again when it is applied."""

    __tablename__ = "sync_feeds"
    run: str = Field(primary_key=True, foreign_key="sync_runs.id")
    part: int = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)
