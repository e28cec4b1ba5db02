"""Feeds of a role-sync job: JSON Lines, CSV with one row per person, YAML or JSON documents (`docs/feeds.md`).

Services and the CLI read them with `read_feed`. A feed is read once, in pieces of any size; of JSON Lines and CSV no
more than a record is held at a time.
"""

from app.catalogs.feeds.faults import Fault, Kind
from app.catalogs.feeds.formats import FeedFormat
from app.catalogs.feeds.lines import MAX_LINE
from app.catalogs.feeds.reading import MAX_DOCUMENT, FeedReading, read_feed

__all__ = ["MAX_DOCUMENT", "MAX_LINE", "Fault", "FeedFormat", "FeedReading", "Kind", "read_feed"]
