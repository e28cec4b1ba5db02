"""`permgate sync --url`: the demo's own job against a gateway in another process, and what may go wrong on the way."""

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli.remote import Address, RemoteGateway
from app.cli.running import Failed
from tests.test_cli import ROOT, Result, Run, run

__all__ = ["run"]  # a fixture
PEOPLE = ROOT / "seeds" / "people.csv"
LINES = ROOT / "seeds" / "people.jsonl"
README = (ROOT / "README.md").read_text("utf-8")
Sync = Callable[..., Result]


@dataclass(frozen=True)
class Demo:
    """A demo in a process of its own."""

    url: str
    tokens: dict[str, str]
    disk: Path  # where it keeps feeds while they come
    pid: int

    def ask(self, document: str, **variables: Any) -> Any:
        response = httpx.post(
            f"{self.url}/graphql", json={"query": document, "variables": variables},
            headers={"authorization": f"Bearer {self.tokens['owner']}"},
        )  # fmt: skip
        return response.json()["data"]

    def count_runs(self, source: str) -> int:
        found: int = self.ask("query($s: String) { syncRuns(source: $s) { totalCount } }", s=source)["syncRuns"][
            "totalCount"
        ]
        return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERMGATE_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "demo", "--json", "--port", "0"],
        env={**environment, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    yield Demo(first["graphql"].removesuffix("/graphql"), first["tokens"], folder, process.pid)
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err, err


@pytest.fixture
def sync(run: Run, demo: Demo, tmp_path: Path) -> Sync:
    """Runs `permgate sync` at the demo, as one of its callers."""

    def do(command: str, *arguments: str, caller: str = "sync", url: str | None = None) -> Result:
        token = tmp_path / f"{caller}.token"
        token.write_text(f"{demo.tokens.get(caller, caller)}\n")
        result = run("sync", command, *arguments, "--url", url or demo.url, "--token-file", str(token))
        assert demo.tokens.get(caller, caller) not in result.out + result.err
        return result

    return do


# ---------------------------------------------------------------------- the job of the demo


def test_the_example_feed_is_planned_applied_and_then_nothing_to_do(sync: Sync, demo: Demo, tmp_path: Path) -> None:
    planned = sync("plan", str(PEOPLE), "--source", "hr")
    assert planned.status == 2
    assert "+ hr-1001: person `astrid`" in planned.out

    found = re.search(r"^\.venv/bin/permgate sync (\w+) (\S+) (--source \S+) --url ", README, re.MULTILINE)
    assert found is not None
    applied = sync(found[1], str(ROOT / found[2]), *found[3].split(), "--yes")
    assert (applied.status, applied.out.splitlines()[-1][:19]) == (0, "applied as revision")
    for feed in (PEOPLE, LINES):
        for command, more in (("apply", ("--yes",)), ("plan", ())):
            again = sync(command, str(feed), "--source", "hr", *more)
            assert again.status == 0
            assert "nothing to do" in again.out

    for command, more in (("plan", ()), ("apply", ("--yes",))):
        by_hand = sync(command, str(PEOPLE), "--source", "manual", *more)
        assert (by_hand.status, by_hand.out.splitlines()[0][:18]) == (3, "! source: `manual`")

    for feed in (PEOPLE, LINES):
        half = tmp_path / f"half{feed.suffix}"
        lines = feed.read_text("utf-8").splitlines(keepends=True)
        half.write_text("".join(lines[: len(lines) // 2]), "utf-8")
        for command, more in (("plan", ()), ("apply", ("--yes",))):
            cut = sync(command, str(half), "--source", "hr", *more)
            assert cut.status == 3
            assert re.search(r"^  the brake: \d+ of \d+ people are suspended", cut.out, re.MULTILINE)

    listed = sync("runs", "--source", "hr")
    assert {line.split()[1] for line in listed.lines} == {"PLANNED", "APPLIED"}
    assert demo.ask('{ user(ref: {userName: "hugo"}) { status } }') == {"user": {"status": "ACTIVE"}}


def test_a_feed_that_breaks_a_prerequisite_says_which_line_and_which_right(sync: Sync, tmp_path: Path) -> None:
    feed = tmp_path / "roles.jsonl"
    feed.write_text('{"role": {"key": "removers", "grants": ["maxcontact.page_level_admin.dnc_bulk_removal"]}}\n')

    result = sync("plan", str(feed), "--source", "roles", caller="owner")

    assert result.status == 3
    assert re.search(r"^! line 1, grants, 0, permission: `.+` needs `.+`$", result.out, re.MULTILINE)
    assert "    about maxcontact.page_level_admin.dnc_bulk_removal\n" in result.out
    assert re.search(r"^    would mend it: grant `maxcontact\.\S+ = on`", result.out, re.MULTILINE)


def test_json_is_that_of_a_plan_at_home(sync: Sync) -> None:
    result = sync("plan", str(PEOPLE), "--source", "elsewhere", "--output", "json", caller="owner")

    answer = json.loads(result.out)
    assert list(answer) == ["run", "errors", "warnings", "items", "moreItems"]
    assert {"action", "subject", "path", "detail", "errors"} == set(answer["items"][0])


def test_more_items_than_a_page_are_shown(sync: Sync, tmp_path: Path) -> None:
    feed = tmp_path / "crowd.csv"
    feed.write_text("externalId,userName\n" + "".join(f"c-{n},crowd-{n}\n" for n in range(230)))

    result = sync("plan", str(feed), "--source", "crowd", "--all", caller="owner")

    assert (result.status, result.out.count("\n+ ")) == (2, 230)


def test_the_plan_of_a_broken_connection_goes_on(
    sync: Sync, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = tmp_path / "one.csv"
    feed.write_text("externalId,userName\none-1,one\n")

    def break_off(*_given: Any, **_more: Any) -> Any:
        raise Failed("no answer", 69)

    with monkeypatch.context() as patch:
        patch.setattr(RemoteGateway, "apply", break_off)
        assert sync("apply", str(feed), "--source", "one", "--yes", caller="owner").status == 69

    result = sync("apply", str(feed), "--source", "one", "--yes", caller="owner")

    assert result.status == 0
    assert "going on with the plan syn_" in result.err
    assert demo.count_runs("one") == 1


# ---------------------------------------------------------------------- who asks


@pytest.mark.parametrize("caller", ["agent", "supervisor"])
def test_a_caller_who_may_not_is_refused(sync: Sync, demo: Demo, caller: str) -> None:
    for command, more in (("plan", ()), ("apply", ("--yes",))):
        result = sync(command, str(PEOPLE), "--source", "theirs", *more, caller=caller)
        assert result.status == 3
        assert "Needs the right `gateway.sync.run`" in result.err
    assert sync("runs", caller="agent").status == 3
    assert demo.count_runs("theirs") == 0


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_wrong_token_is_refused(sync: Sync, output: str) -> None:
    result = sync("plan", str(PEOPLE), "--source", "hr", "--output", output, caller="pgt_nonsense")

    assert result.status == 3
    if output == "json":
        assert json.loads(result.out)["errors"][0]["code"] == "UNAUTHENTICATED"
    else:
        assert "a valid token is needed" in result.err


def test_the_token_may_come_by_the_environment_or_by_standard_input(
    run: Run, demo: Demo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = ("--url", f"{demo.url}/graphql/")

    assert run("sync", "runs", *where, PERMGATE_TOKEN=demo.tokens["sync"]).status == 0
    with (tmp_path / "token").open("w+") as file:
        file.write(demo.tokens["sync"] + "\n")
        file.seek(0)
        monkeypatch.setattr(sys, "stdin", file)
        assert run("sync", "runs", *where, "--token-file", "-").status == 0


@pytest.mark.parametrize("token", ["", "two words", "pgt_\u00e9", "a\nb"])
def test_what_is_no_token_is_not_sent(run: Run, tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)

    result = run("sync", "runs", "--url", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token"))

    assert result.status == 64
    assert "what is there is no token" in result.err


# ---------------------------------------------------------------------- on the wire


def test_a_connection_that_is_killed_in_the_middle_leaves_nothing(demo: Demo) -> None:
    address = Address.read(demo.url)
    head = (
        f"POST /sync/killed HTTP/1.1\r\nhost: {address.host}\r\nauthorization: Bearer {demo.tokens['owner']}\r\n"
        "content-type: text/csv\r\ncontent-length: 100000000\r\naccept: application/x-ndjson\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(head.encode() + b"externalId,userName\n" + b"k-1,killed\n" * 300_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")  # a word of how far it is: it has begun
        assert held_by(demo) == 1

    for _ in range(200):
        if held_by(demo) == 0:
            break
        threading.Event().wait(0.05)
    assert held_by(demo) == 0
    assert demo.count_runs("killed") == 0


def held_by(demo: Demo) -> int:
    """How many feeds the gateway holds on disk; they have no name."""
    links = []
    for number in os.listdir(f"/proc/{demo.pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{demo.pid}/fd/{number}"))
        except OSError:
            continue
    return sum(link.startswith(str(demo.disk)) and link.endswith("(deleted)") for link in links)


def test_nobody_at_the_address_is_told(sync: Sync) -> None:
    result = sync("plan", str(PEOPLE), "--source", "hr", url="http://127.0.0.1:1")

    assert (result.status, result.out) == (69, "")
    assert "no answer from the gateway at http://127.0.0.1:1: Connection refused" in result.err


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """Something at an address that is no gateway, or one that breaks off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the library asks for
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (404, b"<h1>not here</h1>", {}, "answers with 404, and not as a gateway does: is it the right address?"),
        (200, b"hello", {}, "answers with 200, and not as a gateway does"),
        (307, b"", {"location": "https://h.example/sync/hr"}, "points to https://h.example/sync/hr: give that address"),
        (200, b'{"progress": {"phase": "reading"}}\n', {"content_type": "application/x-ndjson"}, "broke off before it"),
        (200, b"not JSON\n", {"content_type": "application/x-ndjson"}, "the answer of the gateway is no JSON object"),
        (503, b'{"errors": [{"message": "oh\\u001b[2J"}]}', {}, "oh\ufffd[2J"),
    ],
)  # fmt: skip
def test_what_is_no_gateway_is_told(sync: Sync, status: int, body: bytes, headers: dict[str, str], words: str) -> None:
    with answering(status, body, **headers) as url:
        result = sync("plan", str(PEOPLE), "--source", "hr", url=url)

    assert (result.status, result.out) == (69, "")
    assert words in result.err


@pytest.mark.parametrize(
    ("url", "read", "shown"),
    [
        ("http://h", Address(False, "h", None, ""), "http://h"),
        ("https://h:8443/", Address(True, "h", 8443, ""), "https://h:8443"),
        ("https://h/permgate/graphql", Address(True, "h", None, "/permgate"), "https://h/permgate"),
        ("http://[::1]:8000/graphql", Address(False, "::1", 8000, ""), "http://[::1]:8000"),
    ],
)
def test_addresses(url: str, read: Address, shown: str) -> None:
    assert Address.read(url) == read
    assert str(read) == shown
