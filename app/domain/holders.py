"""Users, teams and roles, and the rows that carry rights to them (SEMANTICS section 4).

Records are frozen. A row says who holds what: node and value, or role, or team; an optional contract (None: every
contract); a window `[valid_from, valid_until)`; the source that manages it; who made it, when and why. Rows are never
altered: they are created at one revision and ended at another.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from app.domain.contracts import AccessLevel
from app.domain.values import Value

UserId = NewType("UserId", str)
RoleId = NewType("RoleId", str)
TeamId = NewType("TeamId", str)
ContractId = NewType("ContractId", str)
RowId = NewType("RowId", str)
HolderId = UserId | RoleId | TeamId

MANUAL = "manual"  # the source of what a person did by hand
SCIM = "scim:"  # begins the name of the source of each account that writes by SCIM


class UserStatus(StrEnum):
    """Whether a person may do anything at all. Upper case adjective, as the contract spells it."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"


class UserKind(StrEnum):
    """A human being or a machine. Upper case noun, as the contract spells it."""

    PERSON = "PERSON"
    SERVICE = "SERVICE"


class TeamKind(StrEnum):
    """What a team is in the contact centre. Upper case noun, as the contract spells it."""

    TEAM = "TEAM"
    GROUP = "GROUP"
    QUEUE = "QUEUE"


class ContractStatus(StrEnum):
    """Whether a contract is in force; only ACTIVE is. Upper case, as the contract file spells it."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that a service account can ever give: what these roles hold, and levels in products of contracts."""

    roles: frozenset[RoleId] = frozenset()
    levels: frozenset[tuple[ContractId, str, AccessLevel]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a service account."""

    id: UserId
    user_name: str
    display_name: str
    email: str | None = None
    external_id: str | None = None
    kind: UserKind = UserKind.PERSON
    status: UserStatus = UserStatus.ACTIVE
    is_owner: bool = False
    source: str = MANUAL
    ceiling: Ceiling | None = None  # of service accounts alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named bundle of rights; it includes its parents."""

    id: RoleId
    key: str
    display_name: str
    description: str | None = None
    parents: tuple[RoleId, ...] = ()
    archived: bool = False
    source: str = MANUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People who share roles; it includes its roles and its parent."""

    id: TeamId
    key: str
    display_name: str
    kind: TeamKind = TeamKind.TEAM
    parent: TeamId | None = None
    archived: bool = False
    source: str = MANUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """An agreement about products; `products` holds keys, in no order that matters."""

    id: ContractId
    number: str
    name: str
    owner: UserId
    status: ContractStatus = ContractStatus.ACTIVE
    products: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row has. `created_at` and `revision` tell when it came to be known, not from when it counts."""

    id: RowId
    contract: ContractId | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    source: str = MANUAL
    reason: str | None = None
    actor: str = ""
    created_at: datetime
    revision: int = 0

    def counts(self, contract: ContractId | None, at: datetime) -> bool:
        """Whether the row is in scope of a question about this contract (None: about none) and valid then."""
        if self.contract is not None and self.contract != contract:
            return False
        if self.valid_from is not None and at < self.valid_from:
            return False
        return self.valid_until is None or at < self.valid_until

    def is_valid_at(self, at: datetime) -> bool:
        """Whether the row is valid then, where it is in scope."""
        return self.counts(self.contract, at)

    def is_over(self, at: datetime) -> bool:
        """Whether the row has counted for the last time."""
        return self.valid_until is not None and at >= self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Row):
    """The holder has this value of a permission."""

    holder: HolderId
    node: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Row):
    """The holder has, and passes on, at most this value of a permission."""

    holder: HolderId
    node: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(Row):
    """A user or a team includes a role."""

    holder: HolderId
    role: RoleId


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership(Row):
    """A user includes a team, perhaps as its supervisor."""

    user: UserId
    team: TeamId
    supervisor: bool = False

    @property
    def holder(self) -> HolderId:
        return self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class Access(Row):
    """The level of a person in one product of a contract; `contract` is never None here."""

    user: UserId
    product: str
    level: AccessLevel

    @property
    def holder(self) -> HolderId:
        return self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberLink(Row):
    """A person is a subscriber of the Virtual PBX of a contract; `contract` is never None here."""

    user: UserId
    subscriber: str

    @property
    def holder(self) -> HolderId:
        return self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFact(Row):
    """A fact of a contract (`user` None), or of a user in one contract or (contract None) everywhere."""

    name: str
    text: str
    user: UserId | None = None

    @property
    def holder(self) -> str:
        return self.user or self.contract or ""


Entity = User | Role | Team | Contract
AnyRow = Grant | Limit | Assignment | Membership | Access | SubscriberLink | StoredFact
Record = Entity | AnyRow


def same_row(left: AnyRow, right: AnyRow) -> bool:
    """Whether two rows say the same of the same holder: all but who made them, when, why and under which id."""
    if type(left) is not type(right):
        return False
    return left == replace(
        right, id=left.id, reason=left.reason, actor=left.actor, created_at=left.created_at, revision=left.revision
    )
