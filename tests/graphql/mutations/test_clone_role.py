"""cloneRole: a copy of a role, with parents, grants and limits."""

from tests.factories import Gateway, holder

SELECT = """id key displayName description archived source parents { key } members { totalCount }
  grants { id permission { key } value { text } contract { number } validUntil reason }
  limits { id permission { key } value { text } }"""
WRITERS = {"key": "writers"}


async def test_copies_parents_grants_and_limits_but_no_members(world: Gateway) -> None:
    await world.mutate("updateRole", {"role": WRITERS, "description": "they write"})
    await world.grant(
        holder(role="writers"),
        {"permission": "desk.calls.channels", "value": {"amount": 2}, "contract": {"number": "C-1"}},
        {"permission": "desk.staff.show_phone", "validUntil": "2027-01-01T00:00:00Z"},
        reason="for the original",
    )
    await world.limit(holder(role="writers"), {"permission": "desk.reports.export"})
    await world.assign(holder(user="cleo"), "writers")

    payload = await world.both_ways("cloneRole", {"role": WRITERS, "key": "editors", "reason": "for the copy"}, SELECT)

    copy = payload["role"]
    grants = {grant["permission"]["key"]: grant for grant in copy.pop("grants")}
    (limit,) = copy.pop("limits")
    assert copy == {
        "id": copy["id"], "key": "editors", "displayName": "writers", "description": "they write", "archived": False,
        "source": "manual", "parents": [{"key": "agents"}], "members": {"totalCount": 0},
    }  # fmt: skip
    assert copy["id"] != world.ids["writers"]
    assert {key: grant["value"]["text"] for key, grant in grants.items()} == {
        "desk.staff.edit_contacts": "on", "desk.calls.channels": "2 channels", "desk.staff.show_phone": "on"
    }  # fmt: skip
    assert grants["desk.calls.channels"]["contract"] == {"number": "C-1"}
    assert grants["desk.staff.show_phone"]["validUntil"] == "2027-01-01T00:00:00Z"
    assert {grant["reason"] for grant in grants.values()} == {"for the copy"}
    assert (limit["permission"]["key"], limit["value"]["text"]) == ("desk.reports.export", "off")
    assert [change["action"] for change in payload["changes"]] == ["create_role", "grant", "grant", "grant", "limit"]


async def test_a_display_name_may_be_given(world: Gateway) -> None:
    payload = await world.both_ways("cloneRole", {"role": WRITERS, "key": "editors", "displayName": "Eds"}, SELECT)

    assert payload["role"]["displayName"] == "Eds"


async def test_rows_that_have_ended_are_left_out(world: Gateway) -> None:
    await world.grant(
        holder(role="writers"), {"permission": "desk.staff.show_phone", "validUntil": "2026-06-02T00:00:00Z"}
    )
    world.clock.advance(days=2)

    payload = await world.mutate("cloneRole", {"role": WRITERS, "key": "editors"}, SELECT)

    assert [grant["permission"]["key"] for grant in payload["role"]["grants"]] == ["desk.staff.edit_contacts"]


async def test_the_copy_of_an_archived_role_is_not_archived(world: Gateway) -> None:
    await world.mutate("archiveRole", {"role": WRITERS})

    payload = await world.mutate("cloneRole", {"role": WRITERS, "key": "editors"}, SELECT)

    assert payload["role"]["archived"] is False


async def test_original_and_copy_go_their_own_ways(world: Gateway) -> None:
    await world.mutate("cloneRole", {"role": WRITERS, "key": "editors"})
    await world.grant(holder(role="editors"), "desk.staff.show_phone")

    data = await world.gql('{ role(ref: {key: "writers"}) { grants { permission { key } } } }')

    assert data["role"]["grants"] == [{"permission": {"key": "desk.staff.edit_contacts"}}]


async def test_faults_are_refused_together(world: Gateway) -> None:
    errors = await world.refuse("cloneRole", {"role": WRITERS, "key": "agents", "displayName": " "})

    assert [(error["code"], error["path"]) for error in errors] == [
        ("DUPLICATE", ["key"]),
        ("INVALID_VALUE", ["displayName"]),
    ]


async def test_an_unknown_role_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("cloneRole", {"role": {"key": "nobody"}, "key": "editors"})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["role"])
