"""Teams: made, changed, archived, joined and left."""

from datetime import datetime
from typing import Annotated

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.changes import Dependents
from app.domain.holders import TeamKind
from app.domain.wishes.teams import TeamAsked
from app.domain.wishes.users import UNCHANGED
from app.graphql.context import Info
from app.graphql.inputs import ContractRef, TeamRef, UserRef, read_optional_ref, read_ref
from app.graphql.mutations.writing import WriteInput, WritePayload, given, patch, show_written
from app.graphql.types.teams import Team
from app.services import teams as services
from app.services.writing import Written


@strawberry.input(description="A new team.")
class CreateTeamInput(WriteInput):
    key: str = strawberry.field(description="The key: unique among teams, compared exactly.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The name for people; left out: the key."
    )  # fmt: skip
    kind: TeamKind = strawberry.field(default=TeamKind.TEAM, description="What it is.")
    parent: TeamRef | None = strawberry.field(default=strawberry.UNSET, description="The team it lies in.")


@strawberry.input(description="Attributes of a team to change. Left out: unchanged; null: cleared.")
class UpdateTeamInput(WriteInput):
    team: TeamRef = strawberry.field(description="Which one.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Another name for people; null: the key."
    )  # fmt: skip
    parent: TeamRef | None = strawberry.field(
        default=strawberry.UNSET, description="Another team to lie in; null: none."
    )  # fmt: skip
    archived: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether it is archived; null: it is not."
    )  # fmt: skip
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )


@strawberry.input(description="A team to archive.")
class ArchiveTeamInput(WriteInput):
    team: TeamRef = strawberry.field(description="Which one.")
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )


@strawberry.input(description="People of a team: to add, or to take out.")
class TeamMembersInput(WriteInput):
    team: TeamRef = strawberry.field(description="Which one.")
    users: list[UserRef] = strawberry.field(description="Who, at most 1000.")
    supervisor: bool = strawberry.field(
        default=False, description="Added: as its supervisors. Taken out: memberships as supervisor alone."
    )
    contract: ContractRef | None = strawberry.field(
        default=strawberry.UNSET, description="In this contract alone; left out: everywhere."
    )
    valid_from: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="It counts from then on; left out: at once."
    )  # fmt: skip
    valid_until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="It counts until just before then; left out: for ever."
    )
    on_dependents: Dependents = strawberry.field(
        default=Dependents.REJECT, description="What to do with rights that stand on what goes."
    )

    def members(self) -> services.Members:
        return services.Members(
            team=read_ref(self.team), users=[read_ref(user) for user in self.users], supervisor=self.supervisor,
            contract=read_optional_ref(self.contract), valid_from=given(self.valid_from),
            valid_until=given(self.valid_until),
        )  # fmt: skip


@strawberry.type(description="What came of a change of a team.")
class TeamPayload(WritePayload):
    team: Team | None = strawberry.field(description="The team after it; null when refused.")


async def _show(info: Info, written: Written) -> TeamPayload:
    fields = await show_written(info, written)
    team = None if written.errors else (await info.context.look()).team(written.subject)
    return TeamPayload(**fields, team=None if team is None else Team.of(team))


@strawberry.type
class TeamMutations:
    @strawberry.mutation(description=f"Creates a team. {OPERATIONS['createTeam']}")
    async def create_team(
        self, info: Info, input: Annotated[CreateTeamInput, strawberry.argument(description="The team.")]
    ) -> TeamPayload:
        written = await services.create_team(
            info.context.services, info.context.caller, input.key, input.kind,
            TeamAsked(display_name=patch(input.display_name)), parent=read_optional_ref(input.parent),
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Changes the attributes of a team. {OPERATIONS['updateTeam']}")
    async def update_team(
        self, info: Info, input: Annotated[UpdateTeamInput, strawberry.argument(description="The change.")]
    ) -> TeamPayload:
        written = await services.update_team(
            info.context.services, info.context.caller, read_ref(input.team),
            TeamAsked(
                display_name=patch(input.display_name),
                archived=UNCHANGED if input.archived is strawberry.UNSET else bool(input.archived),
            ),
            parent=UNCHANGED if input.parent is strawberry.UNSET else read_optional_ref(input.parent),
            on_dependents=input.on_dependents, options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Archives a team: it gives nothing and joins nobody. {OPERATIONS['archiveTeam']}")
    async def archive_team(
        self, info: Info, input: Annotated[ArchiveTeamInput, strawberry.argument(description="The team.")]
    ) -> TeamPayload:
        written = await services.archive_team(
            info.context.services, info.context.caller, read_ref(input.team), on_dependents=input.on_dependents,
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)

    @strawberry.mutation(description=f"Adds people to a team. {OPERATIONS['addTeamMembers']}")
    async def add_team_members(
        self, info: Info, input: Annotated[TeamMembersInput, strawberry.argument(description="Who, and where.")]
    ) -> TeamPayload:
        written = await services.add_team_members(
            info.context.services, info.context.caller, input.members(), options=input.options()
        )
        return await _show(info, written)

    @strawberry.mutation(description=f"Takes people out of a team. {OPERATIONS['removeTeamMembers']}")
    async def remove_team_members(
        self, info: Info, input: Annotated[TeamMembersInput, strawberry.argument(description="Who, and where.")]
    ) -> TeamPayload:
        written = await services.remove_team_members(
            info.context.services, info.context.caller, input.members(), on_dependents=input.on_dependents,
            options=input.options(),
        )  # fmt: skip
        return await _show(info, written)
