"""Columns: times come back as they went in, in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite

from app.db.tables import UtcDateTime
from tests.factories import Gateway, holder, select

MOMENTS = [
    datetime(2026, 6, 1, 9, tzinfo=UTC),
    datetime(2026, 6, 1, 9, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 6, 1, 11, tzinfo=timezone(timedelta(hours=2))),
    datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=1))),  # an hour that clocks in Paris leave out
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC),
]
DIALECTS: list[Dialect] = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]  # one is not typed


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=["sqlite", "postgresql"])
def test_a_moment_comes_back_the_same_and_in_utc(moment: datetime, dialect: Dialect) -> None:
    column = UtcDateTime()

    kept = column.process_bind_param(moment, dialect)
    found = column.process_result_value(kept, dialect)

    assert found == moment
    assert found is not None and found.tzinfo is UTC


def test_none_stays_none() -> None:
    column = UtcDateTime()

    assert column.process_bind_param(None, sqlite.dialect()) is None
    assert column.process_result_value(None, sqlite.dialect()) is None


async def test_times_in_the_database_are_in_utc_and_sort(world: Gateway) -> None:
    await world.grant(
        holder(user="cleo"),
        {"permission": "desk.reports.menu", "validFrom": "2026-07-01T00:00:00+02:00"},
        {"permission": "desk.reports.menu", "validFrom": "2026-06-30T23:00:00Z"},
        {"permission": "desk.reports.menu", "validFrom": "2026-06-30T23:00:00.000001Z"},
    )

    statement = "SELECT valid_from FROM grants WHERE valid_from IS NOT NULL ORDER BY valid_from"
    found = [moment for (moment,) in select(world.path, statement)]
    if isinstance(world.path, Path):  # SQLite has texts, in UTC and all of one length
        assert [len(text) for text in found] == [26] * 3
        found = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in found]
    assert found == [
        datetime(2026, 6, 30, 22, tzinfo=UTC),
        datetime(2026, 6, 30, 23, tzinfo=UTC),
        datetime(2026, 6, 30, 23, 0, 0, 1, tzinfo=UTC),
    ]


async def test_rows_come_back_from_the_database_as_they_went_in(world: Gateway) -> None:
    """Every value of every type, through its text in the database."""
    values = {
        "desk.staff.accounts.users": {"level": "Modify and delete"},
        "desk.calls.recordings": {"scopes": ["same group"]},
        "desk.calls.channels": {"amount": 10},
        "desk.calls.wrap_up": {"amount": 0},
        "desk.calls.numbers": {"members": ["all", 'a "quoted", name', "ivr", "\u00e9"]},
    }
    grants = [{"permission": key, "value": value} for key, value in values.items()]
    payload = await world.mutate(
        "grantPermissions",
        {"holder": holder(user="cleo"), "grants": grants},
        "grants { permission { key } value { text } }",
    )
    services = world.services

    async with services.database.reading(services.catalog) as unit:
        rows = await unit.worlds.list_valued_rows()

    found = {
        row.node: services.catalog.render_value(row.node, row.value) for row in rows if row.holder == world.ids["cleo"]
    }
    shown = {grant["permission"]["key"]: grant["value"]["text"] for grant in payload["holder"]["grants"]}
    assert found == shown
    assert shown["desk.calls.numbers"] == '"a \\"quoted\\", name", "all", ivr, \u00e9'
