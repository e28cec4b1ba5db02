"""The catalog: systems, and the tree of what may be done in each."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import strawberry

from app.domain import catalog as domain
from app.domain.callers import OPERATIONS
from app.domain.catalog import Polarity
from app.domain.errors import Refused
from app.domain.holders import User, UserId
from app.domain.ids import NODE, PRODUCT, SYSTEM, catalog_id
from app.domain.paging import slice_sorted
from app.domain.requirements import Enforcement, Rule
from app.graphql.context import Info
from app.graphql.faults import fault_of
from app.graphql.inputs import ContractArgument, read_optional_ref
from app.graphql.pagination import After, Cursors, First, PageInfo, read_slice, show_page_info
from app.graphql.types.names import UserConnectionType
from app.graphql.types.nodes import Node
from app.graphql.types.requirements import Requirement, show_requirement
from app.graphql.types.values import (
    RightValue,
    RightValueInput,
    ValueType,
    read_value_input,
    show_value,
    show_value_type,
)
from app.services import access
from app.services.context import Reading

Search = Annotated[str | None, strawberry.argument(description="Part of a key or a label, in any case.")]


@strawberry.type(description="Where a manual names a thing.")
class ManualReference:
    document: str = strawberry.field(description="The manual.")
    heading: str = strawberry.field(description="The heading under which it stands.")


@strawberry.interface(
    description="Anything in a catalog: a group, a permission that can be granted, an operation that is computed."
)
class PermissionNode(Node):
    key: str = strawberry.field(description="The key: `system.section.name`, stable for ever.")
    label: str = strawberry.field(description="The label, as in the manual.")
    description: str | None = strawberry.field(description="What the manual says of it; null where it says nothing.")
    record: strawberry.Private[domain.Node]
    known_in: strawberry.Private[domain.Catalog | None] = None  # the catalog it is of; None: the one in force

    def catalog(self, info: Info) -> domain.Catalog:
        return self.known_in or info.context.catalog

    @strawberry.field(description="The system whose manual names it.")
    def system(self, info: Info) -> "System":
        catalog = self.catalog(info)
        return System.of(catalog.systems_by_key[self.record.system], catalog)

    @strawberry.field(description="The group it lies in; null at the top of its system.")
    def parent(self, info: Info) -> "PermissionGroup | None":
        parent = self.record.parent
        if parent is None:
            return None
        group = self.catalog(info).nodes[parent]
        assert isinstance(group, domain.Group)
        return PermissionGroup.of(group, self.known_in)

    @strawberry.field(description="Labels from the system down to it.")
    def path(self, info: Info) -> list[str]:
        return list(self.catalog(info).path_of(self.record))

    @strawberry.field(description="Where the manual names it.")
    def source(self) -> ManualReference:
        return ManualReference(document=self.record.source.document, heading=self.record.source.heading)


def show_node(node: domain.Node, catalog: domain.Catalog | None = None) -> PermissionNode:
    """An entry of a catalog (None: of the one in force) as the schema shows it."""
    match node:
        case domain.Group():
            return PermissionGroup.of(node, catalog)
        case domain.Permission():
            return Permission.of(node, catalog)
        case domain.Operation():
            return Operation.of(node, catalog)
    raise TypeError(f"{node} is no entry of a catalog")


@strawberry.type(description="A heading of a manual, and what stands under it.")
class PermissionGroup(PermissionNode):
    @classmethod
    def of(cls, group: domain.Group, catalog: domain.Catalog | None = None) -> "PermissionGroup":
        return cls(
            id=strawberry.ID(catalog_id(NODE, group.key)), key=group.key, label=group.label,
            description=group.description, record=group, known_in=catalog,
        )  # fmt: skip

    @strawberry.field(description="What lies directly in it, in the order of the manual.")
    def children(self, info: Info) -> list[PermissionNode]:
        return [show_node(node, self.known_in) for node in self.catalog(info).children.get(self.key, ())]


@strawberry.type(description="A requirement of a permission, or of its values from one upwards.")
class RequirementRule:
    applies_from: RightValue | None = strawberry.field(description="The value from which it applies; null: any.")
    requirement: Requirement = strawberry.field(description="What must hold.")
    enforcement: Enforcement = strawberry.field(description="Whether it is kept up, or only advised.")


@strawberry.type(description="A right that comes along with another.")
class ImpliedRight:
    permission: "Permission" = strawberry.field(description="The permission that is given along.")
    value: RightValue = strawberry.field(description="How much of it.")


@strawberry.type(description="A right that can be granted to users, roles and teams; or an access level, which is set.")
class Permission(PermissionNode):
    permission: strawberry.Private[domain.Permission]

    @classmethod
    def of(cls, permission: domain.Permission, catalog: domain.Catalog | None = None) -> "Permission":
        return cls(
            id=strawberry.ID(catalog_id(NODE, permission.key)), key=permission.key, label=permission.label,
            description=permission.description, record=permission, permission=permission, known_in=catalog,
        )  # fmt: skip

    @strawberry.field(description="The lattice its values come from.")
    def value_type(self) -> ValueType:
        return show_value_type(self.permission.value_type)

    @strawberry.field(description="Whether more of it means more, less, or neither.")
    def polarity(self) -> Polarity:
        return self.permission.polarity

    @strawberry.field(description="What it requires, as a whole or from a value upwards.")
    def requirements(self, info: Info) -> list[RequirementRule]:
        return [self._show_rule(self.catalog(info), rule) for rule in self.permission.rules]

    def _show_rule(self, catalog: domain.Catalog, rule: Rule) -> RequirementRule:
        from_value = rule.applies_from
        return RequirementRule(
            applies_from=None if from_value is None else show_value(self.permission.value_type, from_value),
            requirement=show_requirement(catalog, rule.requirement),
            enforcement=rule.enforcement,
        )

    @strawberry.field(description="The rights that come along with any value of it.")
    def implies(self, info: Info) -> list[ImpliedRight]:
        given = ((self.catalog(info).require_permission(i.node), i.value) for i in self.permission.implies)
        return [
            ImpliedRight(permission=Permission.of(p, self.known_in), value=show_value(p.value_type, v))
            for p, v in given
        ]

    @strawberry.field(description="Nodes whose requirement or implication names this permission.")
    def dependents(self, info: Info) -> list[PermissionNode]:
        return [show_node(node, self.known_in) for node in self.catalog(info).dependents.get(self.key, ())]

    @strawberry.field(description="The product without which it is nothing; null: none.")
    def product(self, info: Info) -> "Product | None":
        key = self.permission.product
        return None if key is None else Product.of(self.catalog(info).products_by_key[key])

    @strawberry.field(
        description="Users whose effective value is at least `atLeast` (default: anything above nothing), by user "
        f"name. {OPERATIONS['Permission.holders']}"
    )
    async def holders(
        self,
        info: Info,
        contract: ContractArgument = None,
        at_least: Annotated[RightValueInput | None, strawberry.argument(description="At least this value.")] = None,
        first: First = None,
        after: After = None,
    ) -> UserConnectionType:
        return await show_holders(info, self.permission, contract, at_least, first, after)


@strawberry.type(
    description="What a person does, with the menu path that leads there. Not granted: computed from its requirement."
)
class Operation(PermissionNode):
    operation: strawberry.Private[domain.Operation]

    @classmethod
    def of(cls, operation: domain.Operation, catalog: domain.Catalog | None = None) -> "Operation":
        return cls(
            id=strawberry.ID(catalog_id(NODE, operation.key)), key=operation.key, label=operation.label,
            description=operation.description, record=operation, operation=operation, known_in=catalog,
        )  # fmt: skip

    @strawberry.field(description="The menu path that leads there; empty where the manual gives none.")
    def menu_path(self) -> list[str]:
        return list(self.operation.menu_path)

    @strawberry.field(description="What it requires.")
    def requirement(self, info: Info) -> Requirement:
        return show_requirement(self.catalog(info), self.operation.requirement)

    @strawberry.field(description=f"Users who may do it, by user name. {OPERATIONS['Operation.holders']}")
    async def holders(
        self, info: Info, contract: ContractArgument = None, first: First = None, after: After = None
    ) -> UserConnectionType:
        return await show_holders(info, self.operation, contract, None, first, after)


async def show_holders(
    info: Info,
    node: domain.Permission | domain.Operation,
    contract: ContractArgument,
    at_least: RightValueInput | None,
    first: int | None,
    after: str | None,
) -> UserConnectionType:
    """A page of the people who hold a right."""
    from app.graphql.types.users import show_users

    cursors = Cursors(info.context.services.cursor_key, "users")
    part = read_slice(cursors, first, after)

    async def find(reading: Reading, ids: list[UserId]) -> list[User]:
        return await info.context.loader("records of people", partial(access.find_people, reading)).load_many(ids)

    try:
        page, total = await access.list_holders(
            await info.context.read(), node, contract=read_optional_ref(contract), at_least=read_value_input(at_least),
            part=part, find=find,
        )  # fmt: skip
    except Refused as refused:
        raise fault_of(refused.errors) from None

    async def count() -> int:
        return total

    return show_users(page, cursors, count)


@strawberry.type(description="A role that a manual describes, to start a role from.")
class RoleTemplate:
    key: str = strawberry.field(description="The key of the template.")
    label: str = strawberry.field(description="Its name in the manual.")
    description: str | None = strawberry.field(description="What the manual says of it.")
    grants: list[ImpliedRight] = strawberry.field(description="What it grants.")
    source: ManualReference = strawberry.field(description="Where the manual names it.")


@strawberry.type(description="A fact that rights may hang on. Declared in a catalog; stored by `setFacts`.")
class Fact:
    name: str = strawberry.field(description="The name of the fact.")
    type: str = strawberry.field(description="What its text means: integer, decimal or boolean.")
    unit: str | None = strawberry.field(description="What is counted.")
    value: str | None = strawberry.field(description="What is stored; null: nothing, so it is unknown.")

    @classmethod
    def declared(cls, fact: domain.Fact, value: str | None = None) -> "Fact":
        return cls(name=fact.name, type=fact.type, unit=fact.unit, value=value)


@strawberry.type(description="One manual as a catalog of rights.")
class System(Node):
    key: str = strawberry.field(description="The key of the system.")
    label: str = strawberry.field(description="The name of the system.")
    description: str | None = strawberry.field(description="What it is.")
    record: strawberry.Private[domain.System]
    known_in: strawberry.Private[domain.Catalog | None] = None  # the catalog it is of; None: the one in force

    @classmethod
    def of(cls, system: domain.System, catalog: domain.Catalog | None = None) -> "System":
        return cls(
            id=strawberry.ID(catalog_id(SYSTEM, system.key)), key=system.key, label=system.label,
            description=system.description, record=system, known_in=catalog,
        )  # fmt: skip

    @strawberry.field(description="Its groups, in the order of the manual.")
    def groups(self) -> list[PermissionGroup]:
        return [PermissionGroup.of(node, self.known_in) for node in self.record.nodes if isinstance(node, domain.Group)]

    @strawberry.field(description="Everything in it, in the order of the manual.")
    def nodes(
        self, info: Info, first: First = None, after: After = None, search: Search = None
    ) -> "PermissionNodeConnection":
        return show_nodes(info, find_nodes(self.record.nodes, search), first, after, catalog=self.known_in)

    @strawberry.field(description="The facts it declares, without values.")
    def facts(self) -> list[Fact]:
        return [Fact.declared(fact) for fact in self.record.facts]

    @strawberry.field(description="The roles it describes, to start roles from.")
    def templates(self, info: Info) -> list[RoleTemplate]:
        catalog = self.known_in or info.context.catalog
        return [
            RoleTemplate(
                key=template.key,
                label=template.label,
                description=template.description,
                grants=[
                    ImpliedRight(permission=Permission.of(p, catalog), value=show_value(p.value_type, grant.value))
                    for grant in template.grants
                    for p in (catalog.require_permission(grant.node),)
                ],
                source=ManualReference(document=template.source.document, heading=template.source.heading),
            )
            for template in self.record.templates
        ]


@strawberry.type(description="What a contract is concluded about.")
class Product(Node):
    key: str = strawberry.field(description="The key of the product.")
    label: str = strawberry.field(description="The name of the product.")

    @classmethod
    def of(cls, product: domain.Product) -> "Product":
        return cls(id=strawberry.ID(catalog_id(PRODUCT, product.key)), key=product.key, label=product.label)


@strawberry.type(description="A page of catalog entries.")
class PermissionNodeConnection:
    edges: list["PermissionNodeEdge"] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="How many there are in all.")


@strawberry.type(description="One entry of a page.")
class PermissionNodeEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: PermissionNode = strawberry.field(description="The entry.")


def find_nodes(nodes: Sequence[domain.Node], search: str | None) -> list[domain.Node]:
    """The entries whose key or label holds a text, in any case."""
    wanted = (search or "").casefold()
    return [node for node in nodes if wanted in node.key or wanted in node.label.casefold()]


def show_nodes(
    info: Info,
    nodes: Sequence[domain.Node],
    first: int | None,
    after: str | None,
    last: int | None = None,
    before: str | None = None,
    *,
    catalog: domain.Catalog | None = None,
) -> PermissionNodeConnection:
    """A page of catalog entries. Their place in the catalog is their key, the same in whatever list they stand."""
    place_of = {key: place for place, key in enumerate((catalog or info.context.catalog).nodes)}
    cursors = Cursors(info.context.services.cursor_key, "nodes")
    part = read_slice(cursors, first, after, last, before)
    page = slice_sorted(
        sorted(nodes, key=lambda node: place_of[node.key]), part, key=lambda node: (place_of[node.key],)
    )  # fmt: skip
    edges = [
        PermissionNodeEdge(cursor=cursors.write((place_of[node.key],)), node=show_node(node, catalog))
        for node in page.items
    ]
    return PermissionNodeConnection(
        edges=edges, page_info=show_page_info(page, [edge.cursor for edge in edges]), total_count=len(nodes)
    )
