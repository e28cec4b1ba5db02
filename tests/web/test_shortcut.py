"""The short cut answers usual questions as they are answered otherwise, to the byte, and leaves all others alone."""

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from graphql import OperationType

from app.main import create_app
from app.services import context
from app.services.callers import revoke_token
from app.services.index import RightsIndex
from app.settings import Limits, Settings
from app.web.shortcut import MOST_IN_A_TURN, Shortcut
from tests.factories import Gateway
from tests.web.test_door import Posted, Told, Ways, post, send

pytestmark = pytest.mark.of_plans

ONE = "query One($u: String!, $n: String!) { check(input: {user: {userName: $u}, node: $n}) { allowed state } }"
GIVEN = "query ($input: CheckInput!) { check(input: $input) { allowed } }"
MANY = "query ($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { yes: allowed __typename } }"
BOTH = """query ($i: ID!, $c: String!, $inputs: [CheckInput!]!) {
  a: check(input: {user: {id: $i}, node: "desk.reports.menu", contract: {number: $c}}) { state }
  checkMany(inputs: $inputs) { allowed }
  none: checkMany(inputs: []) { allowed }
  two: checkMany(inputs: [{user: {userName: "ana"}, node: "desk.reports.menu"}, {user: {userName: $c}, node: $c}]) {
    state } }"""


@dataclass
class Counted:
    """Both ways, and how often the short cut has left the answer to others."""

    ways: Ways
    otherwise: int = 0

    async def ask(self, posted: Posted) -> tuple[Told, bool]:
        """What both answer, which is the same, and whether the short cut has done so."""
        before = self.otherwise
        told = await self.ways.ask(posted)
        return told, self.otherwise == before

    async def ask_known(self, posted: Posted) -> tuple[Told, bool]:
        """The same of a document that was seen before."""
        await self.ask(posted)
        return await self.ask(posted)


@pytest.fixture
async def counted(world: Gateway) -> Counted:
    """Over a gateway that answers from an index and knows the token of its caller."""
    await world.services.index.start()
    await world.services.index.catch_up()
    counted = Counted(Ways.of(world))
    count_others(counted)
    await counted.ask_known(post(world, {"query": "{ revision }"}))
    counted.otherwise = 0
    return counted


def count_others(counted: Counted) -> None:
    shortcut = counted.ways.short.shortcut
    assert isinstance(shortcut, Shortcut)
    inner = shortcut.otherwise

    async def count(scope: Any, receive: Any, send: Any) -> None:
        counted.otherwise += 1
        await inner(scope, receive, send)

    shortcut.otherwise = count


# ---------------------------------------------------------------------- what is usual


@pytest.mark.parametrize(
    ("document", "variables", "answer"),
    [
        (ONE, {"u": "ana", "n": "desk.reports.menu"}, {"check": {"allowed": True, "state": "ACTIVE"}}),
        (ONE, {"u": "cleo", "n": "desk.reports.menu"}, {"check": {"allowed": False, "state": "NOT_GRANTED"}}),
        (GIVEN, {"input": {"user": {"userName": "ana"}, "node": "desk.reports.menu"}}, {"check": {"allowed": True}}),
        (
            MANY,
            {"inputs": [{"node": "desk.reports.menu", "user": {"userName": name}} for name in ("ana", "cleo")]},
            {"checkMany": [{"yes": True, "__typename": "Decision"}, {"yes": False, "__typename": "Decision"}]},
        ),
        (MANY, {"inputs": []}, {"checkMany": []}),
    ],
)
async def test_a_usual_question_takes_the_short_cut(
    world: Gateway, counted: Counted, document: str, variables: dict[str, Any], answer: dict[str, Any]
) -> None:
    told, was_short = await counted.ask_known(post(world, {"query": document, "variables": variables}))

    assert was_short
    assert json.loads(told[2])["data"] == answer
    told, was_short = await counted.ask_known(
        post(world, {"query": document, "variables": variables}, accept="application/graphql-response+json")
    )
    assert was_short
    assert (b"content-type", b"application/graphql-response+json; charset=utf-8") in told[1]


async def test_fields_side_by_side_are_answered_in_their_order(world: Gateway, counted: Counted) -> None:
    variables = {"i": world.ids["ana"], "c": "C-1", "inputs": [{"user": {"id": world.ids["ben"]}, "node": "desk.mail"}]}
    told, was_short = await counted.ask_known(post(world, {"query": BOTH, "variables": variables}))

    assert not was_short  # there is nobody of the name `C-1`, and no such node
    both = BOTH.replace("userName: $c}, node: $c", 'userName: "ben"}, node: "desk.reports.menu"')
    variables["inputs"] = [{"user": {"id": world.ids["ben"]}, "node": "desk.reports.menu"}]
    told, was_short = await counted.ask_known(post(world, {"query": both, "variables": variables}))
    assert was_short
    assert [*json.loads(told[2])["data"]] == ["a", "checkMany", "none", "two"]


# ---------------------------------------------------------------------- anything like it


USERS = [
    {"userName": "ana"}, {"userName": "ben"}, {"userName": "nobody"}, {"externalId": "x"}, {"id": "usr_x"}, {"id": 7},
    {"userName": None}, {"userName": "ana", "id": "usr_x"}, {}, None, "ana", {"name": "ana"}, {"userName": "a\u0308na"},
]  # fmt: skip
NODES = ["desk.reports.menu", "desk.reports.export", "desk.reports", "nothing", "", None, 3, ["desk.reports.menu"]]
MORE: list[dict[str, Any]] = [
    {}, {}, {}, {"contract": {"number": "C-1"}}, {"contract": {"number": "C-9"}}, {"contract": None},
    {"contract": {"number": 3}}, {"atLeast": None}, {"target": {"userName": "ben"}}, {"facts": []}, {"at": None},
    {"at": "2024-05-01T12:00:00Z"}, {"asOf": {"revision": "1"}}, {"unknown": 1}, {"targetSubscriber": "s"},
]  # fmt: skip
HEADS: list[dict[str, str]] = [
    *[{} for _ in range(12)], {"accept": "text/event-stream"}, {"accept": "text/html"}, {"content_type": "text/plain"},
    {"accept": "*/*"}, {"authorization": "Bearer nothing"}, {"content_encoding": "gzip"}, {"authorization": "Basic x"},
]  # fmt: skip


def draw_body(rnd: random.Random) -> Any:
    """Something like a usual question."""

    def question() -> dict[str, Any]:
        node = NODES[0] if rnd.random() < 0.8 else rnd.choice(NODES)
        user = USERS[0] if rnd.random() < 0.8 else rnd.choice(USERS)
        return {"user": user, "node": node, **(rnd.choice(MORE) if rnd.random() < 0.4 else {})}

    kind = rnd.randrange(4)
    if kind == 0:
        body: dict[str, Any] = {"query": ONE, "variables": {"u": rnd.choice(["ana", "", None, 1]), "n": NODES[0]}}
    elif kind == 1:
        body = {"query": GIVEN, "variables": {"input": question()}}
    else:
        body = {"query": MANY, "variables": {"inputs": [question() for _ in range(rnd.randrange(4))]}}
    if rnd.random() < 0.1:
        body["variables"] = rnd.choice([None, {}, {"inputs": None}, {"inputs": question()}])
    if rnd.random() < 0.2:
        body |= rnd.choice([
            {"operationName": "One"}, {"operationName": "Two"}, {"operationName": ""}, {"extensions": {}}, {"id": 1},
            {"extensions": {"minRevision": "3"}}, {"extensions": {"minRevision": "99999"}}, {"documentId": "x"},
        ])  # fmt: skip
    return body


async def test_whatever_is_like_a_usual_question_is_answered_alike(
    world: Gateway, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "REVISION_WAIT_S", 0.01)
    rnd = random.Random(7)
    short = 0
    for _ in range(400):
        head = rnd.choice(HEADS)
        _, was_short = await counted.ask(post(world, draw_body(rnd), **head))
        short += was_short

    assert 60 < short < 340  # both ways were tried


DOCUMENTS = [
    'query ($u: String = "ana") { check(input: {user: {userName: $u}, node: "desk.reports.menu"}) { allowed } }',
    "query ($i: CheckInput!) { check(input: $i) { allowed revision } }",
    "query ($i: CheckInput!) { check(input: $i) { allowed } revision }",
    "query ($i: CheckInput!, $s: Boolean!) { check(input: $i) { allowed @skip(if: $s) } }",
    "query ($i: CheckInput!) { check(input: $i) @include(if: true) { allowed } }",
    "query ($i: CheckInput!) { ...f } fragment f on Query { check(input: $i) { allowed } }",
    "query ($i: CheckInput!) { check(input: $i) { ... on Decision { allowed } } }",
    "query ($i: CheckInput!) { checkMany(inputs: [$i, $i]) { allowed } }",
    "query ($i: CheckInput!) { checkMany(inputs: $i) { allowed } }",
    "query ($i: CheckInput!) { check(input: $i) { allowed } check(input: $i) { state } }",
    "query A($i: CheckInput!) { check(input: $i) { allowed } } query B { revision }",
    "query ($n: String!) { check(input: {user: {userName: $n}, node: $n, atLeast: null}) { allowed } }",
]


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_documents_that_ask_it_otherwise_are_answered_alike(
    world: Gateway, counted: Counted, document: str
) -> None:
    one = {"user": {"userName": "ana"}, "node": "desk.reports.menu"}
    for variables in ({"i": one, "s": True, "n": "ana"}, {"i": [one, one], "s": False}, {"u": "ben"}, {"u": None}):
        for name in (None, "A"):
            body = {"query": document, "variables": variables, "operationName": name}
            await counted.ask_known(post(world, body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": %b, "variables": {"u": "ana", "n": "x", "n": "desk.reports.menu"}}',
        b'{"query": %b, "variables": {"u": "ana", "n": "desk.reports.menu"}, "variables": {"u": "ben", "n": "x"}}',
        b'{"query": %b, "variables": {"u": "a\\\\", "n": "x", "n": "desk.reports.menu"}}',
        b'{"query": %b, "variables": {"u": "ana", "n": "desk.reports.menu", "x": 12345678901234567890123}}',
        b'{"query": %b, "variables": {"u": "ana", "n": "desk.reports.menu"}, "query": %b}',
    ],
)
async def test_a_name_that_stands_twice_is_refused(world: Gateway, counted: Counted, body: bytes) -> None:
    document = json.dumps(ONE).encode()
    await counted.ask_known(post(world, {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}}))
    (status, *_), was_short = await counted.ask(post(world, body.replace(b"%b", document)))

    assert (status, was_short) == (400, False)


# ---------------------------------------------------------------------- who asks, and what is so now


async def test_it_ends_with_what_it_hangs_on(world: Gateway, counted: Counted) -> None:
    """A right that is taken away, and one that ends by itself."""
    asked = post(world, {"query": ONE, "variables": {"u": "cleo", "n": "desk.reports.menu"}})

    async def is_allowed(*, at_once: bool = False) -> Any:
        (_, _, body), was_short = await counted.ask_known(asked)
        assert was_short or not at_once
        return json.loads(body)["data"]["check"]["allowed"]

    assert not await is_allowed(at_once=True)
    holder = {"holder": {"user": {"userName": "cleo"}}}
    await world.mutate("grantPermissions", {**holder, "grants": [{"permission": "desk.reports.menu"}]})
    assert await is_allowed()
    await world.services.index.catch_up()
    assert await is_allowed(at_once=True)
    await world.mutate("revokePermissions", {**holder, "revokes": [{"permission": "desk.reports.menu"}]})
    assert not await is_allowed()
    until = world.clock() + timedelta(hours=1)
    grant = {"permission": "desk.reports.menu", "validUntil": until.isoformat()}
    await world.mutate("grantPermissions", {**holder, "grants": [grant]})
    await world.services.index.catch_up()
    assert await is_allowed(at_once=True)
    world.clock.advance(hours=2)
    assert not await is_allowed(at_once=True)


async def test_a_token_ends_at_once(world: Gateway, counted: Counted) -> None:
    token, secret = await world.issue_token("olga")
    body = {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}}
    await world.services.index.catch_up()
    asked = post(world, body, authorization=f"Bearer {secret}")
    (status, *_), was_short = await counted.ask_known(asked)
    assert (status, was_short) == (200, True)

    await revoke_token(world.services, "a test", token)
    (status, *_), _ = await counted.ask(asked)
    assert status == 401
    await world.services.index.catch_up()
    (status, *_), _ = await counted.ask_known(asked)
    assert status == 401


async def test_who_may_not_see_it_is_told_so(world: Gateway, counted: Counted) -> None:
    """What is answered to one caller at once is refused to another in the same words as ever."""
    _, secret = await world.issue_token("cleo")
    await world.services.index.catch_up()
    body = {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}}
    (_, _, answer), was_short = await counted.ask_known(post(world, body))
    assert was_short
    assert json.loads(answer)["data"]["check"]["allowed"]

    (_, _, answer), was_short = await counted.ask_known(post(world, body, authorization=f"Bearer {secret}"))
    assert not was_short
    assert not json.loads(answer)["data"]["check"]["allowed"]
    own = {"query": ONE, "variables": {"u": "cleo", "n": "desk.reports.menu"}}
    _, was_short = await counted.ask_known(post(world, own, authorization=f"Bearer {secret}"))
    assert was_short


# ---------------------------------------------------------------------- limits


async def test_a_budget_that_is_used_up_holds_it_off(world: Gateway) -> None:
    await world.services.index.start()
    await world.services.index.catch_up()
    limits = Limits(caller_budget=4000, caller_refill=1)  # of which reading the document may take the half
    app = create_app(world.services, Settings(limits=limits))
    asked = post(world, {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}})
    await send(app, asked)
    shortcut = app.shortcut
    assert shortcut is not None
    assert shortcut.answer(asked.headers, asked.body, shortcut.find_index()) is not None
    count, status = 0, 200
    while status == 200 and count <= 4000:  # each takes one of it at least
        status, _, _ = await send(app, asked)
        count += 1

    assert status == 429
    assert count > 2
    assert shortcut.answer(asked.headers, asked.body, shortcut.find_index()) is None
    assert (await send(app, asked))[0] == 429


async def test_what_was_read_for_nothing_is_paid_for(world: Gateway, counted: Counted) -> None:
    """Whoever is answered otherwise pays for that; for what the short cut has done before, as well."""
    shortcut = counted.ways.short.shortcut
    assert isinstance(shortcut, Shortcut)
    budgets, index = shortcut.endpoint.admission._budgets, shortcut.find_index()
    budgets.refill = 0
    menu = "desk.reports.menu"
    known, unknown = (post(world, {"query": ONE, "variables": {"u": who, "n": menu}}) for who in ("ana", "nobody"))
    await counted.ask_known(known)
    for asked, is_answered in ((known, True), (unknown, False)):
        before = budgets.look(world.owner)
        assert (shortcut.answer(asked.headers, asked.body, index) is not None) is is_answered
        assert before - budgets.look(world.owner) >= 1


async def test_what_is_answered_at_once_needs_no_place(world: Gateway, counted: Counted) -> None:
    """Those who have to wait would else hold up all others, and these one another, for as long as they come."""
    shortcut = counted.ways.short.shortcut
    assert isinstance(shortcut, Shortcut)
    asked = post(world, {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}})
    planned = post(world, {"query": '{ user(ref: {userName: "ana"}) { userName effectiveRights { state } } }'})
    for one in (asked, planned):
        await counted.ask_known(one)
    before = counted.otherwise
    places = shortcut.endpoint.admission._places[OperationType.QUERY]
    for number in range(places.most):
        assert places.take_now(number)
    places.patience_s = 0.01
    assert (await send(counted.ways.short, asked))[0] == 200
    assert counted.otherwise == before
    assert (await send(counted.ways.short, planned))[0] == 200
    assert counted.otherwise == before + 1
    await world.services.index.close()
    assert [(await send(counted.ways.short, one))[0] for one in (asked, planned)] == [503, 503]


async def test_questions_are_answered_by_a_look_that_is_later_than_all_of_them(
    world: Gateway, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the endpoint has found may be from before a request was sent: that is read in the poll before its turn."""
    shortcut = counted.ways.short.shortcut
    assert isinstance(shortcut, Shortcut)
    asked = post(world, {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}})
    _, was_short = await counted.ask_known(asked)
    assert was_short

    found = shortcut.endpoint.find_index()
    assert found is not None
    assert shortcut.answer(asked.headers, asked.body, shortcut.find_index()) is not None
    told: list[RightsIndex | None] = []
    shortcut.answer_soon(told.append)
    shortcut.answer_soon(told.append)
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(world.services.index, "current", look)  # somebody else has changed something
    assert shortcut.endpoint.find_index() is found  # for those of this turn
    assert (told, looks) == ([], 0)
    await asyncio.sleep(0)
    assert (told, looks) == ([None, None], 1)
    assert shortcut.answer(asked.headers, asked.body, None) is None


async def test_others_have_a_turn_between_many_questions(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that fails takes nobody's answer."""
    shortcut = counted.ways.short.shortcut
    assert isinstance(shortcut, Shortcut)
    order: list[int | str] = []
    failed: list[object] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", failed.append)

    def fail(index: RightsIndex | None) -> None:
        raise AssertionError

    shortcut.answer_soon(fail)
    for number in range(MOST_IN_A_TURN + 2):
        shortcut.answer_soon(lambda index, number=number: order.append(number))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert (len(failed), order) == (1, [])
    asyncio.get_running_loop().call_soon(order.append, "others")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == [*range(MOST_IN_A_TURN), "others", MOST_IN_A_TURN, MOST_IN_A_TURN + 1]


async def test_an_accident_of_the_look_holds_up_nobody(
    world: Gateway, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortcut = counted.ways.short.shortcut
    assert shortcut is not None
    told: list[RightsIndex | None] = []

    def fail() -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(world.services.index, "current", fail)
        shortcut.answer_soon(told.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    shortcut.answer_soon(told.append)
    await asyncio.sleep(0)
    assert told == [None, world.services.index.current()]


@pytest.mark.parametrize("name", ["app.web.shortcut.recall_caller", "app.web.shortcut.finish_query"])
async def test_an_accident_is_answered_otherwise(
    world: Gateway, counted: Counted, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_given: Any) -> Any:
        raise ValueError(name)

    asked = post(world, {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}})
    await counted.ask_known(asked)
    monkeypatch.setattr(name, fail)
    (status, *_), was_short = await counted.ask(asked)
    assert (status, was_short) == (200, False)


async def test_it_is_off_where_plans_are(world: Gateway) -> None:
    await world.services.index.start()
    await world.services.index.catch_up()
    app = create_app(world.services, Settings(compiled=False))
    counted = Counted(Ways(app, app))
    count_others(counted)
    asked = post(world, {"query": ONE, "variables": {"u": "ana", "n": "desk.reports.menu"}})
    _, was_short = await counted.ask_known(asked)
    assert not was_short
