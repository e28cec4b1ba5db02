"""Groups as SCIM has them: a team shown as a resource, and a resource read as what is asked of a team."""

from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import normalize

from scim2_models import Context

from app.domain.holders import User
from app.domain.wishes.users import UNCHANGED
from app.services.provisioning import TeamAsked
from app.services.scim import TeamSeen
from app.web.scim.faults import ScimFault
from app.web.scim.patches import MembersPatch, Operation, apply_operations, read_members, split_members
from app.web.scim.resources import POLICY, Group, Member, Meta, check_content
from app.web.scim.wire import ROOT, make_tag


def show_group(seen: TeamSeen, base: str = ROOT) -> Group:
    """The resource of a team. Without its members it has no version, which is one of all of it."""
    team = seen.team
    members = None if seen.members is None else [_show_member(user, base) for user in seen.members]
    resource = Group(id=team.id, display_name=team.display_name, members=members or None)
    tag = None if members is None else make_tag(resource.model_dump(scim_ctx=Context.DEFAULT))
    resource.meta = Meta(resource_type="Group", location=f"{base}/Groups/{team.id}", version=tag)
    return resource


def show_for_filter(seen: TeamSeen, members: Iterable[str]) -> Group:
    """As much of a team as a filter looks at: of its members those whom the filter names."""
    return Group(
        id=seen.team.id, display_name=seen.team.display_name, members=[Member(value=one) for one in members] or None,
        meta=Meta(resource_type="Group"),
    )  # fmt: skip


def _show_member(user: User, base: str) -> Member:
    return Member(value=user.id, ref=f"{base}/Users/{user.id}", display=user.display_name, type="User")


def read_group(content: dict[str, Any], seen: TeamSeen | None) -> TeamAsked:
    """What a POST (`seen` None) or a PUT asks for. Members left out are as they were; null and [] empty the group.

    Raises `ScimFault` or a `ValidationError` of scim2-models.
    """
    check_content(Group, content)
    rest = {name: value for name, value in content.items() if name.lower() not in {"id", "meta", "members"}}
    context = Context.RESOURCE_CREATION_REQUEST if seen is None else Context.RESOURCE_REPLACEMENT_REQUEST
    asked = Group.model_validate(rest, scim_ctx=context, scim_policy=POLICY)
    listed = [value for name, value in content.items() if name.lower() == "members"]
    name = normalize("NFC", asked.display_name or "")
    return TeamAsked(
        key=name if seen is None else None,
        display_name=UNCHANGED if seen is not None and seen.team.display_name == name else name,
        whole=read_members(listed[0]) if listed else None,
    )


def patch_group(seen: TeamSeen, operations: Sequence[Operation]) -> TeamAsked:
    """What a PATCH asks for. Raises `ScimFault`, `SCIMException` or a `ValidationError` of scim2-models."""
    others, members = split_members(operations)
    before = Group(id=seen.team.id, display_name=seen.team.display_name)
    after: Group = apply_operations(before, others)
    if not after.display_name:
        raise ScimFault(400, "`displayName` can be changed and not taken away", "mutability")
    changed = after.display_name != before.display_name
    return _ask(members, after.display_name if changed else None)


def _ask(members: MembersPatch, display_name: str | None) -> TeamAsked:
    return TeamAsked(
        display_name=UNCHANGED if display_name is None else display_name,
        added=members.added, removed=members.removed, whole=members.whole,
    )  # fmt: skip
