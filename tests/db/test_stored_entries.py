"""Entries as they lie there are verified by their texts, with the verdict of records made of them, on both databases.

Large ones are read a few at a time, so that nobody waits for them and no memory is filled by them.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.db import tables
from app.db.mapping import StoredRow, columns_of_entry, read_stored_entry
from app.db.repositories.audit import LARGE, MOST_AT_ONCE
from app.db.repositories.reading import Reader
from app.domain.audit import (
    FIRST_HASH,
    AuditEntry,
    ChangeRecord,
    Parts,
    name_subjects,
    read_changes,
    scope_of,
    seal_entry,
    write_changes,
)
from app.domain.verification import StoredEntry, Verification
from app.services.audit import verify_chain
from tests.factories import Gateway

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
PLAIN = ("revision", "actor", "actor_id", "source", "action", "reason", "previous_hash")


def judge_by_records(row: StoredRow) -> str | None:
    """The hash that a row's content has, by records of it and the standard encoder; None: it was not written so.

    This is how it was verified before it was done by texts.
    """
    texts = [row.actor, row.source, row.action, row.previous_hash]
    try:
        at = row.at if isinstance(row.at, datetime) else datetime.fromisoformat(row.at).replace(tzinfo=UTC)
        subjects = list(json.loads(row.subjects))
        parts = None
        if row.parts_digest is not None:
            parts = Parts(total=row.changes_total, digest=row.parts_digest, scope=row.scope)
        changes = read_changes(row.changes)
        entry = replace(ENTRY, at=at, subjects=tuple(subjects), changes=changes, parts=parts)
        written: dict[str, Any] = {
            "scope": scope_of(entry),
            "changes_total": None if parts is None else parts.total,
            "subjects": json.dumps(subjects) if parts is None else "[]",
            "changes": write_changes(changes) if parts is None else "[]",
        }
        if isinstance(row.at, str):
            written["at"] = at.replace(tzinfo=None).isoformat(" ", "microseconds")
        content = {name: getattr(row, name) for name in PLAIN} | {"subjects": subjects}
        content["at"] = at.astimezone(UTC).isoformat(timespec="microseconds")
        content["changes"] = [
            {name: value for name in ChangeRecord.__slots__ if (value := getattr(change, name)) is not None}
            for change in changes
        ]
        if parts is not None:
            content |= {"changes": [], "changes_total": parts.total, "parts_digest": parts.digest}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = sha256(canonical.encode()).hexdigest()
    except UNREADABLE:
        return None
    if bytes in map(type, row) or any(getattr(row, name) != value for name, value in written.items()):
        return None
    return digest if all(type(one) is str for one in [*texts, *subjects]) else None


def judge(row: StoredRow) -> str | None:
    stored = read_stored_entry(row, frozenset())
    assert (stored.link is None) == (stored.fault is not None)
    return None if stored.link is None else stored.link.digest


def lay(entry: AuditEntry, *, as_text: bool = True) -> StoredRow:
    """The row of an entry, as SQLite gives it, or else as PostgreSQL does."""
    columns = columns_of_entry(entry)
    if as_text:
        columns["at"] = entry.at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return StoredRow(**columns)


ENTRY = AuditEntry(
    revision=7, at=NOON, actor="ana", actor_id="usr_1", source="manual", action="grantPermissions", reason=None,
    subjects=("usr_2", "con_1"), previous_hash=FIRST_HASH,
    changes=(ChangeRecord(action="grant", row="grt_1", holder="usr_2", contract="con_1", after="é", detail="granted"),),
)  # fmt: skip
WORDS = st.text(max_size=6) | st.sampled_from(['"', "\\", "%s", "\x00\x1f\x7f", "\u2028", "😀", "/", "{}", "con_1"])
OPTIONAL = [name for name in ChangeRecord.__slots__ if name not in {"action", "detail"}]
CHANGES = st.builds(ChangeRecord, action=WORDS, detail=WORDS, **{name: st.none() | WORDS for name in OPTIONAL})
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
TIMES = st.datetimes(min_value=datetime(1000, 1, 1), timezones=ZONES)  # noqa: DTZ001  # as it wants it
PARTS = st.none() | st.builds(Parts, total=st.integers(0, 10**6), digest=WORDS, scope=st.none() | WORDS)
ENTRIES = st.builds(
    AuditEntry, revision=st.integers(1, 2**62), at=TIMES, actor=WORDS, actor_id=st.none() | WORDS, source=WORDS,
    action=WORDS, reason=st.none() | WORDS, subjects=st.lists(WORDS, max_size=3).map(tuple),
    changes=st.lists(CHANGES, max_size=3).map(tuple), previous_hash=WORDS, parts=PARTS,
).map(lambda entry: entry if entry.parts is None else replace(entry, subjects=(), changes=()))  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(OPTIONAL) | WORDS, inner, max_size=2),
    max_leaves=3,
)


@given(entry=ENTRIES, as_text=st.booleans())
def test_whatever_was_written_is_sound_and_has_its_hash(entry: AuditEntry, as_text: bool) -> None:
    row = lay(seal_entry(entry), as_text=as_text)

    stored = read_stored_entry(row, frozenset(), has_parts=True)

    assert stored.fault is None and stored.link is not None and stored.has_parts
    assert stored.link.digest == stored.link.hash == judge_by_records(row)
    assert stored.link.subjects == frozenset(() if entry.parts is not None else entry.subjects)


@st.composite
def altered_rows(draw: st.DrawFn) -> StoredRow:
    """Rows of which a column says something else, or says it otherwise."""
    row = lay(draw(ENTRIES), as_text=draw(st.booleans()))
    column = draw(st.sampled_from(["changes", "changes", "changes", *StoredRow._fields[1:]]))
    kept = getattr(row, column)
    ways: list[Any] = [st.none(), st.binary(max_size=3), WORDS, ANYTHING.map(json.dumps)]
    if isinstance(kept, str):
        ways += [st.just(kept.encode(errors="replace")), st.just(kept + " "), st.just(kept.replace(" ", ""))]
    if column == "at":
        ways = [
            st.sampled_from([f"{kept}+02:00", "2026-06-01 12:00:00", "2026-06-01T12:00:00.000000", "then", None, b""])
        ]
    if column in {"changes", "subjects"} and row.parts_digest is None:
        ways.append(altered_lists(json.loads(kept)))
    return row._replace(**{column: draw(st.one_of(ways))})


@st.composite
def altered_lists(draw: st.DrawFn, content: list[Any]) -> str:
    """A list as JSON that has one thing more, and is written in one of several ways."""
    some = draw(
        st.dictionaries(st.sampled_from([*ChangeRecord.__slots__, "unheard"]), st.none() | ANYTHING, max_size=4)
    )
    if content and isinstance(content[0], dict):
        items = draw(st.permutations([*content[0].items(), *some.items()]))
        content = [dict(items), *content[1:]]
    elif draw(st.booleans()):
        content = [*content, draw(st.just(some) | ANYTHING)]
    separators = draw(st.sampled_from([(", ", ": "), (",", ":"), (" , ", ": ")]))
    text = json.dumps(content, ensure_ascii=draw(st.booleans()), separators=separators)
    return draw(
        st.sampled_from([text, text.replace("{", '{"action": "x", ', 1), text.replace('"', '"\\ud800', 1), text[1:]])
    )


@given(row=altered_rows())
def test_what_lies_there_otherwise_is_judged_as_by_records(row: StoredRow) -> None:
    assert judge(row) == judge_by_records(row)


def test_a_row_that_means_the_same_is_not_as_it_was_written() -> None:
    row = lay(seal_entry(ENTRY))
    assert judge(row) == judge_by_records(row) == row.hash
    (change,) = json.loads(row.changes)
    by_itself = {name: value for name, value in change.items() if name not in {"action", "detail"}}
    changes: dict[str, Any] = {
        "another order": dict(reversed(change.items())),
        "nulls": {name: change.get(name) for name in ChangeRecord.__slots__},
        "unheard of": change | {"unheard": "of"}, "no action": by_itself | {"detail": "granted"},
        "no detail": {"action": "grant", **by_itself}, "nothing": {}, "a list": ["action", "detail"],
    }  # fmt: skip
    texts = {name: json.dumps([content], ensure_ascii=False) for name, content in changes.items()}
    texts |= {
        "only what is ASCII": json.dumps([change]), "no space": row.changes.replace(": ", ":"), "a null": "null",
        "a key twice": row.changes.replace("{", '{"action": "x", '), "no list": row.changes[1:-1],
    }  # fmt: skip
    others: dict[str, list[Any]] = {
        "changes": [*texts.values()],
        "at": [row.at + "+00:00", row.at + "+02:00", row.at.replace(" ", "T"), row.at[:-7], row.at[:10], "then", None],
        "subjects": [row.subjects.replace(" ", ""), '["usr_2", "con_1", 5]', '["usr_2", ["con_1"]]', "{}", '""', None],
        "scope": [None, "con_2", ""], "changes_total": [1, 0, ""], "actor": [None], "previous_hash": [None],
    }  # fmt: skip
    for column, values in others.items():
        for value in values:
            altered = row._replace(**{column: value})
            assert judge(altered) is None and judge_by_records(altered) is None, (column, value)


@pytest.mark.parametrize("values", [{"holder": 5}, {"detail": {"b": [1], "a": None}}, {"before": 1.5, "after": True}])
def test_a_value_that_is_no_text_counts_as_it_always_did(values: dict[str, Any]) -> None:
    change = {"action": "grant", "row": "grt_1", "holder": "usr_2", "before": "x", "after": "y", "detail": "z"} | values
    row = lay(replace(ENTRY, changes=()))._replace(changes=json.dumps([change]))

    assert judge(row) == judge_by_records(row) is not None


def test_each_column_is_looked_at() -> None:
    assert set(StoredRow._fields) == {column.name for column in tables.table_of(tables.AuditEntryRow).c}
    row = lay(seal_entry(ENTRY))
    for name in StoredRow._fields:
        assert read_stored_entry(row._replace(**{name: b"x"}), frozenset()).fault is not None, name


# ---------------------------------------------------------------------- large ones


async def plant(gateway: Gateway, sizes: Iterable[int]) -> None:
    """Entries of so many changes."""
    async with gateway.services.database.writing(gateway.services.catalog) as unit:
        for size in sizes:
            changes = tuple(
                ChangeRecord(action="assign", holder=f"usr_{number}", detail="x" * 120) for number in range(size)
            )

            def make(revision: int, previous: str, changes: tuple[ChangeRecord, ...] = changes) -> AuditEntry:
                return replace(
                    ENTRY, revision=revision, at=gateway.clock(), subjects=name_subjects(changes), changes=changes,
                    previous_hash=previous,
                )  # fmt: skip

            await unit.record([], make)


async def verify(gateway: Gateway) -> Verification:
    async with gateway.services.database.reading() as unit:
        return await verify_chain(unit)


def weigh_what_is_brought(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The characters that each statement brings from now on."""
    brought: list[int] = []
    read = Reader._execute

    async def weigh(self: Reader, *args: Any) -> Any:
        result = (await read(self, *args)).freeze()
        brought.append(sum(len(value) for row in result().all() for value in row if isinstance(value, str)))
        return result()

    monkeypatch.setattr(Reader, "_execute", weigh)
    return brought


async def test_large_ones_are_read_a_few_at_a_time(gateway: Gateway) -> None:
    few, many = 10, 700  # changes: the latter are some 120 kilobytes
    before = await gateway.revision()
    await plant(gateway, [*[few] * 30, *[many] * 20, *[few] * 30])
    whole = len(write_changes([ChangeRecord(action="assign", holder="usr_100", detail="x" * 120)] * many))
    assert LARGE < whole < MOST_AT_ONCE

    after, read = 0, list[int]()
    async with gateway.services.database.reading() as unit:
        while found := await unit.audit.read_stored(after, limit=400):
            read.append(len(found))
            after = found[-1].revision

    assert sum(read) == after == before + 80
    assert max(read[1:-1]) <= MOST_AT_ONCE // (whole - 1000) + 1 and len(read) < 15
    assert await verify(gateway) == Verification(revision=after, hash=(await gateway.head())["hash"])


async def test_others_have_a_turn_after_a_few_of_very_many(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def read(*given: Any, **named: Any) -> StoredEntry:
        order.append("an entry")
        asyncio.get_running_loop().call_soon(order.append, "another")
        return read_stored_entry(*given, **named)

    monkeypatch.setattr("app.db.repositories.audit.TURN", 3)
    monkeypatch.setattr("app.db.repositories.audit.read_stored_entry", read)
    await plant(gateway, [1] * 10)

    assert (await verify(gateway)).ok
    in_a_row = [len([*some]) for what, some in groupby(order) if what == "an entry"]
    assert sum(in_a_row) == await gateway.revision() > 10
    assert max(in_a_row) == 3


async def test_the_text_of_large_ones_is_never_there_all_at_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(gateway, [700] * 10)
    brought = weigh_what_is_brought(monkeypatch)

    assert (await verify(gateway)).ok
    whole = len(write_changes([ChangeRecord(action="assign", holder="usr_100", detail="x" * 120)] * 700))
    assert sum(brought) > 10 * whole, "each was read"
    assert max(brought) < 2 * whole


async def test_what_was_read_and_left_aside_is_not_read_over_and_over(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 150  # changes: some 27 kilobytes, ten of which are verified at once
    await plant(gateway, [many] * 100)
    whole = 100 * len(write_changes([ChangeRecord(action="assign", holder="usr_100", detail="x" * 120)] * many))
    brought = weigh_what_is_brought(monkeypatch)

    assert (await verify(gateway)).ok
    assert whole < sum(brought) < 4 * whole


async def test_what_is_altered_in_a_large_one_is_found(gateway: Gateway) -> None:
    await plant(gateway, [700] * 5)
    last = await gateway.revision()
    async with gateway.services.database.engine.begin() as connection:
        update = "UPDATE audit_entries SET changes = replace(changes, 'usr_699', 'usr_700') WHERE revision = :revision"
        await connection.execute(text(update), {"revision": last - 1})

    found = await verify(gateway)

    assert (found.bad, found.revision) == (last - 1, last - 2)
    assert found.problem == "its hash is not that of its content"
