"""JSON Lines: on each line `{"user": {...}}`, `{"role": {...}}`, `{"team": {...}}`, or a person without a wrapping.

Nearly every line of a long feed is a person like any other. Those are read in a fraction of the time by `_read_plain`,
which takes no line of which it is not sure; all others are read with care.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from app.catalogs.feeds.entries import FIELDS, KEYS, read_entry, read_plain_user
from app.catalogs.feeds.faults import Fault, Kind, Place, refuse_unknown
from app.catalogs.feeds.lines import MAX_LINE, LongLine, decode, split_lines
from app.domain.names import show
from app.domain.sync.desired import Entry, UserDesired

WRAPPINGS = {"user": Kind.USERS, "role": Kind.ROLES, "team": Kind.TEAMS}
_NAMING = frozenset({*WRAPPINGS, *KEYS.values()})  # names on which it hangs whose entry a line is
MAX_DIGITS = 18  # of a number: what fits into 64 bits
_EXPECTED = '`{"user": {...}}`, `{"role": {...}}`, `{"team": {...}}`, or a person with an `externalId`'


class Json:
    """Reads JSON texts, and notes what the standard library lets pass: keys given twice, numbers that are none."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.is_ambiguous = False
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._build, parse_int=self._read_int, parse_constant=self._refuse_constant
        )

    def read(self, text: str) -> Any:
        """The data of a text; `problems` and `is_ambiguous` are those of this text. Raises `ValueError`."""
        self.problems.clear()
        self.is_ambiguous = False
        try:
            return self._decoder.decode(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        except json.JSONDecodeError as error:
            place = f"character {error.pos + 1}" if error.lineno == 1 else f"line {error.lineno}"
            complaint = error.msg[:1].lower() + error.msg[1:].removesuffix(" starting at").removesuffix(" at")
            raise ValueError(f"it is no JSON: {complaint} at {place}") from None

    def _build(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    self.problems.append(f"the key `{show(name)}` stands twice")
                    self.is_ambiguous |= name in _NAMING
                seen.add(name)
        return mapping

    def _read_int(self, digits: str) -> int:
        if len(digits.lstrip("-")) > MAX_DIGITS:
            self.problems.append(f"the number `{show(digits)}` is too long")
            return 0
        return int(digits)

    def _refuse_constant(self, name: str) -> None:
        self.problems.append(f"`{name}` is no JSON")


def read_json_lines(pieces: Iterable[bytes]) -> Iterator[Entry | Fault | Kind]:
    """The entries and faults of JSON Lines; empty lines are passed over."""
    reader = Json()
    for number, line in enumerate(split_lines(pieces), 1):
        if not line:
            continue  # a few bytes of gzip are millions of these
        place = Place.at_line(number)
        if isinstance(line, LongLine):
            yield place.fault("the line is too long", f"at most {MAX_LINE} bytes")
        elif (person := _read_plain(line, place)) is not None:
            yield person
        elif not line.isspace():
            yield from _read_line(reader, line, place)


def _read_plain(line: bytes, place: Place) -> UserDesired | None:
    """The person of a line that is as lines are; None: it has to be read with care.

    The parser that is faster takes the latter of two equal keys. Without a backslash two quotes stand around each text,
    so that nothing was dropped where there are twice as many quotes as there are texts in what it gives.
    """
    if b"\\" in line:
        return None
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if type(data) is not dict:
        return None
    texts = 0
    if len(data) == 1 and type(data.get("user")) is dict:
        data, texts = data["user"], 1
    found = read_plain_user(data, place)
    if found is None or line.count(b'"') != 2 * (texts + found[1]):
        return None
    return found[0]


def _read_line(reader: Json, line: bytes, place: Place) -> Iterator[Entry | Fault]:
    text, garbled = decode(line)
    try:
        data = reader.read(text)
    except ValueError as error:
        yield place.fault(garbled or str(error), "a JSON object in UTF-8")
        return
    problems = [place.fault(problem, "JSON with each key once") for problem in reader.problems]
    if garbled:
        problems.insert(0, place.fault(garbled, "a JSON object in UTF-8"))
    if reader.is_ambiguous:
        yield from problems
        return
    if not isinstance(data, dict):
        yield place.fault("the line is no object", _EXPECTED)
        return
    wrapped = [name for name in WRAPPINGS if name in data]
    if not wrapped and not data.keys().isdisjoint(FIELDS[Kind.USERS]):
        yield from read_entry(Kind.USERS, data, place, problems=problems)
        return
    if len(wrapped) != 1:
        problems.append(place.fault(_complain(data, wrapped), _EXPECTED))
        yield from problems
        return
    for name in data:
        if name not in WRAPPINGS:
            problems.append(place.fault(*refuse_unknown("field", name, tuple(WRAPPINGS)), show(name)))
    yield from read_entry(WRAPPINGS[wrapped[0]], data[wrapped[0]], place, problems=problems)


def _complain(data: dict[str, Any], wrapped: list[str]) -> str:
    if wrapped:
        return f"the line holds a `{wrapped[0]}` and a `{wrapped[1]}`"
    if not data:
        return "the line holds nothing"
    return refuse_unknown("entry", next(iter(data)), tuple(WRAPPINGS))[0]
