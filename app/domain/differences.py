"""What a person has more or less of: two lists of effective rights compared."""

from dataclasses import dataclass

from app.domain.catalog import Permission
from app.domain.compiled import Holding, Program
from app.domain.holders import UserId
from app.domain.values import Value


@dataclass(frozen=True, slots=True)
class RightDifference:
    """One permission whose effective value is not what it was."""

    user: UserId
    permission: Permission
    before: Value
    after: Value


def compare_holdings(program: Program, user: UserId, before: Holding, after: Holding) -> list[RightDifference]:
    """The permissions whose values differ, in the order of the catalog."""
    catalog = program.catalog
    numbers = {catalog.permissions[number].key: number for number in program.differing(before, after)}
    if not numbers:
        return []
    return [
        RightDifference(user, catalog.permissions[number], program.value(before, number), program.value(after, number))
        for number in (numbers[key] for key in catalog.nodes if key in numbers)
    ]
