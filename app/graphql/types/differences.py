"""Differences of effective rights: of a simulation, and of what was changed."""

import strawberry

from app.domain import differences as domain
from app.graphql.context import Info, Operation
from app.graphql.scalars import Revision
from app.graphql.types.names import PermissionType, UserType
from app.graphql.types.values import RightValue, show_value
from app.services.listening import RightsChange


@strawberry.type(description="A permission of a person that is, or would be, worth more or less than before.")
class RightDifference:
    before: RightValue = strawberry.field(description="The effective value before.")
    after: RightValue = strawberry.field(description="The effective value after.")
    difference: strawberry.Private[domain.RightDifference]

    @classmethod
    def of(cls, difference: domain.RightDifference) -> "RightDifference":
        value_type = difference.permission.value_type
        return cls(
            before=show_value(value_type, difference.before), after=show_value(value_type, difference.after),
            difference=difference,
        )  # fmt: skip

    @strawberry.field(description="Whose it is; null: not there, or not yours.")
    async def user(self, info: Info) -> UserType | None:
        from app.graphql.types.users import User

        record = (await info.context.look(self.difference.user)).user(self.difference.user)
        return None if record is None else User.of(record)

    @strawberry.field(description="The permission.")
    def permission(self) -> PermissionType:
        from app.graphql.types.catalog import Permission

        return Permission.of(self.difference.permission)


@strawberry.type(description="What a person has more or less of than before.")
class RightsChanged:
    user: UserType = strawberry.field(description="Whose rights changed.")
    revision: Revision = strawberry.field(
        description="The revision since which it is so; where a grant, a limit or a membership began or ended, the one "
        "by which that was known."
    )
    differences: list[RightDifference] = strawberry.field(description="The permissions, in the order of the catalog.")

    @classmethod
    async def of(cls, operation: Operation, change: RightsChange) -> "RightsChanged":
        from app.graphql.types.users import User

        record = (await operation.look(change.user)).user(change.user)
        assert record is not None, "nobody hears of those whom they do not see"
        differences = [RightDifference.of(difference) for difference in change.differences]
        return cls(user=User.of(record), revision=Revision(change.revision), differences=differences)
