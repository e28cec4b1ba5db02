"""What would change for whom: requests read, judged and guarded as by a write, on a snapshot, and nothing written.

The changes of a simulation are one change set. Each is read in the world that those before it leave, and all of them
are judged together: what one of them lacks another may bring.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.callers import OPERATIONS
from app.domain.changes import Stamp, Wish
from app.domain.differences import RightDifference, compare_holdings
from app.domain.errors import DomainError, NotPermitted, Refused, TooMany
from app.domain.holders import Access, ContractId, User, UserId
from app.domain.paging import Page, Slice, slice_sorted
from app.domain.references import Ref
from app.domain.rights import Evaluation, Subject
from app.domain.violations import Judgement
from app.domain.wishes.asking import Faults
from app.domain.world import Change, World
from app.services.context import Reading
from app.services.references import Found, Place, find_references
from app.services.writing import (
    Request,
    WriteOptions,
    Writing,
    find_warnings,
    load_reached,
    weigh_wish,
    work_aside_where_long,
)

MAX_CHANGES = 1000  # changes of one simulation, people of teams counted one by one: no more than one write can ask for


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAsked:
    """One change of a simulation: a request for a single thing.

    `name` is what the client calls it. A request lists what it is for; the client gives the one thing as `item`, or
    (empty) the list as it is.
    """

    name: str
    item: str
    request: Request

    def locate(self, index: int, path: tuple[str, ...]) -> tuple[str, ...]:
        """Where a path into the request lies in the list of changes."""
        if self.item and path[:2] == (self.request.field, "0"):
            path = (self.item, *path[2:])
        return ("changes", str(index), self.name, *path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a list of changes would do.

    `violations`: what a write of them would be refused for. Then there are no warnings, as there are none for a write;
    but `differences` tells what would be if nothing stood in the way, unless the changes could not even be read.
    It holds those people whose rights the caller may see, by user name and in the order of the catalog.
    """

    violations: tuple[DomainError, ...] = ()
    warnings: tuple[DomainError, ...] = ()
    differences: tuple[RightDifference, ...] = ()
    places: tuple[tuple[str, int], ...] = ()  # of each difference: the user name, and the place in the catalog

    @property
    def affected_users(self) -> int:
        """How many people there are whose rights would change, of those whose rights the caller may see."""
        return len({difference.user for difference in self.differences})

    def page(self, part: Slice) -> Page[tuple[RightDifference, tuple[str, int]]]:
        """A page of the differences, each with its place."""
        return slice_sorted(list(zip(self.differences, self.places, strict=True)), part, key=lambda found: found[1])


async def simulate(reading: Reading, changes: Sequence[ChangeAsked], *, contract: Ref | None) -> Simulation:
    """What changes would do to the rights of people in a contract (None: in none), now.

    Raises `Refused` where the caller may not simulate; whatever else is wrong is among the violations.
    """
    assert reading.caller is not None, "a simulation is of what somebody would be let do"
    authority = await reading.authority()
    try:
        authority.require(OPERATIONS["simulate"])
    except NotPermitted as refusal:
        raise Refused([refusal]) from None
    stamp = Stamp(
        actor=reading.caller.user_name, at=reading.now, new_id=reading.services.new_id, revision=reading.revision + 1
    )
    writing = Writing(
        reading, reading.unit, reading.caller, authority, stamp, action="simulate", options=WriteOptions(dry_run=True)
    )
    try:
        scope, wish = await _read_changes(writing, changes, contract)
    except Refused as refused:
        return Simulation(violations=refused.errors)
    before = await load_reached(reading, wish)
    outcome, violations = await weigh_wish(writing, before, wish)
    warnings = () if violations else await find_warnings(writing, outcome)
    differences, places = await _compare(reading, Judgement(reading.program, before, outcome.changes), scope)
    return Simulation(violations=violations, warnings=warnings, differences=differences, places=places)


# ---------------------------------------------------------------------- reading


async def _read_changes(
    writing: Writing, changes: Sequence[ChangeAsked], contract: Ref | None
) -> tuple[ContractId | None, Wish]:
    """The contract asked, and one wish for all changes. Raises `Refused` with every fault of any of them."""
    _bound(changes)
    scope = [] if contract is None else [Place("contract", contract, ("contract",))]
    places = [*scope, *(place for change in changes for place in change.request.places)]
    found = await find_references(writing.reading, dict.fromkeys(places))
    world = await writing.load(user for change in changes for user in change.request.find_people(found))
    writing.faults.errors += _refusals(found, scope)
    asked: set[str] = set()
    net: dict[str, Change] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for index, change in enumerate(changes):
        wish = _read_change(writing, change, index, found, world)
        if wish is None:
            continue
        world = world.changed(wish.changes)
        asked |= wish.asked
        for made in wish.changes:
            _add_up(net, made)
            paths[made.record.id] = change.locate(index, wish.paths.get(made.record.id, ()))
    writing.faults.refuse()
    return found.contract(contract), Wish(changes=tuple(net.values()), paths=paths, asked=frozenset(asked))


def _bound(changes: Sequence[ChangeAsked]) -> None:
    """Refuses too many at once: reading them would be work for whoever sent them."""
    number = sum(max(1, len(change.request.items)) for change in changes)
    if number > MAX_CHANGES:
        message = f"{number} changes, each person of a team counted; at most {MAX_CHANGES} in one simulation"
        raise Refused([TooMany(message, path=("changes",))])


def _refusals(found: Found, places: Sequence[Place]) -> list[DomainError]:
    """The refusals of places, each anew: what several changes name alike is refused in each of them."""
    return [replace(found.refusals[place]) for place in places if place in found.refusals]


def _read_change(writing: Writing, change: ChangeAsked, index: int, found: Found, world: World) -> Wish | None:
    """What one change wishes for. None where it is at fault: its faults are added, seen from the whole list."""
    part = replace(writing, faults=Faults(_refusals(found, change.request.places)), warnings=[])
    wish, errors = None, tuple[DomainError, ...]()
    try:
        _require(writing, change)
        _, wish = change.request.read(part, found, world)
        part.faults.refuse()
    except Refused as refused:
        errors = refused.errors
    for told in (*errors, *part.warnings):
        told.path = change.locate(index, told.path)
    writing.faults.errors += errors
    writing.warnings += part.warnings
    return None if errors else wish


def _require(writing: Writing, change: ChangeAsked) -> None:
    """Raises `Refused` where the caller may not do such a thing to anybody: then it is not looked at further."""
    try:
        writing.authority.require(OPERATIONS[change.request.action])
    except NotPermitted as refusal:
        raise Refused([refusal]) from None


def _add_up(net: dict[str, Change], change: Change) -> None:
    """Adds a change to what has become of each record so far: what was made and is gone again was never there."""
    key = change.record.id
    before = net.pop(key, change).before
    if before != change.after:
        net[key] = Change(before, change.after)


# ---------------------------------------------------------------------- comparing


async def _compare(
    reading: Reading, judgement: Judgement, scope: ContractId | None
) -> tuple[tuple[RightDifference, ...], tuple[tuple[str, int], ...]]:
    """What differs for whom the caller sees and whose rights the caller may see there, each with its place."""
    sight, world = await reading.sight(), judgement.before
    people = [
        world.users[user]
        for user in _find_reached_people(judgement)
        if sight.sees_user(world, user) and sight.sees_rights(user, scope)
    ]
    people.sort(key=lambda user: user.user_name)
    before, after = (
        Evaluation(reading.program, side, contract=scope, at=reading.now)
        for side in (judgement.before, judgement.after)
    )

    def compare() -> list[RightDifference]:
        differences: list[RightDifference] = []
        for user in people:
            had, has = (side.effective(Subject(user=user.id)).certain for side in (before, after))
            differences += compare_holdings(reading.program, user.id, had, has)
        return differences

    differences = await work_aside_where_long(len(people), compare)
    order = {key: index for index, key in enumerate(reading.catalog.nodes)}
    places = ((world.users[found.user].user_name, order[found.permission.key]) for found in differences)
    return tuple(differences), tuple(places)


def _find_reached_people(judgement: Judgement) -> list[UserId]:
    """The people whose rights the changes may alter. None of these changes is to a contract, a link or a fact."""
    found = dict.fromkeys(judgement.reached())
    for change in judgement.changes:
        record = change.record
        if isinstance(record, User):
            found[record.id] = None
        elif isinstance(record, Access):
            found[record.user] = None
    return [UserId(holder) for holder in found if holder in judgement.before.users]
