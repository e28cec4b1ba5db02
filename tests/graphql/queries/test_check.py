"""check: may this user do this? Every field of the question, every part of the answer."""

from typing import Any

import pytest

from app.domain.callers import Right
from tests.factories import Gateway, each_of, holder

DOCUMENT = """query ($input: CheckInput!) { check(input: $input) {
  allowed state node { __typename key } value { text } missing { text } missingFacts
  errors { __typename code message path ... on InvalidValue { expected } }
  obligations { kind fields values keep } revision evaluatedAt
} }"""
ANA, BEN, CLEO, C1 = {"userName": "ana"}, {"userName": "ben"}, {"userName": "cleo"}, {"number": "C-1"}
MENU, SPY, RECORDINGS = "desk.reports.menu", "desk.reports.spy", "desk.calls.recordings"


async def check(
    gateway: Gateway, user: dict[str, str], node: str, *, by: str | None = None, **given: Any
) -> dict[str, Any]:
    question = {"user": user, "node": node, **given}
    decision: dict[str, Any] = (await gateway.gql(DOCUMENT, {"input": question}, token=by))["check"]
    return decision


async def verdict(gateway: Gateway, user: dict[str, str], node: str, **given: Any) -> tuple[bool, str]:
    decision = await check(gateway, user, node, **given)
    assert decision["errors"] == []
    return decision["allowed"], decision["state"]


async def test_a_yes(world: Gateway) -> None:
    assert await check(world, ANA, MENU) == {
        "allowed": True, "state": "ACTIVE", "node": {"__typename": "Permission", "key": MENU}, "value": {"text": "on"},
        "missing": [], "missingFacts": [], "errors": [], "obligations": [], "revision": str(world.answered_from),
        "evaluatedAt": "2026-06-01T09:00:00Z",
    }  # fmt: skip


async def test_a_no_names_what_is_missing_all_the_way_down(world: Gateway) -> None:
    decision = await check(world, CLEO, SPY)

    assert (decision["allowed"], decision["state"], decision["value"]) == (False, "NOT_GRANTED", {"text": "off"})
    assert decision["missing"] == [{"text": "Spy on calls"}, {"text": "Real time"}, {"text": "Reports menu"}]


@pytest.mark.parametrize("user", ["id", ANA, {"externalId": "hr-1"}])
async def test_any_reference_will_do(world: Gateway, user: Any) -> None:
    await world.mutate("updateUser", {"user": ANA, "externalId": "hr-1"})

    assert await verdict(world, {"id": world.ids["ana"]} if user == "id" else user, MENU) == (True, "ACTIVE")


# ---------------------------------------------------------------------- states


async def test_limited_by_a_limit_on_the_person(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.export")

    assert await verdict(world, ANA, "desk.reports.export") == (False, "LIMITED")


async def test_limited_where_the_person_has_no_level_in_the_contract(world: Gateway) -> None:
    await world.assign(holder(user="cleo"), "agents")

    assert await verdict(world, CLEO, MENU) == (True, "ACTIVE")
    assert await verdict(world, CLEO, MENU, contract=C1) == (False, "LIMITED")
    await world.set_level("C-1", "cleo", "core", "WITHOUT_ACCESS")
    assert await verdict(world, CLEO, MENU, contract=C1) == (True, "ACTIVE")


@pytest.mark.parametrize("status", ["SUSPENDED", "ARCHIVED"])
async def test_limited_whatever_it_is_for_an_inactive_person(world: Gateway, status: str) -> None:
    await world.mutate("setUserStatus", {"user": ANA, "status": status})

    assert await verdict(world, ANA, MENU) == (False, "LIMITED")
    assert await verdict(world, ANA, SPY) == (False, "LIMITED")
    assert await verdict(world, ANA, "desk.reports.open_real_time") == (False, "LIMITED")


async def test_suspended_without_what_it_needs(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), SPY, onMissingPrerequisites="INCLUDE")
    await world.mutate(
        "revokePermissions",
        {"holder": holder(user="cleo"), "revokes": [{"permission": MENU}], "onDependents": "SUSPEND"},
    )

    decision = await check(world, CLEO, SPY)

    assert (decision["state"], decision["missing"]) == ("SUSPENDED", [{"text": "Reports menu"}])


async def test_conditional_on_a_fact_that_is_not_known(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.calls.send_texts")

    decision = await check(world, ANA, "desk.calls.send_texts", contract=C1)

    assert (decision["allowed"], decision["state"]) == (False, "CONDITIONAL")
    assert decision["missingFacts"] == ["credit_balance"]
    assert decision["missing"] == [{"text": "credit_balance > 0"}]


# ---------------------------------------------------------------------- at least


@pytest.mark.parametrize(
    ("at_least", "state"),
    [
        (None, "ACTIVE"),
        ({"level": "view only"}, "ACTIVE"),
        ({"level": "Modify"}, "ACTIVE"),
        ({"level": "Modify and delete"}, "NOT_GRANTED"),
        ({"full": True}, "NOT_GRANTED"),
    ],
)
async def test_at_least_so_much(world: Gateway, at_least: dict[str, Any] | None, state: str) -> None:
    await world.grant(holder(user="cleo"), {"permission": "desk.staff.accounts.users", "value": {"level": "Modify"}})

    assert (await verdict(world, CLEO, "desk.staff.accounts.users", atLeast=at_least))[1] == state


@each_of(
    ("node", "at_least"),
    [
        (MENU, {"level": "Modify"}),
        (MENU, {"on": False}),
        (MENU, {"none": True}),
        ("desk.staff.accounts.users", {"level": "None"}),
        ("desk.staff.accounts.users", {"level": "Everything"}),
        ("desk.calls.channels", {"amount": 11}),
        ("desk.calls.numbers", {"members": []}),
        (RECORDINGS, {"scopes": []}),
        ("desk.reports.open_real_time", {"level": "Modify"}),
        ("desk.reports.open_real_time", {"on": False}),
        ("desk.reports.open_real_time", {"scopes": ["own", "all"]}),
        ("desk.reports.open_real_time", {"members": ["a"]}),
    ],
)
async def test_a_value_that_does_not_fit_is_a_fault_of_the_question(
    world: Gateway, node: str, at_least: dict[str, Any]
) -> None:
    decision = await check(world, {"userName": "olga"}, node, atLeast=at_least)

    assert (decision["allowed"], decision["value"]) == (False, None)
    assert [(error["code"], error["path"]) for error in decision["errors"]] == [("INVALID_VALUE", ["atLeast"])]
    assert decision["node"]["key"] == node


@pytest.mark.parametrize("at_least", [{"on": True}, {"full": True}])
async def test_an_operation_is_open_or_not(world: Gateway, at_least: dict[str, Any]) -> None:
    await world.grant(holder(user="ana"), "desk.reports.real_time")

    decision = await check(world, ANA, "desk.reports.open_real_time", atLeast=at_least)

    assert (decision["allowed"], decision["value"]) == (True, {"text": "on"})
    assert decision["node"]["__typename"] == "Operation"


# ---------------------------------------------------------------------- contracts and moments


async def test_without_a_contract_only_rows_of_no_contract_count(world: Gateway) -> None:
    await world.grant(holder(user="ana"), {"permission": "desk.staff.read_contacts", "contract": C1})

    assert await verdict(world, ANA, "desk.staff.read_contacts") == (False, "NOT_GRANTED")
    assert await verdict(world, ANA, "desk.staff.read_contacts", contract=C1) == (True, "ACTIVE")
    assert await verdict(world, ANA, "desk.staff.read_contacts", contract={"id": world.ids["C-1"]}) == (True, "ACTIVE")


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (None, False),
        ("2026-06-09T23:59:59.999999Z", False),
        ("2026-06-10T00:00:00Z", True),
        ("2026-06-10T02:00:00+02:00", True),
        ("2026-06-19T23:59:59.999999Z", True),
        ("2026-06-20T00:00:00Z", False),
        ("2026-06-20T01:00:00+02:00", True),
    ],
)
async def test_a_window_holds_its_beginning_and_not_its_end(world: Gateway, at: str | None, allowed: bool) -> None:
    await world.grant(
        holder(user="cleo"),
        {"permission": MENU, "validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z"},
    )

    assert (await verdict(world, CLEO, MENU, at=at))[0] is allowed


async def test_now_is_the_clock_of_the_gateway(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), {"permission": MENU, "validUntil": "2026-06-01T10:00:00Z"})
    assert await verdict(world, CLEO, MENU) == (True, "ACTIVE")

    world.clock.advance(hours=1)

    decision = await check(world, CLEO, MENU)
    assert (decision["allowed"], decision["evaluatedAt"]) == (False, "2026-06-01T10:00:00Z")


async def test_the_moment_asked_is_answered(world: Gateway) -> None:
    decision = await check(world, CLEO, MENU, at="2027-01-01T12:00:00.123456+01:00")

    assert decision["evaluatedAt"] == "2027-01-01T11:00:00.123456Z"


# ---------------------------------------------------------------------- facts


@pytest.mark.parametrize(
    ("stored", "sent", "state"),
    [
        (None, None, "CONDITIONAL"),
        (None, "5", "ACTIVE"),
        (None, "0", "SUSPENDED"),
        ("5", None, "ACTIVE"),
        ("5", "0", "ACTIVE"),
        ("0", "5", "SUSPENDED"),
    ],
)
async def test_a_fact_that_is_sent_counts_only_where_none_is_stored(
    world: Gateway, stored: str | None, sent: str | None, state: str
) -> None:
    await world.grant(holder(user="ana"), "desk.calls.send_texts")
    if stored is not None:
        await world.set_facts({"credit_balance": stored}, contract=C1)
    facts = None if sent is None else [{"name": "credit_balance", "value": sent}]
    by = await world.trust("cleo", Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.VIEW_CONTRACTS)

    assert (await verdict(world, ANA, "desk.calls.send_texts", by=by, contract=C1, facts=facts))[1] == state


@pytest.mark.parametrize(("stored", "sent", "state"), [("5", "0", "SUSPENDED"), ("0", "5", "ACTIVE")])
async def test_a_fact_that_is_sent_goes_before_a_stored_one_for_whoever_may_assert_facts(
    world: Gateway, stored: str, sent: str, state: str
) -> None:
    await world.grant(holder(user="ana"), "desk.calls.send_texts")
    await world.set_facts({"credit_balance": stored}, contract=C1)
    facts = [{"name": "credit_balance", "value": sent}]
    by = await world.trust("cleo", Right.VIEW_USERS, Right.VIEW_RIGHTS, Right.VIEW_CONTRACTS, Right.ASSERT_FACTS)

    assert (await verdict(world, ANA, "desk.calls.send_texts", by=by, contract=C1, facts=facts))[1] == state


async def test_faults_of_facts(world: Gateway) -> None:
    facts = [
        {"name": "credit_balance", "value": "much"},
        {"name": "weather", "value": "fine"},
        {"name": "subscriber_linked", "value": "true"},
        {"name": "trained", "value": "true"},
        {"name": "trained", "value": "true"},
    ]

    decision = await check(world, ANA, MENU, facts=facts)

    assert decision["allowed"] is False
    assert sorted((".".join(error["path"]), error["code"]) for error in decision["errors"]) == [
        ("facts.credit_balance", "INVALID_VALUE"),
        ("facts.subscriber_linked", "INVALID_VALUE"),
        ("facts.trained", "DUPLICATE"),
        ("facts.weather", "INVALID_VALUE"),
    ]


# ---------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("scope", "reached"),
    [("own", {"ana"}), ("same group", {"ana", "ben"}), ("all", {"ana", "ben", "cleo", "olga"})],
)
async def test_a_scope_reaches_some_and_not_others(world: Gateway, scope: str, reached: set[str]) -> None:
    await world.grant(holder(user="ana"), {"permission": RECORDINGS, "value": {"scopes": [scope]}})

    for name in ("ana", "ben", "cleo", "olga"):
        allowed, state = await verdict(world, ANA, RECORDINGS, target={"userName": name})
        assert (name, allowed, state) == (name, name in reached, "ACTIVE" if name in reached else "NOT_GRANTED")


async def test_a_target_outside_the_contract_is_a_no(world: Gateway) -> None:
    await world.grant(holder(user="ana"), {"permission": RECORDINGS, "value": {"full": True}})

    assert await verdict(world, ANA, RECORDINGS, target=BEN, contract=C1) == (True, "ACTIVE")
    assert await verdict(world, ANA, RECORDINGS, target=CLEO, contract=C1) == (False, "LIMITED")
    assert await verdict(world, ANA, RECORDINGS, target={"userName": "olga"}, contract=C1) == (False, "LIMITED")


async def test_a_requirement_on_the_other_person(world: Gateway) -> None:
    await world.grant(holder(user="ana"), SPY, onMissingPrerequisites="INCLUDE")
    listen = "desk.reports.listen_in"

    unknown = await check(world, ANA, listen)
    assert (unknown["state"], unknown["missingFacts"]) == ("CONDITIONAL", ["target"])
    shut = await check(world, ANA, listen, target=CLEO)
    assert (shut["state"], shut["missing"]) == ("SUSPENDED", [{"text": "the target's Can be listened to"}])

    await world.grant(holder(user="cleo"), "desk.calls.can_be_listened_to")
    assert await verdict(world, ANA, listen, target=CLEO) == (True, "ACTIVE")


async def test_a_target_on_what_has_no_use_for_one_is_a_fault(world: Gateway) -> None:
    decision = await check(world, ANA, MENU, target=BEN, targetSubscriber="101")

    assert [(error["code"], error["path"]) for error in decision["errors"]] == [
        ("INVALID_VALUE", ["target"]),
        ("INVALID_VALUE", ["targetSubscriber"]),
    ]
    assert decision["allowed"] is False


@pytest.mark.parametrize(("subscriber", "allowed"), [(None, True), ("101", True), ("102", False)])
async def test_a_target_subscriber_is_ones_own(world: Gateway, subscriber: str | None, allowed: bool) -> None:
    await world.mutate("linkSubscriber", {"contract": C1, "user": ANA, "subscriber": "101"})

    decision = await check(world, ANA, "core.pbx.listen_to_own_records", contract=C1, targetSubscriber=subscriber)

    assert decision["errors"] == []
    assert decision["allowed"] is allowed


# ---------------------------------------------------------------------- obligations


async def test_masks_where_the_right_that_lifts_them_is_not_held(world: Gateway) -> None:
    await world.grant(holder(user="cleo"), "desk.staff.read_contacts")
    await world.grant(holder(user="ana"), "desk.staff.read_contacts")  # who holds the right to see numbers

    masked = await check(world, CLEO, "desk.staff.read_contacts")
    clear = await check(world, ANA, "desk.staff.read_contacts")

    assert masked["obligations"] == [{"kind": "MASK", "fields": ["phone", "email"], "values": [], "keep": 2}]
    assert clear["obligations"] == []


async def test_a_plain_yes_on_a_scope_or_members_says_how_far_it_goes(world: Gateway) -> None:
    await world.grant(
        holder(user="ana"),
        {"permission": RECORDINGS, "value": {"scopes": ["same group"]}},
        {"permission": "desk.calls.numbers", "value": {"members": ["+33 2", "ivr"]}},
    )

    plain = await check(world, ANA, RECORDINGS)
    targeted = await check(world, ANA, RECORDINGS, target=BEN)
    exact = await check(world, ANA, RECORDINGS, atLeast={"scopes": ["own"]})
    numbers = await check(world, ANA, "desk.calls.numbers")

    scope: dict[str, Any] = {"kind": "SCOPE", "fields": [], "keep": None}
    assert plain["obligations"] == [{**scope, "values": ["same group"]}]
    assert targeted["obligations"] == exact["obligations"] == []
    assert numbers["obligations"] == [{**scope, "values": ["+33 2", "ivr"]}]


# ---------------------------------------------------------------------- wrong questions


@each_of(
    ("node", "message"),
    [
        ("desk.nothing", "there is no node `desk.nothing`"),
        ("desk", "there is no node `desk`"),
        ("desk.reports.mneu", "there is no node `desk.reports.mneu`; did you mean `desk.reports.menu`?"),
        ("reports.real_time", "there is no node `reports.real_time`; did you mean `desk.reports.real_time`?"),
        ("x" * 99 + "\n", f"there is no node `{'x' * 80}\u2026`"),
        ("desk.reports", "`desk.reports` is a group: ask for what lies in it"),
    ],
)
async def test_an_unknown_node_is_a_no(world: Gateway, node: str, message: str) -> None:
    decision = await check(world, {"userName": "olga"}, node)

    assert (decision["allowed"], decision["state"], decision["node"]) == (False, "NOT_GRANTED", None)
    assert [(error["code"], error["path"], error["message"]) for error in decision["errors"]] == [
        ("NOT_FOUND", ["node"], message)
    ]


async def test_every_fault_of_a_question_is_told_together(world: Gateway) -> None:
    decision = await check(
        world, {"userName": "nobody"}, MENU, atLeast={"amount": 1}, contract={"number": "C-9"},
        target={"id": "usr_0"}, facts=[{"name": "weather", "value": "fine"}],
    )  # fmt: skip

    assert sorted((".".join(error["path"]), error["code"]) for error in decision["errors"]) == [
        ("atLeast", "INVALID_VALUE"),
        ("contract", "NOT_FOUND"),
        ("facts.weather", "INVALID_VALUE"),
        ("target", "INVALID_VALUE"),
        ("target", "NOT_FOUND"),
        ("user", "NOT_FOUND"),
    ]
