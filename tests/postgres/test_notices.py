"""Hearing of what other processes commit: at once where PostgreSQL tells it, and all the same where it cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.services import feed as feeds
from app.services.context import Services
from tests.factories import FIRST_REVISION, Clock, Gateway, Template, open_copy, select

LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE ?"


@pytest.fixture
async def elsewhere(gateway: Gateway, template: Template, clock: Clock) -> AsyncIterator[Services]:
    """The services of another process over the same database."""
    services = open_copy(template, gateway.path, clock)
    yield services
    await services.close()


async def until(holds: Callable[[], object]) -> None:
    """Returns once something holds."""
    while not holds():  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.01)


async def listening(services: Services) -> None:
    """Returns once a listener hears of notices."""
    await until(lambda: services.feed._notices.is_listening)


async def test_a_commit_elsewhere_is_told_at_once(
    gateway: Gateway, elsewhere: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody looks: the rest between two looks is longer than this test may take."""
    monkeypatch.setattr(feeds, "FALLBACK_S", 60.0)
    waiting = asyncio.create_task(elsewhere.feed.wait(after=FIRST_REVISION))
    await listening(elsewhere)
    await asyncio.sleep(0.1)
    assert not waiting.done()

    await gateway.create_user("ana")

    await asyncio.wait_for(waiting, 5)
    assert elsewhere.feed.revision == FIRST_REVISION + 1


@pytest.mark.usefixtures("unindexed")
async def test_what_was_committed_while_the_listener_was_cut_off_is_seen(
    gateway: Gateway, elsewhere: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16: the backend of the listener is ended between two writes; the subscriber sees both."""
    monkeypatch.setattr("app.db.notices.RETRY_S", 0.05)
    first = asyncio.create_task(elsewhere.feed.wait(after=FIRST_REVISION))
    await listening(elsewhere)
    await gateway.create_user("ana")
    await asyncio.wait_for(first, 5)
    assert select(gateway.path, LISTENERS) == [(1,)]

    second = asyncio.create_task(elsewhere.feed.wait(after=FIRST_REVISION + 1))
    assert select(gateway.path, TERMINATE, "LISTEN%") == [(True,)]
    await gateway.create_user("ben")

    await asyncio.wait_for(second, 5)
    assert elsewhere.feed.revision == FIRST_REVISION + 2
    third = asyncio.create_task(elsewhere.feed.wait(after=FIRST_REVISION + 2))
    await asyncio.wait_for(listening(elsewhere), 5)
    await gateway.create_user("cleo")
    await asyncio.wait_for(third, 5)


async def test_a_notice_that_is_never_told_is_made_up_for_by_looking(
    gateway: Gateway, elsewhere: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "FALLBACK_S", 0.2)

    async def tell_nobody(*_given: Any) -> None:
        return None

    monkeypatch.setattr("app.db.postgresql.tell", tell_nobody)
    waiting = asyncio.create_task(elsewhere.feed.wait(after=FIRST_REVISION))
    await listening(elsewhere)

    await gateway.create_user("ana")

    await asyncio.wait_for(waiting, 5)


async def test_nobody_hears_of_what_was_rolled_back(gateway: Gateway, elsewhere: Services) -> None:
    heard: list[int] = []
    notices = elsewhere.database.listen(lambda: heard.append(1))
    notices.start()
    await until(lambda: notices.is_listening)
    heard.clear()

    refused = await gateway.send("setAccountOwner", {"user": {"userName": "olga"}, "isOwner": False})
    await asyncio.sleep(0.2)
    assert refused["errors"] and heard == []

    await gateway.create_user("ana")
    await until(lambda: heard)
    await notices.close()
