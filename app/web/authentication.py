"""From a request's credentials to a caller."""

from starlette.requests import HTTPConnection

from app.domain.callers import Caller
from app.services.callers import authenticate
from app.services.context import Services
from app.web.protocol import ProtocolFault

CHALLENGE = {"www-authenticate": 'Bearer realm="permgate"'}


async def authenticate_request(services: Services, request: HTTPConnection) -> Caller:
    """The caller of a request. Raises `ProtocolFault` (401), in the same words whatever is wrong with the token."""
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    caller = await authenticate(services, token.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise ProtocolFault(401, "a valid token is needed: `Authorization: Bearer <token>`", CHALLENGE)
    return caller
