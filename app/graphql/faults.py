"""Protocol faults: what goes to `errors[]`, with the codes that clients and tools know (Apollo's)."""

from collections.abc import Iterable
from enum import StrEnum

from graphql import GraphQLError

from app.domain.errors import DomainError, ErrorCode, InvalidValue
from app.domain.outages import Outage, UndecidedCommit, WritesStopped
from app.telemetry import log

RETRY_S = 1  # when to ask again what the database could not do: its busy times and restarts take about as long


class FaultCode(StrEnum):
    """`extensions.code` of an error. Upper case, as Apollo spells them."""

    BAD_USER_INPUT = "BAD_USER_INPUT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_REQUEST = "BAD_REQUEST"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    PERSISTED_QUERY_ID_REQUIRED = "PERSISTED_QUERY_ID_REQUIRED"
    COST_ESTIMATED_TOO_EXPENSIVE = "COST_ESTIMATED_TOO_EXPENSIVE"
    REQUEST_RATE_LIMITED = "REQUEST_RATE_LIMITED"
    REQUEST_CONCURRENCY_LIMITED = "REQUEST_CONCURRENCY_LIMITED"
    GATEWAY_TIMEOUT = "GATEWAY_TIMEOUT"
    INTERRUPTED = "INTERRUPTED"
    REVISION_NOT_REACHED = "REVISION_NOT_REACHED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class Fault(GraphQLError):
    """An error whose message is meant for the client."""

    def __init__(self, message: str, code: FaultCode = FaultCode.BAD_USER_INPUT, **extensions: object) -> None:
        super().__init__(message, extensions={"code": code.value, **extensions})


def fault_of(errors: Iterable[DomainError]) -> Fault:
    """Refusals of a question that has no place for them as data."""
    errors = list(errors)
    messages = []
    for error in errors:
        where = ".".join(error.path)
        expected = f"; expected {error.expected}" if isinstance(error, InvalidValue) else ""
        messages.append(f"{where}: {error}{expected}" if where else f"{error}{expected}")
    forbidden = any(error.code is ErrorCode.NOT_PERMITTED for error in errors)
    return Fault("; ".join(messages), FaultCode.FORBIDDEN if forbidden else FaultCode.BAD_USER_INPUT)


def read_outage(outage: Outage) -> Fault:
    """What a client is told of what the database could not do, and what to do about it.

    `outcome: "UNKNOWN"` stands where nobody knows whether a change was made.
    """
    if isinstance(outage, UndecidedCommit):
        message = "nobody knows whether this was done: ask again under the same `idempotencyKey`, and it is done once"
        return Fault(message, FaultCode.INTERNAL_SERVER_ERROR, outcome="UNKNOWN")
    message = "the database cannot do this now: ask again in a moment, for a change under the same `idempotencyKey`"
    if isinstance(outage, WritesStopped):
        message = "this process takes no changes any more, and nothing was changed: another one will, in a moment"
    return Fault(message, FaultCode.SERVICE_UNAVAILABLE, retryAfter=RETRY_S)


def log_outage(outage: Outage) -> None:
    """Says in the log what the client is not told."""
    log("the database failed", level=40 if isinstance(outage, UndecidedCommit) else 30, exception=outage)
