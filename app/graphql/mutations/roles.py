"""Roles: made, changed, copied, archived."""

from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.users import UNCHANGED
from app.graphql.context import Info
from app.graphql.inputs import RoleRef, read_ref
from app.graphql.mutations.grants import GrantInput
from app.graphql.mutations.writing import WriteInput, WritePayload, given, patch, show_written
from app.graphql.types.roles import Role
from app.graphql.types.rows import show_role
from app.services import roles as services
from app.services.writing import Written


@strawberry.input(description="A new role.")
class CreateRoleInput(WriteInput):
    key: str = strawberry.field(description="The key: unique among roles, compared exactly.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The name for people; left out: the key."
    )  # fmt: skip
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    parents: list[RoleRef] | None = strawberry.field(default=strawberry.UNSET, description="Roles it includes.")
    grants: list[GrantInput] | None = strawberry.field(default=strawberry.UNSET, description="What it grants.")
    on_missing_prerequisites: MissingPrerequisites = strawberry.field(
        default=MissingPrerequisites.REJECT, description="What to do where a right lacks what it needs."
    )


@strawberry.input(description="Attributes of a role to change. Left out: unchanged; null: cleared.")
class UpdateRoleInput(WriteInput):
    role: RoleRef = strawberry.field(description="Which one.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Another name for people; null: the key."
    )  # fmt: skip
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    parents: list[RoleRef] | None = strawberry.field(
        default=strawberry.UNSET, description="The whole list of roles it includes."
    )  # fmt: skip
    archived: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether it is archived; null: it is not."
    )  # fmt: skip
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )


@strawberry.input(description="A copy of a role.")
class CloneRoleInput(WriteInput):
    role: RoleRef = strawberry.field(description="Which one.")
    key: str = strawberry.field(description="The key of the copy.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The name of the copy for people; left out: that of the original."
    )


@strawberry.input(description="A role to archive.")
class ArchiveRoleInput(WriteInput):
    role: RoleRef = strawberry.field(description="Which one.")
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )


@strawberry.type(description="What came of a change of a role.")
class RolePayload(WritePayload):
    role: Role | None = strawberry.field(description="The role after it; null when refused.")


async def _show(info: Info, written: Written) -> RolePayload:
    fields = await show_written(info, written)
    return RolePayload(**fields, role=None if written.errors else await show_role(info, written.subject))


@strawberry.type
class RoleMutations:
    @strawberry.mutation(description=f"Creates a role with its parents and grants. {OPERATIONS['createRole']}")
    async def create_role(
        self, info: Info, input: Annotated[CreateRoleInput, strawberry.argument(description="The role.")]
    ) -> RolePayload:
        written = await services.create_role(
            info.context.services, info.context.caller, input.key,
            RoleAsked(display_name=patch(input.display_name), description=patch(input.description)),
            parents=[read_ref(parent) for parent in input.parents or ()],
            grants=[grant.item() for grant in input.grants or ()],
            on_missing=input.on_missing_prerequisites, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Changes the attributes of a role. {OPERATIONS['updateRole']}")
    async def update_role(
        self, info: Info, input: Annotated[UpdateRoleInput, strawberry.argument(description="The change.")]
    ) -> RolePayload:
        parents = input.parents
        written = await services.update_role(
            info.context.services, info.context.caller, read_ref(input.role),
            RoleAsked(
                display_name=patch(input.display_name), description=patch(input.description),
                archived=UNCHANGED if input.archived is strawberry.UNSET else bool(input.archived),
            ),
            parents=UNCHANGED if parents is strawberry.UNSET else [read_ref(parent) for parent in parents or ()],
            on_dependents=input.on_dependents, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Copies a role: parents, grants and limits. {OPERATIONS['cloneRole']}")
    async def clone_role(
        self, info: Info, input: Annotated[CloneRoleInput, strawberry.argument(description="The copy.")]
    ) -> RolePayload:
        written = await services.clone_role(
            info.context.services, info.context.caller, read_ref(input.role), input.key, given(input.display_name),
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Archives a role: from now on it gives nothing. {OPERATIONS['archiveRole']}")
    async def archive_role(
        self, info: Info, input: Annotated[ArchiveRoleInput, strawberry.argument(description="The role.")]
    ) -> RolePayload:
        written = await services.archive_role(
            info.context.services, info.context.caller, read_ref(input.role), on_dependents=input.on_dependents,
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)
