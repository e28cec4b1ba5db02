"""People and machines: who they are, whether they are active, whether they own the account."""

from dataclasses import dataclass, replace

from app.domain.changes import Stamp, Wish
from app.domain.errors import Conflict, Duplicate
from app.domain.holders import User, UserId, UserKind, UserStatus
from app.domain.names import read_email, read_name, show
from app.domain.wishes.asking import Faults
from app.domain.world import Change, World


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Stands for a field that a request leaves out; None clears one."""


UNCHANGED = Unchanged()
Patch = str | None | Unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAsked:
    """The attributes of a user as a request gives them."""

    user_name: str | Unchanged = UNCHANGED
    display_name: Patch = UNCHANGED
    email: Patch = UNCHANGED
    external_id: Patch = UNCHANGED


def wish_user(asked: UserAsked, stamp: Stamp, *, kind: UserKind = UserKind.PERSON, faults: Faults) -> Wish:
    """A new user; the display name is the user name where none is given."""
    blank = User(id=UserId(stamp.new_id(User)), user_name="", display_name="", kind=kind, source=stamp.source)
    user = _with_attributes(blank, asked, faults)
    faults.refuse()
    return Wish(changes=(Change(None, user),), asked=frozenset([user.id]))


def wish_user_attributes(world: World, user: UserId, asked: UserAsked, *, faults: Faults) -> Wish:
    """Changed attributes of a user; none changed is no change."""
    old = world.users[user]
    new = _with_attributes(old, asked, faults)
    faults.refuse()
    return Wish(changes=() if new == old else (Change(old, new),), asked=frozenset([user]))


def _with_attributes(user: User, asked: UserAsked, faults: Faults) -> User:
    if not isinstance(asked.user_name, Unchanged):
        with faults.catching():
            user = replace(user, user_name=read_name(asked.user_name, "userName"))
    if not isinstance(asked.display_name, Unchanged) or not user.display_name:
        given = None if isinstance(asked.display_name, Unchanged) else asked.display_name
        with faults.catching():
            user = replace(user, display_name=user.user_name if given is None else read_name(given, "displayName"))
    if not isinstance(asked.email, Unchanged):
        with faults.catching():
            user = replace(user, email=None if asked.email is None else read_email(asked.email, "email"))
    if not isinstance(asked.external_id, Unchanged):
        with faults.catching():
            given = asked.external_id
            user = replace(user, external_id=None if given is None else read_name(given, "externalId"))
    return user


def wish_status(world: World, user: UserId, status: UserStatus) -> Wish:
    """Another status; the same one is no change. An archived user keeps name, rows and history."""
    old = world.users[user]
    changes = () if old.status is status else (Change(old, replace(old, status=status)),)
    return Wish(changes=changes, asked=frozenset([user]))


def wish_account_owner(world: World, user: UserId, *, is_owner: bool) -> Wish:
    """Ownership of the account given or taken. A service account owns nothing."""
    old = world.users[user]
    if is_owner and old.kind is UserKind.SERVICE:
        raise Conflict(f"`{show(old.user_name)}` is a service account and cannot own the account", path=("user",))
    changes = () if old.is_owner is is_owner else (Change(old, replace(old, is_owner=is_owner)),)
    return Wish(changes=changes, asked=frozenset([user]))


def refuse_taken(name: str, *field: str) -> Duplicate:
    """The refusal of a natural key that somebody or something already has."""
    return Duplicate(f"`{show(name)}` is taken", path=field)
