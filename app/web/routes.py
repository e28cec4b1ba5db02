"""The addresses: GraphQL, its IDE, SCIM, feeds."""

from graphql import OperationType
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.graphql.execution import DeadlinePassed, Executor, RequestFault
from app.graphql.faults import FaultCode
from app.services.context import Services
from app.settings import Settings
from app.web.admission import SOON_S, Admission, Held
from app.web.authentication import authenticate_request
from app.web.feeds import FeedEndpoint
from app.web.graphiql.pages import graphiql_routes
from app.web.protocol import JSON, ProtocolFault, choose_media_type, read_request, write_answer, write_fault
from app.web.scim.endpoint import ScimEndpoint
from app.web.sockets import SocketEndpoint

QUERIES = frozenset({OperationType.QUERY})
ANYTHING = frozenset({OperationType.QUERY, OperationType.MUTATION})


class GraphQLEndpoint:
    """`/graphql`: POST for any operation, GET for queries."""

    def __init__(self, services: Services, admission: Admission) -> None:
        self.services = services
        self.admission = admission

    async def __call__(self, request: HttpRequest) -> Response:
        media_type = JSON
        try:
            if request.method not in {"GET", "POST"}:
                raise ProtocolFault(405, "use GET or POST", {"allow": "GET, POST"})
            media_type = choose_media_type(request.headers.get("accept"))
            caller = await authenticate_request(self.services, request)
            asked = await read_request(request)
            only = QUERIES if request.method == "GET" else ANYTHING
            admitted = await self.admission.admit(caller, asked, only=only)
            answer = await self.admission.execute(caller, admitted)
        except ProtocolFault as fault:
            code = FaultCode.UNAUTHENTICATED if fault.status == 401 else FaultCode.BAD_REQUEST
            return write_fault(fault.status, code, fault.message, media_type, fault.headers)
        except RequestFault as fault:
            return self._refuse(request, fault, media_type)
        return write_answer(answer, media_type)

    @staticmethod
    def _refuse(request: HttpRequest, fault: RequestFault, media_type: str) -> Response:
        errors: dict[str, object] = {"errors": [error.formatted for error in fault.errors]}
        if isinstance(fault, Held):
            headers = {"retry-after": str(fault.retry_after)}
            return write_answer(errors, media_type, status=fault.status, headers=headers)
        if isinstance(fault, DeadlinePassed):  # something was run
            headers = {"retry-after": str(SOON_S)}
            return write_answer({**errors, "data": None}, media_type, status=503, headers=headers)
        if "revision" in (fault.errors[0].extensions or {}):
            errors["extensions"] = {"revision": fault.errors[0].extensions["revision"]}  # type: ignore[index]  # see above
        if request.method == "GET" and fault.errors[0].extensions == {"code": FaultCode.BAD_REQUEST.value}:
            return write_answer(errors, media_type, status=405, headers={"allow": "POST"})
        # The draft lets a JSON answer be 200 even then, and older clients read nothing else.
        return write_answer(errors, media_type, status=200 if media_type == JSON else 400)


def make_routes(services: Services, settings: Settings) -> list[BaseRoute]:
    """The addresses of a gateway."""

    executor = Executor().within(settings.limits)
    endpoint = GraphQLEndpoint(services, Admission(services, executor, settings.limits))
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
    routes: list[BaseRoute] = [
        Route("/graphql", endpoint.__call__, methods=methods),
        WebSocketRoute("/graphql", SocketEndpoint(services, executor, settings.allowed_origins).serve),
        Route("/scim/v2", ScimEndpoint(services).__call__, methods=methods),
        Route("/scim/v2/{path:path}", ScimEndpoint(services).__call__, methods=methods),
        Route("/sync/{source:path}", FeedEndpoint(services)),
    ]
    return routes + (graphiql_routes() if settings.graphiql else [])
