"""A plan as it is read: item by item, counted, and with one fingerprint."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.catalog import Catalog
from app.domain.errors import DomainError
from app.domain.holders import (
    Access,
    Assignment,
    ContractId,
    Grant,
    Membership,
    Role,
    Team,
    User,
    UserStatus,
)
from app.domain.sync.diff import SyncPlan
from app.domain.sync.runs import SyncAction, SyncCounts, SyncItem
from app.domain.sync.units import Step, Unit
from app.domain.world import Change, World


@dataclass(frozen=True)
class Teller:
    """Tells of the steps of a plan in words; `roles` and `teams` are keys by id, of those too that the plan makes."""

    catalog: Catalog
    world: World
    roles: dict[str, str]
    teams: dict[str, str]
    told: dict[object, str] = field(default_factory=dict)

    @staticmethod
    def of(catalog: Catalog, world: World, plan: SyncPlan) -> "Teller":
        made = [step.change.after for unit in plan.units if unit.noun != "user" for step in unit.steps]
        roles: dict[str, str] = {one.id: one.key for one in (*world.roles.values(), *made) if isinstance(one, Role)}
        teams: dict[str, str] = {one.id: one.key for one in (*world.teams.values(), *made) if isinstance(one, Team)}
        return Teller(catalog, world, roles, teams)

    def tell(self, plan: SyncPlan) -> Iterator[SyncItem]:
        """The items of a plan, unit by unit."""
        for unit in plan.units:
            yield from self.tell_unit(unit)

    def tell_unit(self, unit: Unit) -> Iterator[SyncItem]:
        """The items of a unit; where something stands in its way that alone."""
        if unit.is_sound:
            yield from self.tell_steps(unit)
            return
        for action, errors in ((SyncAction.CONFLICT, unit.conflicts), (SyncAction.REFUSED, unit.faults)):
            for error in errors:
                yield SyncItem(action=action, subject=unit.subject, path=error.path, detail=str(error), errors=(error,))

    def tell_steps(self, unit: Unit) -> Iterator[SyncItem]:
        """What a unit asks for, whether something stands in its way or not."""
        replaced = _find_replaced(unit)
        for step in unit.steps:
            if isinstance(step.change.before, Access) and step.change.before.id in replaced:
                continue  # told with the level that takes its place
            yield self._tell_step(unit, step, replaced)

    def _tell_step(self, unit: Unit, step: Step, replaced: dict[str, Access]) -> SyncItem:
        old, new = step.change.before, step.change.after
        action = SyncAction.CREATE if old is None else SyncAction.REMOVE if new is None else SyncAction.UPDATE
        detail = self._describe(step.change)
        if isinstance(new, Access) and new.id in replaced:
            action = SyncAction.UPDATE
            detail = f"{self._place(new)}: {replaced[new.id].level} -> {new.level}"
        if step.taken_from is not None:
            detail += f"; taken over from `{step.taken_from}`"
        return SyncItem(action=action, subject=unit.subject, path=step.path, detail=detail)

    # ------------------------------------------------------------------ in words

    def _describe(self, change: Change) -> str:
        record = change.record
        match record:
            case User():
                return _describe_user(change.before, change.after)
            case Role():
                return self._describe_attributes("role", change, ("display_name", "description", "parents"))
            case Team():
                return self._describe_attributes("team", change, ("display_name", "kind", "parent"))
            case Assignment():
                return self._describe_assignment(record)
            case Membership():
                return f"team `{self.teams.get(record.team, record.team)}`"
            case Access():
                return f"{self._place(record)}: {record.level}"
        assert isinstance(record, Grant), "a sync writes no other rows"
        node = self.catalog.require_permission(record.node)
        scope = self._scope(record.contract, record.valid_from, record.valid_until)
        return f"grant `{record.node}` ({node.value_type.print(record.value)}){scope}"

    def _describe_assignment(self, row: Assignment) -> str:
        """The same words for the same of very many people."""
        key = (row.role, row.contract, row.valid_from, row.valid_until)
        known = self.told.get(key)
        if known is None:
            name = self.roles.get(row.role, row.role)
            known = f"role `{name}`{self._scope(row.contract, row.valid_from, row.valid_until)}"
            self.told[key] = known
        return known

    def _describe_attributes(self, noun: str, change: Change, names: tuple[str, ...]) -> str:
        old, new = change.before, change.after
        assert isinstance(new, Role | Team)
        if old is None:
            values = (f"{_spell(name)}: {self._show(name, getattr(new, name))}" for name in names)
            return f"{noun} `{new.key}` ({'; '.join(values)})"
        told = []
        if getattr(old, "archived", False) != new.archived:
            told.append("archived" if new.archived else "brought back")
        for name in names:
            before, after = getattr(old, name), getattr(new, name)
            if before != after:
                told.append(f"{_spell(name)}: {self._show(name, before)} -> {self._show(name, after)}")
        return f"{noun} `{new.key}`: " + ("; ".join(told) or "taken over")

    def _show(self, name: str, value: Any) -> str:
        if name == "parents":
            return ", ".join(sorted(self.roles.get(one, one) for one in value)) or "none"
        return "none" if value is None else self.teams.get(value, value) if name == "parent" else str(value)

    def _place(self, row: Access) -> str:
        return f"level in `{row.product}`{self._scope(row.contract, None, None)}"

    def _scope(self, contract: ContractId | None, since: datetime | None, until: datetime | None) -> str:
        told = "" if contract is None else f" in `{self.world.contracts[contract].number}`"
        told += "" if since is None else f" from {since.isoformat()}"
        return told + ("" if until is None else f" until {until.isoformat()}")


def _find_replaced(unit: Unit) -> dict[str, Access]:
    """The levels that give way to another of the same product, by their own id and by that of the other."""
    ended = {}
    for step in unit.steps:
        if isinstance(step.change.before, Access):
            ended[step.change.before.contract, step.change.before.product] = step.change.before
    replaced: dict[str, Access] = {}
    for step in unit.steps if ended else ():
        new = step.change.after
        if isinstance(new, Access) and (old := ended.get((new.contract, new.product))) is not None:
            replaced[old.id] = replaced[new.id] = old
    return replaced


def _describe_user(old: object, new: object) -> str:
    assert isinstance(new, User)
    if not isinstance(old, User):
        inactive = "" if new.status is UserStatus.ACTIVE else ", not active"
        return f"person `{new.user_name}` (displayName: {new.display_name}; email: {new.email or 'none'}{inactive})"
    told = []
    if old.status is not new.status:
        told.append("woken" if new.status is UserStatus.ACTIVE else "suspended")
    for name in ("user_name", "display_name", "email", "external_id"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            told.append(f"{_spell(name)}: {before or 'none'} -> {after or 'none'}")
    return f"person `{new.user_name}`: " + ("; ".join(told) or "taken over")


def _spell(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# ---------------------------------------------------------------------- all together


def count_items(plan: SyncPlan, found: Mapping[SyncAction, int], *, losing: int) -> SyncCounts:
    """How much a plan does, by the number of its items of each action. Suspensions count among `suspends` alone."""
    suspends = sum(
        isinstance(step.change.before, User)
        and isinstance(step.change.after, User)
        and step.change.before.status is UserStatus.ACTIVE
        and step.change.after.status is not UserStatus.ACTIVE
        for step in plan.steps()
    )
    return SyncCounts(
        creates=found.get(SyncAction.CREATE, 0), updates=found.get(SyncAction.UPDATE, 0) - suspends,
        removes=found.get(SyncAction.REMOVE, 0), suspends=suspends, losing_rights=losing, unchanged=plan.unchanged,
        conflicts=found.get(SyncAction.CONFLICT, 0), refused=found.get(SyncAction.REFUSED, 0),
    )  # fmt: skip


def line_of(item: SyncItem) -> str:
    """What an item says, but for where it stands: the order of an input makes no difference to a plan."""
    return f"{item.action}\t{item.subject}\t{item.detail}\n"


def digest_lines(lines: Iterable[str], *settings: object) -> str:
    """SHA-256 over the lines of items, in whatever order they come, in hexadecimal."""
    digest = hashlib.sha256(repr(settings).encode())
    for line in sorted(lines):
        digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def list_errors(plan: SyncPlan) -> list[DomainError]:
    """Everything that stands in the way of any unit."""
    return [error for unit in plan.units for error in (*unit.conflicts, *unit.faults)]
