"""team: by id or key; parent, roles and members."""

from tests.factories import Gateway, each_of, holder

DOCUMENT = "query ($ref: TeamRef!) { team(ref: $ref) { id key } }"


async def test_by_id_or_key(world: Gateway) -> None:
    for ref in ({"key": "support"}, {"id": world.ids["support"]}):
        assert await world.gql(DOCUMENT, {"ref": ref}) == {"team": {"id": world.ids["support"], "key": "support"}}


@each_of("ref", [{"key": "Support"}, {"key": ""}, {"key": "agents"}, {"id": "support"}, {"id": ""}])
async def test_there_is_none_of_another_name(world: Gateway, ref: dict[str, str]) -> None:
    assert await world.gql(DOCUMENT, {"ref": ref}) == {"team": None}


async def test_shows_everything_about_a_team(world: Gateway) -> None:
    await world.assign(holder(team="night"), "agents")
    await world.grant(holder(team="night"), "desk.staff.show_phone")
    await world.limit(holder(team="night"), "desk.reports.export")
    await world.join("night", "cleo")

    data = await world.gql("""{ team(ref: {key: "night"}) {
      id displayName key kind archived source parent { key kind parent { key } } roles { role { key } }
      grants { permission { key } } limits { permission { key } }
      members { totalCount edges { node { userName } } }
    } }""")

    assert data["team"] == {
        "id": world.ids["night"], "displayName": "night", "key": "night", "kind": "TEAM", "archived": False,
        "source": "manual", "parent": {"key": "support", "kind": "GROUP", "parent": None},
        "roles": [{"role": {"key": "agents"}}], "grants": [{"permission": {"key": "desk.staff.show_phone"}}],
        "limits": [{"permission": {"key": "desk.reports.export"}}],
        "members": {"totalCount": 1, "edges": [{"node": {"userName": "cleo"}}]},
    }  # fmt: skip


async def test_members_are_the_direct_ones_by_user_name_each_once(world: Gateway) -> None:
    await world.join("night", "cleo")
    await world.join("support", "ana", supervisor=True)

    data = await world.gql('{ team(ref: {key: "support"}) { members { totalCount edges { node { userName } } } } }')

    assert data["team"]["members"] == {
        "totalCount": 2, "edges": [{"node": {"userName": "ana"}}, {"node": {"userName": "ben"}}]
    }  # fmt: skip
