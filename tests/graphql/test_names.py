"""Natural keys: kept in NFC, compared exactly, shown as given; ids: opaque, never given twice."""

import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import pytest

from tests.factories import Gateway, executor

_COUNTER = itertools.count()  # user names for people who are made for their external id
NFC, NFD = "Zo\u00eb", "Zoe\u0308"


@dataclass(frozen=True)
class Key:
    """A natural key: the mutation that gives it, its field there, and the query that finds by it."""

    mutation: str
    field: str
    query: str
    ref: str
    rest: tuple[tuple[str, Any], ...] = ()

    async def give(self, gateway: Gateway, name: str) -> str:
        payload = await gateway.mutate(self.mutation, self._input(name))
        (found,) = [value["id"] for key, value in payload.items() if key in {"user", "role", "team", "contract"}]
        return str(found)

    async def refusals(self, gateway: Gateway, name: str) -> list[tuple[str, list[str]]]:
        return [(e["code"], e["path"]) for e in await gateway.refuse(self.mutation, self._input(name))]

    async def find(self, gateway: Gateway, name: str) -> Any:
        kind = f"{self.query.capitalize()}Ref"
        document = f"query ($ref: {kind}!) {{ {self.query}(ref: $ref) {{ id name: {self.ref} }} }}"
        return (await gateway.gql(document, {"ref": {self.ref: name}}))[self.query]

    def _input(self, name: str) -> dict[str, Any]:
        given = {self.field: name, **dict(self.rest)}
        if self.field == "externalId":
            given["userName"] = f"user {next(_COUNTER)}"
        return given


KEYS = {
    "userName": Key("createUser", "userName", "user", "userName"),
    "externalId": Key("createUser", "externalId", "user", "externalId"),
    "role": Key("createRole", "key", "role", "key"),
    "team": Key("createTeam", "key", "team", "key"),
    "contract": Key(
        "registerContract", "number", "contract", "number",
        rest=(("name", "x"), ("owner", {"userName": "olga"}), ("products", [])),
    ),
}  # fmt: skip

EVERY_KEY = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


@EVERY_KEY
async def test_is_kept_in_nfc_and_found_in_either_form(key: Key, gateway: Gateway) -> None:
    assert NFC != NFD
    found = await key.give(gateway, NFD)

    assert await key.find(gateway, NFC) == await key.find(gateway, NFD) == {"id": found, "name": NFC}
    for form in (NFC, NFD):
        assert await key.refusals(gateway, form) == [("DUPLICATE", [key.field])]


@EVERY_KEY
async def test_other_characters_make_another_name(key: Key, gateway: Gateway) -> None:
    """No case folding, no compatibility forms, no likeness: only the same characters are the same name."""
    names = [
        "ana",
        "Ana",
        "ANA",
        "an\u0430",
        "\uff41na",
        "stra\u00dfe",
        "strasse",
        "\ufb01n",
        "fin",
        "\u0131",
        "i",
        "a b",
    ]

    ids = [await key.give(gateway, name) for name in names]

    assert len(set(ids)) == len(names)
    for name, found in zip(names, ids, strict=True):
        assert await key.find(gateway, name) == {"id": found, "name": name}
    assert await key.find(gateway, "I") is None
    assert await key.find(gateway, "a  b") is None


INVISIBLE = {
    "nothing": "",
    "NUL": "a\u0000b",
    "tab": "a\tb",
    "line end": "a\nb",
    "soft hyphen": "a\u00adb",
    "zero width space": "a\u200bb",
    "zero width joiner": "a\u200db",
    "right to left": "a\u202eb",
    "isolate": "a\u2066b",
    "byte order mark": "\ufeffa",
    "line separator": "a\u2028b",
    "private use": "a\ue000b",
    "unassigned": "a\u0378b",
    "tag": "a\U000e0041b",
    "space before": " a",
    "space after": "a ",
    "no-break space after": "a\u00a0",
    "only a space": " ",
    "too long": "a" * 257,
}


@EVERY_KEY
async def test_what_cannot_be_seen_is_refused(key: Key, gateway: Gateway) -> None:
    for name in INVISIBLE.values():
        assert await key.refusals(gateway, name) == [("INVALID_VALUE", [key.field])]


# Letters by category, yet blank: they pass for an empty name, or make two names that look the same.
BLANK = {
    "Hangul filler": "\u3164",
    "Hangul filler within": "a\u3164b",
    "Hangul choseong filler": "\u115f",
    "halfwidth Hangul filler": "\uffa0",
    "combining grapheme joiner": "a\u034fb",
    "Khmer inherent vowel": "a\u17b4b",
    "Mongolian variation selector": "a\u180bb",
}


async def test_blank_letters_are_invisible_too(gateway: Gateway) -> None:
    taken = []
    for label, name in BLANK.items():
        payload = await gateway.send("createUser", {"userName": name, "dryRun": True})
        if [error["path"] for error in payload["errors"]] != [["userName"]]:
            taken.append(label)

    assert taken == []


@EVERY_KEY
async def test_up_to_256_characters(key: Key, gateway: Gateway) -> None:
    longest = "e\u0301" * 256  # in NFC half as many

    found = await key.give(gateway, longest)

    assert (await key.find(gateway, longest))["id"] == found
    assert await key.find(gateway, unicodedata.normalize("NFC", longest)) == {"id": found, "name": "\u00e9" * 256}


@EVERY_KEY
async def test_what_a_database_or_a_program_might_trip_over_is_a_name_like_any(key: Key, gateway: Gateway) -> None:
    names = ["'; DROP TABLE users; --", '"', "\\", "%", "_", "null", "NaN", "${x}", "<b>", "\U0001f600", "\u6c49\u5b57"]

    for name in names:
        found = await key.give(gateway, name)
        assert await key.find(gateway, name) == {"id": found, "name": name}


async def test_digits_alone_make_a_name_however_many(gateway: Gateway) -> None:
    """Directories number people with more digits than any number has; a text of digits is no number."""
    key = KEYS["externalId"]

    found = await key.give(gateway, "1" * 20)

    assert await key.find(gateway, "1" * 20) == {"id": found, "name": "1" * 20}


# ---------------------------------------------------------------------- ids


async def test_ids_are_opaque_and_all_different(gateway: Gateway) -> None:
    ids = [await gateway.create_user(f"user{number}") for number in range(20)]

    assert len(set(ids)) == 20
    assert all(re.fullmatch(r"usr_[0-9a-hjkmnp-tv-z]{26}", one) for one in ids)


async def test_an_id_is_never_given_twice(gateway: Gateway) -> None:
    """Chance that gives the same id again is caught: the request fails as a whole, and says nothing of why."""
    gateway.services.randomness = lambda size: b"\x07" * size
    await gateway.create_user("ana")

    async with gateway.unchanged():
        answer = await gateway.ask('mutation { createUser(input: {userName: "ben"}) { user { id } } }')

    (error,) = answer["errors"]
    assert answer["data"] is None
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert re.fullmatch(r"internal error, reference [0-9a-f]{12}", error["message"])


async def test_the_id_of_somebody_archived_is_never_given_again(gateway: Gateway) -> None:
    gateway.services.randomness = lambda size: b"\x07" * size
    await gateway.create_user("ana")
    await gateway.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "ARCHIVED"})

    async with gateway.unchanged():
        answer = await gateway.ask('mutation { createUser(input: {userName: "ben"}) { user { id } } }')

    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}


async def test_the_id_of_a_row_that_ended_is_never_given_again(world: Gateway) -> None:
    world.services.randomness = lambda size: b"\x07" * size
    given = {"holder": {"user": {"userName": "cleo"}}, "grants": [{"permission": "desk.reports.menu"}]}
    await world.mutate("grantPermissions", given)
    await world.mutate(
        "revokePermissions",
        {"holder": {"user": {"userName": "cleo"}}, "revokes": [{"permission": "desk.reports.menu"}]},
    )

    async with world.unchanged():
        answer = await world.ask(
            "mutation ($i: GrantPermissionsInput!) { grantPermissions(input: $i) { revision } }", {"i": given}
        )

    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}


def test_every_natural_key_is_tried_here() -> None:
    refs = {
        field
        for name, kind in executor().schema.type_map.items()
        if name in {"UserRef", "RoleRef", "TeamRef", "ContractRef"}
        for field in (f"{name}.{one}" for one in kind.fields)  # type: ignore[attr-defined]
        if not field.endswith(".id")
    }
    assert refs == {f"{key.query.capitalize()}Ref.{key.ref}" for key in KEYS.values()}


@EVERY_KEY
async def test_a_name_that_may_be_taken_for_another_is_warned_of_and_stays_another(gateway: Gateway, key: Key) -> None:
    """T32 of names: letters of two scripts in one word, and letters in another form, told by their numbers."""
    found = await key.give(gateway, "ada")

    for name, spelt in (("ad\u0430", "ad\\u0430"), ("\uff41da", "\\uff41da"), ("\u0391da", "\\u0391da")):
        payload = await gateway.send(key.mutation, key._input(name))
        assert payload["errors"] == []
        (warning,) = payload["warnings"]
        assert (warning["code"], warning["path"]) == ("ADVISORY", [key.field])
        assert f"`{spelt}`" in warning["message"]
    assert (await key.find(gateway, "ada"))["id"] == found


async def test_a_name_of_one_script_a_word_is_a_name_like_any(gateway: Gateway) -> None:
    for name in ("ada", "\u0430\u0434\u0430", "\u6c49\u5b57 kanji", "ad\u00e4", "ada \u0430\u0434\u0430", "a1\u0430"):
        payload = await gateway.mutate("createUser", {"userName": name})
        assert (name, payload["warnings"]) == (name, [])
