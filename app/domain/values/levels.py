"""Levels: ordered names, of which one is held and with it all below."""

from dataclasses import dataclass

from app.domain.values.records import Level, Value
from app.domain.values.value_type import ValueType, plain_name

NOTHING = Level(0)  # one for all who ask: it is asked for more often than anything else


@dataclass(frozen=True, slots=True)
class LevelType(ValueType):
    """A ladder of names, lowest first; the first is nothing. At least two names, all different."""

    levels: tuple[str, ...]
    kind = "level"
    name = "Level"

    @property
    def bottom(self) -> Level:
        return NOTHING

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


def _level(value: Value) -> Level:
    if not isinstance(value, Level):
        raise TypeError(f"{value} is not a level")
    return value
