"""A simulation, a dry run and the write itself agree, on random worlds, whoever asks for what.

Of a request for several things the simulation is asked for each of them. Its violations are the errors of the dry run
and of the write, its warnings theirs, each at its place; and what it said would be different is what is different after
the write. By default 25 worlds, 500 with `-m deep`.
"""

import asyncio
import itertools
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.domain.audit import AuditEntry
from app.domain.callers import Caller, Right
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.contracts import AccessLevel
from app.domain.errors import DomainError
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    ContractId,
    Grant,
    Limit,
    Membership,
    Record,
    Role,
    RoleId,
    Team,
    TeamId,
    User,
    UserId,
)
from app.domain.references import Ref
from app.domain.rights import Subject
from app.domain.values import Level, Members, Quantity, Scope, ScopeType, Switch, Value, ValueInput
from app.domain.world import Change
from app.services import contracts, grants, teams, users
from app.services.contracts import LevelItem
from app.services.grants import AssignItem, GrantItem, RevokeItem
from app.services.references import HolderRef
from app.services.simulation import ChangeAsked, Simulation, simulate
from app.services.teams import Members as TeamMembers
from app.services.writing import Request, WriteOptions, Written, carry_out
from tests.factories import Clock, Template, copy_services
from tests.worlds import Choices, draw_value

STEPS = 5  # things that are tried in each world, one after the other
PEOPLE, ROLES, TEAMS, CONTRACTS = (
    ("ana", "ben", "cleo", "dan"),
    ("agents", "writers", "leads"),
    ("day", "night"),
    ("A", "B"),
)
PRODUCTS = ("core", "pbx", "chatbots")


@dataclass(frozen=True)
class Deed:
    """A request for several things of one kind, and each of them as a change of a simulation."""

    request: Request
    changes: tuple[ChangeAsked, ...]
    contract: Ref | None


class Drawing:
    """A world on the small catalog of `tests/seeds`, and what is tried in it."""

    def __init__(self, choices: Choices, template: Template, clock: Clock, new_id: Callable[[type], str]) -> None:
        self.choices = choices
        self.catalog = template.program.catalog
        self.clock = clock
        self.new_id: Any = new_id
        self.owner = UserId(template.owner)
        self.desk = [node for node in self.catalog.permissions if node.system == "desk"]
        self.ids: dict[str, str] = {}

    # ------------------------------------------------------------------ the world

    def draw_world(self) -> list[Record]:
        return [*self._entities(), *self._rows(), *self._gateway_rights()]

    def _entities(self) -> Iterator[Record]:
        choices = self.choices
        for name in PEOPLE:
            self.ids[name] = self.new_id(User)
            yield User(id=UserId(self.ids[name]), user_name=name, display_name=name)
        for number, key in enumerate(ROLES):
            self.ids[key] = self.new_id(Role)
            parents = tuple(RoleId(self.ids[parent]) for parent in dict.fromkeys(choices.some(ROLES[:number], 1)))
            archived = choices.chance(1, 8)
            yield Role(id=RoleId(self.ids[key]), key=key, display_name=key, parents=parents, archived=archived)
        for number, key in enumerate(TEAMS):
            self.ids[key] = self.new_id(Team)
            parent = TeamId(self.ids[TEAMS[0]]) if number and choices.chance(1, 2) else None
            yield Team(id=TeamId(self.ids[key]), key=key, display_name=key, parent=parent)
        for number in CONTRACTS:
            self.ids[number] = self.new_id(Contract)
            owner = choices.pick((self.owner, self.owner, UserId(self.ids["ana"])))
            contract = ContractId(self.ids[number])
            yield Contract(id=contract, number=number, name=number, owner=owner, products=frozenset(PRODUCTS))
            for product in PRODUCTS:
                yield self._level(contract, owner, product, AccessLevel.OWNER)

    def _rows(self) -> Iterator[Record]:
        choices = self.choices
        holders = [self.ids[name] for name in (*PEOPLE, *ROLES, *TEAMS)]
        for node in self.desk:
            for holder in choices.some(holders, 3):
                yield Grant(
                    holder=UserId(holder), node=node.key, value=self._value(node.value_type), **self._row(Grant)
                )
        for holder in dict.fromkeys(choices.some([self.ids[name] for name in (*PEOPLE[1:], *ROLES)], 3)):
            node = choices.pick([node for node in self.desk if node.polarity != "RESTRICTION"])
            yield Limit(holder=UserId(holder), node=node.key, value=node.value_type.bottom, **self._row(Limit))
        for name in (*PEOPLE, *TEAMS):
            for role in choices.some(ROLES, 2):
                given = self._row(Assignment)
                yield Assignment(holder=UserId(self.ids[name]), role=RoleId(self.ids[role]), **given)
        for name in PEOPLE:
            for team in choices.some(TEAMS, 1):
                yield Membership(user=UserId(self.ids[name]), team=TeamId(self.ids[team]), **self._row(Membership))
            for number in CONTRACTS:
                if name != "ana" and choices.chance(2, 3):
                    at = choices.pick((AccessLevel.USER, AccessLevel.ADMINISTRATOR))
                    yield self._level(ContractId(self.ids[number]), UserId(self.ids[name]), "core", at)

    def _gateway_rights(self) -> Iterator[Record]:
        """ana and ben may do much, in places; cleo some things; dan nothing but look."""
        choices = self.choices
        for name, share in (("ana", 10), ("ben", 9), ("cleo", 5)):
            scope = choices.pick((None, None, None, None, self._contract()))
            for right in Right:
                if choices.chance(share, 10):
                    yield self._switch(name, right, scope)
        yield self._switch("dan", Right.VIEW_RIGHTS, choices.pick((None, self._contract())))
        for name in ("ana", "ben"):
            for node in self.desk:
                if node.polarity == "PERMISSION" and choices.chance(4, 5):
                    common = {**self._row(Grant), "valid_until": None, "valid_from": None}
                    holder = UserId(self.ids[name])
                    yield Grant(**{**common, "holder": holder, "node": node.key, "value": node.value_type.top})

    def _switch(self, name: str, right: Right, scope: ContractId | None) -> Grant:
        return Grant(
            id=self.new_id(Grant), holder=UserId(self.ids[name]), node=right, value=Switch(True), contract=scope,
            created_at=self.clock(),
        )  # fmt: skip

    def _level(self, contract: ContractId, user: UserId, product: str, level: AccessLevel) -> Access:
        common: dict[str, Any] = {"id": self.new_id(Access), "created_at": self.clock()}
        return Access(contract=contract, user=user, product=product, level=level, **common)

    def _row(self, kind: type) -> dict[str, Any]:
        valid_from, valid_until = self._window()
        source = self.choices.pick(("manual", "manual", "manual", "hr"))
        return {
            "id": self.new_id(kind), "created_at": self.clock(), "source": source,
            "contract": self.choices.pick((None, None, self._contract())),
            "valid_from": valid_from, "valid_until": valid_until,
        }  # fmt: skip

    def _window(self) -> tuple[Any, Any]:
        later = self.clock() + timedelta(days=1)
        return self.choices.pick((*[(None, None)] * 8, (later, None), (None, later)))

    def _contract(self) -> ContractId:
        return ContractId(self.ids[self.choices.pick(CONTRACTS)])

    def _value(self, kind: Any) -> Value:
        return draw_value(self.choices, kind)

    # ------------------------------------------------------------------ what is tried

    def draw_deed(self, known: Sequence[Record]) -> Deed:
        contract = self.choices.pick((None, None, None, *(Ref("number", number) for number in CONTRACTS)))
        draw = self.choices.pick((
            self._grant, self._grant, self._limit, partial(self._end, known, Grant), partial(self._end, known, Limit),
            self._assign, self._unassign, self._join, partial(self._leave, known), self._status, self._set_levels,
            self._set_levels,
        ))  # fmt: skip
        request, changes = draw()
        return Deed(request, changes, contract)

    def _several(self) -> range:
        return range(self.choices.pick((1, 1, 2, 3)))

    def _scope(self) -> Ref | None:
        numbers = CONTRACTS if self.choices.chance(8, 9) else ("nowhere",)
        return self.choices.pick((None, None, None, *(Ref("number", number) for number in numbers)))

    def _user(self) -> Ref:
        names = (*PEOPLE, "olga") if self.choices.chance(19, 20) else ("nobody",)
        return Ref("user_name", self.choices.pick(names))

    def _holder(self, *, roles: bool = True) -> HolderRef:
        noun = self.choices.pick(("user", "user", "team", *(("role",) if roles else ())))
        if noun == "user":
            return HolderRef("user", self._user())
        return HolderRef(noun, Ref("key", self.choices.pick(ROLES if noun == "role" else TEAMS)))  # type: ignore[arg-type]

    def _grant_item(self) -> GrantItem:
        valid_from, valid_until = self._window()
        node = self.choices.pick([*self.desk, *self.desk, *self.catalog.permissions])
        value = None if self.choices.chance(1, 5) else _input_of(node.value_type, self._value(node.value_type))
        return GrantItem(
            permission=node.key, value=value, contract=self._scope(), valid_from=valid_from, valid_until=valid_until
        )

    def _grant(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        holder, items = self._holder(), [self._grant_item() for _ in self._several()]
        ask = partial(grants.request_grants, holder, on_missing=MissingPrerequisites.REJECT)
        return ask(items), tuple(ChangeAsked(name="grant", item="grant", request=ask([item])) for item in items)

    def _limit(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        holder, items = self._holder(), [self._grant_item() for _ in self._several()]
        ask = partial(grants.request_limits, holder, on_dependents=Dependents.REJECT)
        return ask(items), tuple(ChangeAsked(name="limit", item="grant", request=ask([item])) for item in items)

    def _end(self, known: Sequence[Record], kind: type) -> tuple[Request, tuple[ChangeAsked, ...]]:
        """Rows to end, by id or by what they are: no row twice, for it would not be there any more."""
        rows = [row for row in known if isinstance(row, kind)]
        by_key = {one: key for key, one in self.ids.items()}
        if rows:
            row: Any = self.choices.pick(rows)
            noun = {"usr": "user", "rol": "role", "tea": "team"}[row.holder[:3]]
            key = by_key.get(row.holder, "olga")
            holder = HolderRef(noun, Ref("user_name" if noun == "user" else "key", key))  # type: ignore[arg-type]
            same = [other for other in rows if other.holder == row.holder]  # type: ignore[attr-defined]
            picked = [row, *self.choices.some(same, 2)]
        else:
            holder, picked = self._holder(), []
        if picked and self.choices.chance(1, 2):
            items = [RevokeItem(id=one) for one in dict.fromkeys(row.id for row in picked)]
        else:
            asked = {row.node: row.contract for row in picked} or {"desk.reports.menu": None}
            numbers = {None: None, **{self.ids[number]: Ref("number", number) for number in CONTRACTS}}
            source = self.choices.pick((None, None, "hr"))
            items = [RevokeItem(permission=node, contract=numbers[c], source=source) for node, c in asked.items()]
        if kind is Grant:
            ask: Any = partial(grants.request_revokes, holder, on_dependents=Dependents.REJECT)
            return ask(items), tuple(ChangeAsked(name="revoke", item="revoke", request=ask([item])) for item in items)
        ask = partial(grants.request_lifts, holder)
        return ask(items), tuple(ChangeAsked(name="liftLimit", item="revoke", request=ask([item])) for item in items)

    def _roles(self) -> list[AssignItem]:
        """Roles, none twice in one place."""
        items = []
        for role in dict.fromkeys(self.choices.pick(ROLES) for _ in self._several()):
            valid_from, valid_until = self._window()
            items.append(AssignItem(
                role=Ref("key", role), contract=self._scope(), valid_from=valid_from, valid_until=valid_until
            ))  # fmt: skip
        return items

    def _assign(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        holder, items = self._holder(roles=self.choices.chance(1, 9)), self._roles()
        ask = partial(grants.request_assignments, holder)
        return ask(items), tuple(ChangeAsked(name="assign", item="assign", request=ask([item])) for item in items)

    def _unassign(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        holder, items = self._holder(roles=False), self._roles()
        items = [AssignItem(role=item.role, contract=item.contract) for item in items]
        ask = partial(grants.request_unassignments, holder, on_dependents=Dependents.REJECT)
        return ask(items), tuple(ChangeAsked(name="unassign", item="assign", request=ask([item])) for item in items)

    def _team(self) -> Ref:
        return Ref("key", self.choices.pick((*TEAMS, *TEAMS, *TEAMS, "nowhere")))

    def _join(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        people = tuple(dict.fromkeys(self._user() for _ in self._several()))
        request = teams.request_members(TeamMembers(team=self._team(), users=people))
        return request, (ChangeAsked(name="addMembers", item="", request=request),)

    def _leave(self, known: Sequence[Record]) -> tuple[Request, tuple[ChangeAsked, ...]]:
        names = {one: name for name, one in self.ids.items()}
        rows = [row for row in known if isinstance(row, Membership)]
        people, team = [self._user()], self._team()
        if rows:
            row = self.choices.pick(rows)
            people, team = [Ref("user_name", names.get(row.user, "olga")), *people], Ref("key", names[row.team])
        members = TeamMembers(team=team, users=tuple(dict.fromkeys(people[: self.choices.pick((1, 1, 1, 2))])))
        request = teams.request_leaving(members, on_dependents=Dependents.REJECT)
        return request, (ChangeAsked(name="removeMembers", item="", request=request),)

    def _status(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        request = users.request_status(self._user(), self.choices.pick(tuple(users.UserStatus)))
        return request, (ChangeAsked(name="status", item="", request=request),)

    def _set_levels(self) -> tuple[Request, tuple[ChangeAsked, ...]]:
        contract = Ref("number", self.choices.pick(CONTRACTS))
        people = dict.fromkeys((self._user(), self.choices.pick((*PRODUCTS, "nothing"))) for _ in self._several())
        levels = (*AccessLevel, AccessLevel.USER, None)
        items = [LevelItem(user=user, product=product, level=self.choices.pick(levels)) for user, product in people]
        ask = partial(contracts.request_levels, contract)
        return ask(items), tuple(ChangeAsked(name="accessLevel", item="level", request=ask([item])) for item in items)


def _input_of(kind: Any, value: Value) -> ValueInput:
    """How a client gives a value."""
    match value:
        case Switch(on=on):
            return ValueInput("on", on)
        case Level(rank=rank):
            return ValueInput("level", kind.levels[rank])
        case Scope():
            assert isinstance(kind, ScopeType)
            return ValueInput("scopes", tuple(kind.maximal(value)))
        case Quantity(amount=amount, unlimited=unlimited):
            return ValueInput("full", True) if unlimited else ValueInput("amount", amount)
        case Members(names=names, all=everything):
            return ValueInput("full", True) if everything else ValueInput("members", tuple(sorted(names)))


# ---------------------------------------------------------------------- comparing

_ID = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}")
Told = tuple[str, str, tuple[str, ...]]


def tell(errors: Sequence[DomainError], place: Callable[[tuple[str, ...]], tuple[str, ...]]) -> list[Told]:
    """Codes, messages and places, each once. The id of a row that is not made is never the same."""
    return list(dict.fromkeys((str(e.code), _ID.sub("an id", str(e)), place(e.path)) for e in errors))


def place_in_request(deed: Deed, path: tuple[str, ...]) -> tuple[str, ...]:
    """Where a path into the list of changes lies in the request for all of them."""
    if not path:
        return ()
    index, inner = path[1], path[3:]
    item = deed.changes[int(index)].item
    return (deed.request.field, index, *inner[1:]) if item and inner[:1] == (item,) else inner


class Try:
    """One deed in one world: simulated, tried dry, done."""

    def __init__(self, services: Any, caller: Caller, deed: Deed) -> None:
        self.services = services
        self.caller = caller
        self.deed = deed

    async def check(self) -> bool:
        """Asserts that all three agree; whether it was done."""
        before = await self._rights()
        simulated, shown = await self._simulate()
        dry = await self._write(dry=True)
        done = await self._write(dry=False)
        after = await self._rights()
        self._compare_told(simulated, dry)
        self._compare_told(simulated, done)
        assert (simulated.affected_users == 0) is (simulated.differences == ())
        listed = [(d.user, d.permission.key, d.before, d.after) for d in simulated.differences]
        assert [(p[0], p[1]) for p in simulated.places] == sorted((p[0], p[1]) for p in simulated.places)
        assert {user for user, *_ in listed} <= shown
        assert all(before[user, key] == old for user, key, old, _ in listed)
        if simulated.violations:
            assert after == before
            return False
        expected = {
            (user, key, before[user, key], after[user, key])
            for user, key in before
            if before[user, key] != after[user, key] and user in shown
        }
        assert set(listed) == expected
        assert len(listed) == len(expected)
        assert simulated.affected_users == len({user for user, *_ in expected})
        return bool(done.changes)

    def _compare_told(self, simulated: Simulation, written: Written) -> None:
        ask = partial(place_in_request, self.deed)
        violations, errors = tell(simulated.violations, ask), tell(written.errors, lambda path: path)
        warnings, theirs = tell(simulated.warnings, ask), tell(written.warnings, lambda path: path)
        if len(self.deed.changes) > 1:  # faults are told change by change: in another order
            violations, errors, warnings, theirs = map(sorted, (violations, errors, warnings, theirs))
        assert violations == errors
        assert warnings == theirs

    async def _simulate(self) -> tuple[Simulation, set[UserId]]:
        """The simulation, and the people whose rights the caller may see there."""
        async with self.services.reading(self.caller) as reading:
            simulated = await simulate(reading, self.deed.changes, contract=self.deed.contract)
            sight, world = await reading.sight(), await reading.load_world(None)
            scope = await self._scope(reading)
            shown = {user for user in world.users if sight.sees_user(world, user) and sight.sees_rights(user, scope)}
            return simulated, shown

    async def _write(self, *, dry: bool) -> Written:
        return await carry_out(self.services, self.caller, self.deed.request, options=WriteOptions(dry_run=dry))

    async def _rights(self) -> dict[tuple[UserId, str], Value]:
        """The effective value of every permission of everybody in the contract asked."""
        async with self.services.reading() as reading:
            evaluation = await reading.evaluate(None, await self._scope(reading))
            program = evaluation.program
            return {
                (user, node.key): program.value(held, number)
                for user in evaluation.world.users
                for held in [evaluation.effective(Subject(user=user)).certain]
                for number, node in enumerate(program.catalog.permissions)
            }

    async def _scope(self, reading: Any) -> ContractId | None:
        if self.deed.contract is None:
            return None
        world = await reading.load_world()
        return next(c.id for c in world.contracts.values() if c.number == self.deed.contract.value)


async def live(template: Template, choices: Choices, path: Path) -> int:
    """One world, and several people who try things in it; how many were done."""
    clock, counter = Clock(), itertools.count(1)
    services = copy_services(template, path, clock)
    services.randomness = lambda size: next(counter).to_bytes(size, "big")
    done = 0
    try:
        drawing = Drawing(choices, template, clock, services.new_id)
        records = drawing.draw_world()
        await plant(services, records)
        everybody = {**{name: UserId(drawing.ids[name]) for name in PEOPLE}, "olga": drawing.owner}
        for _ in range(STEPS):
            async with services.reading() as reading:
                world = await reading.load_world(None)
            awake = [name for name, user in everybody.items() if world.users[user].status == "ACTIVE"]
            name = choices.pick([name for name in ("olga", "olga", "ana", *PEOPLE) if name in awake])
            known = [row for rows in world.rows.values() for row in rows]
            caller = Caller(user=everybody[name], user_name=name)
            deed = drawing.draw_deed(known)
            async with services.reading(caller) as reading:
                authority, seen = await reading.authority(), await reading.look()
                may = authority.owns_account or authority.contracts_with(Right.VIEW_RIGHTS) != frozenset()
                numbers = [contract.number for contract in seen.contracts()]
            if not may:
                continue
            await check_nothing(services, caller, deed.contract, numbers)
            if deed.contract is not None and deed.contract.value not in numbers:
                deed = replace(deed, contract=None)
            done += await Try(services, caller, deed).check()
    finally:
        await services.close()
    return done


async def check_nothing(services: Any, caller: Caller, contract: Ref | None, seen: Sequence[str]) -> None:
    """Law 3: a simulation of no change says what is so. A contract that is not seen is not there."""
    async with services.reading(caller) as reading:
        simulated = await simulate(reading, (), contract=contract)
    hidden = contract is not None and contract.value not in seen
    assert [str(e.code) for e in simulated.violations] == (["NOT_FOUND"] if hidden else [])
    assert (simulated.warnings, simulated.differences, simulated.affected_users) == ((), (), 0)


async def plant(services: Any, records: Sequence[Record]) -> None:
    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=services.clock(), actor="test", actor_id=None, source="test", action="plant",
            reason=None, subjects=(), changes=(), previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        await unit.record([Change(None, record) for record in records], make_entry)


class Dice(Choices):
    """Choices by a seed. What fails here is read from the deed: a smaller world would take minutes to find."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count)


@pytest.mark.long
@pytest.mark.parametrize(
    "worlds", [pytest.param(range(25), id="default"), pytest.param(range(50, 550), id="deep", marks=pytest.mark.deep)]
)
def test_simulation_dry_run_and_write_agree(template: Template, tmp_path: Path, worlds: range) -> None:
    counts = [asyncio.run(live(template, Dice(seed), tmp_path / f"{seed}.db")) for seed in worlds]

    assert sum(counts) > len(worlds) // 2, "hardly anything was let through: the worlds say too little"
