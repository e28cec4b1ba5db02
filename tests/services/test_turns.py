"""Turns and token buckets: who goes first, who waits, who is told no, and what is kept of them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.services.buckets import MAX_KEPT, Buckets
from app.services.turns import TooBusy, Turns

QUICKLY = 0.01


class Watch:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_full_at_first_and_fills_again() -> None:
    watch = Watch()
    buckets = Buckets(10, 2, clock=watch)

    assert [buckets.take("a", 4) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.look("a") == 2
    watch.now += 1
    assert buckets.take("a", 4) == 0.0
    watch.now += 1000
    assert buckets.look("a") == 10
    assert buckets.look("b") == 10


def test_more_than_a_bucket_holds_takes_all_of_it() -> None:
    watch = Watch()
    buckets = Buckets(10, 2, clock=watch)

    assert buckets.take("a", 1000) == 0.0
    assert buckets.take("a", 1000) == 5.0


def test_what_was_used_already_may_be_owed() -> None:
    watch = Watch()
    buckets = Buckets(10, 2, clock=watch)
    buckets.drain("a", 14)

    assert buckets.look("a") == -4
    assert buckets.take("a", 0) == 2.0
    watch.now += 2
    assert buckets.take("a", 0) == 0.0


def test_no_more_buckets_are_kept_than_a_few_thousand() -> None:
    buckets = Buckets(10, 2, clock=Watch())
    for number in range(MAX_KEPT + 5):
        buckets.take(number, 1)

    assert len(buckets._levels) == MAX_KEPT
    assert buckets.look(0) == 10


async def test_who_comes_later_waits_in_order() -> None:
    turns, order = Turns(1, most_of_one=1, room=10, patience_s=5), []

    async def work(name: str) -> None:
        async with turns.take(name):
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(name) for name in "abcde"))

    assert order == list("abcde")
    assert (turns.taken, turns.waiting) == (0, 0)
    assert not turns._taken and not turns._queued


async def test_who_has_their_share_is_passed_over() -> None:
    turns = Turns(2, most_of_one=1, room=10, patience_s=5)
    order = []
    first = asyncio.Event()

    async def work(name: str, until: asyncio.Event | None = None) -> None:
        async with turns.take(name[0]):
            order.append(name)
            if until is not None:
                await until.wait()

    tasks = [asyncio.create_task(work("a1", first))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(work(name)) for name in ("a2", "b1", "c1")]
    await asyncio.wait(tasks[2:], timeout=5)
    assert order == ["a1", "b1", "c1"]

    first.set()
    await asyncio.gather(*tasks)
    assert order[-1] == "a2"


async def test_a_full_queue_says_no_at_once_and_one_key_fills_half_of_it() -> None:
    turns = Turns(1, most_of_one=1, room=4, patience_s=5)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.take("a"))
        waiting = [asyncio.create_task(_enter(turns, key)) for key in ("a", "a", "b", "b")]
        await asyncio.sleep(0)

        for key, of_one in (("a", True), ("b", True), ("c", False)):
            with pytest.raises(TooBusy) as busy:
                await _enter(turns, key)
            assert busy.value.of_one is of_one
    await asyncio.gather(*waiting)
    assert not turns._taken and not turns._queued and not turns._queue


async def test_nobody_waits_longer_than_their_patience() -> None:
    turns = Turns(1, most_of_one=1, room=4, patience_s=QUICKLY)
    async with turns.take("a"):
        for key, of_one in (("a", True), ("b", False)):
            with pytest.raises(TooBusy) as busy:
                await _enter(turns, key)
            assert busy.value.of_one is of_one
        assert turns.waiting == 0
    await _enter(turns, "b")


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    turns = Turns(1, most_of_one=1, room=4, patience_s=5)
    async with turns.take("a"):
        waiting = asyncio.create_task(_enter(turns, "b"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert (turns.taken, turns.waiting) == (0, 0)


async def test_who_gives_up_in_the_moment_of_the_call_gives_the_turn_on() -> None:
    turns = Turns(1, most_of_one=1, room=4, patience_s=5)
    async with turns.take("a"):
        gone, next_one = (asyncio.create_task(_enter(turns, key)) for key in "bc")
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone, next_one], timeout=5)

    assert next_one.done() and not next_one.cancelled()
    assert (turns.taken, turns.waiting) == (0, 0)


async def _enter(turns: Turns, key: str) -> None:
    async with turns.take(key):
        await asyncio.sleep(0)
