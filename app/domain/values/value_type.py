"""What every value type can do, whatever its lattice."""

import re
from abc import ABC, abstractmethod

from app.domain.errors import InvalidValue
from app.domain.values.records import Value


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
