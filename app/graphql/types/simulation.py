"""What changes would do: what stands in their way, and what would change for whom."""

import strawberry

from app.domain import differences as domain
from app.domain.paging import Page
from app.graphql.context import Info
from app.graphql.pagination import After, Cursors, First, PageInfo, read_slice, show_page_info
from app.graphql.types.differences import RightDifference
from app.graphql.types.refusals import UserError, show_error
from app.services import simulation as services


@strawberry.type(description="A page of differences.")
class RightDifferenceConnection:
    edges: list["RightDifferenceEdge"] = strawberry.field(description="The differences of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="How many there are in all.")


@strawberry.type(description="One difference of a page.")
class RightDifferenceEdge:
    cursor: str = strawberry.field(description="Its cursor.")
    node: RightDifference = strawberry.field(description="The difference.")


@strawberry.type(
    description="What a list of changes would do, judged together and guarded as a write of them would be."
)
class Simulation:
    violations: list[UserError] = strawberry.field(
        description="What a write of them would be refused for, all reasons together, each with its `path` into "
        "`changes`; empty: nothing stands in the way."
    )
    warnings: list[UserError] = strawberry.field(
        description="What a write of them would warn of; empty where there are violations."
    )
    affected_users: int = strawberry.field(description="How many people there are in `differences`, whatever the page.")
    simulated: strawberry.Private[services.Simulation]
    first: strawberry.Private[int | None]
    after: strawberry.Private[str | None]

    @classmethod
    def of(cls, simulated: services.Simulation, first: int | None, after: str | None) -> "Simulation":
        return cls(
            violations=[show_error(error) for error in simulated.violations],
            warnings=[show_error(warning) for warning in simulated.warnings],
            affected_users=simulated.affected_users, simulated=simulated, first=first, after=after,
        )  # fmt: skip

    @strawberry.field(
        description="What would be different at once, by user name and in catalog order, of the people whom the "
        "caller sees and whose rights the caller may see. Where there are violations: what would be if the changes "
        "were let through as they are; none, where a change cannot be read. Left out, the arguments are those of "
        "`simulate`."
    )
    def differences(self, info: Info, first: First = None, after: After = None) -> RightDifferenceConnection:
        cursors = Cursors(info.context.services.cursor_key, "differences")
        if first is None and after is None:
            first, after = self.first, self.after
        return _show_differences(
            self.simulated.page(read_slice(cursors, first, after)), cursors, len(self.simulated.differences)
        )


def _show_differences(
    page: Page[tuple[domain.RightDifference, tuple[str, int]]], cursors: Cursors, total: int
) -> RightDifferenceConnection:
    edges = [
        RightDifferenceEdge(cursor=cursors.write(place), node=RightDifference.of(difference))
        for difference, place in page.items
    ]
    info = show_page_info(page, [edge.cursor for edge in edges])
    return RightDifferenceConnection(edges=edges, page_info=info, total_count=total)
