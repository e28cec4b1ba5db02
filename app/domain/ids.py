"""Ids: opaque, typed by a prefix, never given twice.

An id of a row is its prefix and 26 characters of a 48-bit time in milliseconds and 80 random bits (the ULID layout, so
that new rows lie together in an index). An id of a catalog entry is made of its key and is the same everywhere. Nobody
may take an id apart but `kind_of`, which is strict: what does not look exactly like an id is none.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    Grant,
    Limit,
    Membership,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    User,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that looks like a digit
_PATTERN = re.compile(r"([a-z]{3})_([0-9a-hjkmnp-tv-z]{26})", re.ASCII)

PREFIX_OF: dict[type, str] = {
    User: "usr", Role: "rol", Team: "tea", Contract: "con", Grant: "gra", Limit: "lim", Assignment: "asg",
    Membership: "mem", Access: "acc", SubscriberLink: "lnk", StoredFact: "fct",
}  # fmt: skip
TOKEN, NODE, SYSTEM, PRODUCT, AUDIT_ENTRY, SYNC_RUN = "tok", "nod", "sys", "pro", "aud", "syn"


def make_id(prefix: str, at: datetime, randomness: bytes) -> str:
    """An id of a moment and ten random bytes."""
    number = _count_milliseconds(at) << 80 | int.from_bytes(randomness[:10], "big")
    return f"{prefix}_{_spell(number)}"


def _count_milliseconds(at: datetime) -> int:
    """Since 1970, exactly: a float has none left for some in a far century."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)  # of catalogs there are some hundreds; they are shown again and again
def catalog_id(prefix: str, key: str) -> str:
    """The id of a node, a system or a product."""
    return f"{prefix}_{_spell(int.from_bytes(hashlib.sha256(f'{prefix}:{key}'.encode()).digest()[:16], 'big'))}"


def audit_id(revision: int) -> str:
    """The id of the audit entry of a revision."""
    return f"{AUDIT_ENTRY}_{_spell(revision)}"


def revision_of(entry: str) -> int | None:
    """The revision of an audit entry's id; None for any other text."""
    match = _PATTERN.fullmatch(entry)
    if match is None or match[1] != AUDIT_ENTRY:
        return None
    number = 0
    for character in match[2]:
        number = number * 32 + _ALPHABET.index(character)
    return number if number < 2**63 else None


def kind_of(text: str) -> str | None:
    """The prefix of what is exactly an id, None for anything else."""
    match = _PATTERN.fullmatch(text)
    return None if match is None else match[1]


def make_ids(at: datetime) -> Callable[[str, bytes], str]:
    """What makes very many ids of one moment, each of a prefix and ten random bytes."""
    moment = _spell(_count_milliseconds(at) << 80)[:10]  # the time fills the first ten letters, and these alone
    pairs = _PAIRS

    def make(prefix: str, randomness: bytes) -> str:
        number = int.from_bytes(randomness, "big")
        return (
            f"{prefix}_{moment}{pairs[number >> 70]}{pairs[number >> 60 & 1023]}{pairs[number >> 50 & 1023]}"
            f"{pairs[number >> 40 & 1023]}{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}"
            f"{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
        )

    return make


_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)  # each ten bits in two letters


def _spell(number: int) -> str:
    """130 bits in 26 letters, two at a time: a sync makes half a million ids."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])
