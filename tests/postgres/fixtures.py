"""What tests over PostgreSQL are given in the place of a file: import these where such a suite begins."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.factories import Template, fill_empty
from tests.postgres.server import Missing, Server, open_server
from tests.postgres.stores import Direct, Store


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server for the tests of a process; where there is none to be had they are skipped."""
    try:
        opening = open_server()
        server = opening.__enter__()
    except Missing as reason:
        pytest.skip(str(reason))
    yield server
    opening.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres_direct() -> Iterator[Direct]:
    """Connections past the program."""
    direct = Direct()
    yield direct
    direct.close()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server, postgres_direct: Direct) -> Iterator[Template]:
    """As `template`, in a database of a server."""
    store = Store(postgres_server, postgres_direct, f"permgate_test_{os.getpid()}").create()
    template = asyncio.run(fill_empty(store))
    store.save()
    yield template
    for (name,) in store.select("SELECT datname FROM pg_database WHERE datname LIKE ?", f"{store.name}%"):
        Store(postgres_server, postgres_direct, name).drop()
