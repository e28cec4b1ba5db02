"""Writes through the services in few words, for tests in which several write at once: `by("olga", demote, "ina")`.

A move can be sent to another process. Names are those of a template.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.domain.callers import Caller
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.holders import UserId, UserStatus
from app.domain.references import Ref
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.users import UNCHANGED, UserAsked
from app.services import contracts, grants, roles, users
from app.services.context import Services
from app.services.grants import AssignItem, GrantItem, RevokeItem
from app.services.references import HolderRef
from app.services.writing import IdempotencyKey, WriteOptions, Written

Ids = Mapping[str, str]
Person, Noun = str, str


@dataclass(frozen=True)
class Move:
    """One write by somebody."""

    by: Person
    do: Callable[..., Awaitable[Written]]
    asked: tuple[str, ...]
    given: Mapping[str, Any]  # of the options of every write: `expected_revision`, `key`; else attributes

    async def make(self, services: Services, ids: Ids) -> "Answer":
        given = dict(self.given)
        key = given.pop("key", None)  # of the same input always: the fingerprint is none
        options = WriteOptions(
            expected_revision=given.pop("expected_revision", None),
            idempotency=None if key is None else IdempotencyKey(key, "f" * 64),
        )
        caller = Caller(user=UserId(ids[self.by]), user_name=self.by)
        written = await self.do(services, caller, *self.asked, options=options, **given)
        errors = tuple(error.code.value for error in written.errors)
        return Answer(errors, written.revision, tuple(map(repr, written.changes)))


def by(who: Person, do: Callable[..., Awaitable[Written]], *asked: str, **given: Any) -> Move:
    return Move(who, do, asked, given)


@dataclass(frozen=True)
class Answer:
    """What somebody was told."""

    errors: tuple[str, ...]
    revision: int | None
    changes: tuple[str, ...]


async def make(moves: Sequence[Move], services: Services, ids: Ids, *, within: float = 0) -> list[Answer]:
    """Makes moves one after the other, each after a short while of chance."""
    answers = []
    for move in moves:
        await asyncio.sleep(random.uniform(0, within))
        answers.append(await move.make(services, ids))
    return answers


def address(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


# ---------------------------------------------------------------------- what there is to do


def _user(name: str) -> Ref:
    return Ref.of("user_name", name)


def _holder(noun: Noun, name: str) -> HolderRef:
    return HolderRef(noun, _user(name) if noun == "user" else Ref.of("key", name))  # type: ignore[arg-type]


async def create_user(services: Services, caller: Caller, name: str, *, options: WriteOptions) -> Written:
    return await users.create_user(services, caller, UserAsked(user_name=name), options=options)


async def rename(services: Services, caller: Caller, name: str, to: str, *, options: WriteOptions) -> Written:
    return await users.update_user(services, caller, _user(name), UserAsked(user_name=to), options=options)


async def suspend(services: Services, caller: Caller, name: str, *, options: WriteOptions) -> Written:
    return await users.set_user_status(services, caller, _user(name), UserStatus.SUSPENDED, options=options)


async def demote(services: Services, caller: Caller, name: str, *, options: WriteOptions) -> Written:
    return await users.set_account_owner(services, caller, _user(name), is_owner=False, options=options)


async def grant(
    services: Services, caller: Caller, noun: Noun, name: str, *nodes: str, options: WriteOptions
) -> Written:
    asked = [GrantItem(permission=node) for node in nodes]
    return await grants.grant_permissions(
        services, caller, _holder(noun, name), asked, on_missing=MissingPrerequisites.REJECT, options=options
    )


async def revoke(
    services: Services, caller: Caller, noun: Noun, name: str, *nodes: str, options: WriteOptions
) -> Written:
    asked = [RevokeItem(permission=node) for node in nodes]
    return await grants.revoke_permissions(
        services, caller, _holder(noun, name), asked, on_dependents=Dependents.REJECT, options=options
    )


async def assign(services: Services, caller: Caller, name: str, role: str, *, options: WriteOptions) -> Written:
    asked = [AssignItem(role=Ref.of("key", role))]
    return await grants.assign_roles(services, caller, _holder("user", name), asked, options=options)


async def edit_role(
    services: Services, caller: Caller, key: str, *, options: WriteOptions, **attributes: Any
) -> Written:
    return await roles.update_role(
        services, caller, Ref.of("key", key), RoleAsked(**attributes), parents=UNCHANGED,
        on_dependents=Dependents.REJECT, options=options,
    )  # fmt: skip


async def archive_role(services: Services, caller: Caller, key: str, *, options: WriteOptions) -> Written:
    return await roles.archive_role(
        services, caller, Ref.of("key", key), on_dependents=Dependents.REJECT, options=options
    )


async def transfer(services: Services, caller: Caller, number: str, to: str, *, options: WriteOptions) -> Written:
    return await contracts.transfer_contract(services, caller, Ref.of("number", number), _user(to), options=options)
