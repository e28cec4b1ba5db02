"""What those who listen are told, in the order in which it came about, and for how long they may listen.

A listener keeps a revision and nothing of the database: what comes next is read when its turn comes, so that it has no
gap after however long a rest. Whether it may hear it is asked anew in every turn, of the caller as authenticated in it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.audit import AuditEntry
from app.domain.callers import OPERATIONS
from app.domain.compiled import Holding
from app.domain.differences import RightDifference, compare_holdings
from app.domain.errors import InvalidValue, NotPermitted, Refused
from app.domain.holders import ContractId, UserId
from app.domain.references import Ref
from app.domain.rights import Evaluation, Subject
from app.domain.windows import find_next_moment
from app.services.audit import find_next_entry
from app.services.context import Reading
from app.services.references import Place, find_references


class Turns(Protocol):
    """Gives a listener its turns."""

    async def take(self, *, after: int | None = None, until: datetime | None = None) -> Reading:
        """A new snapshot, for the caller, who was authenticated after it was opened; the one before is closed.

        It waits for a revision later than `after`, or until a moment; without `after` for nothing. Raises an error of
        the door's own where the caller is none any more.
        """


async def follow_entries(turns: Turns, after: int | None) -> AsyncIterator[AuditEntry]:
    """Every entry after a revision (None: from now on) that the caller sees. Raises `Refused` where that is over."""
    reading = await turns.take()
    position = reading.revision if after is None else after
    if position > reading.revision:
        expected = f"a revision that was handed out: at most `{reading.revision}`"
        raise Refused([InvalidValue(f"`{position}` is still to come", path=("after",), expected=expected)])
    while True:
        entry = await find_next_entry(reading, position)
        position = reading.revision if entry is None else entry.revision
        until = await _find_next_moment(reading)
        if entry is not None:
            yield entry
        reading = await turns.take(after=position, until=until)


async def _find_next_moment(reading: Reading) -> datetime | None:
    """When the caller's own rights may change though nothing is written."""
    if reading.caller is None:
        return None
    authority = await reading.authority()
    return find_next_moment(authority.world, authority.included, reading.now)


# ---------------------------------------------------------------------- rights


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsChange:
    """What a person has more or less of since a revision, or since a moment after it."""

    user: UserId
    revision: int
    differences: tuple[RightDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What a person had at a revision and a moment: plain values, in which no right outlives its loss.

    `holders`: whose entries bear on it; `until`: when time alone changes it.
    """

    revision: int
    at: datetime
    held: Holding
    holders: frozenset[str]
    until: datetime | None


async def follow_rights(turns: Turns, user: Ref, contract: Ref | None) -> AsyncIterator[RightsChange]:
    """Each change of a person's effective rights from now on, by a revision or by a window that begins or ends.

    Raises `Refused` where the caller may not see them, or not any more.
    """
    reading = await turns.take()
    places = [Place("user", user, ("user",))]
    places += [] if contract is None else [Place("contract", contract, ("contract",))]
    found = await find_references(reading, places)
    if found.errors:
        raise Refused(found.errors)
    who, where = found.user(user), found.contract(contract)
    await _require_sight(reading, who, where)
    standing = await _look(reading, who, where, revision=reading.revision, at=reading.now)
    while True:
        await _require_sight(reading, who, where)
        standing, differences = await _go_on(reading, who, where, standing)
        until = _earliest(standing.until, await _find_next_moment(reading))
        if differences:
            yield RightsChange(user=who, revision=standing.revision, differences=differences)
            reading = await turns.take()  # there may be more that is known already
        else:
            reading = await turns.take(after=standing.revision, until=until)


async def _require_sight(reading: Reading, who: UserId, where: ContractId | None) -> None:
    seen = await reading.look([who])
    hidden = seen.user(who) is None or (where is not None and seen.contract(where) is None)
    if hidden or not seen.sight.sees_rights(who, where):
        raise Refused([NotPermitted(f"you may not see this. {OPERATIONS['rightsChanged']}", path=("user",))])


async def _go_on(
    reading: Reading, who: UserId, where: ContractId | None, standing: _Standing
) -> tuple[_Standing, tuple[RightDifference, ...]]:
    """The next standing that differs from one, and how; where there is none, the same one, as of now.

    Revisions and windows are gone through in the order of time, each for itself: what was lost and given back is told.
    """
    while True:
        entry = await reading.unit.audit.find_next_about(standing.holders, standing.revision)
        horizon = reading.now if entry is None else entry.at
        revision, at = standing.revision, max(standing.at, horizon)
        if standing.until is not None and standing.until <= horizon:
            at = standing.until
        elif entry is not None:
            revision = entry.revision
        else:
            now = _Standing(
                revision=reading.revision, at=at, held=standing.held, holders=standing.holders, until=standing.until
            )
            return now, ()
        following = await _look(reading, who, where, revision=revision, at=at)
        differences = compare_holdings(reading.program, who, standing.held, following.held)
        standing = following
        if differences:
            return standing, tuple(differences)


async def _look(reading: Reading, who: UserId, where: ContractId | None, *, revision: int, at: datetime) -> _Standing:
    """What a person has at a moment, by what was known at a revision."""
    known = reading
    if revision != reading.revision:
        unit = reading.unit.as_known_at(revision)
        known = Reading(reading.services, unit, revision=revision)
    world = await known.load_world([who])
    effective = Evaluation(reading.program, world, contract=where, at=at).effective(Subject(user=who))
    holders = frozenset({who, *world.included_in(who), *([] if where is None else [where])})
    until = find_next_moment(world, holders, at)
    return _Standing(revision=revision, at=at, held=effective.certain, holders=holders, until=until)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
