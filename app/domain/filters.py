"""What lists can be narrowed by. Every condition that is given must hold."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.holders import ContractId, ContractStatus, RoleId, TeamId, TeamKind, UserKind, UserStatus

Inclusion = Literal["role", "team", "contract"]  # what users may be directly in


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which people; every condition given must hold. `role` and `team`: directly; `contract`: with a level in it."""

    search: str | None = None
    status: UserStatus | None = None
    kind: UserKind | None = None
    role: RoleId | None = None
    team: TeamId | None = None
    contract: ContractId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFilter:
    """Which roles; `grants`: with a row of their own that grants this permission."""

    search: str | None = None
    archived: bool | None = None
    grants: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamFilter:
    """Which teams."""

    search: str | None = None
    kind: TeamKind | None = None
    archived: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFilter:
    """Which contracts."""

    search: str | None = None
    status: ContractStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; `since` is included, `until` is not. `actor` is an id or a user name."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_revision: int | None = None
