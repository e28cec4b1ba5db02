"""Feeds: what each format reads to, and every fault with its place and the entry it spoils."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.catalogs.documents import read_document
from app.catalogs.feeds import MAX_DOCUMENT, MAX_LINE, Fault, FeedFormat, FeedReading, Kind, read_feed
from app.domain.contracts import AccessLevel
from app.domain.errors import ErrorCode
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
from app.settings import find_seeds

JSON_LINES, CSV, YAML = FeedFormat.JSON_LINES, FeedFormat.CSV, FeedFormat.YAML
HR_1, ROLE_R, NOBODY = (Kind.USERS, "hr-1"), (Kind.ROLES, "r"), (None, None)  # whose entry a fault spoils
HEADER = "externalId,userName,displayName,email,active,roles,teams,access\n"


def read(text: str | bytes, feed_format: FeedFormat) -> tuple[list[Entry | Fault], FeedReading]:
    reading = read_feed([text.encode() if isinstance(text, str) else text], feed_format)
    return list(reading), reading


def read_entries(text: str | bytes, feed_format: FeedFormat) -> list[Entry]:
    items, _ = read(text, feed_format)
    assert [str(item) for item in items if isinstance(item, Fault)] == []
    return [item for item in items if not isinstance(item, Fault)]


def read_faults(text: str | bytes, feed_format: FeedFormat) -> list[Fault]:
    return [item for item in read(text, feed_format)[0] if isinstance(item, Fault)]


def key(value: str) -> Ref:
    return Ref("key", value)


def number(value: str) -> Ref:
    return Ref("number", value)


# ---------------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("people.jsonl", JSON_LINES), ("a.b.ndjson", JSON_LINES), ("/tmp/PEOPLE.CSV", CSV), ("x.yaml", YAML),
        ("x.yml", YAML), ("x.json", YAML), ("people", None), ("people.csv.gz", None), ("", None),
    ],
)  # fmt: skip
def test_a_format_is_told_from_a_name(name: str, expected: FeedFormat | None) -> None:
    assert FeedFormat.of_name(name) is expected


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/jsonl", JSON_LINES), ("application/x-ndjson; charset=utf-8", JSON_LINES), ("Text/CSV", CSV),
        ("application/yaml", YAML), ("application/json", YAML), ("text/html", None), ("", None),
    ],
)  # fmt: skip
def test_a_format_is_told_from_a_media_type(media_type: str, expected: FeedFormat | None) -> None:
    assert FeedFormat.of_media_type(media_type) is expected


# ---------------------------------------------------------------------- what is read


def test_a_person_with_everything() -> None:
    line = {
        "user": {
            "externalId": "hr-1", "userName": "ada", "displayName": "Ada", "email": None, "active": False,
            "roles": [
                "agent",
                {"role": {"key": "closer"}, "contract": {"number": "C-1"}, "validFrom": "2026-01-01T01:00:00+01:00"},
                {"role": "closer", "contract": "C-2", "validUntil": "2026-01-01T00:00:00.123456789Z"},
                {"role": {"id": "r1"}},
            ],
            "teams": ["care", {"key": "line"}, {"id": "t1"}],
            "access": ["C-1:core:USER", {"contract": {"id": "c1"}, "product": "telephony", "level": "OWNER"}],
        }
    }  # fmt: skip

    entries = read_entries(json.dumps(line), JSON_LINES)

    assert entries == [
        UserDesired(
            path=("line 1",),
            external_id="hr-1",
            user_name="ada",
            display_name="Ada",
            email=None,
            active=False,
            roles=(
                AssignmentDesired(role=key("agent")),
                AssignmentDesired(
                    role=key("closer"), contract=number("C-1"), valid_from=datetime(2026, 1, 1, tzinfo=UTC)
                ),
                AssignmentDesired(
                    role=key("closer"),
                    contract=number("C-2"),
                    valid_until=datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC),
                ),
                AssignmentDesired(role=Ref("id", "r1")),
            ),
            teams=(key("care"), key("line"), Ref("id", "t1")),
            access=(
                LevelDesired(contract=number("C-1"), product="core", level=AccessLevel.USER),
                LevelDesired(contract=Ref("id", "c1"), product="telephony", level=AccessLevel.OWNER),
            ),
        )
    ]


def test_what_is_left_out_is_not_managed() -> None:
    bare = UserDesired(path=("line 1",), external_id="hr-1", user_name="ada")

    assert read_entries('{"externalId": "hr-1", "userName": "ada"}', JSON_LINES) == [bare]
    assert read_entries('{"externalId": "hr-1", "userName": "ada", "roles": null}', JSON_LINES) == [bare]
    assert read_entries("externalId,userName\nhr-1,ada\n", CSV) == [replace(bare, path=("line 2",))]
    assert bare.email == UNCHANGED and bare.roles is None


def test_a_list_that_is_given_empty_is_managed() -> None:
    text = '{"externalId": "hr-1", "userName": "ada", "roles": [], "teams": [], "access": []}'

    (user,) = read_entries(text, JSON_LINES)

    assert isinstance(user, UserDesired)
    assert (user.roles, user.teams, user.access) == ((), (), ())


def test_roles_and_teams() -> None:
    text = """
        {"role": {"key": "r", "displayName": "R", "description": "a\\nb", "parents": ["agent"], "grants": []}}
        {"team": {"key": "t", "kind": "QUEUE", "parent": "care", "roles": ["r"]}}
        {"team": {"key": "u", "parent": null}}
    """

    assert read_entries(text, JSON_LINES) == [
        RoleDesired(
            path=("line 2",), key="r", display_name="R", description="a\nb", parents=(key("agent"),), grants=()
        ),
        TeamDesired(
            path=("line 3",),
            key="t",
            kind=TeamKind.QUEUE,
            parent=key("care"),
            roles=(AssignmentDesired(role=key("r")),),
        ),
        TeamDesired(path=("line 4",), key="u", parent=None),
    ]


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ("a.b", GrantDesired(permission="a.b")),
        ("a.b = Modify", GrantDesired(permission="a.b", value=ValueInput("text", "Modify"))),
        ({"permission": "a.b", "contract": "C-1"}, GrantDesired(permission="a.b", contract=number("C-1"))),
        ({"permission": "a.b", "value": True}, GrantDesired(permission="a.b", value=ValueInput("on", True))),
        ({"permission": "a.b", "value": 3}, GrantDesired(permission="a.b", value=ValueInput("amount", 3))),
        ({"permission": "a.b", "value": "own"}, GrantDesired(permission="a.b", value=ValueInput("text", "own"))),
        ({"permission": "a.b", "value": {"on": False}}, GrantDesired(permission="a.b", value=ValueInput("on", False))),
        (
            {"permission": "a.b", "value": {"level": "x"}},
            GrantDesired(permission="a.b", value=ValueInput("level", "x")),
        ),
        (
            {"permission": "a.b", "value": {"scopes": ["own"]}},
            GrantDesired(permission="a.b", value=ValueInput("scopes", ("own",))),
        ),
        (
            {"permission": "a.b", "value": {"members": ["x", "y"]}},
            GrantDesired(permission="a.b", value=ValueInput("members", ("x", "y"))),
        ),
        ({"permission": "a.b", "value": {"amount": 0}}, GrantDesired(permission="a.b", value=ValueInput("amount", 0))),
        (
            {"permission": "a.b", "value": {"full": True}},
            GrantDesired(permission="a.b", value=ValueInput("full", True)),
        ),
        (
            {"permission": "a.b", "value": {"none": True}},
            GrantDesired(permission="a.b", value=ValueInput("none", True)),
        ),
    ],
)
def test_a_grant(grant: Any, expected: GrantDesired) -> None:
    (role,) = read_entries(json.dumps({"role": {"key": "r", "grants": [grant]}}), JSON_LINES)

    assert isinstance(role, RoleDesired)
    assert role.grants == (expected,)


def test_a_row_of_csv() -> None:
    text = HEADER + 'hr-1,ada,"Ada ""A"", L.",,NO,"agent; closer@C-1|x@y@C-2",care|line,\n'

    assert read_entries(text, CSV) == [
        UserDesired(
            path=("line 2",),
            external_id="hr-1",
            user_name="ada",
            display_name='Ada "A", L.',
            email=None,
            active=False,
            roles=(
                AssignmentDesired(role=key("agent")),
                AssignmentDesired(role=key("closer"), contract=number("C-1")),
                AssignmentDesired(role=key("x@y"), contract=number("C-2")),
            ),
            teams=(key("care"), key("line")),
            access=(),
        )
    ]


def test_csv_as_a_spreadsheet_saves_it() -> None:
    text = "\ufeff\r\nUSERNAME;externalid;DisplayName; Active \r\nada;hr-1;;\r\n;;;\r\n\r\nben;hr-2;Ben;FALSE\r\n"

    assert read_entries(text, CSV) == [
        UserDesired(path=("line 3",), external_id="hr-1", user_name="ada"),
        UserDesired(path=("line 6",), external_id="hr-2", user_name="ben", display_name="Ben", active=False),
    ]


@pytest.mark.parametrize(
    ("word", "active"),
    [("true", True), ("1", True), ("Yes", True), ("", True), ("FALSE", False), ("0", False), ("no", False)],
)
def test_words_for_active(word: str, active: bool) -> None:
    (user,) = read_entries(f"externalId,userName,active\nhr-1,ada,{word}\n", CSV)

    assert isinstance(user, UserDesired)
    assert user.active is active


def test_a_record_over_several_lines_stands_at_its_first() -> None:
    text = 'externalId,userName,roles\nhr-1,ada,"agent;\r\n closer"\nhr-2,ben,\n'

    assert [entry.path for entry in read_entries(text, CSV)] == [("line 2",), ("line 4",)]


DOCUMENT = """
# people
users:
  - {externalId: "0017", userName: 'yes', active: true}
  - externalId: hr-2
    userName: on
    email: null
    roles: [{role: agent, validFrom: 2026-01-01T00:00:00Z}]
roles:
  - {key: r, grants: [{permission: a.b, value: 2}]}
teams: []
"""


def test_a_document() -> None:
    items, reading = read(DOCUMENT, YAML)

    assert items == [
        UserDesired(path=("users", "0"), external_id="0017", user_name="yes"),
        UserDesired(
            path=("users", "1"),
            external_id="hr-2",
            user_name="on",
            email=None,
            roles=(AssignmentDesired(role=key("agent"), valid_from=datetime(2026, 1, 1, tzinfo=UTC)),),
        ),
        RoleDesired(
            path=("roles", "0"), key="r", grants=(GrantDesired(permission="a.b", value=ValueInput("amount", 2)),)
        ),
    ]
    assert reading.managed == set(Kind)


def test_a_document_in_json() -> None:
    text = json.dumps({"users": [{"externalId": "hr-\U0001f600", "userName": "ada"}]}, indent="\t")

    assert read_entries(text, YAML) == [UserDesired(path=("users", "0"), external_id="hr-\U0001f600", user_name="ada")]


# ---------------------------------------------------------------------- what is managed


@pytest.mark.parametrize(
    ("text", "feed_format", "managed", "is_empty"),
    [
        ("", JSON_LINES, {Kind.USERS}, True),
        (" \n\n", JSON_LINES, {Kind.USERS}, True),
        ('{"team": {"key": "t"}}', JSON_LINES, {Kind.TEAMS}, False),
        ('{"team": {"key": "t"}}\n{"role": {"key": "r", "grants": []}}', JSON_LINES, {Kind.TEAMS, Kind.ROLES}, False),
        ('{"team": {}}', JSON_LINES, {Kind.TEAMS}, False),
        ("nothing", JSON_LINES, set(), False),
        ("", CSV, {Kind.USERS}, True),
        (HEADER, CSV, {Kind.USERS}, True),
        ("nothing", CSV, {Kind.USERS}, False),
        ("", YAML, {Kind.USERS}, True),
        ("# nothing\n", YAML, {Kind.USERS}, True),
        ("users: []", YAML, {Kind.USERS}, True),
        ("roles: []", YAML, {Kind.ROLES}, True),
        ("{}", YAML, {Kind.USERS}, True),
        ("users: [", YAML, set(), False),
    ],
)
def test_what_a_feed_manages(text: str, feed_format: FeedFormat, managed: set[Kind], is_empty: bool) -> None:
    _, reading = read(text, feed_format)

    assert (set(reading.managed), reading.is_empty) == (managed, is_empty)


def test_what_a_feed_manages_is_not_known_before_its_end() -> None:
    reading = read_feed([b'{"externalId": "1", "userName": "a"}\n'], JSON_LINES)
    next(reading)

    with pytest.raises(RuntimeError, match="all of it"):
        _ = reading.managed


# ---------------------------------------------------------------------- faults


def user(**fields: Any) -> str:
    return json.dumps({"user": {"externalId": "hr-1", "userName": "ada"} | fields})


def role(*grants: Any) -> str:
    return json.dumps({"role": {"key": "r", "grants": grants}})


def valued(value: Any) -> str:
    return role({"permission": "x", "value": value})


@pytest.mark.parametrize(
    ("line", "path", "message", "spoiled"),
    [
        ("{", "", "it is no JSON", NOBODY),
        ('{"user": {"externalId": "hr-1"', "", "it is no JSON", NOBODY),
        ("[" * 100_000, "", "it is nested too deeply", NOBODY),
        ("x" * (MAX_LINE + 1), "", "the line is too long", NOBODY),
        ("17", "", "the line is no object", NOBODY),
        ("{}", "", "the line holds nothing", NOBODY),
        ('{"usr": {}}', "", "there is no entry `usr`; did you mean `user`?", NOBODY),
        ('{"user": {}, "role": {}}', "", "the line holds a `user` and a `role`", NOBODY),
        ('{"user": 1}', "", "`1` is no object", (Kind.USERS, None)),
        ('{"userName": "ada"}', "externalId", "`externalId` is missing", (Kind.USERS, None)),
        ('{"externalId": "hr-1"}', "userName", "`userName` is missing", HR_1),
        ('{"user": {"externalId": "hr-1", "userName": "a"}, "x": 1}', "x", "there is no field `x`", HR_1),
        (user(rolse=[]), "rolse", "there is no field `rolse`; did you mean `roles`?", HR_1),
        (user(externalId=17), "externalId", "`17` is no text", (Kind.USERS, None)),
        (user(externalId=" hr-1"), "externalId", "` hr-1` is not a name", (Kind.USERS, None)),
        (user(externalId="\ud800"), "externalId", "`\\ud800` is not a name", (Kind.USERS, None)),
        (user(userName=None), "userName", "null is no text", HR_1),
        (user(userName=""), "userName", "`` is not a name", HR_1),
        (user(displayName="a\u202eb"), "displayName", "`a\\u202eb` is not a name", HR_1),
        (user(email="ada"), "email", "`ada` is not an e-mail address", HR_1),
        (user(active="true"), "active", "`true` is neither true nor false", HR_1),
        (user(active=None), "active", "null is neither true nor false", HR_1),
        (user(roles="agent"), "roles", "`agent` is no list", HR_1),
        (user(roles=[1]), "roles 0", "`1` is no object", HR_1),
        (user(roles=["x", ""]), "roles 1", "`` is not a name", HR_1),
        (user(roles=[{}]), "roles 0 role", "`role` is missing", HR_1),
        (user(roles=[{"role": None}]), "roles 0 role", "null is no object", HR_1),
        (user(roles=[{"role": {"name": "x"}}]), "roles 0 role name", "there is no field `name`", HR_1),
        (user(roles=[{"role": {}}]), "roles 0 role", "0 names for one thing", HR_1),
        (user(teams=[{"id": "1", "key": "x"}]), "teams 0", "2 names for one thing", HR_1),
        (user(teams=[{"key": 1}]), "teams 0 key", "`1` is no text", HR_1),
        (
            user(roles=[{"role": "x", "validFrom": "2026-01-01T00:00:00"}]), "roles 0 validFrom",
            "`2026-01-01T00:00:00` is not a time with an offset", HR_1,
        ),
        (
            user(roles=[{"role": "x", "validUntil": "2026-02-30T00:00:00Z"}]), "roles 0 validUntil",
            "`2026-02-30T00:00:00Z` is not a time with an offset", HR_1,
        ),
        (user(access=["C-1:core"]), "access 0", "`C-1:core` is no access level", HR_1),
        (user(access=[":core:USER"]), "access 0 contract", "`` is not a name", HR_1),
        (user(access=["C-1::USER"]), "access 0 product", "`` is not a name", HR_1),
        (
            user(access=["C-1:core:USERS"]), "access 0 level",
            "there is no value `USERS`; did you mean `USER`?", HR_1,
        ),
        (user(access=[{"product": "core", "level": "USER"}]), "access 0 contract", "`contract` is missing", HR_1),
        ('{"role": {"key": "r"}}', "grants", "`grants` is missing", ROLE_R),
        ('{"role": {"key": "r", "grants": null}}', "grants", "null is no list", ROLE_R),
        (role(" = x"), "grants 0 permission", "`` is not a name", ROLE_R),
        (role({"value": 1}), "grants 0 permission", "`permission` is missing", ROLE_R),
        (valued(1.5), "grants 0 value", "`1.5` is no value", ROLE_R),
        (valued({}), "grants 0 value", "0 fields for one value", ROLE_R),
        (valued({"full": False}), "grants 0 value full", "false is not for `full`", ROLE_R),
        (valued({"amount": True}), "grants 0 value amount", "true is not for `amount`", ROLE_R),
        (valued({"members": [1]}), "grants 0 value members 0", "`1` is no text", ROLE_R),
        (valued({"lvel": "x"}), "grants 0 value lvel", "there is no field `lvel`; did you mean `level`?", ROLE_R),
        (valued("\ud800"), "grants 0 value", "this text is too long or has invisible characters", ROLE_R),
        (
            '{"team": {"key": "t", "kind": "GRUOP"}}', "kind",
            "there is no value `GRUOP`; did you mean `GROUP`?", (Kind.TEAMS, "t"),
        ),
        ('{"team": {"key": "t", "kind": null}}', "kind", "null is no text", (Kind.TEAMS, "t")),
        ('{"externalId": "hr-1", "userName": "a", "email": "", "email": null}', "", "the key `email` stands", HR_1),
        (
            '{"user": {"externalId": "hr-1", "externalId": "hr-2", "userName": "a"}}', "",
            "the key `externalId` stands twice", NOBODY,
        ),
        ('{"externalId": "hr-1", "userName": "a", "active": NaN}', "", "`NaN` is no JSON", HR_1),
        ('{"externalId": "hr-1", "userName": ' + "1" * 9999 + "}", "", f"the number `{'1' * 80}…` is too long", HR_1),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_faults_of_json_lines(line: str, path: str, message: str, spoiled: tuple[Kind | None, str | None]) -> None:
    good = '{"externalId": "hr-9", "userName": "zoe"}'

    items, _ = read(f"{good}\n{line}\n{good}", JSON_LINES)

    assert [isinstance(items[0], UserDesired), isinstance(items[-1], UserDesired)] == [True, True]
    fault = items[1]
    assert isinstance(fault, Fault)
    assert fault.path == ("line 2", *path.split())
    assert fault.message.startswith(message)
    assert (fault.kind, fault.key, fault.line, fault.code) == (*spoiled, 2, ErrorCode.INVALID_VALUE)
    assert fault.expected


def test_all_faults_of_an_entry_are_told() -> None:
    faults = read_faults(user(userName="", email="x", roles=[1, {"rol": 1}]), JSON_LINES)

    assert [fault.path[1:] for fault in faults] == [
        ("userName",), ("email",), ("roles", "0"), ("roles", "1", "rol"), ("roles", "1", "role"),
    ]  # fmt: skip
    assert {fault.key for fault in faults} == {"hr-1"}


@pytest.mark.parametrize("fields", [{"roles": [0] * 500}, {f"x{number}": 0 for number in range(500)}])
def test_faults_of_one_entry_come_to_an_end(fields: dict[str, Any]) -> None:
    assert len(read_faults(user(**fields), JSON_LINES)) == 100


def test_bytes_that_are_not_utf_8_spoil_their_line_and_tell_whose_it_was() -> None:
    line = b'{"externalId": "hr-1", "userName": "ada", "displayName": "J\xfcrgen"}'
    row = b"externalId,userName,displayName\nhr-1,ada,J\xfcrgen\nhr-2,ben,Ben\n"

    of_json = read_faults(line, JSON_LINES)
    of_csv = read_faults(row, CSV)

    assert [(fault.message, fault.key) for fault in of_json[:1]] == [("byte 60 of the line is not UTF-8", "hr-1")]
    assert [(fault.message, fault.key) for fault in of_csv[:1]] == [("byte 11 of the line is not UTF-8", "hr-1")]
    assert {fault.path[0] for fault in of_csv} == {"line 2"}


@pytest.mark.parametrize(
    ("text", "path", "message", "spoiled"),
    [
        ("hr-1,ada,,ada,,,,", "line 2 email", "`ada` is not an e-mail address", "hr-1"),
        ("hr-1,,,,,,,", "line 2 userName", "`` is not a name", "hr-1"),
        (",ada,,,,,,", "line 2 externalId", "`` is not a name", None),
        ("hr-1,ada,,,maybe,,,", "line 2 active", "`maybe` is neither true nor false", "hr-1"),
        ("hr-1,ada,,,,agent||x,,", "line 2 roles 1", "`` is not a name", "hr-1"),
        ("hr-1,ada,,,,agent@,,", "line 2 roles 0 contract", "`` is not a name", "hr-1"),
        ("hr-1,ada,,,,@C-1,,", "line 2 roles 0 role", "`` is not a name", "hr-1"),
        ("hr-1,ada,,,,,,C-1:core:BOSS", "line 2 access 0 level", "there is no value `BOSS`", "hr-1"),
        ("hr-1,ada,,,,,,C-1", "line 2 access 0", "`C-1` is no access level", "hr-1"),
        ("hr-1,ada,", "line 2", "3 cells under 8 columns", "hr-1"),
        ("hr-1,ada,,,,,,,x", "line 2", "9 cells under 8 columns", "hr-1"),
        ('hr-1,ada,"x"y,,,,,', "line 2", "the record cannot be read: ',' expected after '\"'", "hr-1"),
        ('hr-1,"ada', "line 2", "the record cannot be read: unexpected end of data", None),
        ("hr-1," + "x" * (MAX_LINE + 1), "line 2", "the record is too long", None),
        ("hr-1," + "x" * 200_000, "line 2", "the record cannot be read: field larger than field limit", "hr-1"),
        ('hr-1,ada,"a\nhr-2,b",,,,,', "line 2 displayName", "`a\\u000ahr-2,b` is not a name", None),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_faults_of_csv(text: str, path: str, message: str, spoiled: str | None) -> None:
    first, *inner = path.split(" ")[1:]
    items, _ = read(f"{HEADER}{text}\n", CSV)

    fault = items[0]
    assert isinstance(fault, Fault)
    assert fault.path == (f"line {first}", *inner)
    assert fault.message.startswith(message)
    assert (fault.kind, fault.key, fault.line) == (Kind.USERS, spoiled, int(first))


def test_a_broken_record_does_not_stop_the_next() -> None:
    items, _ = read(f'{HEADER}hr-1,ada,"x"y,,,,,\nhr-2\nhr-3,cem,,,,,,\n', CSV)

    assert [item.path for item in items] == [("line 2",), ("line 3",), ("line 4",)]
    assert isinstance(items[2], UserDesired)


def test_an_external_id_behind_a_broken_cell_is_not_trusted() -> None:
    text = "displayName,externalId,userName\nL, Ada,hr-1,ada\n" + '"Ada"L,hr-2,ben\n'

    assert [fault.key for fault in read_faults(text, CSV)] == [None, None]


def test_what_stands_in_quotes_is_never_read_as_a_row() -> None:
    """However long the cell: its lines would otherwise be people whom nobody listed."""
    forged = "\nhr-666,mallory,,,,agent,,\n"
    for filling in ("x" * 140_000, "x" * (MAX_LINE + 10), ("x" * 1000 + "\n") * 2000):
        items, _ = read(f'{HEADER}hr-1,ada,"{filling}{forged}",,,,,\nhr-2,ben,,,,,,\n', CSV)

        fault, last = items
        assert isinstance(fault, Fault) and isinstance(last, UserDesired)
        assert (fault.path, fault.kind, fault.key, last.external_id) == (("line 2",), Kind.USERS, None, "hr-2")


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        (
            "externalId,userNam",
            {
                "userNam": "there is no column `userNam`; did you mean `userName`?",
                "userName": "the column `userName` is missing",
            },
        ),
        ("externalId,userName,EXTERNALID", {"externalId": "the column `externalId` stands twice"}),
        ("userName", {"externalId": "the column `externalId` is missing"}),
        ("externalId,userName,", {"": "there is no column ``"}),
        (
            '"externalId',
            {
                '"externalId': "there is no column `\"externalId`",
                "externalId": "the column `externalId` is missing",
                "userName": "the column `userName` is missing",
            },
        ),
    ],
)  # fmt: skip
def test_faults_of_a_header(header: str, faults: dict[str, str]) -> None:
    items, _ = read(f"{header}\nhr-1,ada\n", CSV)

    found = {fault.path: fault.message for fault in items if isinstance(fault, Fault)}
    assert len(found) == len(items)
    assert found.keys() == {("line 1", name) for name in faults}
    assert all(found["line 1", name].startswith(message) for name, message in faults.items())
    assert {(fault.kind, fault.key) for fault in items if isinstance(fault, Fault)} == {NOBODY}


@pytest.mark.parametrize(
    ("text", "path", "line", "message"),
    [
        ("users: [}", "line 1", 1, ""),
        ("users: []\nusers: []", "line 2", 2, "the key `users` stands twice"),
        ('{"users": [],\n"users": []}', "line 2", 2, "the key `users` stands twice"),
        ("a: &a [1]\nb: *a", "line 1", 1, "anchors and aliases are not taken"),
        ("users: !!python/name:os.system x", "line 1", 1, "the tag `tag:yaml.org,2002:python/name:os.system`"),
        ("users: !!bool x", "line 1", 1, "the tag `tag:yaml.org,2002:bool`"),
        ("[1]: 2", "line 1", 1, "a key is no text"),
        ("users: " + "[" * 50 + "]" * 50, "line 1", 1, "it is nested too deeply"),
        ("users: " + "1" * 5000, "line 1", 1, "the number"),
        ("users: []\n---\nusers: []", "line 3", 3, "a second document begins here"),
        ("users: []\n# \x00", "", None, ""),
        ("x" * (MAX_DOCUMENT + 1), "", None, f"the document has more than {MAX_DOCUMENT} bytes"),
        (b"users: []\n# \xff", "line 2", 2, "the document is not UTF-8"),
        ("- 1", "", 1, "the document is no object"),
        ("user: []", "user", 1, "there is no list `user`; did you mean `users`?"),
        ("\nusers:\n", "users", 2, "`users` is no list"),
        ("users:\n - externalId: hr-1\n   userName: ''\n", "users 0 userName", 2, "`` is not a name"),
        ("users:\n - externalId: 17\n   userName: x\n", "users 0 externalId", 2, "`17` is no text"),
        ('{"users": [{"externalId": "1", "userName": ""}]}', "users 0 userName", None, "`` is not a name"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_faults_of_a_document(text: str | bytes, path: str, line: int | None, message: str) -> None:
    fault, *others = read_faults(text, YAML)

    assert others == []
    assert fault.path == ((path,) if path.startswith("line") else tuple(path.split()))
    assert fault.line == line
    assert fault.message.startswith(message)


def test_aliases_do_not_blow_a_document_up() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))]

    assert [fault.line for fault in read_faults("\n".join(lines), YAML)] == [1]


# ---------------------------------------------------------------------- streams


@pytest.mark.parametrize("feed_format", [JSON_LINES, CSV, YAML])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_may_be_cut_anywhere(feed_format: FeedFormat, size: int) -> None:
    text = {
        JSON_LINES: '\ufeff{"externalId": "hr-1", "userName": "ü"}\r\n\n{"x\n{"team": {"key": "t"}}',
        CSV: f'\ufeff{HEADER}hr-1,ü,"a, ""b""",,,"x;\ny",,\nhr-2\n',
        YAML: "\ufeff" + DOCUMENT,
    }[feed_format].encode()

    whole, _ = read(text, feed_format)
    cut = list(read_feed([text[at : at + size] for at in range(0, len(text), size)], feed_format))

    assert [repr(item) for item in cut] == [repr(item) for item in whole]
    assert len(whole) >= 2


def test_no_more_is_taken_than_has_been_read() -> None:
    taken = 0

    def lines() -> Iterator[bytes]:
        nonlocal taken
        for index in range(1000):
            taken += 1
            yield f'{{"externalId": "hr-{index}", "userName": "u{index}"}}\n'.encode()

    reading = read_feed(lines(), JSON_LINES)
    for _ in range(3):
        next(reading)

    assert taken == 3


# ---------------------------------------------------------------------- the examples


def test_the_examples_of_the_page_are_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text("utf-8")
    lines = page.partition("```json\n")[2].partition("```")[0]

    assert [type(entry) for entry in read_entries(lines, JSON_LINES)] == [UserDesired, RoleDesired, TeamDesired]


def people(name: str) -> list[UserDesired]:
    path = find_seeds() / name
    feed_format = FeedFormat.of_name(path.name)
    assert feed_format is not None
    with path.open("rb") as file:
        items = list(read_feed(file, feed_format))
    users = [item for item in items if isinstance(item, UserDesired)]
    assert len(users) == len(items)
    return users


def test_the_examples_say_the_same() -> None:
    of_csv, of_json = people("people.csv"), people("people.jsonl")

    assert [replace(user, path=()) for user in of_csv] == [replace(user, path=()) for user in of_json]
    assert len(of_csv) == 14


def test_the_examples_stay_below_the_ceiling_of_the_demo() -> None:
    world = read_document(find_seeds() / "demo.yaml").data["world"]
    ceiling = world["users"]["hr-sync"]["ceiling"]
    listed = people("people.csv")

    assert {user.external_id for user in listed} >= {
        person["external_id"] for person in world["users"].values() if person.get("source") == "hr"
    }
    for user in listed:
        assert user.roles is not None and user.teams is not None and user.access is not None
        assert {assignment.role.value for assignment in user.roles} <= set(ceiling["roles"])
        for assignment in user.roles:
            assert assignment.contract is None or assignment.contract.value in world["contracts"]
        for team in user.teams:
            of_team = world["teams"][team.value]
            given = of_team.get("roles", []) + world["teams"][of_team["parent"]].get("roles", [])
            assert {role if isinstance(role, str) else role["role"] for role in given} <= set(ceiling["roles"])
        for level in user.access:
            assert level.product in ceiling["levels"][level.contract.value]
            assert level.level in (AccessLevel.WITHOUT_ACCESS, AccessLevel.USER)
