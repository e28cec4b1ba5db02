"""Refusals as SCIM writes them (RFC 7644, 3.12), and which of our refusals is which of theirs."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from scim2_models import Error, SCIMException

from app.domain.errors import DomainError, ErrorCode, InvalidValue

SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
MAX_DETAIL = 20  # refusals that are spelled out in one answer
_ATTRIBUTES = {"access": "roles", "email": "emails", "key": "displayName"}  # where ours are called otherwise


class ScimFault(Exception):
    """A request that is refused: with which status and, where the RFC has one, which keyword."""

    def __init__(
        self, status: int, detail: str, scim_type: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.detail = detail
        self.scim_type = scim_type
        self.headers = headers or {}
        super().__init__(detail)

    def render(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {"schemas": [SCHEMA], "status": str(self.status), "detail": self.detail}
        return body if self.scim_type is None else {**body, "scimType": self.scim_type}


def no_such(noun: str, name: str) -> ScimFault:
    """The refusal of an address under which there is nothing, or nothing for the caller."""
    return ScimFault(404, f"there is no {noun} `{name[:80]}`")


def read_scim_error(error: SCIMException | ValidationError) -> ScimFault:
    """What scim2-models refuses."""
    if isinstance(error, SCIMException):
        return ScimFault(error.status, str(error), error.scim_type or None)
    found = Error.from_validation_errors(error)[0]
    return ScimFault(found.status or 400, found.detail or "the request cannot be read", found.scim_type)


# By severity: the first that occurs among several refusals is the status of the answer.
_STATUSES: tuple[tuple[frozenset[ErrorCode], int, str | None], ...] = (
    (
        frozenset(
            {
                ErrorCode.NOT_PERMITTED,
                ErrorCode.DELEGATION_EXCEEDED,
                ErrorCode.SELF_ELEVATION,
                ErrorCode.LAST_OWNER,
                ErrorCode.UNMANAGEABLE_RIGHT,
            }
        ),
        403,
        None,
    ),
    (frozenset({ErrorCode.DUPLICATE}), 409, "uniqueness"),
    (frozenset({ErrorCode.STALE_REVISION, ErrorCode.STALE_PLAN}), 412, None),
    (
        frozenset(
            {
                ErrorCode.CONFLICT,
                ErrorCode.PREREQUISITE_NOT_MET,
                ErrorCode.DEPENDENTS_EXIST,
                ErrorCode.BRAKE,
                ErrorCode.IN_USE,
                ErrorCode.IDEMPOTENCY_MISMATCH,
            }
        ),
        409,
        None,
    ),
    (frozenset({ErrorCode.TOO_MANY}), 400, "tooMany"),
)


def read_refusals(errors: Iterable[DomainError]) -> ScimFault:
    """Our refusals as one of SCIM, which has room for one: the gravest names the status, all are told."""
    errors = tuple(errors)
    told = [_tell(error) for error in errors[:MAX_DETAIL]]
    if len(errors) > MAX_DETAIL:
        told.append(f"and {len(errors) - MAX_DETAIL} more")
    detail = "; ".join(told)
    codes = {error.code for error in errors}
    if codes == {ErrorCode.NOT_FOUND} and not any(error.path for error in errors):
        return ScimFault(404, str(errors[0]))
    for kinds, status, scim_type in _STATUSES:
        if codes & kinds:
            return ScimFault(status, detail, scim_type)
    return ScimFault(400, detail, "invalidValue")


def _tell(error: DomainError) -> str:
    """A refusal with its code and the attribute that it concerns."""
    expected = f", expected {error.expected}" if isinstance(error, InvalidValue) else ""
    where = "".join(f" {_ATTRIBUTES.get(name, name)}" for name in error.path[:1])
    return f"{error}{expected} [{error.code}{where}]"
