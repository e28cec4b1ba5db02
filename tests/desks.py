"""Feeds in few words, for examples of sync written by hand: `desk(...).plan(users=[entry("zoe", roles=["agents"])])`.

The staff of `staff` is there; `hr` sends the feeds, `idp` is another source. `zoe` and `yan` are people of the feeds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from app.domain.changes import Stamp
from app.domain.contracts import AccessLevel
from app.domain.errors import DomainError
from app.domain.holders import Record, RoleId, User, UserId, UserStatus
from app.domain.references import Ref
from app.domain.sync.desired import (
    AssignmentDesired,
    Desired,
    GrantDesired,
    LevelDesired,
    RoleDesired,
    SyncMode,
    TeamDesired,
    UserDesired,
)
from app.domain.sync.diff import Spoiled, SyncPlan, diff
from app.domain.sync.items import Teller
from app.domain.sync.units import Current
from app.domain.sync.weighing import Weighed, weigh
from app.domain.violations import Judgement
from app.domain.world import Change, World
from tests.gatekeeping import authority_of
from tests.staff import CATALOG, MANAGER, OLGA, PROGRAM, person
from tests.worlds import NOON

HR, IDP = "hr", "idp"
ZOE, YAN = UserId("zoe"), UserId("yan")
SALES = RoleId("sales")


def of(source: str, record: Any, **more: Any) -> Any:
    """A record that a source manages."""
    return replace(record, source=source, **more)


def by_hr(record: Any, **more: Any) -> Any:
    return of(HR, record, **more)


def hired(user: UserId, **more: Any) -> User:
    """A person whom `hr` manages."""
    return person(user, external_id=f"E-{user}", source=HR, **more)


def entry(user: str, **more: Any) -> UserDesired:
    """What `hr` says of a person; a key alone names a role, a team."""
    if more.get("roles") is not None:
        more["roles"] = tuple(r if isinstance(r, AssignmentDesired) else wanted(r) for r in more["roles"])
    if more.get("teams") is not None:
        more["teams"] = tuple(Ref.of("key", key) for key in more["teams"])
    fields = {"path": (), "external_id": f"E-{user}", "user_name": user, **more}
    return UserDesired(**fields)


def wanted(key: str, **more: Any) -> AssignmentDesired:
    return AssignmentDesired(role=Ref.of("key", key), **more)


def access(product: str, what: AccessLevel, contract: str = "C1") -> LevelDesired:
    return LevelDesired(contract=Ref.of("number", contract), product=product, level=what)


def bundle(key: str, *grants: str, parents: Sequence[str] | None = None, **more: Any) -> RoleDesired:
    """What `hr` says of a role; the grants are switches."""
    named = None if parents is None else tuple(Ref.of("key", parent) for parent in parents)
    given = tuple(GrantDesired(permission=node) for node in grants)
    return RoleDesired(**{"path": (), "key": key, "parents": named, "grants": given, **more})


def squad(key: str, **more: Any) -> TeamDesired:
    if more.get("roles") is not None:
        more["roles"] = tuple(wanted(name) for name in more["roles"])
    return TeamDesired(**{"path": (), "key": key, **more})


@dataclass
class Desk:
    """A world, and what becomes of it when `hr` sends feeds."""

    records: tuple[Record, ...]
    held_down: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    numbers: Any = field(default_factory=count)

    @property
    def world(self) -> World:
        return World.of({record.id: record for record in self.records}.values())

    @property
    def current(self) -> Current:
        stamp = Stamp(actor="sam", at=NOON, source=HR, new_id=lambda kind: f"new {kind.__name__} {next(self.numbers)}")
        return Current(CATALOG, self.world, stamp, held_down=self.held_down, hidden=self.hidden)

    def plan(self, spoiled: Iterable[Spoiled] = (), **lists: Any) -> SyncPlan:
        """The plan of a feed whose entries stand where they are given."""
        placed = {
            noun: None if lists.get(noun) is None
            else tuple(replace(e, path=e.path or (noun, str(n))) for n, e in enumerate(lists.pop(noun)))
            for noun in ("users", "roles", "teams")
        }  # fmt: skip
        return diff(self.current, Desired(source=HR, **{**lists, **placed}), spoiled)

    def done(self, **feed: Any) -> World:
        """The world after a feed in whose way nothing stands."""
        plan = self.plan(**feed)
        assert errors_of(plan) == {}
        return self.world.changed(step.change for step in plan.steps())

    def weigh(self, plan: SyncPlan, mode: SyncMode = SyncMode.ATOMIC, *, by: UserId = OLGA) -> Weighed:
        """What may be done of a plan that somebody makes."""
        authority = authority_of(Judgement(PROGRAM, self.world, ()), by, NOON)
        owners = sum(user.is_owner and user.status is UserStatus.ACTIVE for user in self.world.users.values())
        return weigh(PROGRAM, self.world, plan, authority, self.current.stamp, mode=mode, active_owners=owners)

    def told(self, **feed: Any) -> list[tuple[str, str, str]]:
        """The items of a plan: action, subject, detail."""
        plan = self.plan(**feed)
        items = Teller.of(CATALOG, self.world, plan).tell(plan)
        return [(item.action.value, item.subject, item.detail) for item in items]


def desk(*more: Record, **given: Any) -> Desk:
    """The staff, and these are there too."""
    return Desk((*MANAGER, *more), **given)


def list_faults(plan: SyncPlan) -> list[DomainError]:
    """What stands in the way of any unit."""
    return [error for unit in plan.units for error in (*unit.conflicts, *unit.faults)]


def errors_of(plan: SyncPlan) -> dict[str, list[str]]:
    """What stands in the way, by where; a dot between the fields."""
    found: dict[str, list[str]] = {}
    for error in list_faults(plan):
        found.setdefault(".".join(error.path), []).append(error.code.value)
    return found


def roles_of(world: World, user: str) -> set[tuple[str, str]]:
    """The roles of a person, each with who gives it."""
    return {(row.role, row.source) for row in world.rows_of(user).assignments}


def changes(plan: SyncPlan) -> list[Change]:
    return [step.change for step in plan.steps()]
