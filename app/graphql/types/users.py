"""Users: people and service accounts."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from app.domain import holders as domain
from app.domain.callers import OPERATIONS
from app.domain.errors import Refused
from app.domain.facts import stored_facts
from app.domain.filters import Inclusion
from app.domain.holders import UserId, UserKind, UserStatus
from app.domain.paging import Page
from app.domain.people import Person
from app.domain.references import Ref
from app.domain.rights import State
from app.domain.tokens import TokenRecord
from app.domain.world import HolderRows
from app.graphql.context import Info
from app.graphql.faults import fault_of
from app.graphql.inputs import (
    AsOfArgument,
    At,
    ContractArgument,
    FactsArgument,
    UserRef,
    read_as_of,
    read_facts,
    read_optional_ref,
)
from app.graphql.pagination import Count, Cursors, PageInfo, read_slice, show_page_info
from app.graphql.selections import PATHS, ROWS, asks_for
from app.graphql.types.holders import Holder
from app.graphql.types.names import (
    ContractAccessType,
    DecisionType,
    EffectiveRightType,
    FactType,
    RoleAssignmentType,
    TeamMembershipType,
)
from app.graphql.types.values import RightValueInput, read_value_input
from app.services import access, at_once, users
from app.services.context import Reading
from app.services.references import find_scope

SystemKey = Annotated[str | None, strawberry.argument(description="The key of a system: what lies in it alone.")]
NodeKeys = Annotated[list[str] | None, strawberry.argument(description="Keys of permissions: these alone.")]
States = Annotated[list[State] | None, strawberry.argument(description="In one of these states; left out: in any.")]
AtLeastArgument = Annotated[
    RightValueInput | None, strawberry.argument(description="At least this much; left out: anything above nothing.")
]
TargetArgument = Annotated[
    UserRef | None, strawberry.argument(description="The other person, where the right reaches people or asks of them.")
]


@strawberry.type(description="A token of the gateway, without its secret.")
class Token:
    id: strawberry.ID = strawberry.field(description="Opaque id, for revoking it.")
    label: str = strawberry.field(description="What it is for.")
    prefix: str = strawberry.field(description="How its secret begins.")
    created_at: datetime = strawberry.field(description="When it was issued.")
    expires_at: datetime | None = strawberry.field(description="When it ends to be good; null: never.")
    last_used_at: datetime | None = strawberry.field(description="When it was used last, to about an hour.")

    @classmethod
    def of(cls, token: TokenRecord) -> "Token":
        return cls(
            id=strawberry.ID(token.id), label=token.label, prefix=token.prefix, created_at=token.created_at,
            expires_at=token.expires_at, last_used_at=token.last_used_at,
        )  # fmt: skip


@strawberry.type(description="A person or a service account.")
class User(Holder):
    user_name: str = strawberry.field(description="The user name: unique among users, archived ones included.")
    external_id: str | None = strawberry.field(description="The id in the directory they come from.")
    email: str | None = strawberry.field(description="The e-mail address.")
    kind: UserKind = strawberry.field(description="A human being or a machine.")
    status: UserStatus = strawberry.field(description="Whether they may do anything at all.")
    is_owner: bool = strawberry.field(description="Whether they own the account: every permission, no restriction.")
    source: str = strawberry.field(description="Who manages them: `manual`, or a sync source.")
    record: strawberry.Private[domain.User]

    @classmethod
    def of(cls, user: domain.User) -> "User":
        return cls(
            id=strawberry.ID(user.id), display_name=user.display_name, user_name=user.user_name,
            external_id=user.external_id, email=user.email, kind=user.kind, status=user.status, is_owner=user.is_owner,
            source=user.source, record=user,
        )  # fmt: skip

    @classmethod
    def named(cls, person: Person) -> "User":
        """Somebody of whom the names alone are known. Whatever else is asked of them is an error, and no answer."""
        unknown: Any = strawberry.UNSET
        return cls(
            id=strawberry.ID(person.id), user_name=person.user_name, external_id=person.external_id,
            display_name=unknown, email=unknown, kind=unknown, status=unknown, is_owner=unknown, source=unknown,
            record=domain.User(id=person.id, user_name=person.user_name, display_name=unknown),
        )  # fmt: skip

    @strawberry.field(description=f"The roles assigned to them directly. {OPERATIONS['User.roles']}")
    def roles(self, info: Info) -> list[RoleAssignmentType]:
        from app.graphql.types.rows import RoleAssignment

        user = self.record.id
        return info.context.see(lambda seen: [RoleAssignment.of(row) for row in seen.rows_of(user).assignments], user)

    @strawberry.field(description=f"The teams they belong to directly. {OPERATIONS['User.teams']}")
    def teams(self, info: Info) -> list[TeamMembershipType]:
        from app.graphql.types.rows import TeamMembership

        user = self.record.id
        return info.context.see(lambda seen: [TeamMembership.of(row) for row in seen.rows_of(user).memberships], user)

    @strawberry.field(
        description="The contracts in which they have a level, or are linked to a subscriber. "
        f"{OPERATIONS['User.contracts']}"
    )
    async def contracts(self, info: Info) -> list[ContractAccessType]:
        from app.graphql.types.contracts import ContractAccess

        seen = await info.context.look(self.record.id)
        rows = seen.rows_of(self.id)
        numbers = {row.contract for row in (*rows.access, *rows.links)}
        found = sorted((c for c in seen.contracts() if c.id in numbers), key=lambda c: c.number)
        return [ContractAccess.of(info.context.catalog, seen, contract, self.record) for contract in found]

    @strawberry.field(
        description=f"The facts of a person that catalogs declare, with what is stored. {OPERATIONS['User.facts']}"
    )
    async def facts(self, info: Info, contract: ContractArgument = None) -> list[FactType]:
        from app.graphql.types.catalog import Fact

        seen = await info.context.look(self.record.id)
        try:
            scope = await find_scope(await info.context.read(), read_optional_ref(contract))
        except Refused as refused:
            raise fault_of(refused.errors) from None
        stored = stored_facts(seen, contract=scope, user=self.record.id)
        declared = info.context.catalog.facts.values()
        return [Fact.declared(fact, stored.get(fact.name)) for fact in declared if fact.owner == "user"]

    @strawberry.field(description=f"Their tokens that are not revoked, oldest first. {OPERATIONS['User.tokens']}")
    async def tokens(self, info: Info) -> list[Token]:
        async def load(ids: list[UserId]) -> list[list[TokenRecord]]:
            found = await users.list_tokens(await info.context.read(), ids)
            return [found[user] for user in ids]

        return [Token.of(token) for token in await info.context.loader("tokens", load).load(self.record.id)]

    @strawberry.field(
        description="Their effective value of every permission, and how each stands, in catalog order. "
        f"{OPERATIONS['User.effectiveRights']}"
    )
    def effective_rights(
        self,
        info: Info,
        contract: ContractArgument = None,
        system: SystemKey = None,
        nodes: NodeKeys = None,
        states: States = None,
        facts: FactsArgument = None,
        at: At = None,
        as_of: AsOfArgument = None,
    ) -> list[EffectiveRightType]:
        from app.graphql.types.decisions import EffectiveRight

        circumstances = access.Circumstances(contract=read_optional_ref(contract), facts=read_facts(facts), at=at)
        choice = access.Choice(
            system, None if nodes is None else frozenset(nodes), None if states is None else frozenset(states)
        )
        moment, user = read_as_of(as_of), self.record.id

        async def load() -> list[EffectiveRightType]:
            try:
                reading = await info.context.read_past(moment, user)
                await info.context.rest()
                rights = await access.list_effective_rights(reading, user, circumstances, choice)
            except Refused as refused:
                raise fault_of(refused.errors) from None
            return [EffectiveRight.of(right) for right in rights]

        # The index knows no paths. They are found list by list and not right by right: these would all go on at once.
        is_elsewhere = moment is not None or asks_for(info, PATHS)
        index = None if is_elsewhere else info.context.find_index()
        if index is not None and choice.is_of(index.catalog):
            standing = at_once.stand(index, info.context.caller, user, circumstances, info.context.now)
            if standing is not None:
                rights = at_once.list_effective_rights(index, standing)
                return [EffectiveRight.of(r) for r in rights if choice.takes(r.permission, r.state)]
        return cast("list[EffectiveRightType]", load())

    @strawberry.field(description=f"Decision for a permission or an operation. {OPERATIONS['User.can']}")
    def can(
        self,
        info: Info,
        node: Annotated[str, strawberry.argument(description="The key of the permission or operation.")],
        at_least: AtLeastArgument = None,
        contract: ContractArgument = None,
        target: TargetArgument = None,
        facts: FactsArgument = None,
        at: At = None,
        as_of: AsOfArgument = None,
    ) -> DecisionType:
        from app.graphql.types.decisions import load_decision

        return load_decision(
            info,
            access.CheckAsked(
                user=Ref("id", self.record.id), node=node, at_least=read_value_input(at_least),
                contract=read_optional_ref(contract), target=read_optional_ref(target), facts=read_facts(facts), at=at,
                as_of=read_as_of(as_of),
            ),
        )  # fmt: skip

    @strawberry.field(description=f"Decision for every operation, in catalog order. {OPERATIONS['User.operations']}")
    async def operations(
        self,
        info: Info,
        contract: ContractArgument = None,
        system: SystemKey = None,
        allowed: Annotated[bool | None, strawberry.argument(description="Open ones alone, or shut ones alone.")] = None,
        facts: FactsArgument = None,
        at: At = None,
        as_of: AsOfArgument = None,
    ) -> list[DecisionType]:
        from app.graphql.types.decisions import Decision

        circumstances = access.Circumstances(contract=read_optional_ref(contract), facts=read_facts(facts), at=at)
        try:
            reading = await info.context.read_past(read_as_of(as_of), self.record.id)
            decisions = await access.list_operations(
                reading, self.record.id, circumstances, system=system, allowed=allowed
            )
        except Refused as refused:
            raise fault_of(refused.errors) from None
        return [Decision.of(decision, reading) for decision in decisions]


def _find_edges(root: "UserConnection", info: Info) -> list["UserEdge"]:
    return cast("list[UserEdge]", root.load(info))


@strawberry.type(description="A page of users.")
class UserConnection:
    edges: list["UserEdge"] = strawberry.field(resolver=_find_edges, description="The users of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    count: strawberry.Private[Count | Callable[[], int]]
    load: strawberry.Private[Callable[[Info], "list[UserEdge] | Awaitable[list[UserEdge]]"]]
    known: strawberry.Private["KnownPage | None"] = None

    @strawberry.field(description="How many there are in all.")
    def total_count(self) -> int:
        return cast(int, self.count())


@dataclass(slots=True)
class KnownPage:
    """Of whom a page consists, where the index knows; once their rows were read, in which contracts these count."""

    people: tuple[UserId, ...]
    contracts: dict[UserId, frozenset[domain.ContractId]] = field(default_factory=dict)


@strawberry.type(description="One user of a page.")
class UserEdge:
    node: User = strawberry.field(description="The user.")
    cursors: strawberry.Private[Cursors]

    @strawberry.field(description="Its cursor.")
    def cursor(self) -> str:
        return self.cursors.write((self.node.user_name,))


def show_users(page: Page[domain.User], cursors: Cursors, count: Count) -> UserConnection:
    """A page of users."""
    edges = _show_edges(page, cursors)
    ends = [cursors.write((user.user_name,)) for user in (*page.items[:1], *page.items[-1:])]
    return UserConnection(page_info=show_page_info(page, ends), count=count, load=lambda _info: edges)


def _show_edges(page: Page[domain.User], cursors: Cursors) -> list[UserEdge]:
    return [UserEdge(node=User.of(user), cursors=cursors) for user in page.items]


def show_known_users(
    page: Page[tuple[str, UserId]],
    cursors: Cursors,
    count: Callable[[], int],
    read: Callable[[Reading], Awaitable[Page[domain.User]]],
) -> UserConnection:
    """A page of users, of which names and ids are known: the rest is read where it is not known as JSON."""
    known = KnownPage(tuple(user for _, user in page.items))

    async def load(info: Info) -> list[UserEdge]:
        found = await read(await info.context.read())
        assert [user.id for user in found.items] == [*known.people], "the snapshot is of the revision of the index"
        if asks_for(info, ROWS):
            world = (await info.context.look(*known.people)).world
            known.contracts = {user: _find_contracts(world.rows_of(user)) for user in known.people}
        return _show_edges(found, cursors)

    ends = [cursors.write((name,)) for name, _ in (*page.items[:1], *page.items[-1:])]
    return UserConnection(page_info=show_page_info(page, ends), count=count, load=load, known=known)


def _find_contracts(rows: HolderRows) -> frozenset[domain.ContractId]:
    """The contracts in which alone a role or a team of somebody counts."""
    return frozenset(
        row.contract for of_kind in (rows.assignments, rows.memberships) for row in of_kind if row.contract is not None
    )


async def show_included_users(
    info: Info, noun: Inclusion, included: str, first: int | None, after: str | None
) -> UserConnection:
    """A page of the users directly in a role, a team or a contract; pages of siblings are read together."""
    cursors = Cursors(info.context.services.cursor_key, "users")
    page, count = await load_included_users(info, noun, included, cursors, first, after)
    return show_users(page, cursors, count)


async def load_included_users(
    info: Info, noun: Inclusion, included: str, cursors: Cursors, first: int | None, after: str | None
) -> tuple[Page[domain.User], Count]:
    """A page of the users directly in something, and what counts all of them."""
    part = read_slice(cursors, first, after)

    async def load_pages(ids: list[str]) -> Sequence[Page[domain.User]]:
        found = await users.list_included_users(await info.context.read(), noun, ids, part)
        return [found[one] for one in ids]

    async def load_counts(ids: list[str]) -> Sequence[int]:
        found = await users.count_included_users(await info.context.read(), noun, ids)
        return [found[one] for one in ids]

    async def count() -> int:
        return await info.context.loader(f"count of {noun}", load_counts).load(included)

    return await info.context.loader(f"users of {noun} {part}", load_pages).load(included), count
