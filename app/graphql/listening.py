"""What a subscription lives on between its events, and how little that is: nothing that was read.

Each event is read and shown by an `Operation` of its own, opened when the turn of the subscription comes and closed
before the answer is sent.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime

import strawberry

from app.domain.callers import Caller
from app.graphql.context import Operation, bring_to_end
from app.graphql.faults import Fault, FaultCode
from app.services.context import Reading, Services

Authenticate = Callable[[], Awaitable[Caller | None]]


class Listener:
    """The turns of one subscription (see `app.services.listening`), and the operation of the present one.

    `authenticate` gives the caller anew, None where the token is not good any more. `reached` is the revision up to
    which all has been told and taken, None before that is known: who is cut off goes on after it.
    """

    def __init__(self, services: Services, caller: Caller, authenticate: Authenticate) -> None:
        self.services = services
        self.caller = caller
        self.authenticate = authenticate
        self.turns = 0
        self.reached: int | None = None
        self._stack = AsyncExitStack()
        self._operation: Operation | None = None

    @property
    def operation(self) -> Operation:
        """What the present event is shown with."""
        assert self._operation is not None, "it is nobody's turn"
        return self._operation

    async def take(self, *, after: int | None = None, until: datetime | None = None) -> Reading:
        """The next turn. Raises `Fault` where the token is not good any more."""
        await self.rest()
        if after is not None:
            self.reached = after
            ends = [moment for moment in (until, self.caller.expires_at) if moment is not None]
            await self.services.feed.wait(after=after, until=min(ends, default=None))
        await self._stack.enter_async_context(self.services.feed.seats)
        self._operation = Operation(self.services, self.caller)
        self._stack.push_async_callback(self._operation.close)
        reading = await self._operation.read()
        self.services.feed.note(reading.revision)
        # After the snapshot was opened: so the token was still good when all that it holds had been committed.
        caller = await self.authenticate()
        if caller is None or caller.user != self.caller.user:
            raise Fault("the token is not good any more", FaultCode.UNAUTHENTICATED)
        self.caller = caller
        self.turns += 1
        return reading

    async def rest(self) -> None:
        """Ends the present turn."""
        self._operation = None
        await bring_to_end(self._stack.aclose())


Info = strawberry.Info[Listener, None]
