"""F33: a served gateway under a mixed load for half an hour: nothing in it grows."""

import asyncio
import os
import random
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any

import pytest

from tests.factories import Template
from tests.faults.conftest import Figure
from tests.faults.writers import UNBOUND, Caller, calling
from tests.serving import Replica, serving
from tests.sockets import known
from tests.streams import streaming

pytestmark = pytest.mark.deep
SOAK_S = float(os.environ.get("FAULT_SOAK_S", "1800"))
WARM = 0.4  # of that time in which caches fill
LOOK_S = 1.0
MEBI = 1 << 20
ASK = """query Ask($node: String!) {
    users(first: 20) { edges { node { userName can(node: $node) { allowed } } } }
    checkMany(inputs: [{user: {userName: "ana"}, node: $node}, {user: {userName: "cleo"}, node: $node}]) { allowed }
}"""
LIST = """{ user(ref: {userName: "ana"}) { effectiveRights { permission { key } } } }"""
EDIT = """mutation Edit($name: String!, $shown: String!) {
    updateUser(input: {user: {userName: $name}, displayName: $shown}) { errors { code } } }"""
LISTEN = "subscription { changes { revision changes { detail before after } } }"


@dataclass(frozen=True)
class Sample:
    at: float  # seconds
    memory: int  # bytes
    files: int
    threads: int
    log: int  # bytes of the write-ahead log


def look(replica: Replica, path: Path, at: float) -> Sample:
    assert replica.process is not None
    proc = Path(f"/proc/{replica.process.pid}")
    pages = int((proc / "statm").read_text().split()[1])
    return Sample(
        at, pages * os.sysconf("SC_PAGE_SIZE"), len(list((proc / "fd").iterdir())),
        len(list((proc / "task").iterdir())), path.with_name(path.name + "-wal").stat().st_size,
    )  # fmt: skip


async def test_f33_nothing_grows_under_a_mixed_load(stocked_template: Template, tmp_path: Path, figure: Figure) -> None:
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "permgate.db"))
    replica = Replica(path, tmp_path / "log", environment=UNBOUND)
    done = {"questions": 0, "changes": 0, "sockets": 0, "streams": 0}
    loop = asyncio.get_running_loop()
    samples: list[Sample] = []
    token, node = stocked_template.token, "desk.reports.menu"
    address = replica.address.removeprefix("http://")

    async def ask(caller: Caller) -> None:
        await caller.ask(ASK, node=node)
        await caller.ask(LIST)
        done["questions"] += 2

    async def edit(caller: Caller) -> None:
        name = random.choice(("ana", "ben", "cleo"))
        answer = await caller.ask(EDIT, name=name, shown=f"{name} {random.random()}")
        assert answer["updateUser"]["errors"] == []
        done["changes"] += 1

    async def use_socket(_caller: Caller) -> None:
        async with known(address, token) as client:
            await client.subscribe(LISTEN)
            await client.next()
        done["sockets"] += 1

    async def use_stream(_caller: Caller) -> None:
        async with streaming(address, token, LISTEN) as stream:
            await stream.data()
        done["streams"] += 1

    async def go_on(do: Callable[[Caller], Coroutine[Any, Any, None]], pause: float) -> None:
        async with calling(replica.address, token) as caller:
            while True:
                await do(caller)
                await asyncio.sleep(pause)

    with serving(replica):
        start = loop.time()
        load = [
            asyncio.create_task(go_on(do, pause))
            for do, pause in ((ask, 0.02), (ask, 0.02), (edit, 0.05), (use_socket, 0.02), (use_stream, 0.02))
        ]
        while (at := loop.time() - start) < SOAK_S:
            assert not any(task.done() for task in load), [task.exception() for task in load if task.done()]
            samples.append(look(replica, path, at))
            await asyncio.sleep(LOOK_S)
        assert not any(task.done() for task in load), [task.exception() for task in load if task.done()]
        for task in load:
            task.cancel()  # who listens would wait for a change that nobody makes any more
        await asyncio.wait(load)
        await asyncio.sleep(2)
        rest = look(replica, path, SOAK_S)

    warm = [sample for sample in samples if sample.at > WARM * SOAK_S]
    minutes = [sample.at / 60 for sample in warm]

    def slope(of: Callable[[Sample], float]) -> float:
        return linear_regression(minutes, [of(sample) for sample in warm]).slope

    memory, log = slope(lambda sample: sample.memory / MEBI), max(sample.log for sample in samples) / MEBI
    figure(
        f"F33: {SOAK_S / 60:.0f} min, {done}: memory {samples[0].memory / MEBI:.0f} MB at first, "
        f"{warm[0].memory / MEBI:.0f} MB warm, {warm[-1].memory / MEBI:.0f} MB at the end, {memory:+.2f} MB a minute; "
        f"log at most {log:.1f} MB; files {warm[0].files} and {rest.files} at rest, threads {rest.threads}, "
        f"{slope(lambda sample: sample.files):+.2f} files a minute"
    )
    assert memory < 1
    assert log < 16
    assert abs(slope(lambda sample: sample.files)) < 1 and rest.files < 64
