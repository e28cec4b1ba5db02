"""The file of PERMGATE_JWT_ISSUERS: whose JWTs are taken, and on what terms. Every fault on a line of its own."""

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.catalogs.documents import Document, DocumentFault, Place, read_document
from app.services.issuers import ALGORITHMS, Attribute, FetchedKeys, Issuer, Issuers, KeptKeys, Keys, read_keys
from app.settings import SettingsFaults

SETTING = "PERMGATE_JWT_ISSUERS"
DEFAULT_LIFETIME_S = 3600  # most issuers' access tokens last minutes, or an hour
MAX_LIFETIME_S = 24 * 3600  # nobody can end a JWT before its time: a leaked one is good for so long
DEFAULT_LEEWAY_S, MAX_LEEWAY_S = 30, 300  # clocks that a time service sets differ by less than a second
ATTRIBUTES: Mapping[str, Attribute] = {"userName": "user_name", "externalId": "external_id"}
_FIELDS = {
    "issuer": "the `iss` of its tokens, exactly",
    "audience": "the `aud` that its tokens have when they are made for this gateway",
    "algorithms": f"a list of {', '.join(ALGORITHMS)}",
    "keys_file": "the path of a JSON Web Key Set, from the folder of this file on",
    "keys_url": "the https address of a JSON Web Key Set",
    "claim": "the claim that names the user",
    "names": f"what the claim holds: {' or '.join(ATTRIBUTES)}",
    "max_lifetime": f"seconds, 1 to {MAX_LIFETIME_S}",
    "leeway": f"seconds, 0 to {MAX_LEEWAY_S}",
    "shared_audience": "true or false",
}  # fmt: skip


def load_issuers(path: Path | None) -> Issuers:
    """The issuers of a file (None: there are none). Raises `SettingsFaults` with every fault."""
    if path is None:
        return Issuers()
    try:
        document = read_document(path)
    except (DocumentFault, OSError) as error:
        raise SettingsFaults([f"{SETTING}: {error}"]) from None
    listed = document.data.get("issuers") if isinstance(document.data, dict) else None
    if not isinstance(listed, list) or not listed or len(document.data) > 1:
        raise SettingsFaults([f"{SETTING}: {document.where(())}: expected one list, `issuers`, and nothing else"])
    faults: list[str] = []
    found: dict[str, Issuer] = {}
    for index, content in enumerate(listed):
        reader = _Reader(document, ("issuers", index), content if isinstance(content, dict) else {}, path.parent)
        issuer = reader.read()
        if issuer is not None and issuer.name in found:
            reader.fault("issuer", f"`{issuer.name}` stands twice")
        if issuer is not None:
            found[issuer.name] = issuer
        faults += reader.faults
    if faults:
        raise SettingsFaults(faults)
    return Issuers(found.values())


@dataclass
class _Reader:
    """One issuer of the file, and what is wrong with it."""

    document: Document
    place: Place
    content: Mapping[str, Any]
    folder: Path
    faults: list[str] = field(default_factory=list)

    def fault(self, name: str, what: str) -> None:
        self.faults.append(f"{SETTING}: {self.document.where((*self.place, name))}: {name}: {what}")

    def read(self) -> Issuer | None:
        """The issuer, or None with faults."""
        for name in self.content.keys() - _FIELDS.keys():
            self.fault(name, f"there is no such field; known are {', '.join(_FIELDS)}")
        name, audience, claim = (self._take(field, _is_text) for field in ("issuer", "audience", "claim"))
        names = self._take("names", ATTRIBUTES.__contains__)
        algorithms = self._take("algorithms", _are_algorithms)
        max_lifetime = self._take("max_lifetime", _between(1, MAX_LIFETIME_S), DEFAULT_LIFETIME_S)
        leeway = self._take("leeway", _between(0, MAX_LEEWAY_S), DEFAULT_LEEWAY_S)
        shared = self._take("shared_audience", lambda value: isinstance(value, bool), default=False)
        keys = self._read_keys(tuple(algorithms or ()))
        if self.faults or keys is None:
            return None
        return Issuer(
            name=name, audience=audience, algorithms=tuple(algorithms), keys=keys, claim=claim,
            attribute=ATTRIBUTES[names], max_lifetime=max_lifetime, leeway=leeway, shared_audience=shared,
        )  # fmt: skip

    def _take(self, name: str, is_good: Callable[[Any], bool], default: Any = None) -> Any:
        """The value of a field. Without a default it is needed: what is not said would otherwise not be checked."""
        if name not in self.content:
            if default is None:
                self.fault(name, f"it is missing; expected {_FIELDS[name]}")
            return default
        value = self.content[name]
        if (isinstance(value, list | dict) and name != "algorithms") or not is_good(value):
            self.fault(name, f"expected {_FIELDS[name]}")
            return default
        return value

    def _read_keys(self, algorithms: tuple[str, ...]) -> Keys | None:
        given = [name for name in ("keys_file", "keys_url") if name in self.content]
        if len(given) != 1:
            self.fault("keys_file", "expected either `keys_file` or `keys_url`: without keys nothing can be checked")
            return None
        value = self._take(given[0], _is_text if given == ["keys_file"] else _is_safe_address)
        if value is None:
            return None
        return FetchedKeys(value, algorithms) if given == ["keys_url"] else self._read_file(value, algorithms)

    def _read_file(self, name: str, algorithms: tuple[str, ...]) -> Keys | None:
        if not algorithms:
            return None  # told already; what fits them cannot be
        try:
            content = json.loads((self.folder / name).read_bytes())
        except OSError as error:
            self.fault("keys_file", f"`{name}` cannot be read: {error.strerror}")
            return None
        except (ValueError, RecursionError):
            self.fault("keys_file", f"`{name}` is not JSON")
            return None
        keys, faults = read_keys(content, algorithms)
        for fault in faults or ([] if keys else ["there is no key"]):
            self.fault("keys_file", f"`{name}`: {fault}")
        return KeptKeys(keys)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value == value.strip()


def _are_algorithms(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(name in ALGORITHMS for name in value)


def _between(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_safe_address(value: object) -> bool:
    """Whether nobody on the way can put other keys there: https, or this very machine."""
    if not isinstance(value, str) or not value.isascii() or any(c.isspace() for c in value):
        return False
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
