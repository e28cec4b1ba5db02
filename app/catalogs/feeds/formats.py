"""The formats of a feed, and how one is told from a name or a media type."""

from enum import StrEnum
from pathlib import PurePath


class FeedFormat(StrEnum):
    """How a feed is written down. Upper case noun."""

    JSON_LINES = "JSON_LINES"
    CSV = "CSV"
    YAML = "YAML"  # one document; JSON as well

    @staticmethod
    def of_name(name: str) -> "FeedFormat | None":
        """The format that the last suffix of a file name says, None where it says none."""
        return _SUFFIXES.get(PurePath(name).suffix.lower())

    @staticmethod
    def of_media_type(media_type: str) -> "FeedFormat | None":
        """The format of a `Content-Type`, parameters aside, None where it is that of no feed."""
        return _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())


_SUFFIXES = {
    ".jsonl": FeedFormat.JSON_LINES,
    ".ndjson": FeedFormat.JSON_LINES,
    ".csv": FeedFormat.CSV,
    ".yaml": FeedFormat.YAML,
    ".yml": FeedFormat.YAML,
    ".json": FeedFormat.YAML,
}
_MEDIA_TYPES = {
    "application/jsonl": FeedFormat.JSON_LINES,
    "application/x-ndjson": FeedFormat.JSON_LINES,
    "text/csv": FeedFormat.CSV,
    "application/yaml": FeedFormat.YAML,
    "application/json": FeedFormat.YAML,
}
