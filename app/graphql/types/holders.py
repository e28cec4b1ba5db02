"""Users, teams and roles alike: whatever carries grants and limits."""

import strawberry

from app.domain import holders as domain
from app.domain.ids import PREFIX_OF, kind_of
from app.domain.world import World
from app.graphql.context import Info
from app.graphql.types.names import GrantType, LimitType
from app.graphql.types.nodes import Node


@strawberry.interface(description="A user, a team or a role: whatever can carry grants and limits.")
class Holder(Node):
    display_name: str = strawberry.field(description="The name for people.")

    @strawberry.field(description="Its own grants, those to come and those past included, until they are revoked.")
    async def grants(self, info: Info) -> list[GrantType]:
        from app.graphql.types.rows import Grant

        world = await load_holder(info, self.id)
        return [Grant.of(row) for row in world.rows_of(self.id).grants]

    @strawberry.field(description="Limits on it: it has, and passes on, at most this.")
    async def limits(self, info: Info) -> list[LimitType]:
        from app.graphql.types.rows import Limit

        world = await load_holder(info, self.id)
        return [Limit.of(row) for row in world.rows_of(self.id).limits]


async def load_holder(info: Info, holder: str) -> World:
    """The world with a holder in it: people are loaded, roles and teams are always there."""
    if kind_of(holder) == PREFIX_OF[domain.User]:
        return await info.context.load_people(domain.UserId(holder))
    return await (await info.context.read()).load_world()


async def show_holder(info: Info, holder: str | None) -> Holder | None:
    """A holder as the schema shows it; None for none, and for one that is not there."""
    from app.graphql.types.roles import Role
    from app.graphql.types.teams import Team
    from app.graphql.types.users import User

    if holder is None:
        return None
    world = await load_holder(info, holder)
    user, role = world.users.get(domain.UserId(holder)), world.roles.get(domain.RoleId(holder))
    team = world.teams.get(domain.TeamId(holder))
    if user is not None:
        return User.of(user)
    if role is not None:
        return Role.of(role)
    return None if team is None else Team.of(team)
