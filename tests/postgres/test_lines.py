"""F29: the line between a gateway and its database goes down, and comes up again: bounded waits, nobody is let in."""

import asyncio
import math
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db.sensor import BELIEVED_S
from tests.factories import holder
from tests.postgres.server import Server
from tests.postgres.stores import Direct, Store
from tests.postgres.test_outages import HANGS_S
from tests.postgres.test_replicas import (
    CAN,
    MENU,
    Host,
    Pair,
    call,
    fill,
    namespaces,
    reachable_server,
)
from tests.serving import serving

FIXTURES = (namespaces, reachable_server)  # named, so that pytest finds them here too
DOWN_S = 15.0
HEALS_S = 10.0
ASK_S = 0.1  # between two questions
TIMES = 3


class Line:
    """A second cable of a namespace, by which it has its database; clients come by the first."""

    def __init__(self, name: str) -> None:
        self.outside, inside = f"pg{os.getpid() % 100000}d", f"pg{os.getpid() % 100000}e"
        call("ip", "link", "add", self.outside, "type", "veth", "peer", "name", inside, "netns", name)
        call("ip", "addr", "add", "10.213.101.1/24", "dev", self.outside)
        call("ip", "link", "set", self.outside, "up")
        call("ip", "-n", name, "addr", "add", "10.213.101.2/24", "dev", inside)
        call("ip", "-n", name, "link", "set", inside, "up")

    def set(self, state: str) -> None:
        """Takes it `down`, so that what is sent is lost without a word, or `up`."""
        subprocess.run(["ip", "link", "set", self.outside, state], check=True)


@pytest.fixture
def line(namespaces: list[str]) -> Iterator[Line]:
    line = Line(namespaces[1])
    yield line
    subprocess.run(["ip", "link", "del", line.outside], check=False, capture_output=True)


@dataclass(frozen=True)
class Asked:
    """A question: when it was asked, in seconds of the monotonic clock, how long the answer took, and what it was."""

    at: float
    wait: float
    response: httpx.Response


async def ask(client: httpx.AsyncClient, minimum: int | None = None) -> Asked:
    begun = time.monotonic()
    extensions = {} if minimum is None else {"minRevision": str(minimum)}
    response = await client.post("/graphql", json={"query": CAN, "extensions": extensions})
    return Asked(begun, time.monotonic() - begun, response)


def is_yes(response: httpx.Response) -> bool:
    return response.status_code == 200 and '"allowed":true' in response.text


@pytest.mark.deep
async def test_f29_a_line_that_goes_down_lets_nobody_in_and_nobody_wait_for_ever(
    namespaces: list[str], line: Line, reachable_server: Server, tmp_path: Path, record_property: Any
) -> None:
    """A right is revoked by another gateway while the line is down: this one says nothing older than that by
    `minRevision`, and no yes at all later than a second after the revoke, as long as nobody can tell it anything.

    Whoever asks has an answer within a bound, and a no soon after the line is up again.
    """
    direct = Direct()
    store = Store(reachable_server, direct, "lines").create()
    token = await asyncio.to_thread(fill, store)
    hosts = []
    for number, (name, database) in enumerate(zip(namespaces, ("10.213.1.1", "10.213.101.1"), strict=True), 1):
        url = reachable_server.url.set(host=database, database=store.name)
        host = Host(
            tmp_path, tmp_path / f"{name}.log", port=8000, arguments=("--host", f"10.213.{number}.2"),
            environment={
                "PERMGATE_DATABASE_URL": url.render_as_string(hide_password=False),
                "PERMGATE_CALLER_BUDGET": "1000000000", "PERMGATE_CALLER_REFILL": "1000000000",
                "PERMGATE_MAX_CALLER_CONCURRENCY": "32",
            },
            under=("ip", "netns", "exec", name),
        )  # fmt: skip
        host.number = number
        hosts.append(host)
    outages = []
    with serving(*hosts):
        headers = {"authorization": f"Bearer {token}"}
        left, right = (httpx.AsyncClient(base_url=host.address, headers=headers, timeout=60) for host in hosts)
        async with left, right:
            pair = Pair(left, right)
            for _ in range(TIMES):
                outages.append(await cut_off(pair, line))
    direct.close()
    told = {
        "questions": sum(outage.questions for outage in outages),
        "longest wait": max(outage.longest for outage in outages),
        "last yes": max(outage.last_yes for outage in outages),
        "not ready after": max(outage.not_ready for outage in outages),
        "healed after": max(outage.healed for outage in outages),
    }
    record_property("figures", told)
    print(f"F29: {TIMES} times down for {DOWN_S:.0f} s: {told}")  # noqa: T201  # with `pytest -s`
    assert told["last yes"] < BELIEVED_S
    assert told["longest wait"] < HANGS_S
    assert told["healed after"] < HEALS_S


@dataclass(frozen=True)
class Outage:
    """What came of one. Seconds: `last_yes` and `not_ready` since the revoke was answered, `healed` since it ended."""

    questions: int
    longest: float
    last_yes: float
    not_ready: float
    healed: float


async def cut_off(pair: Pair, line: Line) -> Outage:
    """Takes the line of the right one down, revokes on the left, asks on the right, and takes it up again."""
    cleo, right = holder(user="cleo"), pair.right
    given = {"holder": cleo, "grants": [{"permission": MENU}]}
    granted = await pair.change("grantPermissions", "GrantPermissionsInput", given)
    assert is_yes((await ask(right, granted)).response)
    line.set("down")
    given = {"holder": cleo, "revokes": [{"permission": MENU}]}
    revoked = await pair.change("revokePermissions", "RevokePermissionsInput", given)
    begun = time.monotonic()
    plain, by_revision, not_ready = [], [], math.inf
    while time.monotonic() < begun + DOWN_S:
        plain.append(asyncio.create_task(ask(right)))
        by_revision.append(asyncio.create_task(ask(right, revoked)))
        if (await right.get("/readyz")).status_code == 503:
            not_ready = min(not_ready, time.monotonic() - begun)
        assert (await right.get("/livez")).status_code == 200
        await asyncio.sleep(ASK_S)
    line.set("up")
    up = time.monotonic()
    while "errors" in (healed := await ask(right)).response.json():  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(ASK_S)
    assert not is_yes(healed.response)
    healed_after = time.monotonic() - up
    told, told_by_revision = await asyncio.gather(*plain), await asyncio.gather(*by_revision)
    assert not any(is_yes(one.response) for one in told_by_revision)
    everything = [*told, *told_by_revision]
    assert {one.response.status_code for one in everything} <= {200, 429, 503}
    return Outage(
        len(everything), max(one.wait for one in everything),
        max((one.at + one.wait - begun for one in told if is_yes(one.response)), default=0.0), not_ready, healed_after,
    )  # fmt: skip
