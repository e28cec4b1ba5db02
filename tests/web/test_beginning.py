"""What is begun goes on where it stopped, as if it had been awaited from the start."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

import pytest

from app.web.beginning import begin


async def add(one: int, two: int, *, after: "asyncio.Event | None" = None, steps: list[str] | None = None) -> int:
    told = [] if steps is None else steps
    told.append("begun")
    try:
        if after is not None:
            await after.wait()
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        told.append("cancelled")
        raise
    finally:
        told.append("ended")
    return one + two


async def test_what_need_not_wait_is_done() -> None:
    begun = begin(add(1, 2))

    assert begun.is_done
    assert begun.result == 3
    assert await begun == 3


async def test_what_has_to_wait_goes_on_when_it_is_awaited() -> None:
    event, steps = asyncio.Event(), list[str]()
    begun = begin(add(1, 2, after=event, steps=steps))
    assert not begun.is_done
    assert steps == ["begun"]

    asyncio.get_running_loop().call_later(0.01, event.set)

    assert await begun == 3
    assert steps == ["begun", "ended"]


async def test_a_time_limit_ends_it_where_it_stands() -> None:
    steps: list[str] = []
    begun = begin(add(1, 2, after=asyncio.Event(), steps=steps))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await begun

    assert steps == ["begun", "cancelled", "ended"]


@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_raised(waits: bool) -> None:
    async def fail() -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        await begin(fail())


async def test_what_is_no_coroutine_is_awaited() -> None:
    class Later(Awaitable[int]):
        def __await__(self) -> Generator[Any, Any, int]:
            yield from asyncio.sleep(0).__await__()
            return 4

    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(5)

    assert not begin(Later()).is_done
    assert [await begin(Later()), await begin(future)] == [4, 5]


async def test_one_that_is_never_awaited_is_closed() -> None:
    steps: list[str] = []

    begin(add(1, 2, after=asyncio.Event(), steps=steps))

    assert steps == ["begun", "ended"]
