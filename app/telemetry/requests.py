"""What is noted of one request while it is answered, and the line and figures that are made of it at its end.

Whoever learns something notes it: the edge its id, authentication the actor, the executor the operation. Of the
operation its name is told as the document spells it, which is letters, digits and `_` alone.
"""

import asyncio
import logging
import re
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from time import perf_counter, time
from types import TracebackType

from app.telemetry.metrics import IN_PROGRESS, before_metrics, count_decisions, count_request
from app.telemetry.traces import is_tracing, span

TOLD_AFTER_S, MOST_UNTOLD = 0.01, 64  # seconds, and requests, that wait to be told of together
MAX_NAME = 128  # characters of the name of an operation; longer ones are cut
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)

# Begun by the system's randomness. Nobody may do anything by an id, and to ask the system anew takes a call of it.
_ids = Random()  # noqa: S311

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
    return given if given is not None and _REQUEST_ID.fullmatch(given) else f"{_ids.getrandbits(64):016x}"


def note_actor(actor: str) -> None:
    """Notes the id of the user who asks."""
    current_note().actor = actor


def note_operation(kind: str, name: str | None) -> None:
    """Notes what is asked: `query`, `mutation` or `subscription`, and the operation's name in the document."""
    note = current_note()
    note.kind = kind
    note.operation = name_operation(name)


def name_operation(name: str | None) -> str | None:
    """What is told of an operation's name."""
    return None if name is None else name[:MAX_NAME]


def note_decisions(*, allowed: int, denied: int) -> None:
    """Notes what was decided."""
    note = current_note()
    note.allowed += allowed
    note.denied += denied
    count_decisions(allowed=allowed, denied=denied)


class observing:  # noqa: N801  # read as `with observing(note)`
    """Follows a request from its beginning to its end: then it is counted, timed, and told of in the access log."""

    __slots__ = ("_begun", "_note", "_span", "_tell", "_token")

    def __init__(self, note: Note) -> None:
        self._note = note

    def __enter__(self) -> Note:
        note = self._note
        self._token = _current.set(note)
        self._begun = perf_counter()
        IN_PROGRESS.inc()
        self._span = span("request") if is_tracing() else None
        if self._span is not None:
            self._tell = self._span.__enter__()
        return note

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        note = self._note
        if kind is not None:
            note.status = note.status or ("cancelled" if issubclass(kind, asyncio.CancelledError) else "failed")
        try:
            if self._span is not None:
                self._tell(kind=note.kind, operation=note.operation, status=note.status, request=note.request_id)
                self._span.__exit__(kind, error, trace)
        finally:
            _current.reset(self._token)
            seconds = perf_counter() - self._begun
            IN_PROGRESS.dec()
            _tell(note, seconds)


_Ended = tuple[str, str, str | None, int, int, float, float]
"""A request that was answered: its id, actor and operation, yes and no, its seconds, and when it ended (epoch)."""


class _Finished:
    """Queries that were answered in one go and are not counted and told of yet.

    To do so for many in a row takes a fourth of what it takes for each by itself, in between of others. They wait for
    some milliseconds at most, and not at all for who reads the metrics.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Ended] = deque()  # the metrics may be read in another thread
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that will tell them
        before_metrics(self.tell)

    def add(self, ended: _Ended) -> None:
        """Takes note of a request that has ended now."""
        waiting, loop = self._waiting, asyncio.get_running_loop()
        waiting.append(ended)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(TOLD_AFTER_S, self.tell)
        elif len(waiting) >= MOST_UNTOLD:
            self.tell()

    def tell(self) -> None:
        """Counts all of them, and tells the access log."""
        waiting, self._loop = self._waiting, None
        is_told = access.isEnabledFor(logging.INFO)
        allowed = denied = 0
        while True:
            try:
                request_id, actor, operation, yes, no, seconds, at = waiting.popleft()
            except IndexError:  # there is none left, which another thread may have seen to
                break
            allowed, denied = allowed + yes, denied + no
            count_request("query", "200", seconds)
            if is_told:
                note = Note(
                    request_id=request_id, kind="query", status="200", actor=actor, operation=operation, allowed=yes,
                    denied=no,
                )  # fmt: skip
                _write(_describe(note, seconds), at)
        count_decisions(allowed=allowed, denied=denied)


_finished = _Finished()


def finish_query(
    request_id: str, actor: str, operation: str | None, allowed: int, denied: int, seconds: float
) -> None:  # fmt: skip
    """Counts a query that was answered in one go, and what was decided, and tells of it in the access log, soon."""
    _finished.add((request_id, actor, operation, allowed, denied, seconds, time()))


def tell_finished() -> None:
    """Counts and tells of all requests that have ended by now."""
    _finished.tell()


def _tell(note: Note, seconds: float) -> None:
    """Counts a request, and tells of it in the access log."""
    count_request(note.kind, note.status, seconds)
    if access.isEnabledFor(logging.INFO) and not (note.is_quiet and note.status == "200"):
        _write(_describe(note, seconds), time())


def _write(fields: dict[str, object], at: float) -> None:
    """A line of the access log: straight to who writes lines, where that is all that would become of it."""
    above = access.parent
    if above is not None and not access.handlers and not above.propagate and len(above.handlers) == 1:
        write_fields = getattr(above.handlers[0], "write_fields", None)
        if write_fields is not None:
            write_fields("request", fields, at)
            return
    access.info("request", extra={"fields": fields})


def _describe(note: Note, seconds: float) -> dict[str, object]:
    told = note.identify()
    told["kind"], told["status"], told["ms"] = note.kind, note.status, round(seconds * 1000, 2)
    if note.operation is not None:
        told["operation"] = note.operation
    if note.actor is not None:
        told["actor"] = note.actor
    if note.allowed or note.denied:
        told["allowed"], told["denied"] = note.allowed, note.denied
    return told
