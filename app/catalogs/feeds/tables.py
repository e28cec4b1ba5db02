"""CSV: one row per person, under a header that names the columns (RFC 4180, with `,` or `;` between cells).

Lists stand in one cell, with `;` or `|` between their items: `agent|outbound_agent@C-100`.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

from app.catalogs.feeds.entries import FIELDS, find_key, read_entry
from app.catalogs.feeds.faults import Fault, Kind, Place, list_names, refuse_unknown
from app.catalogs.feeds.lines import MAX_LINE, LongLine, decode, split_lines
from app.domain.names import show
from app.domain.sync.desired import Entry

COLUMNS = FIELDS[Kind.USERS]
_LISTS = ("roles", "teams", "access")
_YES = frozenset({"", "true", "1", "yes"})
_NO = frozenset({"false", "0", "no"})
_BETWEEN_ITEMS = re.compile("[;|]")
_MAX_COLUMNS = 100  # of a header that are looked at


class _TooLong(Exception):
    """A record has more than `MAX_LINE` bytes."""


class _Lines(Iterator[str]):
    """The lines of a file as the parser of records takes them, and what is known of those of the present record."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._lines = split_lines(pieces)
        self._number = 0
        self.start_record()

    def start_record(self) -> None:
        self.place = Place.at_line(self._number + 1)
        self.text = ""  # of the line read last
        self.garbled: str | None = None
        self._count = 0
        self._size = 0
        self._quotes = 0

    @property
    def is_single(self) -> bool:
        """Whether the present record is a single line."""
        return self._count == 1

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        self._count += 1
        if isinstance(line, LongLine):
            self._quotes += line.quotes
            raise _TooLong
        self._size += len(line)
        self._quotes += line.count(b'"')
        if self._size > MAX_LINE:
            raise _TooLong
        self.text, garbled = decode(line)
        self.garbled = self.garbled or garbled
        return self.text + "\n"

    def skip_record(self) -> None:
        """Passes over what is left of a record that is not kept: a record ends with a line that ends out of quotes."""
        while self._quotes % 2:
            try:
                next(self)
            except _TooLong:
                continue
            except StopIteration:
                return


def read_table(pieces: Iterable[bytes]) -> Iterator[Entry | Fault | Kind]:
    """The people of a CSV file and its faults; rows without a single cell filled are passed over.

    With a fault in the header no row can be read. A record that spans lines and has a fault may have swallowed others,
    and names nobody.
    """
    yield Kind.USERS
    lines = _Lines(pieces)
    delimiter, columns, faults = _read_header(lines)
    yield from faults
    if faults:
        return
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_record()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except _TooLong:
            lines.skip_record()
            yield lines.place.fault("the record is too long", f"at most {MAX_LINE} bytes", kind=Kind.USERS)
        except csv.Error as error:
            if "field limit" in str(error):
                lines.skip_record()
            yield _refuse_record(str(error), columns, delimiter, lines)
        else:
            if any(cells):
                yield from _read_row(columns, cells, lines)


def _read_header(lines: _Lines) -> tuple[str, tuple[str, ...], list[Fault]]:
    """What stands between cells, the columns as the schema spells them, and what is wrong with them."""
    text = ""
    while not text.strip():
        lines.start_record()
        try:
            text = next(lines)
        except StopIteration:
            return ",", (), []
        except _TooLong:
            return ",", (), [lines.place.fault("the header is too long", list_names(COLUMNS))]
    known = {name.lower(): name for name in COLUMNS}
    choices = []
    for delimiter in ",;":
        try:
            cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, strict=True))]
        except csv.Error:
            cells = [text.strip()]
        choices.append((sum(cell.lower() in known for cell in cells), delimiter, cells))
    _, delimiter, cells = max(choices, key=lambda choice: choice[0])
    faults = [
        lines.place.fault(*refuse_unknown("column", cell, COLUMNS), show(cell))
        for cell in cells[:_MAX_COLUMNS]
        if cell.lower() not in known
    ]
    columns = tuple(known.get(cell.lower(), cell) for cell in cells)
    for name in COLUMNS:
        if columns.count(name) > 1:
            faults.append(lines.place.fault(f"the column `{name}` stands twice", "each column once", name))
    for name in ("externalId", "userName"):
        if name not in columns:
            faults.append(lines.place.fault(f"the column `{name}` is missing", list_names(COLUMNS), name))
    return delimiter, columns, faults


def _refuse_record(complaint: str, columns: tuple[str, ...], delimiter: str, lines: _Lines) -> Fault:
    key = None
    if lines.is_single and "end of data" not in complaint:  # a cell before the first quote is what it seems to be
        sound = lines.text.partition('"')[0].split(delimiter)[:-1]
        key = find_key(Kind.USERS, dict(zip(columns, sound, strict=False)))
    message = f"the record cannot be read: {complaint}"
    return lines.place.fault(message, "quotes around a cell, doubled within it", kind=Kind.USERS, key=key)


def _read_row(columns: tuple[str, ...], cells: list[str], lines: _Lines) -> Iterator[Entry | Fault]:
    row = dict(zip(columns, cells, strict=False))
    if len(cells) != len(columns):
        is_sure = lines.is_single and columns[0] == "externalId"  # cells before it may be too many, or too few
        key = find_key(Kind.USERS, row) if is_sure else None
        message = f"{len(cells)} cells under {len(columns)} columns"
        yield lines.place.fault(message, "a cell for every column", kind=Kind.USERS, key=key)
        return
    problems = [lines.place.fault(lines.garbled, "UTF-8")] if lines.garbled else []
    for item in read_entry(Kind.USERS, _read_cells(row), lines.place, problems=problems):
        if isinstance(item, Fault) and not lines.is_single:
            item.key = None
        yield item


def _read_cells(row: dict[str, str]) -> dict[str, Any]:
    """A row as JSON would have it."""
    data: dict[str, Any] = dict(row)
    if not data.get("displayName", "-"):
        del data["displayName"]
    if not data.get("email", "-"):
        data["email"] = None
    if "active" in row:
        word = row["active"].strip().lower()
        data["active"] = word in _YES if word in _YES | _NO else row["active"]
    for name in _LISTS:
        if name in row:
            data[name] = _split_items(row[name])
    if "roles" in row:
        data["roles"] = [_split_role(item) for item in data["roles"]]
    return data


def _split_items(cell: str) -> list[str]:
    return [item.strip() for item in _BETWEEN_ITEMS.split(cell)] if cell.strip() else []


def _split_role(item: str) -> str | dict[str, str]:
    role, at, contract = item.rpartition("@")
    return {"role": role, "contract": contract} if at else item
