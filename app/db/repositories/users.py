"""Finding people."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, exists, func, or_, select

from app.db import tables
from app.db.mapping import read_user, read_users
from app.db.repositories.reading import Reader, count, holds, read_page
from app.domain.filters import Inclusion, MemberFilter, UserFilter
from app.domain.holders import User, UserId, UserStatus
from app.domain.paging import Page, Slice
from app.domain.sight import Audience

USERS = tables.table_of(tables.UserRow)
ACCESS = tables.table_of(tables.AccessRow)


class Users:
    """People by id and by natural key, and lists of them in the order of their user names."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def find_by(self, column: str, values: Iterable[str]) -> Sequence[User]:
        """The users whose `id`, `user_name` or `external_id` is one of these."""
        statement = select(USERS).where(self.reader.known(USERS), USERS.c[column].in_(sorted(set(values))))
        return read_users(await self.reader.rows(statement))

    async def find_seen(self, users: Iterable[UserId], audience: Audience) -> frozenset[UserId]:
        """Those of these people whom a caller sees."""
        conditions = (self.reader.known(USERS), USERS.c.id.in_(sorted(set(users))), self._seen_by(audience))
        return frozenset(row["id"] for row in await self.reader.rows(select(USERS.c.id).where(*conditions)))

    async def read_page(self, wanted: UserFilter, part: Slice) -> Page[User]:
        page = await read_page(self.reader, select(USERS).where(*self._conditions(wanted)), [USERS.c.user_name], part)
        return Page(tuple(read_users(page.items)), page.has_next, page.has_previous)

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

    async def read_included_pages(
        self, noun: Inclusion, ids: Sequence[str], wanted: MemberFilter, part: Slice
    ) -> dict[str, Page[User]]:
        """For each role, team or contract, a slice of the users directly in it, in one statement."""
        within = self._within(noun, ids, wanted).subquery()
        conditions = []
        if part.after is not None:
            conditions.append(within.c.user_name > part.after[0])
        if part.before is not None:
            conditions.append(within.c.user_name < part.before[0])
        order = within.c.user_name.desc() if part.backwards else within.c.user_name
        place = func.row_number().over(partition_by=within.c.included, order_by=order).label("place")
        ranked = select(within, place).where(*conditions).subquery()
        statement = select(ranked).where(ranked.c.place <= part.limit + 1).order_by(ranked.c.included, ranked.c.place)
        found: dict[str, list[User]] = {included: [] for included in ids}
        for row in await self.reader.rows(statement):
            found[row["included"]].append(read_user(row))
        return {included: _cut(users, part) for included, users in found.items()}

    async def count_included(self, noun: Inclusion, ids: Sequence[str], wanted: MemberFilter) -> dict[str, int]:
        """For each role, team or contract, the number of users directly in it, in one statement."""
        within = self._within(noun, ids, wanted).subquery()
        statement = select(within.c.included, func.count().label("people")).group_by(within.c.included)
        return dict.fromkeys(ids, 0) | {row["included"]: row["people"] for row in await self.reader.rows(statement)}

    async def find_included(self, noun: Inclusion, ids: Sequence[str]) -> frozenset[UserId]:
        """Everybody who is directly in one of these roles, teams or contracts."""
        within = self._within(noun, ids, MemberFilter()).subquery()
        return frozenset(row["id"] for row in await self.reader.rows(select(within.c.id).distinct()))

    def _within(self, noun: Inclusion, ids: Sequence[str], wanted: MemberFilter) -> Select[Any]:
        """Each user once beside each of these roles, teams or contracts that they are directly in."""
        table, included, person = _INCLUSIONS[noun]
        conditions = [self.reader.known(USERS), self.reader.known(table), included.in_(sorted(set(ids)))]
        if wanted.contracts is not None:
            conditions.append(table.c.contract.in_(sorted(wanted.contracts)))
        if wanted.audience is not None:
            conditions.append(self._seen_by(wanted.audience))
        return select(included.label("included"), USERS).join(table, person == USERS.c.id).where(*conditions).distinct()

    def _seen_by(self, audience: Audience) -> ColumnElement[bool]:
        inside = exists().where(
            self.reader.known(ACCESS), ACCESS.c.user == USERS.c.id, ACCESS.c.contract.in_(sorted(audience.contracts))
        )
        return or_(USERS.c.id == audience.oneself, inside)

    def _conditions(self, wanted: UserFilter) -> list[ColumnElement[bool]]:
        conditions = [self.reader.known(USERS)]
        if wanted.search:
            conditions.append(holds(USERS, ("user_name", "display_name", "email"), wanted.search))
        if wanted.status is not None:
            conditions.append(USERS.c.status == wanted.status)
        if wanted.kind is not None:
            conditions.append(USERS.c.kind == wanted.kind)
        within: tuple[tuple[Inclusion, str | None], ...] = (
            ("role", wanted.role), ("team", wanted.team), ("contract", wanted.contract)
        )  # fmt: skip
        for noun, value in within:
            if value is not None:
                table, included, person = _INCLUSIONS[noun]
                tells = [self.reader.known(table), included == value, person == USERS.c.id]
                if noun in wanted.rows:
                    oneself = "" if wanted.audience is None else wanted.audience.oneself
                    tells.append(or_(table.c.contract.in_(sorted(wanted.rows[noun])), person == oneself))
                conditions.append(exists().where(*tells))
        if wanted.audience is not None:
            conditions.append(self._seen_by(wanted.audience))
        return conditions


def _inclusion(row_type: type[Any], included: str, person: str) -> tuple[Table, ColumnElement[Any], ColumnElement[Any]]:
    table = tables.table_of(row_type)
    return table, table.c[included], table.c[person]


_INCLUSIONS = {
    "role": _inclusion(tables.AssignmentRow, "role", "holder"),
    "team": _inclusion(tables.MembershipRow, "team", "user"),
    "contract": _inclusion(tables.AccessRow, "contract", "user"),
}


def _cut(users: list[User], part: Slice) -> Page[User]:
    more, items = len(users) > part.limit, users[: part.limit]
    if part.backwards:
        return Page(tuple(reversed(items)), has_next=part.before is not None, has_previous=more)
    return Page(tuple(items), has_next=more, has_previous=part.after is not None)
