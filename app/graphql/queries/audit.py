"""The audit log."""

from datetime import datetime
from typing import Annotated

import strawberry

from app.domain import filters as domain
from app.domain.callers import OPERATIONS
from app.domain.errors import Refused
from app.graphql.context import Info
from app.graphql.faults import fault_of
from app.graphql.pagination import After, Before, Cursors, First, Last, read_slice
from app.graphql.scalars import Revision
from app.graphql.types.audit import AuditEntryConnection, AuditVerification, show_entries
from app.services import audit


@strawberry.input(description="Which audit entries; every condition given must hold.")
class AuditFilter:
    actor: str | None = strawberry.field(
        default=strawberry.UNSET, description="By this user name (as it was then) or user id."
    )  # fmt: skip
    action: str | None = strawberry.field(
        default=strawberry.UNSET, description="By this operation, such as `grantPermissions`."
    )  # fmt: skip
    subject: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="About the user, role, team or contract of this id."
    )
    since: datetime | None = strawberry.field(default=strawberry.UNSET, description="Then or later.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Before then.")
    after_revision: Revision | None = strawberry.field(default=strawberry.UNSET, description="After this revision.")


@strawberry.type
class AuditQueries:
    @strawberry.field(description=f"What was changed, newest first. {OPERATIONS['auditLog']}")
    async def audit_log(
        self,
        info: Info,
        filter: Annotated[AuditFilter | None, strawberry.argument(description="Which entries.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> AuditEntryConnection:
        cursors = Cursors(info.context.services.cursor_key, "audit")
        part = read_slice(cursors, first, after, last, before)
        given = filter or AuditFilter()
        wanted = domain.AuditFilter(
            **{
                name: value
                for name, value in vars(given).items()
                if value is not strawberry.UNSET and value is not None
            }
        )
        reading = await info.context.read()

        async def count() -> int:
            return await audit.count_entries(reading, wanted)

        try:
            page = await audit.list_entries(reading, wanted, part)
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return show_entries(page, cursors, count)

    @strawberry.field(
        description="Whether the audit log is what was written: each entry its own hash, each the hash before it, none "
        "missing. That its end was cut off, or an older database put back, shows only against a `head` that was "
        f"exported before, with `permgate audit head`. Reads the whole log. {OPERATIONS['verifyAudit']}"
    )
    async def verify_audit(
        self,
        info: Info,
        head: Annotated[
            str | None, strawberry.argument(description="A line that `permgate audit head` printed; left out: none.")
        ] = None,
    ) -> AuditVerification:
        try:
            return AuditVerification.of(await audit.verify_audit(await info.context.read(), head))
        except Refused as refused:
            raise fault_of(refused.errors) from None
