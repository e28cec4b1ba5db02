"""`/scim/v2`: which address and method is answered by what, and every refusal in the words of SCIM."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from graphql import OperationType
from pydantic import ValidationError
from scim2_models import SCIMException
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import Refused
from app.domain.outages import Outage, UndecidedCommit
from app.graphql.costs import MUTATION, REQUEST
from app.graphql.execution import Abandoned, DeadlinePassed, within
from app.graphql.faults import log_outage
from app.services.context import Services
from app.services.scim import list_roles
from app.telemetry import log
from app.web.admission import SOON_S, Admission, Held
from app.web.authentication import authenticate_request
from app.web.hearing import Hearing
from app.web.outages import LATER, status_of
from app.web.protocol import ProtocolFault, receive_body
from app.web.scim import changes, queries
from app.web.scim.discovery import describe_schemas, describe_service, describe_types
from app.web.scim.faults import ScimFault, no_such, read_refusals, read_scim_error
from app.web.scim.queries import LIST, PARAMETERS, SEARCH, Asking
from app.web.scim.roles import spell_role
from app.web.scim.wire import ROOT, choose_media_type, read_content, read_parameters, write_json

Answer = Callable[[Asking], Coroutine[Any, Any, Response]]


class ScimEndpoint:
    """Everything below `/scim/v2`."""

    def __init__(self, services: Services, admission: Admission) -> None:
        self.services = services
        self.admission = admission

    async def __call__(self, request: Request) -> Response:
        media_type = choose_media_type(request.headers.get("accept"))
        hearing = Hearing(request.receive)
        try:
            return await self._answer(request, media_type, hearing)
        except Abandoned:
            return Response(status_code=400)  # which nobody hears
        except ScimFault as found:
            fault = found
        except ProtocolFault as refused:
            fault = ScimFault(refused.status, refused.message, headers=refused.headers)
        except Held as held:
            fault = ScimFault(held.status, str(held), headers={"retry-after": str(held.retry_after)})
        except DeadlinePassed as passed:
            fault = ScimFault(503, str(passed), headers={"retry-after": str(SOON_S)})
        except Refused as refused:
            fault = read_refusals(refused.errors)
        except (SCIMException, ValidationError) as error:
            fault = read_scim_error(error)
        except Outage as outage:
            log_outage(outage)
            fault = _tell_of_outage(outage)
        except Exception as error:  # what fails inside stays inside: the client gets a reference to the log
            reference = sha256(repr((request.method, request.url.path)).encode()).hexdigest()[:12]
            log("a SCIM request failed", level=40, exception=error, reference=reference, method=request.method)
            fault = ScimFault(500, f"internal error, reference {reference}")
        finally:
            hearing.end()
        return write_json(fault.render(), media_type, status=fault.status, headers=fault.headers)

    async def _answer(self, request: Request, media_type: str, hearing: Hearing) -> Response:
        caller = await authenticate_request(self.services, request)
        self.admission.pay(caller, 0)  # who owes is told before anything is read
        path = request.path_params.get("path", "")
        segments = path.strip("/").split("/") if path.strip("/") else []
        answers = find_answers(segments)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in answers:
            allowed = ", ".join(answers)
            raise ScimFault(405, f"use {allowed} here", headers={"allow": allowed})
        body = await receive_body(request, self.admission.limits) if method in {"POST", "PUT", "PATCH"} else b""
        asking = Asking(
            services=self.services, caller=caller, request=request, body=body, media_type=media_type,
            base=request.scope.get("root_path", "") + ROOT, parameters=read_parameters(request),
            admission=self.admission,
        )  # fmt: skip
        is_change = method != "GET" and segments[-1] != ".search"
        self.admission.pay(caller, REQUEST + MUTATION if is_change else REQUEST)
        kind = OperationType.MUTATION if is_change else OperationType.QUERY
        leaving = await hearing()
        async with self.admission.take_place(caller, kind):  # for nobody whose body still comes
            if leaving.done():
                raise Abandoned
            work, limits = answers[method](asking), self.admission.limits
            if is_change:  # once begun it is brought to its end
                return await within(limits.mutation_timeout_s, work)
            return await within(limits.query_timeout_s, work, leaving=leaving)


def _tell_of_outage(outage: Outage) -> ScimFault:
    """SCIM has no idempotency keys: what was done shows when it is read."""
    if isinstance(outage, UndecidedCommit):
        return ScimFault(status_of(outage), "nobody knows whether this was done: read it before it is sent again")
    return ScimFault(status_of(outage), "the database cannot do this now: send it again in a moment", headers=LATER)


def find_answers(segments: list[str]) -> Mapping[str, Answer]:
    """What answers an address, by method. Raises `ScimFault` where there is nothing."""
    match segments:
        case ["Users"]:
            return {"GET": queries.list_users, "POST": changes.create_user}
        case ["Users", ".search"]:
            return {"POST": _searching(queries.list_users)}
        case ["Users", user]:
            return {
                "GET": lambda asking: queries.get_user(asking, user),
                "PUT": lambda asking: changes.replace_user(asking, user),
                "PATCH": lambda asking: changes.patch_user(asking, user),
                "DELETE": lambda asking: changes.delete_user(asking, user),
            }
        case ["Groups"]:
            return {"GET": queries.list_groups, "POST": changes.create_group}
        case ["Groups", ".search"]:
            return {"POST": _searching(queries.list_groups)}
        case ["Groups", group]:
            return {
                "GET": lambda asking: queries.get_group(asking, group),
                "PUT": lambda asking: changes.replace_group(asking, group),
                "PATCH": lambda asking: changes.patch_group_by(asking, group),
                "DELETE": lambda asking: changes.delete_group(asking, group),
            }
        case ["ServiceProviderConfig"]:
            return {"GET": _show_service}
        case ["ResourceTypes" | "Schemas" as noun, *names] if len(names) < 2:
            return {"GET": lambda asking: _show_described(asking, noun, *names)}
        case ["Bulk"]:
            return {
                "POST": _refusing("requests in bulk are not supported: send them one by one, or use `permgate sync`")
            }
        case ["Me"]:
            return dict.fromkeys(
                ("GET", "PUT", "PATCH", "DELETE"), _refusing("`/Me` is not supported: use `/Users/{id}`")
            )
        case [] | [".search"]:
            refuse = _refusing("ask `/Users` or `/Groups`: both at once is not supported")
            return {"GET": refuse} if not segments else {"POST": refuse}
        case _:
            raise no_such("address", f"{ROOT}/{'/'.join(segments)}")


def _searching(answer: Answer) -> Answer:
    """A list that is asked for by a body instead of parameters (RFC 7644, 3.4.3)."""

    async def search(asking: Asking) -> Response:
        content = read_content(asking.request, asking.body)
        if content.get("schemas", [SEARCH]) != [SEARCH]:
            raise ScimFault(400, f"`schemas` of a search is `{SEARCH}` alone", "invalidSyntax")
        given = {name: content[name] for name in PARAMETERS if content.get(name) is not None}
        if not isinstance(given.get("filter", ""), str):
            raise ScimFault(400, "`filter` must be a text", "invalidFilter")
        return await answer(replace(asking, parameters=given))

    return search


def _refusing(detail: str) -> Answer:
    async def refuse(_asking: Asking) -> Response:
        raise ScimFault(501, detail)

    return refuse


async def _show_service(asking: Asking) -> Response:
    return asking.answer(describe_service(asking.base, most_bytes=asking.admission.limits.max_body_bytes))


async def _show_described(asking: Asking, noun: str, name: str | None = None) -> Response:
    """All resource types or schemas, or one by its id."""
    if "filter" in asking.parameters:
        raise ScimFault(403, f"`{noun}` are not filtered")  # RFC 7644, 4
    if noun == "ResourceTypes":
        found = describe_types(asking.base)
    else:
        async with asking.services.reading(asking.caller) as reading:
            roles = [spell_role(role.key, None) for role in await list_roles(reading)]
        found = describe_schemas(asking.base, roles)
    if name is None:
        total = len(found)
        return asking.answer(
            {"schemas": [LIST], "totalResults": total, "startIndex": 1, "itemsPerPage": total, "Resources": found}
        )
    for one in found:
        if one["id"] == name:
            return asking.answer(one)
    raise no_such("schema" if noun == "Schemas" else "resource type", name)
