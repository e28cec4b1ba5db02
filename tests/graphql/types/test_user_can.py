"""User.can: the decision of one question, and its explanation."""

from typing import Any

import pytest

from app.services import access
from tests.factories import Gateway, holder

C1 = {"number": "C-1"}
EXPLANATION = """explanation {
  summary complete steps { rule outcome detail }
  contributions { holders { displayName } grant { permission { key } } }
  wouldAllow { grants { holder { displayName } permission { key } value { text } contract { number } }
               removals { __typename id } other }
  wouldDeny { grants { permission { key } } removals { __typename id } other }
}"""


async def ask(gateway: Gateway, arguments: str, user: str = "ana", select: str = "allowed state") -> dict[str, Any]:
    document = f"query ($ref: UserRef!) {{ user(ref: $ref) {{ can({arguments}) {{ {select} }} }} }}"
    decision: dict[str, Any] = (await gateway.gql(document, {"ref": {"userName": user}}))["user"]["can"]
    return decision


async def test_takes_every_circumstance(world: Gateway) -> None:
    await world.grant(
        holder(user="ana"),
        {"permission": "desk.calls.recordings", "value": {"scopes": ["same group"]}},
        {"permission": "desk.calls.send_texts", "contract": C1, "validFrom": "2026-07-01T00:00:00Z"},
    )

    recordings = 'node: "desk.calls.recordings"'
    assert (await ask(world, f'{recordings}, target: {{userName: "ben"}}'))["allowed"]
    assert not (await ask(world, f'{recordings}, target: {{userName: "cleo"}}'))["allowed"]
    assert (await ask(world, f'{recordings}, atLeast: {{scopes: ["own"]}}'))["allowed"]
    assert not (await ask(world, f'{recordings}, atLeast: {{scopes: ["all"]}}'))["allowed"]
    texts = 'node: "desk.calls.send_texts", contract: {number: "C-1"}'
    july, paid = 'at: "2026-07-01T00:00:00Z"', 'facts: [{name: "credit_balance", value: "1"}]'
    assert (await ask(world, texts))["state"] == "NOT_GRANTED"
    assert (await ask(world, f"{texts}, {july}"))["state"] == "CONDITIONAL"
    assert (await ask(world, f"{texts}, {july}, {paid}"))["state"] == "ACTIVE"


async def test_a_wrong_question_is_a_no_with_errors_as_data(world: Gateway) -> None:
    decision = await ask(
        world, 'node: "x", contract: {number: "C-9"}', select="allowed node { key } errors { code path }"
    )

    assert decision["allowed"] is False
    assert sorted((error["code"], error["path"]) for error in decision["errors"]) == [
        ("NOT_FOUND", ["contract"]),
        ("NOT_FOUND", ["node"]),
    ]


async def test_a_no_says_why_and_what_would_make_it_a_yes(world: Gateway) -> None:
    decision = await ask(world, 'node: "desk.reports.spy"', select=EXPLANATION)

    explanation = decision["explanation"]
    assert explanation["summary"] == "No: nothing grants `Spy on calls`."
    assert explanation["complete"] is True
    assert [(step["rule"], step["outcome"]) for step in explanation["steps"]] == [
        ("1. the user is active", "passed"),
        ("2. what is granted", "decided"),
        ("3. ownership", "skipped"),
        ("4. the contract", "skipped"),
        ("5. limits on the user", "skipped"),
        ("6. requirements", "skipped"),
    ]
    assert explanation["wouldDeny"] == []
    grants = [
        [(grant["holder"]["displayName"], grant["permission"]["key"]) for grant in fix["grants"]]
        for fix in explanation["wouldAllow"]
    ]
    assert [("ana", "desk.reports.real_time"), ("ana", "desk.reports.spy")] in grants


async def test_following_a_fix_makes_it_a_yes(world: Gateway) -> None:
    decision = await ask(world, 'node: "desk.reports.spy"', select=EXPLANATION)
    fix = next(fix for fix in decision["explanation"]["wouldAllow"] if not fix["removals"] and not fix["other"])

    await world.grant(holder(user="ana"), *(grant["permission"]["key"] for grant in fix["grants"]))

    assert (await ask(world, 'node: "desk.reports.spy"'))["allowed"]


async def test_a_limit_that_bites_would_have_to_be_lifted(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.export")

    explanation = (await ask(world, 'node: "desk.reports.export"', select=EXPLANATION))["explanation"]

    assert explanation["summary"] == "No: `Export` is held back: a limit on the user."
    ((removal,),) = [fix["removals"] for fix in explanation["wouldAllow"]]
    assert removal["__typename"] == "Limit"


async def test_a_yes_says_what_it_stands_on(world: Gateway) -> None:
    explanation = (await ask(world, 'node: "desk.reports.menu"', select=EXPLANATION))["explanation"]

    assert explanation["summary"] == "Yes: `Reports menu` is held."
    assert {step["outcome"] for step in explanation["steps"]} == {"passed"}
    assert explanation["contributions"] == [
        {
            "holders": [{"displayName": "ana"}, {"displayName": "agents"}],
            "grant": {"permission": {"key": "desk.reports.menu"}},
        }
    ]
    assert explanation["wouldAllow"] == []
    assert [[row["__typename"] for row in fix["removals"]] for fix in explanation["wouldDeny"]] == [["RoleAssignment"]]


async def test_of_an_operation_the_paths_of_what_it_requires(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.real_time")

    decision = await ask(world, 'node: "desk.reports.open_real_time"', select=f"allowed value {{ text }} {EXPLANATION}")

    assert (decision["allowed"], decision["value"]) == (True, {"text": "on"})
    assert decision["explanation"]["contributions"] == [
        {"holders": [{"displayName": "ana"}], "grant": {"permission": {"key": "desk.reports.real_time"}}}
    ]


async def test_an_owners_yes_cannot_be_denied_by_ending_rows(world: Gateway) -> None:
    explanation = (await ask(world, 'node: "desk.reports.spy"', "olga", EXPLANATION))["explanation"]

    assert explanation["summary"] == "Yes: `Spy on calls` is held by ownership."
    assert explanation["wouldDeny"] == []


async def test_a_wrong_question_is_explained_too(world: Gateway) -> None:
    explanation = (await ask(world, 'node: "x"', select=EXPLANATION))["explanation"]

    assert explanation["summary"] == "No: the question is wrong: there is no node `x`."
    assert explanation["contributions"] == explanation["wouldAllow"] == explanation["wouldDeny"] == []


async def test_the_sets_of_an_explanation_are_found_once(world: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    searched, explain = [], access.explain

    def count(decision: Any) -> Any:
        searched.append(decision)
        return explain(decision)

    monkeypatch.setattr(access, "explain", count)

    data = await world.gql(
        """{ user(ref: {userName: "ana"}) { can(node: "desk.reports.spy") {
          explanation { complete wouldAllow { other } wouldDeny { other } } } } }"""
    )

    assert data["user"]["can"]["explanation"]["wouldAllow"]
    assert len(searched) == 1
