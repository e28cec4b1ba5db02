"""What would change, and for whom, if something were done."""

from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.errors import Refused
from app.domain.holders import UserStatus
from app.graphql.context import Info
from app.graphql.faults import Fault, fault_of
from app.graphql.inputs import (
    ContractArgument,
    ContractRef,
    HolderRef,
    TeamRef,
    UserRef,
    read_holder_ref,
    read_optional_ref,
    read_ref,
)
from app.graphql.mutations.contracts import AccessLevelInput
from app.graphql.mutations.grants import AssignInput, GrantInput, RevokeInput
from app.graphql.pagination import After, First
from app.graphql.types.simulation import Simulation
from app.services import simulation as services
from app.services.contracts import request_levels
from app.services.grants import (
    request_assignments,
    request_grants,
    request_lifts,
    request_limits,
    request_revokes,
    request_unassignments,
)
from app.services.simulation import ChangeAsked
from app.services.teams import Members, request_leaving, request_members
from app.services.users import request_status

REJECT = Dependents.REJECT  # what a simulation is asked for is to tell what would break


@strawberry.input(description="A value of a permission for a holder: a grant, or a limit.")
class HolderGrantInput:
    holder: HolderRef = strawberry.field(description="For whom.")
    grant: GrantInput = strawberry.field(description="What.")


@strawberry.input(description="Rows of a holder to end: grants, or limits.")
class HolderRevokeInput:
    holder: HolderRef = strawberry.field(description="Whose.")
    revoke: RevokeInput = strawberry.field(description="Which rows.")


@strawberry.input(description="A role to give to a user or a team, or to take from them.")
class HolderAssignInput:
    holder: HolderRef = strawberry.field(description="A user or a team.")
    assign: AssignInput = strawberry.field(description="Which role.")


@strawberry.input(description="People to add to a team, or to take out of it, everywhere.")
class MembersChangeInput:
    team: TeamRef = strawberry.field(description="Which one.")
    users: list[UserRef] = strawberry.field(description="Who.")

    def members(self) -> Members:
        return Members(team=read_ref(self.team), users=[read_ref(user) for user in self.users])


@strawberry.input(description="Another status of a user.")
class StatusChangeInput:
    user: UserRef = strawberry.field(description="Who.")
    status: UserStatus = strawberry.field(description="The status.")


@strawberry.input(description="The level of one person in one product of a contract.")
class ContractAccessLevelInput:
    contract: ContractRef = strawberry.field(description="Which contract.")
    level: AccessLevelInput = strawberry.field(description="The level.")


@strawberry.input(one_of=True, description="One change, for `simulate`: exactly one of these.")
class ChangeInput:
    grant: HolderGrantInput | None = strawberry.field(default=strawberry.UNSET, description="A grant.")
    revoke: HolderRevokeInput | None = strawberry.field(default=strawberry.UNSET, description="Grants to end.")
    limit: HolderGrantInput | None = strawberry.field(default=strawberry.UNSET, description="A limit.")
    lift_limit: HolderRevokeInput | None = strawberry.field(default=strawberry.UNSET, description="Limits to end.")
    assign: HolderAssignInput | None = strawberry.field(default=strawberry.UNSET, description="A role to give.")
    unassign: HolderAssignInput | None = strawberry.field(default=strawberry.UNSET, description="A role to take.")
    add_members: MembersChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="People to add to a team."
    )
    remove_members: MembersChangeInput | None = strawberry.field(
        default=strawberry.UNSET, description="People to take out of a team."
    )
    status: StatusChangeInput | None = strawberry.field(default=strawberry.UNSET, description="A status of a user.")
    access_level: ContractAccessLevelInput | None = strawberry.field(
        default=strawberry.UNSET, description="A level in a contract."
    )

    def asked(self) -> ChangeAsked:
        """The change, as the mutation of its kind would ask for it."""
        return _read_rows(self) or _read_people(self)


def _read_rows(given: ChangeInput) -> ChangeAsked | None:
    """A change of grants, limits or assignments of a holder."""
    if given.grant:
        holder, items = read_holder_ref(given.grant.holder), [given.grant.grant.item()]
        request = request_grants(holder, items, on_missing=MissingPrerequisites.REJECT)
        return ChangeAsked(name="grant", item="grant", request=request)
    if given.limit:
        holder, items = read_holder_ref(given.limit.holder), [given.limit.grant.item()]
        return ChangeAsked(name="limit", item="grant", request=request_limits(holder, items, on_dependents=REJECT))
    if given.revoke:
        holder, rows = read_holder_ref(given.revoke.holder), [given.revoke.revoke.item()]
        return ChangeAsked(name="revoke", item="revoke", request=request_revokes(holder, rows, on_dependents=REJECT))
    if given.lift_limit:
        holder, rows = read_holder_ref(given.lift_limit.holder), [given.lift_limit.revoke.item()]
        return ChangeAsked(name="liftLimit", item="revoke", request=request_lifts(holder, rows))
    if given.assign:
        holder, roles = read_holder_ref(given.assign.holder), [given.assign.assign.item()]
        return ChangeAsked(name="assign", item="assign", request=request_assignments(holder, roles))
    if given.unassign:
        holder, roles = read_holder_ref(given.unassign.holder), [given.unassign.assign.item()]
        request = request_unassignments(holder, roles, on_dependents=REJECT)
        return ChangeAsked(name="unassign", item="assign", request=request)
    return None


def _read_people(given: ChangeInput) -> ChangeAsked:
    """A change of who belongs to a team, of a status or of a level."""
    if given.add_members:
        return ChangeAsked(name="addMembers", item="", request=request_members(given.add_members.members()))
    if given.remove_members:
        request = request_leaving(given.remove_members.members(), on_dependents=REJECT)
        return ChangeAsked(name="removeMembers", item="", request=request)
    if given.status:
        request = request_status(read_ref(given.status.user), given.status.status)
        return ChangeAsked(name="status", item="", request=request)
    if given.access_level:
        request = request_levels(read_ref(given.access_level.contract), [given.access_level.level.item()])
        return ChangeAsked(name="accessLevel", item="level", request=request)
    raise Fault("a change is exactly one of the fields of `ChangeInput`")


@strawberry.type
class SimulationQueries:
    @strawberry.field(
        description="What would change for whom if these changes were made together, as one write. Nothing is "
        f"written. At most {services.MAX_CHANGES} changes, people of teams counted one by one. What each change needs "
        f"is among the violations. {OPERATIONS['simulate']}"
    )
    async def simulate(
        self,
        info: Info,
        changes: Annotated[list[ChangeInput], strawberry.argument(description="The changes, each after the last.")],
        contract: ContractArgument = None,
        first: First = None,
        after: After = None,
    ) -> Simulation:
        try:
            simulated = await services.simulate(
                await info.context.read(), [change.asked() for change in changes], contract=read_optional_ref(contract)
            )
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return Simulation.of(simulated, first, after)
