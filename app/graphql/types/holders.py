"""Users, teams and roles alike: whatever carries grants and limits."""

import strawberry

from app.domain import holders as domain
from app.domain.callers import OPERATIONS
from app.domain.ids import PREFIX_OF, kind_of
from app.graphql.context import Info
from app.graphql.types.names import GrantType, LimitType
from app.graphql.types.nodes import Node
from app.services.seeing import Seen


@strawberry.interface(description="A user, a team or a role: whatever can carry grants and limits.")
class Holder(Node):
    display_name: str = strawberry.field(description="The name for people.")

    @strawberry.field(
        description="Its own grants, those to come and those past included, until they are revoked. "
        f"{OPERATIONS['Holder.grants']}"
    )
    async def grants(self, info: Info) -> list[GrantType]:
        from app.graphql.types.rows import Grant

        seen = await load_holder(info, self.id)
        return [Grant.of(row) for row in seen.rows_of(self.id).grants]

    @strawberry.field(description=f"Limits on it: it has, and passes on, at most this. {OPERATIONS['Holder.limits']}")
    async def limits(self, info: Info) -> list[LimitType]:
        from app.graphql.types.rows import Limit

        seen = await load_holder(info, self.id)
        return [Limit.of(row) for row in seen.rows_of(self.id).limits]


async def load_holder(info: Info, holder: str) -> Seen:
    """What the caller sees, a holder included: people are loaded, roles and teams are always there."""
    people = [domain.UserId(holder)] if kind_of(holder) == PREFIX_OF[domain.User] else []
    return await info.context.look(*people)


async def show_holder(info: Info, holder: str | None) -> Holder | None:
    """A holder as the schema shows it; None for none, and for one that is not there."""
    from app.graphql.types.roles import Role
    from app.graphql.types.teams import Team
    from app.graphql.types.users import User

    if holder is None:
        return None
    record = (await load_holder(info, holder)).holder(holder)
    if isinstance(record, domain.User):
        return User.of(record)
    if isinstance(record, domain.Role):
        return Role.of(record)
    return None if record is None else Team.of(record)
