"""The values themselves. A value never carries its type: what it means, its value type says."""

from dataclasses import dataclass


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
