"""Runs migrations over a connection that the caller has opened, in the caller's transaction."""

from alembic import context
from sqlmodel import SQLModel

from app.db import tables

assert tables.UserRow.metadata is SQLModel.metadata, "importing the tables is what fills the metadata"
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
    transactional_ddl=True,
)
context.run_migrations()
