"""Writers at a served gateway that may die at any moment: what they asked for, what they were told, what is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.factories import Clock, Template, open_copy, select
from tests.histories import assert_sound

MAKE = """mutation Make($name: String!) {
    createUser(input: {userName: $name, idempotencyKey: $name}) { revision errors { code message } }
}"""
MADE = "SELECT user_name, min(created_revision) FROM users GROUP BY user_name"
UNBOUND = {  # of a server that one caller may keep busy by themselves
    "PERMGATE_CALLER_REFILL": "1000000000", "PERMGATE_CALLER_BUDGET": "1000000000", "PERMGATE_ACCESS_LOG": "off",
}  # fmt: skip
CALL_S = 60.0  # for an answer, on a machine that does other things as well


@dataclass
class Journal:
    """What was asked for, in its order, and what came of it by name: a revision, or an answer that is none."""

    asked: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    refused: dict[str, httpx.Response] = field(default_factory=dict)

    @property
    def untold(self) -> list[str]:
        """What nobody answered."""
        return [name for name in self.asked if name not in self.told and name not in self.refused]


class Caller:
    """A client of one served gateway, by one token."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.client = httpx.AsyncClient(
            base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=CALL_S, trust_env=False
        )

    async def post(self, document: str, **variables: Any) -> httpx.Response:
        return await self.client.post("/graphql", json={"query": document, "variables": variables})

    async def ask(self, document: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        response = await self.post(document, **variables)
        answer = response.json()
        assert response.status_code == 200 and "errors" not in answer, response.text
        return answer["data"]

    async def make(self, name: str) -> httpx.Response:
        """Asks for a person, under a key that is their name."""
        return await self.post(MAKE, name=name)

    async def is_ready(self) -> bool:
        return (await self.client.get("/readyz")).status_code == 200


@asynccontextmanager
async def calling(address: str, token: str) -> AsyncIterator[Caller]:
    caller = Caller(address, token)
    async with caller.client:
        yield caller


def read_revision(response: httpx.Response) -> int | None:
    """The revision that an answer tells of; None where nothing was done."""
    answer = response.json()
    if response.status_code != 200 or "errors" in answer or answer["data"]["createUser"]["errors"]:
        return None
    return int(answer["data"]["createUser"]["revision"])


async def write_on(caller: Caller, journal: Journal, hand: str, stopping: asyncio.Event | None = None) -> None:
    """Makes one person after the other, until the server is gone, or it is told to stop."""
    number = 0
    while stopping is None or not stopping.is_set():
        name = f"{hand}-{number}"
        journal.asked.append(name)
        try:
            response = await caller.make(name)
        except httpx.TransportError:
            return
        revision = read_revision(response)
        if revision is None:
            journal.refused[name] = response
        else:
            journal.told[name] = revision
        number += 1


async def assert_nothing_lost(template: Template, path: Path, journal: Journal) -> int:
    """What was told is there at the revision that was told, whole and with its entry; gives how much more is there."""
    services = open_copy(template, path, Clock())
    try:
        await assert_sound(services, path)
    finally:
        await services.close()
    there = dict(select(path, MADE))
    lost = {name: revision for name, revision in journal.told.items() if there.get(name) != revision}
    assert not lost, f"{len(lost)} of {len(journal.told)} acknowledged are lost: {lost}"
    return sum(name in there for name in (*journal.untold, *journal.refused))


async def assert_told_once(caller: Caller, journal: Journal, path: Path) -> None:
    """Asked again under the same keys all of it is done, once, and what was told is told again."""
    for name in journal.asked:
        revision = read_revision(await caller.make(name))
        assert revision is not None and journal.told.get(name, revision) == revision
    for name in journal.asked:
        assert select(path, "SELECT count(*) FROM users WHERE user_name = ?", name) == [(1,)]
