"""A long feed skimmed: who is listed exactly as they are is set aside, so that the rest alone is compared in full.

Of a nightly feed that is nearly everybody. Whatever is not plainly the same is left to `diff`, which decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.domain.holders import Access, Assignment, Membership, UserId, UserKind, UserStatus
from app.domain.sync.brake import Managed, find_managed
from app.domain.sync.desired import UserDesired
from app.domain.sync.people import People
from app.domain.sync.units import KEYS, Directory, RowKey, Unit
from app.domain.wishes.users import Unchanged
from app.domain.world import World

NO_KEYS: frozenset[RowKey] = frozenset()
Keys = Mapping[str, set[RowKey] | frozenset[RowKey]]  # by the id of a person: what rows of one kind say


class Line(NamedTuple):
    """A person whom the source manages, as far as a feed tells of them."""

    id: UserId
    user_name: str
    display_name: str
    email: str | None
    status: str


@dataclass(frozen=True)
class Standing:
    """What a source has: its people by external id, and its rows on anybody, as keys."""

    lines: Mapping[str, Line] = field(default_factory=dict)
    assignments: Keys = field(default_factory=dict)
    memberships: Keys = field(default_factory=dict)
    access: Keys = field(default_factory=dict)
    managed: Managed = field(default_factory=Managed)

    @staticmethod
    def of(world: World, source: str) -> "Standing":
        """What a source has in a whole world; a database reads the same without making records of it."""
        keys: dict[type, dict[str, set[RowKey]]] = {Assignment: {}, Membership: {}, Access: {}}
        for user in world.users:
            for row in world.rows_of(user):
                if row.source == source and type(row) in keys:
                    keys[type(row)].setdefault(user, set()).add(KEYS[type(row)](row))
        lines = {
            user.external_id: Line(user.id, user.user_name, user.display_name, user.email, user.status)
            for user in world.users.values()
            if user.source == source and user.external_id is not None and user.kind is UserKind.PERSON
        }
        return Standing(lines, keys[Assignment], keys[Membership], keys[Access], find_managed(world, source))


@dataclass(frozen=True, slots=True)
class Skimmed:
    """The people who are as they are listed, and the entries of all others."""

    settled: frozenset[UserId]
    left: tuple[UserDesired, ...]


def skim(directory: Directory, standing: Standing, entries: Iterable[UserDesired]) -> Skimmed:
    """Sets aside whoever is listed once, and exactly as they are."""
    people = People(directory.current, directory, take_over=False)
    settled: dict[str, UserId] = {}
    listed: set[str] = set()
    twice: set[str] = set()
    left: list[UserDesired] = []
    entries = list(entries)
    for entry in entries:
        subject = entry.subject
        if subject in listed:
            twice.add(subject)
        listed.add(subject)
        line = standing.lines.get(entry.external_id or "")
        if line is not None and _is_as_listed(entry, line) and _has_what_is_listed(people, standing, entry, line):
            settled[subject] = line.id
        else:
            left.append(entry)
    if twice:
        left = [entry for entry in entries if entry.subject in twice or entry.subject not in settled]
    return Skimmed(frozenset(one for subject, one in settled.items() if subject not in twice), tuple(left))


def _is_as_listed(entry: UserDesired, line: Line) -> bool:
    """Whether the attributes that an entry gives are those of a person."""
    if entry.id is not None or entry.user_name != line.user_name:
        return False
    if entry.active is not (line.status == UserStatus.ACTIVE):
        return False
    if not isinstance(entry.email, Unchanged) and entry.email != line.email:
        return False
    shown = entry.display_name
    return isinstance(shown, Unchanged) or (shown if shown is not None else entry.user_name) == line.display_name


def _has_what_is_listed(people: People, standing: Standing, entry: UserDesired, line: Line) -> bool:
    """Whether the rows of each list that an entry gives are exactly those that it asks for, with no fault in it."""
    unit = Unit("user", entry.subject, entry.path, holder=line.id)
    for given, keys, rows in (
        (entry.roles, people.keys_of_roles, standing.assignments),
        (entry.teams, people.keys_of_teams, standing.memberships),
        (entry.access, people.keys_of_access, standing.access),
    ):
        if given is not None and set(keys(entry, unit)) != rows.get(line.id, NO_KEYS):
            return False
    return unit.is_sound
