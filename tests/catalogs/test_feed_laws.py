"""Laws of reading feeds: whatever is written reads back to the same entry, and no bytes whatever break a reading.

By default 200 examples a law; `-m deep` looks at 10,000.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalogs.feeds import Fault, FeedFormat, Kind, json_lines, read_feed
from app.catalogs.feeds.faults import Place
from app.domain.contracts import AccessLevel
from app.domain.holders import TeamKind
from app.domain.references import Ref
from app.domain.sync.desired import (
    AssignmentDesired,
    Entry,
    GrantDesired,
    LevelDesired,
    RoleDesired,
    TeamDesired,
    UserDesired,
)
from app.domain.values import ValueInput
from app.domain.wishes.users import UNCHANGED

law = pytest.mark.parametrize(
    "count", [pytest.param(200, id="default"), pytest.param(10_000, id="deep", marks=pytest.mark.deep)]
)


def run(count: int, statement: Callable[..., None], **drawn: st.SearchStrategy[Any]) -> None:
    large = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings(max_examples=count, deadline=None, suppress_health_check=large)(given(**drawn)(statement))()


# ---------------------------------------------------------------------- entries


ALPHABET = "abz09-_. ,\"'\\/#{}[]=:;|@&*!%<>~`äéÅßİıǅ漢字あ한عב😀"


def names(without: str = "") -> st.SearchStrategy[str]:
    characters = [character for character in ALPHABET if character not in without]
    edges = [character for character in characters if character != " "]
    inner = st.text(characters, max_size=6)
    return st.builds("{}{}{}".format, st.sampled_from(edges), inner, st.sampled_from(["", *edges])).map(trim)


def trim(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def refs(natural: Any, name: st.SearchStrategy[str]) -> st.SearchStrategy[Ref]:
    return st.builds(Ref, st.sampled_from(["id", natural]), name)


moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001  # hypothesis wants bounds without a zone
emails = st.builds("{}@{}.example".format, names(" "), names(" @"))
keys, contracts = refs("key", names()), refs("number", names())
assignments = st.builds(
    AssignmentDesired,
    role=keys,
    contract=st.none() | contracts,
    valid_from=st.none() | moments,
    valid_until=st.none() | moments,
)
levels = st.builds(LevelDesired, contract=contracts, product=names(), level=st.sampled_from(AccessLevel))
values = st.one_of(
    st.builds(ValueInput, st.just("on"), st.booleans()),
    st.builds(ValueInput, st.just("amount"), st.integers(-(10**17), 10**17)),
    st.builds(ValueInput, st.sampled_from(["level", "text"]), names()),
    st.builds(ValueInput, st.sampled_from(["scopes", "members"]), st.lists(names(), max_size=3).map(tuple)),
    st.builds(ValueInput, st.sampled_from(["full", "none"]), st.just(True)),
)
grants = st.builds(
    GrantDesired,
    permission=names("="),
    value=st.none() | values,
    contract=st.none() | contracts,
    valid_from=st.none() | moments,
    valid_until=st.none() | moments,
)


def lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(items, max_size=3).map(tuple)


patches = st.just(UNCHANGED) | st.none() | names()
HERE = ("line 1",)
users = st.builds(
    UserDesired,
    path=st.just(HERE),
    external_id=names(),
    user_name=names(),
    display_name=patches,
    email=st.just(UNCHANGED) | st.none() | emails,
    active=st.booleans(),
    roles=lists(assignments),
    teams=lists(keys),
    access=lists(levels),
)
roles = st.builds(
    RoleDesired,
    path=st.just(HERE),
    key=names(),
    display_name=patches,
    description=patches,
    parents=lists(keys),
    grants=st.lists(grants, max_size=3).map(tuple),
)
teams = st.builds(
    TeamDesired,
    path=st.just(HERE),
    key=names(),
    display_name=patches,
    kind=st.sampled_from(TeamKind),
    parent=st.just(UNCHANGED) | st.none() | keys,
    roles=lists(assignments),
)
entries = st.one_of(users, roles, teams)


# ---------------------------------------------------------------------- writing them down


def write_plain(value: Any, *, short: bool) -> Any:
    """An entry, or a part of one, as JSON has it; what is not managed is left out."""
    match value:
        case Ref():
            return value.value if short and value.attribute != "id" else {value.attribute: value.value}
        case ValueInput():
            is_plain = value.field == "text" or (short and value.field in ("on", "amount"))
            return value.given if is_plain else {value.field: value.given}
        case datetime():
            return value.astimezone(UTC).isoformat() if short else value.isoformat().replace("+00:00", "Z")
        case tuple():
            return [write_plain(item, short=short) for item in value]
        case AssignmentDesired() if (
            short and value == AssignmentDesired(role=value.role) and value.role.attribute == "key"
        ):
            return value.role.value
        case None | bool() | int() | str():
            return value
    return {
        spell(name): write_plain(getattr(value, name), short=short)
        for name in type(value).__dataclass_fields__
        if name != "path" and not is_left_out(value, name)
    }  # fmt: skip


def is_left_out(value: Any, name: str) -> bool:
    if getattr(value, name) is None:
        return name not in ("display_name", "email", "description", "parent")
    return bool(getattr(value, name) == UNCHANGED)


def spell(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def write_line(entry: Entry, *, short: bool) -> str:
    wrapping = {UserDesired: "user", RoleDesired: "role", TeamDesired: "team"}[type(entry)]
    return json.dumps({wrapping: write_plain(entry, short=short)})


def write_row(user: UserDesired, delimiter: str, between: str) -> str:
    row = {"externalId": user.external_id, "userName": user.user_name, "active": str(user.active)}
    if isinstance(user.display_name, str):
        row["displayName"] = user.display_name
    if user.email != UNCHANGED:
        row["email"] = user.email if isinstance(user.email, str) else ""
    if user.roles is not None:
        row["roles"] = between.join(
            f"{role.role.value}@{role.contract.value}" if role.contract else role.role.value for role in user.roles
        )
    if user.teams is not None:
        row["teams"] = between.join(team.value for team in user.teams)
    if user.access is not None:
        row["access"] = between.join(f"{of.contract.value}:{of.product}:{of.level}" for of in user.access)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(row)
    writer.writerow(row.values())
    return text.getvalue()


short_names = names(";|@:")
rows = st.builds(
    UserDesired,
    path=st.just(("line 2",)),
    external_id=names(),
    user_name=names(),
    display_name=st.just(UNCHANGED) | names(),
    email=st.just(UNCHANGED) | st.none() | emails,
    active=st.booleans(),
    roles=lists(
        st.builds(
            AssignmentDesired,
            role=st.builds(Ref, st.just("key"), short_names),
            contract=st.none() | st.builds(Ref, st.just("number"), short_names),
        )
    ),
    teams=lists(st.builds(Ref, st.just("key"), short_names)),
    access=lists(
        st.builds(
            LevelDesired,
            contract=st.builds(Ref, st.just("number"), names(";|")),
            product=short_names,
            level=st.sampled_from(AccessLevel),
        )
    ),
)


# ---------------------------------------------------------------------- laws


@law
def test_an_entry_reads_back_from_its_line(count: int) -> None:
    def statement(entry: Entry, short: bool) -> None:
        assert list(read_feed([write_line(entry, short=short).encode()], FeedFormat.JSON_LINES)) == [entry]

    run(count, statement, entry=entries, short=st.booleans())


@law
def test_a_line_reads_alike_fast_and_with_care(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent twice, spaced, nested or misspelt: the fast way takes it as the other does, or leaves it."""
    fast = 0

    def statement(pieces: list[str], commas: list[str], wrapped: bool) -> None:
        nonlocal fast
        text = "{" + "".join(map("".join, zip(pieces, [*commas[: len(pieces) - 1], ""], strict=False))) + "}"
        line = (f'{{"user": {text}}}' if wrapped else text).encode("utf-8", "surrogatepass")
        read = list(read_feed([line], FeedFormat.JSON_LINES))
        with monkeypatch.context() as patched:
            patched.setattr(json_lines, "_read_plain", lambda _line, _place: None)
            careful = list(read_feed([line], FeedFormat.JSON_LINES))
        fast += json_lines._read_plain(line, Place.at_line(1)) is not None
        assert list(map(describe, read)) == list(map(describe, careful))

    pieces = st.lists(st.sampled_from(PIECES), max_size=6)
    usual = pieces.map(lambda more: ['"externalId":"e1"', '"userName":"ida"', *more])
    commas = st.lists(st.sampled_from([",", ", ", " , "]), min_size=8, max_size=8)
    run(count, statement, pieces=usual | pieces, commas=commas, wrapped=st.booleans())
    assert fast > count // 20


PIECES = [
    '"externalId": "e1"', '"externalId" :"e1"', '"externalId": ""', '"userName": "ida"', '"userName": " ida"',
    '"userName": 7', '"displayName": "Ida B"', '"displayName": "Ida "', '"displayName": null', '"displayName": "Äda"',
    '"displayName": ":"', '"displayName": "a\\u0022b"', '"displayName": "\ud800"', '"email": "ida@example.org"',
    '"email": "ida@"', '"email": null', '"active": true', '"active": false', '"active": 1', '"active": NaN',
    '"roles": ["agent"]', '"roles": [{"role": "agent", "contract": "C-1"}]',
    '"roles": [{"role": "agent", "role": "b"}]',
    '"roles": [{"role": "agent", "contract": null}]', '"roles": {}', '"roles": null', '"roles": [["agent"]]',
    '"teams": ["support", "night"]', '"teams": []', '"access": ["C-1:pbx:USER"]', '"access": ["C-1:pbx"]',
    '"user": {"externalId": "e2"}', '"nonsense": 1', '"e": 123456789012345678901234567890', '"x": [[[[]]]]',
]  # fmt: skip


def describe(item: object) -> object:
    return (type(item), asdict(item)) if isinstance(item, Fault | UserDesired) else item


@law
def test_a_person_reads_back_from_a_row(count: int) -> None:
    def statement(user: UserDesired, delimiter: str, between: str) -> None:
        text = write_row(user, delimiter, between)

        assert list(read_feed([text.encode()], FeedFormat.CSV)) == [user]

    run(count, statement, user=rows, delimiter=st.sampled_from(",;"), between=st.sampled_from(["|", ";", " ; "]))


@law
def test_a_document_reads_to_the_same_as_lines(count: int) -> None:
    def statement(listed: list[Entry]) -> None:
        kinds = {UserDesired: Kind.USERS, RoleDesired: Kind.ROLES, TeamDesired: Kind.TEAMS}
        document: dict[str, list[Any]] = {}
        for entry in listed:
            document.setdefault(kinds[type(entry)], []).append(write_plain(entry, short=True))
        text = json.dumps(document, ensure_ascii=False)

        reading = read_feed([text.encode()], FeedFormat.YAML)
        found = [replace(item, path=HERE) for item in reading if not isinstance(item, Fault)]

        assert found == sorted(listed, key=lambda entry: list(kinds).index(type(entry)))
        assert reading.managed == (set(document) or {Kind.USERS})

    run(count, statement, listed=st.lists(entries, max_size=4))


FRAGMENTS = [
    b'{"user": {"externalId": "hr-1", "userName": "a", "roles": ["x"]}}\n', b'{"role": {"key": "r", "grants": []}}',
    b"externalId,userName,roles\n", b"hr-1,a,b\n", b'"hr-2";"a\nb"', b"users:\n - externalId: 'x'\n   userName: y\n",
    b"roles: []\n", b"\n", b"\r\n", b'"', b",", b";", b"|", b":", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!!set ",
    b"<<: ", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"1" * 30, b"1e999", b"NaN", b'"\\ud800"', b"? ", b"- ", b"---\n",
    b"%YAML 9.9\n", b'{"users": [', b'"externalId":', b'"__proto__":', b"'", b"# ", b"|\n  ", b">\n", b"\t",
]  # fmt: skip
garbage = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=6), max_size=14).map(b"".join)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
data = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)


def check_reading(feed: bytes, feed_format: FeedFormat, size: int) -> None:
    reading = read_feed([feed], feed_format)
    whole = list(reading)

    for item in whole:
        for text in find_texts(asdict(item) if not isinstance(item, Fault) else vars(item)):
            text.encode()
        if isinstance(item, Fault):
            assert item.message and item.expected and len(item.message) < 1000
            assert item.kind is not None or item.key is None
    assert reading.managed or reading.faults
    assert reading.is_empty is (whole == [])
    cut = list(read_feed([feed[at : at + size] for at in range(0, len(feed), size)], feed_format))
    assert [repr(item) for item in cut] == [repr(item) for item in whole]


def find_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from find_texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from find_texts(inner)


@law
def test_no_bytes_break_a_reading(count: int) -> None:
    run(
        count, check_reading, feed=garbage, feed_format=st.sampled_from(FeedFormat), size=st.integers(1, 40),
    )  # fmt: skip


@law
def test_no_json_breaks_a_reading(count: int) -> None:
    """Anything in the place of anything: in each field, in each item, at each depth."""
    refs = st.dictionaries(st.sampled_from(["id", "key", "number", "on", "amount", "members"]), data, max_size=2)
    parts = st.sampled_from(["role", "contract", "validFrom", "product", "level", "permission", "value"])
    items = st.lists(data | st.dictionaries(parts, data | refs, max_size=4), max_size=2)
    names = ["externalId", "userName", "key", "roles", "teams", "access", "grants", "parent", "kind", "active", "x"]
    fields = st.dictionaries(st.sampled_from(names), data | items, max_size=6)

    def statement(wrapping: str, fields: dict[str, Any], size: int) -> None:
        check_reading(json.dumps({wrapping: fields}).encode(), FeedFormat.JSON_LINES, size)
        check_reading(json.dumps({f"{wrapping}s": [fields]}).encode(), FeedFormat.YAML, size)

    run(
        count, statement, wrapping=st.sampled_from(["user", "role", "team"]), fields=fields, size=st.integers(1, 40),
    )  # fmt: skip


@law
def test_a_fault_spoils_no_other_line(count: int) -> None:
    """The other lines read as they would without it, but for the numbers of the lines."""

    def statement(listed: list[Entry], broken: bytes, at: int) -> None:
        lines = [write_line(entry, short=True).encode() for entry in listed]
        lines.insert(at % (len(lines) + 1), broken.replace(b"\n", b" ").replace(b"\xef\xbb\xbf", b""))

        items = list(read_feed([b"\n".join(lines)], FeedFormat.JSON_LINES))
        inserted = f"line {at % (len(listed) + 1) + 1}"
        others = [item for item in items if item.path[0] != inserted]

        assert [replace(item, path=HERE) for item in others if not isinstance(item, Fault)] == listed
        assert len(others) == len(listed)

    run(count, statement, listed=st.lists(entries, max_size=3), broken=garbage, at=st.integers(0, 3))


def test_times_with_other_offsets_are_the_same_moment() -> None:
    moment = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
    for text in ("2026-06-01T09:00:00Z", "2026-06-01T11:00:00+02:00", "2026-06-01 09:00Z", "2026-06-01t09:00:00.0z"):
        line = json.dumps({"externalId": "1", "userName": "a", "roles": [{"role": "r", "validFrom": text}]})
        (user,) = read_feed([line.encode()], FeedFormat.JSON_LINES)

        assert isinstance(user, UserDesired) and user.roles is not None
        assert user.roles[0].valid_from == moment
        assert user.roles[0].valid_from.utcoffset() == timedelta(0)
