"""A sync that is killed while it is applied leaves before or after, nothing between; asked again, it is done once."""

import asyncio
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.sync.runs import SyncStatus
from tests.factories import Clock, Template, open_copy, select
from tests.histories import assert_kept
from tests.processes import wait_for_its_first_word
from tests.synced import apply, olga, plan, start_applying, write_feed

PEOPLE = 200


def feed_of(round_: int) -> bytes:
    """Everybody with one of two roles by turns, a tenth of them new, a tenth of them gone."""
    return write_feed(
        {
            "externalId": f"e{number}", "userName": f"person.{number}",
            "roles": ["agents" if (number + round_) % 2 else "writers"],
        }
        for number in range(round_ * PEOPLE // 10, round_ * PEOPLE // 10 + PEOPLE)
    )  # fmt: skip


@pytest.mark.parametrize(
    "kills", [pytest.param(10, id="default"), pytest.param(200, id="deep", marks=pytest.mark.deep)]
)
async def test_a_sync_that_is_killed_is_done_whole_or_not_at_all(
    kills: int, stocked_template: Template, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """F1, A22: SIGKILL at any moment of an apply, again and again."""
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "file.db"))
    caller = olga(stocked_template.owner)
    took = 0.5
    before = after = 0
    for kill in range(kills):
        services = open_copy(stocked_template, path, Clock())
        planned = await plan(services, caller, feed_of(kill))
        await services.close()
        run = planned.run
        assert run is not None and run.status is SyncStatus.PLANNED, planned.errors
        known = _people(path)

        ready = tmp_path / f"ready {kill}"
        process = start_applying(path, stocked_template.owner, run.id, run.fingerprint, ready)
        await asyncio.to_thread(wait_for_its_first_word, ready)
        begun = time.monotonic()
        await asyncio.to_thread(process.join, random.uniform(0, took * 1.2))
        if process.exitcode is None:
            process.kill()
            await asyncio.to_thread(process.join)
            assert process.exitcode in {-9, 0}, "it was killed, or had just done it"
        else:
            took = time.monotonic() - begun

        services = open_copy(stocked_template, path, Clock())
        try:
            await assert_kept(services, path)
            status, revision = select(path, "SELECT status, revision FROM sync_runs WHERE id = ?", run.id)[0]
            if status == "PLANNED":
                before += 1
                assert revision is None and _people(path) == known, "something of it was done"
                assert _last_revision(path) == run.base_revision
            else:
                after += 1
                assert (status, revision) == ("APPLIED", run.base_revision + 1)
            again = await apply(services, caller, run)
            assert again.errors == () and again.run is not None
            assert again.run.revision == run.base_revision + 1 == _last_revision(path), "it is done once"
            nothing = await plan(services, caller, feed_of(kill))
            assert nothing.run is not None and nothing.run.counts.is_nothing, "it is done whole"
        finally:
            await services.close()
    record_property("left before", before)
    record_property("left after", after)


def _people(path: Path) -> list[tuple[str, str]]:
    """Every live person and assignment."""
    return select(path, "SELECT id, status FROM users WHERE ended_revision IS NULL ORDER BY id") + select(
        path, "SELECT holder, role FROM assignments WHERE ended_revision IS NULL ORDER BY holder, role"
    )


def _last_revision(path: Path) -> int:
    return int(select(path, "SELECT max(revision) FROM audit_entries")[0][0])
