"""Connections: keyset pages with opaque, signed cursors. A page that is too large is refused, not cut."""

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry

from app.domain.paging import Page, Slice
from app.graphql.faults import Fault

DEFAULT_PAGE = 20  # a screenful
MAX_PAGE = 100  # what a screen can use; a job that needs more pages through
Count = Callable[[], Awaitable[int]]  # counts a whole list, asked only when the client asks
_SIGNATURE = 12  # bytes: 96 bits cannot be guessed, and cursors stay short

First = Annotated[
    int | None,
    strawberry.argument(description=f"How many from the front, at most {MAX_PAGE} (default {DEFAULT_PAGE})."),
]
After = Annotated[str | None, strawberry.argument(description="Begin after this cursor.")]
Last = Annotated[int | None, strawberry.argument(description=f"How many from the back, at most {MAX_PAGE}.")]
Before = Annotated[str | None, strawberry.argument(description="End before this cursor.")]


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there is more before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item.")


class Cursors:
    """The cursors of one list. A cursor of another list, or one that was altered, is refused."""

    def __init__(self, key: bytes, name: str) -> None:
        self.key = key
        self.name = name

    def write(self, place: Sequence[Any]) -> str:
        content = json.dumps(list(place), separators=(",", ":"), ensure_ascii=False).encode()
        return _spell(self._sign(content) + content)

    def read(self, cursor: str) -> tuple[Any, ...]:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raw = b""
        signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
        signed = hmac.compare_digest(signature, self._sign(content))
        if not signed or _spell(raw) != cursor:  # the decoder skips what is no base 64, so that many texts give one
            raise Fault("this cursor was not handed out for this list")
        return tuple(json.loads(content))

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self.key, self.name.encode() + b"\0" + content, hashlib.sha256)[:_SIGNATURE]


def _spell(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_slice(
    cursors: Cursors, first: int | None, after: str | None, last: int | None = None, before: str | None = None
) -> Slice:
    """The slice that the arguments of a connection ask for. Raises `Fault`."""
    if first is not None and last is not None:
        raise Fault("give `first` or `last`, not both")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= MAX_PAGE:
            raise Fault(f"`{name}` must be between 0 and {MAX_PAGE}: page through the list")
    limit = last if last is not None else DEFAULT_PAGE if first is None else first
    return Slice(
        limit=limit,
        after=None if after is None else cursors.read(after),
        before=None if before is None else cursors.read(before),
        backwards=last is not None,
    )


def show_page_info(page: Page[Any], cursors: Sequence[str]) -> PageInfo:
    """Where a page lies, from the cursors of its items."""
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
