"""viewer: who is calling, and what they may do."""

from tests.factories import Gateway


async def test_is_whose_token_it_is(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    document = "{ viewer { source user { id userName status } } }"

    assert await world.gql(document) == {
        "viewer": {"source": "manual", "user": {"id": world.owner, "userName": "olga", "status": "ACTIVE"}}
    }
    assert await world.gql(document, token=secret) == {
        "viewer": {"source": "manual", "user": {"id": world.ids["ana"], "userName": "ana", "status": "ACTIVE"}}
    }


async def test_can_is_a_check_of_the_caller(world: Gateway) -> None:
    _, secret = await world.issue_token("ana")
    document = """query ($c: ContractRef!) { viewer {
      menu: can(node: "desk.reports.menu") { allowed state }
      there: can(node: "desk.reports.menu", contract: $c) { allowed state }
      spy: can(node: "desk.reports.spy") { allowed state missing { text } }
      users: can(node: "desk.staff.accounts.users", atLeast: {level: "Modify"}) { allowed }
      recordings: can(node: "desk.calls.recordings", target: {userName: "ben"}) { allowed }
      nothing: can(node: "desk.nothing") { allowed node { key } errors { code path } }
    } }"""

    data = await world.gql(document, {"c": {"number": "C-1"}}, token=secret)

    assert data["viewer"] == {
        "menu": {"allowed": True, "state": "ACTIVE"},
        "there": {"allowed": True, "state": "ACTIVE"},
        "spy": {
            "allowed": False,
            "state": "NOT_GRANTED",
            "missing": [{"text": "Spy on calls"}, {"text": "Real time"}],
        },
        "users": {"allowed": False},
        "recordings": {"allowed": False},
        "nothing": {"allowed": False, "node": None, "errors": [{"code": "NOT_FOUND", "path": ["node"]}]},
    }
    owner = (await world.gql(document, {"c": {"number": "C-1"}}))["viewer"]
    assert owner["users"] == owner["recordings"] == {"allowed": True}
