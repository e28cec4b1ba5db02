"""What fails inside stays inside: the client gets a reference, the log what it refers to."""

import logging
import re
from typing import Any

import pytest

from app.db.repositories.users import Users
from app.services import users
from tests.factories import Gateway, each_of

SECRET = "column users.secret at /srv/permgate/app/db/tables.py"
INTERNAL = re.compile(
    r"Traceback|sqlalchemy|sqlite|aiosqlite|strawberry|graphql\.|starlette|\bapp[./]|\.py\b|KeyError|AttributeError|"
    r"NoneType|object at 0x|SELECT |INSERT |site-packages",
    re.IGNORECASE,
)


class Broken(Exception):
    pass


def fail(*_given: Any, **_named: Any) -> Any:
    raise Broken(SECRET)


async def test_a_resolver_that_fails_is_masked_with_a_reference_to_the_log(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(users, "list_tokens", fail)

    with caplog.at_level(logging.ERROR, logger="permgate"):
        answer = await world.ask("""{ revision user(ref: {userName: "ana"}) { userName tokens { label } } }""")

    (error,) = answer["errors"]
    match = re.fullmatch(r"internal error, reference ([0-9a-f]{12})", error["message"])
    assert match is not None
    assert error["path"] == ["user", "tokens"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert answer["data"]["user"] is None
    assert answer["data"]["revision"] == str(world.answered_from)
    (record,) = [record for record in caplog.records if record.name == "permgate"]
    assert record.fields["reference"] == match[1]  # type: ignore[attr-defined]
    assert record.exc_info is not None and record.exc_info[0] is Broken


async def test_a_mutation_that_fails_is_masked_and_leaves_nothing(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Users, "count_active_owners", fail)

    async with world.unchanged():
        answer = await world.ask('mutation { createUser(input: {userName: "dora"}) { revision } }')

    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert SECRET not in str(answer)
    assert "createUser" in str([getattr(record, "fields", {}) for record in caplog.records])


async def test_variables_are_not_in_the_log(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Users, "count_active_owners", fail)
    document = "mutation ($input: CreateUserInput!) { createUser(input: $input) { revision } }"

    with caplog.at_level(logging.DEBUG, logger="permgate"):
        await world.ask(document, {"input": {"userName": "someone private"}})

    assert caplog.records
    assert "someone private" not in str([vars(record) for record in caplog.records if record.name == "permgate"])


@pytest.mark.parametrize("path", ["/graphql", "/readyz"])
async def test_a_database_that_is_gone_is_told_without_a_word_about_it(world: Gateway, path: str) -> None:
    await world.services.database.close()
    world.path.write_bytes(b"this is no database" * 100)
    for suffix in ("-wal", "-shm"):
        world.path.with_name(world.path.name + suffix).unlink(missing_ok=True)

    if path == "/graphql":
        response = await world.post({"query": "{ revision }"})
    else:
        response = await world.client.get(path)

    assert response.status_code in {500, 503}
    assert not INTERNAL.search(response.text)


NONSENSE: list[dict[str, Any]] = [
    {"query": "{ user(ref: {id: 1.5}) { id } }"},
    {"query": "{ user(ref: 5) { id } }"},
    {"query": '{ check(input: {user: {id: "x"}, node: "y", at: 5}) { allowed } }'},
    {"query": '{ auditLog(filter: {afterRevision: 1}) { totalCount } }'},
    {"query": '{ users(after: "\\u0000") { totalCount } }'},
    {"query": "query ($x: [UserRef!]) { revision }", "variables": {"x": [{"id": []}]}},
    {"query": "query ($x: CheckInput!) { check(input: $x) { allowed } }", "variables": {"x": {"user": {"id": {}}}}},
    {"query": "query ($x: RightValueInput) { revision }", "variables": {"x": {"amount": 2**40}}},
    {"query": "query ($x: RightValueInput) { revision }", "variables": {"x": {"on": None}}},
    {"query": "query ($x: DateTime) { revision }", "variables": {"x": "yesterday"}},
    {"query": "query ($x: Revision) { revision }", "variables": {"x": "-1"}},
    {"query": "{ __type(name: 5) { name } }"},
    {"query": "mutation { createUser(input: {userName: {a: 1}}) { revision } }"},
    {"query": "{ a: revision a: viewer { source } }"},
]  # fmt: skip


@each_of("body", NONSENSE)
async def test_no_message_names_what_is_inside(world: Gateway, body: dict[str, Any]) -> None:
    response = await world.post(body)

    assert response.status_code == 200
    answer = response.json()
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {
        "BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"
    }  # fmt: skip
    assert not INTERNAL.search(response.text), response.text
