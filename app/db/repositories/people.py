"""Finding people by their place in a list, as SCIM counts them, and by names in whatever case."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, or_, select

from app.db.mapping import read_user
from app.db.repositories.reading import count
from app.db.repositories.users import USERS, Users
from app.domain.filters import UserFilter
from app.domain.holders import User, UserKind, UserStatus
from app.domain.names import fold_name


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFilter:
    """Which people, archived ones and machines never; every condition given must hold.

    `user_name` is compared without case. `among` narrows further: whom a caller sees, what is searched for.
    """

    id: str | None = None
    external_id: str | None = None
    user_name: str | None = None
    active: bool | None = None
    among: UserFilter = field(default_factory=UserFilter)


class People(Users):
    """People by user name, any part of them."""

    async def read_from(self, wanted: PeopleFilter, *, start: int, limit: int) -> Sequence[User]:
        """Up to `limit` people, `start` of them left out before."""
        statement = select(USERS).where(*self._narrow(wanted)).order_by(USERS.c.user_name).offset(start).limit(limit)
        return [read_user(row) for row in await self.reader.rows(statement)]

    async def count_people(self, wanted: PeopleFilter) -> int:
        return await count(self.reader, select(USERS.c.id).where(*self._narrow(wanted)))

    async def find_named(self, user_name: str) -> Sequence[User]:
        """Everybody who is called so in some case, machines and archived people too."""
        statement = select(USERS).where(self.reader.known(USERS), self._is_called(user_name))
        statement = statement.order_by(USERS.c.user_name)
        return [read_user(row) for row in await self.reader.rows(statement)]

    def _narrow(self, wanted: PeopleFilter) -> list[ColumnElement[bool]]:
        conditions = [
            *self._conditions(wanted.among),
            USERS.c.kind == UserKind.PERSON,
            USERS.c.status != UserStatus.ARCHIVED,
        ]
        if wanted.id is not None:
            conditions.append(USERS.c.id == wanted.id)
        if wanted.external_id is not None:
            conditions.append(USERS.c.external_id == wanted.external_id)
        if wanted.user_name is not None:
            conditions.append(self._is_called(wanted.user_name))
        if wanted.active is not None:
            conditions.append(USERS.c.status == (UserStatus.ACTIVE if wanted.active else UserStatus.SUSPENDED))
        return conditions

    @staticmethod
    def _is_called(user_name: str) -> ColumnElement[bool]:
        """Whether somebody is called so, in any case and either Unicode form."""
        folded = fold_name(user_name)
        return or_(func.lower(USERS.c.user_name) == folded, USERS.c.folded_user_name == folded)
