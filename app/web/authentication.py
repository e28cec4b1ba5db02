"""From a request's credentials to a caller."""

from collections.abc import Sequence

from starlette.requests import HTTPConnection

from app.domain.callers import Caller
from app.services.callers import authenticate
from app.services.context import Services
from app.telemetry.requests import note_actor
from app.web.protocol import ProtocolFault

CHALLENGE = {"www-authenticate": 'Bearer realm="permgate"'}


async def authenticate_request(services: Services, request: HTTPConnection) -> Caller:
    """The caller of a request. Raises `ProtocolFault` (401), in the same words whatever is wrong with the token."""
    caller = await authenticate(services, read_token(request.headers.getlist("authorization")))
    if caller is None:
        raise ProtocolFault(401, "a valid token is needed: `Authorization: Bearer <token>`", CHALLENGE)
    note_actor(caller.user)
    return caller


async def authenticate_again(services: Services, token: str) -> Caller | None:
    """The caller of what stays open, as of now; None when the token is not good any more, by our clock as well."""
    caller = await authenticate(services, token)
    if caller is None or (caller.expires_at is not None and services.clock() >= caller.expires_at):
        return None
    return caller


def read_token(authorization: Sequence[str]) -> str:
    """The token of the one value of `Authorization` that was given; empty for none, or for several."""
    scheme, _, token = authorization[0].partition(" ") if len(authorization) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""
