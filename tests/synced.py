"""Feeds through the services in few words, for tests of sync that need no door."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from app.catalogs.feeds import FeedFormat
from app.db.unit_of_work import Database
from app.domain.callers import Caller
from app.domain.errors import DomainError
from app.domain.holders import UserId
from app.domain.sync.runs import SyncRun
from app.services.context import Services
from app.services.sync.applying import ApplyOptions, apply_sync
from app.services.sync.feeds import Feed
from app.services.sync.planning import PlanOptions, Progress, SyncAnswer, be_silent, plan_sync
from tests.factories import CURSOR_KEY, Clock
from tests.moves import address
from tests.processes import FORKING, load_program

SOURCE = "hr"


def write_feed(people: Iterable[dict[str, Any]]) -> bytes:
    """A feed in JSON Lines, one person a line."""
    return "".join(json.dumps(person) + "\n" for person in people).encode()


def olga(owner: str) -> Caller:
    """The account owner of the templates, as a caller."""
    return Caller(user=UserId(owner), user_name="olga")


async def plan(
    services: Services, caller: Caller, feed: bytes, *, size: int = 0, progress: Progress = be_silent, **given: Any
) -> SyncAnswer:
    """The plan of a feed in JSON Lines."""
    options, sent = PlanOptions(**{"source": SOURCE, **given}), Feed(FeedFormat.JSON_LINES, [feed], size)
    return await plan_sync(services, caller, sent, options=options, progress=progress)


async def apply(services: Services, caller: Caller, run: SyncRun, **given: Any) -> SyncAnswer:
    """The plan of a run applied; removals are meant."""
    options = {"fingerprint": run.fingerprint, "override_brake": True, "reason": "meant", **given}
    return await apply_sync(services, caller, run.id, options=ApplyOptions(**options))


async def sync(services: Services, caller: Caller, feed: bytes, **given: Any) -> SyncAnswer:
    """A feed planned and applied, whatever it takes away."""
    planned = await plan(services, caller, feed, **given)
    assert planned.run is not None, planned.errors
    return planned if planned.errors else await apply(services, caller, planned.run)


def codes(errors: Sequence[DomainError]) -> list[str]:
    return [error.code.value for error in errors]


# ---------------------------------------------------------------------- in a process of its own


def start_applying(path: Path, owner: str, run: str, fingerprint: str, ready: Path) -> Any:
    """A process that applies a plan, and says that it is about to by making the file `ready`."""
    process = FORKING.Process(target=_apply, args=(path, owner, run, fingerprint, ready), daemon=True)
    process.start()
    return process


def _apply(path: Path, owner: str, run: str, fingerprint: str, ready: Path) -> None:
    program = load_program()

    async def go() -> None:
        services = Services(Database(address(path)), program, cursor_key=CURSOR_KEY, clock=Clock())
        async with services.reading():  # the file is open, what comes next is the apply
            await asyncio.to_thread(ready.write_text, "ready")
        options = ApplyOptions(fingerprint=fingerprint, override_brake=True, reason="meant")
        await apply_sync(services, olga(owner), run, options=options)
        await services.close()

    asyncio.run(go())
