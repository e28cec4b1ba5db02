"""Contracts by reference and in pages."""

from typing import Annotated

import strawberry

from app.domain import filters as domain
from app.domain.callers import OPERATIONS
from app.domain.holders import ContractStatus
from app.graphql.context import Info
from app.graphql.inputs import ContractRef, read_ref
from app.graphql.pagination import After, Before, Cursors, First, Last, read_slice
from app.graphql.types.contracts import Contract, ContractConnection, show_contracts
from app.services import contracts


@strawberry.input(description="Which contracts; every condition given must hold.")
class ContractFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Part of the number or name, in any case."
    )  # fmt: skip
    status: ContractStatus | None = strawberry.field(default=strawberry.UNSET, description="With this status.")


@strawberry.type
class ContractQueries:
    @strawberry.field(description=f"A contract; null: not there, or not yours. {OPERATIONS['contract']}")
    async def contract(
        self, info: Info, ref: Annotated[ContractRef, strawberry.argument(description="Which one.")]
    ) -> Contract | None:
        contract = await contracts.find_contract(await info.context.read(), read_ref(ref))
        return None if contract is None else Contract.of(contract)

    @strawberry.field(description=f"Contracts by number. {OPERATIONS['contracts']}")
    async def contracts(
        self,
        info: Info,
        filter: Annotated[ContractFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> ContractConnection:
        cursors = Cursors(info.context.services.cursor_key, "contracts")
        part = read_slice(cursors, first, after, last, before)
        given = filter or ContractFilter()
        wanted = domain.ContractFilter(search=given.search or None, status=given.status or None)
        reading = await info.context.read()

        async def count() -> int:
            return await contracts.count_contracts(reading, wanted)

        return show_contracts(await contracts.list_contracts(reading, wanted, part), cursors, count)
