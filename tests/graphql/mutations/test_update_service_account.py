"""updateServiceAccount: another ceiling of a service account."""

import json
from typing import Any

import pytest

from app.domain.callers import Right
from tests.factories import Answer, Gateway, holder, select

AGENTS, WRITERS = {"key": "agents"}, {"key": "writers"}
BOT = {"user": {"userName": "bot"}}
MAKER = (Right.MANAGE_SERVICE_ACCOUNTS, Right.VIEW_ROLES, Right.VIEW_USERS, Right.VIEW_CONTRACTS)
CAP = {"contract": {"number": "C-1"}, "product": "core", "level": "USER"}


@pytest.fixture
async def bot(world: Gateway) -> str:
    """A service account under the ceiling `agents` and one level: the secret of its token."""
    return await world.create_service_account("bot", "agents", accessCeiling=[CAP])


def ceiling(world: Gateway) -> tuple[list[str], list[list[str]]]:
    """Roles and levels of the account's ceiling, by their natural keys."""
    names = {value: key for key, value in world.ids.items()}
    ((text,),) = select(world.path, "SELECT ceiling FROM users WHERE user_name = 'bot' AND ended_revision IS NULL")
    content = json.loads(text)
    levels = [[names[contract], product, level] for contract, product, level in content["levels"]]
    return sorted(names[role] for role in content["roles"]), levels


async def codes(world: Gateway, given: Answer, *, token: str) -> list[Any]:
    payload = await world.send("updateServiceAccount", given, token=token)
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def test_what_is_left_out_stays(world: Gateway, bot: str) -> None:
    payload = await world.both_ways("updateServiceAccount", {**BOT, "ceiling": [WRITERS, AGENTS]}, "userName kind")

    assert payload["user"] == {"userName": "bot", "kind": "SERVICE"}
    (change,) = payload["changes"]
    assert change["action"] == "update_user"
    assert change["before"] == f"ceiling: roles {world.ids['agents']}, levels {world.ids['C-1']} core USER"
    assert ceiling(world) == (["agents", "writers"], [["C-1", "core", "USER"]])

    level = {**CAP, "level": "ADMINISTRATOR"}
    await world.mutate("updateServiceAccount", {**BOT, "accessCeiling": [level]})
    assert ceiling(world) == (["agents", "writers"], [["C-1", "core", "ADMINISTRATOR"]])


async def test_null_clears(world: Gateway, bot: str) -> None:
    await world.mutate("updateServiceAccount", {**BOT, "ceiling": None})
    assert ceiling(world) == ([], [["C-1", "core", "USER"]])

    await world.mutate("updateServiceAccount", {**BOT, "accessCeiling": None})
    assert ceiling(world) == ([], [])


async def test_the_same_again_is_no_change(world: Gateway, bot: str) -> None:
    await world.no_change("updateServiceAccount", BOT)
    await world.no_change("updateServiceAccount", {**BOT, "ceiling": [AGENTS], "accessCeiling": [CAP]})


async def test_a_person_has_no_ceiling(world: Gateway) -> None:
    (error,) = await world.refuse("updateServiceAccount", {"user": {"userName": "ana"}, "ceiling": []})

    assert (error["code"], error["path"]) == ("CONFLICT", ["user"])


async def test_all_faults_come_together(world: Gateway, bot: str) -> None:
    given = {"ceiling": [{"key": "nothing"}], "accessCeiling": [{**CAP, "product": "tel", "level": "OWNER"}]}

    errors = await world.refuse("updateServiceAccount", {**BOT, **given})
    assert [(error["code"], error["path"]) for error in errors] == [
        ("NOT_FOUND", ["ceiling", "0"]),
        ("INVALID_VALUE", ["accessCeiling", "0", "product"]),
        ("INVALID_VALUE", ["accessCeiling", "0", "level"]),
    ]
    errors = await world.refuse("updateServiceAccount", {"user": {"userName": "nobot"}, **given})
    assert [(error["code"], error["path"]) for error in errors] == [
        ("NOT_FOUND", ["user"]),
        ("NOT_FOUND", ["ceiling", "0"]),
    ]


async def test_needs_the_right_everywhere(world: Gateway, bot: str) -> None:
    secret = await world.trust("cleo", Right.MANAGE_USERS, Right.VIEW_USERS)
    await world.trust("cleo", Right.MANAGE_SERVICE_ACCOUNTS, contract="C-1")

    assert await codes(world, {**BOT, "ceiling": []}, token=secret) == [("NOT_PERMITTED", [])]


async def test_what_is_added_lies_within_what_the_caller_can_give(world: Gateway, bot: str) -> None:
    secret = await world.trust("cleo", *MAKER)

    async with world.unchanged():
        wider = {**BOT, "ceiling": [AGENTS, WRITERS]}
        assert set(map(str, await codes(world, wider, token=secret))) == {"('DELEGATION_EXCEEDED', ['ceiling'])"}
        higher = {**BOT, "accessCeiling": [{**CAP, "level": "ADMINISTRATOR"}]}
        assert [code for code, _ in await codes(world, higher, token=secret)] == ["NOT_PERMITTED"]
    assert await codes(world, {**BOT, "ceiling": []}, token=secret) == [], "less is nobody's gain"


async def test_nobody_changes_their_own(world: Gateway, bot: str) -> None:
    await world.trust("bot", *MAKER, "desk.reports.menu")

    async with world.unchanged():
        for given in ({"ceiling": [AGENTS, WRITERS]}, {"ceiling": []}, {"accessCeiling": None}):
            assert "SELF_ELEVATION" in [code for code, _ in await codes(world, {**BOT, **given}, token=bot)]


async def test_a_ceiling_that_is_lowered_holds_at_once(world: Gateway, bot: str) -> None:
    await world.trust("bot", Right.GRANT_RIGHTS, Right.VIEW_RIGHTS, Right.VIEW_USERS, "desk.reports.menu")
    grants = {"holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.menu"}], "dryRun": True}
    assert (await world.send("grantPermissions", grants, token=bot))["errors"] == []

    await world.mutate("updateServiceAccount", {**BOT, "ceiling": None})

    errors = (await world.send("grantPermissions", grants, token=bot))["errors"]
    assert [error["code"] for error in errors] == ["DELEGATION_EXCEEDED"]
