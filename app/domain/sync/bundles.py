"""Roles and teams of a plan: made, changed, brought back, archived, and what the source gives them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from app.domain.errors import Conflict, Cycle, DomainError, InvalidValue
from app.domain.holders import Assignment, Grant, Role, RoleId, Team, TeamId
from app.domain.names import read_name, read_text, show
from app.domain.sync.desired import Path, RoleDesired, TeamDesired
from app.domain.sync.people import read_assignments
from app.domain.sync.units import Current, Directory, RowKey, Step, Unit, compare_rows, end_rows
from app.domain.wishes.asking import check_order
from app.domain.wishes.grants import find_grantable, read_granted
from app.domain.wishes.users import Unchanged
from app.domain.world import Change, World

Bundle = TypeVar("Bundle", Role, Team)
LISTS: dict[str, Path] = {"role": ("roles",), "team": ("teams",)}


class Roles:
    """The roles of a plan. Every key is known before the first entry is read, so that their order does not matter."""

    noun: Literal["role"] = "role"

    def __init__(self, current: Current, directory: Directory, entries: Sequence[RoleDesired], take_over: bool) -> None:
        self.current = current
        self.directory = directory
        self.entries = entries
        self.take_over = take_over
        self.new: dict[str, Role] = {}
        for entry in entries:
            old = current.roles_by_key.get(entry.key)
            if old is None:
                made = Role(
                    id=RoleId(current.stamp.new_id(Role)), key=entry.key, display_name="", source=current.source
                )
                self.new.setdefault(entry.key, made)
                directory.roles[entry.key] = self.new[entry.key].id
            if old is None or old.archived:
                directory.made.add(directory.roles[entry.key] if old is None else old.id)

    def read(self, entry: RoleDesired) -> Unit:
        """All that is to be done to the role of an entry."""
        unit = Unit("role", entry.key, entry.path)
        old = self.current.roles_by_key.get(entry.key)
        wanted = self._read_attributes(entry, old or self.new[entry.key], unit)
        _add_record(self.current, unit, old, wanted, take_over=self.take_over)
        unit.holder = wanted.id
        rows, path = self.current.world.rows_of(unit.holder).grants, (*entry.path, "grants")
        keys = self._read_grants(entry, unit, path)
        unit.steps += compare_rows(self.current, unit, Grant, rows, keys, path=path, take_over=self.take_over)
        return unit

    def _read_attributes(self, entry: RoleDesired, old: Role, unit: Unit) -> Role:
        wanted = replace(old, archived=False)
        try:
            if not old.display_name:
                wanted = replace(wanted, key=read_name(entry.key, "key"), display_name=entry.key)
            if not isinstance(entry.display_name, Unchanged):
                name = wanted.key if entry.display_name is None else read_name(entry.display_name, "displayName")
                wanted = replace(wanted, display_name=name)
            if not isinstance(entry.description, Unchanged):
                text = None if entry.description is None else read_text(entry.description, "description")
                wanted = replace(wanted, description=text)
        except InvalidValue as error:
            unit.faults.append(error.under(*entry.path))
        if entry.parents is None:
            return wanted
        parents: dict[RoleId, None] = {}
        for index, ref in enumerate(entry.parents):
            try:
                parents[self.directory.find_role(ref, unit, *entry.path, "parents", str(index))] = None
            except DomainError as error:
                unit.faults.append(error)
        return wanted if parents.keys() == {*old.parents} else replace(wanted, parents=tuple(sorted(parents)))

    def _read_grants(self, entry: RoleDesired, unit: Unit, path: Path) -> list[RowKey | None]:
        keys: list[RowKey | None] = []
        for index, item in enumerate(entry.grants):
            try:
                permission = find_grantable(self.current.catalog, item.permission)
                value = read_granted(permission, item.value)
                check_order(item.valid_from, item.valid_until)
                contract = self.directory.find_contract(item.contract, "contract")
            except DomainError as error:
                unit.faults.append(error.under(*path, str(index)))
                keys.append(None)
                continue
            keys.append((permission.key, contract, item.valid_from, item.valid_until, value))
        return keys


class Teams:
    """The teams of a plan, as `Roles`."""

    noun: Literal["team"] = "team"

    def __init__(self, current: Current, directory: Directory, entries: Sequence[TeamDesired], take_over: bool) -> None:
        self.current = current
        self.directory = directory
        self.entries = entries
        self.take_over = take_over
        self.new: dict[str, Team] = {}
        for entry in entries:
            old = current.teams_by_key.get(entry.key)
            if old is None:
                made = Team(
                    id=TeamId(current.stamp.new_id(Team)), key=entry.key, display_name="", source=current.source
                )
                self.new.setdefault(entry.key, made)
                directory.teams[entry.key] = self.new[entry.key].id
            if old is None or old.archived:
                directory.made.add(directory.teams[entry.key] if old is None else old.id)

    def read(self, entry: TeamDesired) -> Unit:
        """All that is to be done to the team of an entry."""
        unit = Unit("team", entry.key, entry.path)
        old = self.current.teams_by_key.get(entry.key)
        wanted = self._read_attributes(entry, old or self.new[entry.key], unit)
        _add_record(self.current, unit, old, wanted, take_over=self.take_over)
        unit.holder = wanted.id
        if entry.roles is not None:
            rows, path = self.current.world.rows_of(unit.holder).assignments, (*entry.path, "roles")
            keys = read_assignments(self.directory, unit, entry.roles, path)
            unit.steps += compare_rows(self.current, unit, Assignment, rows, keys, path=path, take_over=self.take_over)
        return unit

    def _read_attributes(self, entry: TeamDesired, old: Team, unit: Unit) -> Team:
        wanted = replace(old, archived=False, kind=entry.kind)
        try:
            if not old.display_name:
                wanted = replace(wanted, key=read_name(entry.key, "key"), display_name=entry.key)
            if not isinstance(entry.display_name, Unchanged):
                name = wanted.key if entry.display_name is None else read_name(entry.display_name, "displayName")
                wanted = replace(wanted, display_name=name)
        except InvalidValue as error:
            unit.faults.append(error.under(*entry.path))
        if isinstance(entry.parent, Unchanged):
            return wanted
        parent = None
        if entry.parent is not None:
            try:
                parent = self.directory.find_team(entry.parent, unit, *entry.path, "parent")
            except DomainError as error:
                unit.faults.append(error)
                return wanted
        return replace(wanted, parent=parent)


def _add_record(current: Current, unit: Unit, old: Bundle | None, wanted: Bundle, *, take_over: bool) -> None:
    """The step to a role or a team as it is wanted; a conflict where it belongs to another source."""
    if old is None:
        unit.steps.append(Step(Change(None, wanted), unit.path))
        return
    if old.id in current.hidden:
        unit.conflicts.append(Conflict(f"the key `{show(old.key)}` is taken", path=(*unit.path, "key")))
        return  # what it is, and whose, is not told
    if old.source != current.source and take_over:
        wanted = replace(wanted, source=current.source)
    elif old.source != current.source and wanted != old:
        message = f"the {unit.noun} `{show(old.key)}` belongs to the source `{show(old.source)}`, and is not as listed"
        unit.conflicts.append(Conflict(message, path=unit.path))
        return
    elif old.archived and old.id in current.held_down and not take_over:
        message = f"the {unit.noun} `{show(old.key)}` was archived by somebody else: bring it back, or take over"
        unit.conflicts.append(Conflict(message, path=unit.path))
    if wanted != old:
        unit.steps.append(Step(Change(old, wanted), unit.path, None if old.source == wanted.source else old.source))


def find_missing(current: Current, noun: Literal["role", "team"], listed: set[str]) -> list[Role | Team]:
    """The roles or teams that the source manages, or gives something to, and that are not listed by their keys."""
    records: Iterable[Role | Team] = (
        current.world.roles.values() if noun == "role" else current.world.teams.values()
    )  # fmt: skip
    return [
        record
        for record in records
        if record.key not in listed
        and (
            (record.source == current.source and not record.archived)
            or any(row.source == current.source for row in current.world.rows_of(record.id))
        )
    ]


def leave(current: Current, record: Role | Team) -> Unit:
    """What becomes of a role or a team that is not listed: archived, and the source's rows end."""
    noun: Literal["role", "team"] = "role" if isinstance(record, Role) else "team"
    unit = Unit(noun, record.key, LISTS[noun], holder=record.id)
    if record.source == current.source and not record.archived:
        unit.steps.append(Step(Change(record, replace(record, archived=True)), unit.path))
    unit.steps += end_rows(current, unit, path=unit.path)
    return unit


def refuse_circles(world: World, units: Iterable[Unit]) -> None:
    """Faults of the roles and teams that would include themselves after all of the plan."""
    for unit in units:
        if unit.holder in world.circular and unit.noun != "user":
            record = world.roles.get(RoleId(unit.holder)) or world.teams.get(TeamId(unit.holder))
            field = "parents" if unit.noun == "role" else "parent"
            name = unit.subject if record is None else record.key
            unit.faults.append(Cycle(f"`{show(name)}` would include itself", path=(*unit.path, field)))
