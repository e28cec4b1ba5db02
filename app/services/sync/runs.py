"""What sync has done: runs, their items, and how each source stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.callers import Right
from app.domain.paging import Page, Slice
from app.domain.sync.runs import SyncAction, SyncItem, SyncRun, SyncSource
from app.services.context import Reading
from app.services.sync.planning import require


@dataclass(frozen=True, slots=True)
class ItemsOf:
    """Which items: a part of those of a run, all or those of an action."""

    run: str
    action: SyncAction | None
    part: Slice


async def find_run(reading: Reading, run: str) -> SyncRun | None:
    """A run by its id. Raises `Refused` for one who may not see any."""
    await require(reading, "syncRun")
    kept = await reading.unit.sync.find(run)
    return None if kept is None else kept.run


async def find_runs(reading: Reading, runs: Sequence[str]) -> Sequence[SyncRun]:
    """The runs of these ids that there are; none for one who may not see any."""
    if not (await reading.sight()).reaches(Right.VIEW_SYNC, None):
        return []
    return await reading.unit.sync.find_many(runs)


async def list_runs(reading: Reading, source: str | None, part: Slice) -> Page[tuple[SyncRun, int]]:
    """A page of runs, newest first, each with its place in that order. Raises `Refused`."""
    await require(reading, "syncRuns")
    return await reading.unit.sync.read_page(source, part)


async def count_runs(reading: Reading, source: str | None) -> int:
    """How many runs there are. Raises `Refused`."""
    await require(reading, "syncRuns")
    return await reading.unit.sync.count(source)


async def list_items(reading: Reading, run: str, action: SyncAction | None, part: Slice) -> Page[tuple[SyncItem, int]]:
    """A page of the items of a run, each with its number. Whoever was shown the run may see them."""
    (page,) = await list_items_of_many(reading, [ItemsOf(run, action, part)])
    return page


async def list_items_of_many(reading: Reading, asked: Sequence[ItemsOf]) -> Sequence[Page[tuple[SyncItem, int]]]:
    """A page of items for each that is asked, by a fixed number of statements."""
    return await reading.unit.sync.read_items([(one.run, one.action, one.part) for one in asked])


async def count_items_of_many(reading: Reading, asked: Sequence[tuple[str, SyncAction | None]]) -> Sequence[int]:
    """How many items a run has, all or those of an action, for each that is asked."""
    return await reading.unit.sync.count_items(asked)


async def list_sources(reading: Reading) -> Sequence[SyncSource]:
    """How each source stands, by name: all that manage something, or have a run. Raises `Refused`."""
    await require(reading, "syncSources")
    sync = reading.unit.sync
    latest, managed = await sync.find_latest(), await sync.count_managed()
    applied, changed = await sync.find_latest_applied(), await sync.find_latest_applied(changed=True)
    drift = await sync.count_drift(
        {source: run.revision for source, run in applied.items() if run.revision is not None}
    )
    return [
        SyncSource(
            source=source, manages=managed[source], last_run=latest.get(source),
            last_applied_at=applied[source].applied_at if source in applied else None,
            last_changed_at=changed[source].applied_at if source in changed else None,
            drift=drift[source],
        )
        for source in sorted({*latest, *managed})
    ]  # fmt: skip
