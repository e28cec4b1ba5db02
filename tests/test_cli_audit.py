"""`permgate audit`: verifying the log and exporting its head, by whoever owns the machine (threat S11)."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.audit import FIRST_HASH
from app.domain.heads import is_signed_by, read_head
from app.domain.ids import audit_id
from tests.test_cli import Run, database, run

FIXTURES = (database, run)  # named, so that pytest finds them here too
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A file with a key, as an editor leaves it."""
    path = tmp_path / "audit.key"
    path.write_text(f"{SECRET}\n")
    return str(path)


def change(path: Path, *statements: str) -> None:
    """What somebody does who can write the file."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
        connection.commit()


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute("SELECT max(revision) FROM audit_entries").fetchone()[0]
        return found


@pytest.mark.parametrize("arguments", ["audit", "audit nothing", "audit verify extra", "audit verify --head none.json"])
def test_a_wrong_command_exits_64(run: Run, database: Path, arguments: str) -> None:
    assert run(*arguments.split()).status == 64


@pytest.mark.parametrize("command", ["audit", "audit verify", "audit head", "audit refusals"])
def test_every_command_has_help(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")

    assert result.status == 0
    assert f"Usage: permgate {command}" in result.out


def test_a_sound_log(run: Run, database: Path) -> None:
    last = count(database)

    result = run("audit", "verify")

    assert (result.status, result.err) == (0, "")
    assert re.fullmatch(rf"the log is sound: {last} entries, head [0-9a-f]{{64}}\n", result.out)


def test_verifying_changes_nothing(run: Run, database: Path, tmp_path: Path) -> None:
    """Nothing is migrated, no catalog put in force, though the files of the seeds are others now."""
    shutil.copytree(Path(__file__).parent / "seeds", tmp_path / "seeds")
    path = tmp_path / "seeds" / "desk.yaml"
    path.write_text(path.read_text("utf-8").replace("label: Desk", "label: Another"), "utf-8")
    before = count(database)

    assert run("audit", "verify", PERMGATE_SEEDS=str(tmp_path / "seeds")).status == 0
    assert run("audit", "head", PERMGATE_SEEDS=str(tmp_path / "seeds")).status == 0
    assert count(database) == before


TAMPERINGS = {
    "a flipped byte": (["UPDATE audit_entries SET actor = 'pesmgate' WHERE revision = 2"], 2, "content"),
    "a deleted row": (["DELETE FROM audit_entries WHERE revision = 4"], 4, "missing"),
    "two swapped": (
        [
            "UPDATE audit_entries SET revision = 0 WHERE revision = 4",
            "UPDATE audit_entries SET revision = 4 WHERE revision = 5",
            "UPDATE audit_entries SET revision = 5 WHERE revision = 0",
        ],
        4, "hash",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_s11_the_first_bad_entry_is_named(run: Run, database: Path, name: str) -> None:
    statements, revision, word = TAMPERINGS[name]
    change(database, *statements)

    result = run("audit", "verify")

    assert result.status == 1
    assert result.out.startswith(f"the first bad entry is that of revision {revision} ({audit_id(revision)}): ")
    assert word in result.out
    head = run("audit", "head")
    assert (head.status, head.out) == (1, "")
    assert f"revision {revision}" in head.err


def test_a_damaged_file_is_told(run: Run, database: Path) -> None:
    """A byte flipped in the file itself, in the text of an entry."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        hashes = dict(connection.execute("SELECT hash, revision FROM audit_entries"))
    content = database.read_bytes()
    digest, revision = max(hashes.items(), key=lambda item: item[1])
    place = content.rindex(digest.encode())
    database.write_bytes(content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 :])

    result = run("audit", "verify")

    assert result.status == 1
    assert f"revision {revision} " in result.out


# ---------------------------------------------------------------------- heads


def test_a_head_is_one_line_of_json_signed_by_the_key(run: Run, database: Path, key: str) -> None:
    result = run("audit", "head", PERMGATE_AUDIT_KEY_FILE=key)

    assert (result.status, result.err, len(result.lines)) == (0, "", 1)
    content = json.loads(result.out)
    assert list(content) == ["revision", "hash", "at", "signature"]
    assert content["revision"] == count(database)
    assert content["hash"] in run("audit", "verify").out
    assert is_signed_by(read_head(result.out), SECRET.encode())
    assert not is_signed_by(read_head(result.out), SECRET[::-1].encode())
    assert SECRET not in result.out


def test_without_a_key_it_says_that_it_is_not_signed(run: Run, database: Path) -> None:
    result = run("audit", "head")

    assert result.status == 0
    assert json.loads(result.out)["signature"] is None
    assert "not signed" in result.err
    assert "PERMGATE_AUDIT_KEY_FILE" in result.err


def test_a_log_holds_its_head(run: Run, database: Path, key: str, tmp_path: Path) -> None:
    head = tmp_path / "head.json"
    head.write_text(run("audit", "head", PERMGATE_AUDIT_KEY_FILE=key).out)
    revision = count(database)
    assert run("token", "issue", "ana", "--label", "more").status == 0

    result = run("audit", "verify", "--head", str(head), PERMGATE_AUDIT_KEY_FILE=key)

    assert result.status == 0
    assert f"it holds the signed head of revision {revision}, of " in result.out


def test_s11_a_cut_tail_and_an_old_file_show_against_the_head(
    run: Run, database: Path, key: str, tmp_path: Path
) -> None:
    shutil.copyfile(database, tmp_path / "old.db")
    old = count(database)
    assert run("token", "issue", "ana", "--label", "more").status == 0
    head = tmp_path / "head.json"
    head.write_text(run("audit", "head", PERMGATE_AUDIT_KEY_FILE=key).out)
    verify = ("audit", "verify", "--head", str(head))
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = database.read_bytes()

    change(
        database, f"DELETE FROM audit_subjects WHERE revision > {old - 2}",
        f"DELETE FROM audit_entries WHERE revision > {old - 2}",
    )  # fmt: skip
    assert run("audit", "verify").status == 0
    cut = run(*verify, PERMGATE_AUDIT_KEY_FILE=key)
    assert (cut.status, f"revision {old - 1} " in cut.out, "cut off" in cut.out) == (1, True, True)

    for content, status in ((whole, 0), ((tmp_path / "old.db").read_bytes(), 1)):
        for suffix in ("-wal", "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        database.write_bytes(content)
        result = run(*verify, PERMGATE_AUDIT_KEY_FILE=key)
        assert result.status == status
    assert f"revision {old + 1} " in result.out
    assert "older database" in result.out


def test_a_head_that_is_not_to_be_trusted_is_refused(run: Run, database: Path, key: str, tmp_path: Path) -> None:
    head, other = tmp_path / "head.json", tmp_path / "other.key"
    other.write_text(SECRET[::-1])
    signed = run("audit", "head", PERMGATE_AUDIT_KEY_FILE=key).out
    cases = {
        "not JSON": ("x", key), "forged": (signed.replace('"revision": ', '"revision": 1'), key),
        "unsigned": (run("audit", "head").out, key), "of another key": (signed, str(other)), "no key": (signed, None),
        "not UTF-8": (b"\xff", key), "empty": ("", key),
    }  # fmt: skip
    for name, (content, file) in cases.items():
        head.write_bytes(content if isinstance(content, bytes) else content.encode())
        environment = {} if file is None else {"PERMGATE_AUDIT_KEY_FILE": file}
        result = run("audit", "verify", "--head", str(head), **environment)
        assert (result.status, result.out) == (1, ""), name
        assert "head" in result.err, name

    head.write_text(cases["unsigned"][0] if isinstance(cases["unsigned"][0], str) else "")
    assert "it holds the unsigned head" in run("audit", "verify", "--head", str(head)).out


# ---------------------------------------------------------------------- what it needs


def test_a_database_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    result = run("audit", "verify")

    assert (result.status, result.out) == (78, "")
    assert result.err == f"there is no database `{tmp_path / 'permgate.db'}`\n"
    assert not (tmp_path / "permgate.db").exists()


def test_a_database_of_another_schema_is_left_alone(run: Run, database: Path) -> None:
    change(database, "UPDATE alembic_version SET version_num = '0001'")

    result = run("audit", "verify")

    assert (result.status, result.err) == (78, "the schema of the database is old: run `permgate migrate`\n")


def test_a_log_without_entries_is_sound(run: Run) -> None:
    assert run("migrate").status == 0

    assert run("audit", "verify").out == f"the log is sound: 0 entries, head {FIRST_HASH}\n"
    assert read_head(run("audit", "head").out).revision == 0


@pytest.mark.parametrize("content", [None, "", "short", " " * 64])
def test_a_key_that_is_none_is_a_fault_of_the_settings(
    run: Run, database: Path, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "wrong.key"
    if content is not None:
        path.write_text(content)

    result = run("audit", "head", PERMGATE_AUDIT_KEY_FILE=str(path))

    assert (result.status, result.out) == (78, "")
    assert result.err.startswith("PERMGATE_AUDIT_KEY_FILE: ")
    assert str(path) in result.err


def test_refused_attempts_are_printed_newest_first(run: Run, database: Path) -> None:
    rows = [("2026-06-01 09:00:00.000000", "ana", "usr_a"), ("2026-06-02 09:00:00.000000", "ben", "usr_b")]
    statement = (
        "INSERT INTO security_events (at, actor, actor_id, action, refusals) VALUES ('{}', '{}', '{}', '{}', '{}')"
    )
    refusals = '[["NOT_PERMITTED", "you may not"]]'
    change(database, *(statement.format(*row, "grantPermissions", refusals) for row in rows))

    result = run("audit", "refusals", "--limit", "2")

    assert result.status == 0
    told = [json.loads(line) for line in result.out.splitlines()]
    assert [(event["actor"], event["at"]) for event in told] == [
        ("ben", "2026-06-02T09:00:00+00:00"), ("ana", "2026-06-01T09:00:00+00:00"),
    ]  # fmt: skip
    assert told[0]["refusals"] == [["NOT_PERMITTED", "you may not"]]
    assert [json.loads(line)["actor"] for line in run("audit", "refusals", "--limit", "1").out.splitlines()] == ["ben"]


def test_where_nobody_was_refused_nothing_is_printed(run: Run, database: Path) -> None:
    result = run("audit", "refusals")

    assert (result.status, result.out) == (0, "")
