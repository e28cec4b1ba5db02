"""F2: the power is cut while something writes: the blocks that reached the disk by then are all that is left.

A file system of its own lies in a file. What was not synchronised is in no block of it, and is gone in a copy that is
made while the writer stands still.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.db import engine
from tests import processes
from tests.factories import Clock, Template, open_copy, select
from tests.faults.conftest import Figure
from tests.histories import assert_sound
from tests.processes import FORKING, wait_for_its_first_word
from tests.services.test_durability import Journal
from tests.serving import until

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(os.geteuid() != 0, reason="file systems are mounted by root alone"),
    pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="mkfs.ext4 is not installed"),
]
CUTS = int(os.environ.get("FAULT_CUTS", "100"))
SIZE = "192M"
KEPT_BACK_S = 300  # of the file system's own commits: nothing reaches the disk but what is asked to


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", f"loop,commit={KEPT_BACK_S}", str(image), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def disk(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A file system, mounted, and the file it lies in."""
    image = folder / "image"
    subprocess.run(["truncate", "-s", SIZE, str(image)], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    with mounted(image, folder / "disk") as mount:
        yield mount, image


def _write_on(path: Path, journal: Path, ids: Mapping[str, str], name: str, synchronous: str) -> None:
    set_pragmas = engine._set_pragmas

    def set_ours(connection: Any) -> None:
        set_pragmas(connection)
        connection.cursor().execute(f"PRAGMA synchronous={synchronous}")

    engine._set_pragmas = set_ours
    processes._write_on(path, journal, ids, name)


async def stop(process: Any) -> None:
    """Lets a process stand still, all of its threads."""
    os.kill(process.pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{process.pid}/task")
    await until(lambda: all("State:\tT" in (task / "status").read_text() for task in tasks.iterdir()))


async def cut(template: Template, folder: Path, *, synchronous: str, cuts: int, every_s: float) -> tuple[int, int, int]:
    """Writes on, and cuts the power again and again; how much was acknowledged by then and lost in all, and the most
    that one cut took."""
    ids = {**template.ids, "olga": template.owner}
    told = lost = most = 0
    with disk(folder) as (mount, image):
        path = Path(shutil.copyfile(template.path, mount / "permgate.db"))
        os.sync()
        journal = folder / "journal"
        process = FORKING.Process(target=_write_on, args=(path, journal, ids, "power", synchronous), daemon=True)
        process.start()
        try:
            await asyncio.to_thread(wait_for_its_first_word, journal)
            await until(lambda: "told" in journal.read_text())
            for number in range(cuts):
                await asyncio.sleep(random.uniform(0.5, 1.5) * every_s)
                await stop(process)
                copy = folder / f"image {number}"
                await asyncio.to_thread(subprocess.run, ["cp", "--sparse=always", str(image), str(copy)], check=True)
                acknowledged = {key: at for key, at in Journal.read(journal).asked.items() if at is not None}
                os.kill(process.pid, signal.SIGCONT)
                with mounted(copy, folder / "after") as after:
                    there = dict(
                        select(
                            after / path.name, "SELECT key, json_extract(answer, '$.revision') FROM idempotency_keys"
                        )
                    )
                    services = open_copy(template, after / path.name, Clock())
                    try:
                        await assert_sound(services, after / path.name)
                    finally:
                        await services.close()
                copy.unlink()
                gone = sum(there.get(key) != at for key, at in acknowledged.items())
                told, lost, most = len(acknowledged), lost + gone, max(most, gone)
        finally:
            process.kill()
            process.join()
    return told, lost, most


async def test_f2_a_power_cut_takes_nothing_that_was_acknowledged(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    told, lost, _ = await cut(stocked_template, tmp_path, synchronous="FULL", cuts=CUTS, every_s=0.2)

    figure(f"F2: {CUTS} cuts while {told} changes were acknowledged: {lost} lost with synchronous=FULL")
    assert (lost, told > CUTS) == (0, True)


async def test_f2_with_less_than_full_it_does(stocked_template: Template, tmp_path: Path, figure: Figure) -> None:
    """So this is a test that can fail, and FULL is what it hangs on."""
    told, lost, most = await cut(stocked_template, tmp_path, synchronous="NORMAL", cuts=3, every_s=1)

    figure(f"F2: 3 cuts with synchronous=NORMAL took up to {most} of {told} acknowledged changes")
    assert lost > 0
