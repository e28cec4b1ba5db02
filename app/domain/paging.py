"""Slices of ordered lists, and the pages they give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of an ordered list: `limit` items after or before a key, from the front or (`backwards`) the back."""

    limit: int
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A slice of a list in its order, and whether there is more on either side of it."""

    items: tuple[T, ...]
    has_next: bool
    has_previous: bool


def slice_sorted(items: Sequence[T], part: Slice, *, key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """One slice of a list that is already in the order of its unique key."""
    within = [
        item
        for item in items
        if (part.after is None or key(item) > part.after) and (part.before is None or key(item) < part.before)
    ]
    if part.backwards:
        chosen = within[len(within) - min(part.limit, len(within)) :]
        return Page(tuple(chosen), has_next=part.before is not None, has_previous=len(within) > len(chosen))
    chosen = within[: part.limit]
    return Page(tuple(chosen), has_next=len(within) > len(chosen), has_previous=part.after is not None)


def cut_found(found: Sequence[T], part: Slice) -> Page[T]:
    """A page of what was found in the direction of the slice, one more than asked if there are more."""
    more = len(found) > part.limit
    found = found[: part.limit]
    if part.backwards:
        return Page(tuple(reversed(found)), has_next=part.before is not None, has_previous=more)
    return Page(tuple(found), has_next=more, has_previous=part.after is not None)
