"""Sync: runs and sources."""

from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.errors import Refused
from app.graphql.context import Info
from app.graphql.faults import fault_of
from app.graphql.pagination import After, Cursors, First, read_slice
from app.graphql.types.sync import SyncRun, SyncRunConnection, SyncSource, show_runs
from app.services.sync import runs as services


@strawberry.type
class SyncQueries:
    @strawberry.field(description=f"A sync run by its id; null: not there. {OPERATIONS['syncRun']}")
    async def sync_run(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id.")]
    ) -> SyncRun | None:
        try:
            run = await services.find_run(await info.context.read(), id)
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return None if run is None else SyncRun.of(run)

    @strawberry.field(description=f"Sync runs, newest first. {OPERATIONS['syncRuns']}")
    async def sync_runs(
        self,
        info: Info,
        source: Annotated[
            str | None, strawberry.argument(description="Of this source, exactly; left out: of all.")
        ] = None,
        first: First = None,
        after: After = None,
    ) -> SyncRunConnection:
        cursors = Cursors(info.context.services.cursor_key, "sync runs")
        part = read_slice(cursors, first, after)
        reading = await info.context.read()

        async def count() -> int:
            return await services.count_runs(reading, source)

        try:
            page = await services.list_runs(reading, source, part)
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return show_runs(page, cursors, count)

    @strawberry.field(
        description="How each source stands, by name: all that manage something, or have a run. What is done by hand "
        f"is no source. {OPERATIONS['syncSources']}"
    )
    async def sync_sources(self, info: Info) -> list[SyncSource]:
        try:
            sources = await services.list_sources(await info.context.read())
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return [SyncSource.of(source) for source in sources]
