"""Two syncs and somebody at work by hand, at once, over one file: as if one had come after the other."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from app.domain.callers import Caller
from app.domain.errors import ErrorCode
from app.services.context import Services
from app.services.sync.planning import SyncAnswer
from app.services.writing import IdempotencyKey
from tests.factories import Clock, Template, open_copy, select
from tests.histories import assert_sound
from tests.moves import assign, by, make, suspend
from tests.synced import apply, codes, olga, plan, sync, write_feed

PEOPLE = 30
WITHIN_S = 0.02  # about what an apply takes: each comes first now and then


def feed_of(source: str, round_: int) -> bytes:
    """The same people whoever tells of them; each source gives a role of its own, to some of them by turns."""
    role = "agents" if source == "hr" else "writers"
    return write_feed(
        {
            "externalId": f"e{number}", "userName": f"person.{number}",
            "roles": [role] if (number + round_) % 3 else [],
        }
        for number in range(PEOPLE)
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    "rounds", [pytest.param(20, id="default"), pytest.param(200, id="deep", marks=pytest.mark.deep)]
)
async def test_two_syncs_and_an_editor_end_as_if_one_after_the_other(
    rounds: int, stocked_template: Template, tmp_path: Path
) -> None:
    """A23: each is applied whole on what the others left, or is stale; one that has nothing to do writes nothing."""
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "file.db"))
    ids = {**stocked_template.ids, "olga": stocked_template.owner}
    caller = olga(stocked_template.owner)
    hr, directory, editor = (open_copy(stocked_template, path, Clock()) for _ in range(3))
    try:
        assert (await sync(hr, caller, feed_of("hr", 0))).errors == ()
        for round_ in range(1, rounds + 1):
            plans = [
                await plan(services, caller, feed_of(source, round_), source=source)
                for services, source in ((hr, "hr"), (directory, "idp"))
            ]
            assert all(not answer.errors for answer in plans), plans
            person = f"person.{random.randrange(PEOPLE)}"
            move = random.choice([by("olga", assign, person, "agents"), by("olga", suspend, "cleo")])

            *told, _ = await asyncio.gather(
                _apply_soon(hr, caller, plans[0]), _apply_soon(directory, caller, plans[1]),
                make([move], editor, ids, within=WITHIN_S),
            )  # fmt: skip
            assert all(errors in ([], [ErrorCode.STALE_PLAN]) for errors in told), told
            for source, services in (("hr", hr), ("idp", directory)):
                assert (await sync(services, caller, feed_of(source, round_), source=source)).errors == ()
            revision = _last_revision(path)
            for source, services in (("hr", hr), ("idp", directory)):
                again = await sync(services, caller, feed_of(source, round_), source=source)
                assert again.run is not None and again.run.counts.is_nothing
                assert _assigned(path, source) == {f"e{n}" for n in range(PEOPLE) if (n + round_) % 3}
            assert _last_revision(path) == revision, "nothing to do is no revision"
        await assert_sound(hr, path)
    finally:
        for services in (hr, directory, editor):
            await services.close()


async def _apply_soon(services: Services, caller: Caller, planned: SyncAnswer) -> list[str]:
    await asyncio.sleep(random.uniform(0, WITHIN_S))
    assert planned.run is not None
    return codes((await apply(services, caller, planned.run)).errors)


def _assigned(path: Path, source: str) -> set[str]:
    """The external ids of those to whom a source gives a role, each once."""
    rows = select(
        path,
        "SELECT external_id FROM assignments JOIN users ON users.id = holder AND users.ended_revision IS NULL "
        "WHERE assignments.ended_revision IS NULL AND assignments.source = ?",
        source,
    )
    assert len(rows) == len(set(rows)), "a row stands twice"
    return {external_id for (external_id,) in rows}


def _last_revision(path: Path) -> int:
    return int(select(path, "SELECT max(revision) FROM audit_entries")[0][0])


async def test_of_two_plans_applied_at_once_under_one_key_one_is_applied(
    stocked_template: Template, tmp_path: Path
) -> None:
    """The key stands for the first: the other request under it is refused, and its plan left as it was."""
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "file.db"))
    caller = olga(stocked_template.owner)
    hr, directory = (open_copy(stocked_template, path, Clock()) for _ in range(2))
    try:
        plans = [
            await plan(services, caller, write_feed([{"externalId": source, "userName": source}]), source=source)
            for services, source in ((hr, "hr"), (directory, "idp"))
        ]
        answers = await asyncio.gather(
            *(
                apply(services, caller, planned.run, idempotency=IdempotencyKey("tonight", fingerprint))  # type: ignore[arg-type]  # both are planned
                for services, planned, fingerprint in zip((hr, directory), plans, ("a" * 64, "b" * 64), strict=True)
            )
        )
    finally:
        for services in (hr, directory):
            await services.close()

    assert sorted(codes(answer.errors) for answer in answers) == [[], [ErrorCode.IDEMPOTENCY_MISMATCH]]
    assert sorted(select(path, "SELECT status FROM sync_runs")) == [("APPLIED",), ("PLANNED",)]
