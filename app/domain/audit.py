"""What was done, in a form that is kept for ever: audit entries and their chain of hashes (SEMANTICS section 9).

An entry is written in the transaction of the change it tells of. Its hash covers the canonical text of everything in it
and the hash before, so that whoever alters, drops or reorders an entry breaks every one that follows.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from app.domain.catalog import Catalog
from app.domain.holders import (
    Access,
    Assignment,
    Ceiling,
    Contract,
    Grant,
    Limit,
    Membership,
    Record,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    User,
)
from app.domain.tokens import TokenRecord
from app.domain.values import Value
from app.domain.world import Change

_ON_HOLDERS = frozenset(
    {"grant", "revoke", "limit", "lift_limit", "assign", "unassign", "add_member", "remove_member"}
)  # the actions on rows that hang on a holder, whatever contract they are scoped to
FIRST_HASH = "0" * 64  # what stands before the first entry
_ACTIONS: dict[type, tuple[str, str, str]] = {  # created, ended, known differently
    User: ("create_user", "end_user", "update_user"),
    Role: ("create_role", "end_role", "update_role"),
    Team: ("create_team", "end_team", "update_team"),
    Contract: ("register_contract", "end_contract", "update_contract"),
    Grant: ("grant", "revoke", "replace_grant"),
    Limit: ("limit", "lift_limit", "replace_limit"),
    Assignment: ("assign", "unassign", "replace_assignment"),
    Membership: ("add_member", "remove_member", "replace_membership"),
    Access: ("set_level", "remove_level", "replace_level"),
    SubscriberLink: ("link_subscriber", "unlink_subscriber", "replace_link"),
    StoredFact: ("set_fact", "end_fact", "replace_fact"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """One thing that was done. `before` and `after` render the value; None: did not exist."""

    action: str
    row: str | None = None
    holder: str | None = None
    node: str | None = None
    role: str | None = None
    team: str | None = None
    contract: str | None = None
    before: str | None = None
    after: str | None = None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """All that one revision did. `subjects` are the ids of what it is about."""

    revision: int
    at: datetime
    actor: str
    actor_id: str | None
    source: str
    action: str
    reason: str | None
    subjects: tuple[str, ...]
    changes: tuple[ChangeRecord, ...]
    previous_hash: str
    hash: str = ""


def seal_entry(entry: AuditEntry) -> AuditEntry:
    """The entry with its hash."""
    return replace(entry, hash=hash_entry(entry))


def hash_entry(entry: AuditEntry) -> str:
    """SHA-256 over the canonical text of an entry, its own hash left out, in hexadecimal."""
    content: dict[str, Any] = {name: getattr(entry, name) for name in AuditEntry.__slots__ if name != "hash"}
    content["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    content["changes"] = [render_change(change) for change in entry.changes]
    return hashlib.sha256(canonical_text(content).encode()).hexdigest()


def canonical_text(content: object) -> str:
    """One text for equal data: keys sorted, no white space, UTF-8 kept."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def render_change(change: ChangeRecord) -> dict[str, Any]:
    """A change as plain data; what is None is left out, so that a later field does not alter old hashes."""
    values = ((name, getattr(change, name)) for name in ChangeRecord.__slots__)
    return {name: value for name, value in values if value is not None}


def read_change(data: dict[str, Any]) -> ChangeRecord:
    """The inverse of `render_change`; what a later version wrote and this one does not know is dropped."""
    return ChangeRecord(**{name: data[name] for name in ChangeRecord.__slots__ if name in data})


def describe_change(catalog: Catalog, change: Change) -> ChangeRecord:
    """One change in words and references."""
    created, ended, changed = _ACTIONS[type(change.record)]
    action = created if change.before is None else ended if change.after is None else changed
    record = change.record
    before = None if change.before is None else render_record(catalog, change.before, beside=change.after)
    after = None if change.after is None else render_record(catalog, change.after, beside=change.before)
    whole: dict[str, Any] = {"action": action, "row": record.id, "before": before, "after": after}
    match record:
        case Grant() | Limit():
            word = {"grant": "granted", "revoke": "revoked", "limit": "limited", "lift_limit": "lifted the limit on"}
            label = record.node
            if (permission := catalog.permission(record.node)) is not None:
                label = permission.label
            return ChangeRecord(
                **whole, holder=record.holder, node=record.node, contract=record.contract,
                detail=f"{word.get(action, 'changed')} `{label}` ({after or before})",
            )  # fmt: skip
        case Assignment():
            return ChangeRecord(
                **whole, holder=record.holder, role=record.role, contract=record.contract, detail=f"{action}ed a role"
            )
        case Membership():
            detail = "made a member" if change.before is None else "ended a membership"
            return ChangeRecord(
                **whole, holder=record.user, team=record.team, contract=record.contract, detail=f"{detail} of a team"
            )
        case Access():
            node = catalog.access_nodes.get(record.product)
            return ChangeRecord(
                **whole, holder=record.user, contract=record.contract, node=None if node is None else node.key,
                detail=f"{'set' if change.after else 'ended'} the level in `{record.product}` ({after or before})",
            )  # fmt: skip
        case SubscriberLink():
            detail = f"{'linked to' if change.after else 'unlinked from'} subscriber `{record.subscriber}`"
            return ChangeRecord(**whole, holder=record.user, contract=record.contract, detail=detail)
        case StoredFact():
            detail = f"{'stored' if change.after else 'ended'} the fact `{record.name}` ({after or before})"
            return ChangeRecord(**whole, holder=record.user, contract=record.contract, detail=detail)
        case Contract():
            return ChangeRecord(**whole, contract=record.id, detail=f"{action.replace('_', ' ')} `{record.number}`")
        case User():
            return ChangeRecord(**whole, holder=record.id, detail=f"{action.replace('_', ' ')} `{record.user_name}`")
        case Role():
            detail = f"{action.replace('_', ' ')} `{record.key}`"
            return ChangeRecord(**whole, holder=record.id, role=record.id, detail=detail)
        case Team():
            detail = f"{action.replace('_', ' ')} `{record.key}`"
            return ChangeRecord(**whole, holder=record.id, team=record.id, detail=detail)


def describe_token(token: TokenRecord, *, issued: bool) -> ChangeRecord:
    """A token issued, or else revoked, in words and references; by its prefix a leaked one is found here."""
    action, word = ("issue_token", "issued") if issued else ("revoke_token", "revoked")
    detail = f"{word} the token `{token.label}` ({token.prefix}…)"
    return ChangeRecord(action=action, row=token.id, holder=token.user, detail=detail)


def render_record(catalog: Catalog, record: Record, *, beside: Record | None) -> str:
    """The value of a row, or the attributes of an entity, those alone that differ from the record `beside`."""
    match record:
        case Grant() | Limit():
            return _render_value(catalog, record.node, record.value)
        case Assignment():
            return "assigned"
        case Membership():
            return "supervisor" if record.supervisor else "member"
        case Access():
            return record.level
        case SubscriberLink():
            return record.subscriber
        case StoredFact():
            return record.text
    shown = {
        field.name: getattr(record, field.name)
        for field in fields(record)
        if field.name != "id" and (beside is None or getattr(record, field.name) != getattr(beside, field.name))
    }
    return "; ".join(f"{name}: {_render_attribute(value)}" for name, value in shown.items())


def _render_value(catalog: Catalog, node: str, value: Value) -> str:
    permission = catalog.permission(node)
    return str(value) if permission is None else permission.value_type.print(value)


def _render_attribute(value: object) -> str:
    if isinstance(value, Ceiling):
        levels = ", ".join(" ".join(level) for level in sorted(value.levels)) or "none"
        return f"roles {_render_attribute(value.roles)}, levels {levels}"
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(str(item) for item in value)) or "none"
    return "none" if value is None else str(value)


def is_about(entry: AuditEntry, subject: str) -> bool:
    """Whether an entry changed a thing or what hangs on it: giving a role to somebody does not change the role.

    Of a contract that is its attributes, levels, links and facts; grants that are scoped to it hang on their holders.
    """
    return any(
        change.holder == subject or (change.contract == subject and change.action not in _ON_HOLDERS)
        for change in entry.changes
    )


def scope_of(entry: AuditEntry) -> str | None:
    """The contract that each change of an entry is scoped to; None where there is no such one."""
    scopes = {change.contract for change in entry.changes}
    return scopes.pop() if len(scopes) == 1 else None


def name_subjects(changes: Iterable[ChangeRecord]) -> tuple[str, ...]:
    """The ids of the holders, roles, teams and contracts that changes are about, in order, each once."""
    found: dict[str, None] = {}
    for change in changes:
        for subject in (change.holder, change.role, change.team, change.contract):
            if subject is not None:
                found[subject] = None
    return tuple(found)
