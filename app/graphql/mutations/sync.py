"""Sync: what a source wants is planned, and a plan applied."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import strawberry

from app.catalogs.feeds import FeedFormat
from app.domain.callers import OPERATIONS
from app.domain.holders import TeamKind
from app.domain.sync.desired import SyncMode
from app.graphql.context import Info
from app.graphql.inputs import RoleRef, TeamRef
from app.graphql.mutations.grants import AssignInput, GrantInput
from app.graphql.mutations.service_accounts import SyncAccessInput
from app.graphql.mutations.writing import fingerprint_input, given
from app.graphql.scalars import print_moment
from app.graphql.types.refusals import UserError, show_error
from app.graphql.types.sync import SyncRun
from app.services.sync import applying, planning
from app.services.sync.feeds import Feed
from app.services.writing import KEYS_KEPT_FOR, IdempotencyKey

UNMANAGED = "Left out or null: not managed, whatever there is stays."
NAMED_AFTER = "The name for people. Left out: not managed; null: {}."
KEY = (
    f"A name of the caller's own for this request: the same again within {KEYS_KEPT_FOR.days} days gives the first run "
    "again, another request under it is refused."
)


@strawberry.input(description="A person as a source wants them. A list left out is not managed; a list is complete.")
class SyncUserInput:
    external_id: str = strawberry.field(
        description="The id in the source: unique among users, compared exactly. Who is known by none yet is found by "
        "`userName`."
    )
    user_name: str = strawberry.field(description="The user name: unique among users, compared exactly.")
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET, description=NAMED_AFTER.format("the user name")
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description="The mail address. Left out: not managed; null: none."
    )
    active: bool = strawberry.field(default=True, description="false: suspended; rights and memberships stay.")
    roles: list[AssignInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the roles that the source gives them. {UNMANAGED}"
    )
    teams: list[TeamRef] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the teams that the source puts them in. {UNMANAGED}"
    )
    access: list[SyncAccessInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the access levels that the source gives them. {UNMANAGED}"
    )


@strawberry.input(description="A role as a source wants it.")
class SyncRoleInput:
    key: str = strawberry.field(description="The key: unique among roles, compared exactly.")
    display_name: str | None = strawberry.field(default=strawberry.UNSET, description=NAMED_AFTER.format("the key"))
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="What it is for. Left out: not managed; null: nothing."
    )
    parents: list[RoleRef] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the roles that it includes. {UNMANAGED}"
    )
    grants: list[GrantInput] = strawberry.field(description="All the grants that the source gives it.")


@strawberry.input(description="A team as a source wants it.")
class SyncTeamInput:
    key: str = strawberry.field(description="The key: unique among teams, compared exactly.")
    display_name: str | None = strawberry.field(default=strawberry.UNSET, description=NAMED_AFTER.format("the key"))
    kind: TeamKind = strawberry.field(default=TeamKind.TEAM, description="What it is.")
    parent: TeamRef | None = strawberry.field(
        default=strawberry.UNSET, description="The team it lies in. Left out: not managed; null: none."
    )
    roles: list[AssignInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the roles that the source gives it. {UNMANAGED}"
    )


def _keep_as_it_is(_type: type, value: Mapping[str, Any], _context: object) -> Any:
    """What a client gave, checked by the schema: a feed is written of it, and making objects of it takes longest."""
    return value


for _entry in (SyncUserInput, SyncRoleInput, SyncTeamInput):
    _entry.__strawberry_definition__.from_input = _keep_as_it_is  # type: ignore[union-attr]  # put there above


@strawberry.input(
    description="The desired state of everything that `source` manages. A list left out, at any depth, is not managed; "
    "a list given is complete: who is missing is suspended, what is missing ends. At least one is given. What does not "
    "fit one request goes to `POST /sync/{source}`."
)
class SyncInput:
    source: str = strawberry.field(description="The source: a name of your own, such as `hr`; not `manual`.")
    users: list[SyncUserInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the people that the source manages. {UNMANAGED}"
    )
    roles: list[SyncRoleInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the roles that the source manages. {UNMANAGED}"
    )
    teams: list[SyncTeamInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"All the teams that the source manages. {UNMANAGED}"
    )
    mode: SyncMode = strawberry.field(default=SyncMode.ATOMIC, description="What to do where items break a rule.")
    take_over: bool = strawberry.field(
        default=False,
        description="Adopt rows that another source or a person manages, instead of reporting a conflict.",
    )
    max_removals: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Stop when more rows than this would be removed, people suspended, or people lose a right; null: "
        "the server's default share.",
    )
    idempotency_key: str | None = strawberry.field(default=strawberry.UNSET, description=KEY)

    def options(self, feed: Feed | None) -> planning.PlanOptions:
        options = planning.PlanOptions(
            source=self.source, mode=self.mode, take_over=self.take_over, max_removals=given(self.max_removals)
        )
        key = given(self.idempotency_key)
        if key is None or feed is None:
            return options
        return replace(options, idempotency=IdempotencyKey(key, planning.fingerprint_feed(feed, options)))

    def feed(self) -> Feed | None:
        """The lists as a document, so that they are read, kept and compared again like those of a file; None: none."""
        lists = {name: given(getattr(self, name)) for name in ("users", "roles", "teams")}
        document = {name: entries for name, entries in lists.items() if entries is not None}
        text = json.dumps(document, separators=(",", ":"), default=print_moment)
        return Feed(FeedFormat.YAML, [text.encode()]) if document else None


@strawberry.input(description="A plan that was looked through and is to be done.")
class ApplySyncInput:
    plan: strawberry.ID = strawberry.field(description="The id of the run that `planSync` gave.")
    fingerprint: str = strawberry.field(description="Must be the plan's: what you looked at is what is applied.")
    override_brake: bool = strawberry.field(
        default=False, description="true: apply it though the brake stops it; an empty list stops always."
    )
    reason: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Why, for the audit log: up to 2000 characters. Needed to override the brake.",
    )
    idempotency_key: str | None = strawberry.field(default=strawberry.UNSET, description=KEY)

    def options(self) -> applying.ApplyOptions:
        key = given(self.idempotency_key)
        return applying.ApplyOptions(
            fingerprint=self.fingerprint, override_brake=self.override_brake, reason=self.reason or None,
            idempotency=None if key is None else IdempotencyKey(key, fingerprint_input(self)),
        )  # fmt: skip


@strawberry.type(description="What came of planning, or of applying a plan.")
class SyncPayload:
    run: SyncRun | None = strawberry.field(
        description="The run. Beside `errors`: the one that they are about; null: there is none."
    )
    errors: list[UserError] = strawberry.field(
        description="Why it was refused, all reasons together, up to 100; `run.items` tells all. Of a plan with "
        "PARTIAL: why what is refused is left out. Empty: done."
    )
    warnings: list[UserError] = strawberry.field(
        description="What is done and yet worth knowing. BRAKE: applying it takes `overrideBrake` and a reason."
    )


async def _show(info: Info, answer: planning.SyncAnswer) -> SyncPayload:
    await info.context.start_over()
    return SyncPayload(
        run=None if answer.run is None else SyncRun.of(answer.run),
        errors=[show_error(error) for error in answer.errors],
        warnings=[show_error(warning) for warning in answer.warnings],
    )


@strawberry.type
class SyncMutations:
    @strawberry.mutation(
        description="Compares what a source wants with what there is, and keeps the plan to be looked through. Nothing "
        "of it is done before `applySync`; one in whose way something stands is kept as well, as REFUSED. Faults and "
        f"guards are judged on the state after the whole of it. {OPERATIONS['planSync']}"
    )
    async def plan_sync(
        self, info: Info, input: Annotated[SyncInput, strawberry.argument(description="What the source wants.")]
    ) -> SyncPayload:
        services, caller, feed = info.context.services, info.context.caller, input.feed()
        options = input.options(feed)
        if feed is None:
            return await _show(info, await planning.refuse_nothing(services, caller, options=options))
        return await _show(info, await planning.plan_sync(services, caller, feed, options=options))

    @strawberry.mutation(
        description="Does what a plan says, whole or not at all, as one revision. Refused with STALE_PLAN when "
        "something that it read has changed since, or it is older than "
        f"{planning.FEEDS_KEPT_FOR.days} days; with BRAKE when it takes away more than is let pass. A plan that is "
        f"applied already gives its run again. {OPERATIONS['applySync']}"
    )
    async def apply_sync(
        self, info: Info, input: Annotated[ApplySyncInput, strawberry.argument(description="The plan.")]
    ) -> SyncPayload:
        answer = await applying.apply_sync(
            info.context.services, info.context.caller, input.plan, options=input.options()
        )
        return await _show(info, answer)
