"""Worlds for the engine: everything about roles, teams and contracts, and about the people asked for."""

import asyncio
import gc
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, select

from app.db import tables
from app.db.mapping import TABLE_OF, columns_of, read_records
from app.db.repositories.reading import WANTED, Reader, Where
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    Grant,
    Limit,
    Membership,
    Record,
    Role,
    RoleId,
    StoredFact,
    SubscriberLink,
    Team,
    TeamId,
    User,
    UserId,
)
from app.domain.ids import PREFIX_OF
from app.domain.world import World

READ_AT_ONCE = 5000  # rows that are made records before others have a turn: some ten milliseconds
MAX_LISTED = 5000  # ids that are listed in a statement; for more people everybody's rows are read


class Worlds:
    """Loads worlds in a fixed number of statements, however many people are asked for."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def reload_directory(self, known: World, ids: Collection[str]) -> World:
        """Roles, teams and contracts that are known of an earlier revision, these ids as they are now."""
        if len(ids) > MAX_LISTED:
            return await self.load_directory()
        listed = sorted(ids)
        records: list[Record] = []
        for entity in (Role, Team, Contract):
            records += await self._read(entity, _has_wanted_id, listed)
        for row in (Grant, Limit, Assignment):
            records += await self._read(row, _has_wanted_holder, listed)
        records += await self._read(StoredFact, _is_of_wanted_contract, listed)
        return known.replaced(ids, records)

    async def load_directory(self) -> World:
        """All roles, teams and contracts with what hangs on them; no people."""
        records: list[Record] = []
        for entity in (Role, Team, Contract):
            records += await self._read(entity)
        for row in (Grant, Limit, Assignment):
            records += await self._read(row, _is_shared)
        records += await self._read(StoredFact, _is_nobodys)
        return World.of(records)

    async def join_people(self, world: World, users: Collection[UserId] | None) -> World:
        """A world with these people (None: everybody) and all their rows in it; whoever is there stays as they are."""
        with pausing_collection() if users is None else nullcontext():
            records = await self.load_people(users)
            if world.users:
                records = [record for record in records if _person_of(record) not in world.users]
            return world.joined(records)

    async def load_people(self, users: Collection[UserId] | None) -> list[Record]:
        """These people (None: everybody) with all their rows."""
        if users is not None and not users:
            return []
        listed = users if users is not None and len(users) <= MAX_LISTED else None
        records: list[Record] = []
        for kind, (of_anybody, of_listed) in _OF_PEOPLE.items():
            if listed is None:
                records += await self._read(kind, of_anybody)
            else:
                records += await self._read(kind, of_listed, sorted(listed))
        if listed is None and users is not None:
            wanted = set(users)
            records = [record for record in records if _person_of(record) in wanted]
        return records

    async def list_valued_rows(self) -> list[Grant | Limit]:
        """Every grant and limit of anybody."""
        return [*await self._read(Grant), *await self._read(Limit)]

    async def list_levels_outside(self, products: Iterable[str]) -> list[Access]:
        """The levels in any other product than these."""
        return await self._read(Access, _is_outside, sorted(products))

    async def _read(self, kind: type, where: Where | None = None, wanted: Sequence[str] = ()) -> list[Any]:
        rows = await self.reader.raw(tables.table_of(TABLE_OF[kind]), columns_of(kind), where, wanted)
        records: list[Any] = []
        for start in range(0, len(rows), READ_AT_ONCE):
            records += read_records(kind, self.reader.catalog, rows[start : start + READ_AT_ONCE])
            if len(rows) > READ_AT_ONCE:
                await asyncio.sleep(0)  # everybody's rows take a second: whoever asks something small goes between
        return records

    async def find_included_people(self, roles: Iterable[RoleId], teams: Iterable[TeamId]) -> frozenset[UserId]:
        """The people to whom one of these roles is assigned, or who belong to one of these teams, directly."""
        assignments = tables.table_of(tables.AssignmentRow)
        memberships = tables.table_of(tables.MembershipRow)
        found: set[UserId] = set()
        for statement in (
            self._people(assignments, assignments.c.holder, assignments.c.role, list(roles)),
            self._people(memberships, memberships.c.user, memberships.c.team, list(teams)),
        ):
            found.update(row["person"] for row in await self.reader.rows(statement))
        return frozenset(found)

    async def find_granted_people(self, node: str) -> frozenset[UserId]:
        """The people with a grant of their own of a permission."""
        grants = tables.table_of(tables.GrantRow)
        statement = select(grants.c.holder).where(
            self.reader.known(grants), grants.c.node == node, is_kind(grants.c.holder, User)
        )
        return frozenset(row["holder"] for row in await self.reader.rows(statement.distinct()))

    def _people(
        self, table: Table, person: ColumnElement[str], included: ColumnElement[str], ids: list[Any]
    ) -> Select[Any]:
        return (
            select(person.label("person"))
            .where(self.reader.known(table), included.in_(ids), is_kind(person, User))
            .distinct()
        )

    async def find_contract_people(self, contract: str) -> frozenset[UserId]:
        """The people who have a level or a link in a contract, or own it."""
        found: set[UserId] = set()
        for row_type, person, which in (
            (tables.AccessRow, "user", "contract"),
            (tables.SubscriberLinkRow, "user", "contract"),
            (tables.ContractRow, "owner", "id"),
        ):
            table = tables.table_of(row_type)
            statement = select(table.c[person]).where(self.reader.known(table), table.c[which] == contract).distinct()
            found.update(row[person] for row in await self.reader.rows(statement))
        return frozenset(found)


PEOPLE: tuple[tuple[type, str], ...] = (
    (User, "id"),
    (Grant, "holder"),
    (Limit, "holder"),
    (Assignment, "holder"),
    (Membership, "user"),
    (Access, "user"),
    (SubscriberLink, "user"),
    (StoredFact, "user"),
)


@contextmanager
def pausing_collection() -> Iterator[None]:
    """Keeps Python from looking for circles of garbage meanwhile.

    Of everybody's records there are a million, and no circle among them: looking for one again and again takes half of
    the time that reading them does.
    """
    if not gc.isenabled():  # somebody else reads everybody as well, and will enable it
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _person_of(record: Any) -> UserId:
    return UserId(record.id if isinstance(record, User) else record.holder)


def is_kind(column: ColumnElement[Any], kind: type) -> ColumnElement[bool]:
    """Whether an id is of a kind, as a range, so that an index serves."""
    prefix = PREFIX_OF[kind]
    return (column >= f"{prefix}_") & (column < f"{prefix}`")


def _is_shared(table: Table) -> ColumnElement[bool]:
    return is_kind(table.c.holder, Role) | is_kind(table.c.holder, Team)


def _is_nobodys(table: Table) -> ColumnElement[bool]:
    return table.c.user.is_(None)


def _has_wanted_id(table: Table) -> ColumnElement[bool]:
    return table.c.id.in_(WANTED)


def _has_wanted_holder(table: Table) -> ColumnElement[bool]:
    return table.c.holder.in_(WANTED)


def _is_of_wanted_contract(table: Table) -> ColumnElement[bool]:
    return table.c.user.is_(None) & table.c.contract.in_(WANTED)


def _is_outside(table: Table) -> ColumnElement[bool]:
    return table.c.product.not_in(WANTED)


def _of_people(column: str) -> tuple[Where, Where]:
    """What makes a row that of anybody, and that of one of those who are wanted."""
    return lambda table: is_kind(table.c[column], User), lambda table: table.c[column].in_(WANTED)


_OF_PEOPLE = {kind: _of_people(column) for kind, column in PEOPLE}
