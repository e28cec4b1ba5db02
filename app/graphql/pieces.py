"""Running an operation piece by piece: nobody else waits for more of it than a piece.

What is computed for a field or an entry of a list keeps the event loop to itself, and of a long answer there is much of
that in a row. So after some time of the processor an operation rests a little, and others are answered meanwhile. What
is loaded together may fall apart by that: one statement more for each rest, of which there are under twenty a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from inspect import CORO_CREATED, getcoroutinestate
from time import perf_counter, thread_time
from types import CoroutineType
from typing import Any, TypeGuard

from graphql import Executor
from graphql.pyutils import gather_with_cancel, is_awaitable

PIECE_S = 0.05  # of the processor; most operations take less, and are run in one piece
LOOK_S = 0.005  # after which a piece is looked at for the first time
REST_S = 0.01  # between two pieces: enough for several small requests, and a sixth more for a large one
ENTRIES = 16  # of a list that are completed before anybody looks at the time


class Pace:
    """How long an operation has had the processor to itself. It begins with its first piece.

    To ask for the time of a thread takes a call of the system, some microseconds: that is done only once the clock on
    the wall says that a piece may be over, and for the first time after `LOOK_S`.
    """

    __slots__ = ("_begun", "_look_at", "_resting")

    def __init__(self) -> None:
        self._begun: float | None = None  # by the time of the thread; None: nobody has looked yet
        self._look_at = perf_counter() + min(LOOK_S, PIECE_S)
        self._resting: asyncio.Lock | None = None

    def is_due(self) -> bool:
        """Whether it is time to rest."""
        now = perf_counter()
        if now < self._look_at:
            return False
        used = thread_time()
        if self._begun is None:  # of the time until now so much may have been spent waiting
            self._begun = used - min(now - self._look_at + LOOK_S, PIECE_S / 2)
        left = PIECE_S - (used - self._begun)
        self._look_at = now + max(left, 0)
        return left <= 0

    async def rest(self) -> None:
        """Rests, if it is time to."""
        if not self.is_due():
            return
        if self._resting is None:
            self._resting = asyncio.Lock()  # all of the operation rests at a time
        async with self._resting:
            if self.is_due():
                await asyncio.sleep(REST_S)
                self._begun, self._look_at = None, perf_counter() + min(LOOK_S, PIECE_S)


def close_unbegun(coroutines: list[Coroutine[Any, Any, Any]]) -> None:
    """Closes those that nobody has come to, each before what it would have waited for; the list is empty then."""
    for one in reversed(coroutines):
        if getcoroutinestate(one) == CORO_CREATED:
            one.close()
    coroutines.clear()


def own_awaitables(begun: list[Coroutine[Any, Any, Any]]) -> Callable[[Any], TypeGuard[Awaitable[Any]]]:
    """Whether a value is to be waited for, which graphql-core asks of all but the entries of lists.

    Coroutines are kept in `begun`. Of the execution it knows nothing: a ring of both would outlive the answer.
    """

    def own_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
        if value.__class__ is CoroutineType:
            begun.append(value)
            return True
        return is_awaitable(value)

    return own_awaitable


class PiecewiseExecution(Executor[Any]):
    """An execution by graphql-core that rests between its pieces. What it answers is the same."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._pace = Pace()
        self._begun: list[Coroutine[Any, Any, Any]] = []  # what was made to be waited for

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """One for an event of a subscription, which keeps the selections of that event for no longer than itself.

        graphql-core has one memory of them for all events, by lists that each event makes anew: it finds nothing there
        again, and 50 KB of a wide document are kept for each event until the subscription ends.
        """
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}  # noqa: SLF001  # there is no other way to it
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Begins with the first piece. Whoever does not wait for what there is to wait for has it dropped."""
        self._pace, self._begun = Pace(), []
        self.is_awaitable = own_awaitables(self._begun)
        result = super().execute_operation(serially)
        return self._await_result(self._own(result)) if result.__class__ is CoroutineType else result

    async def _await_result(self, result: Any) -> Any:
        try:
            return await result
        except BaseException:  # it was called off
            self.drop()
            raise

    def drop(self) -> None:
        """Closes what nobody will wait for any more. Of itself graphql-core leaves that to be found as garbage."""
        close_unbegun(self._begun)

    def _own(self, coroutine: Any) -> Any:
        self._begun.append(coroutine)
        return coroutine

    async def complete_awaitable_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        """The value of a field that had to be waited for, completed when it is its turn."""
        return await super().complete_awaitable_value(
            return_type, field_details_list, info, path, self._await(result), position_context
        )

    async def _await(self, result: Any) -> Any:
        found = await result
        await self._pace.rest()
        return found

    def complete_list_item_value(self, item: Any, completed: list[Any], *more: Any) -> bool:
        """An entry of a list, completed; whether it is to be waited for."""
        waits = super().complete_list_item_value(item, completed, *more)
        if waits:
            self._own(completed[-1])
        return waits

    def complete_awaitable_list_item_value(self, *given: Any) -> Coroutine[Any, Any, Any]:
        """An entry of a list, completed when it is its turn."""
        work: Coroutine[Any, Any, Any] = self._own(super().complete_awaitable_list_item_value(*given))
        return work

    def complete_iterable_value(
        self, item_type: Any, field_details_list: Any, info: Any, path: Any, items: Any, position_context: Any
    ) -> Any:
        """The entries of a list, completed; a long one is waited for."""
        if isinstance(items, Sequence) and len(items) > ENTRIES:
            return self._complete_entries(item_type, field_details_list, info, path, items, position_context)
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    async def _complete_entries(
        self, item_type: Any, field_details_list: Any, info: Any, path: Any, items: Sequence[Any], context: Any
    ) -> list[Any]:
        """As graphql-core does it, but a few at a time. What has to be waited for is begun together, at the end."""
        completed: list[Any] = []
        waiting: list[int] = []
        try:
            for index, item in enumerate(items):
                if index % ENTRIES == 0:
                    await self._pace.rest()
                place = path.add_key(index, None)
                if self.is_awaitable(item):
                    work = self.complete_awaitable_list_item_value(
                        item, item_type, field_details_list, info, place, context
                    )
                    completed.append(work)
                    waiting.append(index)
                elif self.complete_list_item_value(
                    item, completed, item_type, field_details_list, info, place, context
                ):
                    waiting.append(index)
        except Exception:
            self.settle_in_background([completed[index] for index in waiting])
            raise
        found = await gather_with_cancel(*(completed[index] for index in waiting))
        for index, value in zip(waiting, found, strict=True):
            completed[index] = value
        return completed
