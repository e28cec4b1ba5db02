"""Rights that are kept as JSON: the same for everybody of a profile, and shown to nobody who may not see them."""

from datetime import timedelta
from typing import Any

import pytest

from app.graphql.spliced import PURE, is_pure
from app.services import at_once
from tests.factories import Gateway

RIGHTS = """query (
    $user: UserRef!, $system: String, $nodes: [String!], $states: [RightState!], $contract: ContractRef) {
  user(ref: $user) { effectiveRights(system: $system, nodes: $nodes, states: $states, contract: $contract) {
    permission { key label } value { text ... on SwitchValue { on } ... on LevelValue { rank } } granted { text } state
    missing { text } } } }"""
PLAIN = '{ user(ref: {userName: "%s"}) { effectiveRights { permission { key } state } } }'


@pytest.fixture
async def indexed(world: Gateway) -> Gateway:
    await world.services.index.start()
    return world


async def ask(gateway: Gateway, document: str, asked: dict[str, Any] | None = None, token: str | None = None) -> Any:
    await gateway.services.index.catch_up()
    return await gateway.gql(document, asked or {}, token=token)


@pytest.mark.parametrize("name", ["ana", "ben", "cleo", "olga"])
@pytest.mark.parametrize(
    "asked",
    [
        {}, {"system": "desk"}, {"nodes": ["desk.reports.menu", "desk.reports.export"]}, {"states": ["ACTIVE"]},
        {"contract": {"number": "C-1"}}, {"contract": {"number": "C-1"}, "states": ["ACTIVE", "LIMITED"]},
        {"system": "nobody's"}, {"nodes": []},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_kept_is_what_is_worked_out(indexed: Gateway, name: str, asked: dict[str, Any]) -> None:
    given = {"user": {"userName": name}, **asked}
    answers = [await ask(indexed, RIGHTS, given) for _ in range(3)]  # read, kept, and spliced in
    await indexed.services.index.close()
    assert answers == [await indexed.gql(RIGHTS, given)] * 3


async def test_it_is_written_once_for_all_of_a_profile(indexed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    await indexed.create_users("dora", "emil")
    first = [await ask(indexed, PLAIN % name) for name in ("dora", "dora", "emil")]
    monkeypatch.setattr(at_once, "list_effective_rights", None)
    for name in ("dora", "emil"):
        assert await ask(indexed, PLAIN % name) == first[0]


async def test_what_is_kept_is_shown_to_nobody_who_may_not_see_it(indexed: Gateway) -> None:
    """Whoever sees no rights of others is refused as ever, though the answer lies there."""
    await ask(indexed, PLAIN % "ana")
    await ask(indexed, PLAIN % "ana")
    _, secret = await indexed.issue_token("cleo")
    await indexed.mutate(
        "grantPermissions",
        {"holder": {"user": {"userName": "cleo"}}, "grants": [{"permission": "gateway.users.view"}]},
    )  # fmt: skip
    await indexed.services.index.catch_up()
    answer = await indexed.ask(PLAIN % "ana", token=secret)
    assert answer["data"] == {"user": None} or answer["errors"]
    assert "Needs the right `gateway.rights.view`" in str(answer["errors"])


async def test_it_ends_with_the_revision_and_with_time(indexed: Gateway) -> None:
    document, menu = RIGHTS, {"user": {"userName": "cleo"}, "nodes": ["desk.reports.menu"]}

    async def state() -> str:
        rights = (await ask(indexed, document, menu))["user"]["effectiveRights"]
        return str(rights[0]["state"])

    assert [await state() for _ in range(3)] == ["NOT_GRANTED"] * 3
    until = indexed.clock().replace(microsecond=0).replace(minute=30)
    grant = {"permission": "desk.reports.menu", "validUntil": until.isoformat()}
    await indexed.mutate("grantPermissions", {"holder": {"user": {"userName": "cleo"}}, "grants": [grant]})
    assert [await state() for _ in range(3)] == ["ACTIVE"] * 3
    indexed.clock.advance(minutes=31)
    assert [await state() for _ in range(3)] == ["NOT_GRANTED"] * 3


async def test_aliases_and_selections_are_kept_apart(indexed: Gateway) -> None:
    """Two selections of the same rights, under other names and in another order, in one document and in several."""
    document = """{ user(ref: {userName: "ana"}) {
      a: effectiveRights { s: state permission { key } } b: effectiveRights { state p: permission { k: key } }
      c: effectiveRights(states: [ACTIVE]) { state } } }"""
    answers = [await ask(indexed, document) for _ in range(3)]
    await indexed.services.index.close()
    assert [await indexed.gql(document)] * 3 == answers


def test_only_selections_of_the_catalog_and_the_profile_are_kept() -> None:
    assert is_pure("permission{key } state value{text ...SwitchValue{on } ...{text } } ")
    assert is_pure("a:state b:permission{c:key } ")
    assert not is_pure("permission{holders(first: 1){edges{node{id } } } } ")
    assert not is_pure("contributions{source } ")
    assert not is_pure("state:contributions{value{text } } "), "an alias may be called anything"
    assert not is_pure("permission{system{key } holders{totalCount } } ")
    assert "holders" not in PURE


async def test_another_moment_is_not_given_what_is_kept_of_now(indexed: Gateway) -> None:
    """A right that is held for an hour: kept as it is now, asked for after its end and before it was known."""
    before = await indexed.revision()
    until = (indexed.clock() + timedelta(hours=1)).isoformat()
    grant = {"permission": "desk.reports.menu", "validUntil": until}
    await indexed.mutate("grantPermissions", {"holder": {"user": {"userName": "cleo"}}, "grants": [grant]})
    document = '{ user(ref: {userName: "cleo"}) { effectiveRights(nodes: ["desk.reports.menu"]%s) { state } } }'

    async def state(more: str = "") -> str:
        return str((await ask(indexed, document % more))["user"]["effectiveRights"][0]["state"])

    assert [await state() for _ in range(3)] == ["ACTIVE"] * 3
    assert await state(f', at: "{until}"') == "NOT_GRANTED"
    assert await state(f', asOf: {{revision: "{before}"}}') == "NOT_GRANTED"
