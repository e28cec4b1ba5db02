"""The resources as they are served: what is kept of a user and of a group, and what is accepted and let go.

The schemas that are advertised are made of these models, so that they promise nothing that is not kept.
"""

from typing import Annotated, Any, TypeVar

from pydantic import Field
from scim2_models import (
    URN,
    CaseExact,
    ComplexAttribute,
    Mutability,
    Required,
    Resource,
    Returned,
    ScimPolicy,
    Uniqueness,
)
from scim2_models import Group as AnyGroup
from scim2_models import User as AnyUser

from app.web.scim.faults import ScimFault

USER = URN("urn:ietf:params:scim:schemas:core:2.0:User")
GROUP = URN("urn:ietf:params:scim:schemas:core:2.0:Group")
MAX_VALUES = 1000  # of one attribute in a request, members aside: nobody has more roles, and comparing them takes time

# What identity providers send against the letter of the RFC, and what is meant by it is plain.
POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class Meta(ComplexAttribute):
    """What the gateway says of a resource."""

    resource_type: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """`User` or `Group`."""

    location: Annotated[str | None, Mutability.read_only] = None
    """The address of the resource, relative to the server."""

    version: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """A weak entity tag of what you see of the resource."""


class Name(ComplexAttribute):
    """The name of a person. One text is kept of it."""

    formatted: str | None = None
    """The whole name: the same as `displayName`."""

    given_name: Annotated[str | None, Returned.never] = None
    """Taken with `familyName` where neither `displayName` nor `formatted` is given; not kept apart."""

    family_name: Annotated[str | None, Returned.never] = None
    """Taken with `givenName` where neither `displayName` nor `formatted` is given; not kept apart."""


class Email(ComplexAttribute):
    """An e-mail address. One is kept: the primary one, else the one of type `work`, else the first."""

    value: str | None = None
    """The address."""

    type: str | None = Field(None, examples=["work"])
    """Always `work`."""

    primary: bool | None = None
    """Always true."""


class RoleValue(ComplexAttribute):
    """A role or an access level of a person."""

    value: Annotated[str | None, CaseExact.true] = None
    """A role (`agent`), a role in a contract (`agent@C-100`) or an access level (`C-100:telephony:USER`)."""

    display: str | None = None
    """What it is called."""

    type: str | None = None
    """The source that gives it, where that is not you: such a value is not yours to take away."""

    primary: bool | None = None
    """Accepted and not kept."""


class GroupOfUser(ComplexAttribute):
    """A team that a person belongs to."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """The id of the group."""

    ref: Annotated[str | None, Mutability.read_only] = Field(None, serialization_alias="$ref", validation_alias="$ref")
    """The address of the group."""

    display: Annotated[str | None, Mutability.read_only] = None
    """The name of the group."""

    type: Annotated[str | None, Mutability.read_only] = Field(None, examples=["direct"])
    """Always `direct`."""


class Person(Resource[Any]):
    """A person."""

    __schema__ = USER

    meta: Annotated[Meta | None, Mutability.read_only] = None  # type: ignore[assignment]  # less than the RFC lists
    """What the gateway says of the resource."""

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The name by which the person signs in; kept with its case, compared without."""

    name: Name | None = None
    """The name of the person."""

    display_name: str | None = None
    """The name of the person as it is shown; the user name where none is given."""

    active: bool | None = None
    """False: suspended, with every right resting."""

    emails: list[Email] | None = None
    """E-mail addresses, of which one is kept."""

    roles: list[RoleValue] | None = None
    """Roles and access levels that the person has directly and now."""

    groups: Annotated[list[GroupOfUser] | None, Mutability.read_only] = None
    """The teams that the person belongs to directly: change the members of the group."""


class Member(ComplexAttribute):
    """A person in a team."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """The id of the user."""

    ref: Annotated[str | None, Mutability.immutable] = Field(None, serialization_alias="$ref", validation_alias="$ref")
    """The address of the user."""

    display: Annotated[str | None, Mutability.immutable] = None
    """The name of the user."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """Always `User`: a group within a group is refused."""


class Group(Resource[Any]):
    """A team and the people in it."""

    __schema__ = GROUP

    meta: Annotated[Meta | None, Mutability.read_only] = None  # type: ignore[assignment]  # less than the RFC lists
    """What the gateway says of the resource."""

    display_name: Annotated[str | None, Required.true] = None
    """The name of the team; at its creation also its key, which stays."""

    members: list[Member] | None = None
    """The people who belong to the team directly."""


AnyResource = TypeVar("AnyResource", Person, Group)
_COMMON = {"schemas", "id", "externalid", "meta"}


def _names_of(model: type[Resource[Any]]) -> frozenset[str]:
    """The names of the attributes that the RFC gives a resource, in lower case."""
    aliases = (field.serialization_alias or name for name, field in model.model_fields.items())
    return frozenset(alias.lower() for alias in aliases) | _COMMON


# Attributes of the RFC that are not kept are let go; others are a mistake, and a mistake is told.
KNOWN_NAMES = {Person: _names_of(AnyUser), Group: _names_of(AnyGroup)}
_URNS = {Person: str(USER).lower(), Group: str(GROUP).lower()}


def read_name(model: type[Person] | type[Group], path: str) -> str | None:
    """The attribute that a name or a path begins with, in lower case; empty: the resource; None: an extension's."""
    plain, core = path.strip().lower(), _URNS[model]
    if plain.startswith("urn:"):
        if plain != core and not plain.startswith(core + ":"):
            return None
        plain = plain[len(core) + 1 :]
    return plain.split("[")[0].split(".")[0].split(" ")[0]


def check_name(model: type[Person] | type[Group], path: str, *, scim_type: str = "invalidSyntax") -> None:
    """Raises `ScimFault` for the name of an attribute that the resource cannot have by any schema.

    Attributes of schema extensions are let go, whatever they are called.
    """
    name = read_name(model, path)
    if name and name not in KNOWN_NAMES[model]:
        raise ScimFault(400, f"there is no attribute `{path[:80]}`", scim_type)


def check_content(model: type[Person] | type[Group], content: dict[str, Any]) -> None:
    """Raises `ScimFault` for a resource with an attribute that does not exist, or with too many values of one."""
    for name, value in content.items():
        check_name(model, name)
        if isinstance(value, list) and len(value) > MAX_VALUES and read_name(model, name) != "members":
            raise ScimFault(400, f"`{name}` has more than {MAX_VALUES} values", "tooMany")
