"""F3 to F6: a disk that fails, is full, is slow, beneath a server under strace or on a file system of its own."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from app.settings import Limits
from tests.factories import Template, select
from tests.faults.conftest import Figure
from tests.faults.writers import (
    UNBOUND,
    Caller,
    Journal,
    assert_nothing_lost,
    assert_told_once,
    calling,
    read_revision,
    write_on,
)
from tests.serving import Replica, serving, until

STRACE = shutil.which("strace")
TRACED = pytest.mark.skipif(STRACE is None, reason="strace is not installed: it makes system calls fail")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are mounted by root alone")
READ = '{ user(ref: {userName: "ana"}) { can(node: "desk.reports.menu") { allowed } } }'
ALLOWED = {"user": {"can": {"allowed": True}}}
EX_SOFTWARE = 70
SLOW_US = 300_000  # of each fsync of a slow disk
READS = 500
MEBI = 1 << 20


def injecting(call: str, fault: str) -> list[str]:
    """The command that makes a system call fail, or take long, in whatever it runs or is attached to."""
    return [STRACE or "strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}"]


def find_processes(pid: int) -> list[int]:
    """A process and those that it started."""
    children = [int(one) for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()]
    return [pid, *(one for child in children for one in find_processes(child))]


@asynccontextmanager
async def faulty(replica: Replica, call: str, fault: str) -> AsyncIterator[None]:
    """A system call of a running server fails meanwhile."""
    assert replica.process is not None
    words = replica.log.with_suffix(".strace")
    with words.open("wb") as log:
        tracer = subprocess.Popen(  # noqa: ASYNC220  # it is only started
            [*injecting(call, fault), "-p", ",".join(map(str, find_processes(replica.process.pid)))], stderr=log
        )
    try:
        await until(lambda: b"attached" in words.read_bytes() or tracer.poll() is not None)
        if tracer.poll() is not None:
            pytest.skip(f"strace may not attach here: {words.read_text().strip()}")
        yield
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        tracer.wait()


# ---------------------------------------------------------------------- F3, F4: fsync fails


@pytest.mark.long
@TRACED
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.deep)])
async def test_f3_a_commit_that_cannot_be_made_durable_is_unknown_and_ends_the_server(
    workers: int, stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """It says so, is not ready any more, reads on, exits with 70; started anew it answers the question by its key."""
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "permgate.db"))
    arguments = () if workers == 1 else ("--workers", str(workers))
    replica = Replica(path, tmp_path / "log", arguments=arguments, environment={"PERMGATE_DRAIN_SECONDS": "1"})
    with serving(replica):
        async with calling(replica.address, stocked_template.token) as caller:
            assert read_revision(await caller.make("eva")) is not None
            async with faulty(replica, "fdatasync", "error=EIO"):
                unknown = await caller.make("eve")
                assert (unknown.status_code, unknown.json()["data"]) == (500, None)
                assert unknown.json()["errors"][0]["extensions"] == {
                    "code": "INTERNAL_SERVER_ERROR", "outcome": "UNKNOWN",
                }  # fmt: skip
                if workers == 1:  # of several another may answer, until all of them end
                    assert (await caller.make("eve")).status_code == 503
                    assert not await caller.is_ready()
                    assert await caller.ask(READ) == ALLOWED
                assert await replica.end() == EX_SOFTWARE
        assert "a commit is undecided" in replica.log.read_text()
    with serving(replica):
        async with calling(replica.address, stocked_template.token) as caller:
            ((there,),) = select(path, "SELECT count(*) FROM users WHERE user_name = 'eve'")
            journal = Journal(asked=["eva", "eve"])
            await assert_told_once(caller, journal, path)
            assert await caller.is_ready()
    await assert_nothing_lost(stocked_template, path, journal)
    figure(f"F3, {workers} workers: UNKNOWN, not ready, exit 70; opened anew it was {'' if there else 'not '}there")


@TRACED
@pytest.mark.deep
async def test_f4_a_commit_that_failed_may_come_back_after_a_kill_and_its_key_tells(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """Twenty times: EIO at the commit, SIGKILL after the answer, opened anew: there or not, and with its entry."""
    back = 0
    for number in range(20):
        path = Path(shutil.copyfile(stocked_template.path, tmp_path / f"{number}.db"))
        replica = Replica(path, tmp_path / f"{number}.log", environment={"PERMGATE_DRAIN_SECONDS": "5"})
        journal = Journal(asked=["eva", "eve"])
        with serving(replica):
            async with calling(replica.address, stocked_template.token) as caller:
                journal.told["eva"] = read_revision(await caller.make("eva")) or 0
                async with faulty(replica, "fdatasync", "error=EIO"):
                    journal.refused["eve"] = await caller.make("eve")
                    assert '"outcome":"UNKNOWN"' in journal.refused["eve"].text
                    replica.tell(signal.SIGKILL)
                    await replica.end()
        back += await assert_nothing_lost(stocked_template, path, journal)
        with serving(replica):
            async with calling(replica.address, stocked_template.token) as caller:
                await assert_told_once(caller, journal, path)
    figure(f"F4: {back} of 20 came back, each with its entry, each told by its key")


# ---------------------------------------------------------------------- F5: the disk is full


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system in memory of some megabytes."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@ROOT
@pytest.mark.deep
async def test_f5_on_a_full_disk_changes_are_refused_reads_go_on_and_it_passes(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    with mounted(tmp_path / "disk", 100) as disk:
        path = Path(shutil.copyfile(stocked_template.path, disk / "permgate.db"))
        replica = Replica(path, tmp_path / "log")
        with serving(replica):
            async with calling(replica.address, stocked_template.token) as caller:
                await caller.make("before")
                ballast = disk / "ballast"
                ballast.write_bytes(bytes(shutil.disk_usage(disk).free - MEBI // 2))
                journal, stopping = Journal(), asyncio.Event()
                writing = asyncio.create_task(write_on(caller, journal, "full", stopping))
                await until(lambda: len(journal.refused) >= 5)
                stopping.set()
                await writing
                assert {answer.status_code for answer in journal.refused.values()} == {503}, journal.refused
                for answer in journal.refused.values():
                    assert answer.json()["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"
                    assert answer.headers["retry-after"] == "1"
                assert await caller.ask(READ) == ALLOWED
                assert not await caller.is_ready()
                ballast.unlink()
                await assert_told_once(caller, journal, path)
                assert await caller.is_ready()
            replica.tell()
            assert await replica.end() == -signal.SIGTERM
        await assert_nothing_lost(stocked_template, path, journal)
        figure(f"F5: {len(journal.told)} done before it was full, {len(journal.refused)} refused, all done afterwards")


# ---------------------------------------------------------------------- F6: the disk is slow


@TRACED
@pytest.mark.deep
async def test_f6_on_a_slow_disk_reads_are_as_before_and_changes_wait_up_to_a_bound(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """Each fsync takes 0.3 s; twenty callers write, four changes each at once: what waits longer than 2 s is told to
    come back. Reads are timed beside the same writers over a disk that is quick, under the same tracer.
    """
    callers, taken, answers = 20, {}, {}
    for disk, delay_us in (("quick", 1), ("slow", SLOW_US)):
        path = Path(shutil.copyfile(stocked_template.path, tmp_path / f"{disk}.db"))
        replica = Replica(path, tmp_path / f"{disk}.log", environment=UNBOUND)
        with serving(replica):
            async with calling(replica.address, stocked_template.token) as olga:
                tokens = [await _issue_token(olga, f"writer-{number}") for number in range(callers)]
        replica.under = [*injecting("fdatasync", f"delay_enter={delay_us}"), "--seccomp-bpf"]  # others take no longer
        with serving(replica):
            async with calling(replica.address, stocked_template.token) as olga:
                taken[f"alone, {disk}"] = await _time_reads(olga)
                stopping = asyncio.Event()
                writing = [
                    asyncio.create_task(_write_at_once(replica, token, f"slow-{number}", 4, stopping))
                    for number, token in enumerate(tokens)
                ]
                await asyncio.sleep(1)
                taken[disk] = await _time_reads(olga)
                stopping.set()
                answers[disk] = [answer for some in await asyncio.gather(*writing) for answer in some]
        done = [answer for answer in answers[disk] if answer.status_code == 200]
        assert {answer.status_code for answer in answers[disk]} <= {200, 503}
        assert select(path, "SELECT count(*) FROM users WHERE user_name LIKE 'slow-%'") == [(len(done),)]
    held = [answer for answer in answers["slow"] if answer.status_code == 503]
    assert len(answers["slow"]) - len(held) >= Limits().max_writers
    assert held and all(int(answer.headers["retry-after"]) >= 1 for answer in held)
    told = ", ".join(
        f"{name}: {some[len(some) // 2] * 1000:.0f} and {some[len(some) * 99 // 100] * 1000:.0f} ms"
        for name, some in taken.items()
    )
    figure(f"F6: of {len(answers['slow'])} changes {len(held)} told to come back; reads, median and p99: {told}")
    assert taken["slow"][READS // 2] < SLOW_US / 1_000_000  # no read waits for a flush


async def _time_reads(caller: Caller) -> list[float]:
    """Seconds of many reads, one after another, in order of size."""
    return sorted([await _time(caller) for _ in range(READS)])


async def _issue_token(olga: Caller, name: str) -> str:
    """The token of a new administrator."""
    assert read_revision(await olga.make(name)) is not None
    document = """mutation Own($name: String!) {
        setAccountOwner(input: {user: {userName: $name}, isOwner: true}) { errors { code } } }"""
    assert (await olga.ask(document, name=name))["setAccountOwner"]["errors"] == []
    document = """mutation Issue($name: String!) {
        issueToken(input: {user: {userName: $name}, label: "slow"}) { secret errors { code } } }"""
    secret: str = (await olga.ask(document, name=name))["issueToken"]["secret"]
    return secret


async def _write_at_once(
    replica: Replica, token: str, name: str, count: int, stopping: asyncio.Event
) -> list[httpx.Response]:
    """Makes people, so many at once, as long as it is not told to stop; whoever is told to come back does so."""
    answers: list[httpx.Response] = []

    async def write(caller: Caller, hand: int) -> None:
        for number in itertools.count():
            if stopping.is_set():
                return
            answers.append(await caller.make(f"{name}-{hand}-{number}"))
            await asyncio.sleep(float(answers[-1].headers.get("retry-after", 0)))

    async with calling(replica.address, token) as caller:
        await asyncio.gather(*(write(caller, hand) for hand in range(count)))
    return answers


async def _time(caller: Caller) -> float:
    before = asyncio.get_running_loop().time()
    assert await caller.ask(READ) == ALLOWED
    return asyncio.get_running_loop().time() - before
