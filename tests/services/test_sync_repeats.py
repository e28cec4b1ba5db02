"""A plan is kept, and applied, once, though the database gives the transaction up or nobody knows what became of it."""

from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncTransaction

from app.db.unit_of_work import Database
from app.domain.outages import Conflicted, Outage, UndecidedCommit
from app.services.sync import applying
from app.telemetry.metrics import REGISTRY
from tests.factories import Gateway, select
from tests.synced import apply, olga, plan, write_feed

FEED = write_feed([{"externalId": "e-dora", "userName": "dora"}])


@dataclass(frozen=True)
class Failure:
    """What becomes of the next commit, and what is told of it."""

    name: str
    error: Outage
    is_done: bool = False

    def happen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def commit(_database: Database, transaction: AsyncTransaction) -> None:
            monkeypatch.undo()  # the next one is well
            await (transaction.commit() if self.is_done else transaction.rollback())
            raise self.error

        monkeypatch.setattr(Database, "_commit", commit)


FAILURES = (
    Failure("given up for another", Conflicted("40001")),
    Failure("undecided and done", UndecidedCommit("the line went dead"), is_done=True),
    Failure("undecided and undone", UndecidedCommit("the line went dead")),
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
async def test_a_plan_is_kept_once(world: Gateway, monkeypatch: pytest.MonkeyPatch, failure: Failure) -> None:
    before = REGISTRY.get_sample_value("permgate_database_retries_total") or 0.0
    failure.happen(monkeypatch)

    answer = await plan(world.services, olga(world.owner), FEED)

    assert answer.run is not None
    assert (answer.errors, answer.repeated) == ((), False)
    assert select(world.path, "SELECT id FROM sync_runs") == [(answer.run.id,)]
    repeated = 1.0 if isinstance(failure.error, Conflicted) else 0.0
    assert REGISTRY.get_sample_value("permgate_database_retries_total") == before + repeated
    assert (await apply(world.services, olga(world.owner), answer.run)).errors == ()


@pytest.mark.parametrize("tries", [applying.TRIES, 0], ids=["on a snapshot", "under the lock"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
async def test_a_plan_is_applied_once(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, failure: Failure, tries: int
) -> None:
    planned = (await plan(world.services, olga(world.owner), FEED)).run
    assert planned is not None
    before = await world.revision()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(applying, "TRIES", tries)
        failure.happen(monkeypatch)

        answer = await apply(world.services, olga(world.owner), planned)

    assert answer.errors == ()
    assert answer.run is not None
    assert (answer.run.status, answer.run.revision) == ("APPLIED", before + 1)
    assert await world.revision() == before + 1
    assert select(world.path, "SELECT count(*) FROM users WHERE external_id = 'e-dora'") == [(1,)]


async def test_a_plan_that_is_stale_is_told_so_though_the_database_gave_it_up(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = (await plan(world.services, olga(world.owner), FEED)).run
    assert planned is not None
    await world.create_user("dora")
    FAILURES[0].happen(monkeypatch)

    answer = await apply(world.services, olga(world.owner), planned)

    assert [error.code for error in answer.errors] == ["STALE_PLAN"]
    assert select(world.path, "SELECT status FROM sync_runs") == [("STALE",)]
