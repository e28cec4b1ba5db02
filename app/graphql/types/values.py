"""Value types and values of rights (SEMANTICS section 2), and how a client gives a value."""

import strawberry

from app.domain import values as domain


@strawberry.interface(description="The lattice that the values of a permission come from.")
class ValueType:
    name: str = strawberry.field(description="The kind of lattice: Switch, Level, Scope, Quantity or Members.")


@strawberry.type(description="off < on.")
class SwitchType(ValueType):
    pass


@strawberry.type(description="A ladder of names.")
class LevelType(ValueType):
    levels: list[str] = strawberry.field(description="Ordered, lowest first; the first is nothing.")


@strawberry.type(description="Names in a partial order; a value is printed by its highest names.")
class ScopeType(ValueType):
    scopes: list[str] = strawberry.field(description="The names, each of which may be part of a value.")


@strawberry.type(description="A whole amount; unset is nothing, and is not 0.")
class QuantityType(ValueType):
    minimum: int = strawberry.field(description="The smallest amount.")
    maximum: int | None = strawberry.field(description="The largest amount; null: unlimited.")
    unit: str = strawberry.field(description="What is counted.")
    descending: bool = strawberry.field(description="True: less is more, as far as amounts go.")


@strawberry.type(description="A set of names.")
class MembersType(ValueType):
    options: list[str] | None = strawberry.field(description="The names to choose from; null: any name.")
    reserved: list[str] = strawberry.field(description="Names with a meaning of their own.")


@strawberry.interface(description="A value of a right.")
class RightValue:
    text: str = strawberry.field(description="The value in words, as the manual spells it.")


@strawberry.type(description="A value of a switch.")
class SwitchValue(RightValue):
    on: bool = strawberry.field(description="Whether it is on.")


@strawberry.type(description="A rung of a ladder.")
class LevelValue(RightValue):
    level: str = strawberry.field(description="The name of the rung.")
    rank: int = strawberry.field(description="Its place, 0 for nothing.")


@strawberry.type(description="A set of scopes.")
class ScopeValue(RightValue):
    scopes: list[str] = strawberry.field(description="The highest names it holds; what lies under them it holds too.")


@strawberry.type(description="An amount.")
class QuantityValue(RightValue):
    amount: int | None = strawberry.field(description="The amount; null: unset, or unlimited.")
    unlimited: bool = strawberry.field(description="Whether there is no bound.")


@strawberry.type(description="A set of names.")
class MembersValue(RightValue):
    members: list[str] = strawberry.field(description="The names, sorted; empty also when it is all of them.")
    all: bool = strawberry.field(description="Whether it is all names there are or will be.")


@strawberry.input(
    one_of=True,
    description="A value of a right: exactly one field, the one that fits the value type of the permission.",
)
class RightValueInput:
    on: bool | None = strawberry.field(default=strawberry.UNSET, description="Of a switch.")
    level: str | None = strawberry.field(default=strawberry.UNSET, description="Of a ladder: the name of the rung.")
    scopes: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Of a scope: names.")
    amount: int | None = strawberry.field(default=strawberry.UNSET, description="Of a quantity: the amount.")
    members: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Of a set: the names.")
    full: bool | None = strawberry.field(default=strawberry.UNSET, description="true: everything there is to have.")
    none: bool | None = strawberry.field(default=strawberry.UNSET, description="true: nothing.")


def read_value_input(given: RightValueInput | None) -> domain.ValueInput | None:
    """The value a client gave, not yet of any type; None for none."""
    if given is None or given is strawberry.UNSET:
        return None
    field, value = next((name, value) for name, value in vars(given).items() if value is not strawberry.UNSET)
    return domain.ValueInput(field, value)


def show_value_type(value_type: domain.ValueType) -> ValueType:
    """A value type as the schema shows it."""
    match value_type:
        case domain.LevelType():
            return LevelType(name=value_type.name, levels=list(value_type.levels))
        case domain.ScopeType():
            return ScopeType(name=value_type.name, scopes=list(value_type.names))
        case domain.QuantityType():
            return QuantityType(
                name=value_type.name, minimum=value_type.minimum, maximum=value_type.maximum, unit=value_type.unit,
                descending=value_type.descending,
            )  # fmt: skip
        case domain.MembersType():
            options = None if value_type.options is None else list(value_type.options)
            return MembersType(name=value_type.name, options=options, reserved=list(value_type.reserved))
    return SwitchType(name=value_type.name)


def show_value(value_type: domain.ValueType, value: domain.Value) -> RightValue:
    """A value as the schema shows it."""
    text = value_type.print(value)
    match value:
        case domain.Switch(on=on):
            return SwitchValue(text=text, on=on)
        case domain.Level(rank=rank):
            return LevelValue(text=text, level=text, rank=rank)
        case domain.Scope():
            assert isinstance(value_type, domain.ScopeType)
            return ScopeValue(text=text, scopes=list(value_type.maximal(value)))
        case domain.Quantity(amount=amount, unlimited=unlimited):
            return QuantityValue(text=text, amount=amount, unlimited=unlimited)
        case domain.Members(names=names, all=everything):
            return MembersValue(text=text, members=sorted(names), all=everything)
