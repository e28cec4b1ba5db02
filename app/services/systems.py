"""The catalog in force: loaded from its files, compared with the one the database knows, kept with its digest."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.catalogs.catalog_files import BUILT_IN, catalog_data, load_catalog, restore_catalog
from app.db.repositories.catalogs import StoredCatalog
from app.db.unit_of_work import Database, WritingUnit
from app.domain.audit import AuditEntry, ChangeRecord, describe_change, name_subjects
from app.domain.callers import SYSTEM_ACTOR
from app.domain.catalog import Catalog
from app.domain.compiled import Program, compile_catalog
from app.domain.errors import Conflict, DomainError, InvalidValue, Refused
from app.domain.holders import Grant, Limit, RowId
from app.domain.world import Change

CATALOG_SOURCE = "catalog"  # the source of what a changed catalog makes of rows


def find_catalog_files(folder: Path) -> list[Path]:
    """The catalog files of a folder of seeds: every YAML file whose first word is `system`."""
    return [path for path in sorted(folder.glob("*.yaml")) if "\nsystem:" in "\n" + path.read_text("utf-8")]


async def adopt_catalog(
    database: Database, files: Sequence[Path], *, at: datetime, new_id: Callable[[type], str]
) -> Program:
    """The program of the catalog files and of the built-in system `gateway`, which from now on are in force.

    A catalog that differs from the one in force is a revision with an audit entry. Rows of a node that is gone move to
    the node that its file maps it to; where there is none, or a value is not one any more, `Refused` names the rows.
    """
    files = [BUILT_IN, *files]
    catalog = load_catalog(files)
    data = catalog_data(files)
    async with database.reading() as unit:
        stored = await unit.catalogs.find_current()
        if stored is not None and stored.digest == catalog.digest:
            return compile_catalog(catalog)
    async with database.writing(catalog) as writing:
        stored = await writing.catalogs.find_current()
        if stored is None or stored.digest != catalog.digest:
            await _replace_catalog(writing, stored, catalog, data, at, new_id)
    return compile_catalog(catalog)


async def _replace_catalog(
    unit: WritingUnit,
    stored: StoredCatalog | None,
    catalog: Catalog,
    data: Sequence[Any],
    at: datetime,
    new_id: Callable[[type], str],
) -> None:
    changes: list[Change] = []
    described = [ChangeRecord(action="load_catalog", detail=f"put the catalog {catalog.digest} in force")]
    if stored is not None:
        former = restore_catalog(stored.data)
        unit.reader.catalog = former
        changes = await _move_rows(unit, former, catalog, new_id)
        unit.reader.catalog = catalog
        described += [_describe_move(former, catalog, change) for change in changes]

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=at, actor=SYSTEM_ACTOR, actor_id=None, source=CATALOG_SOURCE, action="loadCatalog",
            reason=None, subjects=name_subjects(described), changes=tuple(described), previous_hash=previous,
        )  # fmt: skip

    entry = await unit.record(changes, make_entry)
    await unit.catalogs.add(StoredCatalog(entry.revision, catalog.digest, data))


def _describe_move(former: Catalog, catalog: Catalog, change: Change) -> ChangeRecord:
    """A row that follows its node, its value before in the words of the former catalog."""
    assert isinstance(change.before, Grant | Limit) and isinstance(change.after, Grant | Limit)
    before = former.render_value(change.before.node, change.before.value)
    detail = f"moved from `{change.before.node}` to `{change.after.node}` ({before})"
    return replace(describe_change(catalog, change), before=before, detail=detail)


async def _move_rows(
    unit: WritingUnit, former: Catalog, catalog: Catalog, new_id: Callable[[type], str]
) -> list[Change]:
    """Rows of nodes that are gone or changed, as rows of the new catalog. Raises `Refused` where one has no place."""
    renamed = {old: new for system in catalog.systems for old, new in system.renamed.items()}
    changes: list[Change] = []
    errors: list[DomainError] = []
    for row in await unit.worlds.list_valued_rows():
        key = row.node if catalog.permission(row.node) is not None else renamed.get(row.node)
        permission = None if key is None else catalog.permission(key)
        text = former.render_value(row.node, row.value)
        if permission is None or key is None:
            errors.append(Conflict(f"`{row.node}` is gone and the row {row.id} uses it: map it under `renamed`"))
            continue
        try:
            value = permission.value_type.parse(text)
        except InvalidValue as error:
            errors.append(Conflict(f"the row {row.id} gives `{row.node}` the value `{text}`; now {error.expected}"))
            continue
        if key != row.node:
            moved = replace(row, id=RowId(new_id(type(row))), node=key, value=value)
            changes.append(Change(row, moved))
    contracts = (await unit.worlds.load_directory()).contracts.values()
    products = {product for contract in contracts for product in contract.products}
    errors += [
        Conflict(f"the product `{product}` is gone and contracts have it")
        for product in sorted(products - set(catalog.products_by_key))
    ]
    left = Counter(row.product for row in await unit.worlds.list_levels_outside({*catalog.products_by_key, *products}))
    errors += [
        Conflict(
            f"the product `{product}` is gone and {count} levels in it are left: "
            "put it back into their contracts and take it out with `onDependents: CASCADE`"
        )
        for product, count in sorted(left.items())
    ]
    if errors:
        raise Refused(errors)
    return changes
