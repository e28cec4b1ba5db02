"""createUser: a new person."""

import pytest

from tests.factories import Gateway, each_of

SELECT = "id userName displayName email externalId kind status isOwner source grants { id } roles { id } teams { id }"
NAME_EXPECTED = "1 to 256 visible characters, no space around them"


async def test_creates_an_active_person(gateway: Gateway) -> None:
    given = {"userName": "ana", "displayName": "Ana Ríos", "email": "ana@example.org", "externalId": "hr-7"}

    payload = await gateway.both_ways("createUser", given, SELECT)

    user = payload["user"]
    assert user == {
        "id": user["id"], "userName": "ana", "displayName": "Ana Ríos", "email": "ana@example.org",
        "externalId": "hr-7", "kind": "PERSON", "status": "ACTIVE", "isOwner": False, "source": "manual",
        "grants": [], "roles": [], "teams": [],
    }  # fmt: skip
    assert user["id"].startswith("usr_")
    (change,) = payload["changes"]
    assert change["action"] == "create_user"
    assert change["row"] == change["holder"]["id"] == user["id"]
    assert change["before"] is None
    assert change["detail"] == "create user `ana`"
    assert payload["warnings"] == []


@pytest.mark.parametrize("absent", [{}, {"displayName": None, "email": None, "externalId": None}])
async def test_what_is_left_out_or_null_is_empty_and_the_display_name_the_user_name(
    gateway: Gateway, absent: dict[str, None]
) -> None:
    payload = await gateway.mutate("createUser", {"userName": "ana", **absent}, "displayName email externalId")

    assert payload["user"] == {"displayName": "ana", "email": None, "externalId": None}


async def test_two_people_may_lack_an_external_id(gateway: Gateway) -> None:
    await gateway.create_users("ana", "ben")

    data = await gateway.gql("{ users { totalCount edges { node { userName externalId } } } }")

    assert data["users"]["totalCount"] == 3
    assert {edge["node"]["externalId"] for edge in data["users"]["edges"]} == {None}


async def test_a_taken_user_name_is_refused(gateway: Gateway) -> None:
    await gateway.create_user("ana")

    (error,) = await gateway.refuse("createUser", {"userName": "ana"})

    assert (error["code"], error["path"], error["message"]) == ("DUPLICATE", ["userName"], "`ana` is taken")


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_the_names_of_people_who_are_gone_are_not_given_again(gateway: Gateway, status: str) -> None:
    await gateway.create_user("ana", externalId="hr-7")
    await gateway.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": status})

    errors = await gateway.refuse("createUser", {"userName": "ana", "externalId": "hr-7"})

    assert [(error["code"], error["path"]) for error in errors] == [
        ("DUPLICATE", ["userName"]),
        ("DUPLICATE", ["externalId"]),
    ]


async def test_a_taken_external_id_is_refused(gateway: Gateway) -> None:
    await gateway.create_user("ana", externalId="hr-7")

    (error,) = await gateway.refuse("createUser", {"userName": "ben", "externalId": "hr-7"})

    assert (error["code"], error["path"], error["message"]) == ("DUPLICATE", ["externalId"], "`hr-7` is taken")


async def test_all_faults_of_a_request_come_together(gateway: Gateway) -> None:
    given = {"userName": "", "displayName": " Ana", "email": "nowhere", "externalId": "\u200b", "reason": "\u0000"}

    errors = await gateway.refuse("createUser", given)

    assert [(error["code"], error["path"], error["expected"]) for error in errors] == [
        ("INVALID_VALUE", ["reason"], "up to 2000"),
        ("INVALID_VALUE", ["userName"], NAME_EXPECTED),
        ("INVALID_VALUE", ["displayName"], NAME_EXPECTED),
        ("INVALID_VALUE", ["email"], "such as `name@example.org`"),
        ("INVALID_VALUE", ["externalId"], NAME_EXPECTED),
    ]


@each_of("email", ["", "@example.org", "ana@", "ana", "a na@example.org", "ana@exam ple.org"])
async def test_what_is_no_email_address_is_refused(gateway: Gateway, email: str) -> None:
    (error,) = await gateway.refuse("createUser", {"userName": "ana", "email": email})

    assert (error["code"], error["path"]) == ("INVALID_VALUE", ["email"])


async def test_a_new_person_may_do_nothing(gateway: Gateway) -> None:
    await gateway.create_user("ana")

    data = await gateway.gql("""{ user(ref: {userName: "ana"}) {
      effectiveRights(states: [ACTIVE, SUSPENDED, LIMITED, CONDITIONAL]) { state }
      operations(allowed: true) { allowed }
    } }""")

    assert data["user"] == {"effectiveRights": [], "operations": []}
