"""Users by SCIM: what a request makes of a person, and what it leaves alone."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder, read_database
from tests.scim import ENTERPRISE, USER, Provider, fault_of, values_of

SOURCE = "scim:olga"


@pytest.fixture
def provider(world: Gateway) -> Provider:
    return Provider(world, world.token)


async def rows_of(gateway: Gateway, user: str) -> dict[str, Any]:
    """A person as GraphQL shows them."""
    document = """query($id: ID!) { user(ref: {id: $id}) {
        userName displayName email externalId status source
        roles { role { key } contract { number } source }
        teams { team { key } source }
        contracts { contract { number } levels { product { key } level source } }
    } }"""
    found: dict[str, Any] = (await gateway.gql(document, {"id": user}))["user"]
    return found


# ---------------------------------------------------------------------- made


async def test_a_user_is_made_with_all_that_is_kept(provider: Provider) -> None:
    response = await provider.call(
        "POST", "/Users",
        {
            "schemas": [USER, ENTERPRISE],
            "userName": "uma@example.org",
            "externalId": "00u-7",
            "name": {"formatted": "Ms. Uma Uhl", "givenName": "Uma", "familyName": "Uhl"},
            "displayName": "Uma Uhl",
            "emails": [{"value": "home@example.org", "type": "home"}, {"value": "uma@example.org", "type": "work"}],
            "active": True,
            "roles": [{"value": "agents"}, {"value": "writers@C-1"}, {"value": "C-1:core:USER", "primary": False}],
        },
    )  # fmt: skip

    user = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == response.headers["content-location"] == f"/scim/v2/Users/{user['id']}"
    assert user == {
        "schemas": [USER],
        "id": user["id"],
        "externalId": "00u-7",
        "meta": {
            "resourceType": "User", "location": f"/scim/v2/Users/{user['id']}", "version": response.headers["etag"]
        },
        "userName": "uma@example.org",
        "name": {"formatted": "Uma Uhl"},
        "displayName": "Uma Uhl",
        "active": True,
        "emails": [{"value": "uma@example.org", "type": "work", "primary": True}],
        "roles": [
            {"value": "agents", "display": "agents"},
            {"value": "writers@C-1", "display": "writers"},
            {"value": "C-1:core:USER"},
        ],
    }  # fmt: skip
    assert await rows_of(provider.gateway, user["id"]) == {
        "userName": "uma@example.org", "displayName": "Uma Uhl", "email": "uma@example.org", "externalId": "00u-7",
        "status": "ACTIVE", "source": SOURCE, "teams": [],
        "roles": [
            {"role": {"key": "agents"}, "contract": None, "source": SOURCE},
            {"role": {"key": "writers"}, "contract": {"number": "C-1"}, "source": SOURCE},
        ],
        "contracts": [
            {"contract": {"number": "C-1"},
             "levels": [{"product": {"key": "core"}, "level": "USER", "source": SOURCE}]}
        ],
    }  # fmt: skip
    entry = await provider.gateway.head()
    assert (entry["actor"], entry["source"], entry["reason"]) == ("olga", SOURCE, "SCIM POST Users")
    assert response.json() == (await provider.get(f"/Users/{user['id']}"))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "uma"),
        ({"displayName": "D", "name": {"formatted": "F", "givenName": "G", "familyName": "L"}}, "D"),
        ({"name": {"formatted": "F", "givenName": "G", "familyName": "L"}}, "F"),
        ({"name": {"givenName": "G", "familyName": "L"}}, "G L"),
        ({"name": {"familyName": "L"}}, "L"),
        ({"DISPLAYNAME": "D"}, "D"),
        ({"displayName": None}, "uma"),
        ({"displayName": ""}, "uma"),
    ],
)
async def test_the_name_that_is_shown(provider: Provider, given: dict[str, Any], name: str) -> None:
    user = await provider.create("uma", **given)

    assert (user["displayName"], user["name"]) == (name, {"formatted": name})


@pytest.mark.parametrize(
    ("emails", "kept"),
    [
        ([], None),
        (None, None),
        ([{"value": "a@x"}], "a@x"),
        ([{"value": "a@x", "type": "home"}, {"value": "b@x", "type": "Work"}], "b@x"),
        ([{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home", "primary": True}], "b@x"),
        ([{"type": "work"}, {"value": "b@x"}], "b@x"),
    ],
)
async def test_one_email_is_kept(provider: Provider, emails: Any, kept: str | None) -> None:
    user = await provider.create("uma", emails=emails)

    expected = None if kept is None else [{"value": kept, "type": "work", "primary": True}]
    assert user.get("emails") == expected


async def test_what_is_not_kept_is_accepted_and_let_go(provider: Provider) -> None:
    user = await provider.create(
        "uma", title="Dr", nickName="U", locale="de", password="s3cret-Word", photos=[{"value": "no address"}],
        id="mine", meta={"version": "x"}, groups=[{"value": provider.gateway.ids["support"]}],
        **{ENTERPRISE: {"department": "Care", "manager": {"value": "1"}}, "urn:x:custom:2.0:User": {"tag": [1, {}]}},
    )  # fmt: skip

    assert set(user) == {"schemas", "id", "meta", "userName", "name", "displayName", "active"}
    assert user["id"].startswith("usr_")
    assert "s3cret-Word" not in read_database(provider.gateway.path)


@each_of(
    ("given", "scim_type"),
    [
        ({"frob": 1}, "invalidSyntax"),
        ({"userNam": "x"}, "invalidSyntax"),
        ({"userName": ""}, "invalidValue"),
        ({"userName": None}, "invalidValue"),
        ({"userName": 7}, "invalidValue"),
        ({"userName": " x"}, "invalidValue"),
        ({"emails": "a@x"}, "invalidValue"),
        ({"emails": [{"value": "no address"}]}, "invalidValue"),
        ({"active": "maybe"}, "invalidValue"),
        ({"roles": [{"display": "agents"}]}, "invalidValue"),
        ({"roles": [{"value": "agents@"}]}, "invalidValue"),
        ({"roles": [{"value": "nobody"}]}, "invalidValue"),
        ({"roles": [{"value": "agents@C-404"}]}, "invalidValue"),
        ({"roles": [{"value": "C-1:telephony:USER"}]}, "invalidValue"),
        ({"roles": [{"value": "C-1:core:USER"}, {"value": "C-1:core:ADMINISTRATOR"}]}, "invalidValue"),
        ({"roles": [{"value": "x"}] * 1001}, "tooMany"),
        ({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}, "invalidSyntax"),
    ],
)
async def test_what_cannot_be_is_refused(world: Gateway, given: dict[str, Any], scim_type: str) -> None:
    async with world.unchanged():
        body = {"schemas": [USER], "userName": "uma", **given}
        response = await Provider(world, world.token).call("POST", "/Users", body)

    assert fault_of(response)[:2] == (400, scim_type)


async def test_all_refusals_are_told_together(world: Gateway) -> None:
    body = {"schemas": [USER], "userName": "uma", "roles": [{"value": "one"}, {"value": "two@C-404"}]}

    response = await Provider(world, world.token).call("POST", "/Users", body)

    assert fault_of(response) == (
        400, "invalidValue",
        "there is no role `one` [NOT_FOUND roles]; there is no role `two` [NOT_FOUND roles]",
    )  # fmt: skip


async def test_an_owner_is_appointed_by_nobody(provider: Provider) -> None:
    async with provider.gateway.unchanged():
        body = {"schemas": [USER], "userName": "uma", "roles": [{"value": "C-1:core:OWNER"}]}
        response = await provider.call("POST", "/Users", body)

    assert fault_of(response)[:2] == (403, None)


async def test_a_role_without_what_it_needs_is_refused(provider: Provider) -> None:
    await provider.gateway.create_role("viewers", "desk.reports.menu", "desk.reports.real_time")
    without_menu = {"holder": holder(role="viewers"), "revokes": [{"permission": "desk.reports.menu"}]}
    await provider.gateway.mutate("revokePermissions", {**without_menu, "onDependents": "SUSPEND"})

    async with provider.gateway.unchanged():
        body = {"schemas": [USER], "userName": "uma", "roles": [{"value": "viewers"}]}
        response = await provider.call("POST", "/Users", body)

    assert fault_of(response)[:2] == (409, None)
    assert "PREREQUISITE_NOT_MET" in fault_of(response)[2]


async def test_who_has_left_and_is_brought_again_is_who_they_were(provider: Provider) -> None:
    user = await provider.create("uma", externalId="00u-7", roles=[{"value": "agents"}])
    await provider.call("DELETE", f"/Users/{user['id']}")

    again = await provider.create("Uma", externalId="00u-7", roles=[{"value": "writers"}])

    assert (again["id"], again["userName"], again["active"]) == (user["id"], "Uma", True)
    assert values_of(again, "roles") == ["writers"]


async def test_names_are_kept_in_one_form(provider: Provider) -> None:
    user = await provider.create("e\u0301va", externalId="e\u0301-1")

    assert (user["userName"], user["externalId"]) == ("\u00e9va", "\u00e9-1")
    for asked in ('externalId eq "e\u0301-1"', 'externalId eq "\u00e9-1"', 'userName eq "E\u0301VA"'):
        assert (await provider.get("/Users", filter=asked))["totalResults"] == 1
    async with provider.gateway.unchanged():
        body = {"schemas": [USER], "userName": "uma", "externalId": "e\u0301-1"}
        assert fault_of(await provider.call("POST", "/Users", body))[:2] == (409, "uniqueness")
        assert await put(provider, {**user, "userName": "e\u0301va"}, externalId="e\u0301-1") == user


# ---------------------------------------------------------------------- replaced


async def put(provider: Provider, user: dict[str, Any], **given: Any) -> dict[str, Any]:
    body = {"schemas": [USER], "userName": user["userName"], **given}
    response = await provider.call("PUT", f"/Users/{user['id']}", body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def make_uma(provider: Provider) -> dict[str, Any]:
    return await provider.create(
        "uma", externalId="00u-7", displayName="Uma Uhl", emails=[{"value": "u@x"}], active=False,
        roles=[{"value": "agents"}, {"value": "C-1:core:USER"}],
    )  # fmt: skip


def without_version(user: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in user.items() if name != "meta"}


async def test_what_a_put_leaves_out_is_as_it_was(provider: Provider) -> None:
    user = await make_uma(provider)

    async with provider.gateway.unchanged():
        assert await put(provider, user) == user


async def test_what_was_read_may_be_put_back(provider: Provider) -> None:
    """With the roles that others give, which it does not take for its own."""
    ana = await provider.get(f"/Users/{provider.gateway.ids['ana']}")
    assert [one["type"] for one in ana["roles"]] == ["manual", "manual"]

    async with provider.gateway.unchanged():
        response = await provider.call("PUT", f"/Users/{ana['id']}", ana)

    assert (response.status_code, response.json()) == (200, ana)


async def test_null_and_an_empty_list_clear(provider: Provider) -> None:
    user = await make_uma(provider)

    after = await put(provider, user, displayName=None, emails=[], roles=[])

    assert without_version(after) == {
        "schemas": [USER], "id": user["id"], "externalId": "00u-7", "userName": "uma", "displayName": "uma",
        "name": {"formatted": "uma"}, "active": False,
    }  # fmt: skip


async def test_a_list_that_is_put_is_complete_for_this_source_alone(provider: Provider) -> None:
    ana = f"/Users/{provider.gateway.ids['ana']}"
    body = {"schemas": [USER], "userName": "ana", "roles": [{"value": "writers"}]}

    first = (await provider.call("PUT", ana, body)).json()
    second = (await provider.call("PUT", ana, {**body, "roles": [{"value": "agents"}]})).json()
    third = (await provider.call("PUT", ana, {**body, "roles": []})).json()

    assert [(one["value"], one.get("type")) for one in first["roles"]] == [
        ("writers", None), ("agents", "manual"), ("C-1:core:USER", "manual")
    ]  # fmt: skip
    assert [(one["value"], one.get("type")) for one in second["roles"]] == [
        ("agents", None), ("C-1:core:USER", "manual")
    ]  # fmt: skip
    assert [(one["value"], one.get("type")) for one in third["roles"]] == [
        ("agents", "manual"), ("C-1:core:USER", "manual")
    ]  # fmt: skip


async def test_a_user_is_renamed(provider: Provider) -> None:
    user = await make_uma(provider)

    after = await put(provider, {**user, "userName": "UMA"}, externalId="00u-8")

    assert (after["id"], after["userName"], after["externalId"]) == (user["id"], "UMA", "00u-8")
    async with provider.gateway.unchanged():
        response = await provider.call("PUT", f"/Users/{user['id']}", {"schemas": [USER], "userName": "ANA"})
    assert fault_of(response)[:2] == (409, "uniqueness")


# ---------------------------------------------------------------------- patched


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ({"op": "replace", "path": "displayName", "value": "Uma"}, "Uma"),
        ({"op": "remove", "path": "displayName"}, "uma"),
        ({"op": "replace", "path": "name.formatted", "value": "Ms. U"}, "Ms. U"),
        ({"op": "replace", "path": "name", "value": {"givenName": "U", "familyName": "U"}}, "U U"),
        ({"op": "replace", "path": "name.givenName", "value": "Ursula"}, "Uma Uhl"),
        ({"op": "replace", "value": {"displayName": "D", "name.formatted": "F"}}, "D"),
    ],
)
async def test_a_patch_of_the_name(provider: Provider, operation: dict[str, Any], name: str) -> None:
    user = await make_uma(provider)

    after = await provider.patch(f"/Users/{user['id']}", operation)

    assert after["displayName"] == name


async def test_a_level_that_is_added_takes_the_place_of_the_one_before(provider: Provider) -> None:
    user = await make_uma(provider)

    operation = {"op": "add", "path": "roles", "value": [{"value": "C-1:core:ADMINISTRATOR"}]}
    after = await provider.patch(f"/Users/{user['id']}", operation)

    assert values_of(after, "roles") == ["C-1:core:ADMINISTRATOR", "agents"]


async def test_a_role_that_another_source_gives_is_not_taken_away_in_silence(provider: Provider) -> None:
    ana = f"/Users/{provider.gateway.ids['ana']}"

    async with provider.gateway.unchanged():
        response = await provider.try_patch(ana, {"op": "remove", "path": 'roles[value eq "agents"]'})

    detail = "`agents` is given by `manual`, and is not yours to take away"
    assert fault_of(response) == (400, "mutability", detail)


async def test_but_our_own_is_though_another_gives_it_too(provider: Provider) -> None:
    ana = f"/Users/{provider.gateway.ids['ana']}"
    both = await provider.patch(ana, {"op": "add", "path": "roles", "value": [{"value": "agents"}]})

    after = await provider.patch(ana, {"op": "remove", "path": 'roles[value eq "agents"]'})

    assert [one.get("type") for one in both["roles"]] == [None, "manual"]
    assert [(one["value"], one["type"]) for one in after["roles"]] == [
        ("agents", "manual"),
        ("C-1:core:USER", "manual"),
    ]
    roles = (await rows_of(provider.gateway, provider.gateway.ids["ana"]))["roles"]
    assert [one["source"] for one in roles] == ["manual"]


async def test_all_of_ours_go_and_what_others_give_stays(provider: Provider) -> None:
    ana = f"/Users/{provider.gateway.ids['ana']}"
    await provider.patch(ana, {"op": "add", "path": "roles", "value": [{"value": "writers"}]})

    after = await provider.patch(ana, {"op": "remove", "path": "roles"})

    assert [one["type"] for one in after["roles"]] == ["manual", "manual"]


@each_of(
    ("operation", "scim_type"),
    [
        ({"op": "remove", "path": "userName"}, "mutability"),
        ({"op": "replace", "path": "userName", "value": ""}, "mutability"),
        ({"op": "replace", "path": "groups", "value": []}, "mutability"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "meta.version", "value": "x"}, "mutability"),
        ({"op": "replace", "path": 'emails[type eq "home"', "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[type gt 7].value', "value": "x"}, "invalidFilter"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "add", "path": "roles", "value": "agents"}, "invalidValue"),
        ({"op": "add", "path": "roles", "value": [{"value": "nobody"}]}, "invalidValue"),
    ],
)  # fmt: skip
async def test_a_patch_that_cannot_be_is_refused(world: Gateway, operation: dict[str, Any], scim_type: str) -> None:
    async with world.unchanged():
        response = await Provider(world, world.token).try_patch(f"/Users/{world.ids['ana']}", operation)

    assert fault_of(response)[:2] == (400, scim_type)


async def test_an_external_id_is_changed_and_not_taken_away(provider: Provider) -> None:
    user = await make_uma(provider)

    after = await provider.patch(f"/Users/{user['id']}", {"op": "replace", "path": "externalId", "value": "00u-9"})
    async with provider.gateway.unchanged():
        response = await provider.try_patch(f"/Users/{user['id']}", {"op": "remove", "path": "externalId"})

    assert after["externalId"] == "00u-9"
    assert fault_of(response)[:2] == (400, "mutability")


async def test_a_patch_that_changes_nothing_writes_nothing(provider: Provider) -> None:
    user = await make_uma(provider)

    async with provider.gateway.unchanged():
        after = await provider.patch(
            f"/Users/{user['id']}",
            {"op": "replace", "path": "active", "value": "false"},
            {"op": "add", "path": "roles", "value": [{"value": "agents"}]},
            {"op": "replace", "path": 'emails[type eq "work"].value', "value": "u@x"},
        )

    assert after == user


# ---------------------------------------------------------------------- let go


async def test_who_is_let_go_is_suspended_and_loses_what_this_source_gave(provider: Provider) -> None:
    user = await provider.create("uma", roles=[{"value": "agents"}, {"value": "C-1:core:USER"}])
    group = await provider.create_group("Night shift", user["id"])
    await provider.gateway.assign(holder(user="uma"), "writers")

    response = await provider.call("DELETE", f"/Users/{user['id']}")

    assert response.status_code == 204
    after = await rows_of(provider.gateway, user["id"])
    assert (after["status"], after["teams"], after["contracts"]) == ("SUSPENDED", [], [])
    assert after["roles"] == [{"role": {"key": "writers"}, "contract": None, "source": "manual"}]
    assert "members" not in await provider.get(f"/Groups/{group['id']}")


async def test_whom_another_source_manages_is_not_suspended_by_this_one(provider: Provider) -> None:
    """Attributes of a person belong to the first source (SEMANTICS section 10)."""
    ana = provider.gateway.ids["ana"]
    await provider.patch(f"/Users/{ana}", {"op": "add", "path": "roles", "value": [{"value": "writers"}]})

    async with provider.gateway.unchanged():
        suspended = await provider.try_patch(f"/Users/{ana}", {"op": "replace", "path": "active", "value": False})
    deleted = await provider.call("DELETE", f"/Users/{ana}")

    assert fault_of(suspended) == (409, None, "`active` of `ana` belongs to the source `manual` [CONFLICT active]")
    assert deleted.status_code == 204
    after = await provider.get(f"/Users/{ana}")
    assert (after["active"], values_of(after, "roles")) == (True, ["C-1:core:USER", "agents"])


async def test_an_archived_person_and_a_machine_are_not_there(world: Gateway) -> None:
    provider = Provider(world, world.token)
    await world.create_service_account("robot", "agents")
    await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "ARCHIVED"})

    for name in ("robot", "cleo"):
        path = f"/Users/{world.ids[name]}"
        assert fault_of(await provider.call("GET", path)) == (404, None, f"there is no user `{world.ids[name]}`")
        operation = {"op": "replace", "path": "active", "value": True}
        async with world.unchanged():
            assert fault_of(await provider.try_patch(path, operation))[0] == 404
        assert (await provider.get("/Users", filter=f'userName eq "{name}"'))["totalResults"] == 0
        response = await provider.call("POST", "/Users", {"schemas": [USER], "userName": name})
        assert fault_of(response)[:2] == (409, "uniqueness")
    assert (await provider.call("DELETE", f"/Users/{world.ids['cleo']}")).status_code == 204
    assert fault_of(await provider.call("DELETE", f"/Users/{world.ids['robot']}"))[0] == 404
    assert fault_of(await provider.call("DELETE", "/Users/usr_nobody"))[0] == 404
