"""The demo world: read from its file, written as one revision into an empty database."""

from pathlib import Path

from app.catalogs.documents import read_document
from app.catalogs.world_files import WorldReading, read_world
from app.domain.audit import AuditEntry, describe_change, name_subjects
from app.domain.callers import SYSTEM_ACTOR
from app.domain.world import Change
from app.services.callers import issue_token
from app.services.context import Services

DEMO_CALLERS = ("owner", "supervisor", "agent", "sync")  # to each of whom the demo gives a token


async def load_demo(services: Services, file: Path) -> dict[str, str]:
    """Writes the world of a file; the secret of a token for each demo caller, by the caller's name in the file.

    The world is taken as it is: it holds suspended rights and other things that no change would be let make, to show
    how they look.
    """
    document = read_document(file)
    given: dict[tuple[type, str], str] = {}

    def make_id(kind: type, name: str) -> str:
        return given.setdefault((kind, name), services.new_id(kind))

    world = WorldReading(services.catalog, make_id, services.clock(), actor=SYSTEM_ACTOR)
    records = read_world(document, document.data["world"], world, place=("world",))
    changes = [Change(None, record) for record in records]
    described = tuple(describe_change(services.catalog, change) for change in changes)

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=services.clock(), actor=SYSTEM_ACTOR, actor_id=None, source="demo", action="loadDemo",
            reason="the world of the demo", subjects=name_subjects(described), changes=described,
            previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        await unit.record(changes, make_entry)
    tokens = {}
    for caller in DEMO_CALLERS:
        user_name = document.data["callers"][caller]
        _, tokens[caller] = await issue_token(
            services, SYSTEM_ACTOR, user_name, label=f"demo {caller}", expires_at=None
        )
    return tokens
