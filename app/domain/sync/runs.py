"""The record of a sync run: what was planned, why it was refused, what it did."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.errors import DomainError
from app.domain.sync.desired import SyncMode


class SyncStatus(StrEnum):
    """What has become of a plan. Upper case participle, as the contract spells it."""

    PLANNED = "PLANNED"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    STALE = "STALE"


class SyncAction(StrEnum):
    """What an item does, or what stands in its way. Upper case verb or participle, as the contract spells it."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REMOVE = "REMOVE"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncItem:
    """One thing that a plan does, or why it does not. `path`: where the input asks for it; of who is missing: the list.

    `subject` names what it is about: the external id of a person (the user name of one who has none), the key of a role
    or a team.
    """

    action: SyncAction
    subject: str
    path: tuple[str, ...]
    detail: str
    errors: tuple[DomainError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCounts:
    """How much a plan does."""

    creates: int = 0
    updates: int = 0
    removes: int = 0
    suspends: int = 0
    losing_rights: int = 0
    unchanged: int = 0
    conflicts: int = 0
    refused: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to do."""
        changes = self.creates or self.updates or self.removes or self.suspends
        return not (changes or self.conflicts or self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRun:
    """A plan and what became of it. `brake`: why it stops until it is overridden, in words.

    `warnings`: what looks like a fault of the feed, and stops nothing.
    """

    id: str
    source: str
    status: SyncStatus
    mode: SyncMode
    take_over: bool
    max_removals: int | None
    base_revision: int
    revision: int | None = None
    fingerprint: str
    counts: SyncCounts
    brake: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    planned_at: datetime
    planned_by: str
    applied_at: datetime | None = None
    applied_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSource:
    """How a source stands: what it manages now, its runs, and how many of its rows others have changed since."""

    source: str
    manages: int
    last_run: SyncRun | None
    last_applied_at: datetime | None
    last_changed_at: datetime | None
    drift: int
