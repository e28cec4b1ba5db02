"""What every use case is given: the database, the catalog in force, the time, randomness."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from app.db.unit_of_work import Database, ReadingUnit
from app.domain.catalog import Catalog
from app.domain.compiled import Program
from app.domain.holders import ContractId, UserId
from app.domain.ids import PREFIX_OF, make_id
from app.domain.rights import Evaluation
from app.domain.world import Change, World


def read_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class Services:
    """The gateway's state between requests: all of it is a database and the catalog in force."""

    def __init__(
        self,
        database: Database,
        program: Program,
        *,
        cursor_key: bytes,
        clock: Callable[[], datetime] = read_clock,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.database = database
        self.program = program
        self.cursor_key = cursor_key
        self.clock = clock
        self.randomness = randomness
        self._directory: tuple[int, World] | None = None

    @property
    def catalog(self) -> Catalog:
        return self.program.catalog

    def new_id(self, kind: type) -> str:
        """An unused id for a record of a kind."""
        return make_id(PREFIX_OF[kind], self.clock(), self.randomness(10))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Reading"]:
        """Everything that one document reads: one snapshot, one revision, one moment."""
        async with self.database.reading(self.catalog) as unit:
            yield Reading(self, unit, revision=await unit.audit.find_last_revision())

    async def load_directory(self, unit: ReadingUnit, revision: int) -> World:
        """All roles, teams and contracts at a revision. A revision never changes, so the last one asked for is kept."""
        kept = self._directory
        if kept is not None and kept[0] == revision:
            return kept[1]
        directory = await unit.worlds.load_directory()
        self._directory = (revision, directory)
        return directory

    async def close(self) -> None:
        await self.database.close()


class Reading:
    """One snapshot being read. People are loaded when somebody asks for them, and stay."""

    def __init__(self, services: Services, unit: ReadingUnit, *, revision: int, world: World | None = None) -> None:
        self.services = services
        self.unit = unit
        self.revision = revision
        self.now = services.clock()
        self._world = world  # given: the world after a dry run, which the database does not know
        self._everybody = False
        self._evaluations: dict[tuple[ContractId | None, datetime], Evaluation] = {}
        self._loading = asyncio.Lock()

    @property
    def catalog(self) -> Catalog:
        return self.services.catalog

    @property
    def program(self) -> Program:
        return self.services.program

    async def load_world(self, people: Iterable[UserId] | None = ()) -> World:
        """The world with these people in it (None: everybody), and whoever was asked for before.

        An id of nobody is left out: who is not in a world is unknown.
        """
        async with self._loading:
            if self._world is None:
                self._world = await self.services.load_directory(self.unit, self.revision)
            missing = None if people is None else {user for user in people if user not in self._world.users}
            if self._everybody or (missing is not None and not missing):
                return self._world
            known = self._world.users
            records = await self.unit.worlds.load_people(missing)
            new = [record for record in records if getattr(record, "holder", record.id) not in known]
            self._world = self._world.changed(Change(None, record) for record in new)
            self._everybody = people is None
            self._evaluations.clear()
            return self._world

    async def evaluate(
        self, people: Iterable[UserId] | None, contract: ContractId | None, at: datetime | None = None
    ) -> Evaluation:
        """The evaluation of a contract at a moment (None: now), with these people in its world."""
        world = await self.load_world(people)
        key = (contract, at or self.now)
        if key not in self._evaluations:
            self._evaluations[key] = Evaluation(self.program, world, contract=contract, at=key[1])
        return self._evaluations[key]
