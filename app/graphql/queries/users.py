"""Users by reference and in pages."""

from typing import Annotated, cast

import strawberry

from app.domain.callers import OPERATIONS
from app.domain.holders import UserKind, UserStatus
from app.domain.paging import Slice
from app.domain.references import Ref
from app.graphql.context import Info
from app.graphql.inputs import ContractRef, RoleRef, TeamRef, UserRef, read_optional_ref, read_ref
from app.graphql.pagination import After, Before, Cursors, First, Last, read_slice
from app.graphql.selections import NAMES, ROWS, asks_for, asks_only
from app.graphql.types.users import User, UserConnection, show_known_users, show_users
from app.services import at_once, users


async def _load_user(info: Info, named: Ref) -> User | None:
    user = await users.find_user(await info.context.read(), named)
    index = info.context.find_index()
    if index is not None and user is not None:
        index.records.keep(user.id, user)
    return None if user is None else User.of(user)


async def _load_users(info: Info, cursors: Cursors, asked: users.UsersAsked, part: Slice) -> UserConnection:
    reading = await info.context.read()

    async def count() -> int:
        return await users.count_users(reading, asked)

    page = await users.list_users(reading, asked, part)
    if asks_for(info, ROWS):
        await info.context.look(*(user.id for user in page.items))
    return show_users(page, cursors, count)


@strawberry.input(description="Which users; every condition given must hold.")
class UserFilter:
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Part of the user name, display name or e-mail address, in any case."
    )
    status: UserStatus | None = strawberry.field(default=strawberry.UNSET, description="With this status.")
    kind: UserKind | None = strawberry.field(default=strawberry.UNSET, description="Of this kind.")
    role: RoleRef | None = strawberry.field(default=strawberry.UNSET, description="With this role, directly.")
    team: TeamRef | None = strawberry.field(default=strawberry.UNSET, description="In this team, directly.")
    contract: ContractRef | None = strawberry.field(
        default=strawberry.UNSET, description="With a level in this contract."
    )  # fmt: skip


@strawberry.type
class UserQueries:
    @strawberry.field(description=f"A user; null: not there, or not yours. {OPERATIONS['user']}")
    def user(self, info: Info, ref: Annotated[UserRef, strawberry.argument(description="Who.")]) -> User | None:
        named = read_ref(ref)
        index = info.context.find_index()
        user = None if index is None else at_once.find_user(index, info.context.caller, named, info.context.now)
        if user is not None:
            return User.of(user)
        if index is not None and asks_only(info, NAMES):
            person = at_once.find_person(index, info.context.caller, named, info.context.now)
            if person is not None:
                return User.named(person)
        return cast("User | None", _load_user(info, named))

    @strawberry.field(description=f"Users by user name. {OPERATIONS['users']}")
    def users(
        self,
        info: Info,
        filter: Annotated[UserFilter | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> UserConnection:
        cursors = Cursors(info.context.services.cursor_key, "users")
        part = read_slice(cursors, first, after, last, before)
        given = filter or UserFilter()
        asked = users.UsersAsked(
            search=given.search or None, status=given.status or None, kind=given.kind or None,
            role=read_optional_ref(given.role), team=read_optional_ref(given.team),
            contract=read_optional_ref(given.contract),
        )  # fmt: skip
        index = info.context.find_index() if asked == users.UsersAsked() else None
        known = None if index is None else at_once.list_users(index, info.context.caller, part, info.context.now)
        if index is not None and known is not None:
            people = index.people
            return show_known_users(
                known, cursors, lambda: people.size, lambda reading: users.list_users(reading, asked, part)
            )
        return cast("UserConnection", _load_users(info, cursors, asked, part))
