"""Users as SCIM has them: a person shown as a resource, and a resource read as what is desired of a person."""

from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import normalize

from scim2_models import Context

from app.domain.holders import UserStatus
from app.domain.sync.desired import AssignmentDesired, LevelDesired, UserDesired
from app.domain.wishes.users import UNCHANGED, Patch
from app.services.scim import LevelHeld, PersonSeen, RoleHeld
from app.web.scim.faults import ScimFault
from app.web.scim.patches import Operation, apply_operations
from app.web.scim.resources import (
    POLICY,
    Email,
    GroupOfUser,
    Meta,
    Name,
    Person,
    RoleValue,
    check_content,
    read_name,
)
from app.web.scim.roles import Given, read_value, spell_level, spell_role
from app.web.scim.wire import ROOT, make_tag

# ---------------------------------------------------------------------- shown


def show_person(seen: PersonSeen, source: str, base: str = ROOT) -> Person:
    """The resource of a person; roles that other sources than the caller's give are marked with theirs."""
    user = seen.user
    resource = Person(
        id=user.id,
        external_id=user.external_id,
        user_name=user.user_name,
        name=Name(formatted=user.display_name),
        display_name=user.display_name,
        active=user.status is UserStatus.ACTIVE,
        emails=None if user.email is None else [Email(value=user.email, type="work", primary=True)],
        roles=_show_roles(seen, source) or None,
        groups=[
            GroupOfUser(value=team.id, ref=f"{base}/Groups/{team.id}", display=team.display_name, type="direct")
            for team in seen.teams
        ]
        or None,
    )
    tag = make_tag(resource.model_dump(scim_ctx=Context.DEFAULT))
    resource.meta = Meta(resource_type="User", location=f"{base}/Users/{user.id}", version=tag)
    return resource


def _show_roles(seen: PersonSeen, source: str) -> list[RoleValue]:
    """One entry a value. What is ours has no type, though others give it too."""
    found: dict[str, RoleValue] = {}
    held: Iterable[RoleHeld | LevelHeld] = (*seen.roles, *seen.levels)
    for one in sorted(held, key=lambda one: (one.source != source, one.source)):
        if isinstance(one, RoleHeld):
            value = spell_role(one.role.key, None if one.contract is None else one.contract.number)
            display = one.role.display_name
        else:
            value, display = spell_level(one.contract.number, one.product, one.level), None
        kind = None if one.source == source else one.source
        found.setdefault(value, RoleValue(value=value, display=display, type=kind))
    return list(found.values())


# ---------------------------------------------------------------------- read


def read_person(content: dict[str, Any], seen: PersonSeen | None, source: str) -> UserDesired:
    """What a POST (`seen` None) or a PUT asks for. An attribute left out is as it was; null and [] clear.

    Raises `ScimFault` or a `ValidationError` of scim2-models.
    """
    check_content(Person, content)
    context = Context.RESOURCE_CREATION_REQUEST if seen is None else Context.RESOURCE_REPLACEMENT_REQUEST
    asked = Person.model_validate(_without_read_only(content), scim_ctx=context, scim_policy=POLICY)
    given = asked.model_fields_set
    before = None if seen is None else show_person(seen, source)
    was_active = seen is None or seen.user.status is UserStatus.ACTIVE
    roles: tuple[Given, ...] | None = None
    if "roles" in given:
        roles = _read_roles(asked.roles, _foreign_of(before))
        _refuse_two_levels(roles)
    external_id = asked.external_id
    if external_id is None and seen is not None:
        external_id = seen.user.external_id
    return _desire(
        seen,
        external_id=external_id,
        user_name=asked.user_name or "",
        display_name=_read_name(asked),
        email=_read_email(asked.emails) if "emails" in given else UNCHANGED,
        active=was_active if asked.active is None else asked.active,
        roles=roles,
    )


def _without_read_only(content: dict[str, Any]) -> dict[str, Any]:
    """A body without what is the gateway's to say: it is ignored (RFC 7643, 7)."""
    return {name: value for name, value in content.items() if name.lower() not in {"id", "meta", "groups", "password"}}


def patch_person(seen: PersonSeen, operations: Sequence[Operation], source: str) -> UserDesired:
    """What a PATCH asks for. Raises `ScimFault`, `SCIMException` or a `ValidationError` of scim2-models."""
    before = show_person(seen, source)
    start = before.model_copy(deep=True)
    start.name = None  # made of the display name: what stands here afterwards is what was asked for
    after: Person = apply_operations(start, operations)
    if after.external_id is None and before.external_id is not None:
        raise ScimFault(400, "`externalId` can be changed and not taken away", "mutability")
    if not after.user_name:
        raise ScimFault(400, "`userName` can be changed and not taken away", "mutability")
    display_name: Patch = UNCHANGED
    if after.display_name != before.display_name:
        display_name = after.display_name
    elif after.name is not None and (after.name.formatted or (after.name.given_name and after.name.family_name)):
        display_name = _read_name(Person(name=after.name))
    email = _read_email(after.emails)
    return _desire(
        seen,
        external_id=after.external_id,
        user_name=after.user_name,
        display_name=display_name,
        email=UNCHANGED if email == seen.user.email else email,
        active=before.active is True if after.active is None else after.active,
        roles=_patch_roles(before, after, operations),
    )


def _desire(
    seen: PersonSeen | None,
    *,
    external_id: str | None,
    user_name: str,
    display_name: Patch,
    email: Patch,
    active: bool,
    roles: tuple[Given, ...] | None,
) -> UserDesired:
    return UserDesired(
        path=(),
        id=None if seen is None else seen.user.id,
        external_id=None if external_id is None else normalize("NFC", external_id),
        user_name=normalize("NFC", user_name),  # in the form in which names are kept and compared
        display_name=user_name if display_name is None else display_name,
        email=email,
        active=active,
        roles=None if roles is None else tuple(one for one in roles if isinstance(one, AssignmentDesired)),
        access=None if roles is None else tuple(one for one in roles if isinstance(one, LevelDesired)),
    )


def _read_name(asked: Person) -> Patch:
    """The name that is asked for: `displayName`, else `name.formatted`, else its two parts."""
    if asked.display_name:
        return asked.display_name
    if asked.name is not None:
        parts = [part.strip() for part in (asked.name.given_name, asked.name.family_name) if part and part.strip()]
        if asked.name.formatted or parts:
            return asked.name.formatted or " ".join(parts)
    return None if "display_name" in asked.model_fields_set else UNCHANGED


def _read_email(emails: Sequence[Email] | None) -> str | None:
    """The one that is kept of several."""
    listed = [one for one in emails or () if one.value]
    if not listed:
        return None
    best = min(listed, key=lambda one: (one.primary is not True, (one.type or "").lower() != "work"))
    return best.value


# ---------------------------------------------------------------------- roles


def _foreign_of(before: Person | None) -> set[tuple[str, str]]:
    """The roles that other sources give, as they are shown: value and source."""
    shown = () if before is None else before.roles or ()
    return {(one.value or "", one.type) for one in shown if one.type is not None}


def _read_roles(roles: Sequence[RoleValue] | None, foreign: set[tuple[str, str]]) -> tuple[Given, ...]:
    """What a list gives, each once; what it merely repeats of other sources is left to them."""
    found: dict[Given, None] = {}
    for role in roles or ():
        if not role.value:
            raise ScimFault(400, "a role needs a `value`", "invalidValue")
        if (role.value, role.type) not in foreign:
            found[read_value(role.value)] = None
    return tuple(found)


def _refuse_two_levels(roles: Iterable[Given]) -> None:
    levels: dict[tuple[str, str], LevelDesired] = {}
    for one in roles:
        if isinstance(one, LevelDesired):
            other = levels.setdefault((one.contract.value, one.product), one)
            if other != one:
                where = f"`{one.product}` of `{one.contract.value}`"
                raise ScimFault(400, f"two levels are given in {where}: a person has one", "invalidValue")


def _patch_roles(before: Person, after: Person, operations: Sequence[Operation]) -> tuple[Given, ...] | None:
    """The roles after a PATCH; None where it leaves them alone. A new level in a product takes the place of the old."""
    foreign = _foreign_of(before)
    old, new = _read_roles(before.roles, foreign), _read_roles(after.roles, foreign)
    left = {(role.value or "", role.type) for role in after.roles or ()}
    _refuse_taking(foreign - {(value, kind or "") for value, kind in left}, operations)
    if set(old) == set(new):
        return None
    placed = {(one.contract, one.product) for one in new if isinstance(one, LevelDesired) and one not in old}
    kept = tuple(
        one
        for one in new
        if not isinstance(one, LevelDesired) or one not in old or (one.contract, one.product) not in placed
    )
    _refuse_two_levels(kept)
    return kept


def _refuse_taking(lost: set[tuple[str, str]], operations: Sequence[Operation]) -> None:
    """Raises `ScimFault` for taking a role away that another source gives: it would stay, and nobody would be told.

    A list that is replaced as a whole says nothing of what others give.
    """
    if not lost or any(_replaces_roles(one) for one in operations):
        return
    value, kind = min(lost)
    raise ScimFault(400, f"`{value}` is given by `{kind}`, and is not yours to take away", "mutability")


def _replaces_roles(operation: Operation) -> bool:
    if operation.path is None:
        return operation.kind == "replace" and any(read_name(Person, name) == "roles" for name in operation.value)
    whole = operation.attribute == "roles" and "[" not in operation.path
    return whole and (operation.kind == "replace" or (operation.kind == "remove" and not operation.value))
