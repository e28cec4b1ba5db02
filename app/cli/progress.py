"""How far something is, on standard error: one line drawn again and again on a terminal, plain lines in a log."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol, TextIO

_BAR = 24  # signs
_REDRAW_S = 0.1  # faster than that nobody reads
_UNITS = ("B", "kB", "MB", "GB")


class Progress(Protocol):
    """What hears how far something is."""

    def begin(self, phase: str, total: int | None = None) -> None:
        """Something begins, of so many bytes where that is known."""

    def advance(self, done: int) -> None:
        """So many bytes are done; 0: it goes on."""

    def end(self) -> None:
        """Nothing goes on."""


class Bar:
    """A line on a terminal: phase, bar, share, amount, speed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase = ""
        self._total: int | None = None
        self._since = self._drawn = 0.0

    def begin(self, phase: str, total: int | None = None) -> None:
        self._phase, self._total, self._since = phase, total, monotonic()
        self._draw(0)

    def advance(self, done: int) -> None:
        if monotonic() - self._drawn >= _REDRAW_S:
            self._draw(done)

    def end(self) -> None:
        self._stream.write("\r\x1b[K")
        self._stream.flush()

    def _draw(self, done: int) -> None:
        self._drawn = monotonic()
        seconds = self._drawn - self._since
        line = f"{self._phase:<10}"
        if self._total:
            share = min(done / self._total, 1.0)
            filled = round(share * _BAR)
            line += f" [{'#' * filled}{'-' * (_BAR - filled)}] {share:4.0%}  {say_bytes(done)}"
            line += f"  {say_bytes(done / seconds)}/s" if done and seconds else ""
        elif seconds >= 1:
            line += f" {seconds:.0f} s"
        width = max(shutil.get_terminal_size().columns - 1, 10)
        self._stream.write(f"\r{line[:width]}\x1b[K")
        self._stream.flush()


class Log:
    """A line for each phase, and for each tenth of a long one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase = ""
        self._total: int | None = None
        self._told = 0

    def begin(self, phase: str, total: int | None = None) -> None:
        self._phase, self._total, self._told = phase, total, 0
        self._say(f"{phase} {say_bytes(total)}" if total else phase)

    def advance(self, done: int) -> None:
        tenths = min(done * 10 // self._total, 9) if self._total else 0
        if tenths > self._told and self._total is not None and done < self._total:
            self._told = tenths
            self._say(f"{self._phase} {tenths}0 %")

    def end(self) -> None:
        return

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


@contextmanager
def telling_progress(stream: TextIO | None = None) -> Iterator[Progress]:
    """Tells progress as the stream, standard error by default, is read; leaves a clean line whatever happens."""
    stream = sys.stderr if stream is None else stream
    progress: Progress = Bar(stream) if stream.isatty() and os.environ.get("TERM") != "dumb" else Log(stream)
    try:
        yield progress
    finally:
        progress.end()


def say_bytes(size: float) -> str:
    """A number of bytes for people: `12.3 MB`."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the last unit takes whatever is left")
