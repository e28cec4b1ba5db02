"""Who may set which access level where (SEMANTICS section 7), whatever the way."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from app.domain.authority import Authority
from app.domain.contracts import AccessLevel, rank_level, settable_levels
from app.domain.errors import DomainError, LastOwner, NotPermitted
from app.domain.holders import Access, Contract, ContractId, ContractStatus, User
from app.domain.violations import Judgement
from app.domain.world import Change, World


def guard_levels(
    judgement: Judgement, authority: Authority, paths: Mapping[str, tuple[str, ...]]
) -> Iterator[DomainError]:
    """Why the caller may not set the levels that a change sets, nor raise the levels of a ceiling."""
    set_anew = {
        (change.after.user, change.after.contract, change.after.product)
        for change in judgement.changes
        if isinstance(change.after, Access)
    }
    for change in judgement.changes:
        row, path = change.record, paths.get(change.record.id, ())
        if isinstance(row, User):
            yield from _guard_ceiling(authority, change, path=path)
        if isinstance(row, Contract):
            yield from _guard_owning(authority, change, path=path)
        if not isinstance(row, Access) or row.contract is None or moves_with_contract(judgement, change):
            continue
        if change.after is None and (row.user, row.contract, row.product) in set_anew:
            continue  # judged with the level that takes its place
        if change.after is None and authority.sets_levels(row.contract) and _is_kept(judgement.after, row):
            continue
        level = find_level(judgement.after, row) if change.after is None else row.level
        yield from _guard_level(judgement, authority, row, level, path=path)


def _guard_level(
    judgement: Judgement, authority: Authority, row: Access, level: AccessLevel | None, *, path: tuple[str, ...]
) -> Iterator[DomainError]:
    assert row.contract is not None
    setter, present = authority.core_level(row.contract), find_level(judgement.before, row)
    if level not in settable_levels(setter, row.product, present):
        number = judgement.after.contracts[row.contract].number
        what = "remove somebody from" if level is None else f"set `{level}` in"
        with_present = "" if present is None else f" for somebody who has `{present}`"
        yield NotPermitted(
            f"your level in System [CORE] of the contract `{number}` ({setter or 'none'}) does not let you {what} "
            f"`{row.product}`{with_present}",
            path=path,
        )
    elif level is not None and authority.caps_level(row.contract, row.product, level):
        yield NotPermitted(f"`{level}` in `{row.product}` is above what this account can ever set", path=path)


def _guard_owning(authority: Authority, change: Change, *, path: tuple[str, ...]) -> Iterator[DomainError]:
    """Why a service account may not make an owner: an OWNER is within few ceilings, of a new contract within none."""
    new, old = change.after, change.before
    if not authority.is_service or not isinstance(new, Contract):
        return
    known = isinstance(old, Contract) and old.owner == new.owner
    owned = new.products - old.products if isinstance(old, Contract) and known else new.products
    if not known and not owned:
        yield NotPermitted("to make an owner of a contract is above what this account can ever do", path=path)
    for product in sorted(owned):
        if authority.caps_level(new.id, product, AccessLevel.OWNER):
            yield NotPermitted(
                f"`{AccessLevel.OWNER}` in `{product}` is above what this account can ever set", path=path
            )


def _guard_ceiling(authority: Authority, change: Change, *, path: tuple[str, ...]) -> Iterator[DomainError]:
    new, old = change.after, change.before
    if not isinstance(new, User) or new.ceiling is None:
        return
    known = old.ceiling.levels if isinstance(old, User) and old.ceiling is not None else frozenset()
    for contract, product, level in sorted(new.ceiling.levels - known):
        if not authority.sets_levels(contract) or authority.caps_level(contract, product, level):
            yield NotPermitted(f"you cannot set `{level}` in `{product}` there yourself", path=path)


def find_level(world: World, row: Access, at: datetime | None = None) -> AccessLevel | None:
    """The highest level that the person of a row has in its product, from whatever source; `at`: at that moment."""
    levels = [
        other.level
        for other in world.rows_of(row.user).access
        if (other.contract, other.product) == (row.contract, row.product) and (at is None or other.is_valid_at(at))
    ]
    return max(levels, key=rank_level, default=None)


def _is_kept(after: World, row: Access) -> bool:
    """Whether the person of a row that ends has as much by another row, at least as long: nothing is taken then."""
    return any(
        (other.contract, other.product) == (row.contract, row.product)
        and rank_level(other.level) >= rank_level(row.level)
        and other.valid_from in {None, row.valid_from}
        and other.valid_until in {None, row.valid_until}
        for other in after.rows_of(row.user).access
    )


def moves_with_contract(judgement: Judgement, change: Change) -> bool:
    """Whether registration, transfer or products of its contract bring a level about, and nobody sets it."""
    row = change.record
    assert isinstance(row, Access)
    if row.contract is None:
        return False
    for other in judgement.contracts.get(row.contract, ()):
        contract, former = other.after, other.before
        assert isinstance(contract, Contract)
        if isinstance(former, Contract) and former.owner == contract.owner:
            if row.product not in former.products ^ contract.products:
                return False
            if change.after is None:
                return row.user == contract.owner or row.product not in contract.products
        elif change.after is None:
            return isinstance(former, Contract) and row.user in {former.owner, contract.owner}
        if row.user == contract.owner:
            return row.level is AccessLevel.OWNER
        handed_over = isinstance(former, Contract) and former.owner == row.user
        return handed_over and row.level is AccessLevel.ADMINISTRATOR
    return False


def guard_owner_levels(
    after: World, changes: Iterable[Change], paths: Mapping[str, tuple[str, ...]]
) -> Iterator[DomainError]:
    """Why nobody, an account owner either, may appoint an OWNER, or take that level from the owner of a contract."""
    for change in changes:
        old, new, path = change.before, change.after, paths.get(change.record.id, ())
        if isinstance(new, Access) and new.level is AccessLevel.OWNER and not _owns(after, new):
            message = "nobody appoints an OWNER: it comes with registering or transferring the contract"
            yield NotPermitted(message, path=path)
        if isinstance(old, Access) and old.level is AccessLevel.OWNER and _owns(after, old):
            contract = after.contracts[ContractId(old.contract or "")]
            kept = find_level(after, old) is AccessLevel.OWNER
            if not kept and old.product in contract.products and contract.status is not ContractStatus.ENDED:
                message = f"the owner of the contract `{contract.number}` stays OWNER in `{old.product}`"
                yield LastOwner(message, path=path)


def _owns(world: World, row: Access) -> bool:
    contract = None if row.contract is None else world.contracts.get(row.contract)
    return contract is not None and contract.owner == row.user
