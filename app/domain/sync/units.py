"""What a plan is made of: units, each all that is to be done to one person, role or team, and the steps in it.

A unit is done whole or not at all, so that nobody is left half changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from app.domain.sync.desired import AssignmentDesired, Path
from app.domain.wishes.asking import check_order
from app.domain.world import Change, World

Noun = Literal["user", "role", "team"]
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

    noun: Noun
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
    _assignments: dict[int, tuple[AssignmentDesired, RowKey]] = field(default_factory=dict)

    def key_of_assignment(self, item: AssignmentDesired, unit: Unit, *path: str) -> RowKey:
        """What an assignment says that an entry lists. Raises what is wrong with it.

        A feed says the same of very many people, and its reader gives the same object then: it is looked at once.
        """
        known = self._assignments.get(id(item))
        if known is not None and known[0] is item:
            if known[1][0] in self.made:
                unit.needs.add(known[1][0])
            return known[1]
        role = self.find_role(item.role, unit, *path, "role")
        contract = self.find_contract(item.contract, *path, "contract")
        check_order(item.valid_from, item.valid_until, *path)
        key = (role, contract, item.valid_from, item.valid_until)
        self._assignments[id(item)] = (item, key)
        return key

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


def _key_of_assignment(row: Assignment) -> RowKey:
    return row.role, row.contract, row.valid_from, row.valid_until


def _key_of_membership(row: Membership) -> RowKey:
    return row.team, row.contract, row.valid_from, row.valid_until, row.supervisor


def _key_of_level(row: Access) -> RowKey:
    return row.product, row.contract, row.valid_from, row.valid_until, row.level


def _key_of_grant(row: Grant) -> RowKey:
    return row.node, row.contract, row.valid_from, row.valid_until, row.value


KEYS: Mapping[type, Callable[[Any], RowKey]] = {
    Assignment: _key_of_assignment, Membership: _key_of_membership, Access: _key_of_level, Grant: _key_of_grant,
}  # fmt: skip
_UNTIL = 3


def compare_rows(
    current: Current, unit: Unit, kind: type, rows: Sequence[AnyRow], wanted: Sequence[RowKey | None], *,
    path: Path, take_over: bool,
) -> list[Step]:  # fmt: skip
    """The steps from the rows of one kind on a holder to exactly those that are wanted, of this source.

    `rows` are of every source. What other sources give stays, and the same given here is a row beside it; with
    `take_over` it is ended in favour of ours. A window that has passed is given to nobody anew. `path` is the list,
    `wanted` its items in order, None for a faulty one.
    """
    key_of_kind = KEYS[kind]
    mine = {key_of_kind(row): row for row in rows if row.source == current.source} if rows else {}
    if not take_over and mine.keys() == set(wanted):
        return []
    steps: list[Step] = []
    kept: set[RowKey] = set()
    for index, key in enumerate(wanted):
        if key is None or key in kept:
            continue
        kept.add(key)
        if key not in mine and key[_UNTIL] is not None and key[_UNTIL] <= current.stamp.at:
            continue
        place = (*path, str(index), "permission") if kind is Grant else (*path, str(index))
        if take_over:
            steps += [
                Step(Change(row, None), place, row.source)
                for row in rows
                if row.source != current.source and key_of_kind(row) == key
            ]
        if key not in mine:
            steps.append(Step(Change(None, _make(current.stamp, unit, kind, key)), place))
    if mine.keys() - kept:
        steps += [
            Step(Change(row, None), path)
            for row in rows
            if row.source == current.source and key_of_kind(row) not in kept
        ]
    return steps


def _make(stamp: Stamp, unit: Unit, kind: type, key: RowKey) -> AnyRow:
    what, contract, valid_from, valid_until, *more = key
    common = {
        "id": stamp.new_id(kind), "source": stamp.source, "reason": stamp.reason, "actor": stamp.actor,
        "created_at": stamp.at, "revision": stamp.revision, "contract": contract, "valid_from": valid_from,
        "valid_until": valid_until,
    }  # fmt: skip
    if kind is Assignment:
        return Assignment(holder=unit.holder, role=what, **common)  # type: ignore[arg-type]  # the id of a holder
    if kind is Membership:
        return Membership(user=UserId(unit.holder), team=what, supervisor=more[0], **common)
    if kind is Access:
        return Access(user=UserId(unit.holder), product=what, level=more[0], **common)
    return Grant(holder=unit.holder, node=what, value=more[0], **common)  # type: ignore[arg-type]


def end_rows(current: Current, unit: Unit, *, path: Path) -> Iterator[Step]:
    """The end of every row of the source on a holder."""
    for row in current.world.rows_of(unit.holder):
        if row.source == current.source:
            yield Step(Change(row, None), path)


def holder_of(current: Current, user: UserId) -> str:
    """What a person is called in a plan: the external id, or the user name of one who has none."""
    record = current.world.users[user]
    return record.external_id or record.user_name
