"""Applying a plan: once, whole, as it was looked through, or not at all.

The plan is worked out anew from the feed that was kept with it, on a snapshot and beside the event loop. The write lock
is taken when it is known what to write; what has been worked out still holds if nothing was committed meanwhile.
"""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from functools import partial

from app.catalogs.feeds import FeedFormat
from app.db.repositories.sync import KeptRun
from app.db.repositories.worlds import pausing_collection
from app.db.unit_of_work import ReadingUnit, WritingUnit
from app.domain.audit import AuditEntry, ChangeRecord, describe_change
from app.domain.callers import Caller
from app.domain.changes import cut_refusals
from app.domain.errors import (
    Conflict,
    DomainError,
    InvalidValue,
    NotFound,
    Refused,
    StalePlan,
)
from app.domain.names import read_text, show
from app.domain.security import note_attempt
from app.domain.sync.brake import raise_if_unsafe
from app.domain.sync.desired import SyncMode
from app.domain.sync.drafts import Draft
from app.domain.sync.runs import SyncRun, SyncStatus
from app.domain.world import Change
from app.services.context import Reading, Services
from app.services.sync.feeds import Feed, read
from app.services.sync.planning import (
    FEEDS_KEPT_FOR,
    NAMED_AT_MOST,
    SyncAnswer,
    draft_plan,
    require,
    take_turn,
    work_aside,
)
from app.services.sync.sketches import Sketch
from app.services.writing import IdempotencyKey, commit_or_find, find_first_answer, keep_first_answer, read_key
from app.telemetry.metrics import counting_sync

APPLY = "applySync"
TRIES = 3  # on a snapshot: after that others are kept from writing while the plan is worked out


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How a plan is applied. `fingerprint` is the plan's: what was looked at is what is applied."""

    fingerprint: str
    override_brake: bool = False
    reason: str | None = None
    idempotency: IdempotencyKey | None = None


class _Overtaken(Exception):
    """Somebody has written since the snapshot."""


@dataclass
class _Application:
    """One application of one plan under way."""

    services: Services
    caller: Caller
    kept: KeptRun
    options: ApplyOptions
    stale: list[str] = field(default_factory=list)

    @property
    def run(self) -> SyncRun:
        return self.kept.run


@counting_sync("apply")
async def apply_sync(services: Services, caller: Caller, run: str, *, options: ApplyOptions) -> SyncAnswer:
    """Applies a plan. One that was applied already gives its run again. Who may apply none is shown none."""
    is_permitted = False
    try:
        async with services.reading(caller) as reading:
            await require(reading, APPLY)
            is_permitted = True
            options = _check(options)
            known = await _find_answer(reading.unit, caller, options, now=reading.now)
            kept = known or await reading.unit.sync.find(run)
            if kept is None:
                raise Refused([NotFound(f"there is no plan `{show(run)}`", path=("plan",))])
            if kept.run.status is SyncStatus.APPLIED:
                return SyncAnswer(run=kept.run)
            _refuse_as_it_is(kept, options)
        with pausing_collection():  # until all that was worked out is let go
            answer = await _apply(_Application(services, caller, kept, options))
        services.sketches.forget(run)
        return answer
    except Refused as refused:
        event = note_attempt(caller, APPLY, refused.errors, at=services.clock())
        if event is not None:
            await services.database.transact(lambda unit: unit.security.add(event), services.catalog)
        return SyncAnswer(run=await _find_run(services, run) if is_permitted else None, errors=refused.errors)


def _check(options: ApplyOptions) -> ApplyOptions:
    errors: list[DomainError] = []
    try:
        if options.reason is not None:
            read_text(options.reason, "reason")
        if options.idempotency is not None:
            options = replace(options, idempotency=read_key(options.idempotency))
    except InvalidValue as refusal:
        errors.append(refusal)
    if options.override_brake and not (options.reason or "").strip():
        message = "to override the brake needs a reason"
        errors.append(InvalidValue(message, path=("reason",), expected="why so much may be taken away"))
    if errors:
        raise Refused(errors)
    return options


def _refuse_as_it_is(kept: KeptRun, options: ApplyOptions) -> None:
    """Raises `Refused` for a plan that cannot be applied, whatever has happened since."""
    if options.fingerprint != kept.run.fingerprint:
        message = "it is not the fingerprint of this plan: apply what you have looked at"
        raise Refused([InvalidValue(message, path=("fingerprint",), expected="the `fingerprint` of the run")])
    if kept.run.status is SyncStatus.REFUSED:
        raise Refused(
            kept.refusals or [Conflict("the plan was refused: mend the feed, and plan again", path=("plan",))]
        )
    if kept.run.status is SyncStatus.STALE:
        raise Refused([StalePlan("what the plan read has changed since: plan again", path=("plan",))])


async def _find_answer(unit: ReadingUnit, caller: Caller, options: ApplyOptions, *, now: datetime) -> KeptRun | None:
    """The run that an idempotency key was first answered with."""
    answer = await find_first_answer(unit, caller, APPLY, options.idempotency, now=now)
    return None if answer is None else await unit.sync.find(answer["run"])


async def _find_run(services: Services, run: str) -> SyncRun | None:
    async with services.database.reading(services.catalog) as unit:
        kept = await unit.sync.find(run)
    return None if kept is None else kept.run


# ---------------------------------------------------------------------- working it out


async def _apply(application: _Application) -> SyncAnswer:
    services = application.services
    for _ in range(TRIES):
        async with _taking_turn(application), services.reading(application.caller, patient=True) as reading:
            draft = await _work_out(application, reading)
            if draft is None:
                break
        try:
            write = partial(_write_unless_overtaken, application, reading, draft)
            return await commit_or_find(services, write, patient=True)
        except _Overtaken:
            continue
    async with _taking_turn(application):
        answer = await commit_or_find(services, partial(_apply_under_lock, application), patient=True)
    if answer is not None:
        return answer
    reasons = ", ".join(application.stale)
    raise Refused([StalePlan(f"{reasons} since the plan was made: plan again", path=("plan",))])


async def _write_unless_overtaken(
    application: _Application, reading: Reading, draft: Draft, unit: WritingUnit
) -> SyncAnswer:
    """Writes what was worked out on a snapshot. Raises `_Overtaken` where somebody has written since."""
    if (done := await _find_done(application, unit)) is not None:
        return SyncAnswer(run=done)
    if await unit.audit.find_last_revision() != reading.revision:
        raise _Overtaken
    return await _write(application, unit, reading, draft)


async def _apply_under_lock(application: _Application, unit: WritingUnit) -> SyncAnswer | None:
    """Works out what the plan does and writes it while nobody else can; None: it is stale, and is kept as that."""
    if (done := await _find_done(application, unit)) is not None:
        return SyncAnswer(run=done)
    if not application.stale:
        services = application.services
        mark = await unit.audit.find_mark()
        reading = Reading(services, unit, revision=mark.revision, mark=mark, caller=application.caller)
        draft = await _work_out(application, reading)
        if draft is not None:
            return await _write(application, unit, reading, draft)
    await unit.sync.replace(replace(application.run, status=SyncStatus.STALE))
    return None


def _taking_turn(application: _Application) -> AbstractAsyncContextManager[None]:
    """The turn, where the feed is a long one: each person in it is counted at least once."""
    counted = sum(astuple(application.run.counts))
    return take_turn(application.services) if counted > NAMED_AT_MOST else nullcontext()


async def _find_done(application: _Application, unit: ReadingUnit) -> SyncRun | None:
    """The run where somebody has applied it meanwhile, or has been answered under the same key.

    Asked under the write lock: raises `Refused` for a key that has been used for another request by then.
    """
    now = application.services.clock()
    answered = await _find_answer(unit, application.caller, application.options, now=now)
    if answered is not None:
        return answered.run
    kept = await unit.sync.find(application.run.id)
    return kept.run if kept is not None and kept.run.status is SyncStatus.APPLIED else None


async def _work_out(application: _Application, reading: Reading) -> Draft | None:
    """What the plan does as things are now; None: it is stale, and `application.stale` says why."""
    kept, run = application.kept, application.run
    await require(reading, APPLY)
    if kept.catalog != reading.catalog.digest:
        application.stale = ["the catalog has changed"]
        return None
    if reading.now - run.planned_at >= FEEDS_KEPT_FOR:
        application.stale = [f"{FEEDS_KEPT_FOR.days} days have passed"]
        return None
    if reading.revision == run.base_revision and (sketch := reading.services.sketches.find(run.id)) is not None:
        return await _work_out_again(application, reading, sketch)
    known = await work_aside(
        read, Feed(FeedFormat(kept.format), [part async for part in reading.unit.sync.read_feed(run.id)])
    )
    draft = await draft_plan(
        reading, known, desired=known.desired(run.source, take_over=run.take_over), mode=run.mode,
        max_removals=run.max_removals, keep=lambda _items: None,
    )  # fmt: skip
    if reading.revision != run.base_revision:
        application.stale = await _find_stale(reading, run, draft)
    if not application.stale and (difference := _find_difference(kept, draft)) is not None:
        _refuse_to_another(application, draft)
        application.stale = [difference]
    if application.stale:
        return None
    if draft.is_refused(run.mode):
        raise Refused(cut_refusals([*draft.refusals, *draft.errors]))
    raise_if_unsafe(draft.plan, draft.alarms, overridden=application.options.override_brake)
    return draft


async def _work_out_again(application: _Application, reading: Reading, sketch: Sketch) -> Draft | None:
    """What the plan does, where nothing at all was committed since it was made: it is what its sketch says.

    It was without a fault then. What it takes away is what was measured then.
    """
    run = application.run
    draft = await draft_plan(
        reading, sketch.known(), desired=sketch.desired(run.source, take_over=run.take_over), mode=run.mode,
        max_removals=run.max_removals,
    )  # fmt: skip
    if draft.is_refused(run.mode):
        raise Refused(cut_refusals([*draft.refusals, *draft.errors]))
    if draft.errors:
        _refuse_to_another(application, draft)
        application.stale = ["what may be done has changed"]
        return None
    raise_if_unsafe(draft.plan, run.brake, overridden=application.options.override_brake)
    return draft


def _find_difference(kept: KeptRun, draft: Draft) -> str | None:
    """Why a plan is not what was looked at, though nothing that it read has changed; None: it is."""
    if draft.differences != kept.differences:
        return "what the feed differs in has changed"
    if kept.run.mode is SyncMode.PARTIAL and draft.fingerprint != kept.run.fingerprint:
        return "what may be done has changed"
    return None


def _refuse_to_another(application: _Application, draft: Draft) -> None:
    """Raises `Refused` where another applies than has planned, who sees or may do less: the plan stands as it is."""
    planner = application.run.planned_by
    if application.caller.user_name != planner:
        message = f"it would not do now, or for you, what it would for `{show(planner)}`, who planned it: plan again"
        raise Refused(cut_refusals([StalePlan(message, path=("plan",)), *draft.errors]))


async def _find_stale(reading: Reading, run: SyncRun, draft: Draft) -> list[str]:
    """What the plan read and has changed since: rows of the source, people whom it matched, holders that it touches."""
    changed = await reading.unit.sync.find_changed_since(run.source, run.base_revision)
    touched = {unit.holder for unit in draft.plan.units}
    reasons = ["something of the source has changed"] if changed.mine else []
    if changed.holders & touched:
        reasons.append("somebody whom it changes has changed")
    if changed.people & draft.plan.matched:
        reasons.append("a person whom it names has changed")
    return reasons


# ---------------------------------------------------------------------- writing


async def _write(application: _Application, unit: WritingUnit, reading: Reading, draft: Draft) -> SyncAnswer:
    caller, options = application.caller, application.options
    changes = draft.weighed.changes
    revision = reading.revision
    if changes:
        entry = await record_sync(unit, reading, changes, caller=caller, source=application.run.source, action=APPLY,
                                  reason=options.reason)  # fmt: skip
        revision = entry.revision
    done = replace(
        application.run, status=SyncStatus.APPLIED, revision=revision, applied_at=reading.now,
        applied_by=caller.user_name, reason=options.reason,
    )  # fmt: skip
    attempt = note_attempt(caller, APPLY, cut_refusals(draft.errors), at=reading.now)  # left out of PARTIAL
    if attempt is not None:
        await unit.security.add(attempt)
    await unit.sync.replace(done)
    await unit.sync.forget_feeds(before=reading.now - FEEDS_KEPT_FOR, run=done.id)
    if options.idempotency is not None:
        await keep_first_answer(unit, caller, APPLY, options.idempotency, {"run": done.id}, now=reading.now)
    return SyncAnswer(run=done)


async def record_sync(
    unit: WritingUnit,
    reading: Reading,
    changes: tuple[Change, ...],
    *,
    caller: Caller,
    source: str,
    action: str,
    reason: str | None,
) -> AuditEntry:
    """Writes the changes of a plan as one revision."""

    def told() -> Iterator[ChangeRecord]:
        return (describe_change(reading.catalog, change) for change in changes)

    def make(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=reading.now, actor=caller.user_name, actor_id=caller.user, source=source,
            action=action, reason=reason, subjects=(), changes=(), previous_hash=previous,
        )  # fmt: skip

    with pausing_collection():
        return await unit.record(changes, make, told=told())
