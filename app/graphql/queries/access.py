"""Checks, and who is asking."""

from datetime import datetime
from typing import Annotated, cast

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.holders import UserId
from app.domain.references import Ref
from app.graphql.context import Info
from app.graphql.faults import Fault
from app.graphql.inputs import (
    AS_OF,
    AT,
    CONTRACT,
    FACTS,
    AsOf,
    ContractArgument,
    ContractRef,
    FactInput,
    UserRef,
    read_as_of,
    read_facts,
    read_optional_ref,
    read_ref,
)
from app.graphql.scalars import Revision
from app.graphql.types.decisions import Decision, load_decision, load_decisions
from app.graphql.types.rows import show_user
from app.graphql.types.users import AtLeastArgument, TargetArgument, User
from app.graphql.types.values import RightValueInput, read_value_input
from app.services import access


@strawberry.input(description="A question: may this user do this?")
class CheckInput:
    user: UserRef = strawberry.field(description="Who.")
    node: str = strawberry.field(description="The key of a permission or an operation.")
    at_least: RightValueInput | None = strawberry.field(
        default=strawberry.UNSET, description="At least this much; left out: anything above nothing."
    )
    contract: ContractRef | None = strawberry.field(default=strawberry.UNSET, description=CONTRACT)
    target: UserRef | None = strawberry.field(
        default=strawberry.UNSET, description="The other person, where the right reaches people or asks of them."
    )
    target_subscriber: str | None = strawberry.field(
        default=strawberry.UNSET, description="The subscriber, where the right leans on the link to one."
    )
    facts: list[FactInput] | None = strawberry.field(default=strawberry.UNSET, description=FACTS)
    at: datetime | None = strawberry.field(default=strawberry.UNSET, description=AT)
    as_of: AsOf | None = strawberry.field(default=strawberry.UNSET, description=AS_OF)


@strawberry.type(description="Who is calling, and what they may do.")
class Viewer:
    source: str = strawberry.field(description="On whose behalf the caller's changes are made: `manual`.")
    caller: strawberry.Private[UserId]

    @strawberry.field(description="The user or service account that the token belongs to.")
    async def user(self, info: Info) -> User:
        user = await show_user(info, self.caller)
        assert user is not None, "a token belongs to somebody"
        return user

    @strawberry.field(description="Decision for the caller.")
    def can(
        self,
        info: Info,
        node: Annotated[str, strawberry.argument(description="The key of the permission or operation.")],
        at_least: AtLeastArgument = None,
        contract: ContractArgument = None,
        target: TargetArgument = None,
    ) -> Decision:
        question = access.CheckAsked(
            user=Ref("id", self.caller), node=node, at_least=read_value_input(at_least),
            contract=read_optional_ref(contract), target=read_optional_ref(target),
        )  # fmt: skip
        return load_decision(info, question)


@strawberry.type
class AccessQueries:
    @strawberry.field(description=f"Who is calling. {OPERATIONS['viewer']}")
    def viewer(self, info: Info) -> Viewer | None:
        return Viewer(source="manual", caller=info.context.caller.user)

    @strawberry.field(description=f"The revision that this document is answered from. {OPERATIONS['revision']}")
    def revision(self, info: Info) -> Revision:
        index = info.context.find_index()
        return cast("Revision", _read_revision(info)) if index is None else Revision(index.revision)

    @strawberry.field(description=f"May this user do this? {OPERATIONS['check']}")
    def check(
        self, info: Info, input: Annotated[CheckInput, strawberry.argument(description="The question.")]
    ) -> Decision:
        return load_decision(info, _read_question(input))

    @strawberry.field(
        description=f"Many questions, at most {access.MAX_CHECKS}; answers keep the order; a fault in one question's "
        f"content never changes another's answer. {OPERATIONS['checkMany']}"
    )
    def check_many(
        self, info: Info, inputs: Annotated[list[CheckInput], strawberry.argument(description="The questions.")]
    ) -> list[Decision]:
        if len(inputs) > access.MAX_CHECKS:
            raise Fault(f"{len(inputs)} questions; at most {access.MAX_CHECKS} at once")
        return load_decisions(info, [_read_question(question) for question in inputs])


async def _read_revision(info: Info) -> Revision:
    return Revision((await info.context.read()).revision)


def _read_question(given: CheckInput) -> access.CheckAsked:
    return access.CheckAsked(
        user=read_ref(given.user),
        node=given.node,
        at_least=read_value_input(given.at_least),
        contract=read_optional_ref(given.contract),
        target=read_optional_ref(given.target),
        target_subscriber=given.target_subscriber or None,
        facts=read_facts(given.facts or None),
        at=given.at or None,
        as_of=read_as_of(given.as_of),
    )
