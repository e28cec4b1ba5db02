"""Who may write by SCIM, how far, and under whose name: the guards of every door, and sources kept apart."""

from typing import Any

import pytest

from app.domain.callers import Right
from app.services.scim import list_people
from app.telemetry import logger
from tests.factories import Gateway, each_of, holder
from tests.scim import GROUP, USER, Provider, fault_of, values_of

VIEWING = (Right.VIEW_USERS, Right.VIEW_ROLES, Right.VIEW_RIGHTS, Right.VIEW_TEAMS, Right.VIEW_CONTRACTS)
SYNCING = (Right.VIEW_SYNC, Right.RUN_SYNC)
WRITING = (
    *VIEWING, *SYNCING, Right.MANAGE_USERS, Right.MANAGE_TEAMS, Right.MANAGE_MEMBERS, Right.GRANT_RIGHTS
)  # fmt: skip


async def make_provider(world: Gateway, name: str, *rights: Right) -> Provider:
    """A service account that holds the role `agents` and may give it on."""
    secret = await world.create_service_account(name, "agents")
    await world.assign(holder(user=name), "agents")
    await world.trust(name, *rights)
    return Provider(world, secret)


def writes_of(world: Gateway) -> list[tuple[str, str, Any]]:
    """One request of each kind that writes."""
    user, group = f"/Users/{world.ids['ana']}", f"/Groups/{world.ids['support']}"
    patch = {"Operations": [{"op": "add", "path": "roles", "value": [{"value": "agents"}]}]}
    members = {"Operations": [{"op": "add", "path": "members", "value": [{"value": world.ids["cleo"]}]}]}
    return [
        ("POST", "/Users", {"schemas": [USER], "userName": "uma"}),
        ("PUT", user, {"schemas": [USER], "userName": "ana", "roles": [{"value": "writers"}]}),
        ("PATCH", user, patch),
        ("DELETE", user, None),
        ("POST", "/Groups", {"schemas": [GROUP], "displayName": "Night shift"}),
        ("PUT", group, {"schemas": [GROUP], "displayName": "support", "members": [{"value": world.ids["cleo"]}]}),
        ("PATCH", group, members),
        ("DELETE", group, None),
    ]


@each_of("headers", [{}, {"authorization": ""}, {"authorization": "Bearer x"}, {"authorization": "Basic b2xnYTp4"}])
async def test_nothing_is_said_without_a_token(world: Gateway, headers: dict[str, str]) -> None:
    requests = [
        *writes_of(world), ("GET", "/Users", None), ("GET", "/Schemas", None), ("GET", "/ServiceProviderConfig", None),
        ("GET", "/nothing", None), ("POST", "/Bulk", None),
    ]  # fmt: skip

    async with world.unchanged():
        for method, path, body in requests:
            response = await world.client.request(method, f"/scim/v2{path}", json=body, headers=headers)
            detail = "a valid token is needed: `Authorization: Bearer <token>`"
            assert fault_of(response) == (401, None, detail)
            assert response.headers["www-authenticate"] == 'Bearer realm="permgate"'


async def test_to_write_needs_the_right_to_sync(world: Gateway) -> None:
    provider = await make_provider(world, "okta", *(right for right in WRITING if right not in SYNCING))

    async with world.unchanged():
        for method, path, body in writes_of(world):
            status, _, detail = fault_of(await provider.call(method, path, body))
            assert (status, Right.RUN_SYNC in detail) == (403, True)


@pytest.mark.parametrize("missing", VIEWING)
async def test_and_to_see_everything_that_is_compared(world: Gateway, missing: Right) -> None:
    """What is not seen would be taken for not there, and ended."""
    provider = await make_provider(world, "okta", *(right for right in WRITING if right != missing))

    async with world.unchanged():
        for method, path, body in writes_of(world):
            status, _, detail = fault_of(await provider.call(method, path, body))
            assert (status, missing in detail) == (403, True), (method, path)


async def test_a_provider_gives_what_it_holds(world: Gateway) -> None:
    provider = await make_provider(world, "okta", *WRITING)

    user = await provider.create("uma", roles=[{"value": "agents"}])

    assert values_of(user, "roles") == ["agents"]
    entry = await world.head()
    assert (entry["actor"], entry["source"]) == ("okta", "scim:okta")


async def test_and_nothing_beyond_it(world: Gateway) -> None:
    provider = await make_provider(world, "okta", *WRITING)
    user = await provider.create("uma")

    async with world.unchanged():
        made = await provider.call(
            "POST", "/Users", {"schemas": [USER], "userName": "ute", "roles": [{"value": "writers"}]}
        )
        patched = await provider.try_patch(
            f"/Users/{user['id']}", {"op": "add", "path": "roles", "value": [{"value": "writers"}]}
        )
        raised = await provider.try_patch(
            f"/Users/{user['id']}", {"op": "add", "path": "roles", "value": [{"value": "C-1:core:ADMINISTRATOR"}]}
        )

    assert [fault_of(one)[:2] for one in (made, patched, raised)] == [(403, None)] * 3
    assert "DELEGATION_EXCEEDED" in fault_of(made)[2]


async def test_refused_attempts_to_raise_rights_are_noted(world: Gateway) -> None:
    provider = await make_provider(world, "okta", *WRITING)

    await provider.call("POST", "/Users", {"schemas": [USER], "userName": "ute", "roles": [{"value": "writers"}]})

    async with world.services.database.reading(world.services.catalog) as unit:
        (event,) = await unit.security.read(limit=10)
    assert (event.actor, event.action) == ("okta", "applySync")


async def test_the_last_owner_stays(world: Gateway) -> None:
    provider = Provider(world, world.token)

    async with world.unchanged():
        response = await provider.try_patch(
            f"/Users/{world.owner}", {"op": "replace", "path": "active", "value": False}
        )
        deleted = await provider.call("DELETE", f"/Users/{world.owner}")

    assert fault_of(response)[0] in {403, 409}
    assert deleted.status_code == 204  # nothing of hers is of this source


async def test_two_providers_never_end_what_the_other_gave(world: Gateway) -> None:
    okta, entra = [await make_provider(world, name, *WRITING) for name in ("okta", "entra")]
    user = await okta.create("uma", roles=[{"value": "agents"}])
    path = f"/Users/{user['id']}"
    group = await okta.create_group("Night shift", user["id"])

    seen = await entra.get(path)
    claimed = await entra.patch(path, {"op": "add", "path": "roles", "value": [{"value": "agents"}]})
    await entra.patch(f"/Groups/{group['id']}", {"op": "add", "path": "members", "value": [{"value": user["id"]}]})
    put = await entra.call("PUT", path, {"schemas": [USER], "userName": "uma", "roles": []})
    emptied = await entra.call(
        "PUT", f"/Groups/{group['id']}", {"schemas": [GROUP], "displayName": "Night shift", "members": []}
    )
    deleted = await entra.call("DELETE", path)

    assert [one.get("type") for one in seen["roles"]] == ["scim:okta"]
    assert [one.get("type") for one in claimed["roles"]] == [None]
    assert [one.get("type") for one in put.json()["roles"]] == ["scim:okta"]
    assert values_of(emptied.json(), "members") == [user["id"]]
    assert deleted.status_code == 204
    after = await okta.get(path)
    assert (after["active"], values_of(after, "roles"), values_of(after, "groups")) == (True, ["agents"], [group["id"]])


async def test_a_right_given_by_two_is_there_until_both_have_taken_it(world: Gateway) -> None:
    okta, entra = [await make_provider(world, name, *WRITING) for name in ("okta", "entra")]
    user = await okta.create("uma")
    path = f"/Users/{user['id']}"
    await okta.patch(path, {"op": "add", "path": "roles", "value": [{"value": "agents"}]})
    await entra.patch(path, {"op": "add", "path": "roles", "value": [{"value": "agents"}]})

    once = await okta.patch(path, {"op": "remove", "path": 'roles[value eq "agents"]'})
    twice = await entra.patch(path, {"op": "remove", "path": 'roles[value eq "agents"]'})

    assert [one["type"] for one in once["roles"]] == ["scim:entra"]
    assert "roles" not in twice


async def test_whom_another_has_suspended_is_not_woken(world: Gateway) -> None:
    okta = await make_provider(world, "okta", *WRITING)
    user = await okta.create("uma")
    await world.mutate("setUserStatus", {"user": {"id": user["id"]}, "status": "SUSPENDED"})

    async with world.unchanged():
        response = await okta.try_patch(f"/Users/{user['id']}", {"op": "replace", "path": "active", "value": True})

    assert fault_of(response)[:2] == (409, None)
    assert "suspended by somebody else" in fault_of(response)[2]


async def test_what_fails_inside_stays_inside(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_given: Any, **_named: Any) -> Any:
        raise KeyError("secret at app/db/tables.py")

    monkeypatch.setattr(f"{list_people.__module__}.list_people", fail)
    monkeypatch.setattr(logger, "disabled", False)  # import-linter turns off every logger that it does not know

    response = await Provider(world, world.token).call("GET", "/Users")

    status, scim_type, detail = fault_of(response)
    assert (status, scim_type, detail[:25]) == (500, None, "internal error, reference")
    assert "secret" not in response.text
    (record,) = [record for record in caplog.records if record.name == "permgate"]
    assert detail.endswith(record.fields["reference"])  # type: ignore[attr-defined]
