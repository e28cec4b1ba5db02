"""The one table of what operations need: the schema is described by it, the documents show it, services ask it."""

import re
from pathlib import Path

import pytest
from graphql import GraphQLObjectType

from app.catalogs.catalog_files import BUILT_IN, load_catalog
from app.domain.callers import GATEWAY, OPERATIONS, Right
from app.graphql.schema import build_schema

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema()._schema
ROOTS = [kind for kind in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type) if kind is not None]
FIELDS = {name: field for kind in ROOTS for name, field in kind.fields.items()}


def find_field(operation: str) -> str | None:
    """The description of the field of an operation."""
    kind, _, name = operation.rpartition(".")
    fields = FIELDS if not kind else SCHEMA.type_map[kind].fields  # type: ignore[attr-defined]  # types with fields alone
    return fields[name or operation].description if (name or operation) in fields else None


@pytest.mark.parametrize("name", FIELDS)
def test_every_root_field_says_what_it_needs(name: str) -> None:
    assert name in OPERATIONS, "an operation that is not in the table is refused"
    assert (FIELDS[name].description or "").endswith(str(OPERATIONS[name]))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_of_the_table_is_a_field_that_says_so(operation: str) -> None:
    assert (find_field(operation) or "").endswith(str(OPERATIONS[operation]))


def test_what_the_table_asks_for_is_in_the_catalog_and_the_other_way_round() -> None:
    catalog = load_catalog([BUILT_IN])
    assert {permission.key for permission in catalog.permissions} == set(Right)
    assert all(right.startswith(f"{GATEWAY}.") for right in Right)


def test_every_right_opens_something() -> None:
    asked = {need.right for need in OPERATIONS.values()}
    assert set(Right) - asked == {Right.ASSERT_FACTS}  # asked where facts are sent along


@pytest.mark.parametrize("name", SCHEMA.mutation_type.fields if SCHEMA.mutation_type else ())
def test_every_mutation_is_asked_for_in_the_services_under_its_own_name(name: str) -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "app" / "services").rglob("*.py"))
    assert re.search(rf'(action(: str)?|PLAN|APPLY) ?= ?"{name}"', sources), f"no use case writes as `{name}`"


def render_table() -> str:
    """The table as the documents show it."""
    lines = ["| operation | needs |", "| --- | --- |"]
    lines += [
        f"| `{name}` | {str(need).removeprefix('Needs ').removesuffix('.')} |" for name, need in OPERATIONS.items()
    ]
    return "\n".join(lines)


def test_the_documents_show_the_table() -> None:
    text = (ROOT / "docs" / "rights.md").read_text("utf-8")
    assert render_table() in text, f"put this into docs/rights.md:\n{render_table()}"


def test_types_are_what_the_table_says() -> None:
    kinds = {operation.partition(".")[0] for operation in OPERATIONS if "." in operation}
    assert all(hasattr(SCHEMA.type_map[kind], "fields") for kind in kinds)
    assert isinstance(SCHEMA.query_type, GraphQLObjectType)
