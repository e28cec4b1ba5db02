"""Teams."""

import strawberry

from app.domain import holders as domain
from app.domain.callers import OPERATIONS
from app.domain.holders import TeamKind
from app.domain.paging import Page
from app.graphql.context import Info
from app.graphql.pagination import After, Count, Cursors, First, PageInfo, show_page_info
from app.graphql.types.holders import Holder
from app.graphql.types.names import RoleAssignmentType, UserConnectionType


@strawberry.type(description="People who share roles; a group or a queue is a team too.")
class Team(Holder):
    key: str = strawberry.field(description="The key, unique among teams.")
    kind: TeamKind = strawberry.field(description="What it is in the contact centre.")
    archived: bool = strawberry.field(description="Whether it is archived: it gives nothing and joins nobody.")
    source: str = strawberry.field(description="Who manages it: `manual`, or a sync source.")
    record: strawberry.Private[domain.Team]

    @classmethod
    def of(cls, team: domain.Team) -> "Team":
        return cls(
            id=strawberry.ID(team.id), display_name=team.display_name, key=team.key, kind=team.kind,
            archived=team.archived, source=team.source, record=team,
        )  # fmt: skip

    @strawberry.field(description="The team it lies in, and whose roles it has too; null: none.")
    async def parent(self, info: Info) -> "Team | None":
        parent = (await info.context.look()).team(self.record.parent)
        return None if parent is None else Team.of(parent)

    @strawberry.field(description=f"The roles it carries. {OPERATIONS['Team.roles']}")
    async def roles(self, info: Info) -> list[RoleAssignmentType]:
        from app.graphql.types.rows import RoleAssignment

        seen = await info.context.look()
        return [RoleAssignment.of(row) for row in seen.rows_of(self.id).assignments]

    @strawberry.field(description=f"Its direct members, by user name. {OPERATIONS['Team.members']}")
    async def members(self, info: Info, first: First = None, after: After = None) -> UserConnectionType:
        from app.graphql.types.users import show_included_users

        return await show_included_users(info, "team", self.record.id, first, after)


@strawberry.type(description="A page of teams.")
class TeamConnection:
    edges: list["TeamEdge"] = strawberry.field(description="The teams of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count]

    @strawberry.field(description="How many there are in all.")
    async def total_count(self) -> int:
        return await self.count()


@strawberry.type(description="One team of a page.")
class TeamEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: Team = strawberry.field(description="The team.")


def show_teams(page: Page[domain.Team], cursors: Cursors, count: Count) -> TeamConnection:
    """A page of teams."""
    edges = [TeamEdge(cursor=cursors.write((team.key,)), node=Team.of(team)) for team in page.items]
    return TeamConnection(edges=edges, page_info=show_page_info(page, [e.cursor for e in edges]), count=count)
