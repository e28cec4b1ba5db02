"""JWTs of issuers that the operator has configured: whose they are, if they are anybody's.

A token is good if all of this holds: an issuer of exactly its name is configured; its key is one of that issuer's, and
signs by the one algorithm that the key is for; it is made for us; it has begun, has not ended, and does not last longer
than the issuer's may. Nothing in a token tells where keys are: `kid` is looked up among the keys that are there, and
`jku`, `x5u`, `jwk` and `x5c` are not read. Whatever is wrong, the answer is the same.
"""

import asyncio
import http.client
import json
import logging
import math
import re
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.domain.names import MAX_NAME
from app.telemetry import log

FETCH_INTERVAL_S = 60.0  # at least, between two requests for an issuer's keys: unknown `kid`s are no way to flood it
KEYS_FRESH_S = 600.0  # then they are asked for again, so that a key which the issuer has withdrawn ends
FETCH_TIMEOUT_S = 5.0  # for each step of such a request; somebody waits for it
MAX_KEYS_BYTES = 256 * 1024  # of an issuer's keys: a set of twenty with certificates has 60 KB
MIN_RSA_BITS = 2048  # what NIST SP 800-131A asks for; RFC 7518, 3.3 too
UNFIT = (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # three parts, none empty: unsigned tokens are none
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # members of a JWK that are no public key's
_FITTING: Mapping[str, tuple[str, str | None]] = {  # algorithm -> type of its keys, and their curve
    "RS256": ("RSA", None), "RS384": ("RSA", None), "RS512": ("RSA", None),
    "PS256": ("RSA", None), "PS384": ("RSA", None), "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip
ALGORITHMS = tuple(_FITTING)  # with a public key each: who checks tokens must not be able to make them


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the one algorithm that it is for (RFC 8725, 3.1)."""

    algorithm: str
    public: Any  # of the library


KeyMap = Mapping[str | None, Key]  # by `kid`; None: the key has none
Fetch = Callable[[str], object]
Attribute = Literal["user_name", "external_id"]  # of a user: what a token may name them by


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a good token says: which user it names, and until when."""

    attribute: Attribute
    value: str
    expires_at: datetime


class Unusable(Exception):
    """A JWK that is not used, and why."""


# ---------------------------------------------------------------------- keys


def read_keys(content: object, algorithms: Sequence[str]) -> tuple[KeyMap, list[str]]:
    """The usable keys of a JSON Web Key Set, and why each of the others is none."""
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return {}, ["it is no JSON Web Key Set: an object with a list `keys`"]
    found: dict[str | None, Key] = {}
    faults: list[str] = []
    for place, item in enumerate(listed, 1):
        try:
            kid, key = _read_key(item, algorithms)
            if kid in found:
                raise Unusable(f"its `kid` {kid!r} stands twice")
            found[kid] = key
        except Unusable as reason:
            faults.append(f"key {place}: {reason}")
    return found, faults


def _read_key(item: object, algorithms: Sequence[str]) -> tuple[str | None, Key]:
    if not isinstance(item, dict):
        raise Unusable("it is no object")
    kid, stated = item.get("kid"), item.get("alg")
    if kid is not None and not isinstance(kid, str):
        raise Unusable("its `kid` is no text")
    if item.get("kty") == "oct" or _PRIVATE & item.keys():
        raise Unusable("it is not public: who checks tokens must not be able to make them")
    if item.get("use", "sig") != "sig" or "verify" not in (item.get("key_ops") or ["verify"]):
        raise Unusable("it is not for checking signatures")
    kind = (item.get("kty"), item.get("crv"))
    fitting = [name for name in algorithms if _FITTING[name] == kind and stated in {None, name}]
    if not fitting:
        raise Unusable(f"it fits none of the algorithms {', '.join(algorithms)}")
    if len(fitting) > 1:
        raise Unusable(f"it fits {' and '.join(fitting)}: state its `alg`")
    try:
        public = jwt.PyJWK(item, algorithm=fitting[0]).key
    except UNFIT as error:
        raise Unusable(f"it cannot be read ({type(error).__name__})") from None
    if isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        raise Unusable(f"it has {public.key_size} bits; at least {MIN_RSA_BITS} are needed")
    return kid, Key(fitting[0], public)


def _choose(keys: KeyMap, kid: str | None) -> Key | None:
    """The key of a `kid`; without one, the only key there is."""
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)


class Keys(Protocol):
    """The keys of an issuer."""

    async def find(self, kid: str | None) -> Key | None:
        """The key that a token names."""
        ...


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """Keys that were in a file when the gateway started."""

    keys: KeyMap

    async def find(self, kid: str | None) -> Key | None:
        return _choose(self.keys, kid)


class FetchedKeys:
    """Keys at an address of the issuer's, each process for itself: asked for when they are first needed.

    They are asked for again when they are no longer fresh, or a token names one that is not there; never more often
    than `FETCH_INTERVAL_S` allows. Where that fails those of before stay good.
    """

    def __init__(
        self,
        url: str,
        algorithms: Sequence[str],
        *,
        fetch: Fetch | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self.algorithms = tuple(algorithms)
        self.keys: KeyMap = {}
        self._fetch = fetch or fetch_document
        self._timer = timer
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None) -> Key | None:
        found = _choose(self.keys, kid)
        if found is not None and self._fetching.locked():
            return found  # nobody with a known key waits for news of others
        if self._is_due(found):
            async with self._fetching:
                if self._is_due(_choose(self.keys, kid)):
                    await self._renew()
        return _choose(self.keys, kid)

    def _is_due(self, found: Key | None) -> bool:
        if self._tried_at is None:
            return True
        return self._timer() - self._tried_at >= (FETCH_INTERVAL_S if found is None else KEYS_FRESH_S)

    async def _renew(self) -> None:
        try:
            content = await asyncio.to_thread(self._fetch, self.url)
            keys, faults = read_keys(content, self.algorithms)
            if keys:
                self.keys = keys
            else:
                log("an issuer has no key that can be used", level=logging.WARNING, address=self.url, faults=faults)
        except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
            reason = type(error).__name__
            log("the keys of an issuer were not fetched", level=logging.WARNING, address=self.url, reason=reason)
        finally:
            self._tried_at = self._timer()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An address is where it was said to be, or it is not asked."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_document(url: str) -> object:
    """The JSON document at an address. Raises `OSError`, `HTTPException` or `ValueError`."""
    direct = [urllib.request.ProxyHandler({})] if url.startswith("http:") else []  # that is on this very machine
    opener = urllib.request.build_opener(_NoRedirects, *direct)
    asked = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "permgate"})  # noqa: S310  # the scheme was looked at when the file was read
    with opener.open(asked, timeout=FETCH_TIMEOUT_S) as response:
        body = response.read(MAX_KEYS_BYTES + 1)
    if len(body) > MAX_KEYS_BYTES:
        raise ValueError(f"more than {MAX_KEYS_BYTES} bytes")
    return json.loads(body)


# ---------------------------------------------------------------------- tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Somebody whose tokens are taken. Times are in seconds.

    A token names a user by the text of `claim`, which is the user's `attribute`. With `shared_audience` one that is
    made for others beside us is taken too.
    """

    name: str
    audience: str
    algorithms: tuple[str, ...]
    keys: Keys
    claim: str
    attribute: Attribute
    max_lifetime: int
    leeway: int
    shared_audience: bool = False


class Issuers:
    """The issuers that are configured, by their exact names."""

    def __init__(self, issuers: Iterable[Issuer] = ()) -> None:
        self._by_name = {issuer.name: issuer for issuer in issuers}

    async def verify(self, token: str, *, at: datetime) -> Assertion | None:
        """What a token says, if it is good at a moment; None for any other text."""
        if not self._by_name or _COMPACT.fullmatch(token) is None:
            return None
        try:
            issuer, header = self._look(token)
            if issuer is None or "crit" in header:  # what must be understood: no extension is
                return None
            kid = header.get("kid")
            key = await issuer.keys.find(kid) if kid is None or isinstance(kid, str) else None
            if key is None or header.get("alg") != key.algorithm:
                return None
            claims = _decode(token, issuer, key)
            return _read_claims(claims, issuer, at.timestamp())
        except UNFIT:
            return None

    def _look(self, token: str) -> tuple[Issuer | None, Mapping[str, Any]]:
        """The issuer that a token says it is of, and its header: nothing of it is believed yet."""
        found = jwt.decode_complete(token, options={"verify_signature": False})
        name = found["payload"].get("iss")
        return self._by_name.get(name) if isinstance(name, str) else None, found["header"]


NO_ISSUERS = Issuers()


def _decode(token: str, issuer: Issuer, key: Key) -> Mapping[str, Any]:
    """The claims of a token that is signed, of this issuer, and for us. Its times are looked at by our own clock."""
    claims: Mapping[str, Any] = jwt.decode(
        token,
        key.public,
        algorithms=[key.algorithm],
        audience=issuer.audience,
        issuer=issuer.name,
        options={
            "require": ["exp", "iss", "aud", issuer.claim], "strict_aud": not issuer.shared_audience,
            "verify_exp": False, "verify_nbf": False, "verify_iat": False, "enforce_minimum_key_length": True,
        },
    )  # fmt: skip
    return claims


def _read_claims(claims: Mapping[str, Any], issuer: Issuer, now: float) -> Assertion | None:
    """Whom claims name, if they hold now. A time may be a number of any size: added to is only what is known small."""
    leeway = issuer.leeway
    expires, begins, issued = _read_time(claims, "exp"), _read_time(claims, "nbf"), _read_time(claims, "iat")
    if expires is None or expires <= now - leeway or expires > now + leeway + issuer.max_lifetime:
        return None
    if begins is not None and begins > now + leeway:
        return None
    if issued is not None and (issued > now + leeway or expires > issued + issuer.max_lifetime):
        return None
    value = claims[issuer.claim]
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
        return None
    return Assertion(issuer.attribute, value, datetime.fromtimestamp(expires + leeway, UTC))


def _read_time(claims: Mapping[str, Any], name: str) -> int | float | None:
    """Seconds since 1970, as RFC 7519 writes them; None: not there. Raises `ValueError` for what is no time."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"`{name}` is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"`{name}` is no time")
    return value
