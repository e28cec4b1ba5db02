"""Grants, limits and role assignments: giving and taking rights."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.catalog import Catalog, Group, Operation, Permission, Polarity
from app.domain.changes import Dependents, MissingPrerequisites, Stamp, Wish
from app.domain.errors import Conflict, DomainError, ErrorCode, InvalidValue, NotFound, NotGrantable, Warned
from app.domain.holders import MANUAL, Assignment, Contract, ContractId, Grant, HolderId, Limit, RoleId, RowId
from app.domain.names import show, tell_unknown
from app.domain.values import Switch, SwitchType, Value, ValueInput
from app.domain.wishes.asking import Faults, add_unless_there, check_window
from app.domain.world import Change, World


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantAsked:
    """A value of a permission for a holder; a switch may leave out its value."""

    node: str
    value: ValueInput | None = None
    contract: ContractId | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeAsked:
    """A row by its id, or every row of exactly this permission, contract and source."""

    id: str | None = None
    node: str | None = None
    contract: ContractId | None = None
    source: str = MANUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignAsked:
    """A role for a user or a team."""

    role: RoleId
    contract: ContractId | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def find_grantable(catalog: Catalog, key: str) -> Permission:
    """The permission of a key. Raises `NotFound`, or `NotGrantable` for what takes no rows."""
    node = catalog.nodes.get(key)
    if node is None:
        raise NotFound(tell_unknown("permission", key, catalog.number_of), path=("permission",))
    if isinstance(node, Group):
        raise NotGrantable(f"`{key}` is a group: grant what lies in it", path=("permission",))
    if isinstance(node, Operation):
        raise NotGrantable(f"`{key}` is an operation: grant what it requires", path=("permission",))
    assert isinstance(node, Permission)
    if node.access_level:
        raise NotGrantable(f"`{key}` is an access level: it is set in a contract", path=("permission",))
    return node


def read_granted(permission: Permission, asked: ValueInput | None) -> Value:
    """The value of a grant: above nothing, and said unless it is a switch."""
    if asked is None:
        if isinstance(permission.value_type, SwitchType):
            return Switch(True)
        message = f"`{permission.label}` has more than one value to give"
        raise InvalidValue(message, path=("value",), expected=permission.value_type.expected())
    try:
        value = asked.read(permission.value_type)
    except InvalidValue as error:
        raise error.under("value") from None
    if value == permission.value_type.bottom:
        raise InvalidValue("to grant nothing is no grant: revoke or limit instead", path=("value",), expected="more")
    return value


def read_limit(permission: Permission, asked: ValueInput | None) -> Value:
    """The value of a limit: below everything; nothing where none is said."""
    if permission.polarity is Polarity.RESTRICTION:
        message = f"`{permission.label}` is a restriction, imposed by whoever imposes it: end the rows that do"
        raise NotGrantable(message, path=("permission",))
    if asked is None:
        return permission.value_type.bottom
    try:
        value = asked.read(permission.value_type)
    except InvalidValue as error:
        raise error.under("value") from None
    if value == permission.value_type.top:
        raise InvalidValue("a limit at the top limits nothing", path=("value",), expected="less than everything")
    return value


def wish_grants(
    catalog: Catalog,
    world: World,
    holder: HolderId,
    asked: Sequence[GrantAsked],
    stamp: Stamp,
    *,
    on_missing: MissingPrerequisites = MissingPrerequisites.REJECT,
    faults: Faults,
) -> Wish:
    """Grants to one holder."""
    changes: list[Change] = []
    paths: dict[str, tuple[str, ...]] = {}
    faults.bound(tuple(asked), "grants")
    for index, item in enumerate(asked):
        with faults.catching("grants", str(index)):
            permission = find_grantable(catalog, item.node)
            check_window(item.valid_from, item.valid_until, stamp.at)
            row = Grant(
                **stamp.row(Grant), holder=holder, node=permission.key, value=read_granted(permission, item.value),
                contract=item.contract, valid_from=item.valid_from, valid_until=item.valid_until,
            )  # fmt: skip
            new = [change.after for change in changes if isinstance(change.after, Grant)]
            changes += add_unless_there((*world.rows_of(holder).grants, *new), row)
            paths[row.id] = ("grants", str(index), "permission")
    faults.refuse()
    return Wish(changes=tuple(changes), paths=paths, asked=frozenset([holder]), on_missing=on_missing)


def wish_limits(
    catalog: Catalog,
    world: World,
    holder: HolderId,
    asked: Sequence[GrantAsked],
    stamp: Stamp,
    *,
    on_dependents: Dependents,
    faults: Faults,
) -> Wish:
    """Limits on one holder: never on an account owner, nor on a contract's owner where it would bite there."""
    changes: list[Change] = []
    paths: dict[str, tuple[str, ...]] = {}
    faults.bound(tuple(asked), "limits")
    for index, item in enumerate(asked):
        with faults.catching("limits", str(index)):
            permission = find_grantable(catalog, item.node)
            check_window(item.valid_from, item.valid_until, stamp.at)
            row = Limit(
                **stamp.row(Limit), holder=holder, node=permission.key, value=read_limit(permission, item.value),
                contract=item.contract, valid_from=item.valid_from, valid_until=item.valid_until,
            )  # fmt: skip
            new = [change.after for change in changes if isinstance(change.after, Limit)]
            changes += add_unless_there((*world.rows_of(holder).limits, *new), row)
            paths[row.id] = ("limits", str(index), "permission")
    faults.refuse()
    return Wish(changes=tuple(changes), paths=paths, asked=frozenset([holder]), on_dependents=on_dependents)


def find_owner_limits(
    after: World, changes: Iterable[Change], paths: Mapping[str, tuple[str, ...]] | None = None
) -> list[DomainError]:
    """Limits that a change puts on owners, or finds on people whom it makes owners: no such limit may be.

    `paths`: where the request asks for a record.
    """
    paths = paths or {}
    suspects: dict[str, tuple[str, ...]] = {}  # each with where the request asks for what makes it one
    for change in changes:
        record, path = change.record, paths.get(change.record.id, ())
        for suspect in (record.id, getattr(record, "owner", ""), record.holder if isinstance(record, Limit) else ""):
            suspects[suspect] = suspects.get(suspect) or path
    owned: dict[str, list[Contract]] = {}
    for contract in after.contracts.values():
        owned.setdefault(contract.owner, []).append(contract)
    errors: list[DomainError] = []
    for user in sorted(user for user in after.users if user in suspects):
        for limit in after.rows_of(user).limits:
            there = [contract.number for contract in owned.get(user, ()) if limit.contract in {None, contract.id}]
            name = after.users[user].user_name
            if after.users[user].is_owner or there:
                what = "the account" if after.users[user].is_owner else f"the contract `{there[0]}`"
                message = f"`{name}` owns {what} and cannot be limited (`{limit.node}`, row {limit.id})"
                errors.append(Conflict(message, path=paths.get(limit.id) or suspects[user]))
    return errors


def wish_revokes(
    catalog: Catalog,
    world: World,
    holder: HolderId,
    asked: Sequence[RevokeAsked],
    *,
    field: str,
    on_dependents: Dependents = Dependents.REJECT,
    faults: Faults,
) -> tuple[Wish, list[DomainError]]:
    """The end of grants (`field` revokes) or limits of one holder, and warnings of other sources' rows that stay."""
    rows: Sequence[Grant | Limit] = world.rows_of(holder).limits if field == "limits" else world.rows_of(holder).grants
    ended: dict[RowId, Grant | Limit] = {}
    paths: dict[str, tuple[str, ...]] = {}
    kept: list[DomainError] = []
    faults.bound(tuple(asked), field)
    for index, item in enumerate(asked):
        with faults.catching(field, str(index)):
            matching, others = _match_rows(catalog, rows, item)
            for row in matching:
                ended[row.id] = row
                paths[row.id] = (field, str(index))
            kept += [
                Warned(
                    f"`{row.node}` is also given by `{row.source}` (row {row.id}), which was not touched",
                    path=(field, str(index)), code=ErrorCode.CONFLICT,
                )
                for row in others
            ]  # fmt: skip
    faults.refuse()
    changes = tuple(Change(row, None) for row in ended.values())
    return Wish(changes=changes, paths=paths, asked=frozenset([holder]), on_dependents=on_dependents), kept


def _match_rows(
    catalog: Catalog, rows: Sequence[Grant | Limit], item: RevokeAsked
) -> tuple[list[Grant | Limit], list[Grant | Limit]]:
    """The rows to end, and those of the same permission and scope that another source manages."""
    if (item.id is None) == (item.node is None):
        raise InvalidValue("name a row by `id`, or rows by `permission`", expected="exactly one of the two")
    if item.id is not None:
        matching = [row for row in rows if row.id == item.id]
        if not matching:
            raise NotFound(f"the holder has no such row `{show(item.id)}`", path=("id",))
        return matching, []
    assert item.node is not None
    alike = [row for row in rows if row.node == item.node and row.contract == item.contract]
    matching = [row for row in alike if row.source == item.source]
    if not matching:
        if item.node not in catalog.nodes:
            raise NotFound(tell_unknown("permission", item.node, catalog.number_of), path=("permission",))
        others = ", ".join(sorted({f"`{row.source}`" for row in alike}))
        hint = f"; it is given by {others}" if others else ""
        message = f"the holder has no row of `{item.node}` in this scope from `{show(item.source)}`{hint}"
        raise NotFound(message, path=("permission",))
    return matching, [row for row in alike if row.source != item.source]


def wish_assignments(
    world: World, holder: HolderId, asked: Sequence[AssignAsked], stamp: Stamp, *, faults: Faults
) -> Wish:
    """Roles for a user or a team; roles include roles as parents, and archived roles are given to nobody."""
    changes: list[Change] = []
    paths: dict[str, tuple[str, ...]] = {}
    faults.bound(tuple(asked), "roles")
    for index, item in enumerate(asked):
        with faults.catching("roles", str(index)):
            check_window(item.valid_from, item.valid_until, stamp.at)
            role = world.roles.get(item.role)
            if role is None:
                continue  # a reference that names nothing has been refused already
            if role.archived:
                raise Conflict(f"the role `{role.key}` is archived", path=("role",))
            row = Assignment(
                **stamp.row(Assignment), holder=holder, role=item.role, contract=item.contract,
                valid_from=item.valid_from, valid_until=item.valid_until,
            )  # fmt: skip
            new = [change.after for change in changes if isinstance(change.after, Assignment)]
            changes += add_unless_there((*world.rows_of(holder).assignments, *new), row)
            paths[row.id] = ("roles", str(index), "role")
    faults.refuse()
    return Wish(changes=tuple(changes), paths=paths, asked=frozenset([holder]))


def wish_unassignments(
    world: World,
    holder: HolderId,
    asked: Sequence[AssignAsked],
    *,
    source: str,
    on_dependents: Dependents,
    faults: Faults,
) -> tuple[Wish, list[DomainError]]:
    """The end of assignments: every row of exactly this role, contract and source, and window where given."""
    ended: dict[RowId, Assignment] = {}
    paths: dict[str, tuple[str, ...]] = {}
    kept: list[DomainError] = []
    faults.bound(tuple(asked), "roles")
    for index, item in enumerate(asked):
        with faults.catching("roles", str(index)):
            role = world.roles.get(item.role)
            if role is None:
                continue  # a reference that names nothing has been refused already
            alike = [
                row
                for row in world.rows_of(holder).assignments
                if row.role == item.role
                and row.contract == item.contract
                and item.valid_from in {None, row.valid_from}
                and item.valid_until in {None, row.valid_until}
            ]
            matching = [row for row in alike if row.source == source]
            if not matching:
                others = ", ".join(sorted({f"`{row.source}`" for row in alike}))
                hint = f"; it is assigned by {others}" if others else ""
                raise NotFound(
                    f"the role `{role.key}` is not assigned in this scope from `{source}`{hint}", path=("role",)
                )
            for row in matching:
                ended[row.id] = row
                paths[row.id] = ("roles", str(index), "role")
            kept += [
                Warned(
                    f"`{role.key}` is also assigned by `{row.source}` (row {row.id}), which was not touched",
                    path=("roles", str(index)), code=ErrorCode.CONFLICT,
                )
                for row in alike
                if row.source != source
            ]  # fmt: skip
    faults.refuse()
    changes = tuple(Change(row, None) for row in ended.values())
    return Wish(changes=changes, paths=paths, asked=frozenset([holder]), on_dependents=on_dependents), kept
