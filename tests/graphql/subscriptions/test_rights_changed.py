"""`rightsChanged`: what a person has more or less of, each time it changes, in the order in which it did."""

from datetime import timedelta
from typing import Any

from app.services.feed import SEATS
from tests.factories import Answer, Gateway, each_of, holder
from tests.sockets import Client, known, listening

VIEW = "gateway.rights.view"
REFUSAL = ("FORBIDDEN", f"user: you may not see this. Needs the right `{VIEW}`, or to be the user it is about.")
MENU = "desk.reports.menu"


def rights_changed(user: str = "cleo", contract: str | None = None) -> str:
    where = "" if contract is None else f', contract: {{number: "{contract}"}}'
    return f"""subscription {{ rightsChanged(user: {{userName: "{user}"}}{where}) {{
        revision user {{ userName }}
        differences {{ user {{ userName }} permission {{ key }} before {{ text }} after {{ text }} }}
    }} }}"""


async def listen(world: Gateway, client: Client, user: str = "cleo", contract: str | None = None) -> None:
    """Subscribes; when it returns the rights of now are known, and whatever changes them is told."""
    await client.subscribe(rights_changed(user, contract))
    await listening(world.services)


async def differences(client: Client) -> dict[str, tuple[str, str]]:
    """Of the next event: permission, before and after."""
    told = (await client.next())["rightsChanged"]["differences"]
    return {found["permission"]["key"]: (found["before"]["text"], found["after"]["text"]) for found in told}


async def revoke(world: Gateway, row: str, **who: str) -> Answer:
    return await world.mutate("revokePermissions", {"holder": holder(**who), "revokes": [{"id": row}]})


async def test_an_event_tells_who_when_and_what(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        await listen(world, client)
        (row,) = await world.grant(holder(user="cleo"), MENU)
        given = await client.receive()
        await revoke(world, row, user="cleo")
        taken = await client.receive()

    revision = await world.revision()
    for message, at, before, after in ((given, revision - 1, "off", "on"), (taken, revision, "on", "off")):
        found = {
            "user": {"userName": "cleo"}, "permission": {"key": MENU}, "before": {"text": before},
            "after": {"text": after},
        }  # fmt: skip
        event = {"revision": str(at), "user": {"userName": "cleo"}, "differences": [found]}
        assert message["payload"]["extensions"].pop("cost")["requested"] > 0
        assert message == {
            "type": "next", "id": "1",
            "payload": {"data": {"rightsChanged": event}, "extensions": {"revision": str(at)}},
        }  # fmt: skip


async def test_what_leaves_the_rights_as_they_are_is_not_told(world: Gateway, address: str) -> None:
    await world.grant(holder(user="cleo"), MENU)
    async with known(address, world.token) as client:
        await listen(world, client)
        await world.grant(holder(user="ben"), MENU)
        await world.assign(holder(user="cleo"), "agents")  # gives what is there already
        await world.grant(holder(user="cleo"), {"permission": "desk.reports.export", "contract": {"number": "C-1"}})
        await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo"})
        await client.quiet(world.services)


async def test_whatever_they_come_by_is_told(world: Gateway, address: str) -> None:
    """Roles and their parents, teams and theirs, limits, status."""
    async with known(address, world.token) as client:
        await listen(world, client)
        await world.assign(holder(user="cleo"), "writers")
        assert await differences(client) == {
            MENU: ("off", "on"), "desk.staff.edit_contacts": ("off", "on"), "desk.staff.read_contacts": ("off", "on"),
        }  # fmt: skip
        await world.grant(holder(role="agents"), "desk.reports.real_time")
        assert await differences(client) == {"desk.reports.real_time": ("off", "on")}
        await world.join("night", "cleo")
        await world.grant(holder(team="support"), "desk.reports.export")
        assert await differences(client) == {"desk.reports.export": ("off", "on")}
        await world.limit(holder(user="cleo"), "desk.reports.export")
        assert await differences(client) == {"desk.reports.export": ("on", "off")}
        await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})
        assert await differences(client) == {
            MENU: ("on", "off"), "desk.reports.real_time": ("on", "off"), "desk.staff.edit_contacts": ("on", "off"),
            "desk.staff.read_contacts": ("on", "off"),
        }  # fmt: skip


async def test_in_a_contract_levels_and_its_own_rows_count(world: Gateway, address: str) -> None:
    await world.grant(holder(user="cleo"), {"permission": MENU, "contract": {"number": "C-1"}})
    async with known(address, world.token) as client:
        await listen(world, client, contract="C-1")
        await world.set_level("C-1", "cleo")
        assert await differences(client) == {MENU: ("off", "on"), "core.system.access": ("Not in the contract", "User")}
        await world.mutate("updateContract", {"contract": {"number": "C-1"}, "status": "SUSPENDED"})
        assert set(await differences(client)) == {MENU, "core.system.access"}


async def test_changes_that_are_found_together_are_told_one_by_one(world: Gateway, address: str) -> None:
    """What was given and taken back before anybody looked was so all the same."""
    seats = world.services.feed.seats
    async with known(address, world.token) as client:
        await listen(world, client)
        for _ in range(SEATS):
            await seats.acquire()
        before = await world.revision()
        (row,) = await world.grant(holder(user="cleo"), MENU)
        await world.create_user("zoe")
        await revoke(world, row, user="cleo")
        await world.assign(holder(user="cleo"), "agents")
        for _ in range(SEATS):
            seats.release()

        seen = [(await client.next())["rightsChanged"] for _ in range(3)]
        await client.quiet(world.services)

    told = [(int(event["revision"]) - before, event["differences"][0]["after"]["text"]) for event in seen]
    assert told == [(1, "on"), (3, "off"), (4, "on")]


async def test_windows_that_begin_and_end_are_told_though_nothing_is_written(world: Gateway, address: str) -> None:
    begins, ends = (world.clock() + timedelta(hours=hours) for hours in (1, 2))
    window = {"validFrom": begins.isoformat(), "validUntil": ends.isoformat()}
    await world.grant(holder(role="agents"), {"permission": "desk.reports.real_time", **window})
    await world.assign(holder(user="cleo"), "agents", validUntil=(ends + timedelta(hours=1)).isoformat())
    async with known(address, world.token) as client:
        await listen(world, client)
        world.clock.advance(hours=1)
        assert await differences(client) == {"desk.reports.real_time": ("off", "on")}
        await client.quiet(world.services)
        world.clock.advance(hours=2)  # past two moments at once
        assert await differences(client) == {"desk.reports.real_time": ("on", "off")}
        assert await differences(client) == {MENU: ("on", "off")}
        await client.quiet(world.services)


# ---------------------------------------------------------------------- who may


async def test_everybody_hears_of_themselves(world: Gateway, address: str) -> None:
    _, secret = await world.issue_token("cleo")
    async with known(address, secret) as client:
        await listen(world, client)
        await world.grant(holder(user="cleo"), MENU)
        assert await differences(client) == {MENU: ("off", "on")}


async def test_of_others_by_the_right_to_see_theirs_in_that_contract(world: Gateway, address: str) -> None:
    here: dict[str, Any] = {"contract": {"number": "C-1"}}
    await world.set_level("C-1", "cleo")
    await world.grant(holder(user="cleo"), {"permission": VIEW, **here}, {"permission": "gateway.users.view", **here})
    _, secret = await world.issue_token("cleo")
    async with known(address, secret) as client:
        await client.subscribe(rights_changed("ana"))
        assert await client.error() == REFUSAL
        await listen(world, client, "ana", "C-1")
        await world.grant(holder(user="ana"), {"permission": "desk.reports.real_time", **here})
        assert await differences(client) == {"desk.reports.real_time": ("off", "on")}


@each_of("contract", [None, "C-1"])
async def test_whom_one_does_not_see_is_not_there(world: Gateway, address: str, contract: str | None) -> None:
    _, secret = await world.issue_token("cleo")
    async with known(address, secret) as client:
        messages = []
        for name in ("ana", "nobody"):
            await client.subscribe(rights_changed(name, contract), id=name)
            code, message = await client.error(id=name)
            messages.append(message.replace(name, "X"))
            assert code == "BAD_USER_INPUT"
        assert messages[0] == messages[1]
        assert "there is no user `X`" in messages[0]


async def test_the_right_is_asked_for_again_though_nothing_is_told(world: Gateway, address: str) -> None:
    """T25: of a person whose rights do not change the listener is rid as soon."""
    await world.grant(holder(user="ana"), "gateway.users.view")
    (row,) = await world.grant(holder(user="ana"), VIEW)
    _, secret = await world.issue_token("ana")
    async with known(address, secret) as client:
        await listen(world, client)
        await revoke(world, row, user="ana")
        assert await client.error() == REFUSAL
        assert await client.closed() == (4403, "Forbidden")


async def test_who_is_not_to_be_seen_any_more_is_not_heard_of(world: Gateway, address: str) -> None:
    (row,) = await world.grant(holder(user="ana"), "gateway.users.view")
    await world.grant(holder(user="ana"), VIEW)
    _, secret = await world.issue_token("ana")
    async with known(address, secret) as client:
        await listen(world, client)
        await revoke(world, row, user="ana")
        assert await client.error() == REFUSAL
        assert await client.closed() == (4403, "Forbidden")
