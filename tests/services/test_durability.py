"""What was acknowledged is there after a crash, whole or not at all; and where the database fails nobody is let in."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.factories import Clock, Gateway, Template, open_copy, open_gateway, select
from tests.histories import assert_sound
from tests.processes import moves_of, start_writer, wait_for_its_first_word

pytestmark = pytest.mark.usefixtures("unindexed")  # what is read of the database, and what comes of its faults
MENU = "desk.reports.menu"
MANY_KILLS = int(os.environ.get("FAULT_KILLS", "1000"))
KILLS_A_FILE = 50  # to look at all of a file takes longer as it grows

# ---------------------------------------------------------------------- F1: killed while it writes


@dataclass
class Journal:
    """What a writer asked for and what it was told: the revision of each move by its key, None: never told."""

    asked: dict[str, int | None]

    @staticmethod
    def read(path: Path) -> "Journal":
        asked: dict[str, int | None] = {}
        for line in path.read_text().split("\n")[:-1]:  # a last line that was cut is none
            word, key, *revision = line.split("\t")
            asked[key] = int(revision[0]) if word == "told" else None
        return Journal(asked)


@pytest.mark.parametrize(
    "kills", [pytest.param(5, id="default"), pytest.param(MANY_KILLS, id="deep", marks=pytest.mark.deep)]
)
async def test_a_writer_that_is_killed_loses_nothing_it_was_told(
    kills: int, stocked_template: Template, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """F1, S12: SIGKILL at any moment of two writers at one file, again and again.

    Nothing acknowledged is lost, nothing is damaged, every change has its audit entry and every entry its changes; and
    whoever was told nothing asks again under the same key, and it is done once.
    """
    ids = {**stocked_template.ids, "olga": stocked_template.owner}
    told = untold = 0
    for kill in range(kills):
        if kill % KILLS_A_FILE == 0:
            path = Path(shutil.copyfile(stocked_template.path, tmp_path / f"file {kill}.db"))
        journal = tmp_path / f"journal {kill}"
        process = start_writer(path, journal, ids, name=f"writer{kill}")
        await asyncio.to_thread(wait_for_its_first_word, journal, "" if kill else "told")
        await asyncio.sleep(random.uniform(0, 0.3))
        process.kill()
        await asyncio.to_thread(process.join)
        assert process.exitcode == -9

        asked = Journal.read(journal).asked
        services = open_copy(stocked_template, path, Clock())
        try:
            await assert_sound(services, path)
            acknowledged = {key: revision for key, revision in asked.items() if revision is not None}
            assert acknowledged.items() <= _answers_kept(path).items()
            for key, move in _moves(f"writer{kill}", asked):
                answer = await move.make(services, ids)
                assert answer.errors == () and answer.changes
                assert asked[key] in {None, answer.revision}, "what was told is told again"
            await assert_sound(services, path)
        finally:
            await services.close()
        names = [name for (name,) in select(path, "SELECT user_name FROM users WHERE ended_revision IS NULL")]
        assert len(names) == len(set(names))
        assert {key.removesuffix(" made") for key in asked if key.endswith(" made")} <= set(names)
        told += sum(revision is not None for revision in asked.values())
        untold += sum(revision is None for revision in asked.values())
    record_property(
        "figure", f"F1: {kills} kills, {told} acknowledged, 0 lost; {untold} under way, done once when asked again"
    )
    assert told and untold


def _answers_kept(path: Path) -> dict[str, int]:
    """The revision that each key was answered with."""
    return dict(select(path, "SELECT key, json_extract(answer, '$.revision') FROM idempotency_keys"))


def _moves(writer: str, asked: dict[str, int | None]) -> Iterator[Any]:
    """The moves that a writer asked for, in its order."""
    for hand in ("left", "right"):
        number = 0
        while moves := [(key, move) for key, move in moves_of(writer, hand, number) if key in asked]:
            yield from moves
            number += 1


# ---------------------------------------------------------------------- S12: in one transaction

LOST = {
    "the audit entry": "audit_entries",
    "the subjects of the entry": "audit_subjects",
    "the change": "grants",
}


@pytest.mark.parametrize("what", LOST)
async def test_a_change_whose_audit_entry_cannot_be_written_is_not_made(world: Gateway, what: str) -> None:
    """S12: nor an entry whose change cannot be: whichever comes first."""
    with closing(sqlite3.connect(world.path)) as connection:
        connection.execute(
            f"CREATE TRIGGER fails BEFORE INSERT ON {LOST[what]} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )

    async with world.unchanged():
        answer = await world.ask(
            'mutation { grantPermissions(input: {holder: {user: {userName: "cleo"}}, '
            'grants: [{permission: "desk.reports.menu"}]}) { revision errors { code } } }'
        )

    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    await assert_sound(world.services, world.path)


# ---------------------------------------------------------------------- A25: fail closed

QUESTIONS = (
    '{ check(input: {user: {userName: "ana"}, node: "desk.reports.menu"}) { allowed state } }',
    '{ checkMany(inputs: [{user: {userName: "ana"}, node: "desk.reports.menu"}]) { allowed } }',
    '{ user(ref: {userName: "ana"}) { can(node: "desk.reports.menu") { allowed } } }',
)


@pytest.fixture
async def hasty(
    stocked_template: Template, tmp_path: Path, shared_schema: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gateway]:
    """A gateway that does not wait long for its database."""
    monkeypatch.setattr("app.db.engine.BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr("app.db.engine.POOL_TIMEOUT_S", 0.1)
    async with open_gateway(stocked_template, tmp_path / "hasty.db", Clock()) as gateway:
        yield gateway


async def ask(gateway: Gateway, question: str = QUESTIONS[0]) -> str:
    """`allowed` where the answer to a question says so, else what kind of no or error it is."""
    response = await gateway.post({"query": question})
    if '"allowed":true' in response.text.replace(" ", ""):
        return "allowed"
    if response.status_code >= 500:
        return "5xx"
    answer = response.json()
    assert response.status_code == 200, answer
    if "errors" in answer:
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"INTERNAL_SERVER_ERROR"}
        return "error"
    return "denied"


async def start_afresh(gateway: Gateway) -> None:
    """The next request opens the file anew."""
    await gateway.services.database.engine.dispose()


def take_away(gateway: Gateway) -> None:
    for suffix in ("", "-wal", "-shm"):
        gateway.path.with_name(gateway.path.name + suffix).unlink(missing_ok=True)


def replace_by_a_folder(gateway: Gateway) -> None:
    take_away(gateway)
    gateway.path.mkdir()


def overwrite(gateway: Gateway) -> None:
    take_away(gateway)
    gateway.path.write_bytes(os.urandom(64 * 1024))


def cut_off(gateway: Gateway) -> None:
    take_away(gateway)
    content = Path(gateway.path.with_name("kept")).read_bytes()
    gateway.path.write_bytes(content[: len(content) // 3])


def drop_tables(gateway: Gateway) -> None:
    with closing(sqlite3.connect(gateway.path)) as connection:
        connection.executescript("PRAGMA foreign_keys=OFF; DROP TABLE limits; DROP TABLE users;")


DISASTERS: dict[str, Callable[[Gateway], None]] = {
    "the file is gone": take_away,
    "a folder stands in its place": replace_by_a_folder,
    "noise stands in its place": overwrite,
    "two thirds of it are gone": cut_off,
    "tables are gone": drop_tables,
}


@pytest.mark.parametrize("disaster", DISASTERS)
async def test_nobody_is_let_in_by_a_database_that_is_gone(hasty: Gateway, disaster: str) -> None:
    """A25: nor is the process ready then."""
    assert await ask(hasty) == "allowed"
    await start_afresh(hasty)
    shutil.copyfile(hasty.path, hasty.path.with_name("kept"))
    DISASTERS[disaster](hasty)

    assert await ask(hasty) in {"5xx", "error"}
    ready = await hasty.client.get("/readyz")
    assert ready.status_code == (200 if disaster == "tables are gone" else 503)
    assert (await hasty.client.get("/livez")).status_code == 200


@contextmanager
def locked(gateway: Gateway) -> Iterator[None]:
    """Somebody has the file to themselves."""
    with closing(sqlite3.connect(gateway.path)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.rollback()


async def test_nobody_is_let_in_by_a_database_that_is_locked(hasty: Gateway) -> None:
    """A25: and afterwards all is as before."""
    await start_afresh(hasty)
    with locked(hasty):
        assert await ask(hasty) in {"5xx", "error"}

    assert await ask(hasty) == "allowed"


async def test_nobody_is_let_in_where_no_connection_is_left(hasty: Gateway) -> None:
    """A25: every connection of the pool is taken, the wait for one ends, and afterwards all is as before."""
    database = hasty.services.database
    async with asyncio.TaskGroup() as group:
        done, held = asyncio.Event(), asyncio.Semaphore(0)

        async def hold() -> None:
            async with database.reading():
                held.release()
                await done.wait()

        holding = [group.create_task(hold()) for _ in range(8)]
        for _ in holding:
            await held.acquire()
        assert await ask(hasty) in {"5xx", "error"}
        done.set()
    assert all(task.done() for task in holding)

    assert await ask(hasty) == "allowed"


@pytest.mark.parametrize("question", QUESTIONS, ids=("check", "checkMany", "can"))
async def test_nobody_is_let_in_whichever_statement_fails(hasty: Gateway, question: str) -> None:
    """A25: each of the statements that a check needs fails in turn, in ways that the driver knows and does not know."""
    assert await ask(hasty, question) == "allowed"  # and what is kept between requests is kept
    with hasty.counting() as statements:
        assert await ask(hasty, question) == "allowed"
    needed = len(statements)
    assert needed > 3

    for number in range(needed):
        for failure in (
            sqlite3.OperationalError("disk I/O error"),
            OSError("gone"),
            TimeoutError(),
            ValueError("what?"),
        ):
            with failing(hasty, number, failure) as failed:
                answered = await ask(hasty, question)
            assert failed, f"statement {number} was not asked"
            assert answered in {"5xx", "error"}, f"{answered} where statement {number} failed"
    assert await ask(hasty, question) == "allowed"


async def test_a_field_that_fails_takes_no_connection_along(hasty: Gateway) -> None:
    """A25: its siblings are called off in the middle of what they read; the answer is an error, the next one right."""
    question = "{ " + " ".join(f"q{number}: {asked[1:-1]}" for number, asked in enumerate(QUESTIONS)) + " }"
    assert await ask(hasty, question) == "allowed"

    for number in range(3, 12):  # the first three tell who asks
        with failing(hasty, number, ValueError("what?")):
            assert await ask(hasty, question) == "error"
        assert hasty.services.database.engine.sync_engine.pool.checkedin() == 1  # type: ignore[attr-defined]
        assert await ask(hasty, question) == "allowed"


@contextmanager
def failing(gateway: Gateway, number: int, failure: Exception) -> Iterator[list[str]]:
    """The statement of this number fails, and every one after it that is like it."""
    failed: list[str] = []
    count = 0

    def fail(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        nonlocal count
        if statement.startswith("BEGIN"):
            return
        count += 1
        if count > number:
            failed.append(statement)
            raise (OperationalError(statement, parameters, failure) if isinstance(failure, sqlite3.Error) else failure)

    engine = gateway.services.database.engine.sync_engine
    with ExitStack() as stack:
        event.listen(engine, "before_cursor_execute", fail)
        stack.callback(event.remove, engine, "before_cursor_execute", fail)
        yield failed


async def test_a_check_that_is_called_off_answers_nothing(hasty: Gateway) -> None:
    """A25: a client that went away, at any moment of its question; the next one is answered as before."""
    for delay in (0, 0.001, 0.002, 0.005, 0.01, 0.02):
        asking = asyncio.create_task(ask(hasty))
        await asyncio.sleep(delay)
        asking.cancel()
        answered = (await asyncio.gather(asking, return_exceptions=True))[0]
        assert isinstance(answered, asyncio.CancelledError) or answered in {"allowed", "5xx", "error"}

    assert await ask(hasty) == "allowed"


async def test_a_row_that_cannot_be_read_lets_nobody_in(hasty: Gateway) -> None:
    """A25: a value that is none, in the row of the grant itself."""
    with closing(sqlite3.connect(hasty.path)) as connection:
        connection.execute("UPDATE grants SET value = 'perhaps' WHERE node = ?", (MENU,))
        connection.commit()

    assert await ask(hasty) in {"5xx", "error"}
