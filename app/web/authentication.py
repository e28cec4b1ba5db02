"""From a request's credentials to a caller."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from math import ceil

from starlette.requests import HTTPConnection

from app.domain.callers import Caller
from app.graphql.execution import Hear
from app.services.callers import authenticate, recall_caller
from app.services.context import Services
from app.services.index import RightsIndex
from app.telemetry.requests import note_actor
from app.web.protocol import ProtocolFault

CHALLENGE = {"www-authenticate": 'Bearer realm="permgate"'}


async def authenticate_request(services: Services, request: HTTPConnection) -> Caller:
    """The caller of a request. See `authenticate_head`."""
    return await authenticate_head(services, request.headers.getlist("authorization"), _find_host(request))


async def authenticate_head(
    services: Services,
    authorization: Sequence[str],
    host: str,
    *,
    hear: Hear | None = None,
    index: RightsIndex | None = None,
) -> Caller:
    """The caller of a request. Raises `ProtocolFault` (401), in the same words whatever is wrong with the token.

    Who sends one wrong token after another is told to wait (429). Others at the same address, as it may be that of a
    proxy, are served all the same: a good token is one that nobody guesses.

    `hear` is asked before the database is, where that has to be. `index`: the latest one, in which tokens are known.
    """
    token = read_token(authorization)
    caller = None if index is None else recall_caller(services, token, index, services.clock())
    if caller is None:
        if hear is not None:
            await hear()
        caller = await authenticate(services, token)
    if caller is None:
        wait = _note_failure(services, host) if token else 0.0
        if wait > 0:
            message = "too many wrong tokens came from this address: try again later"
            raise ProtocolFault(429, message, {"retry-after": str(ceil(wait))})
        raise ProtocolFault(401, "a valid token is needed: `Authorization: Bearer <token>`", CHALLENGE)
    note_actor(caller.user)
    return caller


def note_failure(services: Services, connection: HTTPConnection) -> float:
    """Counts a wrong token against the address it came from: for how many seconds that is held off, 0 for not at all.

    The address is the one of the connection, or what a proxy says that uvicorn was told to trust. Of IPv6 a network of
    64 bits counts as one: whoever has one address of it mostly has them all.
    """
    return _note_failure(services, _find_host(connection))


def _find_host(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client is not None else ""


def _note_failure(services: Services, host: str) -> float:
    try:
        address = ip_address(host)
    except ValueError:
        return services.failures.take(host, 1)
    return services.failures.take(ip_network((address, 64), strict=False) if address.version == 6 else address, 1)


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
