"""The one way to write: authorise, judge, guard, audit, commit, all in one transaction that holds the write lock.

A dry run goes the same way over a snapshot, and stops before anything is written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from app.db.repositories.idempotency import KeptAnswer
from app.db.unit_of_work import ReadingUnit, WritingUnit
from app.domain.audit import (
    AuditEntry,
    ChangeRecord,
    describe_change,
    name_subjects,
    read_change,
    render_change,
)
from app.domain.authority import Authority
from app.domain.callers import OPERATIONS, Caller, Right
from app.domain.changes import Outcome, Stamp, Wish, cut_refusals, judge
from app.domain.errors import (
    DomainError,
    ErrorCode,
    IdempotencyMismatch,
    InvalidValue,
    NotPermitted,
    Refused,
    StaleRevision,
    Warned,
)
from app.domain.guards import Guard, guard_owners, warn_unmanageable
from app.domain.holders import Limit, RoleId, TeamId, UserId
from app.domain.likeness import warn_of_look
from app.domain.names import read_name, read_text
from app.domain.outages import Outage, UndecidedCommit
from app.domain.security import note_attempt
from app.domain.violations import Judgement
from app.domain.wishes.asking import Faults
from app.domain.wishes.grants import find_owner_limits
from app.domain.world import World
from app.services.context import Reading, Services
from app.services.references import Found, Place, find_references

P = ParamSpec("P")
T = TypeVar("T")
KEYS_KEPT_FOR = timedelta(days=7)  # a nightly job that fails on Friday is retried on Monday with the same keys
SOON_DONE = 50  # changes that are judged, or people who are compared, in some ten milliseconds
MAX_NEWER_ENTRIES = 1000  # entries looked at for a stale revision; whoever lags more than that is stale anyway


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's name for one request; `fingerprint` is of its whole input."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What every write may be given beside its subject."""

    reason: str | None = None
    dry_run: bool = False
    expected_revision: int | None = None
    idempotency: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The result of a write. With `errors` nothing was done. `revision` is None when refused or dry.

    `subject` is the id of what it is about. `after` is the world after a dry run, which the database does not know.
    `token` is the id of a token that was issued or revoked, `secret` of one that was issued just now.
    """

    subject: str | None = None
    revision: int | None = None
    changes: tuple[ChangeRecord, ...] = ()
    errors: tuple[DomainError, ...] = ()
    warnings: tuple[DomainError, ...] = ()
    after: World | None = None
    token: str | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass
class Writing:
    """A write under way: what its preparation may look at, and where it leaves faults and warnings."""

    reading: Reading
    unit: ReadingUnit | WritingUnit
    caller: Caller
    authority: Authority
    stamp: Stamp
    action: str
    options: WriteOptions
    faults: Faults = field(default_factory=Faults)
    warnings: list[DomainError] = field(default_factory=list)

    async def find(self, *places: Place) -> Found:
        """Resolves the references of the request; those that name nothing are faults of it."""
        found = await find_references(self.reading, places)
        self.faults.errors += found.errors
        return found

    async def load(self, people: Iterable[UserId] = ()) -> World:
        """The world with these people in it."""
        return await self.reading.load_world([user for user in people if user])

    def make_entry(self, records: tuple[ChangeRecord, ...]) -> Callable[[int, str], AuditEntry]:
        """What makes the audit entry of these changes, once its revision and the hash before it are known."""

        def make(revision: int, previous: str) -> AuditEntry:
            return AuditEntry(
                revision=revision, at=self.stamp.at, actor=self.caller.user_name, actor_id=self.caller.user,
                source=self.stamp.source, action=self.action, reason=self.stamp.reason,
                subjects=name_subjects(records), changes=records, previous_hash=previous,
            )  # fmt: skip

        return make


Prepare = Callable[[Writing], Awaitable[tuple[str | None, Wish]]]
Work = Callable[[Writing], Awaitable[Written]]
Read = Callable[[Writing, Found, World], tuple[str | None, Wish]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, before anything is looked up: a write carries it out, a simulation looks what it would do.

    `places` are its references. `read` is given what they name and the world with those people in it; it leaves faults
    and warnings with the writing, and tells the subject and the wish. `items` are what the request lists under `field`.
    """

    action: str
    places: Sequence[Place]
    read: Read
    field: str = ""
    items: Sequence[object] = ()

    def find_people(self, found: Found) -> list[UserId]:
        """The people whom it names."""
        return [found.user(place.ref) for place in self.places if place.noun == "user"]

    async def prepare(self, writing: Writing) -> tuple[str | None, Wish]:
        """Looks up what it names, and reads it."""
        writing.faults.bound(tuple(self.items), self.field)
        found = await writing.find(*self.places)
        world = await writing.load(self.find_people(found))
        return self.read(writing, found, world)


async def carry_out(services: Services, caller: Caller, request: Request, *, options: WriteOptions) -> Written:
    """Carries out what a request asks for."""
    return await write(services, caller, request.prepare, action=request.action, options=options)


async def write(services: Services, caller: Caller, prepare: Prepare, *, action: str, options: WriteOptions) -> Written:
    """Carries out one write. `prepare` reads the request into a wish and names its subject."""

    async def work(writing: Writing) -> Written:
        subject, wish = await prepare(writing)
        writing.faults.refuse()
        await refuse_stale(writing, subject)
        return await _judge_and_record(writing, subject, wish)

    return await transact(services, caller, work, action=action, options=options)


async def transact(services: Services, caller: Caller, work: Work, *, action: str, options: WriteOptions) -> Written:
    """Does some work in one transaction, for a caller who may: once for each idempotency key, or not at all.

    Refused attempts to raise rights are noted in the security log, in a transaction of their own.
    """

    async def do(unit: ReadingUnit | WritingUnit) -> Written:
        return await _transact(services, caller, unit, work, action=action, options=options)

    try:
        if options.dry_run:
            async with services.database.reading(services.catalog) as unit:
                return await do(unit)
        return await commit_or_find(services, do, is_known=options.idempotency is not None)
    except Refused as refused:
        event = None if options.dry_run else note_attempt(caller, action, refused.errors, at=services.clock())
        if event is not None:
            await services.database.transact(lambda unit: unit.security.add(event), services.catalog)
        return Written(errors=refused.errors)


async def commit_or_find(
    services: Services, do: Callable[[WritingUnit], Awaitable[T]], *, is_known: bool = True, patient: bool = False
) -> T:
    """Does something in a writing unit, anew where the database gave it up for another.

    Where nobody knows whether it was committed, it is asked again what `do` gives: `is_known` says that it finds what
    is done already, by an idempotency key or by an id of its own. The write lock is only to be had once the transaction
    of before has ended, one way or the other.
    """
    try:
        return await services.database.transact(do, services.catalog, patient=patient)
    except UndecidedCommit as undecided:
        if not is_known:
            raise
        try:
            return await services.database.transact(do, services.catalog, patient=patient)
        except Outage:
            raise undecided from None


async def _transact(
    services: Services,
    caller: Caller,
    unit: ReadingUnit | WritingUnit,
    work: Work,
    *,
    action: str,
    options: WriteOptions,
) -> Written:
    mark = await unit.audit.find_mark()
    revision = mark.revision
    services.index.note(revision)
    reading = Reading(services, unit, revision=revision, mark=mark, caller=caller)
    try:
        key = None if options.idempotency is None else read_key(options.idempotency)
    except InvalidValue as refusal:
        raise Refused([refusal]) from None
    if not options.dry_run:
        kept = await find_first_answer(unit, caller, action, key, now=reading.now)
        if kept is not None:
            return _read_answer(kept)
    authority = await reading.authority()
    try:
        authority.require(OPERATIONS[action])
    except NotPermitted as refusal:
        raise Refused([refusal]) from None
    stamp = Stamp(
        actor=caller.user_name, at=reading.now, new_id=services.new_id, reason=options.reason, revision=revision + 1
    )
    writing = Writing(reading, unit, caller, authority, stamp, action, options)
    if options.reason is not None:
        with writing.faults.catching():
            read_text(options.reason, "reason")
    written = await work(writing)
    if key is not None and isinstance(unit, WritingUnit):
        await keep_first_answer(unit, caller, action, key, _render(written), now=reading.now)
    return written


# ---------------------------------------------------------------------- the same again


def read_key(key: IdempotencyKey) -> IdempotencyKey:
    """An idempotency key in the form in which it is kept. Raises `InvalidValue` for what is no name."""
    return replace(key, key=read_name(key.key, "idempotencyKey"))


async def find_first_answer(
    unit: ReadingUnit, caller: Caller, action: str, key: IdempotencyKey | None, *, now: datetime
) -> dict[str, Any] | None:
    """The first answer under an idempotency key, as plain data; None: it is a new one, or none is given.

    A dry run neither asks for one nor leaves one. Raises `Refused` for a key that was used for another request.
    """
    if key is None:
        return None
    kept = await unit.idempotency.find(caller.user, key.key, since=now - KEYS_KEPT_FOR)
    if kept is None:
        return None
    if (kept.action, kept.fingerprint) != (action, key.fingerprint):
        message = f"the key was used for another request (`{kept.action}`): a new request needs a new key"
        raise Refused([IdempotencyMismatch(message, path=("idempotencyKey",))])
    return kept.answer


async def keep_first_answer(
    unit: WritingUnit, caller: Caller, action: str, key: IdempotencyKey, answer: dict[str, Any], *, now: datetime
) -> None:
    """Keeps what `find_first_answer` gives from now on, in the transaction of its change."""
    kept = KeptAnswer(action=action, fingerprint=key.fingerprint, answer=answer)
    await unit.idempotency.keep(caller.user, key.key, kept, at=now, since=now - KEYS_KEPT_FOR)


def _read_answer(content: dict[str, Any]) -> Written:
    """An answer that `_render` has made plain."""
    return Written(
        subject=content["subject"], revision=content["revision"],
        changes=tuple(read_change(change) for change in content["changes"]),
        warnings=tuple(
            Warned(warning["message"], path=tuple(warning["path"]), code=ErrorCode(warning["code"]))
            for warning in content["warnings"]
        ),
        token=content.get("token"),
    )  # fmt: skip


def _render(written: Written) -> dict[str, Any]:
    """An answer as plain data; refusals are never kept, and a secret is no part of it."""
    return {
        "subject": written.subject,
        "revision": written.revision,
        "changes": [render_change(change) for change in written.changes],
        "warnings": [
            {"message": str(warning), "path": list(warning.path), "code": warning.code.value}
            for warning in written.warnings
        ],
        "token": written.token,
    }


async def refuse_stale(writing: Writing, subject: str | None) -> None:
    """Raises `Refused` where the subject has changed since the revision that the caller expects.

    What is being made has no past: then nothing at all may have changed since.
    """
    expected = writing.options.expected_revision
    if expected is None:
        return
    current = writing.reading.revision
    newer = await writing.unit.audit.find_newer(subject or "", expected, limit=MAX_NEWER_ENTRIES)
    known = subject is not None and await writing.unit.audit.knows(subject)
    stale = expected != current
    if known and subject is not None:
        stale = await _is_one_about(writing.unit, newer, subject)
    if stale or expected > current or len(newer) == MAX_NEWER_ENTRIES:
        message = f"it has changed since the revision `{expected}`; the gateway is at `{current}`: read it again"
        raise Refused([StaleRevision(message, path=("expectedRevision",))])


async def _is_one_about(unit: ReadingUnit, entries: Iterable[AuditEntry], subject: str) -> bool:
    for entry in entries:
        if await unit.audit.is_about(entry, subject):
            return True
    return False


# ---------------------------------------------------------------------- judging


async def _judge_and_record(writing: Writing, subject: str | None, wish: Wish) -> Written:
    unit, catalog = writing.unit, writing.reading.catalog
    before = await load_reached(writing.reading, wish)
    outcome = await judge_and_guard(writing, before, wish)
    records = tuple(describe_change(catalog, change) for change in outcome.changes)
    warnings = await find_warnings(writing, outcome)
    if not isinstance(unit, WritingUnit):
        return Written(subject=subject, changes=records, warnings=warnings, after=outcome.after)
    if not outcome.changes:
        return Written(subject=subject, revision=writing.reading.revision, warnings=warnings)
    entry = await unit.record(outcome.changes, writing.make_entry(records))
    return Written(subject=subject, revision=entry.revision, changes=records, warnings=warnings)


async def judge_and_guard(writing: Writing, before: World, wish: Wish) -> Outcome:
    """The whole of what a wish would do. Raises `Refused` where a rule or a guard stands in the way."""
    outcome, errors = await weigh_wish(writing, before, wish)
    if errors:
        raise Refused(errors)
    return outcome


async def weigh_wish(writing: Writing, before: World, wish: Wish) -> tuple[Outcome, tuple[DomainError, ...]]:
    """The whole of what a wish would do, and every rule and guard that stands in the way."""
    active_owners = await writing.unit.users.count_active_owners()
    return await work_aside_where_long(len(wish.changes), _weigh, writing, before, wish, active_owners)


def _weigh(writing: Writing, before: World, wish: Wish, active_owners: int) -> tuple[Outcome, tuple[DomainError, ...]]:
    outcome = judge(writing.reading.program, before, wish, writing.stamp)
    judgement = Judgement(writing.reading.program, before, outcome.changes)
    guard = Guard(judgement, writing.authority, wish.paths)
    missing = guard.needs()
    if missing:
        return outcome, cut_refusals(missing)  # what the caller may not do at all is no matter of rules
    errors = [
        *guard.errors(),
        *outcome.errors,
        *guard_owners(before, outcome.after, outcome.changes, active_owners=active_owners, paths=wish.paths),
        *find_owner_limits(outcome.after, outcome.changes, wish.paths),
    ]
    return outcome, cut_refusals(errors)


async def work_aside_where_long(things: int, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Does pure work, beside the event loop where it is about so many things that others would wait for it."""
    if things <= SOON_DONE:
        return work(*given, **named)
    return await asyncio.to_thread(work, *given, **named)


async def find_warnings(writing: Writing, outcome: Outcome) -> tuple[DomainError, ...]:
    """Everything that is worth knowing of a change that nothing stands in the way of."""
    unmanageable = await _warn_unmanageable(writing, outcome)
    return cut_refusals([*outcome.warnings, *writing.warnings, *warn_of_look(outcome.changes), *unmanageable])


async def _warn_unmanageable(writing: Writing, outcome: Outcome) -> list[DomainError]:
    """Warnings of rights that nobody but account owners could manage any more, by a change that takes away."""
    takes = any(
        change.before is not None or (isinstance(change.after, Limit) and change.before is None)
        for change in outcome.changes
    )
    if not takes:
        return []
    people = await find_granters(writing.reading)
    before = await writing.reading.load_world(people)
    judgement = Judgement(writing.reading.program, before, outcome.changes)
    return list(warn_unmanageable(judgement, people, grant_right=Right.GRANT_RIGHTS, at=writing.stamp.at))


async def find_granters(reading: Reading) -> frozenset[UserId]:
    """Everybody who may hold the right to grant rights: by a grant of their own, a role or a team."""
    world = await reading.load_world()
    granting = [row.holder for rows in world.rows.values() for row in rows.grants if row.node == Right.GRANT_RIGHTS]
    reached = world.reached_from(granting)
    roles = [RoleId(holder) for holder in reached if holder in world.roles]
    teams = [TeamId(holder) for holder in reached if holder in world.teams]
    people = await reading.unit.worlds.find_included_people(roles, teams) if roles or teams else frozenset()
    return people | await reading.unit.worlds.find_granted_people(Right.GRANT_RIGHTS)


async def load_reached(reading: Reading, wish: Wish) -> World:
    """The world with everybody in it whom a wish may reach."""
    world = await reading.load_world()
    judgement = Judgement(reading.program, world, wish.changes)
    reached = judgement.reached()
    roles = [RoleId(holder) for holder in reached if holder in judgement.after.roles]
    teams = [TeamId(holder) for holder in reached if holder in judgement.after.teams]
    people = await reading.unit.worlds.find_included_people(roles, teams) if roles or teams else frozenset()
    return await reading.load_world(people)
