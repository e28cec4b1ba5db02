"""Reading a feed: its entries and faults one by one, and which lists it manages."""

from collections.abc import Iterable, Iterator

from app.catalogs.feeds.documents import MAX_DOCUMENT, read_document
from app.catalogs.feeds.faults import Fault, Kind
from app.catalogs.feeds.formats import FeedFormat
from app.catalogs.feeds.json_lines import read_json_lines
from app.catalogs.feeds.tables import read_table
from app.domain.sync.desired import Entry, RoleDesired, UserDesired

__all__ = ["MAX_DOCUMENT", "FeedReading", "read_feed"]

_READERS = {FeedFormat.JSON_LINES: read_json_lines, FeedFormat.CSV: read_table, FeedFormat.YAML: read_document}


class FeedReading(Iterator[Entry | Fault]):
    """The entries and faults of a feed in its order, once. What it manages is known when all of it has been read.

    A fault never stops the reading of what comes after it, but for the header of a CSV file and the syntax of a
    document. An entry has either been read whole or has faults, all of them.
    """

    def __init__(self, pieces: Iterable[bytes], feed_format: FeedFormat) -> None:
        self._items = _READERS[feed_format](pieces)
        self._managed: set[Kind] = set()
        self._over = False
        self.entries = 0
        self.faults = 0

    def __next__(self) -> Entry | Fault:
        for item in self._items:
            if isinstance(item, Kind):
                self._managed.add(item)
            elif isinstance(item, Fault):
                self._count(item)
                return item
            else:
                self.entries += 1
                self._managed.add(kind_of(item))
                return item
        self._over = True
        raise StopIteration

    def _count(self, fault: Fault) -> None:
        self.faults += 1
        if fault.kind is not None:
            self._managed.add(fault.kind)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing in it: no entry, no fault and no list given that is not empty."""
        self._require_end()
        return not self.entries and not self.faults

    @property
    def managed(self) -> frozenset[Kind]:
        """The lists that the feed gives. A feed without a single line gives a list of people, and nobody in it."""
        self._require_end()
        if not self._managed and self.is_empty:
            return frozenset({Kind.USERS})
        return frozenset(self._managed)

    def _require_end(self) -> None:
        if not self._over:
            raise RuntimeError("what a feed manages is known when all of it has been read")


def kind_of(entry: Entry) -> Kind:
    """The list that an entry stands in."""
    if isinstance(entry, UserDesired):
        return Kind.USERS
    return Kind.ROLES if isinstance(entry, RoleDesired) else Kind.TEAMS


def read_feed(pieces: Iterable[bytes], feed_format: FeedFormat) -> FeedReading:
    """The reading of a feed, given in pieces of any size: lines of a file as well as parts of a request body."""
    return FeedReading(pieces, feed_format)
