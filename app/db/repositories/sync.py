"""Sync: runs with their items and feeds; who and what a source manages, and what has changed of it."""

import json
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, or_, select, update

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
    StoredFact,
    SubscriberLink,
    Team,
    User,
    UserId,
    UserStatus,
)
from app.domain.paging import Page, Slice
from app.domain.sync.desired import SyncMode
from app.domain.sync.keeping import read_error, read_item, render_error, render_item
from app.domain.sync.runs import SyncAction, SyncCounts, SyncItem, SyncRun, SyncStatus

RUNS = tables.table_of(tables.SyncRunRow)
ITEMS = tables.table_of(tables.SyncItemsRow)
FEEDS = tables.table_of(tables.SyncFeedRow)
ENTRIES = tables.table_of(tables.AuditEntryRow)
BLOCK = 1000  # items of a block: some tens of kilobytes, read in a millisecond or two
_SOURCED: tuple[type, ...] = (User, Role, Team, Grant, Limit, Assignment, Membership, Access)
_HELD: tuple[tuple[type, str], ...] = (
    (Grant, "holder"), (Limit, "holder"), (Assignment, "holder"), (Membership, "user"), (Access, "user"),
    (SubscriberLink, "user"), (StoredFact, "user"),
)  # fmt: skip
_PERSONAL: tuple[tuple[type, str], ...] = ((Assignment, "holder"), (Membership, "user"), (Access, "user"))


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

    async def list_sources(self) -> list[str]:
        """Every source that has a run, or manages anything, in order; what people do by hand is no source."""
        found = {row["source"] for row in await self.reader.rows(select(RUNS.c.source).distinct())}
        for kind in _SOURCED:
            table = tables.table_of(TABLE_OF[kind])
            statement = select(table.c.source).where(self.reader.known(table)).distinct()
            found |= {row["source"] for row in await self.reader.rows(statement)}
        return sorted(found - {MANUAL})

    async def find_last(self, source: str, *, applied: bool = False, changed: bool = False) -> SyncRun | None:
        """The latest run of a source: any, one that was applied, or one by which something changed."""
        statement = select(RUNS).where(RUNS.c.source == source).order_by(RUNS.c.number.desc()).limit(1)
        if applied or changed:
            statement = statement.where(RUNS.c.status == SyncStatus.APPLIED)
        if changed:
            statement = statement.where(RUNS.c.revision > RUNS.c.base_revision)
        rows = await self.reader.rows(statement)
        return self._read(rows[0]).run if rows else None

    def _columns(self, kept: KeptRun) -> dict[str, Any]:
        run = kept.run
        return {
            "id": run.id, "source": run.source, "status": run.status, "mode": run.mode, "take_over": run.take_over,
            "max_removals": run.max_removals, "base_revision": run.base_revision, "revision": run.revision,
            "fingerprint": run.fingerprint, "differences": kept.differences, "catalog": kept.catalog,
            "counts": json.dumps(asdict(run.counts)), "brake": json.dumps(run.brake, ensure_ascii=False),
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
            brake=tuple(json.loads(row["brake"])), planned_at=row["planned_at"], planned_by=row["planned_by"],
            applied_at=row["applied_at"], applied_by=row["applied_by"], reason=row["reason"],
        )  # fmt: skip
        refusals = tuple(read_error(self.reader.catalog, error) for error in json.loads(row["refusals"]))
        return KeptRun(
            run=run, differences=row["differences"], catalog=row["catalog"], refusals=refusals, format=row["format"]
        )

    # ------------------------------------------------------------------ items and feeds

    async def read_items(self, run: str, action: SyncAction | None, part: Slice) -> Page[tuple[SyncItem, int]]:
        """A page of the items of a run, each with its number in the whole plan."""
        after = -1 if part.after is None else int(part.after[0])
        found: list[tuple[SyncItem, int]] = []
        statement = select(ITEMS.c.block, ITEMS.c.counts).where(ITEMS.c.run == run).order_by(ITEMS.c.block)
        for row in await self.reader.rows(statement.where(ITEMS.c.block >= (after + 1) // BLOCK)):
            if action is not None and action not in json.loads(row["counts"]):
                continue
            one = select(ITEMS.c.content).where(ITEMS.c.run == run, ITEMS.c.block == row["block"])
            for index, data in enumerate(json.loads(zlib.decompress(await self.reader.value(one)))):
                number = row["block"] * BLOCK + index
                if number > after and (action is None or data[0] == action):
                    found.append((read_item(self.reader.catalog, data), number))
            if len(found) > part.limit:
                break
        return Page(tuple(found[: part.limit]), has_next=len(found) > part.limit, has_previous=after >= 0)

    async def count_items(self, run: str, action: SyncAction | None) -> int:
        rows = await self.reader.rows(select(ITEMS.c.counts).where(ITEMS.c.run == run))
        counts = [json.loads(row["counts"]) for row in rows]
        return sum(n for one in counts for what, n in one.items() if action is None or what == action)

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
        named: list[ColumnElement[bool]] = [
            users.c.external_id.in_(sorted(external_ids)),
            users.c.user_name.in_(sorted(user_names)),
        ]
        if managed:
            named.append(users.c.source == source)
        rows = await self.reader.rows(select(users.c.id).where(self.reader.known(users), or_(*named)))
        found = {UserId(row["id"]) for row in rows}
        for kind, column in _PERSONAL if managed else ():
            table = tables.table_of(TABLE_OF[kind])
            statement = select(table.c[column]).where(self.reader.known(table), table.c.source == source).distinct()
            found |= {UserId(row[column]) for row in await self.reader.rows(statement)}
        return frozenset(found)

    async def count_managed(self, source: str) -> int:
        """How many people, roles, teams and rows a source manages."""
        total = 0
        for kind in _SOURCED:
            table = tables.table_of(TABLE_OF[kind])
            condition = [self.reader.known(table), table.c.source == source]
            total += int(await self.reader.value(select(func.count()).select_from(table).where(*condition)))
        return total

    async def count_changed_since(self, source: str, revision: int) -> int:
        """How many records and rows of a source have come or gone after a revision."""
        total = 0
        for kind in _SOURCED:
            table = tables.table_of(TABLE_OF[kind])
            statement = select(func.count(table.c.id.distinct())).select_from(table)
            condition = [table.c.source == source, _changed_since(table.c, revision)]
            total += int(await self.reader.value(statement.where(*condition)))
        return total

    async def find_changed_since(self, source: str, revision: int) -> tuple[frozenset[str], bool]:
        """Everything whose record or rows have changed after a revision; and whether rows of the source have."""
        found: set[str] = set()
        mine = False
        kinds = ((User, "id"), (Role, "id"), (Team, "id"), *_HELD)
        for kind, column in kinds:
            table = tables.table_of(TABLE_OF[kind])
            statement = select(table.c[column], table.c.source).where(_changed_since(table.c, revision)).distinct()
            for row in await self.reader.rows(statement):
                found.add(row[column])
                mine |= row["source"] == source
        return frozenset(found), mine

    async def find_users_changed_since(self, revision: int) -> frozenset[str]:
        """The people whose record has changed after a revision."""
        users = tables.table_of(tables.UserRow)
        statement = select(users.c.id).where(_changed_since(users.c, revision)).distinct()
        return frozenset(row["id"] for row in await self.reader.rows(statement))

    async def find_held_down(self, source: str, people: Sequence[UserId]) -> frozenset[str]:
        """Those of these people who were last made inactive by another source; and roles and teams archived so."""
        users = tables.table_of(tables.UserRow)
        found: set[str] = set()
        for start in range(0, len(people), 500):
            part = people[start : start + 500]
            found |= await self._held_down(users, users.c.status != UserStatus.ACTIVE, source, users.c.id.in_(part))
        for kind in (Role, Team):
            table = tables.table_of(TABLE_OF[kind])
            live = select(table.c.id).where(table.c.ended_revision.is_(None), table.c.archived)
            found |= await self._held_down(table, table.c.archived, source, table.c.id.in_(live))
        return frozenset(found)

    async def _held_down(self, table: Any, down: ColumnElement[bool], source: str, these: Any) -> set[str]:
        """Looks back through the versions of each to the one by which it went down."""
        statement = (
            select(table.c.id, down.label("down"), ENTRIES.c.source)
            .join(ENTRIES, ENTRIES.c.revision == table.c.created_revision)
            .where(these)
            .order_by(table.c.id, table.c.created_revision)
        )
        doer: dict[str, str | None] = {}
        for row in await self.reader.rows(statement):
            if not row["down"]:
                doer[row["id"]] = None
            elif doer.get(row["id"]) is None:
                doer[row["id"]] = row["source"]
        return {one for one, who in doer.items() if who is not None and who != source}


def _changed_since(columns: Any, revision: int) -> ColumnElement[bool]:
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
