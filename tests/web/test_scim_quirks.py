"""What identity providers send, well or badly: the twenty cases of the quirk corpus, each by its number."""

import pytest

from tests.factories import Gateway, each_of
from tests.scim import ENTERPRISE, GROUP, USER, Provider, fault_of, values_of


@pytest.fixture
def provider(world: Gateway) -> Provider:
    return Provider(world, world.token)


async def make_pair(provider: Provider) -> tuple[str, str, str]:
    """A group and the two people in it, all of them of this provider."""
    first, second = [(await provider.create(name))["id"] for name in ("uma", "udo")]
    return (await provider.create_group("Night shift", first, second))["id"], first, second


async def test_01_a_member_is_added_by_an_operation_with_a_capital(provider: Provider) -> None:
    group, first, second = await make_pair(provider)
    third = (await provider.create("ute"))["id"]

    after = await provider.patch(f"/Groups/{group}", {"op": "Add", "path": "members", "value": [{"value": third}]})

    assert values_of(after, "members") == sorted([first, second, third])


async def test_02_a_member_removed_by_a_value_list_is_one_and_not_all(provider: Provider) -> None:
    group, first, second = await make_pair(provider)

    operation = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": first}]}
    after = await provider.patch(f"/Groups/{group}", operation)

    assert values_of(after, "members") == [second]


async def test_03_a_member_is_removed_by_a_filter(provider: Provider) -> None:
    group, first, second = await make_pair(provider)

    after = await provider.patch(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{first}"]'})

    assert values_of(after, "members") == [second]


async def test_04_active_may_be_a_text(provider: Provider) -> None:
    user = await provider.create("uma")

    after = await provider.patch(f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": "False"})
    again = await provider.patch(f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": "True"})

    assert (after["active"], again["active"]) == (False, True)


async def test_05_active_comes_without_a_path(provider: Provider) -> None:
    user = await provider.create("uma")

    after = await provider.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": False}})

    assert after["active"] is False


async def test_06_dotted_names_and_extensions_come_in_one_value(provider: Provider) -> None:
    user = await provider.create("uma", displayName="Uma Uhl")

    value = {"name.givenName": "A", f"{ENTERPRISE}:employeeNumber": "7", "displayName": "Uma U."}
    after = await provider.patch(f"/Users/{user['id']}", {"op": "replace", "value": value})

    assert after["displayName"] == "Uma U."
    assert after["schemas"] == [USER]  # the number is accepted and not kept
    assert "employeeNumber" not in str(after)


async def test_07_an_email_is_added_where_none_of_its_type_is(provider: Provider) -> None:
    user = await provider.create("uma")

    operation = {"op": "add", "path": 'emails[type eq "work"].value', "value": "a@b"}
    after = await provider.patch(f"/Users/{user['id']}", operation)

    assert after["emails"] == [{"value": "a@b", "type": "work", "primary": True}]


async def test_08_a_group_is_renamed_with_its_id_beside_the_name(provider: Provider) -> None:
    group, first, second = await make_pair(provider)

    operation = {"op": "replace", "value": {"id": group, "displayName": "Late shift"}}
    after = await provider.patch(f"/Groups/{group}", operation)

    assert after["displayName"] == "Late shift"
    assert values_of(after, "members") == sorted([first, second])


async def test_09_a_group_is_put_with_all_of_its_members(provider: Provider) -> None:
    group, first, second = await make_pair(provider)
    third = (await provider.create("ute"))["id"]

    body = {
        "schemas": [GROUP],
        "id": group,
        "displayName": "Night shift",
        "members": [{"value": third}, {"value": first}],
    }
    response = await provider.call("PUT", f"/Groups/{group}", body)

    assert response.status_code == 200
    assert values_of(response.json(), "members") == sorted([first, third])
    assert second not in response.text


@each_of("spelled", ["ana", "ANA", "Ana", "aNa"])
async def test_10_a_user_name_is_found_in_any_case(world: Gateway, spelled: str) -> None:
    found = await Provider(world, world.token).get("/Users", filter=f'userName eq "{spelled}"')

    assert [one["userName"] for one in found["Resources"]] == ["ana"]
    assert found["totalResults"] == 1


async def test_11_a_user_is_found_by_external_id(provider: Provider) -> None:
    user = await provider.create("uma", externalId="00u-7")

    found = await provider.get("/Users", filter='externalId eq "00u-7"')
    other_case = await provider.get("/Users", filter='externalId eq "00U-7"')

    assert [one["id"] for one in found["Resources"]] == [user["id"]]
    assert other_case["totalResults"] == 0  # an external id is compared with its case


@each_of(
    ("query", "start", "names"),
    [
        ({"startIndex": "0"}, 1, ["ana", "ben", "cleo", "olga"]),
        ({"startIndex": "-7"}, 1, ["ana", "ben", "cleo", "olga"]),
        ({"startIndex": "3"}, 3, ["cleo", "olga"]),
        ({"startIndex": "2", "count": "2"}, 2, ["ben", "cleo"]),
        ({"startIndex": "5"}, 5, []),
        ({"startIndex": "1", "count": "0"}, 1, []),
        ({"count": "-1"}, 1, []),
        ({"count": "1000000"}, 1, ["ana", "ben", "cleo", "olga"]),
        ({"startIndex": "9" * 30}, 2**31, []),
    ],
)
async def test_12_pages_are_bounded_and_never_refused(
    world: Gateway, query: dict[str, str], start: int, names: list[str]
) -> None:
    found = await Provider(world, world.token).get("/Users", **query)

    assert (found["totalResults"], found["startIndex"], found["itemsPerPage"]) == (4, start, len(names))
    assert [one["userName"] for one in found["Resources"]] == names


@each_of("name", ["ana", "ANA"])
async def test_13_a_user_who_is_there_is_not_made_twice(world: Gateway, name: str) -> None:
    async with world.unchanged():
        response = await Provider(world, world.token).call("POST", "/Users", {"schemas": [USER], "userName": name})

    assert fault_of(response) == (409, "uniqueness", f"`{name}` is taken [DUPLICATE userName]")


async def test_13_nor_by_an_external_id_that_somebody_has(provider: Provider) -> None:
    await provider.create("uma", externalId="00u-7")

    async with provider.gateway.unchanged():
        body = {"schemas": [USER], "userName": "ute", "externalId": "00u-7"}
        response = await provider.call("POST", "/Users", body)

    assert fault_of(response) == (409, "uniqueness", "`00u-7` is taken [DUPLICATE externalId]")


async def test_14_somebody_suspended_is_changed_and_woken(provider: Provider) -> None:
    user = await provider.create("uma", active=False, roles=[{"value": "agents"}])

    named = await provider.patch(f"/Users/{user['id']}", {"op": "replace", "path": "displayName", "value": "Uma Uhl"})
    woken = await provider.patch(f"/Users/{user['id']}", {"op": "replace", "path": "active", "value": True})

    assert (named["displayName"], named["active"]) == ("Uma Uhl", False)
    assert (woken["active"], values_of(woken, "roles")) == (True, ["agents"])


async def test_15_a_group_is_read_and_changed_without_its_members(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, first, _ = await make_pair(provider)
    third = (await provider.create("ute"))["id"]
    monkeypatch.setattr("app.services.scim.MAX_MEMBERS", 1)

    shown = await provider.call("GET", f"/Groups/{group}", query={"excludedAttributes": "members"})
    listed = await provider.get("/Groups", excludedAttributes="members", filter='displayName eq "night SHIFT"')
    whole = await provider.call("GET", f"/Groups/{group}")
    added = await provider.call(
        "PATCH", f"/Groups/{group}",
        {"Operations": [{"op": "add", "path": "members", "value": [{"value": third}]}]},
        query={"excludedAttributes": "members"},
    )  # fmt: skip

    assert shown.status_code == 200
    assert "members" not in shown.json()
    assert [one["id"] for one in listed["Resources"]] == [group]
    assert "members" not in listed["Resources"][0]
    assert fault_of(whole)[:2] == (400, "tooMany")
    assert added.status_code == 200
    assert first not in added.text


async def test_16_a_stale_if_match_is_refused(provider: Provider) -> None:
    user = await provider.create("uma")
    path, version = f"/Users/{user['id']}", user["meta"]["version"]
    operation = {"op": "replace", "path": "displayName", "value": "Uma Uhl"}
    after = await provider.try_patch(path, operation, if_match=version)
    assert after.status_code == 200

    async with provider.gateway.unchanged():
        patched = await provider.try_patch(path, {**operation, "value": "Uma"}, if_match=version)
        put = await provider.call("PUT", path, {"schemas": [USER], "userName": "uma"}, if_match=version)
        deleted = await provider.call("DELETE", path, if_match=version)

    newer = after.headers["etag"]
    refusal = (412, None, f"the resource has changed: it is at {newer} now, read it again")
    assert [fault_of(one) for one in (patched, put, deleted)] == [refusal] * 3
    assert (await provider.call("DELETE", path, if_match=f'"x", {newer}')).status_code == 204


async def test_17_one_bad_operation_undoes_all(provider: Provider) -> None:
    user = await provider.create("uma", displayName="Uma Uhl")

    async with provider.gateway.unchanged():
        response = await provider.try_patch(
            f"/Users/{user['id']}",
            {"op": "replace", "path": "displayName", "value": "Uma"},
            {"op": "add", "path": "roles", "value": [{"value": "agents"}]},
            {"op": "replace", "path": "groups", "value": []},
        )

    assert fault_of(response)[:2] == (400, "mutability")


@each_of("media_type", ["application/scim+json", "application/json", "application/SCIM+json; charset=UTF-8"])
async def test_18_both_media_types_are_taken(world: Gateway, media_type: str) -> None:
    provider = Provider(world, world.token)

    async with world.unchanged():
        response = await provider.call(
            "POST", "/Users", {"schemas": [USER], "userName": "ana"}, content_type=media_type
        )

    assert response.status_code == 409  # it was read


@each_of(
    ("accept", "media_type"),
    [
        ("application/scim+json", "application/scim+json"),
        ("application/json", "application/json"),
        ("application/scim+json, application/json;q=0.5", "application/scim+json"),
        ("*/*", "application/scim+json"),
        ("", "application/scim+json"),
    ],
)
async def test_18_and_answered_as_asked_for(world: Gateway, accept: str, media_type: str) -> None:
    response = await Provider(world, world.token).call("GET", "/Users", accept=accept)

    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


async def test_19_a_user_is_deleted_twice(provider: Provider) -> None:
    user = await provider.create("uma", roles=[{"value": "agents"}])

    first = await provider.call("DELETE", f"/Users/{user['id']}")
    async with provider.gateway.unchanged():
        second = await provider.call("DELETE", f"/Users/{user['id']}")

    assert (first.status_code, first.content, second.status_code) == (204, b"", 204)
    after = await provider.get(f"/Users/{user['id']}")
    assert (after["active"], after.get("roles")) == (False, None)


async def test_19_and_a_group(provider: Provider) -> None:
    group, first, _ = await make_pair(provider)

    deleted = await provider.call("DELETE", f"/Groups/{group}")
    async with provider.gateway.unchanged():
        again = await provider.call("DELETE", f"/Groups/{group}")

    assert (deleted.status_code, again.status_code) == (204, 204)
    assert fault_of(await provider.call("GET", f"/Groups/{group}"))[0] == 404
    assert "groups" not in await provider.get(f"/Users/{first}")


@each_of("way", ["type", "id", "post", "put"])
async def test_20_a_group_within_a_group_is_refused(world: Gateway, way: str) -> None:
    provider = Provider(world, world.token)
    group, nested = world.ids["support"], {"value": world.ids["night"], "type": "Group"}
    bare = {"value": world.ids["night"]}

    async with world.unchanged():
        match way:
            case "type" | "id":
                value = [nested if way == "type" else bare]
                response = await provider.try_patch(
                    f"/Groups/{group}", {"op": "add", "path": "members", "value": value}
                )
            case "post":
                body = {"schemas": [GROUP], "displayName": "All", "members": [nested]}
                response = await provider.call("POST", "/Groups", body)
            case _:
                body = {"schemas": [GROUP], "displayName": "support", "members": [bare]}
                response = await provider.call("PUT", f"/Groups/{group}", body)

    assert fault_of(response)[:2] == (400, "invalidValue")
    assert "a group cannot be a member of a group" in fault_of(response)[2]
