"""Audit entries and their hashes: small ones as ever, large ones by the digest of their parts."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from app.domain.audit import (
    FIRST_HASH,
    PART_SIZE,
    AuditEntry,
    AuditPart,
    ChangeRecord,
    Parts,
    Summary,
    cut_parts,
    hash_entry,
    hash_part,
    read_change,
    read_changes,
    scope_of,
    write_changes,
)
from app.domain.verification import PartsCheck

ENTRY = AuditEntry(
    revision=7, at=datetime(2026, 6, 1, 9, 0, 0, 5, tzinfo=UTC), actor="ana", actor_id="usr_1", source="manual",
    action="grantPermissions", reason=None, subjects=("usr_2",),
    changes=(ChangeRecord(action="grant", row="grt_1", holder="usr_2", node="a.b", after="é", detail="granted"),),
    previous_hash=FIRST_HASH,
)  # fmt: skip
# Text that was hashed before there were parts, and that databases hold the hash of: never to be changed.
CANONICAL = (
    '{"action":"grantPermissions","actor":"ana","actor_id":"usr_1","at":"2026-06-01T09:00:00.000005+00:00",'
    '"changes":[{"action":"grant","after":"é","detail":"granted","holder":"usr_2","node":"a.b","row":"grt_1"}],'
    f'"previous_hash":"{FIRST_HASH}","reason":null,"revision":7,"source":"manual","subjects":["usr_2"]}}'
)


def make_changes(count: int, contract: str | None = None) -> list[ChangeRecord]:
    """So many changes, each of a person of its own; every one gives the same role."""
    return [
        ChangeRecord(action="assign", row=f"asg_{n}", holder=f"usr_{n}", role="rol_1", contract=contract, detail="x")
        for n in range(count)
    ]


def summarise(changes: list[ChangeRecord]) -> Parts:
    summary = Summary()
    for part, records in cut_parts(changes):
        summary.add(part, records)
    return summary.finish()


def test_a_small_entry_hashes_as_it_always_did() -> None:
    assert hash_entry(ENTRY) == sha256(CANONICAL.encode()).hexdigest()
    assert (ENTRY.changes_total, ENTRY.parts) == (1, None)


def test_the_hash_of_a_large_entry_covers_number_and_digest_and_no_change_itself() -> None:
    parts = Parts(total=2000, digest="d", scope=None)
    large = replace(ENTRY, subjects=(), changes=(), parts=parts)

    assert large.changes_total == 2000
    assert hash_entry(replace(large, changes=ENTRY.changes)) == hash_entry(large)  # they are shown, and lie in a part
    others = [replace(parts, total=2001), replace(parts, digest="e")]
    assert len({hash_entry(ENTRY), hash_entry(large), *(hash_entry(replace(large, parts=p)) for p in others)}) == 4


@pytest.mark.parametrize("count", [0, 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE])
def test_changes_are_cut_into_parts_and_none_is_lost(count: int) -> None:
    changes = make_changes(count)

    parts = list(cut_parts(changes))

    assert [part.number for part, _ in parts] == list(range(-(-count // PART_SIZE)))
    assert [change for part, _ in parts for change in read_changes(part.text)] == changes
    assert all(part.hash == hash_part(part.text) and len(records) <= PART_SIZE for part, records in parts)


def test_subjects_are_given_once_each_in_the_order_of_the_parts() -> None:
    summary, found = Summary(), list[str]()
    for part, records in cut_parts([*make_changes(1500), *make_changes(1500)]):
        found += summary.add(part, records)

    assert found == ["usr_0", "rol_1", *(f"usr_{number}" for number in range(1, 1500))]
    assert set(found) == summary.subjects


def test_the_scope_is_the_contract_of_all() -> None:
    assert summarise(make_changes(2500, "con_1")).scope == "con_1"
    assert summarise([*make_changes(2500, "con_1"), *make_changes(1)]).scope is None
    assert summarise([*make_changes(2500, "con_1"), *make_changes(1, "con_2")]).scope is None
    assert scope_of(replace(ENTRY, changes=(), parts=summarise(make_changes(2500, "con_1")))) == "con_1"


def test_what_a_later_version_wrote_of_a_change_is_dropped() -> None:
    assert read_change({"action": "grant", "detail": "x", "unheard": "of"}) == ChangeRecord(action="grant", detail="x")


# ---------------------------------------------------------------------- verifying


def verify(parts: list[AuditPart], expected: Parts, subjects: list[str]) -> str | None:
    check = PartsCheck(expected)
    faults = [check.follow(part) for part in parts]
    return next((fault for fault in faults if fault), None) or check.end_parts() or check.name(subjects) or check.end()


def test_parts_and_subjects_that_are_what_was_written_have_no_fault() -> None:
    changes = make_changes(2500)
    parts = [part for part, _ in cut_parts(changes)]
    subjects = ["rol_1", *(change.holder or "" for change in reversed(changes))]

    assert verify(parts, summarise(changes), subjects) is None


def test_each_fault_is_told_apart() -> None:
    changes = make_changes(2500)
    parts, expected = [part for part, _ in cut_parts(changes)], summarise(changes)
    subjects = ["rol_1", *(change.holder or "" for change in changes)]
    first, second, third = parts
    fewer = write_changes(changes[:999])
    rewritten = AuditPart(number=0, text=fewer, hash=hash_part(fewer))
    faults = {
        "its part 1 is missing, or is there under another number": [first, third],
        "its part 0 is missing, or is there under another number": [second, first, third],
        "the hash of its part 1 is not that of its changes": [first, replace(second, text=first.text), third],
        "its parts are not those that it was written with": [rewritten, second, third],
        "its part 2 cannot be read": [first, second, replace(third, text="[", hash=hash_part("["))],
    }

    for fault, given in faults.items():
        assert verify(given, expected, subjects) == fault
    assert verify(parts[:2], expected, subjects) == "its parts are not those that it was written with"
    assert verify(parts, expected, subjects[1:]) == "it is not found under every subject that its parts name"
    assert verify(parts, expected, [*subjects, "usr_x"]) == "it is found under a subject that its parts do not name"
