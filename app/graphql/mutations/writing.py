"""What every mutation takes and gives beside its subject."""

from typing import Any, TypeVar

import strawberry

from app.domain.wishes.users import UNCHANGED, Unchanged
from app.graphql.context import Info
from app.graphql.scalars import Revision
from app.graphql.types.changes import Change
from app.graphql.types.refusals import UserError, show_error
from app.services.writing import WriteOptions, Written

V = TypeVar("V")


@strawberry.input(description="What every mutation takes.")
class WriteInput:
    reason: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why, for the audit log: up to 2000 characters."
    )  # fmt: skip
    dry_run: bool = strawberry.field(
        default=False, description="true: answer the same and write nothing. `revision` is null then."
    )

    def options(self) -> WriteOptions:
        return WriteOptions(reason=self.reason or None, dry_run=self.dry_run)


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
