"""Snapshots of the index in a file, so that a process with millions of people answers at once when it starts.

A snapshot holds people and what the numbers of their profiles stand for, at one revision. It is sealed by a key of the
database, and names the hash of the audit entry of its revision: whoever altered it, another database, and a database
that was set back and went on otherwise, are all found out. What came after its revision is read from the change log.
"""

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.db.repositories.profiles import SHAPE
from app.domain.audit import Mark
from app.domain.people import Everybody
from app.telemetry import log

FORMAT = f"permgate index 2 {sys.byteorder} {SHAPE}"  # after a migration everybody is read anew
SEAL_SIZE = 32
LENGTH_SIZE = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everybody at a state of the database. `owners` are those whom contracts named."""

    mark: Mark
    owners: frozenset[str]
    signatures: Sequence[tuple[Any, ...]]
    people: Everybody


def write_snapshot(path: Path, snapshot: Snapshot, key: bytes) -> None:
    """Puts a snapshot in the place of the one that is there; raises `OSError`, and that one stays."""
    sections = snapshot.people.dump()
    head = json.dumps({
        "format": FORMAT, "mark": snapshot.mark, "owners": sorted(snapshot.owners),
        "signatures": snapshot.signatures, "sections": [len(section) for section in sections],
    }, default=_write_moment).encode()  # fmt: skip
    parts = [len(head).to_bytes(LENGTH_SIZE), head, *sections]
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(_seal(parts, key))
            file.writelines(parts)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_snapshot(path: Path, key: bytes) -> Snapshot | None:
    """The snapshot of a file; None where there is none, or none that this key sealed."""
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        log("the snapshot of the index cannot be read", level=30, exception=error)
        return None
    if not hmac.compare_digest(_seal([content[SEAL_SIZE:]], key), content[:SEAL_SIZE]):
        log("the snapshot of the index is none of this database", level=30)
        return None
    start = SEAL_SIZE + LENGTH_SIZE
    end = start + int.from_bytes(content[SEAL_SIZE:start])
    head = json.loads(bytes(content[start:end]))
    if head["format"] != FORMAT:
        return None
    sections = []
    for length in head["sections"]:
        sections.append(bytes(content[end : end + length]))
        end += length
    return Snapshot(
        mark=Mark(*head["mark"]), owners=frozenset(head["owners"]),
        signatures=[tuple(said) for said in head["signatures"]], people=Everybody.load(sections),
    )  # fmt: skip


def _seal(parts: Sequence[bytes | memoryview], key: bytes) -> bytes:
    seal = hmac.new(key, b"permgate index snapshot", hashlib.sha256)
    for part in parts:
        seal.update(part)
    return seal.digest()


def _write_moment(value: object) -> str:
    """A time as text, which is read back as it is: SQLite gives times as texts, PostgreSQL as what they are."""
    assert isinstance(value, datetime), "rows say texts, numbers, times and nothing else"
    return value.isoformat()
