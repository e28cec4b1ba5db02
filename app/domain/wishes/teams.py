"""Teams: made, changed, archived; who belongs to them."""

from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.changes import Dependents, Stamp, Wish
from app.domain.errors import Conflict, Cycle, DomainError, Duplicate, ErrorCode, NotFound, Warned
from app.domain.holders import ContractId, Membership, Team, TeamId, TeamKind, UserId
from app.domain.names import read_name, show
from app.domain.wishes.asking import Faults, add_unless_there, check_window
from app.domain.wishes.users import UNCHANGED, Patch, Unchanged
from app.domain.world import Change, World


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamAsked:
    """The attributes of a team as a request gives them."""

    display_name: Patch = UNCHANGED
    parent: TeamId | Unchanged | None = UNCHANGED
    archived: bool | Unchanged = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersAsked:
    """People of a team, all of them alike."""

    users: tuple[UserId, ...]
    supervisor: bool = False
    contract: ContractId | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def wish_team(world: World, key: str, kind: TeamKind, asked: TeamAsked, stamp: Stamp, *, faults: Faults) -> Wish:
    """A new team."""
    team = Team(id=TeamId(stamp.new_id(Team)), key="", display_name="", kind=kind, source=stamp.source)
    with faults.catching():
        name = read_name(key, "key")
        if any(other.key == name for other in world.teams.values()):
            raise Duplicate(f"there is a team `{show(name)}` already", path=("key",))
        team = replace(team, key=name)
    team = _with_attributes(world, team, asked, faults)
    faults.refuse()
    return Wish(changes=(Change(None, team),), paths={team.id: ("parent",)}, asked=frozenset([team.id]))


def wish_team_attributes(
    world: World, team: TeamId, asked: TeamAsked, *, on_dependents: Dependents, faults: Faults
) -> Wish:
    """Changed attributes of a team; none changed is no change."""
    old = world.teams[team]
    new = _with_attributes(world, old, asked, faults)
    faults.refuse()
    changes = () if new == old else (Change(old, new),)
    return Wish(changes=changes, paths={team: ("team",)}, asked=frozenset([team]), on_dependents=on_dependents)


def _with_attributes(world: World, team: Team, asked: TeamAsked, faults: Faults) -> Team:
    if not isinstance(asked.display_name, Unchanged) or not team.display_name:
        given = None if isinstance(asked.display_name, Unchanged) else asked.display_name
        with faults.catching():
            team = replace(team, display_name=team.key if given is None else read_name(given, "displayName"))
    if not isinstance(asked.parent, Unchanged):
        with faults.catching():
            if asked.parent in world.teams and asked.parent is not None:
                _check_parent(world, team, asked.parent)
            team = replace(team, parent=asked.parent)
    if not isinstance(asked.archived, Unchanged):
        team = replace(team, archived=asked.archived)
    return team


def _check_parent(world: World, team: Team, parent: TeamId) -> None:
    record = world.teams[parent]
    if parent == team.id or team.id in world.included_in(parent):
        raise Cycle(f"`{record.key}` lies within this team already, so it cannot be its parent", path=("parent",))
    if record.archived and parent != team.parent:
        raise Conflict(f"the team `{record.key}` is archived", path=("parent",))


def wish_members(world: World, team: TeamId, asked: MembersAsked, stamp: Stamp, *, faults: Faults) -> Wish:
    """People added to a team. The people are the holders asked about: it is they who get more."""
    changes: list[Change] = []
    paths: dict[str, tuple[str, ...]] = {}
    faults.bound(asked.users, "users")
    with faults.catching():
        check_window(asked.valid_from, asked.valid_until, stamp.at)
    record = world.teams.get(team)  # what names nothing has been refused already, here and below
    if record is not None and record.archived:
        faults.add(Conflict(f"the team `{record.key}` is archived", path=("team",)))
    for index, user in enumerate(asked.users):
        row = Membership(
            **stamp.row(Membership), user=user, team=team, supervisor=asked.supervisor, contract=asked.contract,
            valid_from=asked.valid_from, valid_until=asked.valid_until,
        )  # fmt: skip
        new = [change.after for change in changes if isinstance(change.after, Membership)]
        changes += add_unless_there((*world.rows_of(user).memberships, *new), row)
        paths[row.id] = ("users", str(index))
    faults.refuse()
    return Wish(changes=tuple(changes), paths=paths, asked=frozenset([*asked.users, team]))


def wish_leaving(
    world: World,
    team: TeamId,
    asked: MembersAsked,
    *,
    source: str,
    on_dependents: Dependents,
    faults: Faults,
) -> tuple[Wish, list[DomainError]]:
    """People taken out of a team: their memberships in exactly this contract and from this source.

    With `supervisor` only those in which they lead it. Memberships from other sources stay and are named in warnings.
    """
    changes: dict[str, Change] = {}
    paths: dict[str, tuple[str, ...]] = {}
    kept: list[DomainError] = []
    faults.bound(asked.users, "users")
    for index, user in enumerate(asked.users):
        path = ("users", str(index))
        if user not in world.users or team not in world.teams:
            continue  # refused already
        alike = [
            row
            for row in world.rows_of(user).memberships
            if row.team == team
            and row.contract == asked.contract
            and (row.supervisor or not asked.supervisor)
            and asked.valid_from in {None, row.valid_from}
            and asked.valid_until in {None, row.valid_until}
        ]
        matching = [row for row in alike if row.source == source]
        if not matching:
            others = ", ".join(sorted({f"`{row.source}`" for row in alike}))
            name = world.users[user].user_name
            message = f"`{name}` is no member in this scope from `{show(source)}`"
            faults.add(NotFound(message + (f"; added by {others}" if others else ""), path=path))
        for row in matching:
            changes[row.id] = Change(row, None)
            paths[row.id] = path
        kept += [
            Warned(f"the membership from `{row.source}` (row {row.id}) stays", path=path, code=ErrorCode.CONFLICT)
            for row in alike
            if row.source != source
        ]  # fmt: skip
    faults.refuse()
    wish = Wish(
        changes=tuple(changes.values()), paths=paths, asked=frozenset([*asked.users, team]), on_dependents=on_dependents
    )
    return wish, kept
