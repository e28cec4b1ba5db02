"""Everybody as the index keeps them: names, and what decides of their rows, as numbers.

What a row says but for who has it, who made it, when and why is kept once and numbered in `Signatures`. The columns
are kept as the driver gives them; only of a profile that somebody asks about are records made.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select

from app.db import tables
from app.db.mapping import TABLE_OF, columns_of, read_records
from app.db.repositories.reading import Reader
from app.db.repositories.worlds import MAX_LISTED, PEOPLE, is_kind, pausing_collection
from app.domain.catalog import Catalog
from app.domain.holders import User, UserId, UserStatus
from app.domain.people import Person
from app.domain.profiles import INACTIVE, OWNER, Profile, Rows
from app.domain.world import World

READ_AT_ONCE = 20_000  # rows that are taken in before others have a turn
_UNSAID = {"id", "source", "reason", "actor", "created_at", "created_revision", "holder", "user"}
_KINDS = tuple((kind, holder) for kind, holder in PEOPLE if kind is not User)
_SAID = {kind: tuple(name for name in columns_of(kind) if name not in _UNSAID) for kind, _ in _KINDS}
_MIGRATIONS = sorted(path.name for path in (Path(__file__).parents[1] / "migrations" / "versions").glob("0*.py"))
SHAPE = repr([[(kind.__name__, _SAID[kind]) for kind, _ in _KINDS], _MIGRATIONS[-1]])  # what signatures are read by
_IS_SELF = -1  # in place of a kind: whoever has it is the owner of contracts, and known by who they are
_SOMEBODY = "usr_standin"
_FILLING: dict[str, Any] = {
    "source": "", "reason": None, "actor": "", "created_at": datetime(1970, 1, 1, tzinfo=UTC), "created_revision": 0
}  # fmt: skip


class Signatures:
    """What rows say, numbered. It only grows, so that whoever reads an older state of everybody finds what it needs."""

    def __init__(self, known: Iterable[tuple[Any, ...]] = ()) -> None:
        self._known = list(known)
        self._numbers = {said: number for number, said in enumerate(self._known)}

    @property
    def known(self) -> Sequence[tuple[Any, ...]]:
        """All of them, by number."""
        return tuple(self._known)

    def number(self, said: tuple[Any, ...]) -> int:
        """The number of what a row says: the place of its kind, then its columns."""
        number = self._numbers.get(said)
        if number is None:
            number = self._numbers[said] = len(self._known)
            self._known.append(said)
        return number

    def read(self, catalog: Catalog, profile: Profile) -> Rows:
        """The rows that the numbers of a profile stand for, as those of some person."""
        records: list[Any] = []
        self_id: UserId | None = None
        for number in profile[1:]:
            place, *said = self._known[number]
            if place == _IS_SELF:
                self_id = UserId(said[0])
                continue
            kind, holder = _KINDS[place]
            row = _FILLING | dict(zip(_SAID[kind], said, strict=True)) | {holder: _SOMEBODY, "id": f"row_{number}"}
            records += read_records(kind, catalog, [[row[name] for name in columns_of(kind)]])
        return Rows(World.of(records).rows_of(_SOMEBODY), self_id)


class Profiles:
    """Reads people with their profiles."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def load(
        self, users: Collection[str] | None, signatures: Signatures, owners: Collection[str]
    ) -> list[Person]:
        """These people (None: everybody). `owners` are those whom contracts name."""
        if users is not None and not users:
            return []
        listed = users if users is not None and len(users) <= MAX_LISTED else None
        with pausing_collection() if users is None else nullcontext():
            numbers = await self._number_rows(listed, signatures, owners)
            return await self._read_people(users, listed, numbers)

    async def _number_rows(
        self, listed: Collection[str] | None, signatures: Signatures, owners: Collection[str]
    ) -> Mapping[str, list[int]]:
        """The numbers of what the rows of each person say, in no order."""
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for owner in owners:
            numbers[owner].append(signatures.number((_IS_SELF, owner)))
        for place, (kind, holder) in enumerate(_KINDS):
            table = tables.table_of(TABLE_OF[kind])
            known: dict[tuple[Any, ...], int] = {}
            for some in await self._read(table.c[holder], [table.c[name] for name in _SAID[kind]], listed):
                for row in some:
                    said = row[1:]
                    number = known.get(said)
                    if number is None:
                        number = known[said] = signatures.number((place, *said))
                    numbers[row[0]].append(number)
        return numbers

    async def _read_people(
        self, users: Collection[str] | None, listed: Collection[str] | None, numbers: Mapping[str, list[int]]
    ) -> list[Person]:
        table = tables.table_of(tables.UserRow)
        columns = [table.c.user_name, table.c.external_id, table.c.status, table.c.is_owner]
        people: list[Person] = []
        kept: dict[Profile, Profile] = {}  # one object of each
        nothing: list[int] = []
        for some in await self._read(table.c.id, columns, listed):
            for user, user_name, external_id, status, is_owner in some:
                if users is None or user in users:
                    flags = (OWNER if is_owner else 0) | (0 if status == UserStatus.ACTIVE else INACTIVE)
                    profile = (flags, *sorted(set(numbers.get(user, nothing))))
                    people.append(Person(user, user_name, external_id, kept.setdefault(profile, profile)))
        return people

    async def _read(
        self, person: ColumnElement[Any], columns: Sequence[ColumnElement[Any]], listed: Collection[str] | None
    ) -> Iterable[Iterable[Any]]:
        """Columns of live rows, the one that names the person first, in pieces between which others have a turn."""
        condition = is_kind(person, User) if listed is None else person.in_(sorted(listed))
        rows = await self.reader.plain([person, *columns], condition)
        pieces = []
        for start in range(0, len(rows), READ_AT_ONCE):
            pieces.append(rows[start : start + READ_AT_ONCE])
            await asyncio.sleep(0)
        return pieces

    async def list_subjects(self, since: int) -> frozenset[str]:
        """The ids of all that was changed after a revision."""
        subjects = tables.table_of(tables.AuditSubjectRow)
        statement = select(subjects.c.subject).where(subjects.c.revision > since).distinct()
        return frozenset(row[0] for row in await self.reader.tuples(statement))
