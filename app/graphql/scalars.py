"""The scalars of the schema, each strict in what it takes."""

import re
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.scalar import ScalarDefinition

Revision = NewType("Revision", int)

_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,6})?\d*([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339, what is finer than a microsecond dropped
_REVISION = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def parse_moment(value: Any) -> datetime:
    """A time with an offset, in UTC. Raises a refusal that the client may read."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    try:
        if match is not None:
            offset = "+00:00" if match[4] in "Zz" else match[4]
            return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise StrawberryInputCoercionError("a DateTime is an RFC 3339 time with an offset, such as `2026-06-01T09:00:00Z`")


def print_moment(value: datetime) -> str:
    """The one form in which times are answered: UTC, `Z`, microseconds where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_revision(value: Any) -> Revision:
    """A revision as it was handed out. Raises a refusal that the client may read."""
    if isinstance(value, str) and _REVISION.fullmatch(value):
        return Revision(int(value))
    raise StrawberryInputCoercionError('a Revision is handed back as it was handed out, such as `"42"`')


SCALARS: dict[Any, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment: an RFC 3339 time with an offset, such as `2026-06-01T09:00:00Z`. Answered in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=print_moment,
        parse_value=parse_moment,
    ),
    Revision: strawberry.scalar(
        name="Revision",
        description="Position in the change log: grows with every committed change. Opaque; hand it back as it came.",
        serialize=str,
        parse_value=parse_revision,
    ),
}
