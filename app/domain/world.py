"""What is known at one moment: every record that the questions at hand may lean on, as plain immutable data.

A world may be partial: it holds all roles, teams and contracts, and those users whom somebody asked for. What it holds
of a user is complete. A user who is not in it is unknown, and has nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    Contract,
    ContractId,
    Grant,
    HolderId,
    Limit,
    Membership,
    Record,
    Role,
    RoleId,
    StoredFact,
    SubscriberLink,
    Team,
    TeamId,
    User,
    UserId,
)


@dataclass(frozen=True, slots=True)
class HolderRows:
    """The rows that hang on one holder (or, facts, on one contract)."""

    grants: tuple[Grant, ...] = ()
    limits: tuple[Limit, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    memberships: tuple[Membership, ...] = ()
    access: tuple[Access, ...] = ()
    links: tuple[SubscriberLink, ...] = ()
    facts: tuple[StoredFact, ...] = ()

    def __iter__(self) -> Iterator[AnyRow]:
        yield from self.grants
        yield from self.limits
        yield from self.assignments
        yield from self.memberships
        yield from self.access
        yield from self.links
        yield from self.facts


NO_ROWS = HolderRows()
_FIELD_OF: Mapping[type, str] = {
    Grant: "grants", Limit: "limits", Assignment: "assignments", Membership: "memberships",
    Access: "access", SubscriberLink: "links", StoredFact: "facts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One record that comes to be (`before` None), stops being (`after` None), or is known differently from now on."""

    before: Record | None
    after: Record | None

    @property
    def record(self) -> Record:
        record = self.after if self.after is not None else self.before
        assert record is not None, "a change changes something"
        return record


@dataclass(frozen=True)
class World:
    """Records by id, rows by what they hang on."""

    users: Mapping[UserId, User] = field(default_factory=dict)
    roles: Mapping[RoleId, Role] = field(default_factory=dict)
    teams: Mapping[TeamId, Team] = field(default_factory=dict)
    contracts: Mapping[ContractId, Contract] = field(default_factory=dict)
    rows: Mapping[str, HolderRows] = field(default_factory=dict)

    @staticmethod
    def of(records: Iterable[Record]) -> "World":
        return World().joined(records)

    def rows_of(self, holder: str) -> HolderRows:
        return self.rows.get(holder, NO_ROWS)

    def joined(self, records: Iterable[Record]) -> "World":
        """The world with these records in it as well; one with the id of another of its kind takes its place.

        What `changed` makes of as many creations, in a fraction of the time.
        """
        entities: dict[type, dict[Any, Any]] = {
            User: dict(self.users), Role: dict(self.roles), Team: dict(self.teams), Contract: dict(self.contracts),
        }  # fmt: skip
        joining: dict[str, dict[type, list[Any]]] = {}
        for record in records:
            kind = type(record)
            if kind in entities:
                entities[kind][record.id] = record
                continue
            holder = record.holder  # type: ignore[union-attr]  # what is no entity is a row
            fields = joining.get(holder)
            if fields is None:
                joining[holder] = {kind: [record]}
            elif kind in fields:
                fields[kind].append(record)
            else:
                fields[kind] = [record]
        changed = dict(self.rows)
        for holder, fields in joining.items():
            there = self.rows.get(holder)
            rows = {_FIELD_OF[kind]: _join_rows(there, kind, new) for kind, new in fields.items()}
            changed[holder] = HolderRows(**rows) if there is None else replace(there, **rows)
        return World(entities[User], entities[Role], entities[Team], entities[Contract], changed)

    def replaced(self, ids: Iterable[str], records: Iterable[Record]) -> "World":
        """The world in which what has these ids, and what hangs on it, is these records and nothing else."""
        gone = frozenset(ids)

        def left(known: Mapping[Any, Any]) -> dict[Any, Any]:
            return {key: one for key, one in known.items() if key not in gone}

        rest = World(left(self.users), left(self.roles), left(self.teams), left(self.contracts), left(self.rows))
        return rest.joined(records)

    def changed(self, changes: Iterable[Change]) -> "World":
        """The world after these changes. A change whose `before` is not there raises `KeyError`."""
        entities: dict[type, dict[Any, Any]] = {
            User: dict(self.users), Role: dict(self.roles), Team: dict(self.teams), Contract: dict(self.contracts),
        }  # fmt: skip
        touched: dict[str, dict[str, dict[Any, Any]]] = {}

        def rows(row: Any) -> dict[Any, Any]:
            name = _FIELD_OF[type(row)]
            fields = touched.setdefault(row.holder, {})
            if name not in fields:
                fields[name] = {r.id: r for r in getattr(self.rows_of(row.holder), name)}
            return fields[name]

        for change in changes:
            if change.before is not None:
                kind = type(change.before)
                del (entities[kind] if kind in entities else rows(change.before))[change.before.id]
            if change.after is not None:
                kind = type(change.after)
                (entities[kind] if kind in entities else rows(change.after))[change.after.id] = change.after
        changed = dict(self.rows)
        for holder, fields in touched.items():
            changed[holder] = replace(self.rows_of(holder), **{n: tuple(r.values()) for n, r in fields.items()})
        return World(entities[User], entities[Role], entities[Team], entities[Contract], changed)

    # ------------------------------------------------------------------ the other way round

    @cached_property
    def child_roles(self) -> Mapping[RoleId, tuple[RoleId, ...]]:
        found: dict[RoleId, list[RoleId]] = {}
        for role in self.roles.values():
            for parent in role.parents:
                found.setdefault(parent, []).append(role.id)
        return {parent: tuple(children) for parent, children in found.items()}

    @cached_property
    def child_teams(self) -> Mapping[TeamId, tuple[TeamId, ...]]:
        found: dict[TeamId, list[TeamId]] = {}
        for team in self.teams.values():
            if team.parent is not None:
                found.setdefault(team.parent, []).append(team.id)
        return {parent: tuple(children) for parent, children in found.items()}

    @cached_property
    def circular(self) -> frozenset[str]:
        """The roles and teams that include themselves. No change makes one; were one there, its circle adds nothing."""
        left: dict[str, tuple[str, ...]] = {role.id: role.parents for role in self.roles.values()}
        left |= {team.id: (team.parent,) for team in self.teams.values() if team.parent is not None}
        while settled := [one for one, parents in left.items() if not any(parent in left for parent in parents)]:
            for one in settled:
                del left[one]
        return frozenset(one for one in left if _reaches(left, one))

    @cached_property
    def carriers(self) -> Mapping[RoleId, tuple[HolderId, ...]]:
        """The users and teams to which each role is assigned, whenever and wherever."""
        found: dict[RoleId, dict[HolderId, None]] = {}
        for rows in self.rows.values():
            for assignment in rows.assignments:
                found.setdefault(assignment.role, {})[assignment.holder] = None
        return {role: tuple(holders) for role, holders in found.items()}

    @cached_property
    def members(self) -> Mapping[TeamId, tuple[UserId, ...]]:
        """The direct members of each team, whenever and wherever."""
        found: dict[TeamId, dict[UserId, None]] = {}
        for rows in self.rows.values():
            for membership in rows.memberships:
                found.setdefault(membership.team, {})[membership.user] = None
        return {team: tuple(users) for team, users in found.items()}

    def reached_from(self, holders: Iterable[str]) -> tuple[str, ...]:
        """These holders and all that include them, directly or not, the given ones first."""
        reached: dict[str, None] = {}
        waiting = deque(holders)
        while waiting:
            holder = waiting.popleft()
            if holder in reached:
                continue
            reached[holder] = None
            waiting += self.child_roles.get(RoleId(holder), ())
            waiting += self.child_teams.get(TeamId(holder), ())
            waiting += self.carriers.get(RoleId(holder), ())
            waiting += self.members.get(TeamId(holder), ())
        return tuple(reached)

    def included_in(self, holder: str, *, since: datetime | None = None) -> frozenset[str]:
        """Everything that a holder includes, directly or not, whenever and wherever; itself left out.

        With `since` by rows alone that are not over by then.
        """
        found: set[str] = set()
        waiting = [holder]
        while waiting:
            current = waiting.pop()
            rows = self.rows_of(current)
            included: list[str] = [row.role for row in rows.assignments if since is None or not row.is_over(since)]
            included += [row.team for row in rows.memberships if since is None or not row.is_over(since)]
            role, team = self.roles.get(RoleId(current)), self.teams.get(TeamId(current))
            included += role.parents if role is not None else ()
            included += [team.parent] if team is not None and team.parent is not None else []
            waiting += [new for new in dict.fromkeys(included) if new not in found]
            found.update(included)
        return frozenset(found - {holder})


def _join_rows(there: HolderRows | None, kind: type, new: list[Any]) -> tuple[Any, ...]:
    known = () if there is None else getattr(there, _FIELD_OF[kind])
    if not known and len(new) == 1:
        return (new[0],)
    return tuple({row.id: row for row in (*known, *new)}.values())


def _reaches(parents: Mapping[str, tuple[str, ...]], start: str) -> bool:
    """Whether one comes back to where one started from, going from parent to parent."""
    seen: set[str] = set()
    waiting = list(parents[start])
    while waiting:
        current = waiting.pop()
        if current == start:
            return True
        if current not in seen:
            seen.add(current)
            waiting += parents.get(current, ())
    return False
