"""A SCIM request has a time, and a client who waits for it: what takes too long, or is for nobody, is called off."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncTransaction
from starlette.types import Message

from app.db.unit_of_work import WritingUnit
from app.services import scim
from app.settings import Limits, Settings
from tests.factories import Clock, Gateway, Template, open_gateway, pass_time
from tests.scim import USER, Provider, fault_of

Opening = Callable[..., AbstractAsyncContextManager[Gateway]]
HASTE_S = 60.0  # whatever is asked has begun by then, a change to commit, on a machine that is busy as well
LONG_S = 600.0  # nothing is waited for as long, unless it is not called off
BODY = {"schemas": [USER], "userName": "gus"}


class Waiting:
    """Something that is begun and does not go on before it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.called_off = 0

    async def __call__(self, *_args: Any, **_more: Any) -> Any:
        self.begun.set()
        try:
            await asyncio.wait_for(self.go_on.wait(), LONG_S)
        except asyncio.CancelledError:
            self.called_off += 1
            raise


@pytest.fixture
def opening(stocked_template: Template, tmp_path: Path, clock: Clock, shared_schema: None) -> Opening:
    """Opens the small contact centre within other limits."""

    def open_within(**limits: Any) -> AbstractAsyncContextManager[Gateway]:
        return open_gateway(stocked_template, tmp_path / "world.db", clock, Settings(limits=Limits(**limits)))

    return open_within


@pytest.fixture
async def patient(opening: Opening) -> AsyncIterator[Gateway]:
    async with opening(query_timeout_s=2 * LONG_S) as world:
        yield world


@pytest.fixture
def slow_reading(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Nobody is found before somebody says so."""
    found = Waiting()
    monkeypatch.setattr(scim, "find_person", found)
    return found


@contextmanager
def waiting_before_commit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    """What has been written is not committed before somebody says so."""
    waiting, record = Waiting(), WritingUnit.record

    async def record_slowly(self: WritingUnit, *args: Any, **more: Any) -> Any:
        done = await record(self, *args, **more)
        await waiting()
        return done

    with monkeypatch.context() as patched:
        patched.setattr(WritingUnit, "record", record_slowly)
        yield waiting


class Leaving:
    """A client that sends a request and goes when it is told to."""

    def __init__(self, world: Gateway, method: str, path: str, body: Any = None) -> None:
        self.go = asyncio.Event()
        self.told: list[Message] = []
        self._came = [b"" if body is None else json.dumps(body).encode()]
        headers = {"authorization": f"Bearer {world.token}", "content-type": "application/scim+json"}
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": f"/scim/v2{path}", "raw_path": f"/scim/v2{path}".encode(), "query_string": b"", "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 4711), "server": ("gateway", 80),
        }  # fmt: skip
        self._app: Any = world.client._transport.app  # type: ignore[attr-defined]  # of the transport that it has

    async def ask(self) -> None:
        async def send(message: Message) -> None:
            self.told.append(message)

        await self._app(self._scope, self._receive, send)

    async def _receive(self) -> Message:
        if self._came:
            return {"type": "http.request", "body": self._came.pop(), "more_body": False}
        await self.go.wait()
        return {"type": "http.disconnect"}


async def let_others_go_on() -> None:
    for _ in range(50):
        await asyncio.sleep(0.001)


def nothing_is_left(world: Gateway) -> bool:
    return world.services.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool that we have


async def has(world: Gateway, user_name: str) -> bool:
    found = await world.gql("query($name: String!) { user(ref: {userName: $name}) { id } }", {"name": user_name})
    return found["user"] is not None


# ---------------------------------------------------------------------- too long


async def test_a_question_that_takes_too_long_is_called_off(opening: Opening, slow_reading: Waiting) -> None:
    async with opening(query_timeout_s=HASTE_S) as world:
        asked = asyncio.create_task(Provider(world, world.token).call("GET", f"/Users/{world.ids['ana']}"))
        await slow_reading.begun.wait()
        pass_time(HASTE_S)
        response = await asked

        message = "there was no answer within 60 seconds: what was not committed by then is undone"
        assert fault_of(response) == (503, None, message)
        assert response.headers["retry-after"] == "1"
        assert slow_reading.called_off == 1
        assert nothing_is_left(world)


async def test_a_change_that_takes_too_long_is_undone(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opening(mutation_timeout_s=HASTE_S) as world:
        provider = Provider(world, world.token)
        async with world.unchanged():
            with waiting_before_commit(monkeypatch) as waiting:
                asked = asyncio.create_task(provider.call("POST", "/Users", BODY))
                await waiting.begun.wait()
                pass_time(HASTE_S)
                response = await asked

        assert fault_of(response)[0] == 503
        assert waiting.called_off == 1
        assert nothing_is_left(world)
        assert not await has(world, "gus")
        await provider.create("gus")


async def test_a_change_whose_commit_has_begun_is_told(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = AsyncTransaction.commit

    async def commit_slowly(self: AsyncTransaction) -> None:
        pass_time(HASTE_S)
        await asyncio.sleep(0.2)  # the deadline is noticed in it
        await commit(self)

    async with opening(mutation_timeout_s=HASTE_S) as world:
        with monkeypatch.context() as patched:
            patched.setattr(AsyncTransaction, "commit", commit_slowly)
            response = await Provider(world, world.token).call("POST", "/Users", BODY)

        assert (response.status_code, response.json()["userName"]) == (201, "gus")
        assert await has(world, "gus")


# ---------------------------------------------------------------------- for nobody


async def test_a_question_whose_client_has_gone_is_called_off(patient: Gateway, slow_reading: Waiting) -> None:
    client = Leaving(patient, "GET", f"/Users/{patient.ids['ana']}")
    asked = asyncio.create_task(client.ask())
    await slow_reading.begun.wait()

    client.go.set()
    await asked

    assert slow_reading.called_off == 1
    assert nothing_is_left(patient)


async def test_a_change_that_has_begun_is_brought_to_its_end(patient: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Leaving(patient, "POST", "/Users", BODY)
    with waiting_before_commit(monkeypatch) as waiting:
        asked = asyncio.create_task(client.ask())
        await waiting.begun.wait()
        client.go.set()
        await let_others_go_on()
        waiting.go_on.set()
        await asked

    assert await has(patient, "gus")


async def test_a_change_whose_client_has_gone_before_it_begins_is_none(patient: Gateway) -> None:
    client = Leaving(patient, "POST", "/Users", BODY)
    client.go.set()

    async with patient.unchanged():
        await client.ask()

    assert not await has(patient, "gus")


async def test_nor_is_one_whose_client_goes_while_it_waits_for_a_place(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opening(max_writers=1) as world:
        with waiting_before_commit(monkeypatch) as waiting:
            first, second = (Leaving(world, "POST", "/Users", {**BODY, "userName": name}) for name in ("gus", "hal"))
            tasks = [asyncio.create_task(first.ask())]
            await waiting.begun.wait()
            tasks.append(asyncio.create_task(second.ask()))
            await let_others_go_on()
            second.go.set()
            await let_others_go_on()
            waiting.go_on.set()
            await asyncio.gather(*tasks)

        assert await has(world, "gus")
        assert not await has(world, "hal")
