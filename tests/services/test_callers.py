"""Tokens and callers: recognised, refused, revoked; the first account owner."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.db.schema import migrate
from app.db.unit_of_work import Database
from app.domain.errors import ErrorCode, Refused
from app.domain.tokens import digest_token
from app.services.callers import authenticate, create_first_owner, issue_token, revoke_token
from app.services.context import Services
from tests.factories import CURSOR_KEY, Clock, Gateway, Template, each_of, read_database, select


async def test_a_token_is_recognised_as_its_owners(world: Gateway) -> None:
    token, secret = await world.issue_token("ana")

    caller = await authenticate(world.services, secret)

    assert caller is not None
    assert (caller.user, caller.user_name, caller.token) == (world.ids["ana"], "ana", token)


@each_of("text", ["", "x", "pgt_", "pgt_" + "0" * 49, "Bearer x", "pgt_" + "\u0660" * 49])
async def test_what_is_no_token_is_nobodys_and_the_database_is_not_asked(world: Gateway, text: str) -> None:
    with world.counting() as statements:
        assert await authenticate(world.services, text) is None

    assert statements == []


async def test_a_token_is_taken_exactly(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")

    for other in (
        secret.lower(),
        secret.upper(),
        secret[:-1],
        secret + "0",
        f" {secret}",
        secret[:10] + "0" + secret[11:],
    ):
        if other != secret:
            assert await authenticate(world.services, other) is None


async def test_it_is_good_until_just_before_it_expires(world: Gateway) -> None:
    _, secret = await world.issue_token("ana", expires_at=world.clock() + timedelta(hours=1))

    world.clock.advance(minutes=59, seconds=59)
    assert await authenticate(world.services, secret) is not None
    world.clock.advance(seconds=1)
    assert await authenticate(world.services, secret) is None


async def test_it_ends_at_once_when_it_is_revoked(world: Gateway) -> None:
    token, secret = await world.issue_token("ana")
    _, other = await world.issue_token("ana")

    await revoke_token(world.services, "test", token)

    assert await authenticate(world.services, secret) is None
    assert await authenticate(world.services, other) is not None
    head = await world.head()
    assert (head["action"], head["actor"]) == ("revokeToken", "test")
    assert head["subjects"] == [{"id": world.ids["ana"]}]
    assert head["changes"][0]["detail"].startswith("revoked the token `for a test` (pgt_")


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_it_rests_while_its_owner_is_not_active(world: Gateway, status: str) -> None:
    _, secret = await world.issue_token("ana")

    await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": status})
    assert await authenticate(world.services, secret) is None
    await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "ACTIVE"})
    assert await authenticate(world.services, secret) is not None


async def test_a_renamed_caller_is_known_by_the_new_name(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    await world.mutate("updateUser", {"user": {"userName": "ana"}, "userName": "anna"})

    caller = await authenticate(world.services, secret)

    assert caller is not None and caller.user_name == "anna"


async def test_of_a_secret_only_its_digest_is_kept(world: Gateway) -> None:
    token, secret = await world.issue_token("ana")

    assert secret not in read_database(world.path)
    assert select(world.path, "SELECT digest, prefix FROM tokens WHERE id = ?", token) == [
        (digest_token(secret), secret[:12])
    ]


async def test_issuing_is_a_revision_with_its_audit_entry(world: Gateway) -> None:
    before = await world.revision()

    await issue_token(world.services, "test", "ana", label="for the night", expires_at=None)

    head = await world.head()
    assert (head["revision"], head["action"], head["actor"]) == (str(before + 1), "issueToken", "test")
    assert head["changes"][0]["detail"].startswith("issued the token `for the night` (pgt_")


@each_of("label", ["", " ", "\u202e"])
async def test_a_label_must_be_a_name(world: Gateway, label: str) -> None:
    async with world.unchanged():
        with pytest.raises(Refused) as refused:
            await issue_token(world.services, "test", "ana", label=label, expires_at=None)

    assert [(error.code, error.path) for error in refused.value.errors] == [(ErrorCode.INVALID_VALUE, ("label",))]


async def test_a_token_for_nobody_is_refused(world: Gateway) -> None:
    async with world.unchanged():
        with pytest.raises(Refused) as refused:
            await issue_token(world.services, "test", "nobody", label="x", expires_at=None)

    assert [error.code for error in refused.value.errors] == [ErrorCode.NOT_FOUND]


async def test_a_name_is_found_in_either_unicode_form(world: Gateway) -> None:
    await world.create_user("Zo\u00eb")

    await issue_token(world.services, "test", "Zoe\u0308", label="x", expires_at=None)


@each_of("token", ["", "tok_0", "x"])
async def test_what_is_no_token_cannot_be_revoked(world: Gateway, token: str) -> None:
    async with world.unchanged():
        with pytest.raises(Refused, match="there is no token"):
            await revoke_token(world.services, "test", token)


async def test_a_revoked_one_cannot_be_revoked_again(world: Gateway) -> None:
    token, _ = await world.issue_token("ana")
    await revoke_token(world.services, "test", token)

    async with world.unchanged():
        with pytest.raises(Refused, match="there is no token"):
            await revoke_token(world.services, "test", token)


async def test_the_first_owner_is_made_on_a_database_without_people_alone(template: Template, tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    await migrate(database)
    services = Services(
        database, template.program, cursor_key=CURSOR_KEY, clock=Clock(datetime(2026, 1, 1, tzinfo=UTC))
    )

    _, secret = await create_first_owner(services, "olga", label="first")
    caller = await authenticate(services, secret)
    with pytest.raises(Refused, match="there are users already"):
        await create_first_owner(services, "otto", label="first")
    await services.close()

    assert caller is not None and caller.user_name == "olga"
    assert select(tmp_path / "new.db", "SELECT user_name, is_owner FROM users") == [("olga", 1)]


async def test_a_first_owner_without_a_name_is_refused_whole(template: Template, tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    await migrate(database)
    services = Services(database, template.program, cursor_key=CURSOR_KEY)

    with pytest.raises(Refused):
        await create_first_owner(services, "\u202e", label="first")
    await services.close()

    assert select(tmp_path / "new.db", "SELECT 1 FROM users") == []
