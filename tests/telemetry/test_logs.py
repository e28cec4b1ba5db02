"""Logs: a line each, nothing of a request or a row in it, and nobody who waits for their reader."""

import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from time import time
from typing import Any

import pytest

from app.telemetry import JsonFormatter, log, logger, set_up_logging
from app.telemetry.logs import LineWriter, describe_exception
from app.telemetry.metrics import DROPPED_LINES

MARKER = "marker-7731@example.org"


def make_record(event: str, name: str = "permgate", **fields: object) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, 20, "", 0, event, (), None, extra={"fields": fields})


def format_error(error: Exception) -> dict[str, Any]:
    record = make_record("it failed")
    try:
        raise error
    except Exception:
        import sys

        record.exc_info = sys.exc_info()
    told: dict[str, Any] = json.loads(JsonFormatter().format(record))
    return told


@pytest.mark.parametrize("text", ["a\r\n{}", "a\u2028b", "\x1b[2J", "\u202e", "\x9b"])
def test_what_came_from_outside_begins_no_line_and_moves_no_cursor(text: str) -> None:
    line = JsonFormatter().format(make_record(text, given=text))

    assert line.isascii() and line.isprintable()
    assert json.loads(line)["given"] == text


@pytest.mark.parametrize("error", [ValueError(MARKER), KeyError(MARKER), LookupError(f"no such user {MARKER}")])
def test_s9_of_an_exception_its_class_and_place_are_told_and_nothing_that_it_was_given(error: Exception) -> None:
    told = format_error(error)

    assert MARKER not in json.dumps(told)
    (described,) = told["exception"]
    assert described["type"] == type(error).__name__
    assert "test_logs.py" in described["at"][-1] and "format_error" in described["at"][-1]


def test_messages_of_the_machine_are_told() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE users (email UNIQUE)")
    connection.execute("INSERT INTO users VALUES (?)", [MARKER])
    with pytest.raises(sqlite3.IntegrityError) as caught:
        connection.execute("INSERT INTO users VALUES (?)", [MARKER])
    connection.close()

    (database,) = format_error(caught.value)["exception"]
    (disk,) = format_error(OSError(28, "No space left on device", f"/data/{MARKER}"))["exception"]

    assert (database["code"], database["message"]) == (
        "SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: users.email"
    )  # fmt: skip
    assert disk["message"] == "No space left on device"


def test_what_led_to_an_exception_is_told_after_it() -> None:
    try:
        try:
            raise KeyError(MARKER)
        except KeyError as error:
            raise RuntimeError("the row is not there") from error
    except RuntimeError as error:
        found = describe_exception(error)

    assert [one["type"] for one in found] == ["RuntimeError", "KeyError"]
    assert [one.get("message") for one in found] == ["the row is not there", None]


def test_of_what_a_library_says_the_first_line_is_told() -> None:
    event = f"Task exception was never retrieved\nfuture: <Task exception=KeyError('{MARKER}')>"

    told = json.loads(JsonFormatter().format(make_record(event, "asyncio")))

    assert (told["event"], told["logger"]) == ("Task exception was never retrieved", "asyncio")


# ---------------------------------------------------------------------- F30: the reader of the log


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that holds one page."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:  # a test has closed it
            continue


def read_lines(reader: int, until: str) -> list[dict[str, Any]]:
    found = b""
    while until.encode() not in found:
        found += os.read(reader, 65536)
    return [json.loads(line) for line in found.splitlines()]


def test_f30_a_reader_that_stops_holds_up_nobody_and_hears_how_much_was_dropped(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    handler = LineWriter(writer, queued=10)
    counted = DROPPED_LINES._value.get()

    for number in range(500):  # the pipe takes some thirty, the queue ten
        handler.emit(make_record(f"event {number}", filler="x" * 40))
    assert handler.dropped > 400
    assert DROPPED_LINES._value.get() - counted == handler.dropped

    lines = read_lines(reader, f'"log lines were dropped", "in_all": {handler.dropped}}}')
    handler.close()
    events = [line["event"] for line in lines if line["event"].startswith("event ")]
    assert len(events) + handler.dropped == 500
    assert events[:3] == ["event 0", "event 1", "event 2"]


def test_f30_a_reader_that_leaves_is_no_error(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    handler = LineWriter(writer)
    os.close(reader)

    for number in range(5):
        handler.emit(make_record(f"event {number}"))
    handler.flush()

    assert handler.dropped == 5
    handler.close()


def test_f30_a_pipe_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    """Whoever started us may have made it so; no half line is left in it."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    handler = LineWriter(writer)

    for number in range(200):
        handler.emit(make_record(f"event {number}"))
    lines = read_lines(reader, "event 199")
    handler.close()

    assert [line["event"] for line in lines] == [f"event {number}" for number in range(200)]


def test_everything_that_a_process_says_goes_the_same_way(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    root, former = logging.getLogger(), (logging.getLogger().handlers[:], logger.handlers[:])
    level, propagate = root.level, logger.propagate
    root.handlers[:] = []
    try:
        set_up_logging(descriptor=writer)
        log("ours", given=1)
        logging.getLogger("permgate.access").info("request", extra={"fields": {}})
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("uvicorn.error").info("Started")
        lines = read_lines(reader, "Invalid HTTP")
        (handler,) = logger.handlers
        assert root.handlers == [handler]
        handler.close()
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], logger.handlers[:] = former
        root.setLevel(level)
        logger.setLevel(logging.NOTSET)
        logging.getLogger("permgate.access").setLevel(logging.NOTSET)
        logger.propagate = propagate

    assert [line["event"] for line in lines] == ["ours", "request", "Invalid HTTP request received."]


@pytest.mark.parametrize("name", ["Me", None, "\u202e"])
def test_a_request_is_told_as_a_record_of_it_would_be(pipe: tuple[int, int], name: str | None) -> None:
    reader, writer = pipe
    handler = LineWriter(writer)
    fields: dict[str, object] = {"request": "a-1", "kind": "query", "status": "200", "ms": 0.07, "operation": name}

    handler.emit(make_record("request", "permgate.access", **fields))
    handler.write_fields("request", fields, time())
    handler.flush()
    written = os.read(reader, 65536)
    handler.close()

    assert written.isascii()
    by_record, by_fields = (json.loads(line) for line in written.splitlines())
    assert list(by_record) == list(by_fields)
    assert {**by_record, "at": None} == {**by_fields, "at": None}
    assert len(by_record["at"]) == len(by_fields["at"])


def test_lines_are_written_together_and_never_more_than_stays_whole(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, writer = pipe
    written: list[bytes] = []
    handler = LineWriter(writer)

    def note(_descriptor: int, lines: memoryview) -> int:
        written.append(bytes(lines))
        return len(lines)

    monkeypatch.setattr(os, "write", note)
    for number in range(300):
        handler.write_fields("request", {"number": number, "filler": "x" * (number % 90)}, time())
    handler.write_fields("request", {"number": 300, "filler": "x" * 5000}, time())
    handler.write_fields("request", {"number": 301}, time())
    handler.flush()
    handler.close()

    assert [json.loads(line)["number"] for line in b"".join(written).splitlines()] == list(range(302))
    assert all(lines.endswith(b"\n") for lines in written)
    assert [len(lines) > 4096 for lines in written].count(True) == 1  # the one that is longer by itself
