"""Case files: a world, questions about it, changes of it, and what must come of them. See `tests/cases/README.md`.

This module knows the shape of a case file and reads it. What is asked and done is put to the engine, the services and
HTTP by `tests/doors`, in the words of `tests/casewords.py`, from `tests/test_cases.py`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.catalogs.catalog_files import BUILT_IN, build_from_documents, load_catalog
from app.catalogs.documents import Document, DocumentFault, read_document
from app.catalogs.world_files import WorldReading, read_world
from app.domain.catalog import Catalog
from app.domain.compiled import Program, compile_catalog
from app.domain.holders import Record
from app.domain.ids import PREFIX_OF, make_id
from app.domain.rights import State
from app.services.systems import find_catalog_files
from app.settings import find_seeds

CASES = Path(__file__).parent / "cases"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)  # the moment of every case that names no other
CALLER = "caller"  # the account owner who asks and writes in a world that has none of its own


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as `Z`")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]
RawValue = str | int | dict[str, Any] | None  # text as it prints, an amount, or the contract's `RightValueInput`


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# ---------------------------------------------------------------------- what is asked


class Ask(_Part):
    """May this user do this?"""

    user: str
    node: str
    at_least: RawValue = None
    contract: str | None = None
    target: str | None = None
    target_subscriber: str | None = None
    facts: dict[str, str] = {}
    at: Moment | None = None


class AskExpect(_Part):
    """What the answer must be. Left out: the lists that go with an answer are empty, the rest is not looked at.

    `missing`, `value`, `paths`, `would_allow`, `would_deny` and `step` are looked at only where they are given.
    """

    state: State
    value: str | None = None
    step: int | None = None  # the step of SEMANTICS section 5 that decided; of what nothing grants: 2
    missing: list[str] | None = None
    missing_facts: list[str] = []
    obligations: list[str] = []
    errors: list["Refusal"] = []
    paths: list[str] | None = None
    would_allow: list[list[str]] | None = None
    would_deny: list[list[str]] | None = None
    complete: bool = True


def _read_state(given: object) -> object:
    return {"state": given} if isinstance(given, str) else given


AnswerExpect = Annotated[AskExpect, BeforeValidator(_read_state)]


# ---------------------------------------------------------------------- what is done


class _Window(_Part):
    contract: str | None = None
    from_: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None


class Right(_Window):
    """A permission with a value: `node`, `node = value`, or a mapping."""

    right: str
    value: RawValue = None


def _read_right(given: object) -> object:
    if not isinstance(given, str):
        return given
    right, equals, value = given.partition("=")
    return {"right": right.strip(), "value": value.strip() if equals else None}


class Ended(_Part):
    """Rows to end: those of a permission, one by its words (`row`), or one by an id as a client sends it."""

    right: str | None = None
    contract: str | None = None
    source: str | None = None
    row: str | None = None
    id: str | None = None


def _read_ended(given: object) -> object:
    return {"right": given} if isinstance(given, str) else given


class AssignedRole(_Window):
    """A role of somebody, by its key."""

    role: str


def _read_role(given: object) -> object:
    return {"role": given} if isinstance(given, str) else given


Rights = list[Annotated[Right, BeforeValidator(_read_right)]]
EndedRights = list[Annotated[Ended, BeforeValidator(_read_ended)]]
AssignedRoles = list[Annotated[AssignedRole, BeforeValidator(_read_role)]]
OnMissing = Literal["REJECT", "INCLUDE"]
OnDependents = Literal["REJECT", "CASCADE", "SUSPEND"]


class HolderName(_Part):
    """`amy`, `role agent` or `team north`."""

    noun: Literal["user", "role", "team"]
    name: str


def _read_holder(given: object) -> object:
    if not isinstance(given, str):
        return given
    noun, _, name = given.rpartition(" ")
    return {"noun": noun or "user", "name": name}


Holder = Annotated[HolderName, BeforeValidator(_read_holder)]


class Grant(_Part):
    """`grantPermissions`."""

    to: Holder
    rights: Rights
    on_missing: OnMissing = "REJECT"


class Revoke(_Part):
    """`revokePermissions`."""

    from_: Holder = Field(alias="from")
    rights: EndedRights
    on_dependents: OnDependents = "REJECT"


class Limit(_Part):
    """`limitPermissions`."""

    on_: Holder = Field(alias="on")
    rights: Rights
    on_dependents: OnDependents = "REJECT"


class Lift(_Part):
    """`liftLimits`."""

    from_: Holder = Field(alias="from")
    rights: EndedRights


class Assign(_Part):
    """`assignRoles`."""

    to: Holder
    roles: AssignedRoles


class Unassign(_Part):
    """`unassignRoles`."""

    from_: Holder = Field(alias="from")
    roles: AssignedRoles
    on_dependents: OnDependents = "REJECT"


class AddMembers(_Window):
    """`addTeamMembers`."""

    team: str
    users: list[str]
    supervisor: bool = False


class RemoveMembers(_Window):
    """`removeTeamMembers`."""

    team: str
    users: list[str]
    supervisor: bool = False
    on_dependents: OnDependents = "REJECT"


class CreateRole(_Part):
    """`createRole`."""

    key: str
    parents: list[str] = []
    rights: Rights = []
    on_missing: OnMissing = "REJECT"


class UpdateRole(_Part):
    """`updateRole`; what is left out is unchanged."""

    role: str
    label: str | None = None
    description: str | None = None
    parents: list[str] | None = None
    archived: bool | None = None
    on_dependents: OnDependents = "REJECT"


class CloneRole(_Part):
    """`cloneRole`."""

    role: str
    key: str


class ArchiveRole(_Part):
    """`archiveRole`."""

    role: str
    on_dependents: OnDependents = "REJECT"


class CreateTeam(_Part):
    """`createTeam`."""

    key: str
    kind: Literal["TEAM", "GROUP", "QUEUE"] = "TEAM"
    parent: str | None = None


class UpdateTeam(_Part):
    """`updateTeam`; what is left out is unchanged, a parent of null takes the team out of it."""

    team: str
    label: str | None = None
    parent: str | None = None
    on_dependents: OnDependents = "REJECT"


class ArchiveTeam(_Part):
    """`archiveTeam`."""

    team: str
    on_dependents: OnDependents = "REJECT"


class CreateUser(_Part):
    """`createUser`."""

    user_name: str
    label: str | None = None
    email: str | None = None
    external_id: str | None = None


class UpdateUser(_Part):
    """`updateUser`; what is left out is unchanged, null clears."""

    user: str
    user_name: str | None = None
    label: str | None = None
    email: str | None = None
    external_id: str | None = None


class SetStatus(_Part):
    """`setUserStatus`."""

    user: str
    status: Literal["ACTIVE", "SUSPENDED", "ARCHIVED"]


class SetOwner(_Part):
    """`setAccountOwner`."""

    user: str
    owner: bool


class Register(_Part):
    """`registerContract`."""

    number: str
    name: str = "A contract"
    owner: str
    products: list[str] = []


class UpdateContract(_Part):
    """`updateContract`; what is left out is unchanged."""

    contract: str
    name: str | None = None
    status: Literal["ACTIVE", "SUSPENDED", "ENDED"] | None = None
    products: list[str] | None = None
    on_dependents: OnDependents = "REJECT"


AnyLevel = Literal["WITHOUT_ACCESS", "USER", "ADMINISTRATOR", "OWNER"]


class LevelOf(_Part):
    """The level of one person in one product; null takes the person out of it."""

    user: str
    product: str
    level: AnyLevel | None


class SetLevels(_Part):
    """`setAccessLevels`."""

    contract: str
    levels: list[LevelOf]


class Transfer(_Part):
    """`transferContract`."""

    contract: str
    to: str


class Link(_Part):
    """`linkSubscriber`."""

    contract: str
    user: str
    subscriber: str | None = None


class SetFacts(_Part):
    """`setFacts`."""

    contract: str | None = None
    user: str | None = None
    facts: dict[str, str] | list[tuple[str, str]]


Deed = (
    Grant | Revoke | Limit | Lift | Assign | Unassign | AddMembers | RemoveMembers | CreateRole | UpdateRole
    | CloneRole | ArchiveRole | CreateTeam | UpdateTeam | ArchiveTeam | CreateUser | UpdateUser | SetStatus | SetOwner
    | Register | UpdateContract | SetLevels | Transfer | Link | SetFacts
)  # fmt: skip


class Do(_Part):
    """One change: exactly one of these, by the name of its class in lower case."""

    grant: Grant | None = None
    revoke: Revoke | None = None
    limit: Limit | None = None
    lift: Lift | None = None
    assign: Assign | None = None
    unassign: Unassign | None = None
    add_members: AddMembers | None = None
    remove_members: RemoveMembers | None = None
    create_role: CreateRole | None = None
    update_role: UpdateRole | None = None
    clone_role: CloneRole | None = None
    archive_role: ArchiveRole | None = None
    create_team: CreateTeam | None = None
    update_team: UpdateTeam | None = None
    archive_team: ArchiveTeam | None = None
    create_user: CreateUser | None = None
    update_user: UpdateUser | None = None
    set_status: SetStatus | None = None
    set_owner: SetOwner | None = None
    register_: Register | None = Field(default=None, alias="register")
    update_contract: UpdateContract | None = None
    set_levels: SetLevels | None = None
    transfer: Transfer | None = None
    link: Link | None = None
    set_facts: SetFacts | None = None
    reason: str | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(list(self._deeds())) != 1:
            raise ValueError("one thing at a time is done")
        return self

    def _deeds(self) -> Iterator[Deed]:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Deed):
                yield value

    @property
    def deed(self) -> Deed:
        return next(self._deeds())


class Refusal(_Part):
    """A refusal or a warning; what is left out is not looked at. `message` is a part of the message."""

    code: str
    path: str | None = None
    message: str | None = None
    holder: str | None = None
    permission: str | None = None
    affected: int | None = None
    missing: list[str] | None = None
    fixes: list[list[str]] | None = None
    dependents: list[str] | None = None
    expected: str | None = None


class DoExpect(_Part):
    """What must come of a change: refusals, or exactly these changes, and exactly these warnings, in any order.

    Neither errors nor changes: nothing was to do. A refused or dry change, and one with nothing to do, leaves
    everything as it was; any other is one revision more.
    """

    errors: list[Refusal] = []
    codes: dict[str, int] | None = None  # in place of `errors`, where they are many: how many of each code
    changes: list[str] = []
    count: int | None = None  # in place of `changes`, where they are many alike
    warnings: list[Refusal] = []


class Then(_Part):
    """A question about the world after a change."""

    ask: Ask
    expect: AnswerExpect


# ---------------------------------------------------------------------- cases


class CaseData(_Part):
    """One case: a question and its answer, or a change and what comes of it."""

    name: str
    why: str
    at: Moment = NOW
    engine: bool = True  # false: it names what is not there, and the engine by itself looks no names up
    ask: Ask | None = None
    given: list[Do] = []  # changes that come before the one in question, each of which must succeed
    do: Do | None = None
    expect: Any
    then: list[Then] = []

    @model_validator(mode="after")
    def _asks_or_does(self) -> Self:
        if (self.ask is None) == (self.do is None):
            raise ValueError("a case asks or does")
        return self

    @property
    def answer(self) -> AskExpect:
        return AskExpect.model_validate(_read_state(self.expect))

    @property
    def outcome(self) -> DoExpect:
        return DoExpect.model_validate(self.expect)


class CaseFileData(_Part):
    """A case file. `catalog`: systems of its own, in the form of a catalog file each; left out: those of the seeds.

    `world`: in the form of a world file, or `demo` for the one that the demo shows.
    """

    proves: str
    catalog: list[dict[str, Any]] | None = None
    world: dict[str, Any] | Literal["demo"]
    asks: str | None = None  # who asks, where that is to be nobody who may do everything
    cases: list[CaseData]


@dataclass(frozen=True)
class CaseFile:
    """A case file with the document that its world stands in, so that a fault of that can be placed."""

    name: str
    document: Document
    data: CaseFileData

    @property
    def world(self) -> dict[str, Any]:
        """The world, with somebody in it who may ask and write anything."""
        world: dict[str, Any] = self.document.data["world"]
        users = world.get("users", {})
        if any(user.get("owner") == True and user.get("status", "ACTIVE") == "ACTIVE" for user in users.values()):  # noqa: E712  # whatever a file holds
            return world
        return world | {"users": users | {CALLER: {"owner": True}}}

    @property
    def caller(self) -> str:
        """Who asks and writes: an account owner, unless the file names somebody."""
        if self.data.asks is not None:
            return self.data.asks
        users: Mapping[str, Any] = self.world["users"]
        return next(n for n, user in users.items() if user.get("owner") and user.get("status", "ACTIVE") == "ACTIVE")

    def program(self) -> Program:
        """The compiled catalog that the cases are about."""
        return seeded_program() if self.data.catalog is None else _own_program(self.name)

    def records(self) -> list[Record]:
        """The records of the world, their ids the same in every run."""
        reading = WorldReading(self.program().catalog, given_id, NOW, actor="the case")
        return read_world(self.document, self.world, reading, place=("world",))


@dataclass(frozen=True)
class Case:
    """One case of a file."""

    file: CaseFile
    data: CaseData

    @property
    def id(self) -> str:
        return f"{self.file.name}:{self.data.name}"


def given_id(kind: type, name: str) -> str:
    """The id of the record of a kind with a name: always the same, and a real one."""
    noise = hashlib.sha256(f"{kind.__name__}:{name}".encode()).digest()
    return make_id(PREFIX_OF[kind], NOW, noise)


@cache
def seeded_program() -> Program:
    """The catalogs that come with the program, compiled once for a process."""
    return compile_catalog(load_catalog([BUILT_IN, *find_catalog_files(find_seeds())]))


@cache
def _own_program(name: str) -> Program:
    systems = read_case_file(name).data.catalog or []
    return compile_catalog(own_catalog(name, systems))


def own_catalog(name: str, systems: list[dict[str, Any]]) -> Catalog:
    """The catalog that a case file brings along, beside the built-in one."""
    brought = [Document(f"{name}: catalog", system, {}) for system in systems]
    return build_from_documents([read_document(BUILT_IN), *brought])


@cache
def read_case_file(name: str) -> CaseFile:
    """A case file by its name. Raises `DocumentFault` with the place of the first fault."""
    document = read_document(CASES / f"{name}.yaml")
    try:
        data = CaseFileData.model_validate(document.data)
        for case in data.cases:
            _ = case.answer if case.ask else case.outcome
    except ValidationError as error:
        fault = error.errors()[0]
        where = document.where(tuple(part for part in fault["loc"] if isinstance(part, int | str)))
        place = ".".join(str(part) for part in fault["loc"])
        raise DocumentFault(f"{where}: {place}: {fault['msg']}") from None
    names = [case.name for case in data.cases]
    for again in {name for name in names if names.count(name) > 1}:
        raise DocumentFault(f"{document.name}: the case `{again}` stands twice")
    return CaseFile(name, read_demo() if data.world == "demo" else document, data)


@cache
def read_demo() -> Document:
    """The document of the demo world."""
    return read_document(find_seeds() / "demo.yaml")


def list_cases() -> list[Case]:
    """Every case of every file, in the order of their names."""
    names = sorted(path.stem for path in CASES.glob("*.yaml"))
    return [Case(file, data) for file in map(read_case_file, names) for data in file.data.cases]
