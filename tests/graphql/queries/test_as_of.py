"""asOf: what was known then, by the rows and the catalog of then, seen with the eyes of today."""

from pathlib import Path
from typing import Any

import pytest

from app.domain.callers import Right
from app.services.history import MAX_PASTS
from app.services.past import DIRECTORIES_KEPT
from tests.factories import Gateway, each_of, holder
from tests.services.test_systems import Files

MENU, EXPORT, REAL_TIME = "desk.reports.menu", "desk.reports.export", "desk.reports.real_time"
GOING, ITS_LINES = "desk.calls.withhold_number", "      - permission: Withhold number\n        polarity: restriction\n"
ANA, CLEO, C1 = {"userName": "ana"}, {"userName": "cleo"}, {"number": "C-1"}
WHY = """explanation {
  summary steps { rule outcome detail } complete
  contributions {
    grant { id permission { key label } value { text } } holders { id } value { text } source
    impliedBy { key } contract { number } validUntil
  }
  wouldAllow { grants { holder { id } permission { key label } value { text } } removals { id } other }
  wouldDeny { grants { holder { id } } removals { id __typename } other }
}"""
DECISION = f"""
  allowed state revision evaluatedAt value {{ text }} missing {{ text }} missingFacts
  node {{ key label path system {{ key }} parent {{ key }} }}
  errors {{ __typename code message path ... on InvalidValue {{ expected }} }}
  obligations {{ kind fields values keep }} {WHY}
"""
CHECK = f"query ($input: CheckInput!) {{ check(input: $input) {{ {DECISION} }} }}"
RIGHTS = f"""query ($user: UserRef!, $contract: ContractRef, $facts: [FactInput!], $at: DateTime, $asOf: AsOf) {{
  user(ref: $user) {{
    effectiveRights(contract: $contract, facts: $facts, at: $at, asOf: $asOf) {{
      permission {{ key label path }} value {{ text }} granted {{ text }} state missing {{ text }}
      contributions {{ grant {{ id permission {{ key }} }} holders {{ id }} value {{ text }} impliedBy {{ key }} }}
    }}
    operations(contract: $contract, facts: $facts, at: $at, asOf: $asOf) {{ {DECISION} }}
    can(node: "{MENU}", contract: $contract, facts: $facts, at: $at, asOf: $asOf) {{ {DECISION} }}
  }}
}}"""


async def check(gateway: Gateway, user: Any, node: str, *, by: str | None = None, **given: Any) -> dict[str, Any]:
    question = {"user": user, "node": node, **given}
    decision: dict[str, Any] = (await gateway.gql(CHECK, {"input": question}, token=by))["check"]
    return decision


async def list_rights(gateway: Gateway, user: Any, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.gql(RIGHTS, {"user": user, **given}))["user"]
    return found


def at_revision(revision: int | str) -> dict[str, str]:
    return {"revision": str(revision)}


# ---------------------------------------------------------------------- what was known


async def test_a_row_that_was_revoked_still_counts_for_then(world: Gateway) -> None:
    (row,) = await world.grant(holder(user="cleo"), EXPORT)
    then = await world.revision()
    before = await check(world, CLEO, EXPORT), await list_rights(world, CLEO)
    world.clock.advance(hours=1)
    await world.mutate("revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"id": row}]})

    now = await check(world, CLEO, EXPORT)
    after = (
        await check(world, CLEO, EXPORT, asOf=at_revision(then)),
        await list_rights(world, CLEO, asOf=at_revision(then)),
    )

    assert (now["allowed"], now["revision"]) == (False, str(then + 1))
    assert after == before
    assert (after[0]["allowed"], after[0]["revision"], after[0]["evaluatedAt"]) == (
        True, str(then), "2026-06-01T09:00:00Z"
    )  # fmt: skip
    assert [found["grant"]["id"] for found in after[0]["explanation"]["contributions"]] == [row]
    assert [fix["removals"] for fix in after[0]["explanation"]["wouldDeny"]] == [[{"id": row, "__typename": "Grant"}]]
    assert world.answered_from == then + 1  # the document is answered from the latest revision all the same


async def test_a_row_made_since_does_not_count_for_then(world: Gateway) -> None:
    then = await world.revision()
    await world.grant(holder(user="cleo"), EXPORT)

    assert (await check(world, CLEO, EXPORT))["allowed"]
    assert (await check(world, CLEO, EXPORT, asOf=at_revision(then)))["state"] == "NOT_GRANTED"


async def test_everything_that_bears_on_rights_is_as_it_was(world: Gateway) -> None:
    await world.set_facts({"credit_balance": "5"}, contract=C1)
    await world.grant(holder(role="agents"), "desk.calls.send_texts")
    then = await world.revision()
    asked = {"contract": C1}
    before = await list_rights(world, ANA, **asked)
    world.clock.advance(days=1)
    await world.set_facts({"credit_balance": "0"}, contract=C1)
    await world.mutate("archiveRole", {"role": {"key": "agents"}, "onDependents": "SUSPEND"})
    await world.limit(holder(user="ana"), MENU)
    await world.mutate("updateContract", {"contract": C1, "status": "SUSPENDED"})
    await world.mutate("removeTeamMembers", {"team": {"key": "support"}, "users": [ANA]})
    await world.mutate("updateUser", {"user": ANA, "userName": "anna"})
    await world.mutate("setUserStatus", {"user": {"userName": "anna"}, "status": "ARCHIVED"})

    after = await list_rights(world, {"userName": "anna"}, asOf=at_revision(then), **asked)

    assert after == before
    assert await list_rights(world, {"userName": "anna"}, **asked) != before


async def test_names_are_those_of_then(world: Gateway) -> None:
    then = await world.revision()
    await world.mutate("updateUser", {"user": ANA, "userName": "anna"})

    assert (await check(world, ANA, MENU, asOf=at_revision(then)))["allowed"]
    assert (await check(world, ANA, MENU))["errors"][0]["code"] == "NOT_FOUND"
    unknown = await check(world, {"userName": "anna"}, MENU, asOf=at_revision(then))
    assert [error["path"] for error in unknown["errors"]] == [["user"]]


async def test_who_was_not_there_yet_had_nothing(world: Gateway) -> None:
    then = await world.revision()
    await world.create_user("dora")
    await world.grant(holder(user="dora"), MENU)

    found = await list_rights(world, {"userName": "dora"}, asOf=at_revision(then))

    assert {right["value"]["text"] for right in found["effectiveRights"] if right["permission"]["key"] == MENU} == {
        "off"
    }
    assert found["can"]["errors"][0]["code"] == "NOT_FOUND"
    assert not any(operation["allowed"] for operation in found["operations"])


async def test_at_is_when_it_was_committed_unless_said(world: Gateway) -> None:
    window = {"permission": MENU, "validFrom": "2026-06-01T10:00:00Z", "validUntil": "2026-06-01T12:00:00Z"}
    await world.grant(holder(user="cleo"), window)
    then = await world.revision()
    world.clock.advance(hours=2)

    assert (await check(world, CLEO, MENU))["allowed"]
    assert not (await check(world, CLEO, MENU, asOf=at_revision(then)))["allowed"]
    later = await check(world, CLEO, MENU, asOf=at_revision(then), at="2026-06-01T11:00:00Z")
    assert (later["allowed"], later["evaluatedAt"]) == (True, "2026-06-01T11:00:00Z")


# ---------------------------------------------------------------------- by time


async def test_by_time_it_is_the_last_revision_committed_by_then(world: Gateway) -> None:
    first = await world.revision()
    world.clock.advance(hours=1)
    await world.grant(holder(user="cleo"), MENU)
    world.clock.advance(hours=1)
    await world.create_user("dora")
    expected = {
        "2026-06-01T09:00:00Z": (first, False), "2026-06-01T09:59:59.999999Z": (first, False),
        "2026-06-01T10:00:00Z": (first + 1, True), "2026-06-01T12:59:59+02:00": (first + 1, True),
        "2026-06-01T11:00:00Z": (first + 2, True),
    }  # fmt: skip

    for time, (revision, allowed) in expected.items():
        found = await check(world, CLEO, MENU, asOf={"time": time})
        assert (found["revision"], found["allowed"]) == (str(revision), allowed), time
        assert found == await check(world, CLEO, MENU, asOf=at_revision(revision)), time


async def test_a_clock_that_goes_back_does_not_turn_history_round(world: Gateway) -> None:
    world.clock.advance(hours=3)
    await world.grant(holder(user="cleo"), MENU)
    world.clock.advance(hours=-2)
    await world.grant(holder(user="cleo"), EXPORT)
    world.clock.advance(hours=3)

    assert (await world.head())["at"] == "2026-06-01T12:00:00Z"
    assert not (await check(world, CLEO, EXPORT, asOf={"time": "2026-06-01T11:30:00Z"}))["allowed"]
    assert (await check(world, CLEO, EXPORT, asOf={"time": "2026-06-01T12:00:00Z"}))["allowed"]


@each_of(
    ("as_of", "field", "expected"),
    [
        ({"revision": "0"}, "revision", "a revision from `1` to `{last}`"),
        ({"revision": "999"}, "revision", "a revision from `1` to `{last}`"),
        ({"revision": "999999999999999999"}, "revision", "a revision from `1` to `{last}`"),
        ({"time": "2026-06-01T08:59:59Z"}, "time", "a time since the first audit entry"),
        ({"time": "0001-01-01T00:00:00Z"}, "time", "a time since the first audit entry"),
        ({"time": "2026-06-01T09:00:00.000001Z"}, "time", "a time that is not to come"),
    ],
)
async def test_a_moment_that_there_was_not_is_refused_by_its_field(
    world: Gateway, as_of: dict[str, str], field: str, expected: str
) -> None:
    decision = await check(world, CLEO, MENU, asOf=as_of)

    (error,) = decision["errors"]
    assert (error["__typename"], error["code"], error["path"]) == ("InvalidValue", "INVALID_VALUE", ["asOf", field])
    assert error["expected"] == expected.format(last=world.answered_from)
    assert (decision["allowed"], decision["node"]["key"], decision["value"]) == (False, MENU, None)
    for asked in ("effectiveRights", "operations"):
        document = f'query ($asOf: AsOf) {{ user(ref: {{userName: "ana"}}) {{ {asked}(asOf: $asOf) {{ state }} }} }}'
        code, message = await world.fault(document, {"asOf": as_of})
        assert (code, message.split(":")[0]) == ("BAD_USER_INPUT", f"asOf.{field}")


async def test_every_fault_of_a_question_is_told_beside_that_of_its_moment(world: Gateway) -> None:
    found = await check(world, {"userName": "nobody"}, "desk.nothing", asOf=at_revision(999))

    assert [error["path"] for error in found["errors"]] == [["asOf", "revision"], ["user"], ["node"]]


@each_of("as_of", [{}, {"revision": "1", "time": "2026-06-01T09:00:00Z"}, {"revision": None}])
async def test_exactly_one_of_revision_and_time(world: Gateway, as_of: dict[str, Any]) -> None:
    answer = await world.ask(CHECK, {"input": {"user": ANA, "node": MENU, "asOf": as_of}})

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


# ---------------------------------------------------------------------- seen with the eyes of today


async def test_a_right_that_was_revoked_does_not_come_back_by_asking_about_then(world: Gateway) -> None:
    token = await world.trust("cleo", Right.VIEW_RIGHTS, Right.VIEW_USERS)
    then = await world.revision()
    assert (await check(world, ANA, MENU, by=token))["allowed"]
    (row,) = [
        grant["id"]
        for grant in (await world.gql('{ user(ref: {userName: "cleo"}) { grants { id permission { key } } } }'))[
            "user"
        ]["grants"]
        if grant["permission"]["key"] == Right.VIEW_RIGHTS
    ]
    await world.mutate("revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"id": row}]})

    now, past = await check(world, ANA, MENU, by=token), await check(world, ANA, MENU, by=token, asOf=at_revision(then))

    assert [error["code"] for error in now["errors"]] == ["NOT_PERMITTED"]
    assert past["errors"] == now["errors"]
    assert (past["allowed"], past["explanation"]["contributions"]) == (False, [])


async def test_a_right_given_today_shows_the_time_before_it(world: Gateway) -> None:
    then = await world.revision()
    token = await world.trust("cleo", Right.VIEW_RIGHTS, Right.VIEW_USERS)

    assert (await check(world, ANA, MENU, by=token, asOf=at_revision(then)))["allowed"]


async def test_people_are_seen_by_the_levels_of_today(world: Gateway) -> None:
    await world.set_level("C-1", "cleo")
    token = await world.trust("cleo", Right.VIEW_RIGHTS, Right.VIEW_USERS, contract="C-1")
    then = await world.revision()
    asked = {"contract": C1, "asOf": at_revision(then), "by": token}
    assert (await check(world, ANA, MENU, **asked))["allowed"]

    await world.set_level("C-1", "ana", level=None)
    gone = await check(world, ANA, MENU, **asked)
    await world.set_level("C-1", "ana", level="USER")

    assert [(error["code"], error["path"]) for error in gone["errors"]] == [("NOT_FOUND", ["user"])]
    assert (await check(world, ANA, MENU, **asked))["allowed"]


async def test_one_sees_ones_own_past(world: Gateway) -> None:
    (row,) = await world.grant(holder(user="cleo"), MENU)
    then = await world.revision()
    await world.mutate("revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"id": row}]})
    _, token = await world.issue_token("cleo")

    assert (await check(world, CLEO, MENU, by=token, asOf=at_revision(then)))["allowed"]
    assert (await check(world, ANA, MENU, by=token, asOf=at_revision(then)))["errors"][0]["code"] in {
        "NOT_FOUND", "NOT_PERMITTED"
    }  # fmt: skip


# ---------------------------------------------------------------------- the catalog of then


@pytest.fixture
def files(world: Gateway, tmp_path: Path) -> Files:
    return Files(world, tmp_path / "seeds")


async def test_a_node_that_is_gone_is_answered_by_the_catalog_of_then(world: Gateway, files: Files) -> None:
    """Removed with everything about it: labels, requirements, rows are those of then, and so is the way to them."""
    await world.grant(holder(user="cleo"), {"permission": GOING})
    then = await world.revision()
    before = await check(world, CLEO, GOING), await list_rights(world, CLEO)
    await world.mutate(
        "revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"permission": GOING}]}
    )  # fmt: skip
    files.edit(ITS_LINES, "")
    files.edit("permission: Real time\n", "permission: Real-time board\n        key: real_time\n")
    await files.restart()

    assert [error["path"] for error in (await check(world, CLEO, GOING))["errors"]] == [["node"]]
    assert await check(world, CLEO, GOING, asOf=at_revision(then)) == before[0]
    assert await list_rights(world, CLEO, asOf=at_revision(then)) == before[1]
    labels = {
        right["permission"]["label"]
        for right in (await list_rights(world, CLEO, asOf=at_revision(then)))["effectiveRights"]
    }
    assert {"Withhold number", "Real time"} <= labels
    new = await world.revision()
    known = {right["permission"]["label"] for right in (await list_rights(world, CLEO))["effectiveRights"]}
    assert "Real-time board" in known
    assert "Withhold number" not in known
    since = await check(world, CLEO, GOING, asOf=at_revision(new))
    assert [(error["path"], since["node"]) for error in since["errors"]] == [(["node"], None)]


async def test_a_renamed_node_has_its_old_name_then_and_its_new_one_now(world: Gateway, files: Files) -> None:
    (row,) = await world.grant(holder(user="cleo"), EXPORT)
    then = await world.revision()
    files.edit("permission: Export\n", "permission: Export\n        key: export_tables\n")
    files.edit("facts:\n", "renamed:\n  desk.reports.export: desk.reports.export_tables\n\nfacts:\n")
    await files.restart()

    past, now = (
        await check(world, CLEO, EXPORT, asOf=at_revision(then)),
        await check(world, CLEO, "desk.reports.export_tables"),
    )

    assert (past["allowed"], now["allowed"]) == (True, True)
    assert [found["grant"]["id"] for found in past["explanation"]["contributions"]] == [row]
    assert [found["grant"]["id"] for found in now["explanation"]["contributions"]] != [row]


async def test_the_way_round_a_past_node_stays_in_its_catalog(world: Gateway, files: Files) -> None:
    document = """query ($input: CheckInput!) { check(input: $input) { node {
      system { label groups { key } facts { name } nodes(first: 50) { totalCount edges { node { key } } } }
      parent { children { key parent { key } } }
      ... on Permission {
        requirements { requirement { text ... on AtLeast { permission { key dependents { key } } } } }
        dependents { key label }
      }
    } } }"""
    asked: dict[str, Any] = {"user": CLEO, "node": REAL_TIME}
    before = await world.gql(document, {"input": asked})
    then = await world.revision()
    files.edit(ITS_LINES, "")
    files.edit("label: Desk\n", "label: Another desk\n")
    await files.restart()

    assert await world.gql(document, {"input": {**asked, "asOf": at_revision(then)}}) == before
    assert await world.gql(document, {"input": asked}) != before


async def test_holders_of_a_past_node_are_those_of_today(world: Gateway, files: Files) -> None:
    document = """query ($input: CheckInput!) { check(input: $input) { node {
      ... on Permission { holders { edges { node { userName } } } }
    } } }"""
    asked = {"user": CLEO, "node": GOING, "asOf": at_revision(await world.revision())}
    assert "errors" not in await world.ask(document, {"input": asked})
    files.edit(ITS_LINES, "")
    await files.restart()

    code, message = await world.fault(document, {"input": asked})
    assert (code, message.partition(";")[0]) == ("BAD_USER_INPUT", f"node: there is no node `{GOING}`")


# ---------------------------------------------------------------------- many at once


async def test_check_many_may_ask_about_many_moments(world: Gateway) -> None:
    revisions = []
    for node in (MENU, EXPORT):
        await world.grant(holder(user="cleo"), node)
        revisions.append(await world.revision())
    document = "query ($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { allowed revision errors { path } } }"
    asked = [
        {"user": CLEO, "node": node, **({} if revision is None else {"asOf": at_revision(revision)})}
        for node in (EXPORT, MENU)
        for revision in (revisions[0] - 1, 999, None, revisions[0], revisions[1])
    ]

    answers = (await world.gql(document, {"inputs": asked}))["checkMany"]

    last = str(revisions[1])
    assert [(answer["allowed"], answer["revision"]) for answer in answers] == [
        (False, str(revisions[0] - 1)), (False, last), (True, last), (False, str(revisions[0])), (True, last),
        (False, str(revisions[0] - 1)), (False, last), (True, last), (True, str(revisions[0])), (True, last),
    ]  # fmt: skip
    assert [answer["errors"] != [] for answer in answers] == [False, True, False, False, False] * 2


async def test_moments_of_one_document_are_bounded(world: Gateway) -> None:
    for number in range(MAX_PASTS - 10):
        await world.grant(
            holder(user="cleo"), {"permission": "desk.calls.numbers", "value": {"members": [str(number)]}}
        )
    last = await world.revision()
    assert last > MAX_PASTS
    document = "query ($inputs: [CheckInput!]!) { checkMany(inputs: $inputs) { revision errors { code path } } }"
    asked = [{"user": CLEO, "node": MENU, "asOf": at_revision(number)} for number in range(last, 0, -1)]

    answers = (await world.gql(document, {"inputs": asked}))["checkMany"]

    refused = [answer["errors"] for answer in answers if answer["errors"] and answer["errors"][0]["path"] == ["asOf"]]
    assert refused == [[{"code": "TOO_MANY", "path": ["asOf"]}]] * (last - MAX_PASTS)
    assert len(world.services.past.directories) == DIRECTORIES_KEPT


async def test_the_past_of_many_people_takes_as_few_statements_as_that_of_one(world: Gateway) -> None:
    document = f"""query ($search: String, $asOf: AsOf) {{ users(first: 20, filter: {{search: $search}}) {{
      edges {{ node {{
        effectiveRights(asOf: $asOf) {{ state contributions {{ grant {{ id }} }} }}
        operations(asOf: $asOf) {{ allowed }} can(node: "{MENU}", asOf: $asOf) {{ allowed }}
      }} }}
    }} }}"""
    as_of = at_revision(await world.revision())
    await world.create_users("dora", "emil", "finn")
    counts = []
    for search in ("ana", "ana", ""):
        with world.counting() as statements:
            await world.gql(document, {"search": search, "asOf": as_of})
        counts.append(len(statements))

    assert counts[1] == counts[2] < counts[0]  # the directory of then is kept for the next


@pytest.mark.usefixtures("unindexed")
async def test_a_question_about_then_costs_hardly_more_than_one_about_now(world: Gateway) -> None:
    document = "query ($input: CheckInput!) { check(input: $input) { allowed missing { text } } }"
    then = at_revision(await world.revision())
    await world.create_user("dora")
    await world.gql(document, {"input": {"user": CLEO, "node": MENU, "asOf": then}})
    with world.counting() as now:
        await world.gql(document, {"input": {"user": CLEO, "node": MENU}})
    with world.counting() as past:
        await world.gql(document, {"input": {"user": CLEO, "node": MENU, "asOf": then}})

    assert len(past) <= len(now) + 2  # the entry of then, and the catalog that was in force
