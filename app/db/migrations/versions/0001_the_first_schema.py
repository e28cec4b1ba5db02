"""The first schema."""

import sqlalchemy as sa
from alembic import op

from app.db.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index("audit_by_action", ["action"], unique=False)
        batch_op.create_index("audit_by_actor", ["actor"], unique=False)
        batch_op.create_index("audit_by_time", ["at"], unique=False)

    op.create_table("identities", sa.Column("id", sa.String(), nullable=False), sa.PrimaryKeyConstraint("id"))
    op.create_table(
        "settings",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "access_levels",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["user"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("access_levels", schema=None) as batch_op:
        batch_op.create_index("access_of", ["user"], unique=False)
        batch_op.create_index(
            "live_access_by_contract",
            ["contract"],
            unique=False,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "assignments",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["holder"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["role"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("assignments", schema=None) as batch_op:
        batch_op.create_index("assignments_of", ["holder"], unique=False)
        batch_op.create_index(
            "live_assignments_by_role",
            ["role"],
            unique=False,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "audit_subjects",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision"],
            ["audit_entries.revision"],
        ),
        sa.PrimaryKeyConstraint("subject", "revision"),
    )
    op.create_table(
        "catalogs",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.PrimaryKeyConstraint("created_revision"),
    )
    op.create_table(
        "contracts",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("products", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["id"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["owner"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("row_id"),
    )
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.create_index(
            "live_contract_numbers",
            ["number"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index(
            "live_contracts",
            ["id"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "facts",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("user", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["user"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("facts", schema=None) as batch_op:
        batch_op.create_index("facts_of_contract", ["contract"], unique=False)
        batch_op.create_index("facts_of_user", ["user"], unique=False)

    op.create_table(
        "grants",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["holder"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index("grants_of", ["holder"], unique=False)
        batch_op.create_index(
            "live_grants_by_node",
            ["node"],
            unique=False,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "limits",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["holder"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("limits", schema=None) as batch_op:
        batch_op.create_index("limits_of", ["holder"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("supervisor", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["team"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index(
            "live_memberships_by_team",
            ["team"],
            unique=False,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index("memberships_of", ["user"], unique=False)

    op.create_table(
        "roles",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("parents", sa.Text(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["id"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("row_id"),
    )
    with op.batch_alter_table("roles", schema=None) as batch_op:
        batch_op.create_index(
            "live_role_keys",
            ["key"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index(
            "live_roles",
            ["id"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "subscriber_links",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("subscriber", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["user"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("subscriber_links", schema=None) as batch_op:
        batch_op.create_index("links_of", ["user"], unique=False)
        batch_op.create_index(
            "live_links",
            ["contract", "user"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "teams",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["id"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["parent"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("row_id"),
    )
    with op.batch_alter_table("teams", schema=None) as batch_op:
        batch_op.create_index(
            "live_team_keys",
            ["key"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index(
            "live_teams",
            ["id"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.create_table(
        "tokens",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["id"],
            ["identities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index("tokens_of", ["user"], unique=False)

    op.create_table(
        "users",
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("ended_revision", sa.BigInteger(), nullable=True),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("ceiling", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["ended_revision"],
            ["audit_entries.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["id"],
            ["identities.id"],
        ),
        sa.PrimaryKeyConstraint("row_id"),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(
            "live_external_ids",
            ["external_id"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index(
            "live_owners",
            ["is_owner", "status"],
            unique=False,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index(
            "live_user_names",
            ["user_name"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index(
            "live_users",
            ["id"],
            unique=True,
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.create_index("user_versions", ["id", "created_revision"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index("user_versions")
        batch_op.drop_index(
            "live_users",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index(
            "live_user_names",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index(
            "live_owners",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index(
            "live_external_ids",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.drop_table("users")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index("tokens_of")

    op.drop_table("tokens")
    with op.batch_alter_table("teams", schema=None) as batch_op:
        batch_op.drop_index(
            "live_teams",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index(
            "live_team_keys",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.drop_table("teams")
    with op.batch_alter_table("subscriber_links", schema=None) as batch_op:
        batch_op.drop_index(
            "live_links",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index("links_of")

    op.drop_table("subscriber_links")
    with op.batch_alter_table("roles", schema=None) as batch_op:
        batch_op.drop_index(
            "live_roles",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index(
            "live_role_keys",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.drop_table("roles")
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index("memberships_of")
        batch_op.drop_index(
            "live_memberships_by_team",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.drop_table("memberships")
    with op.batch_alter_table("limits", schema=None) as batch_op:
        batch_op.drop_index("limits_of")

    op.drop_table("limits")
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.drop_index(
            "live_grants_by_node",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index("grants_of")

    op.drop_table("grants")
    with op.batch_alter_table("facts", schema=None) as batch_op:
        batch_op.drop_index("facts_of_user")
        batch_op.drop_index("facts_of_contract")

    op.drop_table("facts")
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.drop_index(
            "live_contracts",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index(
            "live_contract_numbers",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )

    op.drop_table("contracts")
    op.drop_table("catalogs")
    op.drop_table("audit_subjects")
    with op.batch_alter_table("assignments", schema=None) as batch_op:
        batch_op.drop_index(
            "live_assignments_by_role",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index("assignments_of")

    op.drop_table("assignments")
    with op.batch_alter_table("access_levels", schema=None) as batch_op:
        batch_op.drop_index(
            "live_access_by_contract",
            sqlite_where=sa.text("ended_revision IS NULL"),
            postgresql_where=sa.text("ended_revision IS NULL"),
        )
        batch_op.drop_index("access_of")

    op.drop_table("access_levels")
    op.drop_table("settings")
    op.drop_table("identities")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index("audit_by_time")
        batch_op.drop_index("audit_by_actor")
        batch_op.drop_index("audit_by_action")

    op.drop_table("audit_entries")
