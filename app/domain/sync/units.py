"""What a plan is made of: units, each all that is to be done to one person, role or team, and the steps in it.

A unit is done whole or not at all, so that nobody is left half changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple

from app.domain.catalog import Catalog
from app.domain.changes import Stamp
from app.domain.errors import Conflict, DomainError, NotFound
from app.domain.holders import (
    Access,
    AnyRow,
    Assignment,
    ContractId,
    Grant,
    Membership,
    Role,
    RoleId,
    Team,
    TeamId,
    User,
    UserId,
)
from app.domain.names import show
from app.domain.references import Ref
from app.domain.sync.desired import Path
from app.domain.values import Value
from app.domain.world import Change, World

RowKey = tuple[Any, ...]  # what a row says, but for who says it: equal keys of one source are one row


class Step(NamedTuple):
    """One change and where the input asks for it. `taken_from`: the other source whose row or record it takes over."""

    change: Change
    path: Path
    taken_from: str | None = None


@dataclass(slots=True)
class Unit:
    """All that is to be done to one thing. With a fault or a conflict nothing of it is done.

    `needs` are the roles and teams that this very plan makes, or brings back, and that it builds upon.
    """

    noun: Literal["user", "role", "team"]
    subject: str
    path: Path
    holder: str = ""
    steps: list[Step] = field(default_factory=list)
    faults: list[DomainError] = field(default_factory=list)
    conflicts: list[DomainError] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)

    @property
    def is_sound(self) -> bool:
        """Whether nothing stands in the way of it."""
        return not (self.faults or self.conflicts)

    @property
    def changes(self) -> list[Change]:
        return [step.change for step in self.steps]


@dataclass(frozen=True)
class Current:
    """What a source is compared with, and who writes.

    The world holds every role, team and contract, and of the people all whom the source manages or has rows on and all
    whom the input may name. `held_down` are those who are not active, or archived, by somebody else's doing; `hidden`
    are roles, teams and contracts that the caller does not see, which reads as not there.
    """

    catalog: Catalog
    world: World
    stamp: Stamp
    held_down: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()

    @property
    def source(self) -> str:
        return self.stamp.source

    @cached_property
    def users_by_external_id(self) -> Mapping[str, User]:
        return {user.external_id: user for user in self.world.users.values() if user.external_id is not None}

    @cached_property
    def users_by_name(self) -> Mapping[str, User]:
        return {user.user_name: user for user in self.world.users.values()}

    @cached_property
    def roles_by_key(self) -> Mapping[str, Role]:
        return {role.key: role for role in self.world.roles.values()}

    @cached_property
    def teams_by_key(self) -> Mapping[str, Team]:
        return {team.key: team for team in self.world.teams.values()}

    @cached_property
    def contracts_by_number(self) -> Mapping[str, ContractId]:
        return {contract.number: contract.id for contract in self.world.contracts.values()}


@dataclass
class Directory:
    """The roles and teams as they will be after a plan: what references of its entries name.

    `made` are those that the plan makes or brings back; `gone` those that it archives.
    """

    current: Current
    roles: dict[str, RoleId] = field(default_factory=dict)  # made by the plan, by key
    teams: dict[str, TeamId] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    _contracts: dict[Ref, ContractId] = field(default_factory=dict)

    def find_role(self, ref: Ref, unit: Unit, *path: str) -> RoleId:
        """The role of a reference, living after the plan. Raises `NotFound`, or `Conflict` for an archived one."""
        found = self.roles.get(ref.value) if ref.attribute == "key" else None
        if found is None:
            world = self.current.world
            role = (
                world.roles.get(RoleId(ref.value))
                if ref.attribute == "id"
                else self.current.roles_by_key.get(ref.value)
            )
            if role is None or role.id in self.current.hidden:
                raise NotFound(f"there is no role `{show(ref.value)}`", path=path)
            found = role.id
            self._refuse_archived("role", role, path)
        if found in self.made:
            unit.needs.add(found)
        return found

    def find_team(self, ref: Ref, unit: Unit, *path: str) -> TeamId:
        """The team of a reference, living after the plan. Raises `NotFound`, or `Conflict` for an archived one."""
        found = self.teams.get(ref.value) if ref.attribute == "key" else None
        if found is None:
            world = self.current.world
            team = (
                world.teams.get(TeamId(ref.value))
                if ref.attribute == "id"
                else self.current.teams_by_key.get(ref.value)
            )
            if team is None or team.id in self.current.hidden:
                raise NotFound(f"there is no team `{show(ref.value)}`", path=path)
            found = team.id
            self._refuse_archived("team", team, path)
        if found in self.made:
            unit.needs.add(found)
        return found

    def _refuse_archived(self, noun: str, record: Role | Team, path: tuple[str, ...]) -> None:
        if record.id in self.gone:
            message = f"the {noun} `{record.key}` is missing from the list of {noun}s, so this very plan archives it"
            raise Conflict(message, path=path)
        if record.archived and record.id not in self.made:
            raise Conflict(f"the {noun} `{record.key}` is archived", path=path)

    def find_contract(self, ref: Ref | None, *path: str) -> ContractId | None:
        """The contract of a reference; None of none. Raises `NotFound`."""
        if ref is None:
            return None
        found = self._contracts.get(ref)
        if found is None:
            world = self.current.world
            known = ContractId(ref.value) if ref.attribute == "id" else self.current.contracts_by_number.get(ref.value)
            if known is None or known not in world.contracts or known in self.current.hidden:
                raise NotFound(f"there is no contract `{show(ref.value)}`", path=path)
            found = self._contracts[ref] = known
        return found


# ---------------------------------------------------------------------- rows


class Wanted(NamedTuple):
    """A row that the input asks for: its key, the fields that make it, and where."""

    key: RowKey
    kind: type
    fields: dict[str, Any]
    path: Path


def key_of(row: AnyRow) -> RowKey:
    """What a row of a kind that a sync manages says of its holder."""
    if isinstance(row, Assignment):
        return row.role, row.contract, row.valid_from, row.valid_until
    if isinstance(row, Membership):
        return row.team, row.supervisor, row.contract, row.valid_from, row.valid_until
    if isinstance(row, Access):
        return row.contract, row.product, row.level, row.valid_from, row.valid_until
    assert isinstance(row, Grant), "no other rows are synced"
    return row.node, row.value, row.contract, row.valid_from, row.valid_until


def want_assignment(role: RoleId, contract: ContractId | None, window: "Window", path: Path) -> Wanted:
    fields = {"role": role, "contract": contract, "valid_from": window[0], "valid_until": window[1]}
    return Wanted((role, contract, *window), Assignment, fields, path)


def want_membership(team: TeamId, path: Path) -> Wanted:
    return Wanted((team, False, None, None, None), Membership, {"team": team}, path)


def want_level(contract: ContractId, product: str, level: Any, path: Path) -> Wanted:
    fields = {"contract": contract, "product": product, "level": level}
    return Wanted((contract, product, level, None, None), Access, fields, path)


def want_grant(node: str, value: Value, contract: ContractId | None, window: "Window", path: Path) -> Wanted:
    fields = {"node": node, "value": value, "contract": contract, "valid_from": window[0], "valid_until": window[1]}
    return Wanted((node, value, contract, *window), Grant, fields, path)


Window = tuple[datetime | None, datetime | None]


def compare_rows(
    current: Current, unit: Unit, rows: Sequence[AnyRow], wanted: Iterable[Wanted], *, path: Path, take_over: bool
) -> Iterator[Step]:
    """The steps from the rows of one kind on a holder to exactly those that are wanted, of this source.

    `rows` are of every source. What other sources give stays, and the same given here is a row beside it; with
    `take_over` it is ended in favour of ours. A window that has passed is given to nobody anew. `path` is the list.
    """
    if not rows:  # the usual case of a first load
        mine: dict[RowKey, AnyRow] = {}
    else:
        mine = {key_of(row): row for row in rows if row.source == current.source}
    kept: set[RowKey] = set()
    for want in wanted:
        if want.key in kept:
            continue
        kept.add(want.key)
        if take_over:
            for row in rows:
                if row.source != current.source and key_of(row) == want.key:
                    yield Step(Change(row, None), want.path, row.source)
        until = want.fields.get("valid_until")
        if want.key not in mine and (until is None or until > current.stamp.at):
            yield Step(Change(None, _make(current.stamp, unit, want)), want.path)
    for key, row in mine.items():
        if key not in kept:
            yield Step(Change(row, None), path)


def _make(stamp: Stamp, unit: Unit, want: Wanted) -> AnyRow:
    holder = {"user" if want.kind in (Membership, Access) else "holder": unit.holder}
    made: AnyRow = want.kind(**stamp.row(want.kind), **holder, **want.fields)
    return made


def end_rows(current: Current, unit: Unit, *, path: Path) -> Iterator[Step]:
    """The end of every row of the source on a holder."""
    for row in current.world.rows_of(unit.holder):
        if row.source == current.source:
            yield Step(Change(row, None), path)


def holder_of(current: Current, user: UserId) -> str:
    """What a person is called in a plan: the external id, or the user name of one who has none."""
    record = current.world.users[user]
    return record.external_id or record.user_name
