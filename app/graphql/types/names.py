"""Types of other modules, by name: the nouns of the schema refer to one another in circles."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from app.graphql.types.catalog import Fact, Permission, PermissionGroup, PermissionNode, Product, System
    from app.graphql.types.contracts import Contract, ContractAccess, ProductAccess
    from app.graphql.types.decisions import Contribution, Decision, EffectiveRight
    from app.graphql.types.holders import Holder
    from app.graphql.types.refusals import UserError
    from app.graphql.types.requirements import Requirement
    from app.graphql.types.roles import Role, RoleConnection
    from app.graphql.types.rows import Grant, Limit, RoleAssignment, TeamMembership
    from app.graphql.types.teams import Team, TeamConnection
    from app.graphql.types.users import Token, User, UserConnection

    UserType = User
    UserConnectionType = UserConnection
    TokenType = Token
    RoleType = Role
    RoleConnectionType = RoleConnection
    TeamType = Team
    TeamConnectionType = TeamConnection
    HolderType = Holder
    GrantType = Grant
    LimitType = Limit
    RoleAssignmentType = RoleAssignment
    TeamMembershipType = TeamMembership
    ContractType = Contract
    ContractAccessType = ContractAccess
    ProductAccessType = ProductAccess
    ProductType = Product
    PermissionType = Permission
    PermissionNodeType = PermissionNode
    PermissionGroupType = PermissionGroup
    SystemType = System
    FactType = Fact
    RequirementType = Requirement
    EffectiveRightType = EffectiveRight
    DecisionType = Decision
    ContributionType = Contribution
    UserErrorType = UserError
else:
    UserType = Annotated["User", strawberry.lazy("app.graphql.types.users")]
    UserConnectionType = Annotated["UserConnection", strawberry.lazy("app.graphql.types.users")]
    TokenType = Annotated["Token", strawberry.lazy("app.graphql.types.users")]
    RoleType = Annotated["Role", strawberry.lazy("app.graphql.types.roles")]
    RoleConnectionType = Annotated["RoleConnection", strawberry.lazy("app.graphql.types.roles")]
    TeamType = Annotated["Team", strawberry.lazy("app.graphql.types.teams")]
    TeamConnectionType = Annotated["TeamConnection", strawberry.lazy("app.graphql.types.teams")]
    HolderType = Annotated["Holder", strawberry.lazy("app.graphql.types.holders")]
    GrantType = Annotated["Grant", strawberry.lazy("app.graphql.types.rows")]
    LimitType = Annotated["Limit", strawberry.lazy("app.graphql.types.rows")]
    RoleAssignmentType = Annotated["RoleAssignment", strawberry.lazy("app.graphql.types.rows")]
    TeamMembershipType = Annotated["TeamMembership", strawberry.lazy("app.graphql.types.rows")]
    ContractType = Annotated["Contract", strawberry.lazy("app.graphql.types.contracts")]
    ContractAccessType = Annotated["ContractAccess", strawberry.lazy("app.graphql.types.contracts")]
    ProductAccessType = Annotated["ProductAccess", strawberry.lazy("app.graphql.types.contracts")]
    ProductType = Annotated["Product", strawberry.lazy("app.graphql.types.catalog")]
    PermissionType = Annotated["Permission", strawberry.lazy("app.graphql.types.catalog")]
    PermissionNodeType = Annotated["PermissionNode", strawberry.lazy("app.graphql.types.catalog")]
    PermissionGroupType = Annotated["PermissionGroup", strawberry.lazy("app.graphql.types.catalog")]
    SystemType = Annotated["System", strawberry.lazy("app.graphql.types.catalog")]
    FactType = Annotated["Fact", strawberry.lazy("app.graphql.types.catalog")]
    RequirementType = Annotated["Requirement", strawberry.lazy("app.graphql.types.requirements")]
    EffectiveRightType = Annotated["EffectiveRight", strawberry.lazy("app.graphql.types.decisions")]
    DecisionType = Annotated["Decision", strawberry.lazy("app.graphql.types.decisions")]
    ContributionType = Annotated["Contribution", strawberry.lazy("app.graphql.types.decisions")]
    UserErrorType = Annotated["UserError", strawberry.lazy("app.graphql.types.refusals")]
