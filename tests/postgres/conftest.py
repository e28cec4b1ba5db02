"""Everything here is over PostgreSQL: the fixtures of `tests/fixtures.py` with a database in the place of a file."""

from pathlib import Path

import pytest

from tests.factories import Template, fill_template, stock
from tests.postgres.fixtures import postgres_direct, postgres_server, postgres_template

__all__ = ["postgres_direct", "postgres_server", "postgres_template"]


@pytest.fixture(scope="session")
def template(postgres_template: Template) -> Template:
    return postgres_template


@pytest.fixture(scope="session")
def stocked_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    path: Path = tmp_path_factory.mktemp("stocked") / "template.db"
    return fill_template(template, path, stock)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves most races to the deep runs: a round costs ten times what it does over a file."""
    for item in items:
        if isinstance(item, pytest.Function) and item.module.__name__ == "tests.postgres.test_races":
            if item.callspec.id != "default":
                continue
            item.callspec.params["rounds"] = item.module.ROUNDS
            if item.originalname not in item.module.FEW:
                item.add_marker(pytest.mark.deep)
