"""A gateway over a database file of its own, and short ways to fill it, to ask it and to watch it.

Everything goes through HTTP unless a function says otherwise. The catalog is the small one of `tests/seeds`: what is
counted here does not move when a manual is edited.
"""

import asyncio
import inspect
import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from graphql import GraphQLNonNull, get_named_type
from graphql.type import is_composite_type
from sqlalchemy import Engine, event
from starlette.types import ASGIApp, Receive, Scope, Send

from app.db.schema import migrate
from app.db.unit_of_work import Database
from app.domain.audit import AuditEntry, describe_change, name_subjects
from app.domain.compiled import Program
from app.domain.holders import Grant, Record
from app.domain.world import Change
from app.graphql.execution import Executor
from app.main import create_app
from app.services.callers import create_first_owner, issue_token
from app.services.context import Services
from app.services.systems import adopt_catalog, find_catalog_files
from app.settings import Limits, Settings
from app.web.door import Gateway as Application
from tests.postgres.stores import Store

SEEDS = Path(__file__).parent / "seeds"
START = datetime(2026, 6, 1, 9, tzinfo=UTC)  # when the clock of every test stands at first
FIRST_REVISION = 3  # the template's: the catalog, its owner `olga`, her token
CURSOR_KEY = bytes(range(32))
DEFAULTS = Settings(limits=Limits(max_wait_s=30.0))  # a machine that is full of tests is no server
INDEXED = os.environ.get("TEST_INDEX") == "on"  # whether every gateway under test answers from an index where it can
CONTRACT_PRODUCTS = ("core", "pbx", "chatbots")

_is_catching_up: ContextVar[bool] = ContextVar("is_catching_up", default=False)  # statements of it are not counted

Answer = dict[str, Any]
Place = Path | Store  # where a database is: a file of SQLite, or a database of a server


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


def pass_time(seconds: float) -> None:
    """Whatever waits for a moment on the loop that runs waits so much less; other clocks stay as they are."""
    loop = asyncio.get_running_loop()
    time = loop.time
    loop.time = lambda: time() + seconds  # type: ignore[method-assign]


# ---------------------------------------------------------------------- databases


@dataclass(frozen=True)
class Template:
    """A migrated database with the catalog and one account owner, to be copied for each test."""

    path: Place
    program: Program
    owner: str  # the id of `olga`
    token: str  # the secret of her token
    ids: Mapping[str, str] = field(default_factory=dict)  # of what else is in it, by natural key


def address_of(place: Place) -> str:
    """The address of a database."""
    return place.address if isinstance(place, Store) else f"sqlite+aiosqlite:///{place}"


def make_template(folder: Path) -> Template:
    """Makes the template; once for each process."""
    return asyncio.run(fill_empty(folder / "template.db"))


async def fill_empty(path: Place) -> Template:
    """Makes a template of an empty database."""
    database = Database(address_of(path))
    await migrate(database)
    clock = Clock()
    ids = Services(database, None, cursor_key=CURSOR_KEY, clock=clock)  # type: ignore[arg-type]  # for its ids alone
    program = await adopt_catalog(database, find_catalog_files(SEEDS), at=clock(), new_id=ids.new_id)
    services = Services(database, program, cursor_key=CURSOR_KEY, clock=clock)
    _, secret = await create_first_owner(services, "olga", label="first owner")
    async with services.reading() as reading:
        owner = (await reading.unit.users.find_by("user_name", ["olga"]))[0].id
    await services.close()
    return Template(path, program, owner, secret)


def fill_template(template: Template, path: Path, fill: Callable[["Gateway"], Awaitable[object]]) -> Template:
    """A further template: a copy at `path`, filled through its API."""
    further = replace(template, path=_copy_for_good(template, path))

    async def do() -> Mapping[str, str]:
        services = open_copy(further, further.path, Clock())
        async with _open_over(services, further, further.path, Clock()) as gateway:
            await fill(gateway)
            return gateway.ids

    further = replace(further, ids=asyncio.run(do()))
    if isinstance(further.path, Store):
        further.path.save()
    return further


def _copy_for_good(template: Template, path: Path) -> Place:
    """A copy of a template that is there beside it."""
    if isinstance(template.path, Store):
        copy_template(template, path)
        return replace(template.path, name=f"{template.path.name}_{path.parent.name}").create(template.path.name)
    return Path(shutil.copyfile(template.path, path))


def copy_template(template: Template, path: Path) -> Place:
    """A copy of a template at a path. PostgreSQL has one, which is made anew: the one of before is no more."""
    if isinstance(template.path, Store):
        template.path.restore()
        return template.path
    return Path(shutil.copyfile(template.path, path))


def copy_services(template: Template, path: Path, clock: Callable[[], datetime]) -> Services:
    """Services over a copy of a template."""
    return open_copy(template, copy_template(template, path), clock)


def open_copy(template: Template, path: Place, clock: Callable[[], datetime]) -> Services:
    """Services over a copy that is there already, maybe beside others."""
    database = Database(address_of(path))
    share_compiled_statements(database)
    return Services(database, template.program, cursor_key=CURSOR_KEY, clock=clock)


_ENGINES: dict[str, Engine] = {}  # the first of the process that was connected, for each kind of database


def share_compiled_statements(database: Database) -> None:
    """Statements that were compiled for one database serve the next: a third of the time of most tests.

    What has been compiled is kept by dialect, so that is shared as well; both are the same for every SQLite file, and
    for every database of a server.
    """
    engine = database.engine.sync_engine
    first = _ENGINES.get(engine.dialect.name)
    if first is None or not hasattr(first.dialect, "default_isolation_level"):  # it has not connected yet
        _ENGINES[engine.dialect.name] = engine
        return
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache


@contextmanager
def count_statements(services: Services) -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile; what begins a transaction is left out."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN") and not _is_catching_up.get():
            statements.append(statement)

    engine = services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def read_database(path: Place) -> str:
    """Everything in a database, as text: what it is made of, then a line a row."""
    if isinstance(path, Store):
        return path.dump()
    with closing(sqlite3.connect(path)) as connection:
        parts = connection.execute("SELECT name, type, sql FROM sqlite_master ORDER BY type, name").fetchall()
        lines = [repr(part) for part in parts]
        for name in (name for name, kind, _ in parts if kind == "table"):
            lines += [f'INSERT INTO "{name}" {row}' for row in connection.execute(f'SELECT * FROM "{name}"')]
    return "\n".join(lines)


def _read_what_counts(path: Place) -> str:
    """Everything in a database but the security log, which notes the refused."""
    lines = read_database(path).splitlines()
    return "\n".join(line for line in lines if not line.startswith('INSERT INTO "security_events"'))


def select(path: Place, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows of a statement, by a connection of its own."""
    if isinstance(path, Store):
        return path.select(statement, *parameters)
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()


# ---------------------------------------------------------------------- documents

ERROR = """
  __typename code message path
  ... on InvalidValue { expected }
  ... on PrerequisiteNotMet {
    holder { id } affectedCount permission { key } missing { text }
    fixes { grants { holder { id } permission { key } value { text } contract { number } } removals { id } other }
  }
  ... on DependentsExist { holder { id } affectedCount permission { key } dependents { key } }
"""
PAYLOAD = f"""
  changes {{
    action row before after detail
    holder {{ id }} permission {{ key }} role {{ key }} team {{ key }} contract {{ number }}
  }}
  revision
  errors {{ {ERROR} }}
  warnings {{ {ERROR} }}
"""


@cache
def executor() -> Executor:
    """One schema, and the documents it has seen, for all tests of a process."""
    return Executor()


@cache
def _signature(field_name: str) -> tuple[str, str | None]:
    """The input type of a mutation, and the field of its payload that holds what it is about."""
    mutation = executor().schema.mutation_type
    assert mutation is not None
    found = mutation.fields[field_name]
    (argument,) = found.args.values()
    payload = get_named_type(found.type)
    common = {"changes", "revision", "errors", "warnings"}
    about = [n for n, f in payload.fields.items() if n not in common and is_composite_type(get_named_type(f.type))]
    assert isinstance(argument.type, GraphQLNonNull)
    return get_named_type(argument.type).name, next(iter(about), None)


def each_of(names: str | Sequence[str], cases: Iterable[Any]) -> Callable[[Any], Any]:
    """Like `pytest.mark.parametrize`, but all cases share one gateway, and every one that fails is told.

    For cases that change nothing: what is asked, what is refused. A gateway each would take most of their time.
    """
    listed = list(cases)

    def decorate(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def run(**fixtures: Any) -> None:
            failures = []
            for case in listed:
                values = {names: case} if isinstance(names, str) else dict(zip(names, case, strict=True))
                try:
                    await test(**fixtures, **values)
                except AssertionError as error:
                    failures.append(f"{case!r}:\n{error}")
            assert not failures, "\n\n".join([f"{len(failures)} of {len(listed)} cases", *failures])

        signature = inspect.signature(test)
        given = {names} if isinstance(names, str) else set(names)
        rest = [parameter for name, parameter in signature.parameters.items() if name not in given]
        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        run.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return run

    return decorate


def holder(**name: str) -> Answer:
    """A holder reference: `holder(user="ana")`, `holder(role="agents")`, `holder(team="support")`."""
    ((noun, key),) = name.items()
    return {noun: {"userName" if noun == "user" else "key": key}}


def grant_input(grant: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A grant input; a key alone grants a switch."""
    return {"permission": grant} if isinstance(grant, str) else grant


def without_cost(answer: Answer) -> Answer:
    """An answer but for what it says of its cost, which is another from time to time."""
    answer.get("extensions", {}).pop("cost", None)
    return answer


_ID = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}|pgt_[0-9A-Za-z]{8}")  # ids, and how secrets begin


def blur_ids(answer: Any) -> Any:
    """An answer with each id replaced by the place of its first appearance: equal for equal answers."""
    seen: dict[str, str] = {}

    def blur(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: blur(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [blur(inner) for inner in value]
        if isinstance(value, str):
            return _ID.sub(lambda match: seen.setdefault(match[0], f"id {len(seen)}"), value)
        return value

    return blur(answer)


def _to_compare(payload: Answer) -> Any:
    """A payload without its revision, ids blurred in an order that what it is about does not disturb."""
    return blur_ids({"changes": payload["changes"], **{k: v for k, v in payload.items() if k != "revision"}})


# ---------------------------------------------------------------------- the gateway


@dataclass
class Gateway:
    """The real application over a database of its own; calls are made as the account owner unless told otherwise."""

    services: Services
    client: httpx.AsyncClient
    path: Place
    clock: Clock
    owner: str
    token: str
    ids: dict[str, Any] = field(default_factory=dict)  # of what the factories below made, by its natural key
    answered_from: int = 0  # the revision of the last answer

    # ------------------------------------------------------------------ asking

    async def post(self, body: Any, *, token: str | None = None, **headers: str) -> httpx.Response:
        """One POST of a JSON body; `accept` and other headers may be given, with `_` for `-`."""
        sent = {"authorization": f"Bearer {token or self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/graphql", json=body, headers=sent)

    async def ask(
        self, document: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None, status: int = 200,
        **more: Any,
    ) -> Answer:  # fmt: skip
        """The whole answer to a document."""
        response = await self.post({"query": document, "variables": variables, **more}, token=token)
        answer: Answer = without_cost(response.json())
        assert response.status_code == status, answer
        self.answered_from = int(answer.get("extensions", {}).get("revision", self.answered_from))
        return answer

    async def gql(
        self, document: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None, **more: Any
    ) -> Answer:
        """The data of an answer without errors."""
        answer = await self.ask(document, variables, token=token, **more)
        assert "errors" not in answer, answer["errors"]
        data: Answer = answer["data"]
        return data

    async def fault(self, document: str, variables: Mapping[str, Any] | None = None) -> tuple[str, str]:
        """Code and message of the only error of an answer."""
        answer = await self.ask(document, variables)
        (error,) = answer["errors"]
        return error["extensions"]["code"], error["message"]

    # ------------------------------------------------------------------ changing

    async def send(
        self, field_name: str, given: Mapping[str, Any], select: str = "id", *, token: str | None = None
    ) -> Answer:
        """The payload of a mutation, whatever came of it; `select` is asked of what it is about."""
        kind, about = _signature(field_name)
        asked = f"{about} {{ {select} }}" if about else ""
        document = f"mutation($input: {kind}!) {{ {field_name}(input: $input) {{ {asked} {PAYLOAD} }} }}"
        payload: Answer = (await self.gql(document, {"input": given}, token=token))[field_name]
        return payload

    async def mutate(self, field_name: str, given: Mapping[str, Any], select: str = "id") -> Answer:
        """The payload of a mutation that is done."""
        payload = await self.send(field_name, given, select)
        assert payload["errors"] == [], payload["errors"]
        assert payload["revision"] is not None
        return payload

    async def refuse(self, field_name: str, given: Mapping[str, Any]) -> list[Answer]:
        """The refusals of a mutation; asserts that nothing was changed, by the real thing as by a dry run."""
        async with self.unchanged():
            payload = await self.send(field_name, given)
            dry = await self.send(field_name, {**given, "dryRun": True})
        assert blur_ids(dry) == blur_ids(payload)
        errors: list[Answer] = payload.pop("errors")
        assert errors, payload
        about = _signature(field_name)[1]
        assert payload == {"changes": [], "revision": None, "warnings": []} | ({about: None} if about else {})
        return errors

    async def both_ways(self, field_name: str, given: Mapping[str, Any], select: str = "id") -> Answer:
        """The payload of a mutation; asserts that a dry run answers the same, revision aside, and writes nothing."""
        async with self.unchanged():
            dry = await self.send(field_name, {**given, "dryRun": True}, select)
        assert dry["revision"] is None
        before = self.answered_from
        payload = await self.mutate(field_name, given, select)
        assert payload["revision"] == str(before + (1 if payload["changes"] else 0))
        assert _to_compare(dry) == _to_compare(payload)
        return payload

    async def no_change(self, field_name: str, given: Mapping[str, Any]) -> Answer:
        """The payload of a mutation that finds everything as asked: done, and nothing written."""
        async with self.unchanged():
            payload = await self.mutate(field_name, given)
        assert payload["changes"] == []
        assert payload["revision"] == str(self.answered_from)
        return payload

    # ------------------------------------------------------------------ watching

    async def revision(self) -> int:
        return int((await self.gql("{ revision }"))["revision"])

    async def head(self) -> Answer:
        """The newest audit entry."""
        document = """{ auditLog(first: 1) { edges { node {
            id revision at actor source action reason hash previousHash subjects { id }
            changes { action row before after detail holder { id } permission { key } role { key } team { key }
                      contract { number } }
        } } } }"""
        entry: Answer = (await self.gql(document))["auditLog"]["edges"][0]["node"]
        return entry

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """Asserts that nothing is written meanwhile: same revision, same audit head, every row the same."""
        await self.services.uses.finish()  # that a token was used is written beside the requests
        before = _read_what_counts(self.path)
        yield
        assert _read_what_counts(self.path) == before

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """The statements sent to the database meanwhile, authentication included."""
        with count_statements(self.services) as statements:
            yield statements

    # ------------------------------------------------------------------ filling

    async def create_user(self, user_name: str, **given: Any) -> str:
        payload = await self.mutate("createUser", {"userName": user_name, **given})
        return self._keep(user_name, payload["user"]["id"])

    async def create_service_account(self, user_name: str, *ceiling: str, **given: Any) -> str:
        """The secret of its first token."""
        asked = {"userName": user_name, "ceiling": [{"key": key} for key in ceiling], **given}
        document = """mutation($input: CreateServiceAccountInput!) {
          createServiceAccount(input: $input) { user { id } secret errors { message } } }"""
        payload = (await self.gql(document, {"input": asked}))["createServiceAccount"]
        assert payload["errors"] == [], payload["errors"]
        self._keep(user_name, payload["user"]["id"])
        secret: str = payload["secret"]
        return secret

    async def create_users(self, *user_names: str) -> None:
        for user_name in user_names:
            await self.create_user(user_name)

    async def create_role(self, key: str, *grants: str | Mapping[str, Any], **given: Any) -> str:
        asked = {"key": key, "grants": [grant_input(grant) for grant in grants], **given}
        payload = await self.mutate("createRole", asked)
        return self._keep(key, payload["role"]["id"])

    async def create_team(self, key: str, **given: Any) -> str:
        payload = await self.mutate("createTeam", {"key": key, **given})
        return self._keep(key, payload["team"]["id"])

    async def register_contract(
        self, number: str = "C-1", *, owner: str = "olga", products: Sequence[str] = CONTRACT_PRODUCTS, **given: Any
    ) -> str:
        asked = {"number": number, "name": f"Contract {number}", "owner": {"userName": owner}, "products": products}
        payload = await self.mutate("registerContract", {**asked, **given}, "id")
        return self._keep(number, payload["contract"]["id"])

    async def grant(self, who: Mapping[str, Any], *grants: str | Mapping[str, Any], **given: Any) -> list[str]:
        """The ids of the new rows."""
        asked = {"holder": who, "grants": [grant_input(grant) for grant in grants], **given}
        return [change["row"] for change in (await self.mutate("grantPermissions", asked))["changes"]]

    async def limit(self, who: Mapping[str, Any], *limits: str | Mapping[str, Any], **given: Any) -> list[str]:
        """The ids of the new rows."""
        asked = {"holder": who, "limits": [grant_input(limit) for limit in limits], **given}
        return [change["row"] for change in (await self.mutate("limitPermissions", asked))["changes"]]

    async def assign(self, who: Mapping[str, Any], *roles: str, **window: Any) -> list[str]:
        """The ids of the new rows."""
        asked = {"holder": who, "roles": [{"role": {"key": key}, **window} for key in roles]}
        return [change["row"] for change in (await self.mutate("assignRoles", asked))["changes"]]

    async def join(self, team: str, *users: str, **given: Any) -> list[str]:
        """The ids of the new rows."""
        asked = {"team": {"key": team}, "users": [{"userName": user} for user in users], **given}
        return [change["row"] for change in (await self.mutate("addTeamMembers", asked))["changes"]]

    async def set_level(self, number: str, user: str, product: str = "core", level: str | None = "USER") -> None:
        asked = {"user": {"userName": user}, "product": product, "level": level}
        await self.mutate("setAccessLevels", {"contract": {"number": number}, "levels": [asked]})

    async def set_facts(self, facts: Mapping[str, str], **given: Any) -> None:
        asked = [{"name": name, "value": value} for name, value in facts.items()]
        await self.mutate("setFacts", {"facts": asked, **given})

    async def issue_token(self, user_name: str, **expiry: datetime | None) -> tuple[str, str]:
        """Id and secret of a new token, by whoever owns the machine."""
        expires_at = expiry.get("expires_at")
        return await issue_token(self.services, "test", user_name, label="for a test", expires_at=expires_at)

    async def plant(self, records: Sequence[Record], *, action: str = "plant") -> int:
        """Writes records as they are, in one revision that no rule looks at; for worlds too large to ask for."""
        changes = [Change(None, record) for record in records]
        described = tuple(describe_change(self.services.catalog, change) for change in changes)

        def make_entry(revision: int, previous: str) -> AuditEntry:
            return AuditEntry(
                revision=revision, at=self.clock(), actor="test", actor_id=None, source="test", action=action,
                reason=None, subjects=name_subjects(described), changes=described, previous_hash=previous,
            )  # fmt: skip

        async with self.services.database.writing(self.services.catalog) as unit:
            return (await unit.record(changes, make_entry)).revision

    async def trust(self, user_name: str, *nodes: str, contract: str | None = None) -> str:
        """A token of somebody who has these permissions whole, by one planted revision; the token is another."""
        catalog, common = self.services.catalog, {"created_at": self.clock(), "actor": "test"}
        grants: list[Record] = [
            Grant(
                id=self.new_id(Grant), holder=self.ids[user_name], node=node,
                value=catalog.require_permission(node).value_type.top,
                contract=None if contract is None else self.ids[contract], **common,
            )  # type: ignore[arg-type]
            for node in nodes
        ]  # fmt: skip
        await self.plant(grants)
        return (await self.issue_token(user_name))[1]

    def new_id(self, kind: type) -> Any:
        """An unused id, for records to plant."""
        return self.services.new_id(kind)

    def _keep(self, key: str, found: str) -> str:
        self.ids[key] = found
        return found


@asynccontextmanager
async def open_gateway(
    template: Template, path: Path, clock: Clock, settings: Settings = DEFAULTS
) -> AsyncIterator[Gateway]:
    """A gateway over a copy of the template, at `path`."""
    place = copy_template(template, path)
    async with _open_over(open_copy(template, place, clock), template, place, clock, settings) as gateway:
        yield gateway


def _catching_up(services: Services, app: Application) -> ASGIApp:
    """The application, each request of which finds the index of the latest revision."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        token = _is_catching_up.set(True)
        with suppress(Exception):  # a database that fails, fails the request itself
            await services.index.catch_up()
        _is_catching_up.reset(token)
        await app(scope, receive, send)

    serve.lifecycle = app.lifecycle  # type: ignore[attr-defined]  # whoever is given it looks there as well
    return serve


@asynccontextmanager
async def _open_over(
    services: Services, template: Template, place: Place, clock: Clock, settings: Settings = DEFAULTS
) -> AsyncIterator[Gateway]:
    gateway = create_app(services, settings)
    app: ASGIApp = gateway
    if INDEXED:
        await services.index.start()
        app = _catching_up(services, gateway)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        try:
            yield Gateway(services, client, place, clock, template.owner, template.token, dict(template.ids))
        finally:
            await services.close()


async def stock(gateway: Gateway) -> None:
    """A small contact centre, enough for any mutation and most questions.

    ana    an agent: the role `agents`, a grant, a limit, USER in C-1, in the group `support`
    ben    owns the contract C-1, supervises `support`
    cleo   nothing at all
    writers include agents; the team `night` lies in `support`
    """
    await gateway.create_users("ana", "ben", "cleo")
    await gateway.create_role("agents", "desk.reports.menu")
    await gateway.create_role("writers", "desk.staff.edit_contacts", parents=[{"key": "agents"}])
    await gateway.create_team("support", kind="GROUP")
    await gateway.create_team("night", parent={"key": "support"})
    await gateway.register_contract("C-1", owner="ben")
    await gateway.set_level("C-1", "ana")
    await gateway.join("support", "ana")
    await gateway.join("support", "ben", supervisor=True)
    await gateway.grant(holder(user="ana"), "desk.staff.show_phone")
    await gateway.limit(holder(user="ana"), "desk.reports.export")
    await gateway.assign(holder(user="ana"), "agents")
