"""The head of the audit log, to be kept outside of it: which revision and hash the log had at a moment, signed.

The signature is an HMAC-SHA256 by a key that is not in the database, so that whoever can write the database cannot make
a head. Whoever holds the key can: keep it from those whose doings the log is to prove.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.domain.audit import FIRST_HASH, canonical_text
from app.domain.errors import InvalidValue

MAX_HEAD = 1024  # characters of an exported head; one has about 250
EXPECTED = "one line of JSON as `permgate audit head` prints it"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """At the moment `at` the log ended with this revision and hash. `signature` None: nobody vouches for it."""

    revision: int
    hash: str
    at: datetime
    signature: str | None = None


def sign_head(head: Head, key: bytes) -> Head:
    """The head with its signature."""
    return replace(head, signature=hmac.new(key, _text(head).encode(), hashlib.sha256).hexdigest())


def is_signed_by(head: Head, key: bytes) -> bool:
    """Whether a head carries the signature of this key."""
    return hmac.compare_digest(sign_head(head, key).signature or "", head.signature or "unsigned")


def print_head(head: Head) -> str:
    """A head as one line of JSON."""
    return json.dumps(_content(head) | {"signature": head.signature})


def read_head(text: str) -> Head:
    """The head of a line of JSON. Raises `InvalidValue`."""
    wrong = InvalidValue("this is no head of an audit log", path=("head",), expected=EXPECTED)
    try:
        content = json.loads(text) if len(text) <= MAX_HEAD else None
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(content, dict) or content.keys() != {"revision", "hash", "at", "signature"}:
        raise wrong
    revision, digest, at, signature = (content[name] for name in ("revision", "hash", "at", "signature"))
    if type(revision) is not int or not 0 <= revision < 2**62 or not _is_hash(digest) or not isinstance(at, str):
        raise wrong
    if (signature is not None and not _is_hash(signature)) or (revision == 0) != (digest == FIRST_HASH):
        raise wrong
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise wrong from None
    if moment.tzinfo is None:
        raise wrong
    return Head(revision=revision, hash=digest, at=moment, signature=signature)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _content(head: Head) -> dict[str, object]:
    at = head.at.astimezone(UTC).isoformat(timespec="microseconds")
    return {"revision": head.revision, "hash": head.hash, "at": at}


def _text(head: Head) -> str:
    """What is signed; its purpose is part of it, so that the key may serve others too."""
    return canonical_text({"what": "permgate audit head", **_content(head)})
