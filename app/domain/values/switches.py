"""Switches: off < on."""

from dataclasses import dataclass

from app.domain.values.records import Switch, Value
from app.domain.values.value_type import ValueType, plain_name

NOTHING = Switch(False)  # one for all who ask: it is asked for more often than anything else


@dataclass(frozen=True, slots=True)
class SwitchType(ValueType):
    """off < on."""

    kind = "switch"
    name = "Switch"

    @property
    def bottom(self) -> Switch:
        return NOTHING

    @property
    def top(self) -> Switch:
        return Switch(True)

    def join(self, left: Value, right: Value) -> Switch:
        one, other = _switch(left), _switch(right)
        return Switch(one.on or other.on)

    def meet(self, left: Value, right: Value) -> Switch:
        one, other = _switch(left), _switch(right)
        return Switch(one.on and other.on)

    def at_least(self, value: Value, asked: Value) -> bool:
        held, wanted = _switch(value), _switch(asked)
        return held.on or not wanted.on

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


def _switch(value: Value) -> Switch:
    if not isinstance(value, Switch):
        raise TypeError(f"{value} is not a switch")
    return value
