"""What is kept as JSON, through random histories: to the letter what graphql-core answers from the database.

By default 3 histories of 12 steps; `-m deep` 60. After each step everybody asks everything, three times: what is kept
comes to be, is shown, and is shown to others. Callers see everybody, or some, or everybody but what is in a contract;
rights that show it begin and end with time.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.callers import Caller, Right
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.errors import Refused
from app.domain.holders import UserId
from app.domain.references import Ref
from app.domain.values import ValueInput
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.teams import TeamAsked
from app.domain.wishes.users import UNCHANGED, UserAsked
from app.graphql.execution import Executor, Request
from app.services import grants, roles, teams, users
from app.services.context import Services
from app.services.grants import AssignItem, GrantItem
from app.services.references import HolderRef
from app.services.writing import WriteOptions
from tests.factories import Template, executor
from tests.services.test_history import PEOPLE, ROLES, STEPS, TEAMS, History, begin_history

pytestmark = pytest.mark.of_plans

PAGES = (
    "edges { cursor node { who: userName isOwner status ...All } } pageInfo { hasNextPage hasPreviousPage endCursor }",
    "edges { node { id userName displayName roles { role { key } } teams { team { key } } } }",
    "totalCount pageInfo { startCursor } edges { node { email externalId kind source } }",
    "edges { node { id } } again: edges { node { userName roles { role { key } } } } last: edges { node { kind } }",
    "edges { node { userName teams { supervisor team { displayName archived roles { role { key } } } } } }",  # not kept
    "edges { node { userName roles { contract { number } role { key } } } }",  # not kept
)
ALL = """fragment All on User {
  roles { id validFrom validUntil source reason createdAt revision role { id key displayName description archived } }
  ... on Holder { displayName } teams { supervisor team { id key kind archived source } } }"""
RIGHTS = (
    "permission { key } value { text } state",
    "state granted { text ... on LevelValue { rank } ... on MembersValue { members all } } permission { label }",
    "missing { text } state",
)
VIEWS = (Right.VIEW_USERS, Right.VIEW_ROLES, Right.VIEW_RIGHTS, Right.VIEW_TEAMS)
SLICES: tuple[Mapping[str, Any], ...] = ({"first": 100}, {"first": 100}, {"first": 2}, {"first": 0}, {"last": 3})


class GraphqlCore(Executor):
    """Runs everything by graphql-core."""

    def _find_plan(self, *_given: Any) -> None:
        return None


@pytest.mark.long
@pytest.mark.parametrize("count", [pytest.param(3, id="default"), pytest.param(60, id="deep", marks=pytest.mark.deep)])
async def test_what_is_kept_is_what_graphql_core_answers_from_the_database(
    stocked_template: Template, tmp_path: Path, count: int
) -> None:
    by_core, seen = GraphqlCore(), Counter[str]()
    for seed in range(count):
        history = await begin_history(stocked_template, tmp_path, seed)
        try:
            await _let_some_see(history)
            await history.services.index.start()
            for _ in range(STEPS):
                try:
                    await _step(history)
                except Refused:
                    seen["refused steps"] += 1
                await history.services.index.catch_up()
                await _compare(history, by_core, seen)
        finally:
            await history.services.close()
    assert seen["pages kept"] > count * STEPS * 3
    assert seen["rights kept"] > count * STEPS * 3


async def _let_some_see(history: History) -> None:
    """ana sees everything but what is in C-1, ben everybody with what they have in C-1 alone, dora nothing.

    cleo sees everything for some hours. cleo and dora have a role in C-1 alone, dora one everywhere.
    """
    ids, contract, until = history.ids, Ref("number", "C-1"), history.clock() + timedelta(hours=3)
    for name, given in (
        ("ana", [GrantItem(permission=right) for right in VIEWS]),
        ("ben", [GrantItem(permission=right) for right in VIEWS[:2]]),
        ("ben", [GrantItem(permission=right, contract=contract) for right in VIEWS[2:]]),
        ("cleo", [GrantItem(permission=right, valid_until=until) for right in VIEWS]),
    ):
        holder = HolderRef("user", Ref("id", ids[name]))
        await grants.grant_permissions(
            history.services, history.caller, holder, given, on_missing=MissingPrerequisites.INCLUDE,
            options=WriteOptions(),
        )  # fmt: skip
    for name, key, within in (("cleo", "leads", contract), ("dora", "leads", contract), ("dora", "writers", None)):
        await grants.assign_roles(
            history.services, history.caller, HolderRef("user", Ref("id", ids[name])),
            [AssignItem(role=Ref("id", ids[key]), contract=within)], options=WriteOptions(),
        )  # fmt: skip
    limited = [GrantItem(permission=Right.VIEW_RIGHTS, value=ValueInput("none", True), contract=contract)]
    await grants.limit_permissions(
        history.services, history.caller, HolderRef("user", Ref("id", ids["ana"])), limited,
        on_dependents=Dependents.SUSPEND, options=WriteOptions(),
    )  # fmt: skip


async def _step(history: History) -> None:
    """A change of a history, or a name of somebody or something that pages show."""
    what, options = history.pick(("step", "step", "person", "role", "team")), WriteOptions()
    name, services, caller = f"Name {history.chance.random()}", history.services, history.caller
    if what == "step":
        await history.step()
    elif what == "person":
        await users.update_user(services, caller, history.person(), UserAsked(display_name=name), options=options)
    elif what == "role":
        role = Ref("id", history.ids[history.pick(ROLES)])
        await roles.update_role(
            services, caller, role, RoleAsked(display_name=name), parents=UNCHANGED, on_dependents=Dependents.REJECT,
            options=options,
        )  # fmt: skip
    else:
        team = Ref("id", history.ids[history.pick(TEAMS)])
        await teams.update_team(
            services, caller, team, TeamAsked(display_name=name), parent=UNCHANGED, on_dependents=Dependents.REJECT,
            options=options,
        )  # fmt: skip


async def _compare(history: History, by_core: Executor, seen: Counter[str]) -> None:
    services = history.services
    others = [Caller(user=UserId(history.ids[name]), user_name=name) for name in PEOPLE]
    for body in [*_pages(history), *_rights(history)]:
        callers = [history.caller, others[0], history.pick(others[1:])]
        for caller in history.chance.sample(callers, len(callers)):
            async with _setting_aside(services):
                expected, _ = await _ask(by_core, services, caller, body)
            for _ in range(2):
                found, is_kept = await _ask(executor(), services, caller, body)
                assert found == expected, (caller.user_name, body)
                seen["pages kept" if "users" in body["query"] else "rights kept"] += is_kept


def _pages(history: History) -> list[dict[str, Any]]:
    part = history.pick(SLICES)
    given = "".join(f" {name}: {value}" for name, value in part.items())
    selected = [PAGES[0], *history.chance.sample(PAGES[1:], 2)]
    return [{"query": f"{{ users({given}) {{ {one} }} }} {ALL if 'All' in one else ''}"} for one in selected]


def _rights(history: History) -> list[dict[str, Any]]:
    arguments = history.pick(("", "(states: [ACTIVE, LIMITED])", '(system: "desk")', '(contract: {number: "C-1"})'))
    person, selected = history.person(), history.pick(RIGHTS)
    return [{"query": f'{{ user(ref: {{id: "{person.value}"}}) {{ effectiveRights{arguments} {{ {selected} }} }} }}'}]


async def _ask(by: Executor, services: Services, caller: Caller, body: dict[str, Any]) -> tuple[bytes, bool]:
    """The answer, and whether what is in it was there as JSON: then nothing had to be read for it."""
    admitted = await by.admit(Request(**body), caller)
    answer = await by.execute(services, caller, admitted)
    written = orjson.dumps(answer)
    data = answer["data"] or {}
    within = (data.get("users") or {}).get("edges", (data.get("user") or {}).get("effectiveRights"))
    return written, isinstance(within, orjson.Fragment)


@asynccontextmanager
async def _setting_aside(services: Services) -> AsyncIterator[None]:
    """Has everything answered from the database meanwhile."""
    latest, services.index._latest = services.index._latest, None
    try:
        yield
    finally:
        services.index._latest = latest
