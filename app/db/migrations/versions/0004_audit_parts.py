"""What large entries of the audit log need: parts that hold their changes, and what the entries say of these."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("changes_total", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("parts_digest", sa.String(), nullable=True))
    op.create_table(
        "audit_parts",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["revision"], ["audit_entries.revision"], deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("revision", "number"),
    )


def downgrade() -> None:
    op.drop_table("audit_parts")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_column("parts_digest")
        batch_op.drop_column("changes_total")
