"""Contracts, products and the access levels of people in them (SEMANTICS section 7)."""

from enum import StrEnum

from app.domain.values import Level, LevelType


class AccessLevel(StrEnum):
    """The rung of a person in one product of one contract, as the contract spells it. Upper case adjective or noun."""

    WITHOUT_ACCESS = "WITHOUT_ACCESS"
    USER = "USER"
    ADMINISTRATOR = "ADMINISTRATOR"
    OWNER = "OWNER"


ACCESS_LEVEL_TYPE = LevelType(("Not in the contract", "Without access", "User", "Administrator", "Owner"))


def value_of_level(level: AccessLevel) -> Level:
    """The level as a value of a product's access-level permission."""
    return Level(1 + list(AccessLevel).index(level))


def level_of_value(value: Level) -> AccessLevel | None:
    """The inverse of `value_of_level`; None: not in the contract."""
    return list(AccessLevel)[value.rank - 1] if value.rank else None
