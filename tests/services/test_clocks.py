"""A24: a window is half open, whatever row has it, and what has expired stays expired when the clock steps back."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.services.context import MAX_STEP_BACK, SteadyClock
from tests.factories import START, Clock, Gateway, each_of, holder
from tests.histories import assert_sound

MENU = "desk.reports.menu"
FROM, TO = START + timedelta(hours=1), START + timedelta(hours=2)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
WINDOW = {"validFrom": FROM.isoformat(), "validUntil": TO.isoformat()}

Opening = Callable[[Gateway], Awaitable[object]]


async def has_menu(world: Gateway, user: str = "cleo", **given: Any) -> bool:
    document = "query($input: CheckInput!) { check(input: $input) { allowed errors { message } } }"
    asked = {"user": {"userName": user}, "node": MENU, **given}
    decision = (await world.gql(document, {"input": asked}))["check"]
    assert decision["errors"] == []
    allowed: bool = decision["allowed"]
    return allowed


async def open_by_grant(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), {"permission": MENU, **WINDOW})


async def open_by_role(world: Gateway) -> None:
    await world.assign(holder(user="cleo"), "agents", **WINDOW)


async def open_by_grant_of_a_role(world: Gateway) -> None:
    await world.create_role("early", {"permission": MENU, **WINDOW})
    await world.assign(holder(user="cleo"), "early")


async def open_by_team(world: Gateway) -> None:
    await world.grant(holder(team="support"), MENU)
    await world.join("support", "cleo", **WINDOW)


WAYS: dict[str, Opening] = {
    "a grant": open_by_grant,
    "an assignment": open_by_role,
    "a grant of a role": open_by_grant_of_a_role,
    "a membership": open_by_team,
}
MOMENTS = [(FROM - SECOND, False), (FROM, True), (TO - SECOND, True), (TO, False), (TO + SECOND, False)]


@pytest.mark.parametrize("way", WAYS)
async def test_a_window_is_open_from_its_begin_until_just_before_its_end(world: Gateway, way: str) -> None:
    """A24: at the clock's time and at a time that is asked about alike."""
    await WAYS[way](world)

    for moment, is_open in MOMENTS:
        assert await has_menu(world, at=moment.isoformat()) is is_open
    for moment, is_open in MOMENTS:
        world.clock.now = moment
        assert await has_menu(world) is is_open


async def test_a_limit_bites_from_its_begin_until_just_before_its_end(world: Gateway) -> None:
    """A24: the same of what takes away."""
    await world.limit(holder(user="ana"), {"permission": MENU, **WINDOW})

    for moment, is_limited in MOMENTS:
        world.clock.now = moment
        assert await has_menu(world, "ana") is not is_limited


async def test_a_token_is_good_until_just_before_its_end(world: Gateway) -> None:
    """A24: and stays expired when the clock steps back."""
    _, secret = await world.issue_token("olga", expires_at=TO)

    for moment, status in ((TO - SECOND, 200), (TO, 401), (TO + SECOND, 401), (TO + SECOND - HOUR, 401)):
        world.clock.now = moment
        assert (await world.post({"query": "{ revision }"}, token=secret)).status_code == status


# ---------------------------------------------------------------------- the clock steps back


@each_of("way", WAYS)
async def test_what_has_expired_stays_expired_when_the_clock_steps_back(world: Gateway, way: str) -> None:
    """A24: an hour at once, or second by second."""
    world.clock.now = max(world.clock.now, START)
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": way})
    if world.clock.now == START:
        for open_window in WAYS.values():
            await open_window(world)
        world.clock.now = TO - SECOND
        assert await has_menu(world)
    world.clock.now = TO
    assert not await has_menu(world)

    for back in (SECOND, HOUR / 2, HOUR):
        world.clock.now = TO - back
        assert not await has_menu(world)


async def test_the_log_goes_on_when_the_clock_steps_back(world: Gateway) -> None:
    """A24: its times never go back, not by a day either, and what was revoked is revoked whatever time it is."""
    world.clock.advance(hours=2)
    await world.mutate("unassignRoles", {"holder": holder(user="ana"), "roles": [{"role": {"key": "agents"}}]})
    before = await world.head()

    world.clock.advance(days=-1)
    assert not await has_menu(world, "ana")
    await world.create_user("eva")

    after = await world.head()
    assert int(after["revision"]) == int(before["revision"]) + 1
    assert after["at"] == before["at"]
    await assert_sound(world.services, world.path)


def test_a_clock_that_is_set_back_is_waited_for() -> None:
    """A24: it stands still, and goes on from where it stood."""
    clock = Clock(TO)
    steady = SteadyClock(clock)
    seen: list[datetime] = []

    for now in (TO, TO - SECOND, TO - MAX_STEP_BACK, TO, TO + SECOND):
        clock.now = now
        seen.append(steady())

    assert seen == [TO, TO, TO, TO, TO + SECOND]


def test_a_clock_that_was_wrong_by_more_is_not_waited_for() -> None:
    """A24: or a leap into the next year, once mended, would keep the gateway there for a year."""
    clock = Clock(TO + timedelta(days=365))
    steady = SteadyClock(clock)
    assert steady() == clock.now

    clock.now = TO

    assert steady() == TO
