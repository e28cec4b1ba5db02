"""PATCH (RFC 7644, 3.5.2): read with what identity providers send against its letter, applied all or not at all.

Members of a group are applied here, by id, so that a group need not be loaded to change one of its members; everything
else by scim2-models.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim2_models import Context, InvalidPathException, PatchOp, Path, SCIMException
from scim2_models.path import AttrPath, CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator, ValuePath

from app.domain.holders import Team
from app.domain.ids import PREFIX_OF, kind_of
from app.web.scim.faults import ScimFault
from app.web.scim.resources import MAX_VALUES, POLICY, Group, Person, check_content, check_name, read_name

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS = 1000  # of one request: each may be about one member of a group
MAX_OTHERS = 100  # of these, about anything but members: each looks through the whole resource
MAX_REMOVED = 100  # values named by one removal, members aside: each is compared with each that is there
MAX_PATHS = 64 * 1024  # characters of all paths of one request: each is parsed
MAX_COMPARISONS = 30_000  # of the words in filters with the values that they choose from: half a second at most
TEAM = PREFIX_OF[Team]
_KINDS = frozenset({"add", "remove", "replace"})
_PATCHES: Mapping[type, "type[PatchOp[Any]]"] = {Person: PatchOp[Person], Group: PatchOp[Group]}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its kind in lower case, its path as it came, whether it has a value, and which.

    `attribute`: what the path begins with, in lower case; empty without one, or for an extension's.
    """

    kind: str
    path: str | None
    has_value: bool
    value: Any
    attribute: str = ""

    def render(self) -> dict[str, Any]:
        """The operation as scim2-models reads it."""
        rendered: dict[str, Any] = {"op": self.kind}
        if self.path is not None:
            rendered["path"] = self.path
        if self.has_value:
            rendered["value"] = self.value
        return rendered


def read_operations(model: type[Person] | type[Group], content: dict[str, Any]) -> tuple[Operation, ...]:
    """The operations of a body. Raises `ScimFault` for whatever is none, an unknown one first of all."""
    members = {name.lower(): value for name, value in content.items()}
    if members.get("schemas", [PATCH_OP]) != [PATCH_OP]:
        raise ScimFault(400, f"`schemas` of a PATCH is `{PATCH_OP}` alone", "invalidSyntax")
    listed = members.get("operations")
    if not isinstance(listed, list) or not listed:
        raise ScimFault(400, "`Operations` must be a list of one operation or more", "invalidSyntax")
    if len(listed) > MAX_OPERATIONS:
        raise ScimFault(400, f"one request has at most {MAX_OPERATIONS} operations", "tooMany")
    operations = tuple(_read_operation(model, one) for one in listed)
    _check_bounds(operations)
    return operations


def _check_bounds(operations: Sequence[Operation]) -> None:
    others = [one for one in operations if one.attribute != "members"]
    values = [len(one.value) for one in others if isinstance(one.value, list)]
    removed = [len(one.value) for one in others if one.kind == "remove" and isinstance(one.value, list)]
    for found, most, what in (
        (len(others), MAX_OTHERS, "operations on anything but members"),
        (sum(values), MAX_VALUES, "values, members aside"),
        (max(removed, default=0), MAX_REMOVED, "values in one removal, members aside"),
        (sum(len(one.path or "") for one in operations), MAX_PATHS, "characters in all of its paths"),
    ):
        if found > most:
            raise ScimFault(400, f"one request has at most {most} {what}", "tooMany")


def _check_comparisons(resource: Person | Group, operations: Sequence[Operation]) -> None:
    """Raises `ScimFault` where the filters of paths would be held against too many values, there or to be added."""
    words = sum(len(one.path.split()) for one in operations if one.path is not None and "[" in one.path)
    there = sum(len(value) for _, value in resource if isinstance(value, list))
    given = [one.value.values() if isinstance(one.value, dict) else (one.value,) for one in operations]
    added = sum(len(value) if isinstance(value, list) else 1 for values in given for value in values)
    if words * (there + added) > MAX_COMPARISONS:
        message = f"its filters, {words} words, would be held against {there + added} values: send it in parts"
        raise ScimFault(400, message, "tooMany")


def _read_operation(model: type[Person] | type[Group], given: object) -> Operation:
    if not isinstance(given, dict):
        raise ScimFault(400, "an operation is an object", "invalidSyntax")
    members = {name.lower(): value for name, value in given.items()}
    kind, path = members.get("op"), members.get("path")
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise ScimFault(400, f"`op` must be `add`, `remove` or `replace`, not `{str(kind)[:40]}`", "invalidSyntax")
    if path is not None and not isinstance(path, str):
        raise ScimFault(400, "`path` must be a text", "invalidPath")
    operation = Operation(
        kind=kind.lower(), path=path or None, has_value="value" in members, value=members.get("value"),
        attribute=read_name(model, path or "") or "",
    )  # fmt: skip
    if operation.path is not None:
        check_name(model, operation.path, scim_type="invalidPath")
    elif operation.kind == "remove":
        raise ScimFault(400, "a `remove` needs a `path`: it would remove everything", "noTarget")
    elif not isinstance(operation.value, dict):
        raise ScimFault(400, "without a `path` the `value` must be an object of attributes", "invalidValue")
    else:
        check_content(model, operation.value)
    if operation.kind == "add" and operation.value is None:
        raise ScimFault(400, "an `add` needs a `value`", "invalidValue")
    if operation.kind == "replace" and not operation.has_value:
        raise ScimFault(400, "a `replace` needs a `value`; null clears", "invalidValue")
    return operation


def apply_operations(resource: Person | Group, operations: Iterable[Operation]) -> Any:
    """A resource after these operations; the one that was given stays as it is.

    Raises `SCIMException` or a `ValidationError` of scim2-models.
    """
    model, operations = type(resource), tuple(operations)
    _check_comparisons(resource, operations)
    changed = resource.model_copy(deep=True)
    rendered = [one.render() for one in operations]
    if rendered:
        with POLICY:
            asked = _PATCHES[model].model_validate(
                {"schemas": [PATCH_OP], "Operations": rendered}, scim_ctx=Context.RESOURCE_PATCH_REQUEST
            )
            asked.patch(changed)
    return changed


# ---------------------------------------------------------------------- members of a group


@dataclass(frozen=True, slots=True)
class MembersPatch:
    """What becomes of the members: `whole`, if there, is all of them; before or without it, some come and some go."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    whole: frozenset[str] | None = None

    def and_then(self, kind: str, ids: frozenset[str] | None) -> "MembersPatch":
        """This and one operation more; `ids` None: all."""
        if kind == "replace" or (kind == "remove" and ids is None):
            return MembersPatch(whole=ids if kind == "replace" and ids is not None else frozenset())
        assert ids is not None, "an addition names whom it adds"
        if self.whole is not None:
            return MembersPatch(whole=self.whole | ids if kind == "add" else self.whole - ids)
        if kind == "add":
            return MembersPatch(self.added | ids, self.removed - ids)
        return MembersPatch(self.added - ids, self.removed | ids)


def split_members(operations: Iterable[Operation]) -> tuple[tuple[Operation, ...], MembersPatch]:
    """The operations that concern other attributes of a group, and what becomes of its members."""
    others: list[Operation] = []
    members = MembersPatch()
    for operation in operations:
        if operation.path is None:
            rest = {name: value for name, value in operation.value.items() if not _is_members(name)}
            for name, value in operation.value.items():
                if _is_members(name):
                    members = members.and_then(operation.kind, read_members(value))
            if rest:
                others.append(Operation(operation.kind, None, True, rest))
        elif operation.attribute == "members":
            members = _apply_to_members(members, operation)
        else:
            others.append(operation)
    return tuple(others), members


def _is_members(name: str) -> bool:
    return read_name(Group, name) == "members"


def _apply_to_members(members: MembersPatch, operation: Operation) -> MembersPatch:
    try:
        path = Path[Group](operation.path or "")
        node = path.ast
    except (InvalidPathException, SCIMException) as error:
        raise ScimFault(400, str(error), "invalidPath") from None
    if isinstance(node, ValuePath):
        if operation.kind != "remove" or node.sub_attr is not None:
            raise ScimFault(400, "a member is added or removed as a whole: its id does not change", "mutability")
        return members.and_then("remove", frozenset(_read_named(node.val_filter)))
    if not isinstance(node, AttrPath) or node.sub_attr is not None:
        raise ScimFault(400, f"`{(operation.path or '')[:80]}` is no path to members", "invalidPath")
    if operation.kind == "remove":
        # Entra names whom it removes by the value; taken for nothing, it would empty the group.
        if operation.has_value and operation.value is None:
            raise ScimFault(400, "name whom to remove, or leave `value` out to remove everybody", "invalidValue")
        return members.and_then("remove", read_members(operation.value) if operation.has_value else None)
    return members.and_then(operation.kind, read_members(operation.value))


def _read_named(node: FilterNode) -> Iterator[str]:
    """The ids that a filter of members names: `value eq "…"`, several joined by `or`."""
    if isinstance(node, LogicalExpr) and node.op is LogicalOperator.or_:
        for term in node.terms:
            yield from _read_named(term)
        return
    if (
        isinstance(node, Comparison)
        and node.op is CompareOperator.eq
        and node.attr_path.attr.lower() == "value"
        and isinstance(node.value, str)
    ):
        yield node.value
        return
    raise ScimFault(400, 'members are chosen by `value eq "<id>"`, several joined by `or`', "invalidFilter")


def read_members(value: object) -> frozenset[str]:
    """The ids of people as a list of members gives them; one alone, and bare ids, are taken too.

    Raises `ScimFault` for a group among them.
    """
    if value is None:
        return frozenset()
    listed = value if isinstance(value, list) else [value]
    found = set()
    for entry in listed:
        member = {"value": entry} if isinstance(entry, str) else entry
        if not isinstance(member, dict):
            raise ScimFault(400, "a member is an object with the id of a user as its `value`", "invalidValue")
        named = {name.lower(): item for name, item in member.items()}
        user, kind = named.get("value"), named.get("type")
        if (isinstance(kind, str) and kind.lower() == "group") or (isinstance(user, str) and kind_of(user) == TEAM):
            raise ScimFault(400, "a group cannot be a member of a group: members are users", "invalidValue")
        if not isinstance(user, str) or not user:
            raise ScimFault(400, "a member is an object with the id of a user as its `value`", "invalidValue")
        found.add(user)
    return frozenset(found)
