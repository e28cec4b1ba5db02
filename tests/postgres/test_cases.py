"""Every case of `tests/cases`, through the services over PostgreSQL: what comes of it is what comes of it over SQLite.

The cases of a file share a database, which is made what it was after each that changes something.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import groupby

import pytest
import pytest_asyncio

from app.db.unit_of_work import Database
from app.domain.callers import Caller
from app.domain.holders import User
from app.services.context import Services
from tests.casefiles import Case, list_cases
from tests.doors.services import ServicesDoor
from tests.doors.shelf import write_world
from tests.factories import Template
from tests.postgres.stores import Store
from tests.test_cases import prove

DEFAULT_SHARE = 8  # of so many cases of a file one is proved by default
FILES = [(name, list(cases)) for name, cases in groupby(list_cases(), key=lambda case: case.file.name)]

shares = pytest.mark.parametrize(
    "share", [pytest.param(DEFAULT_SHARE, id="default"), pytest.param(1, id="deep", marks=pytest.mark.deep)]
)


@pytest.fixture(scope="session")
def cases_store(template: Template) -> Iterator[Store]:
    """A database with nothing in it but tables."""
    assert isinstance(template.path, Store)
    template.path.restore()
    store = Store(template.path.server, template.path.direct, f"{template.path.name}_cases").create(template.path.name)
    yield store
    store.drop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cases_database(cases_store: Store) -> AsyncIterator[Database]:
    database = Database(cases_store.address)
    yield database
    await database.close()


@shares
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("name", "cases"), FILES, ids=[name for name, _ in FILES])
async def test_cases_of_a_file(
    name: str, cases: list[Case], share: int, cases_store: Store, cases_database: Database
) -> None:
    file = cases[0].file
    cases_store.clear()
    await write_world(open_services(cases_database, cases[0]), file)
    (caller,) = (one for one in file.records() if isinstance(one, User) and one.user_name == file.caller)
    cases_store.save()
    failed = []
    for case in cases[::share]:
        services = open_services(cases_database, case)
        door = ServicesDoor(services, Caller(user=caller.id, user_name=file.caller), cases_store)
        try:
            await prove(door, case)
        except AssertionError as error:
            failed.append(f"{case.id}: {error}")
        if case.data.do is not None:
            cases_store.restore()
    assert not failed, "\n\n".join(failed)


def open_services(database: Database, case: Case) -> Services:
    """The services with the catalog of a case, at its moment."""
    return Services(database, case.file.program(), cursor_key=b"the key of the cases", clock=lambda: case.data.at)
