"""Rows to records and back: pure functions, one pair a kind of record."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlmodel import SQLModel

from app.db import tables
from app.domain.audit import AuditEntry, read_change, render_change, scope_of
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
from app.domain.verification import LAST_OF_ALL, StoredEntry

Values = RowMapping | Mapping[str, Any]

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


def columns_of(catalog: Catalog, record: Record) -> dict[str, Any]:
    """The columns of a record, its history left out."""
    columns = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "revision"}
    match record:
        case User():
            columns["ceiling"] = None if record.ceiling is None else _write_ceiling(record.ceiling)
        case Role():
            columns["parents"] = json.dumps(list(record.parents))
        case Contract():
            columns["products"] = json.dumps(sorted(record.products))
        case Grant() | Limit():
            columns["value"] = catalog.require_permission(record.node).value_type.print(record.value)
    return columns


def read_user(row: Values) -> User:
    return User(
        id=row["id"], user_name=row["user_name"], display_name=row["display_name"], email=row["email"],
        external_id=row["external_id"], kind=UserKind(row["kind"]), status=UserStatus(row["status"]),
        is_owner=bool(row["is_owner"]), source=row["source"],
        ceiling=None if row["ceiling"] is None else _read_ceiling(row["ceiling"]),
    )  # fmt: skip


def _write_ceiling(ceiling: Ceiling) -> str:
    return json.dumps({"roles": sorted(ceiling.roles), "levels": sorted(ceiling.levels)})


def _read_ceiling(text: str) -> Ceiling:
    content = json.loads(text)
    levels = ((contract, product, AccessLevel(level)) for contract, product, level in content["levels"])
    return Ceiling(frozenset(content["roles"]), frozenset(levels))


def read_role(row: Values) -> Role:
    return Role(
        id=row["id"], key=row["key"], display_name=row["display_name"], description=row["description"],
        parents=tuple(json.loads(row["parents"])), archived=bool(row["archived"]), source=row["source"],
    )  # fmt: skip


def read_team(row: Values) -> Team:
    return Team(
        id=row["id"], key=row["key"], display_name=row["display_name"], kind=TeamKind(row["kind"]),
        parent=row["parent"], archived=bool(row["archived"]), source=row["source"],
    )  # fmt: skip


def read_contract(row: Values) -> Contract:
    return Contract(
        id=row["id"], number=row["number"], name=row["name"], owner=row["owner"],
        status=ContractStatus(row["status"]), products=frozenset(json.loads(row["products"])),
    )  # fmt: skip


def _common(row: Values) -> dict[str, Any]:
    names = ("id", "contract", "valid_from", "valid_until", "source", "reason", "actor", "created_at")
    return {name: row[name] for name in names} | {"revision": row["created_revision"]}


def read_grant(catalog: Catalog, row: Values) -> Grant:
    value = catalog.require_permission(row["node"]).value_type.parse(row["value"])
    return Grant(**_common(row), holder=row["holder"], node=row["node"], value=value)


def read_limit(catalog: Catalog, row: Values) -> Limit:
    value = catalog.require_permission(row["node"]).value_type.parse(row["value"])
    return Limit(**_common(row), holder=row["holder"], node=row["node"], value=value)


def read_assignment(row: Values) -> Assignment:
    return Assignment(**_common(row), holder=row["holder"], role=row["role"])


def read_membership(row: Values) -> Membership:
    return Membership(**_common(row), user=row["user"], team=row["team"], supervisor=bool(row["supervisor"]))


def read_access(row: Values) -> Access:
    return Access(**_common(row), user=row["user"], product=row["product"], level=AccessLevel(row["level"]))


def read_link(row: Values) -> SubscriberLink:
    return SubscriberLink(**_common(row), user=row["user"], subscriber=row["subscriber"])


def read_fact(row: Values) -> StoredFact:
    return StoredFact(**_common(row), user=row["user"], name=row["name"], text=row["text"])


def reader_of(kind: type, catalog: Catalog) -> Callable[[Values], Any]:
    """The function that reads rows of a kind of record."""
    readers: Mapping[type, Callable[[Values], Any]] = {
        User: read_user,
        Role: read_role,
        Team: read_team,
        Contract: read_contract,
        Grant: lambda row: read_grant(catalog, row),
        Limit: lambda row: read_limit(catalog, row),
        Assignment: read_assignment,
        Membership: read_membership,
        Access: read_access,
        SubscriberLink: read_link,
        StoredFact: read_fact,
    }
    return readers[kind]


def read_audit_entry(row: Values) -> AuditEntry:
    return AuditEntry(
        revision=row["revision"], at=row["at"], actor=row["actor"], actor_id=row["actor_id"], source=row["source"],
        action=row["action"], reason=row["reason"], subjects=tuple(json.loads(row["subjects"])),
        changes=tuple(read_change(change) for change in json.loads(row["changes"])),
        previous_hash=row["previous_hash"], hash=row["hash"],
    )  # fmt: skip


def read_stored_entry(row: Values, named: frozenset[str]) -> StoredEntry:
    """An entry as it lies there, for verifying: `fault` names the first column that is not as it would be written.

    What a record does not hold (keys of a change that are not known, white space, the scope) is compared as well. A row
    of a revision alone stands for one that is not there.
    """
    revision = row["revision"]
    if not isinstance(revision, int):
        return StoredEntry(revision=LAST_OF_ALL, entry=None, fault="its revision is no number")
    if len(row) == 1:
        return StoredEntry(revision=revision, entry=None, named=named)
    try:
        at = row["at"]
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC)
        entry = read_audit_entry({**row, "at": moment})
        written = columns_of_entry(entry)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return StoredEntry(revision=revision, entry=None, fault="it cannot be read", named=named)
    if isinstance(at, str):  # as SQLite keeps a time
        written["at"] = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
    for name, value in written.items():
        if row[name] != value or isinstance(row[name], bytes):
            return StoredEntry(
                revision=revision, entry=entry, fault=f"its column `{name}` is not as it was written", named=named
            )
    return StoredEntry(revision=revision, entry=entry, named=named)


def columns_of_entry(entry: AuditEntry) -> dict[str, Any]:
    columns = {field.name: getattr(entry, field.name) for field in fields(entry)}
    columns["scope"] = scope_of(entry)
    columns["subjects"] = json.dumps(list(entry.subjects))
    columns["changes"] = json.dumps([render_change(change) for change in entry.changes], ensure_ascii=False)
    return columns
