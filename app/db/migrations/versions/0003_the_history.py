"""What history needs: indexes by which entries are found in the order in which they are listed."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ORDERED = {"audit_by_time": "at", "audit_by_actor": "actor", "audit_by_action": "action"}


def upgrade() -> None:
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        for name, column in ORDERED.items():
            batch_op.drop_index(name)
            batch_op.create_index(name, [column, "revision"], unique=False)
        batch_op.create_index("audit_by_actor_id", ["actor_id", "revision"], unique=False)
    with op.batch_alter_table("audit_subjects", schema=None) as batch_op:
        batch_op.create_index("subjects_of_entry", ["revision"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("audit_subjects", schema=None) as batch_op:
        batch_op.drop_index("subjects_of_entry")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index("audit_by_actor_id")
        for name, column in ORDERED.items():
            batch_op.drop_index(name)
            batch_op.create_index(name, [column], unique=False)
