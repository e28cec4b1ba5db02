"""Groups by SCIM: teams, and who comes and goes in them."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of
from tests.scim import GROUP, Provider, fault_of, values_of


@pytest.fixture
def provider(world: Gateway) -> Provider:
    return Provider(world, world.token)


async def team_of(gateway: Gateway, team: str) -> dict[str, Any]:
    """A team as GraphQL shows it."""
    document = """query($id: ID!) { team(ref: {id: $id}) {
        key displayName kind archived source members { edges { node { userName teams { team { key } source } } } }
    } }"""
    found: dict[str, Any] = (await gateway.gql(document, {"id": team}))["team"]
    found["members"] = {
        edge["node"]["userName"]: [one["source"] for one in edge["node"]["teams"] if one["team"]["key"] == found["key"]]
        for edge in found["members"]["edges"]
    }
    return found


async def test_a_group_is_made_with_its_members(provider: Provider) -> None:
    ana, cleo = provider.gateway.ids["ana"], provider.gateway.ids["cleo"]

    response = await provider.call(
        "POST", "/Groups",
        {
            "schemas": [GROUP], "displayName": "Night shift", "externalId": "guid",
            "members": [{"value": ana}, {"value": cleo}],
        },
    )  # fmt: skip

    group = response.json()
    assert response.status_code == 201
    assert group == {
        "schemas": [GROUP],
        "id": group["id"],
        "meta": {
            "resourceType": "Group", "location": f"/scim/v2/Groups/{group['id']}", "version": response.headers["etag"]
        },
        "displayName": "Night shift",
        "members": [
            {"value": ana, "$ref": f"/scim/v2/Users/{ana}", "display": "ana", "type": "User"},
            {"value": cleo, "$ref": f"/scim/v2/Users/{cleo}", "display": "cleo", "type": "User"},
        ],
    }  # fmt: skip
    assert await team_of(provider.gateway, group["id"]) == {
        "key": "Night shift", "displayName": "Night shift", "kind": "TEAM", "archived": False, "source": "scim:olga",
        "members": {"ana": ["scim:olga"], "cleo": ["scim:olga"]},
    }  # fmt: skip
    user = await provider.get(f"/Users/{ana}")
    (shown,) = [one for one in user["groups"] if one["value"] == group["id"]]
    assert (shown["$ref"], shown["display"]) == (f"/scim/v2/Groups/{group['id']}", "Night shift")


async def test_a_name_is_kept_in_one_form(provider: Provider) -> None:
    group = await provider.create_group("e\u0301quipe", provider.gateway.ids["ana"])

    assert (group["displayName"], len(group["members"])) == ("\u00e9quipe", 1)
    assert (await team_of(provider.gateway, group["id"]))["key"] == "\u00e9quipe"
    assert (await provider.get("/Groups", filter='displayName eq "E\u0301quipe"'))["totalResults"] == 1


@each_of("name", ["support", "Support", "SUPPORT"])
async def test_a_group_that_is_there_is_not_made_twice(world: Gateway, name: str) -> None:
    async with world.unchanged():
        response = await Provider(world, world.token).call("POST", "/Groups", {"schemas": [GROUP], "displayName": name})

    assert fault_of(response) == (409, "uniqueness", f"there is a group `{name}` already [DUPLICATE displayName]")


@each_of(
    ("given", "scim_type"),
    [
        ({"displayName": None}, "invalidValue"),
        ({"displayName": ""}, "invalidValue"),
        ({"displayName": " x"}, "invalidValue"),
        ({"displayName": "x" * 300}, "invalidValue"),
        ({"members": [{"value": "usr_nobody"}]}, "invalidValue"),
        ({"members": "ana"}, "invalidValue"),
        ({"memberz": []}, "invalidSyntax"),
    ],
)
async def test_what_cannot_be_is_refused(world: Gateway, given: dict[str, Any], scim_type: str) -> None:
    async with world.unchanged():
        body = {"schemas": [GROUP], "displayName": "Night shift", **given}
        response = await Provider(world, world.token).call("POST", "/Groups", body)

    assert fault_of(response)[:2] == (400, scim_type)


async def test_members_that_a_put_leaves_out_are_as_they_were(provider: Provider) -> None:
    group = await provider.create_group("Night shift", provider.gateway.ids["ana"])

    async with provider.gateway.unchanged():
        body = {"schemas": [GROUP], "displayName": "Night shift"}
        response = await provider.call("PUT", f"/Groups/{group['id']}", body)

    assert response.json() == group


async def test_an_empty_list_of_members_empties_the_group(provider: Provider) -> None:
    group = await provider.create_group("Night shift", provider.gateway.ids["ana"])

    body = {"schemas": [GROUP], "displayName": "Night shift", "members": []}
    response = await provider.call("PUT", f"/Groups/{group['id']}", body)

    assert "members" not in response.json()


async def test_a_group_of_another_source_gets_and_loses_members_of_this_one(provider: Provider) -> None:
    support, cleo = provider.gateway.ids["support"], provider.gateway.ids["cleo"]

    await provider.patch(f"/Groups/{support}", {"op": "add", "path": "members", "value": [{"value": cleo}]})
    joined = (await team_of(provider.gateway, support))["members"]
    after = await provider.patch(f"/Groups/{support}", {"op": "remove", "path": "members"})

    assert joined == {"ana": ["manual"], "ben": ["manual"], "cleo": ["scim:olga"]}
    assert values_of(after, "members") == sorted([provider.gateway.ids["ana"], provider.gateway.ids["ben"]])


async def test_its_other_members_are_not_taken_out_in_silence(provider: Provider) -> None:
    support, ana = provider.gateway.ids["support"], provider.gateway.ids["ana"]

    async with provider.gateway.unchanged():
        response = await provider.try_patch(
            f"/Groups/{support}", {"op": "remove", "path": f'members[value eq "{ana}"]'}
        )

    detail = "`ana` was put into this group by `manual`, and is not yours to take out [CONFLICT members]"
    assert fault_of(response) == (409, None, detail)


async def test_nor_is_it_renamed(provider: Provider) -> None:
    support = provider.gateway.ids["support"]

    async with provider.gateway.unchanged():
        response = await provider.try_patch(
            f"/Groups/{support}", {"op": "replace", "path": "displayName", "value": "x"}
        )

    assert fault_of(response)[:2] == (409, None)
    assert "belongs to the source `manual`" in fault_of(response)[2]


@each_of("value", ["usr_nobody", "ana", "", "x" * 500, r"\ud800", r"\u0000"])
async def test_who_is_nobody_does_not_come_and_may_go(world: Gateway, value: str) -> None:
    provider, path = Provider(world, world.token), f"/Groups/{world.ids['support']}"

    async with world.unchanged():
        added = await provider.try_patch(path, {"op": "add", "path": "members", "value": [{"value": value}]})
        if value:
            removed = await provider.try_patch(path, {"op": "remove", "path": f'members[value eq "{value}"]'})
            assert removed.status_code == 200

    assert fault_of(added)[:2] == (400, "invalidValue")


async def test_members_and_name_change_in_one_request_or_not_at_all(provider: Provider) -> None:
    group = await provider.create_group("Night shift", provider.gateway.ids["ana"])
    path = f"/Groups/{group['id']}"
    rename = {"op": "replace", "path": "displayName", "value": "Late shift"}

    async with provider.gateway.unchanged():
        response = await provider.try_patch(path, rename, {"op": "add", "path": "members", "value": ["usr_nobody"]})
    assert fault_of(response)[:2] == (400, "invalidValue")

    before = await provider.gateway.revision()
    after = await provider.patch(path, rename, {"op": "add", "path": "members", "value": [provider.gateway.ids["ben"]]})
    assert (after["displayName"], len(after["members"])) == ("Late shift", 2)
    assert await provider.gateway.revision() == before + 1
    assert (await team_of(provider.gateway, group["id"]))["key"] == "Night shift"


async def test_a_name_is_not_taken_away(provider: Provider) -> None:
    group = await provider.create_group("Night shift")

    async with provider.gateway.unchanged():
        response = await provider.try_patch(f"/Groups/{group['id']}", {"op": "remove", "path": "displayName"})

    assert fault_of(response)[:2] == (400, "mutability")


async def test_a_group_that_was_let_go_comes_back_as_what_it_was(provider: Provider) -> None:
    group = await provider.create_group("Night shift", provider.gateway.ids["ana"])
    await provider.call("DELETE", f"/Groups/{group['id']}")
    gone = await team_of(provider.gateway, group["id"])

    again = await provider.create_group("Night shift", provider.gateway.ids["ben"])

    assert (gone["archived"], gone["members"]) == (True, {})
    assert again["id"] == group["id"]
    assert values_of(again, "members") == [provider.gateway.ids["ben"]]


async def test_a_group_of_another_source_is_not_archived_by_this_one(provider: Provider) -> None:
    support = provider.gateway.ids["support"]
    await provider.patch(
        f"/Groups/{support}", {"op": "add", "path": "members", "value": [{"value": provider.gateway.ids["cleo"]}]}
    )

    response = await provider.call("DELETE", f"/Groups/{support}")

    assert response.status_code == 204
    after = await team_of(provider.gateway, support)
    assert (after["archived"], after["members"]) == (False, {"ana": ["manual"], "ben": ["manual"]})


async def test_if_match_looks_at_the_members_too(provider: Provider) -> None:
    group = await provider.create_group("Night shift", provider.gateway.ids["ana"])
    path, version = f"/Groups/{group['id']}", group["meta"]["version"]
    operation = {"op": "add", "path": "members", "value": [{"value": provider.gateway.ids["ben"]}]}
    assert (await provider.try_patch(path, operation, if_match=version)).status_code == 200

    async with provider.gateway.unchanged():
        stale = await provider.try_patch(path, {**operation, "op": "remove"}, if_match=version)
        deleted = await provider.call("DELETE", path, if_match=version)

    assert fault_of(stale)[0] == fault_of(deleted)[0] == 412


async def test_a_membership_elsewhere_is_left_alone(provider: Provider) -> None:
    """What a provider gives somebody in one group has nothing to do with what it gives in another."""
    ana = provider.gateway.ids["ana"]
    first, second = [(await provider.create_group(name, ana))["id"] for name in ("One", "Two")]

    await provider.patch(f"/Groups/{first}", {"op": "remove", "path": "members", "value": [{"value": ana}]})

    user = await provider.get(f"/Users/{ana}")
    assert values_of(user, "groups") == sorted([second, provider.gateway.ids["support"]])
