"""Requests at the same time: each reads what it changes in the transaction that changes it, so none is lost."""

import asyncio

import pytest

from tests.factories import Gateway
from tests.scim import USER, Provider, values_of

AT_ONCE = 8


@pytest.fixture
def provider(world: Gateway) -> Provider:
    return Provider(world, world.token)


async def test_changes_of_one_user_at_once_are_all_kept(provider: Provider) -> None:
    roles = [await provider.gateway.create_role(f"role{index}") and f"role{index}" for index in range(AT_ONCE)]
    user = await provider.create("uma")
    path = f"/Users/{user['id']}"

    responses = await asyncio.gather(
        *(provider.try_patch(path, {"op": "add", "path": "roles", "value": [{"value": role}]}) for role in roles)
    )

    assert [one.status_code for one in responses] == [200] * AT_ONCE
    assert values_of(await provider.get(path), "roles") == roles


async def test_members_who_come_at_once_are_all_in(provider: Provider) -> None:
    users = [(await provider.create(f"user{index}"))["id"] for index in range(AT_ONCE)]
    path = f"/Groups/{(await provider.create_group('Night shift'))['id']}"

    await asyncio.gather(
        *(provider.patch(path, {"op": "add", "path": "members", "value": [{"value": user}]}) for user in users)
    )

    assert values_of(await provider.get(path), "members") == sorted(users)


async def test_of_those_who_change_the_same_version_one_does(provider: Provider) -> None:
    user = await provider.create("uma")
    path, version = f"/Users/{user['id']}", user["meta"]["version"]

    responses = await asyncio.gather(
        *(
            provider.try_patch(
                path, {"op": "replace", "path": "displayName", "value": f"Uma {index}"}, if_match=version
            )
            for index in range(AT_ONCE)
        )
    )

    assert sorted(one.status_code for one in responses) == [200] + [412] * (AT_ONCE - 1)


async def test_of_those_who_make_the_same_user_one_does(provider: Provider) -> None:
    bodies = [{"schemas": [USER], "userName": name, "externalId": "00u-7"} for name in ("uma", "UMA", "Uma", "ute")]

    responses = await asyncio.gather(*(provider.call("POST", "/Users", body) for body in bodies))

    assert sorted(one.status_code for one in responses) == [201, 409, 409, 409]
