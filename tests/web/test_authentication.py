"""Tokens over HTTP: whatever is wrong with one, the answer is the same, and nothing is run."""

from datetime import timedelta

import httpx

from app.services.callers import revoke_token
from tests.factories import Gateway, each_of

REFUSAL = {
    "errors": [
        {
            "message": "a valid token is needed: `Authorization: Bearer <token>`",
            "extensions": {"code": "UNAUTHENTICATED"},
        }
    ]
}
CREATE = {"query": 'mutation { createUser(input: {userName: "ana2"}) { revision } }'}


async def post(gateway: Gateway, *authorization: str, accept: str = "application/json") -> httpx.Response:
    headers = [("authorization", value) for value in authorization] + [("accept", accept)]
    return await gateway.client.post("/graphql", json=CREATE, headers=headers)


def assert_refused(response: httpx.Response) -> None:
    assert response.status_code == 401
    assert response.json() == REFUSAL
    assert response.headers["www-authenticate"] == 'Bearer realm="permgate"'
    assert response.headers["cache-control"] == "no-store"


@each_of(
    "authorization",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        ("Bearer x",),
        ("Bearer pgt_" + "0" * 49,),
        ("Bearer " + "x" * 5000,),
        ("Basic b2xnYTpvbGdh",),
        ("Bearer null",),
    ],
)
async def test_what_is_no_token_is_refused(world: Gateway, authorization: tuple[str, ...]) -> None:
    async with world.unchanged():
        assert_refused(await post(world, *authorization))


async def test_expired_revoked_and_resting_tokens_are_refused_in_the_same_words(world: Gateway) -> None:
    _, expired = await world.issue_token("ana", expires_at=world.clock() + timedelta(hours=1))
    token, revoked = await world.issue_token("ana")
    await revoke_token(world.services, "test", token)
    _, resting = await world.issue_token("cleo")
    await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})
    world.clock.advance(hours=1)

    async with world.unchanged():
        answers = [await post(world, f"Bearer {secret}") for secret in (expired, revoked, resting, revoked[:-1])]

    for answer in answers:
        assert_refused(answer)
    assert len({answer.content for answer in answers}) == 1
    headers = [{name: value for name, value in answer.headers.items() if name != "x-request-id"} for answer in answers]
    assert all(one == headers[0] for one in headers)


async def test_a_good_token_is_taken_in_whatever_case_its_scheme_is_written(world: Gateway) -> None:
    for authorization in (f"Bearer {world.token}", f"bearer {world.token}", f"BEARER  {world.token} "):
        response = await world.client.post(
            "/graphql", json={"query": "{ viewer { user { userName } } }"}, headers={"authorization": authorization}
        )
        assert response.json()["data"] == {"viewer": {"user": {"userName": "olga"}}}


async def test_two_tokens_are_none(world: Gateway) -> None:
    async with world.unchanged():
        assert_refused(await post(world, f"Bearer {world.token}", f"Bearer {world.token}"))


async def test_a_header_that_is_no_text_is_none(world: Gateway) -> None:
    response = await world.client.post("/graphql", json=CREATE, headers={b"authorization": b"Bearer \xc3\xa9\xff"})

    assert_refused(response)


async def test_a_token_in_another_place_is_none(world: Gateway) -> None:
    response = await world.client.post("/graphql", params={"token": world.token}, json=CREATE)
    assert_refused(response)
    response = await world.client.post("/graphql", params={"access_token": world.token}, json=CREATE)
    assert_refused(response)
    response = await world.client.post("/graphql", json=CREATE, headers={"cookie": f"token={world.token}"})
    assert_refused(response)


async def test_the_refusal_has_the_media_type_that_was_asked_for(world: Gateway) -> None:
    response = await post(world, accept="application/graphql-response+json")

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/graphql-response+json; charset=utf-8"


async def test_introspection_needs_a_token_too(world: Gateway) -> None:
    response = await world.client.get("/graphql", params={"query": "{ __schema { types { name } } }"})

    assert_refused(response)
