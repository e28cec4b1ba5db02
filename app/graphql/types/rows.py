"""Rows: grants, limits, role assignments and memberships, each with its window, source and maker."""

from datetime import datetime

import strawberry

from app.domain import holders as domain
from app.domain.catalog import Catalog
from app.domain.holders import UserId
from app.graphql.context import Info
from app.graphql.scalars import Revision
from app.graphql.types.names import ContractType, PermissionType, RoleType, TeamType, UserType
from app.graphql.types.nodes import Node
from app.graphql.types.values import RightValue, show_value
from app.services.seeing import Seen


@strawberry.interface(description="A row: it was made once, is never altered, and may be ended.")
class Row(Node):
    valid_from: datetime | None = strawberry.field(description="It counts from then on; null: from the beginning.")
    valid_until: datetime | None = strawberry.field(description="It counts until just before then; null: for ever.")
    source: str = strawberry.field(description="Who manages it: `manual`, or a sync source.")
    reason: str | None = strawberry.field(description="Why it was made, as its maker said.")
    created_at: datetime = strawberry.field(description="When it was made.")
    revision: Revision = strawberry.field(description="The revision that made it.")
    in_contract: strawberry.Private[str | None]

    @strawberry.field(description="The contract in which alone it counts; null: everywhere.")
    def contract(self, info: Info) -> ContractType | None:
        contract = self.in_contract
        return None if contract is None else info.context.see(lambda seen: _show_contract(seen, contract))


async def show_contract(info: Info, contract: str | None) -> ContractType | None:
    """A contract as the schema shows it; None for none."""
    return None if contract is None else _show_contract(await info.context.look(), contract)


def _show_contract(seen: Seen, contract: str) -> ContractType | None:
    from app.graphql.types.contracts import Contract

    record = seen.contract(contract)
    return None if record is None else Contract.of(record)


def row_fields(row: domain.AnyRow) -> dict[str, object]:
    """What every row shows."""
    return {
        "id": strawberry.ID(row.id), "valid_from": row.valid_from, "valid_until": row.valid_until, "source": row.source,
        "reason": row.reason, "created_at": row.created_at, "revision": Revision(row.revision),
        "in_contract": row.contract,
    }  # fmt: skip


@strawberry.type(description="A value of a permission, given to a holder.")
class Grant(Row):
    node: strawberry.Private[str]
    held: strawberry.Private[domain.Grant]
    known_in: strawberry.Private[Catalog | None] = None  # the catalog it was read by; None: the one in force

    @classmethod
    def of(cls, row: domain.Grant, catalog: Catalog | None = None) -> "Grant":
        return cls(**row_fields(row), node=row.node, held=row, known_in=catalog)  # type: ignore[arg-type]  # the fields of a row

    @strawberry.field(description="What is given.")
    def permission(self, info: Info) -> PermissionType:
        return show_permission(info, self.node, self.known_in)

    @strawberry.field(description="How much of it.")
    def value(self, info: Info) -> RightValue:
        catalog = self.known_in or info.context.catalog
        return show_value(catalog.require_permission(self.node).value_type, self.held.value)


@strawberry.type(description="A bound on a permission of a holder: it has, and passes on, at most this.")
class Limit(Row):
    node: strawberry.Private[str]
    held: strawberry.Private[domain.Limit]
    known_in: strawberry.Private[Catalog | None] = None  # the catalog it was read by; None: the one in force

    @classmethod
    def of(cls, row: domain.Limit, catalog: Catalog | None = None) -> "Limit":
        return cls(**row_fields(row), node=row.node, held=row, known_in=catalog)  # type: ignore[arg-type]  # the fields of a row

    @strawberry.field(description="What is bounded.")
    def permission(self, info: Info) -> PermissionType:
        return show_permission(info, self.node, self.known_in)

    @strawberry.field(description="The most that is left of it.")
    def value(self, info: Info) -> RightValue:
        catalog = self.known_in or info.context.catalog
        return show_value(catalog.require_permission(self.node).value_type, self.held.value)


def show_permission(info: Info, key: str, catalog: Catalog | None = None) -> PermissionType:
    """A permission by its key, of a catalog (None: of the one in force)."""
    from app.graphql.types.catalog import Permission

    return Permission.of((catalog or info.context.catalog).require_permission(key), catalog)


@strawberry.type(description="A role of a user or a team.")
class RoleAssignment(Row):
    given: strawberry.Private[domain.Assignment]

    @classmethod
    def of(cls, row: domain.Assignment) -> "RoleAssignment":
        return cls(**row_fields(row), given=row)  # type: ignore[arg-type]  # the fields of a row

    @strawberry.field(description="The role.")
    def role(self, info: Info) -> RoleType | None:
        return info.context.see(lambda seen: _show_role(seen, self.given.role))


async def show_role(info: Info, role: str | None) -> RoleType | None:
    """A role as the schema shows it; None for none."""
    return None if role is None else _show_role(await info.context.look(), role)


def _show_role(seen: Seen, role: str) -> RoleType | None:
    from app.graphql.types.roles import Role

    record = seen.role(role)
    return None if record is None else Role.of(record)


@strawberry.type(description="A user in a team, perhaps as its supervisor.")
class TeamMembership(Row):
    supervisor: bool = strawberry.field(description="Whether the user supervises the team.")
    joined: strawberry.Private[domain.Membership]

    @classmethod
    def of(cls, row: domain.Membership) -> "TeamMembership":
        return cls(**row_fields(row), supervisor=row.supervisor, joined=row)  # type: ignore[arg-type]  # the fields of a row

    @strawberry.field(description="The team.")
    def team(self, info: Info) -> TeamType | None:
        return info.context.see(lambda seen: _show_team(seen, self.joined.team))

    @strawberry.field(description="The user.")
    async def user(self, info: Info) -> UserType | None:
        return await show_user(info, self.joined.user)


async def show_team(info: Info, team: str | None) -> TeamType | None:
    """A team as the schema shows it; None for none."""
    return None if team is None else _show_team(await info.context.look(), team)


def _show_team(seen: Seen, team: str) -> TeamType | None:
    from app.graphql.types.teams import Team

    record = seen.team(team)
    return None if record is None else Team.of(record)


async def show_user(info: Info, user: str | None) -> UserType | None:
    """A user as the schema shows it; None for none, and for one who is not there."""
    from app.graphql.types.users import User

    if user is None:
        return None
    record = (await info.context.look(UserId(user))).user(user)
    return None if record is None else User.of(record)
