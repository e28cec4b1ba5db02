"""The schema, put together; its text is committed as `schema.graphql`."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from app.graphql import enums
from app.graphql.mutations.contracts import ContractMutations
from app.graphql.mutations.grants import GrantMutations
from app.graphql.mutations.roles import RoleMutations
from app.graphql.mutations.service_accounts import ServiceAccountMutations
from app.graphql.mutations.sync import SyncMutations
from app.graphql.mutations.teams import TeamMutations
from app.graphql.mutations.tokens import TokenMutations
from app.graphql.mutations.users import UserMutations
from app.graphql.queries.access import AccessQueries
from app.graphql.queries.audit import AuditQueries
from app.graphql.queries.catalog import CatalogQueries
from app.graphql.queries.contracts import ContractQueries
from app.graphql.queries.nodes import NodeQueries
from app.graphql.queries.roles import RoleQueries
from app.graphql.queries.simulation import SimulationQueries
from app.graphql.queries.sync import SyncQueries
from app.graphql.queries.teams import TeamQueries
from app.graphql.queries.users import UserQueries
from app.graphql.scalars import SCALARS
from app.graphql.subscriptions.access import AccessSubscriptions
from app.graphql.subscriptions.audit import AuditSubscriptions
from app.graphql.types import catalog, refusals, requirements, rows, values

_ENUMS = enums  # importing them is what describes them to strawberry


@strawberry.type(description="Everything that can be asked. A document is answered from one revision throughout.")
class Query(
    NodeQueries,
    AccessQueries,
    CatalogQueries,
    UserQueries,
    RoleQueries,
    TeamQueries,
    ContractQueries,
    SimulationQueries,
    AuditQueries,
    SyncQueries,
):
    pass


@strawberry.type(
    description="Everything that can be changed. Each field is one transaction and one revision, all or nothing; "
    "refusals come as data in `errors`."
)
class Mutation(
    UserMutations,
    RoleMutations,
    TeamMutations,
    GrantMutations,
    ContractMutations,
    ServiceAccountMutations,
    TokenMutations,
    SyncMutations,
):
    pass


@strawberry.type(
    description="Everything that can be listened to, over a WebSocket with `graphql-transport-ws`. The revision in "
    "`extensions` of an event is the one to go on after. It ends when your right to it does."
)
class Subscription(AuditSubscriptions, AccessSubscriptions):
    pass


def print_schema() -> str:
    """The text of the schema, its definitions sorted, as `schema.graphql` holds it."""
    return build_schema(is_sorted=True).as_str()


def build_schema(*, is_sorted: bool = False) -> strawberry.Schema:
    """The schema. Types that only implement an interface have to be named for it to know them.

    A sorted one is for printing: sorting copies the types, and enums of a copy hand plain text to resolvers.
    """
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            catalog.PermissionGroup, catalog.Permission, catalog.Operation,
            values.SwitchType, values.LevelType, values.ScopeType, values.QuantityType, values.MembersType,
            values.SwitchValue, values.LevelValue, values.ScopeValue, values.QuantityValue, values.MembersValue,
            requirements.AllOf, requirements.AnyOf, requirements.AtLeast, requirements.TargetAtLeast,
            requirements.FactHolds,
            rows.Grant, rows.Limit, rows.RoleAssignment, rows.TeamMembership,
            refusals.GenericError, refusals.InvalidValue, refusals.PrerequisiteNotMet, refusals.DependentsExist,
            refusals.DelegationExceeded,
        ],
        config=StrawberryConfig(scalar_map=SCALARS, sort_schema=is_sorted),
    )  # fmt: skip
