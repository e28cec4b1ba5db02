"""What a write would do, and whether the rules let it (SEMANTICS section 6).

Every write, dry run and simulation goes through `judge`: it takes the changes that a request asks for, completes them
where the request allows that (prerequisites included, dependents cut), and tells what stands in the way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import Any

from app.domain.compiled import Program
from app.domain.decisions import applicable_rules
from app.domain.errors import MAX_REFUSALS, DependentsExist, DomainError, PrerequisiteNotMet, TooMany, Warned
from app.domain.fixes import FREE, IMPOSSIBLE, Families, Fix, GiveRight, Means, Raising, Suggestion
from app.domain.holders import MANUAL, ContractId, Grant, HolderId, Limit, RoleId, RowId, TeamId, UserId
from app.domain.requirements import AtLeast, iterate_atoms
from app.domain.values import Value
from app.domain.violations import Failure, Judgement, Violation
from app.domain.warnings import find_warnings
from app.domain.world import Change, World

MAX_ROUNDS = 20  # completing a change may uncover more to complete; a chain of requirements is a few rungs deep


class MissingPrerequisites(StrEnum):
    """What to do where a granted right lacks what it needs. Upper case verb, as the contract spells it."""

    REJECT = "REJECT"
    INCLUDE = "INCLUDE"


class Dependents(StrEnum):
    """What to do with rights that stand on what goes. Upper case verb, as the contract spells it."""

    REJECT = "REJECT"
    CASCADE = "CASCADE"
    SUSPEND = "SUSPEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Who writes, when, why and on whose behalf; `new_id` gives an unused id for a kind of row."""

    actor: str
    at: datetime
    new_id: Callable[[type], str]
    reason: str | None = None
    source: str = MANUAL
    revision: int = 0

    def row(self, kind: type) -> dict[str, Any]:
        """The fields that every new row of this write shares."""
        return {
            "id": RowId(self.new_id(kind)), "source": self.source, "reason": self.reason, "actor": self.actor,
            "created_at": self.at, "revision": self.revision,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The changes that a request asks for, each with its path in the request, and how to complete them.

    `asked` are the holders that the request names: completing touches no other.
    """

    changes: tuple[Change, ...]
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # record id -> where the request asks for it
    asked: frozenset[str] = frozenset()
    on_missing: MissingPrerequisites = MissingPrerequisites.REJECT
    on_dependents: Dependents = Dependents.REJECT


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole change set and the world after it; with `errors` nothing of it may be done."""

    changes: tuple[Change, ...]
    after: World
    errors: tuple[DomainError, ...]
    warnings: tuple[DomainError, ...]


def judge(program: Program, before: World, wish: Wish, stamp: Stamp) -> Outcome:
    """Complete a wish and judge it by difference."""
    changes = wish.changes
    for _ in range(MAX_ROUNDS):
        judgement = Judgement(program, before, changes)
        violations = judgement.violations(stamp.at)
        added = tuple(_complete(judgement, violations, wish, stamp)) if violations else ()
        if not added:
            break
        changes += added
    if not violations:
        judgement = _drop_spare(judgement, changes[len(wish.changes) :], stamp.at)
        changes = judgement.changes
    suspending = wish.on_dependents is Dependents.SUSPEND
    suspended = tuple(violation for violation in violations if suspending and not violation.gained)
    standing = tuple(violation for violation in violations if not suspending or violation.gained)
    errors = cut_refusals(refuse_violations(judgement, standing, wish, stamp))
    warnings: list[DomainError] = [
        Warned(error.message, code=error.code) for error in refuse_violations(judgement, suspended, wish, stamp)
    ]
    if not errors:
        warnings += find_warnings(judgement, violations, wish.paths, at=stamp.at)
    return Outcome(changes, judgement.after, errors, cut_refusals(warnings))


def cut_refusals(errors: Iterable[DomainError]) -> tuple[DomainError, ...]:
    """At most `MAX_REFUSALS`, the number of all told beyond that."""
    listed = tuple(errors)
    if len(listed) <= MAX_REFUSALS:
        return listed
    return (*listed[:MAX_REFUSALS], TooMany(f"{len(listed)} in all, of which the first {MAX_REFUSALS} are listed"))


# ---------------------------------------------------------------------- completing


def _complete(judgement: Judgement, violations: tuple[Violation, ...], wish: Wish, stamp: Stamp) -> Iterator[Change]:
    """Changes that cure violations of holders asked about, as far as the wish allows."""
    mine = [violation for violation in violations if violation.failure.holder in wish.asked]
    if wish.on_missing is MissingPrerequisites.INCLUDE:
        yield from _include([violation for violation in mine if violation.gained], judgement, stamp)
    if wish.on_dependents is Dependents.CASCADE:
        yield from _cascade([violation for violation in mine if not violation.gained], judgement, stamp)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rights that rows of one contract and window give, and that lack something in a contract at a moment."""

    row: Grant
    contract: ContractId | None
    at: datetime
    wanted: dict[tuple[int, Value], None] = field(default_factory=dict)  # right and how much of it


def _include(violations: list[Violation], judgement: Judgement, stamp: Stamp) -> Iterator[Change]:
    """The one smallest set of grants under each granted row: same holder, contract, window and source."""
    program = judgement.program
    granted: dict[tuple[HolderId, ContractId | None], list[Grant]] = {}
    for change in judgement.changes if violations else ():
        if isinstance(change.after, Grant) and change.before is None:
            granted.setdefault((change.after.holder, change.after.contract), []).append(change.after)
    everywhere = {(v.failure.holder, v.failure.number) for v in violations if v.failure.contract is None}
    groups: dict[tuple[object, ...], _Group] = {}
    for violation in violations:
        holder, number, contract = violation.failure.holder, violation.failure.number, violation.failure.contract
        rows = _giving(granted.get((holder, contract), ()), program, number, violation.at)
        if not rows and (holder, number) not in everywhere:  # an unscoped row gives it, and breaks it here alone
            rows = _giving(granted.get((holder, None), ()), program, number, violation.at)
        for row, at in rows:
            key = (row.holder, row.contract, row.valid_from, row.valid_until, contract, at)
            groups.setdefault(key, _Group(row, contract, at)).wanted[number, violation.asked] = None
    added: dict[HolderId, list[Grant]] = {}
    for group in sorted(groups.values(), key=lambda group: (_narrowness(group.row), group.at)):
        row = group.row
        families = Families()
        mine = added.setdefault(row.holder, [])
        along = [other for other in mine if _outlasts(other, row)]
        raising = _raising(judgement, row.holder, group.contract, group.at, group.wanted, families, along=along)
        family = families.all_of(raising.right(number, value) for number, value in group.wanted)
        if len(family) != 1:
            continue  # nothing helps, or an either-or leaves a choice: refused with the alternatives
        for suggestion in sorted_fix(program, family[0]):
            if isinstance(suggestion, GiveRight):
                new = replace(row, **stamp.row(Grant), node=suggestion.node, value=suggestion.value)
                mine.append(new)
                yield Change(None, new)


def _drop_spare(judgement: Judgement, added: Iterable[Change], now: datetime) -> Judgement:
    """The same change without those of the included grants that others of them make superfluous between them.

    Each set is the smallest under its row. Sets under rows of several contracts or windows may still share a time.
    """
    included = [(change, change.after) for change in added if isinstance(change.after, Grant)]
    if len({(row.contract, row.valid_from, row.valid_until) for _, row in included}) < 2:
        return judgement
    failing = _failing(judgement, now)
    for change, _ in reversed(included):
        less = Judgement(judgement.program, judgement.before, [one for one in judgement.changes if one is not change])
        if _failing(less, now) <= failing:
            judgement = less
    return judgement


def _failing(judgement: Judgement, now: datetime) -> set[tuple[datetime, Failure]]:
    """What newly fails, now or whenever a row begins or ends of those whom the change touches, or what they include."""
    bounds = (at for side in judgement.sides for one in judgement.touched() for _, at in side.extent_of(one).bounds)
    moments = {now, *(at for at in bounds if at > now)}
    return {(at, violation.failure) for at in moments for violation in judgement.violations_at(at, judgement.reached())}


def _narrowness(row: Grant) -> tuple[bool, float, float]:
    """Sorts rows so that none outlasts one before it, where one outlasts the other at all."""
    begin = -inf if row.valid_from is None else row.valid_from.timestamp()
    end = inf if row.valid_until is None else row.valid_until.timestamp()
    return row.contract is not None, -end, begin


def _outlasts(row: Grant, other: Grant) -> bool:
    """Whether a row of a holder counts wherever and whenever another of the same holder does."""
    begins = row.valid_from is None or (other.valid_from is not None and row.valid_from <= other.valid_from)
    ends = row.valid_until is None or (other.valid_until is not None and row.valid_until >= other.valid_until)
    return row.contract in {None, other.contract} and begins and ends


def _giving(rows: Iterable[Grant], program: Program, number: int, since: datetime) -> list[tuple[Grant, datetime]]:
    """Those that give a right by themselves, each with the first moment since then at which it does."""
    givers, number_of = program.givers[number], program.catalog.number_of
    begun = [(row, max(since, row.valid_from or since)) for row in rows]
    return [(row, at) for row, at in begun if row.is_valid_at(at) and number_of[row.node] in givers]


def _cascade(violations: list[Violation], judgement: Judgement, stamp: Stamp) -> Iterator[Change]:
    """Ends the dependents' own rows; what arrives through something included is cut by a limit on the holder.

    Rows of another source are left: the violation then stands, and the refusal names them.
    """
    program, world = judgement.program, judgement.after
    everywhere = {(v.failure.holder, v.failure.number) for v in violations if v.failure.contract is None}
    for violation in violations:
        if (
            violation.failure.contract is not None
            and (violation.failure.holder, violation.failure.number) in everywhere
        ):
            continue  # what is cured everywhere is cured here; what is left after that comes in the next round
        failure, key = violation.failure, program.catalog.permissions[violation.failure.number].key
        value_type = program.types[failure.number]
        now = violation.at <= stamp.at
        own = [
            row
            for row in world.rows_of(failure.holder).grants
            if row.node == key
            and row.counts(failure.contract, violation.at)
            and not value_type.at_least(violation.allowed, row.value)
        ]
        if any(row.source != stamp.source for row in own):
            continue
        # A row that also counts where nothing is broken, or that is still sound today, is cut rather than ended.
        if own and now and all(row.contract == failure.contract for row in own):
            for row in own:
                yield Change(row, None)
        else:
            yield Change(None, _cut(violation, key, stamp, None if now else violation.at))


def _cut(violation: Violation, key: str, stamp: Stamp, valid_from: datetime | None) -> Limit:
    return Limit(
        **stamp.row(Limit), holder=violation.failure.holder, node=key, value=violation.allowed,
        contract=violation.failure.contract, valid_from=valid_from,
    )  # fmt: skip


def _raising(
    judgement: Judgement,
    holder: HolderId,
    contract: ContractId | None,
    at: datetime,
    wanted: Iterable[tuple[int, Value]],
    families: Families,
    *,
    along: Iterable[Grant] = (),
) -> Raising:
    """Smallest sets of grants on one holder; facts, targets and access levels count as met.

    `along` are grants that the holder will have as well.
    """
    program = judgement.program
    evaluation = judgement.evaluation(True, contract, at)
    world = evaluation.world
    demanded: dict[int, dict[Value, None]] = {}

    def demand(number: int, value: Value) -> None:
        values = demanded.setdefault(number, {})
        if value not in values:
            values[value] = None
            for rule in applicable_rules(program.catalog.permissions[number], value):
                for atom in iterate_atoms(rule.requirement):
                    if isinstance(atom, AtLeast):
                        demand(program.catalog.number_of[atom.node], atom.value)

    for number, value in wanted:
        demand(number, value)

    sources = tuple(
        (GiveRight(holder, permission.key, value, contract), program.close(program.encode(number, value)))
        for number, values in demanded.items()
        for permission in (program.catalog.permissions[number],)
        for value in values
        if not permission.access_level
    )
    held = program.join(evaluation.held_by(holder), judgement.access_met)
    for row in along:
        held = program.join(held, program.close(program.encode(program.catalog.number_of[row.node], row.value)))
    is_person = holder not in world.roles and holder not in world.teams
    limits = () if is_person else tuple(row for row in world.rows_of(holder).limits if row.counts(contract, at))
    return Raising(
        Means(
            program=program,
            held=held,
            limits=limits,
            liftable=False,
            sources=sources,
            gate=lambda permission: FREE,
            atom=lambda atom: FREE,
        ),
        families,
    )


def sorted_fix(program: Program, fix: Fix) -> list[Suggestion]:
    """The changes of a set, what others need first."""

    def place(suggestion: Suggestion) -> tuple[int, str]:
        if isinstance(suggestion, GiveRight):
            return program.catalog.number_of[suggestion.node], ""
        return len(program.types), repr(suggestion)

    return sorted(fix, key=place)


# ---------------------------------------------------------------------- refusing


def refuse_violations(
    judgement: Judgement,
    violations: tuple[Violation, ...],
    wish: Wish,
    stamp: Stamp,
    weights: Mapping[HolderId, int] | None = None,
) -> Iterator[DomainError]:
    """One refusal for each right that lacks something, and for each right that others stand on.

    `weights`: for how many people a person stands who is judged for others like them.
    """
    first = judgement.first_holders(violations, weights)
    shown: set[tuple[str, int]] = set()
    dependents: dict[tuple[HolderId, int], dict[int, int]] = {}
    for violation in violations:
        holder, number = violation.failure.holder, violation.failure.number
        if (holder, number) not in first or (holder, number) in shown:
            continue
        shown.add((holder, number))
        if violation.gained or not violation.lost:
            yield _refuse_gain(judgement, violation, first[holder, number], wish)
        else:
            for lost in violation.lost:
                dependents.setdefault((holder, lost), {})[number] = first[holder, number]
    for (holder, lost), standing in dependents.items():
        yield _refuse_loss(judgement, holder, lost, standing, wish, stamp)


def _refuse_gain(judgement: Judgement, violation: Violation, affected: int, wish: Wish) -> DomainError:
    catalog = judgement.program.catalog
    failure = violation.failure
    permission = catalog.permissions[failure.number]
    families = Families()
    raising = _raising(
        judgement, failure.holder, failure.contract, violation.at, [(failure.number, violation.asked)], families
    )
    fixes = families.sort(raising.right(failure.number, violation.asked))
    needed = ", ".join(f"`{catalog.render(requirement)}`" for requirement in violation.missing)
    return PrerequisiteNotMet(
        f"`{permission.label}` needs {needed}",
        path=judgement.path_to(permission.key, wish.paths, failure.holder),
        holder=failure.holder if _is_known(judgement.before, failure.holder) else None,
        affected=affected,
        node=permission.key,
        missing=violation.missing,
        fixes=() if fixes in (FREE, IMPOSSIBLE) else fixes,
    )


def _refuse_loss(
    judgement: Judgement, holder: HolderId, lost: int, standing: Mapping[int, int], wish: Wish, stamp: Stamp
) -> DomainError:
    catalog = judgement.program.catalog
    permission = catalog.permissions[lost]
    names = ", ".join(f"`{catalog.permissions[number].label}`" for number in standing)
    others = [
        f"`{catalog.require_permission(row.node).label}` given by `{row.source}` (row {row.id})"
        for row in judgement.after.rows_of(holder).grants
        if row.source != stamp.source and catalog.number_of.get(row.node) in standing
    ]
    tail = "; rows of another source are not cascaded: " + ", ".join(others) if others else ""
    return DependentsExist(
        f"{names} need `{permission.label}`{tail}"
        if len(standing) > 1
        else f"{names} needs `{permission.label}`{tail}",
        path=judgement.path_to(permission.key, wish.paths, holder),
        holder=holder if _is_known(judgement.before, holder) else None,
        affected=max(standing.values()),
        node=permission.key,
        dependents=tuple(catalog.permissions[number].key for number in standing),
    )


def _is_known(world: World, holder: HolderId) -> bool:
    return UserId(holder) in world.users or RoleId(holder) in world.roles or TeamId(holder) in world.teams
