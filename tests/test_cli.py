"""The command line: every command, what it prints and how it exits. 64: a wrong command; 78: wrong settings."""

import gc
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import cli
from app.catalogs import catalog_files
from app.catalogs.documents import Document, read_document
from app.graphql.schema import print_schema
from app.settings import Settings
from tests.factories import SEEDS, Template

Run = Callable[..., "Result"]
ROOT = Path(__file__).parent.parent


def read_document_once(path: Path) -> Document:
    """The catalogs that all tests share are read once a process: it takes longer than most commands."""
    return _read_shared(path) if path.is_relative_to(ROOT) else read_document(path)


_read_shared = cache(read_document)


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    status: int
    out: str
    err: str
    left_open: int = field(default=0, compare=False)  # connections that nobody closed

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@pytest.fixture
def database(stocked_template: Template, tmp_path: Path) -> Path:
    """A database with a small contact centre in it; `factories.stock` says who is there."""
    path = tmp_path / "permgate.db"
    shutil.copyfile(stocked_template.path, path)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, over `permgate.db` of the test's folder."""
    monkeypatch.setattr(catalog_files, "read_document", read_document_once)
    for name in [name for name in os.environ if name.startswith("PERMGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PERMGATE_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'permgate.db'}")
    monkeypatch.setenv("PERMGATE_SEEDS", str(SEEDS))

    def do(*arguments: str, **environment: str) -> Result:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["permgate", *arguments])
            status: Any = 0
            escaped = ""
            try:
                cli.main()
            except SystemExit as exit_:
                status = exit_.code or 0
            except Exception as error:  # what a person would see as a traceback
                escaped = f"{type(error).__name__}: {error}".splitlines()[0]
        with warnings.catch_warnings(record=True) as left:
            warnings.simplefilter("always")
            if escaped or status not in {0, 64}:
                time.sleep(0.1 if escaped else 0)  # a connection that failed has a thread to end
                gc.collect()  # so that what is left open is told here, not in the middle of another test
        captured = capsys.readouterr()
        if escaped or "Traceback" in captured.err:
            pytest.fail(f"`permgate {' '.join(arguments)}` ends in a traceback: {escaped}", pytrace=False)
        left_open = sum(issubclass(warning.category, ResourceWarning) for warning in left)
        return Result(status, captured.out, captured.err, left_open)

    return do


# ---------------------------------------------------------------------- wrong commands and settings


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("--nothing",),
        ("demo", "--port", "x"),
        ("demo", "--port", "65536"),
        ("demo", "extra"),
        ("serve", "--nothing"),
        ("owner",),
        ("owner", "a", "b"),
        ("token",),
        ("token", "nothing"),
        ("token", "issue", "olga"),
        ("token", "issue", "--label", "x"),
        ("token", "issue", "olga", "--label", "x", "--expires-in", "soon"),
        ("token", "issue", "olga", "--label", "x", "--expires-in", "0d"),
        ("token", "issue", "olga", "--label", "x", "--expires-in", "-1d"),
        ("token", "issue", "olga", "--label", "x", "--expires-in", "1y"),
        ("token", "revoke"),
        ("schema", "extra"),
        ("catalog",),
        ("catalog", "check", "no such file.yaml"),
        ("check",),
        ("check", "ana"),
        ("check", "ana", "desk.reports.menu", "--nothing"),
        ("check", "ana", "desk.reports.menu", "extra"),
        ("explain", "ana"),
        ("backup",),
        ("restore",),
        ("config",),
        ("config", "check", "extra"),
        ("migrate", "--nothing"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_exits_64(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.status == 64
    assert result.out == ""
    assert "Usage: permgate" in result.err or "is no duration" in result.err


COMMANDS = [
    "demo", "serve", "migrate", "owner", "token", "token issue", "token revoke", "schema", "catalog", "catalog check",
    "check", "explain", "backup", "restore", "config", "config check",
]  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")

    assert result.status == 0
    assert f"Usage: permgate {command}".strip() in result.out
    assert len(result.out.splitlines()) >= 4


def test_serve_takes_what_is_promised(run: Run) -> None:
    """CLI.md: `permgate serve [--host] [--port] [--workers N]`."""
    assert set(re.findall(r"--(\w+)", run("serve", "--help").out)) >= {"host", "port", "workers"}


def test_the_version_is_told(run: Run) -> None:
    assert re.fullmatch(r"permgate, version \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize(
    "environment",
    [
        {"PERMGATE_DATABASE_URL": "postgresql://localhost/x"},
        {"PERMGATE_DATABASE_URL": "sqlite+aiosqlite://"},
        {"PERMGATE_DATABASE_URL": "sqlite+aiosqlite:///:memory:"},
        {"PERMGATE_DATABASE_URL": ""},
        {"PERMGATE_SEEDS": "/no/such/folder"},
        {"PERMGATE_GRAPHIQL": "yes"},
        {"PERMGATE_ALLOWED_ORIGINS": "https://app.example.com app.example.com"},
        {"PERMGATE_ALLOWED_ORIGINS": "https://app.example.com/"},
        {"PERMGATE_ALLOWED_ORIGINS": "*"},
        {"PERMGATE_JWT_ISSUERS": "/no/such/file"},
        {"PERMGATE_SYNC_MAX_BYTES": "1 GiB"},
        {"PERMGATE_SYNC_MAX_BYTES": "0"},
        {"PERMGATE_GRAPHQL": "on"},
    ],
    ids=str,
)
def test_wrong_settings_exit_78(run: Run, environment: dict[str, str]) -> None:
    result = run("migrate", **environment)

    assert (result.status, result.out) == (78, "")
    (name,) = environment
    assert result.err.startswith(f"{name}: ")


def test_every_fault_of_the_settings_stands_on_a_line(run: Run, tmp_path: Path) -> None:
    result = run(
        "check", "ana", "desk.reports.menu",
        PERMGATE_DATABASE_URL="x", PERMGATE_SEEDS=str(tmp_path / "none"), PERMGATE_GRAPHIQL="?", PERMGATE_NOTHING="1",
    )  # fmt: skip

    assert result.status == 78
    assert sorted(line.split(":")[0] for line in result.err.splitlines()) == [
        "PERMGATE_DATABASE_URL", "PERMGATE_GRAPHIQL", "PERMGATE_NOTHING", "PERMGATE_SEEDS"
    ]  # fmt: skip
    assert "PERMGATE_DATABASE_URL, PERMGATE_DRAIN_SECONDS" in result.err  # what there is, for what there is not


@pytest.mark.parametrize("command", ["serve", "serve --workers 2", "check ana desk.reports.menu"])
def test_s3_issuers_of_whom_anything_would_not_be_checked_stop_the_start(
    run: Run, tmp_path: Path, database: Path, command: str
) -> None:
    (tmp_path / "issuers.yaml").write_text("issuers:\n  - issuer: https://login.example.org/\n    algorithms: [none]\n")

    result = run(*command.split(), PERMGATE_JWT_ISSUERS=str(tmp_path / "issuers.yaml"))

    assert (result.status, result.out, result.left_open) == (78, "", 0)
    assert [line.split(": ")[:3] for line in result.err.splitlines()] == [
        ["PERMGATE_JWT_ISSUERS", "issuers.yaml:2", name] for name in ("audience", "claim", "names")
    ] + [
        ["PERMGATE_JWT_ISSUERS", "issuers.yaml:3", "algorithms"],
        ["PERMGATE_JWT_ISSUERS", "issuers.yaml:2", "keys_file"],
    ]


# ---------------------------------------------------------------------- migrate, owner, token


def test_migrate_makes_the_schema_and_again_does_nothing(run: Run, tmp_path: Path) -> None:
    assert run("migrate") == Result(0, "the schema is current\n", "")
    assert run("migrate") == Result(0, "the schema is current\n", "")

    connection = sqlite3.connect(tmp_path / "permgate.db")
    assert connection.execute("SELECT count(*) FROM audit_entries").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("command", ["migrate", "check ana desk.reports.menu"])
def test_a_database_that_cannot_be_opened_is_told_to_a_person(run: Run, tmp_path: Path, command: str) -> None:
    path = tmp_path / "no such folder" / "permgate.db"

    result = run(*command.split(), PERMGATE_DATABASE_URL=f"sqlite+aiosqlite:///{path}")

    assert result.status not in {0, 64}
    assert str(path) in result.err


def test_a_file_that_is_no_database_is_told_to_a_person(run: Run, tmp_path: Path) -> None:
    (tmp_path / "permgate.db").write_bytes(b"a letter to my aunt\n" * 200)

    result = run("migrate")

    assert result.status not in {0, 64}
    assert "permgate.db" in result.err


def test_a_database_of_a_newer_version_is_told_to_a_person(run: Run, database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    result = run("migrate")

    assert result.status not in {0, 64}
    assert "newer" in result.err


def test_the_first_owner_comes_with_a_token_and_only_once(run: Run) -> None:
    first = run("owner", "olga")
    again = run("owner", "otto")

    assert first.status == 0
    assert re.fullmatch(
        r"id      tok_[0-9a-z]{26}\nsecret  pgt_[0-9A-Za-z]{49}\n\nThe secret is not shown again\.\n", first.out
    )
    help_ = "an account owner makes others owners; `permgate token issue` makes a token"
    assert again == Result(1, "", f"there are users already: {help_}\n")
    assert run("check", "olga", "desk.reports.spy").status == 0


def test_an_owner_without_a_name_is_refused(run: Run) -> None:
    result = run("owner", "\u202e")

    assert result.status == 1
    assert result.err == "`\\u202e` is not a name (expected 1 to 256 visible characters, no space around them)\n"


def test_tokens_are_issued_and_revoked(run: Run, database: Path) -> None:
    issued = run("token", "issue", "ana", "--label", "her laptop", "--expires-in", "90d")
    assert issued.status == 0
    found = re.match(r"id      (tok_[0-9a-z]{26})\nsecret  (pgt_[0-9A-Za-z]{49})\n", issued.out)
    assert found is not None
    connection = sqlite3.connect(database)
    label, days, revoked = connection.execute(
        "SELECT label, julianday(expires_at) - julianday(created_at), revoked_at FROM tokens WHERE id = ?", [found[1]]
    ).fetchone()
    connection.close()
    assert (label, round(days, 3), revoked) == ("her laptop", 90.0, None)

    assert run("token", "revoke", found[1]) == Result(0, f"revoked {found[1]}\n", "")
    assert run("token", "revoke", found[1]) == Result(1, "", f"there is no token `{found[1]}`\n")


@pytest.mark.parametrize(("duration", "hours"), [("30m", 0.5), ("12h", 12)])
def test_durations(run: Run, database: Path, duration: str, hours: float) -> None:
    assert run("token", "issue", "ana", "--label", "x", "--expires-in", duration).status == 0

    connection = sqlite3.connect(database)
    statement = "SELECT (julianday(expires_at) - julianday(created_at)) * 24 FROM tokens WHERE label = 'x'"
    assert round(connection.execute(statement).fetchone()[0], 3) == round(hours, 3)
    connection.close()


def test_a_token_for_nobody_is_refused(run: Run, database: Path) -> None:
    assert run("token", "issue", "nobody", "--label", "x") == Result(1, "", "there is no user `nobody`\n")


# ---------------------------------------------------------------------- schema, catalog check


def test_schema_prints_the_schema(run: Run) -> None:
    result = run("schema")

    assert result == Result(0, f"{print_schema()}\n", "")
    assert result.out == (ROOT / "schema.graphql").read_text("utf-8")


def test_catalog_check_tells_what_is_in_sound_files(run: Run) -> None:
    result = run("catalog", "check", str(SEEDS / "desk.yaml"), str(SEEDS / "core.yaml"))

    assert result.status == 0
    assert re.fullmatch(r"20 permissions, 6 operations, digest [0-9a-f]{64}\n", result.out)


def test_catalog_check_checks_those_of_the_settings_where_none_is_named(run: Run) -> None:
    result = run("catalog", "check", PERMGATE_SEEDS=str(SEEDS))

    assert result.status == 0
    assert result == run("catalog", "check", str(SEEDS / "desk.yaml"), str(SEEDS / "core.yaml"))


def test_catalog_check_tells_every_fault_with_file_line_and_key(run: Run, tmp_path: Path) -> None:
    text = (SEEDS / "desk.yaml").read_text("utf-8")
    broken = tmp_path / "broken.yaml"
    text = text.replace("requires: reports.menu", "requires: reports.menus")
    broken.write_text(text.replace("implies: [staff.read_contacts]", "implies: [x]"))
    lines = broken.read_text("utf-8").splitlines()

    result = run("catalog", "check", str(broken))

    assert result.status == 1
    assert result.err == "faults: 2\n"
    assert len(result.lines) == 2
    for line, key, content in zip(
        result.lines,
        ["desk.reports.real_time", "desk.staff.edit_contacts"],
        ["permission: Real time", "permission: Edit contacts"],
        strict=True,
    ):
        found = re.match(r"broken\.yaml:(\d+): (\S+): .+", line)
        assert found is not None, line
        assert key in found[2]
        assert content in lines[int(found[1]) - 1]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"system: x\nlabel: [", "x.yaml:"),
        (b"\xff", "x.yaml:1: "),
        (b"", "x.yaml"),
        (b"- a\n- b\n", "x.yaml"),
        (b"system: x\nsystem: y\n", "x.yaml:2: "),
        (b"system: X Y\nlabel: l\nmanual: m\ngroups: []\n", "x.yaml:1: "),
        (b"system: x\nlabel: l\nmanual: m\ngroups: []\nnothing: 1\n", "x.yaml:5: "),
    ],
)
def test_catalog_check_tells_where_a_file_is_none(run: Run, tmp_path: Path, content: bytes, place: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)

    result = run("catalog", "check", str(tmp_path / "x.yaml"))

    assert result.status == 1
    assert all(line.startswith(place) for line in result.lines)
    assert len(result.lines) >= 1


def test_broken_seeds_stop_what_needs_them(run: Run, tmp_path: Path) -> None:
    shutil.copytree(SEEDS, tmp_path / "seeds")
    path = tmp_path / "seeds" / "desk.yaml"
    path.write_text(path.read_text("utf-8").replace("requires: reports.menu", "requires: reports.menus"))

    result = run("check", "ana", "desk.reports.menu", PERMGATE_SEEDS=str(tmp_path / "seeds"))

    assert result.status == 78
    assert re.match(r"desk\.yaml:\d+: ", result.err)


@pytest.mark.parametrize("command", ["check ana desk.reports.menu", "serve"])
def test_a_command_that_fails_leaves_no_connection_open(run: Run, tmp_path: Path, command: str) -> None:
    shutil.copytree(SEEDS, tmp_path / "seeds")
    (tmp_path / "seeds" / "broken.yaml").write_text("system: broken\n")

    result = run(*command.split(), PERMGATE_SEEDS=str(tmp_path / "seeds"))

    assert (result.status, result.left_open) == (78, 0)


# ---------------------------------------------------------------------- check, explain


@pytest.mark.parametrize(
    ("arguments", "status", "out"),
    [
        (("ana", "desk.reports.menu"), 0, "yes\n"),
        (("ana", "desk.reports.menu", "--contract", "C-1"), 0, "yes\n"),
        (("cleo", "desk.reports.menu"), 1, "no (not_granted)\n"),
        (("cleo", "desk.reports.menu", "--contract", "C-1"), 1, "no (not_granted)\n"),
        (("olga", "desk.staff.accounts.users", "--at-least", "Modify"), 0, "yes\n"),
        (("ana", "desk.staff.accounts.users", "--at-least", "Modify"), 1, "no (not_granted)\n"),
        (("olga", "desk.calls.channels", "--at-least", "3 channels"), 0, "yes\n"),
        (("olga", "desk.calls.channels", "--at-least", "3"), 0, "yes\n"),
        (("olga", "desk.calls.recordings", "--at-least", "same group"), 0, "yes\n"),
        (("olga", "desk.reports.open_real_time"), 0, "yes\n"),
        (("olga", "desk.calls.send_texts"), 1, "no (conditional)\n"),
    ],
)
def test_check_says_yes_or_no(run: Run, database: Path, arguments: Any, status: int, out: str) -> None:
    assert run("check", *arguments) == Result(status, out, "")


WRONG = [
    (("nobody", "desk.reports.menu"), "there is no user `nobody`\n"),
    (("ana", "desk.nothing"), "there is no node `desk.nothing`\n"),
    (("ana", "desk.reports"), "`desk.reports` is a group: ask for what lies in it\n"),
    (("ana", "desk.reports.menu", "--contract", "C-9"), "there is no contract `C-9`\n"),
    (("ana", "desk.reports.menu", "--at-least", "much"), "`much` is not a value of this right (expected on or off)\n"),
    (
        ("olga", "desk.calls.channels", "--at-least", "11"),
        "`11` is not a value of this right (expected an amount from 1 to 10, in channels)\n",
    ),
]


def test_a_wrong_question_exits_2(run: Run, database: Path) -> None:
    for arguments, message in WRONG:
        result = run("check", *arguments)
        assert (arguments, result.status, result.err) == (arguments, 2, message)
    assert run("explain", *WRONG[0][0]).status == 2


def test_every_fault_of_a_question_is_told(run: Run, database: Path) -> None:
    result = run("check", "nobody", "desk.reports.menu", "--contract", "C-9")

    assert (result.status, len(result.err.splitlines())) == (2, 2)


def test_a_name_is_found_in_either_unicode_form(run: Run, database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE users SET user_name = 'Zo\u00eb' WHERE user_name = 'ana'")
    connection.commit()
    connection.close()

    assert run("check", "Zoe\u0308", "desk.reports.menu").status == 0


def test_explain_says_why_and_what_would_change_it(run: Run, database: Path) -> None:
    no = run("explain", "ana", "desk.reports.spy")
    yes = run("explain", "ana", "desk.reports.menu")

    assert no.status == 1
    assert no.lines[0] == "No: nothing grants `Spy on calls`."
    assert no.lines[1] == "  passed   1. the user is active: active"
    assert no.lines[2] == "  decided  2. what is granted: granted: off"
    assert [line for line in no.lines if "would allow" in line] == [
        "  would allow: grant `Real time: on`; and grant `Spy on calls: on`"
    ]
    assert yes.status == 0
    assert yes.lines[0] == "Yes: `Reports menu` is held."
    assert len(yes.lines) == 8
    assert re.fullmatch(r"  would deny: end the assignment asg_[0-9a-z]{26}", yes.lines[7])


def test_asking_writes_nothing(run: Run, database: Path) -> None:
    run("check", "ana", "desk.reports.menu")
    connection = sqlite3.connect(database)
    before = list(connection.iterdump())

    run("check", "ana", "desk.reports.menu")
    run("explain", "ana", "desk.reports.menu")

    assert list(connection.iterdump()) == before
    connection.close()


# ---------------------------------------------------------------------- demo, serve: real processes


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command as a process of its own, its temporary files in the test's folder; ends what is left."""
    processes: list[subprocess.Popen[str]] = []
    (tmp_path / "tmp").mkdir()

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PERMGATE_")}
        process = subprocess.Popen(
            [sys.executable, "-c", "from app.cli import main; main()", *arguments],
            cwd=ROOT, env={**inherited, "TMPDIR": str(tmp_path / "tmp"), "PERMGATE_DRAIN_SECONDS": "0", **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # and the processes that it started, which hold its pipes
        process.communicate()


def find_free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_demo_prints_one_json_object_when_it_answers(started: Any, tmp_path: Path, number: signal.Signals) -> None:
    process = started("demo", "--port", "0", "--json")
    first = json.loads(process.stdout.readline())

    assert set(first) == {"graphql", "graphiql", "tokens"}
    assert set(first["tokens"]) == {"owner", "supervisor", "agent", "sync"}
    for token in first["tokens"].values():
        answer = httpx.post(
            first["graphql"], json={"query": "{ viewer { user { userName status } } systems { key } }"},
            headers={"authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert answer.status_code == 200
        assert answer.json()["data"]["viewer"]["user"]["status"] == "ACTIVE"
        assert {system["key"] for system in answer.json()["data"]["systems"]} >= {
            "core", "maxcontact", "ringover", "storm", "web2contact"
        }  # fmt: skip
    assert httpx.get(first["graphiql"]).status_code == 200
    assert len(list((tmp_path / "tmp").glob("permgate-demo-*/demo.db"))) == 1

    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert out == ""
    assert "Traceback" not in err
    assert list((tmp_path / "tmp").glob("permgate-demo-*")) == []  # it was a throw-away database


def test_demo_prints_addresses_and_tokens_for_people(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(services: Any, settings: Any, host: str, port: int, *, announce: Callable[[int], None]) -> None:
        assert settings.graphiql
        announce(8123)
        await services.close()

    monkeypatch.setattr(cli.commands, "_serve", serve)

    result = run("demo", PERMGATE_SEEDS=str(ROOT / "seeds"))
    assert result.status == 0
    assert result.lines[:2] == ["GraphQL   http://127.0.0.1:8123/graphql", "GraphiQL  http://127.0.0.1:8123/graphiql"]
    tokens = re.findall(r"^  (\w+) +(pgt_[0-9A-Za-z]{49})$", result.out, re.MULTILINE)
    assert [name for name, _ in tokens] == ["owner", "supervisor", "agent", "sync"]
    assert len({token for _, token in tokens}) == 4

    result = run("demo", "--host", "::1", "--json", PERMGATE_SEEDS=str(ROOT / "seeds"))
    assert json.loads(result.lines[0])["graphql"] == "http://[::1]:8123/graphql"
    assert len(result.lines) == 1


def test_demo_keeps_to_the_settings_but_for_what_is_thrown_away_with_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[Settings] = []

    async def serve(settings: Settings, *_: object, **__: object) -> None:
        served.append(settings)

    monkeypatch.setattr(cli.commands, "_serve_demo", serve)

    result = run(
        "demo", PERMGATE_INDEX="off", PERMGATE_MAX_DEPTH="9", PERMGATE_SNAPSHOT=str(tmp_path / "index"),
        PERMGATE_METRICS_PORT="9100",
    )  # fmt: skip
    assert result == Result(0, "", "")
    (settings,) = served
    assert (settings.index, settings.limits.max_depth, settings.graphiql) == (False, 9, True)
    assert (settings.snapshot, settings.metrics_port) == (None, None)
    assert "permgate-demo-" in settings.database_url


def test_a_port_that_is_taken_is_told_to_a_person(run: Run) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]

        result = run("demo", "--port", str(port), PERMGATE_SEEDS=str(ROOT / "seeds"))

    assert result.status == 1
    assert result.err == f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another `--port`\n"


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_answers_over_the_database_of_the_settings(started: Any, database: Path, run: Run, workers: str) -> None:
    secret = run("token", "issue", "ana", "--label", "x").out.split()[3]
    port = find_free_port()
    process = started(
        "serve", "--port", str(port), "--workers", workers,
        PERMGATE_DATABASE_URL=f"sqlite+aiosqlite:///{database}", PERMGATE_SEEDS=str(SEEDS),
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(f"{address}/readyz").status_code == 200
            break
        except httpx.TransportError:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    answer = httpx.post(
        f"{address}/graphql", json={"query": "{ viewer { user { userName } } }"},
        headers={"authorization": f"Bearer {secret}"},
    )  # fmt: skip
    assert answer.json()["data"] == {"viewer": {"user": {"userName": "ana"}}}
    assert "server" not in answer.headers
    assert httpx.get(f"{address}/livez").text == "alive\n"
    assert httpx.get(f"{address}/graphiql").status_code == 404  # off unless it is asked for

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in err
