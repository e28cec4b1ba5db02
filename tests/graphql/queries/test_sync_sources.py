"""syncSources: how each source stands, and how far it has been drifted from."""

from app.domain.callers import Right
from tests.factories import Answer, Gateway, holder
from tests.syncing import applied, person, plan, planned, role, sync

DOCUMENT = """{ syncSources { source manages drift lastAppliedAt lastChangedAt lastRun { id status } } }"""
MENU = {"permission": "desk.reports.menu"}
LEADS = {"key": "leads", "grants": [MENU, {"permission": "desk.reports.export"}]}


async def look(world: Gateway) -> list[Answer]:
    found: list[Answer] = (await world.gql(DOCUMENT))["syncSources"]
    return found


async def drift(world: Gateway) -> int:
    (source,) = await look(world)
    found: int = source["drift"]
    return found


async def test_what_is_done_by_hand_is_no_source(world: Gateway) -> None:
    assert await look(world) == []


async def test_tells_when_it_ran_when_it_was_applied_and_when_it_changed_anything(world: Gateway) -> None:
    users = [person("dora", roles=[role("agents")])]
    await sync(world, users=users, roles=[LEADS])  # a person, a role, an assignment, two grants
    world.clock.advance(hours=1)
    nothing = await sync(world, users=users)
    world.clock.advance(hours=1)
    refused = (await plan(world, users=[]))["run"]
    waiting = await planned(world, source="axa", users=[person("emil")])

    assert await look(world) == [
        {
            "source": "axa", "manages": 0, "drift": 0, "lastAppliedAt": None, "lastChangedAt": None,
            "lastRun": {"id": waiting["id"], "status": "PLANNED"},
        },
        {
            "source": "hr", "manages": 5, "drift": 0, "lastAppliedAt": "2026-06-01T10:00:00Z",
            "lastChangedAt": "2026-06-01T09:00:00Z", "lastRun": {"id": refused["id"], "status": "REFUSED"},
        },
    ]  # fmt: skip
    assert nothing["status"] == "APPLIED"


async def test_what_found_nothing_to_do_has_changed_nothing_whenever_it_was_applied(world: Gateway) -> None:
    users = [person("dora")]
    first = await sync(world, users=users)
    nothing = await planned(world, users=users)
    world.clock.advance(hours=1)
    await world.create_user("zoe")
    await applied(world, nothing)

    (source,) = await look(world)

    assert first["appliedAt"] == source["lastChangedAt"] == "2026-06-01T09:00:00Z"
    assert (source["lastAppliedAt"], source["drift"]) == ("2026-06-01T10:00:00Z", 0)


async def test_last_is_what_was_applied_last_and_not_what_was_planned_last(world: Gateway) -> None:
    await sync(world, users=[person("dora")])
    more, nothing = await planned(world, users=[person("dora"), person("emil")]), await planned(world, roles=[])
    await applied(world, nothing)
    world.clock.advance(hours=1)
    await applied(world, more)

    (source,) = await look(world)

    assert source["lastAppliedAt"] == source["lastChangedAt"] == "2026-06-01T10:00:00Z"
    assert (source["drift"], source["manages"]) == (0, 2)


async def test_what_others_change_of_it_is_drift_until_it_is_put_right(world: Gateway) -> None:
    given: Answer = {"users": [person("dora", displayName="Dora")], "roles": [LEADS]}
    await sync(world, **given)
    assert await drift(world) == 0

    rows = (await world.gql('{ role(ref: {key: "leads"}) { grants { id } } }'))["role"]["grants"]
    await world.mutate("revokePermissions", {"holder": holder(role="leads"), "revokes": [{"id": rows[0]["id"]}]})
    assert await drift(world) == 1

    await world.mutate("updateUser", {"user": {"userName": "dora"}, "displayName": "Dora D."})
    assert await drift(world) == 2

    await world.grant(holder(user="dora"), MENU)
    await sync(world, source="hr", users=given["users"], roles=given["roles"])
    assert await drift(world) == 0


async def test_what_others_do_of_their_own_is_no_drift(world: Gateway) -> None:
    await sync(world, users=[person("dora", roles=[role("agents")])])

    await world.assign(holder(user="dora"), "writers")
    await world.mutate("updateRole", {"role": {"key": "agents"}, "displayName": "Agents"})
    await world.create_user("zoe")

    assert await drift(world) == 0


async def test_needs_the_right_everywhere(world: Gateway) -> None:
    nobody = await world.trust("cleo", Right.VIEW_HISTORY)
    somewhere = await world.trust("ben", Right.VIEW_SYNC, contract="C-1")
    everywhere = await world.trust("ana", Right.VIEW_SYNC)

    for secret in (nobody, somewhere):
        (error,) = (await world.ask(DOCUMENT, token=secret))["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("FORBIDDEN", ["syncSources"])
    assert isinstance((await world.gql(DOCUMENT, token=everywhere))["syncSources"], list)
