"""Random feeds: a world in which several sources manage parts, and what one of them wants next.

A feed starts as a mirror of what its source manages, so that nothing would have to be done, and is then changed here
and there: people come and go, columns are blanked, roles arrive with their rights. A wild one has faults of every kind
in it too. People come in crowds that are alike, or nearly so, for those are judged together.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import count
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from app.domain.authority import Authority
from app.domain.catalog import Catalog
from app.domain.changes import Stamp
from app.domain.compiled import Program, compile_catalog
from app.domain.contracts import AccessLevel
from app.domain.errors import InvalidValue
from app.domain.holders import (
    MANUAL,
    Access,
    AnyRow,
    Assignment,
    ContractId,
    Grant,
    Membership,
    Record,
    Role,
    RowId,
    Team,
    User,
    UserId,
    UserStatus,
)
from app.domain.references import Ref
from app.domain.sync.desired import (
    AssignmentDesired,
    Desired,
    Entry,
    GrantDesired,
    LevelDesired,
    RoleDesired,
    SyncMode,
    TeamDesired,
    UserDesired,
)
from app.domain.sync.diff import Spoiled, SyncPlan, diff
from app.domain.sync.units import Current
from app.domain.sync.weighing import Weighed, weigh
from app.domain.values import Value, ValueInput
from app.domain.violations import Judgement
from app.domain.wishes.users import UNCHANGED
from app.domain.world import World
from tests.gatekeeping import MACHINE, Scattered, Staffing, authority_of, draw_guarded_catalog
from tests.worlds import INSTANTS, NOON, USERS, WINDOWS, Choices, Pool, _show, draw_value

SOURCE, OTHER = "hr", "idp"
ROOT = UserId("root")  # owns the account
CROWD = tuple(UserId(f"p{number}") for number in range(6))
CALLERS = (ROOT, ROOT, ROOT, USERS[0], USERS[0], MACHINE, USERS[1])
SOURCES = (SOURCE, SOURCE, SOURCE, OTHER, MANUAL)
FEED_POOL = 2048  # a feed takes some 600 choices, and hardly ever a thousand
SYNCED = (Assignment, Membership, Access, Grant)


# ---------------------------------------------------------------------- worlds of several sources


class Sourcing(Staffing):
    """A world as for the guards, with a crowd in it, whose records and rows several sources manage."""

    def draw(self) -> tuple[Record, ...]:
        super().draw()
        self.records.append(User(id=ROOT, user_name=ROOT, display_name=ROOT, is_owner=True))
        self.records[:] = [self._of_a_source(record) for record in self.records]
        self._crowd()
        for row in self.records[:]:  # the same row may be given by two sources
            if isinstance(row, SYNCED) and self.choices.chance(1, 15):
                self.records.append(replace(row, id=RowId(f"{row.id} again"), source=OTHER))  # type: ignore[arg-type]
        return tuple(self.records)

    def _crowd(self) -> None:
        choices = self.choices
        model = choices.pick((USERS[1], USERS[2]))
        for name in CROWD[: choices.pick((0, 3, 4, 5, 6))]:
            status = choices.pick((UserStatus.ACTIVE,) * 8 + (UserStatus.SUSPENDED,))
            source = choices.pick((SOURCE,) * 8 + (OTHER, MANUAL))
            external_id = None if choices.chance(1, 12) else f"E-{name}"
            rows = [r for r in self.records if isinstance(r, SYNCED) and r.holder == model]
            self.records.append(
                User(
                    id=name, user_name=name, display_name=name, status=status, source=source, external_id=external_id
                )
            )  # fmt: skip
            if choices.chance(1, 6):
                model = choices.pick(USERS[1:])  # the next ones are like another
            for row in rows:
                if isinstance(row, Access) and row.level is AccessLevel.OWNER:
                    continue
                place = "user" if isinstance(row, Membership | Access) else "holder"
                self.records.append(replace(row, id=self.new_id(), **{place: name}))  # type: ignore[arg-type]

    def _of_a_source(self, record: Record) -> Record:
        choices = self.choices
        if isinstance(record, User):
            if record.id in {ROOT, MACHINE}:
                return record
            external_id = None if choices.chance(1, 10) else f"E-{record.id}"
            return replace(record, source=choices.pick(SOURCES), external_id=external_id)
        if isinstance(record, Role | Team):
            archived = record.archived and choices.chance(1, 3)
            return replace(record, source=choices.pick(SOURCES), archived=archived)
        if isinstance(record, Grant) and record.holder not in self.role_ids:
            return record
        if isinstance(record, Access) and (record.level is AccessLevel.OWNER or record.user == MACHINE):
            return record
        if isinstance(record, Grant | Assignment | Access):
            record = replace(record, source=choices.pick(SOURCES))
        if isinstance(record, Access):
            return replace(record, valid_from=None, valid_until=None)
        if isinstance(record, Membership):
            record = replace(record, source=choices.pick(SOURCES))
            if record.source == SOURCE and not choices.chance(1, 8):
                return replace(record, supervisor=False, contract=None, valid_from=None, valid_until=None)
        return record

    @property
    def role_ids(self) -> set[str]:
        return {record.id for record in self.records if isinstance(record, Role)}


# ---------------------------------------------------------------------- feeds


@dataclass
class Feed:
    """A world and what the source `hr` wants of it, sent by a caller."""

    catalog: Catalog
    world: World
    desired: Desired
    spoiled: tuple[Spoiled, ...]
    caller: UserId
    now: datetime
    held_down: frozenset[str] = frozenset()
    numbers: Iterator[int] = field(default_factory=count)

    @cached_property
    def program(self) -> Program:
        return compile_catalog(self.catalog)

    @property
    def stamp(self) -> Stamp:
        return Stamp(actor=self.caller, at=self.now, new_id=self._new_id, source=self.desired.source, revision=1)

    def _new_id(self, kind: type) -> str:
        return f"new{kind.__name__}{next(self.numbers)}"

    def current(self, world: World | None = None) -> Current:
        world = world or self.world
        awake = {user.id for user in world.users.values() if user.status is UserStatus.ACTIVE}
        bundles = (*world.roles.values(), *world.teams.values())
        held_down = self.held_down - awake - {record.id for record in bundles if not record.archived}
        return Current(self.catalog, world, self.stamp, held_down=frozenset(held_down))

    def plan(self, desired: Desired | None = None, world: World | None = None) -> SyncPlan:
        """The plan of the feed, or of another one."""
        return diff(self.current(world), desired or self.desired, self.spoiled)

    @property
    def active_owners(self) -> int:
        return sum(user.is_owner and user.status is UserStatus.ACTIVE for user in self.world.users.values())

    def authority(self) -> Authority:
        return authority_of(Judgement(self.program, self.world, ()), self.caller, self.now)

    def weigh(self, plan: SyncPlan, mode: SyncMode = SyncMode.ATOMIC) -> Weighed:
        return weigh(
            self.program, self.world, plan, self.authority(), self.stamp, mode=mode, active_owners=self.active_owners
        )

    def of(self, caller: UserId) -> "Feed":
        """The same feed, sent by another."""
        return replace(self, caller=caller)

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """How hypothesis prints a failing example: what is not at its default, a line each."""
        printer.text(str(self))

    def __str__(self) -> str:
        lines = [f"Feed by {self.caller} at +{(self.now - NOON).days}d take_over={self.desired.take_over}"]
        for permission in self.catalog.permissions:
            if not permission.key.startswith("gateway."):
                lines.append(f"  {permission.key}: {permission.polarity} {permission.value_type}")
                lines += [f"    implies {implied.node} {implied.value}" for implied in permission.implies]
                lines += [f"    {r.enforcement} from {r.applies_from}: {r.requirement}" for r in permission.rules]
        records: list[Record] = [*self.world.roles.values(), *self.world.teams.values(), *self.world.users.values()]
        records += [*self.world.contracts.values(), *(row for rows in self.world.rows.values() for row in rows)]
        lines += [f"  {_show(record)}" for record in records if not str(getattr(record, "node", "")).startswith("gate")]
        for noun in ("roles", "teams", "users"):
            entries = getattr(self.desired, noun)
            lines.append(f"  {noun}: {'not managed' if entries is None else len(entries)}")
            lines += [f"    {entry}" for entry in entries or ()]
        return "\n".join(lines + [f"    spoiled {one}" for one in self.spoiled])


# ---------------------------------------------------------------------- what a source has, as a feed


def mine(world: World, holder: str, source: str = SOURCE) -> list[AnyRow]:
    """The rows of a source on a holder."""
    return [row for row in world.rows_of(holder) if row.source == source]


class Mirror:
    """What a source wants who wants what it has, as far as a feed can say it."""

    def __init__(self, catalog: Catalog, world: World, source: str = SOURCE) -> None:
        self.catalog = catalog
        self.world = world
        self.source = source

    def _has(self, record: User | Role | Team) -> bool:
        return record.source == self.source or bool(mine(self.world, record.id, self.source))

    def users(self) -> list[UserDesired]:
        return [self.user(user) for user in self.world.users.values() if self._has(user) and user.id != MACHINE]

    def roles(self) -> list[RoleDesired]:
        return [self.role(role) for role in self.world.roles.values() if self._has(role) and not role.archived]

    def teams(self) -> list[TeamDesired]:
        return [self.team(team) for team in self.world.teams.values() if self._has(team) and not team.archived]

    def user(self, user: User) -> UserDesired:
        rows = mine(self.world, user.id, self.source)
        return UserDesired(
            path=(), external_id=user.external_id or f"E-{user.id}", user_name=user.user_name,
            display_name=user.display_name, active=user.status is UserStatus.ACTIVE or user.source != self.source,
            roles=self._assignments(rows),
            teams=tuple(
                Ref("key", self.world.teams[row.team].key)
                for row in rows
                if isinstance(row, Membership)
                and not (row.supervisor or row.contract or row.valid_from or row.valid_until)
            ),
            access=tuple(
                LevelDesired(contract=contract, product=row.product, level=row.level)
                for row in rows
                if isinstance(row, Access) and (contract := self._contract(row.contract)) is not None
                and row.product in self.world.contracts[ContractId(row.contract or "")].products
            ),
        )  # fmt: skip

    def role(self, role: Role) -> RoleDesired:
        parents = [self.world.roles[parent] for parent in role.parents]
        return RoleDesired(
            path=(), key=role.key,
            parents=tuple(Ref("key", parent.key) for parent in parents) if role.source == self.source else None,
            grants=tuple(
                self.grant(row.node, row.value, row.contract, (row.valid_from, row.valid_until))
                for row in mine(self.world, role.id, self.source)
                if isinstance(row, Grant)
            ),
        )  # fmt: skip

    def team(self, team: Team) -> TeamDesired:
        parent = None if team.parent is None else Ref("key", self.world.teams[team.parent].key)
        return TeamDesired(
            path=(), key=team.key, kind=team.kind, parent=parent if team.source == self.source else UNCHANGED,
            roles=self._assignments(mine(self.world, team.id, self.source)),
        )  # fmt: skip

    def grant(
        self, node: str, value: Value, contract: ContractId | None, window: tuple[datetime | None, datetime | None]
    ) -> GrantDesired:
        text = self.catalog.require_permission(node).value_type.print(value)
        return GrantDesired(
            permission=node, value=ValueInput("text", text), contract=self._contract(contract), valid_from=window[0],
            valid_until=window[1],
        )  # fmt: skip

    def _assignments(self, rows: Iterable[AnyRow]) -> tuple[AssignmentDesired, ...]:
        return tuple(
            AssignmentDesired(
                role=Ref("key", self.world.roles[row.role].key), contract=self._contract(row.contract),
                valid_from=row.valid_from, valid_until=row.valid_until,
            )
            for row in rows
            if isinstance(row, Assignment)
        )  # fmt: skip

    def _contract(self, contract: ContractId | None) -> Ref | None:
        return None if contract is None else Ref("number", self.world.contracts[contract].number)


# ---------------------------------------------------------------------- feeds, drawn


class Feeding:
    """One feed: a mirror, changed here and there."""

    def __init__(self, choices: Choices, catalog: Catalog, world: World, now: datetime) -> None:
        self.choices = choices
        self.catalog = catalog
        self.world = world
        self.now = now
        self.mirror = Mirror(catalog, world)
        self.users = self.mirror.users()
        self.roles = self.mirror.roles()
        self.teams = self.mirror.teams()
        self.spoiled: list[Spoiled] = []
        self.grantable = [p for p in catalog.permissions if not p.access_level and p.system != "gateway"]
        self.numbers = count()

    def draw(self, *, wild: bool) -> tuple[Desired, tuple[Spoiled, ...]]:
        choices = self.choices
        for _ in range(choices.pick((1, 0, 1, 2, 3, 4, 6))):
            choices.pick(WAYS)(self)
        for _ in range(1 + choices.below(2) if wild else 0):
            choices.pick(FAULTS)(self)
        lists: dict[str, tuple[Any, ...] | None] = {}
        for noun, entries in (("users", self.users), ("roles", self.roles), ("teams", self.teams)):
            placed = tuple(replace(entry, path=(noun, str(number))) for number, entry in enumerate(entries))
            lists[noun] = None if noun != "users" and choices.chance(1, 6) else placed
        take_over = choices.chance(1, 4)
        return Desired(source=SOURCE, take_over=take_over, **lists), tuple(self.spoiled)  # type: ignore[arg-type]

    # ------------------------------------------------------------------ parts

    def some_user(self) -> int | None:
        return self.choices.below(len(self.users)) if self.users else None

    def change_user(self, **given: Any) -> None:
        number = self.some_user()
        if number is not None:
            self.users[number] = replace(self.users[number], **given)

    def role_key(self) -> str:
        """Mostly of a living role."""
        living = [role.key for role in self.world.roles.values() if not role.archived]
        return self.choices.pick([*(entry.key for entry in self.roles), *living, "r0"])

    def team_key(self) -> str:
        living = [team.key for team in self.world.teams.values() if not team.archived]
        return self.choices.pick([*(entry.key for entry in self.teams), *living, "t0"])

    def contract(self) -> ContractId:
        return self.choices.pick(list(self.world.contracts))

    def assignment(self) -> AssignmentDesired:
        window = self.choices.pick(WINDOWS)
        contract = self.choices.pick((None, None, Ref("number", self.contract())))
        return AssignmentDesired(
            role=Ref("key", self.role_key()), contract=contract, valid_from=window[0], valid_until=window[1]
        )

    def level(self) -> LevelDesired | None:
        contract = self.world.contracts[self.contract()]
        if not contract.products:
            return None
        product = self.choices.pick(sorted(contract.products))
        level = self.choices.pick(list(AccessLevel)[:3])
        return LevelDesired(contract=Ref("number", contract.number), product=product, level=level)

    def grants(self) -> tuple[GrantDesired, ...]:
        found = []
        for _ in range(self.choices.below(4)):
            permission = self.choices.pick(self.grantable)
            value = draw_value(self.choices, permission.value_type)
            contract = self.choices.pick((None, None, None, self.contract()))
            found.append(self.mirror.grant(permission.key, value, contract, self.choices.pick(WINDOWS)))
        return tuple(found)

    # ------------------------------------------------------------------ ways

    def drop_user(self) -> None:
        if self.users:
            self.users.pop(self.choices.below(len(self.users)))

    def deactivate(self) -> None:
        number = self.some_user()
        if number is not None:
            self.users[number] = replace(self.users[number], active=not self.users[number].active)

    def spell_otherwise(self) -> None:
        self.change_user(display_name=self.choices.pick(("Somebody", None, UNCHANGED)), email="a@example.org")

    def give_role(self) -> None:
        number, given = self.some_user(), self.assignment()
        if number is not None:
            for other in self._alike(number):
                roles = self.users[other].roles or ()
                self.users[other] = replace(self.users[other], roles=(*roles, given))

    def _alike(self, number: int) -> list[int]:
        """One person, or all of the crowd."""
        crowd = [n for n, entry in enumerate(self.users) if entry.user_name in CROWD]
        return crowd if crowd and self.choices.chance(2, 3) else [number]

    def give_team(self) -> None:
        number, given = self.some_user(), Ref("key", self.team_key())
        if number is not None:
            for other in self._alike(number):
                self.users[other] = replace(self.users[other], teams=(*(self.users[other].teams or ()), given))

    def give_level(self) -> None:
        number, given = self.some_user(), self.level()
        if number is None or given is None:
            return
        for other in self._alike(number):
            entry = self.users[other]
            if any(self.world.contracts[c].owner == f"{entry.user_name}" for c in self.world.contracts):
                continue
            rest = [a for a in entry.access or () if (a.contract, a.product) != (given.contract, given.product)]
            self.users[other] = replace(entry, access=(*rest, given))

    def take_item(self) -> None:
        """One thing less of one list, or of everybody's."""
        column = self.choices.pick(("roles", "teams", "access"))
        number = self.some_user()
        for other in () if number is None else self._alike(number):
            items = getattr(self.users[other], column)
            if items:
                place = self.choices.below(len(items))
                self.users[other] = replace(self.users[other], **{column: (*items[:place], *items[place + 1 :])})

    def blank_column(self) -> None:
        column, value = self.choices.pick(("roles", "teams", "access")), self.choices.pick(((), None))
        self.users = [replace(entry, **{column: value}) for entry in self.users]  # type: ignore[arg-type]

    def new_people(self) -> None:
        roles = tuple(self.assignment() for _ in range(self.choices.below(3)))
        level = self.level() if self.choices.chance(1, 2) else None
        for _ in range(1 + self.choices.below(3)):
            name = f"n{next(self.numbers)}"
            self.users.append(
                UserDesired(
                    path=(), external_id=f"E-{name}", user_name=name, active=not self.choices.chance(1, 8),
                    roles=roles, teams=(Ref("key", self.team_key()),) if self.choices.chance(1, 3) else None,
                    access=None if level is None else (level,),
                )
            )  # fmt: skip

    def rename(self) -> None:
        self.change_user(user_name=f"n{next(self.numbers)}")

    def swap_names(self) -> None:
        one, other = self.some_user(), self.some_user()
        if one is not None and other is not None:
            names = self.users[one].user_name, self.users[other].user_name
            self.users[one] = replace(self.users[one], user_name=names[1])
            self.users[other] = replace(self.users[other], user_name=names[0])

    def new_role(self) -> None:
        parents = tuple(Ref("key", self.role_key()) for _ in range(self.choices.below(2)))
        entry = RoleDesired(path=(), key=f"n{next(self.numbers)}", parents=parents, grants=self.grants())
        self.roles.insert(self.choices.below(len(self.roles) + 1), entry)

    def regrant(self) -> None:
        """One grant less of a role, or a few more."""
        if not self.roles:
            return
        number = self.choices.below(len(self.roles))
        entry = self.roles[number]
        if entry.grants and self.choices.chance(1, 2):
            place = self.choices.below(len(entry.grants))
            self.roles[number] = replace(entry, grants=(*entry.grants[:place], *entry.grants[place + 1 :]))
        else:
            self.roles[number] = replace(entry, grants=(*entry.grants, *self.grants()))

    def reparent(self) -> None:
        if self.roles:
            number = self.choices.below(len(self.roles))
            if self.roles[number].parents is not None:
                parents = tuple(Ref("key", self.role_key()) for _ in range(self.choices.below(3)))
                self.roles[number] = replace(self.roles[number], parents=parents)

    def drop_role(self) -> None:
        """A role that goes, and mostly all that names it."""
        if not self.roles:
            return
        gone = Ref("key", self.roles.pop(self.choices.below(len(self.roles))).key)
        if self.choices.chance(3, 4):
            self.users = [replace(e, roles=_without(e.roles, gone)) for e in self.users]
            self.teams = [replace(e, roles=_without(e.roles, gone)) for e in self.teams]
            kept = [None if e.parents is None else tuple(p for p in e.parents if p != gone) for e in self.roles]
            self.roles = [replace(e, parents=parents) for e, parents in zip(self.roles, kept, strict=True)]

    def bring_back(self) -> None:
        gone: list[Role | Team] = [*self.world.roles.values(), *self.world.teams.values()]
        gone = [record for record in gone if record.archived]
        if not gone:
            return
        record = self.choices.pick(gone)
        if isinstance(record, Role) and all(entry.key != record.key for entry in self.roles):
            self.roles.append(self.mirror.role(record))
        if isinstance(record, Team) and all(entry.key != record.key for entry in self.teams):
            self.teams.append(self.mirror.team(record))

    def new_team(self) -> None:
        parent = self.choices.pick((None, Ref("key", self.team_key())))
        roles = tuple(self.assignment() for _ in range(self.choices.below(2)))
        entry = TeamDesired(path=(), key=f"n{next(self.numbers)}", parent=parent, roles=roles)
        self.teams.insert(self.choices.below(len(self.teams) + 1), entry)

    def change_team(self) -> None:
        if not self.teams:
            return
        number, what = self.choices.below(len(self.teams)), self.choices.below(3)
        entry = self.teams[number]
        if what == 0:
            self.teams.pop(number)
        elif what == 1:
            self.teams[number] = replace(entry, parent=self.choices.pick((None, Ref("key", self.team_key()))))
        else:
            self.teams[number] = replace(entry, roles=(*(entry.roles or ()), self.assignment()))

    # ------------------------------------------------------------------ faults

    def name_nothing(self) -> None:
        column = self.choices.pick(("roles", "teams", "access"))
        nothing = Ref("key", "nothing")
        level = LevelDesired(contract=Ref("number", "nothing"), product="tel", level=AccessLevel.USER)
        given = {"roles": AssignmentDesired(role=nothing), "teams": nothing, "access": level}
        self.change_user(**{column: (given[column],)})

    def contradict(self) -> None:
        entries: list[Any] = self.choices.pick((self.users, self.roles, self.teams))
        if entries:
            entry: Entry = self.choices.pick(entries)
            entries.append(replace(entry, display_name="Somebody else"))

    def appoint_owner(self) -> None:
        given = self.level()
        if given is not None:
            self.change_user(access=(replace(given, level=AccessLevel.OWNER),))

    def name_machine(self) -> None:
        self.users.append(UserDesired(path=(), external_id="E-machine", user_name=MACHINE))

    def take_name(self) -> None:
        self.change_user(user_name=self.choices.pick([user.user_name for user in self.world.users.values()]))

    def misspell(self) -> None:
        self.change_user(user_name=self.choices.pick((" ", "a\u200b")))

    def grant_nothing(self) -> None:
        if self.roles:
            number = self.choices.below(len(self.roles))
            node = self.choices.pick(("alfa.nothing", "core.access.core"))
            self.roles[number] = replace(self.roles[number], grants=(GrantDesired(permission=node),))

    def spoil(self) -> None:
        noun, subject = self.choices.pick((("user", "E-u0"), ("role", "r0"), ("user", "E-p0"), ("user", None)))
        entries: list[Any] = self.users if noun == "user" else self.roles
        entries[:] = [e for e in entries if subject not in {getattr(e, "external_id", None), getattr(e, "key", None)}]
        fault = InvalidValue("it cannot be read", path=(f"{noun}s", "99"), expected="an entry")
        self.spoiled.append(Spoiled(noun=noun, subject=subject, faults=(fault,), path=(f"{noun}s", "99")))


def _without(items: tuple[AssignmentDesired, ...] | None, role: Ref) -> tuple[AssignmentDesired, ...] | None:
    return None if items is None else tuple(item for item in items if item.role != role)


WAYS = (
    *(Feeding.drop_user,) * 2, *(Feeding.deactivate,) * 2, Feeding.spell_otherwise, *(Feeding.give_role,) * 4,
    *(Feeding.give_team,) * 2, *(Feeding.give_level,) * 2, *(Feeding.take_item,) * 4, Feeding.blank_column,
    *(Feeding.new_people,) * 3, Feeding.rename, *(Feeding.swap_names,) * 2, *(Feeding.new_role,) * 4,
    *(Feeding.regrant,) * 4, *(Feeding.reparent,) * 2, Feeding.drop_role, *(Feeding.bring_back,) * 2,
    *(Feeding.new_team,) * 2, *(Feeding.change_team,) * 2,
)  # fmt: skip
FAULTS = (
    Feeding.name_nothing, Feeding.contradict, Feeding.appoint_owner, Feeding.name_machine, Feeding.take_name,
    Feeding.misspell, Feeding.grant_nothing, Feeding.spoil,
)  # fmt: skip


def draw_feed(choices: Choices) -> Feed:
    catalog = draw_guarded_catalog(choices)
    world = World.of(Sourcing(choices, catalog).draw())
    now = choices.pick((INSTANTS[0], INSTANTS[0], INSTANTS[1]))
    desired, spoiled = Feeding(choices, catalog, world, now).draw(wild=choices.chance(1, 4))
    awake = [caller for caller in CALLERS if world.users[caller].status is UserStatus.ACTIVE]
    idle = [user.id for user in world.users.values() if user.status is not UserStatus.ACTIVE]
    idle += [record.id for record in (*world.roles.values(), *world.teams.values()) if record.archived]
    held_down = frozenset(one for one in idle if choices.chance(1, 3))
    return Feed(catalog, world, desired, spoiled, choices.pick(awake), now, held_down)


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    """A feed. Half of them out of one number: scattered wider, but unshrinkable."""
    if draw(st.booleans()):
        return draw_feed(Scattered(draw(st.integers(0, 2**32))))
    return draw_feed(Pool(draw(st.binary(min_size=FEED_POOL, max_size=FEED_POOL))))


# ---------------------------------------------------------------------- the same in another order


def shuffle(desired: Desired, seed: int) -> Desired:
    """The same feed with its entries, and the items of their lists, in another order, some of them twice."""
    random = Random(seed)
    lists: dict[str, tuple[Any, ...] | None] = {}
    for noun in ("users", "roles", "teams"):
        entries = getattr(desired, noun)
        if entries is not None:
            mixed = [_shuffle_entry(entry, random) for entry in entries]
            mixed += [_shuffle_entry(entry, random) for entry in entries if random.random() < 0.3]
            random.shuffle(mixed)
            lists[noun] = tuple(replace(entry, path=(noun, str(number))) for number, entry in enumerate(mixed))
    return replace(desired, **lists)


def _shuffle_entry(entry: Entry, random: Random) -> Entry:
    mixed: dict[str, tuple[Any, ...]] = {}
    for name in ("roles", "teams", "access", "grants", "parents"):
        items = getattr(entry, name, None)
        if items:
            listed = [*items, *(item for item in items if random.random() < 0.3)]
            random.shuffle(listed)
            mixed[name] = tuple(listed)
    return replace(entry, **mixed)  # type: ignore[type-var]  # one of the three


# ---------------------------------------------------------------------- worlds compared


def show_world(world: World) -> Counter[object]:
    """Everything in a world in natural names: equal for worlds that differ in the ids of what was made."""
    names: dict[str, str] = {user.id: user.user_name for user in world.users.values()}
    names |= {record.id: record.key for record in (*world.roles.values(), *world.teams.values())}
    found: Counter[object] = Counter()
    for record in (*world.users.values(), *world.roles.values(), *world.teams.values(), *world.contracts.values()):
        found[_show_record(record, names)] += 1
    for rows in world.rows.values():
        for row in rows:
            found[_show_record(row, names)] += 1
    return found


def _show_record(record: Record, names: dict[str, str]) -> tuple[object, ...]:
    shown: list[object] = [type(record).__name__]
    for name in record.__dataclass_fields__:
        value = getattr(record, name)
        if name in {"holder", "user", "role", "team", "parent", "id"}:
            value = names.get(value, value if name != "id" else None) if value is not None else None
        if name == "parents":
            value = frozenset(names[one] for one in value)
        if name not in {"created_at", "revision", "actor", "reason"}:
            shown.append((name, value))
    return tuple(shown)
