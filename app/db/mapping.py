"""Rows to records and back: pure functions, one pair a kind of record."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import RowMapping
from sqlmodel import SQLModel

from app.db import tables
from app.domain.audit import (
    AuditEntry,
    AuditPart,
    Parts,
    hash_content,
    read_changes,
    restate_changes,
    scope_of,
    write_changes,
    write_moment,
)
from app.domain.catalog import Catalog
from app.domain.contracts import AccessLevel
from app.domain.holders import (
    Access,
    Assignment,
    Ceiling,
    Contract,
    ContractStatus,
    Grant,
    Limit,
    Membership,
    Record,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    TeamKind,
    User,
    UserKind,
    UserStatus,
)
from app.domain.names import fold_name
from app.domain.values import Value
from app.domain.verification import LAST_OF_ALL, Link, StoredEntry

Values = RowMapping | Mapping[str, Any]
Columns = dict[str, Iterable[Any]]

TABLE_OF: Mapping[type, type[SQLModel]] = {
    User: tables.UserRow,
    Role: tables.RoleRow,
    Team: tables.TeamRow,
    Contract: tables.ContractRow,
    Grant: tables.GrantRow,
    Limit: tables.LimitRow,
    Assignment: tables.AssignmentRow,
    Membership: tables.MembershipRow,
    Access: tables.AccessRow,
    SubscriberLink: tables.SubscriberLinkRow,
    StoredFact: tables.StoredFactRow,
}
ENTITIES = (User, Role, Team, Contract)


def columns_of(kind: type) -> tuple[str, ...]:
    """The columns that hold a kind of record, in the order of its fields."""
    return tuple(_COLUMN_OF.get(field.name, field.name) for field in fields(kind))


def write_records(kind: type, catalog: Catalog, records: Sequence[Record]) -> Columns:
    """The columns of records of one kind, the revision that created them left out, each a value for each record.

    A column at a time, and not a row: a sync writes hundreds of thousands of rows in one transaction.
    """
    names = [field.name for field in fields(kind) if field.name != "revision"]
    columns: Columns = dict(zip(names, zip(*map(attrgetter(*names), records), strict=True), strict=True))
    for column, folded in FOLDED.get(kind, {}).items():
        columns[column] = map(fold_names, *(columns[name] for name in folded))
    for name, write in _WRITERS.get(kind, {}).items():
        columns[name] = map(write, columns[name])
    if kind in _VALUED:
        print_value = partial(_print_value, catalog)
        columns["value"] = map(print_value, columns["node"], columns["value"])
    return columns


def read_records(kind: type, catalog: Catalog, rows: Sequence[Sequence[Any]]) -> list[Any]:
    """The records of rows that hold `columns_of` their kind, as the driver gives them.

    A column at a time, straight into the slots of the records: everybody's rows are hundreds of thousands, and most of
    the time would go into the `__init__` of frozen records, which gives each field through `object.__setattr__`.
    """
    if not rows:
        return []
    names = [field.name for field in fields(kind)]
    columns: Columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    shared: dict[Any, Any] = {}
    for name in _SHARED.intersection(names):
        columns[name] = tuple(map(shared.setdefault, columns[name], columns[name]))
    for name, read in _READERS[kind].items():
        columns[name] = map(read, columns[name])
    if kind in _VALUED:
        columns["value"] = map(_value_reader(catalog), columns["node"], columns["value"])
    records: list[Any] = [object.__new__(kind) for _ in rows]
    for name, values in columns.items():
        deque(map(getattr(kind, name).__set__, records, values), maxlen=0)  # a loop for its effect alone
    return records


def read_record(kind: type, catalog: Catalog, row: Values) -> Any:
    """The record of one row."""
    return read_records(kind, catalog, [[row[name] for name in columns_of(kind)]])[0]


def read_user(row: Values) -> User:
    return cast(User, read_record(User, _NO_CATALOG, row))


def read_users(rows: Iterable[Values]) -> list[User]:
    """The users of many rows, in a fraction of the time that it takes one by one."""
    names = columns_of(User)
    return read_records(User, _NO_CATALOG, [[row[name] for name in names] for row in rows])


def read_role(row: Values) -> Role:
    return cast(Role, read_record(Role, _NO_CATALOG, row))


def read_team(row: Values) -> Team:
    return cast(Team, read_record(Team, _NO_CATALOG, row))


def read_contract(row: Values) -> Contract:
    return cast(Contract, read_record(Contract, _NO_CATALOG, row))


def _write_ceiling(ceiling: Ceiling | None) -> str | None:
    if ceiling is None:
        return None
    return json.dumps({"roles": sorted(ceiling.roles), "levels": sorted(ceiling.levels)})


def _read_ceiling(text: str | None) -> Ceiling | None:
    if text is None:
        return None
    content = json.loads(text)
    levels = ((contract, product, AccessLevel(level)) for contract, product, level in content["levels"])
    return Ceiling(frozenset(content["roles"]), frozenset(levels))


def fold_names(*names: str | None) -> str | None:
    """What searching compares of names, a line each; those of ASCII alone are left to the database."""
    return "\n".join([fold_name(name) for name in names if name is not None and not name.isascii()]) or None


def _print_value(catalog: Catalog, node: str, value: Value) -> str:
    return catalog.require_permission(node).value_type.print(value)


def _value_reader(catalog: Catalog) -> Callable[[str, str], Value]:
    """Reads values of permissions; the same text of the same permission is read once."""
    return cache(lambda node, text: catalog.require_permission(node).value_type.parse(text))


@lru_cache(maxsize=4096)  # the rows of one change set all have its time
def _read_moment(stored: datetime | str | None) -> datetime | None:
    """A time, as SQLite keeps it or as any other database gives it."""
    if stored is None or isinstance(stored, datetime):
        return stored
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


_NO_CATALOG = Catalog((), (), (), "")  # what is no right is read without one
FOLDED: Mapping[type, Mapping[str, tuple[str, ...]]] = {  # columns of what names are folded to
    User: {"folded": ("user_name", "display_name", "email"), "folded_user_name": ("user_name",)},
    Role: {"folded": ("key", "display_name")},
    Team: {"folded": ("key", "display_name")},
    Contract: {"folded": ("number", "name")},
}
_COLUMN_OF = {"revision": "created_revision"}  # where a field of a record and its column are not called the same
_SHARED = frozenset({"source", "actor", "reason", "contract", "role", "team", "node", "product", "revision"})
# ... of which there are few different values: one object of each, where a driver makes one for each row
_VALUED = (Grant, Limit)  # whose values are texts that the catalog understands
_MOMENTS: Mapping[str, Callable[[Any], Any]] = {
    "valid_from": _read_moment, "valid_until": _read_moment, "created_at": _read_moment
}  # fmt: skip
_READERS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    User: {"kind": cache(UserKind), "status": cache(UserStatus), "is_owner": bool, "ceiling": _read_ceiling},
    Role: {"parents": lambda text: tuple(json.loads(text)), "archived": bool},
    Team: {"kind": cache(TeamKind), "archived": bool},
    Contract: {"status": cache(ContractStatus), "products": lambda text: frozenset(json.loads(text))},
    Grant: _MOMENTS,
    Limit: _MOMENTS,
    Assignment: _MOMENTS,
    Membership: {**_MOMENTS, "supervisor": bool},
    Access: {**_MOMENTS, "level": cache(AccessLevel)},
    SubscriberLink: _MOMENTS,
    StoredFact: _MOMENTS,
}
_name_member = cache(str)  # of an enumeration of texts: the driver takes longer for what is no plain text
_WRITERS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    User: {"kind": _name_member, "status": _name_member, "ceiling": _write_ceiling},
    Role: {"parents": lambda parents: json.dumps(list(parents))},
    Team: {"kind": _name_member},
    Contract: {"status": _name_member, "products": lambda products: json.dumps(sorted(products))},
    Access: {"level": _name_member},
}


def read_audit_entry(row: Values) -> AuditEntry:
    """An entry; of one whose changes are in parts there is what its row says of them."""
    parts = None
    if row["parts_digest"] is not None:
        parts = Parts(total=row["changes_total"], digest=row["parts_digest"], scope=row["scope"])
    return AuditEntry(
        revision=row["revision"], at=row["at"], actor=row["actor"], actor_id=row["actor_id"],
        source=row["source"], action=row["action"], reason=row["reason"], subjects=tuple(json.loads(row["subjects"])),
        changes=read_changes(row["changes"]), previous_hash=row["previous_hash"], hash=row["hash"], parts=parts,
    )  # fmt: skip


def read_part(row: Values) -> AuditPart:
    return AuditPart(number=row["number"], text=row["changes"], hash=row["hash"])


def columns_of_part(part: AuditPart, revision: int) -> dict[str, Any]:
    return {"revision": revision, "number": part.number, "changes": part.text, "hash": part.hash}


class StoredRow(NamedTuple):
    """The row of an entry as it lies there: whatever somebody may have put into it."""

    revision: Any
    at: Any
    actor: Any
    actor_id: Any
    source: Any
    action: Any
    reason: Any
    subjects: Any
    changes: Any
    changes_total: Any
    parts_digest: Any
    scope: Any
    previous_hash: Any
    hash: Any


def read_stored_entry(row: StoredRow, named: frozenset[str], *, has_parts: bool = False) -> StoredEntry:
    """An entry as it lies there, for verifying: `fault` names the first column that is not as it would be written.

    What a record does not hold (keys of a change that are not known, white space, the scope) is compared as well.
    """
    if not isinstance(row.revision, int):
        return read_stray(row.revision)
    try:
        is_text = isinstance(row.at, str)  # as SQLite keeps a time
        moment = datetime.fromisoformat(row.at).replace(tzinfo=UTC) if is_text else row.at
        at, told, subjects = write_moment(moment), restate_changes(row.changes), _read_json(row.subjects)
        parts = None
        if row.parts_digest is not None:
            parts = Parts(total=row.changes_total, digest=row.parts_digest, scope=row.scope)
        derived = _Derived(  # but for these the entry has what is in the row
            at=f"{at[:10]} {at[11:26]}" if is_text else moment,
            subjects=_write_subjects(subjects) if parts is None else "[]",
            changes=told.text if parts is None else "[]",
            changes_total=None if parts is None else parts.total,
            scope=told.scope if parts is None else parts.scope,
        )
        if derived != (row.at, row.subjects, row.changes, row.changes_total, row.scope) or bytes in map(type, row):
            return StoredEntry(row.revision, fault=_find_altered(row, derived), named=named)
        digest = hash_content(
            revision=row.revision, at=at, actor=row.actor, actor_id=row.actor_id, source=row.source, action=row.action,
            reason=row.reason, subjects=subjects, changes=told.canonical, previous_hash=row.previous_hash, parts=parts,
        )  # fmt: skip
        link = Link(row.previous_hash, row.hash, digest, frozenset(subjects), parts)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return StoredEntry(row.revision, fault="it cannot be read", named=named)
    return StoredEntry(row.revision, link, named=named, has_parts=has_parts)


def read_stray(revision: Any) -> StoredEntry:
    """What lies there under a revision of which there is no row, or a revision that is none."""
    if not isinstance(revision, int):
        return StoredEntry(LAST_OF_ALL, fault="its revision is no number")
    return StoredEntry(revision)


class _Derived(NamedTuple):
    """The columns of an entry that follow from others, as this program writes them."""

    at: Any
    subjects: str
    changes: str
    changes_total: int | None
    scope: str | None


def _find_altered(row: StoredRow, derived: _Derived) -> str:
    """The first column that is not as it would be written."""
    known = derived._asdict()
    lying = row._asdict().items()
    name = next(name for name, one in lying if type(one) is bytes or one != known.get(name, one))
    return f"its column `{name}` is not as it was written"


_read_json = json.JSONDecoder().decode  # of text alone
_PLAIN = tuple(field.name for field in fields(AuditEntry) if field.name not in {"subjects", "changes", "parts"})


def columns_of_entry(entry: AuditEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _PLAIN} | _derive_columns(entry)


def _derive_columns(entry: AuditEntry) -> dict[str, Any]:
    """The columns that are not what the entry has under their name, but for the time, which each database keeps so."""
    is_whole = entry.parts is None
    return {
        "scope": scope_of(entry),
        "changes_total": None if entry.parts is None else entry.parts.total,
        "parts_digest": None if entry.parts is None else entry.parts.digest,
        "subjects": _write_subjects(entry.subjects) if is_whole else "[]",
        "changes": write_changes(entry.changes) if is_whole else "[]",
    }


def _write_subjects(subjects: Iterable[str]) -> str:
    """A JSON list, ASCII alone."""
    return f"[{', '.join(map(encode_basestring_ascii, subjects))}]"
