"""Whether the store beneath can be worked with, and if not, why."""

import asyncio
from dataclasses import dataclass

from app.db.disks import find_free_bytes
from app.db.schema import read_state_of
from app.services.context import Services

MIN_FREE = 64 << 20  # bytes: what a sync of a night writes; with less the next one fails in the middle


@dataclass(frozen=True, slots=True)
class Health:
    """The latest revision, and what stands in the way of serving from it, told without anything internal."""

    revision: int
    problem: str | None = None


async def check_health(services: Services) -> Health:
    """Asks the database. Whatever it raises, it does not answer.

    A schema newer than ours is no problem: while a new version takes over, the old one serves on beside it.
    """
    async with services.reading() as reading:
        revision = reading.revision
        state = await read_state_of(reading.unit)
    if services.database.stopped is not None:
        return Health(revision, "writes are stopped: a commit is undecided")
    if services.database.is_damaged:
        return Health(revision, "the database is damaged")
    if state in {"empty", "old"}:
        return Health(revision, f"the schema of the database is {state}")
    free = await asyncio.to_thread(find_free_bytes, services.database)
    if free is not None and free < MIN_FREE:
        return Health(revision, "the disk is full")
    return Health(revision)
