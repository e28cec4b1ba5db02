"""checkMany: many questions, each answered as if it stood alone."""

from typing import Any

import pytest

from tests.factories import Gateway, holder

DECISION = "allowed state node { key } value { text } missing { text } missingFacts errors { code path } evaluatedAt"
DOCUMENT = f"query ($inputs: [CheckInput!]!) {{ checkMany(inputs: $inputs) {{ {DECISION} }} }}"
MENU = "desk.reports.menu"
ANA, CLEO, C1 = {"userName": "ana"}, {"userName": "cleo"}, {"number": "C-1"}


TEXTS = {"user": ANA, "node": "desk.calls.send_texts", "contract": C1}


async def test_answers_keep_the_order(world: Gateway) -> None:
    inputs = [{"user": {"userName": name}, "node": MENU} for name in ("cleo", "ana", "olga", "ana", "nobody", "ben")]

    decisions = (await world.gql(DOCUMENT, {"inputs": inputs}))["checkMany"]

    assert [decision["allowed"] for decision in decisions] == [False, True, True, True, False, False]
    assert [bool(decision["errors"]) for decision in decisions] == [False, False, False, False, True, False]


async def test_every_answer_is_what_check_says(world: Gateway) -> None:
    """A fault in one question's content never changes another's answer."""
    await world.grant(holder(user="ana"), "desk.calls.send_texts")
    inputs: list[dict[str, Any]] = [
        {**TEXTS, "facts": [{"name": "credit_balance", "value": "1"}]},
        {**TEXTS, "facts": [{"name": "credit_balance", "value": "0"}]},
        {"user": ANA, "node": "desk.calls.send_texts", "contract": {"number": "C-9"}},
        {"user": {"userName": "nobody"}, "node": "nothing", "atLeast": {"amount": 1}},
        {"user": CLEO, "node": MENU, "at": "2030-01-01T00:00:00Z"},
        {"user": ANA, "node": MENU, "at": "2030-01-01T00:00:00Z"},
        {"user": ANA, "node": MENU, "atLeast": {"level": "x"}},
        {"user": {"id": world.ids["ana"]}, "node": "desk.calls.recordings", "target": CLEO},
    ]  # fmt: skip

    together = (await world.gql(DOCUMENT, {"inputs": inputs}))["checkMany"]

    alone = [
        (await world.gql(f"query ($i: CheckInput!) {{ check(input: $i) {{ {DECISION} }} }}", {"i": question}))["check"]
        for question in inputs
    ]
    assert together == alone
    assert [decision["state"] for decision in together] == [
        "ACTIVE", "SUSPENDED", "NOT_GRANTED", "NOT_GRANTED", "NOT_GRANTED", "ACTIVE", "NOT_GRANTED", "NOT_GRANTED"
    ]  # fmt: skip


async def test_none_is_none(world: Gateway) -> None:
    assert await world.gql(DOCUMENT, {"inputs": []}) == {"checkMany": []}


@pytest.mark.parametrize("count", [1000, 1001])
async def test_a_thousand_and_no_more(world: Gateway, count: int) -> None:
    inputs = [{"user": ANA, "node": MENU}] * count

    if count == 1000:
        assert len((await world.gql(DOCUMENT, {"inputs": inputs}))["checkMany"]) == 1000
    else:
        assert await world.fault(DOCUMENT, {"inputs": inputs}) == (
            "BAD_USER_INPUT", "1001 questions; at most 1000 at once"
        )  # fmt: skip
