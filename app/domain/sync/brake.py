"""The brake: what a plan takes away, measured, and whether that is more than is let pass (SEMANTICS section 10).

Rows that end are measured kind by kind, so that a column that came empty is no small part of all columns. People who
are suspended, and people who lose a right, are measured against those whom the source manages or reaches. So are those
who get another name, since callers are known by it: nothing is taken from them, so they stop nothing and are told of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.domain.errors import Braked, Refused
from app.domain.holders import Access, Assignment, Grant, Membership, User, UserId, UserStatus
from app.domain.sync.diff import SyncPlan
from app.domain.world import Change, World

DEFAULT_SHARE = 0.10
SLIPPED = "look whether a column has slipped, for callers are known by their names"
FEW = 10  # people who may be called otherwise at once, however small the source: somebody marries
_WORDS: Mapping[type, str] = {
    Assignment: "assignments", Membership: "memberships", Access: "access levels", Grant: "grants",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """How many of how many: `taken` of the `managed`. One that does not stop (`stops`) is worth a warning at most."""

    what: str
    taken: int
    managed: int
    stops: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """How much may be taken away: at most `max_removals` in all where that is said, or else this share of each kind."""

    share: float = DEFAULT_SHARE
    max_removals: int | None = None


@dataclass(frozen=True)
class Managed:
    """What a source manages: rows by kind, the people it manages or has rows on, how many of its own are active."""

    rows: Mapping[type, int] = field(default_factory=dict)
    people: frozenset[str] = frozenset()
    active: int = 0


def find_managed(world: World, source: str) -> Managed:
    """What a source manages in a world that holds all of it."""
    managed: Counter[type] = Counter()
    people: set[str] = set()
    active = 0
    for user in world.users.values():
        if user.source == source:
            people.add(user.id)
            active += user.status is UserStatus.ACTIVE
    for holder, rows in world.rows.items():
        for row in rows:
            if row.source == source:
                managed[type(row)] += 1
                if holder in world.users:
                    people.add(holder)
    return Managed(managed, frozenset(people), active)


def measure(managed: Managed, source: str, changes: Iterable[Change], losing: frozenset[UserId]) -> tuple[Measure, ...]:
    """What the changes of a source take away: rows by kind, people suspended, people who lose a right; and renames."""
    ended: Counter[type] = Counter()
    suspended = renamed = 0
    for change in changes:
        old, new = change.before, change.after
        if isinstance(old, User):
            renamed += isinstance(new, User) and _is_called_otherwise(old, new)
            suspended += old.status is UserStatus.ACTIVE and isinstance(new, User) and new.status is not old.status
        elif type(old) in _WORDS and old.source == source:  # type: ignore[union-attr]  # one of the rows
            ended[type(old)] += 1  # what is taken over from another source stays, as ours
    rows_ended = (Measure(f"{word} end", ended[kind], managed.rows.get(kind, 0)) for kind, word in _WORDS.items())
    return (
        *rows_ended,
        Measure("people are suspended", suspended, max(managed.active, suspended)),
        Measure("people lose a right", len(losing), len(managed.people | losing)),
        Measure("people are called otherwise", renamed, max(len(managed.people), renamed), stops=False),
    )


def _is_called_otherwise(old: User, new: User) -> bool:
    """Whether somebody else's name, to others, would be theirs: an external id that is given first is no other."""
    return old.user_name != new.user_name or old.external_id not in {None, new.external_id}


def find_alarms(measures: Iterable[Measure], brake: Brake) -> tuple[str, ...]:
    """What goes beyond the brake, in words; nothing: it holds."""
    measures = tuple(one for one in measures if one.stops)
    if brake.max_removals is not None:
        rows = sum(measure.taken for measure in measures[: len(_WORDS)])
        counted = (Measure("rows end", rows, rows), *measures[len(_WORDS) :])
        return tuple(
            f"{one.taken} {one.what}, more than the {brake.max_removals} allowed"
            for one in counted
            if one.taken > brake.max_removals
        )
    return tuple(
        f"{one.taken} of {one.managed} {one.what}, more than the {brake.share:.0%} allowed"
        for one in measures
        if one.taken > brake.share * one.managed
    )


def find_oddities(measures: Iterable[Measure], brake: Brake) -> tuple[str, ...]:
    """What takes nothing away and yet looks like a fault, in words: beyond the share, and more than a few."""
    return tuple(
        f"{one.taken} of {one.managed} {one.what}: {SLIPPED}"
        for one in measures
        if not one.stops and one.taken > max(FEW, brake.share * one.managed)
    )


def raise_if_unsafe(plan: SyncPlan, alarms: tuple[str, ...], *, overridden: bool = False) -> None:
    """Raises `Refused` for a plan that takes more than is let pass, unless that is overridden.

    A list that was given empty while the source manages something of its kind stops always.
    """
    errors = [
        Braked(
            f"`{name}` is empty, and the source manages {name}: an empty list is taken for a broken feed, always. "
            "Leave the list out where it is not managed",
            path=(name,),
        )
        for name in plan.emptied
    ]
    if not overridden:
        errors += [Braked(f"{alarm}: look at the plan, and override the brake with a reason") for alarm in alarms]
    if errors:
        raise Refused(errors)
