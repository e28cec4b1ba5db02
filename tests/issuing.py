"""An issuer of JWTs for tests: keys made here, tokens with anything in them, signed by any means."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from app.services.issuers import Issuer, Issuers, KeptKeys, read_keys
from tests.factories import START, Gateway

NAME, AUDIENCE = "https://login.example.org/", "permgate"
NOW = int(START.timestamp())
GOOD: Mapping[str, Any] = {"iss": NAME, "aud": AUDIENCE, "sub": "hr-7", "iat": NOW, "exp": NOW + 600}


def private_key(kind: str, number: int = 0) -> Any:
    """A key of a kind; another for each number."""
    return _make_key(kind, number)


@cache
def _make_key(kind: str, _number: int) -> Any:
    match kind:
        case "RSA":
            return rsa.generate_private_key(65537, 2048)
        case "weak RSA":
            return rsa.generate_private_key(65537, 1024)
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[kind])


def jwk(key: Any, algorithm: str, **more: Any) -> dict[str, Any]:
    """A key as an issuer publishes it (a private one as nobody should)."""
    return {**get_default_algorithms()[algorithm].to_jwk(key, as_dict=True), **more}


def encode(content: object) -> str:
    """A part of a token."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assemble(header: object, claims: object, key: Any, algorithm: str) -> str:
    """A token with any header, signed by an algorithm of any name that the library has."""
    signed = f"{encode(header)}.{encode(claims)}"
    made = get_default_algorithms()[algorithm]
    return f"{signed}.{encode(made.sign(signed.encode(), made.prepare_key(key)))}"


def sign_hmac(header: object, claims: object, secret: bytes) -> str:
    """A token signed with a shared secret, whatever that is: libraries refuse public keys for one."""
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def token(*, key: Any = None, algorithm: str = "RS256", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """A good token but for what is said; a claim of `...` is left out."""
    content = {name: value for name, value in {**GOOD, **claims}.items() if value is not ...}
    headers = {"kid": "one", **(header or {})}
    return jwt.encode(content, key or private_key("RSA"), algorithm, headers=headers)


def make_issuer(*, keys: Any = None, algorithms: tuple[str, ...] = ("RS256",), **more: Any) -> Issuer:
    """The issuer of `token`, its keys by `kid` in a file: `one`, unless others are given."""
    listed = [jwk(private_key("RSA").public_key(), "RS256", kid="one")] if keys is None else keys
    found, faults = read_keys({"keys": listed}, algorithms)
    assert faults == []
    issuer = Issuer(
        name=NAME, audience=AUDIENCE, algorithms=algorithms, keys=KeptKeys(found), claim="sub",
        attribute="external_id", max_lifetime=3600, leeway=30,
    )  # fmt: skip
    return replace(issuer, **more)


def trust_issuers(world: Gateway, *issuers: Issuer) -> None:
    """Configures a running gateway."""
    world.services.issuers = Issuers(issuers)


@dataclass
class KeyServer:
    """An address with keys, and what was asked of it."""

    url: str
    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None  # in place of the keys
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_keys(*keys: dict[str, Any]) -> Iterator[KeyServer]:
    """Serves keys on this machine."""
    server = KeyServer("", list(keys))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            body = json.dumps({"keys": server.keys}).encode() if server.body is None else server.body
            self.send_response(server.status)
            if server.status in {301, 302, 307}:
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as its base calls it
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{listening.server_port}/keys"
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
