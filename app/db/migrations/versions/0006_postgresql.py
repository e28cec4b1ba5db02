"""What two databases need to answer alike: folded names, the order in which rows came, and that of code points."""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

from app.domain.names import fold_name

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FOLDED: dict[str, dict[str, tuple[str, ...]]] = {
    "users": {"folded": ("user_name", "display_name", "email"), "folded_user_name": ("user_name",)},
    "roles": {"folded": ("key", "display_name")},
    "teams": {"folded": ("key", "display_name")},
    "contracts": {"folded": ("number", "name")},
}
HELD = ("grants", "limits", "assignments", "memberships", "access_levels", "subscriber_links", "facts")
AT_ONCE = 1000


def upgrade() -> None:
    for table, columns in FOLDED.items():
        op.add_column(table, sa.Column("folded", sa.Text(), nullable=True))
        if "folded_user_name" in columns:
            op.add_column(table, sa.Column("folded_user_name", sa.String(), nullable=True))
    for table in HELD:
        op.add_column(table, sa.Column("place", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        _sort_by_code_point()  # there has been no version before this for PostgreSQL: nothing is there to be folded
        return
    for table, columns in FOLDED.items():
        _fold(table, columns)
    for table in HELD:
        op.execute(
            sa.table(table, sa.column("place")).update().values(place=sa.text("rowid"))
        )  # in which order rows came, SQLite has always known


def _sort_by_code_point() -> None:
    """Gives every text column the collation "C"."""
    inspector = sa.inspect(op.get_bind())
    for table in sorted(inspector.get_table_names()):
        texts = [column for column in inspector.get_columns(table) if isinstance(column["type"], sa.String)]
        for column in texts if table != "alembic_version" else ():
            kind = sa.Text(collation="C") if isinstance(column["type"], sa.Text) else sa.String(collation="C")
            op.alter_column(table, column["name"], type_=kind)


def _fold(name: str, columns: dict[str, tuple[str, ...]]) -> None:
    """Fills the new columns of the rows that have more than ASCII in a name: the database's length in bytes tells."""
    names = columns["folded"]
    table = sa.table(name, *map(sa.column, ("row_id", *names, *columns)))
    is_more = sa.or_(
        *(sa.func.length(sa.cast(table.c[one], sa.LargeBinary)) > sa.func.length(table.c[one]) for one in names)
    )
    wanted, last = sa.select(table).order_by(table.c.row_id).limit(AT_ONCE), 0
    while rows := op.get_bind().execute(wanted.where(is_more, table.c.row_id > last)).mappings().all():
        for row in rows:
            folded = {column: _fold_names(row[one] for one in of) for column, of in columns.items()}
            op.execute(table.update().where(table.c.row_id == row["row_id"]).values(**folded))
        last = rows[-1]["row_id"]


def _fold_names(names: Iterable[str | None]) -> str | None:
    return "\n".join(fold_name(name) for name in names if name is not None and not name.isascii()) or None


def downgrade() -> None:
    for table in HELD:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("place")
    for table, columns in FOLDED.items():
        for column in reversed(list(columns)):
            with op.batch_alter_table(table, schema=None) as batch_op:
                batch_op.drop_column(column)
