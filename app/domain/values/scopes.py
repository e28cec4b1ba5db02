"""Scopes: names in a partial order, and whom a name reaches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.values.records import Scope, Value
from app.domain.values.value_type import ValueType, plain_name


class Reach(StrEnum):
    """Whom a scope name covers, seen from the subject (SEMANTICS section 5). Lower case, words joined by `_`."""

    OWN = "own"
    SAME_GROUP = "same_group"
    SAME_QUEUE = "same_queue"
    SUPERVISED = "supervised"
    ALL = "all"


NOTHING = Scope()  # one for all who ask: it is asked for more often than anything else


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
        return NOTHING

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


def order_scopes(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """What lies below each name, from pairs (lower, higher). A cycle makes a name lie below itself."""
    below: dict[str, set[str]] = {name: set() for name in names}
    pairs = tuple(pairs)
    for _ in below:
        for lower, higher in pairs:
            below[higher] |= {lower} | below[lower]
    return {name: frozenset(under) for name, under in below.items()}


def _scope(value: Value) -> Scope:
    if not isinstance(value, Scope):
        raise TypeError(f"{value} is not a scope")
    return value
