"""A server of PostgreSQL of our own, in a temporary folder, never one that others use.

`PERMGATE_TEST_POSTGRES` names another instead: an address of a superuser, such as `postgresql+asyncpg://me@host/postgres`.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url

OUTSIDE = "PERMGATE_TEST_POSTGRES"
USER = "postgres"  # the server refuses to run as root
# What is lost by a crash of the machine is of no interest here, and half of the time.
QUICK = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_wal_senders=0",
    "wal_level=minimal",
    "deadlock_timeout=100ms",  # after which a server looks whether two wait for each other
)


class Missing(Exception):
    """There is no server to be had; the message says why."""


def find_binaries() -> Path:
    """The folder of `initdb` and the others. Raises `Missing`."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in reversed(folders):
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise Missing(f"PostgreSQL is not installed here (no `initdb`), and {OUTSIDE} names no server")


class Server:
    """A server that was started for the tests, or one that is there already."""

    def __init__(self, url: URL, folder: Path | None = None, binaries: Path | None = None) -> None:
        self.url, self.folder, self.binaries = url, folder, binaries

    def address(self, database: str, user: str | None = None) -> str:
        """The address of a database of it."""
        url = self.url.set(database=database)
        return (url if user is None else url.set(username=user)).render_as_string(hide_password=False)

    def control(self, *arguments: str) -> None:
        """Has `pg_ctl` do something with a server of ours."""
        assert self.folder is not None and self.binaries is not None
        _run([self.binaries / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", *arguments])

    @property
    def pid(self) -> int:
        """The process of a server of ours that all others descend from."""
        assert self.folder is not None
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """A server, with these settings, until it is needed no more. Raises `Missing`."""
    binaries = find_binaries()
    if os.geteuid() == 0 and not _knows_user():
        raise Missing(f"PostgreSQL does not run as root, and there is no user `{USER}`")
    folder = Path(tempfile.mkdtemp(prefix="permgate-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        _run(
            [
                binaries / "initdb",
                "-D",
                folder / "data",
                "-U",
                USER,
                "-A",
                "trust",
                "-N",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ]
        )
        url = URL.create("postgresql+asyncpg", USER, host="127.0.0.1", port=_find_port(), database=USER)
        options = ("listen_addresses=127.0.0.1", f"port={url.port}", f"unix_socket_directories={folder}", *settings)
        with (folder / "data" / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in (option.split("=", 1) for option in options))
        server = Server(url, folder, binaries)
        server.control("-w", "start")
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_server() -> Iterator[Server]:
    """The server of this test run. Raises `Missing`."""
    if OUTSIDE in os.environ:
        yield Server(make_url(os.environ[OUTSIDE]))
        return
    with running(*QUICK) as server:
        yield server


def _run(command: list[object]) -> None:
    user = USER if os.geteuid() == 0 else None
    done = subprocess.run(
        [str(word) for word in command], user=user, group=user, extra_groups=[] if user else None, cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _knows_user() -> bool:
    import pwd

    return any(entry.pw_name == USER for entry in pwd.getpwall())


def _find_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
