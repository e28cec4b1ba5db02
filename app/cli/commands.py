"""The commands: serving, the database, tokens, the audit log, catalogs, questions."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import uvicorn
from sqlalchemy.exc import DBAPIError
from uvicorn.config import STARTUP_FAILURE

from app.catalogs.catalog_files import load_catalog
from app.catalogs.documents import DocumentFault
from app.cli.acceptors import Acceptor, listen_often
from app.cli.backups import backup, restore
from app.cli.configuration import config
from app.cli.metrics import Workers, serving_metrics, sharing_metrics
from app.cli.running import CONFIGURATION, UNAVAILABLE, Failed, Permgate, complain, run_services
from app.cli.sync import sync
from app.db.faults import DatabaseFault
from app.db.rehearsals import rehearse_migration
from app.db.schema import migrate
from app.db.unit_of_work import Database
from app.domain.catalog_building import CatalogFaults
from app.domain.decisions import Decision
from app.domain.errors import InvalidValue, Refused
from app.domain.explanation import explain
from app.domain.heads import Head, print_head, sign_head
from app.domain.ids import audit_id
from app.domain.narration import describe_steps, summarise, word_suggestion
from app.domain.outages import Outage, UndecidedCommit
from app.domain.references import Ref
from app.domain.values import ValueInput
from app.domain.verification import Verification
from app.graphql.schema import print_schema
from app.main import UNDECIDED, create_app, open_as_it_is, open_services, set_up_telemetry
from app.services.access import CheckAsked, check_many
from app.services.audit import check_head, list_attempts, verify_chain
from app.services.callers import create_first_owner, issue_token, revoke_token
from app.services.context import Services
from app.services.demo import DEMO_CALLERS, load_demo
from app.services.systems import find_catalog_files
from app.settings import Settings, SettingsFaults, mask_secrets, read_key, read_settings
from app.telemetry import set_up_logging
from app.web.lifecycle import Lifecycle
from app.web.routes import make_routes
from app.web.straight import StraightHttp

STARTING_S = 30  # for a worker to answer its supervisor: on a busy machine loading the program takes most of that
DEADLINE_S = 20  # for calls that are running when the server stops; orchestrators kill after 30
SERVER: dict[str, Any] = {  # how uvicorn serves
    "log_level": "warning", "log_config": None, "access_log": False,  # its warnings are lines of our log
    "server_header": False, "date_header": False,
    "timeout_graceful_shutdown": DEADLINE_S,
    "timeout_worker_healthcheck": STARTING_S,
    "ws_per_message_deflate": False,  # nothing to inflate, and no window kept for each socket
}  # fmt: skip
ENDED = "a commit is undecided: start it anew, and what became of it is known"  # how a server says why it ended
MAX_WORKERS = 64  # processes; more than any machine that one database file feeds has use for


def bound_server(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves within the limits of the settings."""
    limits = settings.limits
    return SERVER | {"http": partial(StraightHttp, limits=limits), "ws_max_size": limits.max_body_bytes}


def run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs what serves in the event loop that uvicorn gives its workers: uvloop, where there is one for the system."""
    with asyncio.Runner(loop_factory=uvicorn.Config("", **SERVER).get_loop_factory()) as runner:
        runner.run(work)


@click.group(cls=Permgate, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="permgate")
def cli() -> None:
    """Permgate, a GraphQL permission gateway for contact-centre platforms."""


cli.add_command(sync)
cli.add_command(backup)
cli.add_command(restore)
cli.add_command(config)


def main() -> None:
    """The entry point."""
    try:
        cli.main(prog_name="permgate")
    except Failed as error:
        complain(str(error))
        sys.exit(error.status)
    except (SettingsFaults, DatabaseFault, CatalogFaults, DocumentFault) as error:
        complain(str(error))
        sys.exit(CONFIGURATION)
    except (ConnectionError, TimeoutError, socket.gaierror) as error:
        complain(f"the database cannot be reached: {error or 'it does not answer'}")
        sys.exit(UNAVAILABLE)
    except DBAPIError as error:
        complain(mask_secrets(f"the database failed: {error.orig}"))
        sys.exit(UNAVAILABLE)
    except UndecidedCommit as error:
        complain(f"{error}: look whether it was done before you repeat it")
        sys.exit(UNDECIDED)
    except Outage as error:
        complain(str(error))
        sys.exit(UNAVAILABLE)
    except Refused as error:
        for refusal in error.errors:
            expected = f" (expected {refusal.expected})" if isinstance(refusal, InvalidValue) else ""
            complain(f"{refusal}{expected}")
        sys.exit(1)


# ---------------------------------------------------------------------- servers


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with addresses and tokens.")
def demo(host: str, port: int, as_json: bool) -> None:
    """Run a gateway over a throw-away database with the demo world, by the other settings of the environment."""
    with _unwinding_when_terminated(), tempfile.TemporaryDirectory(prefix="permgate-demo-") as folder:
        settings = replace(
            read_settings(os.environ), database_url=f"sqlite+aiosqlite:///{folder}/demo.db", graphiql=True,
            snapshot=None, metrics_port=None,  # its world is gone with it
            drain_seconds=0, access_log=False,  # nobody spreads requests, and a person reads the terminal
        )  # fmt: skip
        run_in_loop(_serve_demo(settings, host, port, as_json=as_json))


@contextmanager
def _unwinding_when_terminated() -> Iterator[None]:
    """Makes an exception of SIGTERM, which would otherwise leave behind what a `with` is there to remove."""
    former = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


async def _serve_demo(settings: Settings, host: str, port: int, *, as_json: bool) -> None:
    services = await open_services(settings)
    try:
        tokens = await load_demo(services, settings.seeds / "demo.yaml")
    except BaseException:
        await services.close()
        raise

    def announce(bound: int) -> None:
        address = f"http://{'[' + host + ']' if ':' in host else host}:{bound}"
        if as_json:
            found = {"graphql": f"{address}/graphql", "graphiql": f"{address}/graphiql", "tokens": tokens}
            click.echo(json.dumps(found))
            return
        click.echo(f"GraphQL   {address}/graphql\nGraphiQL  {address}/graphiql\n\nTokens (Authorization: Bearer ...)")
        for name in DEMO_CALLERS:
            click.echo(f"  {name:<11}{tokens[name]}")
        click.echo(f"\nGraphiQL as the owner: {address}/graphiql#token={tokens['owner']}\nStop with Ctrl+C.")

    await _serve(services, settings, host, port, announce=announce)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, MAX_WORKERS), help="Processes that answer."
)
def serve(host: str, port: int, workers: int) -> None:
    """Run the gateway over the database of PERMGATE_DATABASE_URL."""
    settings = read_settings(os.environ)

    async def do() -> None:
        services = await open_services(settings)
        if workers == 1:
            with serving_metrics(host, settings.metrics_port):
                await _serve(services, settings, host, port, announce=lambda bound: None)
        else:  # it was opened for what is wrong to be told once, and the schema to be there
            make_routes(services, settings)
            await services.close()

    run_in_loop(do())
    if workers > 1:
        _serve_in_processes(settings, host, port, workers)


def _serve_in_processes(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serves by several processes that share one socket, each with services of its own, until told to stop."""
    set_up_logging()
    config = uvicorn.Config("app.main:create_worker", factory=True, workers=workers, **bound_server(settings))
    sockets = listen_often(_bind(host, port))
    for sock in sockets:
        sock.set_inheritable(True)
    with sharing_metrics(), serving_metrics(host, settings.metrics_port):
        supervisor = Workers(config, sockets=sockets)
        supervisor.run()
    if supervisor.undecided:
        raise Failed(ENDED, UNDECIDED)
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise Failed("a worker could not start")


async def _serve(
    services: Services, settings: Settings, host: str, port: int, *, announce: Callable[[int], None]
) -> None:
    """Serves until it is told to stop; `announce` hears the port once the server answers."""
    set_up_telemetry(settings)
    app = create_app(services, settings, metrics=settings.metrics_port is None)
    config = uvicorn.Config(app, host=host, port=port, **bound_server(settings))
    try:
        sock = _bind(host, port)
        server = _Server(config, services, app.lifecycle, lambda: announce(sock.getsockname()[1]))
        await server.serve(sockets=[sock])
        if services.database.stopped is not None:
            raise Failed(ENDED, UNDECIDED)
    finally:
        await services.close()  # the application does so when it ends; it may not have begun


class _Server(uvicorn.Server):
    """A server that says when it answers, and ends by a status of ours where a commit is undecided."""

    def __init__(
        self, config: uvicorn.Config, services: Services, lifecycle: Lifecycle, when_started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self.services = services
        self.lifecycle = lifecycle
        self.when_started = when_started
        self.acceptors: list[Acceptor] = []

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with super().capture_signals():
            yield
            if self.services.database.stopped is not None:
                self._captured_signals.clear()  # the one by which it was told to drain is not what it ends by

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self.acceptors:
            acceptor.stop()
        self.lifecycle.stop()
        for hear in self.lifecycle.on_drain:  # after an interrupt at the keyboard nobody has told them to leave
            await hear()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.acceptors = [Acceptor(sock, self._make_protocol) for sock in sockets or ()]
            for acceptor in self.acceptors:
                acceptor.start()
            self.when_started()

    def _make_protocol(self) -> asyncio.Protocol:
        """What a connection is spoken with, as uvicorn makes it."""
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise Failed(f"cannot listen on {host}:{port}: {error.strerror}; choose another `--port`") from None
    return sock


# ---------------------------------------------------------------------- the database


@cli.command("migrate")
@click.option("--dry-run", is_flag=True, help="Print the statements, and change nothing.")
def migrate_command(dry_run: bool) -> None:
    """Bring the database to the current schema: all of it or nothing, however it is broken off.

    PERMGATE_DATABASE_ROLE is given what `serve` needs of PostgreSQL: run this as the owner of the schema.
    """
    settings = read_settings(os.environ)

    async def do() -> list[str]:
        database = Database(settings.database_url)
        try:
            if dry_run:
                return await rehearse_migration(database, role=settings.database_role)
            await migrate(database, role=settings.database_role)
            return []
        finally:
            await database.close()

    for statement in asyncio.run(do()):
        click.echo(f"{statement};\n")
    click.echo("nothing was changed" if dry_run else "the schema is current", err=dry_run)


@cli.command()
@click.argument("username")
def owner(username: str) -> None:
    """Create the first account owner and a token, on a database without users."""
    token, secret = run_services(lambda services: create_first_owner(services, username, label="first owner"))
    _show_token(token, secret)


@cli.group()
def token() -> None:
    """Issue and revoke tokens."""


@token.command("issue")
@click.argument("username")
@click.option("--label", required=True, help="What the token is for.")
@click.option("--expires-in", help="How long it is good, such as 90d, 12h or 30m; left out: until it is revoked.")
def issue(username: str, label: str, expires_in: str | None) -> None:
    """Issue a token of a user; its secret is shown this once."""
    expires_at = None if expires_in is None else datetime.now(UTC) + _read_duration(expires_in)

    async def do(services: Services) -> tuple[str, str]:
        return await issue_token(services, "cli", username, label=label, expires_at=expires_at)

    _show_token(*run_services(do))


@token.command("revoke")
@click.argument("id")
def revoke(id: str) -> None:  # noqa: A002  # as the command shows it
    """Revoke a token at once."""
    run_services(lambda services: revoke_token(services, "cli", id))
    click.echo(f"revoked {id}")


def _read_duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,4})([dhm])", text, re.ASCII)
    if match is None:
        raise click.UsageError(f"`{text}` is no duration: write such as 90d, 12h or 30m")
    return timedelta(**{{"d": "days", "h": "hours", "m": "minutes"}[match[2]]: int(match[1])})


def _show_token(token_id: str, secret: str) -> None:
    click.echo(f"id      {token_id}\nsecret  {secret}\n\nThe secret is not shown again.")


# ---------------------------------------------------------------------- the audit log


@cli.group()
def audit() -> None:
    """Verify the audit log, export its head, and print refused attempts."""


@audit.command("verify")
@click.option(
    "--head", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a line that `audit head` printed: the log must hold it.",
)  # fmt: skip
def verify_audit_log(file: Path | None) -> None:
    """Compute every hash of the audit log anew. Exit 1 and the first bad entry where one is not as it was written."""
    settings = read_settings(os.environ)
    head = None if file is None else check_head(file.read_text("utf-8", "replace"), _audit_key(settings))
    found = asyncio.run(_verify(settings, head))
    if found.bad is not None:
        click.echo(
            f"the first bad entry is that of revision {found.bad} ({audit_id(max(found.bad, 0))}): {found.problem}"
        )
        sys.exit(1)
    click.echo(f"the log is sound: {found.revision} entries, head {found.hash}")
    if head is not None:
        signed = "signed" if head.signature is not None else "unsigned"
        click.echo(f"it holds the {signed} head of revision {head.revision}, of {head.at.isoformat()}")


@audit.command("head")
def export_head() -> None:
    """Print the head of the audit log, verified, as one line of JSON, signed by PERMGATE_AUDIT_KEY_FILE.

    Keep it where whoever can write the database cannot: against it a log shows whose end was cut off.
    """
    settings = read_settings(os.environ)
    found = asyncio.run(_verify(settings, None))
    if not found.ok:
        raise Failed(f"a log that is not sound gets no head: revision {found.bad}: {found.problem}")
    head = Head(revision=found.revision, hash=found.hash, at=datetime.now(UTC))
    key = _audit_key(settings)
    click.echo(print_head(head if key is None else sign_head(head, key)))
    if key is None:
        complain("the head is not signed: set PERMGATE_AUDIT_KEY_FILE to a file with a key, outside of the database")


@audit.command("refusals")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="The latest so many.")
def show_refusals(limit: int) -> None:
    """Print refused attempts to raise rights, newest first, a line of JSON each. The audit log holds changes alone."""
    for event in run_services(lambda services: list_attempts(services, limit=limit)):
        click.echo(json.dumps(asdict(event) | {"at": event.at.isoformat()}, ensure_ascii=False))


async def _verify(settings: Settings, head: Head | None) -> Verification:
    async with open_as_it_is(settings) as database, database.reading() as unit:
        return await verify_chain(unit, head)


def _audit_key(settings: Settings) -> bytes | None:
    return None if settings.audit_key_file is None else read_key(settings.audit_key_file)


# ---------------------------------------------------------------------- schema and catalogs


@cli.command()
def schema() -> None:
    """Print the schema, as it is committed in schema.graphql."""
    click.echo(print_schema())


@cli.group()
def catalog() -> None:
    """Work with catalog files."""


@catalog.command("check")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_catalog(files: tuple[Path, ...]) -> None:
    """Validate catalog files (left out: those of PERMGATE_SEEDS); every fault with file, line and key."""
    try:
        found = load_catalog(files or find_catalog_files(read_settings(os.environ).seeds))
    except CatalogFaults as error:
        for fault in error.faults:
            click.echo(str(fault))
        raise Failed(f"faults: {len(error.faults)}") from None
    click.echo(f"{len(found.permissions)} permissions, {len(found.operations)} operations, digest {found.digest}")


# ---------------------------------------------------------------------- asking


def _question(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments of `check` and `explain`."""
    for decorate in (
        click.option("--at-least", help="At least this value; left out: anything above nothing."),
        click.option("--contract", help="The number of a contract."),
        click.argument("node"),
        click.argument("user"),
    ):
        command = decorate(command)
    return command


@cli.command()
@_question
def check(user: str, node: str, contract: str | None, at_least: str | None) -> None:
    """May USER do NODE? Exit 0: yes. 1: no, or not known to be a yes. 2: the question was wrong."""
    decision = _decide(user, node, contract, at_least)
    click.echo("yes" if decision.allowed else f"no ({decision.state.value.lower()})")
    sys.exit(_status_of(decision))


@cli.command("explain")
@_question
def explain_command(user: str, node: str, contract: str | None, at_least: str | None) -> None:
    """Why may USER do NODE, or not, and what would change it? Exits as `check` does."""

    async def do(services: Services) -> Decision:
        decision = await _ask(services, user, node, contract, at_least)
        _narrate(services, decision)
        return decision

    sys.exit(_status_of(run_services(do)))


def _decide(user: str, node: str, contract: str | None, at_least: str | None) -> Decision:
    return run_services(lambda services: _ask(services, user, node, contract, at_least))


async def _ask(services: Services, user: str, node: str, contract: str | None, at_least: str | None) -> Decision:
    question = CheckAsked(
        user=Ref.of("user_name", user),
        node=node,
        contract=None if contract is None else Ref.of("number", contract),
        at_least=None if at_least is None else ValueInput("text", at_least),
    )
    async with services.reading() as reading:
        decision = (await check_many(reading, [question]))[0]
    for error in decision.errors:
        expected = f" (expected {error.expected})" if isinstance(error, InvalidValue) else ""
        complain(f"{error}{expected}")
    return decision


def _narrate(services: Services, decision: Decision) -> None:
    catalog = services.catalog
    click.echo(summarise(catalog, decision))
    for step in describe_steps(catalog, decision):
        click.echo(f"  {step.outcome:<8} {step.rule}: {step.detail}")
    found = explain(decision)
    for title, fixes in (("would allow:", found.would_allow), ("would deny:", found.would_deny)):
        for fix in fixes:
            words = sorted(word_suggestion(catalog, decision.evaluation, suggestion) for suggestion in fix)
            click.echo(f"  {title} {'; and '.join(words)}")
    if not found.complete:
        click.echo("  (the search was cut off: there are more)")


def _status_of(decision: Decision) -> int:
    if decision.errors:
        return 2
    return 0 if decision.allowed else 1
