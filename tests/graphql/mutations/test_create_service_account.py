"""createServiceAccount: a machine, the ceiling of what it can ever give, and its first token."""

from typing import Any

from app.domain.callers import Right
from app.services.callers import authenticate
from tests.factories import Answer, Gateway, each_of, holder

CREATE = """mutation($input: CreateServiceAccountInput!) { createServiceAccount(input: $input) {
  user { id userName displayName kind status isOwner source grants { id } roles { id } tokens { id label expiresAt } }
  tokenId secret revision changes { action row before after detail holder { id } }
  errors { code message path } warnings { code path }
} }"""
GRANT = """mutation($input: GrantPermissionsInput!) { grantPermissions(input: $input) { errors { code } } }"""
LEVEL = """mutation($input: SetAccessLevelsInput!) { setAccessLevels(input: $input) { errors { code } } }"""
AGENTS, C1 = {"key": "agents"}, {"number": "C-1"}
MAKER = (Right.MANAGE_SERVICE_ACCOUNTS, Right.VIEW_ROLES, Right.VIEW_USERS, Right.VIEW_CONTRACTS)

GRANTER = (Right.GRANT_RIGHTS, Right.VIEW_RIGHTS, Right.VIEW_USERS)


def cap(product: str = "core", level: str = "USER", contract: str = "C-1") -> Answer:
    return {"contract": {"number": contract}, "product": product, "level": level}


async def create(world: Gateway, *, token: str | None = None, **given: Any) -> Answer:
    """The whole payload."""
    asked = {"userName": "bot", "ceiling": [AGENTS], **given}
    payload: Answer = (await world.gql(CREATE, {"input": asked}, token=token))["createServiceAccount"]
    return payload


async def refuse(world: Gateway, *, token: str | None = None, **given: Any) -> list[tuple[str, list[str]]]:
    """Codes and paths of the refusals; asserts that nothing was changed or shown."""
    async with world.unchanged():
        payload = await create(world, token=token, **given)
    assert (payload["user"], payload["tokenId"], payload["secret"], payload["changes"]) == (None, None, None, [])
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def test_makes_an_active_machine_without_rights_and_its_first_token(world: Gateway) -> None:
    before = await world.revision()

    payload = await create(world, accessCeiling=[cap()])

    user = payload["user"]
    assert user == {
        "id": user["id"], "userName": "bot", "displayName": "bot", "kind": "SERVICE", "status": "ACTIVE",
        "isOwner": False, "source": "manual", "grants": [], "roles": [],
        "tokens": [{"id": payload["tokenId"], "label": "first token", "expiresAt": None}],
    }  # fmt: skip
    assert payload["errors"] == payload["warnings"] == []
    assert payload["revision"] == str(before + 1), "one transaction, one revision"
    created, issued = payload["changes"]
    assert (created["action"], created["row"], created["before"]) == ("create_user", user["id"], None)
    ids = world.ids
    assert f"ceiling: roles {ids['agents']}, levels {ids['C-1']} core USER" in created["after"]
    assert (issued["action"], issued["row"], issued["holder"]) == (
        "issue_token", payload["tokenId"], {"id": user["id"]}
    )  # fmt: skip
    assert (await world.head())["action"] == "createServiceAccount"
    caller = await authenticate(world.services, payload["secret"])
    assert caller is not None and (caller.user, caller.expires_at) == (user["id"], None)


async def test_a_dry_run_gives_no_secret(world: Gateway) -> None:
    async with world.unchanged():
        payload = await create(world, dryRun=True)

    assert (payload["secret"], payload["revision"], payload["errors"]) == (None, None, [])
    assert payload["user"]["kind"] == "SERVICE"
    assert [change["action"] for change in payload["changes"]] == ["create_user", "issue_token"]


async def test_an_answer_that_is_given_again_lacks_the_secret_and_says_so(world: Gateway) -> None:
    first = await create(world, idempotencyKey="k")

    async with world.unchanged():
        again = await create(world, idempotencyKey="k")

    assert first["secret"]
    assert again == {**first, "secret": None, "warnings": [{"code": "ADVISORY", "path": ["idempotencyKey"]}]}
    async with world.unchanged():
        other = await create(world, idempotencyKey="k", ceiling=[])
    assert [error["code"] for error in other["errors"]] == ["IDEMPOTENCY_MISMATCH"]


async def test_all_faults_come_together(world: Gateway) -> None:
    given = {
        "userName": "", "ceiling": [{"key": "nothing"}, AGENTS, AGENTS],
        "accessCeiling": [
            cap(contract="C-9"), cap("tel"), cap("nothing"), cap(), cap(level="WITHOUT_ACCESS"), cap("pbx", "OWNER"),
        ],
    }  # fmt: skip

    assert await refuse(world, **given) == [
        ("NOT_FOUND", ["ceiling", "0"]),
        ("NOT_FOUND", ["accessCeiling", "0", "contract"]),
        ("DUPLICATE", ["ceiling", "2"]),
        ("INVALID_VALUE", ["accessCeiling", "1", "product"]),
        ("INVALID_VALUE", ["accessCeiling", "2", "product"]),
        ("DUPLICATE", ["accessCeiling", "4"]),
        ("INVALID_VALUE", ["accessCeiling", "5", "level"]),
        ("INVALID_VALUE", ["userName"]),
    ]


async def test_names_are_given_once_to_people_and_machines_alike(world: Gateway) -> None:
    assert await refuse(world, userName="ana") == [("DUPLICATE", ["userName"])]


@each_of("given", [{"ceiling": [AGENTS] * 1001}, {"accessCeiling": [cap()] * 1001}])
async def test_a_list_without_end_is_refused(world: Gateway, given: Answer) -> None:
    assert await refuse(world, **given) == [("TOO_MANY", [next(iter(given))])]


# ---------------------------------------------------------------------- who


async def test_needs_the_right_everywhere(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.MANAGE_USERS, Right.VIEW_ROLES)
    assert await refuse(world, token=secret, ceiling=[]) == [("NOT_PERMITTED", [])]

    secret = await world.trust("cleo", Right.MANAGE_SERVICE_ACCOUNTS, contract="C-1")
    assert await refuse(world, token=secret, ceiling=[]) == [("NOT_PERMITTED", [])]

    secret = await world.trust("cleo", *MAKER)
    assert (await create(world, token=secret, ceiling=[]))["errors"] == []


async def test_the_ceiling_lies_within_what_its_maker_can_give(world: Gateway) -> None:
    secret = await world.trust("cleo", *MAKER)
    assert await refuse(world, token=secret) == [("DELEGATION_EXCEEDED", ["ceiling"])]

    await world.grant(holder(user="cleo"), "desk.reports.menu")
    assert (await create(world, token=secret))["errors"] == []


async def test_a20_what_its_maker_has_in_a_contract_alone_is_not_enough(world: Gateway) -> None:
    secret = await world.trust("cleo", *MAKER)
    await world.grant(holder(user="cleo"), {"permission": "desk.reports.menu", "contract": C1})

    assert await refuse(world, token=secret) == [("DELEGATION_EXCEEDED", ["ceiling"])]


async def test_its_levels_are_those_that_its_maker_sets(world: Gateway) -> None:
    secret = await world.trust("cleo", *MAKER)
    assert [code for code, _ in await refuse(world, token=secret, ceiling=[], accessCeiling=[cap()])] == [
        "NOT_PERMITTED"
    ]

    await world.set_level("C-1", "cleo", level="ADMINISTRATOR")
    assert (await create(world, token=secret, ceiling=[], accessCeiling=[cap("core", "ADMINISTRATOR")]))["errors"] == []


async def test_a_machine_makes_none_that_can_give_more_than_itself(world: Gateway) -> None:
    secret = await world.create_service_account("maker")
    await world.trust("maker", *MAKER, "desk.reports.menu")

    assert await refuse(world, token=secret) == [("DELEGATION_EXCEEDED", ["ceiling"])]
    assert (await create(world, token=secret, ceiling=[]))["errors"] == []


async def test_roles_and_contracts_that_one_does_not_see_are_not_there(world: Gateway) -> None:
    secret = await world.trust("cleo", Right.MANAGE_SERVICE_ACCOUNTS)

    assert await refuse(world, token=secret, accessCeiling=[cap()]) == [
        ("NOT_FOUND", ["ceiling", "0"]),
        ("NOT_FOUND", ["accessCeiling", "0", "contract"]),
    ]


# ---------------------------------------------------------------------- what the ceiling holds back


async def grant_as(world: Gateway, secret: str, permission: str, user: str = "cleo") -> list[str]:
    asked = {"holder": holder(user=user), "grants": [{"permission": permission}]}
    answer = (await world.gql(GRANT, {"input": asked}, token=secret))["grantPermissions"]
    return [error["code"] for error in answer["errors"]]


async def set_level_as(world: Gateway, secret: str, product: str, level: str) -> list[str]:
    asked = {"contract": C1, "levels": [{"user": {"userName": "cleo"}, "product": product, "level": level}]}
    answer = (await world.gql(LEVEL, {"input": asked}, token=secret))["setAccessLevels"]
    return [error["code"] for error in answer["errors"]]


async def test_it_gives_what_it_has_under_its_ceiling_alone(world: Gateway) -> None:
    secret = (await create(world))["secret"]
    await world.trust(await _known(world), *GRANTER, "desk.staff.show_phone")

    assert await grant_as(world, secret, "desk.reports.menu") == ["DELEGATION_EXCEEDED"], "under it, but not had"
    assert await grant_as(world, secret, "desk.staff.show_phone") == ["DELEGATION_EXCEEDED"], "had, but not under it"

    await world.grant(holder(user="bot"), "desk.reports.menu")
    assert await grant_as(world, secret, "desk.reports.menu") == []


async def test_without_a_ceiling_it_gives_nothing(world: Gateway) -> None:
    secret = (await create(world, ceiling=[], accessCeiling=None))["secret"]
    name = await _known(world)
    await world.trust(name, *GRANTER, Right.VIEW_CONTRACTS, "desk.reports.menu")
    await world.set_level("C-1", name, level="ADMINISTRATOR")

    assert await grant_as(world, secret, "desk.reports.menu") == ["DELEGATION_EXCEEDED"]
    assert await grant_as(world, secret, Right.VIEW_USERS) == ["DELEGATION_EXCEEDED"]
    assert await set_level_as(world, secret, "pbx", "USER") == ["NOT_PERMITTED"]


async def test_it_sets_levels_up_to_its_ceiling_of_that_contract_and_product(world: Gateway) -> None:
    secret = (await create(world, ceiling=[], accessCeiling=[cap("pbx", "USER")]))["secret"]
    name = await _known(world)
    await world.trust(name, Right.VIEW_USERS, Right.VIEW_CONTRACTS)
    await world.set_level("C-1", name, level="ADMINISTRATOR")

    assert await set_level_as(world, secret, "pbx", "ADMINISTRATOR") == ["NOT_PERMITTED"]
    assert await set_level_as(world, secret, "chatbots", "USER") == ["NOT_PERMITTED"]
    assert await set_level_as(world, secret, "pbx", "USER") == []


async def _known(world: Gateway) -> str:
    """The account's name, its id known to the gateway of the test."""
    data = await world.gql('{ user(ref: {userName: "bot"}) { id } }')
    world.ids["bot"] = data["user"]["id"]
    return "bot"
