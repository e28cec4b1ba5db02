"""Sync: plans and what became of them, item by item, and how each source stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from app.domain.paging import Page
from app.domain.sync import runs as domain
from app.domain.sync.desired import SyncMode
from app.domain.sync.runs import SyncAction, SyncStatus
from app.graphql.context import Info
from app.graphql.pagination import After, Count, Cursors, First, PageInfo, read_slice, show_page_info
from app.graphql.scalars import Revision
from app.graphql.types.nodes import Node
from app.graphql.types.refusals import UserError, show_error
from app.services.sync import runs as services

Action = Annotated[
    SyncAction | None, strawberry.argument(description="Those alone that do this, or in whose way this stands.")
]


@strawberry.type(description="One thing that a plan does, or why it does not.")
class SyncItem:
    action: SyncAction = strawberry.field(description="What it does, or what stands in its way.")
    subject: str = strawberry.field(
        description="Whom it is about: the external id of a person (the user name of one who has none), the key of a "
        "role or a team."
    )
    path: list[str] = strawberry.field(
        description="Where the input asks for it, such as `users 17 roles 0`; of a file the line first. Of who is "
        "missing from a list: the list."
    )
    detail: str = strawberry.field(description="The change in words, or what is wrong.")
    errors: list[UserError] = strawberry.field(description="What stands in its way; empty: nothing does.")

    @classmethod
    def of(cls, item: domain.SyncItem) -> "SyncItem":
        return cls(
            action=item.action, subject=item.subject, path=list(item.path), detail=item.detail,
            errors=[show_error(error) for error in item.errors],
        )  # fmt: skip


@strawberry.type(description="A page of the items of a plan, in the order of the plan.")
class SyncItemConnection:
    edges: list["SyncItemEdge"] = strawberry.field(description="The items of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One item of a page.")
class SyncItemEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: SyncItem = strawberry.field(description="The item.")


@strawberry.type(description="A plan: what a source wants, compared with what there was; and what became of it.")
class SyncRun(Node):
    source: str = strawberry.field(description="The source whose desired state was sent.")
    status: SyncStatus = strawberry.field(description="What has become of it.")
    mode: SyncMode = strawberry.field(description="What it does where items break a rule.")
    take_over: bool = strawberry.field(description="Whether it adopts what another source or a person manages.")
    max_removals: int | None = strawberry.field(
        description="How much it may take away before the brake stops it; null: the server's share of what the source "
        "manages."
    )
    base_revision: Revision = strawberry.field(description="The revision that it was compared with.")
    revision: Revision | None = strawberry.field(
        description="The revision that it brought about, or found everything done at; null: it is not applied."
    )
    fingerprint: str = strawberry.field(
        description="SHA-256 over what it does, whatever the order of the input; `applySync` asks for it."
    )
    creates: int = strawberry.field(description="Items that make something: people, roles, teams, rows.")
    updates: int = strawberry.field(description="Items of the action UPDATE, suspensions left out.")
    removes: int = strawberry.field(description="Items that end a row.")
    suspends: int = strawberry.field(description="People who would be suspended.")
    losing_rights: int = strawberry.field(description="People who would lose a right.")
    unchanged: int = strawberry.field(description="Entries of the input that ask for what there is.")
    conflicts: int = strawberry.field(description="Items that contradict what others manage.")
    refused: int = strawberry.field(description="Items that break a rule.")
    brake: list[str] = strawberry.field(
        description="Why the brake stops it until it is overridden, in words; empty: the brake holds nothing back."
    )
    warnings: list[str] = strawberry.field(
        description="What looks like a fault of the input and stops nothing, in words, such as very many people who "
        "are called otherwise."
    )
    planned_at: datetime = strawberry.field(description="When it was planned.")
    planned_by: str = strawberry.field(description="The user name of who planned it, as it was then.")
    applied_at: datetime | None = strawberry.field(description="When it was applied; null: it is not.")
    applied_by: str | None = strawberry.field(description="The user name of who applied it, as it was then.")
    reason: str | None = strawberry.field(description="Why it was applied, as that one said.")

    @classmethod
    def of(cls, run: domain.SyncRun) -> "SyncRun":
        counts = run.counts
        return cls(
            id=strawberry.ID(run.id), source=run.source, status=run.status, mode=run.mode, take_over=run.take_over,
            max_removals=run.max_removals, base_revision=Revision(run.base_revision),
            revision=None if run.revision is None else Revision(run.revision), fingerprint=run.fingerprint,
            creates=counts.creates, updates=counts.updates, removes=counts.removes, suspends=counts.suspends,
            losing_rights=counts.losing_rights, unchanged=counts.unchanged, conflicts=counts.conflicts,
            refused=counts.refused, brake=list(run.brake), warnings=list(run.warnings), planned_at=run.planned_at,
            planned_by=run.planned_by,
            applied_at=run.applied_at, applied_by=run.applied_by, reason=run.reason,
        )  # fmt: skip

    @strawberry.field(description="Everything it does, or why it does not. Whoever is shown the run may see all of it.")
    async def items(
        self, info: Info, first: First = None, after: After = None, action: Action = None
    ) -> SyncItemConnection:
        cursors = Cursors(info.context.services.cursor_key, f"items of {self.id}")
        part = read_slice(cursors, first, after)

        async def load(asked: list[services.ItemsOf]) -> Sequence[Page[tuple[domain.SyncItem, int]]]:
            return await services.list_items_of_many(await info.context.read(), asked)

        async def load_counts(asked: list[tuple[str, SyncAction | None]]) -> Sequence[int]:
            return await services.count_items_of_many(await info.context.read(), asked)

        async def count() -> int:
            return await info.context.loader("counts of sync items", load_counts).load((self.id, action))

        page = await info.context.loader("sync items", load).load(services.ItemsOf(self.id, action, part))
        return _show_items(page, cursors, count)


def _show_items(page: Page[tuple[domain.SyncItem, int]], cursors: Cursors, count: Count) -> SyncItemConnection:
    edges = [SyncItemEdge(cursor=cursors.write((number,)), node=SyncItem.of(item)) for item, number in page.items]
    return SyncItemConnection(edges=edges, page_info=show_page_info(page, [e.cursor for e in edges]), count=count)


@strawberry.type(description="A page of sync runs, newest first.")
class SyncRunConnection:
    edges: list["SyncRunEdge"] = strawberry.field(description="The runs of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One run of a page.")
class SyncRunEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: SyncRun = strawberry.field(description="The run.")


def show_runs(page: Page[tuple[domain.SyncRun, int]], cursors: Cursors, count: Count) -> SyncRunConnection:
    """A page of runs, each with its number; cursors hold it turned round, for the newest come first."""
    edges = [SyncRunEdge(cursor=cursors.write((-number,)), node=SyncRun.of(run)) for run, number in page.items]
    return SyncRunConnection(edges=edges, page_info=show_page_info(page, [e.cursor for e in edges]), count=count)


@strawberry.type(description="How a source stands: what it manages, when it last ran, what has changed since.")
class SyncSource:
    source: str = strawberry.field(description="Its name.")
    last_run: SyncRun | None = strawberry.field(description="The latest plan of it, whatever became of it.")
    last_applied_at: datetime | None = strawberry.field(description="When a plan of it was last applied.")
    last_changed_at: datetime | None = strawberry.field(description="When an applied plan of it last changed anything.")
    manages: int = strawberry.field(description="How many people, roles, teams and rows it manages now.")
    drift: int = strawberry.field(
        description="Rows and records of the source that others have changed since its last run was applied."
    )

    @classmethod
    def of(cls, source: domain.SyncSource) -> "SyncSource":
        return cls(
            source=source.source, last_run=None if source.last_run is None else SyncRun.of(source.last_run),
            last_applied_at=source.last_applied_at, last_changed_at=source.last_changed_at, manages=source.manages,
            drift=source.drift,
        )  # fmt: skip
