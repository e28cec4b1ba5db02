"""What the resolvers of one operation share: the caller, the services, and one snapshot to read from.

Everything here lives no longer than one operation. A mutation gives each of its fields a snapshot of its own, opened
after the field's change was committed, so that what a payload shows is what is now so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import strawberry
from strawberry.dataloader import DataLoader

from app.domain.callers import Caller
from app.domain.catalog import Catalog
from app.domain.errors import Refused
from app.domain.holders import UserId
from app.domain.world import World
from app.graphql.pieces import Pace
from app.services.context import Reading, Services
from app.services.history import AsOf, read_past
from app.services.index import RightsIndex
from app.services.seeing import Seen

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Moved(Exception):
    """Something was committed between the index and the snapshot that an operation is answered from: it begins anew."""


class CalledOff(Exception):
    """What was being loaded is not waited for any more: its operation has ended."""


async def bring_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Does some work to its end, however often whoever waits for that is called off; they hear of it afterwards."""
    ending = asyncio.ensure_future(work)
    called_off = False
    while not ending.done():
        try:
            await asyncio.wait([ending])
        except asyncio.CancelledError:
            called_off = True
    if called_off:
        raise asyncio.CancelledError
    ending.result()


class Operation:
    """The state of one operation.

    With `may_index` it is answered from the index as far as that goes: from `index`, where somebody has looked already
    since the operation was asked for, and never from one before `min_revision`. What the index does not have is read
    from a snapshot of the same state. Where that is another by then (a later one, or of a database that was set back),
    `has_moved` is set, every answer so far is void, and the operation is to be answered anew without.
    """

    def __init__(
        self,
        services: Services,
        caller: Caller,
        *,
        may_index: bool = False,
        index: RightsIndex | None = None,
        min_revision: int = 0,
    ) -> None:
        self.services = services
        self.caller = caller
        self.has_moved = False
        self._pace = Pace()
        self._may_index = may_index
        is_late = index is not None and index.revision < min_revision
        self._index = index if may_index and not is_late else None
        self._min_revision = min_revision
        self._stack = AsyncExitStack()
        self._reading: Reading | None = None
        self._loaders: dict[str, DataLoader[Any, Any]] = {}
        self._loading: set[asyncio.Task[Any]] = set()
        self._opening: asyncio.Task[Reading] | None = None  # sibling fields run at once and share one snapshot
        self._gate: asyncio.Event | None = None  # set once it may ask the database; None: it may from the beginning
        self._has_ended = False

    @property
    def catalog(self) -> Catalog:
        return self.services.catalog

    @cached_property
    def now(self) -> datetime:
        """The moment of this operation."""
        return self.services.clock()

    def find_index(self) -> RightsIndex | None:
        """The index of the revision of this operation; None: it is answered from the database alone."""
        if self._index is None and self._may_index:
            is_open = self._reading is not None or self._opening is not None
            index = None if is_open else self.services.index.current()
            self._index = index if index is not None and index.revision >= self._min_revision else None
            self._may_index = self._index is not None
        return self._index

    @property
    def revision(self) -> int | None:
        """The revision that it was answered from so far; None: nothing was read."""
        if self._reading is not None:
            return self._reading.revision
        return None if self._index is None else self._index.revision

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing was opened, and nothing is being loaded: there is nothing to `end`."""
        return self._reading is None and self._opening is None and not self._loading

    def hold(self) -> None:
        """Keeps it from the database until it is `let_in`."""
        self._gate = asyncio.Event()

    def let_in(self) -> None:
        """Lets it ask the database from now on."""
        if self._gate is not None:
            self._gate.set()

    async def read(self) -> Reading:
        """The snapshot of this operation, opened when it is first needed and the operation is let in.

        Opening it is nobody's but the operation's: a field that is called off meanwhile, or let go by an error beside
        it, leaves no connection behind. Raises `CalledOff` once the operation has ended.
        """
        if self._reading is not None:
            return self._reading
        if self._gate is not None:
            await self._gate.wait()
        if self._has_ended:
            raise CalledOff
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Reading:
        reading = await self._stack.enter_async_context(self.services.reading(self.caller, now=self.now))
        if self._index is not None and self._index.mark != reading.mark:
            self.has_moved = True
            raise Moved
        await reading.load_world()
        self._reading = reading
        return reading

    async def start_over(self, after: World | None = None) -> None:
        """A new snapshot for what follows; `after` is the world of a dry run, to be seen in place of what is so."""
        await self.close()
        self.__dict__.pop("now", None)  # what follows is of a later moment
        if after is not None:
            reading = await self.read()
            self._reading = Reading(
                self.services, reading.unit, revision=reading.revision, caller=self.caller, world=after
            )

    async def close(self) -> None:
        """Ends the snapshot, and what is still being loaded from it: an operation may be called off at any time."""
        await bring_to_end(self._close())

    async def _close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.wait([opening])  # why it failed, whoever waited for it was told
        self._reading = None
        self._loaders.clear()
        if self._loading:
            loading = [*self._loading]
            for task in loading:
                task.cancel()
            await asyncio.wait(loading)
        await self._stack.aclose()

    async def end(self) -> None:
        """Closes for good: what is still running of the operation opens nothing any more."""
        self._has_ended = True
        self.let_in()
        await self.close()

    async def look(self, *users: UserId) -> Seen:
        """What the caller sees, these people included; those asked for at the same time are loaded together."""

        async def load(wanted: list[UserId]) -> list[UserId]:
            await (await self.read()).load_world(wanted)
            return wanted

        await self.loader("people", load).load_many(users)
        # Not what the loader gave: of those asked for earlier it keeps the world of that time, without the others.
        return await (await self.read()).look()

    def see(self, show: Callable[[Seen], V], *users: UserId) -> V:
        """What is shown of what the caller sees, these people included: at once, where they have been loaded.

        Else it is something to be waited for, as `look`; graphql-core waits for whatever there is to wait for.
        """
        seen = None if self._reading is None else self._reading.seen_so_far(users)
        return cast(V, self._see_later(show, users)) if seen is None else show(seen)

    async def _see_later(self, show: Callable[[Seen], V], users: Sequence[UserId]) -> V:
        return show(await self.look(*users))

    async def read_past(self, as_of: AsOf | None, *users: UserId) -> Reading:
        """What was known then (None: what is known now), these people in it, loaded together as by `look`.

        Raises `Refused` for a moment that there was not.
        """
        if as_of is None:
            await self.look(*users)
            return await self.read()

        async def open_moments(moments: list[AsOf]) -> list[Reading | Refused]:
            found: list[Reading | Refused] = []
            for moment in moments:
                try:
                    found.append(await read_past(await self.read(), moment))
                except Refused as refused:
                    found.append(refused)
            return found

        known: Reading = await self.loader("moments", open_moments).load(as_of)

        async def load(wanted: list[UserId]) -> list[UserId]:
            await known.load_world(wanted)
            return wanted

        await self.loader(f"people at {known.revision}", load).load_many(users)
        return known

    async def rest(self) -> None:
        """Rests if it is time to, before something is computed that others of what was loaded together have as well."""
        await self._pace.rest()

    def loader(
        self, name: str, load: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]], *, cache: bool = True
    ) -> DataLoader[K, V]:
        """The loader of a name, made with `load` where there is none yet. Without `cache` equal keys are not one."""
        if name not in self._loaders:
            self._loaders[name] = DataLoader(load_fn=partial(self._follow, load), cache=cache)
        return self._loaders[name]

    async def _follow(self, load: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]], keys: list[K]) -> Any:
        """Loads, in a task of the loader's own, which this operation does not outlive."""
        task = asyncio.current_task()
        assert task is not None
        self._loading.add(task)
        try:
            return await load(keys)
        except asyncio.CancelledError:
            raise CalledOff from None  # whoever waits for it is told, and does not wait for ever
        finally:
            self._loading.discard(task)


Info = strawberry.Info[Operation, None]
