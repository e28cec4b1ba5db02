"""Teams and who belongs to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.callers import Caller
from app.domain.changes import Dependents, Wish
from app.domain.filters import TeamFilter
from app.domain.holders import MANUAL, Team, TeamKind
from app.domain.paging import Page, Slice
from app.domain.references import Ref
from app.domain.wishes import teams as wishes
from app.domain.wishes.teams import MembersAsked, TeamAsked
from app.domain.wishes.users import Unchanged
from app.domain.world import World
from app.services.context import Reading, Services
from app.services.references import Found, Place
from app.services.writing import Request, WriteOptions, Writing, Written, carry_out, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """People of a team, as a request names them."""

    team: Ref
    users: Sequence[Ref]
    supervisor: bool = False
    contract: Ref | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


async def create_team(
    services: Services,
    caller: Caller,
    key: str,
    kind: TeamKind,
    asked: TeamAsked,
    *,
    parent: Ref | None,
    options: WriteOptions,
) -> Written:
    """Creates a team."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(*_parent_place(parent))
        within = replace(asked, parent=None if parent is None else found.team(parent))
        wish = wishes.wish_team(await writing.load(), key, kind, within, writing.stamp, faults=writing.faults)
        return wish.changes[0].record.id, wish

    return await write(services, caller, prepare, action="createTeam", options=options)


async def update_team(
    services: Services,
    caller: Caller,
    team: Ref,
    asked: TeamAsked,
    *,
    parent: Ref | Unchanged | None,
    on_dependents: Dependents,
    options: WriteOptions,
    action: str = "updateTeam",
) -> Written:
    """Changes the attributes of a team; a parent of None takes it out of its parent."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        named = None if isinstance(parent, Unchanged) else parent
        found = await writing.find(Place("team", team, ("team",)), *_parent_place(named))
        writing.faults.refuse()
        changed = asked
        if not isinstance(parent, Unchanged):
            changed = replace(asked, parent=None if parent is None else found.team(parent))
        who = found.team(team)
        return who, wishes.wish_team_attributes(
            await writing.load(), who, changed, on_dependents=on_dependents, faults=writing.faults
        )

    return await write(services, caller, prepare, action=action, options=options)


async def archive_team(
    services: Services, caller: Caller, team: Ref, *, on_dependents: Dependents, options: WriteOptions
) -> Written:
    """Archives a team: from now on it gives nothing and joins nobody."""
    return await update_team(
        services, caller, team, TeamAsked(archived=True), parent=Unchanged(), on_dependents=on_dependents,
        options=options, action="archiveTeam",
    )  # fmt: skip


async def add_team_members(services: Services, caller: Caller, members: Members, *, options: WriteOptions) -> Written:
    """Adds people to a team."""
    return await carry_out(services, caller, request_members(members), options=options)


async def remove_team_members(
    services: Services, caller: Caller, members: Members, *, on_dependents: Dependents, options: WriteOptions
) -> Written:
    """Takes people out of a team."""
    return await carry_out(services, caller, request_leaving(members, on_dependents=on_dependents), options=options)


def request_members(members: Members) -> Request:
    """The request to add people to a team."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        team, asked = found.team(members.team), _asked_members(members, found)
        return team, wishes.wish_members(world, team, asked, writing.stamp, faults=writing.faults)

    return Request(
        action="addTeamMembers", places=_member_places(members), read=read, field="users", items=members.users
    )


def request_leaving(members: Members, *, on_dependents: Dependents) -> Request:
    """The request to take people out of a team."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        team, asked = found.team(members.team), _asked_members(members, found)
        wish, kept = wishes.wish_leaving(
            world, team, asked, source=MANUAL, on_dependents=on_dependents, faults=writing.faults
        )
        writing.warnings += kept
        return team, wish

    return Request(
        action="removeTeamMembers", places=_member_places(members), read=read, field="users", items=members.users
    )


def _parent_place(parent: Ref | None) -> list[Place]:
    return [] if parent is None else [Place("team", parent, ("parent",))]


def _member_places(members: Members) -> list[Place]:
    places = [Place("user", ref, ("users", str(index))) for index, ref in enumerate(members.users)]
    if members.contract is not None:
        places.append(Place("contract", members.contract, ("contract",)))
    return [Place("team", members.team, ("team",)), *places]


def _asked_members(members: Members, found: Found) -> MembersAsked:
    return MembersAsked(
        users=tuple(found.user(ref) for ref in members.users),
        supervisor=members.supervisor,
        contract=found.contract(members.contract),
        valid_from=members.valid_from,
        valid_until=members.valid_until,
    )


# ---------------------------------------------------------------------- lists


async def find_team(reading: Reading, team: Ref) -> Team | None:
    """A team by reference; None for one that the caller does not see."""
    seen = await reading.look()
    return next((known for known in seen.teams() if getattr(known, team.attribute) == team.value), None)


async def list_teams(reading: Reading, wanted: TeamFilter, part: Slice) -> Page[Team]:
    """A page of the teams that the caller sees, by key."""
    return await reading.unit.teams.read_page(await _seen(reading, wanted), part)


async def count_teams(reading: Reading, wanted: TeamFilter) -> int:
    """How many teams there are in all that the caller sees."""
    return await reading.unit.teams.count(await _seen(reading, wanted))


async def _seen(reading: Reading, wanted: TeamFilter) -> TeamFilter:
    seen = await reading.look()
    ids = frozenset(team.id for team in seen.teams())
    return wanted if len(ids) == len(seen.world.teams) else replace(wanted, ids=ids)
