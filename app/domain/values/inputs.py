"""A value as a client gives it, before anybody knows for which right."""

from dataclasses import dataclass

from app.domain.errors import InvalidValue
from app.domain.values.levels import LevelType
from app.domain.values.members import MembersType
from app.domain.values.quantities import QuantityType
from app.domain.values.records import Quantity, Switch, Value
from app.domain.values.scopes import ScopeType
from app.domain.values.switches import SwitchType
from app.domain.values.value_type import ValueType


@dataclass(frozen=True, slots=True)
class ValueInput:
    """A value as a client gives it, not yet of any type: one field of the contract's `RightValueInput`, or `text`."""

    field: str
    given: object

    def read(self, value_type: ValueType) -> Value:
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
