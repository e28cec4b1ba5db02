"""The lattices of values: what "more of a right" means (SEMANTICS section 2).

A right is not a boolean. Each permission declares a value type, and a value type knows its bottom (nothing), its top,
its order, how sources combine (`join`) and how a limit narrows (`meet`). A value never carries its type: two values of
one type compare, two of different types are a programming error and raise `TypeError`.

    switch    off < on
    level     ordered names, lowest first; the first is nothing
    scope     a partial order of names; a value is a down-set of them, printed by its maximal names
    quantity  unset < minimum .. maximum or unlimited; unset is not 0; a node may declare the descending order
    members   sets of names, empty .. all; may hold symbols that the node reserves

Text is a faithful form of every value: `parse(print(value)) == value`.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.errors import InvalidValue

MAX_MEMBERS = 1000  # a selected list of numbers or tags; a longer one is a catalogue of its own, not a right
MAX_MEMBER_LENGTH = 128  # an E.164 number is 15 digits, a tag a few words
MAX_AMOUNT = 2**31 - 1  # what GraphQL's Int can carry


@dataclass(frozen=True, slots=True)
class Switch:
    """Off or on."""

    on: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A rung of a ladder of names; rank 0 is nothing."""

    rank: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """A down-set of scope names: with a name it holds every name below it."""

    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in the unit of its type, unlimited, or unset (amount None and not unlimited)."""

    amount: int | None = None
    unlimited: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """Selected names, or all of them whatever they are."""

    names: frozenset[str] = frozenset()
    all: bool = False


Value = Switch | Level | Scope | Quantity | Members


@dataclass(frozen=True, slots=True)
class ValueInput:
    """A value as a client gives it, not yet of any type: one field of the contract's `RightValueInput`, or `text`."""

    field: str
    given: object

    def read(self, value_type: "ValueType") -> Value:
        """The value it means for a type. Raises `InvalidValue` where the field does not fit or the content is wrong."""
        match self.field, value_type, self.given:
            case "full", _, True:
                return value_type.top
            case "none", _, True:
                return value_type.bottom
            case "on", SwitchType(), bool(on):
                return Switch(on)
            case "level", LevelType(), str(text):
                return value_type.parse(text)
            case "scopes", ScopeType(), names:
                return value_type.read(tuple(names))  # type: ignore[arg-type]  # the field holds a list of texts
            case "amount", QuantityType(), int(amount):
                value = Quantity(amount)
                value_type.check(value)
                return value
            case "members", MembersType(), names:
                return value_type.read(tuple(names))  # type: ignore[arg-type]  # the field holds a list of texts
            case "text", _, str(text):
                return value_type.parse(text)
        raise InvalidValue(f"`{self.field}` does not fit this right", expected=value_type.expected())


class Reach(StrEnum):
    """Whom a scope name covers, seen from the subject (SEMANTICS section 5). Lower case, words joined by `_`."""

    OWN = "own"
    SAME_GROUP = "same_group"
    SAME_QUEUE = "same_queue"
    SUPERVISED = "supervised"
    ALL = "all"


def plain_name(text: str) -> str:
    """The form in which names of levels and scopes are compared: `Same_Group` and `same group` are one name."""
    return re.sub(r"[\s_-]+", " ", text).strip().casefold()


class ValueType(ABC):
    """What every value type can do. All values given must be of this type, or `TypeError` is raised."""

    __slots__ = ()
    kind: str  # switch, level, scope, quantity or members
    name: str  # the GraphQL name of the kind, for people

    @property
    @abstractmethod
    def bottom(self) -> Value:
        """Nothing."""

    @property
    @abstractmethod
    def top(self) -> Value:
        """Everything."""

    @abstractmethod
    def join(self, left: Value, right: Value) -> Value:
        """The least value that is at least both: combines sources."""

    @abstractmethod
    def meet(self, left: Value, right: Value) -> Value:
        """The largest value that is at most both: applies a limit."""

    @abstractmethod
    def at_least(self, value: Value, asked: Value) -> bool:
        """Whether `value` is `asked` or more."""

    @abstractmethod
    def least_above_bottom(self) -> tuple[Value, ...]:
        """The smallest values above nothing: several where values stand side by side, and a choice for members."""

    @abstractmethod
    def parts(self, value: Value) -> tuple[Value, ...]:
        """Values that no join of smaller ones gives and whose join is `value`; none for the bottom."""

    @abstractmethod
    def cap_below(self, value: Value, threshold: Value) -> Value:
        """The largest value not above `value` that is not at least `threshold`. Members have none: `TypeError`."""

    @abstractmethod
    def print(self, value: Value) -> str:
        """The text of a value."""

    @abstractmethod
    def parse(self, text: str) -> Value:
        """The value of a text. Raises `InvalidValue` with what was expected."""

    @abstractmethod
    def expected(self) -> str:
        """What a value of this type looks like, for an error message."""

    @abstractmethod
    def check(self, value: Value) -> None:
        """Raises `InvalidValue` for a value of another type or out of this type's bounds."""

    def refuse(self, given: object) -> InvalidValue:
        return InvalidValue(f"`{given}` is not a value of this right", expected=self.expected())


@dataclass(frozen=True, slots=True)
class SwitchType(ValueType):
    """off < on."""

    kind = "switch"
    name = "Switch"

    @property
    def bottom(self) -> Switch:
        return Switch(False)

    @property
    def top(self) -> Switch:
        return Switch(True)

    def join(self, left: Value, right: Value) -> Switch:
        return Switch(_switch(left).on or _switch(right).on)

    def meet(self, left: Value, right: Value) -> Switch:
        return Switch(_switch(left).on and _switch(right).on)

    def at_least(self, value: Value, asked: Value) -> bool:
        return _switch(value).on or not _switch(asked).on

    def least_above_bottom(self) -> tuple[Value, ...]:
        return (Switch(True),)

    def parts(self, value: Value) -> tuple[Value, ...]:
        return (value,) if _switch(value).on else ()

    def cap_below(self, value: Value, threshold: Value) -> Value:
        return Switch(False) if _switch(threshold).on else value

    def print(self, value: Value) -> str:
        return "on" if _switch(value).on else "off"

    def parse(self, text: str) -> Switch:
        match plain_name(text):
            case "on" | "true" | "full":
                return Switch(True)
            case "off" | "false" | "none":
                return Switch(False)
        raise self.refuse(text)

    def expected(self) -> str:
        return "on or off"

    def check(self, value: Value) -> None:
        if not isinstance(value, Switch):
            raise self.refuse(value)


@dataclass(frozen=True, slots=True)
class LevelType(ValueType):
    """A ladder of names, lowest first; the first is nothing. At least two names, all different."""

    levels: tuple[str, ...]
    kind = "level"
    name = "Level"

    @property
    def bottom(self) -> Level:
        return Level(0)

    @property
    def top(self) -> Level:
        return Level(len(self.levels) - 1)

    def join(self, left: Value, right: Value) -> Level:
        return Level(max(_level(left).rank, _level(right).rank))

    def meet(self, left: Value, right: Value) -> Level:
        return Level(min(_level(left).rank, _level(right).rank))

    def at_least(self, value: Value, asked: Value) -> bool:
        return _level(value).rank >= _level(asked).rank

    def least_above_bottom(self) -> tuple[Value, ...]:
        return (Level(1),)

    def parts(self, value: Value) -> tuple[Value, ...]:
        return (value,) if _level(value).rank else ()

    def cap_below(self, value: Value, threshold: Value) -> Value:
        if _level(value).rank < _level(threshold).rank:
            return value
        return Level(max(_level(threshold).rank - 1, 0))

    def print(self, value: Value) -> str:
        return self.levels[_level(value).rank]

    def parse(self, text: str) -> Level:
        wanted = plain_name(text)
        for rank, level in enumerate(self.levels):
            if plain_name(level) == wanted:
                return Level(rank)
        if wanted == "none":
            return self.bottom
        if wanted == "full":
            return self.top
        raise self.refuse(text)

    def expected(self) -> str:
        return "one of the levels " + ", ".join(f"`{level}`" for level in self.levels)

    def check(self, value: Value) -> None:
        if not isinstance(value, Level) or not 0 <= value.rank < len(self.levels):
            raise self.refuse(value)


@dataclass(frozen=True, slots=True)
class ScopeType(ValueType):
    """Names in a partial order. `below` maps each name to all the names under it (transitively, itself left out).

    `reach` says which names cover which people; a type without it (values that a manual does not rank, side by side)
    has no use for a target.
    """

    names: tuple[str, ...]
    below: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    reach: Mapping[str, Reach] = field(default_factory=dict, hash=False)
    kind = "scope"
    name = "Scope"

    def down(self, names: Iterable[str]) -> Scope:
        """The smallest value that holds all these names."""
        closed = set(names)
        for name in tuple(closed):
            closed |= self.below.get(name, frozenset())
        return Scope(frozenset(closed))

    def maximal(self, value: Scope) -> tuple[str, ...]:
        """The names that print a value: those of it that lie under no other, in the order of the catalog."""
        under: set[str] = set()
        for name in value.names:
            under |= self.below.get(name, frozenset())
        return tuple(name for name in self.names if name in value.names and name not in under)

    @property
    def bottom(self) -> Scope:
        return Scope()

    @property
    def top(self) -> Scope:
        return Scope(frozenset(self.names))

    def join(self, left: Value, right: Value) -> Scope:
        return Scope(_scope(left).names | _scope(right).names)

    def meet(self, left: Value, right: Value) -> Scope:
        return Scope(_scope(left).names & _scope(right).names)

    def at_least(self, value: Value, asked: Value) -> bool:
        return _scope(value).names >= _scope(asked).names

    def least_above_bottom(self) -> tuple[Value, ...]:
        return tuple(self.down([name]) for name in self.names if not self.below.get(name))

    def parts(self, value: Value) -> tuple[Value, ...]:
        return tuple(self.down([name]) for name in self.maximal(_scope(value)))

    def cap_below(self, value: Value, threshold: Value) -> Value:
        # A threshold is one name with all below it; what must go is that name and every name above it.
        (name,) = self.maximal(_scope(threshold))
        return Scope(frozenset(n for n in _scope(value).names if n != name and name not in self.below.get(n, ())))

    def print(self, value: Value) -> str:
        return ", ".join(self.maximal(_scope(value))) or "none"

    def parse(self, text: str) -> Scope:
        match plain_name(text):
            case "none":
                return self.bottom
            case "full":
                return self.top
        return self.read(part for part in text.split(","))

    def read(self, names: Iterable[str]) -> Scope:
        """The value that holds these names, each compared as `plain_name`. Raises `InvalidValue`."""
        known = {plain_name(name): name for name in self.names}
        found = []
        for name in names:
            match = known.get(plain_name(name))
            if match is None:
                raise self.refuse(name.strip())
            found.append(match)
        return self.down(found)

    def expected(self) -> str:
        return "scopes out of " + ", ".join(f"`{name}`" for name in self.names)

    def check(self, value: Value) -> None:
        if not isinstance(value, Scope) or not value.names <= frozenset(self.names) or self.down(value.names) != value:
            raise self.refuse(value)


@dataclass(frozen=True, slots=True)
class QuantityType(ValueType):
    """Whole amounts of a unit from `minimum` to `maximum` (None: unlimited), or unset.

    In the descending order the amounts turn: the largest is just above unset, the smallest is the top.
    """

    unit: str
    minimum: int = 0
    maximum: int | None = None
    descending: bool = False
    kind = "quantity"
    name = "Quantity"

    def _height(self, value: Value) -> float:
        """A number that orders the values of this type, unset lowest."""
        quantity = _quantity(value)
        if quantity.unlimited:
            amount = float("inf")
        elif quantity.amount is None:
            return float("-inf")
        else:
            amount = quantity.amount
        # Unlimited turned is minus infinity as well, and must still lie above unset.
        return max(-amount, -1e300) if self.descending else amount

    @property
    def bottom(self) -> Quantity:
        return Quantity()

    @property
    def _largest(self) -> Quantity:
        return Quantity(unlimited=True) if self.maximum is None else Quantity(self.maximum)

    @property
    def top(self) -> Quantity:
        return Quantity(self.minimum) if self.descending else self._largest

    def join(self, left: Value, right: Value) -> Value:
        return left if self._height(left) >= self._height(right) else right

    def meet(self, left: Value, right: Value) -> Value:
        return left if self._height(left) <= self._height(right) else right

    def at_least(self, value: Value, asked: Value) -> bool:
        return self._height(value) >= self._height(asked)

    def least_above_bottom(self) -> tuple[Value, ...]:
        return (self._largest,) if self.descending else (Quantity(self.minimum),)

    def parts(self, value: Value) -> tuple[Value, ...]:
        return () if value == self.bottom else (value,)

    def cap_below(self, value: Value, threshold: Value) -> Value:
        if not self.at_least(value, threshold):
            return value
        amount = _quantity(threshold).amount
        if amount is None:  # unset or unlimited: no amount lies just below
            return self.bottom
        if self.descending:
            return self.bottom if amount == self.maximum else Quantity(amount + 1)
        return self.bottom if amount == self.minimum else Quantity(amount - 1)

    def print(self, value: Value) -> str:
        quantity = _quantity(value)
        if quantity.unlimited:
            return "unlimited"
        return "unset" if quantity.amount is None else f"{quantity.amount} {self.unit}"

    def parse(self, text: str) -> Quantity:
        match plain_name(text):
            case "unset" | "none":
                return Quantity()
            case "full":
                return self.top
            case "unlimited" if self.maximum is None:
                return Quantity(unlimited=True)
        match = re.fullmatch(r"([0-9]{1,10})(?: +(.*))?", text.strip(), re.ASCII | re.DOTALL)
        if match is None or (match[2] is not None and plain_name(match[2]) != plain_name(self.unit)):
            raise self.refuse(text)
        value = Quantity(int(match[1]))
        self.check(value)
        return value

    def expected(self) -> str:
        bound = "or `unlimited`" if self.maximum is None else f"to {self.maximum}"
        return f"an amount from {self.minimum} {bound}, in {self.unit}"

    def check(self, value: Value) -> None:
        if not isinstance(value, Quantity):
            raise self.refuse(value)
        if value.unlimited:
            if value.amount is not None or self.maximum is not None:
                raise self.refuse("unlimited")
            return
        highest = MAX_AMOUNT if self.maximum is None else self.maximum
        if value.amount is not None and not self.minimum <= value.amount <= highest:
            raise self.refuse(value.amount)


@dataclass(frozen=True, slots=True)
class MembersType(ValueType):
    """Sets of names. `options` closes the list (None: any name); `reserved` are symbols with a meaning of their own."""

    options: tuple[str, ...] | None = None
    reserved: tuple[str, ...] = ()
    kind = "members"
    name = "Members"

    @property
    def bottom(self) -> Members:
        return Members()

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


def order_scopes(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """What lies below each name, from pairs (lower, higher). A cycle makes a name lie below itself."""
    below: dict[str, set[str]] = {name: set() for name in names}
    pairs = tuple(pairs)
    for _ in below:
        for lower, higher in pairs:
            below[higher] |= {lower} | below[lower]
    return {name: frozenset(under) for name, under in below.items()}


def _quoted(name: str) -> str:
    plain = not re.search(r'[",]', name) and name not in {"all", "none", "full"}
    return name if plain else json.dumps(name, ensure_ascii=False)


def _switch(value: Value) -> Switch:
    if not isinstance(value, Switch):
        raise TypeError(f"{value} is not a switch")
    return value


def _level(value: Value) -> Level:
    if not isinstance(value, Level):
        raise TypeError(f"{value} is not a level")
    return value


def _scope(value: Value) -> Scope:
    if not isinstance(value, Scope):
        raise TypeError(f"{value} is not a scope")
    return value


def _quantity(value: Value) -> Quantity:
    if not isinstance(value, Quantity):
        raise TypeError(f"{value} is not a quantity")
    return value


def _members(value: Value) -> Members:
    if not isinstance(value, Members):
        raise TypeError(f"{value} is not a set of members")
    return value
