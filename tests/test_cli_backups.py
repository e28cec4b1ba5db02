"""`permgate backup` and `restore` (F32): a sound copy of one moment while others write, and what comes of it."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.db.backups import making_copy
from app.services import context
from tests.factories import Clock, Gateway, Template, open_gateway, select
from tests.processes import start_writer, wait_for_its_first_word
from tests.test_cli import Run, database, run

FIXTURES = (database, run)  # named, so that pytest finds them here too


def count(path: Path) -> int:
    ((found,),) = select(path, "SELECT max(revision) FROM audit_entries")
    return int(found)


def told(journal: Path) -> int:
    """The latest revision that a writer was told of."""
    lines = [line.split("\t") for line in journal.read_text().splitlines()]
    return max((int(line[2]) for line in lines if line[0] == "told" and len(line) == 3), default=0)


def back_up_under_load(run: Run, template: Template, folder: Path, database: Path, *, times: int) -> None:
    journal = folder / "journal"
    writer = start_writer(database, journal, template.ids, name="writer")
    try:
        wait_for_its_first_word(journal)
        for number in range(times):
            before = told(journal)
            copy = folder / f"{number}.db"

            result = run("backup", str(copy))

            assert (result.status, result.left_open) == (0, 0)
            assert result.lines[0].startswith("the log is sound: ")
            assert before <= count(copy) <= count(database)
            assert copy.stat().st_mode & 0o777 == 0o600
            assert sorted(path.name for path in folder.glob(f"{number}.db*")) == [f"{number}.db"]
    finally:
        writer.kill()
        writer.join()


def test_f32_a_backup_under_load_is_of_one_moment_and_sound(
    run: Run, database: Path, stocked_template: Template, tmp_path: Path
) -> None:
    back_up_under_load(run, stocked_template, tmp_path, database, times=2)


@pytest.mark.deep
def test_f32_so_are_fifty(run: Run, database: Path, stocked_template: Template, tmp_path: Path) -> None:
    back_up_under_load(run, stocked_template, tmp_path, database, times=50)


def test_f32_what_was_restored_is_what_was_backed_up(run: Run, database: Path, tmp_path: Path) -> None:
    head = run("audit", "head")
    assert run("backup", str(tmp_path / "copy.db")).status == 0
    assert run("token", "issue", "ana", "--label", "after the backup").status == 0
    later = run("audit", "head")
    (tmp_path / "later").write_text(later.out)
    (tmp_path / "head").write_text(head.out)
    for path in tmp_path.glob("permgate.db*"):
        path.rename(tmp_path / f"old {path.name}")

    result = run("restore", str(tmp_path / "copy.db"))

    assert (result.status, result.left_open) == (0, 0)
    assert run("audit", "verify", "--head", str(tmp_path / "head")).status == 0
    found = run("audit", "verify", "--head", str(tmp_path / "later"))
    assert (found.status, "the first bad entry" in found.out) == (1, True), "an older file shows against a later head"


async def test_f32_who_has_seen_more_than_was_restored_is_told_so_and_gets_nothing_stale(
    stocked_template: Template, tmp_path: Path, shared_schema: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "REVISION_WAIT_S", 0.05)

    async def ask(gateway: Gateway, revision: int) -> tuple[int, str | None]:
        body = {"query": "{ revision }", "extensions": {"minRevision": str(revision)}}
        answer = (await gateway.post(body)).json()
        code = answer["errors"][0]["extensions"]["code"] if "errors" in answer else None
        return int(answer["extensions"]["revision"]), code

    async with open_gateway(stocked_template, tmp_path / "first.db", Clock()) as gateway:
        with making_copy(gateway.path, tmp_path / "copy.db"):
            backed_up = count(gateway.path)
        await gateway.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo"})
        seen = count(gateway.path)
    assert seen > backed_up

    restored = replace(stocked_template, path=tmp_path / "copy.db")
    async with open_gateway(restored, tmp_path / "restored.db", Clock()) as gateway:
        assert await ask(gateway, backed_up) == (backed_up, None)
        assert await ask(gateway, seen) == (backed_up, "REVISION_NOT_REACHED")


# ---------------------------------------------------------------------- what is refused


def test_nothing_is_overwritten(run: Run, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert run("backup", str(copy)).status == 0
    before = copy.read_bytes()

    again, back = run("backup", str(copy)), run("restore", str(copy))

    assert (again.status, back.status) == (78, 78)
    assert again.err == f"there is a file `{copy}` already: nothing is overwritten\n"
    assert back.err == f"there is a file `{database}` already: nothing is overwritten\n"
    assert copy.read_bytes() == before


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_what_lies_beside_a_database_that_is_gone_is_not_taken_for_part_of_a_new_one(
    run: Run, database: Path, tmp_path: Path, suffix: str
) -> None:
    assert run("backup", str(tmp_path / "copy.db")).status == 0
    database.unlink()
    Path(f"{database}{suffix}").write_bytes(b"of another")

    result = run("restore", str(tmp_path / "copy.db"))

    assert (result.status, result.err) == (
        78,
        f"there is a file `{database}{suffix}` already: nothing is overwritten\n",
    )
    assert not database.exists()


def test_a_damaged_database_gets_no_backup(run: Run, database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        ((root, size),) = connection.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master WHERE name = 'grants'"
        ).fetchall()
    content = bytearray(database.read_bytes())
    content[(root - 1) * size : root * size] = os.urandom(size)
    database.write_bytes(content)

    result = run("backup", str(tmp_path / "copy.db"))

    assert result.status == 78
    assert "damaged" in result.err or "malformed" in result.err
    assert list(tmp_path.glob("copy.db*")) == []


def test_a_log_that_is_not_sound_gets_no_backup(run: Run, database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE audit_entries SET reason = 'another' WHERE revision = 2")
        connection.commit()

    result = run("backup", str(tmp_path / "copy.db"))

    assert (result.status, result.out) == (1, "")
    assert "is not sound: revision 2: " in result.err
    assert list(tmp_path.glob("copy.db*")) == []


def test_a_database_of_an_older_version_is_backed_up_before_it_is_migrated(
    run: Run, database: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()

    result = run("backup", str(tmp_path / "copy.db"))

    assert (result.status, result.err) == (0, "the schema is of another version: the audit log was not verified\n")


def test_what_is_no_file_is_told(run: Run, database: Path, tmp_path: Path) -> None:
    nothing = run("restore", str(tmp_path / "nothing.db"))
    nowhere = run("backup", str(tmp_path / "no such folder" / "copy.db"))
    database.unlink()
    gone = run("backup", str(tmp_path / "copy.db"))

    assert [result.status for result in (nothing, nowhere, gone)] == [78, 78, 78]
    assert "No such file or directory" in nowhere.err
    assert f"there is no file `{database}`" in gone.err
    assert not database.exists()


def test_what_a_kill_left_behind_is_told_and_kept(run: Run, database: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db.partial").write_bytes(b"")

    result = run("backup", str(tmp_path / "copy.db"))

    assert (result.status, "what was broken off, or is under way" in result.err) == (78, True)
    assert (tmp_path / "copy.db.partial").exists()
