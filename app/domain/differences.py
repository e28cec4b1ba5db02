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
    if before == after:
        return []
    catalog, found = program.catalog, {}
    for number, permission in enumerate(catalog.permissions):
        old, new = program.value(before, number), program.value(after, number)
        if old != new:
            found[permission.key] = RightDifference(user, permission, old, new)
    return [found[key] for key in catalog.nodes if key in found]
