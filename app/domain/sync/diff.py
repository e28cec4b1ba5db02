"""What differs between what a source wants and what there is: the one pure function that a plan comes from.

It decides nothing about rules and guards, and nothing about safety: `weighing` and `brake` do, on the state after the
whole of it. The order of entries, and the same entry again, make no difference.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from app.domain.errors import Conflict, DomainError, Duplicate
from app.domain.holders import User, UserId
from app.domain.sync import bundles
from app.domain.sync.bundles import Roles, Teams, refuse_circles
from app.domain.sync.desired import Desired, Path, RoleDesired, TeamDesired, UserDesired
from app.domain.sync.people import People
from app.domain.sync.units import Current, Directory, Noun, Step, Unit
from app.domain.world import World

E = TypeVar("E", UserDesired, RoleDesired, TeamDesired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiled:
    """An entry that could not be read, and why. `subject` is who it was about; None: nobody can tell."""

    noun: str | None
    subject: str | None
    faults: tuple[DomainError, ...]
    path: Path


@dataclass(frozen=True)
class SyncPlan:
    """All that a source wants done, unit by unit. `unchanged` entries ask for what there is.

    `matched` are the people whom entries mean, whether anything is done to them or not.
    """

    units: tuple[Unit, ...]
    unchanged: int
    matched: frozenset[str]
    emptied: tuple[str, ...] = ()  # the lists that were given empty while the source manages something of their kind

    def steps(self) -> Iterator[Step]:
        """Everything that is to be done, those units left out in whose way something stands."""
        return chain.from_iterable(unit.steps for unit in self.units if unit.is_sound)


def diff(
    current: Current, desired: Desired, spoiled: Iterable[Spoiled] = (), settled: frozenset[UserId] = frozenset()
) -> SyncPlan:
    """The plan that brings the current state to the desired one.

    `spoiled` are entries that could not be read: whom they name is not missing. Where one names nobody, everybody might
    be named by it, and nobody is taken for missing. `settled` are people who are listed as they are, and left out of
    the entries: the world need not hold them.
    """
    spoiled = tuple(spoiled)
    complete = desired.complete and all(one.subject is not None for one in spoiled)
    spoiled_of: Mapping[str, set[str]] = {
        noun: {one.subject for one in spoiled if one.noun == noun and one.subject is not None}
        for noun in ("user", "role", "team")
    }
    directory = Directory(current)
    units: list[Unit] = [_spoil(one) for one in spoiled]
    unchanged = len(settled)
    emptied: list[str] = []
    role_entries, role_doubles = _single_out(desired.roles, "role", lambda entry: entry.key, spoiled_of["role"])
    team_entries, team_doubles = _single_out(desired.teams, "team", lambda entry: entry.key, spoiled_of["team"])
    units += [*role_doubles, *team_doubles]
    roles = Roles(current, directory, role_entries, desired.take_over)
    teams = Teams(current, directory, team_entries, desired.take_over)
    for noun, given, entries, doubles in (
        ("role", desired.roles, role_entries, role_doubles), ("team", desired.teams, team_entries, team_doubles),
    ):  # fmt: skip
        if given is None or not complete:
            continue
        listed = {entry.key for entry in entries} | {unit.subject for unit in doubles} | spoiled_of[noun]
        missing = bundles.find_missing(current, noun, listed)  # type: ignore[arg-type]  # one of the two
        if not listed and missing:
            emptied.append(f"{noun}s")
        directory.gone |= {record.id for record in missing if record.source == current.source}
        units += [bundles.leave(current, record) for record in missing]
    going_teams = [current.world.teams[team] for team in dict.fromkeys(desired.leaving_teams)]
    directory.gone |= {team.id for team in going_teams if team.source == current.source}
    units += [bundles.leave(current, team) for team in going_teams]
    for unit in (*map(roles.read, role_entries), *map(teams.read, team_entries)):
        unchanged += _keep(unit, units)
    people = People(current, directory, desired.take_over, matched=set(settled))
    any_listed = bool(spoiled_of["user"] or settled)
    user_entries, user_doubles = _single_out(desired.users, "user", lambda entry: entry.subject, spoiled_of["user"])
    for entry in user_entries:
        any_listed = True
        unchanged += _keep(people.read(entry), units)
    for unit in user_doubles:
        known = current.users_by_external_id.get(unit.subject)
        people.matched |= set() if known is None else {known.id}
    units += user_doubles
    for subject in spoiled_of["user"]:
        known = current.users_by_external_id.get(subject)
        people.matched |= set() if known is None else {known.id}
    if desired.users is not None and complete:
        leaving = people.find_missing()
        if not any_listed and not user_doubles and leaving:
            emptied.append("users")
        units += [unit for unit in map(people.leave, leaving) if unit is not None]
    left = {unit.holder for unit in units} | people.matched
    going = (user for user in dict.fromkeys(desired.leaving) if user not in left)
    units += [unit for unit in map(people.leave, going) if unit is not None]
    people.refuse_taken_names(_find_renamed(units))
    settle(current.world, units)
    return SyncPlan(tuple(units), unchanged, frozenset(people.matched), tuple(emptied))


def _single_out(
    entries: Iterable[E] | None, noun: Noun, key: Callable[[E], str], spoiled: set[str]
) -> tuple[list[E], list[Unit]]:
    """Each thing once: the same entry again is no other, and entries that contradict one another are all faulty.

    So is one of a thing that another entry, which could not be read, is about as well (`spoiled`).
    """
    found: dict[str, E] = {}
    doubles: dict[str, Unit] = {}
    for entry in entries or ():
        name = key(entry)
        first = found.setdefault(name, entry)
        if name in spoiled:
            unit = doubles.setdefault(name, Unit(noun, name, first.path))
            message = f"`{name}` is listed once more, where it cannot be read"
            unit.faults.append(Duplicate(message, path=entry.path))
            continue
        if first is entry or replace(entry, path=first.path) == first or _say(entry) == _say(first):
            continue
        unit = doubles.setdefault(name, Unit(noun, name, first.path))
        where = " ".join(first.path)
        unit.faults.append(Duplicate(f"`{name}` is listed at `{where}` as well, and otherwise", path=entry.path))
    return [entry for name, entry in found.items() if name not in doubles], list(doubles.values())


def _say(entry: UserDesired | RoleDesired | TeamDesired) -> dict[str, object]:
    """What an entry asks for, wherever it stands and in whatever order it lists things."""
    said = {name: getattr(entry, name) for name in entry.__dataclass_fields__ if name != "path"}
    return {name: frozenset(value) if isinstance(value, tuple) else value for name, value in said.items()}


def _spoil(one: Spoiled) -> Unit:
    noun = one.noun if one.noun in {"user", "role", "team"} else "user"
    return Unit(noun, one.subject or " ".join(one.path), one.path, faults=list(one.faults))  # type: ignore[arg-type]  # one of the nouns


def _keep(unit: Unit, units: list[Unit]) -> int:
    """Keeps a unit in which there is something to do or to tell; 1 for one in which there is nothing."""
    if unit.steps or not unit.is_sound:
        units.append(unit)
        return 0
    return 1


def _find_renamed(units: Iterable[Unit]) -> set[str]:
    """The people who give up the name that they have."""
    return {
        before.id
        for unit in units
        if unit.noun == "user" and unit.is_sound
        for before, after in ((step.change.before, step.change.after) for step in unit.steps)
        if isinstance(before, User) and isinstance(after, User) and before.user_name != after.user_name
    }


def settle(world: World, units: Sequence[Unit]) -> None:
    """Faults of the units that cannot be done once those are left out in whose way something stands.

    Those that build upon one of them; and those that would make a circle without one.
    """
    close(units)
    while any_circle(world, units):
        close(units)


def any_circle(world: World, units: Iterable[Unit]) -> bool:
    """Whether roles or teams would include themselves; faults are left with the units that make them."""
    able = [unit for unit in units if unit.noun != "user" and unit.is_sound]
    changes = [step.change for unit in able for step in unit.steps if unit.holder == step.change.record.id]
    if not changes:
        return False
    refuse_circles(world.changed(changes), able)
    return any(not unit.is_sound for unit in able)


def close(units: Iterable[Unit]) -> None:
    """Faults of the units that build upon one in whose way something stands; and of those that build upon these."""
    units = list(units)
    failed = {unit.holder for unit in units if not unit.is_sound}
    waiting = [unit for unit in units if unit.is_sound and unit.needs]
    while failed:
        fallen = [unit for unit in waiting if unit.needs & failed]
        for unit in fallen:
            unit.faults.append(Conflict("it builds upon an entry that is refused", path=unit.path))
        waiting = [unit for unit in waiting if unit.is_sound]
        failed = {unit.holder for unit in fallen}
