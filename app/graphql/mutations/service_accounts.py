"""Service accounts: made, given another ceiling."""

from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.contracts import AccessLevel
from app.domain.references import Ref
from app.domain.wishes.users import UNCHANGED, Unchanged
from app.graphql.context import Info
from app.graphql.inputs import ContractRef, RoleRef, UserRef, read_ref
from app.graphql.mutations.tokens import TokenPayload, show_token
from app.graphql.mutations.users import UserPayload, show_changed_user
from app.graphql.mutations.writing import WriteInput
from app.services import service_accounts as services

CEILING = "Roles whose rights are the ceiling of what it can ever give, whatever it holds itself."
ACCESS_CEILING = "The highest level it can set, per contract and product."


@strawberry.input(description="A level in one product of one contract.")
class SyncAccessInput:
    contract: ContractRef = strawberry.field(description="In which contract.")
    product: str = strawberry.field(description="The key of a product of the contract.")
    level: AccessLevel = strawberry.field(description="The level.")


@strawberry.input(description="A new service account.")
class CreateServiceAccountInput(WriteInput):
    user_name: str = strawberry.field(description="The user name: unique among users, compared exactly.")
    ceiling: list[RoleRef] = strawberry.field(description=f"{CEILING} None: it gives nothing.")
    access_ceiling: list[SyncAccessInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"{ACCESS_CEILING} Left out, null or empty: it sets none."
    )  # fmt: skip


@strawberry.input(description="Another ceiling of a service account. Left out: unchanged.")
class UpdateServiceAccountInput(WriteInput):
    user: UserRef = strawberry.field(description="Which one.")
    ceiling: list[RoleRef] | None = strawberry.field(
        default=strawberry.UNSET, description=f"{CEILING} The whole list; null: none, so that it gives nothing."
    )  # fmt: skip
    access_ceiling: list[SyncAccessInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"{ACCESS_CEILING} The whole list; null: none, so that it sets none."
    )  # fmt: skip


def _read_roles(given: list[RoleRef] | None) -> list[Ref] | Unchanged:
    return UNCHANGED if given is strawberry.UNSET else [read_ref(role) for role in given or ()]


def _read_levels(given: list[SyncAccessInput] | None) -> list[services.LevelItem] | Unchanged:
    if given is strawberry.UNSET:
        return UNCHANGED
    return [
        services.LevelItem(contract=read_ref(item.contract), product=item.product, level=item.level)
        for item in given or ()
    ]


@strawberry.type
class ServiceAccountMutations:
    @strawberry.mutation(
        description="Creates a service account, without rights of its own as yet, and its first token. The ceiling "
        f"must lie within what you can give. {OPERATIONS['createServiceAccount']}"
    )
    async def create_service_account(
        self, info: Info, input: Annotated[CreateServiceAccountInput, strawberry.argument(description="The account.")]
    ) -> TokenPayload:
        written = await services.create_service_account(
            info.context.services, info.context.caller, input.user_name, ceiling=_read_roles(input.ceiling),
            levels=_read_levels(input.access_ceiling), options=input.options(),
        )  # fmt: skip
        return await show_token(info, written)

    @strawberry.mutation(
        description="Gives a service account another ceiling: nobody changes their own, and what is added must lie "
        f"within what you can give. {OPERATIONS['updateServiceAccount']}"
    )
    async def update_service_account(
        self, info: Info, input: Annotated[UpdateServiceAccountInput, strawberry.argument(description="The change.")]
    ) -> UserPayload:
        written = await services.update_service_account(
            info.context.services, info.context.caller, read_ref(input.user), ceiling=_read_roles(input.ceiling),
            levels=_read_levels(input.access_ceiling), options=input.options(),
        )  # fmt: skip
        return await show_changed_user(info, written)
