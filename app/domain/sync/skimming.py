"""A long feed skimmed: who is listed exactly as they are is set aside, so that the rest alone is compared in full.

Of a nightly feed that is nearly everybody. Whatever is not plainly the same is left to `diff`, which decides.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.domain.errors import DomainError
from app.domain.holders import Access, Assignment, Membership, UserId, UserKind, UserStatus
from app.domain.references import Ref
from app.domain.sync.brake import Managed, find_managed
from app.domain.sync.desired import AssignmentDesired, LevelDesired, UserDesired
from app.domain.sync.people import People
from app.domain.sync.units import KEYS, Directory, RowKey, Unit
from app.domain.wishes.users import Unchanged
from app.domain.world import World

SEPARATOR = "\n"  # between the words of several rows
UNIT = "\x1f"  # between what is told of a person; no name and no id has a control character
Words = Mapping[str, str]  # by the id of a person: what the rows of one kind say, row by row


def word_of(key: RowKey) -> str:
    """What a row says, in one word. Rows with a window have none: they are left to `diff`."""
    what, contract, _, _, *more = key
    return " ".join((what, contract or "-", *map(_spell, more)))


def _spell(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


class Line(NamedTuple):
    """A person whom the source manages, as far as a feed tells of them; without an address `email` is empty."""

    id: str
    user_name: str
    display_name: str
    email: str
    status: str


@dataclass(frozen=True)
class Standing:
    """What a source has: its people by external id, and what its rows say, but for `dated` people, who have windows.

    A line is the text of a `Line`, joined by `UNIT`: of a hundred thousand most are compared as they are.
    """

    lines: Mapping[str, str] = field(default_factory=dict)
    assignments: Words = field(default_factory=dict)
    memberships: Words = field(default_factory=dict)
    access: Words = field(default_factory=dict)
    dated: frozenset[str] = frozenset()
    managed: Managed = field(default_factory=Managed)

    @staticmethod
    def of(world: World, source: str) -> "Standing":
        """What a source has in a whole world; a database reads the same without making records of it."""
        said: dict[type, dict[str, list[str]]] = {Assignment: {}, Membership: {}, Access: {}}
        dated: set[str] = set()
        for user in world.users:
            for row in world.rows_of(user):
                if row.source == source and type(row) in said:
                    said[type(row)].setdefault(user, []).append(word_of(KEYS[type(row)](row)))
                    if row.valid_from is not None or row.valid_until is not None:
                        dated.add(user)
        words = {kind: {user: SEPARATOR.join(told) for user, told in of.items()} for kind, of in said.items()}
        lines = {
            user.external_id: UNIT.join(Line(user.id, user.user_name, user.display_name, user.email or "", user.status))
            for user in world.users.values()
            if user.source == source and user.external_id is not None and user.kind is UserKind.PERSON
        }
        return Standing(
            lines, words[Assignment], words[Membership], words[Access], frozenset(dated), find_managed(world, source)
        )


@dataclass(frozen=True, slots=True)
class Skimmed:
    """The people who are as they are listed, and the entries of all others."""

    settled: frozenset[UserId]
    left: tuple[UserDesired, ...]


def skim(directory: Directory, standing: Standing, entries: Iterable[UserDesired]) -> Skimmed:
    """Sets aside whoever is listed once, and exactly as they are."""
    skimmer = _Skimmer(directory, standing)
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
        user = skimmer.find_same(entry)
        if user is None:
            left.append(entry)
        else:
            settled[subject] = user
    if twice:
        left = [entry for entry in entries if entry.subject in twice or entry.subject not in settled]
    return Skimmed(frozenset(one for subject, one in settled.items() if subject not in twice), tuple(left))


class _Skimmer:
    """Says what entries list in words. A feed says the same of very many people, and with the same objects."""

    def __init__(self, directory: Directory, standing: Standing) -> None:
        self.directory = directory
        self.standing = standing
        self.people = People(directory.current, directory, take_over=False)
        self.owners = {contract.owner for contract in directory.current.world.contracts.values()}
        self._items: dict[int, tuple[object, RowKey, str]] = {}
        self._lists: dict[tuple[int, ...], tuple[tuple[object, ...], tuple[str, ...] | None]] = {}

    def find_same(self, entry: UserDesired) -> UserId | None:
        """The person who is exactly as an entry has them; None where there may be something to do, or to tell."""
        standing = self.standing
        line = standing.lines.get(entry.external_id or "")
        if line is None or entry.id is not None:
            return None
        user, _, told = line.partition(UNIT)
        if told != _tell(entry) and not _is_as_listed(entry, Line(*line.split(UNIT))):
            return None
        if user in standing.dated or user in self.owners:
            return None
        for items, find, rows in (
            (entry.roles, self._find_role, standing.assignments),
            (entry.teams, self._find_team, standing.memberships),
            (entry.access, self._find_level, standing.access),
        ):
            if items is not None and not self._says(items, find, rows.get(user)):
                return None
        return UserId(user)

    def _says(self, items: tuple[object, ...], find: Callable[[Any], RowKey], said: str | None) -> bool:
        """Whether items are plain, without a fault, and say what rows say."""
        same = tuple(map(id, items))  # they are held here, so that no other has their ids
        if same not in self._lists:
            self._lists[same] = items, self._word(items, find)
        words = self._lists[same][1]
        if words is None:
            return False
        if said is None:
            return not words
        return SEPARATOR.join(words) == said or set(words) == set(said.split(SEPARATOR))

    def _word(self, items: tuple[object, ...], find: Callable[[Any], RowKey]) -> tuple[str, ...] | None:
        """What items say, each in a word; None where one is not plain."""
        words: list[str] = []
        places: set[RowKey] = set()
        for item in items:
            known = self._items.get(id(item))
            if known is None:
                try:
                    key = find(item)
                except DomainError:
                    return None
                if key[2] is not None or key[3] is not None:
                    return None
                known = self._items[id(item)] = (item, key, word_of(key))
            places.add(known[1][:2])
            words.append(known[2])
        return tuple(words) if len(places) == len(set(words)) else None  # of two levels in one product neither is plain

    def _find_role(self, item: AssignmentDesired) -> RowKey:
        return self.directory.key_of_assignment(item, Unit("user", "", ()))

    def _find_team(self, ref: Ref) -> RowKey:
        return self.directory.find_team(ref, Unit("user", "", ())), None, None, None, False

    def _find_level(self, item: LevelDesired) -> RowKey:
        unit = Unit("user", "", ())
        entry = UserDesired(path=(), external_id=None, user_name="", access=(item,))
        (key,) = self.people.keys_of_access(entry, unit)
        if key is None:
            raise unit.faults[0]
        return key


def _tell(entry: UserDesired) -> str | None:
    """What a `Line` has after the id, where an entry gives all of it: somebody active, with a name and an address."""
    name, email = entry.display_name, entry.email
    if entry.active and type(name) is str and type(email) is str:
        return f"{entry.user_name}{UNIT}{name}{UNIT}{email}{UNIT}{UserStatus.ACTIVE.value}"
    return None


def _is_as_listed(entry: UserDesired, line: Line) -> bool:
    """Whether the attributes that an entry gives are those of a person."""
    if entry.user_name != line.user_name or entry.active is not (line.status == UserStatus.ACTIVE):
        return False
    if not isinstance(entry.email, Unchanged) and (entry.email or "") != line.email:
        return False
    shown = entry.display_name
    return isinstance(shown, Unchanged) or (shown if shown is not None else entry.user_name) == line.display_name
