"""What a source may be called: rows of one are ended by that one alone, so nobody takes the name of another."""

from app.domain.errors import InvalidValue
from app.domain.holders import MANUAL, SCIM
from app.domain.names import fold_name, read_name


def read_source(text: str, *field: str) -> str:
    """The name of a source that sends feeds. Raises `InvalidValue` at `field` for what is no name, or not free.

    What people do by hand and what is written by SCIM have names of their own, reserved in whatever case: whoever looks
    at two names that differ in nothing else takes them for one.
    """
    source = read_name(text, *field)
    folded, expected = fold_name(source), "the name of the system that sends the feed"
    if folded == MANUAL:
        message = f"`{MANUAL}` is what people do by hand, and no source of a feed"
        raise InvalidValue(message, path=field, expected=expected)
    if folded.startswith(SCIM):
        raise InvalidValue(f"`{SCIM}` begins the names of sources that write by SCIM", path=field, expected=expected)
    return source
