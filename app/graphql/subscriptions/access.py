"""Effective rights as they change."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.graphql.inputs import ContractArgument, UserRef, read_optional_ref, read_ref
from app.graphql.listening import Info
from app.graphql.types.differences import RightsChanged
from app.services.listening import follow_rights


@strawberry.type
class AccessSubscriptions:
    @strawberry.subscription(
        description="The user's effective rights that changed, each time they do: by a revision, or because a grant, "
        f"a limit or a membership begins or ends. {OPERATIONS['rightsChanged']}"
    )
    async def rights_changed(
        self,
        info: Info,
        user: Annotated[UserRef, strawberry.argument(description="Whose rights.")],
        contract: ContractArgument = None,
    ) -> AsyncGenerator[RightsChanged, None]:
        async for change in follow_rights(info.context, read_ref(user), read_optional_ref(contract)):
            yield await RightsChanged.of(info.context.operation, change)
