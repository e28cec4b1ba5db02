"""Who calls: tokens issued, revoked, recognised; the first account owner."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from app.domain.audit import AuditEntry, ChangeRecord, describe_change, describe_token, name_subjects
from app.domain.callers import SYSTEM_ACTOR, Caller
from app.domain.changes import Stamp
from app.domain.errors import Conflict, NotFound, Refused
from app.domain.holders import MANUAL, User, UserId, UserStatus
from app.domain.ids import TOKEN, make_id
from app.domain.names import read_name, show
from app.domain.references import Ref
from app.domain.tokens import TokenRecord, digest_token, hash_token, mint_token
from app.domain.wishes.asking import Faults
from app.domain.wishes.users import UserAsked, wish_user
from app.services.context import Services
from app.services.index import KnownCaller, RightsIndex

MAX_CREDENTIAL = 8192  # characters: a JWT that lists groups and roles has some thousands; ours have 53


async def authenticate(services: Services, token: str) -> Caller | None:
    """The caller to whom a token belongs: one of ours, or of a configured issuer.

    None for an unknown, expired or revoked one, or of somebody not active. It is looked up anew with every request, in
    memory where an index has the latest revision there is, so that it ends in every process at once.
    """
    if len(token) > MAX_CREDENTIAL:
        return None
    digest = digest_token(token)
    if digest is None:
        return await _authenticate_assertion(services, token)
    index = services.index.current()
    found = None if index is None else index.callers.get(digest)
    if found is None:
        found = await _find_token(services, digest)
        if found is None:
            return None
        if index is not None and services.index.current() is index:  # nothing was committed since it was looked up
            index.callers.keep(digest, found)
    return _admit(services, found, services.clock())


def recall_caller(services: Services, token: str, index: RightsIndex, now: datetime) -> Caller | None:
    """The caller to whom a token of ours belongs, where the latest index knows that; None says nothing."""
    found = index.callers.get(hash_token(token)) if len(token) <= MAX_CREDENTIAL else None
    return None if found is None else _admit(services, found, now)


def _admit(services: Services, known: KnownCaller, now: datetime) -> Caller | None:
    """The caller with a token; None where it has expired."""
    token = known.token
    if not token.is_good(now):
        return None
    if services.uses.is_worth_noting(token, now):
        services.uses.note(token.id, now)
    return known.caller


async def _find_token(services: Services, digest: str) -> KnownCaller | None:
    """The token of a digest, and the active user whose it is."""
    async with services.database.reading(services.catalog) as unit:
        await services.index.see(unit)
        record = await unit.tokens.find_by_digest(digest)
        if record is None or not record.has_digest(digest) or not record.is_good(services.clock()):
            return None
        users = await unit.users.find_by("id", [record.user])
    if not users or users[0].status is not UserStatus.ACTIVE:
        return None
    return KnownCaller(record, _make_caller(users[0], token=record.id, expires_at=record.expires_at))


async def _authenticate_assertion(services: Services, token: str) -> Caller | None:
    """The caller whom a configured issuer names; None where no issuer does, or nobody active has the name."""
    assertion = await services.issuers.verify(token, at=services.clock())
    if assertion is None:
        return None
    named = Ref.of(assertion.attribute, assertion.value)
    async with services.database.reading(services.catalog) as unit:
        await services.index.see(unit)
        users = await unit.users.find_by(named.attribute, [named.value])
    if not users or users[0].status is not UserStatus.ACTIVE:
        return None
    return _make_caller(users[0], expires_at=assertion.expires_at)


async def stand_in(services: Services, user_name: str) -> Caller:
    """The caller as whom whoever owns the machine works: their rights, and no more. Raises `Refused`."""
    async with services.database.reading(services.catalog) as unit:
        users = await unit.users.find_by("user_name", [Ref.of("user_name", user_name).value])
    if not users or users[0].status is not UserStatus.ACTIVE:
        raise Refused([NotFound(f"there is no active user `{show(user_name)}`", path=("user",))])
    return _make_caller(users[0])


def _make_caller(user: User, *, token: str | None = None, expires_at: datetime | None = None) -> Caller:
    return Caller(
        user=user.id, user_name=user.user_name, token=token, expires_at=expires_at, kind=user.kind,
        is_owner=user.is_owner,
    )  # fmt: skip


async def create_first_owner(services: Services, user_name: str, *, label: str) -> tuple[str, str]:
    """The first account owner and a token, on a database without users: the token's id and secret. Raises `Refused`."""
    async with services.database.writing(services.catalog) as unit:
        if await unit.users.count_all():
            help_ = "an account owner makes others owners; `permgate token issue` makes a token"
            raise Refused([Conflict(f"there are users already: {help_}")])
        stamp = Stamp(actor=SYSTEM_ACTOR, at=services.clock(), new_id=services.new_id)
        wish = wish_user(UserAsked(user_name=user_name), stamp, faults=Faults())
        created = wish.changes[0]
        assert isinstance(created.after, User)
        owner = replace(created, after=replace(created.after, is_owner=True))
        records = (describe_change(services.catalog, owner),)

        def make_entry(revision: int, previous: str) -> AuditEntry:
            return AuditEntry(
                revision=revision, at=stamp.at, actor=SYSTEM_ACTOR, actor_id=None, source=MANUAL, action="firstOwner",
                reason=None, subjects=name_subjects(records), changes=records, previous_hash=previous,
            )  # fmt: skip

        await unit.record([owner], make_entry)
    return await issue_token(services, SYSTEM_ACTOR, user_name, label=label, expires_at=None)


async def issue_token(
    services: Services, actor: str, user_name: str, *, label: str, expires_at: datetime | None
) -> tuple[str, str]:
    """A new token of a user, by whoever owns the machine: its id, and its secret, which nobody will see again.

    Raises `Refused`.
    """
    faults = Faults()
    with faults.catching():
        label = read_name(label, "label")
    faults.refuse()
    now = services.clock()
    async with services.database.writing(services.catalog) as unit:
        users = await unit.users.find_by("user_name", [Ref.of("user_name", user_name).value])
        if not users:
            raise Refused([NotFound(f"there is no user `{show(user_name)}`", path=("user",))])
        token, secret = draw_token(services, users[0].id, label=label, at=now, expires_at=expires_at)
        await unit.record([], _token_entry(actor, "issueToken", describe_token(token, issued=True), now))
        await unit.tokens.add(token)
    return token.id, secret


async def revoke_token(services: Services, actor: str, token: str) -> None:
    """Revokes a token at once and for ever, by whoever owns the machine.

    Raises `Refused` for one that is not there, or is revoked already.
    """
    now = services.clock()
    async with services.database.writing(services.catalog) as unit:
        record = await unit.tokens.find(token)
        if record is None or record.revoked_at is not None:
            raise Refused([NotFound(f"there is no token `{show(token)}`", path=("id",))])
        await unit.record([], _token_entry(actor, "revokeToken", describe_token(record, issued=False), now))
        await unit.tokens.revoke(token, now)


def draw_token(
    services: Services, user: UserId, *, label: str, at: datetime, expires_at: datetime | None
) -> tuple[TokenRecord, str]:
    """A token out of the gateway's randomness, as it is kept, and its secret, which is not."""
    token = make_id(TOKEN, at, services.randomness(10))
    return mint_token(token, user, label=label, randomness=services.randomness(32), at=at, expires_at=expires_at)


def _token_entry(actor: str, action: str, change: ChangeRecord, at: datetime) -> Callable[[int, str], AuditEntry]:
    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=at, actor=actor, actor_id=None, source=MANUAL, action=action, reason=None,
            subjects=name_subjects([change]), changes=(change,), previous_hash=previous,
        )  # fmt: skip

    return make_entry
