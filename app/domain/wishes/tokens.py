"""Tokens of callers: what may be asked of a new one."""

from collections.abc import Iterable
from datetime import datetime

from app.domain.callers import Caller
from app.domain.errors import InvalidValue, SelfElevation, TooMany
from app.domain.holders import UserId
from app.domain.names import read_name
from app.domain.tokens import MAX_TOKENS, TokenRecord
from app.domain.wishes.asking import Faults


def wish_token(
    user: UserId,
    *,
    label: str,
    expires_at: datetime | None,
    caller: Caller,
    standing: Iterable[TokenRecord],
    at: datetime,
    faults: Faults,
) -> str:
    """The label of a new token of a user, as it is kept. `standing` are the user's tokens that are not revoked.

    A token does not outlast the one by which its own user asks for it: whoever finds one that ends could otherwise make
    of it one that does not.
    """
    with faults.catching():
        label = read_name(label, "label")
    if expires_at is not None and expires_at <= at:
        message = f"{expires_at.isoformat()} has passed"
        faults.add(InvalidValue(message, path=("expiresAt",), expected="a time to come, or none"))
    ends = caller.expires_at
    if user == caller.user and ends is not None and (expires_at is None or expires_at > ends):
        message = f"the token that you ask with ends at {ends.isoformat()}, so one for yourself ends by then"
        faults.add(SelfElevation(message, path=("expiresAt",)))
    if sum(token.is_good(at) for token in standing) >= MAX_TOKENS:
        faults.add(TooMany(f"a user has at most {MAX_TOKENS} tokens that are good: revoke one first", path=("user",)))
    return label
