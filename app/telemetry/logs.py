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
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import sleep
from typing import Any

import orjson

from app.telemetry.metrics import DROPPED_LINES
from app.telemetry.requests import access, current_note, tell_finished

QUEUED_LINES = 10_000  # some megabytes, for a reader that rests a while
FLUSH_S = 1.0  # at the end, for what is queued; who has not read it by then never will
MAX_EVENT = 500  # characters; what libraries say of themselves is shorter
MAX_FRAMES = 30  # of a traceback, the innermost
REST_S = 0.005  # between two writes, in which lines gather: to be woken for each takes as long as a request does
TOGETHER = 4096  # bytes written at once: no more, so that lines of several processes stay whole in one pipe (PIPE_BUF)
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
        self._queued = queued
        self._second = (0, "")
        self._lines: SimpleQueue[bytes | Event | None] = SimpleQueue()
        # Not joined at exit: it may wait for its reader for ever. Nor is it Python's buffer that it would hold then.
        self._held = b""  # what found no place beside other lines, for the thread
        self._thread = Thread(target=self._write_on, name="permgate log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._queue(self.format(record).encode() + b"\n")
        except Exception:  # a line that cannot be made must not fail the request that it tells of
            self._drop()

    def write_fields(self, event: str, fields: dict[str, object], at: float) -> None:
        """What `emit` does for a record of level `info`, in a tenth of the time: fields are of texts and numbers.

        `at`: when it was, in seconds of the epoch.
        """
        try:
            content = {"at": self._tell_time(at), "level": "info", "event": event, **fields}
            line = orjson.dumps(content)
            self._queue((line if line.isascii() else json.dumps(content).encode()) + b"\n")
        except Exception:  # see above
            self._drop()

    def _tell_time(self, now: float) -> str:
        """A moment as `isoformat` writes it, of which all but the last digits is the same for a second."""
        second = int(now)
        if second != self._second[0]:
            self._second = second, datetime.fromtimestamp(second, UTC).isoformat()[:-6]
        return f"{self._second[1]}.{int((now - second) * 1000):03}+00:00"

    def _queue(self, line: bytes) -> None:
        if self._lines.qsize() < self._queued:
            self._lines.put(line)
        else:
            self._drop()

    def flush(self) -> None:
        """Waits, but not for long, until all that was said is written."""
        written = Event()
        self._lines.put(written)
        written.wait(FLUSH_S)

    def close(self) -> None:
        self._lines.put(None)
        self._thread.join(FLUSH_S)
        super().close()

    def _drop(self, lines: int = 1) -> None:
        if lines:
            self.dropped += lines
            DROPPED_LINES.inc(lines)

    def _write_on(self) -> None:
        told = 0
        mark: bytes | Event | None = b""
        while mark is not None:
            lines, mark = self._take()
            self._drop(self._write(lines))
            if isinstance(mark, Event):
                mark.set()
            elif self._lines.empty():
                sleep(REST_S)
            if self.dropped > told and self._lines.empty():
                told = self.dropped
                record = logger.makeRecord(
                    logger.name, WARNING, "", 0, "log lines were dropped", (), None, extra={"fields": {"in_all": told}}
                )
                self._write(self.format(record).encode() + b"\n")

    def _take(self) -> tuple[bytes, bytes | Event | None]:
        """Waits for what there is to write: some lines, and the mark behind them, if there is one."""
        first = self._held or self._lines.get()
        self._held = b""
        if not isinstance(first, bytes):
            return b"", first
        lines = first
        with suppress(Empty):
            while len(lines) < TOGETHER:
                found = self._lines.get_nowait()
                if not isinstance(found, bytes):
                    return lines, found
                if len(lines) + len(found) > TOGETHER:
                    self._held = found
                    break
                lines += found
        return lines, b""

    def _write(self, lines: bytes) -> int:
        """Writes lines, and says how many of them nobody took."""
        left = memoryview(lines)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody has made it so: it is shared with whoever started us
                select.select([], [self._descriptor], [])
            except OSError:  # nobody reads any more
                return bytes(left).count(b"\n")
        return 0


def set_up_logging(*, access_log: bool = True, descriptor: int = STANDARD_ERROR) -> None:
    """Sends the gateway's log to standard error, and what libraries warn of as well."""
    handler = LineWriter(descriptor)
    root = logging.getLogger()
    for one in (root, logger):
        for former in one.handlers[:]:
            one.removeHandler(former)
            former.close()
        one.addHandler(handler)
    root.setLevel(WARNING)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    access.setLevel(logging.INFO if access_log else WARNING)
    logging.captureWarnings(capture=True)


def flush_logs() -> None:
    """Waits, but not for long, for what is still to be written: a process that a signal ends writes nothing after."""
    tell_finished()
    for handler in logger.handlers:
        handler.flush()


def log(event: str, *, level: int = logging.INFO, exception: BaseException | None = None, **content: object) -> None:
    """One event with its fields, beside what is noted of the request that is being answered."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": current_note().identify() | content}, exc_info=exception)
