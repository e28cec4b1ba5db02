"""Anything by its id. Unknown, malformed and forbidden ids answer alike: null."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.holders import User, UserId
from app.domain.ids import NODE, PREFIX_OF, PRODUCT, SYNC_RUN, SYSTEM, catalog_id, kind_of, revision_of
from app.graphql.context import Info
from app.graphql.faults import Fault
from app.graphql.types.audit import AuditEntry
from app.graphql.types.catalog import Product, System, show_node
from app.graphql.types.contracts import Contract
from app.graphql.types.decisions import show_row
from app.graphql.types.nodes import Node
from app.graphql.types.roles import Role
from app.graphql.types.sync import SyncRun
from app.graphql.types.teams import Team
from app.graphql.types.users import User as UserNode
from app.services.audit import find_entries
from app.services.grants import find_rows
from app.services.sync.runs import find_runs

MAX_NODES = 100  # ids in one `nodes`: a page


@strawberry.type
class NodeQueries:
    @strawberry.field(description=f"Anything by its id; null: not there, or not yours. {OPERATIONS['node']}")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id.")]
    ) -> Node | None:
        return (await load_nodes(info, [id]))[0]

    @strawberry.field(description=f"Things by their ids, in their order, at most {MAX_NODES}. {OPERATIONS['nodes']}")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="The ids.")]
    ) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise Fault(f"{len(ids)} ids; at most {MAX_NODES} at once")
        return await load_nodes(info, ids)


async def load_nodes(info: Info, ids: Sequence[str]) -> list[Node | None]:
    """What these ids name, in their order, in a fixed number of statements."""
    kinds = {one: kind_of(one) for one in ids}
    people = [UserId(one) for one, kind in kinds.items() if kind == PREFIX_OF[User]]
    seen = await info.context.look(*people)
    reading = await info.context.read()
    revisions = [revision for one in ids if (revision := revision_of(one)) is not None]
    found: dict[str, Node] = {}
    for entry in await find_entries(reading, revisions) if revisions else ():
        shown = AuditEntry.of(entry)
        found[shown.id] = shown
    rows = [one for one, kind in kinds.items() if kind in _ROWS]
    for row in await find_rows(reading, rows) if rows else ():
        node = show_row(row)
        if node is not None:
            found[row.id] = node
    runs = [one for one, kind in kinds.items() if kind == SYNC_RUN]
    for run in await find_runs(reading, runs) if runs else ():
        found[run.id] = SyncRun.of(run)
    if any(kind in {NODE, SYSTEM, PRODUCT} for kind in kinds.values()):
        found |= _catalog_nodes(info)
    for one in ids:
        if (user := seen.user(one)) is not None:
            found[one] = UserNode.of(user)
        elif (role := seen.role(one)) is not None:
            found[one] = Role.of(role)
        elif (team := seen.team(one)) is not None:
            found[one] = Team.of(team)
        elif (contract := seen.contract(one)) is not None:
            found[one] = Contract.of(contract)
    return [found.get(one) for one in ids]


_ROWS = set(PREFIX_OF.values()) - {PREFIX_OF[User]}


def _catalog_nodes(info: Info) -> dict[str, Node]:
    catalog = info.context.catalog
    found: dict[str, Node] = {catalog_id(NODE, key): show_node(node) for key, node in catalog.nodes.items()}
    found |= {catalog_id(SYSTEM, system.key): System.of(system) for system in catalog.systems}
    return found | {catalog_id(PRODUCT, product.key): Product.of(product) for product in catalog.products}
