"""What one caller may take of this process, and how much there is for all: asked before anything is run.

Every transport of GraphQL comes by here, and every other door, so that the limits of one hold for all:

    admitted = await admission.admit(caller, request)              # read, bound to its variables, paid for
    answer = await admission.execute(caller, admitted)             # a query or a mutation: waiting takes a place
    answers = admission.subscribe(listener, admitted)            # a subscription: each event is paid for

    admission.pay(caller, cost)                                    # what is no operation of GraphQL: SCIM, feeds
    async with admission.take_place(caller, OperationType.QUERY):
        ...

`only` says what a transport takes (`ANSWERED`, `LISTENED` or both), and `admitted.kind` which it is.

All of them raise `RequestFault`: `Held` where the request is sound and only comes at a bad time. A transport shows its
errors as those of any other; over HTTP they have a status of their own and `Retry-After`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from functools import partial
from math import ceil
from time import perf_counter
from typing import Any

from graphql import GraphQLError, OperationType

from app.domain.callers import Caller
from app.graphql.costs import UNIT_S
from app.graphql.execution import ANSWERED, Admitted, Executor, Hear, Request, RequestFault
from app.graphql.faults import FaultCode
from app.graphql.listening import Listener
from app.services.buckets import Buckets
from app.services.context import Services
from app.services.index import RightsIndex
from app.services.turns import TooBusy, Turns
from app.settings import Limits
from app.telemetry.metrics import OPEN_STREAMS, REFUSED
from app.telemetry.requests import note_operation

SOON_S = 1  # when to come back to what is full now and may be free in a moment
UPLOAD_S = 30  # when to come back with a feed, as the others take minutes
MAX_UPLOADS = 8  # feeds under way, each on disk: jobs are few, and more are a fault of one of them


class Held(RequestFault):
    """A sound request that cannot be run now: come back after `retry_after` seconds. `status`: the one of HTTP."""

    def __init__(self, status: int, code: FaultCode, message: str, *, retry_after: int) -> None:
        extensions = {"code": code.value, "retryAfter": retry_after}
        super().__init__([GraphQLError(message, extensions=extensions)], code)
        self.status = status
        self.retry_after = retry_after


class Admission:
    """The budgets of the callers of one process, and its places."""

    def __init__(self, services: Services, executor: Executor, limits: Limits) -> None:
        self.services = services
        self.executor = executor
        self.limits = limits
        self._budgets = Buckets(limits.caller_budget, limits.caller_refill)
        self._new_documents = Buckets(limits.max_new_documents, limits.new_document_refill)
        self._places = {
            OperationType.QUERY: self._make_places(limits.max_concurrency),
            # Writers wait for one another, maybe as long as a large sync is applied: in places of their own.
            OperationType.MUTATION: self._make_places(limits.max_writers),
        }
        self._uploads = self._make_places(MAX_UPLOADS)

    def _make_places(self, most: int) -> Turns:
        limits = self.limits
        return Turns(
            most, most_of_one=limits.max_caller_concurrency, room=limits.max_waiting, patience_s=limits.max_wait_s
        )  # fmt: skip

    async def admit(
        self,
        caller: Caller,
        request: Request,
        *,
        only: frozenset[OperationType] = ANSWERED,
        hear: Hear | None = None,
    ) -> Admitted:
        """What is asked, fit to be run and paid for. Raises `RequestFault`.

        What it took to read it is paid for as well, whether it is fit or not. `hear` is asked before a document is
        read that was never seen: that takes long.
        """
        if self._budgets.look(caller.user) < 0:
            self.pay(caller, 0)
        try:
            document = self.executor.recall_document(request, caller)
            if document is None:
                self._pay_new_document(caller)
                if hear is not None:
                    await hear()
            admitted = await self.executor.admit(request, caller, only=only, document=document)
        except Held:
            raise
        except RequestFault as fault:
            self._budgets.drain(caller.user, max(fault.effort, 1))
            if (fault.errors[0].extensions or {}).get("code") == FaultCode.COST_ESTIMATED_TOO_EXPENSIVE:
                REFUSED.labels("cost").inc()
            raise
        operation = admitted.execution.operation
        note_operation(admitted.kind.value, operation.name.value if operation.name is not None else None)
        self._budgets.drain(caller.user, admitted.effort)
        self.pay(caller, admitted.cost)
        return admitted

    async def execute(
        self, caller: Caller, admitted: Admitted, *, hear: Hear | None = None, index: RightsIndex | None = None
    ) -> dict[str, Any]:
        """The answer to a query or a mutation, ready to be written. Raises `RequestFault`.

        `hear` is asked before something is waited for, be it a place or the answer, and `index` is what was the latest
        since this was asked for: see `Executor.execute`. What is there at once takes no place: it leaves nobody else
        one less, and would only stand in line behind those who wait. It costs what it took, and not what it was
        expected to take of the database: the rest of what was paid is given back.
        """
        if admitted.request.min_revision is not None:
            if hear is not None:
                await hear()
            await self.executor.wait_for_revision(self.services, admitted)
            index = None
        if index is None and admitted.kind is OperationType.QUERY:
            index = await self.services.index.expect()
        async with AsyncExitStack() as held:
            waiting, begun = _Waiting(hear, held, partial(self.take_place, caller, admitted.kind)), perf_counter()
            answer = await self.executor.execute(self.services, caller, admitted, hear=waiting, index=index)
        if not waiting.has_begun:
            spent = ceil((perf_counter() - begun) / UNIT_S)
            self._budgets.give_back(caller.user, max(0, admitted.cost - spent))
        answer["extensions"]["cost"] = self._report(caller, admitted)
        return answer

    async def subscribe(self, listener: Listener, admitted: Admitted) -> AsyncGenerator[dict[str, Any], None]:
        """The answers to a subscription, one for each event; see `Executor.listen`.

        Each is paid for as if it had been asked for. A caller who has nothing left hears of the next event when there
        is enough again; none is lost.
        """
        caller = listener.caller
        await self.executor.wait_for_revision(self.services, admitted)
        with OPEN_STREAMS.track_inprogress():
            async with aclosing(self.executor.listen(listener, admitted)) as answers:
                async for answer in answers:
                    self._budgets.drain(caller.user, admitted.cost)
                    answer["extensions"]["cost"] = self._report(caller, admitted)
                    yield answer
                    owed = -self._budgets.look(caller.user)
                    if owed > 0:
                        await asyncio.sleep(owed / self.limits.caller_refill)

    @asynccontextmanager
    async def take_place(self, caller: Caller, kind: OperationType) -> AsyncIterator[None]:
        """A place to read (`QUERY`) or to write (`MUTATION`), for as long as it is held. Raises `Held`."""
        with _holding_off(SOON_S):
            async with self._places[kind].take(caller.user):
                yield

    @asynccontextmanager
    async def take_upload(self, caller: Caller) -> AsyncIterator[None]:
        """A place for a feed, from its first byte to its plan. Raises `Held`."""
        with _holding_off(UPLOAD_S):
            async with self._uploads.take(caller.user):
                yield

    def may_answer(self, caller: Caller, cost: int) -> bool:
        """Whether what costs so much may be answered now, in one go: it is paid for by `settle`."""
        return self._budgets.has(caller.user, cost)

    def settle(self, caller: Caller, cost: int) -> int:
        """Takes from a budget what was used up of it, and says how much there is left."""
        return max(0, int(self._budgets.drain(caller.user, cost)))

    def charge(self, caller: Caller, cost: int) -> None:
        """Takes what was used already, or is about to be, from the budget of a caller, whether it is there or not."""
        self._budgets.drain(caller.user, cost)

    def pay(self, caller: Caller, cost: int) -> None:
        """Takes a cost from the budget of a caller. Raises `Held` where there is not enough."""
        wait = self._budgets.take(caller.user, cost)
        if wait > 0:
            seconds = ceil(wait)
            message = f"you have used up what a caller may take of this server: try again in {seconds} s"
            raise Held(429, FaultCode.REQUEST_RATE_LIMITED, message, retry_after=seconds)

    def _pay_new_document(self, caller: Caller) -> None:
        """Counts a document that was never seen. Raises `Held` where a caller brings too many of them."""
        wait = self._new_documents.take(caller.user, 1)
        if wait > 0:
            seconds = ceil(wait)
            message = (
                f"you send too many documents that are new to this server: try again in {seconds} s, or use variables"
            )
            raise Held(429, FaultCode.REQUEST_RATE_LIMITED, message, retry_after=seconds)

    def _report(self, caller: Caller, admitted: Admitted) -> dict[str, int]:
        """What is told of the cost in `extensions`."""
        return {
            "requested": admitted.cost,
            "limit": self.limits.max_cost,
            "remaining": max(0, int(self._budgets.look(caller.user))),
            "restoreRate": self.limits.caller_refill,
        }


class _Waiting:
    """Hears for whoever has to wait, takes them a place, and tells whether anybody had to."""

    __slots__ = ("_hear", "_held", "_take", "has_begun")

    def __init__(
        self, hear: Hear | None, held: AsyncExitStack, take: Callable[[], AbstractAsyncContextManager[None]]
    ) -> None:
        self._hear = hear
        self._held = held
        self._take = take
        self.has_begun = False

    async def __call__(self) -> "asyncio.Future[None] | None":
        self.has_begun = True
        leaving = None if self._hear is None else await self._hear()
        await self._held.enter_async_context(self._take())
        return leaving


@contextmanager
def _holding_off(seconds: int) -> Iterator[None]:
    """Makes a `Held` of a place that is not to be had."""
    try:
        yield
    except TooBusy as busy:
        message = "the server has as much to do as it can: try again in a moment"
        if busy.of_one:
            message = "you have as many operations under way as a caller may have: try again in a moment"
        status = 429 if busy.of_one else 503
        raise Held(status, FaultCode.REQUEST_CONCURRENCY_LIMITED, message, retry_after=seconds) from None
