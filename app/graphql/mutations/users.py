"""People: made, changed, activated, made owners."""

from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.holders import UserStatus
from app.domain.wishes.users import UNCHANGED, UserAsked
from app.graphql.context import Info
from app.graphql.inputs import UserRef, read_ref
from app.graphql.mutations.writing import WriteInput, WritePayload, patch, show_written
from app.graphql.types.rows import show_user
from app.graphql.types.users import User
from app.services import users as services
from app.services.writing import Written


@strawberry.input(description="A new person.")
class CreateUserInput(WriteInput):
    user_name: str = strawberry.field(description="The user name: unique, compared exactly.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The name for people; left out: the user name."
    )  # fmt: skip
    email: str | None = strawberry.field(default=strawberry.UNSET, description="The e-mail address.")
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The id in the directory they come from: unique."
    )  # fmt: skip


@strawberry.input(description="Attributes of a user to change. Left out: unchanged; null: cleared.")
class UpdateUserInput(WriteInput):
    user: UserRef = strawberry.field(description="Who.")
    user_name: str | None = strawberry.field(default=strawberry.UNSET, description="Another user name; not null.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Another name for people; null: the user name."
    )  # fmt: skip
    email: str | None = strawberry.field(default=strawberry.UNSET, description="Another e-mail address.")
    external_id: str | None = strawberry.field(default=strawberry.UNSET, description="Another external id.")


@strawberry.input(description="Another status of a user.")
class SetUserStatusInput(WriteInput):
    user: UserRef = strawberry.field(description="Who.")
    status: UserStatus = strawberry.field(description="The status.")


@strawberry.input(description="Ownership of the account, given or taken.")
class SetAccountOwnerInput(WriteInput):
    user: UserRef = strawberry.field(description="Who.")
    is_owner: bool = strawberry.field(description="Whether they are to own the account.")


@strawberry.type(description="What came of a change of a user.")
class UserPayload(WritePayload):
    user: User | None = strawberry.field(description="The user after it; null when refused.")


async def show_changed_user(info: Info, written: Written) -> UserPayload:
    """What came of a write that is about a user."""
    fields = await show_written(info, written)
    return UserPayload(**fields, user=None if written.errors else await show_user(info, written.subject))


@strawberry.type
class UserMutations:
    @strawberry.mutation(description=f"Creates a person. {OPERATIONS['createUser']}")
    async def create_user(
        self, info: Info, input: Annotated[CreateUserInput, strawberry.argument(description="The person.")]
    ) -> UserPayload:
        asked = UserAsked(
            user_name=input.user_name, display_name=patch(input.display_name), email=patch(input.email),
            external_id=patch(input.external_id),
        )  # fmt: skip
        written = await services.create_user(
            info.context.services, info.context.caller, asked, options=input.options()
        )  # fmt: skip
        return await show_changed_user(info, written)

    @strawberry.mutation(description=f"Changes the attributes of a user. {OPERATIONS['updateUser']}")
    async def update_user(
        self, info: Info, input: Annotated[UpdateUserInput, strawberry.argument(description="The change.")]
    ) -> UserPayload:
        # A user name cannot be cleared: null is read as the empty name, and refused as one.
        user_name = UNCHANGED if input.user_name is strawberry.UNSET else input.user_name or ""
        asked = UserAsked(
            user_name=user_name, display_name=patch(input.display_name), email=patch(input.email),
            external_id=patch(input.external_id),
        )  # fmt: skip
        written = await services.update_user(
            info.context.services, info.context.caller, read_ref(input.user), asked, options=input.options()
        )
        return await show_changed_user(info, written)

    @strawberry.mutation(description=f"Activates, suspends or archives a user. {OPERATIONS['setUserStatus']}")
    async def set_user_status(
        self, info: Info, input: Annotated[SetUserStatusInput, strawberry.argument(description="The change.")]
    ) -> UserPayload:
        written = await services.set_user_status(
            info.context.services, info.context.caller, read_ref(input.user), input.status, options=input.options()
        )
        return await show_changed_user(info, written)

    @strawberry.mutation(description=f"Gives or takes ownership of the account. {OPERATIONS['setAccountOwner']}")
    async def set_account_owner(
        self, info: Info, input: Annotated[SetAccountOwnerInput, strawberry.argument(description="The change.")]
    ) -> UserPayload:
        written = await services.set_account_owner(
            info.context.services, info.context.caller, read_ref(input.user), is_owner=input.is_owner,
            options=input.options(),
        )  # fmt: skip
        return await show_changed_user(info, written)
