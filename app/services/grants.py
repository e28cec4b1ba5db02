"""Giving and taking rights: grants, limits, role assignments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.callers import Caller
from app.domain.changes import Dependents, MissingPrerequisites, Wish
from app.domain.errors import InvalidValue
from app.domain.holders import MANUAL, AnyRow
from app.domain.references import Ref
from app.domain.values import ValueInput
from app.domain.wishes import grants as wishes
from app.domain.world import World
from app.services.context import Reading, Services
from app.services.references import Found, HolderRef, Place
from app.services.writing import Request, WriteOptions, Writing, Written, carry_out


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantItem:
    """One grant or limit of a request."""

    permission: str
    value: ValueInput | None = None
    contract: Ref | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeItem:
    """One row, or rows of one permission, scope and source, to end."""

    id: str | None = None
    permission: str | None = None
    contract: Ref | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignItem:
    """One role to give or take."""

    role: Ref
    contract: Ref | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


async def grant_permissions(
    services: Services,
    caller: Caller,
    holder: HolderRef,
    grants: Sequence[GrantItem],
    *,
    on_missing: MissingPrerequisites,
    options: WriteOptions,
) -> Written:
    """Grants permissions to a user, a role or a team."""
    return await carry_out(services, caller, request_grants(holder, grants, on_missing=on_missing), options=options)


async def revoke_permissions(
    services: Services,
    caller: Caller,
    holder: HolderRef,
    revokes: Sequence[RevokeItem],
    *,
    on_dependents: Dependents,
    options: WriteOptions,
) -> Written:
    """Ends grants of a user, a role or a team."""
    request = request_revokes(holder, revokes, on_dependents=on_dependents)
    return await carry_out(services, caller, request, options=options)


async def limit_permissions(
    services: Services,
    caller: Caller,
    holder: HolderRef,
    limits: Sequence[GrantItem],
    *,
    on_dependents: Dependents,
    options: WriteOptions,
) -> Written:
    """Puts limits on a user, a role or a team."""
    request = request_limits(holder, limits, on_dependents=on_dependents)
    return await carry_out(services, caller, request, options=options)


async def lift_limits(
    services: Services, caller: Caller, holder: HolderRef, limits: Sequence[RevokeItem], *, options: WriteOptions
) -> Written:
    """Ends limits on a user, a role or a team."""
    return await carry_out(services, caller, request_lifts(holder, limits), options=options)


async def assign_roles(
    services: Services, caller: Caller, holder: HolderRef, roles: Sequence[AssignItem], *, options: WriteOptions
) -> Written:
    """Assigns roles to a user or a team."""
    return await carry_out(services, caller, request_assignments(holder, roles), options=options)


async def unassign_roles(
    services: Services,
    caller: Caller,
    holder: HolderRef,
    roles: Sequence[AssignItem],
    *,
    on_dependents: Dependents,
    options: WriteOptions,
) -> Written:
    """Takes roles from a user or a team."""
    request = request_unassignments(holder, roles, on_dependents=on_dependents)
    return await carry_out(services, caller, request, options=options)


# ---------------------------------------------------------------------- what is asked for


def request_grants(holder: HolderRef, grants: Sequence[GrantItem], *, on_missing: MissingPrerequisites) -> Request:
    """The request to grant permissions."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        who = found.holder(holder)
        wish = wishes.wish_grants(
            writing.reading.catalog, world, who, asked_grants(grants, found), writing.stamp,
            on_missing=on_missing, faults=writing.faults,
        )  # fmt: skip
        return who, wish

    places = [Place.holder(holder, "holder"), *contract_places(grants, "grants")]
    return Request(action="grantPermissions", places=places, read=read, field="grants", items=grants)


def request_limits(holder: HolderRef, limits: Sequence[GrantItem], *, on_dependents: Dependents) -> Request:
    """The request to put limits."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        who = found.holder(holder)
        wish = wishes.wish_limits(
            writing.reading.catalog, world, who, asked_grants(limits, found), writing.stamp,
            on_dependents=on_dependents, faults=writing.faults,
        )  # fmt: skip
        return who, wish

    places = [Place.holder(holder, "holder"), *contract_places(limits, "limits")]
    return Request(action="limitPermissions", places=places, read=read, field="limits", items=limits)


def request_revokes(holder: HolderRef, revokes: Sequence[RevokeItem], *, on_dependents: Dependents) -> Request:
    """The request to end grants."""
    return _request_ends(holder, revokes, action="revokePermissions", field="revokes", on_dependents=on_dependents)


def request_lifts(holder: HolderRef, limits: Sequence[RevokeItem]) -> Request:
    """The request to end limits."""
    return _request_ends(holder, limits, action="liftLimits", field="limits", on_dependents=Dependents.REJECT)


def _request_ends(
    holder: HolderRef, items: Sequence[RevokeItem], *, action: str, field: str, on_dependents: Dependents
) -> Request:
    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        who = found.holder(holder)
        asked = [
            wishes.RevokeAsked(
                id=item.id, node=item.permission, contract=found.contract(item.contract), source=item.source or MANUAL
            )
            for item in items
        ]
        wish, kept = wishes.wish_revokes(
            writing.reading.catalog, world, who, asked, field=field, on_dependents=on_dependents, faults=writing.faults
        )
        writing.warnings += kept
        return who, wish

    places = [Place.holder(holder, "holder"), *contract_places(items, field)]
    return Request(action=action, places=places, read=read, field=field, items=items)


def request_assignments(holder: HolderRef, roles: Sequence[AssignItem]) -> Request:
    """The request to assign roles."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        asked = _asked_roles(writing, holder, roles, found)
        who = found.holder(holder)
        return who, wishes.wish_assignments(world, who, asked, writing.stamp, faults=writing.faults)

    places = _assigned_places(holder, roles)
    return Request(action="assignRoles", places=places, read=read, field="roles", items=roles)


def request_unassignments(holder: HolderRef, roles: Sequence[AssignItem], *, on_dependents: Dependents) -> Request:
    """The request to take roles."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        asked = _asked_roles(writing, holder, roles, found)
        who = found.holder(holder)
        wish, kept = wishes.wish_unassignments(
            world, who, asked, source=MANUAL, on_dependents=on_dependents, faults=writing.faults
        )
        writing.warnings += kept
        return who, wish

    places = _assigned_places(holder, roles)
    return Request(action="unassignRoles", places=places, read=read, field="roles", items=roles)


def _assigned_places(holder: HolderRef, roles: Sequence[AssignItem]) -> list[Place]:
    places = [Place("role", item.role, ("roles", str(index), "role")) for index, item in enumerate(roles)]
    return [Place.holder(holder, "holder"), *places, *contract_places(roles, "roles")]


def _asked_roles(
    writing: Writing, holder: HolderRef, roles: Sequence[AssignItem], found: Found
) -> list[wishes.AssignAsked]:
    """The roles of a request. A role holds no roles: it has parents."""
    if holder.noun == "role":
        message = "roles are assigned to users and teams; what a role includes are its parents"
        writing.faults.add(InvalidValue(message, path=("holder", "role"), expected="a user or a team"))
    return [
        wishes.AssignAsked(
            role=found.role(item.role), contract=found.contract(item.contract),
            valid_from=item.valid_from, valid_until=item.valid_until,
        )
        for item in roles
    ]  # fmt: skip


# ---------------------------------------------------------------------- shared with roles


def contract_places(items: Sequence[GrantItem | RevokeItem | AssignItem], field: str) -> list[Place]:
    """The contracts that items name, each with its place in the request."""
    return [
        Place("contract", item.contract, (field, str(index), "contract"))
        for index, item in enumerate(items)
        if item.contract is not None
    ]


def asked_grants(items: Sequence[GrantItem], found: Found) -> list[wishes.GrantAsked]:
    """The grants of a request, their contracts found."""
    return [
        wishes.GrantAsked(
            node=item.permission, value=item.value, contract=found.contract(item.contract),
            valid_from=item.valid_from, valid_until=item.valid_until,
        )
        for item in items
    ]  # fmt: skip


async def find_rows(reading: Reading, ids: Sequence[str]) -> list[AnyRow]:
    """Grants, limits, assignments, memberships and access levels by their ids, those that the caller sees."""
    sight = await reading.sight()
    return [row for row in await reading.unit.rows.find(list(ids)) if sight.sees_row(row)]
