"""Everybody as the index keeps them: names, and what decides of their rows, as numbers.

What a row says but for who has it, who made it, when and why is kept once and numbered in `Signatures`. The columns
are kept as the driver gives them; only of a profile that somebody asks about are records made.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, Text, case, cast, func, select, true

from app.db import tables
from app.db.mapping import TABLE_OF, columns_of, read_records
from app.db.repositories.reading import Reader
from app.db.repositories.worlds import PEOPLE, is_kind, pausing_collection
from app.domain.catalog import Catalog
from app.domain.holders import User, UserId, UserStatus
from app.domain.ids import PREFIX_OF
from app.domain.people import Everybody, Person
from app.domain.profiles import INACTIVE, OWNER, Profile, Rows
from app.domain.world import World

T = TypeVar("T")
IN_A_BLOCK = 16_000  # people who are read together: two megabytes of text, taken in beside the event loop
ROW, LINE = "\x1e", "\n"  # between the rows of a person, and between people: neither ids nor JSON have these
Block = tuple[Any, ...]  # the last person of those who are in it, and texts
USERS = tables.table_of(tables.UserRow)
_UNSAID = {"id", "source", "reason", "actor", "created_at", "created_revision", "holder", "user"}
_KINDS = tuple((kind, holder) for kind, holder in PEOPLE if kind is not User)
_SAID = {kind: tuple(name for name in columns_of(kind) if name not in _UNSAID) for kind, _ in _KINDS}
_MIGRATIONS = sorted(path.name for path in (Path(__file__).parents[1] / "migrations" / "versions").glob("0*.py"))
SHAPE = repr([[(kind.__name__, _SAID[kind]) for kind, _ in _KINDS], _MIGRATIONS[-1]])  # what signatures are read by
_IS_SELF = -1  # in place of a kind: whoever has it is the owner of contracts, and known by who they are
_FLAGS: dict[str, Profile] = {
    f"{status}{owner}": ((OWNER if owner else 0) | (0 if status is UserStatus.ACTIVE else INACTIVE),)
    for status in UserStatus for owner in (0, 1)
}  # fmt: skip
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
    """Reads people with their profiles.

    The database puts the rows of a person together, and those of many people into one text: for each row that it handed
    over by itself it would wait in line with whatever works beside it. Who has the same text has the same rows.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._is_postgresql = reader.connection.dialect.name == "postgresql"

    async def load(self, users: Collection[str], signatures: Signatures, owners: Collection[str]) -> list[Person]:
        """These people, as many as may be listed. `owners` are those whom contracts name."""
        if not users:
            return []
        listed, gathering = sorted(users), _Gathering(signatures, owners)
        for block in await self._read_people(USERS.c.id.in_(listed), None):
            gathering.add_people(*block)
        for place in range(len(_KINDS)):
            for block in await self._read_rows(place, _person_of(place).in_(listed), None):
                gathering.add_rows(place, *block)
        return gathering.list_people()

    async def load_everybody(self, signatures: Signatures, owners: Collection[str]) -> Everybody:
        """Everybody there is. What was read is taken in while the next is read; others have a turn all the while."""
        gathering = _Gathering(signatures, owners)
        with pausing_collection():
            async with aclosing(_read_ahead(self._read_everybody())) as blocks:
                async for place, block in blocks:
                    await asyncio.to_thread(gathering.add, place, block)
            return await asyncio.to_thread(gathering.pack)

    async def _read_everybody(self) -> AsyncGenerator[tuple[int | None, Block], None]:
        """Blocks of people, and then of the rows of each kind, by the place of the kind."""
        for place in (None, *range(len(_KINDS))):
            last: str | None = None
            while True:
                if place is None:
                    is_next = true() if last is None else USERS.c.user_name > last
                    found = await self._read_people(is_next, IN_A_BLOCK)
                else:
                    person = _person_of(place)
                    is_next = is_kind(person, User)
                    if last is not None:  # one bound below, or the database may begin at the other one each time
                        is_next = (person > last) & (person < f"{PREFIX_OF[User]}`")
                    found = await self._read_rows(place, is_next, IN_A_BLOCK)
                if not found:
                    break
                last = found[0][0]
                yield place, found[0]

    async def _read_people(self, condition: ColumnElement[bool], most: int | None) -> Sequence[Block]:
        """One block of live people, in the order of their user names: the last of these, then what `add_people` takes.

        Nothing where there is nobody.
        """
        live = self.reader.known(USERS) & condition
        names = [USERS.c[name] for name in ("id", "user_name", "external_id", "status", "is_owner")]
        of = select(*names).where(live).order_by(USERS.c.user_name).limit(most).subquery()
        flags = of.c.status + case((of.c.is_owner, "1"), else_="0")
        return await self._read_block(
            func.max(of.c.user_name), func.aggregate_strings(of.c.id, LINE), self._list(of.c.user_name),
            self._list(of.c.external_id), func.aggregate_strings(flags, LINE),
        )  # fmt: skip

    async def _read_rows(self, place: int, condition: ColumnElement[bool], most: int | None) -> Sequence[Block]:
        """One block of live rows of a kind: the last person in it, then what `add_rows` takes."""
        table, person = _table_of(place), _person_of(place)
        said: ColumnElement[Any] = self._tuple([table.c[name] for name in _SAID[_KINDS[place][0]]])
        of = (
            select(person.label("person"), func.aggregate_strings(said, ROW).label("said"))
            .where(self.reader.known(table), condition).group_by(person).order_by(person).limit(most).subquery()
        )  # fmt: skip
        return await self._read_block(
            func.max(of.c.person), func.aggregate_strings(of.c.person, LINE), func.aggregate_strings(of.c.said, LINE)
        )

    async def _read_block(self, *columns: ColumnElement[Any]) -> Sequence[Block]:
        return [tuple(row) for row in await self.reader.tuples(select(*columns)) if row[0] is not None]

    def _tuple(self, columns: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
        """Columns of a row as a JSON list, which has no character in it that separates."""
        return cast(func.json_build_array(*columns), Text) if self._is_postgresql else func.json_array(*columns)

    def _list(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of many rows as a JSON list."""
        return cast(func.json_agg(column), Text) if self._is_postgresql else func.json_group_array(column)

    async def list_subjects(self, since: int) -> frozenset[str]:
        """The ids of all that was changed after a revision."""
        subjects = tables.table_of(tables.AuditSubjectRow)
        statement = select(subjects.c.subject).where(subjects.c.revision > since).distinct()
        return frozenset(row[0] for row in await self.reader.tuples(statement))


def _table_of(place: int) -> Table:
    return tables.table_of(TABLE_OF[_KINDS[place][0]])


def _person_of(place: int) -> ColumnElement[Any]:
    """The column of a kind that names the person."""
    return _table_of(place).c[_KINDS[place][1]]


async def _read_ahead(blocks: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """What an iterator gives, each piece being read while somebody works on the one before."""
    async with aclosing(blocks):
        following = asyncio.ensure_future(anext(blocks, None))
        try:
            while (block := await following) is not None:
                following = asyncio.ensure_future(anext(blocks, None))
                yield block
        finally:
            following.cancel()
            await asyncio.wait([following])


class _Numbers(dict[str, int]):
    """The number of what a row of a kind says, by its text."""

    def __init__(self, signatures: Signatures, place: int) -> None:
        self._signatures = signatures
        self._place = place

    def __missing__(self, text: str) -> int:
        self[text] = number = self._signatures.number((self._place, *json.loads(text)))
        return number


class _Numbered(dict[str, tuple[int, ...]]):
    """The numbers of the rows of a kind that somebody has, by the text of all of them; ascending, each once."""

    def __init__(self, signatures: Signatures, place: int) -> None:
        self._number_of = _Numbers(signatures, place).__getitem__

    def __missing__(self, text: str) -> tuple[int, ...]:
        self[text] = found = tuple(sorted(set(map(self._number_of, text.split(ROW)))))
        return found


class _Gathering:
    """People as they are being read: those of a block, and what rows they have."""

    def __init__(self, signatures: Signatures, owners: Collection[str]) -> None:
        self._signatures = signatures
        self._owners = owners
        self._numbered = [_Numbered(signatures, place) for place in range(len(_KINDS))]
        self._place_of: dict[str, int] = {}
        self._user_names: list[str] = []
        self._external_ids: list[str | None] = []
        self._profiles: list[Profile] = []

    def add(self, place: int | None, block: Block) -> None:
        """Takes in a block of rows, or (None) of people, who come first."""
        if place is None:
            self.add_people(*block)
        else:
            self.add_rows(place, *block)

    def add_people(self, _last: str, ids: str, user_names: str, external_ids: str, flags: str) -> None:
        """Takes in people. Raises `ValueError` for ids that are none."""
        listed, said = ids.split(LINE), flags.split(LINE)
        begin = len(self._place_of)
        self._place_of.update(zip(listed, count(begin)))
        self._user_names += json.loads(user_names)
        self._external_ids += json.loads(external_ids)
        self._profiles += map(_FLAGS.__getitem__, said)
        if not len(self._place_of) == len(self._user_names) == len(self._external_ids) == len(self._profiles):
            raise ValueError("an id of a person is there twice, or is none")
        for owner in self._owners:
            place = self._place_of.get(owner)
            if place is not None and place >= begin:
                self._profiles[place] += (self._signatures.number((_IS_SELF, owner)),)

    def add_rows(self, place: int, _last: str, people: str, texts: str) -> None:
        """Takes in the rows of one kind of people, one line for each of them."""
        profiles, numbers_of, place_of = self._profiles, self._numbered[place], self._place_of
        for person, text in zip(people.split(LINE), texts.split(LINE), strict=True):
            if person in place_of:
                profiles[place_of[person]] += numbers_of[text]

    def list_people(self) -> list[Person]:
        ids = map(UserId, self._place_of)
        return list(map(Person, ids, self._user_names, self._external_ids, self._profiles))

    def pack(self) -> Everybody:
        return Everybody.of_columns(list(self._place_of), self._user_names, self._external_ids, self._profiles)
