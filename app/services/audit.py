"""The audit log."""

from collections.abc import Sequence
from dataclasses import replace

from app.domain.audit import AuditEntry, scope_of
from app.domain.callers import OPERATIONS, Right
from app.domain.errors import NotPermitted, Refused
from app.domain.filters import AuditFilter
from app.domain.holders import ContractId
from app.domain.paging import Page, Slice
from app.services.context import Reading


async def find_entries(reading: Reading, revisions: Sequence[int]) -> Sequence[AuditEntry]:
    """The entries of revisions, those alone that the caller sees."""
    scopes = (await reading.sight()).contracts_with(Right.VIEW_HISTORY)
    entries = await reading.unit.audit.find(list(revisions))
    return [entry for entry in entries if scopes is None or scope_of(entry) in scopes]


async def list_entries(reading: Reading, wanted: AuditFilter, part: Slice) -> Page[AuditEntry]:
    """A page of entries, newest first: all, or those that change nothing but contracts whose history one may view."""
    return await reading.unit.audit.read_page(await _seen(reading, wanted), part)


async def find_next_entry(reading: Reading, revision: int) -> AuditEntry | None:
    """The first entry after a revision that the caller sees. Raises `Refused` for one who may see none."""
    wanted = AuditFilter(after_revision=revision)
    page = await list_entries(reading, wanted, Slice(limit=1, backwards=True))  # backwards: from the oldest
    return page.items[0] if page.items else None


async def count_entries(reading: Reading, wanted: AuditFilter) -> int:
    """How many entries there are in all that the caller sees."""
    return await reading.unit.audit.count(await _seen(reading, wanted))


async def _seen(reading: Reading, wanted: AuditFilter) -> AuditFilter:
    scopes: frozenset[ContractId] | None = (await reading.sight()).contracts_with(Right.VIEW_HISTORY)
    if scopes is not None and not scopes:
        raise Refused([NotPermitted(f"you may not see this. {OPERATIONS['auditLog']}")])
    return replace(wanted, scopes=scopes)
