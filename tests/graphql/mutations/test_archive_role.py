"""archiveRole: from now on it gives nothing; its rows stay."""

from tests.factories import Gateway, holder

AGENTS = {"key": "agents"}


async def test_gives_nothing_any_more_and_keeps_grants_and_members(world: Gateway) -> None:
    select = "archived grants { permission { key } } rights { value { text } } members { edges { node { userName } } }"

    payload = await world.both_ways("archiveRole", {"role": AGENTS}, select)

    assert payload["role"] == {
        "archived": True,
        "grants": [{"permission": {"key": "desk.reports.menu"}}],
        "rights": [],
        "members": {"edges": [{"node": {"userName": "ana"}}]},
    }
    data = await world.gql('{ user(ref: {userName: "ana"}) { can(node: "desk.reports.menu") { state } } }')
    assert data["user"]["can"]["state"] == "NOT_GRANTED"


async def test_gives_nothing_through_a_child_role_either(world: Gateway) -> None:
    await world.assign(holder(user="cleo"), "writers")
    await world.mutate("archiveRole", {"role": AGENTS})

    data = await world.gql("""{ user(ref: {userName: "cleo"}) {
      menu: can(node: "desk.reports.menu") { allowed } edit: can(node: "desk.staff.edit_contacts") { allowed }
    } }""")

    assert data["user"] == {"menu": {"allowed": False}, "edit": {"allowed": True}}


async def test_again_is_no_change(world: Gateway) -> None:
    await world.mutate("archiveRole", {"role": AGENTS})

    await world.no_change("archiveRole", {"role": AGENTS})


async def test_a_role_that_others_stand_on_is_refused_naming_them(world: Gateway) -> None:
    await world.create_role("leads", "desk.reports.real_time", parents=[AGENTS])
    await world.grant(holder(user="ana"), "desk.reports.real_time")

    errors = await world.refuse("archiveRole", {"role": AGENTS})

    assert {(error["code"], error["holder"]["id"]) for error in errors} == {
        ("DEPENDENTS_EXIST", world.ids["leads"]),
        ("DEPENDENTS_EXIST", world.ids["ana"]),
    }
    assert all(error["dependents"] == [{"key": "desk.reports.real_time"}] for error in errors)
    assert all(error["path"] == ["role"] for error in errors)
    assert {error["affectedCount"] for error in errors} == {2}


async def test_cascade_touches_no_holder_that_was_not_asked_about(world: Gateway) -> None:
    await world.create_role("leads", "desk.reports.real_time", parents=[AGENTS])

    (error,) = await world.refuse("archiveRole", {"role": AGENTS, "onDependents": "CASCADE"})

    assert (error["code"], error["holder"]) == ("DEPENDENTS_EXIST", {"id": world.ids["leads"]})


async def test_suspend_leaves_them_suspended(world: Gateway) -> None:
    await world.grant(holder(user="ana"), "desk.reports.real_time")

    payload = await world.both_ways("archiveRole", {"role": AGENTS, "onDependents": "SUSPEND"})

    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]
    data = await world.gql("""{ user(ref: {userName: "ana"}) {
      can(node: "desk.reports.real_time") { state missing { text } }
    } }""")
    assert data["user"]["can"] == {"state": "SUSPENDED", "missing": [{"text": "Reports menu"}]}


async def test_an_unknown_role_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("archiveRole", {"role": {"id": "rol_0000000000zzzzzzzzzzzzzzzz"}})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["role"])
