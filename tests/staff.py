"""A small world of callers, made of few words, in which examples try and look at things.

`sam` manages: every right of the gateway, `alfa.plain`, `alfa.level` up to modify, everywhere unless a test says
otherwise. `ann` has nothing, `wim` has `alfa.wide` and `alfa.level` up to delete, `olga` owns the account, `oscar` the
contract C-1, `wim` C-2. The role `sams` and the team `crew` are sam's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.authority import Authority
from app.domain.callers import Right
from app.domain.catalog import Polarity
from app.domain.catalog_building import DraftGrant, build_catalog
from app.domain.compiled import compile_catalog
from app.domain.contracts import AccessLevel
from app.domain.errors import DomainError, ErrorCode
from app.domain.guards import Guard, guard_owners, guard_token
from app.domain.holders import (
    Access,
    Assignment,
    Ceiling,
    Contract,
    ContractId,
    Grant,
    HolderId,
    Limit,
    Membership,
    Record,
    Role,
    RoleId,
    RowId,
    Team,
    TeamId,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.values import Level, LevelType, Switch, Value
from app.domain.violations import Judgement
from app.domain.world import Change, World
from tests.drafts import alfa, core, fact, permission, subject, target
from tests.gatekeeping import authority_of, gateway_system
from tests.worlds import NOON, scope_type

ON = Switch(True)
VIEW, MODIFY, DELETE = Level(1), Level(2), Level(3)
TOMORROW, LATER = NOON + timedelta(days=1), NOON + timedelta(days=2)

SAM, ANN, WIM, OLGA, OSCAR, BOT = map(UserId, ("sam", "ann", "wim", "olga", "oscar", "bot"))
SAMS, AGENTS, BOTS = map(RoleId, ("sams", "agents", "bots"))
CREW, DESK = map(TeamId, ("crew", "desk"))
C1, C2 = map(ContractId, ("c1", "c2"))

SIDES = scope_type("base left right", "base<left base<right")
CATALOG = build_catalog(
    [
        core("core", "tel"),
        alfa(
            permission("alfa.plain"),
            permission("alfa.wide"),
            permission("alfa.level", LevelType(("nothing", "view", "modify", "delete"))),
            permission("alfa.giver", implies=(DraftGrant("alfa.implied", None),)),
            permission("alfa.implied"),
            permission("alfa.above", None, subject("alfa.below")),
            permission("alfa.below"),
            permission("alfa.bound", polarity=Polarity.RESTRICTION),
            permission("alfa.mode", polarity=Polarity.SETTING),
            permission("alfa.tone", polarity=Polarity.SETTING),
            permission("alfa.in_mode", None, subject("alfa.mode")),
            permission("alfa.listen", None, target("alfa.tone")),
            permission("alfa.charge", None, fact("credit", 1)),
            permission("alfa.scored", None, fact("score", 1)),
            permission("alfa.sides", SIDES),
        ),
        gateway_system(),
    ],
    digest="by hand",
)
PROGRAM = compile_catalog(CATALOG)


# ---------------------------------------------------------------------- records in few words


def person(user: UserId, **more: object) -> User:
    return User(id=user, user_name=user, display_name=user, **more)  # type: ignore[arg-type]


def role(key: RoleId, *parents: RoleId, archived: bool = False) -> Role:
    return Role(id=key, key=key, display_name=key, parents=parents, archived=archived)


def team(key: TeamId, parent: TeamId | None = None, *, archived: bool = False) -> Team:
    return Team(id=key, key=key, display_name=key, parent=parent, archived=archived)


def row(name: str, contract: ContractId | None = None, **more: object) -> dict[str, object]:
    return {"id": RowId(f"{name} in {contract} {more}"), "contract": contract, "created_at": NOON, **more}


def grant(holder: HolderId, node: str, value: Value = ON, contract: ContractId | None = None, **more: object) -> Grant:
    named = row(f"{node} {value} of {holder}", contract, **more)
    return Grant(holder=holder, node=node, value=value, **named)  # type: ignore[arg-type]


def limit(
    holder: HolderId, node: str, value: Value | None = None, contract: ContractId | None = None, **more: object
) -> Limit:  # fmt: skip
    bottom = CATALOG.require_permission(node).value_type.bottom
    return Limit(holder=holder, node=node, value=value or bottom, **row(f"no {node} of {holder}", contract, **more))  # type: ignore[arg-type]


def assigned(holder: HolderId, what: RoleId, contract: ContractId | None = None, **more: object) -> Assignment:
    return Assignment(holder=holder, role=what, **row(f"{holder} as {what}", contract, **more))  # type: ignore[arg-type]


def member(user: UserId, of: TeamId, contract: ContractId | None = None, **more: object) -> Membership:
    return Membership(user=user, team=of, **row(f"{user} of {of}", contract, **more))  # type: ignore[arg-type]


def level(user: UserId, what: AccessLevel, product: str = "core", contract: ContractId = C1) -> Access:
    return Access(user=user, product=product, level=what, **row(f"{user} {what} in {product}", contract))  # type: ignore[arg-type]


def new(*records: Record) -> tuple[Change, ...]:
    return tuple(Change(None, record) for record in records)


def end(*records: Record) -> tuple[Change, ...]:
    return tuple(Change(record, None) for record in records)


def every_right(holder: HolderId, contract: ContractId | None = None) -> list[Grant]:
    return [grant(holder, right, ON, contract) for right in Right]


def contract(which: ContractId, owner: UserId, **more: object) -> Contract:
    fields: dict[str, object] = {"name": which, "products": frozenset({"core", "tel"}), **more}
    return Contract(id=which, number=which.upper(), owner=owner, **fields)  # type: ignore[arg-type]


def owned(which: ContractId, owner: UserId, **more: object) -> list[Record]:
    """A contract and its owner's levels."""
    made = contract(which, owner, **more)
    return [made, *(level(owner, AccessLevel.OWNER, product, which) for product in sorted(made.products))]


PEOPLE: tuple[Record, ...] = (
    *(person(user) for user in (SAM, ANN, WIM, OSCAR)),
    person(OLGA, is_owner=True),
    person(BOT, kind=UserKind.SERVICE, ceiling=Ceiling(roles=frozenset({BOTS}))),
    *(role(key) for key in (SAMS, AGENTS, BOTS)),
    *(team(key) for key in (CREW, DESK)),
    *owned(C1, OSCAR),
    *owned(C2, WIM),
    assigned(SAM, SAMS),
    member(SAM, CREW),
    grant(WIM, "alfa.wide"),
    grant(WIM, "alfa.level", DELETE),
)
HOLDS = (grant(SAM, "alfa.plain"), grant(SAM, "alfa.level", MODIFY))
MANAGER = (*PEOPLE, *every_right(SAM), *HOLDS)


@dataclass(frozen=True)
class Trial:
    """A world in which somebody tries something."""

    records: tuple[Record, ...]
    caller: UserId = SAM
    now: datetime = NOON

    @property
    def world(self) -> World:
        # Later records stand in for earlier ones of the same id.
        return World.of({record.id: record for record in self.records}.values())

    def judgement(self, changes: Iterable[Change]) -> Judgement:
        return Judgement(PROGRAM, self.world, changes)

    def authority(self, judgement: Judgement | None = None) -> Authority:
        judged = judgement or self.judgement(())
        return authority_of(judged, self.caller, self.now)

    def errors(self, *changes: Change, paths: dict[str, tuple[str, ...]] | None = None) -> list[DomainError]:
        judgement = self.judgement(changes)
        return Guard(judgement, self.authority(judgement), paths or {}).errors()

    def codes(self, *changes: Change) -> set[ErrorCode]:
        return {error.code for error in self.errors(*changes)}

    def token(self, user: UserId) -> list[ErrorCode]:
        judgement = self.judgement(())
        return [error.code for error in guard_token(judgement, self.authority(judgement), user)]

    def owner_codes(self, *changes: Change) -> list[ErrorCode]:
        world = self.world
        owners = sum(user.is_owner and user.status is UserStatus.ACTIVE for user in world.users.values())
        return [error.code for error in guard_owners(world, world.changed(changes), changes, active_owners=owners)]


def trial(*more: Record, caller: UserId = SAM, now: datetime = NOON) -> Trial:
    """`sam` manages, and these are there too."""
    return Trial((*MANAGER, *more), caller, now)
