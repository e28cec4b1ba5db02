"""What sync has done: runs, their items, and how each source stands."""

from collections.abc import Sequence

from app.domain.callers import Right
from app.domain.paging import Page, Slice
from app.domain.sync.runs import SyncAction, SyncItem, SyncRun, SyncSource
from app.services.context import Reading
from app.services.sync.planning import require


async def find_run(reading: Reading, run: str) -> SyncRun | None:
    """A run by its id. Raises `Refused` for one who may not see any."""
    await require(reading, "syncRun")
    kept = await reading.unit.sync.find(run)
    return None if kept is None else kept.run


async def find_runs(reading: Reading, runs: Sequence[str]) -> Sequence[SyncRun]:
    """The runs of these ids that there are; none for one who may not see any."""
    if not (await reading.sight()).reaches(Right.VIEW_SYNC, None):
        return []
    found = [await reading.unit.sync.find(run) for run in runs]
    return [kept.run for kept in found if kept is not None]


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
    return await reading.unit.sync.read_items(run, action, part)


async def count_items(reading: Reading, run: str, action: SyncAction | None) -> int:
    """How many items of a run there are."""
    return await reading.unit.sync.count_items(run, action)


async def list_sources(reading: Reading) -> Sequence[SyncSource]:
    """How each source stands, by name: all that manage something, or have a run. Raises `Refused`."""
    await require(reading, "syncSources")
    sync = reading.unit.sync
    found = []
    for source in await sync.list_sources():
        applied = await sync.find_last(source, applied=True)
        changed = await sync.find_last(source, changed=True)
        since = None if applied is None else applied.revision
        found.append(
            SyncSource(
                source=source, manages=await sync.count_managed(source), last_run=await sync.find_last(source),
                last_applied_at=None if applied is None else applied.applied_at,
                last_changed_at=None if changed is None else changed.applied_at,
                drift=0 if since is None else await sync.count_changed_since(source, since),
            )
        )  # fmt: skip
    return found
