"""grantPermissions: rows that give; prerequisites are kept up."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

MENU, REAL_TIME, SPY, EXPORT = (f"desk.reports.{name}" for name in ("menu", "real_time", "spy", "export"))
APPROVE, USERS, ROLES = "desk.staff.approve", "desk.staff.accounts.users", "desk.staff.accounts.roles"
ROW = """id permission { key } contract { number } validFrom validUntil source reason createdAt revision
  value { __typename text ... on SwitchValue { on } ... on LevelValue { level rank } ... on ScopeValue { scopes }
          ... on QuantityValue { amount unlimited } ... on MembersValue { members all } }"""
CLEO = holder(user="cleo")


def asked(permission: str, **given: Any) -> dict[str, Any]:
    return {"holder": CLEO, "grants": [{"permission": permission, **given}]}


# ---------------------------------------------------------------------- rows


async def test_gives_a_row_with_all_that_was_asked(world: Gateway) -> None:
    given = asked(
        USERS, value={"level": "modify"}, contract={"number": "C-1"},
        validFrom="2026-06-10T12:00:00+02:00", validUntil="2026-06-20T00:00:00.5Z",
    )  # fmt: skip

    payload = await world.mutate(
        "grantPermissions", {**given, "reason": "for the audit"}, f"id displayName grants {{ {ROW} }}"
    )

    (change,) = payload["changes"]
    assert payload["holder"] == {
        "id": world.ids["cleo"],
        "displayName": "cleo",
        "grants": [
            {
                "id": change["row"], "permission": {"key": USERS}, "contract": {"number": "C-1"},
                "validFrom": "2026-06-10T10:00:00Z", "validUntil": "2026-06-20T00:00:00.500000Z", "source": "manual",
                "reason": "for the audit", "createdAt": "2026-06-01T09:00:00Z", "revision": payload["revision"],
                "value": {"__typename": "LevelValue", "text": "Modify", "level": "Modify", "rank": 2},
            }
        ],
    }  # fmt: skip
    assert change == {
        "action": "grant", "row": change["row"], "before": None, "after": "Modify",
        "detail": "granted `Users` (Modify)", "holder": {"id": world.ids["cleo"]}, "permission": {"key": USERS},
        "role": None, "team": None, "contract": {"number": "C-1"},
    }  # fmt: skip


@pytest.mark.parametrize("who", [CLEO, holder(role="agents"), holder(team="night")])
async def test_to_users_roles_and_teams_alike(world: Gateway, who: dict[str, Any]) -> None:
    payload = await world.both_ways(
        "grantPermissions", {"holder": who, "grants": [{"permission": EXPORT}]}, "__typename grants { id }"
    )

    assert payload["holder"]["__typename"] == next(iter(who)).capitalize()
    assert payload["changes"][0]["row"] in {grant["id"] for grant in payload["holder"]["grants"]}


@pytest.mark.parametrize(
    ("permission", "value", "shown"),
    [
        (MENU, None, {"__typename": "SwitchValue", "text": "on", "on": True}),
        (MENU, {"on": True}, {"__typename": "SwitchValue", "text": "on", "on": True}),
        (MENU, {"full": True}, {"__typename": "SwitchValue", "text": "on", "on": True}),
        (
            USERS,
            {"level": "view_only"},
            {"__typename": "LevelValue", "text": "View only", "level": "View only", "rank": 1},
        ),
        (
            USERS,
            {"full": True},
            {"__typename": "LevelValue", "text": "Modify and delete", "level": "Modify and delete", "rank": 3},
        ),
        ("desk.calls.recordings", {"scopes": ["own"]}, {"__typename": "ScopeValue", "text": "own", "scopes": ["own"]}),
        (
            "desk.calls.recordings",
            {"scopes": ["own", "SAME-GROUP"]},
            {"__typename": "ScopeValue", "text": "same group", "scopes": ["same group"]},
        ),
        ("desk.calls.recordings", {"full": True}, {"__typename": "ScopeValue", "text": "all", "scopes": ["all"]}),
        (
            "desk.calls.channels",
            {"amount": 3},
            {"__typename": "QuantityValue", "text": "3 channels", "amount": 3, "unlimited": False},
        ),
        (
            "desk.calls.channels",
            {"full": True},
            {"__typename": "QuantityValue", "text": "10 channels", "amount": 10, "unlimited": False},
        ),
        (
            "desk.calls.wrap_up",
            {"amount": 0},
            {"__typename": "QuantityValue", "text": "0 seconds", "amount": 0, "unlimited": False},
        ),
        (
            "desk.calls.wrap_up",  # descending: the least is the most
            {"full": True},
            {"__typename": "QuantityValue", "text": "0 seconds", "amount": 0, "unlimited": False},
        ),
        (
            "desk.calls.numbers",
            {"members": ["+33 2", "ivr", "+33 1"]},
            {
                "__typename": "MembersValue", "text": "+33 1, +33 2, ivr", "members": ["+33 1", "+33 2", "ivr"],
                "all": False,
            },
        ),
        (
            "desk.calls.numbers",
            {"full": True},
            {"__typename": "MembersValue", "text": "all", "members": [], "all": True},
        ),
        (
            "desk.calls.numbers",  # a name that reads like the word for everything is a name
            {"members": ["all"]},
            {"__typename": "MembersValue", "text": '"all"', "members": ["all"], "all": False},
        ),
    ],
)  # fmt: skip
async def test_values_of_every_type(world: Gateway, permission: str, value: Any, shown: dict[str, Any]) -> None:
    payload = await world.both_ways(
        "grantPermissions", asked(permission, value=value), f"grants {{ {ROW.replace('revision', '')} }}"
    )

    (grant,) = payload["holder"]["grants"]
    assert grant["value"] == shown
    assert payload["changes"][0]["after"] == shown["text"]


@each_of(
    ("permission", "value", "expected"),
    [
        (MENU, {"level": "on"}, "on or off"),
        (MENU, {"amount": 1}, "on or off"),
        (MENU, {"full": False}, "on or off"),
        (MENU, {"on": False}, "more"),
        (MENU, {"none": True}, "more"),
        (USERS, None, "one of the levels `None`, `View only`, `Modify`, `Modify and delete`"),
        (USERS, {"on": True}, "one of the levels `None`, `View only`, `Modify`, `Modify and delete`"),
        (USERS, {"level": "Delete"}, "one of the levels `None`, `View only`, `Modify`, `Modify and delete`"),
        (USERS, {"level": "None"}, "more"),
        ("desk.calls.recordings", {"scopes": ["everywhere"]}, "scopes out of `own`, `same group`, `all`"),
        ("desk.calls.recordings", {"scopes": []}, "more"),
        ("desk.calls.recordings", {"members": ["own"]}, "scopes out of `own`, `same group`, `all`"),
        ("desk.calls.channels", {"amount": 0}, "an amount from 1 to 10, in channels"),
        ("desk.calls.channels", {"amount": 11}, "an amount from 1 to 10, in channels"),
        ("desk.calls.channels", {"amount": -1}, "an amount from 1 to 10, in channels"),
        ("desk.calls.channels", {"none": True}, "more"),
        ("desk.calls.numbers", {"members": []}, "more"),
        ("desk.calls.numbers", {"members": [""]}, "names of 1 to 128 characters, at most 1000, or `ivr`"),
        ("desk.calls.numbers", {"members": [" 1"]}, "names of 1 to 128 characters, at most 1000, or `ivr`"),
        ("desk.calls.numbers", {"members": ["x" * 129]}, "names of 1 to 128 characters, at most 1000, or `ivr`"),
        ("desk.calls.numbers", {"members": ["\u202e1"]}, "names of 1 to 128 characters, at most 1000, or `ivr`"),
        (
            "desk.calls.numbers",
            {"members": [str(i) for i in range(1001)]},
            "names of 1 to 128 characters, at most 1000, or `ivr`",
        ),
    ],
)  # fmt: skip
async def test_values_that_do_not_fit_are_refused_with_what_would(
    world: Gateway, permission: str, value: Any, expected: str
) -> None:
    (error,) = await world.refuse("grantPermissions", asked(permission, value=value))

    assert (error["__typename"], error["code"]) == ("InvalidValue", "INVALID_VALUE")
    assert error["path"] == ["grants", "0", "value"]
    assert error["expected"] == expected


@each_of(
    ("permission", "code", "message"),
    [
        ("desk.nothing", "NOT_FOUND", "there is no permission `desk.nothing`"),
        (
            "DESK.REPORTS.MENU",
            "NOT_FOUND",
            "there is no permission `DESK.REPORTS.MENU`; did you mean `desk.reports.menu`?",
        ),
        ("", "NOT_FOUND", "there is no permission ``"),
        ("desk.reports", "NOT_GRANTABLE", "`desk.reports` is a group: grant what lies in it"),
        (
            "desk.reports.listen_in",
            "NOT_GRANTABLE",
            "`desk.reports.listen_in` is an operation: grant what it requires",
        ),
        (
            "core.pbx.access",
            "NOT_GRANTABLE",
            "`core.pbx.access` is an access level: it is set in a contract",
        ),
    ],
)
async def test_what_takes_no_grants_is_refused(world: Gateway, permission: str, code: str, message: str) -> None:
    (error,) = await world.refuse("grantPermissions", asked(permission))

    assert (error["code"], error["path"], error["message"]) == (code, ["grants", "0", "permission"], message)


async def test_the_same_row_again_is_no_change_whatever_the_reason(world: Gateway) -> None:
    given = asked(EXPORT, contract={"number": "C-1"}, validUntil="2026-07-01T00:00:00Z")
    await world.mutate("grantPermissions", {**given, "reason": "one"})

    await world.no_change("grantPermissions", {**given, "reason": "another"})


@pytest.mark.parametrize(
    "other",
    [{}, {"contract": {"number": "C-1"}}, {"validUntil": "2026-08-01T00:00:00Z"}, {"value": {"level": "Modify"}}],
)
async def test_a_row_that_differs_in_anything_is_a_row_of_its_own(world: Gateway, other: dict[str, Any]) -> None:
    first = asked(USERS, value={"level": "View only"}, validUntil="2026-07-01T00:00:00Z")
    await world.mutate("grantPermissions", first)

    payload = await world.mutate(
        "grantPermissions", asked(USERS, **({"value": {"level": "View only"}} | other)), "grants { id }"
    )

    assert len(payload["holder"]["grants"]) == 2


async def test_nothing_to_grant_is_no_change(world: Gateway) -> None:
    await world.no_change("grantPermissions", {"holder": CLEO, "grants": []})


async def test_all_faults_come_together_and_nothing_of_the_rest_is_done(world: Gateway) -> None:
    grants = [
        {"permission": MENU},
        {"permission": "x", "contract": {"number": "C-9"}},
        {"permission": MENU, "validFrom": "2026-07-02T00:00:00Z", "validUntil": "2026-07-01T00:00:00Z"},
    ]

    errors = await world.refuse("grantPermissions", {"holder": holder(user="nobody"), "grants": grants})

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("grants.1.contract", "NOT_FOUND"),
        ("grants.1.permission", "NOT_FOUND"),
        ("grants.2.validUntil", "INVALID_VALUE"),
        ("holder.user", "NOT_FOUND"),
    ]


# ---------------------------------------------------------------------- prerequisites


async def test_what_would_stand_without_what_it_needs_is_refused_naming_everything(world: Gateway) -> None:
    (error,) = await world.refuse("grantPermissions", asked(SPY))

    assert error["code"] == "PREREQUISITE_NOT_MET"
    assert error["message"] == "`Spy on calls` needs `Real time`, `Reports menu`"
    assert error["holder"] == {"id": world.ids["cleo"]}
    assert error["missing"] == [{"text": "Real time"}, {"text": "Reports menu"}]
    assert [grant["permission"]["key"] for grant in error["fixes"][0]["grants"]] == [MENU, REAL_TIME]


async def test_each_right_that_lacks_something_is_a_refusal_of_its_own(world: Gateway) -> None:
    grants = [{"permission": SPY}, {"permission": ROLES, "value": {"level": "Modify"}}]

    errors = await world.refuse("grantPermissions", {"holder": CLEO, "grants": grants})

    assert [(error["permission"]["key"], error["path"]) for error in errors] == [
        (SPY, ["grants", "0", "permission"]),
        (ROLES, ["grants", "1", "permission"]),
    ]


async def test_what_comes_in_the_same_request_counts_in_any_order(world: Gateway) -> None:
    grants = [{"permission": SPY}, {"permission": REAL_TIME}, {"permission": MENU}]

    payload = await world.both_ways("grantPermissions", {"holder": CLEO, "grants": grants})

    assert [change["permission"]["key"] for change in payload["changes"]] == [SPY, REAL_TIME, MENU]


async def test_include_adds_the_missing_in_the_same_contract_and_window(world: Gateway) -> None:
    window = {"validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z"}
    given = {**asked(SPY, contract={"number": "C-1"}, **window), "onMissingPrerequisites": "INCLUDE", "reason": "why"}

    payload = await world.both_ways(
        "grantPermissions", given, "grants { permission { key } contract { number } validFrom validUntil reason }"
    )

    assert sorted(grant["permission"]["key"] for grant in payload["holder"]["grants"]) == [MENU, REAL_TIME, SPY]
    for grant in payload["holder"]["grants"]:
        del grant["permission"]
        assert grant == {"contract": {"number": "C-1"}, **window, "reason": "why"}
    assert len(payload["changes"]) == 3


async def test_include_adds_only_what_is_not_there(world: Gateway) -> None:
    await world.assign(CLEO, "agents")

    payload = await world.both_ways("grantPermissions", {**asked(SPY), "onMissingPrerequisites": "INCLUDE"})

    assert sorted(change["permission"]["key"] for change in payload["changes"]) == [REAL_TIME, SPY]


@pytest.mark.parametrize("on_missing", ["REJECT", "INCLUDE"])
async def test_an_either_or_is_refused_with_the_alternatives(world: Gateway, on_missing: str) -> None:
    (error,) = await world.refuse("grantPermissions", {**asked(APPROVE), "onMissingPrerequisites": on_missing})

    # The second is what one of the alternatives needs in turn.
    assert error["missing"] == [{"text": "Users: Modify or Roles: Modify"}, {"text": "Users: View only"}]
    alternatives = {
        tuple((grant["permission"]["key"], grant["value"]["text"]) for grant in fix["grants"]) for fix in error["fixes"]
    }
    assert alternatives == {((USERS, "Modify"),), ((USERS, "View only"), (ROLES, "Modify"))}


async def test_a_requirement_of_one_level_asks_nothing_of_those_below(world: Gateway) -> None:
    await world.mutate("grantPermissions", asked(ROLES, value={"level": "View only"}))

    (error,) = await world.refuse("grantPermissions", asked(ROLES, value={"level": "Modify"}))

    assert error["missing"] == [{"text": "Users: View only"}]


async def test_a_role_must_have_by_itself_what_it_gives(world: Gateway) -> None:
    await world.create_role("leads")
    await world.assign(CLEO, "agents", "leads")

    (error,) = await world.refuse(
        "grantPermissions", {"holder": holder(role="leads"), "grants": [{"permission": REAL_TIME}]}
    )

    assert (error["code"], error["holder"]) == ("PREREQUISITE_NOT_MET", {"id": world.ids["leads"]})


async def test_a_row_of_one_contract_does_not_serve_a_right_of_all(world: Gateway) -> None:
    await world.grant(CLEO, {"permission": MENU, "contract": {"number": "C-1"}})

    (error,) = await world.refuse("grantPermissions", asked(REAL_TIME))
    await world.mutate("grantPermissions", asked(REAL_TIME, contract={"number": "C-1"}))

    assert error["code"] == "PREREQUISITE_NOT_MET"


async def test_a_later_beginning_is_judged_at_that_moment(world: Gateway) -> None:
    await world.grant(CLEO, {"permission": MENU, "validUntil": "2026-06-10T00:00:00Z"})

    (error,) = await world.refuse("grantPermissions", asked(REAL_TIME, validFrom="2026-06-11T00:00:00Z"))

    assert error["code"] == "PREREQUISITE_NOT_MET"


async def test_facts_and_targets_count_as_met(world: Gateway) -> None:
    payload = await world.both_ways("grantPermissions", asked("desk.calls.send_texts"))

    assert payload["warnings"] == []
    data = await world.gql("""{ user(ref: {userName: "cleo"}) {
      can(node: "desk.calls.send_texts") { allowed state missingFacts }
    } }""")
    assert data["user"]["can"] == {"allowed": False, "state": "CONDITIONAL", "missingFacts": ["credit_balance"]}


async def test_implied_rights_are_given_along(world: Gateway) -> None:
    payload = await world.both_ways(
        "grantPermissions",
        asked("desk.staff.edit_contacts"),
        """... on User { effectiveRights(states: [ACTIVE]) {
             permission { key } contributions { grant { id } impliedBy { key } }
        } }""",
    )

    (change,) = payload["changes"]
    assert payload["holder"]["effectiveRights"] == [
        {
            "permission": {"key": "desk.staff.edit_contacts"},
            "contributions": [{"grant": {"id": change["row"]}, "impliedBy": None}],
        },
        {
            "permission": {"key": "desk.staff.read_contacts"},
            "contributions": [{"grant": {"id": change["row"]}, "impliedBy": {"key": "desk.staff.edit_contacts"}}],
        },
    ]


# ---------------------------------------------------------------------- warnings


async def test_an_advisory_requirement_warns(world: Gateway) -> None:
    payload = await world.both_ways("grantPermissions", asked(EXPORT))

    assert [(warning["code"], warning["message"], warning["path"]) for warning in payload["warnings"]] == [
        ("ADVISORY", "`Export` is of little use without `Reports menu`", ["grants", "0", "permission"])
    ]


async def test_a_prerequisite_that_ends_earlier_warns(world: Gateway) -> None:
    await world.grant(CLEO, {"permission": MENU, "validUntil": "2026-06-10T00:00:00Z"})

    payload = await world.both_ways("grantPermissions", asked(REAL_TIME))

    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        (
            "PREREQUISITE_ENDS_EARLIER",
            "`Real time` will be suspended from 2026-06-10T00:00:00+00:00, when `Reports menu` ends",
        )
    ]


async def test_what_a_limit_on_the_person_holds_back_warns(world: Gateway) -> None:
    payload = await world.both_ways(
        "grantPermissions", {"holder": holder(user="ana"), "grants": [{"permission": EXPORT}]}
    )

    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        ("ADVISORY", "`Export` is held back by a limit on the person")
    ]


async def test_a_right_in_a_contract_that_the_person_is_not_in_warns(world: Gateway) -> None:
    payload = await world.both_ways("grantPermissions", asked(MENU, contract={"number": "C-1"}))

    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        ("ADVISORY", "`Reports menu` is held back: the person has no level in the contract `C-1`")
    ]


async def test_a_right_in_a_contract_that_is_not_in_force_warns(world: Gateway) -> None:
    await world.mutate("updateContract", {"contract": {"number": "C-1"}, "status": "SUSPENDED"})

    payload = await world.both_ways(
        "grantPermissions",
        {"holder": holder(user="ana"), "grants": [{"permission": SPY, "contract": {"number": "C-1"}}],
         "onMissingPrerequisites": "INCLUDE"},
    )  # fmt: skip

    assert "`Spy on calls` is held back: the contract `C-1` is not in force" in {
        warning["message"] for warning in payload["warnings"]
    }


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("grantPermissions", {"holder": CLEO, "grants": [{"permission": MENU}] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["grants"])
