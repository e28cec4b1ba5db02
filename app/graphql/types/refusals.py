"""Refusals and warnings as data. Every one has a code, a message for people, and a path into the request."""

import strawberry

from app.domain import errors as domain
from app.domain.errors import ErrorCode
from app.graphql.context import Info
from app.graphql.types.catalog import show_node
from app.graphql.types.decisions import Fix
from app.graphql.types.holders import show_holder
from app.graphql.types.names import HolderType, PermissionNodeType, PermissionType, RequirementType
from app.graphql.types.requirements import show_requirement
from app.graphql.types.rows import show_permission
from app.graphql.types.values import RightValue, show_value


@strawberry.interface(description="A refusal, or a warning, as data. `path` points into the input.")
class UserError:
    code: ErrorCode = strawberry.field(description="What kind of refusal, for programs.")
    message: str = strawberry.field(description="What is the matter and what would help, for people.")
    path: list[str] = strawberry.field(description="Where in the input: field names and positions, outermost first.")


@strawberry.type(description="A refusal that needs no more words than its message.")
class GenericError(UserError):
    pass


@strawberry.type(description="A field holds what it cannot hold.")
class InvalidValue(UserError):
    expected: str = strawberry.field(description="What it can hold.")


@strawberry.type(description="A right would stand without what it needs.")
class PrerequisiteNotMet(UserError):
    affected_count: int = strawberry.field(
        description="How many holders the change would break it for; up to 100 are listed, an error each."
    )
    error: strawberry.Private[domain.PrerequisiteNotMet]

    @strawberry.field(description="Whose right. Null: the holder does not exist yet; see `path`.")
    async def holder(self, info: Info) -> HolderType | None:
        return await show_holder(info, self.error.holder)

    @strawberry.field(description="The right that would lack something.")
    def permission(self, info: Info) -> PermissionType:
        return show_permission(info, self.error.node)

    @strawberry.field(description="What is missing, all the way down.")
    def missing(self, info: Info) -> list[RequirementType]:
        return [show_requirement(info.context.catalog, requirement) for requirement in self.error.missing]

    @strawberry.field(
        description="Each an inclusion-minimal set of grants that would satisfy it; more than one where an either-or "
        "leaves a choice."
    )
    def fixes(self, info: Info) -> list[Fix]:
        return [Fix.of(info, None, fix) for fix in self.error.fixes]


@strawberry.type(description="Other rights of the holder stand on what would go.")
class DependentsExist(UserError):
    affected_count: int = strawberry.field(
        description="How many holders the change would break it for; up to 100 are listed, an error each."
    )
    error: strawberry.Private[domain.DependentsExist]

    @strawberry.field(description="Whose rights. Null: the holder does not exist yet; see `path`.")
    async def holder(self, info: Info) -> HolderType | None:
        return await show_holder(info, self.error.holder)

    @strawberry.field(description="What would go.")
    def permission(self, info: Info) -> PermissionType:
        return show_permission(info, self.error.node)

    @strawberry.field(description="What stands on it.")
    def dependents(self, info: Info) -> list[PermissionNodeType]:
        return [show_node(info.context.catalog.nodes[key]) for key in self.error.dependents]


@strawberry.type(description="The caller holds less than they would give.")
class DelegationExceeded(UserError):
    error: strawberry.Private[domain.DelegationExceeded]

    @strawberry.field(description="What would be given.")
    def permission(self, info: Info) -> PermissionType:
        return show_permission(info, self.error.node)

    @strawberry.field(description="How much of it the caller holds.")
    def held(self, info: Info) -> RightValue:
        return show_value(info.context.catalog.require_permission(self.error.node).value_type, self.error.held)

    @strawberry.field(description="How much of it would be given.")
    def asked(self, info: Info) -> RightValue:
        return show_value(info.context.catalog.require_permission(self.error.node).value_type, self.error.asked)


def show_error(error: domain.DomainError) -> UserError:
    """A refusal as the schema shows it."""
    code, message, path = error.code, str(error), list(error.path)
    match error:
        case domain.InvalidValue():
            return InvalidValue(code=code, message=message, path=path, expected=error.expected)
        case domain.PrerequisiteNotMet():
            return PrerequisiteNotMet(
                code=code, message=message, path=path, affected_count=error.affected, error=error
            )  # fmt: skip
        case domain.DependentsExist():
            return DependentsExist(code=code, message=message, path=path, affected_count=error.affected, error=error)
        case domain.DelegationExceeded():
            return DelegationExceeded(code=code, message=message, path=path, error=error)
    return GenericError(code=code, message=message, path=path)
