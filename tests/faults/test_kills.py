"""F1: the server is killed while it writes, again and again; tests/services/test_durability.py kills a mere writer."""

import asyncio
import random
import shutil
import signal
from pathlib import Path

import pytest

from tests.factories import Template
from tests.faults.conftest import Figure
from tests.faults.writers import Journal, assert_nothing_lost, assert_told_once, calling, write_on
from tests.serving import Replica, serving, until

HANDS = 4
KILLS = 100
FRESH = 50  # kills, after which the file is a new one: to look at all of it takes longer as it grows


@pytest.mark.deep
async def test_f1_a_server_that_is_killed_loses_nothing_it_acknowledged(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """Four writers over HTTP, SIGKILL within 230 ms: nothing acknowledged is lost, nothing is half there, and whoever
    was told nothing asks again under the same key, and it is done once."""
    path, told, untold, durable = tmp_path / "permgate.db", 0, 0, 0
    replica = Replica(path, tmp_path / "log")
    for kill in range(KILLS + 1):
        if kill % FRESH == 0:
            _copy_afresh(stocked_template, path)
            journal = Journal()
        with serving(replica):
            async with calling(replica.address, stocked_template.token) as caller:
                await assert_told_once(caller, journal, path)
                if kill == KILLS:
                    break
                journal = Journal()
                hands = [asyncio.create_task(write_on(caller, journal, f"kill{kill}-{hand}")) for hand in range(HANDS)]
                await until(lambda journal=journal: bool(journal.told))  # type: ignore[misc]
                await asyncio.sleep(random.uniform(0, 0.23))
                replica.tell(signal.SIGKILL)
                await asyncio.gather(*hands)
                assert await replica.end() == -signal.SIGKILL
        durable += await assert_nothing_lost(stocked_template, path, journal)
        assert not journal.refused
        told += len(journal.told)
        untold += len(journal.untold)
    figure(f"F1: {KILLS} kills, {told} acknowledged, 0 lost; {untold} not acknowledged, {durable} of them durable")


def _copy_afresh(template: Template, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(template.path, path)
