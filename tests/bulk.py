"""Change sets that are too large for one audit entry, planted without asking: what a night's sync leaves behind."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from sqlite3 import connect
from typing import Any

from app.domain.audit import AuditEntry, ChangeRecord, describe_change
from app.domain.holders import Assignment, Record, User
from app.domain.world import Change
from tests.factories import Gateway

COUNT = 2500  # changes of `plant_people`: two whole parts and one half full


def make_people(gateway: Gateway, count: int, prefix: str = "person") -> list[User]:
    """So many new people, in the order of their names."""
    return [
        User(
            id=gateway.new_id(User), user_name=f"{prefix}-{number:05}", display_name=f"Person {number}",
            external_id=f"{prefix}-{number}", source="hr",
        )
        for number in range(count)
    ]  # fmt: skip


def assign(gateway: Gateway, role: str, users: Sequence[User], contract: str | None = None) -> list[Assignment]:
    """An assignment of a role of `gateway.ids` to each of them."""
    return [
        Assignment(
            id=gateway.new_id(Assignment), holder=user.id, role=gateway.ids[role], source="hr", actor="hr",
            created_at=gateway.clock(), contract=None if contract is None else gateway.ids[contract],
        )
        for user in users
    ]  # fmt: skip


async def record(gateway: Gateway, changes: Sequence[Change], told: Iterable[ChangeRecord] | None = None) -> AuditEntry:
    """Writes changes as a sync does: what is told of them is drawn while it is written."""
    services = gateway.services
    if told is None:
        told = (describe_change(services.catalog, change) for change in changes)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=gateway.clock(), actor="hr", actor_id=None, source="hr", action="applySync",
            reason=None, subjects=(), changes=(), previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        return await unit.record(changes, make_entry, told=told)


async def create(gateway: Gateway, records: Sequence[Record]) -> AuditEntry:
    """The entry of records that come to be in one revision."""
    return await record(gateway, [Change(None, one) for one in records])


async def plant_people(gateway: Gateway, *more: Record, count: int = COUNT) -> tuple[list[User], AuditEntry]:
    """So many new people, and further records after them; gives the people and the entry."""
    people = make_people(gateway, count)
    return people, await create(gateway, [*people, *more])


def tamper(gateway: Gateway, *statements: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> None:
    """What somebody does who can write the file: no rule of ours, and no foreign key, holds them back."""
    with closing(connect(gateway.path)) as connection:
        for statement in statements:
            assert connection.execute(statement, parameters).rowcount != 0, statement
        connection.commit()
