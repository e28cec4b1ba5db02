"""Reading: one resource, or a page of those that match a filter."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from unicodedata import normalize

from scim2_models import Context, ResponseParameters, ScimFilter, SearchRequest
from starlette.requests import Request
from starlette.responses import Response

from app.domain.callers import Caller
from app.services import scim
from app.services.context import Reading, Services
from app.services.provisioning import source_of
from app.services.scim import PeopleAsked, PersonSeen, TeamSeen
from app.web.admission import Admission
from app.web.scim.discovery import DEFAULT_COUNT, MAX_COUNT
from app.web.scim.faults import ScimFault, no_such
from app.web.scim.filters import Narrowed, check_filter, check_texts, count_comparisons, find_members_asked, narrow
from app.web.scim.groups import show_for_filter, show_group
from app.web.scim.people import show_person
from app.web.scim.resources import Group, Person
from app.web.scim.wire import is_named, write_json, write_nothing

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
PARAMETERS = ("filter", "startIndex", "count", "attributes", "excludedAttributes")
MAX_NAMES = 100  # attributes that are asked for, or left out: a person has some twenty, each with a few parts
MAX_START = 2**31  # a place in a list: nobody has as many people
TURN_S = 0.01  # of looking at people one by one, after which others get their turn
SHOWN = 6  # units of cost of one resource, loaded and spelled out; a member of a group is one more
MAX_COMPARISONS = 200_000  # of what a filter asks with those looked at one by one: some seconds of a processor
_PROJECTIONS: Mapping[type, "type[ResponseParameters[Any]]"] = {
    Person: ResponseParameters[Person],
    Group: ResponseParameters[Group],
}
_SEARCHES: Mapping[type, "type[SearchRequest[Any]]"] = {Person: SearchRequest[Person], Group: SearchRequest[Group]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request of a caller: what every handler is given. `base` is the address of the service without its host.

    It holds a place, and has paid for what every request takes: `charge` is told what it takes beside.
    """

    services: Services
    caller: Caller
    request: Request
    body: bytes
    media_type: str
    base: str
    admission: Admission
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return source_of(self.caller)

    def charge(self, cost: int) -> None:
        """Takes units of cost from the budget of the caller."""
        self.admission.charge(self.caller, cost)

    def answer(self, content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """An answer in the media type that was asked for."""
        return write_json(content, self.media_type, status=status, headers=headers)

    def answer_resource(self, resource: Person | Group, *, status: int = 200) -> Response:
        """An answer with a resource, as far as its attributes are asked for."""
        wanted = read_response_parameters(self.parameters, type(resource))
        assert resource.meta is not None, "every resource that is shown has one"
        headers = {"content-location": resource.meta.location or ""}
        if resource.meta.version is not None:
            headers["etag"] = resource.meta.version
        if status == 201:
            headers["location"] = headers["content-location"]
        return self.answer(render(resource, wanted), status=status, headers=headers)


def render(resource: Person | Group, wanted: "ResponseParameters[Any] | None" = None) -> dict[str, Any]:
    """A resource as JSON, as far as it is asked for."""
    return resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=wanted)


def read_response_parameters(parameters: Mapping[str, Any], model: type[Any]) -> "ResponseParameters[Any]":
    """Which attributes are asked for. Raises a `ValidationError` of scim2-models."""
    given = {name: parameters[name] for name in ("attributes", "excludedAttributes") if name in parameters}
    _bound_names(given)
    return _PROJECTIONS[model].model_validate(given)


def _bound_names(given: Mapping[str, Any]) -> None:
    """Raises `ScimFault` where more attributes are named than anybody has: each is looked for in every resource."""
    for parameter in ("attributes", "excludedAttributes"):
        names = given.get(parameter, "")
        count = names.count(",") + 1 if isinstance(names, str) else len(names) if isinstance(names, list) else 0
        if count > MAX_NAMES:
            raise ScimFault(
                400, f"`{parameter}` names {count} attributes: at most {MAX_NAMES} are taken", "invalidValue"
            )


def wants(parameters: Mapping[str, Any], attribute: str) -> bool:
    """Whether an attribute of many values is worth loading."""

    def names(parameter: str) -> set[str]:
        given = parameters.get(parameter, "")
        listed = given.split(",") if isinstance(given, str) else [str(one) for one in given]
        return {one.strip().lower().rpartition(":")[2].split(".")[0] for one in listed}

    if "attributes" in parameters:
        return attribute in names("attributes")
    return attribute not in names("excludedAttributes")


# ---------------------------------------------------------------------- one


async def get_user(asking: Asking, user: str) -> Response:
    """One user."""
    async with asking.services.reading(asking.caller) as reading:
        found = await scim.find_person(reading, user)
    if found is None:
        raise no_such("user", user)
    return _answer_unless_known(asking, show_person(found, asking.source, asking.base))


async def get_group(asking: Asking, team: str) -> Response:
    """One group."""
    async with asking.services.reading(asking.caller) as reading:
        found = await scim.find_team(reading, team, members=wants(asking.parameters, "members"))
    if found is None:
        raise no_such("group", team)
    asking.charge(len(found.members or ()))
    return _answer_unless_known(asking, show_group(found, asking.base))


def _answer_unless_known(asking: Asking, resource: Person | Group) -> Response:
    tag = None if resource.meta is None else resource.meta.version
    if tag is not None and is_named(asking.request.headers.get("if-none-match"), tag):
        return write_nothing(304, {"etag": tag})
    return asking.answer_resource(resource)


# ---------------------------------------------------------------------- many


async def list_users(asking: Asking) -> Response:
    """A page of the users that match a filter, by user name."""
    search = _read_search(asking.parameters, Person)
    narrowed = narrow(None if search.filter is None else search.filter.ast)
    wanted = PeopleAsked(
        id=narrowed.id,
        external_id=None if narrowed.external_id is None else normalize("NFC", narrowed.external_id),
        user_name=narrowed.user_name, active=narrowed.active,
        search=narrowed.search,
    )  # fmt: skip
    start, count = _read_page(search)
    async with asking.services.reading(asking.caller) as reading:
        total, page = await _find_people(reading, asking, search.filter, narrowed, wanted, start, count)
    return _answer_page(asking, page, total, start, search)


async def _find_people(
    reading: Reading,
    asking: Asking,
    matching: "ScimFilter[Any] | None",
    narrowed: Narrowed,
    wanted: PeopleAsked,
    start: int,
    count: int,
) -> tuple[int, list[Person]]:
    """How many there are in all, and those of the page."""

    def show(one: PersonSeen) -> Person:
        return show_person(one, asking.source, asking.base)

    if wanted.names_few:
        few = [show(one) for one in await scim.find_few(reading, wanted)]
        matched = [one for one in few if matching is None or narrowed.is_exact or matching.match(one)]
        return len(matched), matched[start - 1 : start - 1 + count]
    total = await scim.count_people(reading, wanted)
    if narrowed.is_exact or matching is None:
        found = [] if start > total else await scim.list_people(reading, wanted, start=start - 1, limit=count)
        return total, [show(one) for one in found]
    if total > scim.MAX_SCANNED:
        detail = (
            f"this filter has to look at {total} users one by one, and {scim.MAX_SCANNED} is the most: "
            "add `userName eq` or `externalId eq` to it"
        )
        raise ScimFault(400, detail, "tooMany")
    asking.charge(_count_comparisons(matching, total, "users") + total * SHOWN)
    place, page, turn = 0, list[Person](), monotonic()
    async for one in scim.scan_people(reading, wanted):
        if monotonic() - turn > TURN_S:
            await asyncio.sleep(0)
            turn = monotonic()
        resource = show(one)
        if matching.match(resource):
            place += 1
            if start <= place < start + count:
                page.append(resource)
    return place, page


async def list_groups(asking: Asking) -> Response:
    """A page of the groups that match a filter, by key."""
    search = _read_search(asking.parameters, Group)
    asked = find_members_asked(None if search.filter is None else search.filter.ast)
    start, count = _read_page(search)
    async with asking.services.reading(asking.caller) as reading:
        teams = await scim.list_teams(reading)
        if search.filter is not None:
            teams_of = await scim.find_teams_of(reading, asked) if asked else {}
            asking.charge(_count_comparisons(search.filter, len(teams), "groups"))
            teams = await _find_teams(search.filter, teams, teams_of)
        total = len(teams)
        page: Sequence[TeamSeen] = teams[start - 1 : start - 1 + count]
        if page and wants(asking.parameters, "members"):
            page = await scim.add_members(reading, page)
    return _answer_page(asking, [show_group(one, asking.base) for one in page], total, start, search)


async def _find_teams(
    matching: "ScimFilter[Any]", teams: Sequence[TeamSeen], teams_of: Mapping[str, frozenset[str]]
) -> Sequence[TeamSeen]:
    """The teams that match; `teams_of`: those of everybody whom the filter names."""
    found, turn = list[TeamSeen](), monotonic()
    for one in teams:
        if monotonic() - turn > TURN_S:
            await asyncio.sleep(0)
            turn = monotonic()
        if matching.match(show_for_filter(one, [who for who in teams_of if one.team.id in teams_of[who]])):
            found.append(one)
    return found


def _count_comparisons(matching: "ScimFilter[Any]", total: int, noun: str) -> int:
    """How much a filter is held against, one by one: about a unit of cost each. Raises `ScimFault` for too much."""
    asked = count_comparisons(matching.ast)
    if total * asked > MAX_COMPARISONS:
        message = f"this filter would ask {asked} things of each of {total} {noun}: ask less at a time"
        raise ScimFault(400, message, "tooMany")
    return total * asked


def _read_search(parameters: Mapping[str, Any], model: type[Any]) -> "SearchRequest[Any]":
    given = {name: parameters[name] for name in PARAMETERS if name in parameters}
    check_filter(given.get("filter"))
    _bound_names(given)
    search = _SEARCHES[model].model_validate(given)
    check_texts(None if search.filter is None else search.filter.ast)
    return search


def _read_page(search: "SearchRequest[Any]") -> tuple[int, int]:
    """Where a page begins, and how long it is at most."""
    count = DEFAULT_COUNT if search.count is None else min(search.count, MAX_COUNT)
    return min(search.start_index or 1, MAX_START), count


def _answer_page(
    asking: Asking, page: Sequence[Person | Group], total: int, start: int, search: "SearchRequest[Any]"
) -> Response:
    asking.charge(len(page) * SHOWN + sum(len(one.members or ()) for one in page if isinstance(one, Group)))
    resources = [render(one, search) for one in page]
    content = {
        "schemas": [LIST], "totalResults": total, "startIndex": start, "itemsPerPage": len(resources),
        "Resources": resources,
    }  # fmt: skip
    return asking.answer(content)
