"""User.tokens: those that are not revoked, without their secrets."""

from datetime import UTC, datetime

from app.services.callers import revoke_token
from tests.factories import Gateway

DOCUMENT = """query ($ref: UserRef!) { user(ref: $ref) {
  tokens { id label prefix createdAt expiresAt lastUsedAt }
} }"""
ANA = {"ref": {"userName": "ana"}}


async def test_oldest_first(world: Gateway) -> None:
    first, secret = await world.issue_token("ana")
    world.clock.advance(hours=1)
    second, other = await world.issue_token("ana", expires_at=datetime(2027, 1, 1, tzinfo=UTC))

    data = await world.gql(DOCUMENT, ANA)

    assert data["user"]["tokens"] == [
        {
            "id": first, "label": "for a test", "prefix": secret[:12], "createdAt": "2026-06-01T09:00:00Z",
            "expiresAt": None, "lastUsedAt": None,
        },
        {
            "id": second, "label": "for a test", "prefix": other[:12], "createdAt": "2026-06-01T10:00:00Z",
            "expiresAt": "2027-01-01T00:00:00Z", "lastUsedAt": None,
        },
    ]  # fmt: skip


async def test_revoked_ones_are_gone_expired_ones_stay(world: Gateway) -> None:
    first, _ = await world.issue_token("ana")
    second, _ = await world.issue_token("ana", expires_at=datetime(2026, 6, 2, tzinfo=UTC))
    await revoke_token(world.services, "test", first)
    world.clock.advance(days=2)

    data = await world.gql(DOCUMENT, ANA)

    assert [token["id"] for token in data["user"]["tokens"]] == [second]


async def test_use_is_noted_to_about_an_hour(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    world.clock.advance(days=1)

    await world.gql("{ revision }", token=secret)

    data = await world.gql(DOCUMENT, ANA)
    assert data["user"]["tokens"][0]["lastUsedAt"] is not None


async def test_nothing_of_a_secret_is_shown_beyond_its_prefix(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")

    response = await world.post({"query": DOCUMENT, "variables": ANA})

    assert secret[:12] in response.text
    assert secret[:13] not in response.text
