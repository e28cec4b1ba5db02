"""What one caller may take of this process, and how much there is for all: asked before anything is run.

Every transport of GraphQL comes by here, so that the limits of one hold for all:

    admitted = await admission.admit(caller, request)              # read, bound to its variables, paid for
    answer = await admission.execute(caller, admitted)             # a query or a mutation: when it has a place
    answers = admission.subscribe(listener, admitted)            # a subscription: each event is paid for

`only` says what a transport takes (`ANSWERED`, `LISTENED` or both), and `admitted.kind` which it is.

All of them raise `RequestFault`: `Held` where the request is sound and only comes at a bad time. A transport shows its
errors as those of any other; over HTTP they have a status of their own and `Retry-After`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import ceil
from typing import Any

from graphql import GraphQLError, OperationType

from app.domain.callers import Caller
from app.graphql.execution import ANSWERED, Admitted, Executor, Request, RequestFault
from app.graphql.faults import FaultCode
from app.graphql.listening import Listener
from app.services.buckets import Buckets
from app.services.context import Services
from app.services.turns import TooBusy, Turns
from app.settings import Limits
from app.telemetry.metrics import OPEN_STREAMS, REFUSED
from app.telemetry.requests import note_operation

SOON_S = 1  # when to come back to what is full now and may be free in a moment


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
        self._places = {
            OperationType.QUERY: self._make_places(limits.max_concurrency, limits.max_caller_concurrency),
            # Writers wait for one another, maybe as long as a large sync is applied: in places of their own.
            OperationType.MUTATION: self._make_places(limits.max_writers, limits.max_caller_concurrency),
        }

    def _make_places(self, most: int, most_of_one: int) -> Turns:
        limits = self.limits
        return Turns(most, most_of_one=most_of_one, room=limits.max_waiting, patience_s=limits.max_wait_s)

    async def admit(self, caller: Caller, request: Request, *, only: frozenset[OperationType] = ANSWERED) -> Admitted:
        """What is asked, fit to be run and paid for. Raises `RequestFault`.

        What it took to read it is paid for as well, whether it is fit or not.
        """
        self._pay(caller, 0)
        try:
            admitted = await self.executor.admit(request, caller, only=only)
        except RequestFault as fault:
            self._budgets.drain(caller.user, fault.effort)
            if (fault.errors[0].extensions or {}).get("code") == FaultCode.COST_ESTIMATED_TOO_EXPENSIVE:
                REFUSED.labels("cost").inc()
            raise
        operation = admitted.execution.operation
        note_operation(admitted.kind.value, operation.name.value if operation.name is not None else None)
        self._budgets.drain(caller.user, admitted.effort)
        self._pay(caller, admitted.cost)
        return admitted

    async def execute(
        self, caller: Caller, admitted: Admitted, *, leaving: asyncio.Future[None] | None = None
    ) -> dict[str, Any]:
        """The answer to a query or a mutation, ready to be written. Raises `RequestFault`.

        `leaving` is done when nobody waits for it any more: see `Executor.execute`.
        """
        await self.executor.wait_for_revision(self.services, admitted)
        try:
            async with self._places[admitted.kind].take(caller.user):
                answer = await self.executor.execute(self.services, caller, admitted, leaving=leaving)
        except TooBusy as busy:
            raise _hold_busy(busy) from None
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

    def _pay(self, caller: Caller, cost: int) -> None:
        """Takes a cost from the budget of a caller. Raises `Held` where there is not enough."""
        wait = self._budgets.take(caller.user, cost)
        if wait > 0:
            seconds = ceil(wait)
            message = f"you have used up what a caller may take of this server: try again in {seconds} s"
            raise Held(429, FaultCode.REQUEST_RATE_LIMITED, message, retry_after=seconds)

    def _report(self, caller: Caller, admitted: Admitted) -> dict[str, int]:
        """What is told of the cost in `extensions`."""
        return {
            "requested": admitted.cost,
            "limit": self.limits.max_cost,
            "remaining": max(0, int(self._budgets.look(caller.user))),
            "restoreRate": self.limits.caller_refill,
        }


def _hold_busy(busy: TooBusy) -> Held:
    if busy.of_one:
        message = "you have as many operations under way as a caller may have: try again in a moment"
        return Held(429, FaultCode.REQUEST_CONCURRENCY_LIMITED, message, retry_after=SOON_S)
    message = "the server has as much to do as it can: try again in a moment"
    return Held(503, FaultCode.REQUEST_CONCURRENCY_LIMITED, message, retry_after=SOON_S)
