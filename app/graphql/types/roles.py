"""Roles."""

from typing import Annotated

import strawberry

from app.domain import holders as domain
from app.domain.callers import OPERATIONS
from app.domain.errors import Refused
from app.domain.paging import Page
from app.graphql.context import Info
from app.graphql.faults import fault_of
from app.graphql.inputs import ContractArgument, read_optional_ref
from app.graphql.pagination import After, Count, Cursors, First, PageInfo, show_page_info
from app.graphql.types.holders import Holder
from app.graphql.types.names import EffectiveRightType, UserConnectionType
from app.services import access

SystemKey = Annotated[str | None, strawberry.argument(description="The key of a system: its rights alone.")]


@strawberry.type(description="A named bundle of rights.")
class Role(Holder):
    key: str = strawberry.field(description="The key, unique among roles.")
    description: str | None = strawberry.field(description="What it is for.")
    archived: bool = strawberry.field(description="Whether it is archived, and gives nothing.")
    source: str = strawberry.field(description="Who manages it: `manual`, or a sync source.")
    record: strawberry.Private[domain.Role]

    @classmethod
    def of(cls, role: domain.Role) -> "Role":
        return cls(
            id=strawberry.ID(role.id), display_name=role.display_name, key=role.key, description=role.description,
            archived=role.archived, source=role.source, record=role,
        )  # fmt: skip

    @strawberry.field(description="Roles that it includes.")
    async def parents(self, info: Info) -> list["Role"]:
        seen = await info.context.look()
        parents = [seen.role(parent) for parent in self.record.parents]
        return [Role.of(parent) for parent in parents if parent is not None]

    @strawberry.field(
        description="What the role gives by itself, requirements applied; facts are unknown to a role. "
        f"{OPERATIONS['Role.rights']}"
    )
    async def rights(
        self, info: Info, system: SystemKey = None, contract: ContractArgument = None
    ) -> list[EffectiveRightType]:
        from app.graphql.types.decisions import EffectiveRight

        reading = await info.context.read()
        try:
            rights = await access.list_role_rights(
                reading, self.record.id, system=system, contract=read_optional_ref(contract)
            )
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return [EffectiveRight.of(right) for right in rights]

    @strawberry.field(description=f"Users to whom it is assigned directly, by user name. {OPERATIONS['Role.members']}")
    async def members(self, info: Info, first: First = None, after: After = None) -> UserConnectionType:
        from app.graphql.types.users import show_included_users

        return await show_included_users(info, "role", self.record.id, first, after)


@strawberry.type(description="A page of roles.")
class RoleConnection:
    edges: list["RoleEdge"] = strawberry.field(description="The roles of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One role of a page.")
class RoleEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: Role = strawberry.field(description="The role.")


def show_roles(page: Page[domain.Role], cursors: Cursors, count: Count) -> RoleConnection:
    """A page of roles."""
    edges = [RoleEdge(cursor=cursors.write((role.key,)), node=Role.of(role)) for role in page.items]
    return RoleConnection(
        edges=edges, page_info=show_page_info(page, [edge.cursor for edge in edges]), count=count
    )  # fmt: skip
