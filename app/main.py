"""The one place where a gateway is put together: settings, database, catalog, services, addresses."""

import asyncio
import gc
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from starlette.applications import Starlette

from app.db.schema import open_schema, require_schema
from app.db.unit_of_work import Database
from app.domain.ids import PREFIX_OF, make_id
from app.services.context import Services, read_clock
from app.services.issuer_files import load_issuers
from app.services.systems import adopt_catalog, find_catalog_files
from app.settings import Settings, read_key, read_settings
from app.telemetry import flush_logs, log, set_up_logging
from app.telemetry.traces import set_up_traces
from app.web.connections import Connections
from app.web.door import Gateway
from app.web.lifecycle import Lifecycle, draining_on_sigterm
from app.web.probes import probe_routes
from app.web.routes import make_routes

TURN_S = 0.001  # how soon what a sync works out beside the event loop gives way to it
UNDECIDED = 70  # how a process ends of which nobody knows what its last commit became; EX_SOFTWARE of sysexits.h
CURSOR_KEY = "cursor_key"  # the setting of the database under which its key for cursors is kept


async def open_services(settings: Settings, *, clock: Callable[[], datetime] = read_clock) -> Services:
    """The services over the database of the settings, its catalog brought up to date, and the schema of SQLite.

    Raises `DatabaseFault` where the schema of PostgreSQL is not current.
    """
    sys.setswitchinterval(TURN_S)
    issuers = await asyncio.to_thread(load_issuers, settings.jwt_issuers)
    database = Database(settings.database_url)

    def new_id(kind: type) -> str:
        return make_id(PREFIX_OF[kind], clock(), secrets.token_bytes(10))

    try:
        await open_schema(database)
        program = await adopt_catalog(database, find_catalog_files(settings.seeds), at=clock(), new_id=new_id)
        audit_key = None if settings.audit_key_file is None else read_key(settings.audit_key_file)
        cursor_key = await _read_cursor_key(database)
        return Services(
            database, program, cursor_key=cursor_key, audit_key=audit_key, issuers=issuers, clock=clock,
            brake_share=settings.sync_brake_share, max_feed=settings.sync_max_bytes, limits=settings.limits,
        )  # fmt: skip
    except BaseException:
        await database.close()
        raise


@asynccontextmanager
async def open_as_it_is(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings: nothing is migrated, and no catalog put in force. Raises `DatabaseFault`."""
    database = Database(settings.database_url)
    try:
        await require_schema(database)
        yield database
    finally:
        await database.close()


async def _read_cursor_key(database: Database) -> bytes:
    """The key that signs cursors: one for all processes over a database, made when it is first needed."""
    async with database.reading() as unit:
        kept = await unit.catalogs.read_setting(CURSOR_KEY)
    if kept is None:
        async with database.writing() as writing:
            kept = await writing.catalogs.read_setting(CURSOR_KEY)
            if kept is None:
                kept = secrets.token_hex(32)
                await writing.write_setting(CURSOR_KEY, kept)
    return bytes.fromhex(kept)


def create_app(services: Services, settings: Settings, *, metrics: bool = True) -> Gateway:
    """The application over open services; it closes them when it ends. `metrics`: whether it answers `/metrics`."""
    lifecycle = Lifecycle()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with _living(services, settings, lifecycle):
            yield

    connections = Connections(settings.limits.max_connections)
    lifecycle.on_drain.append(connections.drain)
    routes = [*make_routes(services, settings, connections), *probe_routes(services, lifecycle, metrics=metrics)]
    return Gateway(lifecycle, routes, lifespan=lifespan)


def create_worker() -> Gateway:
    """The application of one process among several: it opens services of its own over the settings of all."""
    settings = read_settings(os.environ)
    set_up_telemetry(settings)
    lifecycle = Lifecycle()
    connections = Connections(settings.limits.max_connections)
    lifecycle.on_drain.append(connections.drain)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        services = await open_services(settings)
        app.add_routes(make_routes(services, settings, connections))
        app.add_routes(probe_routes(services, lifecycle, metrics=settings.metrics_port is None))
        async with _living(services, settings, lifecycle):
            yield
        if services.database.stopped is not None:
            os._exit(UNDECIDED)  # the signal by which it was told to drain would be what it ended by

    app = Gateway(lifecycle, lifespan=lifespan)
    return app


@asynccontextmanager
async def _living(services: Services, settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[None]:
    """What a process does from when it serves to its end."""
    if settings.index:
        services.index.snapshot = settings.snapshot
        await services.index.start()
    settle_memory()
    with draining_on_sigterm(lifecycle, settings.drain_seconds), ending_when_undecided(services):
        yield
    await _close(services, lifecycle)


def settle_memory() -> None:
    """Leaves out of every later search for garbage what is there by now: most of it stays for as long as the process.

    A full search holds up everybody for as long as there are objects to go through. `benchmarks/http.py` says how long.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def ending_when_undecided(services: Services) -> Iterator[None]:
    """Drains as on SIGTERM once a commit is undecided: only who opens the file anew knows what became of it."""

    def end() -> None:
        signal.raise_signal(signal.SIGTERM)

    services.database.on_undecided.append(end)
    try:
        yield
    finally:
        services.database.on_undecided.remove(end)


def set_up_telemetry(settings: Settings) -> None:
    """Logs, and traces where they are wanted, of a process that serves."""
    set_up_logging(access_log=settings.access_log)
    if settings.traces:
        set_up_traces()


async def _close(services: Services, lifecycle: Lifecycle) -> None:
    """Closes the services once nobody uses them, and lets the log be written: the signal that ended us ends it."""
    await lifecycle.finish()
    await services.close()
    log("stopped")
    await asyncio.to_thread(flush_logs)
