"""SCIM and feeds take of the same budget as GraphQL, and no caller takes all the places of either."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.callers import Right
from app.settings import Limits, Settings
from app.web import admission, routes
from app.web.admission import Admission
from app.web.feeds import COST
from app.web.scim.queries import SHOWN
from tests.factories import Clock, Gateway, Template, open_gateway
from tests.scim import USER, Provider, fault_of

Opening = Callable[..., AbstractAsyncContextManager[Gateway]]
FEED = b'{"externalId": "e-dora", "userName": "dora"}\n'
QUERY = {"query": "{ revision }"}


@pytest.fixture
def opening(stocked_template: Template, tmp_path: Path, clock: Clock, shared_schema: None) -> Opening:
    """Opens the small contact centre within other limits."""

    def open_within(**limits: Any) -> AbstractAsyncContextManager[Gateway]:
        return open_gateway(stocked_template, tmp_path / "world.db", clock, Settings(limits=Limits(**limits)))

    return open_within


async def send(world: Gateway, body: Any = FEED, *, token: str | None = None, source: str = "hr") -> httpx.Response:
    """A feed by POST."""
    headers = {"authorization": f"Bearer {token or world.token}", "content-type": "application/x-ndjson"}
    return await world.client.post(f"/sync/{source}", content=body, headers=headers)


def told(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal in the words of GraphQL."""
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"]


class Stalled:
    """A body whose end comes when it is told to."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.begun.set()
            yield part
            await self.go_on.wait()


# ---------------------------------------------------------------------- budgets


async def test_what_is_used_up_by_scim_is_gone_for_every_door(opening: Opening) -> None:
    async with opening(caller_budget=3000, caller_refill=1) as world:
        provider = Provider(world, world.token)
        _, other = await world.issue_token("ana")
        while (response := await provider.call("GET", f"/Users/{world.ids['ana']}")).status_code == 200:
            pass

        status, keyword, detail = fault_of(response)
        assert (status, keyword) == (429, None)
        assert "try again in" in detail
        assert 1 <= int(response.headers["retry-after"]) <= 100
        asked = await world.post(QUERY)
        fed = await send(world)
        assert [told(asked), told(fed)] == [(429, "REQUEST_RATE_LIMITED")] * 2
        assert all(int(one.headers["retry-after"]) >= 1 for one in (asked, fed))
        assert (await world.post(QUERY, token=other)).status_code == 200


async def test_what_takes_more_costs_more(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Admission] = []

    class Watched(Admission):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(routes, "Admission", Watched)
    async with opening(caller_refill=1) as world:
        provider, costs = Provider(world, world.token), []

        async def note(asked: Awaitable[object]) -> None:
            before = made[0]._budgets.look(world.owner)
            await asked
            costs.append(before - made[0]._budgets.look(world.owner))

        await note(provider.get("/Users", count="0"))
        await note(provider.get("/Users"))  # of four people
        await note(provider.get("/Users", filter='displayName sw "x" or externalId pr'))  # looks at each for two things
        await note(provider.get("/Groups", filter='displayName sw "x"'))  # at each of two
        await note(provider.get("/Groups"))  # two, with two people in one
        await note(provider.create("dora"))
        await note(send(world))
        await note(send(world, FEED + b"\n" * (100 << 10)))

    shown = 4 * SHOWN
    assert costs == pytest.approx([100, 100 + shown, 108 + shown, 102, 102 + 2 * SHOWN, 500, COST, COST + 100], abs=1)


async def test_a_feed_of_who_has_nothing_left_is_refused_before_a_byte_is_read(opening: Opening) -> None:
    async with opening(caller_budget=COST, caller_refill=1) as world:
        assert (await send(world)).status_code == 200
        stalled = Stalled(FEED)

        response = await send(world, stalled)

        assert told(response) == (429, "REQUEST_RATE_LIMITED")
        assert not stalled.begun.is_set()


# ---------------------------------------------------------------------- places


async def test_one_caller_has_a_share_of_the_places_of_scim(opening: Opening) -> None:
    async with opening(max_writers=2, max_caller_concurrency=1, max_wait_s=0.01) as world:
        other = await world.trust("ana", *Right)
        mine, theirs = Provider(world, world.token), Provider(world, other)
        async with world.services.database.writing():
            first = asyncio.create_task(mine.create("dora"))
            await asyncio.sleep(0.05)
            refused = await mine.call("POST", "/Users", {"schemas": [USER], "userName": "emil"})
            over_graphql = await world.post({"query": 'mutation { createUser(input: {userName: "fay"}) { revision } }'})
            second = asyncio.create_task(theirs.create("gus"))
            await asyncio.sleep(0.05)
            crowded = await world.client.post("/scim/v2/Users", headers={"authorization": f"Bearer {other}"})
            read = await mine.call("GET", f"/Users/{world.ids['ana']}")
            assert not first.done() and not second.done()

        assert fault_of(refused)[0] == 429
        assert refused.headers["retry-after"] == "1"
        assert told(over_graphql) == (429, "REQUEST_CONCURRENCY_LIMITED")
        assert crowded.status_code == 429
        assert read.status_code == 200
        assert {(await first)["userName"], (await second)["userName"]} == {"dora", "gus"}


async def test_whose_body_still_comes_holds_no_place(opening: Opening) -> None:
    async with opening(max_caller_concurrency=1, max_wait_s=0.01) as world:
        stalled = Stalled(b'{"schemas": ["%s"], ' % USER.encode(), b'"userName": "dora"}')
        headers = {"authorization": f"Bearer {world.token}", "content-type": "application/scim+json"}
        slow = asyncio.create_task(world.client.post("/scim/v2/Users", content=stalled, headers=headers))
        await stalled.begun.wait()

        assert (await Provider(world, world.token).create("emil"))["userName"] == "emil"
        stalled.go_on.set()
        assert (await slow).status_code == 201


async def test_one_caller_has_a_share_of_the_places_for_feeds(opening: Opening) -> None:
    async with opening(max_caller_concurrency=1, max_wait_s=0.01) as world:
        other = await world.trust("ana", *Right)
        stalled = Stalled(FEED)
        first = asyncio.create_task(send(world, stalled))
        await stalled.begun.wait()

        refused = await send(world, source="idp")
        assert told(refused) == (429, "REQUEST_CONCURRENCY_LIMITED")
        assert refused.headers["retry-after"] == "30"
        assert (await send(world, token=other, source="idp")).status_code == 200
        stalled.go_on.set()
        assert (await first).status_code == 200
        assert (await send(world, source="idp")).status_code == 200


async def test_only_so_many_feeds_come_at_a_time(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_UPLOADS", 1)
    async with opening(max_wait_s=0.01) as world:
        stalled = Stalled(FEED)
        first = asyncio.create_task(send(world, stalled))
        await stalled.begun.wait()

        refused = await send(world, source="idp")
        assert told(refused) == (503, "REQUEST_CONCURRENCY_LIMITED")
        assert refused.headers["retry-after"] == "30"
        stalled.go_on.set()
        assert (await first).status_code == 200


# ---------------------------------------------------------------------- limits


async def test_scim_takes_bodies_as_long_as_the_settings_say(opening: Opening) -> None:
    async with opening(max_body_bytes=500) as world:
        provider = Provider(world, world.token)

        response = await provider.call("POST", "/Users", {"userName": "d" * 500})

        assert fault_of(response)[0] == 413
        assert (await provider.get("/ServiceProviderConfig"))["bulk"]["maxPayloadSize"] == 500
