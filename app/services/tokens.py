"""Tokens that callers issue and revoke: their own, and those of users within their rights."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from app.db.unit_of_work import WritingUnit
from app.domain.audit import describe_token
from app.domain.callers import Caller
from app.domain.changes import cut_refusals
from app.domain.errors import DomainError, NotFound, Refused, Warned
from app.domain.guards import guard_token
from app.domain.holders import UserId, UserStatus
from app.domain.names import show
from app.domain.references import Ref
from app.domain.violations import Judgement
from app.domain.wishes import tokens as wishes
from app.services.callers import draw_token
from app.services.context import Services
from app.services.references import Place
from app.services.writing import WriteOptions, Writing, Written, refuse_stale, transact


async def issue_token(
    services: Services, caller: Caller, user: Ref, *, label: str, expires_at: datetime | None, options: WriteOptions
) -> Written:
    """A new token of a user. The secret is in the answer that is given first, and nowhere else."""

    async def work(writing: Writing) -> Written:
        found = await writing.find(Place("user", user, ("user",)))
        who = found.user(user)
        name = wishes.wish_token(
            who, label=label, expires_at=expires_at, caller=caller, standing=await writing.unit.tokens.find_of([who]),
            at=writing.stamp.at, faults=writing.faults,
        )  # fmt: skip
        writing.faults.refuse()
        await _guard(writing, who, "user")
        await refuse_stale(writing, who)
        warnings: list[DomainError] = []
        if (await writing.load([who])).users[who].status is not UserStatus.ACTIVE:
            warnings.append(Warned("the user is not active: the token rests until they are", path=("user",)))
        token, secret = draw_token(services, who, label=name, at=writing.stamp.at, expires_at=expires_at)
        change = describe_token(token, issued=True)
        done = Written(subject=who, token=token.id, changes=(change,), warnings=tuple(warnings))
        if not isinstance(writing.unit, WritingUnit):
            return done
        entry = await writing.unit.record([], writing.make_entry((change,)))
        await writing.unit.tokens.add(token)
        return replace(done, revision=entry.revision, secret=secret)

    return mark_shown(await transact(services, caller, work, action="issueToken", options=options), options)


async def revoke_token(services: Services, caller: Caller, token: str, *, options: WriteOptions) -> Written:
    """Ends a token at once and for ever."""

    async def work(writing: Writing) -> Written:
        record = await writing.unit.tokens.find(token)
        sight = await writing.reading.sight()
        if record is None or record.revoked_at is not None or not sight.sees_tokens(UserId(record.user)):
            writing.faults.add(NotFound(f"there is no token `{show(token)}`", path=("id",)))
        writing.faults.refuse()
        assert record is not None
        who = UserId(record.user)
        await _guard(writing, who, "id")
        await refuse_stale(writing, who)
        change = describe_token(record, issued=False)
        done = Written(subject=who, token=record.id, changes=(change,))
        if not isinstance(writing.unit, WritingUnit):
            return done
        entry = await writing.unit.record([], writing.make_entry((change,)))
        await writing.unit.tokens.revoke(record.id, writing.stamp.at)
        return replace(done, revision=entry.revision)

    return await transact(services, caller, work, action="revokeToken", options=options)


async def _guard(writing: Writing, user: UserId, field: str) -> None:
    """Refuses what the caller may not do to tokens of a user. Raises `Refused`."""
    world = await writing.load([user, writing.caller.user])
    judgement = Judgement(writing.reading.program, world, ())
    errors: Iterable[DomainError] = guard_token(judgement, writing.authority, user)
    refusals = cut_refusals([error.under(field) for error in errors])
    if refusals:
        raise Refused(refusals)


def mark_shown(written: Written, options: WriteOptions) -> Written:
    """An answer that is given again, with the warning that its secret is not."""
    if written.errors or options.dry_run or written.secret is not None:
        return written
    message = "this was answered before: the secret was shown then, and is kept nowhere"
    return replace(written, warnings=(*written.warnings, Warned(message, path=("idempotencyKey",))))
