"""Types of other modules, by name: the nouns of the schema refer to one another in circles."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from app.graphql.types.catalog import Fact, Permission, PermissionNode, Product
    from app.graphql.types.contracts import Contract, ContractAccess
    from app.graphql.types.decisions import Decision, EffectiveRight
    from app.graphql.types.holders import Holder
    from app.graphql.types.refusals import UserError
    from app.graphql.types.requirements import Requirement
    from app.graphql.types.roles import Role
    from app.graphql.types.rows import Grant, Limit, RoleAssignment, TeamMembership
    from app.graphql.types.teams import Team
    from app.graphql.types.users import User, UserConnection

    UserType = User
    UserConnectionType = UserConnection
    RoleType = Role
    TeamType = Team
    HolderType = Holder
    GrantType = Grant
    LimitType = Limit
    RoleAssignmentType = RoleAssignment
    TeamMembershipType = TeamMembership
    ContractType = Contract
    ContractAccessType = ContractAccess
    ProductType = Product
    PermissionType = Permission
    PermissionNodeType = PermissionNode
    FactType = Fact
    RequirementType = Requirement
    EffectiveRightType = EffectiveRight
    DecisionType = Decision
    UserErrorType = UserError
else:
    UserType = Annotated["User", strawberry.lazy("app.graphql.types.users")]
    UserConnectionType = Annotated["UserConnection", strawberry.lazy("app.graphql.types.users")]
    RoleType = Annotated["Role", strawberry.lazy("app.graphql.types.roles")]
    TeamType = Annotated["Team", strawberry.lazy("app.graphql.types.teams")]
    HolderType = Annotated["Holder", strawberry.lazy("app.graphql.types.holders")]
    GrantType = Annotated["Grant", strawberry.lazy("app.graphql.types.rows")]
    LimitType = Annotated["Limit", strawberry.lazy("app.graphql.types.rows")]
    RoleAssignmentType = Annotated["RoleAssignment", strawberry.lazy("app.graphql.types.rows")]
    TeamMembershipType = Annotated["TeamMembership", strawberry.lazy("app.graphql.types.rows")]
    ContractType = Annotated["Contract", strawberry.lazy("app.graphql.types.contracts")]
    ContractAccessType = Annotated["ContractAccess", strawberry.lazy("app.graphql.types.contracts")]
    ProductType = Annotated["Product", strawberry.lazy("app.graphql.types.catalog")]
    PermissionType = Annotated["Permission", strawberry.lazy("app.graphql.types.catalog")]
    PermissionNodeType = Annotated["PermissionNode", strawberry.lazy("app.graphql.types.catalog")]
    FactType = Annotated["Fact", strawberry.lazy("app.graphql.types.catalog")]
    RequirementType = Annotated["Requirement", strawberry.lazy("app.graphql.types.requirements")]
    EffectiveRightType = Annotated["EffectiveRight", strawberry.lazy("app.graphql.types.decisions")]
    DecisionType = Annotated["Decision", strawberry.lazy("app.graphql.types.decisions")]
    UserErrorType = Annotated["UserError", strawberry.lazy("app.graphql.types.refusals")]
