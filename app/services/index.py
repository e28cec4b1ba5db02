"""The index: everybody's rights at one revision, in memory, kept current from the change log.

A `RightsIndex` never changes for those who read it. Whenever something was committed, by this process or another, the
next one is made of what the log names since, and shares the rest: people that nothing was done to, and all that was
worked out for profiles, as long as roles, teams and contracts are the same.

`Indexes.current` gives an index only if the database has no later revision at that moment. Otherwise questions are
answered from the database, as they are without an index, once they have waited for the next one for a moment
(`expect`); so none is told of a right that was taken away before the question was asked (over PostgreSQL by another
process: a second before, `db/sensor.py`).
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Set
from contextlib import suppress
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from time import monotonic, thread_time
from typing import Any, NamedTuple, TypeVar

from app.db.faults import DisagreeingIndexes
from app.db.repositories.profiles import Signatures
from app.db.sensor import Sensor
from app.db.unit_of_work import Database, ReadingUnit
from app.domain.audit import Mark
from app.domain.authority import Authority
from app.domain.callers import Caller
from app.domain.catalog import Catalog, Operation, Permission
from app.domain.compiled import Program
from app.domain.holders import Contract, ContractId, User, UserId
from app.domain.ids import PREFIX_OF
from app.domain.kinds import Kinds
from app.domain.paging import Slice
from app.domain.people import MOST_CHANGED, People
from app.domain.profiles import CONTRACTS_KEPT, Profile, Standing, Standings
from app.domain.references import Attribute, Ref
from app.domain.rights import Evaluation, State
from app.domain.rooms import Room
from app.domain.sight import Sight
from app.domain.stages import Stages
from app.domain.tokens import TokenRecord
from app.domain.values import Value
from app.domain.windows import is_within
from app.domain.world import World
from app.services.shown import Answers, Shown, Tables
from app.services.snapshots import Snapshot, read_snapshot, write_snapshot
from app.telemetry import log

MOST_LOADED = 5_000  # people who are loaded one by one; where more have changed, everybody is
PIECE_S, REST_S = 0.03, 0.005  # of what is worked out in a row, and before what follows: others have a turn
RETRY_S = 1.0  # after the database could not be read
PATIENCE_S = 0.2  # with the next index: ten times what one change takes; all who ask the database would hold it up
RECORDS_KEPT = 20_000  # people whom somebody asked to see: half a kilobyte each
CALLERS_KEPT = 1_000
VIEWS_KEPT = 1_000
LISTED_KEPT = 256  # of profiles: all their rights, one by one, some fifty kilobytes
NAMED_KEPT = 5_000  # people who were asked about, by name and contract
T = TypeVar("T")


class KnownCaller(NamedTuple):
    """A token of ours that was good when it was read, and whose it is."""

    token: TokenRecord
    caller: Caller


class RightsIndex:
    """Everybody's rights at one revision. `allows` and `levels` answer for a moment; doors ask `services.at_once`.

    `records` and `callers` are what was read from the database and is worth keeping: people by id, and tokens by their
    digest, with whom they belong to. A token is issued and revoked by a revision that names that person. `shown` is
    what doors have written of people, their roles and teams. What is kept has to be read after `Indexes.current` gave
    the index: what was read before may be of an earlier revision.

    `answers` is what doors have written of how profiles stand, and `rights` the pieces that they are made of: each of a
    permission and of what `stages` tells of it, and so of the catalog alone. `listed` has all rights of some profiles,
    for selections of which nothing is kept.
    """

    def __init__(
        self,
        mark: Mark,
        program: Program,
        people: People,
        standings: Standings,
    ) -> None:
        self.mark = mark
        self.revision = mark.revision
        self.program = program
        self.people = people
        self.standings = standings
        self.records: Room[str, User] = Room(RECORDS_KEPT)
        self.callers: Room[str, KnownCaller] = Room(CALLERS_KEPT)
        self.listed: Room[Standing, list[Any]] = Room(LISTED_KEPT)
        self.shown = Shown()
        self.answers = Answers()
        self.rights: Tables[tuple[bytes, State]] = Tables()
        self._stages: Stages | None = None
        self._views: Room[str, View] = Room(VIEWS_KEPT)
        self._named: Room[tuple[Attribute, str, ContractId | None], tuple[UserId, Standing]] = Room(NAMED_KEPT)
        self._kinds: Room[ContractId | None, Kinds] = Room(CONTRACTS_KEPT)

    def followed_by(self, mark: Mark, people: People, standings: Standings, touched: Set[str]) -> "RightsIndex":
        """The index of a later state, up to which nothing was done to anybody but those touched."""
        following = RightsIndex(mark, self.program, people, standings)
        following.records.update({user: kept for user, kept in self.records.items() if user not in touched})
        following.callers.update({key: kept for key, kept in self.callers.items() if kept.caller.user not in touched})
        following.rights, following._stages = self.rights, self._stages
        if standings is self.standings:
            if people.packed is self.people.packed:
                following._kinds = self._kinds
            following.shown = self.shown.without(touched)
            following.answers = self.answers
            following._views.update({who: kept for who, kept in self._views.items() if who not in touched})
            following._named.update({name: kept for name, kept in self._named.items() if kept[0] not in touched})
        return following

    @property
    def catalog(self) -> Catalog:
        return self.program.catalog

    @property
    def stages(self) -> Stages:
        """What tells pieces of rights apart."""
        if self._stages is None:
            self._stages = Stages(self.program)
        return self._stages

    @property
    def directory(self) -> World:
        return self.standings.directory

    # ------------------------------------------------------------------ the engine

    def standing(self, user: str, contract: ContractId | None, now: datetime) -> Standing | None:
        """How a person stands now; None: there is nobody of this id."""
        profile = self.people.profile(user)
        return None if profile is None else self.standings.find(profile, contract, now)

    def find(
        self, attribute: Attribute, name: str, contract: ContractId | None, now: datetime
    ) -> tuple[UserId, Standing] | None:
        """The person of a name, and how they stand in a contract now; None: there is nobody of that name."""
        kept = self._named.get((attribute, name, contract))
        if kept is not None and kept[1].lasts(now):
            return kept
        user = self.people.find(attribute, name)
        standing = None if user is None else self.standing(user, contract, now)
        if user is None or standing is None:
            return None
        return self._named.keep((attribute, name, contract), (user, standing))

    def kinds(self, contract: ContractId | None) -> Kinds:
        """What everybody's profiles have in a contract."""
        kinds = self._kinds.get(contract)
        if kinds is None:
            kinds = self._kinds.keep(contract, Kinds(self.standings, self.people.packed.profiles, contract))
        return kinds

    def levels(self, user: str, now: datetime, contract: ContractId | None = None) -> bytes:
        """Of every permission, by its number, how much a person has: see `Program.rank`. Nothing of nobody."""
        kinds = self._kinds.get(contract) or self.kinds(contract)
        levels = kinds.asked.get(user)
        if levels is not None and kinds.since <= now < kinds.until and user not in self.people.beside:
            return levels
        number = self.people.profile_number(user)
        if number is not None:
            return kinds.levels_of(user, number, now)
        profile = self.people.profile(user)
        return bytes(len(self.program.types)) if profile is None else self.standings.rank(profile, contract, now)

    def allows(self, user: str, number: int, now: datetime, contract: ContractId | None = None, rank: int = 1) -> bool:
        """Whether a person has a permission, by its number: anything of it, or a level of at least a rank up to 254."""
        kinds = self._kinds.get(contract)
        if kinds is not None:  # as `levels`, one call less
            levels = kinds.asked.get(user)
            if levels is not None and kinds.since <= now < kinds.until and user not in self.people.beside:
                return levels[number] >= rank
        return self.levels(user, now, contract)[number] >= rank

    async def list_holders(
        self,
        node: Permission | Operation,
        asked: Value | None,
        contract: ContractId | None,
        part: Slice,
        now: datetime,
    ) -> tuple[list[UserId], int]:
        """Those who have a right, or at least so much of it: one more than a slice of them, and how many there are.

        In the order of their user names, or (of a slice from the back) against it. Others have a turn meanwhile: what
        was asked about for the first time is worked out for every profile.
        """
        people, kinds = self.people, self.kinds(contract)
        answers = await _in_pieces(kinds.decide(node, asked, now))
        packed = await _in_pieces(kinds.count(answers, people.packed.sizes))
        has = cache(lambda profile: self.standings.holds(profile, node, asked, contract, now))
        await _in_pieces(_ask_each(has, people.profiles_beside()))
        found = people.select(
            has, after=None if part.after is None else part.after[0],
            before=None if part.before is None else part.before[0], most=part.limit + 1, backwards=part.backwards,
            tell_packed=lambda numbers: kinds.tell(answers, numbers),
        )  # fmt: skip
        return found, people.count(has, packed=packed)

    # ------------------------------------------------------------------ what a question names

    def find_contract(self, ref: Ref) -> Contract | None:
        """The contract of this id or number."""
        contracts = self.directory.contracts
        found = ref.value if ref.attribute == "id" else self._contract_ids.get(ref.value)
        return contracts.get(ContractId(found or ""))

    @cached_property
    def _contract_ids(self) -> Mapping[str, ContractId]:
        return {contract.number: contract.id for contract in self.directory.contracts.values()}

    # ------------------------------------------------------------------ what a caller sees

    def view(self, caller: UserId, now: datetime) -> "View | None":
        """What a caller sees, as far as rights, people and contracts go; None: that is not known here."""
        kept = self._views.get(caller)
        if kept is not None and is_within(now, kept.since, kept.until):
            return kept
        profile = self.people.profile(caller)
        return None if profile is None else self._views.keep(caller, self._find_view(caller, profile, now))

    def _find_view(self, caller: UserId, profile: Profile, now: datetime) -> "View":
        """The caller's view, out of a world in which somebody of the profile has the caller's id."""
        world, until = self.standings.find_world(profile, caller, now)

        def evaluation(contract: ContractId | None, at: datetime) -> Evaluation:
            return Evaluation(self.program, world, contract=contract, at=at)

        return View(Sight(Authority(caller, evaluation, at=now)), now, until)


class View:
    """The sight of a caller from `since` up to `until` (None: always), and what it has been asked already."""

    def __init__(self, sight: Sight, since: datetime, until: datetime | None) -> None:
        self.sight = sight
        self.since = since
        self.until = until
        self._shows: dict[ContractId | None, bool] = {}

    def sees_user(self, user: UserId) -> bool:
        """Whether a person is seen whatever their rows are; others may be seen in a contract."""
        return self.sight.sees_anyhow(user)

    def sees_rights(self, user: UserId, contract: ContractId | None) -> bool:
        """Whether what a person may do in a contract is to be seen."""
        return self.sight.sees_rights(user, contract)

    @cached_property
    def sees_all_rights(self) -> bool:
        """Whether everybody is seen, and what they may do where no contract is asked about."""
        return self.sight.sees_all_rights()

    def sees_people_in(self, contract: ContractId | None) -> bool:
        """Whether everybody is seen, with all roles and teams that they have there (None: everywhere)."""
        shows = self._shows.get(contract)
        if shows is None:
            shows = self._shows[contract] = self.sight.sees_people_in(contract)
        return shows


async def _in_pieces(work: Generator[None, None, T]) -> T:
    """What comes of some work, of which each step is short; others have a turn now and then."""
    begun = thread_time()
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        if thread_time() - begun > PIECE_S:
            await asyncio.sleep(REST_S)
            begun = thread_time()


def _ask_each(has: Callable[[Profile], bool], profiles: Iterable[Profile]) -> Generator[None, None, None]:
    for profile in profiles:
        has(profile)
        yield


class Indexes:
    """The latest index, and what keeps it the latest one. Begins with `start`; until then there is none.

    With a `snapshot` it starts from that file, and leaves it there for the next start; `key` seals it.
    """

    def __init__(self, database: Database, find_program: Callable[[], Program], *, key: bytes) -> None:
        self.snapshot: Path | None = None
        self._database = database
        self._find_program = find_program  # the one in force
        self._key = key
        self._signatures = Signatures()
        self._latest: RightsIndex | None = None
        self._kept: Mark | None = None  # the state of the snapshot
        self._sensor: Sensor | None = None
        self._wake = asyncio.Event()
        self._behind_since: float | None = None  # of `monotonic`: since when somebody has asked for a later one
        self._caught_up = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Makes the first index, and follows the log from then on. Raises what reading the database does.

        Of a damaged database none is made: see `catch_up`.
        """
        if self._following is not None:
            await self.catch_up()
            return
        self._sensor = self._database.sense(self._wake.set)
        self._database.after_commit.append(self._hear)
        await self.catch_up()
        await self._keep_snapshot()
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
            self._following = None
            await self._keep_snapshot()
        if self._sensor is not None:
            self._database.after_commit.remove(self._hear)
            await self._sensor.close()
        self._latest = self._sensor = None

    def current(self) -> RightsIndex | None:
        """The index of the latest revision there is; None: there is none, or nobody knows whether it is the latest."""
        index = self._latest
        if index is None or self._is_current(index):
            return index
        if self._behind_since is None:
            self._behind_since = monotonic()
            self._caught_up.clear()
        self._wake.set()
        return None

    def _is_current(self, index: RightsIndex) -> bool:
        if self._sensor is None or not self._sensor.is_latest(index.mark) or self._database.is_damaged:
            return False
        return index.program is self._find_program()

    @property
    def is_expected(self) -> bool:
        """Whether there was none a moment ago, and there will be one in a moment."""
        return self._find_patience() > 0

    async def expect(self) -> RightsIndex | None:
        """The latest index, waited for where it `is_expected`; None as with `current`.

        What has changed is mostly read sooner than any question is answered from the database; and there the index
        would stand in line with all who ask.
        """
        patience = self._find_patience()
        if patience > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._caught_up.wait()
        return self.current()

    def _find_patience(self) -> float:
        """For how many seconds the next index is worth waiting for."""
        if self._behind_since is None or self._following is None or self._database.is_damaged:
            return 0.0
        return self._behind_since + PATIENCE_S - monotonic()

    def note(self, revision: int) -> None:
        """Takes note of a revision that somebody of this process has seen."""
        if self._sensor is not None:
            self._sensor.note(revision)

    async def see(self, unit: ReadingUnit) -> None:
        """Takes note of the revision that a unit sees, which takes a statement where nobody knows that without."""
        if self._sensor is not None and self._sensor.is_told:
            self._sensor.note(await unit.audit.find_last_revision())

    def _hear(self) -> None:
        if self._sensor is not None:
            self._sensor.doubt()
        self._wake.set()

    async def _follow(self) -> None:
        """Catches up whenever there is something new. A database that does not answer is asked again."""
        assert self._sensor is not None
        failing = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sensor.pulse_s):  # `wait_for` may lose that it was called off
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.catch_up()
                failing = False
            except Exception as error:  # questions are answered from the database meanwhile, or fail there
                if not failing:
                    log("the index cannot follow the database", level=40, exception=error)
                failing = True
                await asyncio.sleep(RETRY_S)

    async def catch_up(self) -> None:
        """Sees to it that there is the index of the latest revision.

        Of a damaged database none is made. Where its indexes disagree with its tables, that is noted as damage: whoever
        asks it by them may be told anything.
        """
        async with self._turn:
            if self._database.is_damaged:
                return
            try:
                await self._make_latest()
            except DisagreeingIndexes as error:
                self._database.note_damage()
                reason = "the indexes of the database do not say what its tables do: make them anew"
                log(reason, level=50, exception=error)

    async def _make_latest(self) -> None:
        """Makes the index of the latest revision, if that of before is another.

        A database that was set back has never been in the state of that index: everybody is read anew.
        """
        assert self._sensor is not None
        asked_at, program, known = monotonic(), self._find_program(), self._latest
        snapshot = None if known is not None or self.snapshot is None else read_snapshot(self.snapshot, self._key)
        async with self._database.reading(program.catalog, patient=known is None, follows=True) as unit:
            mark = await unit.audit.find_mark()
            if known is not None and known.program is program and known.mark == mark:
                pass
            elif known is not None and known.program is program and await unit.audit.has(known.mark):
                self._latest = await self._advance(known, unit, mark)
            elif snapshot is not None and await unit.audit.has(snapshot.mark):
                self._latest = await self._resume(snapshot, program, unit, mark)
            else:
                self._latest = await self._build(program, unit, mark)
        self._sensor.confirm(mark.revision, asked_at=asked_at)
        if self._latest is not None and self._is_current(self._latest):
            self._behind_since = None
            self._caught_up.set()
        elif self.is_expected:  # something was committed meanwhile
            self._wake.set()

    async def _build(
        self, program: Program, unit: ReadingUnit, mark: Mark, known: Standings | None = None
    ) -> RightsIndex:
        """The index of everybody's rows. What is `known` goes on if it is of the same roles, teams and contracts."""
        directory = await unit.worlds.load_directory()
        people = People(await unit.profiles.load_everybody(self._signatures, _owners(directory)))
        if known is None or known.directory != directory:
            known = self._make_standings(program, directory)
        return RightsIndex(mark, program, people, known)

    async def _resume(self, snapshot: Snapshot, program: Program, unit: ReadingUnit, mark: Mark) -> RightsIndex:
        """The index of a snapshot and of what the log names since."""
        self._signatures = Signatures(snapshot.signatures)
        self._kept = snapshot.mark
        subjects = await unit.profiles.list_subjects(snapshot.mark.revision)
        if subjects is None:
            return await self._build(program, unit, mark)
        directory = await unit.worlds.load_directory()
        touched = _people_in(subjects)
        touched |= snapshot.owners ^ _owners(directory)
        people = await self._change(People(snapshot.people), unit, touched, directory)
        return RightsIndex(mark, program, people, self._make_standings(program, directory))

    async def _advance(self, known: RightsIndex, unit: ReadingUnit, mark: Mark) -> RightsIndex:
        """The next index: what the log names is read anew, people and (where it names any) roles, teams, contracts."""
        subjects = await unit.profiles.list_subjects(known.revision)
        if subjects is None:
            return await self._build(known.program, unit, mark, known.standings)
        touched, standings = _people_in(subjects), known.standings
        others = subjects - touched
        if others:
            directory = await unit.worlds.reload_directory(known.directory, others)
            if directory != known.directory:
                touched |= _owners(known.directory) ^ _owners(directory)
                standings = self._make_standings(known.program, directory)
        people = await self._change(known.people, unit, touched, standings.directory)
        return known.followed_by(mark, people, standings, touched)

    async def _change(self, people: People, unit: ReadingUnit, touched: Set[str], directory: World) -> People:
        """Everybody, those touched as they are now."""
        owners = _owners(directory)
        if len(touched) > MOST_LOADED:
            return People(await unit.profiles.load_everybody(self._signatures, owners))
        loaded = {person.id: person for person in await unit.profiles.load(touched, self._signatures, owners)}
        changed = {user: loaded.get(UserId(user)) for user in touched}
        if len(people.beside) + len(changed) > MOST_CHANGED:  # everybody is put together anew: others have a turn
            return await asyncio.to_thread(people.changed, changed)
        return people.changed(changed)

    def _make_standings(self, program: Program, directory: World) -> Standings:
        signatures = self._signatures
        return Standings(program, directory, lambda profile: signatures.read(program.catalog, profile))

    async def _keep_snapshot(self) -> None:
        """Leaves a snapshot of the index, if there is a place for it. Why there is none is told: that harms nobody.

        What was read of a damaged database is not left to whoever mends it.
        """
        index = self._latest
        if self.snapshot is None or index is None or index.mark == self._kept or self._database.is_damaged:
            return
        try:
            people = await asyncio.to_thread(People.of, index.people) if index.people.beside else index.people
            snapshot = Snapshot(index.mark, frozenset(_owners(index.directory)), self._signatures.known, people.packed)
            await asyncio.to_thread(write_snapshot, self.snapshot, snapshot, self._key)
            self._kept = index.mark
        except Exception as error:
            log("the snapshot of the index cannot be written", level=30, exception=error)


def _owners(directory: World) -> set[str]:
    """Those whom contracts name as their owners."""
    return {contract.owner for contract in directory.contracts.values()}


def _people_in(subjects: Iterable[str]) -> set[str]:
    return {subject for subject in subjects if subject.startswith(f"{PREFIX_OF[User]}_")}
