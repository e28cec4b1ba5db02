"""setAccessLevels: who has which level in which product. Nobody appoints an OWNER."""

from typing import Any

import pytest

from app.domain.contracts import AccessLevel
from app.domain.holders import Access
from tests.factories import Gateway, each_of

ANA, BEN, CLEO, C1 = {"userName": "ana"}, {"userName": "ben"}, {"userName": "cleo"}, {"number": "C-1"}
SELECT = """access { edges { node {
  user { userName } levels { id product { key } level source settable } subscriber
} } }"""


def asked(*levels: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"contract": C1, "levels": list(levels), **given}


async def levels_of(gateway: Gateway, user: str) -> dict[str, str]:
    data = await gateway.gql(
        "query ($ref: UserRef!) { user(ref: $ref) { contracts { levels { product { key } level } } } }",
        {"ref": {"userName": user}},
    )
    return {
        level["product"]["key"]: level["level"]
        for contract in data["user"]["contracts"]
        for level in contract["levels"]
    }


@pytest.mark.parametrize("level", ["WITHOUT_ACCESS", "USER", "ADMINISTRATOR"])
@pytest.mark.parametrize("product", ["core", "pbx", "chatbots"])
async def test_sets_a_level_in_any_product(world: Gateway, product: str, level: str) -> None:
    payload = await world.mutate(
        "setAccessLevels", asked({"user": CLEO, "product": product, "level": level}), SELECT
    )  # fmt: skip

    (change,) = payload["changes"]
    assert (change["action"], change["after"], change["contract"]) == ("set_level", level, {"number": "C-1"})
    cleo = next(
        edge["node"] for edge in payload["contract"]["access"]["edges"] if edge["node"]["user"]["userName"] == "cleo"
    )
    assert cleo == {
        "user": {"userName": "cleo"}, "subscriber": None,
        "levels": [
            {
                "id": change["row"], "product": {"key": product}, "level": level, "source": "manual",
                "settable": ["WITHOUT_ACCESS", "USER", "ADMINISTRATOR"],
            }
        ],
    }  # fmt: skip


async def test_a_level_replaces_the_one_before(world: Gateway) -> None:
    payload = await world.mutate("setAccessLevels", asked({"user": ANA, "product": "core", "level": "ADMINISTRATOR"}))

    assert [(change["action"], change["before"], change["after"]) for change in payload["changes"]] == [
        ("remove_level", "USER", None),
        ("set_level", None, "ADMINISTRATOR"),
    ]
    assert await levels_of(world, "ana") == {"core": "ADMINISTRATOR"}


@pytest.mark.parametrize("level", [{}, {"level": None}])
async def test_null_takes_the_person_out_of_the_product(world: Gateway, level: dict[str, None]) -> None:
    payload = await world.mutate("setAccessLevels", asked({"user": ANA, "product": "core", **level}))

    assert [change["action"] for change in payload["changes"]] == ["remove_level"]
    data = await world.gql('{ user(ref: {userName: "ana"}) { contracts { contract { number } } } }')
    assert data["user"]["contracts"] == []


async def test_several_people_and_products_are_one_revision(world: Gateway) -> None:
    before = await world.revision()

    payload = await world.mutate(
        "setAccessLevels",
        asked(
            {"user": ANA, "product": "pbx", "level": "USER"},
            {"user": CLEO, "product": "core", "level": "WITHOUT_ACCESS"},
            {"user": CLEO, "product": "chatbots", "level": "USER"},
        ),
    )

    assert payload["revision"] == str(before + 1)
    assert await levels_of(world, "cleo") == {"core": "WITHOUT_ACCESS", "chatbots": "USER"}


async def test_the_same_level_again_is_no_change(world: Gateway) -> None:
    await world.no_change("setAccessLevels", asked({"user": ANA, "product": "core", "level": "USER"}))


async def test_nobody_appoints_an_owner(world: Gateway) -> None:
    (error,) = await world.refuse("setAccessLevels", asked({"user": ANA, "product": "core", "level": "OWNER"}))

    assert (error["code"], error["path"]) == ("NOT_PERMITTED", ["levels", "0", "level"])


@each_of("level", [None, "USER", "ADMINISTRATOR"])
async def test_the_owner_keeps_being_owner(world: Gateway, level: str | None) -> None:
    (error,) = await world.refuse("setAccessLevels", asked({"user": BEN, "product": "pbx", "level": level}))

    assert (error["code"], error["path"]) == ("LAST_OWNER", ["levels", "0", "user"])
    assert error["message"] == "`ben` owns this contract: transfer it first"


async def test_all_faults_come_together(world: Gateway) -> None:
    await world.mutate("updateContract", {"contract": C1, "products": ["core", "pbx"]})

    errors = await world.refuse(
        "setAccessLevels",
        asked(
            {"user": ANA, "product": "chatbots", "level": "USER"},
            {"user": ANA, "product": "telegraph", "level": "USER"},
            {"user": ANA, "product": "core", "level": "OWNER"},
            {"user": {"userName": "nobody"}, "product": "core", "level": "USER"},
            {"user": CLEO, "product": "pbx", "level": "USER"},
            {"user": {"id": world.ids["cleo"]}, "product": "pbx", "level": "ADMINISTRATOR"},
            {"user": CLEO, "product": "core", "level": None},
        ),
    )

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("levels.0.product", "INVALID_VALUE"),
        ("levels.1.product", "INVALID_VALUE"),
        ("levels.2.level", "NOT_PERMITTED"),
        ("levels.3.user", "NOT_FOUND"),
        ("levels.5", "DUPLICATE"),
        ("levels.6", "NOT_FOUND"),
    ]


async def test_a_level_of_another_source_stays_and_is_named(world: Gateway) -> None:
    synced = Access(
        id=world.new_id(Access), user=world.ids["cleo"], contract=world.ids["C-1"], product="core",
        level=AccessLevel.ADMINISTRATOR, source="hr", created_at=world.clock(),
    )  # fmt: skip
    await world.plant([synced])

    payload = await world.mutate("setAccessLevels", asked({"user": CLEO, "product": "core", "level": "USER"}))

    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        ("CONFLICT", f"ADMINISTRATOR is also given by `hr` (row {synced.id}), which was not touched")
    ]
    assert [change["action"] for change in payload["changes"]] == ["set_level"]


async def test_an_unknown_contract_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("setAccessLevels", {"contract": {"number": "C-9"}, "levels": []})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["contract"])


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("setAccessLevels", asked(*[{"user": ANA, "product": "core", "level": "USER"}] * 1001))

    assert (error["code"], error["path"]) == ("TOO_MANY", ["levels"])


async def test_levels_open_operations(world: Gateway) -> None:
    question = """query ($c: ContractRef!) { user(ref: {userName: "ana"}) {
      can(node: "core.system.change_the_settings", contract: $c) { allowed state missing { text } }
    } }"""
    assert (await world.gql(question, {"c": C1}))["user"]["can"] == {
        "allowed": False, "state": "NOT_GRANTED", "missing": [{"text": "Access to the system: Administrator"}]
    }  # fmt: skip

    await world.set_level("C-1", "ana", "core", "ADMINISTRATOR")

    assert (await world.gql(question, {"c": C1}))["user"]["can"]["allowed"]
