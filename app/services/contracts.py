"""Contracts, access levels, links to subscribers, facts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.callers import Caller
from app.domain.changes import Dependents, Wish
from app.domain.contracts import AccessLevel
from app.domain.errors import InvalidValue
from app.domain.filters import ContractFilter
from app.domain.holders import Access, Contract, ContractId, ContractStatus
from app.domain.paging import Page, Slice
from app.domain.references import Ref
from app.domain.wishes import contracts as wishes
from app.domain.wishes.contracts import LevelAsked
from app.domain.wishes.users import Unchanged
from app.domain.world import World
from app.services.context import Reading, Services
from app.services.references import Found, Place
from app.services.writing import Request, WriteOptions, Writing, Written, carry_out, write


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelItem:
    """The level of one person in one product; None takes the person out of it."""

    user: Ref
    product: str
    level: AccessLevel | None


async def register_contract(
    services: Services,
    caller: Caller,
    *,
    number: str,
    name: str,
    owner: Ref,
    products: Sequence[str],
    options: WriteOptions,
) -> Written:
    """Registers a contract and its owner."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place("user", owner, ("owner",)))
        world = await writing.load([found.user(owner)])
        wish = wishes.wish_contract(
            services.catalog, world, number=number, name=name, owner=found.user(owner), products=products,
            stamp=writing.stamp, faults=writing.faults,
        )  # fmt: skip
        return wish.changes[0].record.id, wish

    return await write(services, caller, prepare, action="registerContract", options=options)


async def update_contract(
    services: Services,
    caller: Caller,
    contract: Ref,
    *,
    name: str | Unchanged | None,
    status: ContractStatus | Unchanged | None,
    products: Sequence[str] | Unchanged | None,
    on_dependents: Dependents,
    options: WriteOptions,
) -> Written:
    """Changes name, status or products of a contract. Only the products can be cleared."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        which = await _find_one(writing, contract)
        people = await writing.reading.unit.worlds.find_contract_people(which)
        world = await writing.load(people)
        for field, value in (("name", name), ("status", status)):
            if value is None:
                message = f"the {field} of a contract cannot be cleared"
                writing.faults.add(InvalidValue(message, path=(field,), expected=f"a {field}, or nothing at all"))
        wish, warnings = wishes.wish_contract_attributes(
            services.catalog, world, which,
            name=None if isinstance(name, Unchanged) else name,
            status=None if isinstance(status, Unchanged) else status,
            products=None if isinstance(products, Unchanged) else products or (),
            on_dependents=on_dependents, stamp=writing.stamp, faults=writing.faults,
        )  # fmt: skip
        writing.warnings += warnings
        return which, wish

    return await write(services, caller, prepare, action="updateContract", options=options)


async def set_access_levels(
    services: Services, caller: Caller, contract: Ref, levels: Sequence[LevelItem], *, options: WriteOptions
) -> Written:
    """Sets the access levels of people in a contract."""
    return await carry_out(services, caller, request_levels(contract, levels), options=options)


def request_levels(contract: Ref, levels: Sequence[LevelItem]) -> Request:
    """The request to set access levels."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        which = ContractId(found.contract(contract) or "")
        if not which:
            writing.faults.refuse()
        asked = [LevelAsked(user=found.user(item.user), product=item.product, level=item.level) for item in levels]
        wish, warnings = wishes.wish_levels(
            writing.reading.catalog, world, which, asked, stamp=writing.stamp, faults=writing.faults
        )
        writing.warnings += warnings
        return which, wish

    people = [Place("user", item.user, ("levels", str(index), "user")) for index, item in enumerate(levels)]
    places = [Place("contract", contract, ("contract",)), *people]
    return Request(action="setAccessLevels", places=places, read=read, field="levels", items=levels)


async def transfer_contract(
    services: Services, caller: Caller, contract: Ref, to: Ref, *, options: WriteOptions
) -> Written:
    """Gives a contract another owner."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place("contract", contract, ("contract",)), Place("user", to, ("to",)))
        writing.faults.refuse()
        which = ContractId(found.contract(contract) or "")
        former = (await writing.load()).contracts[which].owner
        world = await writing.load([former, found.user(to)])
        return which, wishes.wish_transfer(world, which, found.user(to), stamp=writing.stamp, faults=writing.faults)

    return await write(services, caller, prepare, action="transferContract", options=options)


async def link_subscriber(
    services: Services,
    caller: Caller,
    contract: Ref,
    user: Ref,
    subscriber: str | Unchanged | None,
    *,
    options: WriteOptions,
) -> Written:
    """Links a person to a subscriber of the Virtual PBX of a contract; None unlinks."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        found = await writing.find(Place("contract", contract, ("contract",)), Place("user", user, ("user",)))
        writing.faults.refuse()
        which, who = ContractId(found.contract(contract) or ""), found.user(user)
        world = await writing.load([who])
        wish = Wish(changes=())
        if isinstance(subscriber, Unchanged):
            message = "say which subscriber"
            writing.faults.add(InvalidValue(message, path=("subscriber",), expected="a subscriber, or null to unlink"))
            return which, wish
        with writing.faults.catching():
            wish = wishes.wish_link(world, which, who, subscriber, stamp=writing.stamp)
        return which, wish

    return await write(services, caller, prepare, action="linkSubscriber", options=options)


async def set_facts(
    services: Services,
    caller: Caller,
    *,
    contract: Ref | None,
    user: Ref | None,
    facts: Sequence[tuple[str, str]],
    options: WriteOptions,
) -> Written:
    """Stores facts of a contract, or of a user."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        places = [] if contract is None else [Place("contract", contract, ("contract",))]
        places += [] if user is None else [Place("user", user, ("user",))]
        found = await writing.find(*places)
        who = None if user is None else found.user(user)
        world = await writing.load([] if who is None else [who])
        wish = wishes.wish_facts(
            services.catalog, world, contract=found.contract(contract), user=who, facts=facts,
            stamp=writing.stamp, faults=writing.faults,
        )  # fmt: skip
        return who or found.contract(contract), wish

    return await write(services, caller, prepare, action="setFacts", options=options)


async def _find_one(writing: Writing, contract: Ref) -> ContractId:
    found = await writing.find(Place("contract", contract, ("contract",)))
    writing.faults.refuse()
    return ContractId(found.contract(contract) or "")


# ---------------------------------------------------------------------- lists


async def find_contract(reading: Reading, contract: Ref) -> Contract | None:
    """A contract by reference; None for one that the caller does not see."""
    seen = await reading.look()
    return next((known for known in seen.contracts() if getattr(known, contract.attribute) == contract.value), None)


async def list_settable(reading: Reading, row: Access) -> list[AccessLevel]:
    """The levels that the caller may set in place of one, lowest first."""
    if reading.caller is None:
        return []
    settable = (await reading.authority()).settable(row)
    return [level for level in AccessLevel if level in settable]


async def list_contracts(reading: Reading, wanted: ContractFilter, part: Slice) -> Page[Contract]:
    """A page of the contracts that the caller sees, by number."""
    return await reading.unit.contracts.read_page(await _seen(reading, wanted), part)


async def count_contracts(reading: Reading, wanted: ContractFilter) -> int:
    """How many contracts there are in all that the caller sees."""
    return await reading.unit.contracts.count(await _seen(reading, wanted))


async def _seen(reading: Reading, wanted: ContractFilter) -> ContractFilter:
    seen = await reading.look()
    ids = frozenset(contract.id for contract in seen.contracts())
    return wanted if len(ids) == len(seen.world.contracts) else replace(wanted, ids=ids)
