"""Who calls."""

from dataclasses import dataclass

from app.domain.holders import UserId


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user or service account; `token` is the id of the token it came with."""

    user: UserId
    user_name: str
    token: str | None = None


SYSTEM_ACTOR = "permgate"  # the actor of what the gateway does by itself: loading a catalog, the first owner
