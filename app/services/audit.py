"""The audit log."""

from collections.abc import Sequence

from app.domain.audit import AuditEntry
from app.domain.filters import AuditFilter
from app.domain.paging import Page, Slice
from app.services.context import Reading


async def find_entries(reading: Reading, revisions: Sequence[int]) -> Sequence[AuditEntry]:
    """The entries of revisions."""
    return await reading.unit.audit.find(list(revisions))


async def list_entries(reading: Reading, wanted: AuditFilter, part: Slice) -> Page[AuditEntry]:
    """A page of entries, newest first."""
    return await reading.unit.audit.read_page(wanted, part)


async def count_entries(reading: Reading, wanted: AuditFilter) -> int:
    """How many entries there are in all."""
    return await reading.unit.audit.count(wanted)
