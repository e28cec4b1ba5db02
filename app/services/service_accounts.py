"""Service accounts: made with their ceiling and a first token, and given another ceiling."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.db.unit_of_work import WritingUnit
from app.domain.audit import describe_change, describe_token
from app.domain.callers import Caller
from app.domain.changes import Wish
from app.domain.contracts import AccessLevel
from app.domain.holders import ContractId, UserId
from app.domain.references import Ref
from app.domain.wishes import service_accounts as wishes
from app.domain.wishes.service_accounts import CeilingAsked, LevelCap
from app.domain.wishes.users import Unchanged, UserAsked
from app.services.callers import draw_token
from app.services.context import Services
from app.services.references import Found, Place
from app.services.tokens import mark_shown
from app.services.users import refuse_taken
from app.services.writing import (
    WriteOptions,
    Writing,
    Written,
    find_warnings,
    judge_and_guard,
    load_reached,
    refuse_stale,
    transact,
    write,
)

FIRST_TOKEN = "first token"  # noqa: S105  # the label of the token that comes with a new account


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelItem:
    """The highest level that an account is to set in one product of one contract."""

    contract: Ref
    product: str
    level: AccessLevel


Roles = Sequence[Ref] | Unchanged
Levels = Sequence[LevelItem] | Unchanged


async def create_service_account(
    services: Services, caller: Caller, user_name: str, *, ceiling: Roles, levels: Levels, options: WriteOptions
) -> Written:
    """Creates a service account and its first token, whose secret is in the answer that is given first."""

    async def work(writing: Writing) -> Written:
        await refuse_taken(writing, UserAsked(user_name=user_name), None)
        asked = await _read_ceiling(writing, ceiling, levels)
        world = await writing.load()
        catalog = writing.reading.catalog
        wish = wishes.wish_service_account(
            catalog, world, user_name, asked, stamp=writing.stamp, faults=writing.faults
        )  # fmt: skip
        account = UserId(wish.changes[0].record.id)
        await refuse_stale(writing, account)
        outcome = await judge_and_guard(writing, await load_reached(writing.reading, wish), wish)
        token, secret = draw_token(services, account, label=FIRST_TOKEN, at=writing.stamp.at, expires_at=None)
        records = (*(describe_change(catalog, c) for c in outcome.changes), describe_token(token, issued=True))
        warnings = await find_warnings(writing, outcome)
        done = Written(subject=account, token=token.id, changes=records, warnings=warnings)
        if not isinstance(writing.unit, WritingUnit):
            return replace(done, after=outcome.after)
        entry = await writing.unit.record(outcome.changes, writing.make_entry(records))
        await writing.unit.tokens.add(token)
        return replace(done, revision=entry.revision, secret=secret)

    return mark_shown(await transact(services, caller, work, action="createServiceAccount", options=options), options)


async def update_service_account(
    services: Services, caller: Caller, user: Ref, *, ceiling: Roles, levels: Levels, options: WriteOptions
) -> Written:
    """Gives a service account another ceiling."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place("user", user, ("user",)))
        asked = await _read_ceiling(writing, ceiling, levels)
        if found.errors:
            writing.faults.refuse()
        who = found.user(user)
        world = await writing.load([who])
        return who, wishes.wish_ceiling(writing.reading.catalog, world, who, asked, faults=writing.faults)

    return await write(services, caller, prepare, action="updateServiceAccount", options=options)


async def _read_ceiling(writing: Writing, ceiling: Roles, levels: Levels) -> CeilingAsked:
    """The ceiling of a request, what it names looked up; what names nothing is a fault of the request."""
    roles = () if isinstance(ceiling, Unchanged) else tuple(ceiling)
    items = () if isinstance(levels, Unchanged) else tuple(levels)
    writing.faults.bound(roles, "ceiling")
    writing.faults.bound(items, "accessCeiling")
    places = [Place("role", role, ("ceiling", str(index))) for index, role in enumerate(roles)]
    places += [
        Place("contract", item.contract, ("accessCeiling", str(index), "contract")) for index, item in enumerate(items)
    ]
    found = await writing.find(*places)
    caps = tuple(_cap(found, item) for item in items)
    return CeilingAsked(
        roles=ceiling if isinstance(ceiling, Unchanged) else tuple(map(found.role, roles)),
        levels=levels if isinstance(levels, Unchanged) else caps,
    )


def _cap(found: Found, item: LevelItem) -> LevelCap:
    contract = ContractId(found.contract(item.contract) or "")
    return LevelCap(contract=contract, product=item.product, level=item.level)
