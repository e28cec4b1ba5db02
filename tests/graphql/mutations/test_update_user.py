"""updateUser: changed attributes. Left out is unchanged, null clears."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of

SELECT = "id userName displayName email externalId"
ANA = {"userName": "ana"}


@pytest.fixture
async def ana(gateway: Gateway) -> str:
    return await gateway.create_user("ana", displayName="Ana Ríos", email="ana@example.org", externalId="hr-7")


async def test_changes_what_is_given_and_nothing_else(gateway: Gateway, ana: str) -> None:
    payload = await gateway.both_ways("updateUser", {"user": ANA, "email": "rios@example.org"}, SELECT)

    assert payload["user"] == {
        "id": ana, "userName": "ana", "displayName": "Ana Ríos", "email": "rios@example.org", "externalId": "hr-7"
    }  # fmt: skip
    (change,) = payload["changes"]
    assert {name: change[name] for name in ("action", "row", "before", "after")} == {
        "action": "update_user", "row": ana, "before": "email: ana@example.org", "after": "email: rios@example.org"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"displayName": None}, {"displayName": "ana"}),
        ({"email": None}, {"email": None}),
        ({"externalId": None}, {"externalId": None}),
        ({"userName": "anna"}, {"userName": "anna"}),
        ({"userName": "anna", "displayName": None}, {"userName": "anna", "displayName": "anna"}),
        ({"userName": "ANA"}, {"userName": "ANA"}),
        ({"externalId": "hr-8"}, {"externalId": "hr-8"}),
    ],
)
async def test_null_clears(gateway: Gateway, ana: str, given: dict[str, Any], after: dict[str, Any]) -> None:
    before = {
        "id": ana, "userName": "ana", "displayName": "Ana Ríos", "email": "ana@example.org", "externalId": "hr-7"
    }  # fmt: skip

    payload = await gateway.both_ways("updateUser", {"user": ANA, **given}, SELECT)

    assert payload["user"] == {**before, **after}


@pytest.mark.parametrize("ref", [{"userName": "ana"}, {"externalId": "hr-7"}, "id"])
async def test_any_reference_will_do(gateway: Gateway, ana: str, ref: Any) -> None:
    payload = await gateway.mutate("updateUser", {"user": {"id": ana} if ref == "id" else ref, "email": None}, SELECT)

    assert payload["user"]["id"] == ana
    assert payload["user"]["email"] is None


async def test_a_renamed_person_keeps_the_id_and_is_found_by_the_new_name_alone(gateway: Gateway, ana: str) -> None:
    await gateway.mutate("updateUser", {"user": ANA, "userName": "anna"})

    data = await gateway.gql('{ old: user(ref: {userName: "ana"}) { id } new: user(ref: {userName: "anna"}) { id } }')

    assert data == {"old": None, "new": {"id": ana}}


@each_of("given", [{}, {"email": "ana@example.org"}, {"userName": "ana", "displayName": "Ana Ríos"}])
async def test_what_is_so_already_is_no_change(gateway: Gateway, ana: str, given: dict[str, Any]) -> None:
    await gateway.no_change("updateUser", {"user": ANA, **given})


@each_of("user_name", [None, "", "\u202eana"])
async def test_a_user_name_cannot_be_cleared(gateway: Gateway, ana: str, user_name: str | None) -> None:
    (error,) = await gateway.refuse("updateUser", {"user": ANA, "userName": user_name})

    assert (error["code"], error["path"]) == ("INVALID_VALUE", ["userName"])


async def test_names_of_others_are_refused_together(gateway: Gateway, ana: str) -> None:
    await gateway.create_user("ben", externalId="hr-9")

    errors = await gateway.refuse("updateUser", {"user": ANA, "userName": "ben", "externalId": "hr-9"})

    assert [(error["code"], error["path"]) for error in errors] == [
        ("DUPLICATE", ["userName"]),
        ("DUPLICATE", ["externalId"]),
    ]


async def test_faults_of_every_field_come_together(gateway: Gateway, ana: str) -> None:
    given = {"userName": "a\tb", "displayName": "", "email": "x", "externalId": ""}

    errors = await gateway.refuse("updateUser", {"user": ANA, **given})

    assert [error["path"] for error in errors] == [["userName"], ["displayName"], ["email"], ["externalId"]]


async def test_an_unknown_user_is_refused(gateway: Gateway) -> None:
    for ref in ({"userName": "ana"}, {"externalId": "x"}, {"id": "usr_0"}, {"id": ""}):
        (error,) = await gateway.refuse("updateUser", {"user": ref, "email": None})
        assert (error["code"], error["path"]) == ("NOT_FOUND", ["user"])
        assert error["message"] == f"there is no user `{next(iter(ref.values()))}`"
