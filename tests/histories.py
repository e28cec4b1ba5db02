"""What has to be true of every database file, whatever was done to it and however it ended; and files compared.

An example of what is meant: `assert_sound` after a kill, `tell` of two files that came about by the same changes.
"""

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from app.domain.contracts import AccessLevel
from app.domain.holders import ContractStatus, UserStatus
from app.domain.violations import Judgement
from app.domain.world import Change, World
from app.services.audit import verify_chain
from app.services.context import Services
from tests.factories import Place, read_database, select

VERSIONED = (
    "users", "roles", "teams", "contracts", "grants", "limits", "assignments", "memberships", "access_levels",
    "subscriber_links", "facts",
)  # fmt: skip
ENTITIES = ("users", "roles", "teams", "contracts")
_MADE_UP = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}|\b[0-9a-f]{64}\b")  # ids and hashes


def tell(path: Place) -> str:
    """Everything in a file, ids and hashes replaced by the place of their first appearance: equal for equal histories.

    The audit chain stays to be seen: an entry that follows on another names the same hash. Rows come in the order of
    what is left of them: PostgreSQL gives those of which nothing is left in that of their ids.
    """
    seen: dict[str, str] = {}
    told = _MADE_UP.sub(lambda match: seen.setdefault(match[0], f"<{len(seen)}>"), read_database(path))
    return "\n".join(sorted(told.splitlines()))


async def assert_sound(services: Services, path: Place) -> None:
    """No invariant is broken: of the file, of the log, of the account, of its contracts, of what rights need."""
    await assert_kept(services, path)
    async with services.reading() as reading:
        world = await reading.load_world(None)
    owners = [user for user in world.users.values() if user.is_owner and user.status is UserStatus.ACTIVE]
    assert owners, "nobody owns the account"
    _assert_contracts_are_owned(world)
    records = [*world.roles.values(), *world.teams.values(), *world.contracts.values(), *world.users.values()]
    records += [row for rows in world.rows.values() for row in rows]
    judgement = Judgement(services.program, World.of([]), [Change(None, record) for record in records])
    assert not judgement.violations(services.clock()), "a right lacks what it needs"


async def assert_kept(services: Services, path: Place) -> None:
    """The file is whole and so is its log."""
    assert_whole(path)
    async with services.reading() as reading:
        verified = await verify_chain(reading.unit)
    assert verified.ok, verified


def _assert_contracts_are_owned(world: World) -> None:
    for contract in world.contracts.values():
        if contract.status is ContractStatus.ENDED:
            continue
        assert world.users[contract.owner].status is UserStatus.ACTIVE, f"{contract.number} has an idle owner"
        owned = {
            (user, row.product)
            for user, rows in world.rows.items()
            for row in rows.access
            if row.contract == contract.id and row.level is AccessLevel.OWNER
        }
        assert owned == {(contract.owner, product) for product in contract.products}


def assert_whole(path: Place) -> None:
    """The file is not damaged, nothing in it hangs in the air, and what was done is what the log tells, one to one."""
    if isinstance(path, Path):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    revisions = [revision for (revision,) in select(path, "SELECT revision FROM audit_entries ORDER BY revision")]
    assert revisions == list(range(1, len(revisions) + 1))
    assert _told(path) == _done(path)
    entities = [
        entity for table in (*ENTITIES, "tokens") for (entity,) in select(path, f"SELECT DISTINCT id FROM {table}")
    ]
    assert sorted(entities) == sorted(known for (known,) in select(path, "SELECT id FROM identities"))


def _told(path: Place) -> Counter[tuple[int, str, str]]:
    """What the log says was made or ended at each revision."""
    told: Counter[tuple[int, str, str]] = Counter()
    kept = "SELECT revision, changes FROM audit_entries UNION ALL SELECT revision, changes FROM audit_parts"
    for revision, changes in select(path, kept):
        for change in json.loads(changes):
            if "after" in change:
                told[revision, "made", change["row"]] += 1
            if "before" in change:
                told[revision, "ended", change["row"]] += 1
            if change["action"] == "issue_token":
                told[revision, "issued", change["row"]] += 1
    return told


def _done(path: Place) -> Counter[tuple[int, str, str]]:
    """What the rows say of themselves. Tokens do not know their revision: it is that of the entry that names them."""
    done: Counter[tuple[int, str, str]] = Counter()
    for table in VERSIONED:
        for row, made, ended in select(path, f"SELECT id, created_revision, ended_revision FROM {table}"):
            done[made, "made", row] += 1
            if ended is not None:
                done[ended, "ended", row] += 1
    issued = select(path, "SELECT revision, changes FROM audit_entries WHERE action = 'issueToken'")
    tokens = {change["row"]: revision for revision, changes in issued for change in json.loads(changes)}
    for (token,) in select(path, "SELECT id FROM tokens"):
        done[tokens[token], "issued", token] += 1
    return done
