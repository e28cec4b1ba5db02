"""What lists can be narrowed by. Every condition that is given must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.domain.holders import ContractId, ContractStatus, RoleId, TeamId, TeamKind, UserKind, UserStatus
from app.domain.sight import Audience

Inclusion = Literal["role", "team", "contract"]  # what users may be directly in


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which people; every condition given must hold. `role` and `team`: directly; `contract`: with a level in it.

    `rows`: of what people are in, what tells of it counts in these contracts alone, but for oneself.
    """

    search: str | None = None
    status: UserStatus | None = None
    kind: UserKind | None = None
    role: RoleId | None = None
    team: TeamId | None = None
    contract: ContractId | None = None
    audience: Audience | None = None  # those alone whom a caller sees; None: everybody
    rows: Mapping[Inclusion, frozenset[ContractId]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFilter:
    """Which people of a role, a team or a contract: by rows of these contracts (None: any), among these people."""

    contracts: frozenset[ContractId] | None = None
    audience: Audience | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFilter:
    """Which roles; `ids`: these alone (None: any).

    `grants`: with a row of their own that grants this permission, in one of `grant_rows` (None: anywhere).
    """

    search: str | None = None
    archived: bool | None = None
    grants: str | None = None
    grant_rows: frozenset[ContractId] | None = None
    ids: frozenset[RoleId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamFilter:
    """Which teams; `ids`: these alone (None: any)."""

    search: str | None = None
    kind: TeamKind | None = None
    archived: bool | None = None
    ids: frozenset[TeamId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFilter:
    """Which contracts; `ids`: these alone (None: any)."""

    search: str | None = None
    status: ContractStatus | None = None
    ids: frozenset[ContractId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; `since` is included, `until` is not. `actor` is an id or a user name.

    `scopes`: entries all of whose changes are scoped to one of these contracts (None: any entry).
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_revision: int | None = None
    scopes: frozenset[ContractId] | None = None
