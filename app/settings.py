"""Settings: environment variables `PERMGATE_...`, read once and checked together; every fault on a line of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
GIB = 1 << 30
OF_CLIENTS = frozenset({"PERMGATE_TOKEN"})  # of `permgate sync --url`: no setting of a gateway, and no fault
URL_FILE = "PERMGATE_DATABASE_URL_FILE"  # as orchestrators hand secrets over: others see the environment of a process
MAX_PORT = 65535
MAX_DRAIN = 120  # seconds: orchestrators kill what takes longer
KINDS = ("person", "service")  # of callers
TRUST = ("off", "prefer", "require")  # what trusted documents are to one of them
INTROSPECTION = ("all", "owners", "off")  # who may ask about the schema
MIN_KEY = 32  # bytes: guessing the key is to be no easier than guessing an HMAC-SHA256
_PASSWORD = re.compile(r"(://[^\s/:@]*):[^\s@]*@")
_PASSWORD_PARAMETER = re.compile(r"([?&](?:password|passwd|pwd|sslpassword)=)[^&\s`]*", re.IGNORECASE)


class SettingsFaults(Exception):
    """The environment is wrong, for all these reasons."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


def find_seeds() -> Path:
    """The seeds that came with the program: inside the package where it was installed, beside it in a checkout."""
    inside = ROOT / "seeds"
    return inside if inside.is_dir() else ROOT.parent / "seeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request, one caller and one address may take of a process; docs/limits.md tells how they work together.

    Whole numbers but for seconds, which may have decimals. Every one is above nothing: what has no limit is given one
    that is never reached.
    """

    max_body_bytes: int = 1 << 20  # a sync of some thousand items fits; what is larger goes to `POST /sync/{source}`
    max_document_bytes: int = 64 * 1024  # of the query text: a screen of a large client has 10,000
    max_tokens: int = 2000  # of a document; a screen of a large client has under 1,000
    max_depth: int = 16  # fields within fields; each page of a connection takes two (`edges`, `node`)
    max_list_depth: int = 5  # lists within lists: users, their rights, the paths of each, the holders along them
    max_root_fields: int = 30  # side by side at the root: a screen asks for a few things at once
    max_fields: int = 100  # side by side anywhere else: four times those of our largest type; all are compared
    max_aliases: int = 50  # names given to fields: enough to ask each of 30 questions by a name of its own
    max_directives: int = 50  # `@skip` and `@include`: a screen leaves out a few parts
    max_cost: int = 200_000  # of one operation: five seconds of a processor, a third of what a query may take
    caller_refill: int = 20_000  # units of cost that a caller is given a second: half of what a process can do
    caller_budget: int = 1_200_000  # units that a caller can save up: a minute's worth, for jobs that work in bursts
    max_new_documents: int = 500  # that this process has not seen, from one caller: all that a large client has
    new_document_refill: float = 10.0  # of them a second after that: 2 to 8 ms each, a twentieth of a process at most
    max_concurrency: int = 6  # operations run at once: two connections of the pool of eight are left to who listens
    max_writers: int = 16  # changes under way: one is written at a time, and the others wait for it
    max_caller_concurrency: int = 4  # of either by one caller: others always find a place
    max_waiting: int = 100  # operations that wait for a place: at 3 ms each the last has waited for a third of a second
    max_wait_s: float = 2.0  # for a place; who waits longer is better told to come back
    max_failures: int = 100  # wrong tokens from one address in a row before it is held off; a good one never is
    failure_refill: float = 1.0  # wrong tokens that an address is let have a second after that
    max_connections: int = 1000  # sockets and streams of all callers; an idle one takes some 100 KiB
    max_caller_sockets: int = 5  # open at once: a screen needs one, a person has some screens
    max_caller_streams: int = 10  # open at once: each is one subscription, of which a socket has as many
    max_socket_operations: int = 10  # at once on a socket: a screen listens to a few things
    socket_messages: float = 50.0  # a second, of one socket: nobody types so fast, and a job has HTTP
    socket_burst: int = 200  # messages that a socket may send at once: a screen that opens asks for all it shows
    max_head_bytes: int = 32 * 1024  # of a request's line and header fields: four times the longest token
    max_head_fields: int = 100  # header fields; behind several proxies a browser sends some forty
    head_timeout_s: float = 10.0  # for the head of a request, from its first byte or from when it connects
    receive_timeout_s: float = 10.0  # without a byte of the body; a client that is alive has sent it by then
    body_timeout_s: float = 60.0  # for all of a body: a megabyte by a mobile line takes half of it
    query_timeout_s: float = 15.0  # for the answer to a query, or to an event of a subscription
    mutation_timeout_s: float = 60.0  # a change may wait for others who write
    sync_timeout_s: float = 1800.0  # planning or applying a sync, verifying the audit log: a million rows take minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a deployment may choose."""

    database_url: str = "sqlite+aiosqlite:///permgate.db"  # one file beside the program: nothing else to set up
    database_role: str | None = None  # under which PostgreSQL is served, given its rights by `migrate`: no DDL
    seeds: Path = Path()  # catalogs of one's own; by default those that came with the program
    audit_key_file: Path | None = None  # signs heads of the audit log: who can write the database must not read it
    jwt_issuers: Path | None = None  # others whose tokens are taken: nobody's unless somebody says whose
    graphiql: bool = False  # the IDE shows the schema to whoever has a token: a choice, off for the real thing
    sync_brake_share: float = 0.1  # what one plan may take of what its source manages before it stops
    sync_max_bytes: int = GIB  # of a feed by POST: a million people take some 250 MB, more fills the disk
    allowed_origins: frozenset[str] = frozenset()  # pages served elsewhere that may open sockets; our own always may
    snapshot: Path | None = None  # where the index is left for the next start; beside the database, by default nowhere
    index: bool = True  # everybody's rights are kept in memory; off: every question is answered from the database
    compiled: bool = True  # queries are compiled once; off: graphql-core runs them, should the two ever differ
    access_log: bool = True  # a line a request: who asked for what, and how long it took
    metrics_port: int | None = None  # where the proxy cannot be told to keep `/metrics` to itself
    drain_seconds: float = 5.0  # from SIGTERM to the end: in it whoever spreads requests sees that we are not ready
    traces: bool = False  # needs the extra `otel`, and somewhere to send them
    trusted_documents: Path | None = None  # what front ends were built with; without them every document is free
    trusted_mode: tuple[tuple[str, str], ...] = ()  # by kind of caller: jobs and screens are built by different people
    introspection: str = "all"  # every caller has a token, and the schema is no secret: rights do not hang on it
    limits: Limits = Limits()  # each a setting of its own: `PERMGATE_MAX_DEPTH` and so on


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises `SettingsFaults` with every fault."""
    faults: list[str] = []
    named = [one.name for one in (*fields(Settings), *fields(Limits)) if one.name != "limits"]
    known = {f"PERMGATE_{name.upper()}" for name in named}
    for name in sorted(environment):
        if name.startswith("PERMGATE_") and name not in known | OF_CLIENTS | {URL_FILE}:
            faults.append(f"{name}: there is no such setting; known are {', '.join(sorted(known))}")
    url = _read_url(environment, faults)
    is_file = url.startswith("sqlite+aiosqlite:///") and not url.endswith((":///", ":memory:"))
    if not is_file and not re.match("postgresql[+]asyncpg://[^/]*/[^/?]", url):
        faults.append(
            "PERMGATE_DATABASE_URL: expected `sqlite+aiosqlite:///` and the path of a file, "
            "or `postgresql+asyncpg://user:password@host/database`"
        )
    seeds = Path(environment.get("PERMGATE_SEEDS", str(find_seeds())))
    if not seeds.is_dir():
        faults.append(f"PERMGATE_SEEDS: `{seeds}` is no folder")
    graphiql = environment.get("PERMGATE_GRAPHIQL", "off")
    if graphiql not in {"on", "off"}:
        faults.append(f"PERMGATE_GRAPHIQL: `{graphiql}` is neither `on` nor `off`")
    audit_key_file = Path(environment["PERMGATE_AUDIT_KEY_FILE"]) if "PERMGATE_AUDIT_KEY_FILE" in environment else None
    if audit_key_file is not None:
        try:
            read_key(audit_key_file)
        except (OSError, ValueError) as error:
            faults.append(f"PERMGATE_AUDIT_KEY_FILE: {error}")
    jwt_issuers = Path(environment["PERMGATE_JWT_ISSUERS"]) if "PERMGATE_JWT_ISSUERS" in environment else None
    if jwt_issuers is not None and not jwt_issuers.is_file():
        faults.append(f"PERMGATE_JWT_ISSUERS: `{jwt_issuers}` is no file")
    origins = frozenset(environment.get("PERMGATE_ALLOWED_ORIGINS", "").lower().split())
    for origin in sorted(origins):
        if not re.fullmatch(r"https?://[^/?#@\s]+", origin):
            faults.append(f"PERMGATE_ALLOWED_ORIGINS: `{origin}` is no origin such as `https://app.example.com`")
    share = _read_share(environment.get("PERMGATE_SYNC_BRAKE_SHARE", "0.1"))
    if share is None:
        faults.append("PERMGATE_SYNC_BRAKE_SHARE: expected a share from 0 to 1, such as 0.1")
    max_bytes = environment.get("PERMGATE_SYNC_MAX_BYTES", str(GIB))
    if not re.fullmatch("[1-9][0-9]{0,14}", max_bytes, re.ASCII):
        faults.append("PERMGATE_SYNC_MAX_BYTES: expected a number of bytes, such as 1073741824")
    limits = _read_limits(environment, faults)
    operations = _read_operations(environment, faults)
    documents = _read_documents(environment, faults)
    if faults:
        raise SettingsFaults(faults)
    return Settings(
        database_url=url,
        database_role=environment.get("PERMGATE_DATABASE_ROLE"),
        seeds=seeds,
        graphiql=graphiql == "on",
        audit_key_file=audit_key_file,
        allowed_origins=origins,
        jwt_issuers=jwt_issuers,
        sync_brake_share=0.1 if share is None else share,
        sync_max_bytes=int(max_bytes),
        **operations,
        **documents,
        limits=limits,
    )


def _read_url(environment: Mapping[str, str], faults: list[str]) -> str:
    """The address of the database, which may stand in a file of its own: there is a password in it."""
    file = environment.get(URL_FILE)
    if file is None:
        return environment.get("PERMGATE_DATABASE_URL", Settings().database_url)
    if "PERMGATE_DATABASE_URL" in environment:
        faults.append(f"{URL_FILE}: PERMGATE_DATABASE_URL is set as well: set one of them")
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        faults.append(f"{URL_FILE}: `{file}` cannot be read")
        return Settings().database_url


def mask_secrets(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    return _PASSWORD_PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def describe_settings(settings: Settings) -> list[tuple[str, str, bool]]:
    """Each setting: its variable, its value without secrets, and whether it is the one that holds by default."""
    found = []
    for source, default in ((settings, read_settings({})), (settings.limits, Limits())):
        for field in fields(source):
            if field.name != "limits":
                value = getattr(source, field.name)
                spelled = mask_secrets(_spell(value))
                found.append((f"PERMGATE_{field.name.upper()}", spelled, value == getattr(default, field.name)))
    return found


def _spell(value: object) -> str:
    """A value as its variable is written."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, frozenset):
        return " ".join(sorted(value))
    if isinstance(value, tuple):
        return " ".join("=".join(pair) for pair in value)
    return "" if value is None else str(value)


def _read_limits(environment: Mapping[str, str], faults: list[str]) -> Limits:
    """The limits of an environment; what is wrong with them is added to the faults."""
    given: dict[str, float] = {}
    for field in fields(Limits):
        name = f"PERMGATE_{field.name.upper()}"
        text = environment.get(name)
        if text is None:
            continue
        is_whole = isinstance(field.default, int)
        if (
            re.fullmatch("[0-9]{1,15}" if is_whole else r"[0-9]{1,9}(\.[0-9]{1,6})?", text, re.ASCII)
            and float(text) > 0
        ):
            given[field.name] = int(text) if is_whole else float(text)
        else:
            expected = "a whole number" if is_whole else "a number"
            faults.append(f"{name}: expected {expected} above 0, such as {field.default}")
    return Limits(**given)  # type: ignore[arg-type]  # whole where the field is, as was looked at


def _read_operations(environment: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """What whoever runs the gateway chooses; what is wrong with it is added to the faults."""
    found: dict[str, Any] = {}
    for name in ("index", "compiled", "access_log", "traces"):
        text = environment.get(f"PERMGATE_{name.upper()}", "on" if getattr(Settings(), name) else "off")
        if text not in {"on", "off"}:
            faults.append(f"PERMGATE_{name.upper()}: `{text}` is neither `on` nor `off`")
        found[name] = text == "on"
    if found["traces"] and not _has_tracing():
        faults.append("PERMGATE_TRACES: OpenTelemetry is not installed: install permgate with its extra `otel`")
    if "PERMGATE_SNAPSHOT" in environment:
        found["snapshot"] = Path(environment["PERMGATE_SNAPSHOT"])
        if not found["snapshot"].parent.is_dir():
            faults.append(f"PERMGATE_SNAPSHOT: there is no folder `{found['snapshot'].parent}`")
    port = environment.get("PERMGATE_METRICS_PORT")
    if port is not None:
        if re.fullmatch("[0-9]{1,5}", port, re.ASCII) and 0 < int(port) <= MAX_PORT:
            found["metrics_port"] = int(port)
        else:
            faults.append(f"PERMGATE_METRICS_PORT: `{port}` is no port from 1 to {MAX_PORT}")
    seconds = environment.get("PERMGATE_DRAIN_SECONDS", "5")
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", seconds, re.ASCII) and float(seconds) <= MAX_DRAIN:
        found["drain_seconds"] = float(seconds)
    else:
        faults.append(f"PERMGATE_DRAIN_SECONDS: expected a number of seconds from 0 to {MAX_DRAIN}, such as 5")
    return found


def _has_tracing() -> bool:
    """Whether the extra `otel` is installed."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False


def _read_documents(environment: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """Which documents are taken from whom; what is wrong with it is added to the faults."""
    path = environment.get("PERMGATE_TRUSTED_DOCUMENTS")
    if path is not None and not Path(path).exists():
        faults.append(f"PERMGATE_TRUSTED_DOCUMENTS: `{path}` is neither a file nor a folder")
    modes = dict.fromkeys(KINDS, "off" if path is None else "prefer")
    for word in environment.get("PERMGATE_TRUSTED_MODE", "").split():
        kind, _, mode = word.partition("=")
        if kind not in KINDS or mode not in TRUST:
            expected = f"{' or '.join(KINDS)}, `=`, and {', '.join(TRUST)}"
            faults.append(f"PERMGATE_TRUSTED_MODE: `{word}`: expected {expected}, such as `person=require`")
        elif mode != "off" and path is None:
            faults.append(f"PERMGATE_TRUSTED_MODE: `{word}` needs PERMGATE_TRUSTED_DOCUMENTS")
        modes[kind] = mode
    introspection = environment.get("PERMGATE_INTROSPECTION", "all")
    if introspection not in INTROSPECTION:
        faults.append(f"PERMGATE_INTROSPECTION: `{introspection}`: expected one of {', '.join(INTROSPECTION)}")
    return {
        "trusted_documents": None if path is None else Path(path),
        "trusted_mode": tuple(modes.items()),
        "introspection": introspection,
    }


def _read_share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def read_key(path: Path) -> bytes:
    """The key in a file, white space around it left off. Raises `OSError`, or `ValueError` for a short one."""
    key = path.read_bytes().strip()
    if len(key) < MIN_KEY:
        raise ValueError(f"the key in `{path}` has {len(key)} bytes; expected at least {MIN_KEY}, chosen at random")
    return key
