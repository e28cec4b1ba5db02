"""Who may ask about the schema, and is helped with its names: a choice, the same at every door."""

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from tests.factories import Answer, Gateway, each_of
from tests.sockets import known, serving
from tests.web.test_trusted_documents import guarded

ASKING = (
    "{ __schema { types { name } } }",
    '{ __type(name: "Query") { name } }',
    "{ s: __schema, #c\n{ t: types { n: name } } }",
    "query Q { ...F } fragment F on Query { __schema { types { name } } }",
    "{ ... { ... on Query { __schema { types { name } } } } }",
    "query A { revision } query B { __schema { types { name } } }",
)
HINTING: tuple[Answer, ...] = (
    {"query": "{ revisio }"},  # a field
    {"query": "{ user(reff: {}) { id } }"},  # an argument
    {"query": "{ ...F } fragment F on Quer { __typename }"},  # a type
    {"query": "query ($a: Strin) { revision @skip(if: $a) }"},  # the type of a variable
    {"query": "{ users(filter: {statu: ACTIVE}) { totalCount } }"},  # a field of an input
    {"query": "{ users(filter: {status: ACTIV}) { totalCount } }"},  # a value of an enum
    {"query": "query ($f: UserFilter) { users(filter: $f) { totalCount } }", "variables": {"f": {"statu": "ACTIVE"}}},
    {"query": "query ($f: UserFilter) { users(filter: $f) { totalCount } }", "variables": {"f": {"status": "ACTIV"}}},
    {"query": "{ revision @skp(if: true) }"},  # a directive: nobody is helped with these
)


@pytest.fixture
async def closed(world: Gateway) -> AsyncIterator[Gateway]:
    async with guarded(world, Settings(introspection="off")) as gateway:
        yield gateway


@each_of("query", ASKING)
async def test_who_may_not_learns_nothing_however_it_is_asked(closed: Gateway, query: str) -> None:
    """T15."""
    answer = (await closed.post({"query": query, "operationName": "A" if "query A" in query else None})).json()

    (error,) = answer["errors"]
    assert "data" not in answer
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert error["message"].endswith("is not open to you: introspection is off")


async def test_a_get_a_socket_and_a_stream_say_the_same(closed: Gateway) -> None:
    headers = {"authorization": f"Bearer {closed.token}"}
    expected = (await closed.post({"query": ASKING[0]})).json()["errors"]
    response = await closed.client.get("/graphql", params={"query": ASKING[0]}, headers=headers)
    assert response.json()["errors"] == expected
    assert expected[0]["message"] in (await closed.post({"query": ASKING[0]}, accept="text/event-stream")).text
    async with (
        serving(closed.services, Settings(introspection="off")) as address,
        known(address, closed.token) as client,
    ):
        await client.subscribe(ASKING[0])
        assert (await client.receive())["payload"] == expected
        await client.subscribe("subscription { changes { revisio } }", id="2")
        message = await client.receive()
        assert "did you mean" not in str(message).lower()


@each_of("asked", HINTING)
async def test_who_may_not_is_told_of_no_name_that_they_did_not_write(
    world: Gateway, closed: Gateway, asked: Answer
) -> None:
    """T16, in all its places; whoever may ask about the schema is helped."""
    answers = [(await gateway.post(asked)).json() for gateway in (closed, world)]

    assert all("errors" in answer and "data" not in answer for answer in answers)
    assert "did you mean" not in str(answers[0]).lower()
    assert ("Did you mean" in str(answers[1])) is ("@skp" not in asked["query"]), answers[1]


async def test_what_is_no_question_about_the_schema_is_answered(closed: Gateway) -> None:
    assert await closed.gql("{ __typename viewer { __typename } }") == {
        "__typename": "Query", "viewer": {"__typename": "Viewer"}
    }  # fmt: skip


async def test_owners_may_where_only_they_are_to(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    async with guarded(world, Settings(introspection="owners")) as gateway:
        assert "errors" not in (await gateway.post({"query": ASKING[0]})).json()
        assert "errors" in (await gateway.post({"query": ASKING[0]}, token=secret)).json()
        assert "errors" not in (await gateway.post({"query": ASKING[0]})).json()


async def test_everybody_with_a_token_may_unless_it_is_said_otherwise(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    assert "errors" not in (await world.post({"query": ASKING[0]}, token=secret)).json()
    assert (await world.client.post("/graphql", json={"query": ASKING[0]})).status_code == 401
