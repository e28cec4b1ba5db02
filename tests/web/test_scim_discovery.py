"""What a SCIM client may ask of the service itself, and every address that is none."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of
from tests.scim import GROUP, LIST, USER, Provider, fault_of


@pytest.fixture
def provider(world: Gateway) -> Provider:
    return Provider(world, world.token)


async def test_the_service_says_what_it_supports(provider: Provider) -> None:
    config = await provider.get("/ServiceProviderConfig")

    supported = {
        name: config[name]["supported"] for name in ("patch", "bulk", "filter", "changePassword", "sort", "etag")
    }
    assert supported == {
        "patch": True, "bulk": False, "filter": True, "changePassword": False, "sort": False, "etag": True
    }  # fmt: skip
    assert [one["type"] for one in config["authenticationSchemes"]] == ["oauthbearertoken"]
    assert config["filter"]["maxResults"] == 200


async def test_there_are_two_resource_types(provider: Provider) -> None:
    listed = await provider.get("/ResourceTypes")

    assert (listed["schemas"], listed["totalResults"]) == ([LIST], 2)
    assert [(one["name"], one["endpoint"], one["schema"]) for one in listed["Resources"]] == [
        ("User", "/Users", USER), ("Group", "/Groups", GROUP)
    ]  # fmt: skip
    assert await provider.get("/ResourceTypes/User") == listed["Resources"][0]


async def test_the_schemas_promise_what_is_kept_and_nothing_else(provider: Provider) -> None:
    listed = await provider.get("/Schemas")
    user, group = listed["Resources"]

    assert [user["id"], group["id"]] == [USER, GROUP]
    assert [one["name"] for one in user["attributes"]] == [
        "userName", "name", "displayName", "active", "emails", "roles", "groups"
    ]  # fmt: skip
    assert [one["name"] for one in group["attributes"]] == ["displayName", "members"]
    assert await provider.get(f"/Schemas/{USER}") == user
    by_name = {one["name"]: one for one in user["attributes"]}
    assert by_name["groups"]["mutability"] == "readOnly"
    assert [part["name"] for part in by_name["name"]["subAttributes"]] == ["formatted"]
    assert all(one["description"] for one in (*user["attributes"], *group["attributes"]))


async def test_the_schema_names_the_roles_that_the_caller_sees(world: Gateway) -> None:
    def roles_of(schema: dict[str, Any]) -> list[str] | None:
        (roles,) = [one for one in schema["attributes"] if one["name"] == "roles"]
        value: dict[str, Any] = roles["subAttributes"][0]
        return value.get("canonicalValues")

    owner = await Provider(world, world.token).get(f"/Schemas/{USER}")
    cleo = await Provider(world, (await world.issue_token("cleo"))[1]).get(f"/Schemas/{USER}")

    assert (roles_of(owner), roles_of(cleo)) == (["agents", "writers"], None)


@each_of(
    ("method", "path", "refusal"),
    [
        ("POST", "/Bulk", (501, "requests in bulk are not supported: send them one by one, or use `permgate sync`")),
        ("GET", "/Me", (501, "`/Me` is not supported: use `/Users/{id}`")),
        ("PATCH", "/Me", (501, "`/Me` is not supported: use `/Users/{id}`")),
        ("GET", "", (501, "ask `/Users` or `/Groups`: both at once is not supported")),
        ("GET", "/", (501, "ask `/Users` or `/Groups`: both at once is not supported")),
        ("POST", "/.search", (501, "ask `/Users` or `/Groups`: both at once is not supported")),
        ("GET", "/users", (404, "there is no address `/scim/v2/users`")),
        ("GET", "/Users/x/y", (404, "there is no address `/scim/v2/Users/x/y`")),
        ("GET", "/Schemas/x", (404, "there is no schema `x`")),
        ("GET", "/ResourceTypes/Role", (404, "there is no resource type `Role`")),
        ("GET", "/Schemas?filter=id%20pr", (403, "`Schemas` are not filtered")),
        ("PUT", "/Users", (405, "use GET, POST here")),
        ("POST", "/Users/x", (405, "use GET, PUT, PATCH, DELETE here")),
        ("GET", "/Users/.search", (405, "use POST here")),
        ("POST", "/ServiceProviderConfig", (405, "use GET here")),
        ("GET", "/Bulk", (405, "use POST here")),
    ],
)
async def test_what_is_not_there_says_so(world: Gateway, method: str, path: str, refusal: tuple[int, str]) -> None:
    response = await Provider(world, world.token).call(method, path)

    status, scim_type, detail = fault_of(response)
    assert ((status, detail), scim_type) == (refusal, None)
    if status == 405:
        assert response.headers["allow"] == detail.removeprefix("use ").removesuffix(" here")


async def test_addresses_do_not_come_from_the_host_header(provider: Provider) -> None:
    config = await provider.call("GET", "/ServiceProviderConfig", host="evil.example", x_forwarded_host="evil.example")

    assert config.json()["meta"]["location"] == "/scim/v2/ServiceProviderConfig"
    assert "evil.example" not in config.text


async def test_a_head_is_a_get_without_a_body(provider: Provider) -> None:
    response = await provider.call("HEAD", f"/Users/{provider.gateway.ids['ana']}")

    assert response.status_code == 200
    assert response.headers["etag"].startswith('W/"')


# ---------------------------------------------------------------------- bodies


@each_of(
    ("body", "headers", "refusal"),
    [
        (b"", {}, (400, "invalidSyntax")),
        (b"{", {}, (400, "invalidSyntax")),
        (b"[]", {}, (400, "invalidSyntax")),
        (b"null", {}, (400, "invalidSyntax")),
        (b'{"userName": "\xff"}', {}, (400, "invalidSyntax")),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", {}, (400, "invalidSyntax")),
        (b'{"a":' + b"9" * 30 + b"}", {}, (400, "invalidSyntax")),
        (b" " * (1024 * 1024 + 1), {}, (413, None)),
        (b"{}", {"content-type": "text/plain"}, (415, None)),
        (b"{}", {"content-type": ""}, (415, None)),
        (b"{}", {"content-type": "application/json; charset=latin-1"}, (415, None)),
        (b"{}", {"content-encoding": "gzip"}, (415, None)),
    ],
)
async def test_a_body_that_is_none_is_refused(
    world: Gateway, body: bytes, headers: dict[str, str], refusal: tuple[int, str | None]
) -> None:
    sent = {"authorization": f"Bearer {world.token}", "content-type": "application/scim+json", **headers}

    async with world.unchanged():
        for method, path in (("POST", "/Users"), ("PATCH", f"/Users/{world.ids['ana']}"), ("POST", "/Groups/.search")):
            response = await world.client.request(method, f"/scim/v2{path}", content=body, headers=sent)
            assert fault_of(response)[:2] == refusal
