"""The suite of the repositories runs over SQLite and over PostgreSQL; a module says in `ENGINES` if it is about one."""

from pathlib import Path

import pytest

from tests.factories import Template, fill_template, make_template, stock
from tests.postgres.fixtures import postgres_direct, postgres_server, postgres_template

__all__ = ["postgres_direct", "postgres_server", "postgres_template"]

ENGINES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", getattr(metafunc.module, "ENGINES", ENGINES), scope="session")


@pytest.fixture(scope="session")
def template(engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """As `tests/fixtures.py` has it, over either."""
    if engine == "postgresql":
        found: Template = request.getfixturevalue("postgres_template")
        return found
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def stocked_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """As `tests/fixtures.py` has it, over either."""
    path: Path = tmp_path_factory.mktemp("stocked") / "template.db"
    return fill_template(template, path, stock)
