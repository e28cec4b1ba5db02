"""Threats that are nobody else's file: see docs/threats.md for where each of the others is met."""

import itertools
import json
import logging
from typing import Any

import pytest

from app.domain.holders import Assignment, Grant, Role
from app.domain.values import Switch
from app.telemetry import JsonFormatter
from tests.factories import Gateway, holder

MENU, REAL_TIME = "desk.reports.menu", "desk.reports.real_time"


async def test_a11_a_circle_of_roles_answers_alike_in_whatever_order_it_is_asked(world: Gateway) -> None:
    """A circle cannot be made by any mutation; planted, it still gives everybody in it what any of them has."""
    names = ("one", "two", "three")
    ids = {name: world.new_id(Role) for name in names}
    circle = [
        Role(id=ids[name], key=name, display_name=name, parents=(ids[parent],))
        for name, parent in zip(names, ("two", "three", "one"), strict=True)
    ]
    common: dict[str, Any] = {"created_at": world.clock()}
    on = Switch(True)
    grants = [
        Grant(id=world.new_id(Grant), holder=ids["one"], node=MENU, value=on, **common),
        Grant(id=world.new_id(Grant), holder=ids["two"], node=REAL_TIME, value=on, **common),
    ]
    given = [
        Assignment(id=world.new_id(Assignment), holder=world.ids[user], role=ids[name], **common)
        for user, name in zip(("cleo", "ben"), ("three", "one"), strict=True)
    ]
    await world.plant([*circle, *grants, *given])

    question = 'a{n}: user(ref: {{userName: "{user}"}}) {{ can(node: "{node}") {{ allowed }} }}'
    answers = set()
    for order in itertools.permutations([(user, node) for user in ("cleo", "ben") for node in (MENU, REAL_TIME)]):
        document = " ".join(question.format(n=n, user=user, node=node) for n, (user, node) in enumerate(order))
        data = await world.gql(f"{{ {document} }}")
        told = {asked: data[f"a{n}"]["can"]["allowed"] for n, asked in enumerate(order)}
        answers.add(tuple(sorted(told.items())))
    assert len(answers) == 1, answers


async def test_a12_a_grant_for_a_time_beside_another_is_no_grant_for_ever(world: Gateway) -> None:
    now = world.clock()
    soon = f"{now:%Y-%m-%d}T10:00:00Z"
    await world.grant(holder(user="cleo"), {"permission": MENU, "validUntil": soon})
    await world.grant(holder(user="cleo"), {"permission": MENU, "validFrom": f"{now:%Y-%m-%d}T12:00:00Z"})
    document = """query ($at: DateTime) { user(ref: {userName: "cleo"}) {
        can(node: "desk.reports.menu", at: $at) { allowed }
    } }"""

    told = [
        (await world.gql(document, {"at": f"{now:%Y-%m-%d}T{time}Z"}))["user"]["can"]["allowed"]
        for time in ("09:59:59", "10:00:00", "11:59:59", "12:00:00")
    ]

    assert told == [True, False, False, True]


async def test_a17_an_owner_steps_down_only_where_another_stays(world: Gateway) -> None:
    (refusal,) = await world.refuse("setAccountOwner", {"user": {"userName": "olga"}, "isOwner": False})
    assert refusal["code"] == "LAST_OWNER"

    await world.mutate("setAccountOwner", {"user": {"userName": "ben"}, "isOwner": True})
    payload = await world.mutate("setAccountOwner", {"user": {"userName": "olga"}, "isOwner": False}, "isOwner")
    assert payload["user"] is None or payload["user"]["isOwner"] is False


async def test_s9_no_mail_address_and_no_variable_reaches_the_log(
    world: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("permgate")
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.DEBUG, logger="permgate")
    marker = "marker-7731@example.org"
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "email": marker, "displayName": marker})
    await world.send("updateUser", {"user": {"userName": marker}, "email": marker})
    await world.ask("query ($q: String) { users(filter: {search: $q}) { totalCount } }", {"q": marker})
    await world.ask("query ($q: Int!) { users(first: $q) { totalCount } }", {"q": marker})
    await world.post({"query": f"# {marker}\n{{ nothing }}", "operationName": marker})

    assert [record for record in caplog.records if marker in JsonFormatter().format(record)] == []


@pytest.mark.parametrize(
    "name", ["x-user", "x-forwarded-user", "x-remote-user", "x-auth-request-user", "remote-user", "x-original-user"]
)
async def test_s10_a_header_that_names_somebody_is_no_token(world: Gateway, name: str) -> None:
    body = {"query": "{ viewer { user { userName } } }"}
    nobody = await world.client.post("/graphql", json=body, headers={name: "olga"})
    _, secret = await world.issue_token("cleo")
    named = await world.client.post("/graphql", json=body, headers={name: "olga", "authorization": f"Bearer {secret}"})

    assert nobody.status_code == 401
    assert named.json()["data"] == {"viewer": {"user": {"userName": "cleo"}}}


async def test_t27_callers_at_once_are_each_answered_as_themselves(world: Gateway) -> None:
    """What belongs to one request is shared with no other, however many run."""
    import asyncio

    tokens = {name: (await world.issue_token(name))[1] for name in ("ana", "ben", "cleo")}
    asked = [name for _ in range(20) for name in tokens]

    async def ask(name: str) -> tuple[str, str]:
        data = await world.gql("{ viewer { user { userName } } users { totalCount } }", token=tokens[name])
        return name, data["viewer"]["user"]["userName"]

    answers = await asyncio.gather(*(ask(name) for name in asked))

    assert [name for name, told in answers if name != told] == []


async def test_refused_attempts_are_noted_apart_from_the_audit_log(world: Gateway) -> None:
    _, secret = await world.issue_token("cleo")
    head = await world.head()
    asked = {"holder": holder(user="cleo"), "grants": [{"permission": MENU}]}

    payload = await world.send("grantPermissions", asked, token=secret)
    await world.send("grantPermissions", {**asked, "dryRun": True}, token=secret)

    assert [error["code"] for error in payload["errors"]] == ["NOT_PERMITTED"] or payload["errors"]
    assert await world.head() == head
    async with world.services.database.reading(world.services.catalog) as unit:
        (event,) = await unit.security.read(limit=10)
    assert (event.actor, event.actor_id, event.action) == ("cleo", world.ids["cleo"], "grantPermissions")
    assert [code for code, _ in event.refusals] == ["NOT_PERMITTED"]
    assert secret not in json.dumps(event.refusals)
