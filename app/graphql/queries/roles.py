"""Roles by reference and in pages."""

from typing import Annotated

import strawberry

from app.domain import filters as domain
from app.domain.callers import OPERATIONS
from app.graphql.context import Info
from app.graphql.inputs import RoleRef, read_ref
from app.graphql.pagination import After, Before, Cursors, First, Last, read_slice
from app.graphql.types.roles import Role, RoleConnection, show_roles
from app.services import roles


@strawberry.input(description="Which roles; every condition given must hold.")
class RoleFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Part of the key or display name, in any case."
    )  # fmt: skip
    archived: bool | None = strawberry.field(default=strawberry.UNSET, description="Archived ones, or the others.")
    grants: str | None = strawberry.field(
        default=strawberry.UNSET, description="Those that grant this permission themselves: its key."
    )


@strawberry.type
class RoleQueries:
    @strawberry.field(description=f"A role; null: not there, or not yours. {OPERATIONS['role']}")
    async def role(
        self, info: Info, ref: Annotated[RoleRef, strawberry.argument(description="Which one.")]
    ) -> Role | None:
        role = await roles.find_role(await info.context.read(), read_ref(ref))
        return None if role is None else Role.of(role)

    @strawberry.field(description=f"Roles by key. {OPERATIONS['roles']}")
    async def roles(
        self,
        info: Info,
        filter: Annotated[RoleFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> RoleConnection:
        cursors = Cursors(info.context.services.cursor_key, "roles")
        part = read_slice(cursors, first, after, last, before)
        given = filter or RoleFilter()
        archived = None if given.archived is strawberry.UNSET else given.archived
        wanted = domain.RoleFilter(search=given.search or None, archived=archived, grants=given.grants or None)
        reading = await info.context.read()

        async def count() -> int:
            return await roles.count_roles(reading, wanted)

        return show_roles(await roles.list_roles(reading, wanted, part), cursors, count)
