"""F24: a process that is told to stop leaves with no call failed, no socket cut off, and nothing half done."""

import asyncio
import gc
import json
import signal
import socket
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from app.cli import commands
from app.cli.acceptors import Acceptor
from app.cli.commands import SERVER, bound_server
from app.db.repositories.users import Users
from app.main import create_app
from app.settings import Limits, Settings
from app.web.lifecycle import Lifecycle, draining_on_sigterm
from tests.factories import Gateway, Template, select
from tests.serving import Proxy, Replica, serving, until
from tests.sockets import known

ASK = """query Ask($node: String!) { user(ref: {userName: "ana"}) { can(node: $node) { allowed } } }"""
MAKE = """mutation Make($name: String!) {
    createUser(input: {userName: $name, idempotencyKey: $name}) { revision errors { code message } }
}"""
DRAIN_S = 1


async def hear_the_end(replica: Replica, token: str) -> tuple[int, str, str]:
    """What a socket is closed with that listens to all changes, and the last revision that it heard of."""
    async with known(replica.address.removeprefix("http://"), token) as client:
        await client.subscribe("subscription { changes { revision } }")
        while True:
            heard = await client.receive()
            if heard["type"] == "next":
                code, reason = await client.closed()
                last = [heard, *client.passed][-1]
                return code, reason, last["payload"]["data"]["changes"]["revision"]


async def restart_under_load(
    template: Template, folder: Path, *, restarts: int, arguments: tuple[str, ...] = ()
) -> None:
    """Two replicas; one after the other is told to stop, and started anew where there are restarts left."""
    database = folder / "permgate.db"
    database.write_bytes(template.path.read_bytes())
    environment = {"PERMGATE_DRAIN_SECONDS": str(DRAIN_S)}
    replicas = [
        Replica(database, folder / f"{number}.log", environment=environment, arguments=arguments) for number in range(2)
    ]
    with serving(*replicas):
        proxy = Proxy(replicas, template.token)
        stopping = asyncio.Event()
        made: list[str] = []

        async def ask() -> None:
            while not stopping.is_set():
                await proxy.call(ASK, node="desk.reports.menu")

        async def make(hand: str) -> None:
            while not stopping.is_set():
                name = f"{hand}-{len(made)}"
                data = await proxy.call(MAKE, name=name)
                if data is not None and data["createUser"]["errors"] == []:
                    made.append(name)

        listening = asyncio.create_task(hear_the_end(replicas[0], template.token)) if not arguments else None
        load = [asyncio.create_task(work) for work in (ask(), ask(), make("left"), make("right"))]
        for number in range(restarts):
            replica = replicas[number % 2]
            enough = proxy.answered + 10
            await until(lambda enough=enough: proxy.answered >= enough)  # type: ignore[misc]
            replica.tell()
            assert await replica.end() == -signal.SIGTERM or arguments
            if number + 1 < restarts:
                replica.start()
                await asyncio.to_thread(replica.wait)
        stopping.set()
        await asyncio.gather(*load)
        await proxy.close()
        if listening is not None:
            code, reason, last = await listening
            assert (code, reason) == (1012, f"the gateway restarts: resume after revision {last}")

    assert proxy.failed == []
    there = [name for (name,) in select(database, "SELECT user_name FROM users WHERE user_name LIKE '%-%'")]
    assert sorted(name for name in made) == sorted(there), "what was told as done is there, and once"
    for replica in replicas[: min(restarts, 2)]:
        lines = [json.loads(line) for line in replica.log.read_text().splitlines()]
        events = [line["event"] for line in lines]
        assert events.count("draining") == events.count("stopped") >= 1
        assert {line["level"] for line in lines} == {"info"}
        assert any(line.get("kind") == "graphql" or line.get("operation") in {"Ask", "Make"} for line in lines)
        assert template.token not in replica.log.read_text()


@pytest.mark.long
async def test_f24_a_process_that_is_told_to_stop_under_load_fails_no_call(
    stocked_template: Template, tmp_path: Path
) -> None:
    await restart_under_load(stocked_template, tmp_path, restarts=1)


@pytest.mark.deep
async def test_f24_twenty_rolling_restarts_fail_no_call(stocked_template: Template, tmp_path: Path) -> None:
    await restart_under_load(stocked_template, tmp_path, restarts=20)


@pytest.mark.deep
async def test_f24_so_do_several_workers(stocked_template: Template, tmp_path: Path) -> None:
    await restart_under_load(stocked_template, tmp_path, restarts=4, arguments=("--workers", "2"))


# ---------------------------------------------------------------------- in one process


class _Server(uvicorn.Server):
    """One whose signals are those of the test."""

    def capture_signals(self) -> Any:
        return nullcontext()


async def test_f24_a_change_that_the_deadline_calls_off_is_rolled_back(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server calls off what is left, and the database is closed only when that has ended."""
    under_way, cancelled = asyncio.Event(), False

    async def hang(*_given: object) -> int:
        nonlocal cancelled
        under_way.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise
        raise AssertionError("it waits until it is called off")

    monkeypatch.setattr(Users, "count_active_owners", hang)
    app = create_app(world.services, Settings(drain_seconds=0))
    server = _Server(uvicorn.Config(app, **{**SERVER, "timeout_graceful_shutdown": 0.1}))
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    task = asyncio.create_task(server.serve(sockets=[listening]))
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {world.token}"}) as client:
        await until(lambda: server.started)
        body = {"query": MAKE, "variables": {"name": "dora"}}
        calling = asyncio.create_task(client.post(f"{address}/graphql", json=body))
        await under_way.wait()
        server.should_exit = True
        await task
        try:
            told = (await calling).status_code
        except httpx.TransportError:  # the connection was cut before that was said
            told = 500

    assert (cancelled, told) == (True, 500)
    assert select(world.path, "SELECT count(*) FROM users WHERE user_name = 'dora'") == [(0,)]


class _OurServer(commands._Server):
    """The one that `serve` runs, likewise."""

    def capture_signals(self) -> Any:
        return nullcontext()


@pytest.mark.parametrize("asks", [True, False], ids=["asking", "silent"])
async def test_f24_who_is_let_in_while_the_server_stops_is_answered_or_ended(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    """However long a head may take else, and however long the server would wait for its connections."""
    stopping, made, make = asyncio.Event(), asyncio.Event(), Acceptor._make
    waiting: list[socket.socket] = []

    async def make_late(self: Acceptor, connection: socket.socket) -> None:
        waiting.append(connection)
        await stopping.wait()
        await make(self, connection)
        made.set()

    async def wait_for_all(self: uvicorn.Server) -> None:
        """Called once those that were there have been told to leave."""
        stopping.set()
        await made.wait()
        await wait(self)

    wait = uvicorn.Server._wait_tasks_to_complete
    monkeypatch.setattr(Acceptor, "_make", make_late)
    monkeypatch.setattr(uvicorn.Server, "_wait_tasks_to_complete", wait_for_all)
    settings = Settings(limits=Limits(head_timeout_s=1000), drain_seconds=0)
    app = create_app(world.services, settings)
    config = uvicorn.Config(app, **{**bound_server(settings), "timeout_graceful_shutdown": None})
    listening = socket.create_server(("127.0.0.1", 0))
    place = listening.getsockname()
    server = _OurServer(config, world.services, app.lifecycle, lambda: None)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started)
    async with asyncio.timeout(30):
        while not waiting:  # libuv lets some in as well
            reader, writer = await asyncio.open_connection(*place)
            if asks:
                writer.write(b"GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n")
            await asyncio.sleep(0.01)

        server.should_exit = True
        told = await reader.read()
        await task
    writer.close()

    assert told.startswith(b"HTTP/1.1 200 ") == asks
    assert (b"connection: close" in told) == asks


async def test_on_sigterm_readiness_goes_first_then_the_sockets_then_the_server() -> None:
    told: list[str] = []
    lifecycle = Lifecycle()

    async def close_sockets() -> None:
        told.append("sockets")

    def end_server(number: int, _frame: object) -> None:
        told.append(f"server {signal.Signals(number).name}")

    lifecycle.on_drain.append(close_sockets)
    former = signal.signal(signal.SIGTERM, end_server)
    try:
        with draining_on_sigterm(lifecycle, 0.05):
            signal.raise_signal(signal.SIGTERM)
            await until(lambda: lifecycle.draining)
            assert told == []
            await until(lambda: len(told) == 2)
        assert signal.getsignal(signal.SIGTERM) is end_server
    finally:
        signal.signal(signal.SIGTERM, former)

    assert told == ["sockets", "server SIGTERM"]
    assert lifecycle.stopping


async def test_a_second_sigterm_ends_the_waiting() -> None:
    ended = asyncio.Event()
    former = signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    try:
        with draining_on_sigterm(Lifecycle(), 3600):
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.01)
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await ended.wait()
    finally:
        signal.signal(signal.SIGTERM, former)


async def test_a_socket_that_fails_keeps_no_process_from_ending() -> None:
    ended = asyncio.Event()
    lifecycle = Lifecycle()

    async def fail() -> None:
        raise RuntimeError("a socket failed")

    lifecycle.on_drain.append(fail)
    former = signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    try:
        with draining_on_sigterm(lifecycle, 0):
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await ended.wait()
    finally:
        signal.signal(signal.SIGTERM, former)


async def test_a_process_that_serves_has_all_rights_in_memory_and_looks_for_no_garbage_among_them(
    world: Gateway,
) -> None:
    app = create_app(world.services, Settings(drain_seconds=0))
    frozen = gc.get_freeze_count()

    async with app.router.lifespan_context(app):
        index = world.services.index.current()
        assert index is not None
        assert index.people.find("user_name", "ana") == world.ids["ana"]
        assert gc.get_freeze_count() > frozen
        assert not gc.is_tracked(index) or all(index is not one for one in gc.get_objects())

    assert world.services.index.current() is None
