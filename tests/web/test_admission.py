"""What one caller may take, what there is for all, and what becomes of a request that takes too long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import OperationType
from sqlalchemy.ext.asyncio import AsyncTransaction

from app.db.unit_of_work import WritingUnit
from app.domain.callers import Caller
from app.domain.holders import UserId
from app.graphql import execution
from app.graphql.context import CalledOff, Operation
from app.graphql.execution import LISTENED, Abandoned, DeadlinePassed, Hear, Request, RequestFault
from app.graphql.listening import Listener
from app.main import create_app
from app.services import users
from app.services.context import Services
from app.settings import Limits, Settings
from app.web.admission import Admission, Held
from tests.factories import Clock, Gateway, Template, copy_services, executor, pass_time, without_cost

QUERY = Request(query="{ revision }")
TOKENS = Request(query='{ user(ref: {userName: "olga"}) { tokens { label } } }')
PATIENCE_S = 60.0  # a query gets as far as the database by then, a change as far as its commit, on a busy machine too
CREATE = 'mutation { createUser(input: {userName: "ana"}) { user { userName } errors { code } } }'


class Waiting:
    """Something that is begun and does not go on before it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = 0

    async def __call__(self, *_args: Any, **_more: Any) -> Any:
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended += 1


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Tokens are not read before somebody says so."""
    found = Waiting()
    monkeypatch.setattr(users, "list_tokens", found)
    return found


def admission(services: Services, **limits: Any) -> Admission:
    chosen = Limits(**limits)
    return Admission(services, executor().within(chosen), chosen)


def caller_of(gateway: Gateway, name: str = "olga") -> Caller:
    return Caller(user=UserId(gateway.owner if name == "olga" else gateway.ids[name]), user_name=name)


async def ask(by: Admission, caller: Caller, request: Request = QUERY) -> dict[str, Any]:
    return without_cost(await by.execute(caller, await by.admit(caller, request)))


async def held(by: Admission, caller: Caller, request: Request = QUERY) -> tuple[int, str, int]:
    """Status, code and seconds of a request that is held off."""
    with pytest.raises(Held) as fault:
        await ask(by, caller, request)
    (error,) = fault.value.errors
    assert error.extensions is not None
    assert error.extensions["retryAfter"] == fault.value.retry_after
    return fault.value.status, error.extensions["code"], fault.value.retry_after


def hearing(leaving: "asyncio.Future[None]") -> Hear:
    """Of a client that leaves when `leaving` is done."""

    async def hear() -> "asyncio.Future[None]":
        return leaving

    return hear


def nothing_is_left(services: Services) -> bool:
    return services.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool that we have


# ---------------------------------------------------------------------- budgets


async def test_who_has_used_up_their_budget_is_told_when_to_come_back(world: Gateway) -> None:
    few = admission(world.services, caller_budget=100_000, caller_refill=1)
    olga, ana = caller_of(world), caller_of(world, "ana")
    few._budgets.drain(olga.user, 99_950)

    status, code, seconds = await held(few, olga)

    assert (status, code) == (429, "REQUEST_RATE_LIMITED")
    assert 40 <= seconds <= 52 + 2000  # what is missing of 101, and what reading it took
    assert "data" in await ask(few, ana)


async def test_what_is_answered_at_once_costs_what_it_took(world: Gateway) -> None:
    """Of what a check is expected to take of the database an answer out of memory takes next to nothing."""
    few = admission(world.services, caller_budget=100_000, caller_refill=1)
    olga, cost = caller_of(world), 251
    asked = {"user": {"id": world.ids["ana"]}, "node": "desk.reports.menu"}
    request = Request(
        query="query ($asked: CheckInput!) { check(input: $asked) { allowed } }", variables={"asked": asked}
    )
    await world.services.index.start()

    first = await ask(few, olga, request)
    assert (await few.admit(olga, request)).cost == cost
    before = few._budgets.look(olga.user)
    again = [await ask(few, olga, request) for _ in range(20)]
    await world.services.index.close()
    after = few._budgets.look(olga.user)
    read = await ask(few, olga, request)

    assert all(answer["data"] == first["data"] == read["data"] for answer in again)
    assert before - after < 20 * cost / 2
    assert after - few._budgets.look(olga.user) > cost - 5  # and a unit a second comes back


async def test_what_is_refused_is_paid_for_as_well(world: Gateway) -> None:
    few = admission(world.services, caller_budget=10_000_000, caller_refill=1)
    olga = caller_of(world)

    for number in range(3):
        document = "{ " + " ".join(f"nothing{number}x{n}: revisions{n}" for n in range(30)) + " }"
        with pytest.raises(RequestFault):
            await few.admit(olga, Request(query=document))

    assert few._budgets.look(olga.user) < 10_000_000 - 10


async def test_who_owes_is_told_before_anything_is_read(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    few = admission(world.services, caller_budget=1000, caller_refill=1)
    few._budgets.drain(world.owner, 1010)
    monkeypatch.setattr(few.executor, "admit", None)

    status, code, seconds = await held(few, caller_of(world))

    assert (status, code) == (429, "REQUEST_RATE_LIMITED")
    assert 5 <= seconds <= 11


async def test_each_event_of_a_subscription_is_paid_for_and_waited_for(world: Gateway) -> None:
    slow = admission(world.services, caller_budget=2000, caller_refill=10_000)
    olga = caller_of(world)

    async def still() -> Caller:
        return olga

    request = Request(query="subscription ($after: Revision) { changes(after: $after) { revision } }")
    revision = await world.revision()
    for name in ("dana", "emil", "fay"):
        await world.create_user(name)
    request = Request(query=request.query, variables={"after": str(revision)})
    admitted = await slow.admit(olga, request, only=LISTENED)
    told = []
    async with aclosing(slow.subscribe(Listener(world.services, olga, still), admitted)) as answers:
        async for answer in answers:
            told.append(answer["extensions"]["cost"]["requested"])
            slow._budgets.drain(olga.user, 2200)  # the next one comes when there is something left again
            if len(told) == 3:
                break

    assert told == [102, 102, 102]
    assert slow._budgets.look(olga.user) > -2400


async def test_who_brings_too_many_new_documents_is_held_off_and_answered_as_before(world: Gateway) -> None:
    few = admission(world.services, max_new_documents=3, new_document_refill=0.01)
    olga, ana = caller_of(world), caller_of(world, "ana")

    def new(number: int) -> Request:
        return Request(query=f"{{ new{number}: revision }}")

    for number in range(3):
        await ask(few, olga, new(number))

    assert await held(few, olga, new(3)) == (429, "REQUEST_RATE_LIMITED", 100)
    assert (await ask(few, olga, new(0)))["data"].keys() == {"new0"}
    assert (await ask(few, ana, new(3)))["data"].keys() == {"new3"}
    assert (await ask(few, olga, new(3)))["data"].keys() == {"new3"}  # ana has brought it


async def test_documents_that_are_refused_count_as_new_ones_once(world: Gateway) -> None:
    few = admission(world.services, max_new_documents=2, new_document_refill=0.01)
    olga = caller_of(world)

    for text in ("{ wrong1 }", "{ wrong1 }", "{", "{", "{ wrong1 }"):
        with pytest.raises(RequestFault) as fault:
            await ask(few, olga, Request(query=text))
        assert not isinstance(fault.value, Held)

    assert (await held(few, olga, Request(query="{ wrong2 }")))[:2] == (429, "REQUEST_RATE_LIMITED")


# ---------------------------------------------------------------------- places


@pytest.mark.usefixtures("unindexed")
async def test_one_caller_has_a_share_of_the_places(world: Gateway, waiting: Waiting) -> None:
    few = admission(world.services, max_concurrency=3, max_caller_concurrency=2, max_waiting=2, max_wait_s=0.01)
    olga, ana = caller_of(world), caller_of(world, "ana")
    busy = [asyncio.create_task(ask(few, olga, TOKENS)) for _ in range(2)]
    await waiting.begun.wait()

    assert await held(few, olga) == (429, "REQUEST_CONCURRENCY_LIMITED", 1)
    assert "data" in await ask(few, ana)
    waiting.go_on.set()
    await asyncio.gather(*busy, return_exceptions=True)
    assert "data" in await ask(few, olga)


@pytest.mark.usefixtures("unindexed")
async def test_who_finds_no_place_is_told_soon(world: Gateway, waiting: Waiting) -> None:
    few = admission(world.services, max_concurrency=1, max_caller_concurrency=2, max_waiting=4, max_wait_s=0.01)
    olga, ana = caller_of(world), caller_of(world, "ana")
    busy = asyncio.create_task(ask(few, olga, TOKENS))
    await waiting.begun.wait()

    assert await held(few, ana) == (503, "REQUEST_CONCURRENCY_LIMITED", 1)
    waiting.go_on.set()
    await asyncio.gather(busy, return_exceptions=True)
    assert "data" in await ask(few, ana)


READERS = [
    "{ auditLog(first: 1) { edges { node { id } } } }",
    "{ users(first: 2) { edges { node { userName roles { role { key } } tokens { label } } } } }",
    '{ user(ref: {userName: "ana"}) { userName effectiveRights { state } roles { role { key grants { id } } } } }',
    '{ check(input: {user: {userName: "ana"}, node: "desk.reports.menu"}) { allowed explanation { complete } } }',
    '{ a: user(ref: {userName: "ben"}) { grants { id } } b: roles(first: 2) { totalCount } }',
    """{ system(key: "desk") {
      nodes(first: 50) { edges { node { ... on Permission { holders(first: 1) { totalCount } } } } }
      bad: nodes(first: -5) { totalCount } }
      auditLog(first: 1) { edges { node { id } } } }""",
]


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("query", READERS)
async def test_whoever_waits_for_a_place_reads_nothing_meanwhile(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, query: str, index: bool
) -> None:
    """What is answered at once begins without a place, and the database is asked by nobody who has none."""
    if index:
        await world.services.index.start()
        await world.services.index.catch_up()
    by, read, opened = admission(world.services, max_wait_s=0.05), world.services.database.reading, 0
    places = by._places[OperationType.QUERY]
    while places.take_now(object()):
        pass

    def count(*given: Any, **named: Any) -> Any:
        nonlocal opened
        opened += 1
        return read(*given, **named)

    async def hear() -> asyncio.Future[None]:
        await asyncio.sleep(0)
        return asyncio.get_running_loop().create_future()

    admitted = await by.admit(caller_of(world), Request(query=query))
    monkeypatch.setattr(world.services.database, "reading", count)
    with pytest.raises(Held):
        await by.execute(caller_of(world), admitted, hear=hear)
    await asyncio.sleep(0.01)
    assert opened == 0


@pytest.mark.parametrize("compiled", [True, False])
async def test_what_an_error_has_left_beside_it_asks_the_database_no_more(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, *, compiled: bool
) -> None:
    """The answer is there at once; what nobody waits for would open a snapshot that nobody closes."""
    await world.services.index.start()
    await world.services.index.catch_up()
    by, opened, open_ = admission(world.services), 0, Operation._open
    if not compiled:
        by.executor = by.executor.under(replace(by.executor.policy, compiled=False))

    async def count(operation: Operation) -> Any:
        nonlocal opened
        opened += 1
        return await open_(operation)

    monkeypatch.setattr(Operation, "_open", count)
    query = "{ auditLog(first: 1) { edges { node { id } } } permissionNodes(first: -5) { totalCount } }"
    before = asyncio.all_tasks()
    answer = await ask(by, caller_of(world), Request(query=query))
    assert answer["data"] is None
    await asyncio.sleep(0.01)
    assert (opened, asyncio.all_tasks() - before) == (0, set())
    assert nothing_is_left(world.services)


async def test_readers_do_not_wait_for_writers(world: Gateway) -> None:
    few = admission(world.services, max_writers=1, max_concurrency=1, max_wait_s=0.01)
    olga = caller_of(world)
    async with world.services.database.writing(world.services.catalog):
        writing = asyncio.create_task(ask(few, olga, Request(query=CREATE.replace("ana", "gus"))))
        await asyncio.sleep(0.05)

        assert "data" in await ask(few, olga)
        assert (await held(few, olga, Request(query=CREATE)))[:2] == (503, "REQUEST_CONCURRENCY_LIMITED")

    assert (await writing)["data"]["createUser"]["errors"] == []


# ---------------------------------------------------------------------- time


async def test_a_query_that_takes_too_long_is_called_off(world: Gateway, waiting: Waiting) -> None:
    hasty = admission(world.services, query_timeout_s=PATIENCE_S)

    asked = asyncio.create_task(ask(hasty, caller_of(world), TOKENS))
    await waiting.begun.wait()
    pass_time(PATIENCE_S)
    with pytest.raises(DeadlinePassed) as passed:
        await asked

    (error,) = passed.value.errors
    assert error.message == "there was no answer within 60 seconds: what was not committed by then is undone"
    assert error.extensions == {"code": "GATEWAY_TIMEOUT"}
    assert waiting.ended == 1
    assert nothing_is_left(world.services)
    assert "data" in await ask(hasty, caller_of(world))


async def test_over_http_it_is_a_503_of_which_something_was_run(
    template: Template, tmp_path: Path, clock: Clock, waiting: Waiting, shared_schema: None
) -> None:
    services = copy_services(template, tmp_path / "hasty.db", clock)
    settings = Settings(limits=Limits(query_timeout_s=0.05))
    transport = httpx.ASGITransport(app=create_app(services, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.post(
            "/graphql", json={"query": TOKENS.query}, headers={"authorization": f"Bearer {template.token}"}
        )
    await services.close()

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    answer = response.json()
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["GATEWAY_TIMEOUT"]


async def test_a_change_that_takes_too_long_is_undone(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = admission(world.services, mutation_timeout_s=PATIENCE_S)
    waiting = Waiting()
    record = WritingUnit.record

    async def record_slowly(self: WritingUnit, *args: Any, **more: Any) -> Any:
        done = await record(self, *args, **more)
        await waiting()
        return done

    monkeypatch.setattr(WritingUnit, "record", record_slowly)

    async with world.unchanged():
        asked = asyncio.create_task(ask(hasty, caller_of(world), Request(query=CREATE.replace("ana", "gus"))))
        await waiting.begun.wait()
        pass_time(PATIENCE_S)
        with pytest.raises(DeadlinePassed):
            await asked

    assert waiting.ended == 1
    assert nothing_is_left(world.services)
    monkeypatch.undo()
    await world.create_user("gus")


async def test_a_change_whose_commit_has_begun_is_told(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = admission(world.services, mutation_timeout_s=PATIENCE_S)
    commit = AsyncTransaction.commit

    async def commit_slowly(self: AsyncTransaction) -> None:
        pass_time(PATIENCE_S)
        await asyncio.sleep(0.2)  # the deadline is noticed in it
        await commit(self)

    monkeypatch.setattr(AsyncTransaction, "commit", commit_slowly)

    answer = await ask(hasty, caller_of(world), Request(query=CREATE.replace("ana", "gus")))

    assert answer["data"] == {"createUser": {"user": {"userName": "gus"}, "errors": []}}
    monkeypatch.undo()
    assert (await world.gql('{ user(ref: {userName: "gus"}) { userName } }'))["user"] == {"userName": "gus"}


@pytest.mark.usefixtures("unindexed")
async def test_of_a_document_the_field_after_the_commit_is_called_off(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = admission(world.services, mutation_timeout_s=PATIENCE_S)
    commit = AsyncTransaction.commit

    async def commit_slowly(self: AsyncTransaction) -> None:
        pass_time(PATIENCE_S)
        await asyncio.sleep(0.2)  # the deadline is noticed in it
        await commit(self)
        monkeypatch.setattr(WritingUnit, "record", Waiting())  # of the next one

    monkeypatch.setattr(execution, "AGAIN_S", 0.05)
    monkeypatch.setattr(AsyncTransaction, "commit", commit_slowly)
    document = """mutation {
      a: createUser(input: {userName: "gus"}) { revision }
      b: createUser(input: {userName: "hal"}) { revision }
    }"""

    with pytest.raises(DeadlinePassed):
        await ask(hasty, caller_of(world), Request(query=document))

    assert nothing_is_left(world.services)
    monkeypatch.undo()
    data = await world.gql('{ a: user(ref: {userName: "gus"}) { kind } b: user(ref: {userName: "hal"}) { kind } }')
    assert data == {"a": {"kind": "PERSON"}, "b": None}


async def test_a_query_that_nobody_waits_for_is_called_off(world: Gateway, waiting: Waiting) -> None:
    by, olga = admission(world.services), caller_of(world)
    leaving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asked = asyncio.create_task(by.execute(olga, await by.admit(olga, TOKENS), hear=hearing(leaving)))
    await waiting.begun.wait()

    leaving.set_result(None)

    with pytest.raises(Abandoned):
        await asked
    assert waiting.ended == 1
    assert nothing_is_left(world.services)


async def test_a_change_that_nobody_waits_for_is_brought_to_its_end(world: Gateway) -> None:
    by, olga = admission(world.services), caller_of(world)
    leaving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    leaving.set_result(None)

    admitted = await by.admit(olga, Request(query=CREATE.replace("ana", "gus")))
    answer = await by.execute(olga, admitted, hear=hearing(leaving))

    assert answer["data"]["createUser"]["errors"] == []


async def test_an_operation_leaves_nothing_loading(world: Gateway, waiting: Waiting) -> None:
    operation = Operation(world.services, caller_of(world))

    async def load(keys: list[str]) -> list[str]:
        await waiting()
        return keys

    asked = asyncio.ensure_future(operation.loader("slow", load).load("a"))
    await waiting.begun.wait()

    await operation.close()

    assert waiting.ended == 1
    with pytest.raises(CalledOff):
        await asyncio.wait_for(asked, 5)


# ---------------------------------------------------------------------- wrong tokens


@pytest.fixture
async def few_failures(template: Template, tmp_path: Path, clock: Clock) -> AsyncIterator[Services]:
    services = copy_services(template, tmp_path / "few.db", clock)
    services.failures.capacity, services.failures.refill = 3, 0.1
    yield services
    await services.close()


async def test_wrong_tokens_in_a_row_are_held_off_and_good_ones_are_not(
    few_failures: Services, template: Template, shared_schema: None
) -> None:
    app = create_app(few_failures, Settings())

    async def post(token: str | None, host: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            return await client.post("/graphql", json={"query": "{ revision }"}, headers=headers)

    wrong = template.token[:-1] + ("a" if template.token[-1] != "a" else "b")
    statuses = [(await post(wrong, "192.0.2.1")).status_code for _ in range(4)]
    response = await post(wrong, "192.0.2.1")

    assert statuses == [401, 401, 401, 429]
    assert response.json()["errors"][0]["extensions"] == {"code": "REQUEST_RATE_LIMITED"}
    assert 1 <= int(response.headers["retry-after"]) <= 10
    assert (await post(template.token, "192.0.2.1")).status_code == 200
    assert (await post(None, "192.0.2.1")).status_code == 401  # nothing was tried
    assert (await post(wrong, "192.0.2.2")).status_code == 401
    # Whoever has one address of a network of IPv6 has them all.
    statuses = [(await post(wrong, f"2001:db8::{n}")).status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert (await post(wrong, "2001:db8:0:1::1")).status_code == 401
