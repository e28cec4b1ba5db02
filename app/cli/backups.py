"""`permgate backup` and `permgate restore`: a copy while the gateway serves, and a database made of one."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import click

from app.cli.running import Failed
from app.db.backups import making_copy
from app.db.faults import DatabaseFault
from app.db.schema import read_schema_state
from app.db.unit_of_work import Database
from app.domain.verification import Verification
from app.services.audit import verify_chain
from app.settings import Settings, read_settings

SQLITE = "sqlite+aiosqlite:///"
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Copy the database to FILE while it is served from, and verify the copy: its pages, references and audit log.

    Nothing is overwritten. Of PostgreSQL a backup is made by its own means; docs/operations.md shows how.
    """
    settings = read_settings(os.environ)
    _copy(settings, _find_file(settings), file)
    size = file.stat().st_size
    click.echo(f"{file}: {size} bytes")


@click.command()
@click.argument("file", type=_FILE)
def restore(file: Path) -> None:
    """Make the database of PERMGATE_DATABASE_URL of a backup. It must not be there: move it away, and what lies beside.

    What was committed after the backup is gone. Clients that have seen more are told REVISION_NOT_REACHED until as much
    has been committed anew: have them forget the revisions they hold.
    """
    settings = read_settings(os.environ)
    target = _find_file(settings)
    _copy(settings, file, target)
    click.echo(f"{target}: made of {file}")


def _find_file(settings: Settings) -> Path:
    if not settings.database_url.startswith(SQLITE):
        raise DatabaseFault(
            "the database is no SQLite file: use `pg_dump` and `pg_restore`, as docs/operations.md shows"
        )
    return Path(settings.database_url.removeprefix(SQLITE))


def _copy(settings: Settings, source: Path, target: Path) -> None:
    with making_copy(source, target) as partial:
        found = asyncio.run(_verify(replace(settings, database_url=f"{SQLITE}{partial.absolute()}")))
        if found is None:
            click.echo("the schema is of another version: the audit log was not verified", err=True)
        elif found.bad is not None:
            raise Failed(f"the audit log of `{source}` is not sound: revision {found.bad}: {found.problem}")
        else:
            click.echo(f"the log is sound: {found.revision} entries, head {found.hash}")


async def _verify(settings: Settings) -> Verification | None:
    """What the audit log of a copy is worth; None for one whose schema is of another version."""
    database = Database(settings.database_url)
    try:
        if await read_schema_state(database) != "current":
            return None
        async with database.reading() as unit:
            return await verify_chain(unit)
    finally:
        await database.close()
