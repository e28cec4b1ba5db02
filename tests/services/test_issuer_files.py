"""The file of PERMGATE_JWT_ISSUERS: what it takes, and every fault of one, each on a line of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.services.issuer_files import DEFAULT_LEEWAY_S, DEFAULT_LIFETIME_S, load_issuers
from app.services.issuers import FetchedKeys, Issuer, KeptKeys
from app.settings import SettingsFaults
from tests.issuing import NAME, jwk, private_key

Write = Callable[..., Path]
RSA = jwk(private_key("RSA").public_key(), "RS256", kid="one")
GOOD: dict[str, Any] = {
    "issuer": NAME, "audience": "permgate", "algorithms": ["RS256"], "keys_file": "keys.json", "claim": "sub",
    "names": "externalId",
}  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of one good issuer but for what is said (`...`: left out), its keys beside it."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [RSA]}))

    def do(**given: Any) -> Path:
        issuer = {name: value for name, value in {**GOOD, **given}.items() if value is not ...}
        (tmp_path / "issuers.json").write_text(json.dumps({"issuers": [issuer]}))
        return tmp_path / "issuers.json"

    return do


def only(path: Path) -> Issuer:
    (issuer,) = load_issuers(path)._by_name.values()
    return issuer


def faults(path: Path) -> list[str]:
    """What is wrong, without the name of the setting."""
    with pytest.raises(SettingsFaults) as raised:
        load_issuers(path)
    assert all("\n" not in fault for fault in raised.value.faults)
    return [fault.removeprefix("PERMGATE_JWT_ISSUERS: ") for fault in raised.value.faults]


def test_no_file_is_no_issuer() -> None:
    assert load_issuers(None)._by_name == {}


def test_what_is_left_out_has_safe_values(write: Write) -> None:
    issuer = only(write())

    assert (issuer.name, issuer.audience, issuer.claim, issuer.attribute) == (NAME, "permgate", "sub", "external_id")
    assert (issuer.max_lifetime, issuer.leeway, issuer.shared_audience) == (
        DEFAULT_LIFETIME_S, DEFAULT_LEEWAY_S, False
    )  # fmt: skip
    assert isinstance(issuer.keys, KeptKeys)
    assert {kid: key.algorithm for kid, key in issuer.keys.keys.items()} == {"one": "RS256"}


@pytest.mark.parametrize(
    "url", ["https://login.example.org/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost/k"]
)
def test_keys_may_be_at_an_address_that_nobody_on_the_way_can_answer_for(write: Write, url: str) -> None:
    issuer = only(write(keys_file=..., keys_url=url, names="userName", max_lifetime=60, leeway=0))

    assert isinstance(issuer.keys, FetchedKeys) and issuer.keys.url == url
    assert (issuer.attribute, issuer.max_lifetime, issuer.leeway) == ("user_name", 60, 0)


def test_the_example_of_the_documents_is_taken(tmp_path: Path) -> None:
    curve = jwk(private_key("P-256").public_key(), "ES256", kid="one")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [curve]}))
    page = (Path(__file__).parents[2] / "docs" / "callers.md").read_text("utf-8")
    (tmp_path / "issuers.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])

    assert len(load_issuers(tmp_path / "issuers.yaml")._by_name) == 2


@pytest.mark.parametrize("name", ["issuer", "audience", "algorithms", "claim", "names"])
def test_s3_what_would_otherwise_not_be_checked_has_to_be_said(write: Write, name: str) -> None:
    (fault,) = faults(write(**{name: ...}))

    assert fault.startswith(f"issuers.json:1: {name}: it is missing; expected ")


def test_keys_have_to_be_said_once(write: Write) -> None:
    expected = (
        "issuers.json:1: keys_file: expected either `keys_file` or `keys_url`: without keys nothing can be checked"
    )
    assert faults(write(keys_file=...)) == [expected]
    assert faults(write(keys_url="https://login.example.org/keys")) == [expected]


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "issuers.yaml").write_text(
        "issuers:\n  - issuer: https://a.example/\n    audience: ''\n    algorithms: [HS256]\n"
        "  - algorithms: [RS256]\n    keys_url: http://login.example.org/keys\n    jwks: x\n    claim: sub\n"
    )

    assert [fault.partition(": ")[0] + ": " + fault.split(": ")[1] for fault in faults(tmp_path / "issuers.yaml")] == [
        "issuers.yaml:3: audience", "issuers.yaml:2: claim", "issuers.yaml:2: names", "issuers.yaml:4: algorithms",
        "issuers.yaml:2: keys_file", "issuers.yaml:7: jwks", "issuers.yaml:5: issuer", "issuers.yaml:5: audience",
        "issuers.yaml:5: names", "issuers.yaml:6: keys_url",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("issuer", value) for value in ("", " x", 5, None, ["x"], {})),
        *(("audience", value) for value in ("", 5, None, ["permgate"], True)),
        *(("algorithms", value) for value in ([], "RS256", ["none"], ["HS256"], ["RS256", "HS256"], [5], [["RS256"]])),
        *(("names", value) for value in ("email", "", 5, ["userName"])),
        *(("max_lifetime", value) for value in (0, -1, 86401, "60", 1.5, True, None)),
        *(("leeway", value) for value in (-1, 301, "30", True)),
        *(("shared_audience", value) for value in ("true", 1, None)),
    ],
)
def test_what_a_field_cannot_hold_is_refused(write: Write, name: str, value: object) -> None:
    assert any(fault.startswith(f"issuers.json:1: {name}: expected ") for fault in faults(write(**{name: value})))


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.org/keys", "http://127.0.0.1.example.org/keys", "http://localhost.example.org/",
        "http://10.0.0.1/keys", "file:///etc/passwd", "ftp://127.0.0.1/keys", "https://", "https:///keys",
        "https://user:password@login.example.org/", "//login.example.org/", "keys.json", "https://x:y/", "", 5, None,
        "https://login.example.org/ke ys", "https://login.example.org/\nkeys",
    ],
)  # fmt: skip
def test_an_address_that_others_could_answer_for_is_refused(write: Write, url: object) -> None:
    assert faults(write(keys_file=..., keys_url=url)) == [
        "issuers.json:1: keys_url: expected the https address of a JSON Web Key Set"
    ]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([jwk(private_key("RSA"), "RS256", kid="one")], "key 1: it is not public"),
        ([{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}], "key 1: it is not public"),
        ([RSA, RSA], "key 2: its `kid` 'one' stands twice"),
        ([{**RSA, "use": "enc"}], "key 1: it is not for checking signatures"),
        ([{**RSA, "key_ops": ["sign"]}], "key 1: it is not for checking signatures"),
        ([{**RSA, "alg": "RS512"}], "key 1: it fits none of the algorithms RS256"),
        ([{**RSA, "alg": "none"}], "key 1: it fits none of the algorithms RS256"),
        ([{**RSA, "kid": 5}], "key 1: its `kid` is no text"),
        ([{**RSA, "n": "AQAB"}], "key 1: it "),
        ([{**RSA, "n": 5}], "key 1: it cannot be read"),
        ([{"kty": "RSA", "kid": "one"}], "key 1: it cannot be read"),
        ([jwk(private_key("weak RSA").public_key(), "RS256")], "key 1: it has 1024 bits; at least 2048 are needed"),
        ([jwk(private_key("P-256").public_key(), "ES256")], "key 1: it fits none of the algorithms RS256"),
        ([5], "key 1: it is no object"),
        ([], "there is no key"),
        ({}, "it is no JSON Web Key Set"),
    ],
)
def test_s1_keys_that_are_not_safe_to_use_are_refused(write: Write, tmp_path: Path, keys: Any, reason: str) -> None:
    path = write()
    (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))

    assert faults(path)[0].startswith(f"issuers.json:1: keys_file: `keys.json`: {reason}")


def test_s1_a_key_that_could_be_used_in_two_ways_has_to_say_which(write: Write, tmp_path: Path) -> None:
    path = write(algorithms=["RS256", "PS256"])
    assert faults(path) == ["issuers.json:1: keys_file: `keys.json`: key 1: it fits RS256 and PS256: state its `alg`"]

    (tmp_path / "keys.json").write_text(json.dumps({"keys": [{**RSA, "alg": "PS256"}]}))
    issuer = only(path)
    assert isinstance(issuer.keys, KeptKeys) and issuer.keys.keys["one"].algorithm == "PS256"


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "cannot be read: No such file"), (b"{", "is not JSON"), (b"\xff", "is not JSON")]
)
def test_a_key_file_that_is_none_is_told(write: Write, tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = write()
    (tmp_path / "keys.json").unlink()
    if content is not None:
        (tmp_path / "keys.json").write_bytes(content)

    assert faults(path)[0].startswith(f"issuers.json:1: keys_file: `keys.json` {fault}")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"issuers: []", b"issuers: x", b"issuers: {}", b"issuers: [x]", b"issuers: [{}]\nmore: 1", b"{",
        b"\xff", b"issuers: [{issuer: a, issuer: b}]",
    ],
)  # fmt: skip
def test_what_is_no_list_of_issuers_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "issuers.yaml").write_bytes(content)

    assert faults(tmp_path / "issuers.yaml")[0].startswith("issuers.yaml:1: ")


def test_an_issuer_stands_once(write: Write) -> None:
    path = write()
    path.write_text(json.dumps({"issuers": [GOOD, {**GOOD, "audience": "other"}]}))

    assert faults(path) == [f"issuers.json:1: issuer: `{NAME}` stands twice"]
