"""The audit log."""

from collections.abc import Sequence
from dataclasses import replace

from app.db.unit_of_work import ReadingUnit
from app.domain.audit import AuditEntry, scope_of
from app.domain.callers import OPERATIONS, Right
from app.domain.errors import InvalidValue, NotPermitted, Refused
from app.domain.filters import AuditFilter
from app.domain.heads import EXPECTED, Head, is_signed_by, read_head
from app.domain.holders import ContractId
from app.domain.paging import Page, Slice
from app.domain.security import SecurityEvent
from app.domain.verification import BEFORE_ALL, Chain, Verification
from app.services.context import Reading, Services

BATCH = 1000  # entries read at once for verifying, at most: some hundred kilobytes


async def find_entries(reading: Reading, revisions: Sequence[int]) -> Sequence[AuditEntry]:
    """The entries of revisions, those alone that the caller sees."""
    scopes = (await reading.sight()).contracts_with(Right.VIEW_HISTORY)
    entries = await reading.unit.audit.find(list(revisions))
    return [entry for entry in entries if scopes is None or scope_of(entry) in scopes]


async def list_entries(reading: Reading, wanted: AuditFilter, part: Slice) -> Page[AuditEntry]:
    """A page of entries, newest first: all, or those that change nothing but contracts whose history one may view."""
    return await reading.unit.audit.read_page(await _seen(reading, wanted), part)


async def list_attempts(services: Services, *, limit: int) -> Sequence[SecurityEvent]:
    """The latest refused attempts to raise rights, newest first, for whoever owns the machine."""
    async with services.database.reading(services.catalog) as unit:
        return await unit.security.read(limit=limit)


async def find_next_entry(reading: Reading, revision: int) -> AuditEntry | None:
    """The first entry after a revision that the caller sees. Raises `Refused` for one who may see none."""
    wanted = AuditFilter(after_revision=revision)
    page = await list_entries(reading, wanted, Slice(limit=1, backwards=True))  # backwards: from the oldest
    return page.items[0] if page.items else None


async def count_entries(reading: Reading, wanted: AuditFilter) -> int:
    """How many entries there are in all that the caller sees."""
    return await reading.unit.audit.count(await _seen(reading, wanted))


async def verify_audit(reading: Reading, head: str | None = None) -> Verification:
    """Whether the log is what was written, all of it, and holds an exported head. Raises `Refused`."""
    if reading.caller is not None:
        try:
            (await reading.authority()).require(OPERATIONS["verifyAudit"])
        except NotPermitted as refusal:
            raise Refused([refusal]) from None
    known = None if head is None else check_head(head, reading.services.audit_key)
    return await verify_chain(reading.unit, known)


async def verify_chain(unit: ReadingUnit, head: Head | None = None) -> Verification:
    """Follows the chain from its first entry to its last, or to the first that is not as it was written."""
    chain = Chain(head)
    after, limit = BEFORE_ALL, BATCH
    while entries := await unit.audit.read_stored(after, limit=limit):
        for stored in entries:
            looked_into = stored
            if stored.link is not None and stored.link.parts is not None:
                fault = await unit.audit.find_fault_of_parts(stored.revision, stored.link.parts)
                looked_into = stored._replace(fault=fault)
            broken = chain.follow(looked_into)
            if broken is not None:
                return broken
        after, limit = entries[-1].revision, min(BATCH, 2 * len(entries))  # after large ones there may be more of them
    return chain.end()


def check_head(text: str, key: bytes | None) -> Head:
    """The head of a text, its signature checked. Raises `Refused` for one that nobody with the key has signed."""
    try:
        head = read_head(text)
    except InvalidValue as error:
        raise Refused([error]) from None
    if key is None and head.signature is not None:
        raise _refuse_head("its signature cannot be checked without the key", "a gateway with the key")
    if key is not None and head.signature is None:
        raise _refuse_head("it is not signed, and there is a key", EXPECTED)
    if key is not None and not is_signed_by(head, key):
        raise _refuse_head("its signature is not of this key over what it says", EXPECTED)
    return head


def _refuse_head(message: str, expected: str) -> Refused:
    return Refused([InvalidValue(f"the head is not to be trusted: {message}", path=("head",), expected=expected)])


async def _seen(reading: Reading, wanted: AuditFilter) -> AuditFilter:
    scopes: frozenset[ContractId] | None = (await reading.sight()).contracts_with(Right.VIEW_HISTORY)
    if scopes is not None and not scopes:
        raise Refused([NotPermitted(f"you may not see this. {OPERATIONS['auditLog']}")])
    return replace(wanted, scopes=scopes)
