"""People and teams as identity providers see them by SCIM: what there is, as far as the caller sees it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.db.repositories.people import People, PeopleFilter
from app.domain.contracts import AccessLevel
from app.domain.errors import Refused, TooMany
from app.domain.filters import UserFilter
from app.domain.holders import Contract, Role, Team, TeamId, User, UserKind, UserStatus
from app.domain.paging import Slice
from app.domain.references import Ref
from app.services import users
from app.services.context import Reading
from app.services.references import Place, find_references
from app.services.seeing import Seen

MAX_SCANNED = 10_000  # people looked at, one by one, for a filter that the database cannot answer
MAX_MEMBERS = 20_000  # of all teams in one answer: some megabytes
BATCH = 500  # people whose rows are loaded at once


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleHeld:
    """A role that somebody has directly and now, and the source that gives it."""

    role: Role
    contract: Contract | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelHeld:
    """An access level that somebody has, and the source that gives it."""

    contract: Contract
    product: str
    level: AccessLevel
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSeen:
    """A person, and what of their roles, levels and teams the caller sees."""

    user: User
    roles: tuple[RoleHeld, ...] = ()
    levels: tuple[LevelHeld, ...] = ()
    teams: tuple[Team, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleAsked:
    """Which people; every condition given must hold. `user_name` is compared without case.

    `search`: a text within the user name, the display name or the e-mail address.
    """

    id: str | None = None
    external_id: str | None = None
    user_name: str | None = None
    active: bool | None = None
    search: str | None = None

    @property
    def names_few(self) -> bool:
        """Whether it says who is meant: one person, or those who are called alike."""
        return self.id is not None or self.external_id is not None or self.user_name is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSeen:
    """A team, and its members as far as they were asked for (None: not at all)."""

    team: Team
    members: tuple[User, ...] | None = None


# ---------------------------------------------------------------------- people


async def find_person(reading: Reading, user: str) -> PersonSeen | None:
    """A person by id; None for whom the caller does not see, for machines and for archived people."""
    found = await users.find_user(reading, Ref("id", user))
    if found is None or found.kind is not UserKind.PERSON or found.status is UserStatus.ARCHIVED:
        return None
    return (await _show(reading, [found]))[0]


async def list_people(reading: Reading, wanted: PeopleAsked, *, start: int, limit: int) -> Sequence[PersonSeen]:
    """A part of the people whom the caller sees, by user name; `start` of them are left out before."""
    if limit == 0:
        return []
    found = await People(reading.unit.reader).read_from(await _filter(reading, wanted), start=start, limit=limit)
    return await _show(reading, found)


async def count_people(reading: Reading, wanted: PeopleAsked) -> int:
    """How many of these people there are in all that the caller sees."""
    return await People(reading.unit.reader).count_people(await _filter(reading, wanted))


async def find_few(reading: Reading, wanted: PeopleAsked) -> Sequence[PersonSeen]:
    """All of these people whom the caller sees, where their names or ids say who they are."""
    assert wanted.names_few, "others are read page by page"
    return await list_people(reading, wanted, start=0, limit=MAX_SCANNED)


async def scan_people(reading: Reading, wanted: PeopleAsked) -> AsyncIterator[PersonSeen]:
    """All of these people whom the caller sees, by user name; what hangs on them is loaded a batch at a time."""
    found = await People(reading.unit.reader).read_from(await _filter(reading, wanted), start=0, limit=MAX_SCANNED)
    for start in range(0, len(found), BATCH):
        for person in await _show(reading, found[start : start + BATCH]):
            yield person


async def _filter(reading: Reading, wanted: PeopleAsked) -> PeopleFilter:
    audience = (await reading.sight()).audience()
    return PeopleFilter(
        id=wanted.id, external_id=wanted.external_id, user_name=wanted.user_name, active=wanted.active,
        among=UserFilter(search=wanted.search, audience=audience),
    )  # fmt: skip


async def _show(reading: Reading, found: Sequence[User]) -> list[PersonSeen]:
    seen = await reading.look([user.id for user in found])
    return [_show_person(reading, seen, user) for user in found]


def _show_person(reading: Reading, seen: Seen, user: User) -> PersonSeen:
    rows = seen.rows_of(user.id)
    roles: list[RoleHeld] = []
    for assignment in rows.assignments:
        role, contract = seen.role(assignment.role), seen.contract(assignment.contract)
        if role is None or role.archived or not assignment.is_valid_at(reading.now):
            continue
        if assignment.contract is None or contract is not None:
            roles.append(RoleHeld(role=role, contract=contract, source=assignment.source))
    levels: list[LevelHeld] = []
    for access in rows.access:
        contract = seen.contract(access.contract)
        if contract is not None:
            levels.append(
                LevelHeld(contract=contract, product=access.product, level=access.level, source=access.source)
            )
    teams = {row.team: team for row in rows.memberships if (team := seen.team(row.team)) and not team.archived}
    return PersonSeen(
        user=user,
        roles=tuple(sorted(roles, key=lambda held: (held.role.key, held.contract.number if held.contract else ""))),
        levels=tuple(sorted(levels, key=lambda held: (held.contract.number, held.product))),
        teams=tuple(sorted(teams.values(), key=lambda team: team.key)),
    )


async def list_roles(reading: Reading) -> Sequence[Role]:
    """The roles that the caller sees, archived ones left out, by key."""
    found = [role for role in (await reading.look()).roles() if not role.archived]
    return sorted(found, key=lambda role: role.key)


# ---------------------------------------------------------------------- teams


async def find_team(reading: Reading, team: str, *, members: bool) -> TeamSeen | None:
    """A team by id, with or without its members; None for one that the caller does not see, or that is archived."""
    found = (await reading.look()).team(team)
    if found is None or found.archived:
        return None
    return TeamSeen(team=found, members=(await _load_members(reading, [found.id]))[found.id] if members else None)


async def list_teams(reading: Reading) -> Sequence[TeamSeen]:
    """All teams that the caller sees, by key, without members."""
    seen = await reading.look()
    found = sorted((team for team in seen.teams() if not team.archived), key=lambda team: team.key)
    return [TeamSeen(team=team) for team in found]


async def add_members(reading: Reading, teams: Sequence[TeamSeen]) -> Sequence[TeamSeen]:
    """These teams with their members. Raises `Refused` where they are too many for one answer."""
    members = await _load_members(reading, [one.team.id for one in teams])
    return [TeamSeen(team=one.team, members=members[one.team.id]) for one in teams]


async def find_teams_of(reading: Reading, people: Iterable[str]) -> Mapping[str, frozenset[TeamId]]:
    """The teams of these people, as far as the caller sees both."""
    found = await _show(reading, list((await find_people(reading, people)).values()))
    return {one.user.id: frozenset(team.id for team in one.teams) for one in found}


async def find_people(reading: Reading, ids: Iterable[str]) -> dict[str, User]:
    """Those of these people whom the caller sees, machines and archived people left out."""
    found = await find_references(reading, [Place("user", Ref("id", one)) for one in dict.fromkeys(ids)])
    return {
        record.id: record
        for record in found.records.values()
        if isinstance(record, User) and record.kind is UserKind.PERSON and record.status is not UserStatus.ARCHIVED
    }


async def _load_members(reading: Reading, teams: Sequence[TeamId]) -> dict[str, tuple[User, ...]]:
    counts = await users.count_included_users(reading, "team", teams)
    if sum(counts.values()) > MAX_MEMBERS:
        message = f"there are more than {MAX_MEMBERS} members in these groups: ask with `excludedAttributes=members`"
        raise Refused([TooMany(message)])
    pages = await users.list_included_users(reading, "team", teams, Slice(limit=MAX_MEMBERS))
    return {
        team: tuple(
            user for user in page.items if user.kind is UserKind.PERSON and user.status is not UserStatus.ARCHIVED
        )
        for team, page in pages.items()
    }
