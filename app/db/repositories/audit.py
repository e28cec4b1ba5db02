"""The audit log: appended to in the transaction of a change, read in the order of revisions, newest first."""

import asyncio
from bisect import bisect_right
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    ScalarSelect,
    Table,
    Text,
    case,
    exists,
    func,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError

from app.db import tables
from app.db.mapping import StoredRow, read_audit_entry, read_part, read_stored_entry, read_stray
from app.db.repositories.reading import Reader, count
from app.domain.audit import NO_MARK, AuditEntry, Mark, Parts, is_about, read_changes
from app.domain.filters import AuditFilter
from app.domain.paging import Page, Slice, cut_found
from app.domain.verification import PartsCheck, StoredEntry

ENTRIES = tables.table_of(tables.AuditEntryRow)
SUBJECTS = tables.table_of(tables.AuditSubjectRow)
PARTS = tables.table_of(tables.AuditPartRow)
PARTS_AT_ONCE = 4  # parts read at once: a megabyte
SUBJECTS_AT_ONCE = 5000  # subjects of one entry read at once, for verifying
_ABOUT = ("holder", "contract")  # the fields of a change that say what it was made to
LARGE = 1 << 15  # characters of changes that are not read together with hundreds of others, for verifying
MOST_AT_ONCE = 1 << 18  # characters of changes that are read at once, and verified in some five milliseconds
TURN = 250  # entries after which others have a turn: of small ones it is not the text that takes the time
_SIZE = func.coalesce(func.length(ENTRIES.c.changes), 0)
_AS_STORED: dict[str, ColumnElement[Any]] = {  # a time that is none would keep the whole batch from being read
    "at": type_coerce(ENTRIES.c.at, Text),
    "changes": case((_SIZE > LARGE, null()), else_=ENTRIES.c.changes),
}
AS_STORED = [_AS_STORED.get(name, ENTRIES.c[name]) for name in StoredRow._fields]


class Audit:
    """Audit entries.

    Where they are read to be shown, those whose changes are in parts come with the changes of the first part.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_last(self) -> AuditEntry | None:
        rows = await self.reader.rows(select(ENTRIES).order_by(ENTRIES.c.revision.desc()).limit(1))
        return read_audit_entry(rows[0]) if rows else None

    async def find_last_revision(self) -> int:
        """The latest revision; 0 before the first."""
        return int(await self.reader.value(select(func.coalesce(func.max(ENTRIES.c.revision), 0))))

    async def find_mark(self) -> Mark:
        """The state of the database: of the past, where it is that which is read."""
        statement = select(ENTRIES.c.revision, ENTRIES.c.hash).where(self._known())
        rows = await self.reader.rows(statement.order_by(ENTRIES.c.revision.desc()).limit(1))
        return Mark(rows[0]["revision"], rows[0]["hash"]) if rows else NO_MARK

    async def has(self, mark: Mark) -> bool:
        """Whether a state is one that this database was in: it has gone on from there, or is there still."""
        if mark == NO_MARK:
            return True
        statement = select(ENTRIES.c.hash).where(ENTRIES.c.revision == mark.revision)
        return bool(await self.reader.value(statement) == mark.hash)

    async def find(self, revisions: list[int]) -> list[AuditEntry]:
        statement = select(ENTRIES).where(ENTRIES.c.revision.in_(revisions), self._known())
        return await self._read_to_show(await self.reader.rows(statement))

    async def find_newer(self, subject: str, revision: int, *, limit: int) -> list[AuditEntry]:
        """The latest entries after a revision that name a subject, newest first; of those in parts no changes."""
        named = (SUBJECTS.c.subject == subject) & (SUBJECTS.c.revision > revision)
        newest = select(SUBJECTS.c.revision).where(named).order_by(SUBJECTS.c.revision.desc()).limit(limit)
        statement = select(ENTRIES).where(ENTRIES.c.revision.in_(newest)).order_by(ENTRIES.c.revision.desc())
        return [read_audit_entry(row) for row in await self.reader.rows(statement)]

    async def is_about(self, entry: AuditEntry, subject: str) -> bool:
        """Whether an entry changed a thing or what hangs on it, wherever its changes are kept."""
        if entry.parts is None:
            return is_about(entry.changes, subject)
        # A first sieve, by the text in which changes are kept: no part without one of these is about the subject.
        named = [PARTS.c.changes.contains(f'"{field}": "{subject}"', autoescape=True) for field in _ABOUT]
        last = -1
        while True:
            after = (PARTS.c.revision == entry.revision) & (PARTS.c.number > last)
            statement = select(PARTS).where(after, or_(*named)).order_by(PARTS.c.number).limit(1)
            rows = await self.reader.rows(statement)
            if not rows or is_about(read_changes(rows[0]["changes"]), subject):
                return bool(rows)
            last = rows[0]["number"]

    async def find_next_about(self, subjects: Collection[str], revision: int) -> AuditEntry | None:
        """The first entry after a revision that names one of these subjects; of one in parts no changes."""
        named = SUBJECTS.c.subject.in_(sorted(subjects)) & (SUBJECTS.c.revision > revision)
        first = select(func.min(SUBJECTS.c.revision)).where(named).scalar_subquery()
        rows = await self.reader.rows(select(ENTRIES).where(ENTRIES.c.revision == first))
        return read_audit_entry(rows[0]) if rows else None

    async def knows(self, subject: str) -> bool:
        """Whether any entry names a subject."""
        return bool(await self.reader.value(select(exists().where(SUBJECTS.c.subject == subject))))

    async def find_revision_at(self, moment: datetime) -> int:
        """The latest revision committed by a moment; 0 before the first. Times in the log never go back."""
        return int(await self.reader.value(select(func.coalesce(_last(MOMENTS.c.at <= moment), 0))))

    async def read_stored(self, after: int, *, limit: int) -> list[StoredEntry]:
        """The entries after a revision as they lie there, oldest first, for verifying; nothing in them is believed.

        With large ones among them fewer are given than `limit`; none is given after the last alone.
        """
        try:
            return await self._read_stored(after, limit)
        except (DBAPIError, UnicodeDecodeError):  # text that is not UTF-8, a damaged page: find which one
            if limit > 1:
                return await self.read_stored(after, limit=1)
        found = None
        with suppress(DBAPIError):
            found = await self.reader.value(select(func.min(ENTRIES.c.revision)).where(ENTRIES.c.revision > after))
        revision = max(after, 0) + 1 if found is None else int(found)
        return [StoredEntry(revision, fault="the database cannot read it")]

    async def _read_stored(self, after: int, limit: int) -> list[StoredEntry]:
        statement = select(*AS_STORED, _SIZE).where(ENTRIES.c.revision > after).order_by(ENTRIES.c.revision)
        read = await self.reader.tuples(statement.limit(limit))
        few = read[: bisect_right([*accumulate(row[-1] for row in read)], MOST_AT_ONCE) + 1]
        rows = [StoredRow._make(row[:-1]) for row in few]
        last = rows[-1].revision if len(read) == limit or len(few) < len(read) else None
        whole = [row.revision for row in rows if row.parts_digest is None]
        # Where nothing is in parts all subjects that lie there are read: there are few, and none has to be listed.
        is_all = last is not None and len(whole) == len(rows)
        wanted = _is_between(SUBJECTS, after, last) if is_all else SUBJECTS.c.revision.in_(whole)
        named: dict[Any, set[str]] = {}
        for name in await self.reader.tuples(select(SUBJECTS.c.revision, SUBJECTS.c.subject).where(wanted)):
            named.setdefault(name.revision, set()).add(name.subject)
        in_parts = await self._find_revisions(PARTS, after, last)
        in_the_air = in_parts | (named.keys() if is_all else await self._find_revisions(SUBJECTS, after, last))
        found: list[StoredEntry] = []
        for number, row in enumerate(rows, 1):
            if number % TURN == 0:
                await asyncio.sleep(0)
            whole_row = row if row.changes is not None else await self._read_changes(row)
            subjects = frozenset(named.get(row.revision, ()))
            found.append(read_stored_entry(whole_row, subjects, has_parts=row.revision in in_parts))
        # What is there of revisions up to the last of these entries, and after the last of all, hangs in the air.
        found.extend(map(read_stray, in_the_air - {row.revision for row in rows}))
        return sorted(found, key=lambda stored: stored.revision)

    async def _read_changes(self, row: StoredRow) -> StoredRow:
        """A row with its changes, which were too large to be read together with others."""
        statement = select(ENTRIES.c.changes).where(ENTRIES.c.revision == row.revision)
        return row._replace(changes=await self.reader.value(statement))

    async def _find_revisions(self, table: Table, after: int, last: int | None) -> set[Any]:
        """The revisions, as they lie there, of which a table has anything."""
        statement = select(table.c.revision).where(_is_between(table, after, last)).distinct()
        return {row[0] for row in await self.reader.tuples(statement)}

    async def find_fault_of_parts(self, revision: int, parts: Parts) -> str | None:
        """What is not as it was written in the parts of an entry or in what it is found by; None: nothing.

        The parts and the subjects are read some at a time.
        """
        check = PartsCheck(parts)
        try:
            return (
                await self._find_fault_of_parts(check, revision)
                or check.end_parts()
                or await self._find_fault_of_subjects(check, revision)
                or check.end()
            )
        except (DBAPIError, UnicodeDecodeError):  # text that is not UTF-8, a damaged page
            return "the database cannot read what is kept of it in parts"

    async def _find_fault_of_parts(self, check: PartsCheck, revision: int) -> str | None:
        statement = select(PARTS).where(PARTS.c.revision == revision).order_by(PARTS.c.number).limit(PARTS_AT_ONCE)
        following = statement
        while True:
            rows = await self.reader.rows(following)
            for row in rows:
                fault = check.follow(read_part(row))
                if fault is not None:
                    return fault
            if not rows:
                return None
            following = statement.where(PARTS.c.number > rows[-1]["number"])

    async def _find_fault_of_subjects(self, check: PartsCheck, revision: int) -> str | None:
        statement = select(SUBJECTS.c.subject).where(SUBJECTS.c.revision == revision)
        statement = statement.order_by(SUBJECTS.c.subject).limit(SUBJECTS_AT_ONCE)
        following = statement
        while True:
            rows = await self.reader.rows(following)
            fault = check.name(row["subject"] for row in rows)
            if fault is not None or not rows:
                return fault
            following = statement.where(SUBJECTS.c.subject > rows[-1]["subject"])

    async def _read_to_show(self, rows: Sequence[RowMapping]) -> list[AuditEntry]:
        entries = [read_audit_entry(row) for row in rows]
        in_parts = [entry.revision for entry in entries if entry.parts is not None]
        if not in_parts:
            return entries
        statement = select(PARTS).where(PARTS.c.revision.in_(in_parts), PARTS.c.number == 0)
        first = {row["revision"]: read_changes(row["changes"]) for row in await self.reader.rows(statement)}
        return [
            replace(entry, changes=first.get(entry.revision, ())) if entry.parts is not None else entry
            for entry in entries
        ]

    async def read_page(self, wanted: AuditFilter, part: Slice) -> Page[AuditEntry]:
        # Newest first: a cursor holds the revision turned round, so that it means the same in either direction.
        # The statement has it as it is, so that indexes serve.
        statement = select(ENTRIES).where(*self._conditions(wanted))
        if part.after is not None:
            statement = statement.where(ENTRIES.c.revision < -int(part.after[0]))
        if part.before is not None:
            statement = statement.where(ENTRIES.c.revision > -int(part.before[0]))
        order = ENTRIES.c.revision.asc() if part.backwards else ENTRIES.c.revision.desc()
        rows = await self.reader.rows(statement.order_by(order).limit(part.limit + 1))
        page = cut_found(rows, part)
        return Page(tuple(await self._read_to_show(page.items)), page.has_next, page.has_previous)

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
            about = select(SUBJECTS.c.revision).where(SUBJECTS.c.subject == wanted.subject)
            conditions.append(ENTRIES.c.revision.in_(about))
        if wanted.since is not None:
            conditions.append(ENTRIES.c.revision >= _first_since(wanted.since))
        if wanted.until is not None:
            conditions.append(ENTRIES.c.revision <= _last(MOMENTS.c.at < wanted.until))
        if wanted.after_revision is not None:
            conditions.append(ENTRIES.c.revision > wanted.after_revision)
        if wanted.scopes is not None:
            conditions.append(ENTRIES.c.scope.in_(sorted(wanted.scopes)))
        return conditions


def _is_between(table: Table, after: int, last: int | None) -> ColumnElement[bool]:
    """Whether a row is of a revision after one, and up to another (None: any)."""
    within = table.c.revision > after
    return within if last is None else within & (table.c.revision <= last)


MOMENTS = ENTRIES.alias("moments")  # the log, looked at for the revision of a time


def _find_moment(condition: ColumnElement[bool], *order: ColumnElement[Any]) -> ScalarSelect[int]:
    """The revision of the first entry in an order; NULL, with which nothing compares, where there is none."""
    return select(MOMENTS.c.revision).where(condition).order_by(*order).limit(1).scalar_subquery()


def _first_since(moment: datetime) -> ScalarSelect[int]:
    return _find_moment(MOMENTS.c.at >= moment, MOMENTS.c.at, MOMENTS.c.revision)


def _last(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    return _find_moment(condition, MOMENTS.c.at.desc(), MOMENTS.c.revision.desc())
