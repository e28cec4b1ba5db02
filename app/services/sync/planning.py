"""Plans: a feed compared with what there is, weighed as its caller's change, kept for whoever looks through it."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ParamSpec, TypeVar

from app.db.repositories.sync import KeptRun, pack_items
from app.db.repositories.worlds import pausing_collection
from app.db.unit_of_work import ReadingUnit, WritingUnit
from app.domain.callers import OPERATIONS, Caller
from app.domain.changes import Stamp, cut_refusals
from app.domain.errors import DomainError, ErrorCode, InvalidValue, NotPermitted, Refused, Warned
from app.domain.holders import Role, RoleId, Team, TeamId, UserId, UserStatus
from app.domain.ids import SYNC_RUN, make_id
from app.domain.sources import read_source
from app.domain.sync.brake import Brake, Managed, find_managed
from app.domain.sync.desired import Desired, SyncMode
from app.domain.sync.diff import SyncPlan, diff
from app.domain.sync.drafts import Draft, work_out
from app.domain.sync.idleness import find_held_down
from app.domain.sync.runs import SyncItem, SyncRun, SyncStatus
from app.domain.sync.skimming import Standing, skim
from app.domain.sync.units import Current, Directory
from app.services.context import Reading, Services
from app.services.sync.feeds import Feed, ReadFeed, read
from app.services.writing import IdempotencyKey, commit_or_find, find_first_answer, keep_first_answer, read_key
from app.telemetry.metrics import counting_sync

P = ParamSpec("P")
T = TypeVar("T")
NAMED_AT_MOST = 5000  # people whom a feed names and who are looked up by their names; for more everybody is read
LONG = 1 << 20  # bytes of a feed that is likely to be skimmed: some five thousand people
PART = 1 << 20  # bytes of a part of a feed as it is kept, before it is compressed
FEEDS_KEPT_FOR = timedelta(days=7)  # a plan that nobody has applied by then is made anew
PLAN = "planSync"


class Phase(StrEnum):
    """What is being done with a feed. Verb in the form that says it goes on."""

    WAITING = "waiting"
    READING = "reading"
    COMPARING = "comparing"
    WEIGHING = "weighing"
    KEEPING = "keeping"


Progress = Callable[[Phase], None]


def be_silent(_phase: Phase) -> None:
    """Tells nobody how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How a feed is meant.

    `resume`: of what was planned under the idempotency key before, only a plan that can still be applied is given
    again; in place of any other the feed is planned anew.
    """

    source: str
    mode: SyncMode = SyncMode.ATOMIC
    take_over: bool = False
    max_removals: int | None = None
    idempotency: IdempotencyKey | None = None
    resume: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAnswer:
    """A run, or why there is none; with both, why it cannot be applied as it is.

    `repeated`: it was planned before, under the same idempotency key.
    """

    run: SyncRun | None
    errors: tuple[DomainError, ...] = ()
    warnings: tuple[DomainError, ...] = ()
    repeated: bool = False


async def authorise_plan(services: Services, caller: Caller, options: PlanOptions) -> None:
    """Raises `Refused` for one who may not plan, or asks for what cannot be: before a long feed is taken."""
    async with services.reading(caller) as reading:
        await require(reading, PLAN)
    _check(options)


async def refuse_nothing(services: Services, caller: Caller, *, options: PlanOptions) -> SyncAnswer:
    """What is said to who gives no list at all: nothing would be managed, so that it can only be a mistake."""
    try:
        await authorise_plan(services, caller, options)
    except Refused as refused:
        return SyncAnswer(run=None, errors=refused.errors)
    expected = "at least one of `users`, `roles`, `teams`; `[]` for one that is empty"
    return SyncAnswer(
        run=None, errors=(InvalidValue("no list is given, so there is nothing to plan", expected=expected),)
    )


@counting_sync("plan")
async def plan_sync(
    services: Services, caller: Caller, feed: Feed, *, options: PlanOptions, progress: Progress = be_silent
) -> SyncAnswer:
    """Plans a feed and keeps the plan. A plan in whose way something stands is kept as well, as REFUSED.

    `progress` hears what is being done, each time something else begins.
    """
    with pausing_collection():  # until all that was read of a long feed is let go
        return await _plan_sync(services, caller, feed, options=options, progress=progress)


async def _plan_sync(
    services: Services, caller: Caller, feed: Feed, *, options: PlanOptions, progress: Progress
) -> SyncAnswer:
    parts: list[bytes] = []
    packed: list[tuple[str, bytes]] = []
    kept_feed = replace(feed, parts=_keep(feed.parts, parts))
    try:
        options = _check(options)
        async with services.reading(caller) as reading:
            await require(reading, PLAN)
            kept = await _find_kept(reading.unit, caller, options, now=reading.now)
        if kept is not None:
            return kept
        async with AsyncExitStack() as held:
            known = None
            if feed.size < LONG:
                progress(Phase.READING)
                known = await work_aside(_read_all, kept_feed)
            if known is None or len(known.users or ()) > NAMED_AT_MOST:
                await held.enter_async_context(take_turn(services, progress))
            reading = await held.enter_async_context(services.reading(caller, patient=True))
            await require(reading, PLAN)  # it may have taken an hour until here
            standing = None
            if known is None:
                progress(Phase.READING)
                known, standing = await _read_beside(reading, kept_feed, options)
            draft = await draft_plan(
                reading, known, desired=known.desired(options.source, take_over=options.take_over),
                mode=options.mode, max_removals=options.max_removals,
                keep=lambda items: packed.extend(pack_items(services.catalog, items)), progress=progress,
                standing=standing,
            )  # fmt: skip
            run = _make_run(reading, caller, options, draft)
    except Refused as refused:
        return SyncAnswer(run=None, errors=refused.errors)
    run_kept = KeptRun(
        run=run, differences=draft.differences, catalog=services.catalog.digest,
        refusals=cut_refusals([*draft.refusals, *draft.errors]), format=feed.format,
    )  # fmt: skip
    progress(Phase.KEEPING)

    async def keep(unit: WritingUnit) -> SyncAnswer | None:
        """Keeps the plan; gives the one that was kept under its key meanwhile."""
        if await unit.sync.find(run.id) is not None:
            return None  # it was committed, though nobody was told
        now = services.clock()
        meanwhile = await _find_kept(unit, caller, options, now=now)
        if meanwhile is not None:
            return meanwhile
        await unit.sync.forget_feeds(before=now - FEEDS_KEPT_FOR)
        await unit.sync.add(run_kept, packed, parts)
        if options.idempotency is not None:
            await keep_first_answer(unit, caller, PLAN, options.idempotency, {"run": run.id}, now=now)
        return None

    try:
        meanwhile = await commit_or_find(services, keep, patient=True)
        if meanwhile is not None:
            return meanwhile
    except Refused as refused:
        return SyncAnswer(run=None, errors=refused.errors)
    if run.status is SyncStatus.PLANNED:
        services.sketches.keep(run.id, known, draft.plan)
    return answer_of(run_kept)


@asynccontextmanager
async def take_turn(services: Services, progress: Progress = be_silent) -> AsyncIterator[None]:
    """The turn to work out a long feed: each takes a processor and memory, so that one follows another.

    To be had before a connection or the write lock: who waits for it keeps nobody else from either.
    """
    if services.drafting.locked():
        progress(Phase.WAITING)
    async with services.drafting:
        yield


def _read_all(feed: Feed) -> ReadFeed:
    known = read(feed)
    for _ in feed.parts:  # a document that is too long was given up before its end
        continue
    return known


async def _read_beside(reading: Reading, feed: Feed, options: PlanOptions) -> tuple[ReadFeed, Standing | None]:
    """Reads a long feed to its end, and what its source has as well, which the database looks up meanwhile."""
    if options.take_over:
        return await work_aside(_read_all, feed), None
    standing = asyncio.ensure_future(reading.unit.sync.read_standing(options.source))
    try:
        return await work_aside(_read_all, feed), await standing
    finally:
        await asyncio.wait([standing])


def answer_of(kept: KeptRun, *, repeated: bool = False) -> SyncAnswer:
    """A run with what is to be said of it."""
    warnings = [
        Warned(f"{alarm}: the brake stops it until it is overridden with a reason", code=ErrorCode.BRAKE)
        for alarm in kept.run.brake
        if kept.run.status is SyncStatus.PLANNED
    ]
    warnings += [Warned(warning, code=ErrorCode.ADVISORY) for warning in kept.run.warnings]
    return SyncAnswer(run=kept.run, errors=kept.refusals, warnings=tuple(warnings), repeated=repeated)


async def work_aside(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Does pure work beside the event loop. No garbage is looked for: a sync makes a million things, and no circle."""
    with pausing_collection():
        return await asyncio.to_thread(work, *given, **named)


async def require(reading: Reading, operation: str) -> None:
    """Raises `Refused` where the caller may not do this to anything."""
    try:
        (await reading.authority()).require(OPERATIONS[operation])
    except NotPermitted as refusal:
        raise Refused([refusal]) from None


def _check(options: PlanOptions) -> PlanOptions:
    """The options in the form in which names are kept. Raises `Refused`."""
    errors: list[DomainError] = []
    try:
        options = replace(options, source=read_source(options.source, "source"))
        if options.idempotency is not None:
            options = replace(options, idempotency=read_key(options.idempotency))
    except InvalidValue as refusal:
        errors.append(refusal)
    if options.max_removals is not None and options.max_removals < 0:
        message = f"{options.max_removals} rows cannot be removed"
        errors.append(InvalidValue(message, path=("maxRemovals",), expected="0 or more"))
    if errors:
        raise Refused(errors)
    return options


async def _find_kept(unit: ReadingUnit, caller: Caller, options: PlanOptions, *, now: datetime) -> SyncAnswer | None:
    """The plan that an idempotency key was first answered with; None as well where that is not to be resumed."""
    answer = await find_first_answer(unit, caller, PLAN, options.idempotency, now=now)
    run = None if answer is None else await unit.sync.find(answer["run"])
    if run is None or (options.resume and not _can_go_on(run.run)):
        return None
    return answer_of(run, repeated=True)


def _can_go_on(run: SyncRun) -> bool:
    """Whether there is something to apply and nothing that would stop it, by what was known when it was planned."""
    return run.status is SyncStatus.PLANNED and not run.brake and not run.counts.is_nothing


def _make_run(reading: Reading, caller: Caller, options: PlanOptions, draft: Draft) -> SyncRun:
    services = reading.services
    return SyncRun(
        id=make_id(SYNC_RUN, services.clock(), services.randomness(10)), source=options.source,
        status=SyncStatus.REFUSED if draft.is_refused(options.mode) else SyncStatus.PLANNED, mode=options.mode,
        take_over=options.take_over, max_removals=options.max_removals, base_revision=reading.revision,
        fingerprint=draft.fingerprint, counts=draft.counts, brake=draft.alarms,
        warnings=draft.oddities, planned_at=reading.now, planned_by=caller.user_name,
    )  # fmt: skip


def _keep(parts: Iterable[bytes], kept: list[bytes]) -> Iterator[bytes]:
    """The parts of a feed as they are read; once all are, they are `kept`, each compressed, of about one size."""
    waiting, size = [], 0
    for part in parts:
        yield part
        waiting.append(part)
        size += len(part)
        if size >= PART:
            kept.append(zlib.compress(b"".join(waiting), 1))
            waiting, size = [], 0
    if waiting:
        kept.append(zlib.compress(b"".join(waiting), 1))


def fingerprint_feed(feed: Feed, options: PlanOptions) -> str:
    """SHA-256 of a feed and of how it is meant, in hexadecimal: what an idempotency key stands for."""
    meant = (feed.format.value, options.source, options.mode.value, options.take_over, options.max_removals)
    digest = hashlib.sha256(repr(meant).encode())
    for part in feed.parts:
        digest.update(part)
    return digest.hexdigest()


# ---------------------------------------------------------------------- drafts


async def draft_plan(
    reading: Reading,
    known: ReadFeed,
    *,
    desired: Desired,
    mode: SyncMode,
    max_removals: int | None,
    keep: Callable[[Iterable[SyncItem]], object] | None = None,
    progress: Progress = be_silent,
    standing: Standing | None = None,
) -> Draft:
    """Works out what a feed would do, as a change of the caller, in the snapshot that is being read.

    `keep` is given its items. Without it nobody is told, and the draft has no counts and no fingerprint. Of a long feed
    the caller has the turn (`take_turn`).
    """
    caller = reading.caller
    assert caller is not None, "a sync is somebody's"
    services = reading.services
    progress(Phase.COMPARING)
    stamp = Stamp(
        actor=caller.user_name, at=reading.now, new_id=services.new_ids(), source=desired.source,
        revision=reading.revision + 1,
    )  # fmt: skip
    current = Current(
        catalog=reading.catalog, world=await reading.load_world(), stamp=stamp, hidden=await _find_hidden(reading)
    )
    settled, managed = frozenset[UserId](), None
    if _can_be_skimmed(known, desired):
        standing = standing or await reading.unit.sync.read_standing(desired.source)
        skimmed = await work_aside(skim, Directory(current), standing, known.users or ())
        desired, settled, managed = replace(desired, users=skimmed.left), skimmed.settled, standing.managed
        await reading.load_world(map(UserId, managed.people - settled))
    await _load(reading, known, desired, managed=managed is None)
    current = replace(
        current, world=await reading.load_world(), held_down=await _find_held_down(reading, desired)
    )  # fmt: skip
    plan = await work_aside(diff, current, desired, known.spoiled, settled)
    await _load_reached(reading, plan)
    current = replace(current, world=await reading.load_world())
    if managed is None and desired.complete and not (desired.roles is None and desired.teams is None):
        managed = await _find_managed(reading, desired)
    authority = await reading.authority()
    active_owners = await reading.unit.users.count_active_owners()
    progress(Phase.WEIGHING)
    return await work_aside(
        work_out, reading.program, current, desired, plan, authority, mode=mode,
        brake=Brake(share=services.brake_share, max_removals=max_removals), active_owners=active_owners,
        keep=keep, managed=managed,
    )  # fmt: skip


def _can_be_skimmed(known: ReadFeed, desired: Desired) -> bool:
    """Whether a feed is long, of people alone, and such that whoever is listed as they are needs no other look."""
    is_plain = desired.complete and not desired.take_over and not known.spoiled
    return is_plain and len(known.users or ()) > NAMED_AT_MOST and known.roles is None and known.teams is None


async def _load(reading: Reading, known: ReadFeed, desired: Desired, *, managed: bool) -> None:
    """Brings the people into the world whom a feed may mean, and (`managed`) whom its source manages."""
    people = tuple(desired.users or ())
    external_ids = {person.external_id for person in people if person.external_id is not None}
    spoiled = [one.subject for one in known.spoiled if one.noun == "user" and one.subject is not None]
    if len(people) + len(spoiled) > NAMED_AT_MOST:
        await reading.load_world(None)
        return
    found = await reading.unit.sync.find_people(
        desired.source, external_ids.union(spoiled), {person.user_name for person in people},
        managed=managed and desired.users is not None and desired.complete,
    )  # fmt: skip
    await reading.load_world({*found, *desired.leaving, *(person.id for person in people if person.id is not None)})


async def _load_reached(reading: Reading, plan: SyncPlan) -> None:
    """Brings the people into the world who include a role or a team that the plan changes."""
    changed = [unit.holder for unit in plan.units if unit.noun != "user" and unit.steps]
    if not changed:
        return
    world = await reading.load_world()
    changes = [step.change for unit in plan.units if unit.noun != "user" and unit.is_sound for step in unit.steps]
    reached = {*world.reached_from(one for one in changed if one in world.roles or one in world.teams)}
    reached |= {*world.changed(changes).reached_from(one for one in changed)}
    roles = [RoleId(one) for one in reached if one in world.roles]
    teams = [TeamId(one) for one in reached if one in world.teams]
    if roles or teams:
        await reading.load_world(await reading.unit.worlds.find_included_people(roles, teams))


async def _find_managed(reading: Reading, desired: Desired) -> Managed:
    """What a source manages, among its people everybody whom its roles and teams reach."""
    source, world = desired.source, await reading.load_world()
    if desired.users is None:  # the world need not hold its people
        managed = (await reading.unit.sync.read_standing(source)).managed
    else:
        managed = await work_aside(find_managed, world, source)
    bundles: list[Role | Team] = [*world.roles.values(), *world.teams.values()]
    mine = [
        record.id
        for record in bundles
        if record.source == source or any(row.source == source for row in world.rows_of(record.id))
    ]
    reached = {*mine, *world.reached_from(mine)}
    people = await reading.unit.worlds.find_included_people(
        [RoleId(one) for one in reached if one in world.roles], [TeamId(one) for one in reached if one in world.teams]
    )
    return replace(managed, people=managed.people | people)


async def _find_held_down(reading: Reading, desired: Desired) -> frozenset[str]:
    """Those whom the feed would wake, or bring back, and whom somebody else has put down."""
    if desired.take_over:
        return frozenset()  # then nobody asks whose doing it was
    world = await reading.load_world()
    waking = [entry for entry in desired.users or () if entry.active]
    ids, external_ids = {entry.id for entry in waking}, {entry.external_id for entry in waking if entry.external_id}
    names = {entry.user_name for entry in waking}
    roles, teams = {entry.key for entry in desired.roles or ()}, {entry.key for entry in desired.teams or ()}
    versions = await reading.unit.sync.read_versions(
        [
            user.id
            for user in world.users.values()
            if user.status is not UserStatus.ACTIVE and user.source == desired.source
            and (user.id in ids or user.external_id in external_ids or user.user_name in names)
        ],
        [role.id for role in world.roles.values() if role.archived and role.key in roles],
        [team.id for team in world.teams.values() if team.archived and team.key in teams],
    )  # fmt: skip
    return find_held_down(versions, desired.source)


async def _find_hidden(reading: Reading) -> frozenset[str]:
    """The roles, teams and contracts that the caller does not see."""
    seen = await reading.look()
    world = await reading.load_world()
    visible = {record.id for records in (seen.roles(), seen.teams(), seen.contracts()) for record in records}
    return frozenset({*world.roles, *world.teams, *world.contracts} - visible)
