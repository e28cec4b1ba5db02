"""Units of work: one use case, one transaction, one revision.

A reading unit sees one snapshot. A writing unit takes the write lock before it reads anything, so that what it checks
still holds when it writes; it commits once, at its end, and rolls back on any error.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from itertools import chain, count, islice, repeat
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from app.db import postgresql, tables
from app.db.engine import BEGIN_OPTION, PATIENT_POOL_SIZE, conclude, create_engine, finish, is_damaged, mark_damaged
from app.db.faults import is_decided, ruins_store
from app.db.mapping import ENTITIES, TABLE_OF, columns_of_entry, columns_of_part, write_records
from app.db.notices import NoNotices, Notices
from app.db.repositories.audit import Audit
from app.db.repositories.catalogs import Catalogs
from app.db.repositories.contracts import Contracts
from app.db.repositories.idempotency import Idempotency
from app.db.repositories.profiles import Profiles
from app.db.repositories.reading import Reader
from app.db.repositories.roles import Roles
from app.db.repositories.rows import Rows
from app.db.repositories.security import SecurityLog
from app.db.repositories.sync import Sync
from app.db.repositories.teams import Teams
from app.db.repositories.tokens import Tokens
from app.db.repositories.users import Users
from app.db.repositories.worlds import Worlds
from app.db.sensor import Sensor, open_sensor
from app.domain.audit import (
    FIRST_HASH,
    PART_SIZE,
    AuditEntry,
    ChangeRecord,
    Parts,
    Summary,
    cut_parts,
    name_subjects,
    seal_entry,
)
from app.domain.catalog import Catalog
from app.domain.holders import Record
from app.domain.outages import Conflicted, ConnectionLost, Outage, Unavailable, UndecidedCommit, WritesStopped
from app.domain.world import Change
from app.telemetry import log
from app.telemetry.metrics import DATABASE_RETRIES, DATABASE_WAIT, timing_wait

T = TypeVar("T")
WRITTEN_AT_ONCE = 2000  # rows of one call of the driver: few calls, and others have a turn between them
CACHE_KIB = 2000  # SQLite's own default
LARGE_CACHE_KIB = 65536  # while very much is written: by default pages are given up too early, a quarter of the time
NO_CATALOG = Catalog((), (), (), "")
MAX_ATTEMPTS = 6  # of a transaction that conflicts: once, and five times more
PAUSE_S = 0.01  # before the second attempt up to twice as much, drawn by lot, and twice that before each further one


class ReadingUnit:
    """One snapshot: every repository of it sees the same revision."""

    def __init__(self, connection: AsyncConnection, catalog: Catalog, *, known_at: int | None = None) -> None:
        self.reader = Reader(connection, catalog, known_at)
        self.users = Users(self.reader)
        self.roles = Roles(self.reader)
        self.teams = Teams(self.reader)
        self.contracts = Contracts(self.reader)
        self.rows = Rows(self.reader)
        self.worlds = Worlds(self.reader)
        self.profiles = Profiles(self.reader)
        self.audit = Audit(self.reader)
        self.tokens = Tokens(self.reader)
        self.security = SecurityLog(self.reader)
        self.idempotency = Idempotency(self.reader)
        self.catalogs = Catalogs(self.reader)
        self.sync = Sync(self.reader)

    def as_known_at(self, revision: int, catalog: Catalog | None = None) -> "ReadingUnit":
        """The same snapshot, but what was known at a revision of it, read by a catalog (None: by the same)."""
        past = ReadingUnit(self.reader.connection, catalog or self.reader.catalog, known_at=revision)
        past.reader.turn = self.reader.turn
        return past


class WritingUnit(ReadingUnit):
    """A snapshot that nobody else can write beside, and the one way to write it.

    `revision` is that of what it has recorded; None: nothing that anybody would have to hear of.
    """

    revision: int | None = None

    async def record(
        self,
        changes: Iterable[Change],
        entry: Callable[[int, str], AuditEntry],
        *,
        told: Iterable[ChangeRecord] | None = None,
    ) -> AuditEntry:
        """Writes changes and the audit entry that tells of them, as the next revision.

        `entry` makes the entry of its revision and the hash before it; what it returns is sealed here. Its time is not
        before that of the entry before it, whatever the clock of this machine says: times in the log never go back.

        More changes than one entry holds are kept in parts. Whoever may have very many leaves subjects and changes out
        of the entry and gives the changes as `told`: they are drawn as they are written, and need not be in memory at
        once. What is returned for an entry in parts has neither.
        """
        last = await self.audit.find_last()
        revision, previous = (1, FIRST_HASH) if last is None else (last.revision + 1, last.hash)
        made = entry(revision, previous)
        if last is not None and made.at < last.at:
            made = replace(made, at=last.at)
        subjects: Iterable[str]
        records = iter(made.changes if told is None else told)
        first = tuple(islice(records, PART_SIZE + 1))
        if len(first) > PART_SIZE:
            await self._set_cache(LARGE_CACHE_KIB)
            parts, subjects = await self._write_parts(revision, chain(first, records))
            made = replace(made, subjects=(), changes=(), parts=parts)
        else:
            made = made if told is None else replace(made, subjects=name_subjects(first), changes=first)
            subjects = made.subjects
        sealed = seal_entry(made)
        await self._insert(tables.AuditEntryRow, [columns_of_entry(sealed)])
        await self._insert_columns(tables.AuditSubjectRow, {"subject": subjects, "revision": repeat(revision)})
        await self._write_rows(changes, revision)
        if sealed.parts is not None:
            await self._set_cache(CACHE_KIB)
        self.revision = revision
        return sealed

    async def _set_cache(self, kibibytes: int) -> None:
        """How much SQLite keeps of the file; after an error it stays large, and is no more than a limit."""
        if self.reader.connection.dialect.name == "sqlite":
            await self.reader.connection.exec_driver_sql(f"PRAGMA cache_size=-{kibibytes}")

    async def _write_parts(self, revision: int, records: Iterable[ChangeRecord]) -> tuple[Parts, Iterable[str]]:
        """Writes changes in parts, before the entry that tells of them; gives what it tells, and its subjects."""
        summary = Summary()
        subjects: list[str] = []

        def make() -> Iterator[dict[str, Any]]:
            for part, changes in cut_parts(records):
                subjects.extend(summary.add(part, changes))
                yield columns_of_part(part, revision)

        async for row in _draw_ahead(make()):
            await self._insert(tables.AuditPartRow, [row])
        return summary.finish(), subjects

    async def _write_rows(self, changes: Iterable[Change], revision: int) -> None:
        ended: dict[type, list[str]] = {}
        created: dict[type, list[Record]] = {}
        identities: list[str] = []
        for change in changes:
            if change.before is not None:
                ended.setdefault(type(change.before), []).append(change.before.id)
            if change.after is not None:
                kind = type(change.after)
                created.setdefault(kind, []).append(change.after)
                if kind in ENTITIES and change.before is None:
                    identities.append(change.after.id)
        for kind, ids in ended.items():
            await self._end(kind, ids, revision)
        await self._insert_columns(tables.IdentityRow, {"id": identities})
        for kind, records in created.items():
            places = count()  # one after another through all slices
            slices = (write_records(kind, self.reader.catalog, some) for some in _slices(records))
            async for columns in _draw_ahead(slices) if len(records) > WRITTEN_AT_ONCE else _draw(slices):
                given = {**columns, "created_revision": repeat(revision)}
                await self._insert_columns(TABLE_OF[kind], given if kind in ENTITIES else {**given, "place": places})

    async def _insert(self, row_type: type[Any], rows: list[dict[str, Any]]) -> None:
        if rows:
            await self.reader.connection.execute(tables.table_of(row_type).insert(), rows)

    async def _insert_columns(self, row_type: type[Any], columns: Mapping[str, Iterable[Any]]) -> None:
        """Inserts rows given by their columns, in a fraction of the time that it takes row by row."""
        table, dialect = tables.table_of(row_type), self.reader.connection.dialect
        statement = table.insert().compile(dialect=dialect, column_keys=list(columns))
        bound = []
        for name in statement.positiontup or columns:
            process = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
            bound.append(columns[name] if process is None else map(lru_cache(process), columns[name]))
        rows = zip(*bound, strict=False)  # as long as the shortest: what is the same in each row has no end
        some = list(islice(rows, WRITTEN_AT_ONCE))
        if len(some) < WRITTEN_AT_ONCE:
            if some:
                await self.reader.connection.exec_driver_sql(str(statement), some)
            return
        async for part in _draw_ahead(chain([some], iter(lambda: list(islice(rows, WRITTEN_AT_ONCE)), []))):
            await self.reader.connection.exec_driver_sql(str(statement), part)

    async def _end(self, kind: type, ids: Sequence[str], revision: int) -> None:
        """Ends rows that are live. Raises `RuntimeError` where one is not there."""
        table = tables.table_of(TABLE_OF[kind])
        for some in _slices(ids):
            live = table.c.id.in_(some) & table.c.ended_revision.is_(None)
            result = await self.reader.connection.execute(update(table).where(live).values(ended_revision=revision))
            if result.rowcount == len(some):
                continue
            now = select(table.c.id).where(table.c.id.in_(some), table.c.ended_revision == revision)
            left = Counter(some) - Counter(row["id"] for row in await self.reader.rows(now))
            raise RuntimeError(f"the row {next(iter(left), some[0])} was to end and is not there")

    async def write_setting(self, name: str, value: str) -> None:
        """What the database says of itself, written once."""
        await self._insert(tables.SettingRow, [{"name": name, "value": value}])


async def _draw_ahead(items: Iterator[T]) -> AsyncIterator[T]:
    """What an iterator makes, each thing made beside the event loop while the one before it is used."""
    end: Any = object()
    coming = asyncio.ensure_future(asyncio.to_thread(next, items, end))
    try:
        while (item := await coming) is not end:
            coming = asyncio.ensure_future(asyncio.to_thread(next, items, end))
            yield item
    finally:
        await asyncio.wait([coming])  # whatever happens, nothing is made of it any more


async def _draw(items: Iterator[T]) -> AsyncIterator[T]:
    """What an iterator makes."""
    for item in items:
        yield item


def _draw_pause(longest: float) -> float:
    """Any part of a pause, so that two who were in each other's way do not meet again."""
    return random.uniform(0, longest)  # noqa: S311  # no secret


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), WRITTEN_AT_ONCE):
        yield items[start : start + WRITTEN_AT_ONCE]


class Database:
    """A database address, opened: gives out units of work.

    A `patient` unit is one of a job, such as a sync, whose statements take longer than those of a request: PostgreSQL
    gives it connections of its own. So has one that follows the log: what it comes to know saves many others a unit,
    and it does not wait in line with them.

    `is_damaged` once SQLite has found that the file is, or we that its indexes disagree with its tables: it stays so
    until the process is started anew.

    `stopped` is why it takes no writes any more: after a commit of which nobody knows what became of it, a file of
    SQLite may say another thing than what its readers see, until all who have it open have gone. Whoever is in
    `on_undecided` hears of it, once, so that the process can end.
    """

    def __init__(self, address: str) -> None:
        self.engine = create_engine(address)
        self.is_postgresql = self.engine.dialect.name == "postgresql"
        self.patient_engine = self.engine
        if self.is_postgresql:
            self.patient_engine = create_engine(address, patient=True, connections=PATIENT_POOL_SIZE)
        self.following_engine = create_engine(address, connections=1)
        self.stopped: UndecidedCommit | None = None
        self.on_undecided: list[Callable[[], None]] = []
        self.after_commit: list[Callable[[], None]] = []  # who hears, once a transaction of this process is committed
        self._writing = asyncio.Lock()  # writers of this process queue here; those of others wait for the lock itself

    @asynccontextmanager
    async def reading(
        self,
        catalog: Catalog = NO_CATALOG,
        *,
        known_at: int | None = None,
        patient: bool = False,
        follows: bool = False,
    ) -> AsyncIterator[ReadingUnit]:
        """A snapshot to read from; it ends without a trace."""
        begin = postgresql.begin_reading if self.is_postgresql else _begin_with_first_statement
        async with self._begin(begin, self._choose_engine(patient=patient, follows=follows)) as (connection, _):
            yield ReadingUnit(connection, catalog, known_at=known_at)

    @asynccontextmanager
    async def writing(self, catalog: Catalog = NO_CATALOG, *, patient: bool = False) -> AsyncIterator[WritingUnit]:
        """A transaction that holds the write lock from its beginning; it commits unless an error leaves it.

        Raises `UndecidedCommit` where nobody knows whether it did, and where that was SQLite `WritesStopped` ever
        after. Raises `Conflicted` or `ConnectionLost` where nothing was committed and all of it is to be done anew, as
        `transact` does.
        """
        begin = postgresql.begin_writing if self.is_postgresql else _begin_immediately
        self.require_writable()
        asked = perf_counter()
        async with self._writing:
            self.require_writable()  # the writer before this one may have stopped it
            async with self._begin(begin, self._choose_engine(patient=patient)) as (connection, transaction):
                DATABASE_WAIT.labels("write").observe(perf_counter() - asked)
                unit = WritingUnit(connection, catalog)
                try:
                    yield unit
                    if self.is_postgresql and unit.revision is not None:
                        await postgresql.tell(connection, unit.revision)
                except BaseException:
                    with suppress(Outage):  # a connection that is lost has rolled back by itself
                        await finish(transaction.rollback())
                    raise
                await conclude(self._commit(transaction))  # it has begun: who calls it off is told what came of it

    async def transact(
        self, work: Callable[[WritingUnit], Awaitable[T]], catalog: Catalog = NO_CATALOG, *, patient: bool = False
    ) -> T:
        """Does some work in a writing unit, and all of it anew where the database gave it up for another.

        What is repeated includes everything that was read and decided. A connection that was lost before the commit
        is made anew once: nothing of what it did is there. Raises what `writing` does.
        """
        lost = False
        attempt = 1
        while True:
            try:
                async with self.writing(catalog, patient=patient) as unit:
                    return await work(unit)
            except Conflicted as conflict:
                if attempt == MAX_ATTEMPTS:
                    raise
                self._note_repeat(conflict)
                await asyncio.sleep(_draw_pause(PAUSE_S * 2**attempt))
                attempt += 1
            except ConnectionLost as error:
                if lost:
                    raise
                self._note_repeat(error)
                lost = True

    def _note_repeat(self, why: Unavailable) -> None:
        DATABASE_RETRIES.inc()
        log("what was asked of the database is done anew", level=30, why=type(why).__name__)

    def listen(self, hear: Callable[[], None]) -> NoNotices:
        """What hears of the commits of other processes, once it was started; `hear` is called for each, or for some."""
        return Notices(self.engine, hear) if self.is_postgresql else NoNotices()

    def sense(self, hear: Callable[[], None]) -> Sensor:
        """What tells the latest revision at once; `hear` is called when another process tells of one."""
        return open_sensor(self.engine, self.listen(hear))

    @property
    def is_damaged(self) -> bool:
        return is_damaged(self.engine) or is_damaged(self.following_engine)

    def note_damage(self) -> None:
        """Takes note that it is not what was written to it."""
        mark_damaged(self.engine)

    def require_writable(self) -> None:
        """Raises `WritesStopped` where a commit is undecided."""
        if self.stopped is not None:
            raise WritesStopped(f"writes are stopped: {self.stopped}")

    async def _commit(self, transaction: AsyncTransaction) -> None:
        """Commits, whoever waits for it, and tells who wants to hear of it."""
        try:
            await transaction.commit()
        except Exception as error:
            if is_decided(error):
                await transaction.rollback()
                raise
            await transaction.connection.invalidate()  # nobody knows in which state it is either
            reason = getattr(error, "orig", error)
            undecided = UndecidedCommit(f"a commit failed, and nobody knows whether it is durable: {reason}")
            if ruins_store(error):
                self._stop(undecided)
            raise undecided from error
        for hear in self.after_commit:
            hear()

    def _stop(self, undecided: UndecidedCommit) -> None:
        self.stopped = undecided
        log("a commit is undecided: writes are stopped", level=50, exception=undecided)
        for hear in self.on_undecided:
            hear()

    def _choose_engine(self, *, patient: bool, follows: bool = False) -> AsyncEngine:
        if patient and self.is_postgresql:
            return self.patient_engine
        return self.following_engine if follows else self.engine

    @asynccontextmanager
    async def _begin(
        self, begin: Callable[[AsyncConnection], Awaitable[T]], engine: AsyncEngine
    ) -> AsyncIterator[tuple[AsyncConnection, T]]:
        """A connection whose transaction has begun. One of the pool that turns out to be lost is replaced once."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(_connect(engine))
            try:
                begun = await finish(begin(connection))
            except ConnectionLost as error:
                self._note_repeat(error)
                await stack.aclose()
                connection = await stack.enter_async_context(_connect(engine))
                begun = await finish(begin(connection))
            yield connection, begun

    async def close(self) -> None:
        await self.engine.dispose()
        await self.patient_engine.dispose()
        await self.following_engine.dispose()


@asynccontextmanager
async def _connect(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the pool, opened and given back whole, though whoever asked for it is called off."""
    connection = engine.connect()
    try:
        try:
            with timing_wait("connection"):
                await finish(connection.start())
        except PoolTimeout:
            raise Unavailable("every connection to the database is taken") from None
        except (OSError, TimeoutError) as error:  # before there is a connection SQLAlchemy tells of these as they are
            raise ConnectionLost(f"the database cannot be reached: {error or type(error).__name__}") from error
        yield connection
    finally:
        if connection.sync_connection is not None:
            await finish(connection.close())


async def _begin_with_first_statement(_connection: AsyncConnection) -> None:
    """As SQLite begins to read."""


async def _begin_immediately(connection: AsyncConnection) -> AsyncTransaction:
    """As SQLite begins to write: with the lock, or not at all."""
    await connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
    return await connection.begin()
