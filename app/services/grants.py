"""Giving and taking rights: grants, limits, role assignments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.callers import Caller
from app.domain.changes import Dependents, MissingPrerequisites, Wish
from app.domain.errors import InvalidValue
from app.domain.holders import MANUAL, AnyRow, HolderId, UserId
from app.domain.values import ValueInput
from app.domain.wishes import grants as wishes
from app.services.context import Reading, Services
from app.services.references import Found, HolderRef, Place, Ref
from app.services.writing import Prepare, WriteOptions, Writing, Written, write


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

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place.holder(holder, "holder"), *contract_places(grants, "grants"))
        who = found.holder(holder)
        world = await writing.load(people_of(holder, found))
        wish = wishes.wish_grants(
            services.catalog, world, who, asked_grants(grants, found), writing.stamp,
            on_missing=on_missing, faults=writing.faults,
        )  # fmt: skip
        return who, wish

    return await write(services, caller, prepare, action="grantPermissions", options=options)


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
    prepare = _prepare_ends(services, holder, revokes, field="revokes", on_dependents=on_dependents)
    return await write(services, caller, prepare, action="revokePermissions", options=options)


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

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place.holder(holder, "holder"), *contract_places(limits, "limits"))
        who = found.holder(holder)
        world = await writing.load(people_of(holder, found))
        wish = wishes.wish_limits(
            services.catalog, world, who, asked_grants(limits, found), writing.stamp,
            on_dependents=on_dependents, faults=writing.faults,
        )  # fmt: skip
        return who, wish

    return await write(services, caller, prepare, action="limitPermissions", options=options)


async def lift_limits(
    services: Services, caller: Caller, holder: HolderRef, limits: Sequence[RevokeItem], *, options: WriteOptions
) -> Written:
    """Ends limits on a user, a role or a team."""
    prepare = _prepare_ends(services, holder, limits, field="limits", on_dependents=Dependents.REJECT)
    return await write(services, caller, prepare, action="liftLimits", options=options)


def _prepare_ends(
    services: Services, holder: HolderRef, items: Sequence[RevokeItem], *, field: str, on_dependents: Dependents
) -> Prepare:
    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place.holder(holder, "holder"), *contract_places(items, field))
        who = found.holder(holder)
        world = await writing.load(people_of(holder, found))
        asked = [
            wishes.RevokeAsked(
                id=item.id, node=item.permission, contract=found.contract(item.contract), source=item.source or MANUAL
            )
            for item in items
        ]
        wish, kept = wishes.wish_revokes(
            services.catalog, world, who, asked, field=field, on_dependents=on_dependents, faults=writing.faults
        )
        writing.warnings += kept
        return who, wish

    return prepare


async def assign_roles(
    services: Services, caller: Caller, holder: HolderRef, roles: Sequence[AssignItem], *, options: WriteOptions
) -> Written:
    """Assigns roles to a user or a team."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found, who, asked = await _find_assigned(writing, holder, roles)
        world = await writing.load(people_of(holder, found))
        return who, wishes.wish_assignments(world, who, asked, writing.stamp, faults=writing.faults)

    return await write(services, caller, prepare, action="assignRoles", options=options)


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

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found, who, asked = await _find_assigned(writing, holder, roles)
        world = await writing.load(people_of(holder, found))
        wish, kept = wishes.wish_unassignments(
            world, who, asked, source=MANUAL, on_dependents=on_dependents, faults=writing.faults
        )
        writing.warnings += kept
        return who, wish

    return await write(services, caller, prepare, action="unassignRoles", options=options)


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


def people_of(holder: HolderRef, found: Found) -> list[UserId]:
    """The person among the holders of a request, if it is one."""
    return [found.user(holder.ref)] if holder.noun == "user" else []


async def _find_assigned(
    writing: Writing, holder: HolderRef, roles: Sequence[AssignItem]
) -> tuple[Found, HolderId, list[wishes.AssignAsked]]:
    """The holder and the roles of a request. A role holds no roles: it has parents."""
    if holder.noun == "role":
        message = "roles are assigned to users and teams; what a role includes are its parents"
        writing.faults.add(InvalidValue(message, path=("holder", "role"), expected="a user or a team"))
    places = [Place("role", item.role, ("roles", str(index), "role")) for index, item in enumerate(roles)]
    found = await writing.find(Place.holder(holder, "holder"), *places, *contract_places(roles, "roles"))
    asked = [
        wishes.AssignAsked(
            role=found.role(item.role), contract=found.contract(item.contract),
            valid_from=item.valid_from, valid_until=item.valid_until,
        )
        for item in roles
    ]  # fmt: skip
    return found, found.holder(holder), asked


async def find_rows(reading: Reading, ids: Sequence[str]) -> list[AnyRow]:
    """Grants, limits, assignments, memberships and access levels by their ids, those that the caller sees."""
    sight = await reading.sight()
    return [row for row in await reading.unit.rows.find(list(ids)) if sight.sees_row(row)]
