"""Finding people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, or_, select

from app.db import tables
from app.db.mapping import read_user
from app.db.repositories.reading import Page, Reader, Slice, count, read_page
from app.domain.holders import ContractId, RoleId, TeamId, User, UserKind, UserStatus

USERS = tables.table_of(tables.UserRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which people; every condition given must hold. `role` and `team`: directly; `contract`: with a level in it."""

    search: str | None = None
    status: UserStatus | None = None
    kind: UserKind | None = None
    role: RoleId | None = None
    team: TeamId | None = None
    contract: ContractId | None = None


class Users:
    """People by id and by natural key, and lists of them in the order of their user names."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_by(self, column: str, values: Iterable[str]) -> Sequence[User]:
        """The users whose `id`, `user_name` or `external_id` is one of these."""
        statement = select(USERS).where(self.reader.known(USERS), USERS.c[column].in_(sorted(set(values))))
        return [read_user(row) for row in await self.reader.rows(statement)]

    async def read_page(self, wanted: UserFilter, part: Slice) -> Page[User]:
        page = await read_page(self.reader, select(USERS).where(*self._conditions(wanted)), [USERS.c.user_name], part)
        return Page(tuple(read_user(row) for row in page.items), page.has_next, page.has_previous)

    async def count(self, wanted: UserFilter) -> int:
        return await count(self.reader, select(USERS.c.id).where(*self._conditions(wanted)))

    async def count_active_owners(self) -> int:
        """How many active users own the account."""
        statement = select(func.count()).where(
            self.reader.known(USERS), USERS.c.is_owner.is_(True), USERS.c.status == UserStatus.ACTIVE
        )
        return int(await self.reader.value(statement))

    async def count_all(self) -> int:
        """How many users there are, whatever their status."""
        return int(await self.reader.value(select(func.count()).where(self.reader.known(USERS))))

    def _conditions(self, wanted: UserFilter) -> list[ColumnElement[bool]]:
        conditions = [self.reader.known(USERS)]
        if wanted.search:
            columns = (USERS.c.user_name, USERS.c.display_name, USERS.c.email)
            conditions.append(or_(*(column.icontains(wanted.search, autoescape=True) for column in columns)))
        if wanted.status is not None:
            conditions.append(USERS.c.status == wanted.status)
        if wanted.kind is not None:
            conditions.append(USERS.c.kind == wanted.kind)
        for table_row, column, value in (
            (tables.AssignmentRow, "role", wanted.role),
            (tables.MembershipRow, "team", wanted.team),
            (tables.AccessRow, "contract", wanted.contract),
        ):
            if value is not None:
                table = tables.table_of(table_row)
                person = table.c.holder if "holder" in table.c else table.c.user
                conditions.append(
                    exists().where(self.reader.known(table), table.c[column] == value, person == USERS.c.id)
                )
        return conditions


def user_key(user: User) -> tuple[str]:
    """The key by which lists of users are ordered."""
    return (user.user_name,)
