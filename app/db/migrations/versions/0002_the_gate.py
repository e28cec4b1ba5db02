"""What the gate needs: the scope of audit entries, the security log, idempotency keys."""

import sqlalchemy as sa
from alembic import op

from app.db.tables import RowNumber, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("scope", sa.String(), nullable=True))
        batch_op.create_index("audit_by_scope", ["scope", "revision"], unique=False)
    op.create_table(
        "security_events",
        sa.Column("number", RowNumber, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("refusals", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("security_events", schema=None) as batch_op:
        batch_op.create_index("security_events_by_time", ["at"], unique=False)
        batch_op.create_index("security_events_of", ["actor_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key"),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index("idempotency_by_time", ["at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index("idempotency_by_time")
    op.drop_table("idempotency_keys")
    with op.batch_alter_table("security_events", schema=None) as batch_op:
        batch_op.drop_index("security_events_of")
        batch_op.drop_index("security_events_by_time")
    op.drop_table("security_events")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index("audit_by_scope")
        batch_op.drop_column("scope")
