"""F11: a database that cannot be served from is told in one line, and the process ends with 78 before it answers."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.factories import Template
from tests.test_cli import Run, run

__all__ = ["run"]

EX_CONFIG = 78
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are mounted by root alone, whom no file mode stops")


def put_a_letter(path: Path) -> None:
    path.write_bytes(b"a letter to my aunt\n" * 200)


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_a_newer_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def put_half_of_it(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


WRONG: dict[str, Callable[[Path], None]] = {
    "no database": put_a_letter,
    "a folder": put_a_folder,
    "a newer schema": put_a_newer_one,
    "half of a database": put_half_of_it,
}


def assert_refused(run: Run, path: Path) -> None:
    result = run("serve", PERMGATE_DATABASE_URL=f"sqlite+aiosqlite:///{path}")

    assert (result.status, result.out) == (EX_CONFIG, "")
    assert str(path) in result.err or "newer" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("what", WRONG)
def test_f11_what_is_no_database_of_ours_is_not_served(
    what: str, run: Run, stocked_template: Template, tmp_path: Path
) -> None:
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "served.db"))
    WRONG[what](path)

    assert_refused(run, path)


def test_f11_a_folder_that_is_missing_is_not_made(run: Run, tmp_path: Path) -> None:
    assert_refused(run, tmp_path / "no such folder" / "served.db")

    assert not (tmp_path / "no such folder").exists()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@ROOT
@pytest.mark.deep
def test_f11_a_file_that_cannot_be_written_is_not_served(run: Run, stocked_template: Template, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    path = Path(shutil.copyfile(stocked_template.path, folder / "served.db"))

    with read_only(folder):
        assert_refused(run, path)
