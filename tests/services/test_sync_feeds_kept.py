"""How long the feed of a plan is kept, and how much of what cannot be read."""

from datetime import timedelta

import pytest

from app.domain.sync.desired import SyncMode
from tests.factories import Clock, Gateway, select
from tests.synced import apply, codes, olga, plan, sync, write_feed

FEED = write_feed([{"externalId": "e1", "userName": "ida", "roles": ["agents"]}])


def feeds(world: Gateway) -> int:
    return int(select(world.path, "SELECT count(*) FROM sync_feeds")[0][0])


async def test_the_feed_of_a_plan_goes_when_it_is_applied(world: Gateway) -> None:
    planned = await plan(world.services, olga(world.owner), FEED)
    assert planned.run is not None and feeds(world) == 1

    done = await apply(world.services, olga(world.owner), planned.run)

    assert done.errors == () and feeds(world) == 0


async def test_a_plan_that_nobody_applied_in_time_is_stale_and_its_feed_goes(world: Gateway, clock: Clock) -> None:
    planned = await plan(world.services, olga(world.owner), FEED)
    clock.advance(days=7)
    assert planned.run is not None

    late = await apply(world.services, olga(world.owner), planned.run)
    assert codes(late.errors) == ["STALE_PLAN"] and "7 days" in str(late.errors[0])

    clock.advance(seconds=timedelta(minutes=1).total_seconds())
    await plan(world.services, olga(world.owner), FEED)
    assert feeds(world) == 1, "that of the new plan alone"


async def test_of_faults_without_end_the_first_are_told_and_nobody_is_missing(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another kind: what is kept of it does not grow with it."""
    monkeypatch.setattr("app.services.sync.feeds.MAX_FAULTS", 5)
    first = await sync(world.services, olga(world.owner), FEED)
    garbled = [{"externalId": f"x{n}"} for n in range(50)]

    planned = await plan(world.services, olga(world.owner), write_feed(garbled), mode=SyncMode.PARTIAL)

    assert first.errors == () and planned.run is not None
    assert (planned.run.counts.refused, planned.run.counts.suspends) == (6, 0)
    assert codes(planned.errors) == ["INVALID_VALUE"] * 5 + ["TOO_MANY"]
