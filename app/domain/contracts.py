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


def rank_level(level: AccessLevel | None) -> int:
    """How high a level stands; None, not in the contract, is the lowest."""
    return value_of_level(level).rank if level is not None else 0


CORE = "core"  # the key of the product System [CORE], whose levels say who sets levels


def settable_levels(
    setter: AccessLevel | None, product: str, present: AccessLevel | None, *, account_owner: bool = False
) -> frozenset[AccessLevel | None]:
    """What somebody with the level `setter` in System [CORE] may make of a level of another; None: removal.

    SEMANTICS section 7: only ADMINISTRATOR or OWNER in System [CORE] sets levels. There an ADMINISTRATOR appoints USER
    and ADMINISTRATOR, an OWNER also WITHOUT_ACCESS and removal, and an ADMINISTRATOR never changes an OWNER. In the
    other products both set everything. Account owners set any level. Nobody appoints an OWNER.
    """
    everything = frozenset({AccessLevel.WITHOUT_ACCESS, AccessLevel.USER, AccessLevel.ADMINISTRATOR, None})
    if account_owner or setter is AccessLevel.OWNER:
        return everything
    if setter is not AccessLevel.ADMINISTRATOR or present is AccessLevel.OWNER:
        return frozenset()
    return everything if product != CORE else frozenset({AccessLevel.USER, AccessLevel.ADMINISTRATOR})
