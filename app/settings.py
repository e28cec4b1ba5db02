"""Settings: environment variables `PERMGATE_...`, read once and checked together; every fault on a line of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parent
GIB = 1 << 30
OF_CLIENTS = frozenset({"PERMGATE_TOKEN"})  # of `permgate sync --url`: no setting of a gateway, and no fault
MIN_KEY = 32  # bytes: guessing the key is to be no easier than guessing an HMAC-SHA256


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
class Settings:
    """Everything that a deployment may choose."""

    database_url: str = "sqlite+aiosqlite:///permgate.db"  # one file beside the program: nothing else to set up
    seeds: Path = Path()  # catalogs of one's own; by default those that came with the program
    audit_key_file: Path | None = None  # signs heads of the audit log: who can write the database must not read it
    jwt_issuers: Path | None = None  # others whose tokens are taken: nobody's unless somebody says whose
    graphiql: bool = False  # the IDE shows the schema to whoever has a token: a choice, off for the real thing
    sync_brake_share: float = 0.1  # what one plan may take of what its source manages before it stops
    sync_max_bytes: int = GIB  # of a feed by POST: a million people take some 250 MB, more fills the disk
    allowed_origins: frozenset[str] = frozenset()  # pages served elsewhere that may open sockets; our own always may


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises `SettingsFaults` with every fault."""
    faults: list[str] = []
    known = {f"PERMGATE_{field.name.upper()}" for field in fields(Settings)}
    for name in sorted(environment):
        if name.startswith("PERMGATE_") and name not in known | OF_CLIENTS:
            faults.append(f"{name}: there is no such setting; known are {', '.join(sorted(known))}")
    url = environment.get("PERMGATE_DATABASE_URL", Settings().database_url)
    if not url.startswith("sqlite+aiosqlite:///") or url.endswith((":///", ":memory:")):
        faults.append("PERMGATE_DATABASE_URL: expected `sqlite+aiosqlite:///` and the path of a file")
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
    if faults:
        raise SettingsFaults(faults)
    return Settings(
        database_url=url,
        seeds=seeds,
        graphiql=graphiql == "on",
        audit_key_file=audit_key_file,
        allowed_origins=origins,
        jwt_issuers=jwt_issuers,
        sync_brake_share=0.1 if share is None else share,
        sync_max_bytes=int(max_bytes),
    )


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
