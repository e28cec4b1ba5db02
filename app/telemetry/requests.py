"""What is noted of one request while it is answered, and the line and figures that are made of it at its end.

Whoever learns something notes it: the edge its id, authentication the actor, the executor the operation. Of the
operation its name is told as the document spells it, which is letters, digits and `_` alone.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter

from app.telemetry.metrics import DECISIONS, IN_PROGRESS, REQUEST_SECONDS, REQUESTS
from app.telemetry.traces import span

MAX_NAME = 128  # characters of the name of an operation; longer ones are cut
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)

access = logging.getLogger("permgate.access")


@dataclass(slots=True, kw_only=True)
class Note:
    """What is known of a request so far. `kind` is of a closed list: it is a label of metrics."""

    request_id: str | None = None
    kind: str = "other"
    status: str = ""
    actor: str | None = None
    operation: str | None = None
    allowed: int = 0
    denied: int = 0
    is_quiet: bool = False  # told of only if it fails: a probe comes every few seconds

    def identify(self) -> dict[str, object]:
        """What every line says of the request that it comes from."""
        return {} if self.request_id is None else {"request": self.request_id}


_current: ContextVar[Note | None] = ContextVar("permgate_note", default=None)


def current_note() -> Note:
    """The note of the request that is being answered; outside of any one that nobody reads."""
    return _current.get() or Note()


def read_request_id(given: str | None) -> str:
    """The id that a proxy gave, if it is one; else a new one."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def note_actor(actor: str) -> None:
    """Notes the id of the user who asks."""
    current_note().actor = actor


def note_operation(kind: str, name: str | None) -> None:
    """Notes what is asked: `query`, `mutation` or `subscription`, and the operation's name in the document."""
    note = current_note()
    note.kind = kind
    note.operation = None if name is None else name[:MAX_NAME]


def note_decisions(*, allowed: int, denied: int) -> None:
    """Notes what was decided."""
    note = current_note()
    note.allowed += allowed
    note.denied += denied
    if allowed:
        DECISIONS.labels("allowed").inc(allowed)
    if denied:
        DECISIONS.labels("denied").inc(denied)


@contextmanager
def observing(note: Note) -> Iterator[Note]:
    """Follows a request from its beginning to its end: then it is counted, timed, and told of in the access log."""
    token = _current.set(note)
    begun = perf_counter()
    IN_PROGRESS.inc()
    try:
        with span("request") as tell:
            try:
                yield note
            except asyncio.CancelledError:
                note.status = note.status or "cancelled"
                raise
            except BaseException:
                note.status = note.status or "failed"
                raise
            finally:
                tell(kind=note.kind, operation=note.operation, status=note.status, request=note.request_id)
    finally:
        _current.reset(token)
        seconds = perf_counter() - begun
        IN_PROGRESS.dec()
        REQUESTS.labels(note.kind, note.status).inc()
        REQUEST_SECONDS.labels(note.kind).observe(seconds)
        if access.isEnabledFor(logging.INFO) and not (note.is_quiet and note.status == "200"):
            access.info("request", extra={"fields": _describe(note, seconds)})


def _describe(note: Note, seconds: float) -> dict[str, object]:
    told = note.identify() | {"kind": note.kind, "status": note.status, "ms": round(seconds * 1000, 2)}
    if note.operation is not None:
        told["operation"] = note.operation
    if note.actor is not None:
        told["actor"] = note.actor
    if note.allowed or note.denied:
        told |= {"allowed": note.allowed, "denied": note.denied}
    return told
