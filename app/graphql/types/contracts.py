"""Contracts, and who has which level in which product."""

import strawberry

from app.domain import holders as domain
from app.domain.callers import OPERATIONS
from app.domain.catalog import Catalog
from app.domain.contracts import AccessLevel
from app.domain.facts import find_subscriber, stored_facts
from app.domain.holders import ContractStatus
from app.domain.paging import Page
from app.graphql.context import Info
from app.graphql.pagination import After, Count, Cursors, First, PageInfo, show_page_info
from app.graphql.types.names import FactType, ProductType, UserType
from app.graphql.types.nodes import Node
from app.services.contracts import list_settable
from app.services.seeing import Seen


@strawberry.type(description="An agreement about products.")
class Contract(Node):
    number: str = strawberry.field(description="The number, unique among contracts.")
    name: str = strawberry.field(description="The name for people.")
    status: ContractStatus = strawberry.field(description="Whether it is in force.")
    record: strawberry.Private[domain.Contract]

    @classmethod
    def of(cls, contract: domain.Contract) -> "Contract":
        return cls(
            id=strawberry.ID(contract.id), number=contract.number, name=contract.name, status=contract.status,
            record=contract,
        )  # fmt: skip

    @strawberry.field(description="What it is about, in the order of the catalog.")
    def products(self, info: Info) -> list[ProductType]:
        from app.graphql.types.catalog import Product

        return [Product.of(p) for p in info.context.catalog.products if p.key in self.record.products]

    @strawberry.field(description=f"The owner. Null: not yours to see. {OPERATIONS['Contract.owner']}")
    async def owner(self, info: Info) -> UserType | None:
        from app.graphql.types.rows import show_user

        return await show_user(info, self.record.owner)

    @strawberry.field(
        description="The facts of a contract that catalogs declare, with what is stored. "
        f"{OPERATIONS['Contract.facts']}"
    )
    async def facts(self, info: Info) -> list[FactType]:
        from app.graphql.types.catalog import Fact

        stored = stored_facts(await info.context.look(), contract=self.record.id, user=None)
        declared = info.context.catalog.facts.values()
        return [Fact.declared(fact, stored.get(fact.name)) for fact in declared if fact.owner == "contract"]

    @strawberry.field(
        description=f"The users x products table of the contract, by user name. {OPERATIONS['Contract.access']}"
    )
    async def access(self, info: Info, first: First = None, after: After = None) -> "ContractAccessConnection":
        from app.graphql.types.users import load_included_users

        cursors = Cursors(info.context.services.cursor_key, "access")
        page, count = await load_included_users(info, "contract", self.record.id, cursors, first, after)
        seen = await info.context.look(*(user.id for user in page.items))
        edges = [
            ContractAccessEdge(
                cursor=cursors.write((user.user_name,)),
                node=ContractAccess.of(info.context.catalog, seen, self.record, user),
            )
            for user in page.items
        ]
        return ContractAccessConnection(
            edges=edges, page_info=show_page_info(page, [edge.cursor for edge in edges]), count=count
        )  # fmt: skip


@strawberry.type(description="What one person has in one contract.")
class ContractAccess:
    contract: Contract = strawberry.field(description="The contract.")
    user: UserType | None = strawberry.field(description="The person. Null: not yours to see.")
    levels: list["ProductAccess"] = strawberry.field(description="Their level in each product, in catalog order.")
    subscriber: str | None = strawberry.field(description="The Virtual PBX subscriber they are linked to; null: none.")

    @classmethod
    def of(cls, catalog: Catalog, seen: Seen, contract: domain.Contract, user: domain.User) -> "ContractAccess":
        from app.graphql.types.users import User

        place = {product: place for place, product in enumerate(catalog.products_by_key)}
        rows = [row for row in seen.rows_of(user.id).access if row.contract == contract.id]
        return cls(
            contract=Contract.of(contract),
            user=None if seen.user(user.id) is None else User.of(user),
            levels=[ProductAccess.of(row) for row in sorted(rows, key=lambda row: (place[row.product], row.source))],
            subscriber=find_subscriber(seen, contract=contract.id, user=user.id),
        )


@strawberry.type(description="The level of one person in one product of a contract, as one source manages it.")
class ProductAccess(Node):
    source: str = strawberry.field(description="Who manages it: `manual`, or a sync source.")
    level: AccessLevel = strawberry.field(description="The level.")
    row: strawberry.Private[domain.Access]
    known_in: strawberry.Private[Catalog | None] = None  # the catalog it was read by; None: the one in force

    @classmethod
    def of(cls, row: domain.Access, catalog: Catalog | None = None) -> "ProductAccess":
        return cls(id=strawberry.ID(row.id), source=row.source, level=row.level, row=row, known_in=catalog)

    @strawberry.field(description="The product.")
    def product(self, info: Info) -> ProductType:
        from app.graphql.types.catalog import Product

        return Product.of((self.known_in or info.context.catalog).products_by_key[self.row.product])

    @strawberry.field(description="Levels that the caller may set here: none for the owner of the contract.")
    async def settable(self, info: Info) -> list[AccessLevel]:
        return await list_settable(await info.context.read(), self.row)


@strawberry.type(description="A page of the users x products table of a contract.")
class ContractAccessConnection:
    edges: list["ContractAccessEdge"] = strawberry.field(description="The people of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many people there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One person of a page.")
class ContractAccessEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: ContractAccess = strawberry.field(description="What the person has.")


@strawberry.type(description="A page of contracts.")
class ContractConnection:
    edges: list["ContractEdge"] = strawberry.field(description="The contracts of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One contract of a page.")
class ContractEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: Contract = strawberry.field(description="The contract.")


def show_contracts(page: Page[domain.Contract], cursors: Cursors, count: Count) -> ContractConnection:
    """A page of contracts."""
    edges = [ContractEdge(cursor=cursors.write((c.number,)), node=Contract.of(c)) for c in page.items]
    return ContractConnection(edges=edges, page_info=show_page_info(page, [e.cursor for e in edges]), count=count)
