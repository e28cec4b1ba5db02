"""Tokens: issued, revoked."""

from datetime import datetime
from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.graphql.context import Info
from app.graphql.inputs import UserRef, read_ref
from app.graphql.mutations.writing import WriteInput, WritePayload, given, show_written
from app.graphql.types.rows import show_user
from app.graphql.types.users import User
from app.services import tokens as services
from app.services.writing import Written


@strawberry.input(description="A new token of a user.")
class IssueTokenInput(WriteInput):
    user: UserRef = strawberry.field(description="Whose.")
    label: str = strawberry.field(description="What it is for.")
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="When it ends to be good; left out or null: when it is revoked. One for yourself ends no later "
        "than the token that you ask with.",
    )


@strawberry.input(description="A token to revoke.")
class RevokeTokenInput(WriteInput):
    id: strawberry.ID = strawberry.field(description="The id of the token.")


@strawberry.type(description="What came of a token.")
class TokenPayload(WritePayload):
    user: User | None = strawberry.field(description="Whose it is; null when refused, and for whom you do not see.")
    token_id: strawberry.ID | None = strawberry.field(description="Its id; null when refused.")
    secret: str | None = strawberry.field(
        description="What to send as `Authorization: Bearer <secret>`. It is shown this once: null in a dry run, where "
        "the answer to an idempotency key is given again, and where a token was revoked."
    )


async def show_token(info: Info, written: Written) -> TokenPayload:
    """What came of a write that is about a token."""
    fields = await show_written(info, written)
    return TokenPayload(
        **fields,
        user=None if written.errors else await show_user(info, written.subject),
        token_id=None if written.token is None else strawberry.ID(written.token),
        secret=written.secret,
    )


@strawberry.type
class TokenMutations:
    @strawberry.mutation(
        description="Issues a token of a user, whose rights must lie within yours: a token opens all that they have. "
        f"{OPERATIONS['issueToken']}"
    )
    async def issue_token(
        self, info: Info, input: Annotated[IssueTokenInput, strawberry.argument(description="The token.")]
    ) -> TokenPayload:
        written = await services.issue_token(
            info.context.services, info.context.caller, read_ref(input.user), label=input.label,
            expires_at=given(input.expires_at), options=input.options(),
        )  # fmt: skip
        return await show_token(info, written)

    @strawberry.mutation(
        description="Revokes a token at once and for ever; the rights of its user must lie within yours. "
        f"{OPERATIONS['revokeToken']}"
    )
    async def revoke_token(
        self, info: Info, input: Annotated[RevokeTokenInput, strawberry.argument(description="Which one.")]
    ) -> TokenPayload:
        written = await services.revoke_token(
            info.context.services, info.context.caller, str(input.id), options=input.options()
        )
        return await show_token(info, written)
