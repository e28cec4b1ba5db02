"""Changing: users and groups made, replaced, patched and let go. Each request is one transaction, or nothing."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from starlette.responses import Response

from app.domain.sync.desired import UserDesired
from app.services import provisioning, scim
from app.services.provisioning import TeamAsked
from app.services.scim import PersonSeen, TeamSeen
from app.services.writing import Written
from app.web.scim.faults import no_such, read_refusals
from app.web.scim.groups import patch_group, read_group, show_group
from app.web.scim.patches import read_operations
from app.web.scim.people import patch_person, read_person, show_person
from app.web.scim.queries import Asking, wants
from app.web.scim.resources import Group, Person
from app.web.scim.wire import check_match, read_content, write_nothing

# ---------------------------------------------------------------------- users


async def create_user(asking: Asking) -> Response:
    """Makes a user, or brings back one who had left."""
    content = read_content(asking.request, asking.body)
    written = await _write_person(asking, None, lambda _nobody: read_person(content, None, asking.source))
    return await _answer_user(asking, written.subject or "", status=201)


async def replace_user(asking: Asking, user: str) -> Response:
    """Replaces a user: what is given is complete, what is left out is as it was."""
    content = read_content(asking.request, asking.body)
    await _write_person(asking, user, lambda seen: read_person(content, seen, asking.source))
    return await _answer_user(asking, user)


async def patch_user(asking: Asking, user: str) -> Response:
    """Changes a user by operations."""
    operations = read_operations(Person, read_content(asking.request, asking.body))
    await _write_person(asking, user, lambda seen: patch_person(_there(seen), operations, asking.source))
    return await _answer_user(asking, user)


async def delete_user(asking: Asking, user: str) -> Response:
    """Lets a user go. Who has gone already is gone."""
    reason = _reason(asking, "Users", user)
    check = partial(_check_person, asking)
    await _finish(provisioning.remove_person(asking.services, asking.caller, user, check, reason=reason))
    return write_nothing(204)


async def _write_person(
    asking: Asking, user: str | None, decide: Callable[[PersonSeen | None], UserDesired]
) -> Written:
    def decide_if_it_matches(seen: PersonSeen | None) -> UserDesired:
        if seen is not None:
            _check_person(asking, seen)
        return decide(seen)

    return await _finish(
        provisioning.write_person(
            asking.services, asking.caller, user, decide_if_it_matches, reason=_reason(asking, "Users", user)
        )
    )


def _check_person(asking: Asking, seen: PersonSeen) -> None:
    """Raises `ScimFault` where the request is for another version of a user."""
    _check_match(asking, show_person(seen, asking.source, asking.base))


def _there(seen: PersonSeen | None) -> PersonSeen:
    assert seen is not None, "who is patched is there"
    return seen


async def _answer_user(asking: Asking, user: str, *, status: int = 200) -> Response:
    async with asking.services.reading(asking.caller) as reading:
        found = await scim.find_person(reading, user)
    if found is None:
        raise no_such("user", user)
    return asking.answer_resource(show_person(found, asking.source, asking.base), status=status)


# ---------------------------------------------------------------------- groups


async def create_group(asking: Asking) -> Response:
    """Makes a team, or brings back one of this source that was archived."""
    content = read_content(asking.request, asking.body)
    written = await _write_team(asking, None, lambda _nothing: read_group(content, None))
    return await _answer_group(asking, written.subject or "", status=201)


async def replace_group(asking: Asking, team: str) -> Response:
    """Replaces a team: members that are given are all of this source, left out they are as they were."""
    content = read_content(asking.request, asking.body)
    await _write_team(asking, team, lambda seen: read_group(content, seen))
    return await _answer_group(asking, team)


async def patch_group_by(asking: Asking, team: str) -> Response:
    """Changes a team by operations."""
    operations = read_operations(Group, read_content(asking.request, asking.body))

    def decide(seen: TeamSeen | None) -> TeamAsked:
        assert seen is not None, "what is patched is there"
        return patch_group(seen, operations)

    await _write_team(asking, team, decide)
    return await _answer_group(asking, team)


async def delete_group(asking: Asking, team: str) -> Response:
    """Lets a team go: this source's people leave it, and a team of this very source is archived."""
    await _finish(
        provisioning.remove_team(
            asking.services, asking.caller, team, partial(_check_team, asking), members=_is_conditional(asking),
            reason=_reason(asking, "Groups", team),
        )
    )  # fmt: skip
    return write_nothing(204)


async def _write_team(asking: Asking, team: str | None, decide: Callable[[TeamSeen | None], TeamAsked]) -> Written:
    def decide_if_it_matches(seen: TeamSeen | None) -> TeamAsked:
        if seen is not None:
            _check_team(asking, seen)
        return decide(seen)

    return await _finish(
        provisioning.write_team(
            asking.services, asking.caller, team, decide_if_it_matches, members=_is_conditional(asking),
            reason=_reason(asking, "Groups", team),
        )
    )  # fmt: skip


def _is_conditional(asking: Asking) -> bool:
    return "if-match" in asking.request.headers


def _check_team(asking: Asking, seen: TeamSeen) -> None:
    """Raises `ScimFault` where the request is for another version of a group."""
    if _is_conditional(asking):
        _check_match(asking, show_group(seen, asking.base))


async def _answer_group(asking: Asking, team: str, *, status: int = 200) -> Response:
    async with asking.services.reading(asking.caller) as reading:
        found = await scim.find_team(reading, team, members=wants(asking.parameters, "members"))
    if found is None:
        raise no_such("group", team)
    return asking.answer_resource(show_group(found, asking.base), status=status)


# ---------------------------------------------------------------------- both


async def _finish(work: Coroutine[Any, Any, Written]) -> Written:
    """What was written. Raises `ScimFault` where it was refused."""
    written = await work
    if written.errors:
        raise read_refusals(written.errors)
    return written


def _check_match(asking: Asking, resource: Person | Group) -> None:
    assert resource.meta is not None and resource.meta.version is not None, "all of it was shown"
    check_match(asking.request, resource.meta.version)


def _reason(asking: Asking, noun: str, name: str | None) -> str:
    return f"SCIM {asking.request.method} {noun}" + ("" if name is None else f" {name}")
