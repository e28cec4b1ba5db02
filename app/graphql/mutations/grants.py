"""Granting, revoking, limiting, assigning."""

from datetime import datetime
from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.changes import Dependents, MissingPrerequisites
from app.graphql.context import Info
from app.graphql.inputs import ContractRef, HolderRef, RoleRef, read_holder_ref, read_optional_ref, read_ref
from app.graphql.mutations.writing import WriteInput, WritePayload, given, show_written
from app.graphql.types.holders import Holder, show_holder
from app.graphql.types.values import RightValueInput, read_value_input
from app.services import grants as services
from app.services.writing import Written


@strawberry.input(description="A value of a permission for a holder.")
class GrantInput:
    permission: str = strawberry.field(description="The key of the permission.")
    value: RightValueInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="How much. A grant may leave it out for a switch; a limit that leaves it out leaves nothing.",
    )
    contract: ContractRef | None = strawberry.field(
        default=strawberry.UNSET, description="In this contract alone; left out: everywhere."
    )
    valid_from: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="It counts from then on; left out: at once."
    )  # fmt: skip
    valid_until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="It counts until just before then; left out: for ever."
    )

    def item(self) -> services.GrantItem:
        return services.GrantItem(
            permission=self.permission, value=read_value_input(self.value), contract=read_optional_ref(self.contract),
            valid_from=given(self.valid_from), valid_until=given(self.valid_until),
        )  # fmt: skip


@strawberry.input(
    description="A row by `id`, or every row of exactly this permission, scope and source (default `manual`)."
)
class RevokeInput:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id of the row.")
    permission: str | None = strawberry.field(default=strawberry.UNSET, description="The key of the permission.")
    contract: ContractRef | None = strawberry.field(
        default=strawberry.UNSET, description="Rows of this contract; left out: rows of no contract."
    )
    source: str | None = strawberry.field(
        default=strawberry.UNSET, description="Rows of this source; left out: `manual`."
    )

    def item(self) -> services.RevokeItem:
        return services.RevokeItem(
            id=given(self.id), permission=given(self.permission), contract=read_optional_ref(self.contract),
            source=given(self.source),
        )  # fmt: skip


@strawberry.input(description="A role for a user or a team.")
class AssignInput:
    role: RoleRef = strawberry.field(description="The role.")
    contract: ContractRef | None = strawberry.field(
        default=strawberry.UNSET, description="In this contract alone; left out: everywhere."
    )
    valid_from: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="It counts from then on; left out: at once."
    )  # fmt: skip
    valid_until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="It counts until just before then; left out: for ever."
    )

    def item(self) -> services.AssignItem:
        return services.AssignItem(
            role=read_ref(self.role), contract=read_optional_ref(self.contract), valid_from=given(self.valid_from),
            valid_until=given(self.valid_until),
        )  # fmt: skip


@strawberry.input(description="Grants for one holder.")
class GrantPermissionsInput(WriteInput):
    holder: HolderRef = strawberry.field(description="To whom.")
    grants: list[GrantInput] = strawberry.field(description="What, at most 1000.")
    on_missing_prerequisites: MissingPrerequisites = strawberry.field(
        default=MissingPrerequisites.REJECT, description="What to do where a right lacks what it needs."
    )


@strawberry.input(description="Grants of one holder to end.")
class RevokePermissionsInput(WriteInput):
    holder: HolderRef = strawberry.field(description="From whom.")
    revokes: list[RevokeInput] = strawberry.field(description="Which rows, at most 1000.")
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )


@strawberry.input(description="Limits on one holder.")
class LimitPermissionsInput(WriteInput):
    holder: HolderRef = strawberry.field(description="On whom; an owner cannot be limited.")
    limits: list[GrantInput] = strawberry.field(description="The most that is left of each right, at most 1000.")
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )


@strawberry.input(description="Limits on one holder to end.")
class LiftLimitsInput(WriteInput):
    holder: HolderRef = strawberry.field(description="From whom.")
    limits: list[RevokeInput] = strawberry.field(description="Which rows, at most 1000.")


@strawberry.input(description="Roles for one user or team; or to take from them.")
class AssignRolesInput(WriteInput):
    holder: HolderRef = strawberry.field(description="A user or a team.")
    roles: list[AssignInput] = strawberry.field(
        description="Which roles, at most 1000. Taken away are the rows of exactly this role, contract and window."
    )
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes, when roles are taken."
    )


@strawberry.type(description="What came of a change of a holder.")
class HolderPayload(WritePayload):
    holder: Holder | None = strawberry.field(description="The holder after it; null when refused.")


async def _show(info: Info, written: Written) -> HolderPayload:
    fields = await show_written(info, written)
    holder = None if written.errors else await show_holder(info, written.subject)
    return HolderPayload(**fields, holder=holder)


Input = "The change."


@strawberry.type
class GrantMutations:
    @strawberry.mutation(
        description=f"Grants permissions to a user, a role or a team. {OPERATIONS['grantPermissions']}"
    )
    async def grant_permissions(
        self, info: Info, input: Annotated[GrantPermissionsInput, strawberry.argument(description=Input)]
    ) -> HolderPayload:
        written = await services.grant_permissions(
            info.context.services, info.context.caller, read_holder_ref(input.holder),
            [grant.item() for grant in input.grants], on_missing=input.on_missing_prerequisites,
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Ends grants of a user, a role or a team. {OPERATIONS['revokePermissions']}")
    async def revoke_permissions(
        self, info: Info, input: Annotated[RevokePermissionsInput, strawberry.argument(description=Input)]
    ) -> HolderPayload:
        written = await services.revoke_permissions(
            info.context.services, info.context.caller, read_holder_ref(input.holder),
            [revoke.item() for revoke in input.revokes], on_dependents=input.on_dependents, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Puts limits on a user, a role or a team. {OPERATIONS['limitPermissions']}")
    async def limit_permissions(
        self, info: Info, input: Annotated[LimitPermissionsInput, strawberry.argument(description=Input)]
    ) -> HolderPayload:
        written = await services.limit_permissions(
            info.context.services, info.context.caller, read_holder_ref(input.holder),
            [limit.item() for limit in input.limits], on_dependents=input.on_dependents, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Ends limits on a user, a role or a team. {OPERATIONS['liftLimits']}")
    async def lift_limits(
        self, info: Info, input: Annotated[LiftLimitsInput, strawberry.argument(description=Input)]
    ) -> HolderPayload:
        written = await services.lift_limits(
            info.context.services, info.context.caller, read_holder_ref(input.holder),
            [limit.item() for limit in input.limits], options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Assigns roles to a user or a team. {OPERATIONS['assignRoles']}")
    async def assign_roles(
        self, info: Info, input: Annotated[AssignRolesInput, strawberry.argument(description=Input)]
    ) -> HolderPayload:
        written = await services.assign_roles(
            info.context.services, info.context.caller, read_holder_ref(input.holder),
            [role.item() for role in input.roles], options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Takes roles from a user or a team. {OPERATIONS['unassignRoles']}")
    async def unassign_roles(
        self, info: Info, input: Annotated[AssignRolesInput, strawberry.argument(description=Input)]
    ) -> HolderPayload:
        written = await services.unassign_roles(
            info.context.services, info.context.caller, read_holder_ref(input.holder),
            [role.item() for role in input.roles], on_dependents=input.on_dependents, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)
