"""F27, F28: a clock that steps, files and memory that run out, beneath a served gateway."""

import asyncio
import os
import resource
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.factories import Template
from tests.faults.conftest import Figure
from tests.faults.writers import Caller, calling, read_revision
from tests.serving import Replica, serving

pytestmark = pytest.mark.deep
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
PRLIMIT = shutil.which("prlimit")
NODE = "desk.reports.menu"
ASK = f'{{ user(ref: {{userName: "cleo"}}) {{ can(node: "{NODE}") {{ allowed }} }} }}'
HALF_AN_HOUR = timedelta(minutes=30)
MEBI = 1 << 20
GRANT = """mutation Grant($until: DateTime!) { grantPermissions(input: {
    holder: {user: {userName: "cleo"}}, grants: [{permission: "desk.reports.menu", validUntil: $until}]
}) { errors { code message } } }"""
ISSUE = """mutation Issue($until: DateTime!) { issueToken(input: {
    user: {userName: "olga"}, label: "short", expiresAt: $until
}) { secret errors { code message } } }"""


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
async def test_f27_what_has_expired_stays_expired_when_the_clock_of_the_machine_steps_back(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """A24, through a served gateway: a grant and a token; half an hour forth, back, and forth again."""
    path, offset = Path(shutil.copyfile(stocked_template.path, tmp_path / "permgate.db")), tmp_path / "offset"

    def set_clock(seconds: int) -> None:
        new = tmp_path / "new offset"
        new.write_text(f"{seconds:+d}\n")
        new.rename(offset)  # at once: it is read whenever the time is asked for

    set_clock(0)
    replica = Replica(
        path, tmp_path / "log",
        environment={
            "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        },
    )  # fmt: skip
    with serving(replica):
        async with calling(replica.address, stocked_template.token) as olga:
            until = (datetime.now(UTC) + HALF_AN_HOUR).isoformat()
            assert (await olga.ask(GRANT, until=until))["grantPermissions"]["errors"] == []
            secret = (await olga.ask(ISSUE, until=until))["issueToken"]["secret"]
            async with calling(replica.address, secret) as short:
                seen = []
                for seconds in (0, 1700, 1860, 1700, 0, -60, 1740, 1860):
                    set_clock(seconds)
                    allowed = (await olga.ask(ASK))["user"]["can"]["allowed"]
                    status = (await short.post("{ revision }")).status_code
                    seen.append((seconds, allowed, status))
            assert read_revision(await olga.make("eva")) is not None, "and it writes on"
    good, bad = (True, 200), (False, 401)
    assert [(allowed, status) for _, allowed, status in seen] == [good, good, bad, bad, bad, bad, bad, bad], seen
    figure("F27: the clock stepped half an hour forth and back in a served gateway: expired stayed expired, 5 of 5")


@contextmanager
def connections(replica: Replica, count: int) -> Iterator[None]:
    """So many connections that say nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(2)
            with suppress(OSError):
                sock.connect(("127.0.0.1", replica.port))
        yield


@pytest.mark.skipif(PRLIMIT is None, reason="prlimit is not installed")
async def test_f28_without_files_left_others_wait_or_are_refused_and_it_recovers(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """64 descriptors, 200 connections that say nothing."""
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "permgate.db"))
    replica = Replica(path, tmp_path / "log", under=[PRLIMIT or "prlimit", "--nofile=64:64"])
    with serving(replica):
        async with calling(replica.address, stocked_template.token) as early:
            assert read_revision(await early.make("before")) is not None
            with connections(replica, 200):
                held = [(await _try(early, f"held-{number}")) for number in range(10)]
                async with calling(replica.address, stocked_template.token) as late:
                    late.client.timeout = httpx.Timeout(3)
                    outside = await _try(late, "outside")
            assert replica.process is not None and replica.process.poll() is None
        await asyncio.sleep(2)  # for the server to hear of their end
        async with calling(replica.address, stocked_template.token) as caller:
            after = await _try(caller, "after")
            assert await caller.is_ready()
    assert after == 200 and set(held) <= {200, 503}, (held, outside, after)
    figure(
        f"F28: 64 descriptors, 200 silent connections: known connections {held}, a new one {outside}; after: {after}"
    )


@pytest.mark.skipif(PRLIMIT is None, reason="prlimit is not installed")
async def test_f28_without_memory_left_it_refuses_lets_nobody_in_and_recovers(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """The address space may not grow any more; twenty callers ask for bodies as long as they may be."""
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "permgate.db"))
    replica = Replica(path, tmp_path / "log")
    with serving(replica):
        async with calling(replica.address, stocked_template.token) as caller:
            assert read_revision(await caller.make("before")) is not None
            assert replica.process is not None
            pid = replica.process.pid
            most = read_size(pid) + 4 * MEBI
            resource.prlimit(pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            long = "x" * (1000 * 1024)
            statuses = await asyncio.gather(*(_post_long(caller, long) for _ in range(20)))
            denied = await caller.post(ASK)
            assert '"allowed":true' not in denied.text
            assert replica.process.poll() is None, "it lives"
            resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        async with calling(replica.address, stocked_template.token) as caller:
            assert await _try(caller, "after") == 200
            assert await caller.is_ready()
    counted = {status: statuses.count(status) for status in sorted(set(statuses), key=str)}
    figure(f"F28: address space bounded to +4 MB, 20 bodies of 1 MB at once: {counted}; it lives, and recovers")


def read_size(pid: int) -> int:
    """Bytes of the address space of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


async def _try(caller: Caller, name: str) -> int | str:
    try:
        return (await caller.make(name)).status_code
    except httpx.TransportError as error:
        return type(error).__name__


async def _post_long(caller: Caller, text: str) -> int | str:
    try:
        return (await caller.post("query($text: String) { revision }", text=text)).status_code
    except httpx.TransportError as error:
        return type(error).__name__
