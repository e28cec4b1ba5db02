"""How long the feed of a plan is kept."""

from datetime import timedelta

from tests.factories import Clock, Gateway, select
from tests.synced import apply, codes, olga, plan, write_feed

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
