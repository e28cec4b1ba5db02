"""Entries of very many changes, through every door that shows an entry or leans on one."""

import json
from contextlib import closing
from sqlite3 import connect
from typing import Any

import pytest

from app.domain.audit import AuditEntry
from app.domain.callers import Right
from app.domain.holders import User
from app.domain.ids import audit_id
from tests.bulk import COUNT, assign, create, make_people, plant_people, tamper
from tests.factories import Gateway, each_of, select
from tests.sockets import known, listening

SHOWN = "revision changesTotal changes { action holder { id } } subjects { id }"
LOG = f"query ($filter: AuditFilter) {{ auditLog(filter: $filter) {{ totalCount edges {{ node {{ {SHOWN} }} }} }} }}"
VERIFY = "{ verifyAudit { ok entries firstBadEntry problem } }"


@pytest.fixture
async def night(world: Gateway) -> tuple[Gateway, list[User], AuditEntry]:
    """Many people of one night, and the next morning a change of Cleo."""
    people, entry = await plant_people(world)
    await world.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo"})
    return world, people, entry


Night = tuple[Gateway, list[User], AuditEntry]


async def list_log(world: Gateway, token: str | None = None, **wanted: Any) -> list[Any]:
    found = (await world.gql(LOG, {"filter": wanted}, token=token))["auditLog"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"] for edge in found["edges"]]


# ---------------------------------------------------------------------- what is shown


async def test_the_first_changes_are_shown_and_how_many_there_are(night: Night) -> None:
    world, people, entry = night

    (shown,) = await list_log(world, action="applySync")

    assert (shown["revision"], shown["changesTotal"]) == (str(entry.revision), COUNT)
    first = [user.id for user in people[:1000]]
    assert shown["changes"] == [{"action": "create_user", "holder": {"id": one}} for one in first]
    assert shown["subjects"] == [{"id": one} for one in first]


async def test_of_a_small_entry_the_total_is_that_of_its_changes(night: Night) -> None:
    world, _, entry = night

    (shown,) = await list_log(world, afterRevision=str(entry.revision))

    assert (shown["changesTotal"], len(shown["changes"]), len(shown["subjects"])) == (1, 1, 1)


async def test_it_is_found_by_each_of_its_people(night: Night) -> None:
    world, people, entry = night

    for user in (people[0], people[1000], people[-1]):
        assert [one["revision"] for one in await list_log(world, subject=user.id)] == [str(entry.revision)]


async def test_a_node_is_the_same_entry(night: Night) -> None:
    world, _, entry = night
    document = f"query ($id: ID!) {{ node(id: $id) {{ ... on AuditEntry {{ {SHOWN} }} }} }}"

    found = (await world.gql(document, {"id": audit_id(entry.revision)}))["node"]

    assert [found] == await list_log(world, action="applySync")


async def test_whoever_sees_one_contract_sees_what_changes_nothing_else(world: Gateway) -> None:
    people = make_people(world, COUNT)
    await create(world, people)
    scoped = await create(world, assign(world, "agents", people, contract="C-1"))
    await create(world, [*assign(world, "writers", people, contract="C-1"), *assign(world, "writers", people[:1])])
    token = await world.trust("ana", Right.VIEW_HISTORY, contract="C-1")  # who has a level in it

    seen = await list_log(world, token, action="applySync")

    assert [one["revision"] for one in seen] == [str(scoped.revision)]
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    ids = [audit_id(scoped.revision + step) for step in (-1, 0, 1)]
    assert (await world.gql(document, {"ids": ids}, token=token))["nodes"] == [None, {"id": ids[1]}, None]


@pytest.mark.usefixtures("unindexed")
async def test_a_page_of_them_takes_no_more_statements(night: Night) -> None:
    world, _, _ = night
    document = "{ auditLog(first: 20) { edges { node { changesTotal changes { detail } } } } }"
    counts = []
    for number in range(3):
        await create(world, make_people(world, 1001, f"more-{number}"))
        with world.counting() as statements:
            await world.gql(document)
        counts.append(len(statements))

    assert counts[0] == counts[1] == counts[2]


# ---------------------------------------------------------------------- what leans on it


async def test_listeners_are_told_of_it(world: Gateway, address: str) -> None:
    before = await world.revision()
    async with known(address, world.token) as client:
        await client.subscribe(f"subscription {{ changes(after: {json.dumps(str(before))}) {{ {SHOWN} }} }}")
        _, entry = await plant_people(world)
        await world.create_user("zoe")
        first, second = [(await client.next())["changes"] for _ in range(2)]

    assert (first["revision"], first["changesTotal"], len(first["changes"])) == (str(entry.revision), COUNT, 1000)
    assert (second["revision"], second["changesTotal"]) == (str(entry.revision + 1), 1)


async def test_rights_that_the_last_of_its_parts_gives_are_told(world: Gateway, address: str) -> None:
    people = make_people(world, COUNT)
    await create(world, people)
    async with known(address, world.token) as client:
        await client.subscribe(f"""subscription {{ rightsChanged(user: {{userName: "{people[-1].user_name}"}}) {{
            revision differences {{ permission {{ key }} after {{ text }} }} }} }}""")
        await listening(world.services)
        entry = await create(world, assign(world, "agents", people))
        told = (await client.next())["rightsChanged"]

    given = {"permission": {"key": "desk.reports.menu"}, "after": {"text": "on"}}
    assert told == {"revision": str(entry.revision), "differences": [given]}


async def test_what_was_known_before_it_and_after_it(world: Gateway) -> None:
    people = make_people(world, COUNT)
    before = await create(world, people)
    entry = await create(world, assign(world, "agents", people))
    document = """query ($user: UserRef!, $asOf: AsOf) {
        user(ref: $user) { can(node: "desk.reports.menu", asOf: $asOf) { allowed } } }"""

    async def allowed(revision: int) -> bool:
        given = {"user": {"userName": people[-1].user_name}, "asOf": {"revision": str(revision)}}
        found: bool = (await world.gql(document, given))["user"]["can"]["allowed"]
        return found

    assert [await allowed(before.revision), await allowed(entry.revision)] == [False, True]


async def test_who_expects_a_revision_before_it_is_stale_if_it_is_about_them(world: Gateway) -> None:
    """The person in the last part is; the role that everybody was given is not, and nor is somebody else."""
    people = make_people(world, COUNT)
    before = await create(world, people)
    await create(world, assign(world, "agents", people))
    expected = {"expectedRevision": str(before.revision), "displayName": "Another"}

    (error,) = await world.refuse("updateUser", {"user": {"userName": people[-1].user_name}, **expected})
    assert error["code"] == "STALE_REVISION"
    await world.mutate("updateRole", {"role": {"key": "agents"}, **expected})
    await world.mutate("updateUser", {"user": {"userName": "ana"}, **expected})


# ---------------------------------------------------------------------- what is verified


async def verify(world: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = (await world.gql(VERIFY))["verifyAudit"]
    return found


async def test_a_log_with_parts_is_sound(night: Night) -> None:
    world, _, entry = night

    assert await verify(world) == {
        "ok": True, "entries": entry.revision + 1, "firstBadEntry": None, "problem": None
    }  # fmt: skip


PART = "UPDATE audit_parts SET {} WHERE revision = :night AND number = 1"
ALTERATIONS = {
    "a part with another change": PART.format("changes = replace(changes, 'create_user', 'update_user')"),
    "a part with white space": PART.format("changes = changes || ' '"),
    "a part that is bytes": PART.format("changes = CAST(changes AS BLOB)"),
    "a part that is not UTF-8": PART.format("changes = CAST(x'5bff5d' AS TEXT)"),
    "a part that is no JSON": PART.format("changes = '[' || changes"),
    "another hash of a part": PART.format("hash = 'f' || substr(hash, 2) || '0'"),
    "a part under another number": PART.format("number = 7"),
    "a part under no number": PART.format("number = 1.5"),
    "a part less": "DELETE FROM audit_parts WHERE revision = :night AND number = 1",
    "the last part less": "DELETE FROM audit_parts WHERE revision = :night AND number = 2",
    "no parts at all": "DELETE FROM audit_parts WHERE revision = :night",
    "a part twice": "INSERT INTO audit_parts SELECT revision, 3, changes, hash FROM audit_parts "
    "WHERE revision = :night AND number = 2",
    "a part before the first": "INSERT INTO audit_parts SELECT revision, -1, changes, hash FROM audit_parts "
    "WHERE revision = :night AND number = 2",
    "a part before all": "INSERT INTO audit_parts SELECT revision, -9223372036854775807 - 1, changes, hash "
    "FROM audit_parts WHERE revision = :night AND number = 2",
    "an empty part": "INSERT INTO audit_parts VALUES (:night, 3, '[]', "
    "'4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945')",
    "a part of another entry": "UPDATE audit_parts SET revision = :other WHERE revision = :night AND number = 2",
    "how many changes there are": "UPDATE audit_entries SET changes_total = 2501 WHERE revision = :night",
    "the digest": "UPDATE audit_entries SET parts_digest = 'f' || substr(parts_digest, 2) || '0' "
    "WHERE revision = :night",
    "no digest": "UPDATE audit_entries SET parts_digest = NULL WHERE revision = :night",
    "neither digest nor total": "UPDATE audit_entries SET parts_digest = NULL, changes_total = NULL "
    "WHERE revision = :night",
    "a contract it is not of": "UPDATE audit_entries SET scope = 'con_0' WHERE revision = :night",
    "changes in the entry itself": "UPDATE audit_entries SET changes = '[{\"action\":\"x\",\"detail\":\"x\"}]' "
    "WHERE revision = :night",
    "a person less": "DELETE FROM audit_subjects WHERE revision = :night AND subject = :person",
    "a person more": "INSERT INTO audit_subjects VALUES (:somebody, :night)",
    "a nameless subject": "INSERT INTO audit_subjects VALUES ('', :night)",
    "nobody at all": "DELETE FROM audit_subjects WHERE revision = :night",
    "a person of another entry": "UPDATE audit_subjects SET revision = :other "
    "WHERE revision = :night AND subject = :person",
    "a person who is bytes": "UPDATE audit_subjects SET subject = CAST(subject AS BLOB) "
    "WHERE revision = :night AND subject = :person",
}  # fmt: skip


@each_of("name", ALTERATIONS)
async def test_every_way_to_alter_it_names_it(night: Night, name: str) -> None:
    world, people, entry = night
    given = {
        "night": entry.revision, "person": people[1234].id, "somebody": world.ids["ana"], "other": entry.revision + 1
    }  # fmt: skip
    kept = {
        table: select(world.path, f"SELECT * FROM {table} WHERE revision >= ?", entry.revision)
        for table in ("audit_entries", "audit_parts", "audit_subjects")
    }

    tamper(world, ALTERATIONS[name], parameters=given)
    found = await verify(world)
    put_back(world, kept, entry.revision)

    assert (found["ok"], found["firstBadEntry"], found["entries"]) == (
        False, audit_id(entry.revision), entry.revision - 1
    ), name  # fmt: skip
    assert found["problem"], name
    assert (await verify(world))["ok"], name


def put_back(world: Gateway, kept: dict[str, list[tuple[Any, ...]]], revision: int) -> None:
    with closing(connect(world.path)) as connection:
        for table, rows in kept.items():
            connection.execute(f"DELETE FROM {table} WHERE revision >= ?", [revision])
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        connection.commit()


async def test_parts_of_what_has_none_are_found(night: Night) -> None:
    """Of an entry whose changes are in itself, and of a revision that is still to come."""
    world, _, entry = night
    small, to_come = entry.revision + 1, entry.revision + 2
    for revision in (small, to_come):
        tamper(world, f"INSERT INTO audit_parts VALUES ({revision}, 0, '[]', 'x')")
        assert (await verify(world))["firstBadEntry"] == audit_id(revision)
        tamper(world, f"DELETE FROM audit_parts WHERE revision = {revision}")
    assert (await verify(world))["ok"]


async def test_a_large_entry_that_is_missing_is_named_itself(night: Night) -> None:
    world, _, entry = night

    tamper(world, f"DELETE FROM audit_entries WHERE revision = {entry.revision}")

    found = await verify(world)
    assert (found["firstBadEntry"], found["problem"]) == (audit_id(entry.revision), "it is missing")


async def test_two_large_entries_whose_parts_were_swapped_are_found_at_the_first(world: Gateway) -> None:
    first = await create(world, make_people(world, COUNT, "early"))
    second = await create(world, make_people(world, COUNT, "late"))
    moved = "UPDATE audit_parts SET revision = {} WHERE revision = {} AND number = 1"

    tamper(
        world, moved.format(0, first.revision), moved.format(first.revision, second.revision),
        moved.format(second.revision, 0),
    )  # fmt: skip

    assert (await verify(world))["firstBadEntry"] == audit_id(first.revision)
