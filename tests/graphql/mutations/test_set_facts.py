"""setFacts: what is known of a contract, or of a user, in a contract or everywhere."""

from typing import Any

from tests.factories import Gateway, each_of, holder

C1, ANA = {"number": "C-1"}, {"userName": "ana"}


def fact(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


async def test_of_a_contract(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.calls.send_texts")
    question = """query ($c: ContractRef!) {
      contract(ref: $c) { facts { name type unit value } }
      user(ref: {userName: "ana"}) { can(node: "desk.calls.send_texts", contract: $c) { state } }
    }"""

    payload = await world.both_ways("setFacts", {"contract": C1, "facts": [fact("credit_balance", "12.50")]})

    (change,) = payload["changes"]
    assert (change["action"], change["after"], change["contract"]) == ("set_fact", "12.50", {"number": "C-1"})
    assert change["detail"] == "stored the fact `credit_balance` (12.50)"
    assert await world.gql(question, {"c": C1}) == {
        "contract": {"facts": [{"name": "credit_balance", "type": "decimal", "unit": "credits", "value": "12.50"}]},
        "user": {"can": {"state": "ACTIVE"}},
    }


async def test_each_replaces_what_was_stored_of_it(world: Gateway) -> None:
    await world.set_facts({"credit_balance": "5"}, contract=C1)

    payload = await world.both_ways("setFacts", {"contract": C1, "facts": [fact("credit_balance", "0")]})

    assert [(change["action"], change["before"], change["after"]) for change in payload["changes"]] == [
        ("end_fact", "5", None),
        ("set_fact", None, "0"),
    ]


async def test_of_a_user_everywhere_and_in_a_contract(world: Gateway) -> None:
    question = """query ($c: ContractRef!) { user(ref: {userName: "ana"}) {
      everywhere: facts { name value } there: facts(contract: $c) { name value }
      exam: can(node: "desk.staff.sit_the_exam") { state }
      exam_there: can(node: "desk.staff.sit_the_exam", contract: $c) { state }
    } }"""

    await world.both_ways("setFacts", {"user": ANA, "facts": [fact("trained", "true")]})
    await world.both_ways("setFacts", {"user": ANA, "contract": C1, "facts": [fact("trained", "false")]})

    assert (await world.gql(question, {"c": C1}))["user"] == {
        "everywhere": [fact("trained", "true")],
        "there": [fact("trained", "false")],
        "exam": {"state": "ACTIVE"},
        "exam_there": {"state": "SUSPENDED"},
    }


async def test_the_same_text_again_is_no_change(world: Gateway) -> None:
    await world.set_facts({"trained": "true"}, user=ANA)

    await world.no_change("setFacts", {"user": ANA, "facts": [fact("trained", "true")]})
    await world.no_change("setFacts", {"user": ANA, "facts": []})


@each_of(
    ("given", "path", "expected"),
    [
        ({"contract": C1, "facts": [fact("weather", "fine")]}, "facts.0.name", "one of `credit_balance`, `trained`"),
        ({"contract": C1, "facts": [fact("credit_balance", "much")]}, "facts.0.value", "a number such as `12.5`"),
        ({"contract": C1, "facts": [fact("credit_balance", "1e9")]}, "facts.0.value", "a number such as `12.5`"),
        ({"contract": C1, "facts": [fact("credit_balance", "")]}, "facts.0.value", "a number such as `12.5`"),
        ({"user": ANA, "facts": [fact("trained", "True")]}, "facts.0.value", "true or false"),
        ({"contract": C1, "facts": [fact("trained", "true")]}, "facts.0.name", "a user"),
        ({"user": ANA, "facts": [fact("credit_balance", "1")]}, "facts.0.name", "a contract and no user"),
        (
            {"user": ANA, "contract": C1, "facts": [fact("credit_balance", "1")]},
            "facts.0.name",
            "a contract and no user",
        ),
        (
            {"user": ANA, "contract": C1, "facts": [fact("subscriber_linked", "true")]},
            "facts.0.name",
            "a link made with `linkSubscriber`",
        ),
        ({"facts": [fact("credit_balance", "1")]}, "contract", "a contract, a user, or both"),
    ],
)
async def test_what_cannot_be_stored_is_refused(
    world: Gateway, given: dict[str, Any], path: str, expected: str
) -> None:
    errors = await world.refuse("setFacts", given)

    assert (".".join(errors[0]["path"]), errors[0]["code"], errors[0]["expected"]) == (path, "INVALID_VALUE", expected)


async def test_a_fact_named_twice_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse(
        "setFacts", {"user": ANA, "facts": [fact("trained", "true"), fact("trained", "false")]}
    )

    assert (error["code"], error["path"]) == ("DUPLICATE", ["facts", "1", "name"])


async def test_unknown_references_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse(
        "setFacts",
        {"contract": {"number": "C-9"}, "user": {"userName": "nobody"}, "facts": [fact("trained", "true")]},
    )

    assert [(error["code"], error["path"]) for error in errors] == [
        ("NOT_FOUND", ["contract"]),
        ("NOT_FOUND", ["user"]),
    ]


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("setFacts", {"user": ANA, "facts": [fact("trained", "true")] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["facts"])
