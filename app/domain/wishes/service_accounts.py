"""Service accounts: machines, and the ceiling of what they can ever give (SEMANTICS section 8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.domain.catalog import Catalog
from app.domain.changes import Stamp, Wish
from app.domain.contracts import AccessLevel
from app.domain.errors import Conflict, Duplicate, InvalidValue
from app.domain.holders import Ceiling, ContractId, RoleId, User, UserId, UserKind
from app.domain.names import show
from app.domain.wishes.asking import Faults
from app.domain.wishes.users import Unchanged, UserAsked, wish_user
from app.domain.world import Change, World


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCap:
    """The highest level that an account can set in one product of one contract."""

    contract: ContractId
    product: str
    level: AccessLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingAsked:
    """A ceiling as a request gives it. What is left out is unchanged."""

    roles: Sequence[RoleId] | Unchanged
    levels: Sequence[LevelCap] | Unchanged


def wish_service_account(
    catalog: Catalog, world: World, user_name: str, asked: CeilingAsked, *, stamp: Stamp, faults: Faults
) -> Wish:
    """A new service account under its ceiling; one under an empty ceiling gives nothing."""
    ceiling = _read_ceiling(catalog, world, Ceiling(), asked, faults)
    wish = wish_user(UserAsked(user_name=user_name), stamp, kind=UserKind.SERVICE, faults=faults)
    made = wish.changes[0].after
    assert isinstance(made, User)
    account = replace(made, ceiling=ceiling)
    return replace(wish, changes=(Change(None, account),), paths={account.id: ("ceiling",)})


def wish_ceiling(catalog: Catalog, world: World, user: UserId, asked: CeilingAsked, *, faults: Faults) -> Wish:
    """Another ceiling of a service account; the same one is no change."""
    old = world.users[user]
    if old.kind is not UserKind.SERVICE:
        faults.add(
            Conflict(f"`{show(old.user_name)}` is a person: only service accounts have a ceiling", path=("user",))
        )
    present = old.ceiling or Ceiling()
    ceiling = _read_ceiling(catalog, world, present, asked, faults)
    faults.refuse()
    changes = () if ceiling == present else (Change(old, replace(old, ceiling=ceiling)),)
    return Wish(changes=changes, paths={user: ("ceiling",)}, asked=frozenset([user]))


def _read_ceiling(catalog: Catalog, world: World, present: Ceiling, asked: CeilingAsked, faults: Faults) -> Ceiling:
    roles, levels = present.roles, present.levels
    if not isinstance(asked.roles, Unchanged):
        for index, role in enumerate(asked.roles):
            if role and role in asked.roles[:index]:
                faults.add(Duplicate("this role stands twice", path=("ceiling", str(index))))
        roles = frozenset(asked.roles)
    if not isinstance(asked.levels, Unchanged):
        levels = frozenset(_read_levels(catalog, world, asked.levels, faults))
    return Ceiling(roles, levels)


def _read_levels(
    catalog: Catalog, world: World, asked: Sequence[LevelCap], faults: Faults
) -> Iterator[tuple[ContractId, str, AccessLevel]]:
    seen: set[tuple[ContractId, str]] = set()
    for index, cap in enumerate(asked):
        path = ("accessCeiling", str(index))
        contract = world.contracts.get(cap.contract)
        if contract is None:
            continue  # refused already, where references are found
        if cap.product not in contract.products:
            known = ", ".join(f"`{product}`" for product in sorted(contract.products)) or "none yet"
            what = "is not in this contract" if cap.product in catalog.products_by_key else "is no product"
            message = f"`{show(cap.product)}` {what}"
            faults.add(InvalidValue(message, path=(*path, "product"), expected=f"one of its products: {known}"))
        if (cap.contract, cap.product) in seen:
            faults.add(Duplicate("this contract and product stand twice", path=path))
        seen.add((cap.contract, cap.product))
        if cap.level is AccessLevel.OWNER:
            message = "nobody appoints an OWNER, so no ceiling reaches there"
            faults.add(InvalidValue(message, path=(*path, "level"), expected="up to ADMINISTRATOR"))
        yield cap.contract, cap.product, cap.level
