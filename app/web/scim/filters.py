"""Filters (RFC 7644, 3.4.2.2): what of one the database answers, and the rest, which is looked at one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from app.domain.names import show
from app.web.scim.faults import ScimFault

MAX_FILTER = 4096  # characters: longer ones are lists of people, which have pages of their own
_NOT_KEPT = frozenset({"name.givenname", "name.familyname"})  # nobody can be found by what is not kept
_SEARCHED = {"username", "displayname", "name.formatted", "emails", "emails.value"}
_WITHIN = frozenset({CompareOperator.eq, CompareOperator.co, CompareOperator.sw, CompareOperator.ew})


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What must hold of whoever a filter matches, and whether that is all of it.

    `search`: a text that the user name, the display name or the e-mail address has within it.
    """

    id: str | None = None
    external_id: str | None = None
    user_name: str | None = None
    active: bool | None = None
    search: str | None = None
    is_exact: bool = True


def check_filter(text: str | None) -> None:
    """Raises `ScimFault` for a filter that is too long to be looked at."""
    if text is not None and len(text) > MAX_FILTER:
        raise ScimFault(400, f"a filter has at most {MAX_FILTER} characters", "tooMany")


def narrow(node: FilterNode | None) -> Narrowed:
    """What a filter of people demands in any case. Raises `ScimFault` for one by attributes that are not kept."""
    if node is None:
        return Narrowed()
    for path in _paths(node):
        if _name(path) in _NOT_KEPT:
            raise ScimFault(400, f"`{path}` is not kept, so nobody is found by it: use `displayName`", "invalidFilter")
    found = Narrowed()
    for term in _terms(node):
        found = _narrow_by(found, term)
    return found


def _narrow_by(found: Narrowed, term: FilterNode) -> Narrowed:
    if isinstance(term, Comparison) and term.op is CompareOperator.eq:
        name, value = _name(term.attr_path), term.value
        if name == "active" and found.active is None and str(value).lower() in {"true", "false"}:
            return replace(found, active=str(value).lower() == "true")
        if isinstance(value, str):
            if name == "id" and found.id is None:
                return replace(found, id=value)
            if name == "externalid" and found.external_id is None:
                return replace(found, external_id=value)
            if name == "username" and found.user_name is None:
                return replace(found, user_name=value)
    return replace(found, is_exact=False, search=found.search or _find_text(term))


def _find_text(term: FilterNode) -> str | None:
    """A text that whoever a term matches has in the user name, the display name or the e-mail address."""
    if isinstance(term, ValuePath) and _name(term.attr_path) == "emails":
        found = (_find_compared(one, {"value"}) for one in _terms(term.val_filter))
        return next((text for text in found if text), None)
    return _find_compared(term, _SEARCHED)


def _find_compared(term: FilterNode, names: set[str]) -> str | None:
    if isinstance(term, Comparison) and term.op in _WITHIN and _name(term.attr_path) in names:
        return term.value if isinstance(term.value, str) and term.value else None
    return None


def check_texts(node: FilterNode | None) -> None:
    """Raises `ScimFault` for a filter with a text that nothing can hold, and that no database takes."""
    match node:
        case Not():
            check_texts(node.expr)
        case LogicalExpr():
            for term in node.terms:
                check_texts(term)
        case ValuePath():
            check_texts(node.val_filter)
        case Comparison(value=str() as text) if any(one == "\0" or "\ud800" <= one <= "\udfff" for one in text):
            raise ScimFault(400, f"`{show(text)}` is no text", "invalidFilter")


def count_comparisons(node: FilterNode | None) -> int:
    """How many things a filter asks of whatever it is held against."""
    match node:
        case Not():
            return count_comparisons(node.expr)
        case LogicalExpr():
            return sum(map(count_comparisons, node.terms))
        case ValuePath():
            return 1 + count_comparisons(node.val_filter)
    return 0 if node is None else 1


def find_members_asked(node: FilterNode | None) -> frozenset[str]:
    """The members whom a filter of groups names. Raises `ScimFault` where it asks otherwise than by `eq` of an id."""
    return frozenset() if node is None else frozenset(_members_in(node, within=False))


def _members_in(node: FilterNode, *, within: bool) -> Iterator[str]:
    """`within`: whether the node stands inside `members[...]`."""
    match node:
        case Not():
            yield from _members_in(node.expr, within=within)
        case LogicalExpr():
            for term in node.terms:
                yield from _members_in(term, within=within)
        case ValuePath() if _name(node.attr_path) == "members":
            yield from _members_in(node.val_filter, within=True)
        case Comparison() | Present() if within or _name(node.attr_path).startswith("members"):
            is_id = _name(node.attr_path) in ({"value"} if within else {"members", "members.value"})
            if not (isinstance(node, Comparison) and is_id and node.op is CompareOperator.eq):
                raise ScimFault(400, 'groups are found by `members eq "<id>"` and in no other way', "invalidFilter")
            yield str(node.value)


def _terms(node: FilterNode) -> Iterator[FilterNode]:
    """What must all hold."""
    if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_:
        for term in node.terms:
            yield from _terms(term)
    else:
        yield node


def _paths(node: FilterNode) -> Iterator[AttrPath]:
    match node:
        case Not():
            yield from _paths(node.expr)
        case LogicalExpr():
            for term in node.terms:
                yield from _paths(term)
        case Comparison() | Present():
            yield node.attr_path


def _name(path: AttrPath) -> str:
    """The name of an attribute, its schema left off: a filter is checked against the one that there is."""
    return (path.attr if path.sub_attr is None else f"{path.attr}.{path.sub_attr}").lower()
