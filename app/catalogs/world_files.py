"""World files: people, roles, teams and contracts by their names, for the demo and for the cases of the tests.

    users:
      amy:
        teams: [north, {team: inbound, supervisor: true}]
        roles: [agent, {role: closer, contract: C-1, until: 2026-07-01T00:00:00Z}]
        grants: [web2contact.user_management.record_users_calls, {right: ringover.calls.channels, value: 2}]
        access: {C-1: {core: USER}}

A right may leave out its value where it is a switch; `right = value` says both in one text.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.catalogs.documents import Document, DocumentFault
from app.domain.catalog import Catalog
from app.domain.contracts import AccessLevel
from app.domain.errors import DomainError, InvalidValue
from app.domain.holders import (
    MANUAL,
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
    TeamKind,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.values import Switch, SwitchType, Value


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as `Z`")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _RowPart(_Part):
    contract: str | None = None
    from_: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None
    source: str = MANUAL
    reason: str | None = None


class RightPart(_RowPart):
    """A grant or a limit."""

    right: str
    value: str | int | None = None


class RolePart(_RowPart):
    """A role of somebody."""

    role: str


class TeamPart(_RowPart):
    """A team of somebody."""

    team: str
    supervisor: bool = False


class _Holder(_Part):
    label: str | None = None
    source: str = MANUAL
    grants: list[str | RightPart] = []
    limits: list[str | RightPart] = []


Levels = dict[str, dict[str, Literal["WITHOUT_ACCESS", "USER", "ADMINISTRATOR", "OWNER"]]]  # by contract, by product


class CeilingPart(_Part):
    """The most that a service account can ever give."""

    roles: list[str] = []
    levels: Levels = {}


class UserFile(_Holder):
    """A person or a service account, under the user name."""

    email: str | None = None
    external_id: str | None = None
    kind: Literal["PERSON", "SERVICE"] = "PERSON"
    status: Literal["ACTIVE", "SUSPENDED", "ARCHIVED"] = "ACTIVE"
    owner: bool = False
    roles: list[str | RolePart] = []
    teams: list[str | TeamPart] = []
    access: Levels = {}
    ceiling: CeilingPart | None = None
    subscribers: dict[str, str] = {}
    facts: dict[str, str] = {}


class RoleFile(_Holder):
    """A role, under its key; `template` takes over the grants of a template of the catalogs."""

    description: str | None = None
    parents: list[str] = []
    template: str | None = None
    archived: bool = False


class TeamFile(_Holder):
    """A team, under its key."""

    kind: Literal["TEAM", "GROUP", "QUEUE"] = "TEAM"
    parent: str | None = None
    roles: list[str | RolePart] = []
    archived: bool = False


class ContractFile(_Part):
    """A contract, under its number."""

    name: str | None = None
    owner: str
    status: Literal["ACTIVE", "SUSPENDED", "ENDED"] = "ACTIVE"
    products: list[str] = []
    facts: dict[str, str] = {}


class WorldFile(_Part):
    """A whole world."""

    users: dict[str, UserFile] = {}
    roles: dict[str, RoleFile] = {}
    teams: dict[str, TeamFile] = {}
    contracts: dict[str, ContractFile] = {}


@dataclass(frozen=True)
class WorldReading:
    """What makes records of a world file: the catalog, the ids by kind and name, and the time of their making."""

    catalog: Catalog
    make_id: Callable[[type, str], str]
    at: datetime
    actor: str = ""


def read_world(
    document: Document, data: Any, reading: WorldReading, *, place: tuple[str | int, ...] = ()
) -> list[Record]:
    """The records of a world file, entities first. Raises `DocumentFault` with the first fault and its place."""
    try:
        world = WorldFile.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = document.where((*place, *(part for part in fault["loc"] if isinstance(part, int | str))))
        names = ".".join(str(part) for part in fault["loc"])
        raise DocumentFault(f"{where}: {names}: {fault['msg'].lower()}") from None
    try:
        return list(_Records(world, reading))
    except DomainError as error:
        expected = f"; expected {error.expected}" if isinstance(error, InvalidValue) else ""
        raise DocumentFault(f"{document.where(place)}: {error}{expected}") from None
    except KeyError as error:
        raise DocumentFault(f"{document.where(place)}: there is no {error}") from None


class _Records:
    """Iterates over the records of a world."""

    def __init__(self, world: WorldFile, reading: WorldReading) -> None:
        self.world = world
        self.reading = reading
        self.rows = 0

    def __iter__(self) -> Iterator[Record]:
        world = self.world
        for name, user in world.users.items():
            yield User(
                id=self.user(name), user_name=name, display_name=user.label or name, email=user.email,
                external_id=user.external_id, kind=UserKind(user.kind), status=UserStatus(user.status),
                is_owner=user.owner, source=user.source,
                ceiling=None if user.ceiling is None else self._ceiling(user.ceiling),
            )  # fmt: skip
        for key, role in world.roles.items():
            yield Role(
                id=self.role(key), key=key, display_name=role.label or key, description=role.description,
                parents=tuple(self.role(parent) for parent in role.parents), archived=role.archived, source=role.source,
            )  # fmt: skip
        for key, team in world.teams.items():
            yield Team(
                id=self.team(key), key=key, display_name=team.label or key, kind=TeamKind(team.kind),
                parent=None if team.parent is None else self.team(team.parent), archived=team.archived,
                source=team.source,
            )  # fmt: skip
        for number, contract in world.contracts.items():
            yield Contract(
                id=self.contract(number), number=number, name=contract.name or number, owner=self.user(contract.owner),
                status=ContractStatus(contract.status), products=frozenset(contract.products),
            )  # fmt: skip
        yield from self._rows()

    def _ceiling(self, part: CeilingPart) -> Ceiling:
        levels = frozenset(
            (self.contract(number), product, AccessLevel(level))
            for number, of_product in part.levels.items()
            for product, level in of_product.items()
        )
        return Ceiling(frozenset(self.role(role) for role in part.roles), levels)

    def _rows(self) -> Iterator[Record]:
        for name, user in self.world.users.items():
            yield from self._user_rows(self.user(name), user)
        for key, role in self.world.roles.items():
            yield from self._rights(self.role(key), role)
            if role.template is not None:
                for grant in self.reading.catalog.templates[role.template].grants:
                    part = RightPart(right=grant.node)
                    yield Grant(**self._row(Grant, part), holder=self.role(key), node=grant.node, value=grant.value)
        for key, team in self.world.teams.items():
            yield from self._rights(self.team(key), team)
            yield from self._assignments(self.team(key), team.roles)
        for number, contract in self.world.contracts.items():
            for fact, text in contract.facts.items():
                yield StoredFact(**self._row(StoredFact, _RowPart(contract=number)), name=fact, text=text)

    def _user_rows(self, user: UserId, file: UserFile) -> Iterator[Record]:
        yield from self._rights(user, file)
        yield from self._assignments(user, file.roles)
        for team in file.teams:
            part = TeamPart(team=team) if isinstance(team, str) else team
            yield Membership(
                **self._row(Membership, part), user=user, team=self.team(part.team), supervisor=part.supervisor
            )
        for contract, levels in file.access.items():
            for product, level in levels.items():
                part_of = _RowPart(contract=contract)
                yield Access(**self._row(Access, part_of), user=user, product=product, level=AccessLevel(level))
        for contract, subscriber in file.subscribers.items():
            part_of = _RowPart(contract=contract)
            yield SubscriberLink(**self._row(SubscriberLink, part_of), user=user, subscriber=subscriber)
        for fact, text in file.facts.items():
            yield StoredFact(**self._row(StoredFact, _RowPart()), user=user, name=fact, text=text)

    def _rights(self, holder: HolderId, file: _Holder) -> Iterator[Grant | Limit]:
        for grant in file.grants:
            part = _right(grant)
            yield Grant(**self._row(Grant, part), holder=holder, node=part.right, value=self._value(part))
        for limit in file.limits:
            part = _right(limit)
            yield Limit(**self._row(Limit, part), holder=holder, node=part.right, value=self._value(part))

    def _assignments(self, holder: HolderId, roles: list[str | RolePart]) -> Iterator[Assignment]:
        for role in roles:
            part = RolePart(role=role) if isinstance(role, str) else role
            yield Assignment(**self._row(Assignment, part), holder=holder, role=self.role(part.role))

    def _value(self, part: RightPart) -> Value:
        value_type = self.reading.catalog.require_permission(part.right).value_type
        if part.value is None and isinstance(value_type, SwitchType):
            return Switch(True)
        return value_type.parse(str(part.value))

    def _row(self, kind: type, part: _RowPart) -> dict[str, Any]:
        self.rows += 1
        return {
            "id": RowId(self.reading.make_id(kind, str(self.rows))),
            "contract": None if part.contract is None else self.contract(part.contract),
            "valid_from": part.from_,
            "valid_until": part.until,
            "source": part.source,
            "reason": part.reason,
            "actor": self.reading.actor,
            "created_at": self.reading.at,
        }

    def user(self, name: str) -> UserId:
        return UserId(self._named(User, name, self.world.users))

    def role(self, key: str) -> RoleId:
        return RoleId(self._named(Role, key, self.world.roles))

    def team(self, key: str) -> TeamId:
        return TeamId(self._named(Team, key, self.world.teams))

    def contract(self, number: str) -> ContractId:
        return ContractId(self._named(Contract, number, self.world.contracts))

    def _named(self, kind: type, name: str, known: Mapping[str, object]) -> str:
        if name not in known:
            raise KeyError(name)
        return self.reading.make_id(kind, name)


def _right(part: str | RightPart) -> RightPart:
    if isinstance(part, RightPart):
        return part
    right, equals, value = part.partition("=")
    return RightPart(right=right.strip(), value=value.strip() if equals else None)
