"""Whether the rules and guards let a plan be: judged on the state after the whole of it, as one change set.

People alike in everything that rules and guards look at are judged once: the same rows before, the same changes. So a
hundred thousand people cost what their few thousand kinds do, and each is answered as if judged alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.domain.authority import Authority
from app.domain.catalog import Polarity
from app.domain.changes import Stamp, Wish, refuse_violations
from app.domain.compiled import Holding, Program
from app.domain.errors import Conflict, DependentsExist, DomainError, PrerequisiteNotMet
from app.domain.guards import Guard, guard_owners
from app.domain.holders import (
    Access,
    Assignment,
    Grant,
    HolderId,
    Limit,
    Membership,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    User,
    UserId,
)
from app.domain.rights import Subject
from app.domain.sync.desired import SyncMode
from app.domain.sync.diff import SyncPlan, settle
from app.domain.sync.units import Unit
from app.domain.violations import Judgement, Violation
from app.domain.world import Change, HolderRows, World

MAX_ROUNDS = 50  # of PARTIAL: each drops at least one unit; what does not settle is refused whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What the rules say of a plan: `changes` is what may be done. Faults are left with the units.

    `errors` concern the plan as a whole. `losing` are the people who would lose a right by what may be done.
    """

    changes: tuple[Change, ...]
    errors: tuple[DomainError, ...]
    losing: frozenset[UserId]


@dataclass(slots=True)
class Kind:
    """People alike, one of whom stands for all. `units` are theirs, in the same order; untouched ones have none."""

    people: list[UserId]
    units: list[Unit]


def weigh(
    program: Program,
    world: World,
    plan: SyncPlan,
    authority: Authority,
    stamp: Stamp,
    *,
    mode: SyncMode,
    active_owners: int,
) -> Weighed:
    """Judges a plan. With PARTIAL, units that break a rule are dropped until the rest breaks none.

    With ATOMIC nothing may be done where anything stands in the way of any unit.
    """
    losing: frozenset[UserId] = frozenset()
    for _ in range(MAX_ROUNDS):
        units = [unit for unit in plan.units if unit.is_sound]
        kinds = find_kinds(world, units, authority.caller)
        scale = _Scale(program, world, units, kinds, authority, stamp)
        errors = scale.find_errors(active_owners)
        left = scale.blame(errors)
        losing = scale.find_losing()
        is_whole = len(units) == len(plan.units)
        if not errors:
            may_be = is_whole or mode is SyncMode.PARTIAL
            return Weighed(changes=_changes_of(units) if may_be else (), errors=(), losing=losing)
        settle(world, plan.units)
        if mode is SyncMode.ATOMIC or left:
            return Weighed(changes=(), errors=tuple(left), losing=losing)
    message = f"after {MAX_ROUNDS} rounds of leaving out what is refused there is still more: mend what is refused"
    return Weighed(changes=(), errors=(Conflict(message),), losing=losing)


def _changes_of(units: Iterable[Unit]) -> tuple[Change, ...]:
    return tuple(step.change for unit in units for step in unit.steps)


# ---------------------------------------------------------------------- who is alike


def find_kinds(world: World, units: Iterable[Unit], caller: UserId) -> list[Kind]:
    """The people whom units touch or reach, put together with those like them."""
    found: dict[object, Kind] = {}
    touched: set[str] = set()
    alone = {contract.owner for contract in world.contracts.values()} | {caller}
    bundles = []
    for unit in units:
        if unit.noun != "user":
            bundles.append(unit)
            continue
        touched.add(unit.holder)
        kind = found.setdefault(_kind_of(world, UserId(unit.holder), unit.changes, alone), Kind([], []))
        kind.people.append(UserId(unit.holder))
        kind.units.append(unit)
    for user in _find_reached(world, bundles):
        if user not in touched:
            found.setdefault(_kind_of(world, user, (), alone), Kind([], [])).people.append(user)
    return list(found.values())


def _kind_of(world: World, user: UserId, changes: Iterable[Change], alone: set[UserId]) -> object:
    """Equal for people whom rules and guards cannot tell from one another."""
    if user in alone:
        return user
    record = world.users.get(user)
    if record is not None and record.is_owner:
        return user
    # In their order: of those alike whose rows stand in another order a few more are judged, and none is mistaken.
    signs = tuple(
        [
            (change.before is None, *_tell(change.record)) if type(change.record) is not User else _sign_of_user(change)
            for change in changes
        ]
    )
    rows = world.rows.get(user)
    standing = None if record is None else (record.status, record.kind)
    return standing, () if rows is None else tuple(map(_tell, rows)), signs


def _sign_of_user(change: Change) -> tuple[object, ...]:
    old, new = change.before, change.after
    assert isinstance(new, User)
    if not isinstance(old, User):
        return "user", None, new.status
    renamed = (old.user_name, old.external_id) != (new.user_name, new.external_id)
    return "user", old.status, new.status, renamed


def _tell(row: Any) -> tuple[object, ...]:
    """What a row says, but for whose it is and who says it."""
    return _TELLERS[type(row)](row)


def _tell_with_source(row: Grant) -> tuple[object, ...]:
    """What a grant says, and who says it: a refusal names the grants of other sources."""
    return Grant, row.node, row.value, row.contract, row.valid_from, row.valid_until, row.source


_TELLERS: Mapping[type, Callable[[Any], tuple[object, ...]]] = {
    Assignment: lambda row: (Assignment, row.role, row.contract, row.valid_from, row.valid_until),
    Membership: lambda row: (Membership, row.team, row.supervisor, row.contract, row.valid_from, row.valid_until),
    Access: lambda row: (Access, row.product, row.level, row.contract, row.valid_from, row.valid_until),
    Grant: _tell_with_source,
    Limit: lambda row: (Limit, row.node, row.value, row.contract, row.valid_from, row.valid_until),
    SubscriberLink: lambda row: (SubscriberLink, row.contract, row.valid_from, row.valid_until),
    StoredFact: lambda row: (StoredFact, row.contract, row.name, row.text),
}


def _find_reached(world: World, bundles: Iterable[Unit]) -> list[UserId]:
    """The people who include a role or a team that units change."""
    steps = [step for unit in bundles for step in unit.steps]
    if not steps:
        return []
    directory = _directory_of(world)
    both = (directory, directory.changed(step.change for step in steps))
    start = {unit.holder for unit in bundles}
    reached = {one for side in both for one in side.reached_from(sorted(start & _known(side)))}
    return [
        user
        for user in world.users
        if (rows := world.rows.get(user)) is not None
        and (
            any(row.role in reached for row in rows.assignments) or any(row.team in reached for row in rows.memberships)
        )
    ]


def _known(world: World) -> set[str]:
    return {*world.roles, *world.teams}


def _directory_of(world: World, people: Iterable[UserId] = ()) -> World:
    """All roles, teams and contracts with what hangs on them, and these people."""
    users = {user: world.users[user] for user in people if user in world.users}
    kept: dict[str, HolderRows] = {}
    for one in (*world.roles, *world.teams, *world.contracts, *users):
        rows = world.rows.get(one)
        if rows is not None:
            kept[one] = rows
    return World(users, world.roles, world.teams, world.contracts, kept)


# ---------------------------------------------------------------------- judging


class _Scale:
    """One round: those who stand for others, judged and guarded."""

    def __init__(
        self,
        program: Program,
        world: World,
        units: list[Unit],
        kinds: list[Kind],
        authority: Authority,
        stamp: Stamp,
    ) -> None:
        self.program = program
        self.world = world
        self.authority = authority
        self.stamp = stamp
        self.kinds = kinds
        self.bundles = [unit for unit in units if unit.noun != "user"]
        standing = [kind.units[0] for kind in kinds if kind.units]
        self.judged = [*self.bundles, *standing]
        self.kind_of = {kind.people[0]: kind for kind in kinds}
        self.step_of: dict[str, tuple[Unit, int]] = {
            step.change.record.id: (unit, number) for unit in self.judged for number, step in enumerate(unit.steps)
        }
        self.paths: Mapping[str, tuple[str, ...]] = {record: ("#", record) for record in self.step_of}
        before = _directory_of(world, [authority.caller, *(kind.people[0] for kind in kinds)])
        self.judgement = Judgement(program, before, _changes_of(self.judged))
        self.unit_of = {unit.holder: unit for unit in self.judged}
        self.without: dict[str, Judgement] = {}  # all but the unit of this holder
        self.nameless: dict[str, Iterator[str]] = {}  # new holders that lack something, by what, as errors tell of them

    def find_errors(self, active_owners: int) -> list[DomainError]:
        """Every rule and guard that stands in the way; paths are of those who stand for others."""
        judgement = self.judgement
        wish = Wish(changes=judgement.changes, paths=self.paths)
        weights: dict[HolderId, int] = {one: len(kind.people) for one, kind in self.kind_of.items()}
        violations = judgement.violations(self.stamp.at)
        self._note_nameless(violations, weights)
        guard = Guard(judgement, self.authority, self.paths)
        return list(guard.each_need()) or [
            *guard.errors(),
            *refuse_violations(judgement, violations, wish, self.stamp, weights),
            *guard_owners(
                judgement.before, judgement.after, judgement.changes, active_owners=active_owners, paths=self.paths
            ),
        ]

    def _note_nameless(self, violations: tuple[Violation, ...], weights: Mapping[HolderId, int]) -> None:
        """Keeps whom errors are about that name nobody, since nobody knows the id of who is not there yet."""
        judgement, found = self.judgement, dict[str, dict[str, None]]()
        known = {*judgement.before.users, *judgement.before.roles, *judgement.before.teams}
        first = judgement.first_holders(violations, weights) if violations else {}
        for violation in violations:
            holder, number = violation.failure.holder, violation.failure.number
            if holder not in known and (holder, number) in first:
                found.setdefault(self.program.catalog.permissions[number].key, {})[holder] = None
        self.nameless = {node: iter(holders) for node, holders in found.items()}

    def blame(self, errors: Iterable[DomainError]) -> list[DomainError]:
        """Leaves each error with the units it is about, of all whom somebody stands for; those of no unit are given."""
        left: list[DomainError] = []
        for error in errors:
            if error.path[:1] != ("#",):
                left.append(error)
                continue
            unit, number = self.step_of[error.path[1]]
            if isinstance(error, PrerequisiteNotMet | DependentsExist):
                unit, number = self._find_culprit(error, unit, number)
                number = self._find_bringing(unit, error, number)
            kind = self.kind_of.get(UserId(unit.holder))
            for other in [unit] if kind is None else kind.units:
                other.faults.append(self._readdress(error, unit, other, number))
        return left

    def _find_culprit(self, error: PrerequisiteNotMet | DependentsExist, unit: Unit, number: int) -> tuple[Unit, int]:
        """The unit without which a holder would break nothing: its own if that is one, or one that it includes.

        `unit` and `number` are the one that the error points at, and the step in it.
        """
        holder = error.holder or next(self.nameless[error.node])
        own = self.unit_of.get(holder)
        if error.holder is None and own is not None:
            return own, number if own is unit else _find_step(own, error)
        included = self.judgement.before.included_in(holder) | self.judgement.after.included_in(holder)
        others = sorted((one for one in self.bundles if one.holder in included), key=lambda one: one.subject)
        units = [*([] if own is None else [own]), *others]
        for one in units if len(units) > 1 else ():
            if not self._breaks_without(one, error, holder):
                return one, number if one is unit else _find_step(one, error)
        return unit, number

    def _breaks_without(self, unit: Unit, error: PrerequisiteNotMet | DependentsExist, holder: str) -> bool:
        """Whether a holder would break the same were a unit left out."""
        if unit.holder not in self.without:
            rest = _changes_of(one for one in self.judged if one is not unit)
            self.without[unit.holder] = Judgement(self.program, self.judgement.before, rest)
        nodes = {error.node} if isinstance(error, PrerequisiteNotMet) else {*error.dependents}
        numbers = {self.program.catalog.number_of[node] for node in nodes}
        violations = self.without[unit.holder].violations(self.stamp.at, [holder])  # type: ignore[list-item]  # any holder
        return any(violation.failure.number in numbers for violation in violations)

    def _find_bringing(self, unit: Unit, error: PrerequisiteNotMet | DependentsExist, number: int) -> int:
        """The step of a unit that gives, or takes, a role or a team with the right of an error; else the one given."""
        right = self.program.catalog.number_of[error.node]
        is_gain = isinstance(error, PrerequisiteNotMet)
        for place, step in enumerate(unit.steps):
            row = step.change.after if is_gain else step.change.before
            if isinstance(row, Assignment | Membership) and (step.change.before is None) is is_gain:
                at = max(self.stamp.at, row.valid_from or self.stamp.at)
                included = row.role if isinstance(row, Assignment) else row.team
                value = self.judgement.evaluation(is_gain, row.contract, at).value_of(included)
                if self.program.holds_any(value, right):
                    return place
        return number

    def _readdress(self, error: DomainError, standing: Unit, other: Unit, number: int) -> DomainError:
        """An error of one who stands for another, told of that other, where the input asks for the same."""
        path = other.path if number < 0 else _find_same_path(standing, other, number)
        if standing is other:
            return replace(error, path=path)
        if isinstance(error, PrerequisiteNotMet):
            fixes = tuple(frozenset(_turn(part, standing, other) for part in fix) for fix in error.fixes)
            holder = other.holder if error.holder == standing.holder else error.holder
            return replace(error, path=path, holder=holder, fixes=fixes)
        if isinstance(error, DependentsExist) and error.holder == standing.holder:
            message = self._name_rows_of(other, standing, error.message)
            return replace(error, message=message, path=path, holder=other.holder)
        return replace(error, path=path)

    def _name_rows_of(self, other: Unit, standing: Unit, message: str) -> str:
        """A message that names rows of one who stands for another, with the rows of that other."""
        theirs = {_tell_with_source(row): row.id for row in self.world.rows_of(other.holder).grants}
        for row in self.world.rows_of(standing.holder).grants:
            message = message.replace(f"(row {row.id})", f"(row {theirs.get(_tell_with_source(row), row.id)})")
        return message

    # ------------------------------------------------------------------ who loses

    def find_losing(self) -> frozenset[UserId]:
        """The people who would have less of a permission, somewhere, right after the plan."""
        takes = any(_takes(change) for unit in self.bundles for change in unit.changes)
        return frozenset(
            person
            for kind in self.kinds
            if (takes or any(_takes(change) for unit in kind.units[:1] for change in unit.changes))
            and self._loses(kind.people[0])
            for person in kind.people
        )

    def _loses(self, user: UserId) -> bool:
        judgement = self.judgement
        if user not in judgement.before.users:
            return False
        scopes = dict.fromkeys(judgement.scopes(user))
        scopes |= dict.fromkeys(row.contract for row in judgement.before.rows_of(user))
        scopes |= dict.fromkeys(c.id for c in judgement.before.contracts.values() if c.owner == user)
        for contract in scopes:
            had, has = (
                judgement.evaluation(after, contract, self.stamp.at).effective(Subject(user=user))
                for after in (False, True)
            )
            # What hangs on a fact or a target that nobody knows yet is lost as well once it can never be.
            if self._is_less(had.certain, has.certain) or self._is_less(had.possible, has.possible):
                return True
        return False

    def _is_less(self, had: Holding, has: Holding) -> bool:
        """Whether there is less of a permission in one holding than in another."""
        program = self.program
        for number in program.differing(had, has):
            permission = program.catalog.permissions[number]
            if permission.polarity is Polarity.PERMISSION and not permission.value_type.at_least(
                program.value(has, number), program.value(had, number)
            ):
                return True
        return False


def _takes(change: Change) -> bool:
    """Whether a change may take something from somebody: a row that ends, a record that is known differently."""
    old, new = change.before, change.after
    if isinstance(old, User) and isinstance(new, User):
        return old.status is not new.status
    if isinstance(old, Role) and isinstance(new, Role):
        return (old.parents, old.archived) != (new.parents, new.archived)
    if isinstance(old, Team) and isinstance(new, Team):
        return (old.parent, old.archived, old.kind) != (new.parent, new.archived, new.kind)
    return old is not None


def _find_step(unit: Unit, error: PrerequisiteNotMet | DependentsExist) -> int:
    """The step of a unit that is about the right of an error; -1: none is."""
    for number, step in enumerate(unit.steps):
        if getattr(step.change.record, "node", None) == error.node:
            return number
    return -1


def _turn(suggestion: Any, standing: Unit, other: Unit) -> Any:
    is_theirs = getattr(suggestion, "holder", None) == standing.holder
    return replace(suggestion, holder=other.holder) if is_theirs else suggestion


def _find_same_path(standing: Unit, other: Unit, number: int) -> tuple[str, ...]:
    if standing is other:
        return standing.steps[number].path
    wanted = _sign(standing.steps[number].change)
    return next((step.path for step in other.steps if _sign(step.change) == wanted), other.path)


def _sign(change: Change) -> object:
    row = change.record
    return (change.before is None, "user") if isinstance(row, User) else (change.before is None, *_tell(row))
