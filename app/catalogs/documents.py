"""YAML documents with the line of everything in them."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

Place = tuple[str | int, ...]  # keys and positions from the top of a document


class DocumentFault(Exception):
    """A file that is no YAML document, with the place where reading stopped."""


@dataclass(frozen=True)
class Document:
    """Plain data and, for each place in it, the line it begins on (the first line is 1)."""

    name: str
    data: Any
    lines: dict[Place, int]

    def where(self, place: Place) -> str:
        """`file:line` of a place, or of the nearest one around it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines.get(place, 1)}"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema: `on`, `off`, `yes`, `no` and dates are text, as a person who writes them expects.

    An alias is refused: a few lines of them, each naming the one before several times, stand for more than fits memory.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.place: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; `index` is the node of its key or its position in a list, None for the top and for keys."""
        if index is not None:
            self.place.append(str(index.value if isinstance(index, yaml.Node) else index))
        if self.check_event(yaml.AliasEvent):
            alias, where = self.peek_event(), ".".join(self.place) or "a key"  # type: ignore[no-untyped-call]
            problem = f"`{where}` is the alias `*{alias.anchor}`: write out what it stands for"
            raise yaml.composer.ComposerError(None, None, problem, alias.start_mark)
        node = super().compose_node(parent, index)
        if index is not None:
            self.place.pop()
        return node


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def read_document(path: Path) -> Document:
    """The document of a file. Raises `DocumentFault` for bad UTF-8, bad YAML, a key given twice, an alias."""
    try:
        return parse_document(path.name, path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise DocumentFault(f"{path.name}:1: the file is not UTF-8 at byte {error.start}") from None


def parse_document(name: str, text: str) -> Document:
    """The document of a text; see `read_document`."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        lines: dict[Place, int] = {}
        data = None if root is None else _build(loader, name, root, (), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DocumentFault(f"{name}:{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise DocumentFault(f"{name}:1: {error}") from None
    finally:
        loader.dispose()
    return Document(name, data, lines)


def _build(loader: _Loader, name: str, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node)
            if not isinstance(key, str):
                raise DocumentFault(f"{name}:{key_node.start_mark.line + 1}: `{key}` is not a text, so no key")
            if key in mapping:
                raise DocumentFault(f"{name}:{key_node.start_mark.line + 1}: the key `{key}` stands twice")
            mapping[key] = _build(loader, name, value_node, (*place, key), lines)
            lines[(*place, key)] = key_node.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, name, item, (*place, index), lines) for index, item in enumerate(node.value)]
    return loader.construct_object(node)


def canonical_json(data: Any) -> str:
    """One text for equal data: sorted keys, no white space, UTF-8 kept."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} has no canonical form")
