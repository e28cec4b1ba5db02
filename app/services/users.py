"""People and service accounts."""

from app.domain.callers import Caller
from app.domain.changes import Wish
from app.domain.errors import DomainError
from app.domain.holders import UserId, UserStatus
from app.domain.wishes import users as wishes
from app.domain.wishes.users import UserAsked
from app.services.context import Services
from app.services.references import Place, Ref
from app.services.writing import WriteOptions, Writing, Written, write


async def create_user(services: Services, caller: Caller, asked: UserAsked, *, options: WriteOptions) -> Written:
    """Creates a person."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        await _refuse_taken(writing, asked, None)
        wish = wishes.wish_user(asked, writing.stamp, faults=writing.faults)
        return wish.changes[0].record.id, wish

    return await write(services, caller, prepare, action="createUser", options=options)


async def update_user(
    services: Services, caller: Caller, user: Ref, asked: UserAsked, *, options: WriteOptions
) -> Written:
    """Changes the attributes of a user."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        who = await _find_one(writing, user)
        await _refuse_taken(writing, asked, who)
        return who, wishes.wish_user_attributes(await writing.load([who]), who, asked, faults=writing.faults)

    return await write(services, caller, prepare, action="updateUser", options=options)


async def set_user_status(
    services: Services, caller: Caller, user: Ref, status: UserStatus, *, options: WriteOptions
) -> Written:
    """Activates, suspends or archives a user."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        who = await _find_one(writing, user)
        return who, wishes.wish_status(await writing.load([who]), who, status)

    return await write(services, caller, prepare, action="setUserStatus", options=options)


async def set_account_owner(
    services: Services, caller: Caller, user: Ref, *, is_owner: bool, options: WriteOptions
) -> Written:
    """Makes a user an owner of the account, or takes that from them."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        who = await _find_one(writing, user)
        world = await writing.load([who])
        wish = Wish(changes=())
        with writing.faults.catching():
            wish = wishes.wish_account_owner(world, who, is_owner=is_owner)
        return who, wish

    return await write(services, caller, prepare, action="setAccountOwner", options=options)


async def _find_one(writing: Writing, user: Ref) -> UserId:
    found = await writing.find(Place("user", user, ("user",)))
    writing.faults.refuse()
    return found.user(user)


async def _refuse_taken(writing: Writing, asked: UserAsked, who: UserId | None) -> None:
    """Refuses natural keys that somebody else has, archived people too: a name is never given to two."""
    for attribute, given, field in (
        ("user_name", asked.user_name, "userName"),
        ("external_id", asked.external_id, "externalId"),
    ):
        if isinstance(given, str):
            taken: list[DomainError] = []
            ref = Ref.of(attribute, given)  # type: ignore[arg-type]  # one of the two above
            for other in await writing.reading.unit.users.find_by(attribute, [ref.value]):
                if other.id != who:
                    taken.append(wishes.refuse_taken(given, field))
            writing.faults.errors += taken
