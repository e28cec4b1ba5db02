"""Where `sync` does its work: over the database of the environment, or at a gateway that runs elsewhere."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from app.catalogs.feeds import FeedFormat
from app.cli.progress import Progress
from app.domain.errors import Refused
from app.domain.paging import Slice
from app.domain.sync.desired import SyncMode
from app.domain.sync.runs import SyncAction
from app.main import open_services
from app.services.callers import stand_in
from app.services.context import Services
from app.services.sync.applying import ApplyOptions, apply_sync
from app.services.sync.feeds import Feed
from app.services.sync.planning import Phase, PlanOptions, fingerprint_feed, plan_sync
from app.services.sync.runs import find_run, list_items, list_runs
from app.services.writing import IdempotencyKey
from app.settings import Settings
from app.web.sync_answers import Data, ErrorTeller, show_answer, show_run

PART = 1 << 20  # bytes of a feed that are read at a time
TICK_S = 1.0  # between two signs of life on a terminal
PAGE = 100  # items of a page: what the schema gives at most


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFile:
    """A feed in a file, and how it is meant."""

    path: Path
    format: FeedFormat
    source: str
    mode: SyncMode = SyncMode.ATOMIC
    take_over: bool = False
    max_removals: int | None = None

    @property
    def options(self) -> PlanOptions:
        return PlanOptions(source=self.source, mode=self.mode, take_over=self.take_over, max_removals=self.max_removals)

    def parts(self, advance: Callable[[int], object] = lambda done: None) -> "FileParts":
        return FileParts(self.path, advance)

    def derive_key(self) -> str:
        """An idempotency key that the same bytes meant in the same way have, and no others."""
        return f"permgate sync {fingerprint_feed(Feed(self.format, self.parts()), self.options)}"


@dataclass(frozen=True, slots=True)
class FileParts:
    """The bytes of a file, part by part, as often as they are asked for. `advance` hears how many there were."""

    path: Path
    advance: Callable[[int], object]

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        with self.path.open("rb") as file:
            while part := file.read(PART):
                done += len(part)
                yield part
                self.advance(done)


class Gateway(Protocol):
    """Plans and applies. Answers are those of `POST /sync/{source}`: `run`, `errors`, `warnings`, `repeated`."""

    def plan(self, feed: FeedFile, *, key: str | None, resume: bool, progress: Progress) -> Data:
        """Plans a feed, or finds what was planned under the key before."""

    def apply(self, run: Data, *, override_brake: bool, reason: str | None) -> Data:
        """Applies a plan by its fingerprint."""

    def find(self, run: str) -> Data | None:
        """A run by its id."""

    def list_items(self, run: str, action: str) -> Iterator[Data]:
        """The items of a run that do this, in the order of the plan."""

    def list_runs(self, source: str | None, most: int) -> list[Data]:
        """The latest runs, newest first."""

    def __enter__(self) -> "Gateway": ...

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None: ...


class LocalGateway:
    """Works over a database, as one of those in it: their rights and their ceiling bound what is done."""

    def __init__(self, settings: Settings, user_name: str) -> None:
        self._settings = settings
        self._user_name = user_name
        self._runner = asyncio.Runner()

    def __enter__(self) -> "LocalGateway":
        try:
            self._services = self._runner.run(open_services(self._settings))
            self._caller = self._runner.run(stand_in(self._services, self._user_name))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        services: Services | None = getattr(self, "_services", None)
        if services is not None:
            self._runner.run(services.close())
        self._runner.close()

    # ------------------------------------------------------------------ planning and applying

    def plan(self, feed: FeedFile, *, key: str | None, resume: bool, progress: Progress) -> Data:
        size = feed.path.stat().st_size
        is_reading = False

        def hear(phase: Phase) -> None:
            nonlocal is_reading
            is_reading = phase is Phase.READING
            progress.begin(phase.value, size if is_reading else None)

        async def tick() -> None:
            while True:
                await asyncio.sleep(TICK_S)
                if not is_reading:  # how far that is, is told as it goes
                    progress.advance(0)

        async def do() -> Data:
            content = Feed(feed.format, feed.parts(progress.advance), size)
            options = feed.options
            if key is not None:
                fingerprint = fingerprint_feed(Feed(feed.format, feed.parts()), options)
                options = replace(options, idempotency=IdempotencyKey(key, fingerprint), resume=resume)
            ticking = asyncio.create_task(tick())
            try:
                answer = await plan_sync(self._services, self._caller, content, options=options, progress=hear)
            finally:
                ticking.cancel()
            return await show_answer(self._services, self._caller, answer)

        return self._runner.run(do())

    def apply(self, run: Data, *, override_brake: bool, reason: str | None) -> Data:
        async def do() -> Data:
            options = ApplyOptions(fingerprint=run["fingerprint"], override_brake=override_brake, reason=reason)
            answer = await apply_sync(self._services, self._caller, run["id"], options=options)
            return await show_answer(self._services, self._caller, answer)

        return self._runner.run(do())

    # ------------------------------------------------------------------ looking

    def find(self, run: str) -> Data | None:
        async def do() -> Data | None:
            async with self._services.reading(self._caller) as reading:
                found = await find_run(reading, run)
            return None if found is None else show_run(found)

        return self._runner.run(do())

    def list_items(self, run: str, action: str) -> Iterator[Data]:
        last: tuple[int, ...] | None = None
        while True:
            page, last = self._runner.run(self._read_items(run, action, last))
            yield from page
            if last is None:
                return

    async def _read_items(
        self, run: str, action: str, after: tuple[int, ...] | None
    ) -> tuple[list[Data], tuple[int, ...] | None]:
        """A page of items, and after which the next begins; None: there is none."""
        async with self._services.reading(self._caller) as reading:
            teller = ErrorTeller(self._services.catalog, await reading.look())
            page = await list_items(reading, run, SyncAction(action), Slice(PAGE, after))
            told = [teller.show_item(item) for item, _ in page.items]
        return told, (page.items[-1][1],) if page.has_next else None

    def list_runs(self, source: str | None, most: int) -> list[Data]:
        async def do() -> list[Data]:
            async with self._services.reading(self._caller) as reading:
                page = await list_runs(reading, source, Slice(most))
            return [show_run(run) for run, _ in page.items]

        return self._runner.run(do())


def explain_refusal(refused: Refused) -> Data:
    """Refusals of a question, as an answer without a run."""
    errors = [{"code": e.code.value, "message": str(e), "path": list(e.path)} for e in refused.errors]
    return {"run": None, "errors": errors, "warnings": [], "repeated": False}
