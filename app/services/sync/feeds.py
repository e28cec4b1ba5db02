"""A feed on its way into a plan: its bytes, read into what a source wants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.catalogs.feeds import Fault, FeedFormat, Kind, read_feed
from app.domain.errors import DomainError, TooMany
from app.domain.sync.desired import Desired, RoleDesired, TeamDesired, UserDesired
from app.domain.sync.diff import Spoiled

MAX_FAULTS = 10_000  # kept of one feed: whoever has more has sent another kind of file
_NOUNS = {Kind.USERS: "user", Kind.ROLES: "role", Kind.TEAMS: "team", None: None}


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it came, in parts. `size` in bytes, where known."""

    format: FeedFormat
    parts: Iterable[bytes]
    size: int = 0


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """What a feed says: its entries, those that could not be read, and the lists that it gives."""

    users: Sequence[UserDesired] | None
    roles: Sequence[RoleDesired] | None
    teams: Sequence[TeamDesired] | None
    spoiled: tuple[Spoiled, ...]

    def desired(self, source: str, *, take_over: bool) -> Desired:
        """What a source wants that sends this feed."""
        return Desired(source=source, users=self.users, roles=self.roles, teams=self.teams, take_over=take_over)


def read(feed: Feed) -> ReadFeed:
    """Reads a feed, all of it. What cannot be read is a fault of its entry, and of none where nobody knows whose."""
    reading = read_feed(feed.parts, feed.format)
    users: list[UserDesired] = []
    roles: list[RoleDesired] = []
    teams: list[TeamDesired] = []
    faults: dict[tuple[Kind | None, str | None, tuple[str, ...]], list[DomainError]] = {}
    for item in reading:
        if isinstance(item, Fault):
            place = (item.kind, item.key, item.path[:2] if item.key is None else ())
            if reading.faults <= MAX_FAULTS:
                faults.setdefault(place, []).append(item)
        elif isinstance(item, UserDesired):
            users.append(item)
        elif isinstance(item, RoleDesired):
            roles.append(item)
        else:
            teams.append(item)
    if reading.faults > MAX_FAULTS:  # told of nobody: whoever is not listed any more is not missing either
        told = TooMany(f"{reading.faults} faults in all, of which the first {MAX_FAULTS} are listed")
        faults[None, None, ()] = [told]
    spoiled = tuple(
        Spoiled(noun=_NOUNS[kind], subject=key, faults=tuple(errors), path=errors[0].path)
        for (kind, key, _), errors in faults.items()
    )
    managed = reading.managed
    return ReadFeed(
        users=users if Kind.USERS in managed else None,
        roles=roles if Kind.ROLES in managed else None,
        teams=teams if Kind.TEAMS in managed else None,
        spoiled=spoiled,
    )
