"""What every mutation takes and gives beside its subject."""

import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import Any, TypeVar

import strawberry

from app.domain.audit import canonical_text
from app.domain.wishes.users import UNCHANGED, Unchanged
from app.graphql.context import Info
from app.graphql.scalars import Revision
from app.graphql.types.changes import Change
from app.graphql.types.refusals import UserError, show_error
from app.services.writing import KEYS_KEPT_FOR, IdempotencyKey, WriteOptions, Written

V = TypeVar("V")


@strawberry.input(description="What every mutation takes.")
class WriteInput:
    reason: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why, for the audit log: up to 2000 characters."
    )  # fmt: skip
    dry_run: bool = strawberry.field(
        default=False, description="true: answer the same and write nothing. `revision` is null then."
    )

    expected_revision: Revision | None = strawberry.field(
        default=strawberry.UNSET,
        description="Refuse with STALE_REVISION where what it is about has changed since then; for something new: "
        "anything.",
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"A name of the caller's own for this request: the same again within {KEYS_KEPT_FOR.days} days "
        "gives the first answer again, another request under it is refused. Refused and dry requests are not kept.",
    )

    def options(self) -> WriteOptions:
        key = given(self.idempotency_key)
        return WriteOptions(
            reason=self.reason or None,
            dry_run=self.dry_run,
            expected_revision=given(self.expected_revision),
            idempotency=None if key is None else IdempotencyKey(key, fingerprint_input(self)),
        )


def fingerprint_input(given_input: object) -> str:
    """SHA-256 over the canonical text of an input, its idempotency key left out, in hexadecimal."""
    content = _plain(given_input)
    content.pop("idempotency_key", None)
    return hashlib.sha256(canonical_text(content).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """An input as plain data; what was left out stays out, since null is something else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: _plain(item) for name, item in named.items() if item is not strawberry.UNSET}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


@strawberry.type(description="What every mutation gives.")
class WritePayload:
    changes: list[Change] = strawberry.field(description="Everything that was done; empty when refused.")
    revision: Revision | None = strawberry.field(description="The revision after it; null when refused or dry.")
    errors: list[UserError] = strawberry.field(description="Why it was refused, all reasons together; empty: done.")
    warnings: list[UserError] = strawberry.field(description="What is done and yet worth knowing.")


async def show_written(info: Info, written: Written) -> dict[str, Any]:
    """The fields that every payload shares; what they refer to is read as it is after the change."""
    await info.context.start_over(written.after)
    return {
        "changes": [Change.of(change) for change in written.changes],
        "revision": None if written.revision is None else Revision(written.revision),
        "errors": [show_error(error) for error in written.errors],
        "warnings": [show_error(warning) for warning in written.warnings],
    }


def patch(value: V | None) -> V | Unchanged | None:
    """A field of an update: unchanged where it was left out, None where it is to be cleared."""
    return UNCHANGED if value is strawberry.UNSET else value


def given(value: V | None) -> V | None:
    """A field that may be left out, left out or null alike."""
    return None if value is strawberry.UNSET else value
