"""The catalogs that come with the program load without a fault, and so does what they publish of their shape."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.catalogs.catalog_files import load_catalog
from app.catalogs.catalog_format import catalog_schema
from app.catalogs.documents import read_document
from app.domain.catalog import Catalog
from app.services.systems import find_catalog_files
from app.settings import find_seeds
from tests.factories import SEEDS

SHAPE = find_seeds() / "catalog.schema.json"
FILES = [*find_catalog_files(find_seeds()), *find_catalog_files(SEEDS)]
MANUALS = {
    "web2contact": "000_fdc6b1a937f4aea5.txt",
    "ringover": "001_ce4baf2120c0e723.txt",
    "storm": "002_4b62e0062b7a83f2.txt",
    "maxcontact": "003_c0bc46b253f11496.txt",
    "core": "004_4b6f646100ccd4c5.txt",
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(find_catalog_files(find_seeds()))


def test_the_five_manuals_are_there(catalog: Catalog) -> None:
    assert {system.key for system in catalog.systems} >= set(MANUALS)
    for key, manual in MANUALS.items():
        cited = {node.source.document for node in catalog.systems_by_key[key].nodes}
        assert (key, cited) == (key, {manual})


def test_every_node_cites_a_heading(catalog: Catalog) -> None:
    assert [node.key for node in catalog.nodes.values() if not node.source.heading.strip()] == []


def test_keys_are_lower_case_with_underscores(catalog: Catalog) -> None:
    for key, node in catalog.nodes.items():
        first, *rest = key.split(".")
        assert first == node.system
        assert rest and all(
            part.replace("_", "").isalnum() and part == part.lower() and part.isascii() for part in rest
        )


def test_catalogs_load_alone_and_together(catalog: Catalog) -> None:
    """A system needs no other to be sound, but for those that share nothing with it."""
    for path in find_catalog_files(find_seeds()):
        alone = load_catalog([path])
        (system,) = [found for found in alone.systems if found.key == path.stem]
        assert [node.key for node in system.nodes] == [node.key for node in catalog.systems_by_key[path.stem].nodes]


def test_the_digest_does_not_hang_on_the_order_of_files() -> None:
    paths = find_catalog_files(find_seeds())

    assert load_catalog(paths).digest == load_catalog(list(reversed(paths))).digest


def test_the_published_shape_is_current() -> None:
    expected = json.dumps(catalog_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    assert SHAPE.read_text("utf-8") == expected


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    shape = json.loads(SHAPE.read_text("utf-8"))
    Draft202012Validator.check_schema(shape)
    return Draft202012Validator(shape)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_every_catalog_has_that_shape(path: Path, validator: Draft202012Validator) -> None:
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(read_document(path).data)]

    assert faults == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_every_catalog_names_the_shape_to_editors(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]

    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == SHAPE.resolve()


@pytest.mark.parametrize(
    "edit",
    [
        {"nothing": 1},
        {"system": "Two Words"},
        {"label": ""},
        {"groups": [{"group": "G", "nodes": [{"permission": "P", "value": "dial"}]}]},
        {"groups": [{"group": "G", "nodes": [{"permission": "P", "requires": 5}]}]},
        {"groups": [{"group": "G", "nodes": [{"operation": "O"}]}]},
        {"facts": [{"name": "f", "type": "text", "of": "user"}]},
        {"obligations": [{"obligation": "MASK", "on": []}]},
    ],
)
def test_the_shape_has_teeth(validator: Draft202012Validator, edit: dict[str, Any]) -> None:
    sound = {"system": "x", "label": "X", "manual": "x.txt", "groups": [{"group": "G"}]}
    assert validator.is_valid(sound)

    assert not validator.is_valid(sound | edit)
