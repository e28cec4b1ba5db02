"""Going on at once where there is nothing to wait for: neither a task nor a time limit is made for what is there."""

from collections.abc import Awaitable, Generator
from types import CoroutineType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Begun(Generic[T]):
    """Something that was begun. Where it `is_done` its `result` is there; else it has to be awaited, once."""

    __slots__ = ("_rest", "_waits_for", "is_done", "result")

    def __init__(self, work: Awaitable[T]) -> None:
        self.is_done = False
        self._rest = work
        if not isinstance(work, CoroutineType):  # it may be anything that can be awaited
            return
        try:
            self._waits_for = work.send(None)
        except StopIteration as end:
            self.result: T = end.value
            self.is_done = True

    def __await__(self) -> Generator[Any, Any, T]:
        if self.is_done:
            return self.result
        work = self._rest
        if not isinstance(work, CoroutineType):
            return (yield from work.__await__())
        waits_for = self._waits_for
        while True:
            thrown: BaseException | None = None
            sent = None
            try:
                sent = yield waits_for
            except BaseException as error:
                thrown = error
            try:
                waits_for = work.send(sent) if thrown is None else work.throw(thrown)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # of a coroutine, what it returns


def begin(work: Awaitable[T]) -> Begun[T]:
    """Goes as far as it goes without waiting. What it raises by then is raised here.

    It runs in the task of whoever calls, as if it were awaited, and is to be awaited there.
    """
    return Begun(work)
