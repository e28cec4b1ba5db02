"""setAccountOwner: ownership of the account given and taken."""

from app.domain.holders import User, UserKind
from tests.factories import Gateway, holder

OLGA, ANA, CLEO = {"userName": "olga"}, {"userName": "ana"}, {"userName": "cleo"}


async def test_an_owner_has_every_permission_and_no_restriction(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), "desk.calls.withhold_number")
    select = """isOwner
      rights: effectiveRights(system: "desk", states: [ACTIVE]) { permission { key } value { text } }
      spy: can(node: "desk.reports.spy") { allowed } withhold: can(node: "desk.calls.withhold_number") { state }"""

    payload = await world.both_ways("setAccountOwner", {"user": CLEO, "isOwner": True}, select)

    rights = {right["permission"]["key"]: right["value"]["text"] for right in payload["user"].pop("rights")}
    assert rights == {
        "desk.reports.menu": "on",
        "desk.reports.real_time": "on",
        "desk.reports.spy": "on",
        "desk.reports.export": "on",
        "desk.calls.recordings": "all",
        "desk.calls.channels": "10 channels",
        "desk.calls.numbers": "all",
        "desk.staff.accounts.users": "Modify and delete",
        "desk.staff.accounts.roles": "Modify",
        "desk.staff.approve": "on",
        "desk.staff.edit_contacts": "on",
        "desk.staff.read_contacts": "on",
        "desk.staff.show_phone": "on",
    }  # no setting, no restriction; texts hang on the balance, which is not known
    assert payload["user"] == {"isOwner": True, "spy": {"allowed": True}, "withhold": {"state": "NOT_GRANTED"}}
    assert [(change["before"], change["after"]) for change in payload["changes"]] == [
        ("is_owner: False", "is_owner: True")
    ]


async def test_taken_again(world: Gateway) -> None:
    await world.mutate("setAccountOwner", {"user": CLEO, "isOwner": True})

    payload = await world.both_ways("setAccountOwner", {"user": CLEO, "isOwner": False}, "isOwner")

    assert payload["user"] == {"isOwner": False}


async def test_the_same_again_is_no_change(world: Gateway) -> None:
    await world.no_change("setAccountOwner", {"user": OLGA, "isOwner": True})
    await world.no_change("setAccountOwner", {"user": CLEO, "isOwner": False})


async def test_the_last_owner_stays(world: Gateway) -> None:
    (error,) = await world.refuse("setAccountOwner", {"user": OLGA, "isOwner": False})

    assert error["code"] == "LAST_OWNER"


async def test_a_suspended_owner_is_no_owner_left(world: Gateway) -> None:
    await world.mutate("setUserStatus", {"user": CLEO, "status": "SUSPENDED"})
    await world.mutate("setAccountOwner", {"user": CLEO, "isOwner": True})

    (error,) = await world.refuse("setAccountOwner", {"user": OLGA, "isOwner": False})

    assert error["code"] == "LAST_OWNER"


async def test_a_person_with_limits_cannot_become_owner(world: Gateway) -> None:
    (error,) = await world.refuse("setAccountOwner", {"user": ANA, "isOwner": True})

    assert error["code"] == "CONFLICT"
    assert error["message"].startswith("`ana` owns the account and cannot be limited (`desk.reports.export`, row lim_")


async def test_a_service_account_owns_nothing(world: Gateway) -> None:
    robot = User(id=world.new_id(User), user_name="robot", display_name="Robot", kind=UserKind.SERVICE)
    await world.plant([robot])

    (error,) = await world.refuse("setAccountOwner", {"user": {"userName": "robot"}, "isOwner": True})

    assert (error["code"], error["path"]) == ("CONFLICT", ["user"])
    assert error["message"] == "`robot` is a service account and cannot own the account"


async def test_an_unknown_user_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("setAccountOwner", {"user": {"userName": "nobody"}, "isOwner": True})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["user"])
