"""The schema: current, described throughout, and the contract whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    get_named_type,
    print_ast,
)
from graphql.type import is_enum_type, is_input_object_type, is_interface_type, is_object_type, is_specified_scalar_type

from app.graphql.schema import print_schema

ROOT = Path(__file__).parents[2]
COPY = Path(__file__).parent / "contract.graphql"
ORIGINAL = ROOT.parent / "shared" / "contract" / "contract.graphql"

SYNC = {"planSync", "applySync"}  # they take and give what the contract says of them alone


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text("utf-8"))


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    return build_schema(COPY.read_text("utf-8"))


def test_schema_graphql_is_current() -> None:
    assert (ROOT / "schema.graphql").read_text("utf-8") == f"{print_schema()}\n", (
        "run: permgate schema > schema.graphql"
    )


def test_the_copy_of_the_contract_is_current() -> None:
    if not ORIGINAL.exists():
        pytest.skip("the contract itself is not here")
    assert COPY.read_text("utf-8") == ORIGINAL.read_text("utf-8")


def departures(contract: GraphQLSchema, schema: GraphQLSchema) -> Iterator[str]:
    """What `contract_check.py` counts, by name; anything that is more than missing in its own words."""
    for change in find_breaking_changes(contract, schema):
        words = change.description
        if words.endswith(" was removed."):
            words = words.removesuffix(" was removed.").removeprefix("Field ").removeprefix("Argument ")
        yield words
    for dangerous in find_dangerous_changes(contract, schema):
        if dangerous.type.name.endswith("DEFAULT_VALUE_CHANGE"):
            yield dangerous.description
    for name, kind in contract.type_map.items():
        known = schema.type_map.get(name)
        if known is not None and getattr(kind, "is_one_of", False) and not getattr(known, "is_one_of", False):
            yield f"{name} is not @oneOf"


def test_the_schema_departs_nowhere_from_the_contract(contract: GraphQLSchema, schema: GraphQLSchema) -> None:
    assert sorted(departures(contract, schema)) == []


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    for name, kind in schema.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        if not kind.description:
            yield name
        if is_enum_type(kind):
            yield from (f"{name}.{value}" for value, found in kind.values.items() if not found.description)
        elif is_input_object_type(kind):
            yield from (f"{name}.{field}" for field, found in kind.fields.items() if not found.description)
        elif is_object_type(kind) or is_interface_type(kind):
            for field, found in kind.fields.items():
                if not found.description:
                    yield f"{name}.{field}"
                yield from (f"{name}.{field}({argument}:)" for argument, x in found.args.items() if not x.description)
    for directive in schema.directives:
        if not directive.description and directive.name != "oneOf":  # which the specification describes
            yield f"@{directive.name}"


def test_every_definition_is_described(schema: GraphQLSchema) -> None:
    assert sorted(undescribed(schema)) == []


def test_descriptions_are_sentences(schema: GraphQLSchema) -> None:
    """Each ends as a sentence does; none begins with a small letter but what names a value."""
    wrong = [
        f"{name}: {kind.description}"
        for name, kind in schema.type_map.items()
        if not name.startswith("__") and not is_specified_scalar_type(kind) and kind.description
        if not kind.description.rstrip().endswith((".", "?", "!"))
    ]

    assert wrong == []


def test_every_mutation_takes_and_gives_what_all_do(schema: GraphQLSchema) -> None:
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        (argument,) = field.args.items()
        assert argument[0] == "input", name
        assert str(argument[1].type) == f"{get_named_type(argument[1].type)}!", name
        if name in SYNC:
            continue
        given: Any = get_named_type(argument[1].type)
        assert is_input_object_type(given)
        assert {key: str(found.type) for key, found in given.fields.items() if key in {"reason", "dryRun"}} == {
            "reason": "String",
            "dryRun": "Boolean!",
        }, name
        assert print_ast(given.fields["dryRun"].ast_node).endswith("dryRun: Boolean! = false"), name
        payload: Any = get_named_type(field.type)
        assert str(field.type) == f"{payload}!", name
        common = {
            "changes": "[Change!]!", "revision": "Revision", "errors": "[UserError!]!", "warnings": "[UserError!]!"
        }  # fmt: skip
        assert {key: str(payload.fields[key].type) for key in common} == common, name
        about = [found for key, found in payload.fields.items() if key not in common]
        assert all(not str(found.type).endswith("!") for found in about), f"{name}: null when refused"


def test_the_mutations_of_sync_give_a_run_and_what_is_to_be_said_of_it(schema: GraphQLSchema) -> None:
    assert schema.mutation_type is not None
    for name in SYNC:
        payload: Any = get_named_type(schema.mutation_type.fields[name].type)
        assert {key: str(found.type) for key, found in payload.fields.items()} == {
            "run": "SyncRun", "errors": "[UserError!]!", "warnings": "[UserError!]!"
        }, name  # fmt: skip


def test_every_list_that_grows_is_a_connection(schema: GraphQLSchema) -> None:
    """Pages everywhere: users, roles, teams, contracts, audit entries never come as a plain list of all of them."""
    assert schema.query_type is not None
    for name, field in schema.query_type.fields.items():
        named = get_named_type(field.type).name
        if str(field.type).startswith("["):
            assert named in {"System", "Product", "Fact", "Decision", "Node", "SyncSource"}, name
        if named.endswith("Connection"):
            narrowing = {"source"} if name == "syncRuns" else {"last", "before", "filter"}
            assert {"first", "after", *narrowing} == set(field.args), name


def test_connections_are_all_alike(schema: GraphQLSchema) -> None:
    for name, kind in schema.type_map.items():
        if name.endswith("Connection"):
            assert is_object_type(kind)
            edge = name.removesuffix("Connection") + "Edge"
            assert {key: str(field.type) for key, field in kind.fields.items()} == {
                "edges": f"[{edge}!]!", "pageInfo": "PageInfo!", "totalCount": "Int!"
            }  # fmt: skip


def test_everything_with_an_id_is_a_node(schema: GraphQLSchema) -> None:
    for name, kind in schema.type_map.items():
        if is_object_type(kind) and "id" in kind.fields and name != "Token":  # a token is no node: it has no page
            assert "Node" in {interface.name for interface in kind.interfaces}, name
            assert str(kind.fields["id"].type) == "ID!"
