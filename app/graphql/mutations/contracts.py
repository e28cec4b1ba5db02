"""Contracts, access levels, links to subscribers, facts."""

from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.changes import Dependents
from app.domain.contracts import AccessLevel
from app.domain.holders import ContractStatus
from app.graphql.context import Info
from app.graphql.inputs import ContractRef, FactInput, UserRef, read_facts, read_optional_ref, read_ref
from app.graphql.mutations.writing import WriteInput, WritePayload, given, patch, show_written
from app.graphql.types.contracts import Contract
from app.graphql.types.rows import show_contract
from app.services import contracts as services
from app.services.writing import Written


@strawberry.input(description="A new contract.")
class RegisterContractInput(WriteInput):
    number: str = strawberry.field(description="The number: unique among contracts, compared exactly.")
    name: str = strawberry.field(description="The name for people.")
    owner: UserRef = strawberry.field(description="Who owns it, and is OWNER in every product of it.")
    products: list[str] = strawberry.field(description="The keys of its products.")


@strawberry.input(description="Attributes of a contract to change. Left out: unchanged.")
class UpdateContractInput(WriteInput):
    contract: ContractRef = strawberry.field(description="Which one.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Another name; not null.")
    status: ContractStatus | None = strawberry.field(
        default=strawberry.UNSET, description="Another status; not null."
    )  # fmt: skip
    products: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The whole list of its products; null: none."
    )  # fmt: skip
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT,
        description="CASCADE: end the levels of people in removed products; otherwise they stay without effect.",
    )


@strawberry.input(description="The level of one person in one product.")
class AccessLevelInput:
    user: UserRef = strawberry.field(description="Who.")
    product: str = strawberry.field(description="The key of a product of the contract.")
    level: AccessLevel | None = strawberry.field(
        default=None, description="The level; null takes the person out of the product."
    )  # fmt: skip

    def item(self) -> services.LevelItem:
        return services.LevelItem(user=read_ref(self.user), product=self.product, level=given(self.level))


@strawberry.input(description="Access levels of people in one contract.")
class SetAccessLevelsInput(WriteInput):
    contract: ContractRef = strawberry.field(description="Which one.")
    levels: list[AccessLevelInput] = strawberry.field(description="The levels, at most 1000.")


@strawberry.input(description="Another owner of a contract.")
class TransferContractInput(WriteInput):
    contract: ContractRef = strawberry.field(description="Which one.")
    to: UserRef = strawberry.field(description="Who is to own it. The former owner becomes ADMINISTRATOR everywhere.")


@strawberry.input(description="A link of a person to a subscriber of the Virtual PBX.")
class LinkSubscriberInput(WriteInput):
    contract: ContractRef = strawberry.field(description="In which contract.")
    user: UserRef = strawberry.field(description="Who.")
    subscriber: str | None = strawberry.field(
        default=strawberry.UNSET, description="The subscriber, in place of any other; null unlinks."
    )  # fmt: skip


@strawberry.input(description="Facts of a contract, or of a user (in a contract or everywhere).")
class SetFactsInput(WriteInput):
    contract: ContractRef | None = strawberry.field(default=strawberry.UNSET, description="Of, or in, which contract.")
    user: UserRef | None = strawberry.field(default=strawberry.UNSET, description="Of which user.")
    facts: list[FactInput] = strawberry.field(description="The facts, each replacing what was stored of it.")


@strawberry.type(description="What came of a change of a contract.")
class ContractPayload(WritePayload):
    contract: Contract | None = strawberry.field(description="The contract after it; null when refused.")


@strawberry.type(description="What came of storing facts.")
class FactsPayload(WritePayload):
    pass


async def _show(info: Info, written: Written) -> ContractPayload:
    fields = await show_written(info, written)
    contract = None if written.errors else await show_contract(info, written.subject)
    return ContractPayload(**fields, contract=contract)


@strawberry.type
class ContractMutations:
    @strawberry.mutation(description=f"Registers a contract and its owner. {OPERATIONS['registerContract']}")
    async def register_contract(
        self, info: Info, input: Annotated[RegisterContractInput, strawberry.argument(description="The contract.")]
    ) -> ContractPayload:
        written = await services.register_contract(
            info.context.services, info.context.caller, number=input.number, name=input.name,
            owner=read_ref(input.owner), products=input.products, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Changes name, status or products of a contract. {OPERATIONS['updateContract']}")
    async def update_contract(
        self, info: Info, input: Annotated[UpdateContractInput, strawberry.argument(description="The change.")]
    ) -> ContractPayload:
        written = await services.update_contract(
            info.context.services, info.context.caller, read_ref(input.contract), name=patch(input.name),
            status=patch(input.status), products=patch(input.products), on_dependents=input.on_dependents,
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(
        description="Sets access levels. Nobody appoints an OWNER, and the level of the contract's owner moves only "
        f"with the contract. {OPERATIONS['setAccessLevels']}"
    )
    async def set_access_levels(
        self, info: Info, input: Annotated[SetAccessLevelsInput, strawberry.argument(description="The levels.")]
    ) -> ContractPayload:
        written = await services.set_access_levels(
            info.context.services, info.context.caller, read_ref(input.contract),
            [level.item() for level in input.levels], options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Gives a contract another owner. {OPERATIONS['transferContract']}")
    async def transfer_contract(
        self, info: Info, input: Annotated[TransferContractInput, strawberry.argument(description="The transfer.")]
    ) -> ContractPayload:
        written = await services.transfer_contract(
            info.context.services, info.context.caller, read_ref(input.contract), read_ref(input.to),
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(
        description="Links a person to a subscriber of the Virtual PBX: they may listen to that subscriber's call "
        f"records and use click-to-call. {OPERATIONS['linkSubscriber']}"
    )
    async def link_subscriber(
        self, info: Info, input: Annotated[LinkSubscriberInput, strawberry.argument(description="The link.")]
    ) -> ContractPayload:
        written = await services.link_subscriber(
            info.context.services, info.context.caller, read_ref(input.contract), read_ref(input.user),
            patch(input.subscriber), options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Stores facts of a contract or a user. {OPERATIONS['setFacts']}")
    async def set_facts(
        self, info: Info, input: Annotated[SetFactsInput, strawberry.argument(description="The facts.")]
    ) -> FactsPayload:
        written = await services.set_facts(
            info.context.services, info.context.caller, contract=read_optional_ref(input.contract),
            user=read_optional_ref(input.user), facts=read_facts(input.facts), options=input.options(),
        )  # fmt: skip
        return FactsPayload(**await show_written(info, written))
