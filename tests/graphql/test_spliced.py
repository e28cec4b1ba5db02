"""Rights that are kept as JSON: the same for everybody of a profile, and shown to nobody who may not see them."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from app.domain.holders import Grant, UserId
from app.domain.values import Switch
from app.graphql.spliced import PURE, is_of_edge, is_pure
from app.services.shown import Answers
from tests.factories import Gateway, count_statements

pytestmark = pytest.mark.of_plans

RIGHTS = """query (
    $user: UserRef!, $system: String, $nodes: [String!], $states: [RightState!], $contract: ContractRef) {
  user(ref: $user) { effectiveRights(system: $system, nodes: $nodes, states: $states, contract: $contract) {
    permission { key label } value { text ... on SwitchValue { on } ... on LevelValue { rank } } granted { text } state
    %s } } }"""
PLAIN = '{ user(ref: {userName: "%s"}) { effectiveRights { permission { key } state } } }'


@pytest.fixture
async def indexed(world: Gateway) -> Gateway:
    await world.services.index.start()
    return world


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many answers were `kept` already, and how many `new`; what is not spliced in is neither."""
    counted: Counter[str] = Counter()

    def count(self: Answers, key: Any) -> bytes | None:
        found = dict.get(self, key)
        counted["new" if found is None else "kept"] += 1
        return found

    monkeypatch.setattr(Answers, "get", count)
    return counted


async def ask(gateway: Gateway, document: str, asked: dict[str, Any] | None = None, token: str | None = None) -> Any:
    await gateway.services.index.catch_up()
    return await gateway.gql(document, asked or {}, token=token)


@pytest.mark.parametrize("name", ["ana", "ben", "cleo", "olga"])
@pytest.mark.parametrize(
    "asked",
    [
        {}, {"system": "desk"}, {"nodes": ["desk.reports.menu", "desk.reports.export"]}, {"states": ["ACTIVE"]},
        {"contract": {"number": "C-1"}}, {"contract": {"number": "C-1"}, "states": ["ACTIVE", "LIMITED"]},
        {"system": "gateway"}, {"nodes": []},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("selected", ["missing { text }", ""], ids=["with what is missing", "alone"])
async def test_what_is_kept_is_what_is_worked_out(
    indexed: Gateway, shown: Counter[str], name: str, asked: dict[str, Any], selected: str
) -> None:
    given, document = {"user": {"userName": name}, **asked}, RIGHTS % selected
    answers = [await ask(indexed, document, given) for _ in range(3)]  # written, kept, and spliced in
    assert shown == {"new": 1, "kept": 2}
    await indexed.services.index.close()
    assert answers == [await indexed.gql(document, given)] * 3


async def test_it_is_written_once_for_all_of_a_profile(indexed: Gateway, shown: Counter[str]) -> None:
    await indexed.create_users("dora", "emil")
    first = [await ask(indexed, PLAIN % name) for name in ("dora", "dora", "emil")]
    for name in ("dora", "emil"):
        assert await ask(indexed, PLAIN % name) == first[0]
    assert shown == {"new": 1, "kept": 4}


async def test_what_is_kept_is_shown_to_nobody_who_may_not_see_it(indexed: Gateway, shown: Counter[str]) -> None:
    """Whoever sees no rights of others is refused as ever, though the answer lies there."""
    await ask(indexed, PLAIN % "ana")
    await ask(indexed, PLAIN % "ana")
    assert shown == {"new": 1, "kept": 1}
    _, secret = await indexed.issue_token("cleo")
    await indexed.mutate(
        "grantPermissions",
        {"holder": {"user": {"userName": "cleo"}}, "grants": [{"permission": "gateway.users.view"}]},
    )  # fmt: skip
    await indexed.services.index.catch_up()
    answer = await indexed.ask(PLAIN % "ana", token=secret)
    assert answer["data"] == {"user": None} or answer["errors"]
    assert "Needs the right `gateway.rights.view`" in str(answer["errors"])


async def test_it_ends_with_the_revision_and_with_time(indexed: Gateway, shown: Counter[str]) -> None:
    document, menu = RIGHTS % "", {"user": {"userName": "cleo"}, "nodes": ["desk.reports.menu"]}

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
    assert shown == {"new": 3, "kept": 6}


async def test_aliases_and_selections_are_kept_apart(indexed: Gateway, shown: Counter[str]) -> None:
    """Two selections of the same rights, under other names and in another order, in one document and in several."""
    document = """{ user(ref: {userName: "ana"}) {
      a: effectiveRights { s: state permission { key } } b: effectiveRights { state p: permission { k: key } }
      c: effectiveRights(states: [ACTIVE]) { state } } }"""
    answers = [await ask(indexed, document) for _ in range(3)]
    assert shown == {"new": 3, "kept": 6}
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


async def test_other_circumstances_are_not_given_what_is_kept_of_now(indexed: Gateway, shown: Counter[str]) -> None:
    """A right that is held for an hour, and one that hangs on a fact: kept as they are now, by what is known."""
    before = await indexed.revision()
    until = (indexed.clock() + timedelta(hours=1)).isoformat()
    held = [{"permission": "desk.reports.menu", "validUntil": until}, {"permission": "desk.calls.send_texts"}]
    await indexed.mutate("grantPermissions", {"holder": {"user": {"userName": "cleo"}}, "grants": held})
    document = """{ user(ref: {userName: "cleo"}) {
      effectiveRights(nodes: ["desk.reports.menu", "desk.calls.send_texts"]%s) { permission { key } state } } }"""

    async def states(more: str = "") -> dict[str, str]:
        rights = (await ask(indexed, document % more))["user"]["effectiveRights"]
        return {right["permission"]["key"].rpartition(".")[2]: right["state"] for right in rights}

    now = {"menu": "ACTIVE", "send_texts": "CONDITIONAL"}
    assert [await states() for _ in range(3)] == [now] * 3
    assert shown == {"new": 1, "kept": 2}
    assert await states(f', at: "{until}"') == now | {"menu": "NOT_GRANTED"}
    assert await states(', facts: [{name: "credit_balance", value: "5"}]') == now | {"send_texts": "ACTIVE"}
    assert await states(', facts: [{name: "credit_balance", value: "0"}]') == now | {"send_texts": "SUSPENDED"}
    assert await states(f', asOf: {{revision: "{before}"}}') == dict.fromkeys(now, "NOT_GRANTED")
    assert await states(", facts: []") == now
    assert shown == {"new": 1, "kept": 3}


async def test_choices_of_one_selection_are_kept_apart(indexed: Gateway, shown: Counter[str]) -> None:
    chosen = ["", '(system: "desk")', "(states: [ACTIVE])", '(nodes: ["desk.reports.menu"])', "(nodes: [])",
              '(contract: {number: "C-1"})', '(contract: {number: "C-1"}, states: [NOT_GRANTED])']  # fmt: skip
    document = '{ user(ref: {userName: "ana"}) { effectiveRights%s { permission { key } state } } }'
    answers = [[await ask(indexed, document % one) for one in chosen] for _ in range(3)]
    assert shown == {"new": len(chosen), "kept": 2 * len(chosen)}
    await indexed.services.index.close()
    assert answers == [[await indexed.gql(document % one) for one in chosen]] * 3


async def test_a_choice_of_what_is_not_there_is_refused_as_without_the_index(
    indexed: Gateway, shown: Counter[str]
) -> None:
    document = '{ user(ref: {userName: "ana"}) { effectiveRights%s { permission { key } state } } }'
    for chosen in ('(system: "cor")', '(nodes: ["desk.reports.mneu"])', '(nodes: ["x"], states: [ACTIVE])'):
        answers = [await indexed.ask(document % chosen) for _ in range(2)]
        assert [error["extensions"]["code"] for error in answers[0]["errors"]] == ["BAD_USER_INPUT"]
        assert answers[0] == answers[1]
    assert not shown


async def test_what_is_missing_is_that_of_everybody_themselves(indexed: Gateway) -> None:
    """Two who have the same right, suspended alike: the one lacks more of what it takes than the other."""
    spy, real_time = "desk.reports.spy", "desk.reports.real_time"
    on, at = Switch(True), indexed.clock()
    for name, nodes in (("cleo", [spy]), ("ben", [spy, real_time])):
        user = UserId(indexed.ids[name])
        await indexed.plant([
            Grant(id=indexed.new_id(Grant), holder=user, node=node, value=on, created_at=at) for node in nodes
        ])  # fmt: skip
    document = '{ user(ref: {userName: "%s"}) { effectiveRights(nodes: ["%s"]) { state missing { text } } } }'
    found = [await ask(indexed, document % (name, spy)) for name in ("cleo", "ben", "cleo")]
    await indexed.services.index.close()
    assert found == [await indexed.gql(document % (name, spy)) for name in ("cleo", "ben", "cleo")]
    assert found[0] != found[1]


PAGE = "{ users(%s) { %s } }"
EDGES = "edges { cursor node { userName displayName roles { role { key } } teams { team { key } } } }"


@pytest.mark.parametrize(
    "part",
    ["", "first: 2", "first: 0", "last: 2", "first: 3, after: $ben", "last: 1, before: $ben", "first: 9, before: $ben"],
)
async def test_a_page_of_users_is_read_once(indexed: Gateway, part: str) -> None:
    cursors = (await indexed.gql("{ users { edges { cursor node { userName } } } }"))["users"]["edges"]
    (ben,) = (f'"{edge["cursor"]}"' for edge in cursors if edge["node"]["userName"] == "ben")
    asked = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
    document = (PAGE % (part, f"{EDGES} {asked}")).replace("$ben", ben).replace("users()", "users")
    await indexed.services.index.catch_up()
    with count_statements(indexed.services) as first:
        answers = [await indexed.gql(document)]
    with count_statements(indexed.services) as later:
        answers += [await indexed.gql(document) for _ in range(2)]
    await indexed.services.index.close()
    assert answers == [await indexed.gql(document)] * 3
    assert (bool(first), later) == (part != "first: 0", [])


async def test_of_a_page_those_who_changed_are_read_anew(indexed: Gateway) -> None:
    """A name, a role, a team, the name of a role: what is shown of it is never that of before."""
    document = (
        PAGE % ("first: 9", "edges { node { id userName ...All } }")
        + """ fragment All on User {
      displayName roles { role { displayName } } teams { supervisor } }"""
    )

    async def people() -> dict[str, Any]:
        answers = [await ask(indexed, document) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        return {edge["node"]["userName"]: edge["node"] for edge in answers[0]["users"]["edges"]}

    before = await people()
    await indexed.mutate("updateUser", {"user": {"userName": "cleo"}, "displayName": "Cleo the first"})
    await indexed.mutate("updateUser", {"user": {"userName": "ben"}, "userName": "zeno"})
    await indexed.create_users("aaron")
    after = await people()
    assert after["cleo"] == before["cleo"] | {"displayName": "Cleo the first"}
    assert list(after) == ["aaron", "ana", "cleo", "olga", "zeno"]
    await indexed.mutate("updateRole", {"role": {"key": "agents"}, "displayName": "Those who answer"})
    assert (await people())["ana"]["roles"] == [{"role": {"displayName": "Those who answer"}}]
    await indexed.join("support", "cleo", supervisor=True)
    assert (await people())["cleo"]["teams"] == [{"supervisor": True}]


async def test_a_page_is_shown_whole_to_nobody_who_sees_a_part(indexed: Gateway) -> None:
    """Somebody who sees everybody but no roles and teams, beside the owner, whichever of them asks first."""
    grants = [{"permission": "gateway.users.view"}]
    await indexed.mutate("grantPermissions", {"holder": {"user": {"userName": "cleo"}}, "grants": grants})
    _, secret = await indexed.issue_token("cleo")
    await indexed.services.index.catch_up()
    document = PAGE % ("first: 9", EDGES)

    for token in (secret, None, secret, None, secret):
        ana = (await indexed.gql(document, token=token))["users"]["edges"][0]["node"]
        shown = {"roles": [{"role": {"key": "agents"}}], "teams": [{"team": {"key": "support"}}]}
        hidden = {"roles": [], "teams": []}
        assert ana == {"userName": "ana", "displayName": "ana"} | (hidden if token else shown)


def test_only_selections_that_show_people_alone_are_kept() -> None:
    assert is_of_edge("cursor node{id ...User{roles{role{key } } } teams{t:team{key archived } supervisor } } ")
    assert not is_of_edge("node{roles{contract{number } } } ")
    assert not is_of_edge("node{teams{team{roles{role{key } } } } } "), "what a team has is no row of the person"
    assert not is_of_edge("node{teams{user{userName } } } ")
    assert not is_of_edge("node{userName:grants{id } } "), "an alias may be called anything"
    assert not is_of_edge('node{effectiveRights(system: "desk"){state } } ')
    assert not is_of_edge("node{contracts{contract{number } } } ")
