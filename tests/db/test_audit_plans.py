"""The audit log grows for ever: each filter of it is answered by an index, as SQLite itself says it will."""

import sqlite3
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event

from app.domain.filters import AuditFilter
from app.domain.holders import ContractId
from app.domain.paging import Slice
from tests.factories import START, Gateway

ENGINES = ("sqlite",)

PAGE = Slice(limit=20)
FILTERS = {
    "everything": AuditFilter(),
    "an actor": AuditFilter(actor="ana"),
    "an action": AuditFilter(action="grantPermissions"),
    "a subject": AuditFilter(subject="usr_0"),
    "since": AuditFilter(since=START),
    "until": AuditFilter(until=START),
    "a span of time": AuditFilter(since=START, until=START),
    "after a revision": AuditFilter(after_revision=5),
    "a contract": AuditFilter(scopes=frozenset({ContractId("con_0")})),
    "contracts": AuditFilter(scopes=frozenset({ContractId("con_0"), ContractId("con_1")})),
    "an actor in a contract": AuditFilter(actor="ana", scopes=frozenset({ContractId("con_0")})),
    "a subject since": AuditFilter(subject="usr_0", since=START),
    "all at once": AuditFilter(
        actor="ana", action="x", subject="usr_0", since=START, until=START, after_revision=5,
        scopes=frozenset({ContractId("con_0")}),
    ),
}  # fmt: skip


async def plan(gateway: Gateway, ask: Any) -> list[str]:
    """How SQLite carries out the statements that something sends."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append((statement, parameters))

    engine = gateway.services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        async with gateway.services.database.reading() as unit:
            await ask(unit.audit)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(gateway.path)) as connection:
        return [
            row[3]
            for statement, parameters in sent
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def scans(steps: list[str]) -> list[str]:
    return [step for step in steps if step.startswith("SCAN") and "audit_" in step]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("backwards", [False, True])
async def test_no_page_reads_the_whole_log(gateway: Gateway, name: str, backwards: bool) -> None:
    part = Slice(limit=20, backwards=backwards)

    steps = await plan(gateway, lambda audit: audit.read_page(FILTERS[name], part))

    assert scans(steps) == []
    assert any(step.startswith("SEARCH audit_entries") for step in steps), steps


@pytest.mark.parametrize("name", ["everything", "an action", "a subject", "since", "until", "a contract"])
async def test_a_page_is_read_in_its_order_and_not_sorted(gateway: Gateway, name: str) -> None:
    """So a page costs the same however many entries fit the filter."""
    steps = await plan(gateway, lambda audit: audit.read_page(FILTERS[name], PAGE))

    assert [step for step in steps if "TEMP B-TREE" in step] == []


async def test_a_page_after_a_cursor_begins_there(gateway: Gateway) -> None:
    steps = await plan(
        gateway, lambda audit: audit.read_page(AuditFilter(), Slice(limit=20, after=(-7,), before=(-2,)))
    )

    assert scans(steps) == []
    (search,) = (step for step in steps if step.startswith("SEARCH audit_entries"))
    assert "revision>? AND revision<?" in search


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "everything"])
async def test_no_count_reads_the_whole_log(gateway: Gateway, name: str) -> None:
    assert scans(await plan(gateway, lambda audit: audit.count(FILTERS[name]))) == []


async def test_the_revision_of_a_time_is_found_by_the_index(gateway: Gateway) -> None:
    moment: datetime = START
    steps = await plan(gateway, lambda audit: audit.find_revision_at(moment))

    assert scans(steps) == []
    assert any("audit_by_time" in step for step in steps)
    assert [step for step in steps if "TEMP B-TREE" in step] == []


async def test_batches_for_verifying_are_read_in_order(gateway: Gateway) -> None:
    steps = await plan(gateway, lambda audit: audit.read_stored(3, limit=2))

    assert scans(steps) == []
    assert [step for step in steps if "TEMP B-TREE" in step] == []
