"""What no change may do, whoever asks: leave an account or a contract without its owner (SEMANTICS section 8)."""

from collections.abc import Iterable

from app.domain.errors import DomainError, LastOwner
from app.domain.holders import ContractStatus, User, UserStatus
from app.domain.world import Change, World


def guard_owners(before: World, after: World, changes: Iterable[Change], *, active_owners: int) -> list[DomainError]:
    """Refusals of a change that suspends, archives or demotes the last active account owner or a contract's owner.

    `active_owners` is how many active owners the whole account has before the change: a world may be partial.
    """
    errors: list[DomainError] = []
    left = active_owners
    for change in changes:
        old, new = change.before, change.after
        if not isinstance(old, User) or not isinstance(new, User):
            continue
        left += _owns_actively(new) - _owns_actively(old)
        if old.status is UserStatus.ACTIVE and new.status is not UserStatus.ACTIVE:
            errors += [
                LastOwner(f"`{old.user_name}` owns the contract `{contract.number}`: transfer it first")
                for contract in before.contracts.values()
                if contract.owner == old.id
                and contract.status is not ContractStatus.ENDED
                and after.contracts[contract.id].owner == old.id
            ]
    if left < 1 <= active_owners:
        errors.append(LastOwner("nobody active would own the account any more: make somebody else an owner first"))
    return errors


def _owns_actively(user: User) -> bool:
    return user.is_owner and user.status is UserStatus.ACTIVE
