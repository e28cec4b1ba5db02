"""The databases of a process, and the opening of doors to them."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from unittest.mock import patch

import httpx

from app.db.schema import migrate
from app.db.unit_of_work import Database
from app.domain.audit import AuditEntry, ChangeRecord, describe_change, name_subjects
from app.domain.callers import Caller
from app.domain.holders import User
from app.domain.world import Change, World
from app.main import create_app
from app.services.callers import issue_token
from app.services.context import Services
from app.settings import Settings
from tests.casefiles import NOW, CaseFile
from tests.doors.door import Door
from tests.doors.engine import EngineDoor
from tests.doors.http import HttpDoor
from tests.doors.services import ServicesDoor, read_world
from tests.factories import executor, share_compiled_statements


@dataclass(frozen=True)
class Opened:
    """A copy of the world of a case file in use, at a moment that stands still."""

    services: ServicesDoor
    http: HttpDoor

    async def close(self) -> None:
        """Closes what was opened, and takes the copy away."""
        database = self.services.services.database
        await self.http.client.aclose()
        await database.close()
        path_of(database).unlink()


class Shelf:
    """Databases made once for a process: the empty one, one with the world of each case file, and copies to work in.

    A copy is left to the next case of the same file and moment where this one has written nothing; of each there is
    one at most. Their engines share the statements they have compiled. All of it belongs to one event loop.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tokens: dict[str, str] = {}
        self._worlds: dict[str, World] = {}
        self._opened: dict[tuple[str, datetime], Opened] = {}
        self._places = count()

    async def close(self) -> None:
        """Closes what was opened."""
        while self._opened:
            await self._opened.popitem()[1].close()

    @asynccontextmanager
    async def open_door(self, name: str, file: CaseFile, at: datetime) -> AsyncIterator[Door]:
        """A door by its name, to the world of a case file as it is written there."""
        if name == "engine":
            yield EngineDoor(file, at)
            return
        key = file.name, at
        opened = self._opened.pop(key, None) or await self._open(file, at)
        try:
            yield opened.services if name == "services" else opened.http
        except BaseException:
            await opened.close()  # nobody knows what it left
            raise
        if opened.services.has_written:
            await opened.close()
        else:
            self._opened[key] = opened

    async def _open(self, file: CaseFile, at: datetime) -> Opened:
        """The doors to a fresh copy of the world of a case file."""
        path = await self._world(file)
        services = self._copy(path, file, at)
        (user,) = (one for one in file.records() if isinstance(one, User) and one.user_name == file.caller)
        below = ServicesDoor(services, Caller(user=user.id, user_name=file.caller), known=self._worlds[file.name])
        # Building the schema is most of what an application costs, and it knows nothing of any services.
        with patch("app.web.routes.Executor", executor):
            transport = httpx.ASGITransport(app=create_app(services, Settings()))
        headers = {"authorization": f"Bearer {self._tokens[file.name]}"}
        client = httpx.AsyncClient(transport=transport, base_url="http://cases", headers=headers)
        return Opened(below, HttpDoor(below, client))

    def _copy(self, path: Path, file: CaseFile, at: datetime) -> Services:
        """The services over a copy of a database, with the catalog of a case file."""
        database = self._database()
        shutil.copyfile(path, path_of(database))
        return Services(database, file.program(), cursor_key=b"the key of the cases", clock=lambda: at)

    def _database(self) -> Database:
        """A database at a place of its own, where nothing is yet."""
        database = Database(f"sqlite+aiosqlite:///{self.folder / f'copy-{next(self._places)}.db'}")
        share_compiled_statements(database)
        return database

    async def _empty(self) -> Path:
        path = self.folder / "empty.db"
        if not path.exists():
            database = self._database()
            await migrate(database)
            await database.close()
            path_of(database).rename(path)
        return path

    async def _world(self, file: CaseFile) -> Path:
        """The database that holds the world of a case file, to be copied."""
        path = self.folder / f"{file.name}.db"
        if file.name not in self._tokens:
            services = self._copy(await self._empty(), file, NOW)
            await write_world(services, file)
            _, token = await issue_token(services, "the case", file.caller, label="case", expires_at=None)
            self._worlds[file.name] = await read_world(services)
            await services.database.close()
            path_of(services.database).rename(path)
            self._tokens[file.name] = token
        return path


def path_of(database: Database) -> Path:
    """The file of a database."""
    return Path(str(database.engine.url.database))


async def write_world(services: Services, file: CaseFile) -> None:
    changes = [Change(None, record) for record in file.records()]
    described: tuple[ChangeRecord, ...] = tuple(describe_change(services.catalog, change) for change in changes)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=NOW, actor="the case", actor_id=None, source="case", action="loadWorld", reason=None,
            subjects=name_subjects(described), changes=described, previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        await unit.record(changes, make_entry)
