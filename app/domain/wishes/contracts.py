"""Contracts, access levels, links to subscribers, facts (SEMANTICS sections 3 and 7)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.catalog import Catalog, FactOwner
from app.domain.changes import Dependents, Stamp, Wish
from app.domain.contracts import AccessLevel
from app.domain.errors import (
    Conflict,
    DomainError,
    Duplicate,
    ErrorCode,
    InvalidValue,
    LastOwner,
    NotFound,
    NotPermitted,
    Warned,
)
from app.domain.facts import parse_fact
from app.domain.holders import (
    Access,
    Contract,
    ContractId,
    ContractStatus,
    StoredFact,
    SubscriberLink,
    UserId,
    UserStatus,
)
from app.domain.names import read_name, show
from app.domain.wishes.asking import Faults
from app.domain.world import Change, World


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAsked:
    """The level of one person in one product; None takes the person out of it."""

    user: UserId
    product: str
    level: AccessLevel | None


def wish_contract(
    catalog: Catalog, world: World, *, number: str, name: str, owner: UserId, products: Sequence[str],
    stamp: Stamp, faults: Faults,
) -> Wish:  # fmt: skip
    """A new contract, in force; its owner is OWNER in each of its products."""
    contract = Contract(id=ContractId(stamp.new_id(Contract)), number="", name="", owner=owner)
    with faults.catching():
        key = read_name(number, "number")
        if any(other.number == key for other in world.contracts.values()):
            raise Duplicate(f"there is a contract `{show(key)}` already", path=("number",))
        contract = replace(contract, number=key)
    with faults.catching():
        contract = replace(contract, name=read_name(name, "name"))
    contract = replace(contract, products=_read_products(catalog, products, faults))
    _refuse_idle_owner(world, owner, faults, "owner")
    faults.refuse()
    changes = [Change(None, contract)]
    changes += [
        Change(None, _level(contract.id, owner, p, AccessLevel.OWNER, stamp)) for p in sorted(contract.products)
    ]
    return Wish(changes=tuple(changes), paths={contract.id: ("owner",)}, asked=frozenset([owner]))


def _refuse_idle_owner(world: World, owner: UserId, faults: Faults, *path: str) -> None:
    """A contract in force has an owner who is active, whichever of the two comes first to be so."""
    record = world.users.get(owner)
    if record is not None and record.status is not UserStatus.ACTIVE:
        faults.add(Conflict(f"`{show(record.user_name)}` is not active and cannot own a contract in force", path=path))


def _read_products(catalog: Catalog, products: Sequence[str], faults: Faults) -> frozenset[str]:
    for index, product in enumerate(products):
        if product not in catalog.products_by_key:
            expected = "one of " + ", ".join(f"`{key}`" for key in catalog.products_by_key)
            path = ("products", str(index))
            faults.add(InvalidValue(f"there is no product `{show(product)}`", path=path, expected=expected))
        if product in products[:index]:
            faults.add(Duplicate(f"`{show(product)}` stands twice", path=("products", str(index))))
    return frozenset(products)


def _level(contract: ContractId, user: UserId, product: str, level: AccessLevel, stamp: Stamp) -> Access:
    return Access(**stamp.row(Access), contract=contract, user=user, product=product, level=level)


def wish_contract_attributes(
    catalog: Catalog,
    world: World,
    contract: ContractId,
    *,
    name: str | None,
    status: ContractStatus | None,
    products: Sequence[str] | None,
    on_dependents: Dependents,
    stamp: Stamp,
    faults: Faults,
) -> tuple[Wish, list[DomainError]]:
    """Changed attributes of a contract, None leaving one as it is.

    The owner becomes OWNER in a product that is added. Levels in a product that is removed stay without effect; with
    CASCADE they end. Warnings tell how many people they concern.
    """
    old = new = world.contracts[contract]
    if name is not None:
        with faults.catching():
            new = replace(new, name=read_name(name, "name"))
    if status is not None:
        new = replace(new, status=status)
        if old.status is ContractStatus.ENDED and status is not ContractStatus.ENDED:
            _refuse_idle_owner(world, old.owner, faults, "status")
    if products is not None:
        new = replace(new, products=_read_products(catalog, products, faults))
    faults.refuse()
    changes = [] if new == old else [Change(old, new)]
    warnings: list[DomainError] = []
    levels = [row for rows in world.rows.values() for row in rows.access if row.contract == contract]
    for product in sorted(new.products - old.products):
        kept = [row for row in levels if row.product == product and row.user == new.owner]
        changes += [Change(row, None) for row in kept if row.source == stamp.source and row.level != AccessLevel.OWNER]
        if not any(row.level is AccessLevel.OWNER for row in kept):
            changes.append(Change(None, _level(contract, new.owner, product, AccessLevel.OWNER, stamp)))
    for product in sorted(old.products - new.products):
        standing = [row for row in levels if row.product == product]
        people = len({row.user for row in standing})
        if on_dependents is Dependents.CASCADE:
            changes += [Change(row, None) for row in standing]
        elif people:
            message = f"{people} people have a level in `{product}`, which has no effect from now on"
            warnings.append(Warned(message, path=("products",)))
    if old.status is ContractStatus.ACTIVE and new.status is not ContractStatus.ACTIVE:
        people = len({row.user for row in levels})
        warnings.append(Warned(f"{people} people lose their permissions in this contract", path=("status",)))
    return Wish(changes=tuple(changes), paths={contract: ("contract",)}, on_dependents=on_dependents), warnings


def wish_levels(
    catalog: Catalog,
    world: World,
    contract: ContractId,
    asked: Sequence[LevelAsked],
    *,
    stamp: Stamp,
    faults: Faults,
) -> tuple[Wish, list[DomainError]]:
    """Access levels of people in one contract, each replacing the level of the same person, product and source.

    Nobody appoints an OWNER, and the level of the contract's owner moves only with the contract.
    """
    record = world.contracts[contract]
    changes: list[Change] = []
    paths: dict[str, tuple[str, ...]] = {}
    warnings: list[DomainError] = []
    seen: set[tuple[UserId, str]] = set()
    faults.bound(tuple(asked), "levels")
    for index, item in enumerate(asked):
        path = ("levels", str(index))
        if item.product not in record.products:
            known = ", ".join(f"`{product}`" for product in sorted(record.products)) or "none yet"
            what = "is not in this contract" if item.product in catalog.products_by_key else "is no product"
            message = f"`{show(item.product)}` {what}"
            faults.add(InvalidValue(message, path=(*path, "product"), expected=f"one of its products: {known}"))
            continue
        is_known = item.user in world.users  # what names nobody has been refused already
        if is_known and (item.user, item.product) in seen:
            faults.add(Duplicate("this person and product stand twice", path=path))
        seen.add((item.user, item.product))
        if item.level is AccessLevel.OWNER:
            message = "nobody appoints an OWNER: it comes with registering or transferring the contract"
            faults.add(NotPermitted(message, path=(*path, "level")))
            continue
        if not is_known:
            continue
        if item.user == record.owner:
            message = f"`{world.users[item.user].user_name}` owns this contract: transfer it first"
            faults.add(LastOwner(message, path=(*path, "user")))
            continue
        rows = [r for r in world.rows_of(item.user).access if r.contract == contract and r.product == item.product]
        mine = [row for row in rows if row.source == stamp.source]
        for other in rows:
            if other.source != stamp.source:
                message = f"{other.level} is also given by `{other.source}` (row {other.id}), which was not touched"
                warnings.append(Warned(message, path=path, code=ErrorCode.CONFLICT))
        if not mine and item.level is None:
            faults.add(NotFound(f"the person is not in `{item.product}` by `{stamp.source}`", path=path))
        if [row.level for row in mine] == [item.level]:
            continue
        changes += [Change(row, None) for row in mine]
        paths |= {row.id: path for row in mine}
        if item.level is not None:
            row = _level(contract, item.user, item.product, item.level, stamp)
            changes.append(Change(None, row))
            paths[row.id] = path
    faults.refuse()
    return Wish(changes=tuple(changes), paths=paths, asked=frozenset(item.user for item in asked)), warnings


def wish_transfer(world: World, contract: ContractId, to: UserId, *, stamp: Stamp, faults: Faults) -> Wish:
    """The contract for another owner, who becomes OWNER in every product; the former one ADMINISTRATOR everywhere."""
    old = world.contracts[contract]
    if old.owner == to:
        return Wish(changes=(), asked=frozenset([to]))
    _refuse_idle_owner(world, to, faults, "to")
    faults.refuse()
    changes: list[Change] = [Change(old, replace(old, owner=to))]
    for user, level in ((old.owner, AccessLevel.ADMINISTRATOR), (to, AccessLevel.OWNER)):
        for row in world.rows_of(user).access:
            moves = row.source == stamp.source or row.level is AccessLevel.OWNER
            if row.contract == contract and row.product in old.products and moves:
                changes.append(Change(row, None))
        changes += [Change(None, _level(contract, user, product, level, stamp)) for product in sorted(old.products)]
    return Wish(changes=tuple(changes), paths={contract: ("to",)}, asked=frozenset([to, old.owner]))


def wish_link(world: World, contract: ContractId, user: UserId, subscriber: str | None, *, stamp: Stamp) -> Wish:
    """A person linked to a subscriber in place of any other one; None unlinks."""
    links = [link for link in world.rows_of(user).links if link.contract == contract]
    name = None if subscriber is None else read_name(subscriber, "subscriber")
    if [link.subscriber for link in links] == [name] or (name is None and not links):
        return Wish(changes=(), asked=frozenset([user]))
    changes = [Change(link, None) for link in links]
    if name is not None:
        row = SubscriberLink(**stamp.row(SubscriberLink), contract=contract, user=user, subscriber=name)
        changes.append(Change(None, row))
    return Wish(changes=tuple(changes), asked=frozenset([user]))


def wish_facts(
    catalog: Catalog,
    world: World,
    *,
    contract: ContractId | None,
    user: UserId | None,
    facts: Sequence[tuple[str, str]],
    stamp: Stamp,
    faults: Faults,
) -> Wish:
    """Facts stored of a contract, or of a user (in a contract, or everywhere); the same text again is no change."""
    changes: list[Change] = []
    faults.bound(tuple(facts), "facts")
    if contract is None and user is None:
        faults.add(InvalidValue("facts belong to somebody", path=("contract",), expected="a contract, a user, or both"))
    for index, (name, text) in enumerate(facts):
        with faults.catching("facts", str(index)):
            if name in {earlier for earlier, _ in facts[:index]}:
                raise Duplicate(f"the fact `{show(name)}` stands twice", path=("name",))
            _check_fact(catalog, name, text, of_user=user is not None)
            for old in _stored(world, contract, user, name):
                if old.text == text:
                    break
                changes.append(Change(old, None))
            else:
                row = StoredFact(**stamp.row(StoredFact), contract=contract, user=user, name=name, text=text)
                changes.append(Change(None, row))
    faults.refuse()
    return Wish(changes=tuple(changes))


def _stored(world: World, contract: ContractId | None, user: UserId | None, name: str) -> Iterator[StoredFact]:
    rows = world.rows_of(user or contract or "").facts
    return (row for row in rows if row.name == name and row.contract == contract and row.user == user)


def _check_fact(catalog: Catalog, name: str, text: str, *, of_user: bool) -> None:
    fact = catalog.facts.get(name)
    if fact is None:
        expected = "one of " + ", ".join(f"`{known}`" for known in settable_facts(catalog))
        raise InvalidValue(f"there is no fact `{show(name)}`", path=("name",), expected=expected)
    if fact.owner is FactOwner.SUBSCRIBER_LINK:
        expected = "a link made with `linkSubscriber`"
        raise InvalidValue(f"`{name}` comes from the link to a subscriber", path=("name",), expected=expected)
    if (fact.owner is FactOwner.USER) != of_user:
        expected = "a user" if fact.owner is FactOwner.USER else "a contract and no user"
        raise InvalidValue(f"`{name}` does not belong to this", path=("name",), expected=expected)
    try:
        parse_fact(fact, text)
    except InvalidValue as error:
        raise error.under("value") from None


def settable_facts(catalog: Catalog) -> Mapping[str, FactOwner]:
    """The facts that can be stored, each with what it belongs to."""
    return {f.name: f.owner for f in catalog.facts.values() if f.owner is not FactOwner.SUBSCRIBER_LINK}
