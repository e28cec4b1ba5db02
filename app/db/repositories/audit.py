"""The audit log: appended to in the transaction of a change, read in the order of revisions, newest first."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, exists, func, or_, select

from app.db import tables
from app.db.mapping import read_audit_entry
from app.db.repositories.reading import Reader, count, read_page
from app.domain.audit import AuditEntry
from app.domain.filters import AuditFilter
from app.domain.paging import Page, Slice

ENTRIES = tables.table_of(tables.AuditEntryRow)
SUBJECTS = tables.table_of(tables.AuditSubjectRow)


class Audit:
    """Audit entries."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_last(self) -> AuditEntry | None:
        rows = await self.reader.rows(select(ENTRIES).order_by(ENTRIES.c.revision.desc()).limit(1))
        return read_audit_entry(rows[0]) if rows else None

    async def find_last_revision(self) -> int:
        """The latest revision; 0 before the first."""
        return int(await self.reader.value(select(func.coalesce(func.max(ENTRIES.c.revision), 0))))

    async def find(self, revisions: list[int]) -> list[AuditEntry]:
        statement = select(ENTRIES).where(ENTRIES.c.revision.in_(revisions), self._known())
        return [read_audit_entry(row) for row in await self.reader.rows(statement)]

    async def find_newer(self, subject: str, revision: int, *, limit: int) -> list[AuditEntry]:
        """The latest entries after a revision that name a subject, newest first."""
        named = (SUBJECTS.c.subject == subject) & (SUBJECTS.c.revision > revision)
        newest = select(SUBJECTS.c.revision).where(named).order_by(SUBJECTS.c.revision.desc()).limit(limit)
        statement = select(ENTRIES).where(ENTRIES.c.revision.in_(newest)).order_by(ENTRIES.c.revision.desc())
        return [read_audit_entry(row) for row in await self.reader.rows(statement)]

    async def find_next_about(self, subjects: Collection[str], revision: int) -> AuditEntry | None:
        """The first entry after a revision that names one of these subjects."""
        named = SUBJECTS.c.subject.in_(sorted(subjects)) & (SUBJECTS.c.revision > revision)
        first = select(func.min(SUBJECTS.c.revision)).where(named).scalar_subquery()
        rows = await self.reader.rows(select(ENTRIES).where(ENTRIES.c.revision == first))
        return read_audit_entry(rows[0]) if rows else None

    async def knows(self, subject: str) -> bool:
        """Whether any entry names a subject."""
        return bool(await self.reader.value(select(exists().where(SUBJECTS.c.subject == subject))))

    async def read_page(self, wanted: AuditFilter, part: Slice) -> Page[AuditEntry]:
        # Newest first: the key is the revision turned round, so that a cursor means the same in either direction.
        statement = select(ENTRIES).where(*self._conditions(wanted))
        page = await read_page(self.reader, statement, [-ENTRIES.c.revision], part)
        return Page(tuple(read_audit_entry(row) for row in page.items), page.has_next, page.has_previous)

    async def count(self, wanted: AuditFilter) -> int:
        return await count(self.reader, select(ENTRIES.c.revision).where(*self._conditions(wanted)))

    def _known(self) -> ColumnElement[bool]:
        return ENTRIES.c.revision >= 0 if self.reader.known_at is None else ENTRIES.c.revision <= self.reader.known_at

    def _conditions(self, wanted: AuditFilter) -> list[ColumnElement[bool]]:
        conditions = [self._known()]
        if wanted.actor is not None:
            conditions.append(or_(ENTRIES.c.actor == wanted.actor, ENTRIES.c.actor_id == wanted.actor))
        if wanted.action is not None:
            conditions.append(ENTRIES.c.action == wanted.action)
        if wanted.subject is not None:
            about = (SUBJECTS.c.subject == wanted.subject) & (SUBJECTS.c.revision == ENTRIES.c.revision)
            conditions.append(exists().where(about))
        if wanted.since is not None:
            conditions.append(ENTRIES.c.at >= wanted.since)
        if wanted.until is not None:
            conditions.append(ENTRIES.c.at < wanted.until)
        if wanted.after_revision is not None:
            conditions.append(ENTRIES.c.revision > wanted.after_revision)
        if wanted.scopes is not None:
            conditions.append(ENTRIES.c.scope.in_(sorted(wanted.scopes)))
        return conditions
