"""Random documents that the schema allows, by the callers of the demo: no answer is an accident.

By default 40 documents, `-m deep` 10,000 in five parts, queries and mutations in turn, with what the mutations leave
behind. And no connection of the pool is left to the garbage collector.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import httpx
import hypothesis_graphql
import pytest
from graphql import DocumentNode, GraphQLSchema, build_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode, nodes

from app.main import create_app, open_services
from app.services.context import Services
from app.services.demo import DEMO_CALLERS, load_demo
from app.settings import Limits, Settings, find_seeds
from tests.adversarial.documents import Enlivener, Words
from tests.adversarial.judging import find_faults
from tests.factories import executor

ROUND = 200  # documents until the demo is loaded anew: what has been done to it by then is left behind
LARGE = tuple(HealthCheck)
SCALARS = {
    "DateTime": st.sampled_from(["2026-11-27T12:00:00Z", "2031-01-01T00:00:00+02:00", "1999-12-31T23:59:60Z", "never"]),
    "Revision": st.integers(0, 12).map(str),
}


@cache
def public_schema() -> GraphQLSchema:
    """The schema that clients have."""
    return build_schema((Path(__file__).parents[2] / "schema.graphql").read_text("utf-8"))


def documents() -> st.SearchStrategy[DocumentNode]:
    scalars = {name: values.map(nodes.String) for name, values in SCALARS.items()}
    kinds = (hypothesis_graphql.queries, hypothesis_graphql.mutations)
    return st.one_of(
        *(kind(public_schema(), custom_scalars=scalars, print_ast=lambda node: node, mode=mode)  # type: ignore[misc]
          for kind in kinds for mode in (Mode.POSITIVE, Mode.NEGATIVE))
    )  # fmt: skip


# ---------------------------------------------------------------------- the demo


@dataclass
class Demo:
    """The demo world behind the application, without a network between."""

    services: Services
    client: httpx.AsyncClient
    tokens: dict[str, str]

    async def ask(self, caller: str, document: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[caller]}"}
        return await self.client.post("/graphql", json={"query": document}, headers=headers)


@asynccontextmanager
async def open_demo(folder: Path) -> AsyncIterator[Demo]:
    of_demo = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/demo.db", seeds=find_seeds(),
        limits=Limits(max_new_documents=1_000_000),  # all of them are new
    )  # fmt: skip
    services = await open_services(of_demo)
    try:
        tokens = await load_demo(services, of_demo.seeds / "demo.yaml")
        transport = httpx.ASGITransport(app=create_app(services, of_demo), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            yield Demo(services, client, tokens)
    finally:
        await services.close()


PEOPLE_AND_THINGS = """{
  users(first: 100) { edges { node { id userName externalId tokens { id } grants { id } limits { id } roles { id }
                                     teams { id } } } }
  roles(first: 50) { edges { node { id key grants { id } } } }
  teams(first: 50) { edges { node { id key } } }
  contracts(first: 50) { edges { node { id number products { key } } } }
  systems { id key }
  permissionNodes(first: 100) { edges { cursor node { id key } } }
  syncSources { source }
  facts { name }
}"""


async def find_words(demo: Demo) -> Words:
    """What there is in the demo, by the arguments and input fields that it fits."""
    data = (await demo.ask("owner", PEOPLE_AND_THINGS)).json()["data"]
    users, roles, teams, contracts, permissions = (
        [edge["node"] for edge in data[name]["edges"]]
        for name in ("users", "roles", "teams", "contracts", "permissionNodes")
    )
    rows = [row["id"] for user in users for kind in ("grants", "limits", "roles", "teams") for row in user[kind]]
    keys = [permission["key"] for permission in permissions]
    products = sorted({product["key"] for contract in contracts for product in contract["products"]})
    ids = [one["id"] for one in (*users, *roles, *teams, *contracts, *data["systems"], *permissions)]
    return {
        "UserRef.id": [user["id"] for user in users], "userName": [user["userName"] for user in users],
        "externalId": [user["externalId"] for user in users if user["externalId"]] or ["e-1"],
        "RoleRef.id": [role["id"] for role in roles], "RoleRef.key": [role["key"] for role in roles],
        "TeamRef.id": [team["id"] for team in teams], "TeamRef.key": [team["key"] for team in teams],
        "ContractRef.id": [contract["id"] for contract in contracts],
        "number": [contract["number"] for contract in contracts],
        "id": ids + rows, "ids": ids + rows, "RevokeInput.id": rows, "ID": ids,
        "RevokeTokenInput.id": [token["id"] for user in users for token in user["tokens"]],
        "node": keys, "nodes": keys, "permission": keys, "permissionNode.key": keys, "grants": keys, "parent": keys,
        "Query.key": keys, "system": [system["key"] for system in data["systems"]],
        "product": products, "products": products, "source": [one["source"] for one in data["syncSources"]],
        "name": [fact["name"] for fact in data["facts"]], "value": ["true", "5", "-1"],
        "level": ["User", "USER", "View only", "Modify"], "scopes": ["own", "all"], "members": ["a"],
        "after": [edge["cursor"] for edge in data["permissionNodes"]["edges"][:3]], "before": ["x"],
        "first": [1, 2, 5], "last": [1, 3], "idempotencyKey": ["once", "twice"], "amount": [0, 1, 5],
        "String": ["x", "a b", "\uff21\uff22", "\u202eevil", "é", "", "a" * 300, "\u0000", "C-100", "owner"],
        "Int": [0, 1, 2**31 - 1, -1], "DateTime": ["2026-11-27T12:00:00Z", "2031-01-01T00:00:00Z"],
        "Revision": ["1", "3", "99"],
    }  # fmt: skip


# ---------------------------------------------------------------------- what comes of it


class Rounds:
    """The demo, loaded anew now and then: random changes put people to rest, and with them the callers."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self.runner, self.folder = runner, folder
        self.stack = AsyncExitStack()
        self.asked = 0
        self.demo: Demo
        self.words: Words

    def ask(self, caller: str, document: DocumentNode, pick: int) -> tuple[str, httpx.Response]:
        """What was sent, and what came of it."""
        return self.runner.run(self._ask(caller, document, pick))

    async def _ask(self, caller: str, document: DocumentNode, pick: int) -> tuple[str, httpx.Response]:
        if self.asked % ROUND == 0:
            await self.close()
            folder = self.folder / str(self.asked)
            folder.mkdir()
            self.demo = await self.stack.enter_async_context(open_demo(folder))
            self.words = await find_words(self.demo)
        self.asked += 1
        text = Enlivener(public_schema(), self.words, Random(pick)).rewrite(document)
        response = await self.demo.ask(caller, text)
        if response.status_code == 401:
            self.asked = (self.asked // ROUND + 1) * ROUND
        return text, response

    async def close(self) -> None:
        await self.stack.aclose()


@pytest.mark.parametrize(
    "count", [40, *(pytest.param(2_000, marks=pytest.mark.deep, id=f"part{part}") for part in range(1, 6))]
)
def test_no_answer_to_a_random_document_is_an_accident(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.web.routes.Executor", executor)
    with asyncio.Runner() as runner:
        rounds = Rounds(runner, tmp_path)

        @settings(max_examples=count, deadline=None, database=None, suppress_health_check=LARGE)
        @given(documents(), st.sampled_from(DEMO_CALLERS), st.integers(0, 2**30))
        def send(document: DocumentNode, caller: str, pick: int) -> None:
            text, response = rounds.ask(caller, document, pick)
            assert response.status_code in {200, 401, 429}, (response.status_code, response.text[:500])
            faults = find_faults(response.json(), text)
            assert not faults, (faults, caller, text)

        try:
            send()
        finally:
            runner.run(rounds.close())
    gc.collect()
    left = [record for record in caplog.records if "garbage collector" in record.getMessage()]
    assert not left, left
