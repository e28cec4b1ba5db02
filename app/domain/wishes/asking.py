"""What the functions that read requests share: collecting faults, windows, the ends of rows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.changes import cut_refusals
from app.domain.errors import DomainError, InvalidValue, Refused, TooMany
from app.domain.holders import AnyRow, same_row
from app.domain.world import Change

MAX_ITEMS = 1000  # items of one list in one request: a screenful is 100, a larger job is a sync


@dataclass
class Faults:
    """The faults of one request, found while it is read; each `catching` goes on after what it guards has failed."""

    errors: list[DomainError] = field(default_factory=list)

    def add(self, error: DomainError) -> None:
        self.errors.append(error)

    @contextmanager
    def catching(self, *path: str) -> Iterator[None]:
        """Keeps a refusal raised inside, seen under `path`."""
        try:
            yield
        except DomainError as error:
            self.errors.append(error.under(*path))

    def refuse(self) -> None:
        """Raises `Refused` if there are any."""
        if self.errors:
            raise Refused(cut_refusals(self.errors))

    def bound(self, items: list[object] | tuple[object, ...], *path: str) -> None:
        """Refuses a list that is too long at once: reading it would be work for whoever sent it."""
        if len(items) > MAX_ITEMS:
            raise Refused([TooMany(f"{len(items)} items; at most {MAX_ITEMS} in one request", path=path)])


def check_window(valid_from: datetime | None, valid_until: datetime | None, now: datetime) -> None:
    """Raises `InvalidValue` for a window that ends before it begins, or has ended already."""
    check_order(valid_from, valid_until)
    if valid_until is not None and valid_until <= now:
        raise InvalidValue(
            f"{valid_until.isoformat()} has passed", path=("validUntil",), expected="a time to come, or none"
        )


def check_order(valid_from: datetime | None, valid_until: datetime | None, *path: str) -> None:
    """Raises `InvalidValue` for a window that ends before it begins."""
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        raise InvalidValue(
            f"it ends at {valid_until.isoformat()}, not after it begins at {valid_from.isoformat()}",
            path=(*path, "validUntil"), expected="a time after `validFrom`",
        )  # fmt: skip


def add_unless_there(existing: Iterable[AnyRow], row: AnyRow) -> list[Change]:
    """The creation of a row, or nothing where the same row stands already."""
    return [] if any(same_row(row, other) for other in existing) else [Change(None, row)]
