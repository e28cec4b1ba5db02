"""Every way in which the gateway says no to a request, one class per refusal, each with its stable code.

A refusal is data: services collect refusals and raise them together as `Refused`; a door renders them. Messages are for
the reader: lower case, their input in backticks, and what would help.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.domain.fixes import Fix
    from app.domain.requirements import Requirement
    from app.domain.values import Value

MAX_REFUSALS = 100  # refusals listed in one answer (SEMANTICS section 6); their number is told beyond that


class ErrorCode(StrEnum):
    """What kind of refusal. Upper case, words joined by `_`, a noun phrase for the state that stands in the way."""

    PREREQUISITE_NOT_MET = "PREREQUISITE_NOT_MET"
    DEPENDENTS_EXIST = "DEPENDENTS_EXIST"
    INVALID_VALUE = "INVALID_VALUE"
    NOT_FOUND = "NOT_FOUND"
    NOT_PERMITTED = "NOT_PERMITTED"
    DELEGATION_EXCEEDED = "DELEGATION_EXCEEDED"
    SELF_ELEVATION = "SELF_ELEVATION"
    LAST_OWNER = "LAST_OWNER"
    UNMANAGEABLE_RIGHT = "UNMANAGEABLE_RIGHT"
    CONFLICT = "CONFLICT"
    STALE_REVISION = "STALE_REVISION"
    STALE_PLAN = "STALE_PLAN"
    BRAKE = "BRAKE"
    CYCLE = "CYCLE"
    DUPLICATE = "DUPLICATE"
    IN_USE = "IN_USE"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    NOT_GRANTABLE = "NOT_GRANTABLE"
    ADVISORY = "ADVISORY"
    PREREQUISITE_ENDS_EARLIER = "PREREQUISITE_ENDS_EARLIER"
    TOO_MANY = "TOO_MANY"


@dataclass(eq=False)
class DomainError(Exception):
    """A refusal or a warning. `path` points into the request, outermost field first."""

    message: str
    path: tuple[str, ...] = field(default=(), kw_only=True)
    code: ErrorCode = field(default=ErrorCode.CONFLICT, kw_only=True)

    def __str__(self) -> str:
        return self.message

    def under(self, *outer: str) -> "DomainError":
        """This refusal, its path seen from further out; the same object."""
        self.path = (*outer, *self.path)
        return self


@dataclass(eq=False)
class InvalidValue(DomainError):
    """A field holds what it cannot hold; `expected` says what it can."""

    expected: str = field(kw_only=True)
    code: ErrorCode = field(default=ErrorCode.INVALID_VALUE, kw_only=True)


@dataclass(eq=False)
class NotFound(DomainError):
    """Nothing there, or nothing there for the caller: the two read alike."""

    code: ErrorCode = field(default=ErrorCode.NOT_FOUND, kw_only=True)


@dataclass(eq=False)
class NotPermitted(DomainError):
    """Something that the caller, or nobody, may do."""

    code: ErrorCode = field(default=ErrorCode.NOT_PERMITTED, kw_only=True)


@dataclass(eq=False)
class NotGrantable(DomainError):
    """A row was asked for on a node that takes none: a group, an operation, an access level."""

    code: ErrorCode = field(default=ErrorCode.NOT_GRANTABLE, kw_only=True)


@dataclass(eq=False)
class Conflict(DomainError):
    """The request contradicts what stands."""


@dataclass(eq=False)
class Duplicate(DomainError):
    """A natural key is taken, or one request names a thing twice."""

    code: ErrorCode = field(default=ErrorCode.DUPLICATE, kw_only=True)


@dataclass(eq=False)
class Cycle(DomainError):
    """A role or a team would include itself."""

    code: ErrorCode = field(default=ErrorCode.CYCLE, kw_only=True)


@dataclass(eq=False)
class LastOwner(DomainError):
    """Nobody would own the account, or a contract, any more."""

    code: ErrorCode = field(default=ErrorCode.LAST_OWNER, kw_only=True)


@dataclass(eq=False)
class SelfElevation(DomainError):
    """The caller would raise themselves."""

    code: ErrorCode = field(default=ErrorCode.SELF_ELEVATION, kw_only=True)


@dataclass(eq=False)
class StaleRevision(DomainError):
    """What a request is about has changed since the caller looked."""

    code: ErrorCode = field(default=ErrorCode.STALE_REVISION, kw_only=True)


@dataclass(eq=False)
class IdempotencyMismatch(DomainError):
    """An idempotency key was used for another request."""

    code: ErrorCode = field(default=ErrorCode.IDEMPOTENCY_MISMATCH, kw_only=True)


@dataclass(eq=False)
class TooMany(DomainError):
    """More in one request than is taken, or more refusals than are listed."""

    code: ErrorCode = field(default=ErrorCode.TOO_MANY, kw_only=True)


@dataclass(eq=False)
class StalePlan(DomainError):
    """What a plan read has changed since."""

    code: ErrorCode = field(default=ErrorCode.STALE_PLAN, kw_only=True)


@dataclass(eq=False)
class Braked(DomainError):
    """A plan takes away more than is let pass."""

    code: ErrorCode = field(default=ErrorCode.BRAKE, kw_only=True)


@dataclass(eq=False)
class Warned(DomainError):
    """Done, but the caller should know."""

    code: ErrorCode = field(default=ErrorCode.ADVISORY, kw_only=True)


@dataclass(eq=False)
class PrerequisiteNotMet(DomainError):
    """A right would stand without what it needs."""

    holder: str | None = field(kw_only=True)
    affected: int = field(kw_only=True)
    node: str = field(kw_only=True)
    missing: "tuple[Requirement, ...]" = field(kw_only=True)
    fixes: "tuple[Fix, ...]" = field(kw_only=True)
    code: ErrorCode = field(default=ErrorCode.PREREQUISITE_NOT_MET, kw_only=True)


@dataclass(eq=False)
class DependentsExist(DomainError):
    """Other rights of the holder stand on what would go."""

    holder: str | None = field(kw_only=True)
    affected: int = field(kw_only=True)
    node: str = field(kw_only=True)
    dependents: tuple[str, ...] = field(kw_only=True)
    code: ErrorCode = field(default=ErrorCode.DEPENDENTS_EXIST, kw_only=True)


@dataclass(eq=False)
class DelegationExceeded(DomainError):
    """The caller holds less than they would give."""

    node: str = field(kw_only=True)
    held: "Value" = field(kw_only=True)
    asked: "Value" = field(kw_only=True)
    code: ErrorCode = field(default=ErrorCode.DELEGATION_EXCEEDED, kw_only=True)


class Refused(Exception):
    """A request was refused, for all these reasons; nothing was changed."""

    def __init__(self, errors: Iterable[DomainError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(str(error) for error in self.errors))
