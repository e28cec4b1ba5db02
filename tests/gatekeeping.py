"""Random worlds with callers in them, and what those callers try: sequences of change sets, each judged by the guards.

`Standing` says from SEMANTICS section 8, by the oracle alone, what somebody could give; `stories` draws worlds and what
is tried in them. Half of what is tried is drawn out of what the caller could give, so that some of it is let through.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from app.catalogs import catalog_files
from app.catalogs.catalog_format import CatalogFile
from app.catalogs.documents import read_document
from app.domain.authority import Authority
from app.domain.callers import GATEWAY, Right
from app.domain.catalog import Catalog, Permission, Polarity
from app.domain.catalog_building import DraftSystem, build_catalog
from app.domain.changes import Stamp
from app.domain.compiled import Program, compile_catalog
from app.domain.contracts import AccessLevel
from app.domain.errors import DomainError
from app.domain.guards import Guard, guard_owners
from app.domain.holders import (
    Access,
    Assignment,
    Ceiling,
    Contract,
    ContractId,
    ContractStatus,
    Grant,
    HolderId,
    Limit,
    Membership,
    Record,
    Role,
    RoleId,
    RowId,
    StoredFact,
    SubscriberLink,
    Team,
    TeamId,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.values import Switch, Value
from app.domain.violations import Judgement
from app.domain.wishes.asking import Faults
from app.domain.wishes.contracts import wish_contract, wish_transfer
from app.domain.wishes.grants import find_owner_limits
from app.domain.world import Change, World
from tests.oracle import Oracle, Steps, Values, Who, is_at_least, meet
from tests.worlds import (
    FACTS,
    INSTANTS,
    NOON,
    OWNER,
    ROLES,
    SUBSCRIBERS,
    USERS,
    WINDOWS,
    Choices,
    _Drafting,
    _Peopling,
    _show,
    draw_fact_text,
    draw_value,
)

ON = Switch(True)
MACHINE = UserId("machine")
CALLERS = (*USERS, MACHINE, OWNER)
PRODUCTS = ("core", "tel", "pbx")
# Of ten rights of the gateway so many are held: one manages, one helps, a machine works, the others have little.
SHARES: Mapping[HolderId, tuple[int, ...]] = {
    USERS[0]: (10, 10, 10, 9), USERS[1]: (10, 9, 4, 0), USERS[2]: (0, 0, 0, 4), MACHINE: (10, 10, 9, 4),
    ROLES[0]: (0, 0, 0, 1),
}  # fmt: skip
MUCH: tuple[HolderId, ...] = (USERS[0], MACHINE, ROLES[2])  # have much else
TRYING = (*(USERS[0],) * 6, *(MACHINE,) * 3, *(USERS[1],) * 2, USERS[2], OWNER)


@cache
def gateway_system() -> DraftSystem:
    """The built-in system of the gateway's own rights, from its file."""
    document = read_document(catalog_files.BUILT_IN)
    return catalog_files._Drafting(document, CatalogFile.model_validate(document.data)).draft()


def draw_guarded_catalog(choices: Choices) -> Catalog:
    return build_catalog((*_Drafting(choices, PRODUCTS).draft(), gateway_system()), digest="drawn")


# ---------------------------------------------------------------------- worlds


class Staffing(_Peopling):
    """A world in which people hold rights of the gateway, some of them much else too, and a machine has a ceiling."""

    def __init__(self, choices: Choices, catalog: Catalog) -> None:
        super().__init__(choices, catalog)
        self.grantable = [permission for permission in self.grantable if permission.system != GATEWAY]

    def draw(self) -> tuple[Record, ...]:
        super().draw()
        self._owner_levels()
        self._machine()
        for holder, shares in SHARES.items():
            self._gateway_rights(holder, self.choices.pick(shares))
        for holder in MUCH:
            if self.choices.chance(4, 5):
                self._much(holder)
        return tuple(self.records)

    def _owner_levels(self) -> None:
        for contract in self.records[:]:
            if isinstance(contract, Contract) and contract.owner == OWNER:
                for product in sorted(contract.products):
                    self.records.append(
                        Access(
                            id=self.new_id(), contract=contract.id, created_at=NOON, user=OWNER, product=product,
                            level=AccessLevel.OWNER,
                        )
                    )  # fmt: skip

    def _machine(self) -> None:
        choices = self.choices
        levels = frozenset(
            (choices.pick(self.contracts), choices.pick(self.products), choices.pick(list(AccessLevel)[:3]))
            for _ in range(choices.below(3))
        )
        ceiling = Ceiling(roles=frozenset(choices.some((ROLES[2], *ROLES), 2)), levels=levels)
        self.records.append(
            User(
                id=MACHINE, user_name=MACHINE, display_name=MACHINE, kind=UserKind.SERVICE,
                ceiling=None if choices.chance(1, 6) else ceiling,
            )
        )  # fmt: skip
        for contract in self.contracts:
            if choices.chance(1, 2):
                level = choices.pick((AccessLevel.ADMINISTRATOR, AccessLevel.USER))
                row = self.row(contract=contract)
                self.records.append(Access(user=MACHINE, product=choices.pick(self.products), level=level, **row))  # type: ignore[arg-type]

    def _gateway_rights(self, holder: HolderId, share: int) -> None:
        choices = self.choices
        scope = choices.pick((None, None, None, self.anywhere()))
        valid_from, valid_until = choices.pick(WINDOWS) if choices.chance(1, 5) else (None, None)
        for right in Right:
            if share and (share == 10 or choices.chance(share, 10)):
                self.records.append(
                    Grant(
                        id=self.new_id(), contract=scope, created_at=NOON, valid_from=valid_from,
                        valid_until=valid_until, holder=holder, node=right, value=ON,
                    )
                )  # fmt: skip

    def _much(self, holder: HolderId) -> None:
        scope, wide = self.anywhere(), self.choices.chance(1, 2)
        for permission in self.grantable:
            if permission.polarity is Polarity.PERMISSION and self.choices.chance(4, 5):
                value = permission.value_type.top if wide else draw_value(self.choices, permission.value_type)
                self.records.append(
                    Grant(
                        id=self.new_id(), contract=scope, created_at=NOON, holder=holder, node=permission.key,
                        value=value,
                    )
                )  # fmt: skip


# ---------------------------------------------------------------------- what somebody could give, by the oracle


class Standing:
    """One person in one world: what they hold and could give, in each contract and at each moment."""

    def __init__(self, catalog: Catalog, world: World, caller: UserId) -> None:
        self.catalog = catalog
        self.world = world
        self.caller = caller
        self.user = world.users[caller]
        self.kinds = {permission.key: permission.value_type for permission in catalog.permissions}
        self._oracles: dict[tuple[ContractId | None, datetime], Oracle] = {}
        self._alike: dict[tuple[object, ...], Oracle] = {}
        self._steps: dict[Oracle, Steps] = {}
        self._known: dict[tuple[Oracle, bool], Values] = {}

    def oracle(self, contract: ContractId | None, at: datetime) -> Oracle:
        """The oracle of a place: the same one for moments between which nothing begins or ends there."""
        if contract not in self.world.contracts:
            contract = None  # registered by what is tried: nothing is held there in particular
        if (contract, at) not in self._oracles:
            oracle = Oracle(self.catalog, self.world, contract=contract, at=at)
            counting = (contract, *(row.id for row in oracle.rows))
            self._oracles[contract, at] = self._alike.setdefault(counting, oracle)
        return self._oracles[contract, at]

    def steps(self, contract: ContractId | None, at: datetime) -> Steps:
        oracle = self.oracle(contract, at)
        if oracle not in self._steps:
            self._steps[oracle] = oracle.steps(Who(user=self.caller, facts={}))
        return self._steps[oracle]

    def holding(self, contract: ContractId | None, at: datetime, *, met: bool) -> Values:
        """The effective rights; with `met` as if every fact and target allowed. What is held everywhere is held here.

        Limits in the contract narrow there what is held everywhere. Bound is who is bound in the contract.
        """
        oracle = self.oracle(contract, at)
        if (oracle, met) not in self._known:
            steps = self.steps(contract, at)
            found: Values = {}
            if steps.active:
                found = oracle.settle(steps.limited, lambda atom: True) if met else steps.certain
                found = dict(found)
            if contract is not None:
                value = oracle.value(self.caller)
                here = {
                    key: meet(self.kinds[key], held, oracle.get(value, key))
                    for key, held in self.holding(None, at, met=met).items()
                    if oracle.permissions[key].polarity is not Polarity.RESTRICTION
                }
                here = {key: v for key, v in here.items() if v != oracle.bottoms[key]}
                for key, v in oracle.settle(here, lambda atom: True).items():
                    oracle.add(found, key, v)
            self._known[oracle, met] = found
        return self._known[oracle, met]

    def giving(self, contract: ContractId | None, at: datetime) -> Values:
        """The most that this person could give: what they hold, a machine no more than its ceiling's roles give."""
        having = self.holding(contract, at, met=True)
        if self.user.kind is UserKind.PERSON:
            return having
        oracle = self.oracle(contract, at)
        ceiling: Values = {}
        for role in () if self.user.ceiling is None else self.user.ceiling.roles:
            for key, value in oracle.value(role).items():
                oracle.add(ceiling, key, value)
        ceiling = oracle.close(ceiling)
        found = {key: meet(self.kinds[key], value, oracle.get(ceiling, key)) for key, value in having.items()}
        return {key: value for key, value in found.items() if value != self.kinds[key].bottom}

    def bound(self, key: str, contract: ContractId | None, at: datetime) -> bool:
        """Whether a restriction binds this person, or is in a machine's ceiling; a machine without one is bound."""
        if self.user.kind is UserKind.SERVICE:
            roles = () if self.user.ceiling is None else self.user.ceiling.roles
            if not roles or any(key in self.oracle(contract, at).value(role) for role in roles):
                return True
        return key in self.holding(contract, at, met=True)

    def holds(self, right: Right, contract: ContractId | None, at: datetime) -> bool:
        return right in self.holding(contract, at, met=False)

    @property
    def owns_account(self) -> bool:
        return self.user.is_owner and self.user.status is UserStatus.ACTIVE


# ---------------------------------------------------------------------- what is tried


class Tampering:
    """One change set, by one caller."""

    def __init__(self, choices: Choices, standing: Standing, now: datetime, number: int) -> None:
        self.choices = choices
        self.standing = standing
        self.catalog = standing.catalog
        self.caller = standing.caller
        self.now = now
        self.number = number
        self.world = standing.world
        self.changes: list[Change] = []
        self.count = 0
        self.grantable = [p for p in self.catalog.permissions if not p.access_level]

    def draw(self) -> tuple[Change, ...]:
        for _ in range(self.choices.pick((1, 1, 1, 2, 3))):
            self.choices.pick(WAYS)(self)
        return tuple(self.changes)

    def do(self, before: Record | None, after: Record | None) -> None:
        """One more change. What this very change set made or altered is not altered again."""
        if before == after or (before is not None and any(before.id == c.record.id for c in self.changes)):
            return
        self.changes.append(Change(before, after))
        self.world = self.world.changed([self.changes[-1]])

    # ------------------------------------------------------------------ parts

    def new_id(self, kind: type) -> str:
        self.count += 1
        return f"{kind.__name__.lower()}{self.number}.{self.count}"

    def stamp(self) -> Stamp:
        return Stamp(actor=self.caller, at=self.now, new_id=self.new_id)

    def row(self, kind: type, contract: ContractId | None) -> dict[str, Any]:
        valid_from, valid_until = self.choices.pick(((None, None), *WINDOWS))
        if valid_until is not None and valid_until <= self.now:
            valid_until = None
        return {
            "id": RowId(self.new_id(kind)), "contract": contract, "valid_from": valid_from,
            "valid_until": valid_until, "created_at": self.now,
        }  # fmt: skip

    def anywhere(self) -> ContractId | None:
        """Mostly where the caller may give at all."""
        scopes: tuple[ContractId | None, ...] = (None, None, *self.world.contracts)
        reached = [c for c in scopes if self.standing.holds(Right.GRANT_RIGHTS, c, self.now)]
        return self.choices.pick(reached if reached and self.choices.chance(5, 6) else scopes)

    def contract(self) -> Contract:
        return self.choices.pick(list(self.world.contracts.values()))

    def holder(self) -> HolderId:
        kinds: tuple[list[HolderId], ...] = ([self.someone()], list(self.world.roles), list(self.world.teams))
        return self.choices.pick(self.choices.pick(kinds))

    def someone(self) -> UserId:
        """Mostly somebody who has little."""
        return self.choices.pick((USERS[2], USERS[2], USERS[1], *self.world.users))

    def somebody_active(self) -> UserId:
        return self.choices.pick([user.id for user in self.world.users.values() if user.status is UserStatus.ACTIVE])

    def valued(self, holder: HolderId, contract: ContractId | None) -> tuple[Permission, Value]:
        """A permission and a value: mostly out of what the caller could give there and the holder lacks."""
        giving = self.standing.giving(contract, self.now)
        oracle = self.standing.oracle(contract, self.now)
        has = oracle.value(holder)
        giveable = [
            p
            for p in self.grantable
            if p.key in giving and not is_at_least(p.value_type, oracle.get(has, p.key), giving[p.key])
        ]
        if not giveable or self.choices.chance(1, 5):
            permission = self.choices.pick(self.grantable)
            return permission, draw_value(self.choices, permission.value_type)
        others = [p for p in giveable if p.system != GATEWAY]
        permission = self.choices.pick(others if others and self.choices.chance(4, 5) else giveable)
        kind, most = permission.value_type, giving[permission.key]
        value = meet(kind, draw_value(self.choices, kind), most)
        return permission, most if value == kind.bottom or self.choices.chance(1, 2) else value

    # ------------------------------------------------------------------ ways

    def grant(self, holder: HolderId | None = None) -> None:
        contract, holder = self.anywhere(), holder or self.holder()
        permission, value = self.valued(holder, contract)
        row = self.row(Grant, contract)
        self.do(None, Grant(holder=holder, node=permission.key, value=value, **row))

    def end_row(self) -> None:
        rows: list[Record] = []
        for holder in (self.holder(), self.holder(), self.holder()):
            held = self.world.rows_of(holder)
            rows += (*held.grants, *held.assignments, *held.memberships)
        if rows:
            self.do(self.choices.pick(rows), None)

    def unbind(self) -> None:
        """The end of a restriction, if there is one."""
        restricting = {p.key for p in self.grantable if p.polarity is Polarity.RESTRICTION}
        grants = [row for rows in self.world.rows.values() for row in rows.grants if row.node in restricting]
        if grants:
            self.do(self.choices.pick(grants), None)

    def limit(self) -> None:
        contract = self.anywhere()
        limitable = [p for p in self.grantable if p.polarity is not Polarity.RESTRICTION]
        permission = self.choices.pick(limitable)
        row = self.row(Limit, contract)
        self.do(None, Limit(holder=self.holder(), node=permission.key, value=permission.value_type.bottom, **row))

    def lift(self) -> None:
        limits = [row for rows in self.world.rows.values() for row in rows.limits]
        if limits:
            self.do(self.choices.pick(limits), None)

    def assign(self) -> None:
        holder = self.choices.pick((*self.world.users, *self.world.teams))
        role = self.choices.pick(list(self.world.roles))
        self.do(None, Assignment(holder=holder, role=role, **self.row(Assignment, self.anywhere())))

    def join(self) -> None:
        team = self.choices.pick(list(self.world.teams))
        row = self.row(Membership, self.anywhere())
        self.do(None, Membership(user=self.someone(), team=team, supervisor=self.choices.chance(1, 3), **row))

    def change_role(self) -> None:
        old = self.choices.pick(list(self.world.roles.values()))
        what = self.choices.below(4)
        if what == 0:
            self.do(old, replace(old, display_name=f"{old.display_name}'"))
        elif what == 1:
            self.do(old, replace(old, archived=not old.archived))
        elif old.parents and what == 2:
            self.do(old, replace(old, parents=old.parents[1:]))
        else:
            fit = [r for r in self.world.roles if r != old.id and old.id not in self.world.included_in(r)]
            if fit:
                self.do(old, replace(old, parents=tuple(sorted({*old.parents, self.choices.pick(fit)}))))

    def new_role(self) -> None:
        key = RoleId(self.new_id(Role))
        parents = tuple(dict.fromkeys(self.choices.some(list(self.world.roles), 1)))
        self.do(None, Role(id=key, key=key, display_name=key, parents=parents))
        for _ in range(self.choices.below(3)):
            self.grant(key)

    def clone_role(self) -> None:
        original = self.choices.pick(list(self.world.roles.values()))
        key = RoleId(self.new_id(Role))
        rows = self.world.rows_of(original.id)
        self.do(None, replace(original, id=key, key=key, archived=False))
        for row in (*rows.grants, *rows.limits):
            self.do(None, replace(row, id=RowId(self.new_id(type(row))), holder=key))

    def change_team(self) -> None:
        old = self.choices.pick(list(self.world.teams.values()))
        fit = [t for t in self.world.teams if t != old.id and old.id not in self.world.included_in(t)]
        what = self.choices.below(3)
        if what == 0:
            self.do(old, replace(old, archived=not old.archived))
        elif what == 1 or not fit:
            self.do(old, replace(old, parent=None))
        else:
            self.do(old, replace(old, parent=self.choices.pick(fit)))

    def new_team(self) -> None:
        key = TeamId(self.new_id(Team))
        parent = self.choices.pick((None, *self.world.teams))
        self.do(None, Team(id=key, key=key, display_name=key, parent=parent))

    def change_user(self) -> None:
        old = self.world.users[self.someone()]
        what = self.choices.below(8)
        if what < 3:
            status = UserStatus.SUSPENDED if old.status is UserStatus.ACTIVE else UserStatus.ACTIVE
            self.do(old, replace(old, status=status))
        elif what < 5:
            self.do(old, replace(old, display_name=f"{old.display_name}'"))
        elif what == 5:
            self.do(old, replace(old, external_id=self.new_id(User)))
        elif what == 6:
            if old.kind is UserKind.PERSON:
                self.do(old, replace(old, is_owner=not old.is_owner))
        else:
            self.new_user()

    def wake(self) -> None:
        asleep = [user for user in self.world.users.values() if user.status is not UserStatus.ACTIVE]
        if asleep:
            old = self.choices.pick(asleep)
            self.do(old, replace(old, status=UserStatus.ACTIVE))

    def new_user(self) -> None:
        name = UserId(self.new_id(User))
        self.do(None, User(id=name, user_name=name, display_name=name))
        if self.choices.chance(1, 2):
            self.grant(name)

    def change_ceiling(self) -> None:
        machine = self.world.users[MACHINE]
        roles = frozenset(self.choices.some(list(self.world.roles), 2))
        levels = frozenset(
            (self.contract().id, product, self.choices.pick(list(AccessLevel)[:3]))
            for product in self.choices.some(list(self.catalog.products_by_key), 2)
        )
        self.do(machine, replace(machine, ceiling=Ceiling(roles=roles, levels=levels)))

    def change_contract(self) -> None:
        old = self.contract()
        if self.choices.chance(1, 2):
            status = ContractStatus.SUSPENDED if old.status is ContractStatus.ACTIVE else ContractStatus.ACTIVE
            self.do(old, replace(old, status=status))
            return
        product = self.choices.pick(list(self.catalog.products_by_key))
        self.do(old, replace(old, products=old.products ^ {product}))
        owned = any(r.product == product and r.contract == old.id for r in self.world.rows_of(old.owner).access)
        if product not in old.products and not owned:
            row = {"id": RowId(self.new_id(Access)), "contract": old.id, "created_at": self.now}
            self.do(None, Access(user=old.owner, product=product, level=AccessLevel.OWNER, **row))  # type: ignore[arg-type]

    def transfer(self) -> None:
        contract = self.contract()
        if any(isinstance(change.record, Access | User) for change in self.changes):
            return
        wish = wish_transfer(self.world, contract.id, self.somebody_active(), stamp=self.stamp(), faults=Faults())
        for change in wish.changes:
            self.do(change.before, change.after)

    def register(self) -> None:
        if any(isinstance(change.record, User) for change in self.changes):
            return
        number = self.new_id(Contract)
        wish = wish_contract(
            self.catalog, self.world, number=number, name=number, owner=self.somebody_active(),
            products=tuple(self.catalog.products_by_key), stamp=self.stamp(), faults=Faults(),
        )  # fmt: skip
        for change in wish.changes:
            self.do(change.before, change.after)

    def set_level(self) -> None:
        contract, user = self.contract(), self.someone()
        product = self.choices.pick(list(self.catalog.products_by_key))
        level = self.choices.pick((AccessLevel.USER, AccessLevel.ADMINISTRATOR, AccessLevel.WITHOUT_ACCESS, None,
                                   AccessLevel.OWNER))  # fmt: skip
        for row in self.world.rows_of(user).access:
            if (row.contract, row.product) == (contract.id, product):
                self.do(row, None)
        if level is not None:
            made = {"id": RowId(self.new_id(Access)), "contract": contract.id, "created_at": self.now}
            self.do(None, Access(user=user, product=product, level=level, **made))  # type: ignore[arg-type]

    def link(self) -> None:
        contract, user = self.contract().id, self.someone()
        for old in self.world.rows_of(user).links:
            if old.contract == contract:
                self.do(old, None)
        row = {"id": RowId(self.new_id(SubscriberLink)), "contract": contract, "created_at": self.now}
        self.do(None, SubscriberLink(user=user, subscriber=self.choices.pick(SUBSCRIBERS), **row))  # type: ignore[arg-type]

    def set_fact(self) -> None:
        fact = self.choices.pick(FACTS[:4])
        of_user = fact in FACTS[2:4]
        user = self.someone() if of_user else None
        contract = self.anywhere() if of_user else self.contract().id
        for old in self.world.rows_of(user or contract or "").facts:
            if (old.name, old.contract, old.user) == (fact.name, contract, user):
                self.do(old, None)
        row = {"id": RowId(self.new_id(StoredFact)), "contract": contract, "created_at": self.now}
        text = draw_fact_text(self.choices, fact)
        self.do(None, StoredFact(user=user, name=fact.name, text=text, **row))  # type: ignore[arg-type]


WAYS = (
    *(Tampering.grant,) * 5,
    *(Tampering.end_row,) * 3,
    *(Tampering.unbind,) * 3,
    *(Tampering.limit,) * 2,
    *(Tampering.lift,) * 4,
    *(Tampering.assign,) * 4,
    *(Tampering.join,) * 4,
    *(Tampering.change_role,) * 3,
    Tampering.new_role,
    Tampering.clone_role,
    *(Tampering.change_team,) * 2,
    Tampering.new_team,
    *(Tampering.change_user,) * 3,
    *(Tampering.wake,) * 2,
    Tampering.change_ceiling,
    Tampering.change_contract,
    Tampering.transfer,
    Tampering.register,
    *(Tampering.set_level,) * 2,
    Tampering.link,
    Tampering.set_fact,
)


# ---------------------------------------------------------------------- stories


@dataclass(frozen=True)
class Deed:
    """A change set that somebody tried, and what the guards said."""

    caller: UserId
    now: datetime
    before: World
    changes: tuple[Change, ...]
    errors: tuple[DomainError, ...]

    @property
    def accepted(self) -> bool:
        return not self.errors

    @cached_property
    def after(self) -> World:
        return self.before.changed(self.changes)

    def moments(self) -> tuple[datetime, ...]:
        """Now, and all later instants at which anything begins or ends."""
        return (self.now, *(instant for instant in INSTANTS if instant > self.now))

    def touches(self, kind: type) -> Iterator[Change]:
        return (change for change in self.changes if isinstance(change.record, kind))


@dataclass
class Story:
    """A world and what was tried in it, one after the other."""

    catalog: Catalog
    program: Program
    records: tuple[Record, ...]
    deeds: list[Deed] = field(default_factory=list)

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """How hypothesis prints a failing example: what is not at its default, a line each."""
        printer.text(str(self))

    def __str__(self) -> str:
        lines = ["Story"]
        for permission in self.catalog.permissions:
            if permission.system != GATEWAY:
                lines.append(f"  {permission.key}: {permission.polarity} {permission.value_type}")
                lines += [f"    implies {implied.node} {implied.value}" for implied in permission.implies]
                lines += [f"    {rule.enforcement} from {rule.applies_from}: {rule.requirement}"
                          for rule in permission.rules]  # fmt: skip
        lines += [f"  {_show(record)}" for record in self.records]
        for deed in self.deeds:
            lines.append(f"  {deed.caller} at +{(deed.now - NOON).days}d: {[str(error) for error in deed.errors]}")
            for change in deed.changes:
                old = "nothing" if change.before is None else _show(change.before)
                lines.append(f"    {old} -> {'nothing' if change.after is None else _show(change.after)}")
        return "\n".join(lines)


class Scattered(Choices):
    """Draws by a generator of its own, each option as likely as another."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count)


def authority_of(judgement: Judgement, caller: UserId, now: datetime) -> Authority:
    return Authority(caller, lambda contract, at: judgement.evaluation(False, contract, at), at=now)


def judge_deed(program: Program, before: World, caller: UserId, now: datetime, changes: Iterable[Change]) -> Deed:
    """A change set under every guard."""
    judgement = Judgement(program, before, changes)
    owners = sum(user.is_owner and user.status is UserStatus.ACTIVE for user in before.users.values())
    errors = [
        *Guard(judgement, authority_of(judgement, caller, now)).errors(),
        *guard_owners(before, judgement.after, judgement.changes, active_owners=owners),
        *find_owner_limits(judgement.after, judgement.changes),
    ]
    return Deed(caller, now, before, judgement.changes, tuple(errors))


def draw_story(choices: Choices, length: int = 4) -> Story:
    catalog = draw_guarded_catalog(choices)
    program = compile_catalog(catalog)
    story = Story(catalog, program, Staffing(choices, catalog).draw())
    world, place = World.of(story.records), choices.below(2)
    for number in range(length):
        place = min(place + choices.pick((0, 0, 0, 1)), len(INSTANTS) - 1)
        awake = [user for user in TRYING if world.users[user].status is UserStatus.ACTIVE]
        if not awake:
            break
        standing = Standing(catalog, world, choices.pick(awake))
        changes = Tampering(choices, standing, INSTANTS[place], number).draw()
        if not changes:
            continue
        deed = judge_deed(program, world, standing.caller, INSTANTS[place], changes)
        story.deeds.append(deed)
        if deed.accepted:
            world = deed.after
    return story


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A world and what several callers try in it. Half of them out of one number: scattered wider, but unshrinkable."""
    if draw(st.booleans()):
        return draw_story(Scattered(draw(st.integers(0, 2**32))))
    return draw_story(Choices(draw))
