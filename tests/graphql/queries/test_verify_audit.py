"""verifyAudit: the log is what was written, or the first entry is named that is not.

The tampering of threat S11: a byte flipped, a row deleted, two swapped, the tail dropped, an old file put back.
"""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.domain.audit import canonical_text
from app.domain.callers import Right
from app.domain.heads import Head, print_head, sign_head
from app.domain.ids import audit_id
from tests.factories import START, Gateway, each_of, holder, select

DOCUMENT = "query ($head: String) { verifyAudit(head: $head) { ok entries head firstBadEntry problem } }"
KEY = bytes(range(32))
Tamper = Callable[[sqlite3.Connection], object]


async def verify(gateway: Gateway, head: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.gql(DOCUMENT, {"head": head}))["verifyAudit"]
    return found


def tamper(gateway: Gateway, *statements: str | Tamper) -> None:
    """What somebody does who can write the file: no rule of ours, and no foreign key, holds them back."""
    with closing(sqlite3.connect(gateway.path)) as connection:
        for statement in statements:
            if isinstance(statement, str):
                assert connection.execute(statement).rowcount != 0, statement
            else:
                statement(connection)
        connection.commit()


@pytest.fixture
async def log(world: Gateway) -> tuple[Gateway, int]:
    """A log with reasons, scopes and subjects in it, and the revision of an entry in its middle."""
    world.clock.advance(hours=1)
    menu = {"permission": "desk.reports.menu", "contract": {"number": "C-1"}}
    given = {"holder": holder(user="cleo"), "grants": [menu], "reason": "a reason of some length"}
    middle = int((await world.mutate("grantPermissions", given))["revision"])
    world.clock.advance(hours=1)
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo"})
    await world.mutate("updateRole", {"role": {"key": "agents"}, "displayName": "Agents"})
    return world, middle


async def test_a_log_that_nobody_touched_is_sound(log: tuple[Gateway, int]) -> None:
    world, middle = log

    assert await verify(world) == {
        "ok": True, "entries": middle + 2, "head": (await world.head())["hash"], "firstBadEntry": None, "problem": None
    }  # fmt: skip


async def test_every_way_to_alter_an_entry_is_found(log: tuple[Gateway, int]) -> None:
    world, middle = log
    where = f"WHERE revision = {middle}"
    changes = json.loads(select(world.path, f"SELECT changes FROM audit_entries {where}")[0][0])
    more = json.dumps([changes[0] | {"unknown": "x"}, *changes[1:]], ensure_ascii=False)
    spaced = json.dumps(changes, separators=(" , ", " : "), ensure_ascii=False)
    twice = json.dumps(changes, ensure_ascii=False).replace('{"action"', '{"action": "revoke", "action"', 1)
    alterations = {
        "who": "actor = 'permgate'", "who, by id": "actor_id = NULL", "when": "at = '2026-06-01 10:00:00.000001'",
        "when, in other words": "at = '2026-06-01T10:00:00.000000'", "when, not a time": "at = 'then'",
        "why": "reason = NULL", "source": "source = 'hr'", "what": "action = 'revokePermissions'",
        "its subjects": "subjects = '[]'", "its changes": "changes = '[]'", "no changes at all": "changes = 'null'",
        "what is no JSON": "changes = changes || ']'", "its contract": "scope = NULL",
        "a contract it is not of": "scope = 'con_0'", "its hash": "hash = 'f' || substr(hash, 2) || '0'",
        "the hash before": "previous_hash = hash", "bytes in place of text": "reason = CAST(reason AS BLOB)",
        "what is not UTF-8": "reason = CAST(x'61ff' AS TEXT)", "an empty reason": "reason = ''",
    }  # fmt: skip
    values = {"a key more": more, "white space": spaced, "a key twice": twice}
    for name, assignment in [*alterations.items(), *((name, "changes = ?") for name in values)]:
        parameters = [values[name]] if name in values else []
        kept = select(world.path, f"SELECT * FROM audit_entries {where}")[0]
        tamper(world, lambda c, a=assignment, p=parameters: c.execute(f"UPDATE audit_entries SET {a} {where}", p))  # type: ignore[misc]
        found = await verify(world)
        assert (found["ok"], found["firstBadEntry"], found["entries"]) == (False, audit_id(middle), middle - 1), name
        assert found["problem"], name
        marks = ", ".join("?" * len(kept))
        tamper(
            world, f"DELETE FROM audit_entries {where}",
            lambda c, k=kept, m=marks: c.execute(f"INSERT INTO audit_entries VALUES ({m})", k),  # type: ignore[misc]
        )  # fmt: skip
    assert (await verify(world))["ok"]


async def test_s11_a_flipped_byte_is_found_wherever_it_is(log: tuple[Gateway, int]) -> None:
    """One bit of one byte of one column of one entry, a hundred times."""
    world, _ = log
    chance = random.Random(11)
    last = await world.revision()
    columns = ["at", "actor", "actor_id", "source", "action", "reason", "subjects", "changes", "scope", "previous_hash"]
    for _ in range(100):
        revision, column = chance.randint(1, last), chance.choice([*columns, "hash"])
        (kept,) = select(world.path, f"SELECT CAST({column} AS BLOB) FROM audit_entries WHERE revision = ?", revision)[
            0
        ]
        if not kept:
            continue
        place, bit = chance.randrange(len(kept)), chance.randrange(8)
        flipped = kept[:place] + bytes([kept[place] ^ 1 << bit]) + kept[place + 1 :]
        update = f"UPDATE audit_entries SET {column} = CAST(? AS TEXT) WHERE revision = ?"
        tamper(world, lambda c, u=update, f=flipped, r=revision: c.execute(u, [f, r]))  # type: ignore[misc]
        found = await verify(world)
        assert (found["ok"], found["firstBadEntry"]) == (False, audit_id(revision)), (revision, column, flipped)
        tamper(world, lambda c, u=update, k=kept, r=revision: c.execute(u, [k, r]))  # type: ignore[misc]
    assert (await verify(world))["ok"]


@pytest.mark.parametrize("with_subjects", [True, False])
async def test_s11_a_deleted_row_is_named_itself(log: tuple[Gateway, int], with_subjects: bool) -> None:
    world, middle = log
    tamper(world, f"DELETE FROM audit_entries WHERE revision = {middle}")
    if with_subjects:
        tamper(world, f"DELETE FROM audit_subjects WHERE revision = {middle}")

    found = await verify(world)

    assert (found["ok"], found["firstBadEntry"], found["problem"]) == (False, audit_id(middle), "it is missing")
    assert found["entries"] == middle - 1


async def test_s11_two_that_were_swapped_are_found_at_the_first(log: tuple[Gateway, int]) -> None:
    world, middle = log
    tamper(
        world,
        f"UPDATE audit_entries SET revision = 0 WHERE revision = {middle}",
        f"UPDATE audit_entries SET revision = {middle} WHERE revision = {middle} + 1",
        f"UPDATE audit_entries SET revision = {middle} + 1 WHERE revision = 0",
    )

    assert (await verify(world))["firstBadEntry"] == audit_id(middle)


async def test_an_entry_before_the_first_and_one_between_are_found(log: tuple[Gateway, int]) -> None:
    world, middle = log
    names = [row[1] for row in select(world.path, "PRAGMA table_info(audit_entries)")]
    copy = f"INSERT INTO audit_entries SELECT {', '.join(n if n != 'revision' else '{}' for n in names)} "
    copy += "FROM audit_entries WHERE revision = 1"

    tamper(world, copy.format(-1))
    assert (await verify(world))["problem"] == "it stands before the first revision"
    tamper(world, "DELETE FROM audit_entries WHERE revision = -1", copy.format(middle + 0.5))
    assert (await verify(world))["problem"] == "its revision is no number"


async def test_what_finds_an_entry_is_verified_too(log: tuple[Gateway, int]) -> None:
    world, middle = log
    entry = audit_id(middle)
    cleo = f"subject = '{world.ids['cleo']}' AND revision = {middle}"

    tamper(world, f"DELETE FROM audit_subjects WHERE {cleo}")
    assert (await verify(world))["firstBadEntry"] == entry
    tamper(world, f"INSERT INTO audit_subjects VALUES ('{world.ids['cleo']}', {middle})")
    assert (await verify(world))["ok"]
    tamper(world, f"INSERT INTO audit_subjects VALUES ('{world.ids['ana']}', {middle})")
    assert (await verify(world))["firstBadEntry"] == entry
    tamper(
        world, f"UPDATE audit_subjects SET revision = 999 WHERE subject = '{world.ids['ana']}' AND revision = {middle}"
    )
    assert (await verify(world))["firstBadEntry"] == audit_id(middle + 3)


async def test_whoever_mends_the_hash_of_an_entry_breaks_the_next(log: tuple[Gateway, int]) -> None:
    world, middle = log
    rewrite(world, middle, middle)

    found = await verify(world)

    assert (found["firstBadEntry"], found["entries"]) == (audit_id(middle + 1), middle)


def rewrite(gateway: Gateway, first: int, last: int) -> None:
    """Gives the reason `forged` to an entry, and to it and those after it, up to the last, the hashes that fit."""

    def forge(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE audit_entries SET reason = 'forged' WHERE revision = ?", [first])
        connection.row_factory = sqlite3.Row
        for revision in range(first, last + 1):
            row = dict(connection.execute("SELECT * FROM audit_entries WHERE revision = ?", [revision]).fetchone())
            statement = "SELECT hash FROM audit_entries WHERE revision = ?"
            previous = connection.execute(statement, [revision - 1]).fetchone()[0]
            for column in ("hash", "scope", "changes_total", "parts_digest"):
                del row[column]
            row |= {
                "previous_hash": previous, "at": row["at"].replace(" ", "T") + "+00:00",
                "subjects": json.loads(row["subjects"]), "changes": json.loads(row["changes"]),
            }  # fmt: skip
            digest = sha256(canonical_text(row).encode()).hexdigest()
            statement = "UPDATE audit_entries SET previous_hash = ?, hash = ? WHERE revision = ?"
            connection.execute(statement, [previous, digest, revision])

    tamper(gateway, forge)


# ---------------------------------------------------------------------- against a head


async def take_head(gateway: Gateway, *, key: bytes | None = KEY) -> str:
    found = await verify(gateway)
    head = Head(revision=found["entries"], hash=found["head"], at=START)
    return print_head(head if key is None else sign_head(head, key))


@pytest.fixture
async def headed(log: tuple[Gateway, int]) -> tuple[Gateway, int, str]:
    """The log, the revision of an entry in its middle, and its head, signed."""
    world, middle = log
    world.services.audit_key = KEY
    return world, middle, await take_head(world)


async def test_a_log_holds_its_head_however_long_it_grows(headed: tuple[Gateway, int, str]) -> None:
    world, _, head = headed
    assert (await verify(world, head))["ok"]
    await world.create_users("dora", "emil")

    assert (await verify(world, head))["ok"]
    assert (await verify(world, f"  {head}\n"))["ok"]


async def test_s11_a_cut_tail_shows_against_the_head_alone(headed: tuple[Gateway, int, str]) -> None:
    world, middle, head = headed
    tamper(
        world, f"DELETE FROM audit_entries WHERE revision > {middle}",
        f"DELETE FROM audit_subjects WHERE revision > {middle}",
    )  # fmt: skip

    assert (await verify(world))["ok"]
    found = await verify(world, head)

    assert (found["ok"], found["firstBadEntry"], found["entries"]) == (False, audit_id(middle + 1), middle)
    assert "was cut off" in found["problem"]


async def test_s11_an_old_file_put_back_shows_against_the_head_alone(log: tuple[Gateway, int], tmp_path: Path) -> None:
    world, middle = log
    world.services.audit_key = KEY
    with closing(sqlite3.connect(world.path)) as source, closing(sqlite3.connect(tmp_path / "old.db")) as old:
        source.backup(old)
    await world.create_users("dora", "emil")
    head = await take_head(world)
    await world.services.database.engine.dispose()
    put_back(tmp_path / "old.db", world.path)

    assert (await verify(world))["ok"]
    found = await verify(world, head)

    assert (found["ok"], found["firstBadEntry"]) == (False, audit_id(middle + 3))
    assert "older database" in found["problem"]


def put_back(old: Path, path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(old, path)


async def test_a_log_written_anew_shows_against_the_head_alone(headed: tuple[Gateway, int, str]) -> None:
    world, middle, head = headed
    rewrite(world, middle, middle + 2)

    assert (await verify(world))["ok"]
    found = await verify(world, head)

    assert (found["ok"], found["firstBadEntry"]) == (False, audit_id(middle + 2))  # of which the head knows
    assert "written anew" in found["problem"]


async def test_a_head_that_is_not_to_be_trusted_is_refused(headed: tuple[Gateway, int, str]) -> None:
    world, _, head = headed
    content = json.loads(head)
    unsigned = await take_head(world, key=None)
    wrong = {
        "no JSON": "x", "no object": "[]", "half of it": head[:-5], "too long": head + " " * 2000,
        "a key more": json.dumps(content | {"more": 1}), "no revision": json.dumps(content | {"revision": "5"}),
        "a flag": json.dumps(content | {"revision": True}), "no hash": json.dumps(content | {"hash": "x"}),
        "no time": json.dumps(content | {"at": "then"}),
        "no offset": json.dumps(content | {"at": "2026-06-01T09:00:00"}),
        "another revision": json.dumps(content | {"revision": content["revision"] - 1}),
        "another time": json.dumps(content | {"at": "2027-06-01T09:00:00+00:00"}),
        "another hash": json.dumps(content | {"hash": "0" * 63 + "1"}),
        "no signature": unsigned, "another signature": json.dumps(content | {"signature": "0" * 64}),
        "of another key": await take_head(world, key=KEY[::-1]),
    }  # fmt: skip

    for name, text in wrong.items():
        code, message = await world.fault(DOCUMENT, {"head": text})
        assert (code, message.split(":")[0]) == ("BAD_USER_INPUT", "head"), name

    world.services.audit_key = None
    assert "without the key" in (await world.fault(DOCUMENT, {"head": head}))[1]
    assert (await verify(world, unsigned))["ok"]


# ---------------------------------------------------------------------- who may


@each_of("contract", ["nowhere", "C-1"])
async def test_it_needs_the_right_to_view_history_everywhere(log: tuple[Gateway, int], contract: str) -> None:
    world, _ = log
    rights = [Right.VIEW_HISTORY] if contract == "C-1" else [Right.VIEW_USERS]
    token = await world.trust("ana", *rights, contract="C-1" if contract == "C-1" else None)

    answer = await world.ask(DOCUMENT, token=token)

    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


async def test_whoever_has_the_right_everywhere_may(log: tuple[Gateway, int]) -> None:
    world, _ = log
    token = await world.trust("cleo", Right.VIEW_HISTORY)

    assert (await world.gql(DOCUMENT, token=token))["verifyAudit"]["ok"]
