"""limitPermissions: a holder has, and passes on, at most this."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

MENU, REAL_TIME, EXPORT = (f"desk.reports.{name}" for name in ("menu", "real_time", "export"))
CHANNELS = "desk.calls.channels"
CLEO, C1 = holder(user="cleo"), {"number": "C-1"}
LIMITS = (
    "limits { id permission { key } value { text } contract { number } validFrom validUntil source reason revision }"
)


def asked(permission: str, who: dict[str, Any] = CLEO, **given: Any) -> dict[str, Any]:
    return {"holder": who, "limits": [{"permission": permission, **given}]}


async def test_puts_a_row_with_all_that_was_asked(world: Gateway) -> None:
    given = asked(
        CHANNELS, value={"amount": 2}, contract=C1, validFrom="2026-06-10T00:00:00Z", validUntil="2026-06-20T00:00:00Z"
    )

    payload = await world.mutate("limitPermissions", {**given, "reason": "too loud"}, LIMITS)

    (change,) = payload["changes"]
    assert payload["holder"]["limits"] == [
        {
            "id": change["row"], "permission": {"key": CHANNELS}, "value": {"text": "2 channels"},
            "contract": {"number": "C-1"}, "validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z",
            "source": "manual", "reason": "too loud", "revision": payload["revision"],
        }
    ]  # fmt: skip
    assert (change["action"], change["after"], change["detail"]) == (
        "limit", "2 channels", "limited `Channels` (2 channels)"
    )  # fmt: skip


@pytest.mark.parametrize("who", [CLEO, holder(role="writers"), holder(team="night")])
async def test_on_users_roles_and_teams_alike(world: Gateway, who: dict[str, Any]) -> None:
    payload = await world.both_ways("limitPermissions", asked(EXPORT, who), "limits { value { text } }")

    assert payload["holder"]["limits"] == [{"value": {"text": "off"}}]


async def test_what_leaves_out_its_value_leaves_nothing(world: Gateway) -> None:
    await world.grant(CLEO, {"permission": CHANNELS, "value": {"amount": 5}})

    await world.mutate("limitPermissions", asked(CHANNELS))

    data = await world.gql("""{ user(ref: {userName: "cleo"}) {
      effectiveRights(nodes: ["desk.calls.channels"]) { value { text } granted { text } state }
    } }""")
    assert data["user"]["effectiveRights"] == [
        {"value": {"text": "unset"}, "granted": {"text": "5 channels"}, "state": "LIMITED"}
    ]


async def test_the_less_of_grant_and_limit_is_left(world: Gateway) -> None:
    await world.grant(CLEO, {"permission": CHANNELS, "value": {"amount": 5}})
    await world.limit(CLEO, {"permission": CHANNELS, "value": {"amount": 2}})
    await world.limit(CLEO, {"permission": CHANNELS, "value": {"amount": 7}})

    data = await world.gql("""{ user(ref: {userName: "cleo"}) {
      effectiveRights(nodes: ["desk.calls.channels"]) { value { text } state }
      two: can(node: "desk.calls.channels", atLeast: {amount: 2}) { state }
      three: can(node: "desk.calls.channels", atLeast: {amount: 3}) { state }
      six: can(node: "desk.calls.channels", atLeast: {amount: 6}) { state }
    } }""")

    assert data["user"] == {
        "effectiveRights": [{"value": {"text": "2 channels"}, "state": "LIMITED"}],
        "two": {"state": "ACTIVE"},
        "three": {"state": "LIMITED"},
        "six": {"state": "NOT_GRANTED"},
    }


async def test_a_limit_on_a_role_undoes_no_other_role(world: Gateway) -> None:
    await world.create_role("wide", MENU)
    await world.create_role("narrow", parents=[{"key": "wide"}])
    await world.limit(holder(role="narrow"), MENU)
    question = '{ user(ref: {userName: "cleo"}) { can(node: "desk.reports.menu") { allowed } } }'
    await world.assign(CLEO, "narrow")
    assert not (await world.gql(question))["user"]["can"]["allowed"]

    await world.assign(CLEO, "wide")

    assert (await world.gql(question))["user"]["can"]["allowed"]


@each_of("value", [{"full": True}, {"amount": 10}])
async def test_a_limit_at_the_top_limits_nothing(world: Gateway, value: dict[str, Any]) -> None:
    (error,) = await world.refuse("limitPermissions", asked(CHANNELS, value=value))

    assert (error["code"], error["path"], error["expected"]) == (
        "INVALID_VALUE", ["limits", "0", "value"], "less than everything"
    )  # fmt: skip


@each_of(
    ("permission", "code"),
    [
        ("desk.calls.withhold_number", "NOT_GRANTABLE"),
        ("desk.reports", "NOT_GRANTABLE"),
        ("desk.reports.listen_in", "NOT_GRANTABLE"),
        ("core.system.access", "NOT_GRANTABLE"),
        ("desk.nothing", "NOT_FOUND"),
    ],
)
async def test_what_takes_no_limits_is_refused(world: Gateway, permission: str, code: str) -> None:
    (error,) = await world.refuse("limitPermissions", asked(permission))

    assert (error["code"], error["path"]) == (code, ["limits", "0", "permission"])


async def test_an_account_owner_cannot_be_limited(world: Gateway) -> None:
    (error,) = await world.refuse("limitPermissions", asked(EXPORT, holder(user="olga")))

    assert error["code"] == "CONFLICT"
    assert error["message"].startswith("`olga` owns the account and cannot be limited (`desk.reports.export`, row lim_")


@pytest.mark.parametrize("scope", [{}, {"contract": C1}])
async def test_the_owner_of_a_contract_cannot_be_limited_there(world: Gateway, scope: dict[str, Any]) -> None:
    (error,) = await world.refuse("limitPermissions", asked(EXPORT, holder(user="ben"), **scope))

    assert error["code"] == "CONFLICT"
    assert error["message"].startswith("`ben` owns the contract `C-1` and cannot be limited")


async def test_the_owner_of_one_contract_can_be_limited_in_another(world: Gateway) -> None:
    await world.register_contract("C-2", owner="cleo")

    await world.both_ways("limitPermissions", asked(EXPORT, holder(user="ben"), contract={"number": "C-2"}))


async def test_the_same_limit_again_is_no_change(world: Gateway) -> None:
    await world.no_change("limitPermissions", asked(EXPORT, holder(user="ana")))


async def test_all_faults_come_together(world: Gateway) -> None:
    limits = [
        {"permission": "x"},
        {"permission": CHANNELS, "value": {"level": "y"}},
        {"permission": MENU, "validUntil": "2020-01-01T00:00:00Z"},
        {"permission": MENU, "contract": {"number": "C-9"}},
    ]

    errors = await world.refuse("limitPermissions", {"holder": holder(team="nobody"), "limits": limits})

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("holder.team", "NOT_FOUND"),
        ("limits.0.permission", "NOT_FOUND"),
        ("limits.1.value", "INVALID_VALUE"),
        ("limits.2.validUntil", "INVALID_VALUE"),
        ("limits.3.contract", "NOT_FOUND"),
    ]


# ---------------------------------------------------------------------- dependents


async def test_a_limit_on_a_role_that_others_stand_on_is_refused(world: Gateway) -> None:
    await world.create_role("leads", MENU, REAL_TIME)

    (error,) = await world.refuse("limitPermissions", asked(MENU, holder(role="leads")))

    assert (error["code"], error["path"]) == ("DEPENDENTS_EXIST", ["limits", "0", "permission"])
    assert error["holder"] == {"id": world.ids["leads"]}
    assert error["dependents"] == [{"key": REAL_TIME}]


async def test_cascade_ends_what_stood_on_it(world: Gateway) -> None:
    await world.create_role("leads", MENU, REAL_TIME)

    payload = await world.both_ways(
        "limitPermissions", {**asked(MENU, holder(role="leads")), "onDependents": "CASCADE"}, "grants { id }"
    )

    assert [(change["action"], change["permission"]["key"]) for change in payload["changes"]] == [
        ("limit", MENU),
        ("revoke", REAL_TIME),
    ]
    assert len(payload["holder"]["grants"]) == 1


async def test_suspend_leaves_it(world: Gateway) -> None:
    await world.create_role("leads", MENU, REAL_TIME)

    payload = await world.both_ways(
        "limitPermissions", {**asked(MENU, holder(role="leads")), "onDependents": "SUSPEND"}, "grants { id }"
    )

    assert len(payload["holder"]["grants"]) == 2
    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]


async def test_what_a_limit_on_the_person_holds_back_is_no_violation(world: Gateway) -> None:
    await world.grant(CLEO, MENU, REAL_TIME)

    payload = await world.both_ways(
        "limitPermissions", asked(MENU),
        "... on User { effectiveRights(nodes: [\"desk.reports.real_time\"]) { state missing { text } } }",
    )  # fmt: skip

    assert payload["errors"] == []
    assert payload["holder"]["effectiveRights"] == [{"state": "SUSPENDED", "missing": [{"text": "Reports menu"}]}]


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("limitPermissions", {"holder": CLEO, "limits": [{"permission": MENU}] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["limits"])
