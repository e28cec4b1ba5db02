"""What every use case is given: the database, the catalog in force, the time, randomness."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from app.db.unit_of_work import Database, ReadingUnit
from app.domain.audit import Mark
from app.domain.authority import Authority
from app.domain.callers import Caller
from app.domain.catalog import Catalog
from app.domain.compiled import Program
from app.domain.holders import ContractId, UserId, UserStatus
from app.domain.ids import PREFIX_OF, make_id, make_ids
from app.domain.rights import Evaluation
from app.domain.sight import Sight
from app.domain.sync.brake import DEFAULT_SHARE
from app.domain.world import Change, World
from app.services.buckets import Buckets
from app.services.feed import Feed
from app.services.index import Indexes, RightsIndex
from app.services.issuers import NO_ISSUERS, Issuers
from app.services.past import Past
from app.services.seeing import Seen
from app.services.sync.sketches import Sketches
from app.services.uses import Uses
from app.settings import Limits
from app.telemetry.metrics import REVISION

LIMITS = Limits()  # those of a gateway whose settings say nothing of them
REVISION_WAIT_S = 1.0  # for a revision that another replica has told of; what is on its way is here sooner
MOST_STEPS = 100  # states in a row of which only what the log names is read: whatever it does not name heals by then
DRAWN_AT_ONCE = 1000  # ids for which randomness is asked of the system together
MAX_STEP_BACK = timedelta(hours=1)  # a clock set back by more was wrong before, and is not waited for


def read_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class SteadyClock:
    """A clock that stands still while another is set back, until that has caught up: what has expired stays expired."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self._latest = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        now = self.clock()
        if not timedelta() < self._latest - now <= MAX_STEP_BACK:
            self._latest = now
        return self._latest


class Services:
    """The gateway's state between requests: all of it is a database and the catalog in force."""

    def __init__(
        self,
        database: Database,
        program: Program,
        *,
        cursor_key: bytes,
        audit_key: bytes | None = None,
        issuers: Issuers = NO_ISSUERS,
        brake_share: float = DEFAULT_SHARE,
        max_feed: int = 1 << 30,
        limits: Limits = LIMITS,
        clock: Callable[[], datetime] = read_clock,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.database = database
        self.program = program
        self.cursor_key = cursor_key
        self.audit_key = audit_key  # by which heads of the audit log are signed; kept outside of the database
        self.brake_share = brake_share  # of what a source manages, that one plan of it may take away
        self.max_feed = max_feed  # bytes of a feed that comes by POST
        self.issuers = issuers  # others whose tokens are taken
        self.clock: Callable[[], datetime] = SteadyClock(clock)
        self.randomness = randomness
        self.index = Indexes(database, lambda: self.program, key=cursor_key)
        self.feed = Feed(database, self.clock, self.index.note)
        self.sketches = Sketches()
        self.drafting = asyncio.Semaphore(1)  # a long feed takes a processor and memory: one after another
        self.past = Past()
        self.uses = Uses(database)
        self.failures = Buckets(limits.max_failures, limits.failure_refill)  # wrong tokens, by where they come from
        self._directory: tuple[Mark, Catalog, World] | None = None
        self._steps = 0  # from the one that was read as a whole

    @property
    def catalog(self) -> Catalog:
        return self.program.catalog

    def new_id(self, kind: type) -> str:
        """An unused id for a record of a kind."""
        return make_id(PREFIX_OF[kind], self.clock(), self.randomness(10))

    def new_ids(self) -> Callable[[type], str]:
        """What makes very many unused ids, all of this moment."""
        make_one, drawn = make_ids(self.clock()), self._draw()
        return lambda kind: make_one(PREFIX_OF[kind], next(drawn))

    def _draw(self) -> Iterator[bytes]:
        """Ten random bytes, again and again."""
        while True:
            fresh = self.randomness(10 * DRAWN_AT_ONCE)
            yield from (fresh[start : start + 10] for start in range(0, len(fresh), 10))

    @asynccontextmanager
    async def reading(
        self, caller: Caller | None = None, *, patient: bool = False, now: datetime | None = None
    ) -> AsyncIterator["Reading"]:
        """Everything that one document reads: one snapshot, one revision, one moment (None: now), for one caller.

        A `patient` one is of a job that takes longer than a request may.

        Without a caller the gateway itself reads (the command line of whoever owns the database), and sees everything.
        """
        async with self.database.reading(self.catalog, patient=patient) as unit:
            mark = await unit.audit.find_mark()
            REVISION.set(mark.revision)
            self.index.note(mark.revision)
            yield Reading(self, unit, revision=mark.revision, mark=mark, caller=caller, now=now)

    async def wait_for(self, revision: int) -> int:
        """The latest revision there is, after a bounded wait for this one."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.feed.wait(after=revision - 1), REVISION_WAIT_S)
        return self.feed.revision

    async def load_directory(self, unit: ReadingUnit, mark: Mark | None = None) -> World:
        """All roles, teams and contracts as a unit knows them, at the state `mark` (None: it is looked up).

        A state never changes, so the last one asked for is kept, and of the next one nothing is read but what the log
        names since, but for every hundredth, and where it names very much; those of the past are kept beside it, a few
        of them.
        """
        mark = mark or await unit.audit.find_mark()
        directory: World | None = None
        if unit.reader.known_at is not None:
            directory = self.past.directories.find(mark)
            if directory is None:
                directory = self.past.directories.keep(mark, await unit.worlds.load_directory())
            return directory
        if self._directory is not None:
            known_mark, catalog, known = self._directory
            if catalog is unit.reader.catalog:  # what is read is what it makes of rows
                if known_mark == mark:
                    return known
                if self._steps < MOST_STEPS and await unit.audit.has(known_mark):
                    changed = await unit.profiles.list_subjects(known_mark.revision, but_people=True)
                    if changed is not None:
                        directory = await unit.worlds.reload_directory(known, changed) if changed else known
                        self._steps += 1
        if directory is None:
            directory = await unit.worlds.load_directory()
            self._steps = 0
        self._directory = (mark, unit.reader.catalog, directory)
        return directory

    async def close(self) -> None:
        await self.index.close()
        await self.feed.close()
        await self.uses.finish()
        await self.database.close()


class Reading:
    """One snapshot being read. People are loaded when somebody asks for them, and stay.

    `load_world` is everything there is; `look` is what of it the caller may see, and all that a door is shown.
    """

    def __init__(
        self,
        services: Services,
        unit: ReadingUnit,
        *,
        revision: int,
        mark: Mark | None = None,
        caller: Caller | None = None,
        world: World | None = None,
        present: "Reading | None" = None,
        program: Program | None = None,
        now: datetime | None = None,
    ) -> None:
        self.services = services
        self.unit = unit
        self.revision = revision
        self.mark = mark  # the state of the database that is read; None: nobody has looked for it
        self.caller = caller
        self.now = now or services.clock()
        self.present = present or self  # of a reading of the past: the one of today, which decides what is seen
        self.pasts: dict[int, Reading] = {}
        self.remembering = asyncio.Lock()
        self._program = program  # given: that of a catalog which is in force no more
        self.is_supposed = world is not None  # the world after a dry run, which the database does not know
        self._world = world
        self._sight: Sight | None = None
        self._authority: Authority | None = None
        self._authorising = asyncio.Lock()
        self._everybody = False
        self._unknown: set[UserId] = set()  # who was asked for and is not there: in the past this may be many
        self._evaluations: dict[tuple[ContractId | None, datetime], Evaluation] = {}
        self._loading = asyncio.Lock()

    @property
    def catalog(self) -> Catalog:
        return self.program.catalog

    @property
    def program(self) -> Program:
        return self._program or self.services.program

    def find_index(self) -> RightsIndex | None:
        """The index of this very revision, if there is one, for what is asked about now."""
        if self.is_supposed or self.present is not self or self._program is not None:
            return None
        index = self.services.index.current()
        return index if index is not None and index.mark == self.mark else None

    async def load_world(self, people: Iterable[UserId] | None = ()) -> World:
        """The world with these people in it (None: everybody), and whoever was asked for before.

        An id of nobody is left out: who is not in a world is unknown.
        """
        async with self._loading:
            if self._world is None:
                self._world = await self.services.load_directory(self.unit, self.mark)
            known = self._world.users
            missing = None if people is None else {user for user in people if user not in known} - self._unknown
            if self._everybody or (missing is not None and not missing):
                return self._world
            self._world = await self.unit.worlds.join_people(self._world, missing)
            self._everybody = people is None
            self._unknown |= (missing or set()) - self._world.users.keys()
            self._evaluations.clear()
            return self._world

    async def sight(self) -> Sight:
        """What the caller sees, by what the caller holds today."""
        if self.present is not self:
            return await self.present.sight()
        if self._sight is None:
            self._sight = Sight(await self.authority() if self.caller is not None else None)
        return self._sight

    async def authority(self) -> Authority:
        """What the caller holds today."""
        if self.present is not self:
            return await self.present.authority()
        assert self.caller is not None, "the gateway itself needs no authority"
        async with self._authorising:  # resolvers run concurrently, and the caller is looked up once
            if self._authority is None:
                self._authority = await self._load_authority(self.caller.user)
            return self._authority

    async def _load_authority(self, caller: UserId) -> Authority:
        world = await self._world_of(caller)
        kept: dict[tuple[ContractId | None, datetime], Evaluation] = {}

        def evaluation(contract: ContractId | None, at: datetime) -> Evaluation:
            known = contract if contract in world.contracts else None  # registered by the very change under way
            if (known, at) not in kept:
                kept[known, at] = Evaluation(self.program, world, contract=known, at=at)
            return kept[known, at]

        return Authority(caller, evaluation, at=self.now)

    async def _world_of(self, caller: UserId) -> World:
        """A world with whatever the caller holds in it. Of an account owner the rows do not matter."""
        world = await self.load_world()
        if caller in world.users:
            return world
        found = await self.unit.users.find_by("id", [caller])
        if found and found[0].is_owner and found[0].status is UserStatus.ACTIVE:
            return world.changed([Change(None, found[0])])
        return await self.load_world([caller])

    async def look(self, people: Iterable[UserId] = ()) -> Seen:
        """What the caller sees of the world with these people in it."""
        sight = await self.sight()
        return Seen(await self.load_world(people), sight)

    def seen_so_far(self, people: Iterable[UserId]) -> Seen | None:
        """What `look` gives, if all of it is there already."""
        if self.present is not self:
            return None
        world, sight = self._world, self._sight
        if world is None or sight is None or self._loading.locked():
            return None
        known = world.users
        if not all(person in known or person in self._unknown for person in people):
            return None
        return Seen(world, sight)

    async def evaluate(
        self, people: Iterable[UserId] | None, contract: ContractId | None, at: datetime | None = None
    ) -> Evaluation:
        """The evaluation of a contract at a moment (None: now), with these people in its world."""
        world = await self.load_world(people)
        key = (contract, at or self.now)
        if key not in self._evaluations:
            self._evaluations[key] = self._make_evaluation(world, *key)
        return self._evaluations[key]

    def _make_evaluation(self, world: World, contract: ContractId | None, at: datetime) -> Evaluation:
        """An evaluation; where there is an index of this revision, with what it knows of roles and teams."""
        index = self.find_index()
        if index is None:
            return Evaluation(self.program, world, contract=contract, at=at)
        return index.standings.evaluate(world, contract, at)
