"""One person or team at a time: the same comparison, guards and record as a plan, done at once."""

from collections.abc import Awaitable, Callable

from app.db.unit_of_work import WritingUnit
from app.domain.audit import describe_change
from app.domain.callers import Caller
from app.domain.changes import cut_refusals
from app.domain.errors import Refused
from app.domain.sync.desired import Desired, SyncMode
from app.services.context import Services
from app.services.sync.applying import record_sync
from app.services.sync.feeds import ReadFeed
from app.services.sync.planning import draft_plan
from app.services.writing import WriteOptions, Writing, Written, transact

Want = Callable[[Writing], Awaitable[Desired]]


async def carry_out_desired(
    services: Services, caller: Caller, want: Want, *, action: str, options: WriteOptions
) -> Written:
    """Brings about what a source wants of those whom it names, whole or not at all; nobody else is touched.

    `want` reads what there is and tells what is to be, in the transaction of the change: nothing comes between.
    The brake is for whole feeds, and does not count here. `subject` is the first that was to change.
    """

    async def work(writing: Writing) -> Written:
        desired = await want(writing)
        writing.faults.refuse()
        assert not desired.complete, "who is not named is not missing"
        assert isinstance(writing.unit, WritingUnit), "there is no dry run of it"
        known = ReadFeed(
            users=None if desired.users is None else tuple(desired.users),
            roles=None if desired.roles is None else tuple(desired.roles),
            teams=None if desired.teams is None else tuple(desired.teams),
            spoiled=(),
        )
        draft = await draft_plan(
            writing.reading, known, desired=desired, mode=SyncMode.ATOMIC, max_removals=None
        )  # fmt: skip
        if draft.errors or draft.refusals:
            raise Refused(cut_refusals([*draft.refusals, *draft.errors]))
        changes = draft.weighed.changes
        records = tuple(describe_change(writing.reading.catalog, change) for change in changes)
        subject = draft.plan.units[0].holder if draft.plan.units else None
        revision = writing.reading.revision
        if changes:
            entry = await record_sync(
                writing.unit, writing.reading, changes, caller=caller, source=desired.source, action=action,
                reason=options.reason,
            )  # fmt: skip
            revision = entry.revision
        return Written(subject=subject, revision=revision, changes=records)

    return await transact(services, caller, work, action=action, options=options)
