"""The demo world loads, shows what it is there to show, and is sound but for what it marks.

What it says of its people is proved by `tests/cases/the_demo_tells_its_story.yaml`.
"""

import asyncio
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import httpx
import pytest

from app.catalogs.world_files import WorldReading, read_world
from app.domain.callers import GATEWAY
from app.domain.catalog import ObligationKind, Operation, Polarity
from app.domain.decisions import check
from app.domain.holders import Access, ContractStatus, HolderId, TeamKind, UserKind, UserStatus
from app.domain.requirements import AllOf, AnyOf, AtLeast, Atom, Rule, evaluate
from app.domain.rights import Evaluation, State, Subject, list_rights
from app.domain.values import ScopeType, Value
from app.domain.world import World
from app.main import create_app, open_services
from app.services.demo import DEMO_CALLERS, load_demo
from app.settings import Settings, find_seeds
from tests.casefiles import NOW, given_id, read_demo, seeded_program
from tests.casewords import Names
from tests.factories import executor


@cache
def demo_world() -> World:
    reading = WorldReading(seeded_program().catalog, given_id, NOW)
    return World.of(read_world(read_demo(), read_demo().data["world"], reading, place=("world",)))


def iterate_evaluations() -> Iterator[Evaluation]:
    """The demo world outside every contract, and in each."""
    world = demo_world()
    for contract in (None, *world.contracts):
        yield Evaluation(seeded_program(), world, contract=contract, at=NOW)


# ---------------------------------------------------------------------- what there is


def test_there_are_people_of_every_kind() -> None:
    world = demo_world()
    assert 40 <= len(world.users) <= 50
    assert 12 <= len(world.roles) <= 18
    assert len(world.contracts) == 3
    assert {user.status for user in world.users.values()} == set(UserStatus)
    assert {user.kind for user in world.users.values()} == set(UserKind)
    assert {team.kind for team in world.teams.values()} == set(TeamKind)
    statuses = {contract.status for contract in world.contracts.values()}
    assert statuses == {ContractStatus.ACTIVE, ContractStatus.SUSPENDED}
    products = [contract.products for contract in world.contracts.values()]
    assert len(set(products)) == len(products), "each contract has products of its own"


def test_there_are_rows_of_every_kind_window_and_source() -> None:
    world = demo_world()
    rows = [row for rows in world.rows.values() for row in rows]
    assert {type(row).__name__ for row in rows} == {
        "Grant", "Limit", "Assignment", "Membership", "Access", "SubscriberLink", "StoredFact",
    }  # fmt: skip
    ends = [row.valid_until for row in rows if row.valid_until is not None]
    assert any(end < NOW for end in ends), "something has ended"
    assert any(end.year >= 2031 for end in ends), "something ends, and not for years"
    assert any(row.valid_from is not None and row.valid_from.year >= 2031 for row in rows), "something is to come"
    assert {row.source for row in rows} == {"manual", "hr"}
    assert {user.source for user in world.users.values()} == {"manual", "hr"}
    assert {grant.node.partition(".")[0] for rows in world.rows.values() for grant in rows.grants} == {
        system.key for system in seeded_program().catalog.systems if system.key != "core"
    }  # rights of every system; those of CORE are levels, which everybody has


def test_every_state_occurs() -> None:
    found = {
        verdict.state
        for evaluation in iterate_evaluations()
        for user in evaluation.world.users
        for _, _, _, verdict in list_rights(evaluation, evaluation.effective(Subject(user=user)))
    }
    assert found == set(State)


def test_every_obligation_occurs() -> None:
    catalog = seeded_program().catalog
    nodes = [*catalog.permissions, *catalog.operations]
    found = set()
    for evaluation in iterate_evaluations():
        for user in evaluation.world.users:
            subject = Subject(user=user)
            effective = evaluation.effective(subject)
            for node in nodes:
                decision = check(evaluation, effective, subject, node, None)
                found |= {(obligation.kind, obligation.fields) for obligation in decision.obligations}
    assert {kind for kind, _ in found} == set(ObligationKind)
    assert found >= {  # both tag filters, and the scope of a link beside those of values
        (ObligationKind.FILTER_TAGS, ("data",)), (ObligationKind.FILTER_TAGS, ("assignment",)),
        (ObligationKind.SCOPE, ()), (ObligationKind.SCOPE, ("subscriber",)),
    }  # fmt: skip


def test_every_restriction_binds_somebody() -> None:
    bound = {
        permission.key
        for evaluation in iterate_evaluations()
        for user in evaluation.world.users
        for permission, value, _, _ in list_rights(evaluation, evaluation.effective(Subject(user=user)))
        if permission.polarity is Polarity.RESTRICTION and value != permission.value_type.bottom
    }
    restrictions = {p.key for p in seeded_program().catalog.permissions if p.polarity is Polarity.RESTRICTION}
    assert bound == restrictions


def iterate_values() -> Iterator[dict[str, Value]]:
    """What each person holds, outside every contract and in each, without owning the account or that contract."""
    for evaluation in iterate_evaluations():
        for user in evaluation.world.users:
            effective = evaluation.effective(Subject(user=user))
            if not effective.owner:
                yield {permission.key: value for permission, value, _, _ in list_rights(evaluation, effective)}


def test_every_setting_is_set_and_every_rule_is_met_by_somebody_who_owns_nothing() -> None:
    permissions = [
        found
        for found in seeded_program().catalog.permissions
        if not found.access_level and found.system != GATEWAY  # the rules are those of the manuals
    ]
    settings = {found.key for found in permissions if found.polarity is Polarity.SETTING}
    needing = {found.key for found in permissions if any(rule.enforcement == "enforced" for rule in found.rules)}
    giving = {found.key for found in permissions if found.implies}
    assert settings and needing and giving
    bottoms = {found.key: found.value_type.bottom for found in permissions}
    held = {key for values in iterate_values() for key, bottom in bottoms.items() if values.get(key, bottom) != bottom}
    assert (settings | needing | giving) - held == set()


def test_every_value_that_stands_beside_another_is_held_by_somebody_who_owns_nothing() -> None:
    held = [values.items() for values in iterate_values()]
    for key in ("ringover.dashboard_access.profile", "storm.privileges.supervisor_portal"):
        value_type = seeded_program().catalog.require_permission(key).value_type
        assert isinstance(value_type, ScopeType)
        printed = {value_type.print(value) for items in held for found, value in items if found == key}
        assert {name for text in printed for name in text.split(", ")} - {"none"} == set(value_type.names)


def test_every_operation_of_several_parts_is_open_to_somebody_who_owns_nothing() -> None:
    """With some target, where it asks something of one."""
    catalog = seeded_program().catalog
    closed = {node.key for node in catalog.operations if isinstance(node.requirement, AllOf | AnyOf)}
    for evaluation in iterate_evaluations():
        users = list(evaluation.world.users)
        for key in sorted(closed):
            node = catalog.nodes[key]
            assert isinstance(node, Operation)
            for user, target in product(users, users if key in catalog.leaning_on_target else [None]):
                subject = Subject(user=user, target=target)
                effective = evaluation.effective(subject)
                if not effective.owner and check(evaluation, effective, subject, node, None).allowed:
                    closed.discard(key)
                    break
    assert closed == set()


def test_somebody_holds_what_is_advised_against() -> None:
    catalog = seeded_program().catalog

    def lacks(values: dict[str, Value], rule: Rule) -> bool:
        def holds(atom: Atom) -> bool:
            assert isinstance(atom, AtLeast)
            value_type = catalog.require_permission(atom.node).value_type
            return value_type.at_least(values.get(atom.node, value_type.bottom), atom.value)

        return rule.enforcement == "advisory" and not evaluate(rule.requirement, holds)

    against = {
        key
        for values in iterate_values()
        for key, value in values.items()
        for permission in [catalog.require_permission(key)]
        if value != permission.value_type.bottom and any(lacks(values, rule) for rule in permission.rules)
    }
    assert "ringover.calls.can_pick_up_calls_in_waiting_list" in against


# ---------------------------------------------------------------------- what is suspended


def find_suspended(evaluation: Evaluation, holder: HolderId) -> Iterator[str]:
    """The rights of a holder that its requirements hold back, whatever the facts."""
    program, world = evaluation.program, evaluation.world
    if holder in world.users:
        for permission, _, _, verdict in list_rights(evaluation, evaluation.effective(Subject(user=holder))):  # type: ignore[arg-type]
            if verdict.state is State.SUSPENDED:
                yield permission.key
        return
    value = evaluation.value_of(holder)
    for number in program.differing(value, program.settle(value, program.met)):
        yield program.catalog.permissions[number].key


def test_nothing_is_suspended_but_what_is_marked() -> None:
    names = Names(seeded_program().catalog, demo_world())
    found: dict[str, set[str]] = {}
    for evaluation in iterate_evaluations():
        world = evaluation.world
        for holder in (*world.users, *world.roles, *world.teams):
            for key in find_suspended(evaluation, holder):
                found.setdefault(names.of[holder], set()).add(key)
    marked = {holder: set(keys) for holder, keys in read_demo().data["suspended"].items()}
    assert found == marked


# ---------------------------------------------------------------------- loading


def test_the_callers_are_in_the_world() -> None:
    callers: dict[str, str] = read_demo().data["callers"]
    users = {user.user_name: user for user in demo_world().users.values()}
    assert list(callers) == list(DEMO_CALLERS)
    assert all(users[name].status is UserStatus.ACTIVE for name in callers.values())
    assert users[callers["owner"]].is_owner
    assert users[callers["sync"]].kind is UserKind.SERVICE


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each caller is told by the demo as it is served, with the token that it was given."""

    async def ask() -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("demo")
        settings = Settings(database_url=f"sqlite+aiosqlite:///{folder}/demo.db", seeds=find_seeds())
        services = await open_services(settings)
        try:
            tokens = await load_demo(services, settings.seeds / "demo.yaml")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("app.web.routes.Executor", executor)
                transport = httpx.ASGITransport(app=create_app(services, Settings()))
            async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
                return {caller: await ask_as(client, token) for caller, token in tokens.items()}
        finally:
            await services.close()

    return asyncio.run(ask())


async def ask_as(client: httpx.AsyncClient, token: str) -> Any:
    query = "{ viewer { user { userName } } users { totalCount } roles { totalCount } teams { totalCount } }"
    headers = {"authorization": f"Bearer {token}"}
    response = await client.post("/graphql", json={"query": query}, headers=headers)
    assert response.status_code == 200
    return response.json()


@pytest.mark.parametrize("caller", DEMO_CALLERS)
def test_each_caller_may_ask_with_the_token_of_the_demo(caller: str, answers: dict[str, Any]) -> None:
    """Each sees a world of their own: all of it, the people of a contract, or oneself and what one has."""
    world = demo_world()
    whole = (len(world.users), len(world.roles), len(world.teams))
    in_c100 = {row.user for rows in world.rows.values() for row in rows.access if _number(world, row) == "C-100"}
    (ana,) = (user.id for user in world.users.values() if user.user_name == "ana")
    has = world.included_in(ana)
    seen = {
        "owner": whole, "sync": whole, "supervisor": (len(in_c100), *whole[1:]),
        "agent": (1, len(has & world.roles.keys()), len(has & world.teams.keys())),
    }  # fmt: skip
    assert len(in_c100) not in {1, whole[0]}
    assert answers[caller]["data"] == {
        "viewer": {"user": {"userName": read_demo().data["callers"][caller]}},
        **dict(zip(("users", "roles", "teams"), ({"totalCount": count} for count in seen[caller]), strict=True)),
    }


def _number(world: World, row: Access) -> str:
    assert row.contract is not None
    return world.contracts[row.contract].number
