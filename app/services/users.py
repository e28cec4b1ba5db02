"""People and service accounts."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.callers import Caller, Right
from app.domain.changes import Wish
from app.domain.errors import DomainError
from app.domain.filters import Inclusion, MemberFilter, UserFilter
from app.domain.holders import AnyRow, ContractId, User, UserId, UserKind, UserStatus
from app.domain.paging import Page, Slice, slice_sorted
from app.domain.references import Ref
from app.domain.tokens import TokenRecord
from app.domain.wishes import users as wishes
from app.domain.wishes.users import UserAsked
from app.domain.world import World
from app.services.context import Reading, Services
from app.services.references import Found, Noun, Place, find_references
from app.services.writing import Request, WriteOptions, Writing, Written, carry_out, write


async def create_user(services: Services, caller: Caller, asked: UserAsked, *, options: WriteOptions) -> Written:
    """Creates a person."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        await refuse_taken(writing, asked, None)
        wish = wishes.wish_user(asked, writing.stamp, faults=writing.faults)
        return wish.changes[0].record.id, wish

    return await write(services, caller, prepare, action="createUser", options=options)


async def update_user(
    services: Services, caller: Caller, user: Ref, asked: UserAsked, *, options: WriteOptions
) -> Written:
    """Changes the attributes of a user."""

    async def prepare(writing: Writing) -> tuple[str | None, Wish]:
        who = await _find_one(writing, user)
        await refuse_taken(writing, asked, who)
        return who, wishes.wish_user_attributes(await writing.load([who]), who, asked, faults=writing.faults)

    return await write(services, caller, prepare, action="updateUser", options=options)


async def set_user_status(
    services: Services, caller: Caller, user: Ref, status: UserStatus, *, options: WriteOptions
) -> Written:
    """Activates, suspends or archives a user."""

    return await carry_out(services, caller, request_status(user, status), options=options)


def request_status(user: Ref, status: UserStatus) -> Request:
    """The request to activate, suspend or archive a user."""

    def read(writing: Writing, found: Found, world: World) -> tuple[str | None, Wish]:
        writing.faults.refuse()
        return found.user(user), wishes.wish_status(world, found.user(user), status)

    return Request(action="setUserStatus", places=[Place("user", user, ("user",))], read=read)


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


# ---------------------------------------------------------------------- lists


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersAsked:
    """Which users a client wants."""

    search: str | None = None
    status: UserStatus | None = None
    kind: UserKind | None = None
    role: Ref | None = None
    team: Ref | None = None
    contract: Ref | None = None


async def find_user(reading: Reading, user: Ref) -> User | None:
    """A user by reference; None for whom the caller does not see."""
    found = await find_references(reading, [Place("user", user)])
    record = found.records.get(("user", user))
    return record if isinstance(record, User) else None


async def list_users(reading: Reading, asked: UsersAsked, part: Slice) -> Page[User]:
    """A page of users by user name."""
    wanted = await _filter(reading, asked)
    return NOTHING if wanted is None else await reading.unit.users.read_page(wanted, part)


async def count_users(reading: Reading, asked: UsersAsked) -> int:
    """How many users there are in all."""
    wanted = await _filter(reading, asked)
    return 0 if wanted is None else await reading.unit.users.count(wanted)


async def _filter(reading: Reading, asked: UsersAsked) -> UserFilter | None:
    """The filter, its references found; None where one names nothing, so that nobody is meant."""
    named: tuple[tuple[Noun, Ref | None], ...] = (
        ("role", asked.role),
        ("team", asked.team),
        ("contract", asked.contract),
    )
    places = [Place(noun, ref) for noun, ref in named if ref is not None]
    found = await find_references(reading, places)
    if found.errors:
        return None
    sight = await reading.sight()
    seen_rows: dict[Inclusion, frozenset[ContractId] | None] = {
        "role": sight.contracts_with(Right.VIEW_RIGHTS),
        "team": sight.contracts_with(Right.VIEW_TEAMS),
        "contract": sight.contracts_inside(),
    }
    return UserFilter(
        search=asked.search, status=asked.status, kind=asked.kind,
        role=None if asked.role is None else found.role(asked.role),
        team=None if asked.team is None else found.team(asked.team),
        contract=found.contract(asked.contract),
        audience=sight.audience(),
        rows={noun: contracts for noun, contracts in seen_rows.items() if contracts is not None},
    )  # fmt: skip


NOTHING: Page[User] = Page((), has_next=False, has_previous=False)


async def list_included_users(
    reading: Reading, noun: Inclusion, ids: Sequence[str], part: Slice
) -> dict[str, Page[User]]:
    """For each role, team or contract a page of the users directly in it, in one statement for all of them."""
    wanted = await _member_filter(reading, noun)
    if reading.is_supposed:
        supposed = await _suppose_included(reading, noun, ids, wanted)
        return {one: slice_sorted(people, part, key=lambda user: (user.user_name,)) for one, people in supposed.items()}
    return await reading.unit.users.read_included_pages(noun, ids, wanted, part)


async def count_included_users(reading: Reading, noun: Inclusion, ids: Sequence[str]) -> dict[str, int]:
    """For each role, team or contract the number of users directly in it, in one statement for all of them."""
    wanted = await _member_filter(reading, noun)
    if reading.is_supposed:
        return {one: len(people) for one, people in (await _suppose_included(reading, noun, ids, wanted)).items()}
    return await reading.unit.users.count_included(noun, ids, wanted)


async def _suppose_included(
    reading: Reading, noun: Inclusion, ids: Sequence[str], wanted: MemberFilter
) -> dict[str, list[User]]:
    """The users who are directly in each after a dry run, by user name: those of before, as the change leaves them."""
    world, sight = await reading.load_world(await reading.unit.users.find_included(noun, ids)), await reading.sight()
    found: dict[str, list[User]] = {one: [] for one in ids}
    for user in sorted(world.users.values(), key=lambda user: user.user_name):
        if wanted.audience is not None and not sight.sees_user(world, user.id):
            continue
        rows = world.rows_of(user.id)
        within: dict[Inclusion, list[tuple[str | None, AnyRow]]] = {
            "role": [(row.role, row) for row in rows.assignments],
            "team": [(row.team, row) for row in rows.memberships],
            "contract": [(row.contract, row) for row in rows.access],
        }
        counted = {one for one, row in within[noun] if wanted.contracts is None or row.contract in wanted.contracts}
        for one in counted & found.keys():
            found[one or ""].append(user)
    return found


async def _member_filter(reading: Reading, noun: Inclusion) -> MemberFilter:
    """The rows by which the caller sees who is in something: those of the contracts where the caller may view them.

    Who may look inside a contract sees all of its table; who each person is, is another question.
    """
    sight = await reading.sight()
    if noun == "contract":
        return MemberFilter(contracts=sight.contracts_inside())
    right = Right.VIEW_RIGHTS if noun == "role" else Right.VIEW_TEAMS
    return MemberFilter(contracts=sight.contracts_with(right), audience=sight.audience())


async def list_tokens(reading: Reading, users: Sequence[UserId]) -> dict[UserId, list[TokenRecord]]:
    """The tokens of users that are not revoked, in one statement for all of them."""
    found: dict[UserId, list[TokenRecord]] = {user: [] for user in users}
    sight = await reading.sight()
    for token in await reading.unit.tokens.find_of([user for user in users if sight.sees_tokens(user)]):
        found[UserId(token.user)].append(reading.services.uses.recall(token))
    return found


async def _find_one(writing: Writing, user: Ref) -> UserId:
    found = await writing.find(Place("user", user, ("user",)))
    writing.faults.refuse()
    return found.user(user)


async def refuse_taken(writing: Writing, asked: UserAsked, who: UserId | None) -> None:
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
