"""The databases of a process, and the opening of doors to them."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
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
from tests.factories import executor


@dataclass(frozen=True)
class Opened:
    """A copy of the world of a case file in use, at a moment that stands still."""

    file: CaseFile
    at: datetime
    services: ServicesDoor
    http: HttpDoor


class Shelf:
    """Databases made once for a process: the empty one, one with the world of each case file, and one to work in.

    A case works in a copy, always at one place and through one engine, which remembers the statements it has compiled.
    The copy is left to the next case where that is of the same file and moment, and this one has written nothing.
    All of it belongs to one event loop.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "case.db"
        self._database = Database(f"sqlite+aiosqlite:///{self._path}")
        self._tokens: dict[str, str] = {}
        self._worlds: dict[str, World] = {}
        self._opened: Opened | None = None

    async def close(self) -> None:
        """Closes what was opened."""
        if self._opened is not None:
            await self._opened.http.client.aclose()
            self._opened = None
        await self._database.close()  # its connections: the engine opens others for the next copy

    @asynccontextmanager
    async def open_door(self, name: str, file: CaseFile, at: datetime) -> AsyncIterator[Door]:
        """A door by its name, to the world of a case file as it is written there."""
        if name == "engine":
            yield EngineDoor(file, at)
            return
        opened = self._opened
        if opened is None or (opened.file.name, opened.at) != (file.name, at):
            await self.close()
            opened = self._opened = await self._open(file, at)
        try:
            yield opened.services if name == "services" else opened.http
        except BaseException:
            await self.close()  # nobody knows what it left
            raise
        if opened.services.has_written:
            await self.close()

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
        return Opened(file, at, below, HttpDoor(below, client))

    def _copy(self, path: Path, file: CaseFile, at: datetime) -> Services:
        """The services over a copy of a database, with the catalog of a case file."""
        shutil.copyfile(path, self._path)
        return Services(self._database, file.program(), cursor_key=b"the key of the cases", clock=lambda: at)

    async def _empty(self) -> Path:
        path = self.folder / "empty.db"
        if not path.exists():
            await migrate(self._database)
            await self._database.close()
            shutil.copyfile(self._path, path)
        return path

    async def _world(self, file: CaseFile) -> Path:
        """The database that holds the world of a case file, to be copied."""
        path = self.folder / f"{file.name}.db"
        if file.name not in self._tokens:
            services = self._copy(await self._empty(), file, NOW)
            await write_world(services, file)
            _, token = await issue_token(services, "the case", file.caller, label="case", expires_at=None)
            self._worlds[file.name] = await read_world(services)
            await self._database.close()
            shutil.copyfile(self._path, path)
            self._tokens[file.name] = token
        return path


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
