"""A plan worked out: weighed, measured, told. All of it is pure, and may run beside the event loop."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.domain.authority import Authority
from app.domain.compiled import Program
from app.domain.errors import DomainError, Refused
from app.domain.sync.brake import Brake, Managed, find_alarms, find_managed, find_oddities, measure, raise_if_unsafe
from app.domain.sync.desired import Desired, SyncMode
from app.domain.sync.diff import SyncPlan
from app.domain.sync.items import Teller, count_items, digest_lines, line_of, list_errors
from app.domain.sync.runs import SyncAction, SyncCounts, SyncItem
from app.domain.sync.units import Current
from app.domain.sync.weighing import Weighed, weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a plan would do. `differences` is a digest of what there is to do, `fingerprint` of what is let be done.

    `alarms` stop it until they are overridden; `oddities` are warnings. `errors` are those of units; with one an ATOMIC
    plan does nothing. `refusals` concern the plan as a whole.
    """

    plan: SyncPlan
    weighed: Weighed
    alarms: tuple[str, ...]
    oddities: tuple[str, ...]
    counts: SyncCounts
    differences: str
    fingerprint: str
    errors: tuple[DomainError, ...]
    refusals: tuple[DomainError, ...]

    def is_refused(self, mode: SyncMode) -> bool:
        """Whether nothing of it may be done, the brake aside."""
        return bool(self.refusals) or (mode is SyncMode.ATOMIC and bool(self.errors))


def work_out(
    program: Program,
    current: Current,
    desired: Desired,
    plan: SyncPlan,
    authority: Authority,
    *,
    mode: SyncMode,
    brake: Brake,
    active_owners: int,
    keep: Callable[[Iterable[SyncItem]], object] | None,
    managed: Managed | None = None,
) -> Draft:
    """Weighs a plan, measures what it takes away, and tells it.

    `keep` is given the items, once and in their order. None: nobody is told; nothing is counted, and no digest made.
    `managed` is what the source manages, where the world does not hold all of it.
    """
    sound = frozenset(id(unit) for unit in plan.units if unit.is_sound)
    weighed = weigh(program, current.world, plan, authority, current.stamp, mode=mode, active_owners=active_owners)
    teller = Teller.of(program.catalog, current.world, plan)
    found: Counter[SyncAction] = Counter()
    done: list[str] = []
    asked: list[str] = []

    def tell() -> Iterator[SyncItem]:
        for unit in plan.units:
            is_new_fault = not unit.is_sound and id(unit) in sound
            for item in teller.tell_unit(unit):
                found[item.action] += 1
                done.append(line_of(item))
                if not is_new_fault:
                    asked.append(done[-1])
                yield item
            if is_new_fault:
                asked.extend(map(line_of, teller.tell_steps(unit)))

    if keep is not None:
        items = tell()
        keep(items)
        for _ in items:  # what was not kept is counted all the same
            pass
    settings = (desired.source, mode.value, desired.take_over, brake.max_removals, program.catalog.digest)
    measures = measure(
        managed or find_managed(current.world, desired.source),
        desired.source,
        (step.change for step in plan.steps()),
        weighed.losing,
    )
    return Draft(
        plan=plan, weighed=weighed, alarms=find_alarms(measures, brake), oddities=find_oddities(measures, brake),
        counts=count_items(plan, found, losing=len(weighed.losing)), differences=digest_lines(asked, *settings),
        fingerprint=digest_lines(done, *settings), errors=tuple(list_errors(plan)),
        refusals=(*weighed.errors, *_find_emptied(plan)),
    )  # fmt: skip


def _find_emptied(plan: SyncPlan) -> tuple[DomainError, ...]:
    """The refusals that no override lifts."""
    try:
        raise_if_unsafe(plan, (), overridden=True)
    except Refused as refused:
        return refused.errors
    return ()
