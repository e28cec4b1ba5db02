"""Everybody as the index keeps them: names, and what decides of their rows, as numbers.

What a row says but for who has it, who made it, when and why is kept once and numbered in `Signatures`. The columns
are kept as the driver gives them; only of a profile that somebody asks about are records made.
"""

import asyncio
import gc
import json
from array import array
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import chain, count
from operator import ge
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    select,
    true,
)

from app.db import tables
from app.db.faults import DisagreeingIndexes
from app.db.mapping import TABLE_OF, columns_of, read_records
from app.db.repositories.reading import Reader
from app.db.repositories.worlds import PEOPLE, is_kind, pausing_collection
from app.domain.catalog import Catalog
from app.domain.holders import Assignment, User, UserId, UserStatus
from app.domain.ids import PREFIX_OF
from app.domain.people import Everybody, Packing, Person
from app.domain.profiles import INACTIVE, OWNER, Profile, Rows
from app.domain.world import World

T = TypeVar("T")
IN_A_BLOCK = 16_000  # people who are read together: two megabytes of text, taken in beside the event loop
ROW, LINE = "\x1e", "\n"  # between the rows of a person, and between people: neither ids nor JSON have these
Block = tuple[Any, ...]  # the last of those who are in it, then what is said of them
Lines = Sequence[Any]  # people who have rows of a kind, and for each of them these rows; None where there are none
AFTER: BindParameter[str] = bindparam("after", type_=Text)  # the last text of the block before
LAST: BindParameter[str] = bindparam("last", type_=Text)  # the last person of this one
UNLIKE = "who has a name and who there is are not the same people"
NOBODY = 0xFFFFFFFF  # the number of a row that has no name
MOST_NAMED = 50_000  # subjects of the log, each as often as it was changed: a tenth of a second
SPARSE = 16  # rows to a person, most of them former versions, beyond which an array of them is mostly empty
USERS = tables.table_of(tables.UserRow)
_UNSAID = {"id", "source", "reason", "actor", "created_at", "created_revision", "holder", "user"}
_KINDS = tuple((kind, holder) for kind, holder in PEOPLE if kind is not User)
_SAID = {kind: tuple(name for name in columns_of(kind) if name not in _UNSAID) for kind, _ in _KINDS}
_MIGRATIONS = sorted(path.name for path in (Path(__file__).parents[1] / "migrations" / "versions").glob("0*.py"))
SHAPE = repr([[(kind.__name__, _SAID[kind]) for kind, _ in _KINDS], _MIGRATIONS[-1]])  # what signatures are read by
_ALONE: Mapping[type, str] = {Assignment: "role"}  # an id: where nothing else is said it stands for the row
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
        listed = sorted(users)
        names = [USERS.c[name] for name in ("id", "user_name", "external_id")]
        live = self.reader.known(USERS) & USERS.c.id.in_(listed)
        found: Sequence[Any] = await self.reader.tuples(select(*names, _flags()).where(live))
        rows: list[Lines] = []
        for place in range(len(_KINDS)):  # each by itself: there are only so many people that a statement may list
            rows += await self.reader.tuples(select(self._lines_of(place, _person_of(place).in_(listed))))
        making = _Making(signatures, owners)
        profiles = making.make_profiles([row[0] for row in found], [row[3] for row in found], rows)
        return [Person(UserId(row[0]), row[1], row[2], profile) for row, profile in zip(found, profiles, strict=True)]

    async def load_everybody(self, signatures: Signatures, owners: Collection[str]) -> Everybody:
        """Everybody there is. What was read is taken in while the next is read; others have a turn all the while.

        Names are read in their order, out of their indexes alone; then people in the order of their ids, as their rows
        are. So little is looked up here and there, in a table or by one of a million keys.
        """
        naming = _Naming()
        with pausing_collection():
            await _take_in(self._read_blocks(self._names(USERS.c.user_name), ""), naming.add)
            gathering = await asyncio.to_thread(_Gathering, naming, _Making(signatures, owners))
            await _take_in(self._read_people(), gathering.add_people)
            await _take_in(self._read_blocks(self._names(USERS.c.external_id), ""), gathering.add_external_ids)
            return await asyncio.to_thread(gathering.pack)

    async def _read_people(self) -> AsyncGenerator[Block, None]:
        """Blocks of people in the order of their ids, each with all their rows."""
        after, rows = f"{PREFIX_OF[User]}_", self._rows()
        async for block in self._read_blocks(self._people(), after):
            (row,) = await self.reader.tuples(rows, {"after": after, "last": block[0]})
            yield *block, list(zip(row[::2], row[1::2], strict=True))
            after = block[0]

    async def _read_blocks(self, statement: Select[Any], after: str) -> AsyncGenerator[Block, None]:
        """What a statement gives of those who come after a text, then of those after the last of these, and so on."""
        while True:
            (block,) = await self.reader.tuples(statement, {"after": after})
            if block[0] is None:
                return
            after = block[0]
            yield tuple(block)

    def _names(self, name: ColumnElement[Any]) -> Select[Any]:
        """A block of names of live people in their order, and the rows that have them."""
        live = self.reader.known(USERS) & (name > AFTER)
        of = select(name.label("name"), USERS.c.row_id).where(live).order_by(name).limit(IN_A_BLOCK).subquery()
        return select(func.max(of.c.name), self._list(of.c.name), self._list(of.c.row_id))

    def _people(self) -> Select[Any]:
        """A block of live people in the order of their ids: ids, rows and flags; how many have external ids."""
        person, external_id = USERS.c.id, USERS.c.external_id
        live = self.reader.known(USERS) & (person > AFTER)
        listed = select(person, USERS.c.row_id, _flags(), external_id).where(live)
        of = listed.order_by(person).limit(IN_A_BLOCK).subquery()
        return select(
            func.max(of.c.id), func.aggregate_strings(of.c.id, LINE), self._list(of.c.row_id),
            func.aggregate_strings(of.c.flags, LINE), func.count(of.c.external_id),
        )  # fmt: skip

    def _rows(self) -> Select[Any]:
        """What the people of a block have, the lines of all kinds in one row: whoever reads waits once for a turn."""
        kinds = [
            self._lines_of(place, (_person_of(place) > AFTER) & (_person_of(place) <= LAST))
            for place in range(len(_KINDS))
        ]
        joined: FromClause = kinds[0]
        for lines in kinds[1:]:
            joined = joined.join(lines, true())
        return select(*(column for lines in kinds for column in lines.c)).select_from(joined)

    def _lines_of(self, place: int, condition: ColumnElement[bool]) -> Subquery:
        """The live rows of a kind, together: people, and in the same line of another text what each of them has."""
        person = _person_of(place)
        of = (
            select(person.label("person"), func.aggregate_strings(self._said(place), ROW).label("said"))
            .where(self.reader.known(_table_of(place)), condition).group_by(person).subquery()
        )  # fmt: skip
        people, said = func.aggregate_strings(of.c.person, LINE), func.aggregate_strings(of.c.said, LINE)
        return select(people.label("people"), said.label("said")).subquery()

    def _said(self, place: int) -> ColumnElement[Any]:
        """What a row says: a JSON list, which has no character in it that separates, or an id that says it all."""
        columns = {name: _table_of(place).c[name] for name in _SAID[_KINDS[place][0]]}
        in_full: ColumnElement[Any] = (
            cast(func.json_build_array(*columns.values()), Text)
            if self._is_postgresql else func.json_array(*columns.values())
        )  # fmt: skip
        alone = columns.pop(_ALONE.get(_KINDS[place][0], ""), None)
        if alone is None:
            return in_full
        return case((and_(*(column.is_(None) for column in columns.values())), alone), else_=in_full)

    def _list(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of many rows as a JSON list."""
        return cast(func.json_agg(column), Text) if self._is_postgresql else func.json_group_array(column)

    async def list_subjects(self, since: int, *, but_people: bool = False) -> frozenset[str] | None:
        """The ids of all that was changed after a revision, or of what of it is nobody: of people there may be many.

        None where the log names so many that it is all there is that is to be read anew.
        """
        subjects = tables.table_of(tables.AuditSubjectRow)
        # Not those that are distinct: for them SQLite would go through the subjects of the whole log, in their order.
        statement = select(subjects.c.subject).where(subjects.c.revision > since)
        if but_people:
            statement = statement.where(~is_kind(subjects.c.subject, User))
        rows = await self.reader.tuples(statement.limit(MOST_NAMED + 1))
        return None if len(rows) > MOST_NAMED else frozenset(row[0] for row in rows)


def _table_of(place: int) -> Table:
    return tables.table_of(TABLE_OF[_KINDS[place][0]])


def _person_of(place: int) -> ColumnElement[Any]:
    """The column of a kind that names the person."""
    return _table_of(place).c[_KINDS[place][1]]


def _flags() -> ColumnElement[Any]:
    """What a profile of a person begins with, as a text."""
    return (USERS.c.status + case((USERS.c.is_owner, "1"), else_="0")).label("flags")


async def _take_in(blocks: AsyncGenerator[Block, None], take: Callable[..., None]) -> None:
    """Takes in what is read, beside the event loop, while the next is read."""
    async with aclosing(_read_ahead(blocks)) as read:
        async for _, *block in read:
            await asyncio.to_thread(take, *block)


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
        said = json.loads(text) if text.startswith("[") else self._read_alone(text)
        self[text] = number = self._signatures.number((self._place, *said))
        return number

    def _read_alone(self, text: str) -> Iterable[str | None]:
        kind, _ = _KINDS[self._place]
        return [text if name == _ALONE[kind] else None for name in _SAID[kind]]


class _Numbered(dict[str, tuple[int, ...]]):
    """The numbers of the rows of a kind that somebody has, by the text of all of them; ascending, each once."""

    def __init__(self, signatures: Signatures, place: int) -> None:
        self._number_of = _Numbers(signatures, place).__getitem__

    def __missing__(self, text: str) -> tuple[int, ...]:
        self[text] = found = tuple(sorted(set(map(self._number_of, text.split(ROW)))))
        return found


class _Making:
    """What makes profiles of what the database says of some people. `owners` are those whom contracts name."""

    def __init__(self, signatures: Signatures, owners: Collection[str]) -> None:
        self._signatures = signatures
        self._owners = frozenset(owners)
        self._numbered = [_Numbered(signatures, place) for place in range(len(_KINDS))]

    def make_profiles(self, ids: Sequence[str], flags: Iterable[str], rows: Iterable[Lines]) -> list[Profile]:
        """The profiles of people, in the same order: `rows` has those of each kind, of them and of whoever else."""
        place_of = dict(zip(ids, count()))
        profiles = list(map(_FLAGS.__getitem__, flags))
        if len(ids) != len(profiles):
            raise ValueError("an id of a person is none")
        for owner in sorted(self._owners & place_of.keys()):
            profiles[place_of[owner]] += (self._signatures.number((_IS_SELF, owner)),)
        for numbered, (people, texts) in zip(self._numbered, rows, strict=True):
            if people is None:
                continue
            places, numbers = map(place_of.get, people.split(LINE)), map(numbered.__getitem__, texts.split(LINE))
            for place, found in zip(places, numbers, strict=True):
                if place is not None:
                    profiles[place] += found
        return profiles


class _Naming:
    """User names as they are being read, in their order, which numbers people."""

    def __init__(self) -> None:
        self.user_names = Packing()
        self.rows = array("q")  # by number
        self._last = ""

    def add(self, names: str, rows: str) -> None:
        """Takes in names, and the row of the person of each. Raises `DisagreeingIndexes` for names in no order."""
        listed = json.loads(names)
        self._last = _follow(self._last, listed)
        self.user_names.add(listed)
        self.rows.extend(json.loads(rows))

    def number_rows(self) -> Any:
        """What leads from rows to numbers."""
        size = max(self.rows, default=0) + 1
        numbers: Any = array("I", [NOBODY]) * size if size <= SPARSE * len(self.rows) else {}
        for number, row in enumerate(self.rows):
            numbers[row] = number
        return numbers


class _Gathering:
    """Everybody as they are being read, all user names being known."""

    def __init__(self, naming: _Naming, making: _Making) -> None:
        size = len(naming.rows)
        self._user_names = naming.user_names
        self._number_of_row = naming.number_rows()
        self._making = making
        self._by_external_id = array("I")
        self._last_external_id = ""
        self._external_ids: list[str | None] = [None] * size
        self._ids: list[Any] = [None] * size
        self._profile_of = array("I", bytes(4 * size))
        self._profiles: dict[Profile, int] = {}
        self._known = self._with_external_ids = 0

    def _numbers_of(self, rows: str) -> list[int]:
        """The numbers of people by the list of their rows. Raises `DisagreeingIndexes` for one without a name."""
        try:
            numbers = list(map(self._number_of_row.__getitem__, json.loads(rows)))
        except LookupError:
            raise DisagreeingIndexes(UNLIKE) from None
        if NOBODY in numbers:
            raise DisagreeingIndexes(UNLIKE)
        return numbers

    def add_external_ids(self, names: str, rows: str) -> None:
        """Takes in external ids, in their order, and the row of the person of each."""
        numbers, listed = self._numbers_of(rows), json.loads(names)
        self._last_external_id = _follow(self._last_external_id, listed)
        self._by_external_id.extend(numbers)
        for number, name in zip(numbers, listed, strict=True):
            self._external_ids[number] = name

    def add_people(self, ids: str, rows: str, flags: str, external_ids: int, lines: Iterable[Lines]) -> None:
        """Takes in people: their ids, rows, flags, how many have external ids, and the rows of each kind."""
        listed, known = ids.split(LINE), self._profiles
        profiles = self._making.make_profiles(listed, flags.split(LINE), lines)
        for number, user, profile in zip(self._numbers_of(rows), listed, profiles, strict=True):
            self._ids[number] = user
            self._profile_of[number] = known.setdefault(profile, len(known))
        self._known += len(listed)
        self._with_external_ids += external_ids
        gc.collect(0)  # what has but numbers is left out ever after: all at once, everybody would wait

    def pack(self) -> Everybody:
        """Raises `DisagreeingIndexes` where these do not tell of the same people."""
        external_ids = Packing()
        for start in range(0, len(self._ids), IN_A_BLOCK):  # some at a time are given up as well
            some = slice(start, start + IN_A_BLOCK)
            external_ids.add(self._external_ids[some])
            self._external_ids[some] = [None] * len(self._external_ids[some])
        everybody = Everybody(
            self._ids, self._profile_of, tuple(self._profiles), self._user_names.finish(), external_ids.finish(),
            self._by_external_id,
        )  # fmt: skip
        by_external_id = self._by_external_id
        if (
            None in self._ids
            or not self._known == len(self._ids) == len(everybody.number_of)
            or not self._with_external_ids == len(by_external_id) == len(set(by_external_id))
        ):
            raise DisagreeingIndexes(UNLIKE)
        return everybody


def _follow(last: str, names: Sequence[str]) -> str:
    """The last of some names, each of which comes after the one before. Raises `DisagreeingIndexes` else."""
    if any(map(ge, chain([last], names), names)):
        raise DisagreeingIndexes("names do not come in the order of their characters")
    return names[-1] if names else last
