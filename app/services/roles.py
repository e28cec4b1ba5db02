"""Roles."""

from collections.abc import Sequence
from dataclasses import replace

from app.domain.callers import Caller, Right
from app.domain.changes import Dependents, MissingPrerequisites, Wish
from app.domain.filters import RoleFilter
from app.domain.holders import Role, RoleId
from app.domain.paging import Page, Slice
from app.domain.references import Ref
from app.domain.wishes import roles as wishes
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.users import Unchanged
from app.services.context import Reading, Services
from app.services.grants import GrantItem, asked_grants, contract_places
from app.services.references import Found, Place
from app.services.writing import WriteOptions, Writing, Written, write


async def create_role(
    services: Services,
    caller: Caller,
    key: str,
    asked: RoleAsked,
    *,
    parents: Sequence[Ref],
    grants: Sequence[GrantItem],
    on_missing: MissingPrerequisites,
    options: WriteOptions,
) -> Written:
    """Creates a role with its parents and grants."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(*_parent_places(parents), *contract_places(grants, "grants"))
        wish = wishes.wish_role(
            services.catalog, await writing.load(), key, replace(asked, parents=_parents(parents, found)),
            asked_grants(grants, found), writing.stamp, on_missing=on_missing, faults=writing.faults,
        )  # fmt: skip
        return wish.changes[0].record.id, wish

    return await write(services, caller, prepare, action="createRole", options=options)


async def update_role(
    services: Services,
    caller: Caller,
    role: Ref,
    asked: RoleAsked,
    *,
    parents: Sequence[Ref] | Unchanged | None,
    on_dependents: Dependents,
    options: WriteOptions,
    action: str = "updateRole",
) -> Written:
    """Changes the attributes of a role; `parents` replaces the whole list."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        listed = [] if parents is None or isinstance(parents, Unchanged) else parents
        found = await writing.find(Place("role", role, ("role",)), *_parent_places(listed))
        writing.faults.refuse()
        changed = asked if isinstance(parents, Unchanged) else replace(asked, parents=_parents(listed, found))
        who = found.role(role)
        return who, wishes.wish_role_attributes(
            await writing.load(), who, changed, on_dependents=on_dependents, faults=writing.faults
        )

    return await write(services, caller, prepare, action=action, options=options)


async def clone_role(
    services: Services, caller: Caller, role: Ref, key: str, display_name: str | None, *, options: WriteOptions
) -> Written:
    """Copies a role under a new key."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place("role", role, ("role",)))
        writing.faults.refuse()
        wish = wishes.wish_role_copy(
            await writing.load(), found.role(role), key, display_name, writing.stamp, faults=writing.faults
        )
        return wish.changes[0].record.id, wish

    return await write(services, caller, prepare, action="cloneRole", options=options)


async def archive_role(
    services: Services, caller: Caller, role: Ref, *, on_dependents: Dependents, options: WriteOptions
) -> Written:
    """Archives a role: from now on it gives nothing."""
    return await update_role(
        services, caller, role, RoleAsked(archived=True), parents=Unchanged(), on_dependents=on_dependents,
        options=options, action="archiveRole",
    )  # fmt: skip


def _parent_places(parents: Sequence[Ref]) -> list[Place]:
    return [Place("role", ref, ("parents", str(index))) for index, ref in enumerate(parents)]


def _parents(parents: Sequence[Ref], found: Found) -> tuple[RoleId, ...]:
    return tuple(found.role(ref) for ref in parents)


# ---------------------------------------------------------------------- lists


async def find_role(reading: Reading, role: Ref) -> Role | None:
    """A role by reference; None for one that the caller does not see."""
    seen = await reading.look()
    return next((known for known in seen.roles() if getattr(known, role.attribute) == role.value), None)


async def list_roles(reading: Reading, wanted: RoleFilter, part: Slice) -> Page[Role]:
    """A page of the roles that the caller sees, by key."""
    return await reading.unit.roles.read_page(await _seen(reading, wanted), part)


async def count_roles(reading: Reading, wanted: RoleFilter) -> int:
    """How many roles there are in all that the caller sees."""
    return await reading.unit.roles.count(await _seen(reading, wanted))


async def _seen(reading: Reading, wanted: RoleFilter) -> RoleFilter:
    seen = await reading.look()
    ids = frozenset(role.id for role in seen.roles())
    return replace(
        wanted,
        ids=None if len(ids) == len(seen.world.roles) else ids,
        grant_rows=seen.sight.contracts_with(Right.VIEW_RIGHTS),
    )
