"""revokeToken: a token of oneself, or of a user within one's rights, ended at once, everywhere."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from app.db.unit_of_work import Database
from app.domain.callers import Right
from app.main import create_app
from app.services.context import Services
from app.settings import Settings
from tests.factories import CURSOR_KEY, Answer, Gateway, each_of, select

REVOKE = """mutation($input: RevokeTokenInput!) { revokeToken(input: $input) {
  user { userName } tokenId secret revision changes { action row detail holder { id } } errors { code message path }
} }"""
VIEWER = {"query": "{ viewer { user { userName } } }"}


async def revoke(world: Gateway, token_id: str, *, token: str | None = None, **given: Any) -> Answer:
    """The whole payload."""
    payload: Answer = (await world.gql(REVOKE, {"input": {"id": token_id, **given}}, token=token))["revokeToken"]
    return payload


async def refuse(world: Gateway, token_id: str, *, token: str | None = None) -> Answer:
    """The only refusal; asserts that nothing was changed."""
    async with world.unchanged():
        payload = await revoke(world, token_id, token=token)
    (error,) = payload["errors"]
    assert payload == {
        "user": None, "tokenId": None, "secret": None, "revision": None, "changes": [], "errors": [error]
    }  # fmt: skip
    return error  # type: ignore[no-any-return]


async def test_it_ends_at_once_and_the_others_stay(world: Gateway) -> None:
    first, secret = await world.issue_token("ana")
    _, other = await world.issue_token("ana")

    payload = await revoke(world, first)

    assert payload == {
        "user": {"userName": "ana"}, "tokenId": first, "secret": None, "revision": str(await world.revision()),
        "changes": [
            {
                "action": "revoke_token", "row": first, "holder": {"id": world.ids["ana"]},
                "detail": f"revoked the token `for a test` ({secret[:12]}…)",
            }
        ],
        "errors": [],
    }  # fmt: skip
    assert (await world.post(VIEWER, token=secret)).status_code == 401
    assert (await world.post(VIEWER, token=other)).status_code == 200


async def test_it_is_revoked_for_ever(world: Gateway) -> None:
    token, _ = await world.issue_token("ana")
    await revoke(world, token)

    assert (await refuse(world, token))["code"] == "NOT_FOUND"


@each_of("token_id", ["", "tok_0", "tok_" + "0" * 26, "x" * 1000, "\u202e"])
async def test_what_is_no_token_is_not_found(world: Gateway, token_id: str) -> None:
    error = await refuse(world, token_id)

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])


async def test_an_id_of_another_kind_is_not_found(world: Gateway) -> None:
    for key in ("ana", "agents", "support", "C-1"):
        assert (await refuse(world, world.ids[key]))["code"] == "NOT_FOUND"


async def test_anybody_revokes_their_own_even_the_one_they_ask_with(world: Gateway) -> None:
    token, secret = await world.issue_token("cleo")

    assert (await revoke(world, token, token=secret))["errors"] == []
    assert (await world.post(VIEWER, token=secret)).status_code == 401


async def test_one_of_somebody_else_is_not_there_for_who_may_not_see_it(world: Gateway) -> None:
    theirs, _ = await world.issue_token("ana")
    secret = await world.trust("cleo", Right.VIEW_USERS, Right.MANAGE_USERS)
    absent = f"{theirs[:-4]}0000"

    there, not_there = await refuse(world, theirs, token=secret), await refuse(world, absent, token=secret)

    assert there["code"] == "NOT_FOUND"
    assert there["message"].replace(theirs, absent) == not_there["message"]


async def test_the_right_opens_those_of_users_within_ones_rights(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.MANAGE_TOKENS)
    await world.create_user("dora")
    token, theirs = await world.issue_token("dora")

    payload = await revoke(world, token, token=secret)

    assert (payload["errors"], payload["user"], payload["tokenId"]) == ([], None, token)  # whom Cleo does not see
    assert (await world.post(VIEWER, token=theirs)).status_code == 401


async def test_a2_nobody_revokes_one_of_a_wider_account(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.MANAGE_TOKENS)
    ids = [(await world.issue_token(user))[0] for user in ("ana", "ben", "olga")]

    for token in ids:
        error = await refuse(world, token, token=secret)
        assert (error["code"], error["path"]) == ("SELF_ELEVATION", ["id"])
    assert select(world.path, "SELECT actor, action FROM security_events") == [("cleo", "revokeToken")] * 3


async def test_a_dry_run_revokes_nothing(world: Gateway) -> None:
    token, secret = await world.issue_token("ana")

    async with world.unchanged():
        payload = await revoke(world, token, dryRun=True)

    assert (payload["errors"], payload["revision"], payload["tokenId"]) == ([], None, token)
    assert (await world.post(VIEWER, token=secret)).status_code == 200


async def test_the_same_key_again_is_the_first_answer(world: Gateway) -> None:
    token, _ = await world.issue_token("ana")
    first = await revoke(world, token, idempotencyKey="k")

    async with world.unchanged():
        assert await revoke(world, token, idempotencyKey="k") == first


# ---------------------------------------------------------------------- S7: rotation, on every process


def open_other(world: Gateway, path: Path) -> tuple[Services, httpx.AsyncClient]:
    """Another process over the same file, as far as state goes."""
    services = Services(
        Database(f"sqlite+aiosqlite:///{path}"), world.services.program, cursor_key=CURSOR_KEY, clock=world.clock
    )
    transport = httpx.ASGITransport(app=create_app(services, Settings()), raise_app_exceptions=False)
    return services, httpx.AsyncClient(transport=transport, base_url="http://other")


async def test_s7_a_token_is_rotated_under_load_without_a_failed_call(world: Gateway) -> None:
    """Two are good at once; calls go to two processes; the old one, revoked, is refused by both within a second."""
    services, other = open_other(world, world.path)
    old, old_secret = await world.issue_token("ana")
    in_use = old_secret
    answers: list[tuple[str, int]] = []

    async def call(client: httpx.AsyncClient) -> None:
        secret = in_use
        answer = await client.post("/graphql", json=VIEWER, headers={"authorization": f"Bearer {secret}"})
        answers.append((secret, answer.status_code))

    async def call_often() -> None:
        await asyncio.gather(*(call(client) for client in (world.client, other) * 10))

    async with other, asyncio.TaskGroup() as callers:
        with_the_old_one = callers.create_task(call_often())
        _, new_secret = await world.issue_token("ana")
        await call_often()
        in_use = new_secret
        await with_the_old_one
        callers.create_task(call_often())
        assert (await revoke(world, old))["errors"] == []
        revoked_at = time.monotonic()
        for client in (world.client, other):
            answer = await client.post("/graphql", json=VIEWER, headers={"authorization": f"Bearer {old_secret}"})
            assert answer.status_code == 401
        assert time.monotonic() - revoked_at < 1
        await call_often()
    await services.close()

    assert {status for _, status in answers} == {200}
    assert {secret for secret, _ in answers} == {old_secret, new_secret}
