"""linkSubscriber: a person is a subscriber of the Virtual PBX of a contract."""

from tests.factories import Gateway, each_of

C1, ANA = {"number": "C-1"}, {"userName": "ana"}
GIVEN = {"contract": C1, "user": ANA}
RECORDS = """query ($c: ContractRef!) { user(ref: {userName: "ana"}) {
  contracts { subscriber }
  can(node: "core.pbx.listen_to_own_records", contract: $c) { allowed obligations { kind fields values } }
} }"""


async def test_links_and_opens_what_leans_on_it(world: Gateway) -> None:
    assert (await world.gql(RECORDS, {"c": C1}))["user"] == {
        "contracts": [{"subscriber": None}], "can": {"allowed": False, "obligations": []}
    }  # fmt: skip

    payload = await world.both_ways("linkSubscriber", {**GIVEN, "subscriber": "101"}, "number")

    (change,) = payload["changes"]
    assert (change["action"], change["before"], change["after"]) == ("link_subscriber", None, "101")
    assert change["detail"] == "linked to subscriber `101`"
    assert (await world.gql(RECORDS, {"c": C1}))["user"] == {
        "contracts": [{"subscriber": "101"}],
        "can": {"allowed": True, "obligations": [{"kind": "SCOPE", "fields": ["subscriber"], "values": ["101"]}]},
    }


async def test_another_subscriber_takes_the_place_of_the_one_before(world: Gateway) -> None:
    await world.mutate("linkSubscriber", {**GIVEN, "subscriber": "101"})

    payload = await world.both_ways("linkSubscriber", {**GIVEN, "subscriber": "102"})

    assert [(change["action"], change["before"], change["after"]) for change in payload["changes"]] == [
        ("unlink_subscriber", "101", None),
        ("link_subscriber", None, "102"),
    ]


async def test_null_unlinks(world: Gateway) -> None:
    await world.mutate("linkSubscriber", {**GIVEN, "subscriber": "101"})

    payload = await world.both_ways("linkSubscriber", {**GIVEN, "subscriber": None})

    assert [change["action"] for change in payload["changes"]] == ["unlink_subscriber"]
    assert (await world.gql(RECORDS, {"c": C1}))["user"]["contracts"] == [{"subscriber": None}]


async def test_the_same_again_is_no_change(world: Gateway) -> None:
    await world.no_change("linkSubscriber", {**GIVEN, "subscriber": None})
    await world.mutate("linkSubscriber", {**GIVEN, "subscriber": "101"})
    await world.no_change("linkSubscriber", {**GIVEN, "subscriber": "101"})


async def test_left_out_is_not_null(world: Gateway) -> None:
    (error,) = await world.refuse("linkSubscriber", GIVEN)

    assert (error["code"], error["path"], error["expected"]) == (
        "INVALID_VALUE", ["subscriber"], "a subscriber, or null to unlink"
    )  # fmt: skip


async def test_of_one_contract_alone(world: Gateway) -> None:
    await world.register_contract("C-2", owner="cleo")
    await world.mutate("linkSubscriber", {**GIVEN, "subscriber": "101"})
    await world.mutate("linkSubscriber", {**GIVEN, "contract": {"number": "C-2"}, "subscriber": "202"})

    data = await world.gql('{ user(ref: {userName: "ana"}) { contracts { contract { number } subscriber } } }')

    assert data["user"]["contracts"] == [
        {"contract": {"number": "C-1"}, "subscriber": "101"},
        {"contract": {"number": "C-2"}, "subscriber": "202"},
    ]


@each_of("subscriber", ["", " 1", "1\u200b"])
async def test_what_is_no_subscriber_is_refused(world: Gateway, subscriber: str) -> None:
    (error,) = await world.refuse("linkSubscriber", {**GIVEN, "subscriber": subscriber})

    assert (error["code"], error["path"]) == ("INVALID_VALUE", ["subscriber"])


async def test_unknown_references_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse(
        "linkSubscriber", {"contract": {"number": "C-9"}, "user": {"userName": "nobody"}, "subscriber": "1"}
    )

    assert [(error["code"], error["path"]) for error in errors] == [
        ("NOT_FOUND", ["contract"]),
        ("NOT_FOUND", ["user"]),
    ]
