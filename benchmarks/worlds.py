"""Databases of many people for benchmarks: the same ones for the same seed, and made in seconds.

Roles, teams and contracts are written as the gateway writes them; people and their rows are inserted by the bare driver
under one audit entry that names nobody. So everything may be asked but for the history of these people.

Who is in them: 50 roles of 119 permissions each, of which some are held by many and most by few; 200 teams, every fifth
of which carries a role; 50 contracts. A person has one to three roles and, four in five, a team; three in ten have
levels in a product or two of one contract; three in a hundred have a grant of their own. Nobody's name tells when they
came.
"""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, count, islice
from pathlib import Path
from typing import Any

from app.domain.audit import AuditEntry, describe_change
from app.domain.catalog import Permission, Polarity
from app.domain.contracts import AccessLevel
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    ContractId,
    Grant,
    Membership,
    Record,
    Role,
    RoleId,
    Team,
    TeamId,
    User,
    UserId,
)
from app.domain.ids import PREFIX_OF, make_ids
from app.domain.values import Value
from app.domain.world import Change
from app.main import open_services
from app.services.context import Services
from app.settings import Settings, find_seeds

ROLES, TEAMS, CONTRACTS = 50, 200, 50
RIGHTS_OF_A_ROLE = 119
SKEW = 0.65  # 100,000 people have 12,000 different sets of roles
CARRYING = 5  # every fifth team carries a role
IN_A_TEAM, IN_A_CONTRACT, ODD = 0.8, 0.3, 0.03
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 20_000  # people whose rows are inserted together


@dataclass(frozen=True)
class Directory:
    """What people are given: ids of roles (those that many have first), teams and contracts, and permissions."""

    roles: tuple[RoleId, ...]
    teams: tuple[TeamId, ...]
    contracts: tuple[ContractId, ...]
    permissions: tuple[Permission, ...]
    products: tuple[str, ...]


def settings_of(path: Path) -> Settings:
    """The settings of a gateway over such a database."""
    return Settings(database_url=f"sqlite+aiosqlite:///{path}", seeds=find_seeds())


def make_world(path: Path, people: int, *, seed: int = 7) -> Directory:
    """Makes a database with so many people, `olga`, who owns the account, not counted. Takes a minute for a million."""
    return asyncio.run(plant_world(path, people, seed=seed))


async def plant_world(path: Path, people: int, *, seed: int = 7) -> Directory:
    """The same, for whoever is in a loop already."""
    services = await open_services(settings_of(path), clock=lambda: MOMENT)
    rnd = random.Random(seed)
    try:
        directory, records = make_directory(services, rnd)
        await record(services, records)
        revision = await record(services, [])
    finally:
        await services.close()
    insert_people(path, directory, people, revision, rnd)
    return directory


async def record(services: Services, records: list[Record]) -> int:
    """Writes records as one change set; its revision."""
    changes = [Change(None, one) for one in records]

    def make_entry(revision: int, previous: str) -> AuditEntry:
        return AuditEntry(
            revision=revision, at=MOMENT, actor="benchmark", actor_id=None, source="benchmark", action="load",
            reason="people of a benchmark", subjects=(), changes=(), previous_hash=previous,
        )  # fmt: skip

    async with services.database.writing(services.catalog) as unit:
        told = (describe_change(services.catalog, one) for one in changes)
        entry = await unit.record(changes, make_entry, told=told if changes else None)
    return entry.revision


def make_directory(services: Services, rnd: random.Random) -> tuple[Directory, list[Record]]:
    """Roles, teams and contracts with what hangs on them, and the owner of the account."""
    ids = make_ids_of(rnd)

    def row(kind: type) -> dict[str, Any]:
        return {"id": ids(kind), "actor": "benchmark", "created_at": MOMENT}

    permissions = tuple(
        node
        for node in services.catalog.permissions
        if node.system not in {"gateway", "core"} and node.polarity is Polarity.PERMISSION
    )
    olga = User(id=UserId(ids(User)), user_name="olga", display_name="Olga", is_owner=True)
    roles = [Role(id=RoleId(ids(Role)), key=f"role.{n}", display_name=f"Role {n}") for n in range(ROLES)]
    teams = [Team(id=TeamId(ids(Team)), key=f"team.{n}", display_name=f"Team {n}") for n in range(TEAMS)]
    products = tuple(services.catalog.access_nodes)
    contracts = [
        Contract(
            id=ContractId(ids(Contract)), number=f"C-{n}", name=f"Contract {n}", owner=olga.id,
            products=frozenset(products),
        )
        for n in range(CONTRACTS)
    ]  # fmt: skip
    records: list[Record] = [olga, *roles, *teams, *contracts]
    for role in roles:
        for node in rnd.sample(permissions, RIGHTS_OF_A_ROLE):
            records.append(Grant(**row(Grant), holder=role.id, node=node.key, value=draw_value(rnd, node)))
    for team in teams[::CARRYING]:
        records.append(Assignment(**row(Assignment), holder=team.id, role=rnd.choice(roles).id))
    directory = Directory(
        tuple(role.id for role in roles), tuple(team.id for team in teams), tuple(one.id for one in contracts),
        permissions, products,
    )  # fmt: skip
    return directory, records


def draw_value(rnd: random.Random, node: Permission) -> Value:
    """Something of a permission: as often as not the most there is, else the least."""
    return rnd.choice([node.value_type.top, *node.value_type.least_above_bottom()[:1]])


def make_ids_of(rnd: random.Random) -> Any:
    """What gives ids of records, one after another as they come to be."""
    make_one, numbers = make_ids(MOMENT), count(rnd.getrandbits(60) << 16)
    return lambda kind: make_one(PREFIX_OF[kind], next(numbers).to_bytes(10, "big"))


def insert_people(path: Path, directory: Directory, people: int, revision: int, rnd: random.Random) -> None:
    """Inserts people and their rows by the bare driver."""
    names = list(range(people))
    rnd.shuffle(names)
    drawn = draw_people(directory, names, rnd)
    at = MOMENT.replace(tzinfo=None).isoformat(" ", "microseconds")
    held, common = "source, actor, created_at, created_revision", ("hr", "hr", at, revision)
    columns = {
        "identities": "id",
        "users": "id, user_name, display_name, email, external_id, kind, status, is_owner, source, created_revision",
        "assignments": f"id, holder, role, {held}",
        "memberships": f'id, "user", team, supervisor, {held}',
        "access_levels": f'id, "user", contract, product, level, {held}',
        "grants": f"id, holder, node, value, {held}",
    }
    statements = {
        table: f"INSERT INTO {table} ({listed}) VALUES ({', '.join('?' * (listed.count(',') + 1))})"
        for table, listed in columns.items()
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        connection.execute("BEGIN")
        while some := list(islice(drawn, AT_ONCE)):
            rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in columns}
            for user, name, roles, team, levels, grant in some:
                rows["identities"].append((user,))
                text = f"user.{name:07}"
                rows["users"].append(
                    (user, text, f"Person {name}", f"{text}@example.org", f"e{name}", "PERSON", "ACTIVE", 0, "hr",
                     revision)
                )  # fmt: skip
                rows["assignments"] += [(one, user, role, *common) for one, role in roles]
                rows["memberships"] += [(one, user, which, 0, *common) for one, which in team]
                rows["access_levels"] += [(one, user, *level, *common) for one, level in levels]
                rows["grants"] += [(one, user, *said, *common) for one, said in grant]
            for table, listed in rows.items():
                connection.executemany(statements[table], listed)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def draw_people(directory: Directory, names: list[int], rnd: random.Random) -> Iterator[tuple[Any, ...]]:
    """Each person: id, number of the name, then rows as (id, what they say): roles, team, levels, grant."""
    ids = make_ids_of(rnd)
    cumulated = list(accumulate(1 / (place + 1) ** SKEW for place in range(ROLES)))
    levels = [level.value for level in AccessLevel if level is not AccessLevel.OWNER]
    texts = [(node.key, node.value_type.print(node.value_type.top)) for node in directory.permissions]
    for name in names:
        user = ids(User)
        roles = dict.fromkeys(rnd.choices(directory.roles, cum_weights=cumulated, k=rnd.choice((1, 2, 3))))
        team = [(ids(Membership), rnd.choice(directory.teams))] if rnd.random() < IN_A_TEAM else []
        access: list[Any] = []
        if rnd.random() < IN_A_CONTRACT:
            contract = rnd.choice(directory.contracts)
            for product in rnd.sample(directory.products, rnd.choice((1, 2))):
                access.append((ids(Access), (contract, product, rnd.choice(levels))))
        grant = [(ids(Grant), rnd.choice(texts))] if rnd.random() < ODD else []
        yield user, name, [(ids(Assignment), role) for role in roles], team, access, grant
