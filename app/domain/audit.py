"""What was done, in a form that is kept for ever: audit entries and their chain of hashes (SEMANTICS section 9).

An entry is written in the transaction of the change it tells of. Its hash covers the canonical text of everything in it
and the hash before, so that whoever alters, drops or reorders an entry breaks every one that follows.

An entry of more than `PART_SIZE` changes (a sync) does not hold them: they are kept in parts, and the entry says how
many there are and holds a digest over the hashes of the parts. Its subjects then follow from the parts alone.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import islice
from json.encoder import encode_basestring
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

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
PART_SIZE = 1000  # changes in an entry, and in each of its parts: some 250 kilobytes, hashed in a millisecond
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
class Parts:
    """What an entry holds of changes that are kept in parts: how many, and the digest of the parts' hashes.

    `scope` is the contract that each of them is scoped to. It follows from the parts, so no hash covers it.
    """

    total: int
    digest: str
    scope: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPart:
    """Changes of an entry, as they are kept: `text` is a JSON list of at most `PART_SIZE`, `hash` is of that text."""

    number: int
    text: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """All that one revision did. `subjects` are the ids of what it is about.

    With `parts` it has no subjects, and of its changes the first ones at most, for showing; the rest is in the parts.
    """

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
    parts: Parts | None = None

    @property
    def changes_total(self) -> int:
        """How many changes there are in all."""
        return len(self.changes) if self.parts is None else self.parts.total


class Mark(NamedTuple):
    """A state of the database: the latest revision, and the hash of its entry, which covers all that came before.

    The number alone does not tell: a database may be set back to an older state, and go on otherwise from there.
    """

    revision: int
    hash: str


NO_MARK = Mark(0, FIRST_HASH)  # before the first entry
_write_canonically = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_write_plainly = json.JSONEncoder(ensure_ascii=False).encode
_quote = encode_basestring  # a text as both of them write it; raises TypeError for what is none
_read_plainly = json.JSONDecoder().decode
_NAMES = frozenset(ChangeRecord.__slots__)
_ALWAYS = frozenset({"action", "detail"})  # what is said of every change
_values_of = attrgetter(*ChangeRecord.__slots__)


def seal_entry(entry: AuditEntry) -> AuditEntry:
    """The entry with its hash."""
    return replace(entry, hash=hash_entry(entry))


def hash_entry(entry: AuditEntry) -> str:
    """SHA-256 over the canonical text of an entry, its own hash left out, in hexadecimal.

    Of changes in parts it covers the number and the digest; an entry without parts says nothing of them.
    """
    return hash_content(
        revision=entry.revision, at=write_moment(entry.at), actor=entry.actor, actor_id=entry.actor_id,
        source=entry.source, action=entry.action, reason=entry.reason, subjects=entry.subjects,
        changes="" if entry.parts is not None else canonical_text([render_change(change) for change in entry.changes]),
        previous_hash=entry.previous_hash, parts=entry.parts,
    )  # fmt: skip


def hash_content(
    *, revision: int, at: str, actor: str, actor_id: str | None, source: str, action: str, reason: str | None,
    subjects: Iterable[str], changes: str, previous_hash: str, parts: Parts | None,
) -> str:  # fmt: skip
    """`hash_entry` of what is in an entry, its time and its changes in canonical text; with `parts` those do not count.

    The text is put together here, its keys in their order, in a fraction of the time that an encoder takes for it.
    Raises TypeError or ValueError for what is no text, or none that can be written.
    """
    told = f'"changes":{changes}'
    if parts is not None:
        told = f'"changes":[],"changes_total":{canonical_text(parts.total)},"parts_digest":{_quote(parts.digest)}'
    text = (
        f'{{"action":{_quote(action)},"actor":{_quote(actor)},"actor_id":{_quote_known(actor_id)},"at":"{at}",{told},'
        f'"previous_hash":{_quote(previous_hash)},"reason":{_quote_known(reason)},"revision":{revision},'
        f'"source":{_quote(source)},"subjects":[{",".join(map(_quote, subjects))}]}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _quote_known(text: str | None) -> str:
    return "null" if text is None else _quote(text)


def write_moment(moment: datetime) -> str:
    """The canonical text of a time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def canonical_text(content: object) -> str:
    """One text for equal data: keys sorted, no white space, UTF-8 kept."""
    return _write_canonically(content)


def render_change(change: ChangeRecord) -> dict[str, Any]:
    """A change as plain data; what is None is left out, so that a later field does not alter old hashes."""
    values = zip(ChangeRecord.__slots__, _values_of(change), strict=True)
    return {name: value for name, value in values if value is not None}


def read_change(data: dict[str, Any]) -> ChangeRecord:
    """The inverse of `render_change`; what a later version wrote and this one does not know is dropped."""
    if data.keys() <= _NAMES:
        return ChangeRecord(**data)
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
    kind: type = type(record)
    names, values_of = _attributes_of(kind)
    shown = list(zip(names, values_of(record), strict=True))
    if beside is not None:
        shown = [one for one, other in zip(shown, values_of(beside), strict=True) if one[1] != other]
    return "; ".join([f"{name}: {_render_attribute(value)}" for name, value in shown])


@cache
def _attributes_of(kind: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of an entity's attributes and what gets their values, its id left out."""
    names = tuple(field.name for field in fields(kind) if field.name != "id")
    return names, attrgetter(*names)


def _render_value(catalog: Catalog, node: str, value: Value) -> str:
    permission = catalog.permission(node)
    return str(value) if permission is None else permission.value_type.print(value)


def _render_attribute(value: object) -> str:
    if type(value) is str:
        return value
    if isinstance(value, Ceiling):
        levels = ", ".join(" ".join(level) for level in sorted(value.levels)) or "none"
        return f"roles {_render_attribute(value.roles)}, levels {levels}"
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(str(item) for item in value)) or "none"
    return "none" if value is None else str(value)


def is_about(changes: Iterable[ChangeRecord], subject: str) -> bool:
    """Whether changes were made to a thing or to what hangs on it: giving a role to somebody does not change the role.

    Of a contract that is its attributes, levels, links and facts; grants that are scoped to it hang on their holders.
    """
    return any(
        change.holder == subject or (change.contract == subject and change.action not in _ON_HOLDERS)
        for change in changes
    )


def scope_of(entry: AuditEntry) -> str | None:
    """The contract that each change of an entry is scoped to; None where there is no such one."""
    if entry.parts is not None:
        return entry.parts.scope
    return _find_scope({change.contract for change in entry.changes})


def _find_scope(scopes: set[str | None]) -> str | None:
    return next(iter(scopes)) if len(scopes) == 1 else None


def name_subjects(changes: Iterable[ChangeRecord]) -> tuple[str, ...]:
    """The ids of the holders, roles, teams and contracts that changes are about, in order, each once."""
    found: dict[str, None] = {}
    for change in changes:
        for subject in (change.holder, change.role, change.team, change.contract):
            if subject is not None:
                found[subject] = None
    return tuple(found)


# ---------------------------------------------------------------------- parts


class Summary:
    """What follows from parts that are looked at one after the other: what their entry says, and its subjects."""

    def __init__(self) -> None:
        self.total = 0
        self.subjects: set[str] = set()
        self._digest = hashlib.sha256()
        self._scopes: set[str | None] = set()

    def add(self, part: AuditPart, changes: Iterable[ChangeRecord]) -> list[str]:
        """Takes in a part and the changes in it; gives the subjects that no part before it names, in order."""
        self._digest.update(part.hash.encode())
        new: list[str] = []
        for change in changes:
            self.total += 1
            self._scopes.add(change.contract)
            for subject in (change.holder, change.role, change.team, change.contract):
                if subject is not None and subject not in self.subjects:
                    self.subjects.add(subject)
                    new.append(subject)
        return new

    def finish(self) -> Parts:
        """What the entry says of all these parts."""
        return Parts(total=self.total, digest=self._digest.hexdigest(), scope=_find_scope(self._scopes))


def cut_parts(changes: Iterable[ChangeRecord]) -> Iterator[tuple[AuditPart, Sequence[ChangeRecord]]]:
    """Changes in parts, one part at a time, each with the changes in it."""
    left = iter(changes)
    number = 0
    while records := list(islice(left, PART_SIZE)):
        text = write_changes(records)
        yield AuditPart(number=number, text=text, hash=hash_part(text)), records
        number += 1


def hash_part(text: str) -> str:
    """SHA-256 of the text of a part, as it is kept, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_changes(changes: Iterable[ChangeRecord]) -> str:
    """Changes as the text in which they are kept."""
    return _write_plainly([render_change(change) for change in changes])


def read_changes(text: str) -> tuple[ChangeRecord, ...]:
    """The inverse of `write_changes`."""
    return tuple(read_change(change) for change in json.loads(text))


class Restated(NamedTuple):
    """What follows from the text in which changes are kept: that text as it is written here, and their canonical one.

    `scope` is the contract that each of them is scoped to.
    """

    text: str
    canonical: str
    scope: str | None


class _Form(NamedTuple):
    """How a change with certain fields is written: in which text its values are put, quoted, and in which order."""

    plain: str
    canonical: str
    sort: Callable[[tuple[str, ...]], tuple[str, ...]]


def restate_changes(text: str) -> Restated:
    """Reads changes, and writes them anew: nothing in their text is believed, and no record is made of them.

    Raises ValueError, TypeError, AttributeError or RecursionError for what cannot be read.
    """
    plain: list[str] = []
    canonical: list[str] = []
    scopes: set[str | None] = set()
    for data in _read_plainly(text):
        form = _find_form(tuple(data)) if type(data) is dict else None
        try:
            values = None if form is None else tuple(map(_quote, data.values()))
        except TypeError:  # a value that is no text
            values = None
        if form is not None and values is not None:
            plain.append(form.plain % values)
            canonical.append(form.canonical % form.sort(values))
            scopes.add(data.get("contract"))
        else:
            known = render_change(read_change(data))
            plain.append(_write_plainly(known))
            canonical.append(canonical_text(known))
            scopes.add(known.get("contract"))
    return Restated(f"[{', '.join(plain)}]", f"[{','.join(canonical)}]", _find_scope(scopes))


@lru_cache(maxsize=1024)  # as many as there can be: eight fields, each there or not, and some that are refused
def _find_form(names: tuple[str, ...]) -> _Form | None:
    """The form of a change with these fields in this order; None: `render_change` gives no such one."""
    if names != tuple(name for name in ChangeRecord.__slots__ if name in names) or not _ALWAYS.issubset(names):
        return None
    in_order = sorted(names)
    plain = ", ".join([f'"{name}": %s' for name in names])
    canonical = ",".join([f'"{name}":%s' for name in in_order])
    return _Form(f"{{{plain}}}", f"{{{canonical}}}", itemgetter(*map(names.index, in_order)))
