"""JWTs of configured issuers over HTTP: whose they are, and every way in which one is nobody's (S1 to S4)."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.domain.holders import UserStatus
from app.services.callers import MAX_CREDENTIAL, authenticate
from app.services.issuers import FETCH_INTERVAL_S, KEYS_FRESH_S, MAX_KEYS_BYTES, FetchedKeys
from tests.factories import Gateway, each_of
from tests.issuing import (
    AUDIENCE,
    GOOD,
    NAME,
    NOW,
    assemble,
    encode,
    jwk,
    make_issuer,
    private_key,
    serve_keys,
    sign_hmac,
    token,
    trust_issuers,
)
from tests.web.test_authentication import REFUSAL, assert_refused, post

VIEWER = "{ viewer { user { userName } } }"


@pytest.fixture
async def site(world: Gateway) -> Gateway:
    """The small contact centre, whose directory calls Dora `hr-7`; it trusts the issuer of `tests.issuing`."""
    await world.create_user("dora", externalId="hr-7")
    trust_issuers(world, make_issuer())
    return world


async def whose(site: Gateway, credential: str) -> str | None:
    """The user whom a token is taken for; None where it is refused in the words of every refusal."""
    response = await site.post({"query": VIEWER}, token=credential)
    if response.status_code == 401:
        assert response.json() == REFUSAL
        return None
    name: str = response.json()["data"]["viewer"]["user"]["userName"]
    return name


# ---------------------------------------------------------------------- good ones


async def test_a_good_one_is_its_users(site: Gateway) -> None:
    assert await whose(site, token()) == "dora"

    caller = await authenticate(site.services, token())
    assert caller is not None
    assert (caller.user, caller.user_name, caller.token) == (site.ids["dora"], "dora", None)
    assert caller.expires_at == datetime.fromtimestamp(NOW + 630, UTC), "the leeway included"


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("RSA", "RS256"), ("RSA", "RS512"), ("RSA", "PS256"), ("P-256", "ES256"), ("P-384", "ES384"),
        ("P-521", "ES512"), ("Ed25519", "EdDSA"),
    ],
)  # fmt: skip
async def test_keys_of_every_kind(site: Gateway, kind: str, algorithm: str) -> None:
    key = private_key(kind)
    trust_issuers(site, make_issuer(keys=[jwk(key.public_key(), algorithm, kid="one")], algorithms=(algorithm,)))

    assert await whose(site, token(key=key, algorithm=algorithm)) == "dora"
    assert await whose(site, token(key=private_key(kind, 1), algorithm=algorithm)) is None


async def test_a_user_may_be_named_by_user_name_and_by_another_claim(site: Gateway) -> None:
    trust_issuers(site, make_issuer(attribute="user_name", claim="preferred_username"))

    assert await whose(site, token(preferred_username="ana")) == "ana"
    assert await whose(site, token()) is None, "the claim is not there"


async def test_a_key_without_a_name_is_taken_where_it_is_the_only_one(site: Gateway) -> None:
    one, two = (jwk(private_key("RSA", n).public_key(), "RS256", kid=str(n)) for n in (0, 1))
    unnamed = assemble({"alg": "RS256"}, GOOD, private_key("RSA"), "RS256")

    trust_issuers(site, make_issuer(keys=[one]))
    assert await whose(site, unnamed) == "dora"
    trust_issuers(site, make_issuer(keys=[one, two]))
    assert await whose(site, unnamed) is None


async def test_clocks_may_differ_by_the_leeway(site: Gateway) -> None:
    assert await whose(site, token(exp=NOW - 29, iat=NOW - 600)) == "dora"
    assert await whose(site, token(exp=NOW - 30, iat=NOW - 600)) is None
    assert await whose(site, token(nbf=NOW + 30, iat=NOW + 30)) == "dora"
    assert await whose(site, token(nbf=NOW + 31)) is None
    assert await whose(site, token(iat=NOW + 31)) is None


async def test_it_ends_on_its_own(site: Gateway) -> None:
    credential = token()

    site.clock.advance(seconds=629)
    assert await whose(site, credential) == "dora"
    site.clock.advance(seconds=1)
    assert await whose(site, credential) is None


async def test_one_for_several_audiences_is_taken_where_that_is_configured(site: Gateway) -> None:
    shared = token(aud=["other", AUDIENCE])
    assert await whose(site, shared) is None

    trust_issuers(site, make_issuer(shared_audience=True))
    assert await whose(site, shared) == "dora"
    assert await whose(site, token(aud=["other", "another"])) is None
    assert await whose(site, token(aud=[AUDIENCE, 5])) is None


async def test_gateway_tokens_go_on_beside(site: Gateway) -> None:
    assert await whose(site, site.token) == "olga"


async def test_without_issuers_none_is_good(world: Gateway) -> None:
    await world.create_user("dora", externalId="hr-7")

    assert_refused(await post(world, f"Bearer {token()}"))


async def test_one_makes_no_gateway_token_that_outlasts_it(site: Gateway) -> None:
    document = """mutation($input: IssueTokenInput!) { issueToken(input: $input) { secret errors { code path } } }"""
    asked = {"user": {"userName": "dora"}, "label": "for ever"}

    answer = await site.gql(document, {"input": asked}, token=token())

    assert answer["issueToken"] == {"secret": None, "errors": [{"code": "SELF_ELEVATION", "path": ["expiresAt"]}]}


# ---------------------------------------------------------------------- users


@each_of("status", [UserStatus.SUSPENDED, UserStatus.ARCHIVED])
async def test_whoever_is_not_active_is_refused(site: Gateway, status: UserStatus) -> None:
    await site.mutate("setUserStatus", {"user": {"userName": "dora"}, "status": status})

    assert await whose(site, token()) is None


@each_of("sub", ["hr-8", "HR-7", "hr-7 ", "dora", "", "x" * 257, 7, None, ["hr-7"], {"id": "hr-7"}, True, ...])
async def test_whoever_is_unknown_is_refused(site: Gateway, sub: object) -> None:
    claims = {name: value for name, value in {**GOOD, "sub": sub}.items() if value is not ...}

    assert await whose(site, assemble({"alg": "RS256", "kid": "one"}, claims, private_key("RSA"), "RS256")) is None


# ---------------------------------------------------------------------- S1: algorithms


def unsigned(name: str) -> str:
    return f"{encode({'alg': name, 'kid': 'one'})}.{encode(GOOD)}."


@each_of("name", ["none", "None", "NONE", "nOnE", ""])
async def test_s1_an_unsigned_one_is_refused(site: Gateway, name: str) -> None:
    assert await whose(site, unsigned(name)) is None
    assert await whose(site, f"{unsigned(name)}{token().rpartition('.')[2]}") is None
    assert await whose(site, f"{unsigned(name)}{encode(b'0')}") is None


async def test_s1_a_public_key_is_no_shared_secret(site: Gateway) -> None:
    """RS256 taken for HS256: the public key, in every form in which it is known, signs nothing."""
    public = private_key("RSA").public_key()
    published = jwk(public, "RS256", kid="one")
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(published).encode(), published["n"].encode(), b"", b"one",
    ]  # fmt: skip

    for form in forms:
        assert await whose(site, sign_hmac({"alg": "HS256", "kid": "one"}, GOOD, form)) is None
        assert await whose(site, sign_hmac({"alg": "RS256", "kid": "one"}, GOOD, form)) is None


async def test_s1_a_key_is_for_one_algorithm(site: Gateway) -> None:
    """Signed by the right key in another way, though the issuer uses that way with another key."""
    rsa, curve = private_key("RSA"), private_key("P-256")
    keys = [jwk(rsa.public_key(), "RS256", kid="one", alg="RS256"), jwk(curve.public_key(), "ES256", kid="two")]
    trust_issuers(site, make_issuer(keys=keys, algorithms=("RS256", "PS256", "ES256")))

    assert await whose(site, token(key=rsa, algorithm="RS256")) == "dora"
    assert await whose(site, token(key=rsa, algorithm="PS256")) is None
    assert await whose(site, token(key=rsa, algorithm="RS512")) is None
    assert await whose(site, token(key=curve, algorithm="ES256", header={"kid": "two"})) == "dora"
    assert await whose(site, token(key=curve, algorithm="ES256", header={"kid": "one"})) is None
    lying = assemble({"alg": "ES256", "kid": "two"}, GOOD, rsa, "RS256")
    assert await whose(site, lying) is None


@each_of("alg", [..., None, 5, ["RS256"], {"RS256": 1}, "rs256", "RS256 ", "HS256", "EdDSA"])
async def test_s1_the_algorithm_is_named_exactly(site: Gateway, alg: object) -> None:
    header = {name: value for name, value in {"alg": alg, "kid": "one"}.items() if value is not ...}

    assert await whose(site, assemble(header, GOOD, private_key("RSA"), "RS256")) is None


async def test_s1_a_changed_one_is_refused(site: Gateway) -> None:
    header, claims, signature = token().split(".")
    await site.mutate("updateUser", {"user": {"userName": "ana"}, "externalId": "hr-1"})

    assert await whose(site, f"{header}.{encode({**GOOD, 'sub': 'hr-1'})}.{signature}") is None
    assert await whose(site, f"{encode({'alg': 'RS256', 'kid': 'one', 'x': 1})}.{claims}.{signature}") is None
    assert await whose(site, f"{header}.{claims}.{token(sub='hr-1').rpartition('.')[2]}") is None
    assert await whose(site, f"{header}.{claims}.{signature[:-8]}") is None


# ---------------------------------------------------------------------- S2: headers that choose keys


@each_of("crit", [["b64"], ["exp"], ["nonsense"], [], "exp", None, 5, ["alg"]])
async def test_s2_what_must_be_understood_is_refused(site: Gateway, crit: object) -> None:
    header = {"alg": "RS256", "kid": "one", "crit": crit, "b64": True, "nonsense": 1, "exp": 1}

    assert await whose(site, assemble(header, GOOD, private_key("RSA"), "RS256")) is None


@each_of(
    "kid",
    [
        "../../../../dev/null", "/etc/passwd", "file:///dev/null", "http://127.0.0.1:1/keys", "one\x00", "ONE", "",
        "' OR '1'='1", "two", "x" * 4000, 1, None, ["one"], {"one": 1}, True,
    ],
)  # fmt: skip
async def test_s2_a_kid_names_a_known_key_or_none(site: Gateway, kid: object) -> None:
    attacker = private_key("RSA", 1)
    for key in (attacker, private_key("RSA")):
        if kid is None and key is not attacker:
            continue  # the only key, and no name: as if it were left out
        assert await whose(site, assemble({"alg": "RS256", "kid": kid}, GOOD, key, "RS256")) is None
    empty = sign_hmac({"alg": "HS256", "kid": kid}, GOOD, b"")
    assert await whose(site, empty) is None


@each_of("name", ["jku", "x5u"])
async def test_s2_an_address_in_a_token_is_not_asked(site: Gateway, name: str) -> None:
    attacker = private_key("RSA", 1)
    with serve_keys(*(jwk(attacker.public_key(), "RS256", kid=kid) for kid in ("one", "mine"))) as server:
        for kid in ("one", "mine"):
            header = {"alg": "RS256", "kid": kid, name: server.url}
            assert await whose(site, assemble(header, GOOD, attacker, "RS256")) is None

    assert server.asked == []


@each_of("kid", ["one", "mine", None])
async def test_s2_a_key_in_a_token_is_not_believed(site: Gateway, kid: str | None) -> None:
    attacker = private_key("RSA", 1)
    inside = jwk(attacker.public_key(), "RS256", kid=kid)
    header = {"alg": "RS256", "jwk": inside, "x5c": [encode(b"certificate")]} | ({"kid": kid} if kid else {})

    assert await whose(site, assemble(header, GOOD, attacker, "RS256")) is None


# ---------------------------------------------------------------------- S3: for whom, by whom, how long


@each_of(
    "aud",
    ["other", "permgat", "permgate/", "PERMGATE", "", None, ["other"], [], ["permgate"], 5, {"permgate": 1}, ...],
)  # fmt: skip
async def test_s3_one_that_is_not_for_us_alone_is_refused(site: Gateway, aud: object) -> None:
    claims = {name: value for name, value in {**GOOD, "aud": aud}.items() if value is not ...}

    assert await whose(site, assemble({"alg": "RS256", "kid": "one"}, claims, private_key("RSA"), "RS256")) is None


@each_of(
    "iss",
    [
        NAME[:-1], NAME[:8], f"{NAME}/", NAME.upper(), f"{NAME}\x00", "", None, [NAME], {NAME: 1}, 5,
        "https://evil.example/", ...,
    ],
)  # fmt: skip
async def test_s3_one_of_another_issuer_is_refused(site: Gateway, iss: object) -> None:
    claims = {name: value for name, value in {**GOOD, "iss": iss}.items() if value is not ...}

    assert await whose(site, assemble({"alg": "RS256", "kid": "one"}, claims, private_key("RSA"), "RS256")) is None


async def test_s3_each_issuer_speaks_for_itself_alone(site: Gateway) -> None:
    other = private_key("RSA", 1)
    keys = [jwk(other.public_key(), "RS256", kid="one")]
    trust_issuers(site, make_issuer(), make_issuer(name="https://other.example/", audience="theirs", keys=keys))

    assert await whose(site, token()) == "dora"
    assert await whose(site, token(key=other, iss="https://other.example/", aud="theirs")) == "dora"
    assert await whose(site, token(key=other)) is None
    assert await whose(site, token(iss="https://other.example/", aud="theirs")) is None
    assert await whose(site, token(key=other, iss="https://other.example/")) is None


@each_of(
    "exp",
    [
        ..., None, 0, -1, NOW - 3600, NOW - 31, NOW + 3631, 2**31, 2**63, 2**64, 10**400, 1e300, float("inf"),
        float("nan"), -float("inf"), str(NOW + 600), "", [NOW + 600], {"at": 1}, True, False,
    ],
)  # fmt: skip
async def test_s3_one_without_a_near_end_is_refused(site: Gateway, exp: object) -> None:
    claims = {name: value for name, value in {**GOOD, "exp": exp}.items() if value is not ...}

    assert await whose(site, assemble({"alg": "RS256", "kid": "one"}, claims, private_key("RSA"), "RS256")) is None


@each_of("moment", [NOW + 3600, 2**63, 10**400, 1e308, float("nan"), float("inf"), str(NOW), [NOW], {}, True, None])
async def test_s3_one_that_has_not_begun_is_refused(site: Gateway, moment: object) -> None:
    for name in ("nbf", "iat"):
        claims = {**GOOD, name: moment}
        made = assemble({"alg": "RS256", "kid": "one"}, claims, private_key("RSA"), "RS256")
        assert await whose(site, made) is None


@each_of("issued", [NOW - 3001, 0, -1, -(2**63), -(10**400), -1e308])
async def test_s3_one_that_lasts_longer_than_its_issuers_may_is_refused(site: Gateway, issued: float) -> None:
    assert await whose(site, token(iat=issued)) is None
    assert await whose(site, token(iat=NOW - 3000)) == "dora"


# ---------------------------------------------------------------------- what is no token at all


def nested(depth: int) -> str:
    return encode(b'{"iss":' + b"[" * depth + b"]" * depth + b"}")


@each_of(
    "credential",
    [
        "a.b.c", "..", "...", "a..c", f"{token()}.{token()}", token().replace(".", "..", 1), token() + "=",
        f"{encode(b'[]')}.{encode(GOOD)}.{encode(b'x')}", f"{encode({'alg': 'RS256'})}.{encode([1])}.{encode(b'x')}",
        f"{encode({'alg': 'RS256'})}.{encode(b'null')}.{encode(b'x')}", f"{encode(b'{')}.{encode(GOOD)}.{encode(b'x')}",
        f"{encode({'alg': 'RS256'})}.{nested(1500)}.{encode(b'x')}", f"{nested(1500)}.{encode(GOOD)}.{encode(b'x')}",
        f"{encode(bytes([255, 254]))}.{encode(GOOD)}.{encode(b'x')}", "\u0661.\u0662.\u0663",
    ],
)  # fmt: skip
async def test_what_is_no_token_is_refused_without_a_crash(site: Gateway, credential: str) -> None:
    assert await authenticate(site.services, credential) is None


async def test_one_that_is_too_long_is_refused_before_it_is_looked_at(
    site: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = MAX_CREDENTIAL - len(token(x=""))
    long = token(x="y" * (room * 3 // 4))
    assert len(long) <= MAX_CREDENTIAL
    assert await whose(site, long) == "dora"
    longer = token(x="y" * MAX_CREDENTIAL)

    async def look(*_: object, **__: object) -> None:
        pytest.fail("it was looked at")

    monkeypatch.setattr(site.services.issuers, "verify", look)
    assert await whose(site, longer) is None


async def test_random_headers_and_claims_crash_nothing(site: Gateway) -> None:
    """Signed by the right key, with anything anywhere: a no, or the one good answer."""
    odd: list[Any] = [
        None, True, 0, -1, 2**63, 10**320, 1.5, float("nan"), float("inf"), "", "one", "RS256", NAME, AUDIENCE, "hr-7",
        "\x00", [], ["one"], {}, {"a": [{}]}, [[[]]], NOW, str(NOW), "\ud800",
    ]  # fmt: skip
    chance = random.Random(7)
    for _ in range(500):
        header: dict[str, Any] = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        claims = dict(GOOD)
        for _ in range(chance.randint(1, 3)):
            changed = chance.choice((header, claims))
            changed[chance.choice([*header, *GOOD, "nbf", "crit", "b64", "jwk", "cty"])] = chance.choice(odd)
        made = assemble(header, claims, private_key("RSA"), "RS256")
        caller = await authenticate(site.services, made)
        assert caller is None or caller.user_name == "dora"


# ---------------------------------------------------------------------- S4: keys at an address


class Timer:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fetching(site: Gateway, url: str, timer: Callable[[], float]) -> None:
    """Configures the issuer with keys at an address."""
    trust_issuers(site, replace(make_issuer(), keys=FetchedKeys(url, ("RS256",), timer=timer)))


ONE = jwk(private_key("RSA").public_key(), "RS256", kid="one", use="sig")
TWO = jwk(private_key("RSA", 1).public_key(), "RS256", kid="two")


def second_token() -> str:
    return token(key=private_key("RSA", 1), header={"kid": "two"})


async def test_keys_are_fetched_when_they_are_first_needed(site: Gateway) -> None:
    with serve_keys(ONE) as server:
        fetching(site, server.url, Timer())
        assert await whose(site, site.token) == "olga"
        assert server.asked == []

        assert [await whose(site, token()) for _ in range(3)] == ["dora"] * 3
    assert server.asked == ["/keys"]


async def test_s4_a_flood_of_unknown_names_asks_once_a_minute(site: Gateway) -> None:
    timer = Timer()
    with serve_keys(ONE) as server:
        fetching(site, server.url, timer)
        for number in range(1000):
            header = {"kid": f"random {number}"}
            made = f"{encode({'alg': 'RS256', **header})}.{encode(GOOD)}.{encode(b'x' * 256)}"
            assert await authenticate(site.services, made) is None
            timer.now += FETCH_INTERVAL_S / 1000
        assert len(server.asked) == 1
        assert await whose(site, token()) == "dora"

        timer.now += FETCH_INTERVAL_S
        await whose(site, token(header={"kid": "another"}))
        assert len(server.asked) == 2
    assert FETCH_INTERVAL_S >= 60


async def test_s4_many_at_once_ask_once(site: Gateway) -> None:
    with serve_keys(ONE) as server:
        fetching(site, server.url, Timer())
        assert await asyncio.gather(*(whose(site, token()) for _ in range(20))) == ["dora"] * 20
    assert len(server.asked) == 1


async def test_a_new_key_is_known_within_a_minute_and_a_withdrawn_one_ends(site: Gateway) -> None:
    timer = Timer()
    with serve_keys(ONE) as server:
        fetching(site, server.url, timer)
        assert await whose(site, token()) == "dora"
        server.keys = [TWO]
        assert await whose(site, second_token()) is None
        assert await whose(site, token()) == "dora"

        timer.now += KEYS_FRESH_S
        assert await whose(site, token()) is None
        assert await whose(site, second_token()) == "dora"


@each_of(
    ("status", "body"),
    [
        (500, None), (404, None), (302, None), (200, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": []}'),
        (200, b'{"keys": {}}'), (200, b"[" * 5000), (200, b" " * (MAX_KEYS_BYTES + 1)), (200, b"\xff\xfe"),
        (200, b'{"keys": [{"kty": "oct", "kid": "one", "k": "eA"}]}'), (200, b'{"keys": [null, 5, {"kty": []}]}'),
    ],
)  # fmt: skip
async def test_s4_where_fetching_fails_the_old_keys_stay(site: Gateway, status: int, body: bytes | None) -> None:
    timer = Timer()
    with serve_keys(ONE) as server:
        fetching(site, server.url, timer)
        assert await whose(site, token()) == "dora"
        server.status, server.body = status, body
        timer.now += KEYS_FRESH_S

        assert await whose(site, token()) == "dora"
        assert server.asked == ["/keys", "/keys"], "and no redirect is followed"


async def test_s4_an_address_that_does_not_answer_harms_nobody_else(site: Gateway) -> None:
    with serve_keys() as server:
        url = server.url
    timer = Timer()
    fetching(site, url, timer)

    assert await whose(site, token()) is None
    assert await whose(site, site.token) == "olga"


async def test_of_published_keys_those_that_check_no_signatures_are_left_out(site: Gateway) -> None:
    weak = private_key("weak RSA")
    keys = [
        jwk(private_key("RSA", 1).public_key(), "RS256", kid="secret", use="enc"),
        jwk(private_key("RSA", 1).public_key(), "RS256", kid="other", alg="RSA-OAEP"),
        jwk(weak.public_key(), "RS256", kid="weak"),
        jwk(private_key("RSA", 2), "RS256", kid="private"),
        jwk(private_key("P-256").public_key(), "ES256", kid="curve"),
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        ONE,
    ]
    with serve_keys(*keys) as server:
        fetching(site, server.url, Timer())
        assert await whose(site, token()) == "dora"
        for kid, key in (
            ("secret", private_key("RSA", 1)),
            ("other", private_key("RSA", 1)),
            ("private", private_key("RSA", 2)),
        ):
            assert await whose(site, token(key=key, header={"kid": kid})) is None
        assert await whose(site, assemble({"alg": "RS256", "kid": "weak"}, GOOD, weak, "RS256")) is None
        assert await whose(site, sign_hmac({"alg": "HS256", "kid": "shared"}, GOOD, b"secret")) is None
