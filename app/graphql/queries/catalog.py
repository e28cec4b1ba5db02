"""The catalog: systems, permissions, operations, products, facts."""

from typing import Annotated

import strawberry

from app.domain import catalog as domain
from app.domain.callers import OPERATIONS
from app.domain.decisions import find_key_faults
from app.domain.errors import Refused
from app.domain.facts import stored_facts
from app.graphql.context import Info
from app.graphql.enums import PermissionNodeKind
from app.graphql.faults import fault_of
from app.graphql.inputs import ContractArgument, read_optional_ref
from app.graphql.pagination import After, Before, First, Last
from app.graphql.types.catalog import (
    Fact,
    PermissionNode,
    PermissionNodeConnection,
    Product,
    System,
    find_nodes,
    show_node,
    show_nodes,
)
from app.services.references import find_scope

_KINDS = {
    PermissionNodeKind.GROUP: domain.Group,
    PermissionNodeKind.PERMISSION: domain.Permission,
    PermissionNodeKind.OPERATION: domain.Operation,
}


@strawberry.input(description="Which entries of the catalog; every condition given must hold.")
class PermissionNodeFilter:
    system: str | None = strawberry.field(default=strawberry.UNSET, description="The key of a system.")
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Part of a key or a label, in any case."
    )  # fmt: skip
    kind: PermissionNodeKind | None = strawberry.field(default=strawberry.UNSET, description="What it is.")
    parent: str | None = strawberry.field(
        default=strawberry.UNSET, description="The key of the group in which it lies directly."
    )


@strawberry.type
class CatalogQueries:
    @strawberry.field(description=f"The systems, each one manual as a catalog. {OPERATIONS['systems']}")
    def systems(self, info: Info) -> list[System]:
        return [System.of(system) for system in info.context.catalog.systems]

    @strawberry.field(description=f"A system by its key; null: there is none. {OPERATIONS['system']}")
    def system(
        self, info: Info, key: Annotated[str, strawberry.argument(description="The key, such as `storm`.")]
    ) -> System | None:
        system = info.context.catalog.systems_by_key.get(key)
        return None if system is None else System.of(system)

    @strawberry.field(description=f"A group, permission or operation by its key. {OPERATIONS['permissionNode']}")
    def permission_node(
        self, info: Info, key: Annotated[str, strawberry.argument(description="The key: `system.section.name`.")]
    ) -> PermissionNode | None:
        node = info.context.catalog.nodes.get(key)
        return None if node is None else show_node(node)

    @strawberry.field(
        description=f"Groups, permissions and operations in catalog order. {OPERATIONS['permissionNodes']}"
    )
    def permission_nodes(
        self,
        info: Info,
        filter: Annotated[PermissionNodeFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> PermissionNodeConnection:
        wanted, catalog = filter or PermissionNodeFilter(), info.context.catalog
        parents = [wanted.parent] if wanted.parent else []
        errors = list(find_key_faults(catalog, system=wanted.system or None, nodes=parents, field="parent"))
        if errors:
            raise fault_of(error.under("filter") for error in errors)
        nodes = find_nodes(tuple(catalog.nodes.values()), wanted.search or None)
        if wanted.system:
            nodes = [node for node in nodes if node.system == wanted.system]
        if wanted.kind:
            nodes = [node for node in nodes if isinstance(node, _KINDS[wanted.kind])]
        if wanted.parent:
            nodes = [node for node in nodes if node.parent == wanted.parent]
        return show_nodes(info, nodes, first, after, last, before)

    @strawberry.field(description=f"The products of contracts. {OPERATIONS['products']}")
    def products(self, info: Info) -> list[Product]:
        return [Product.of(product) for product in info.context.catalog.products]

    @strawberry.field(description=f"Every fact that catalogs declare, with what a contract has. {OPERATIONS['facts']}")
    async def facts(self, info: Info, contract: ContractArgument = None) -> list[Fact]:
        reading = await info.context.read()
        try:
            scope = await find_scope(reading, read_optional_ref(contract))
        except Refused as refused:
            raise fault_of(refused.errors) from None
        stored = stored_facts(await reading.look(), contract=scope, user=None)
        return [Fact.declared(fact, stored.get(fact.name)) for fact in info.context.catalog.facts.values()]
