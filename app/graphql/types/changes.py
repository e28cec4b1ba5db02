"""What a mutation did, and what an audit entry tells of."""

import strawberry

from app.domain import audit as domain
from app.graphql.context import Info
from app.graphql.types.holders import show_holder
from app.graphql.types.names import ContractType, HolderType, PermissionType, RoleType, TeamType
from app.graphql.types.rows import show_contract, show_permission, show_role, show_team


@strawberry.type(
    description="One thing that a mutation did. `before` and `after` render the value; null: did not exist."
)
class Change:
    action: str = strawberry.field(description="What was done: `grant`, `revoke`, `assign`, `update_user` and so on.")
    row: strawberry.ID | None = strawberry.field(description="Id of the row created or ended.")
    before: str | None = strawberry.field(description="The value before.")
    after: str | None = strawberry.field(description="The value after.")
    detail: str = strawberry.field(description="The change in words.")
    record: strawberry.Private[domain.ChangeRecord]

    @classmethod
    def of(cls, change: domain.ChangeRecord) -> "Change":
        return cls(
            action=change.action, row=None if change.row is None else strawberry.ID(change.row), before=change.before,
            after=change.after, detail=change.detail, record=change,
        )  # fmt: skip

    @strawberry.field(description="The user, team or role it was done to.")
    async def holder(self, info: Info) -> HolderType | None:
        return await show_holder(info, self.record.holder)

    @strawberry.field(description="The permission it is about.")
    def permission(self, info: Info) -> PermissionType | None:
        known = self.record.node is not None and info.context.catalog.permission(self.record.node) is not None
        return show_permission(info, self.record.node) if known and self.record.node is not None else None

    @strawberry.field(description="The role it is about.")
    async def role(self, info: Info) -> RoleType | None:
        return await show_role(info, self.record.role)

    @strawberry.field(description="The team it is about.")
    async def team(self, info: Info) -> TeamType | None:
        return await show_team(info, self.record.team)

    @strawberry.field(description="The contract it is scoped to, or about.")
    async def contract(self, info: Info) -> ContractType | None:
        return await show_contract(info, self.record.contract)
