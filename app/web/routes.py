"""The addresses: GraphQL, its IDE, SCIM, feeds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from graphql import OperationType
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.domain.callers import Caller
from app.domain.outages import Outage
from app.graphql.execution import ANSWERED, LISTENED, Abandoned, Admitted, DeadlinePassed, Executor, RequestFault
from app.graphql.faults import FaultCode
from app.graphql.listening import Listener
from app.graphql.trusted import make_policy
from app.services.context import Services
from app.settings import Settings
from app.web.admission import SOON_S, Admission, Held
from app.web.authentication import authenticate_again, authenticate_request, read_token
from app.web.connections import Connections
from app.web.feeds import FeedEndpoint
from app.web.graphiql.pages import graphiql_routes
from app.web.outages import LATER, find_status, write_outage
from app.web.protocol import (
    CODES,
    EVENT_STREAM,
    JSON,
    ProtocolFault,
    accepts_events,
    choose_media_type,
    read_request,
    receive_small,
    write_answer,
    write_fault,
)
from app.web.sockets import SocketEndpoint
from app.web.streams import EventStream, write_events

QUERIES = frozenset({OperationType.QUERY})


@asynccontextmanager
async def _hearing(request: HttpRequest) -> AsyncIterator["asyncio.Future[None]"]:
    """What is done when the client of a request, whose body has been read, is gone."""

    async def hear() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    leaving = asyncio.ensure_future(hear())
    try:
        yield leaving
    finally:
        leaving.cancel()


class GraphQLEndpoint:
    """`/graphql`: POST for any operation, GET for queries."""

    def __init__(self, services: Services, admission: Admission, connections: Connections) -> None:
        self.services = services
        self.admission = admission
        self.connections = connections

    async def __call__(self, request: HttpRequest) -> Response:
        media_type, only_events = JSON, False
        try:
            if request.method not in {"GET", "POST"}:
                raise ProtocolFault(405, "use GET or POST", {"allow": "GET, POST"})
            accept, is_post = request.headers.get("accept"), request.method == "POST"
            media_type = choose_media_type(accept, or_events=is_post)
            if media_type == EVENT_STREAM:
                media_type, only_events = JSON, True  # what is refused with a status of HTTP is told in JSON
            await receive_small(request, self.admission.limits)
            caller = await authenticate_request(self.services, request)
            asked = await read_request(request, self.admission.limits)
            only = (LISTENED | ANSWERED if accepts_events(accept) else ANSWERED) if is_post else QUERIES
            admitted = await self.admission.admit(caller, asked, only=only)
            if admitted.kind is OperationType.SUBSCRIPTION:
                return self._open_stream(request, caller, admitted)
            async with _hearing(request) as leaving:
                answer = await self.admission.execute(caller, admitted, leaving=leaving)
        except Abandoned:
            return Response(status_code=400)  # which nobody hears
        except ProtocolFault as fault:
            code = CODES.get(fault.status, FaultCode.BAD_REQUEST)
            return write_fault(fault.status, code, fault.message, media_type, fault.headers)
        except RequestFault as fault:
            return self._refuse(request, fault, media_type, only_events=only_events)
        except Outage as outage:
            return write_outage(outage, media_type)
        if only_events:
            return write_events(answer)
        status = find_status(answer)
        return write_answer(answer, media_type, status=status, headers=LATER if status == 503 else None)

    def _open_stream(self, request: HttpRequest, caller: Caller, admitted: Admitted) -> Response:
        token = read_token(request.headers.getlist("authorization"))
        listener = Listener(self.services, caller, partial(authenticate_again, self.services, token))
        most = self.admission.limits.max_caller_streams
        return EventStream(self.admission, self.connections, listener, admitted, most=most)

    @staticmethod
    def _refuse(request: HttpRequest, fault: RequestFault, media_type: str, *, only_events: bool) -> Response:
        errors: dict[str, object] = {"errors": [error.formatted for error in fault.errors]}
        if isinstance(fault, Held):
            headers = {"retry-after": str(fault.retry_after)}
            return write_answer(errors, media_type, status=fault.status, headers=headers)
        if isinstance(fault, DeadlinePassed):  # something was run
            headers = {"retry-after": str(SOON_S)}
            return write_answer({**errors, "data": None}, media_type, status=503, headers=headers)
        if only_events:
            return write_events(errors)
        if "revision" in (fault.errors[0].extensions or {}):
            errors["extensions"] = {"revision": fault.errors[0].extensions["revision"]}  # type: ignore[index]  # see above
        if request.method == "GET" and fault.errors[0].extensions == {"code": FaultCode.BAD_REQUEST.value}:
            return write_answer(errors, media_type, status=405, headers={"allow": "POST"})
        # The draft lets a JSON answer be 200 even then, and older clients read nothing else.
        return write_answer(errors, media_type, status=200 if media_type == JSON else 400)


def make_routes(services: Services, settings: Settings, connections: Connections | None = None) -> list[BaseRoute]:
    """The addresses of a gateway. `connections` are those that stay open, for whoever has to tell them to leave.

    Raises `SettingsFaults` for trusted documents that are none.
    """
    # Here, since its models take a second to make: a command that serves nothing does without.
    from app.web.scim.endpoint import ScimEndpoint

    connections = Connections(settings.limits.max_connections) if connections is None else connections
    executor = Executor().within(settings.limits)
    executor = executor.under(make_policy(settings, executor))
    admission = Admission(services, executor, settings.limits)
    endpoint = GraphQLEndpoint(services, admission, connections)
    scim = ScimEndpoint(services, admission)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
    routes: list[BaseRoute] = [
        Route("/graphql", endpoint.__call__, methods=methods),
        WebSocketRoute("/graphql", SocketEndpoint(services, admission, settings, connections).serve),
        Route("/scim/v2", scim.__call__, methods=methods),
        Route("/scim/v2/{path:path}", scim.__call__, methods=methods),
        Route("/sync/{source:path}", FeedEndpoint(services, admission)),
    ]
    return routes + (graphiql_routes() if settings.graphiql else [])
