"""The addresses: GraphQL, its IDE, SCIM, feeds."""

import asyncio
from functools import partial

from graphql import OperationType
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from app.domain.callers import Caller
from app.domain.outages import Outage
from app.graphql.execution import ANSWERED, LISTENED, Abandoned, Admitted, DeadlinePassed, Executor, RequestFault
from app.graphql.faults import FaultCode
from app.graphql.listening import Listener
from app.graphql.trusted import make_policy
from app.services.context import Services
from app.services.index import RightsIndex
from app.settings import Settings
from app.web.admission import SOON_S, Admission, Held
from app.web.authentication import authenticate_again, authenticate_head, read_token
from app.web.connections import Connections
from app.web.feeds import FeedEndpoint
from app.web.graphiql.pages import graphiql_routes
from app.web.hearing import Hearing
from app.web.outages import LATER, find_status, write_outage
from app.web.protocol import (
    CODES,
    EVENT_STREAM,
    JSON,
    Head,
    ProtocolFault,
    accepts_events,
    check_post,
    choose_media_type,
    read_get,
    read_post,
    receive_all,
    write_answer,
    write_fault,
)
from app.web.sockets import SocketEndpoint
from app.web.streams import EventStream, write_events

GRAPHQL = "/graphql"
QUERIES = frozenset({OperationType.QUERY})


class GraphQLEndpoint:
    """`/graphql`: POST for any operation, GET for queries. An answer that is there at once is waited for by nobody."""

    def __init__(self, services: Services, admission: Admission, connections: Connections) -> None:
        self.services = services
        self.admission = admission
        self.connections = connections
        self._looked: tuple[RightsIndex | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hearing = Hearing(receive)
        try:
            response = await self._answer(Head(scope), scope, receive, hearing)
        finally:
            hearing.end()
        await response(scope, receive, send)

    async def _answer(self, head: Head, scope: Scope, receive: Receive, hearing: Hearing) -> Response:
        media_type, only_events = JSON, False
        try:
            if head.method not in {"GET", "POST"}:
                raise ProtocolFault(405, "use GET or POST", {"allow": "GET, POST"})
            is_post = head.method == "POST"
            media_type = choose_media_type(head.accept, or_events=is_post)
            if media_type == EVENT_STREAM:
                media_type, only_events = JSON, True  # what is refused with a status of HTTP is told in JSON
            limits = self.admission.limits
            # A small body is there already, or nearly. A large one has to wait until it is known whose it is.
            body = await receive_all(receive, head.content_length, limits) if head.is_small(limits) else None
            hear = None if is_post and body is None else hearing
            index = self.find_index() or await self.services.index.expect()
            caller = await authenticate_head(self.services, head.authorization, head.client, hear=hear, index=index)
            if is_post:
                check_post(head)
                if body is None:
                    body = await receive_all(receive, head.content_length, limits)
                    index = None  # that was the latest before the client had sent what it asks
                asked = await read_post(body)
                only = LISTENED | ANSWERED if accepts_events(head.accept) else ANSWERED
            else:
                asked, only = read_get(scope["query_string"]), QUERIES
            admitted = await self.admission.admit(caller, asked, only=only, hear=hearing)
            if admitted.kind is OperationType.SUBSCRIPTION:
                return self._open_stream(head, caller, admitted)
            answer = await self.admission.execute(caller, admitted, hear=hearing, index=index)
        except Abandoned:
            return Response(status_code=400)  # which nobody hears
        except ProtocolFault as fault:
            code = CODES.get(fault.status, FaultCode.BAD_REQUEST)
            return write_fault(fault.status, code, fault.message, media_type, fault.headers)
        except RequestFault as fault:
            return self._refuse(head, fault, media_type, only_events=only_events)
        except Outage as outage:
            return write_outage(outage, media_type)
        if only_events:
            return write_events(answer)
        status = find_status(answer)
        return write_answer(answer, media_type, status=status, headers=LATER if status == 503 else None)

    def find_index(self) -> RightsIndex | None:
        """The index of the latest revision, looked for once for all requests that have come by now.

        Those that come later are taken up by the event loop after it has forgotten what was found.
        """
        if self._looked is None:
            self._looked = (self.services.index.current(),)
            asyncio.get_running_loop().call_soon(self._forget_index)
        return self._looked[0]

    def _forget_index(self) -> None:
        self._looked = None

    def _open_stream(self, head: Head, caller: Caller, admitted: Admitted) -> Response:
        token = read_token(head.authorization)
        listener = Listener(self.services, caller, partial(authenticate_again, self.services, token))
        most = self.admission.limits.max_caller_streams
        return EventStream(self.admission, self.connections, listener, admitted, most=most)

    @staticmethod
    def _refuse(head: Head, fault: RequestFault, media_type: str, *, only_events: bool) -> Response:
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
        if head.method == "GET" and fault.errors[0].extensions == {"code": FaultCode.BAD_REQUEST.value}:
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
        Route(GRAPHQL, endpoint, methods=methods),
        WebSocketRoute(GRAPHQL, SocketEndpoint(services, admission, settings, connections).serve),
        Route("/scim/v2", scim.__call__, methods=methods),
        Route("/scim/v2/{path:path}", scim.__call__, methods=methods),
        Route("/sync/{source:path}", FeedEndpoint(services, admission)),
    ]
    return routes + (graphiql_routes() if settings.graphiql else [])
