"""Quantities: whole amounts of a unit, more of which is more of a right, or less."""

import re
from dataclasses import dataclass

from app.domain.values.records import Quantity, Value
from app.domain.values.value_type import ValueType, plain_name

MAX_AMOUNT = 2**31 - 1  # what GraphQL's Int can carry
NOTHING = Quantity()  # one for all who ask: it is asked for more often than anything else


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
        return NOTHING

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
        if self.descending and amount == MAX_AMOUNT and self.maximum is None:
            return Quantity(unlimited=True)
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


def _quantity(value: Value) -> Quantity:
    if not isinstance(value, Quantity):
        raise TypeError(f"{value} is not a quantity")
    return value
