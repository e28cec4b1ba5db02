"""docs/architecture.md: from any field to its service, its rule and its table, by name alone."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from graphql import GraphQLSchema, build_schema
from sqlmodel import SQLModel

import app.db.tables  # noqa: F401  # fills the metadata

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


class Noun(NamedTuple):
    """A row of the page's table of nouns."""

    file: str
    queries: list[str]
    mutations: list[str]
    rules: list[str]
    tables: list[str]


NOUNS = [
    Noun(file, *(re.findall(r"`([^`]+)`", cell) for cell in cells.split("|")[:4]))
    for file, cells in re.findall(r"^\| `(\w+\.py)` \|(.*)$", PAGE, re.MULTILINE)
]


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text("utf-8"))


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def functions_of(path: Path) -> set[str]:
    """The names of the functions in a file, those in its classes included."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_field_is_on_the_page_once(schema: GraphQLSchema) -> None:
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    assert sorted(field for noun in NOUNS for field in noun.queries) == sorted(schema.query_type.fields)
    assert sorted(field for noun in NOUNS for field in noun.mutations) == sorted(schema.mutation_type.fields)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.file)
def test_a_field_is_found_by_its_name_in_the_file_of_its_noun(noun: Noun) -> None:
    for kind, fields in (("queries", noun.queries), ("mutations", noun.mutations)):
        if fields:
            assert {snake_case(field) for field in fields} <= functions_of(ROOT / "app" / "graphql" / kind / noun.file)


@pytest.mark.parametrize("noun", [noun for noun in NOUNS if noun.mutations], ids=lambda noun: noun.file)
def test_a_mutation_has_the_use_case_of_its_name(noun: Noun) -> None:
    """In a file of its name, its rules beside those of others; or in a package of its name, as its rules are."""
    package = ROOT / "app" / "services" / noun.file.removesuffix(".py")
    files = list(package.glob("*.py")) or [package.with_suffix(".py")]
    assert {snake_case(field) for field in noun.mutations} <= {name for file in files for name in functions_of(file)}
    if package.is_dir():
        assert noun.rules and all(rule.startswith(f"app/domain/{package.name}/") for rule in noun.rules)
    else:
        assert noun.rules == [f"app/domain/wishes/{noun.file}"]


def test_every_table_of_what_bears_on_rights_is_on_the_page() -> None:
    named = {table for noun in NOUNS for table in noun.tables} - {"Worlds"}
    tables = SQLModel.metadata.tables
    with_history = {name for name, table in tables.items() if "ended_revision" in table.columns}

    assert named <= set(tables)
    assert with_history <= named


def test_every_path_on_the_page_is_there() -> None:
    paths = re.findall(r"`((?:app|seeds|tests)/[\w/.]+)`", PAGE)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_function_on_the_page_is_where_it_says() -> None:
    claims = re.findall(r"`(?:\w+\.)?(\w+)`[^`|]* (?:in|of) `(app/[\w/]+\.py)`", PAGE)

    assert len(claims) > 5
    assert [claim for claim in claims if claim[0] not in functions_of(ROOT / claim[1])] == []
