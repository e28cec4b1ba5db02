"""F20, F31: clients that hang up, and clients that do not read what they asked for."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.db.repositories.users import Users
from tests.factories import Gateway, Template, select
from tests.faults.conftest import Figure
from tests.faults.writers import UNBOUND, Journal, calling, write_on
from tests.serving import Replica, serving, until
from tests.sockets import connecting
from tests.web.test_outages import MAKE

FEW = 300  # changes, after which all that is loaded once is loaded
EVENTS = int(os.environ.get("FAULT_EVENTS", "10000"))
MEBI = 1 << 20


def write_request(address: str, token: str, body: object, *, accept: str = "application/json") -> bytes:
    """A POST as it goes over the wire."""
    content = json.dumps(body).encode()
    lines = [
        "POST /graphql HTTP/1.1", f"host: {address}", f"authorization: Bearer {token}", f"accept: {accept}",
        "content-type: application/json", f"content-length: {len(content)}", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + content


# ---------------------------------------------------------------------- F20: hanging up


class Held:
    """A step of the gateway that lasts until it is let go on; how it ended."""

    def __init__(self, step: Callable[..., Awaitable[Any]]) -> None:
        self.step = step
        self.begun, self.going_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.cancelled = False

    def __get__(self, repository: object, _kind: type) -> Callable[..., Awaitable[Any]]:
        async def wait(*given: object, **named: object) -> object:
            self.begun.set()
            try:
                await self.going_on.wait()
                return await self.step(repository, *given, **named)
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            finally:
                self.ended.set()

        return wait


async def hang_up(address: str, request: bytes, held: Held) -> None:
    """Sends a request, and is gone when it is under way."""
    host, port = address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await held.begun.wait()
    writer.close()
    await writer.wait_closed()


async def test_f20_a_change_whose_client_is_gone_is_brought_to_its_end_and_its_key_tells(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(Users.count_active_owners)
    monkeypatch.setattr(Users, "count_active_owners", held)
    request = write_request(address, world.token, {"query": MAKE, "variables": {"name": "eva"}})
    await hang_up(address, request, held)
    await asyncio.sleep(0.1)  # the server has heard of it by then, and it is not called off
    held.going_on.set()
    await held.ended.wait()

    made = "SELECT created_revision FROM users WHERE user_name = 'eva'"
    await until(lambda: select(world.path, made) != [])
    assert not held.cancelled
    ((revision,),) = select(world.path, made)
    assert (await world.gql(MAKE, {"name": "eva"}))["createUser"] == {"revision": str(revision), "errors": []}
    assert select(world.path, made) == [(revision,)]


@pytest.mark.usefixtures("unindexed")
async def test_f20_a_query_whose_client_is_gone_is_called_off(
    world: Gateway, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"query": "{ users { totalCount } }"}
    assert (await world.post(query)).status_code == 200
    held = Held(Users.count)
    monkeypatch.setattr(Users, "count", held)

    await hang_up(address, write_request(address, world.token, query), held)
    async with asyncio.timeout(10):
        await held.ended.wait()

    assert held.cancelled
    held.going_on.set()
    assert (await world.post(query)).status_code == 200


# ---------------------------------------------------------------------- F31: not reading


def read_memory(replica: Replica) -> int:
    """Bytes of a process that are in memory."""
    assert replica.process is not None
    pages = int(Path(f"/proc/{replica.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _write_all(replica: Replica, template: Template, name: str, count: int) -> None:
    """So many changes, by four hands."""
    journal, stopping = Journal(), asyncio.Event()
    async with calling(replica.address, template.token) as caller:
        hands = [asyncio.create_task(write_on(caller, journal, f"{name}-{n}", stopping)) for n in range(4)]
        await until(lambda: len(journal.told) >= count, within=3600)
        stopping.set()
        await asyncio.gather(*hands)
    assert not journal.refused


@pytest.mark.deep
async def test_f31_subscribers_who_never_read_take_no_memory_and_are_told_where_to_resume(
    stocked_template: Template, tmp_path: Path, figure: Figure
) -> None:
    """A socket and a stream, events of some 10 KB each; beside as many changes that nobody hears of.

    A change takes memory by itself: there is one person more to know.
    """
    path = Path(shutil.copyfile(stocked_template.path, tmp_path / "permgate.db"))
    replica = Replica(path, tmp_path / "log", environment=UNBOUND)
    wide = " ".join(f"a{number}: changes {{ detail before after }}" for number in range(40))
    document = f"subscription {{ changes {{ revision {wide} }} }}"
    with serving(replica):
        address = replica.address.removeprefix("http://")
        await _write_all(replica, stocked_template, "warm", FEW)
        before = read_memory(replica)
        await _write_all(replica, stocked_template, "alone", EVENTS)
        alone = (read_memory(replica) - before) / MEBI
        async with connecting(address, max_queue=1, receive_buffer=4096) as client:
            await client.init(stocked_template.token)
            await client.subscribe(document)
            host, port = address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
            writer.write(
                write_request(address, stocked_template.token, {"query": document}, accept="text/event-stream")
            )
            most, start = 0, read_memory(replica)
            filling = asyncio.create_task(_write_all(replica, stocked_template, "unread", EVENTS))
            while not filling.done():
                most = max(most, read_memory(replica))
                await asyncio.sleep(0.5)
            await filling
            code, reason = await client.closed()
            tail = b""
            with suppress(ConnectionResetError):
                while piece := await reader.read(65536):
                    tail = (tail + piece)[-4096:]
            writer.close()
    grown = (most - start) / MEBI
    figure(
        f"F31: {EVENTS} changes that nobody hears of: +{alone:.1f} MB; {EVENTS} more, which a socket and a stream "
        f"never read: +{grown:.1f} MB at most; the socket was closed with {code} {reason}"
    )
    # Who reads again before the server has given the connection up is told; else it was cut.
    assert reason.startswith("too slow: resume after revision ") if code == 1013 else code == 1006
    assert b"INTERRUPTED" in tail or not tail.endswith(b"0\r\n\r\n"), "the stream ends with why, or is cut"
    assert grown - alone < 20
