"""The one way to write: judge, guard, audit, commit, all in one transaction that holds the write lock.

A dry run goes the same way over a snapshot, and stops before anything is written.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from app.db.unit_of_work import ReadingUnit, WritingUnit
from app.domain.audit import AuditEntry, ChangeRecord, describe_change, name_subjects
from app.domain.callers import Caller
from app.domain.changes import Stamp, Wish, cut_refusals, judge
from app.domain.errors import DomainError, Refused
from app.domain.guards import guard_owners
from app.domain.holders import RoleId, TeamId, UserId
from app.domain.names import read_text
from app.domain.violations import Judgement
from app.domain.wishes.asking import Faults
from app.domain.wishes.grants import find_owner_limits
from app.domain.world import World
from app.services.context import Reading, Services
from app.services.references import Found, Place, find_references


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What every write may be given beside its subject."""

    reason: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The result of a write. With `errors` nothing was done. `revision` is None when refused or dry.

    `subject` is the id of what it is about. `after` is the world after a dry run, which the database does not know.
    """

    subject: str | None = None
    revision: int | None = None
    changes: tuple[ChangeRecord, ...] = ()
    errors: tuple[DomainError, ...] = ()
    warnings: tuple[DomainError, ...] = ()
    after: World | None = None


@dataclass
class Writing:
    """A write under way: what its preparation may look at, and where it leaves faults and warnings."""

    reading: Reading
    stamp: Stamp
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


Prepare = Callable[[Writing], Awaitable[tuple[str | None, Wish]]]


async def write(services: Services, caller: Caller, prepare: Prepare, *, action: str, options: WriteOptions) -> Written:
    """Carries out one write. `prepare` reads the request into a wish and names its subject."""
    opening = services.database.reading if options.dry_run else services.database.writing
    async with opening(services.catalog) as unit:
        revision = await unit.audit.find_last_revision()
        reading = Reading(services, unit, revision=revision)
        stamp = Stamp(
            actor=caller.user_name, at=reading.now, new_id=services.new_id, reason=options.reason, revision=revision + 1
        )
        writing = Writing(reading, stamp)
        if options.reason is not None:
            with writing.faults.catching():
                read_text(options.reason, "reason")
        try:
            subject, wish = await prepare(writing)
            writing.faults.refuse()
            return await _judge_and_record(services, caller, unit, writing, subject, wish, action=action)
        except Refused as refused:
            return Written(errors=refused.errors)


async def _judge_and_record(
    services: Services,
    caller: Caller,
    unit: ReadingUnit | WritingUnit,
    writing: Writing,
    subject: str | None,
    wish: Wish,
    *,
    action: str,
) -> Written:
    before = await load_reached(writing.reading, wish)
    outcome = judge(services.program, before, wish, writing.stamp)
    active_owners = await unit.users.count_active_owners()
    errors = [
        *outcome.errors,
        *guard_owners(before, outcome.after, outcome.changes, active_owners=active_owners),
        *find_owner_limits(outcome.after, outcome.changes),
    ]
    if errors:
        raise Refused(cut_refusals(errors))
    catalog = services.catalog
    records = tuple(describe_change(catalog, change) for change in outcome.changes)
    warnings = cut_refusals([*outcome.warnings, *writing.warnings])
    if not isinstance(unit, WritingUnit):
        return Written(subject=subject, changes=records, warnings=warnings, after=outcome.after)
    if not outcome.changes:
        return Written(subject=subject, revision=writing.reading.revision, warnings=warnings)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=writing.stamp.at, actor=caller.user_name, actor_id=caller.user,
            source=writing.stamp.source, action=action, reason=writing.stamp.reason,
            subjects=name_subjects(records), changes=records, previous_hash=previous,
        )  # fmt: skip

    entry = await unit.record(outcome.changes, make_entry)
    return Written(subject=subject, revision=entry.revision, changes=records, warnings=warnings)


async def load_reached(reading: Reading, wish: Wish) -> World:
    """The world with everybody in it whom a wish may reach."""
    world = await reading.load_world()
    judgement = Judgement(reading.program, world, wish.changes)
    reached = judgement.reached()
    roles = [RoleId(holder) for holder in reached if holder in judgement.after.roles]
    teams = [TeamId(holder) for holder in reached if holder in judgement.after.teams]
    people = await reading.unit.worlds.find_included_people(roles, teams) if roles or teams else frozenset()
    return await reading.load_world(people)
