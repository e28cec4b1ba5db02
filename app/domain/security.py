"""Refused attempts to raise rights (SEMANTICS section 8): which refusals are such, and what is kept of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.callers import Caller
from app.domain.errors import DomainError, ErrorCode

RAISING = frozenset({ErrorCode.NOT_PERMITTED, ErrorCode.DELEGATION_EXCEEDED, ErrorCode.SELF_ELEVATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """One refused request; `refusals` are the codes and messages of what it was refused for."""

    at: datetime
    actor: str
    actor_id: str
    token: str | None
    action: str
    refusals: tuple[tuple[str, str], ...]


def note_attempt(caller: Caller, action: str, errors: Iterable[DomainError], *, at: datetime) -> SecurityEvent | None:
    """The event of a refused request; None where it tried to raise nothing."""
    refusals = tuple((error.code.value, str(error)) for error in errors if error.code in RAISING)
    if not refusals:
        return None
    return SecurityEvent(
        at=at, actor=caller.user_name, actor_id=caller.user, token=caller.token, action=action, refusals=refusals
    )
