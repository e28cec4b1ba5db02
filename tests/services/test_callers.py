"""Tokens and callers: recognised, refused, revoked; the first account owner."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.schema import migrate
from app.db.unit_of_work import Database
from app.domain.errors import ErrorCode, Refused
from app.domain.tokens import digest_token, make_token
from app.services import callers
from app.services.callers import authenticate, create_first_owner, issue_token, revoke_token
from app.services.context import Services
from tests.factories import CURSOR_KEY, Clock, Gateway, Template, address_of, each_of, read_database, select
from tests.serving import until


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


# ---------------------------------------------------------------------- from memory


@pytest.fixture
async def indexed(world: Gateway) -> Gateway:
    """The contact centre, its rights in memory."""
    await world.services.index.start()
    return world


async def settle(gateway: Gateway) -> None:
    """Waits until the index is the latest."""
    await until(lambda: gateway.services.index.current() is not None)


async def test_who_is_known_is_recognised_without_the_database(indexed: Gateway) -> None:
    token, secret = await indexed.issue_token("ana")
    await settle(indexed)
    first = await authenticate(indexed.services, secret)

    with indexed.counting() as statements:
        again = await authenticate(indexed.services, secret)

    assert statements == []
    assert first is not None and first == again
    assert again.token == token


async def test_one_that_another_process_revokes_ends_at_once(indexed: Gateway, tmp_path: Path) -> None:
    token, secret = await indexed.issue_token("ana")
    await settle(indexed)
    assert await authenticate(indexed.services, secret) is not None
    database = Database(address_of(indexed.path))
    other = Services(database, indexed.services.program, cursor_key=CURSOR_KEY, clock=indexed.clock)

    await revoke_token(other, "test", token)

    assert await authenticate(indexed.services, secret) is None
    await settle(indexed)
    assert await authenticate(indexed.services, secret) is None
    await other.close()


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_one_in_memory_rests_while_its_owner_is_not_active(indexed: Gateway, status: str) -> None:
    _, secret = await indexed.issue_token("ana")
    await settle(indexed)
    assert await authenticate(indexed.services, secret) is not None

    await indexed.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": status})
    assert await authenticate(indexed.services, secret) is None
    await settle(indexed)
    assert await authenticate(indexed.services, secret) is None
    await indexed.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "ACTIVE"})
    assert await authenticate(indexed.services, secret) is not None


async def test_one_in_memory_expires_by_the_clock(indexed: Gateway) -> None:
    _, secret = await indexed.issue_token("ana", expires_at=indexed.clock() + timedelta(hours=1))
    await settle(indexed)

    indexed.clock.advance(minutes=59, seconds=59)
    assert await authenticate(indexed.services, secret) is not None
    with indexed.counting() as statements:
        assert await authenticate(indexed.services, secret) is not None
        indexed.clock.advance(seconds=1)
        assert await authenticate(indexed.services, secret) is None
    assert statements == []


async def test_the_use_of_one_in_memory_is_noted_once_an_hour(indexed: Gateway) -> None:
    token, secret = await indexed.issue_token("ana")
    for _ in range(3):
        indexed.clock.advance(minutes=70)
        for _ in range(3):
            await settle(indexed)
            await authenticate(indexed.services, secret)
        await indexed.services.uses.finish()
        (used,) = select(indexed.path, "SELECT last_used_at FROM tokens WHERE id = ?", token)
        assert str(used[0]).startswith(f"{indexed.clock():%Y-%m-%d %H:%M}")


async def test_what_is_nobodys_is_not_kept(indexed: Gateway) -> None:
    _, secret = await indexed.issue_token("ana")
    wrong = make_token(bytes(32))
    await settle(indexed)

    assert await authenticate(indexed.services, wrong) is None
    await authenticate(indexed.services, secret)

    index = indexed.services.index.current()
    assert index is not None and list(index.callers) == [digest_token(secret)]


async def test_what_was_looked_up_while_something_was_committed_is_not_kept(
    indexed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, secret = await indexed.issue_token("ana")
    await settle(indexed)
    index, find = indexed.services.index.current(), callers._find_token

    async def find_slowly(services: Services, digest: str) -> Any:
        found = await find(services, digest)
        await revoke_token(services, "test", token)
        return found

    monkeypatch.setattr(callers, "_find_token", find_slowly)
    await authenticate(indexed.services, secret)
    monkeypatch.undo()

    assert index is not None and not index.callers
    assert await authenticate(indexed.services, secret) is None


# ---------------------------------------------------------------------- what is kept


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
