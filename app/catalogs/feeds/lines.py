"""A stream of bytes, cut at its line ends."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LINE = 1 << 20  # bytes of a line or of a CSV record; an entry with a thousand rows is a tenth of it

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class LongLine:
    """Stands for a line of more than `MAX_LINE` bytes. `quotes`: how many `"` were in it."""

    quotes: int


def split_lines(pieces: Iterable[bytes]) -> Iterator[bytes | LongLine]:
    """Each line without its line feed, whatever the pieces are cut at.

    No more than `MAX_LINE` bytes and the present piece are held. A byte order mark at the beginning is dropped.
    """
    lines = _cut(pieces)
    for line in lines:
        yield line if isinstance(line, LongLine) else line.removeprefix(BYTE_ORDER_MARK)
        break
    yield from lines


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes | LongLine]:
    held = bytearray()
    quotes = 0  # in what is not held any more
    skipping = False
    for piece in pieces:
        *ended, last = piece.split(b"\n")
        for line in ended:
            if skipping or len(held) + len(line) > MAX_LINE:
                yield LongLine(quotes + held.count(b'"') + line.count(b'"'))
            else:
                yield bytes(held) + line if held else line
            if held or skipping:
                held.clear()
                quotes, skipping = 0, False
        held += last
        if skipping or len(held) > MAX_LINE:
            quotes += held.count(b'"')
            held.clear()
            skipping = True
    if skipping:
        yield LongLine(quotes)
    elif held:
        yield bytes(held)


def decode(line: bytes) -> tuple[str, str | None]:
    """The text of a line, and what is wrong with it as UTF-8; bytes that are not stand in it as lone surrogates."""
    try:
        return line.decode("utf-8"), None
    except UnicodeDecodeError as error:
        return line.decode("utf-8", "surrogateescape"), f"byte {error.start + 1} of the line is not UTF-8"
