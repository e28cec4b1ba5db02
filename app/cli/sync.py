"""`permgate sync`: what a source wants is planned, looked at, applied. Exits 0, 2 or 3 as `reports` says."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from app.catalogs.feeds import FeedFormat
from app.cli.gateways import FeedFile, Gateway, LocalGateway, explain_refusal
from app.cli.progress import telling_progress
from app.cli.remote import Address, RemoteGateway, TurnedAway
from app.cli.reports import (
    APPLIED,
    CHANGES,
    REFUSED,
    exit_state,
    print_faults,
    print_json,
    print_plan,
    print_runs,
)
from app.cli.running import complain
from app.domain.errors import Refused
from app.domain.sync.desired import SyncMode
from app.settings import read_settings
from app.web.sync_answers import Data

MAX_KEY = 256  # signs of an idempotency key, as of any name
TRIES = 3  # of a plan that goes stale before it is applied: whoever is overtaken more often has company to talk to
TOKEN = "PERMGATE_TOKEN"  # noqa: S105  # the name of the variable
Command = Callable[..., Any]


def _options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for one in reversed(decorators):
            command = one(command)
        return command

    return decorate


_WHERE = _options(
    click.option("--url", help="Work at the gateway at this address; left out: over PERMGATE_DATABASE_URL."),
    click.option("--token-file", help=f"With --url: a file with the token, `-` for standard input; or set {TOKEN}."),
    click.option("--as", "user_name", help="Without --url: as whom, by user name; their rights bound the change."),
)
_SHOWN = _options(
    click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True),
    click.option("--all", "all_of_it", is_flag=True, help="Show every item, not the first 50 of each kind."),
)
_MEANT = _options(
    click.option("--partial", is_flag=True, help="Leave out what breaks a rule, and do the rest; else all or nothing."),
    click.option("--take-over", is_flag=True, help="Adopt what another source, or a person, manages."),
    click.option(
        "--max-removals", type=click.IntRange(0, 999_999_999),
        help="Stop above so many rows ended, people suspended or losing a right, instead of the gateway's share.",
    ),
    click.option(
        "--idempotency-key", help="A name of your own for this feed: the same again gives the first plan again."
    ),
)  # fmt: skip
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def sync() -> None:
    """Plan and apply what a source wants: CSV, JSON Lines, YAML or JSON, as docs/feeds.md says."""


@sync.command()
@click.argument("file", type=_FILE)
@click.option("--source", required=True, help="The source that the feed is of.")
@_MEANT
@_WHERE
@_SHOWN
def plan(
    file: Path,
    source: str,
    partial: bool,
    take_over: bool,
    max_removals: int | None,
    idempotency_key: str | None,
    output: str,
    all_of_it: bool,
    **where: str | None,
) -> None:
    """Say what FILE would do. Exit 0: nothing; 2: there are changes; 3: it is refused, or the brake would stop it."""
    feed = _read_feed(
        file, source, partial=partial, take_over=take_over, max_removals=max_removals, key=idempotency_key
    )
    with _refusing(output) as refusal, _open(**where) as gateway:
        with telling_progress() as progress:
            answer = gateway.plan(feed, key=idempotency_key, resume=False, progress=progress)
        _show(gateway, answer, output, all_of_it=all_of_it)
        state = exit_state(answer)
        if output == "text" and state == CHANGES:
            click.echo(f"to apply it: {_name_command(answer['run'], **where)}")
        elif state == REFUSED and answer["run"] is not None and answer["run"]["brake"]:
            complain("the brake would stop it")
        refusal.state = state
    sys.exit(refusal.state)


@sync.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--source", help="The source that the feed is of.")
@_MEANT
@click.option("--plan", "run", help="Apply this plan, which was looked at before, instead of a file.")
@click.option("--fingerprint", help="With --plan: its fingerprint.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--override-brake", is_flag=True, help="Apply it though the brake would stop it; needs --reason.")
@click.option("--reason", help="Why, for the audit log.")
@_WHERE
@_SHOWN
def apply(
    file: Path | None,
    source: str | None,
    run: str | None,
    fingerprint: str | None,
    yes: bool,
    override_brake: bool,
    reason: str | None,
    output: str,
    all_of_it: bool,
    partial: bool,
    take_over: bool,
    max_removals: int | None,
    idempotency_key: str | None,
    **where: str | None,
) -> None:
    """Plan FILE, show the plan, and apply it. Exit 0: applied, or nothing to do; 2: you said no; 3: it is refused.

    The same command again goes on where one before was cut off: a plan that can still be applied is applied, any other
    is made anew.
    """
    meant = partial or take_over or max_removals is not None or idempotency_key is not None
    if (file is None) == (run is None):
        raise click.UsageError("give a FILE with --source, or --plan with --fingerprint")
    if run is not None and (fingerprint is None or source is not None or meant):
        raise click.UsageError("--plan goes with --fingerprint, and says by itself how its feed is meant")
    if file is not None and (source is None or fingerprint is not None):
        raise click.UsageError("FILE goes with --source; --fingerprint goes with --plan")
    if override_brake and not (reason or "").strip():
        raise click.UsageError("--override-brake needs --reason: why so much may be taken away")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: give --yes to apply without a question")
    feed = None
    if file is not None and source is not None:
        feed = _read_feed(
            file, source, partial=partial, take_over=take_over, max_removals=max_removals, key=idempotency_key
        )
    with _refusing(output) as refusal, _open(**where) as gateway:
        applying = _Applying(
            gateway, output=output, all_of_it=all_of_it, yes=yes, override_brake=override_brake, reason=reason
        )
        if feed is None:
            refusal.state = applying.apply_plan(str(run), str(fingerprint))
        else:
            refusal.state = applying.apply_feed(feed, idempotency_key)
    sys.exit(refusal.state)


@sync.command()
@click.option("--source", help="Of this source alone.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="The latest so many.")
@_WHERE
def runs(source: str | None, limit: int, **where: str | None) -> None:
    """Print the latest runs, newest first."""
    with _refusing("text") as refusal, _open(**where) as gateway:
        print_runs(gateway.list_runs(source, limit))
    sys.exit(refusal.state)


# ---------------------------------------------------------------------- what was asked for


def _read_feed(
    file: Path, source: str, *, partial: bool, take_over: bool, max_removals: int | None, key: str | None
) -> FeedFile:
    found = FeedFormat.of_name(file.name)
    if found is None:
        raise click.UsageError(f"`{file.name}` has none of the suffixes .csv, .jsonl, .ndjson, .yaml, .yml, .json")
    if not file.is_file():
        raise click.UsageError(f"`{file}` is no file that can be read twice: save the feed first")
    if not source:
        raise click.UsageError("--source is empty")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key.strip()) <= MAX_KEY):
        raise click.UsageError(f"--idempotency-key: expected 1 to {MAX_KEY} letters, digits and signs of ASCII")
    mode = SyncMode.PARTIAL if partial else SyncMode.ATOMIC
    return FeedFile(
        path=file, format=found, source=source, mode=mode, take_over=take_over, max_removals=max_removals
    )  # fmt: skip


def _name_command(run: Data, *, url: str | None, token_file: str | None, user_name: str | None) -> str:
    """The command that applies a plan, as it may be copied."""
    words = ["permgate", "sync", "apply", "--plan", run["id"], "--fingerprint", run["fingerprint"]]
    for name, value in (("--url", url), ("--token-file", token_file), ("--as", user_name)):
        words += [] if value is None else [name, value]
    return shlex.join(words)


def _open(*, url: str | None, token_file: str | None, user_name: str | None) -> Gateway:
    if url is None:
        if token_file is not None:
            raise click.UsageError("--token-file goes with --url")
        if user_name is None:
            raise click.UsageError(
                "say as whom with `--as USERNAME`: their rights and ceiling bound the change; or name a gateway with "
                "`--url`"
            )
        return LocalGateway(read_settings(os.environ), user_name)
    if user_name is not None:
        raise click.UsageError("--as goes without --url: there the token says who you are")
    try:
        address = Address.read(url)
    except ValueError as error:
        raise click.UsageError(f"--url: {error}") from None
    return RemoteGateway(address, _read_token(token_file))


def _read_token(file: str | None) -> str:
    """The token, from wherever it is; it is never an argument, which others on the machine could read."""
    if file is None:
        token = os.environ.get(TOKEN, "")
        if not token:
            raise click.UsageError(f"give a file with the token by --token-file, or set {TOKEN}")
    elif file == "-":
        token = sys.stdin.readline()
    else:
        try:
            token = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise click.UsageError(f"--token-file: `{file}` cannot be read") from None
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise click.UsageError("what is there is no token")
    return token


class _refusing:  # noqa: N801  # read as `with refusing`
    """Tells of a caller who is turned away as of a plan that is refused; `state` is how the command is to end."""

    def __init__(self, output: str) -> None:
        self.output = output
        self.state = APPLIED

    def __enter__(self) -> "_refusing":
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Refused | TurnedAway):
            return False
        self.state = REFUSED
        answer = explain_refusal(error) if isinstance(error, Refused) else error.as_answer()
        if self.output == "json":
            print_json(answer, lambda _: iter(()), all_of_it=False)
        else:
            for fault in answer["errors"]:
                complain(f"refused: {fault['message']}")
        return True


# ---------------------------------------------------------------------- applying


class _Applying:
    """One `apply` from the plan to its end."""

    def __init__(
        self, gateway: Gateway, *, output: str, all_of_it: bool, yes: bool, override_brake: bool, reason: str | None
    ) -> None:
        self.gateway = gateway
        self.output = output
        self.all_of_it = all_of_it
        self.yes = yes
        self.override_brake = override_brake
        self.reason = reason

    def apply_feed(self, feed: FeedFile, key: str | None) -> int:
        """Plans and applies a feed. Without a key of the person's own, what is stale is planned anew."""
        for last in (*(False,) * (TRIES - 1), True):
            with telling_progress() as progress:
                answer = self.gateway.plan(
                    feed, key=key or feed.derive_key(), resume=key is None, progress=progress
                )  # fmt: skip
            if answer["repeated"]:
                complain(f"going on with the plan {answer['run']['id']} of {answer['run']['plannedAt']}")
            state = self._apply_answer(answer, again=key is None and not last)
            if state is not None:
                return state
            complain("something has changed meanwhile: planning anew")
        raise AssertionError("the last try has an end")

    def apply_plan(self, run: str, fingerprint: str) -> int:
        """Applies a plan that was looked at before."""
        found = self.gateway.find(run)
        if found is None:
            error = {"code": "NOT_FOUND", "message": f"there is no plan `{run}`", "path": ["plan"]}
            answer: Data = {"run": None, "errors": [error], "warnings": [], "repeated": False}
            if self.output == "text":
                print_faults(answer["errors"])
            return self._end(answer, REFUSED)
        found = {**found, "fingerprint": fingerprint}
        state = self._apply_answer({"run": found, "errors": [], "warnings": [], "repeated": False}, again=False)
        assert state is not None, "it is not planned anew"
        return state

    def _apply_answer(self, answer: Data, *, again: bool) -> int | None:
        """How the command ends; None: the plan is stale, and may be made again."""
        run, state = answer["run"], exit_state(answer)
        if self.output == "text":
            _show(self.gateway, answer, "text", all_of_it=self.all_of_it)
        is_braked = run is not None and run["status"] == "PLANNED" and run["brake"]
        if is_braked and not self.override_brake:
            complain("stopped by the brake: look at the plan; to let it pass: --max-removals N, or --override-brake "
                     "--reason TEXT")  # fmt: skip
            return self._end(answer, REFUSED)
        if run is None or run["status"] != "PLANNED" or (state == REFUSED and not is_braked):
            return self._end(answer, state)
        if state != APPLIED and not self._is_wanted():
            complain("not applied")
            return self._end(answer, CHANGES)
        with telling_progress() as progress:
            progress.begin("applying")
            done = self.gateway.apply(run, override_brake=self.override_brake, reason=self.reason)
        if again and any(error["code"] == "STALE_PLAN" for error in done["errors"]):
            return None
        if done["errors"]:
            if self.output == "text":
                print_faults(done["errors"])
            return self._end(done, REFUSED)
        if self.output == "text" and state != APPLIED:
            click.echo(f"applied as revision {done['run']['revision']}")
        return self._end(done, APPLIED)

    def _is_wanted(self) -> bool:
        return self.yes or click.confirm("Apply?", default=False, err=True)

    def _end(self, answer: Data, state: int) -> int:
        if self.output == "json":
            is_applied = answer["run"] is not None and answer["run"]["status"] == "APPLIED"
            _show(self.gateway, answer, "json", all_of_it=self.all_of_it, applied=is_applied)
        return state


def _show(gateway: Gateway, answer: Data, output: str, *, all_of_it: bool, **more: object) -> None:
    """Shows a plan; its items where the caller may see them."""
    run = answer["run"]
    may_look = True

    def items_of(action: str) -> Iterator[Data]:
        nonlocal may_look
        if run is None or not may_look:
            return
        try:
            yield from gateway.list_items(run["id"], action)
        except (Refused, TurnedAway):
            may_look = False
            complain("to see the items of a plan takes the right `gateway.sync.view`")

    if output == "json":
        print_json(answer, items_of, all_of_it=all_of_it, **more)
    else:
        print_plan(answer, items_of, all_of_it=all_of_it)
