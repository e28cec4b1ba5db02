"""user: one person, by id, user name or external id."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of

DOCUMENT = "query ($ref: UserRef!) { user(ref: $ref) { id userName } }"


@pytest.mark.parametrize("ref", ["id", {"userName": "eva"}, {"externalId": "hr-1"}])
async def test_by_any_reference(gateway: Gateway, ref: Any) -> None:
    found = await gateway.create_user("eva", externalId="hr-1")

    data = await gateway.gql(DOCUMENT, {"ref": {"id": found} if ref == "id" else ref})

    assert data == {"user": {"id": found, "userName": "eva"}}


@each_of(
    "ref",
    [
        {"userName": "ANA"},
        {"userName": " ana"},
        {"userName": ""},
        {"userName": "an\u0430"},  # the last letter is Cyrillic
        {"userName": "nobody"},
        {"externalId": "ana"},
        {"id": "ana"},
        {"id": ""},
        {"id": "usr_00000000000zzzzzzzzzzzzzzz"},
    ],
)
async def test_there_is_none_of_another_name(world: Gateway, ref: dict[str, str]) -> None:
    assert await world.gql(DOCUMENT, {"ref": ref}) == {"user": None}


async def test_the_id_of_another_kind_is_no_user(world: Gateway) -> None:
    for key in ("agents", "support", "C-1"):
        assert await world.gql(DOCUMENT, {"ref": {"id": world.ids[key]}}) == {"user": None}


@each_of("ref", [{}, {"id": "x", "userName": "y"}, {"userName": None}, {"userName": None, "id": "x"}, {"key": "x"}])
async def test_a_reference_names_exactly_one_thing(gateway: Gateway, ref: dict[str, Any]) -> None:
    code, _ = await gateway.fault(DOCUMENT, {"ref": ref})

    assert code == "BAD_USER_INPUT"


async def test_suspended_and_archived_people_are_still_there(world: Gateway) -> None:
    for status in ("SUSPENDED", "ARCHIVED"):
        await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": status})
        data = await world.gql('{ user(ref: {userName: "ana"}) { status } }')
        assert data == {"user": {"status": status}}


async def test_shows_everything_about_a_person(world: Gateway) -> None:
    data = await world.gql("""{ user(ref: {userName: "ana"}) {
      id displayName userName externalId email kind status isOwner source
      grants { permission { key } value { text } } limits { permission { key } value { text } }
      roles { role { key } } teams { team { key } supervisor }
      contracts { contract { number } user { userName } levels { product { key } level } subscriber }
      facts { name value } tokens { label }
    } }""")

    assert data["user"] == {
        "id": world.ids["ana"], "displayName": "ana", "userName": "ana", "externalId": None, "email": None,
        "kind": "PERSON", "status": "ACTIVE", "isOwner": False, "source": "manual",
        "grants": [{"permission": {"key": "desk.staff.show_phone"}, "value": {"text": "on"}}],
        "limits": [{"permission": {"key": "desk.reports.export"}, "value": {"text": "off"}}],
        "roles": [{"role": {"key": "agents"}}],
        "teams": [{"team": {"key": "support"}, "supervisor": False}],
        "contracts": [
            {
                "contract": {"number": "C-1"}, "user": {"userName": "ana"}, "subscriber": None,
                "levels": [{"product": {"key": "core"}, "level": "USER"}],
            }
        ],
        "facts": [{"name": "trained", "value": None}],
        "tokens": [],
    }  # fmt: skip
