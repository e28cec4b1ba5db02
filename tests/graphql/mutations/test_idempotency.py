"""`idempotencyKey`, on every mutation alike: the same request again gives the first answer again, and does nothing."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.services.writing import KEYS_KEPT_FOR
from tests.factories import Answer, Gateway, each_of, holder, select
from tests.graphql.test_every_mutation import EXAMPLES
from tests.histories import assert_sound

ANA, CLEO = {"userName": "ana"}, {"userName": "cleo"}
NUMBERS = "desk.calls.numbers"
KEPT = "SELECT count(*) FROM idempotency_keys"


def kept(world: Gateway) -> int:
    """How many answers are kept."""
    ((count,),) = select(world.path, KEPT)
    return int(count)


async def mismatch(world: Gateway, field: str, given: dict[str, Any]) -> str:
    """The message of a refusal of a key that was used for something else; asserts that nothing was written."""
    async with world.unchanged():
        payload = await world.send(field, given)
    (error,) = payload["errors"]
    assert (error["code"], error["path"]) == ("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])
    assert (payload["revision"], payload["changes"], payload["warnings"]) == (None, [], [])
    message: str = error["message"]
    return message


@pytest.fixture
async def ina(world: Gateway) -> str:
    """The token of another account owner."""
    await world.create_user("ina")
    await world.mutate("setAccountOwner", {"user": {"userName": "ina"}, "isOwner": True})
    return (await world.issue_token("ina"))[1]


# ---------------------------------------------------------------------- the same again


@pytest.mark.parametrize("field", EXAMPLES)
async def test_the_same_request_again_is_the_same_answer(field: str, world: Gateway) -> None:
    """F1: an answer that was lost on its way is asked for again: at once, and after others have written.

    A secret alone is not given twice, and the answer says so.
    """
    example = EXAMPLES[field]
    given = {**await example.given(world), "idempotencyKey": "night run 7", "reason": "as agreed"}
    first = await world.mutate(field, given, example.select)
    assert first["changes"] and kept(world) == 1

    async with world.unchanged():
        assert _without_advice(field, await world.mutate(field, given, example.select)) == first
    await world.mutate("updateTeam", {"team": {"key": "night"}, "displayName": "Later"})
    async with world.unchanged():
        again = _without_advice(field, await world.mutate(field, given))

    for name in ("revision", "changes", "warnings", "errors"):
        assert again[name] == first[name]


def _without_advice(field: str, payload: Answer) -> Answer:
    """An answer given again, without what it says of a secret that is not."""
    told = [warning for warning in payload["warnings"] if warning["path"] != ["idempotencyKey"]]
    assert (told != payload["warnings"]) is (field in {"issueToken", "createServiceAccount"})
    return {**payload, "warnings": told}


@pytest.mark.parametrize("field", EXAMPLES)
async def test_a_key_is_of_one_request_of_one_caller(field: str, world: Gateway, ina: str) -> None:
    """Another input or another mutation under it is refused; another caller's is another key."""
    given = {**await EXAMPLES[field].given(world), "idempotencyKey": "one"}
    await world.mutate(field, given)
    other = "updateTeam" if field == "createUser" else "createUser"
    others: dict[str, Any] = {"team": {"key": "night"}} if other == "updateTeam" else {"userName": "eva"}

    assert f"`{field}`" in await mismatch(world, field, {**given, "reason": "another"})
    assert f"`{field}`" in await mismatch(world, other, {**others, "idempotencyKey": "one"})

    payload = await world.send("createUser", {"userName": "finn", "idempotencyKey": "one"}, token=ina)
    assert payload["errors"] == [] and payload["changes"]
    assert kept(world) == 2


async def test_no_change_is_an_answer_as_well(world: Gateway) -> None:
    given = {"user": ANA, "displayName": "ana", "idempotencyKey": "one"}
    first = await world.mutate("updateUser", given)
    assert first["changes"] == []
    await world.mutate("updateUser", {"user": ANA, "displayName": "Ana R."})

    async with world.unchanged():
        again = await world.mutate("updateUser", given)

    assert (again["revision"], again["changes"]) == (first["revision"], [])


async def test_warnings_are_given_again(world: Gateway) -> None:
    given = {
        "contract": {"number": "C-1"}, "products": ["core"], "onDependents": "SUSPEND", "idempotencyKey": "one",
    }  # fmt: skip
    first = await world.mutate("updateContract", given)
    assert first["warnings"]

    assert await world.mutate("updateContract", given) == first


async def test_the_same_request_twice_at_once_is_one_change(world: Gateway) -> None:
    """F1: a client that lost patience: ten at once are one revision and ten equal answers."""
    before = await world.revision()
    given = {"holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.menu"}], "idempotencyKey": "one"}

    payloads = await asyncio.gather(*(world.send("grantPermissions", given) for _ in range(10)))

    assert payloads == [payloads[0]] * 10
    assert payloads[0]["errors"] == [] and await world.revision() == before + 1


# ---------------------------------------------------------------------- what is no other request


async def test_the_order_of_fields_and_the_way_of_writing_them_do_not_matter(world: Gateway) -> None:
    """A key is of what is asked, not of its spelling: variables or literals, an offset or another."""
    until, same = "2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00"
    given = {
        "holder": holder(user="cleo"), "idempotencyKey": "one",
        "grants": [{"permission": "desk.reports.menu", "validUntil": until}],
    }  # fmt: skip
    first = await world.mutate("grantPermissions", given)
    literal = f"""mutation {{ grantPermissions(input: {{
      grants: [{{validUntil: "{same}", permission: "desk.reports.menu"}}], idempotencyKey: "one"
      dryRun: false, onMissingPrerequisites: REJECT, holder: {{user: {{userName: "cleo"}}}}
    }}) {{ revision errors {{ code }} }} }}"""

    async with world.unchanged():
        answer = await world.gql(literal)

    assert answer["grantPermissions"] == {"revision": first["revision"], "errors": []}


DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("updateUser", {"user": ANA, "email": None}, {"user": ANA}),  # null clears, left out leaves
    ("updateUser", {"user": ANA, "displayName": None}, {"user": ANA, "displayName": "ana"}),
    ("updateTeam", {"team": {"key": "night"}, "parent": None}, {"team": {"key": "night"}}),
    ("updateRole", {"role": {"key": "writers"}, "parents": []}, {"role": {"key": "writers"}}),
    ("createUser", {"userName": "eva"}, {"userName": "Eva"}),
    ("setUserStatus", {"user": ANA, "status": "SUSPENDED"}, {"user": ANA, "status": "ARCHIVED"}),
    ("setAccountOwner", {"user": CLEO, "isOwner": True}, {"user": CLEO, "isOwner": False}),
    ("addTeamMembers", {"team": {"key": "night"}, "users": [ANA, CLEO]}, {"team": {"key": "night"}, "users": [ANA]}),
    ("updateUser", {"user": ANA, "displayName": "1,2"}, {"user": ANA, "displayName": "1", "email": "2@example.org"}),
    (
        "limitPermissions",
        {"holder": holder(user="ana"), "limits": [{"permission": "desk.calls.channels", "value": {"amount": 1}}]},
        {"holder": holder(user="ana"), "limits": [{"permission": "desk.calls.channels", "value": {"amount": 5}}]},
    ),
    (
        "limitPermissions",
        {"holder": holder(user="ana"), "limits": [{"permission": NUMBERS, "value": {"members": ["a,b"]}}]},
        {"holder": holder(user="ana"), "limits": [{"permission": NUMBERS, "value": {"members": ["a", "b"]}}]},
    ),
    (
        "grantPermissions",
        {"holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.menu", "value": {"on": True}}]},
        {"holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.menu", "value": {"full": True}}]},
    ),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DIFFERENT)))
async def test_requests_that_mean_different_things_are_different(world: Gateway, number: int) -> None:
    """Either way round: what is null and what is left out, one item and two, one text and two that make it up."""
    field, one, other = DIFFERENT[number]
    await world.mutate(field, {**one, "idempotencyKey": "one"})
    await mismatch(world, field, {**other, "idempotencyKey": "one"})

    assert (await world.send(field, {**other, "idempotencyKey": "other"}))["errors"] == []
    await mismatch(world, field, {**one, "idempotencyKey": "other"})


# ---------------------------------------------------------------------- what is not kept


@each_of("field", EXAMPLES)
async def test_refused_and_dry_requests_are_not_kept(field: str, world: Gateway) -> None:
    """Their key is as good as new: for the same request mended, and for any other."""
    given = {**await EXAMPLES[field].given(world), "idempotencyKey": "one"}

    async with world.unchanged():
        (refusal,) = (await world.send(field, {**given, "reason": "x" * 2001}))["errors"]
        dry = await world.send(field, {**given, "dryRun": True})
        other = await world.send("createUser", {"userName": "eva", "idempotencyKey": "one", "dryRun": True})

    assert refusal["path"] == ["reason"]
    assert dry["errors"] == other["errors"] == [] and dry["changes"] and other["changes"]
    assert kept(world) == 0


async def test_a_request_that_was_refused_goes_through_under_its_key_once_nothing_stands_in_the_way(
    world: Gateway,
) -> None:
    given = {
        "holder": holder(user="cleo"), "grants": [{"permission": "desk.reports.real_time"}], "idempotencyKey": "one",
    }  # fmt: skip
    assert [error["code"] for error in await world.refuse("grantPermissions", given)] == ["PREREQUISITE_NOT_MET"]
    await world.grant(holder(user="cleo"), "desk.reports.menu")

    assert (await world.mutate("grantPermissions", given))["changes"]


async def test_a_dry_run_under_a_key_that_was_used_is_a_dry_run(world: Gateway) -> None:
    given = {"user": ANA, "displayName": "Ana R.", "idempotencyKey": "one"}
    await world.mutate("updateUser", given)

    async with world.unchanged():
        dry = await world.send("updateUser", {"user": ANA, "displayName": "B", "idempotencyKey": "one", "dryRun": True})

    assert (dry["errors"], dry["revision"]) == ([], None) and dry["changes"]


# ---------------------------------------------------------------------- for how long


async def test_an_answer_is_kept_for_seven_days_and_no_longer(world: Gateway) -> None:
    """A24 of keys: to the microsecond, and the table is no longer than a week."""
    assert timedelta(days=7) == KEYS_KEPT_FOR
    given = {"userName": "eva", "idempotencyKey": "one"}
    first = await world.mutate("createUser", given)

    world.clock.advance(days=7)
    assert await world.mutate("createUser", given) == first
    world.clock.advance(microseconds=1)
    assert [error["code"] for error in await world.refuse("createUser", given)] == ["DUPLICATE"]

    await world.mutate("createUser", {"userName": "finn", "idempotencyKey": "one"})
    assert kept(world) == 1


async def test_the_table_holds_a_week_and_no_more(world: Gateway) -> None:
    for day in range(20):
        await world.mutate("createUser", {"userName": f"user {day}", "idempotencyKey": f"day {day}"})
        assert kept(world) == min(day + 1, 8)  # today, and seven days back
        world.clock.advance(days=1)


async def test_an_answer_is_there_after_the_clock_stepped_back(world: Gateway) -> None:
    """A24: by more than the gateway waits for, so that it was given in what is the future now."""
    given = {"userName": "eva", "idempotencyKey": "one"}
    first = await world.mutate("createUser", given)
    world.clock.advance(days=-30)

    assert await world.mutate("createUser", given) == first


# ---------------------------------------------------------------------- keys that are none


@each_of("field", EXAMPLES)
async def test_a_key_that_is_no_name_is_refused(field: str, world: Gateway) -> None:
    given = await EXAMPLES[field].given(world)

    for key in ("", " ", "k" * 257, "one ", "one\ntwo", "right\u202eto left", "zero\u200bwidth"):
        (error,) = await world.refuse(field, {**given, "idempotencyKey": key})
        assert (error["code"], error["path"]) == ("INVALID_VALUE", ["idempotencyKey"])
        assert error["expected"] == "1 to 256 visible characters, no space around them"


async def test_half_a_character_is_no_request(world: Gateway) -> None:
    """A lone surrogate has no UTF-8: it is told so before anything runs, in the key and in what the key is made of."""
    for given in ({"userName": "eva", "idempotencyKey": "\ud800"}, {"userName": "\udfff", "idempotencyKey": "one"}):
        async with world.unchanged():
            response = await world.client.post(
                "/graphql",
                content=json_ascii({"query": CREATE, "variables": {"input": given}}),
                headers={"authorization": f"Bearer {world.token}", "content-type": "application/json"},
            )
        assert response.status_code == 400, response.text


async def test_null_is_no_key(world: Gateway) -> None:
    for name in ("eva", "finn"):
        await world.mutate("createUser", {"userName": name, "idempotencyKey": None})

    assert kept(world) == 0


async def test_keys_are_compared_exactly(world: Gateway) -> None:
    """A19: case and all; one key in two forms of Unicode is one."""
    keys = ["one", "One", "ONE", "on\u00e9", "\uff4fne", "\u03bfne", "k" * 256]
    for number, key in enumerate(keys):
        await world.mutate("createUser", {"userName": f"user {number}", "idempotencyKey": key})

    assert kept(world) == len(keys)
    await mismatch(world, "createUser", {"userName": "eva", "idempotencyKey": "one\u0301"})


# ---------------------------------------------------------------------- with the change, or not at all

CREATE = "mutation($input: CreateUserInput!) { createUser(input: $input) { revision errors { code } } }"
FAILING = {
    "the answer": "idempotency_keys",
    "the audit entry": "audit_entries",
    "the subjects of the entry": "audit_subjects",
    "the change": "users",
}


def run_sql(world: Gateway, statement: str) -> None:
    with closing(sqlite3.connect(world.path)) as connection:
        connection.execute(statement)
        connection.commit()


async def fails(world: Gateway, given: dict[str, Any]) -> None:
    """Asserts that a creation fails, as no refusal, and leaves nothing."""
    async with world.unchanged():
        answer = await world.ask(CREATE, {"input": given})
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("what", FAILING)
async def test_where_one_of_them_cannot_be_written_nothing_is(world: Gateway, what: str) -> None:
    """S12: change, audit entry and kept answer are one transaction; the key is as good as new."""
    given = {"userName": "eva", "idempotencyKey": "one"}
    run_sql(world, f"CREATE TRIGGER fails BEFORE INSERT ON {FAILING[what]} BEGIN SELECT RAISE(ABORT, 'full'); END")
    await fails(world, given)
    run_sql(world, "DROP TRIGGER fails")

    assert (await world.mutate("createUser", given))["changes"]
    assert kept(world) == 1
    await assert_sound(world.services, world.path)


async def test_where_the_commit_fails_neither_is_kept(world: Gateway) -> None:
    """S12, F1: what was answered with an error can be sent again under its key."""
    given = {"userName": "eva", "idempotencyKey": "one"}
    engine = world.services.database.engine.sync_engine

    def fail(_connection: object) -> None:
        raise OSError("no space left on device")

    event.listen(engine, "commit", fail)
    try:
        async with world.unchanged():
            answer = await world.ask(CREATE, {"input": given}, status=500)
    finally:
        event.remove(engine, "commit", fail)

    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "outcome": "UNKNOWN"}

    assert (await world.mutate("createUser", given))["changes"]
    await assert_sound(world.services, world.path)


async def test_where_the_answer_is_lost_after_the_commit_it_is_given_again(world: Gateway) -> None:
    """F1: the change is durable and nobody was told: the same key tells."""
    given = {"userName": "eva", "idempotencyKey": "one"}
    before = await world.revision()

    def fail() -> None:
        raise OSError("the connection is gone")

    world.services.database.after_commit.append(fail)
    answer = await world.ask(CREATE, {"input": given})
    world.services.database.after_commit.remove(fail)

    assert answer["errors"]
    payload = await world.mutate("createUser", given)
    assert payload["revision"] == str(before + 1) == str(await world.revision())


def json_ascii(content: object) -> bytes:
    """JSON in which every character beyond ASCII is escaped, halves of one too."""
    return json.dumps(content).encode()
