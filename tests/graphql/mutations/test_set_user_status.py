"""setUserStatus: active, suspended, archived."""

import pytest

from tests.factories import Gateway, holder

ANA, BEN = {"userName": "ana"}, {"userName": "ben"}


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_takes_every_right_and_keeps_every_row(world: Gateway, status: str) -> None:
    select = """status grants { permission { key } } roles { role { key } } teams { team { key } }
      effectiveRights(states: [ACTIVE]) { state } can(node: "desk.reports.menu") { allowed state value { text } }
    """

    payload = await world.both_ways("setUserStatus", {"user": ANA, "status": status}, select)

    assert payload["user"] == {
        "status": status,
        "grants": [{"permission": {"key": "desk.staff.show_phone"}}],
        "roles": [{"role": {"key": "agents"}}],
        "teams": [{"team": {"key": "support"}}],
        "effectiveRights": [],
        "can": {"allowed": False, "state": "LIMITED", "value": {"text": "off"}},
    }
    (change,) = payload["changes"]
    assert (change["before"], change["after"]) == ("status: ACTIVE", f"status: {status}")


async def test_an_archived_person_can_be_taken_back(world: Gateway) -> None:
    await world.mutate("setUserStatus", {"user": ANA, "status": "ARCHIVED"})

    payload = await world.both_ways("setUserStatus", {"user": ANA, "status": "ACTIVE"}, "status roles { id }")

    assert payload["user"]["status"] == "ACTIVE"
    assert len(payload["user"]["roles"]) == 1


async def test_the_same_status_is_no_change(world: Gateway) -> None:
    await world.no_change("setUserStatus", {"user": ANA, "status": "ACTIVE"})


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_the_last_active_account_owner_stays(world: Gateway, status: str) -> None:
    (error,) = await world.refuse("setUserStatus", {"user": {"userName": "olga"}, "status": status})

    assert error["code"] == "LAST_OWNER"
    assert error["message"] == "nobody active would own the account any more: make somebody else an owner first"


async def test_an_owner_beside_an_active_one_may_go_and_then_the_other_is_the_last(world: Gateway) -> None:
    await world.mutate("setAccountOwner", {"user": {"userName": "cleo"}, "isOwner": True})
    await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})

    (error,) = await world.refuse("setUserStatus", {"user": {"userName": "olga"}, "status": "SUSPENDED"})

    assert error["code"] == "LAST_OWNER"


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_the_owner_of_a_contract_stays(world: Gateway, status: str) -> None:
    (error,) = await world.refuse("setUserStatus", {"user": BEN, "status": status})

    assert (error["code"], error["message"]) == ("LAST_OWNER", "`ben` owns the contract `C-1`: transfer it first")


async def test_the_owner_of_an_ended_contract_may_go(world: Gateway) -> None:
    await world.mutate("updateContract", {"contract": {"number": "C-1"}, "status": "ENDED"})

    await world.mutate("setUserStatus", {"user": BEN, "status": "SUSPENDED"})


async def test_an_unknown_user_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("setUserStatus", {"user": {"userName": "nobody"}, "status": "ACTIVE"})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["user"])


async def test_a_suspended_person_holds_no_right_in_any_list(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.staff.read_contacts")
    await world.mutate("setUserStatus", {"user": ANA, "status": "SUSPENDED"})

    data = await world.gql("""{ permissionNode(key: "desk.staff.read_contacts") {
      ... on Permission { holders { edges { node { userName } } } }
    } }""")

    assert [edge["node"]["userName"] for edge in data["permissionNode"]["holders"]["edges"]] == ["olga"]
