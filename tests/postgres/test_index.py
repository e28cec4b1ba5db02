"""The index over PostgreSQL: it is told of commits, and is none while nobody tells."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import pytest

from app.db import sensor
from app.db.notices import NoNotices
from app.domain.callers import Caller
from app.domain.holders import Role, UserId, UserStatus
from app.domain.references import Ref
from app.graphql.execution import Executor, Request
from app.services import users
from app.services.callers import authenticate
from app.services.context import Services
from app.services.grants import GrantItem
from app.services.writing import WriteOptions
from app.settings import Limits
from app.web.admission import Admission
from tests.factories import Clock, Gateway, Template, open_copy, select
from tests.postgres.test_notices import TERMINATE, until
from tests.services.test_index import MENU, _grant, _olga, read_in_blocks


@pytest.fixture
async def indexed(world: Gateway, stocked_template: Template, clock: Clock) -> AsyncIterator[Services]:
    """Another process over the same database, that answers from an index."""
    services = open_copy(stocked_template, world.path, clock)
    await services.index.start()
    await until(lambda: services.index.current() is not None)
    yield services
    await services.close()


async def test_it_says_what_the_database_says(world: Gateway, indexed: Services) -> None:
    """Times and truth values come as what they are, where SQLite gives texts and numbers."""
    index = indexed.index.current()
    assert index is not None
    async with world.services.reading() as reading:
        for contract in (None, *index.directory.contracts):
            evaluation = await reading.evaluate(None, contract)
            for user in evaluation.world.users:
                standing = index.standing(user, contract, reading.now)
                assert standing is not None
                subject = standing.subject.__class__(user=user)
                assert standing.effective == evaluation.effective(subject)


async def test_everybody_is_read_in_blocks_as_one_by_one(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.repositories.profiles.IN_A_BLOCK", 2)
    await read_in_blocks(world.services)


async def test_what_another_process_commits_is_known_within_a_second(world: Gateway, indexed: Services) -> None:
    cleo = world.ids["cleo"]
    number = indexed.catalog.number_of[MENU]
    await _grant(world.services, _olga(world), Ref("id", cleo), GrantItem(permission=MENU))

    async with asyncio.timeout(5):
        await until(
            lambda: (index := indexed.index.current()) is not None and index.allows(cleo, number, world.clock())
        )


async def test_what_this_process_commits_is_known_at_once(world: Gateway, indexed: Services) -> None:
    before = indexed.index.current()
    assert before is not None
    await _grant(indexed, _olga(world), Ref("id", world.ids["cleo"]), GrantItem(permission=MENU))
    now = indexed.index.current()
    assert now is None or now.revision == before.revision + 1


@pytest.mark.usefixtures("unindexed")
async def test_it_is_none_while_nobody_tells(
    world: Gateway, indexed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener is cut off and cannot come back: nothing is believed that was told before."""
    monkeypatch.setattr("app.db.notices.RETRY_S", 60.0)
    assert select(world.path, TERMINATE, "LISTEN%") == [(True,)]
    async with asyncio.timeout(5):
        await until(lambda: indexed.index.current() is None)
    await asyncio.sleep(2 * sensor.PULSE_S)
    assert indexed.index.current() is None


async def test_a_notice_that_is_never_told_is_found_out_by_looking(
    world: Gateway, indexed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell_nobody(*_given: Any) -> None:
        return None

    monkeypatch.setattr("app.db.postgresql.tell", tell_nobody)
    _, secret = await world.issue_token("ana")
    assert await authenticate(indexed, secret) is not None
    caller = Caller(user=UserId(world.owner), user_name="olga", is_owner=True)
    written = await users.set_user_status(
        world.services, caller, Ref("id", world.ids["ana"]), UserStatus.SUSPENDED, options=WriteOptions()
    )
    assert not written.errors
    async with asyncio.timeout(5):
        while await authenticate(indexed, secret) is not None:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.02)


async def test_nobody_is_answered_from_before_what_was_seen(
    world: Gateway, stocked_template: Template, indexed: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice is late: who asks for a revision is answered from it, and so is whoever else then asks this process."""

    async def tell_nobody(*_given: Any) -> None:
        return None

    monkeypatch.setattr("app.db.postgresql.tell", tell_nobody)
    monkeypatch.setattr("app.services.index.Indexes.catch_up", _never)
    before = indexed.index.current()
    assert before is not None
    await _grant(world.services, _olga(world), Ref("id", world.ids["cleo"]), GrantItem(permission=MENU))
    revision = await world.revision()
    assert revision == before.revision + 1

    document = f"""{{ check(input: {{user: {{id: "{world.ids["cleo"]}"}}, node: "{MENU}"}}) {{ allowed revision }} }}"""
    by = Admission(indexed, Executor(), Limits())
    for asked in (Request(query=document, min_revision=revision), Request(query=document)):
        answer = await by.execute(_olga(world), await by.admit(_olga(world), asked))
        assert answer["data"] == {"check": {"allowed": True, "revision": str(revision)}}


@pytest.mark.parametrize("by", ["token", "dry run", "feed"])
async def test_nobody_is_answered_from_before_what_anything_of_this_process_has_seen(
    world: Gateway, indexed: Services, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Looking up a token, a write that comes to nothing, and waiting for news: a notice would be late for all."""

    async def tell_nobody(*_given: Any) -> None:
        return None

    monkeypatch.setattr("app.db.postgresql.tell", tell_nobody)
    cleo, caller = Ref("id", world.ids["cleo"]), _olga(world)
    _, secret = await world.issue_token("ana")
    revision = await world.revision()
    index, sensor_ = indexed.index, indexed.index._sensor
    assert sensor_ is not None
    async with asyncio.timeout(5):
        await until(lambda: (known := index.current()) is not None and known.revision == revision)
    monkeypatch.setattr("app.services.index.Indexes.catch_up", _never)
    await _grant(world.services, caller, cleo, GrantItem(permission=MENU))
    sensor_.confirm(revision, asked_at=monotonic())
    assert index.current() is not None, "nobody has told"
    match by:
        case "token":
            assert await authenticate(indexed, secret) is not None
        case "dry run":
            await users.set_user_status(indexed, caller, cleo, UserStatus.SUSPENDED, options=WriteOptions(dry_run=True))
        case _:
            await indexed.feed.wait(after=revision)
    sensor_.confirm(revision, asked_at=monotonic())
    assert index.current() is None


async def test_a_database_that_is_set_back_and_goes_on_is_read_anew(world: Gateway, indexed: Services) -> None:
    """A dump that is put back takes away what was given since; nobody is named by the log of which that is so."""
    cleo, number = world.ids["cleo"], indexed.catalog.number_of[MENU]
    await _grant(world.services, _olga(world), Ref("id", cleo), GrantItem(permission=MENU))
    async with asyncio.timeout(5):
        await until(
            lambda: (index := indexed.index.current()) is not None and index.allows(cleo, number, world.clock())
        )
    before = indexed.index.current()
    world.path.restore()  # type: ignore[union-attr]  # a database of a server
    for step in range(3):
        await world.plant([Role(id=world.new_id(Role), key=f"role{step}", display_name="another")])
    async with asyncio.timeout(5):
        await until(lambda: (index := indexed.index.current()) is not None and index is not before)
    following = indexed.index.current()
    assert following is not None
    assert not following.allows(cleo, number, world.clock())


async def _never(_indexes: Any) -> None:
    await asyncio.sleep(0.01)


def test_a_look_from_before_a_commit_confirms_nothing() -> None:
    """A pulse that began before this process has committed tells of the revision before."""
    moments = iter([10.0, 10.5, 10.6, 10.7])
    notices = NoNotices()
    notices.is_listening = True
    told = sensor.NoticeSensor(notices, clock=lambda: next(moments))
    told.doubt()
    told.confirm(4, asked_at=9.9)
    assert told.read_revision() is None
    told.confirm(5, asked_at=10.1)
    assert told.read_revision() == 5
