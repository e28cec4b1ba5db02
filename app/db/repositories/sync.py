"""Sync: runs with their items and feeds; who and what a source manages, and what has changed of it."""

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    RowMapping,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
    update,
    values,
)

from app.db import tables
from app.db.mapping import TABLE_OF
from app.db.repositories.reading import Reader, count
from app.domain.catalog import Catalog
from app.domain.errors import DomainError
from app.domain.holders import (
    MANUAL,
    Access,
    Assignment,
    Grant,
    Limit,
    Membership,
    Role,
    RoleId,
    StoredFact,
    SubscriberLink,
    Team,
    TeamId,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.ids import PREFIX_OF
from app.domain.paging import Page, Slice
from app.domain.sync.brake import Managed
from app.domain.sync.desired import SyncMode
from app.domain.sync.idleness import Version, depth_of
from app.domain.sync.keeping import read_error, read_item, render_error, render_item
from app.domain.sync.runs import SyncAction, SyncCounts, SyncItem, SyncRun, SyncStatus
from app.domain.sync.skimming import SEPARATOR, UNIT, Standing

RUNS = tables.table_of(tables.SyncRunRow)
ITEMS = tables.table_of(tables.SyncItemsRow)
FEEDS = tables.table_of(tables.SyncFeedRow)
ENTRIES = tables.table_of(tables.AuditEntryRow)
RECORD = "\x1e"  # between rows that are read as one text; no name and no id has a control character
BLOCK = 1000  # items of a block: some tens of kilobytes, read in a millisecond or two
_SOURCED: tuple[type, ...] = (User, Role, Team, Grant, Limit, Assignment, Membership, Access)
_GIVEN: tuple[tuple[type, str], ...] = (
    (Grant, "holder"), (Limit, "holder"), (Assignment, "holder"), (Membership, "user"), (Access, "user"),
)  # fmt: skip
_SAID: dict[type, tuple[str, ...]] = {
    Assignment: ("role",),
    Membership: ("team", "supervisor"),
    Access: ("product", "level"),
}
_HELD = (*_GIVEN, (SubscriberLink, "user"), (StoredFact, "user"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run with what is of no interest to whoever reads it.

    `differences` is a digest of what feed and database differ in, `catalog` that of the catalog, `refusals` are errors
    that concern the plan as a whole.
    """

    run: SyncRun
    differences: str
    catalog: str
    refusals: tuple[DomainError, ...]
    format: str


class ChangedSince(NamedTuple):
    """What has changed after a revision: everything whose record or rows have, the people whose record has, and
    whether anything of the source has.
    """

    holders: frozenset[str]
    people: frozenset[str]
    mine: bool


class Sync:
    """Runs, newest first."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    # ------------------------------------------------------------------ runs

    async def add(self, kept: KeptRun, items: Iterable[tuple[str, bytes]], feed: Iterable[bytes]) -> None:
        """Keeps a new run, its items in the form of `pack_items`, and its feed in compressed parts."""
        connection = self.reader.connection
        await connection.execute(RUNS.insert().values(**self._columns(kept)))
        run = kept.run.id
        blocks = [{"run": run, "block": n, "counts": b[0], "content": b[1]} for n, b in enumerate(items)]
        if blocks:
            await connection.execute(ITEMS.insert(), blocks)
        parts = [{"run": run, "part": number, "content": part} for number, part in enumerate(feed)]
        if parts:
            await connection.execute(FEEDS.insert(), parts)

    async def forget_feeds(self, *, before: datetime, run: str = "") -> None:
        """Drops the feeds of runs that were planned before a moment, and that of one run: its items stay."""
        old = select(RUNS.c.id).where(or_(RUNS.c.planned_at < before, RUNS.c.id == run))
        await self.reader.connection.execute(delete(FEEDS).where(FEEDS.c.run.in_(old)))

    async def replace(self, run: SyncRun) -> None:
        """Keeps what has become of a run."""
        columns = {
            "status": run.status, "revision": run.revision, "applied_at": run.applied_at,
            "applied_by": run.applied_by, "reason": run.reason, "brake": json.dumps(run.brake),
        }  # fmt: skip
        await self.reader.connection.execute(update(RUNS).where(RUNS.c.id == run.id).values(**columns))

    async def find(self, run: str) -> KeptRun | None:
        rows = await self.reader.rows(select(RUNS).where(RUNS.c.id == run))
        return self._read(rows[0]) if rows else None

    async def find_many(self, runs: Collection[str]) -> list[SyncRun]:
        """The runs of these ids that there are."""
        rows = await self.reader.rows(select(RUNS).where(RUNS.c.id.in_(sorted(runs))))
        return [self._read(row).run for row in rows]

    async def read_page(self, source: str | None, part: Slice) -> Page[tuple[SyncRun, int]]:
        """A page of runs, newest first, each with its number. A cursor holds the number turned round."""
        statement = select(RUNS)
        if source is not None:
            statement = statement.where(RUNS.c.source == source)
        if part.after is not None:
            statement = statement.where(RUNS.c.number < -int(part.after[0]))
        rows = await self.reader.rows(statement.order_by(RUNS.c.number.desc()).limit(part.limit + 1))
        found = tuple((self._read(row).run, row["number"]) for row in rows[: part.limit])
        return Page(found, has_next=len(rows) > part.limit, has_previous=part.after is not None)

    async def count(self, source: str | None) -> int:
        statement = select(RUNS.c.number)
        return await count(self.reader, statement if source is None else statement.where(RUNS.c.source == source))

    async def find_latest(self) -> dict[str, SyncRun]:
        """The latest run of each source, whatever became of it."""
        latest = select(func.max(RUNS.c.number)).group_by(RUNS.c.source)
        rows = await self.reader.rows(select(RUNS).where(RUNS.c.number.in_(latest)))
        return {row["source"]: self._read(row).run for row in rows}

    async def find_latest_applied(self, *, changed: bool = False) -> dict[str, SyncRun]:
        """The run of each source that was applied last; with `changed` the last one by which something changed."""
        order = func.row_number().over(
            partition_by=RUNS.c.source, order_by=(RUNS.c.revision.desc(), RUNS.c.applied_at.desc())
        )
        statement = select(RUNS.c.number, order.label("place")).where(RUNS.c.status == SyncStatus.APPLIED)
        if changed:  # one with nothing to do has a revision as well: the one at which it was found so
            statement = statement.join(
                ENTRIES, and_(ENTRIES.c.revision == RUNS.c.revision, ENTRIES.c.at == RUNS.c.applied_at)
            ).where(ENTRIES.c.source == RUNS.c.source, RUNS.c.revision > RUNS.c.base_revision)
        placed = statement.subquery()
        last = select(placed.c.number).where(placed.c.place == 1)
        rows = await self.reader.rows(select(RUNS).where(RUNS.c.number.in_(last)))
        return {row["source"]: self._read(row).run for row in rows}

    def _columns(self, kept: KeptRun) -> dict[str, Any]:
        run = kept.run
        return {
            "id": run.id, "source": run.source, "status": run.status, "mode": run.mode, "take_over": run.take_over,
            "max_removals": run.max_removals, "base_revision": run.base_revision, "revision": run.revision,
            "fingerprint": run.fingerprint, "differences": kept.differences, "catalog": kept.catalog,
            "counts": json.dumps(asdict(run.counts)), "brake": json.dumps(run.brake, ensure_ascii=False),
            "warnings": json.dumps(run.warnings, ensure_ascii=False),
            "refusals": json.dumps(
                [render_error(self.reader.catalog, error) for error in kept.refusals], ensure_ascii=False
            ),
            "format": kept.format, "planned_at": run.planned_at, "planned_by": run.planned_by,
            "applied_at": run.applied_at, "applied_by": run.applied_by, "reason": run.reason,
        }  # fmt: skip

    def _read(self, row: RowMapping) -> KeptRun:
        run = SyncRun(
            id=row["id"], source=row["source"], status=SyncStatus(row["status"]), mode=SyncMode(row["mode"]),
            take_over=bool(row["take_over"]), max_removals=row["max_removals"], base_revision=row["base_revision"],
            revision=row["revision"], fingerprint=row["fingerprint"], counts=SyncCounts(**json.loads(row["counts"])),
            brake=tuple(json.loads(row["brake"])), warnings=tuple(json.loads(row["warnings"] or "[]")),
            planned_at=row["planned_at"], planned_by=row["planned_by"], applied_at=row["applied_at"],
            applied_by=row["applied_by"], reason=row["reason"],
        )  # fmt: skip
        refusals = tuple(read_error(self.reader.catalog, error) for error in json.loads(row["refusals"]))
        return KeptRun(
            run=run, differences=row["differences"], catalog=row["catalog"], refusals=refusals, format=row["format"]
        )

    # ------------------------------------------------------------------ items and feeds

    async def read_items(
        self, asked: Sequence[tuple[str, SyncAction | None, Slice]]
    ) -> list[Page[tuple[SyncItem, int]]]:
        """For each a page of the items of a run, all or those of an action, each with its number in the whole plan."""
        runs = await self._list_blocks(run for run, _, _ in asked)
        wanted = {(run, block) for run, action, part in asked for block in _find_blocks(runs[run], action, part)}
        content: dict[tuple[str, int], bytes] = {}
        for start in range(0, len(ordered := sorted(wanted)), 500):
            condition = tuple_(ITEMS.c.run, ITEMS.c.block).in_(ordered[start : start + 500])
            for row in await self.reader.rows(select(ITEMS).where(condition)):
                content[row["run"], row["block"]] = row["content"]
        catalog = self.reader.catalog

        def fill(run: str, action: SyncAction | None, part: Slice) -> Page[tuple[SyncItem, int]]:
            after = _number_before(part)
            found: list[tuple[SyncItem, int]] = []
            for block in _find_blocks(runs[run], action, part):
                for number, data in enumerate(json.loads(zlib.decompress(content[run, block])), block * BLOCK):
                    if number > after and (action is None or data[0] == action) and len(found) <= part.limit:
                        found.append((read_item(catalog, data), number))
            return Page(tuple(found[: part.limit]), has_next=len(found) > part.limit, has_previous=after >= 0)

        return await asyncio.to_thread(lambda: [fill(*one) for one in asked])

    async def count_items(self, asked: Sequence[tuple[str, SyncAction | None]]) -> list[int]:
        """For each how many items a run has, all or those of an action."""
        runs = await self._list_blocks(run for run, _ in asked)
        return [sum(_count(counts, action) for counts in runs[run]) for run, action in asked]

    async def _list_blocks(self, runs: Iterable[str]) -> dict[str, list[dict[str, int]]]:
        """How many items of each action stand in each block of these runs, block by block."""
        found: dict[str, list[dict[str, int]]] = {run: [] for run in runs}
        statement = select(ITEMS.c.run, ITEMS.c.counts).where(ITEMS.c.run.in_(sorted(found)))
        for row in await self.reader.rows(statement.order_by(ITEMS.c.run, ITEMS.c.block)):
            found[row["run"]].append(json.loads(row["counts"]))
        return found

    async def read_feed(self, run: str) -> AsyncIterator[bytes]:
        """The feed that a run was planned from, part by part, as it came."""
        numbers = await self.reader.rows(select(FEEDS.c.part).where(FEEDS.c.run == run).order_by(FEEDS.c.part))
        for row in numbers:
            statement = select(FEEDS.c.content).where(FEEDS.c.run == run, FEEDS.c.part == row["part"])
            yield zlib.decompress(await self.reader.value(statement))

    # ------------------------------------------------------------------ what a source manages

    async def find_people(
        self, source: str, external_ids: Collection[str], user_names: Collection[str], *, managed: bool
    ) -> frozenset[UserId]:
        """The people of these external ids or user names; with `managed` those too whom the source has anything on."""
        users = tables.table_of(tables.UserRow)
        named = [users.c.external_id.in_(sorted(external_ids)), users.c.user_name.in_(sorted(user_names))]
        found: set[UserId] = set()
        for condition in (*named, users.c.source == source) if managed else named:  # one at a time: so indexes serve
            rows = await self.reader.rows(select(users.c.id).where(self.reader.known(users), condition))
            found.update(UserId(row["id"]) for row in rows)
        for kind, column in _GIVEN if managed else ():
            table = tables.table_of(TABLE_OF[kind])
            statement = select(table.c[column]).where(self.reader.known(table), table.c.source == source).distinct()
            found |= {UserId(row[column]) for row in await self.reader.rows(statement)}
        return frozenset(found)

    async def read_standing(self, source: str) -> Standing:
        """What a source has, without making records of it.

        The database puts the rows of a person together, and all of a kind into one text: for each row that it handed
        over by itself it would wait in line with whatever works beside it.
        """
        told: dict[type, tuple[str | None, int | None, str | None]] = {}
        for kind, column in _GIVEN:
            table = tables.table_of(TABLE_OF[kind])
            said = _say(table, kind) if kind in _SAID else literal("")
            has_window = table.c.valid_from.is_not(None) | table.c.valid_until.is_not(None)
            mine = self.reader.known(table) & (table.c.source == source)
            of = (
                select(
                    table.c[column].label("holder"), func.count().label("rows"),
                    func.max(case((has_window, 1), else_=0)).label("windows"),
                    func.aggregate_strings(said, SEPARATOR).label("said"),
                ).where(mine).group_by(table.c[column]).subquery()
            )  # fmt: skip
            in_all: list[ColumnElement[Any]] = [
                func.aggregate_strings(of.c.holder + UNIT + of.c.said, RECORD), func.sum(of.c.rows),
                func.aggregate_strings(case((of.c.windows == 1, of.c.holder)), RECORD),
            ]  # fmt: skip
            found: Sequence[Sequence[Any]] = await self.reader.tuples(select(*in_all))
            told[kind] = found[0][0], found[0][1], found[0][2]
        users = tables.table_of(tables.UserRow)
        shown = [users.c[name] for name in ("external_id", "id", "user_name", "display_name", "email", "status")]
        mine = self.reader.known(users) & (users.c.source == source)
        is_listed = users.c.external_id.is_not(None) & (users.c.kind == UserKind.PERSON)
        line: ColumnElement[Any] = shown[0]
        for one in shown[1:]:
            line = line + UNIT + func.coalesce(one, "")
        of_people: list[ColumnElement[Any]] = [
            func.aggregate_strings(case((is_listed, line)), RECORD),
            func.aggregate_strings(case((not_(is_listed), users.c.id)), RECORD),
            func.sum(case((users.c.status == UserStatus.ACTIVE, 1), else_=0)),
        ]
        lines, others, active = list((await self.reader.tuples(select(*of_people).where(mine)))[0])
        return await asyncio.to_thread(_read_standing, told, lines, others, int(active or 0))

    async def count_managed(self) -> Counter[str]:
        """How many people, roles, teams and rows each source manages; what people do by hand is no source."""
        found: Counter[str] = Counter()
        for kind in _SOURCED:
            table = tables.table_of(TABLE_OF[kind])
            condition = [self.reader.known(table), table.c.source != MANUAL]
            statement = select(table.c.source, func.count().label("count")).where(*condition).group_by(table.c.source)
            for row in await self.reader.rows(statement):
                found[row["source"]] += row["count"]
        return found

    async def count_drift(self, since: Mapping[str, int]) -> Counter[str]:
        """How many records and rows of each source have come or gone after its revision of `since`."""
        found: Counter[str] = Counter()
        asked = values(Column("source", Text), Column("revision", Integer)).data(sorted(since.items())).cte("asked")
        for kind in _SOURCED if since else ():
            table = tables.table_of(TABLE_OF[kind])
            statement = select(table.c.source, func.count(table.c.id.distinct()).label("count")).join(
                asked, and_(table.c.source == asked.c.source, _changed_since(table.c, asked.c.revision))
            )
            for row in await self.reader.rows(statement.group_by(table.c.source)):
                found[row["source"]] += row["count"]
        return found

    async def find_changed_since(self, source: str, revision: int) -> ChangedSince:
        """What has changed after a revision."""
        found: set[str] = set()
        people: set[str] = set()
        mine = False
        kinds = ((User, "id"), (Role, "id"), (Team, "id"), *_HELD)
        for kind, column in kinds:
            table = tables.table_of(TABLE_OF[kind])
            statement = select(table.c[column], table.c.source).where(_changed_since(table.c, revision)).distinct()
            for row in await self.reader.rows(statement):
                found.add(row[column])
                mine |= row["source"] == source
            if kind is User:
                people = set(found)
        return ChangedSince(frozenset(found), frozenset(people), mine)

    async def read_versions(
        self, people: Sequence[UserId], roles: Sequence[RoleId], teams: Sequence[TeamId]
    ) -> list[Version]:
        """Every version of these, the oldest first, each with the source of its change."""
        found: list[Version] = []
        for kind, ids in ((User, people), (Role, roles), (Team, teams)):
            table = tables.table_of(TABLE_OF[kind])
            for start in range(0, len(ids), 500):
                statement = (
                    select(table, ENTRIES.c.source.label("doer"))
                    .join(ENTRIES, ENTRIES.c.revision == table.c.created_revision)
                    .where(table.c.id.in_(ids[start : start + 500]))
                    .order_by(table.c.id, table.c.created_revision)
                )
                for row in await self.reader.rows(statement):
                    depth = depth_of(row["status"]) if kind is User else int(row["archived"])
                    found.append(Version(row["id"], depth, row["doer"]))
        return found


def _number_before(part: Slice) -> int:
    """The number of the item after which a slice begins."""
    return -1 if part.after is None else int(part.after[0])


def _count(counts: Mapping[str, int], action: SyncAction | None) -> int:
    return sum(counts.values()) if action is None else counts.get(action, 0)


def _find_blocks(blocks: Sequence[Mapping[str, int]], action: SyncAction | None, part: Slice) -> Iterator[int]:
    """The blocks that hold a page of items, and one item more, by how many of each action stand in each."""
    after = _number_before(part)
    first = (after + 1) // BLOCK
    sure = 0
    for block in range(first, len(blocks)):
        if sure > part.limit:
            return
        here = _count(blocks[block], action)
        if here:
            yield block
        if (
            block > first or after < 0
        ):  # of the block that a slice begins in the middle of, nobody knows how many follow
            sure += here


def _read_standing(
    told: Mapping[type, tuple[str | None, int | None, str | None]], lines: str | None, others: str | None, active: int
) -> Standing:
    """What a source has: of each kind the words of its rows, how many they are, and whose have windows."""
    words = {kind: dict(row.split(UNIT, 1) for row in _split(said)) for kind, (said, _, _) in told.items()}
    listed = dict(row.split(UNIT, 1) for row in _split(lines))
    holders = {one for of in words.values() for one in of}
    people = {one for one in holders if one.startswith(f"{PREFIX_OF[User]}_")}
    people.update(line.partition(UNIT)[0] for line in listed.values())
    people.update(_split(others))
    rows = Counter({kind: int(number or 0) for kind, (_, number, _) in told.items()})
    return Standing(
        lines=listed, assignments=words[Assignment], memberships=words[Membership], access=words[Access],
        dated=frozenset(one for _, _, dated in told.values() for one in _split(dated)),
        managed=Managed(rows, frozenset(people), active),
    )  # fmt: skip


def _split(told: str | None) -> list[str]:
    """The rows of a text; none where there is none."""
    return told.split(RECORD) if told else []


def _say(table: Table, kind: type) -> ColumnElement[str]:
    """What a row says, in one word: the same as `word_of` of the domain."""
    first, *more = _SAID[kind]
    said = table.c[first] + " " + func.coalesce(table.c.contract, "-")
    for name in more:
        column = table.c[name]
        said += " " + (cast(cast(column, Integer), Text) if isinstance(column.type, Boolean) else column)
    return said


def _changed_since(columns: Any, revision: int | ColumnElement[int]) -> ColumnElement[bool]:
    return or_(columns.created_revision > revision, columns.ended_revision > revision)


def pack_items(catalog: Catalog, items: Iterable[SyncItem]) -> list[tuple[str, bytes]]:
    """Items in blocks as they are kept: how many of each action, and the compressed content."""
    packed: list[tuple[str, bytes]] = []
    block: list[list[Any]] = []

    def pack() -> None:
        counts: dict[str, int] = {}
        for item in block:
            counts[item[0]] = counts.get(item[0], 0) + 1
        packed.append((json.dumps(counts), zlib.compress(json.dumps(block, ensure_ascii=False).encode(), 1)))
        block.clear()

    for item in items:
        block.append(render_item(catalog, item))
        if len(block) == BLOCK:
            pack()
    if block:
        pack()
    return packed
