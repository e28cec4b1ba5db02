"""Members: sets of selected names, out of a closed list or of any."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.values.records import Members, Value
from app.domain.values.value_type import ValueType

MAX_MEMBERS = 1000  # a selected list of numbers or tags; a longer one is a catalogue of its own, not a right
MAX_MEMBER_LENGTH = 128  # an E.164 number is 15 digits, a tag a few words
NOTHING = Members()  # one for all who ask: it is asked for more often than anything else


@dataclass(frozen=True, slots=True)
class MembersType(ValueType):
    """Sets of names. `options` closes the list (None: any name); `reserved` are symbols with a meaning of their own."""

    options: tuple[str, ...] | None = None
    reserved: tuple[str, ...] = ()
    kind = "members"
    name = "Members"

    @property
    def bottom(self) -> Members:
        return NOTHING

    @property
    def top(self) -> Members:
        return Members(all=True)

    def join(self, left: Value, right: Value) -> Members:
        a, b = _members(left), _members(right)
        return self.top if a.all or b.all else Members(a.names | b.names)

    def meet(self, left: Value, right: Value) -> Members:
        a, b = _members(left), _members(right)
        if a.all:
            return b
        return a if b.all else Members(a.names & b.names)

    def at_least(self, value: Value, asked: Value) -> bool:
        a, b = _members(value), _members(asked)
        return a.all or (not b.all and a.names >= b.names)

    def least_above_bottom(self) -> tuple[Value, ...]:
        names = self.reserved + (self.options or ())
        return tuple(Members(frozenset([name])) for name in names) or (self.top,)

    def parts(self, value: Value) -> tuple[Value, ...]:
        members = _members(value)
        return (members,) if members.all else tuple(Members(frozenset([name])) for name in sorted(members.names))

    def cap_below(self, value: Value, threshold: Value) -> Value:
        raise TypeError("a requirement never belongs to one of the members: the largest value left is not unique")

    def print(self, value: Value) -> str:
        members = _members(value)
        if members.all:
            return "all"
        return ", ".join(_quoted(name) for name in sorted(members.names)) or "none"

    def parse(self, text: str) -> Members:
        match text.strip():
            case "none" | "":
                return self.bottom
            case "all" | "full":
                return self.top
        names, rest = [], text
        while rest.strip():
            rest = rest.strip()
            if rest.startswith('"'):
                try:
                    name, end = json.JSONDecoder().raw_decode(rest)
                except ValueError:
                    raise self.refuse(text) from None
                after = rest[end:].lstrip()
                if after and not after.startswith(","):
                    raise self.refuse(text)
                rest = after[1:]
            else:
                name, _, rest = rest.partition(",")
            names.append(name.strip() if isinstance(name, str) else "")
        return self.read(names)

    def read(self, names: Iterable[str]) -> Members:
        """The set of these names. Raises `InvalidValue` for an empty, overlong or unknown one."""
        value = Members(frozenset(names))
        self.check(value)
        return value

    def expected(self) -> str:
        known = self.reserved + (self.options or ())
        if self.options is None:
            named = f"names of 1 to {MAX_MEMBER_LENGTH} characters, at most {MAX_MEMBERS}"
            return named + (", or " + ", ".join(f"`{name}`" for name in known) if known else "")
        return "names out of " + ", ".join(f"`{name}`" for name in known)

    def check(self, value: Value) -> None:
        if not isinstance(value, Members) or (value.all and value.names):
            raise self.refuse(value)
        if len(value.names) > MAX_MEMBERS:
            raise self.refuse(f"{len(value.names)} names")
        for name in value.names:
            if not name.strip() or name != name.strip() or len(name) > MAX_MEMBER_LENGTH or not name.isprintable():
                raise self.refuse(name)
            if self.options is not None and name not in self.options and name not in self.reserved:
                raise self.refuse(name)


def _quoted(name: str) -> str:
    plain = not re.search(r'[",]', name) and name not in {"all", "none", "full"}
    return name if plain else json.dumps(name, ensure_ascii=False)


def _members(value: Value) -> Members:
    if not isinstance(value, Members):
        raise TypeError(f"{value} is not a set of members")
    return value
