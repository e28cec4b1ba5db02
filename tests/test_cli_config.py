"""`permgate config check`, and that no secret of the settings is shown by any command (threat S8)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Limits, Settings, mask_secrets, read_settings
from tests.factories import SEEDS
from tests.test_cli import Run, database, run

FIXTURES = (database, run)  # named, so that pytest finds them here too
PASSWORD = "s3cret-7731"
UNREACHABLE = f"postgresql+asyncpg://gateway:{PASSWORD}@127.0.0.1:1/permgate"  # nobody listens on port 1


def test_it_prints_each_setting_and_marks_what_nobody_has_set(run: Run, tmp_path: Path) -> None:
    result = run("config", "check", PERMGATE_MAX_DEPTH="12", PERMGATE_DRAIN_SECONDS="2.5")

    assert (result.status, result.err) == (0, "")
    names = [line.removeprefix("# ").partition("=")[0] for line in result.lines]
    expected = [*Settings.__dataclass_fields__, *Limits.__dataclass_fields__]
    assert names == [f"PERMGATE_{name.upper()}" for name in expected if name != "limits"]
    assert [line for line in result.lines if not line.startswith("# ")] == [
        f"PERMGATE_DATABASE_URL=sqlite+aiosqlite:///{tmp_path / 'permgate.db'}", f"PERMGATE_SEEDS={SEEDS}",
        "PERMGATE_DRAIN_SECONDS=2.5", "PERMGATE_MAX_DEPTH=12",
    ]  # fmt: skip


def test_what_it_prints_may_be_set(run: Run) -> None:
    printed = run("config", "check").lines
    pairs = (line.removeprefix("# ").partition("=")[::2] for line in printed)
    environment = {name: value for name, value in pairs if value}

    assert read_settings(environment) == read_settings(
        {name: os.environ[name] for name in ("PERMGATE_DATABASE_URL", "PERMGATE_SEEDS")}
    )


def test_every_fault_is_told_and_exits_78(run: Run, tmp_path: Path) -> None:
    (tmp_path / "issuers.yaml").write_text("issuers: []\n")
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "broken.yaml").write_text("system: broken\n")

    result = run(
        "config", "check",
        PERMGATE_JWT_ISSUERS=str(tmp_path / "issuers.yaml"), PERMGATE_SEEDS=str(tmp_path / "seeds"),
    )  # fmt: skip

    assert result.status == 78
    assert any(line.startswith("broken.yaml:") for line in result.err.splitlines())
    assert any(line.startswith("PERMGATE_JWT_ISSUERS: ") for line in result.err.splitlines())


@pytest.mark.parametrize(
    "environment",
    [
        {"PERMGATE_METRICS_PORT": "0"}, {"PERMGATE_METRICS_PORT": "65536"}, {"PERMGATE_METRICS_PORT": "x"},
        {"PERMGATE_DRAIN_SECONDS": "-1"}, {"PERMGATE_DRAIN_SECONDS": "121"}, {"PERMGATE_ACCESS_LOG": "yes"},
        {"PERMGATE_TRACES": "1"}, {"PERMGATE_DATABASE_URL_FILE": "/no/such/file"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_settings_of_operations_exit_78(run: Run, environment: dict[str, str]) -> None:
    result = run("config", "check", **environment)

    (name,) = environment
    assert result.status == 78
    assert any(line.startswith(f"{name}: ") for line in result.err.splitlines())


# ---------------------------------------------------------------------- S8


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (UNREACHABLE, "postgresql+asyncpg://gateway:***@127.0.0.1:1/permgate"),
        ("x://u:a%2Fb@h/d?password=p&ssl=on and y://u:@h", "x://u:***@h/d?password=***&ssl=on and y://u:***@h"),
        ("postgresql+asyncpg://gateway@h/d", "postgresql+asyncpg://gateway@h/d"),
        ("sqlite+aiosqlite:////data/a:b@c.db", "sqlite+aiosqlite:////data/a:b@c.db"),
        ("http://[::1]:8000/graphql", "http://[::1]:8000/graphql"),
    ],
)
def test_s8_passwords_are_left_out(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "command",
    ["config check", "migrate", "check ana desk.reports.menu", "audit verify", "backup copy.db", "restore copy.db"],
)
def test_s8_no_command_shows_the_password_of_the_database(run: Run, tmp_path: Path, command: str) -> None:
    file = tmp_path / "url"
    file.write_text(f"{UNREACHABLE}\n")

    by_variable = run(*command.split(), PERMGATE_DATABASE_URL=UNREACHABLE)
    os.environ.pop("PERMGATE_DATABASE_URL")
    by_file = run(*command.split(), PERMGATE_DATABASE_URL_FILE=str(file))

    assert by_variable == by_file
    assert by_variable.status == (0 if command == "config check" else by_variable.status) != 64
    assert PASSWORD not in by_variable.out + by_variable.err


@pytest.mark.deep
def test_s8_a_server_tells_nobody_its_password() -> None:
    """Neither by its log, nor by the list of processes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERMGATE_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", "0"],
        env={**environment, "PERMGATE_DATABASE_URL": UNREACHABLE, "PERMGATE_SEEDS": str(SEEDS)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    shown = Path(f"/proc/{process.pid}/cmdline").read_text()
    said, _ = process.communicate(timeout=60)

    assert process.returncode not in {0, 64}
    assert PASSWORD not in said + shown
    assert re.search("refused|cannot|reach|failed", said), said


def test_s8_no_command_takes_a_secret_as_an_argument(run: Run) -> None:
    """What is on a command line is seen by everybody on the machine."""
    helps = "".join(
        run(*command.split(), "--help").out
        for command in ("serve", "demo", "migrate", "token issue", "sync plan", "sync apply", "audit verify", "backup")
    )

    assert set(re.findall(r"--[\w-]*(?:token|secret|password|key|url)[\w-]*", helps)) == {
        "--url", "--token-file", "--idempotency-key",
    }  # fmt: skip
