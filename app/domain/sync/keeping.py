"""Items of a plan as plain data and back, to be kept for whoever looks through a run later.

What an error names may be gone from the catalog by then: it is read as its message alone.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.domain.catalog import Catalog
from app.domain.errors import (
    DelegationExceeded,
    DependentsExist,
    DomainError,
    ErrorCode,
    InvalidValue,
    PrerequisiteNotMet,
)
from app.domain.fixes import Fix, GiveRight
from app.domain.requirements import AllOf, AnyOf, AtLeast, FactHolds, FactTest, Requirement, TargetAtLeast
from app.domain.sync.runs import SyncAction, SyncItem
from app.domain.values import Value

Data = dict[str, Any]


def render_item(catalog: Catalog, item: SyncItem) -> list[Any]:
    """An item as plain data."""
    errors = [render_error(catalog, error) for error in item.errors]
    return [item.action, item.subject, list(item.path), item.detail, *([errors] if errors else [])]


def read_item(catalog: Catalog, data: list[Any]) -> SyncItem:
    """The inverse of `render_item`."""
    action, subject, path, detail, *errors = data
    return SyncItem(
        action=SyncAction(action), subject=subject, path=tuple(path), detail=detail,
        errors=tuple(read_error(catalog, error) for error in errors[0]) if errors else (),
    )  # fmt: skip


def render_error(catalog: Catalog, error: DomainError) -> Data:
    """An error as plain data: code, message, path, and what its kind adds."""
    data: Data = {"code": error.code.value, "message": str(error), "path": list(error.path)}
    match error:
        case InvalidValue():
            data["expected"] = error.expected
        case PrerequisiteNotMet():
            data |= {
                "holder": error.holder, "affected": error.affected, "node": error.node,
                "missing": [_render_requirement(catalog, requirement) for requirement in error.missing],
                "fixes": [_render_fix(catalog, fix) for fix in error.fixes],
            }  # fmt: skip
        case DependentsExist():
            data |= {
                "holder": error.holder, "affected": error.affected, "node": error.node,
                "dependents": list(error.dependents),
            }  # fmt: skip
        case DelegationExceeded():
            data |= {
                "node": error.node, "held": _print(catalog, error.node, error.held),
                "asked": _print(catalog, error.node, error.asked),
            }  # fmt: skip
    return data


def read_error(catalog: Catalog, data: Data) -> DomainError:
    """The inverse of `render_error`."""
    message, path, code = data["message"], tuple(data["path"]), ErrorCode(data["code"])
    try:
        found = _read_kind(catalog, data, message, path, code)
    except (KeyError, ValueError, DomainError):  # its node, its value, its fact is no part of the catalog any more
        found = None
    return found or DomainError(message, path=path, code=code)


def _read_kind(
    catalog: Catalog, data: Data, message: str, path: tuple[str, ...], code: ErrorCode
) -> DomainError | None:
    if "expected" in data:
        return InvalidValue(message, path=path, expected=data["expected"], code=code)
    if "node" not in data:
        return None
    node = catalog.require_permission(data["node"]).key
    if code is ErrorCode.PREREQUISITE_NOT_MET:
        return PrerequisiteNotMet(
            message, path=path, holder=data["holder"], affected=data["affected"], node=node,
            missing=tuple(_read_requirement(catalog, one) for one in data["missing"]),
            fixes=tuple(_read_fix(catalog, fix) for fix in data["fixes"]),
        )  # fmt: skip
    if code is ErrorCode.DEPENDENTS_EXIST:
        return DependentsExist(
            message, path=path, holder=data["holder"], affected=data["affected"], node=node,
            dependents=tuple(key for key in data["dependents"] if key in catalog.nodes),
        )  # fmt: skip
    held, asked = _parse(catalog, node, data["held"]), _parse(catalog, node, data["asked"])
    return DelegationExceeded(message, path=path, node=node, held=held, asked=asked)


def _print(catalog: Catalog, node: str, value: Value) -> str:
    return catalog.require_permission(node).value_type.print(value)


def _parse(catalog: Catalog, node: str, text: str) -> Value:
    return catalog.require_permission(node).value_type.parse(text)


def _render_requirement(catalog: Catalog, requirement: Requirement) -> Data:
    match requirement:
        case AllOf() | AnyOf():
            name = "all_of" if isinstance(requirement, AllOf) else "any_of"
            return {name: [_render_requirement(catalog, part) for part in requirement.parts]}
        case FactHolds():
            bound = None if requirement.bound is None else str(requirement.bound)
            return {"fact": requirement.fact, "test": requirement.test.value, "bound": bound}
    whose = "target" if isinstance(requirement, TargetAtLeast) else "node"
    return {whose: requirement.node, "value": _print(catalog, requirement.node, requirement.value)}


def _read_requirement(catalog: Catalog, data: Mapping[str, Any]) -> Requirement:
    if "all_of" in data:
        return AllOf(tuple(_read_requirement(catalog, part) for part in data["all_of"]))
    if "any_of" in data:
        return AnyOf(tuple(_read_requirement(catalog, part) for part in data["any_of"]))
    if "fact" in data:
        bound = None if data["bound"] is None else Decimal(data["bound"])
        return FactHolds(catalog.facts[data["fact"]].name, FactTest(data["test"]), bound)
    if "target" in data:
        return TargetAtLeast(data["target"], _parse(catalog, data["target"], data["value"]))
    return AtLeast(data["node"], _parse(catalog, data["node"], data["value"]))


def _render_fix(catalog: Catalog, fix: Fix) -> list[Data]:
    """The grants of a fix; a refusal of a write suggests nothing else."""
    return sorted(
        (
            {
                "holder": give.holder, "node": give.node, "value": _print(catalog, give.node, give.value),
                "contract": give.contract,
            }
            for give in fix
            if isinstance(give, GiveRight)
        ),
        key=str,
    )  # fmt: skip


def _read_fix(catalog: Catalog, data: list[Data]) -> Fix:
    return frozenset(
        GiveRight(one["holder"], one["node"], _parse(catalog, one["node"], one["value"]), one["contract"])
        for one in data
    )
