"""A YAML or JSON document with the lists `users`, `roles`, `teams`.

YAML is read event by event: nothing in it is ever built but texts, whole numbers, true, false, null, lists and objects.
Tags, anchors and aliases are refused, so that a document is never larger than its text.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from app.catalogs.feeds.entries import read_entry
from app.catalogs.feeds.faults import Fault, Kind, Place, refuse_unknown
from app.catalogs.feeds.json_lines import MAX_DIGITS, Json
from app.catalogs.feeds.lines import BYTE_ORDER_MARK
from app.domain.names import show
from app.domain.sync.desired import Entry

MAX_DOCUMENT = 8 << 20  # bytes: a document is held as a whole; what is larger goes line by line
MAX_DEPTH = 16  # lists and objects within one another; an entry has eight
_LISTS = tuple(Kind)
_EXPECTED = "an object with `users`, `roles`, `teams`"
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}  # as app/catalogs/documents.py reads them
_PARSER = yaml.CLoader if yaml.__with_libyaml__ else yaml.SafeLoader  # its events alone are used, which are one


class _Unreadable(Exception):
    """The text is no document that is taken; what is wrong, and the line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_document(pieces: Iterable[bytes]) -> Iterator[Entry | Fault | Kind]:
    """The entries and faults of a document. An empty one holds nothing at all."""
    try:
        text = _collect(pieces)
        data, lines = _read_json(text) or _Yaml(text).read()
    except _Unreadable as error:
        place = Place((f"line {error.line}",) if error.line else (), error.line)
        yield place.fault(str(error), "a YAML or JSON document in UTF-8")
        return
    if data is None:
        return
    if not isinstance(data, dict):
        yield Place((), 1).fault("the document is no object", _EXPECTED)
        return
    for name in data:
        if name not in _LISTS:
            yield Place((), lines.get((name,))).fault(*refuse_unknown("list", name, _LISTS), show(name))
    for kind in Kind:
        if kind in data:
            yield from _read_list(kind, data[kind], lines)


def _read_list(kind: Kind, items: Any, lines: dict[tuple[str, ...], int]) -> Iterator[Entry | Fault | Kind]:
    if not isinstance(items, list):
        place = Place((kind.value,), lines.get((kind,)))
        yield place.fault(
            f"`{kind}` is no list", "a list, `[]` for an empty one; left out it is not managed", kind=kind
        )
        return
    yield kind
    for index, item in enumerate(items):
        at = (kind.value, str(index))
        yield from read_entry(kind, item, Place(at, lines.get(at)))


def _collect(pieces: Iterable[bytes]) -> str:
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) > MAX_DOCUMENT:
            raise _Unreadable(
                f"the document has more than {MAX_DOCUMENT} bytes: JSON Lines and CSV may have any number"
            )
    try:
        return held.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Unreadable("the document is not UTF-8", held.count(b"\n", 0, error.start) + 1) from None


def _read_json(text: str) -> tuple[Any, dict[tuple[str, ...], int]] | None:
    """The document as JSON; None for none, or none that is sound: YAML tells then what is wrong, and the line."""
    if not text.lstrip().startswith("{"):
        return None
    reader = Json()
    try:
        data = reader.read(text)
    except ValueError:
        return None
    return None if reader.problems else (data, {})


class _Yaml:
    """Builds plain data from the events of one document, and notes the lines of what stands in its lists."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[tuple[str, ...], int] = {}

    def read(self) -> tuple[Any, dict[tuple[str, ...], int]]:
        """The data, None for no document. Raises `_Unreadable`."""
        data = None
        try:
            events: Iterator[Any] = iter(yaml.parse(self._text, Loader=_PARSER))
            documents = 0
            for event in events:  # but for those that the building of a document takes
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    first = next(events)
                    if documents > 1:
                        raise _Unreadable("a second document begins here", first.start_mark.line + 1)
                    data = self._build(first, events, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise _Unreadable(error.problem or str(error.context), mark.line + 1 if mark else None) from None
        except yaml.YAMLError as error:
            raise _Unreadable(show(str(error).partition("\n")[0])) from None
        return data, self._lines

    def _build(self, event: Any, events: Iterator[Any], at: tuple[str, ...]) -> Any:
        line = _check(event)
        if len(at) > MAX_DEPTH:
            raise _Unreadable("it is nested too deeply", line)
        if len(at) <= 2:  # a list and the entries in it
            self._lines.setdefault(at, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._build_list(events, at)
        if isinstance(event, yaml.MappingStartEvent):
            return self._build_object(events, at)
        return _read_scalar(event.value, line) if event.implicit[0] else event.value

    def _build_list(self, events: Iterator[Any], at: tuple[str, ...]) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._build(event, events, (*at, str(len(items)))))
        return items

    def _build_object(self, events: Iterator[Any], at: tuple[str, ...]) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = _check(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Unreadable("a key is no text", line)
            name = event.value
            if name in mapping:
                raise _Unreadable(f"the key `{show(name)}` stands twice", line)
            if not at:
                self._lines[(name,)] = line
            mapping[name] = self._build(next(events), events, (*at, name))
        return mapping


def _check(event: Any) -> int:
    """The line of an event that is taken. Raises `_Unreadable` for one that is not."""
    line: int = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise _Unreadable("anchors and aliases are not taken", line)
    if event.tag not in (None, "!"):
        raise _Unreadable(f"the tag `{show(event.tag)}` is not taken", line)
    return line


def _read_scalar(text: str, line: int) -> Any:
    """A plain scalar by the core schema of YAML 1.2, without floating numbers: no field takes one."""
    if text in _WORDS:
        return _WORDS[text]
    if not _INTEGER.fullmatch(text):
        return text
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise _Unreadable(f"the number `{show(text)}` is too long", line)
    return int(text)
