"""What holds for every mutation alike: a dry run, the reason, the audit entry, one revision each.

The two of sync aside: a plan is the dry run, and applying it is looked at in their own files.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.audit import FIRST_HASH
from tests.factories import FIRST_REVISION, Gateway, each_of, executor, holder

USER = """
  id userName displayName email externalId status isOwner
  grants { id permission { key } value { text } contract { number } validFrom validUntil source reason createdAt }
  limits { id permission { key } value { text } }
  roles { id role { key } contract { number } } teams { id team { key } supervisor contract { number } }
  contracts { contract { number } levels { id product { key } level settable source } subscriber }
  facts { name value }
  effectiveRights(states: [ACTIVE, SUSPENDED, LIMITED, CONDITIONAL]) {
    permission { key } value { text } granted { text } state missing { text }
    contributions { grant { id } holders { id } value { text } impliedBy { key } source contract { number } validUntil }
  }
  can(node: "desk.reports.spy") { allowed state value { text } missing { text } evaluatedAt }
  operations(allowed: true) { node { key } }
"""
ROLE = """
  id key displayName description archived source parents { key }
  grants { id permission { key } value { text } } limits { id permission { key } value { text } }
  rights { permission { key } value { text } state }
  members { totalCount edges { node { userName } } }
"""
TEAM = """
  id key displayName kind archived source parent { key } grants { id } limits { id } roles { id role { key } }
  members { totalCount edges { node { userName teams { team { key } supervisor } } } }
"""
CONTRACT = """
  id number name status products { key } owner { userName } facts { name value }
  access { totalCount edges { node {
    user { userName } levels { id product { key } level settable source } subscriber
  } } }
"""
HOLDER = f"id displayName ... on User {{ {USER} }} ... on Role {{ {ROLE} }} ... on Team {{ {TEAM} }}"


@dataclass(frozen=True)
class Example:
    """One way to call a mutation over the stocked world that changes something; `select` shows what it is about."""

    input: dict[str, Any]
    select: str
    subjects: tuple[str, ...] = ("ana",)  # what the audit entry is about, by natural key
    about: str = ""  # what has to be there beside: the id of a `token` of Ana's completes the input, or an `account`

    async def given(self, world: Gateway) -> dict[str, Any]:
        if self.about == "account":
            await world.create_service_account("bot")
        return {**self.input, "id": (await world.issue_token("ana"))[0]} if self.about == "token" else self.input


ANA, BEN, CLEO = {"userName": "ana"}, {"userName": "ben"}, {"userName": "cleo"}
AGENTS, SUPPORT, C1 = {"key": "agents"}, {"key": "support"}, {"number": "C-1"}

EXAMPLES = {
    "createUser": Example({"userName": "eva", "email": "eva@example.org"}, USER, subjects=()),
    "updateUser": Example({"user": ANA, "displayName": "Ana R."}, USER),
    "setUserStatus": Example({"user": ANA, "status": "SUSPENDED"}, USER),
    "setAccountOwner": Example({"user": BEN, "isOwner": True}, USER, subjects=("ben",)),
    "createRole": Example(
        {
            "key": "leads", "description": "of a shift", "parents": [AGENTS],
            "grants": [{"permission": "desk.reports.spy"}], "onMissingPrerequisites": "INCLUDE",
        },
        ROLE, subjects=(),
    ),
    "updateRole": Example(
        {"role": {"key": "writers"}, "displayName": "Writers", "parents": []}, ROLE, subjects=("writers",)
    ),
    "cloneRole": Example({"role": {"key": "writers"}, "key": "editors"}, ROLE, subjects=()),
    "archiveRole": Example({"role": AGENTS}, ROLE, subjects=("agents",)),
    "createTeam": Example({"key": "day", "kind": "QUEUE", "parent": SUPPORT}, TEAM, subjects=()),
    "updateTeam": Example(
        {"team": {"key": "night"}, "parent": None, "displayName": "Night"}, TEAM, subjects=("night",)
    ),
    "archiveTeam": Example({"team": SUPPORT}, TEAM, subjects=("support",)),
    "addTeamMembers": Example(
        {"team": SUPPORT, "users": [CLEO], "supervisor": True}, TEAM, subjects=("cleo", "support")
    ),
    "removeTeamMembers": Example(
        {"team": SUPPORT, "users": [BEN]}, TEAM, subjects=("ben", "support")
    ),
    "grantPermissions": Example(
        {
            "holder": holder(user="ana"), "grants": [{"permission": "desk.reports.spy", "contract": C1}],
            "onMissingPrerequisites": "INCLUDE",
        },
        HOLDER, subjects=("ana", "C-1"),
    ),
    "revokePermissions": Example(
        {"holder": holder(user="ana"), "revokes": [{"permission": "desk.staff.show_phone"}]}, HOLDER
    ),
    "limitPermissions": Example(
        {"holder": holder(role="agents"), "limits": [{"permission": "desk.reports.menu"}]},
        HOLDER, subjects=("agents",),
    ),
    "liftLimits": Example(
        {"holder": holder(user="ana"), "limits": [{"permission": "desk.reports.export"}]}, HOLDER
    ),
    "assignRoles": Example(
        {"holder": holder(team="support"), "roles": [{"role": {"key": "writers"}}]},
        HOLDER, subjects=("support", "writers"),
    ),
    "unassignRoles": Example(
        {"holder": holder(user="ana"), "roles": [{"role": AGENTS}]}, HOLDER, subjects=("ana", "agents")
    ),
    "registerContract": Example(
        {"number": "C-2", "name": "Second", "owner": CLEO, "products": ["pbx", "core"]}, CONTRACT, subjects=()
    ),
    "updateContract": Example(
        {"contract": C1, "name": "First", "products": ["core"], "onDependents": "CASCADE"},
        CONTRACT, subjects=("C-1", "ben"),
    ),
    "setAccessLevels": Example(
        {"contract": C1, "levels": [{"user": ANA, "product": "pbx", "level": "ADMINISTRATOR"}]},
        CONTRACT, subjects=("ana", "C-1"),
    ),
    "transferContract": Example({"contract": C1, "to": CLEO}, CONTRACT, subjects=("C-1", "ben", "cleo")),
    "linkSubscriber": Example(
        {"contract": C1, "user": ANA, "subscriber": "101"}, CONTRACT, subjects=("ana", "C-1")
    ),
    "setFacts": Example(
        {"user": ANA, "facts": [{"name": "trained", "value": "true"}]}, "", subjects=("ana",)
    ),
    "createServiceAccount": Example(
        {
            "userName": "robot", "ceiling": [AGENTS],
            "accessCeiling": [{"contract": C1, "product": "core", "level": "USER"}],
        },
        USER, subjects=(),
    ),
    "updateServiceAccount": Example(
        {"user": {"userName": "bot"}, "ceiling": [AGENTS]}, USER, subjects=("bot",), about="account"
    ),
    "issueToken": Example({"user": ANA, "label": "at night"}, USER),
    "revokeToken": Example({}, USER, about="token"),
}  # fmt: skip


SYNC = {"planSync", "applySync"}


def test_every_mutation_has_an_example() -> None:
    mutation = executor().schema.mutation_type
    assert mutation is not None
    assert set(EXAMPLES) == set(mutation.fields) - SYNC


@pytest.mark.parametrize("field", EXAMPLES)
async def test_a_dry_run_answers_the_same_and_writes_nothing(field: str, world: Gateway) -> None:
    example = EXAMPLES[field]

    payload = await world.both_ways(field, await example.given(world), example.select)

    assert payload["changes"]


@pytest.mark.parametrize("field", EXAMPLES)
async def test_each_is_one_revision_with_its_audit_entry(field: str, world: Gateway) -> None:
    example = EXAMPLES[field]
    given = await example.given(world)
    before = await world.head()
    world.clock.advance(minutes=5)

    payload = await world.mutate(field, {**given, "reason": "it was asked for\nby Ana"})

    entry = await world.head()
    assert payload["revision"] == entry["revision"] == str(int(before["revision"]) + 1)
    assert {name: entry[name] for name in ("at", "actor", "source", "action", "reason", "previousHash")} == {
        "at": "2026-06-01T09:05:00Z",
        "actor": "olga",
        "source": "manual",
        "action": field,
        "reason": "it was asked for\nby Ana",
        "previousHash": before["hash"],
    }
    assert entry["changes"] == payload["changes"]
    assert len(entry["hash"]) == len(FIRST_HASH) and entry["hash"] != before["hash"]
    if example.subjects:
        assert {subject["id"] for subject in entry["subjects"]} == {world.ids[key] for key in example.subjects}
    else:
        assert [subject["id"] for subject in entry["subjects"]]


@pytest.mark.parametrize("field", EXAMPLES)
async def test_the_same_again_is_no_change_or_refused(field: str, world: Gateway) -> None:
    """Nothing is done twice: what stands already is no change, what is gone already or taken is refused."""
    given = await EXAMPLES[field].given(world)
    await world.mutate(field, given)
    if field == "issueToken":  # each is another token
        return

    async with world.unchanged():
        payload = await world.send(field, given)

    codes = {error["code"] for error in payload["errors"]}
    if field in {"createUser", "createRole", "cloneRole", "createTeam", "registerContract", "createServiceAccount"}:
        assert codes == {"DUPLICATE"}
    elif field in {"revokePermissions", "liftLimits", "unassignRoles", "removeTeamMembers", "revokeToken"}:
        assert codes == {"NOT_FOUND"}
    else:
        assert codes == set()
        assert payload["revision"] == str(await world.revision())
    assert payload["changes"] == []


@each_of("field", EXAMPLES)
async def test_a_reason_that_cannot_be_kept_is_refused(field: str, world: Gateway) -> None:
    given = await EXAMPLES[field].given(world)

    for reason in ("x" * 2001, "right\u202eto left"):
        (error,) = await world.refuse(field, {**given, "reason": reason})
        assert (error["code"], error["path"]) == ("INVALID_VALUE", ["reason"])


@each_of("field", [*EXAMPLES, *SYNC])
async def test_needs_a_token(field: str, world: Gateway) -> None:
    async with world.unchanged():
        response = await world.client.post("/graphql", json={"query": f"mutation {{ {field} }}"})
        assert response.status_code == 401
        response = await world.post({"query": f"mutation {{ {field} }}"}, token="pgt_wrong")
        assert response.status_code == 401


async def test_an_empty_reason_is_none(gateway: Gateway) -> None:
    await gateway.mutate("createUser", {"userName": "ana", "reason": ""})

    assert (await gateway.head())["reason"] is None


async def test_a_reason_of_2000_characters_is_kept(gateway: Gateway) -> None:
    await gateway.mutate("createUser", {"userName": "ana", "reason": "\u00e9" * 2000})

    assert (await gateway.head())["reason"] == "\u00e9" * 2000


async def test_fields_of_one_document_are_done_in_order_each_its_own_revision(gateway: Gateway) -> None:
    document = """mutation {
      first: createUser(input: {userName: "ana"}) { revision errors { code } }
      again: createUser(input: {userName: "ana"}) { revision errors { code } }
      dry: createUser(input: {userName: "ben", dryRun: true}) { revision user { userName } errors { code } }
      last: createUser(input: {userName: "ben"}) { revision user { userName } errors { code } }
    }"""

    answer = await gateway.ask(document)

    assert answer == {
        "data": {
            "first": {"revision": str(FIRST_REVISION + 1), "errors": []},
            "again": {"revision": None, "errors": [{"code": "DUPLICATE"}]},
            "dry": {"revision": None, "user": {"userName": "ben"}, "errors": []},
            "last": {"revision": str(FIRST_REVISION + 2), "user": {"userName": "ben"}, "errors": []},
        },
        "extensions": {"revision": str(FIRST_REVISION + 2)},
    }


async def test_a_payload_shows_what_its_own_field_did_and_no_later_one(gateway: Gateway) -> None:
    await gateway.create_user("ana")
    document = """mutation {
      one: updateUser(input: {user: {userName: "ana"}, displayName: "One"}) { user { displayName } }
      two: updateUser(input: {user: {userName: "ana"}, displayName: "Two"}) { user { displayName } }
    }"""

    data = await gateway.gql(document)

    assert data == {"one": {"user": {"displayName": "One"}}, "two": {"user": {"displayName": "Two"}}}
