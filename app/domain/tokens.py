"""Gateway tokens: 256 random bits with a readable prefix and a checksum; of a token the SHA-256 alone is kept."""

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

MARK = "pgt"  # lets a scanner of leaked secrets know whose token it found
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PATTERN = re.compile(rf"{MARK}_([0-9A-Za-z]{{43}})([0-9A-Za-z]{{6}})", re.ASCII)
USE_PRECISION = timedelta(hours=1)  # a token that is used all day is written 24 times, not with every request
MAX_TOKENS = 100  # good ones of one user: a machine needs two while one takes the place of the other
PREFIX_LENGTH = len(MARK) + 9  # what is shown of a token for telling it from others: the mark and eight characters


def make_token(randomness: bytes) -> str:
    """A token out of 32 random bytes."""
    body = _spell(int.from_bytes(randomness[:32], "big"), 43)
    return f"{MARK}_{body}{_checksum(body)}"


def digest_token(text: str) -> str | None:
    """The digest under which a token is kept; None for what cannot be a token, found without asking the database."""
    match = _PATTERN.fullmatch(text)
    if match is None or _checksum(match[1]) != match[2]:
        return None
    return hash_token(text)


def hash_token(text: str) -> str:
    """The digest under which a token would be kept, if it is one: for looking among those that are known."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    return _spell(zlib.crc32(body.encode()), 6)


def _spell(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        characters.append(_ALPHABET[rest])
    return "".join(reversed(characters))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token as it is kept; `digest` is the SHA-256 of its secret, in hexadecimal."""

    id: str
    user: str
    label: str
    prefix: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def has_digest(self, digest: str) -> bool:
        """Whether it is kept under a digest, told in the same time for any other."""
        return hmac.compare_digest(self.digest, digest)

    def is_good(self, at: datetime) -> bool:
        """Whether it may be used then."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def is_worth_noting(self, at: datetime) -> bool:
        """Whether a use is to be noted. One just after it was issued is not: that is near enough to when it was."""
        return at - (self.last_used_at or self.created_at) >= USE_PRECISION


def mint_token(
    token: str, user: str, *, label: str, randomness: bytes, at: datetime, expires_at: datetime | None
) -> tuple[TokenRecord, str]:
    """A new token as it is kept, and its secret, which is not."""
    secret = make_token(randomness)
    digest = digest_token(secret)
    assert digest is not None
    record = TokenRecord(
        id=token,
        user=user,
        label=label,
        prefix=secret[:PREFIX_LENGTH],
        digest=digest,
        created_at=at,
        expires_at=expires_at,
    )
    return record, secret
