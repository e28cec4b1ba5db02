"""Turns and token buckets: who goes first, who waits, who is told no, and what is kept of them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.services.buckets import MAX_KEPT, Buckets
from app.services.turns import LEAST_PACES, SURE, TooBusy, Turns

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


class Crowd:
    """Waits for the turns there are, everybody under a key of their own but where one is given."""

    def __init__(self, patience_s: float, most: int = 1, most_of_one: int = 1) -> None:
        self.watch = Watch()
        self.turns = Turns(most, most_of_one=most_of_one, room=100, patience_s=patience_s, clock=self.watch)
        self.tasks: list[asyncio.Task[None]] = []
        self.ends: list[asyncio.Event] = []

    async def come(self, *keys: object) -> None:
        for key in keys:
            self.ends.append(asyncio.Event())
            self.tasks.append(asyncio.create_task(self._hold(key, self.ends[-1])))
            await asyncio.sleep(0)

    async def _hold(self, key: object, end: asyncio.Event) -> None:
        async with self.turns.take(key):
            await end.wait()

    async def go_on(self, number: int, pace: float) -> None:
        """Ends the turns of the first so many, one after another."""
        for _ in range(number):
            self.watch.now += pace
            self.ends.pop(0).set()
            for _ in range(3):
                await asyncio.sleep(0)

    async def be_refused(self, key: object) -> TooBusy:
        task = asyncio.create_task(_enter(self.turns, key))
        await asyncio.sleep(0)
        self.tasks.append(task)
        assert task.done(), "it waits"
        error = task.exception()
        assert isinstance(error, TooBusy)
        return error

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(self, *_error: object) -> None:
        for end in self.ends:
            end.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not self.turns._taken and not self.turns._queued and not self.turns._queue


async def test_who_could_have_no_turn_in_time_is_told_at_once() -> None:
    async with Crowd(patience_s=60 / SURE) as crowd:
        await crowd.come(*range(LEAST_PACES + 6))
        await crowd.go_on(LEAST_PACES, pace=10)
        assert crowd.turns.waiting == 5
        await crowd.come("in time: that there are so many paces is known only by the next")
        assert crowd.turns.waiting == 6

        await crowd.go_on(1, pace=10)  # five are ahead of who comes next
        await crowd.come("just in time")
        assert (await crowd.be_refused("too late")).of_one is False
        assert (await crowd.be_refused(LEAST_PACES + 1)).of_one is True  # who has the turn
        assert crowd.turns.waiting == 6


async def test_one_turn_that_hangs_has_nobody_turned_away() -> None:
    async with Crowd(patience_s=60) as crowd:
        await crowd.come(*range(40))
        await crowd.go_on(LEAST_PACES, pace=1)
        await crowd.go_on(1, pace=1000)

        await crowd.come("patient")
        assert crowd.turns.waiting == 40 - LEAST_PACES - 2 + 1


async def test_how_slow_it_was_is_forgotten_with_the_crowd() -> None:
    async with Crowd(patience_s=60) as crowd:
        await crowd.come(*range(LEAST_PACES + 2))
        await crowd.go_on(LEAST_PACES + 2, pace=50)
        assert (crowd.turns.taken, crowd.turns.waiting) == (0, 0)

        await crowd.come("a", "b", "c", "d")
        assert crowd.turns.waiting == 3


async def test_those_who_wait_for_their_own_share_are_ahead_of_nobody() -> None:
    async with Crowd(patience_s=60) as crowd:
        await crowd.come(*range(LEAST_PACES + 1), *["greedy"] * 20)
        await crowd.go_on(LEAST_PACES + 1, pace=10)
        assert crowd.turns.taken == 1

        await crowd.come("modest")
        assert crowd.turns.waiting == 20
        assert (await crowd.be_refused("greedy")).of_one is True


async def test_a_turn_that_nobody_wanted_says_nothing_of_the_pace() -> None:
    """Who waits does so for their own share, while others come now and then, and are done at once."""
    async with Crowd(most=6, most_of_one=4, patience_s=2) as crowd:
        await crowd.come(*["greedy"] * 5)
        assert (crowd.turns.taken, crowd.turns.waiting) == (4, 1)
        for _ in range(LEAST_PACES + 1):
            assert crowd.turns.take_now("modest")
            crowd.watch.now += 3
            crowd.turns.give_back("modest")
        assert crowd.turns._expect("modest") == 0


async def test_how_slow_it_was_is_forgotten_when_who_waited_has_given_up() -> None:
    """Where it was kept nobody would ever wait again, and so nothing would be known of how fast it is by then."""
    async with Crowd(most=6, most_of_one=4, patience_s=2) as crowd:
        await crowd.come(*["greedy"] * (4 + LEAST_PACES + 2))
        await crowd.go_on(LEAST_PACES + 1, pace=3)
        assert (crowd.turns.taken, crowd.turns.waiting) == (4, 1)
        assert crowd.turns._expect("modest") > 2
        assert crowd.turns.take_now("modest")
        crowd.turns.give_back("modest")  # who waits is not to have it
        crowd.tasks[-1].cancel()
        await asyncio.wait([crowd.tasks[-1]])
        assert (crowd.turns.taken, crowd.turns.waiting) == (4, 0)
        await crowd.go_on(1, pace=3)
        assert crowd.turns._expect("modest") == 0


async def _enter(turns: Turns, key: object) -> None:
    async with turns.take(key):
        await asyncio.sleep(0)
