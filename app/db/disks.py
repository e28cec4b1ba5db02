"""How much room there is where the database is."""

import shutil
from pathlib import Path

from app.db.unit_of_work import Database


def find_free_bytes(database: Database) -> int | None:
    """Bytes that are free on the disk of the database's file; None where it is not a file of this machine."""
    url = database.engine.url
    if url.get_backend_name() != "sqlite":
        return None
    return shutil.disk_usage(Path(url.database or "").absolute().parent).free
