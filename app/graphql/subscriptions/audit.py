"""The audit log as it grows."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.graphql.listening import Info
from app.graphql.scalars import Revision
from app.graphql.types.audit import AuditEntry
from app.services.listening import follow_entries


@strawberry.type
class AuditSubscriptions:
    @strawberry.subscription(
        description="Every committed change that you may see, in order and without gaps; one item per revision. "
        f"{OPERATIONS['changes']}"
    )
    async def changes(
        self,
        info: Info,
        after: Annotated[
            Revision | None,
            strawberry.argument(description="From just after this revision; left out: from now on."),
        ] = None,
    ) -> AsyncGenerator[AuditEntry, None]:
        async for entry in follow_entries(info.context, after):
            yield AuditEntry.of(entry)
