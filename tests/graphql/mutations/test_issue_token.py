"""issueToken: a token of oneself, or of a user within one's rights; its secret is in the first answer alone."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.callers import Right
from app.domain.tokens import MAX_TOKENS, digest_token
from app.services.callers import authenticate
from tests.factories import START, Answer, Gateway, each_of, holder, read_database, select

ISSUE = """mutation($input: IssueTokenInput!) { issueToken(input: $input) {
  user { userName } tokenId secret revision changes { action row before after detail holder { id } }
  errors { code message path } warnings { code message path }
} }"""
ANA, CLEO = {"userName": "ana"}, {"userName": "cleo"}


async def issue(world: Gateway, user: str = "ana", *, token: str | None = None, **given: Any) -> Answer:
    """The whole payload."""
    asked = {"user": {"userName": user}, "label": "night job", **given}
    payload: Answer = (await world.gql(ISSUE, {"input": asked}, token=token))["issueToken"]
    return payload


async def refuse(world: Gateway, user: str = "ana", *, token: str | None = None, **given: Any) -> tuple[str, list[str]]:
    """Code and path of the only refusal; asserts that nothing was changed or shown."""
    async with world.unchanged():
        payload = await issue(world, user, token=token, **given)
    (error,) = payload.pop("errors")
    assert payload == {
        "user": None, "tokenId": None, "secret": None, "revision": None, "changes": [], "warnings": []
    }  # fmt: skip
    return error["code"], error["path"]


async def test_the_secret_opens_what_its_user_has(world: Gateway) -> None:
    payload = await issue(world)

    assert payload["errors"] == payload["warnings"] == []
    assert payload["user"] == {"userName": "ana"}
    (change,) = payload["changes"]
    assert change == {
        "action": "issue_token", "row": payload["tokenId"], "before": None, "after": None,
        "detail": f"issued the token `night job` ({payload['secret'][:12]}…)", "holder": {"id": world.ids["ana"]},
    }  # fmt: skip
    viewer = await world.gql("{ viewer { user { userName tokens { id label } } } }", token=payload["secret"])
    assert viewer["viewer"]["user"] == {
        "userName": "ana", "tokens": [{"id": payload["tokenId"], "label": "night job"}]
    }  # fmt: skip


async def test_each_is_another(world: Gateway) -> None:
    secrets = [(await issue(world))["secret"] for _ in range(20)]

    assert len(set(secrets)) == 20
    assert all(digest_token(secret) for secret in secrets)


async def test_it_ends_when_it_was_said_to(world: Gateway) -> None:
    payload = await issue(world, expiresAt="2026-06-01T10:00:00+00:00")

    caller = await authenticate(world.services, payload["secret"])
    assert caller is not None and caller.expires_at == START + timedelta(hours=1)
    world.clock.advance(hours=1)
    assert await authenticate(world.services, payload["secret"]) is None


@each_of("moment", ["2026-06-01T09:00:00Z", "2026-06-01T08:59:59Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
async def test_an_expiry_that_has_passed_is_refused(world: Gateway, moment: str) -> None:
    assert await refuse(world, expiresAt=moment) == ("INVALID_VALUE", ["expiresAt"])


@each_of("moment", ["tomorrow", "2026-06-02", "2026-06-02T09:00:00", "", 5, True])
async def test_an_expiry_that_is_no_moment_is_a_bad_request(world: Gateway, moment: object) -> None:
    asked = {"user": ANA, "label": "x", "expiresAt": moment}

    async with world.unchanged():
        response = await world.post({"query": ISSUE, "variables": {"input": asked}})

    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@each_of("label", ["", " ", "\u202e", "x" * 257])
async def test_a_label_must_be_a_name(world: Gateway, label: str) -> None:
    assert await refuse(world, label=label) == ("INVALID_VALUE", ["label"])


async def test_all_faults_come_together(world: Gateway) -> None:
    given = {"user": {"userName": "nobody"}, "label": "", "expiresAt": "2026-01-01T00:00:00Z"}

    errors = await world.refuse("issueToken", given)

    assert [(error["code"], error["path"]) for error in errors] == [
        ("NOT_FOUND", ["user"]), ("INVALID_VALUE", ["label"]), ("INVALID_VALUE", ["expiresAt"])
    ]  # fmt: skip


# ---------------------------------------------------------------------- the secret is shown once


async def test_a_dry_run_gives_no_secret(world: Gateway) -> None:
    async with world.unchanged():
        payload = await issue(world, dryRun=True)

    assert (payload["secret"], payload["revision"], payload["errors"]) == (None, None, [])
    assert [change["action"] for change in payload["changes"]] == ["issue_token"]


async def test_an_answer_that_is_given_again_lacks_the_secret_and_says_so(world: Gateway) -> None:
    first = await issue(world, idempotencyKey="k")

    async with world.unchanged():
        again = await issue(world, idempotencyKey="k")

    assert first["secret"] is not None and first["warnings"] == []
    (warning,) = again["warnings"]
    assert (warning["code"], warning["path"]) == ("ADVISORY", ["idempotencyKey"])
    assert again == {**first, "secret": None, "warnings": [warning]}


async def test_of_a_secret_nothing_is_kept_but_its_digest_and_how_it_begins(
    world: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: neither the file of the database, nor what waits beside it, nor the log holds a secret."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("permgate"), "propagate", True)
    secrets = [
        (await issue(world, idempotencyKey="k"))["secret"],
        (await world.issue_token("ana"))[1],
        await world.create_service_account("bot"),
    ]
    for secret in secrets:
        world.clock.advance(hours=2)
        assert await authenticate(world.services, secret) is not None
        await world.post({"query": "{ nonsense"}, token=secret)
        await world.post({"query": "{ viewer { user { id } } }"}, token=secret[:-1])
    await world.services.uses.finish()

    kept = b"".join(path.read_bytes() for path in world.path.parent.glob(f"{world.path.name}*"))
    for secret in secrets:
        assert secret[12:-6].encode() not in kept
        assert secret not in read_database(world.path)
        assert secret[12:-6] not in caplog.text
        assert select(world.path, "SELECT prefix FROM tokens WHERE digest = ?", digest_token(secret)) == [
            (secret[:12],)
        ]


# ---------------------------------------------------------------------- whose


async def test_anybody_issues_their_own(world: Gateway) -> None:
    _, secret = await world.issue_token("cleo")

    payload = await issue(world, "cleo", token=secret)

    assert payload["errors"] == [] and payload["secret"]
    assert (await world.head())["actor"] == "cleo"


async def test_a_token_of_somebody_whom_one_does_not_see_is_of_nobody(world: Gateway) -> None:
    _, secret = await world.issue_token("cleo")

    hidden = await issue(world, "ana", token=secret)
    absent = await issue(world, "anna", token=secret)

    assert [error["code"] for error in hidden["errors"]] == ["NOT_FOUND"]
    assert hidden["errors"][0]["message"].replace("ana", "anna") == absent["errors"][0]["message"]


async def test_seeing_somebody_is_not_enough(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.VIEW_USERS)

    assert await refuse(world, token=secret) == ("NOT_PERMITTED", ["user"])


async def test_the_right_held_in_a_contract_is_not_enough(world: Gateway) -> None:
    await world.trust("cleo", Right.VIEW_USERS)
    secret = await world.trust("cleo", Right.MANAGE_TOKENS, contract="C-1")

    assert await refuse(world, token=secret) == ("NOT_PERMITTED", ["user"])


async def test_the_right_opens_tokens_of_users_within_ones_rights(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.VIEW_USERS, Right.MANAGE_TOKENS)
    await world.create_user("dora")

    payload = await issue(world, "dora", token=secret)

    assert payload["errors"] == [] and payload["user"] == {"userName": "dora"}


async def test_a2_nobody_issues_a_token_of_a_wider_account(world: Gateway) -> None:
    """Ana has a right that Cleo lacks; Ben owns a contract; Olga owns everything."""
    secret = await world.trust("cleo", Right.VIEW_USERS, Right.MANAGE_TOKENS, Right.MANAGE_USERS)

    for user in ("ana", "ben", "olga"):
        assert await refuse(world, user, token=secret) == ("SELF_ELEVATION", ["user"])
    events = select(world.path, "SELECT actor, action FROM security_events")
    assert events == [("cleo", "issueToken")] * 3


async def test_a_right_that_begins_later_counts_already(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.VIEW_USERS, Right.MANAGE_TOKENS)
    await world.create_user("dora")
    await world.grant(
        holder(user="dora"), {"permission": "desk.staff.show_phone", "validFrom": "2026-07-01T00:00:00Z"}
    )  # fmt: skip

    assert await refuse(world, "dora", token=secret) == ("SELF_ELEVATION", ["user"])


async def test_a20_a_service_account_passes_on_no_more_than_its_ceiling(world: Gateway) -> None:
    secret = await world.create_service_account("bot")
    await world.trust("bot", Right.VIEW_USERS, Right.MANAGE_TOKENS, "desk.staff.show_phone")
    await world.create_user("dora")
    assert (await issue(world, "dora", token=secret))["errors"] == []

    await world.grant(holder(user="dora"), "desk.staff.show_phone")

    assert await refuse(world, "dora", token=secret) == ("SELF_ELEVATION", ["user"])


async def test_a_token_of_somebody_who_is_not_active_rests(world: Gateway) -> None:
    await world.mutate("setUserStatus", {"user": ANA, "status": "SUSPENDED"})

    payload = await issue(world)

    assert [warning["path"] for warning in payload["warnings"]] == [["user"]]
    assert await authenticate(world.services, payload["secret"]) is None


# ---------------------------------------------------------------------- how long, how many


@each_of("expiry", [None, "2026-06-01T10:00:00.000001Z", "9999-12-31T23:59:59Z"])
async def test_one_for_oneself_does_not_outlast_the_one_that_asks(world: Gateway, expiry: str | None) -> None:
    _, secret = await world.issue_token("cleo", expires_at=world.clock() + timedelta(hours=1))

    assert await refuse(world, "cleo", token=secret, expiresAt=expiry) == ("SELF_ELEVATION", ["expiresAt"])


async def test_one_that_ends_with_the_one_that_asks_is_issued_and_passes_the_bound_on(world: Gateway) -> None:
    ends = START + timedelta(hours=1)
    _, secret = await world.issue_token("cleo", expires_at=ends)

    payload = await issue(world, "cleo", token=secret, expiresAt=ends.isoformat())

    assert payload["errors"] == []
    later = (ends + timedelta(seconds=1)).isoformat()
    assert await refuse(world, "cleo", token=payload["secret"], expiresAt=later) == ("SELF_ELEVATION", ["expiresAt"])


async def test_an_owners_token_that_ends_makes_none_that_does_not(world: Gateway) -> None:
    _, secret = await world.issue_token("olga", expires_at=datetime(2026, 6, 2, tzinfo=UTC))

    assert await refuse(world, "olga", token=secret) == ("SELF_ELEVATION", ["expiresAt"])


async def test_a_user_has_a_bounded_number_of_good_ones(world: Gateway) -> None:
    for _ in range(MAX_TOKENS):
        await world.issue_token("ana", expires_at=world.clock() + timedelta(hours=1))

    assert await refuse(world) == ("TOO_MANY", ["user"])
    world.clock.advance(hours=1)
    assert (await issue(world))["errors"] == []


# ---------------------------------------------------------------------- and what holds for every write


async def test_a_stale_revision_is_refused(world: Gateway) -> None:
    before = await world.revision()
    await world.mutate("updateUser", {"user": ANA, "displayName": "Ana R."})

    assert await refuse(world, expectedRevision=str(before)) == ("STALE_REVISION", ["expectedRevision"])
    assert (await issue(world, "cleo", expectedRevision=str(before)))["errors"] == []
