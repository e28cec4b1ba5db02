"""`permgate sync` over a database: what is printed, how it exits, what is left when it is cut off."""

import contextlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.catalogs.feeds import FeedFormat
from app.cli import gateways
from app.cli.progress import Log, say_bytes, telling_progress
from tests.factories import SEEDS, select
from tests.test_cli import Result, Run, database, run

__all__ = ["database", "run"]  # fixtures
PEOPLE = """\
externalId,userName,roles
e-dora,dora,agents
e-emil,emil,
"""
Sync = Callable[..., Result]


@pytest.fixture
def sync(run: Run, database: Path, tmp_path: Path) -> Sync:
    """Runs `permgate sync` over a small contact centre, as its owner; a feed is given by its name and content."""

    def do(
        command: str, *arguments: str, name: str = "people.csv", feed: str | bytes | None = None, **more: str
    ) -> Result:
        given = list(arguments)
        if feed is not None:
            path = tmp_path / name
            path.write_bytes(feed.encode() if isinstance(feed, str) else feed)
            given += [str(path), "--source", "hr"]
        if "--as" not in given and "--url" not in given:
            given += ["--as", "olga"]
        return run("sync", command, *given, **more)

    return do


def crowd(number: int) -> str:
    return "externalId,userName\n" + "".join(f"e-{n},crowd-{n}\n" for n in range(number))


def statuses(database: Path) -> list[str]:
    """What has become of every run, in their order."""
    return [status for (status,) in select(database, "SELECT status FROM sync_runs ORDER BY number")]


def blur(text: str) -> str:
    return re.sub(r"syn_\w{26}", "SYN", re.sub(r"\b[0-9a-f]{64}\b", "HASH", text))


# ---------------------------------------------------------------------- wrong commands


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("plan", "Missing argument 'FILE'"),
        ("plan FILE", "Missing option '--source'"),
        ("plan FILE --source hr", "say as whom with `--as USERNAME`"),
        ("plan FILE --source hr --as olga --url http://h", "--as goes without --url"),
        ("plan FILE --source hr --as olga --token-file t", "--token-file goes with --url"),
        ("plan FILE --source hr --url ftp://h", "expected an address such as"),
        ("plan FILE --source hr --url http://u:p@h", "expected an address such as"),
        ("plan FILE --source hr --url http://h/?x=1", "without `?` and `#`"),
        ("plan FILE --source hr --url http://h:99999", "--url: "),
        ("plan FILE --source hr --url http://h", "give a file with the token by --token-file, or set PERMGATE_TOKEN"),
        ("plan FILE --source hr --url http://h --token-file none", "`none` cannot be read"),
        ("plan FILE --source hr --as olga --max-removals -1", "--max-removals"),
        ("plan FILE --source hr --as olga --max-removals x", "--max-removals"),
        ("plan FILE --source hr --as olga --output xml", "--output"),
        ("plan FILE --source hr --as olga --idempotency-key \u00e9", "--idempotency-key: expected"),
        ("plan none.csv --source hr --as olga", "does not exist"),
        ("plan notes.txt --source hr --as olga", "`notes.txt` has none of the suffixes .csv, .jsonl"),
        ("plan pipe.csv --source hr --as olga", "save the feed first"),
        ("apply --as olga --yes", "give a FILE with --source, or --plan with --fingerprint"),
        ("apply FILE --as olga --yes", "FILE goes with --source"),
        ("apply FILE --source hr --as olga", "give --yes to apply without a question"),
        ("apply FILE --source hr --plan x --fingerprint y --as olga --yes", "give a FILE with --source, or --plan"),
        ("apply FILE --source hr --fingerprint y --as olga --yes", "--fingerprint goes with --plan"),
        ("apply --plan x --as olga --yes", "--plan goes with --fingerprint"),
        ("apply --plan x --fingerprint y --partial --as olga --yes", "says by itself how its feed is meant"),
        ("apply FILE --source hr --override-brake --as olga --yes", "--override-brake needs --reason"),
        ("apply FILE --source hr --override-brake --reason= --as olga --yes", "--override-brake needs --reason"),
        ("runs", "say as whom"),
        ("runs --as olga --limit 0", "--limit"),
    ],
)
def test_a_wrong_command_exits_64(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "notes.txt").write_text(PEOPLE)
    os.mkfifo(tmp_path / "pipe.csv")

    result = run("sync", *("people.csv" if word == "FILE" else word for word in arguments.split()))

    assert (result.status, result.out) == (64, "")
    assert words in " ".join(result.err.split())
    assert not (tmp_path / "permgate.db").exists()


@pytest.mark.parametrize("command", ["", "plan", "apply", "runs"])
def test_every_command_has_help(run: Run, command: str) -> None:
    result = run("sync", *command.split(), "--help")

    assert result.status == 0
    assert "Usage: permgate sync" in result.out


def test_wrong_settings_exit_78(sync: Sync) -> None:
    assert sync("plan", feed=PEOPLE, PERMGATE_SYNC_BRAKE_SHARE="2").status == 78


def test_a_token_in_the_environment_is_no_wrong_setting(sync: Sync) -> None:
    assert sync("plan", feed=PEOPLE, PERMGATE_TOKEN="pgt_x").status == 2


# ---------------------------------------------------------------------- planning


def test_a_plan_says_what_it_would_do_and_does_none_of_it(sync: Sync, database: Path) -> None:
    result = sync("plan", feed=PEOPLE)

    assert result.status == 2
    assert blur(result.out) == (
        "plan SYN of `hr` at revision 17: planned\n"
        "  3 to make, 0 to change, 0 to end, 0 to suspend; people who lose a right: 0; entries as they are: 0\n"
        "is made:\n"
        "+ e-dora: person `dora` (displayName: dora; email: none)  (line 2)\n"
        "+ e-dora: role `agents`  (line 2, roles, 0)\n"
        "+ e-emil: person `emil` (displayName: emil; email: none)  (line 3)\n"
        "to apply it: permgate sync apply --plan SYN --fingerprint HASH --as olga\n"
    )
    assert result.err == "reading 58 B\ncomparing\nweighing\nkeeping\n"
    assert statuses(database) == ["PLANNED"]
    assert select(database, "SELECT count(*) FROM users WHERE user_name = 'dora'") == [(0,)]


@pytest.mark.parametrize(
    ("name", "feed"),
    [
        ("people.jsonl", '{"externalId": "e-dora", "userName": "dora"}\n'),
        ("people.NDJSON", '{"user": {"externalId": "e-dora", "userName": "dora"}}\n'),
        ("people.yaml", "users: [{externalId: e-dora, userName: dora}]"),
        ("people.json", '{"users": [{"externalId": "e-dora", "userName": "dora"}]}'),
    ],
)
def test_the_suffix_says_the_format(sync: Sync, name: str, feed: str) -> None:
    result = sync("plan", name=name, feed=feed)

    assert result.status == 2
    assert "+ e-dora: person `dora`" in result.out


def test_a_long_plan_is_cut_unless_all_of_it_is_wanted(sync: Sync) -> None:
    cut, whole = sync("plan", feed=crowd(120)), sync("plan", "--all", feed=crowd(120))

    assert (cut.out.count("\n+ "), whole.out.count("\n+ ")) == (50, 120)
    assert "  ... `--all` shows what else\n" in cut.out
    assert "..." not in whole.out


@pytest.mark.parametrize(("more", "shown"), [((), 50), (("--all",), 120)])
def test_json_is_one_object_and_nothing_else(sync: Sync, more: tuple[str, ...], shown: int) -> None:
    result = sync("plan", "--output", "json", *more, feed=crowd(120))

    assert result.status == 2
    answer = json.loads(result.out)
    assert list(answer) == ["run", "errors", "warnings", "items", "moreItems"]
    assert (answer["run"]["source"], answer["run"]["creates"], answer["errors"]) == ("hr", 120, [])
    assert (len(answer["items"]), answer["moreItems"]) == (shown, shown < 120)
    assert answer["items"][1] == {
        "action": "CREATE", "subject": "e-1", "path": ["line 3"],
        "detail": "person `crowd-1` (displayName: crowd-1; email: none)", "errors": [],
    }  # fmt: skip


BROKEN = """\
{"role": {"key": "listeners", "grants": ["desk.reports.real_time"]}}
{"user": {"externalId": "e-dora", "userName": "dora", "roels": []}}
{"user": {"externalId": "e-emil", "userName": "emil"}}
"""


def test_a_broken_prerequisite_is_told_by_line_and_right(sync: Sync) -> None:
    result = sync("plan", name="people.jsonl", feed=BROKEN)

    assert result.status == 3
    assert "! line 1, grants, 0, permission: `Real time` needs `Reports menu`\n" in result.out
    assert "    about desk.reports.real_time\n    would mend it: grant `desk.reports.menu = on`\n" in result.out
    assert re.search(r"^! line 2, roels: .*did you mean `roles`\?\n    expected `externalId`", result.out, re.MULTILINE)


def test_faults_stand_in_json_as_well(sync: Sync) -> None:
    result = sync("plan", "--output", "json", name="people.jsonl", feed=BROKEN)

    answer = json.loads(result.out)
    assert (result.status, answer["run"]["status"], len(answer["errors"])) == (3, "REFUSED", 2)
    assert {item["action"] for item in answer["items"]} == {"REFUSED", "CREATE"}


def test_many_faults_are_cut_unless_all_are_wanted(sync: Sync) -> None:
    feed = "externalId,userName,roles\n" + "".join(f"e-{n},crowd-{n},no such role\n" for n in range(130))

    cut, whole = sync("plan", feed=feed), sync("plan", "--all", feed=feed)

    assert (cut.out.count("\n! line"), whole.out.count("\n! line")) == (50, 130)
    assert "  and 80 more that stand in the way: `--all` shows them\n" in cut.out


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        (PEOPLE.encode().replace(b"emil", b"em\xffil", 1), "! line 3"),
        (b"externalId,userName\n\x00\n", "! line 2"),
        (b"externalId;name\n", "! line 1"),
        (b"no table at all", "! line 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(sync: Sync, feed: bytes, words: str) -> None:
    result = sync("plan", feed=feed)

    assert result.status == 3
    assert words in result.out


@pytest.mark.parametrize("user", ["ana", "nobody", "\u202e"])
@pytest.mark.parametrize("output", ["text", "json"])
def test_who_may_not_is_refused(sync: Sync, database: Path, user: str, output: str) -> None:
    for command, more in (("plan", ()), ("apply", ("--yes",))):
        result = sync(command, "--as", user, "--output", output, *more, feed=PEOPLE)

        assert result.status == 3
        if output == "json":
            assert json.loads(result.out)["run"] is None
        else:
            told = result.out + result.err
            assert "Needs the right `gateway.sync.run`" in told if user == "ana" else "there is no active user" in told
    assert statuses(database) == []
    assert sync("runs", "--as", user).status == 3


# ---------------------------------------------------------------------- applying


def test_a_feed_is_applied_and_again_there_is_nothing_to_do(sync: Sync, database: Path) -> None:
    first = sync("apply", "--yes", "--reason", "the first night", feed=PEOPLE)
    again = sync("apply", "--yes", feed=PEOPLE)
    planned = sync("plan", feed=PEOPLE)

    assert (first.status, again.status, planned.status) == (0, 0, 0)
    assert first.out.endswith("applied as revision 18\n")
    assert "at revision 18: nothing to do\n" in again.out
    assert statuses(database) == ["APPLIED", "APPLIED", "PLANNED"]
    entries = select(database, "SELECT actor, source, reason FROM audit_entries WHERE action = 'applySync'")
    assert entries == [("olga", "hr", "the first night")]


def test_json_tells_what_became_of_it(sync: Sync) -> None:
    first, again = (json.loads(sync("apply", "--yes", "--output", "json", feed=PEOPLE).out) for _ in range(2))

    assert (first["applied"], first["run"]["status"], first["run"]["creates"]) == (True, "APPLIED", 3)
    assert (again["applied"], again["run"]["creates"], again["run"]["unchanged"]) == (True, 0, 2)


def test_what_looks_like_a_fault_is_told_and_stops_nothing(sync: Sync) -> None:
    assert sync("apply", "--yes", feed=crowd(20)).status == 0
    planned = sync("plan", feed=crowd(20).replace("crowd-", "staff-"))

    assert planned.status == 2
    assert "  20 of 20 people are called otherwise: look whether a column has slipped" in planned.out


def test_the_brake_stops_a_feed_cut_in_half(sync: Sync, database: Path) -> None:
    assert sync("apply", "--yes", feed=crowd(20)).status == 0

    planned, applied = sync("plan", feed=crowd(10)), sync("apply", "--yes", feed=crowd(10))
    as_json = sync("apply", "--yes", "--output", "json", feed=crowd(10))

    assert (planned.status, applied.status, as_json.status) == (3, 3, 3)
    assert "  the brake: 10 of 20 people are suspended, more than the 10% allowed\n" in planned.out
    assert "stopped by the brake" in applied.err and "--max-removals N" in applied.err
    assert (json.loads(as_json.out)["applied"], len(json.loads(as_json.out)["warnings"])) == (False, 1)
    assert select(database, "SELECT count(*) FROM users WHERE status != 'ACTIVE'") == [(0,)]


def test_the_brake_is_let_go_by_a_number_or_by_a_reason(sync: Sync, database: Path) -> None:
    assert sync("apply", "--yes", feed=crowd(20)).status == 0

    assert sync("apply", "--yes", "--max-removals", "5", feed=crowd(14)).status == 3
    assert sync("apply", "--yes", "--max-removals", "6", feed=crowd(14)).status == 0
    assert sync("apply", "--yes", "--override-brake", "--reason", "they left", feed=crowd(2)).status == 0
    entries = select(database, "SELECT reason FROM audit_entries WHERE action = 'applySync' ORDER BY revision")
    assert entries == [(None,), (None,), ("they left",)]


@pytest.mark.parametrize("feed", [b"", b"externalId,userName\n"])
def test_an_empty_feed_stops_always(sync: Sync, feed: bytes) -> None:
    assert sync("apply", "--yes", feed=PEOPLE).status == 0

    result = sync("apply", "--yes", "--override-brake", "--reason", "x", "--max-removals", "100", feed=feed)

    assert result.status == 3
    assert "! users: `users` is empty" in result.out


def test_partial_does_what_may_be_done(sync: Sync, database: Path) -> None:
    whole = sync("apply", "--yes", name="people.jsonl", feed=BROKEN)
    assert (whole.status, statuses(database)) == (3, ["REFUSED"])

    result = sync("apply", "--yes", "--partial", name="people.jsonl", feed=BROKEN)

    assert result.status == 0
    assert "! line 1, grants, 0, permission" in result.out
    assert select(database, "SELECT user_name FROM users WHERE user_name IN ('dora', 'emil')") == [("emil",)]


def test_partial_of_which_nothing_is_left_is_refused(sync: Sync, database: Path) -> None:
    feed = "externalId,userName,roles\ne-dora,dora,no such role\n"

    for command in ("plan", "apply"):
        assert sync(command, "--partial", *(["--yes"] if command == "apply" else []), feed=feed).status == 3
    assert "APPLIED" not in statuses(database)


def test_what_others_manage_is_taken_over_when_that_is_said(sync: Sync) -> None:
    feed = "externalId,userName\ne-ana,ana\n"

    refused = sync("apply", "--yes", feed=feed)
    assert refused.status == 3
    assert "in conflict" in refused.out
    assert sync("apply", "--yes", "--take-over", feed=feed).status == 0


# ---------------------------------------------------------------------- a plan that was looked at


def find_plan(result: Result) -> list[str]:
    return re.search(r"(--plan \S+ --fingerprint \S+)", result.out, re.MULTILINE)[1].split()  # type: ignore[index]


def test_a_plan_that_was_looked_at_is_applied(sync: Sync, database: Path) -> None:
    plan = find_plan(sync("plan", feed=PEOPLE))

    assert sync("apply", "--yes", *plan).out.endswith("applied as revision 18\n")
    again = sync("apply", "--yes", *plan)
    assert (again.status, statuses(database)) == (0, ["APPLIED"])
    assert "as revision 18" in again.out


def test_another_plan_than_that_is_refused(sync: Sync, database: Path) -> None:
    plan = find_plan(sync("plan", feed=PEOPLE))

    for words, given in (
        ("! fingerprint: it is not the fingerprint of this plan", [*plan[:3], "0" * 64]),
        ("! plan: there is no plan `syn_0`", ["--plan", "syn_0", *plan[2:]]),
    ):
        result = sync("apply", "--yes", *given)
        assert result.status == 3
        assert words in result.out
    assert statuses(database) == ["PLANNED"]


def test_a_plan_that_has_gone_stale_is_refused(sync: Sync, database: Path) -> None:
    plan = find_plan(sync("plan", feed=PEOPLE))
    assert sync("apply", "--yes", feed=PEOPLE.replace("emil", "egon")).status == 0

    result = sync("apply", "--yes", *plan)

    assert result.status == 3
    assert "plan again" in result.out
    assert statuses(database) == ["STALE", "APPLIED"]


# ---------------------------------------------------------------------- cut off, and again


def test_what_was_cut_off_before_it_was_applied_goes_on(
    sync: Sync, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_interrupted(*_given: Any, **_more: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gateways.LocalGateway, "apply", be_interrupted)
        assert sync("apply", "--yes", feed=PEOPLE).status == 130
    assert statuses(database) == ["PLANNED"]

    result = sync("apply", "--yes", feed=PEOPLE)

    assert result.status == 0
    assert "going on with the plan syn_" in result.err
    assert statuses(database) == ["APPLIED"]
    assert select(database, "SELECT count(*) FROM audit_entries WHERE action = 'applySync'") == [(1,)]


def test_what_was_cut_off_after_it_was_applied_has_nothing_to_do(
    sync: Sync, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = gateways.LocalGateway.apply

    def apply_and_be_interrupted(*given: Any, **more: Any) -> Any:
        apply(*given, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gateways.LocalGateway, "apply", apply_and_be_interrupted)
        assert sync("apply", "--yes", feed=PEOPLE).status == 130

    assert "nothing to do" in sync("apply", "--yes", feed=PEOPLE).out
    assert select(database, "SELECT count(*) FROM audit_entries WHERE action = 'applySync'") == [(1,)]


def test_the_same_feed_after_others_changed_things_is_planned_anew(sync: Sync, database: Path) -> None:
    assert sync("apply", "--yes", feed=PEOPLE).status == 0
    assert sync("apply", "--yes", feed=PEOPLE.replace("agents", "writers"), name="other.csv").status == 3
    assert sync("apply", "--yes", "--max-removals", "9", feed=PEOPLE.replace("agents", "writers")).status == 0

    back = sync("apply", "--yes", "--max-removals", "9", feed=PEOPLE)

    assert back.status == 0
    assert "+ e-dora: role `agents`" in back.out and "- e-dora: role `writers`" in back.out


def test_a_plan_that_goes_stale_on_the_way_is_made_again(
    sync: Sync, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = gateways.LocalGateway.apply
    others = [PEOPLE.replace("emil", "egon").replace("e-egon", "e-other")]

    def apply_late(self: gateways.LocalGateway, *given: Any, **more: Any) -> Any:
        if others:
            feed = database.parent / "meanwhile.csv"
            feed.write_text(others.pop())
            mine = gateways.FeedFile(path=feed, format=FeedFormat.CSV, source="hr")
            with telling_progress(io.StringIO()) as progress:
                answer = self.plan(mine, key=None, resume=False, progress=progress)
            assert apply(self, answer["run"], override_brake=False, reason=None)["errors"] == []
        return apply(self, *given, **more)

    monkeypatch.setattr(gateways.LocalGateway, "apply", apply_late)

    result = sync("apply", "--yes", "--max-removals", "3", feed=PEOPLE)

    assert result.status == 0
    assert "something has changed meanwhile: planning anew" in result.err
    assert statuses(database) == ["STALE", "APPLIED", "APPLIED"]


def test_a_key_of_ones_own_gives_the_first_answer(sync: Sync, database: Path) -> None:
    key = ("--idempotency-key", "night 1")

    assert sync("plan", *key, feed=PEOPLE).status == 2
    assert sync("apply", "--yes", *key, feed=PEOPLE).status == 0
    again = sync("apply", "--yes", *key, feed=PEOPLE)
    other = sync("apply", "--yes", *key, feed=crowd(3))

    assert (again.status, other.status, statuses(database)) == (0, 3, ["APPLIED"])
    assert "as revision 18" in again.out
    assert "the key was used for another request" in other.out


def test_interrupting_leaves_no_plan_and_no_traceback(database: Path, tmp_path: Path) -> None:
    feed = tmp_path / "crowd.csv"
    feed.write_text(crowd(60_000))
    environment = {
        **os.environ,
        "PERMGATE_DATABASE_URL": f"sqlite+aiosqlite:///{database}",
        "PERMGATE_SEEDS": str(SEEDS),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "sync", "plan", str(feed), "--source", "hr",
         "--as", "olga"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # in the background it is ignored
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("reading"):  # all the rest is to come, which takes seconds
            break

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert statuses(database) == []


# ---------------------------------------------------------------------- runs


def test_runs_are_listed_newest_first(sync: Sync) -> None:
    sync("apply", "--yes", feed=PEOPLE)
    sync("plan", feed=crowd(2))

    result = sync("runs")

    assert result.status == 0
    assert [line.split()[1] for line in result.lines] == ["PLANNED", "APPLIED"]
    assert len(sync("runs", "--limit", "1").lines) == 1
    assert sync("runs", "--source", "other").out == ""


# ---------------------------------------------------------------------- a person at a terminal


@pytest.mark.parametrize(
    ("said", "status", "left"), [("n\n", 2, "PLANNED"), ("\n", 2, "PLANNED"), ("y\n", 0, "APPLIED")]
)
def test_somebody_at_a_terminal_is_asked(database: Path, tmp_path: Path, said: str, status: int, left: str) -> None:
    feed = tmp_path / "people.csv"
    feed.write_text(PEOPLE)
    environment = {
        **os.environ, "PERMGATE_DATABASE_URL": f"sqlite+aiosqlite:///{database}", "PERMGATE_SEEDS": str(SEEDS),
        "TERM": "xterm",
    }  # fmt: skip
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", "sync", "apply", str(feed), "--source", "hr",
         "--as", "olga"],
        env=environment, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the other end is closed: the command has ended without a question
        while b"Apply? [y/N]" not in seen:
            seen += os.read(ours, 1 << 16)
    assert b"Apply? [y/N]" in seen, seen
    os.write(ours, said.encode())
    out, _ = process.communicate(timeout=120)
    os.close(ours)

    assert process.returncode == status
    assert statuses(database) == [left]
    assert b"\rreading" in seen and b"\x1b[K\rkeeping" in seen  # one line, drawn again and again
    assert "\r" not in out and out.startswith("plan syn_")


def test_a_log_has_a_line_for_each_tenth() -> None:
    stream = io.StringIO()
    with telling_progress(stream) as progress:
        progress.begin("reading", 1_000_000)
        for done in range(0, 1_000_001, 50_000):
            progress.advance(done)
        progress.begin("comparing")
        progress.advance(7)

    assert isinstance(progress, Log)
    tenths = [f"reading {n}0 %" for n in range(1, 10)]
    assert stream.getvalue().splitlines() == ["reading 1.0 MB", *tenths, "comparing"]


def test_a_bar_leaves_a_clean_line_whatever_happens() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()

    def fail() -> None:
        with telling_progress(stream) as progress:
            progress.begin("reading", 10)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert stream.getvalue().endswith("\r\x1b[K")
    assert "\n" not in stream.getvalue()


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (5e12, "5000.0 GB")]
)
def test_bytes_are_told_for_people(size: float, words: str) -> None:
    assert say_bytes(size) == words
