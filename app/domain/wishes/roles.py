"""Roles: made, changed, copied, archived."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.catalog import Catalog
from app.domain.changes import Dependents, MissingPrerequisites, Stamp, Wish
from app.domain.errors import Conflict, Cycle, DomainError, Duplicate
from app.domain.holders import Grant, Limit, Role, RoleId
from app.domain.names import read_name, read_text, show
from app.domain.wishes.asking import Faults
from app.domain.wishes.grants import GrantAsked, wish_grants
from app.domain.wishes.users import UNCHANGED, Patch, Unchanged
from app.domain.world import Change, World


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAsked:
    """The attributes of a role as a request gives them; `parents` is the whole list, None clears it."""

    display_name: Patch = UNCHANGED
    description: Patch = UNCHANGED
    parents: tuple[RoleId, ...] | Unchanged | None = UNCHANGED
    archived: bool | Unchanged = UNCHANGED


def wish_role(
    catalog: Catalog,
    world: World,
    key: str,
    asked: RoleAsked,
    grants: Sequence[GrantAsked],
    stamp: Stamp,
    *,
    on_missing: MissingPrerequisites,
    faults: Faults,
) -> Wish:
    """A new role with its grants."""
    role = Role(id=RoleId(stamp.new_id(Role)), key="", display_name="", source=stamp.source)
    with faults.catching():
        role = replace(role, key=_free_key(world, key))
    role = _with_attributes(world, role, asked, faults)
    created = Change(None, role)
    wish = wish_grants(
        catalog, world.changed([created]), role.id, grants, stamp, on_missing=on_missing, faults=faults
    )  # fmt: skip
    return replace(wish, changes=(created, *wish.changes))


def wish_role_attributes(
    world: World, role: RoleId, asked: RoleAsked, *, on_dependents: Dependents, faults: Faults
) -> Wish:
    """Changed attributes of a role; none changed is no change."""
    old = world.roles[role]
    new = _with_attributes(world, old, asked, faults)
    faults.refuse()
    changes = () if new == old else (Change(old, new),)
    return Wish(changes=changes, paths={role: ("role",)}, asked=frozenset([role]), on_dependents=on_dependents)


def wish_role_copy(
    world: World, role: RoleId, key: str, display_name: str | None, stamp: Stamp, *, faults: Faults
) -> Wish:
    """A copy of a role under a new key: parents, grants and limits, those that have ended left out."""
    original = world.roles[role]
    copy = replace(original, id=RoleId(stamp.new_id(Role)), archived=False, source=stamp.source)
    with faults.catching():
        copy = replace(copy, key=_free_key(world, key))
    with faults.catching():
        name = original.display_name if display_name is None else read_name(display_name, "displayName")
        copy = replace(copy, display_name=name)
    faults.refuse()
    rows = world.rows_of(role)
    changes = [Change(None, copy)]
    for grant in rows.grants:
        if grant.valid_until is None or grant.valid_until > stamp.at:
            changes.append(Change(None, replace(grant, **stamp.row(Grant), holder=copy.id)))
    for limit in rows.limits:
        if limit.valid_until is None or limit.valid_until > stamp.at:
            changes.append(Change(None, replace(limit, **stamp.row(Limit), holder=copy.id)))
    return Wish(changes=tuple(changes), paths={copy.id: ("role",)}, asked=frozenset([copy.id]))


def _free_key(world: World, key: str) -> str:
    name = read_name(key, "key")
    if any(role.key == name for role in world.roles.values()):
        raise Duplicate(f"there is a role `{show(name)}` already", path=("key",))
    return name


def _with_attributes(world: World, role: Role, asked: RoleAsked, faults: Faults) -> Role:
    if not isinstance(asked.display_name, Unchanged) or not role.display_name:
        given = None if isinstance(asked.display_name, Unchanged) else asked.display_name
        with faults.catching():
            role = replace(role, display_name=role.key if given is None else read_name(given, "displayName"))
    if not isinstance(asked.description, Unchanged):
        with faults.catching():
            given = asked.description
            role = replace(role, description=None if given is None else read_text(given, "description"))
    if not isinstance(asked.parents, Unchanged):
        parents = asked.parents or ()
        for error in _find_parent_faults(world, role, parents):
            faults.add(error)
        role = replace(role, parents=tuple(sorted(dict.fromkeys(parents))))
    if not isinstance(asked.archived, Unchanged):
        role = replace(role, archived=asked.archived)
    return role


def _find_parent_faults(world: World, role: Role, parents: Sequence[RoleId]) -> list[DomainError]:
    errors: list[DomainError] = []
    for index, parent in enumerate(parents):
        path = ("parents", str(index))
        record = world.roles.get(parent)
        if record is None:
            continue  # a reference that names nothing has been refused already
        if parent in parents[:index]:
            errors.append(Duplicate(f"`{record.key}` stands twice", path=path))
        if record.archived and parent not in role.parents:
            errors.append(Conflict(f"the role `{record.key}` is archived", path=path))
        if parent == role.id or role.id in world.included_in(parent):
            errors.append(Cycle(f"`{record.key}` includes this role already, so it cannot be its parent", path=path))
    return errors
