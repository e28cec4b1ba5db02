"""The audit log."""

from datetime import datetime

import strawberry

from app.domain import audit as domain
from app.domain.audit import PART_SIZE
from app.domain.ids import audit_id
from app.domain.paging import Page
from app.domain.verification import Verification
from app.graphql.context import Info
from app.graphql.pagination import Count, Cursors, PageInfo, show_page_info
from app.graphql.scalars import Revision
from app.graphql.types.changes import Change
from app.graphql.types.nodes import Node


@strawberry.type(description="All that one revision did.")
class AuditEntry(Node):
    revision: Revision = strawberry.field(description="The revision.")
    at: datetime = strawberry.field(description="When it was committed.")
    actor: str = strawberry.field(description="The user name of who did it, as it was then.")
    source: str = strawberry.field(description="On whose behalf: `manual`, or a sync source.")
    action: str = strawberry.field(description="The operation that was asked for.")
    reason: str | None = strawberry.field(description="Why, as the actor said.")
    changes: list[Change] = strawberry.field(
        description=f"What was changed: everything, or of a sync that changed more the first {PART_SIZE}."
    )
    changes_total: int = strawberry.field(
        description="How many changes there are in all; of a sync, `syncRun` pages through them."
    )
    hash: str = strawberry.field(description="SHA-256 over this entry and the hash before it.")
    previous_hash: str = strawberry.field(description="The hash of the entry before.")
    entry: strawberry.Private[domain.AuditEntry]

    @classmethod
    def of(cls, entry: domain.AuditEntry) -> "AuditEntry":
        return cls(
            id=strawberry.ID(audit_id(entry.revision)), revision=Revision(entry.revision), at=entry.at,
            actor=entry.actor, source=entry.source, action=entry.action, reason=entry.reason,
            changes=[Change.of(change) for change in entry.changes], changes_total=entry.changes_total, hash=entry.hash,
            previous_hash=entry.previous_hash, entry=entry,
        )  # fmt: skip

    @strawberry.field(
        description="The users, roles, teams and contracts it is about; null: not there, or not yours. Of a sync that "
        f"changed very much the first {PART_SIZE}; `auditLog` finds it by each of them."
    )
    async def subjects(self, info: Info) -> list[Node | None]:
        from app.graphql.queries.nodes import load_nodes

        subjects = self.entry.subjects
        if self.entry.parts is not None:
            subjects = domain.name_subjects(self.entry.changes)[:PART_SIZE]
        return await load_nodes(info, subjects)


@strawberry.type(
    description="What came of verifying the audit log: every hash computed anew, every entry where it was written."
)
class AuditVerification:
    ok: bool = strawberry.field(description="Whether the whole log is as it was written, and holds the head given.")
    entries: int = strawberry.field(description="How many entries are sound, from the first on.")
    head: str = strawberry.field(description="The hash of the last of these: the head of the log, if all are.")
    first_bad_entry: strawberry.ID | None = strawberry.field(
        description="The first entry that is not as it was written, or is missing; null: there is none."
    )
    problem: str | None = strawberry.field(description="What is wrong with it, for people.")

    @classmethod
    def of(cls, found: Verification) -> "AuditVerification":
        return cls(
            ok=found.ok, entries=found.revision, head=found.hash, problem=found.problem,
            first_bad_entry=None if found.bad is None else strawberry.ID(audit_id(max(found.bad, 0))),
        )  # fmt: skip


@strawberry.type(description="A page of audit entries, newest first.")
class AuditEntryConnection:
    edges: list["AuditEntryEdge"] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One entry of a page.")
class AuditEntryEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: AuditEntry = strawberry.field(description="The entry.")


def show_entries(page: Page[domain.AuditEntry], cursors: Cursors, count: Count) -> AuditEntryConnection:
    """A page of audit entries."""
    edges = [AuditEntryEdge(cursor=cursors.write((-e.revision,)), node=AuditEntry.of(e)) for e in page.items]
    return AuditEntryConnection(edges=edges, page_info=show_page_info(page, [e.cursor for e in edges]), count=count)
