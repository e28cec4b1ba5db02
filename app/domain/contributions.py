"""By which paths a right reaches a holder: the grants, and the chain of holders that passes each on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from app.domain.compiled import Holding
from app.domain.contracts import value_of_level
from app.domain.holders import Access, AnyRow, ContractId, Grant, HolderId, RoleId, TeamId
from app.domain.rights import Evaluation
from app.domain.values import Value

MAX_CONTRIBUTIONS = 100  # paths of one right that are listed; hierarchies with diamonds have more paths than readers


@dataclass(frozen=True, slots=True)
class Contribution:
    """One path: `holders` run from the holder asked about to the one that carries the row.

    `value` is what arrives, limits on the way taken off (those of a user left aside). `implied_by` is the permission
    that gave the right along. `contract` and `valid_until` are the narrowest on the way.
    """

    row: Grant | Access
    holders: tuple[HolderId, ...]
    value: Value
    implied_by: str | None
    contract: ContractId | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Path:
    holders: tuple[HolderId, ...]
    rows: tuple[AnyRow, ...]


def find_contributions(evaluation: Evaluation, holder: HolderId, node: str) -> tuple[Contribution, ...]:
    """The paths by which a permission reaches a role, a team or a user, at most `MAX_CONTRIBUTIONS`."""
    found: list[Contribution] = []
    for contribution in _iterate_contributions(evaluation, holder, node):
        found.append(contribution)
        if len(found) == MAX_CONTRIBUTIONS:
            break
    return tuple(found)


def _iterate_contributions(evaluation: Evaluation, holder: HolderId, node: str) -> Iterator[Contribution]:
    program = evaluation.program
    number = program.catalog.number_of[node]
    permission = program.catalog.permissions[number]
    if permission.access_level:
        for row in evaluation.world.rows_of(holder).access:
            if row.product == permission.product and row.counts(evaluation.contract_id, evaluation.at):
                yield Contribution(row, (holder,), value_of_level(row.level), None, row.contract, row.valid_until)
        return
    givers = program.givers[number]
    for path in _paths(evaluation, _Path((holder,), ())):
        for grant in evaluation.world.rows_of(path.holders[-1]).grants:
            given = program.catalog.number_of.get(grant.node)
            if given is None or given not in givers or not grant.counts(evaluation.contract_id, evaluation.at):
                continue
            arriving = _carry(evaluation, program.encode(given, grant.value), path.holders)
            if not program.holds_any(arriving, number):
                continue
            rows = (*path.rows, grant)
            yield Contribution(
                row=grant,
                holders=path.holders,
                value=program.value(arriving, number),
                implied_by=None if given == number else _name_giver(evaluation, arriving, number) or grant.node,
                contract=next((row.contract for row in rows if row.contract is not None), None),
                valid_until=min((row.valid_until for row in rows if row.valid_until is not None), default=None),
            )


def _paths(evaluation: Evaluation, path: _Path) -> Iterator[_Path]:
    """This path and every longer one, over rows that count and holders that are not archived; never through a cycle."""
    yield path
    world, holder = evaluation.world, path.holders[-1]
    rows = world.rows_of(holder)
    steps: list[tuple[HolderId, AnyRow | None]] = [(row.role, row) for row in rows.assignments]
    steps += [(row.team, row) for row in rows.memberships]
    if holder in world.roles:
        steps += [(parent, None) for parent in world.roles[RoleId(holder)].parents]
    if holder in world.teams and (parent_team := world.teams[TeamId(holder)].parent) is not None:
        steps.append((parent_team, None))
    for included, row in steps:
        record = world.roles.get(RoleId(included)) or world.teams.get(TeamId(included))
        if record is None or record.archived or included in path.holders:
            continue
        if row is None:
            yield from _paths(evaluation, _Path((*path.holders, included), path.rows))
        elif row.counts(evaluation.contract_id, evaluation.at):
            yield from _paths(evaluation, _Path((*path.holders, included), (*path.rows, row)))


def _carry(evaluation: Evaluation, given: Holding, holders: tuple[HolderId, ...]) -> Holding:
    """What of a grant arrives at the first holder, closed and limited by each holder on the way."""
    for holder in reversed(holders):
        given = evaluation.program.close(given)
        if holder not in evaluation.world.users:
            given = evaluation.apply_limits(holder, given)
    return given


def _name_giver(evaluation: Evaluation, holding: Holding, number: int) -> str | None:
    """The permission in a holding that gives another along."""
    program = evaluation.program
    key = program.catalog.permissions[number].key
    for giver, permission in enumerate(program.catalog.permissions):
        if program.holds_any(holding, giver) and any(implied.node == key for implied in permission.implies):
            return permission.key
    return None
