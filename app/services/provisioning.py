"""What identity providers make of people and teams by SCIM.

Each provider is a source of its own: `scim:` and the user name of its service account, so that no two ever end each
other's rows. A request becomes the desired state of one person, or of one team and of the people who come and go in
it, and goes the way of every sync: compared, guarded, audited and applied in one transaction. It is read from what
stands in that very transaction, so that nothing comes between.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from app.db.repositories.people import People
from app.domain.callers import Caller, Need, Right
from app.domain.errors import Conflict, DomainError, Duplicate, InvalidValue, NotFound, NotPermitted, Refused
from app.domain.holders import SCIM, Membership, Team, TeamId, TeamKind, User, UserId, UserKind, UserStatus
from app.domain.ids import PREFIX_OF, kind_of
from app.domain.names import fold_name, show
from app.domain.references import Ref
from app.domain.sync.desired import Desired, TeamDesired, UserDesired
from app.domain.wishes.users import UNCHANGED, Patch
from app.services import scim, users
from app.services.context import Reading, Services
from app.services.scim import PersonSeen, TeamSeen
from app.services.sync.single import Want, carry_out_desired
from app.services.writing import WriteOptions, Writing, Written

ACTION = "applySync"
# Who writes has to see what stands: what is not seen would be taken for not there, and ended.
VIEWING = (Right.VIEW_USERS, Right.VIEW_ROLES, Right.VIEW_RIGHTS, Right.VIEW_TEAMS, Right.VIEW_CONTRACTS)

DecidePerson = Callable[[PersonSeen | None], UserDesired]
DecideTeam = Callable[[TeamSeen | None], "TeamAsked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamAsked:
    """What is asked of a team. `key` is of a new one.

    `whole`, where given, is everybody whom this source has in it; else some come and some go.
    """

    key: str | None = None
    display_name: Patch = UNCHANGED
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    whole: frozenset[str] | None = None


def source_of(caller: Caller) -> str:
    """The source under which a caller writes by SCIM; no two callers share one."""
    return f"{SCIM}{caller.user_name}"


async def _carry_out(services: Services, caller: Caller, want: Want, *, reason: str) -> Written:
    async def look_first(writing: Writing) -> Desired:
        for right in VIEWING:
            try:
                writing.authority.require(Need(right, everywhere=True))
            except NotPermitted as refusal:
                raise Refused([refusal]) from None
        return await want(writing)

    return await carry_out_desired(services, caller, look_first, action=ACTION, options=WriteOptions(reason=reason))


# ---------------------------------------------------------------------- people


async def write_person(
    services: Services, caller: Caller, user: str | None, decide: DecidePerson, *, reason: str
) -> Written:
    """Makes a person what `decide` says of what stands; of a new one nothing does.

    What `decide` raises goes through, and nothing is changed.
    """

    async def want(writing: Writing) -> Desired:
        source, reading = source_of(caller), writing.reading
        seen = None if user is None else await scim.find_person(reading, user)
        if user is not None and seen is None:
            raise Refused([NotFound(f"there is no user `{show(user)}`")])
        entry = await _refuse_taken(reading, decide(seen), None if seen is None else seen.user, source)
        return Desired(source=source, complete=False, users=(entry,))

    return await _carry_out(services, caller, want, reason=reason)


async def remove_person(
    services: Services, caller: Caller, user: str, check: Callable[[PersonSeen], None], *, reason: str
) -> Written:
    """Lets a person go: whatever this source gave them ends, and whom it manages is suspended.

    Who has been archived is gone already. What `check` raises of what stands goes through, and nothing is changed.
    """

    async def want(writing: Writing) -> Desired:
        source, reading = source_of(caller), writing.reading
        seen = await scim.find_person(reading, user)
        if seen is not None:
            check(seen)
            return Desired(source=source, complete=False, leaving=(seen.user.id,))
        found = await users.find_user(reading, Ref("id", user))
        if found is None or found.kind is not UserKind.PERSON:
            raise Refused([NotFound(f"there is no user `{show(user)}`")])
        return Desired(source=source, complete=False)

    return await _carry_out(services, caller, want, reason=reason)


async def _refuse_taken(reading: Reading, entry: UserDesired, before: User | None, source: str) -> UserDesired:
    """Refuses names that somebody else has, in whatever case. Who has left and is brought anew is who they were."""
    people = People(reading.unit.reader)
    is_renamed = before is None or before.user_name != entry.user_name
    named = [*await people.find_named(entry.user_name)] if is_renamed else []
    known = [] if entry.external_id is None else [*await people.find_by("external_id", [entry.external_id])]
    others = {user.id: user for user in (*named, *known) if before is None or user.id != before.id}
    if before is None and len(others) == 1:
        (former,) = others.values()
        if await _has_left(reading, former, source):
            return replace(entry, id=former.id)
    errors: list[DomainError] = []
    for found, name, field in ((named, entry.user_name, "userName"), (known, entry.external_id, "externalId")):
        if any(user.id in others for user in found):
            errors.append(Duplicate(f"`{show(name or '')}` is taken", path=(field,)))
    if errors:
        raise Refused(errors)
    return entry


async def _has_left(reading: Reading, user: User, source: str) -> bool:
    """Whether somebody of this source is suspended and has nothing of it any more."""
    if (user.source, user.kind, user.status) != (source, UserKind.PERSON, UserStatus.SUSPENDED):
        return False
    world = await reading.load_world([user.id])
    return not any(row.source == source for row in world.rows_of(user.id))


# ---------------------------------------------------------------------- teams


async def write_team(
    services: Services, caller: Caller, team: str | None, decide: DecideTeam, *, members: bool, reason: str
) -> Written:
    """Makes a team what `decide` says of what stands; of a new one nothing does.

    `members`: whether `decide` looks at them. What it raises goes through, and nothing is changed.
    """

    async def want(writing: Writing) -> Desired:
        source, reading = source_of(caller), writing.reading
        if team is None:
            return await _want_new_team(reading, decide(None), source)
        seen = await scim.find_team(reading, team, members=members)
        if seen is None:
            raise Refused([NotFound(f"there is no group `{show(team)}`")])
        asked, record = decide(seen), seen.team
        renamed: tuple[TeamDesired, ...] = ()
        if asked.display_name != UNCHANGED:
            renamed = (TeamDesired(path=(), key=record.key, kind=record.kind, display_name=asked.display_name),)
        people = await _want_members(reading, record, asked, source)
        return Desired(source=source, complete=False, users=people or None, teams=renamed or None)

    return await _carry_out(services, caller, want, reason=reason)


async def remove_team(
    services: Services,
    caller: Caller,
    team: str,
    check: Callable[[TeamSeen], None],
    *,
    members: bool,
    reason: str,
) -> Written:
    """Lets a team go: whoever is in it by this source leaves it, and a team of this very source is archived.

    What has been archived is gone already. What `check` raises goes through, and nothing is changed.
    """

    async def want(writing: Writing) -> Desired:
        source, reading = source_of(caller), writing.reading
        record = (await reading.look()).team(team)
        if record is None:
            raise Refused([NotFound(f"there is no group `{show(team)}`")])
        seen = await scim.find_team(reading, team, members=members)
        if seen is None:
            return Desired(source=source, complete=False)
        check(seen)
        leaving = await _want_members(reading, record, TeamAsked(whole=frozenset()), source)
        return Desired(source=source, complete=False, users=leaving or None, leaving_teams=(record.id,))

    return await _carry_out(services, caller, want, reason=reason)


async def _want_new_team(reading: Reading, asked: TeamAsked, source: str) -> Desired:
    """A team that is made, or one of this source that had gone and is brought back."""
    key, kind = asked.key or "", TeamKind.TEAM
    for other in (await reading.load_world()).teams.values():
        if other.archived and other.source == source and other.key == key:
            kind = other.kind
        elif fold_name(key) in {fold_name(other.key), fold_name("" if other.archived else other.display_name)}:
            raise Refused([Duplicate(f"there is a group `{show(key)}` already", path=("displayName",))])
    made = TeamDesired(path=(), key=key, kind=kind, display_name=asked.display_name)
    people = await _want_people(reading, asked.whole or frozenset(), frozenset(), Ref.of("key", key), source)
    return Desired(source=source, complete=False, users=people or None, teams=(made,))


async def _want_members(reading: Reading, team: Team, asked: TeamAsked, source: str) -> tuple[UserDesired, ...]:
    """What is to be of everybody who comes into a team or goes out of it."""
    ref = Ref("id", team.id)
    if asked.whole is None:
        return await _want_people(reading, asked.added, asked.removed, ref, source)
    inside = await reading.unit.users.find_included("team", [team.id])
    world = await reading.load_world(inside)
    ours = frozenset(user for user in inside if _is_given(world.rows_of(user).memberships, team.id, source))
    return await _want_people(reading, asked.whole - ours, ours - asked.whole, ref, source)


def _is_given(rows: Iterable[Membership], team: TeamId, source: str) -> bool:
    return any(row.team == team and row.source == source for row in rows)


async def _want_people(
    reading: Reading, coming: frozenset[str], going: frozenset[str], team: Ref, source: str
) -> tuple[UserDesired, ...]:
    """What is to be of these people: the teams that this source gives them, with one more or without it."""
    known = await scim.find_people(reading, coming)
    unknown = sorted(coming - known.keys())
    if unknown:
        expected = "ids of users"
        errors = [
            InvalidValue(f"there is no user `{show(one)}`", path=("members",), expected=expected) for one in unknown
        ]
        raise Refused(errors)
    going = frozenset(one for one in going if kind_of(one) == PREFIX_OF[User])  # what is no id is nobody's
    world = await reading.load_world({*map(UserId, coming), *map(UserId, going)})
    found: list[UserDesired] = []
    for one in sorted(coming | going):
        user = world.users.get(UserId(one))
        if user is None:
            continue  # who is nowhere is not in the team
        rows = world.rows_of(user.id).memberships
        living = {row.team for row in rows if row.source == source and not world.teams[row.team].archived}
        ours = {Ref("id", other) for other in living}
        if one in going:
            if not _is_given(rows, TeamId(team.value), source):
                _refuse_taking(user, rows, TeamId(team.value))
                continue
            ours.discard(team)
        elif team in ours:
            continue
        else:
            ours.add(team)
        found.append(
            UserDesired(
                path=("members", user.id), id=user.id, external_id=user.external_id, user_name=user.user_name,
                active=user.status is UserStatus.ACTIVE, teams=tuple(sorted(ours, key=lambda ref: ref.value)),
            )
        )  # fmt: skip
    return tuple(found)


def _refuse_taking(user: User, rows: Iterable[Membership], team: TeamId) -> None:
    """Raises `Refused` where another source has put somebody into a team: they would stay, and nobody would be told."""
    others = sorted({row.source for row in rows if row.team == team})
    if others:
        named = ", ".join(f"`{show(one)}`" for one in others)
        message = f"`{show(user.user_name)}` was put into this group by {named}, and is not yours to take out"
        raise Refused([Conflict(message, path=("members",))])
