"""What a source wants: the people, roles and teams that it manages, and what hangs on them.

A list that is None is not managed; a list that is given is complete. `path` is where an entry stands in its input
(`("users", "17")`, or `("line 18",)` of a file), the beginning of the path of every fault of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.contracts import AccessLevel
from app.domain.holders import TeamId, TeamKind, UserId
from app.domain.references import Ref
from app.domain.values import ValueInput
from app.domain.wishes.users import UNCHANGED, Patch, Unchanged

Path = tuple[str, ...]


class SyncMode(StrEnum):
    """What to do where items break a rule: nothing at all, or the closed, valid rest. Upper case adjective."""

    ATOMIC = "ATOMIC"
    PARTIAL = "PARTIAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentDesired:
    """A role for a person or a team."""

    role: Ref
    contract: Ref | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDesired:
    """A person's access level in a product of a contract."""

    contract: Ref
    product: str
    level: AccessLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDesired:
    """A value of a permission, by the key of its node; a switch may leave out its value."""

    permission: str
    value: ValueInput | None = None
    contract: Ref | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDesired:
    """A person. An attribute left out is not managed; `email` None clears it.

    A feed names people by their external ids. A door that knows ids of ours gives `id` instead, and perhaps none other.
    """

    path: Path
    external_id: str | None
    user_name: str
    id: UserId | None = None
    display_name: Patch = UNCHANGED
    email: Patch = UNCHANGED
    active: bool = True
    roles: tuple[AssignmentDesired, ...] | None = None
    teams: tuple[Ref, ...] | None = None
    access: tuple[LevelDesired, ...] | None = None

    @property
    def subject(self) -> str:
        """What the person is called in a plan."""
        return self.external_id or self.id or self.user_name


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDesired:
    """A role with all the grants that the source gives it."""

    path: Path
    key: str
    display_name: Patch = UNCHANGED
    description: Patch = UNCHANGED
    parents: tuple[Ref, ...] | None = None
    grants: tuple[GrantDesired, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamDesired:
    """A team; `parent` None: it has none."""

    path: Path
    key: str
    display_name: Patch = UNCHANGED
    kind: TeamKind = TeamKind.TEAM
    parent: Ref | Unchanged | None = UNCHANGED
    roles: tuple[AssignmentDesired, ...] | None = None


Entry = UserDesired | RoleDesired | TeamDesired


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The desired state of everything that `source` manages.

    With `complete` False whoever is not listed is left alone, but for `leaving` and `leaving_teams`, the people and the
    teams that go: so writes a door that tells of one person, or one team, at a time.
    """

    source: str
    users: Iterable[UserDesired] | None = None
    roles: Iterable[RoleDesired] | None = None
    teams: Iterable[TeamDesired] | None = None
    take_over: bool = False
    complete: bool = True
    leaving: tuple[UserId, ...] = ()
    leaving_teams: tuple[TeamId, ...] = ()
