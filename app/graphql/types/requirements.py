"""Requirements as the schema shows them (SEMANTICS section 3)."""

import strawberry

from app.domain import catalog as domain_catalog
from app.domain import requirements as domain
from app.graphql.types.names import FactType, PermissionType
from app.graphql.types.values import RightValue, show_value


@strawberry.interface(
    description="What a right needs: an expression over rights, rights of the other person, and facts."
)
class Requirement:
    text: str = strawberry.field(description="The whole expression in words, such as `Users: Modify and Assign Roles`.")


@strawberry.type(description="Every one of these must hold.")
class AllOf(Requirement):
    requirements: list[Requirement] = strawberry.field(description="The parts.")


@strawberry.type(description="One of these must hold.")
class AnyOf(Requirement):
    requirements: list[Requirement] = strawberry.field(description="The parts.")


@strawberry.type(description="The person must hold at least this value of a permission, effectively.")
class AtLeast(Requirement):
    permission: PermissionType = strawberry.field(description="The permission.")
    value: RightValue = strawberry.field(description="The smallest value that will do.")


@strawberry.type(description="The other person, whom the question is about, must hold at least this value.")
class TargetAtLeast(Requirement):
    permission: PermissionType = strawberry.field(description="The permission of the other person.")
    value: RightValue = strawberry.field(description="The smallest value that will do.")


@strawberry.type(description="A fact must hold.")
class FactHolds(Requirement):
    fact: FactType = strawberry.field(description="The fact, as the catalog declares it.")


def show_requirement(catalog: domain_catalog.Catalog, requirement: domain.Requirement) -> Requirement:
    """A requirement as the schema shows it."""
    from app.graphql.types.catalog import Fact, Permission

    text = catalog.render(requirement)
    match requirement:
        case domain.AllOf(parts=parts):
            return AllOf(text=text, requirements=[show_requirement(catalog, part) for part in parts])
        case domain.AnyOf(parts=parts):
            return AnyOf(text=text, requirements=[show_requirement(catalog, part) for part in parts])
        case domain.FactHolds(fact=name):
            return FactHolds(text=text, fact=Fact.declared(catalog.facts[name]))
    permission = catalog.require_permission(requirement.node)
    kind = TargetAtLeast if isinstance(requirement, domain.TargetAtLeast) else AtLeast
    return kind(
        text=text,
        permission=Permission.of(permission, catalog),
        value=show_value(permission.value_type, requirement.value),
    )
