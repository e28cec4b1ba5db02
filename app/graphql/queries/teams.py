"""Teams by reference and in pages."""

from typing import Annotated

import strawberry

from app.domain import filters as domain
from app.domain.callers import OPERATIONS
from app.domain.holders import TeamKind
from app.graphql.context import Info
from app.graphql.inputs import TeamRef, read_ref
from app.graphql.pagination import After, Before, Cursors, First, Last, read_slice
from app.graphql.types.teams import Team, TeamConnection, show_teams
from app.services import teams


@strawberry.input(description="Which teams; every condition given must hold.")
class TeamFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Part of the key or display name, in any case."
    )  # fmt: skip
    kind: TeamKind | None = strawberry.field(default=strawberry.UNSET, description="Of this kind.")
    archived: bool | None = strawberry.field(default=strawberry.UNSET, description="Archived ones, or the others.")


@strawberry.type
class TeamQueries:
    @strawberry.field(description=f"A team; null: not there, or not yours. {OPERATIONS['team']}")
    async def team(
        self, info: Info, ref: Annotated[TeamRef, strawberry.argument(description="Which one.")]
    ) -> Team | None:
        team = await teams.find_team(await info.context.read(), read_ref(ref))
        return None if team is None else Team.of(team)

    @strawberry.field(description=f"Teams by key. {OPERATIONS['teams']}")
    async def teams(
        self,
        info: Info,
        filter: Annotated[TeamFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> TeamConnection:
        cursors = Cursors(info.context.services.cursor_key, "teams")
        part = read_slice(cursors, first, after, last, before)
        given = filter or TeamFilter()
        archived = None if given.archived is strawberry.UNSET else given.archived
        wanted = domain.TeamFilter(search=given.search or None, kind=given.kind or None, archived=archived)
        reading = await info.context.read()

        async def count() -> int:
            return await teams.count_teams(reading, wanted)

        return show_teams(await teams.list_teams(reading, wanted, part), cursors, count)
