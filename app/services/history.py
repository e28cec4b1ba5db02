"""Asking about the past: what was known at a revision, by the rows and the catalog of then (SEMANTICS section 9).

Only what is answered comes from the past. Whether the caller may see it is decided by what they hold today, of people
as they stand today: a right that was revoked does not come back by asking about the time when it was held.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from app.catalogs.catalog_files import restore_catalog
from app.db.unit_of_work import ReadingUnit
from app.domain.audit import Mark
from app.domain.compiled import Program, compile_catalog
from app.domain.errors import InvalidValue, Refused, TooMany
from app.services.context import Reading, Services

MAX_PASTS = 50  # moments in one document: each is a directory to read and to hold until the answer is written


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was known at a revision, or at a time: at the last revision committed by then. Exactly one of the two."""

    revision: int | None = None
    time: datetime | None = None


async def read_past(reading: Reading, as_of: AsOf | None) -> Reading:
    """The reading of what was known then; its moment is that of the commit. Raises `Refused`, naming the field.

    It reads from the snapshot of the reading it is asked of, and ends with it.
    """
    if as_of is None:
        return reading
    present = reading.present
    async with present.remembering:
        revision = await _find_revision(present, as_of)
        if revision not in present.pasts:
            if len(present.pasts) == MAX_PASTS:
                raise Refused([TooMany(f"more than {MAX_PASTS} moments at once: ask again", path=("asOf",))])
            present.pasts[revision] = await _open(present, revision)
        return present.pasts[revision]


async def _find_revision(present: Reading, as_of: AsOf) -> int:
    if as_of.revision is not None:
        if not 1 <= as_of.revision <= present.revision:
            raise _refuse_revision(present, as_of.revision)
        return as_of.revision
    assert as_of.time is not None
    if as_of.time > present.now:
        raise _refuse_time("what will be known then is not known yet", "a time that is not to come")
    revision = await present.unit.audit.find_revision_at(as_of.time)
    if revision == 0:
        raise _refuse_time("nothing was known then: the log begins later", "a time since the first audit entry")
    return revision


async def _open(present: Reading, revision: int) -> Reading:
    entries = await present.unit.audit.find([revision])
    program = await _find_program(present.services, present.unit.as_known_at(revision))
    if not entries or program is None:
        raise _refuse_revision(present, revision)
    return Reading(
        present.services, present.unit.as_known_at(revision, program.catalog), revision=revision,
        mark=Mark(revision, entries[0].hash), caller=present.caller, present=present, program=program,
        now=entries[0].at,
    )  # fmt: skip


async def _find_program(services: Services, unit: ReadingUnit) -> Program | None:
    """The catalog that was in force then, compiled; None before the first."""
    found = await unit.catalogs.find_current_digest()
    if found is None:
        return None
    _, digest = found
    if digest == services.catalog.digest:
        return services.program
    program = services.past.programs.find(digest)
    if program is None:
        stored = await unit.catalogs.find_current()
        assert stored is not None
        program = await asyncio.to_thread(lambda: compile_catalog(restore_catalog(stored.data)))
        services.past.programs.keep(digest, program)
    return program


def _refuse_revision(present: Reading, revision: int) -> Refused:
    expected = f"a revision from `1` to `{present.revision}`"
    error = InvalidValue(f"there is no revision `{revision}`", path=("asOf", "revision"), expected=expected)
    return Refused([error])


def _refuse_time(message: str, expected: str) -> Refused:
    return Refused([InvalidValue(message, path=("asOf", "time"), expected=expected)])
