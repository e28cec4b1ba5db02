"""Structured logs: one JSON object a line, never a secret, never what a request or a row holds.

Lines are handed to a thread of their own. A reader that stops, or leaves, holds up nobody: what finds no place in the
queue is dropped and counted.
"""

import json
import logging
import os
import select
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from queue import Full, Queue
from threading import Event, Thread
from typing import Any

from app.telemetry.metrics import DROPPED_LINES
from app.telemetry.requests import access, current_note

QUEUED_LINES = 10_000  # some megabytes, for a reader that rests a while
FLUSH_S = 1.0  # at the end, for what is queued; who has not read it by then never will
MAX_EVENT = 500  # characters; what libraries say of themselves is shorter
MAX_FRAMES = 30  # of a traceback, the innermost
STANDARD_ERROR = 2
# Exceptions whose message is of machines, files and tables. Those of others may repeat what they were given.
TOLD_IN_FULL = (sqlite3.Error, RuntimeError, AssertionError, MemoryError, TimeoutError)
WARNING, ERROR = logging.WARNING, logging.ERROR

logger = logging.getLogger("permgate")


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """An exception and those that led to it, the latest first: of which class, where, and by which code."""
    return [_describe(one) for one in _chain(error)]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    told: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")}
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    if isinstance(code, str):
        told["code"] = code
    if isinstance(error, OSError) and error.strerror:
        told["message"] = error.strerror
    elif isinstance(error, TOLD_IN_FULL):
        told["message"] = str(error)[:MAX_EVENT]
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    told["at"] = [f"{_shorten(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return told


def _shorten(path: str) -> str:
    """A file as a module is named: where the program was installed is nobody's concern."""
    return path.rpartition("site-packages/")[2] if "site-packages/" in path else "/".join(path.split("/")[-3:])


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON in ASCII: what came from outside begins no line of its own, and moves no cursor."""

    def format(self, record: logging.LogRecord) -> str:
        content: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().partition("\n")[0][:MAX_EVENT],
        }
        if not record.name.startswith("permgate"):
            content["logger"] = record.name
        content |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            content["exception"] = describe_exception(record.exc_info[1])
        return json.dumps(content, default=str)


class LineWriter(logging.Handler):
    """Writes lines to a file descriptor, in a thread: `emit` never waits."""

    def __init__(self, descriptor: int = STANDARD_ERROR, *, queued: int = QUEUED_LINES) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: Queue[bytes | Event | None] = Queue(queued)
        # Not joined at exit: it may wait for its reader for ever. Nor is it Python's buffer that it would hold then.
        self._thread = Thread(target=self._write_on, name="permgate log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record).encode() + b"\n")
        except Full:
            self._drop()
        except Exception:  # a line that cannot be made must not fail the request that it tells of
            self._drop()

    def flush(self) -> None:
        """Waits, but not for long, until all that was said is written."""
        written = Event()
        self._put(written)
        written.wait(FLUSH_S)

    def close(self) -> None:
        self._put(None)
        self._thread.join(FLUSH_S)
        super().close()

    def _put(self, mark: Event | None) -> None:
        with suppress(Full):
            self._lines.put(mark, timeout=FLUSH_S)

    def _drop(self) -> None:
        self.dropped += 1
        DROPPED_LINES.inc()

    def _write_on(self) -> None:
        told = 0
        while (line := self._lines.get()) is not None:
            if isinstance(line, Event):
                line.set()
                continue
            self._write(line)
            if self.dropped > told and self._lines.empty():
                told = self.dropped
                record = logger.makeRecord(
                    logger.name, WARNING, "", 0, "log lines were dropped", (), None, extra={"fields": {"in_all": told}}
                )
                self._write(self.format(record).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody has made it so: it is shared with whoever started us
                select.select([], [self._descriptor], [])
            except OSError:  # nobody reads any more
                self._drop()
                return


def set_up_logging(level: int = logging.INFO, *, access_log: bool = True, descriptor: int = STANDARD_ERROR) -> None:
    """Sends the gateway's log to standard error, and what libraries warn of as well."""
    handler = LineWriter(descriptor)
    root = logging.getLogger()
    for one in (root, logger):
        for former in one.handlers[:]:
            one.removeHandler(former)
            former.close()
        one.addHandler(handler)
    root.setLevel(WARNING)
    logger.setLevel(level)
    logger.propagate = False
    access.setLevel(logging.INFO if access_log else WARNING)
    logging.captureWarnings(capture=True)


def flush_logs() -> None:
    """Waits, but not for long, for what is still to be written: a process that a signal ends writes nothing after."""
    for handler in logger.handlers:
        handler.flush()


def log(event: str, *, level: int = logging.INFO, exception: BaseException | None = None, **content: object) -> None:
    """One event with its fields, beside what is noted of the request that is being answered."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": current_note().identify() | content}, exc_info=exception)
