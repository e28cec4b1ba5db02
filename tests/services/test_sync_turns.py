"""Long feeds are worked out one after another, and whoever waits for that keeps nobody else from the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.services.context import Services
from app.services.sync import applying, planning
from app.services.sync.planning import LONG, Phase, SyncAnswer
from tests.factories import Gateway
from tests.moves import assign, by
from tests.synced import apply, olga, plan, write_feed

pytestmark = pytest.mark.usefixtures("unindexed")  # connections are counted
FEED = write_feed([{"externalId": "e-dora", "userName": "dora"}])
LATE_S = 10  # what is not blocked is done long before


class Turn(asyncio.Semaphore):
    """A turn that tells when somebody asks for it."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked = asyncio.Event()

    async def acquire(self) -> bool:
        self.asked.set()
        return await super().acquire()


@asynccontextmanager
async def working_out_another(services: Services) -> AsyncIterator[Turn]:
    """Somebody has the turn meanwhile."""
    services.drafting = turn = Turn()
    async with turn:
        turn.asked.clear()
        yield turn


@pytest.fixture
def every_feed_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the people that it names."""
    monkeypatch.setattr(planning, "NAMED_AT_MOST", 0)
    monkeypatch.setattr(applying, "NAMED_AT_MOST", 0)


async def assert_others_go_on(world: Gateway, waiting: "asyncio.Task[SyncAnswer]") -> None:
    """Nobody else is kept from a connection, or from the write lock."""
    assert not waiting.done()
    assert world.services.database.patient_engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of this pool
    move = by("olga", assign, "ana", "writers")
    written = await asyncio.wait_for(move.make(world.services, {**world.ids, "olga": world.owner}), LATE_S)
    assert written.errors == ()


@pytest.mark.parametrize("size", [0, LONG], ids=["by its people", "by its size"])
async def test_a_plan_waits_before_it_reads(world: Gateway, every_feed_is_long: None, size: int) -> None:
    told: list[Phase] = []
    async with working_out_another(world.services) as turn:
        planning_it = asyncio.create_task(
            plan(world.services, olga(world.owner), FEED, size=size, progress=told.append)
        )
        await turn.asked.wait()
        await assert_others_go_on(world, planning_it)
        assert told[-1] is Phase.WAITING

    assert (await planning_it).errors == ()


@pytest.mark.parametrize("tries", [applying.TRIES, 0], ids=["at first", "after it was overtaken"])
async def test_an_application_waits_before_it_reads_and_before_it_keeps_others_from_writing(
    world: Gateway, every_feed_is_long: None, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Overtaken again and again, it works out the plan under the write lock: which it takes after the turn."""
    monkeypatch.setattr(applying, "TRIES", tries)
    run = (await plan(world.services, olga(world.owner), FEED)).run
    assert run is not None
    async with working_out_another(world.services) as turn:
        applying_it = asyncio.create_task(apply(world.services, olga(world.owner), run))
        await turn.asked.wait()
        await assert_others_go_on(world, applying_it)

    assert (await applying_it).errors == ()


async def test_short_feeds_wait_for_no_turn(world: Gateway) -> None:
    async with working_out_another(world.services):
        run = (await plan(world.services, olga(world.owner), FEED)).run
        assert run is not None
        assert (await apply(world.services, olga(world.owner), run)).errors == ()
