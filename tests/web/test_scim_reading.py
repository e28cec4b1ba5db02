"""Reading by SCIM: one, many, filtered, paged, projected, conditional; and never more than GraphQL shows."""

from typing import Any

import pytest

from app.domain.callers import Right
from tests.factories import Gateway, each_of, holder
from tests.scim import GROUP, LIST, USER, Provider, fault_of


@pytest.fixture
def provider(world: Gateway) -> Provider:
    return Provider(world, world.token)


def names(found: dict[str, Any]) -> list[str]:
    assert found["schemas"] == [LIST]
    assert found["totalResults"] >= found["itemsPerPage"] == len(found["Resources"])
    return [one.get("userName", one.get("displayName")) for one in found["Resources"]]


async def test_a_user_is_shown_as_they_are(provider: Provider) -> None:
    ids = provider.gateway.ids

    response = await provider.call("GET", f"/Users/{ids['ana']}")

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-location"] == f"/scim/v2/Users/{ids['ana']}"
    assert response.json() == {
        "schemas": [USER],
        "id": ids["ana"],
        "meta": {
            "resourceType": "User", "location": f"/scim/v2/Users/{ids['ana']}", "version": response.headers["etag"]
        },
        "userName": "ana",
        "name": {"formatted": "ana"},
        "displayName": "ana",
        "active": True,
        "roles": [
            {"value": "agents", "display": "agents", "type": "manual"},
            {"value": "C-1:core:USER", "type": "manual"},
        ],
        "groups": [
            {"value": ids["support"], "$ref": f"/scim/v2/Groups/{ids['support']}", "display": "support",
             "type": "direct"}
        ],
    }  # fmt: skip
    assert response.headers["etag"].startswith('W/"')


async def test_only_what_counts_now_is_a_role(world: Gateway) -> None:
    provider = Provider(world, world.token)
    await world.assign(holder(user="cleo"), "agents", validUntil="2026-06-01T10:00:00Z")
    await world.assign(holder(user="cleo"), "writers", validFrom="2026-06-01T10:00:00Z")
    path = f"/Users/{world.ids['cleo']}"

    before = await provider.get(path)
    world.clock.advance(hours=1)
    after = await provider.get(path)
    await world.mutate("archiveRole", {"role": {"key": "writers"}})

    assert [[one["value"] for one in user["roles"]] for user in (before, after)] == [["agents"], ["writers"]]
    assert "roles" not in await provider.get(path)


# ---------------------------------------------------------------------- filters

USERS = [
    ('userName eq "ana"', ["ana"]),
    ('USERNAME EQ "ANA"', ["ana"]),
    (f'{USER}:userName eq "ana"', ["ana"]),
    ('userName eq "an"', []),
    ('userName ne "ana"', ["ben", "cleo", "olga"]),
    ('userName co "E"', ["ben", "cleo"]),
    ('userName sw "c"', ["cleo"]),
    ('userName ew "a"', ["ana", "olga"]),
    ('userName pr', ["ana", "ben", "cleo", "olga"]),
    ('userName gt "ben"', ["cleo", "olga"]),
    ('userName eq "ana" or userName eq "ben"', ["ana", "ben"]),
    ('userName eq "ana" and userName eq "ben"', []),
    ('not (userName eq "ana")', ["ben", "cleo", "olga"]),
    ("active eq true", ["ana", "ben", "olga"]),
    ("active eq false", ["cleo"]),
    ('active eq "False"', ["cleo"]),
    ("not (active eq true)", ["cleo"]),
    ('active eq true and (userName sw "a" or userName sw "c")', ["ana"]),
    ('externalId eq "x-1"', ["ben"]),
    ("externalId pr", ["ben"]),
    ('emails eq "ben@example.org"', ["ben"]),
    ('emails.value co "EXAMPLE"', ["ben"]),
    ('emails[type eq "work" and value ew "@example.org"]', ["ben"]),
    ('emails[type eq "work"].value eq "ben@example.org"', ["ben"]),
    ('emails[type eq "home"]', []),
    ('displayName eq "Benedikt"', ["ben"]),
    ('name.formatted co "nedi"', ["ben"]),
    ('roles.value eq "agents"', ["ana"]),
    ('roles[value eq "C-1:core:USER"]', ["ana"]),
    ('roles[value eq "agents" and type eq "manual"]', ["ana"]),
    ("roles pr", ["ana", "ben"]),
    ("groups.display eq \"support\"", ["ana", "ben"]),
    ('meta.resourceType eq "User"', ["ana", "ben", "cleo", "olga"]),
    ('id eq "nobody"', []),
    ('userName eq "an\\"a\\\\"', []),
]  # fmt: skip


async def fill(world: Gateway) -> None:
    ben = {"user": {"userName": "ben"}, "displayName": "Benedikt", "email": "ben@example.org", "externalId": "x-1"}
    await world.mutate("updateUser", ben)
    await world.mutate("setUserStatus", {"user": {"userName": "cleo"}, "status": "SUSPENDED"})


async def test_users_are_found_by_what_is_kept_of_them(world: Gateway) -> None:
    await fill(world)
    provider = Provider(world, world.token)

    found = {asked: names(await provider.get("/Users", filter=asked)) for asked, _ in USERS}

    assert found == dict(USERS)


async def test_a_search_by_a_body_finds_the_same(world: Gateway) -> None:
    await fill(world)
    provider = Provider(world, world.token)
    schema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

    response = await provider.call(
        "POST", "/Users/.search",
        {"schemas": [schema], "filter": "roles pr", "startIndex": 2, "count": 5, "attributes": ["userName"]},
    )  # fmt: skip

    assert response.status_code == 200
    assert response.json() == {
        "schemas": [LIST], "totalResults": 2, "startIndex": 2, "itemsPerPage": 1,
        "Resources": [{"schemas": [USER], "id": world.ids["ben"], "userName": "ben"}],
    }  # fmt: skip


@each_of(
    ("asked", "found"),
    [
        ('displayName eq "SUPPORT"', ["support"]),
        ('displayName co "i"', ["night"]),
        ('displayName eq "night" or displayName eq "support"', ["night", "support"]),
        ('externalId eq "support"', []),
        ('members eq "{ana}"', ["support"]),
        ('members.value eq "{ana}"', ["support"]),
        ('members[value eq "{ana}"]', ["support"]),
        ('members[value eq "{cleo}"]', []),
        ('id eq "{support}" and members[value eq "{ben}"]', ["support"]),
        ('id eq "{night}" and members[value eq "{ben}"]', []),
        ('not (members eq "{ana}")', ["night"]),
        ('members eq "usr_nobody"', []),
    ],
)
async def test_groups_are_found_by_name_and_by_member(world: Gateway, asked: str, found: list[str]) -> None:
    provider = Provider(world, world.token)

    answer = await provider.get("/Groups", filter=asked.format(**world.ids), excludedAttributes="members")

    assert names(answer) == found


@each_of(
    ("path", "asked", "scim_type"),
    [
        ("Users", "userName", "invalidFilter"),
        ("Users", "userName eq", "invalidFilter"),
        ("Users", "userName eq ana", "invalidFilter"),
        ("Users", 'userName is "ana"', "invalidFilter"),
        ("Users", "userName eq 7", "invalidFilter"),
        ("Users", "active gt true", "invalidFilter"),
        ("Users", 'frob eq "x"', "invalidFilter"),
        ("Users", 'title eq "Dr"', "invalidFilter"),
        ("Users", 'meta.lastModified gt "2026-01-01T00:00:00Z"', "invalidFilter"),
        ("Users", 'name.familyName eq "Uhl"', "invalidFilter"),
        ("Users", 'password eq "x"', "invalidFilter"),
        ("Users", "(" * 40 + "userName pr" + ")" * 39, "invalidFilter"),
        ("Users", "not (" * 40 + "userName pr" + ")" * 40, "invalidFilter"),
        ("Users", 'userName eq "' + "x" * 5000 + '"', "tooMany"),
        ("Users", r'userName eq "\ud800"', "invalidFilter"),
        ("Users", r'not (active eq true or emails[value co "a\u0000"])', "invalidFilter"),
        ("Groups", r'displayName eq "\udfff"', "invalidFilter"),
        ("Groups", "members pr", "invalidFilter"),
        ("Groups", 'members[display eq "ana"]', "invalidFilter"),
        ("Groups", 'members co "usr"', "invalidFilter"),
    ],
)
async def test_a_filter_that_cannot_be_answered_is_refused(
    world: Gateway, path: str, asked: str, scim_type: str
) -> None:
    response = await Provider(world, world.token).call("GET", f"/{path}", query={"filter": asked})

    assert fault_of(response)[:2] == (400, scim_type)


async def test_a_filter_that_would_look_at_too_many_is_refused(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.scim.MAX_SCANNED", 3)

    refused = await provider.call("GET", "/Users", query={"filter": 'roles.value eq "agents"'})
    narrowed = await provider.get("/Users", filter='roles.value eq "agents" and userName sw "a"')
    exact = await provider.get("/Users", filter="active eq true")

    assert fault_of(refused)[:2] == (400, "tooMany")
    assert (names(narrowed), exact["totalResults"]) == (["ana"], 4)


@pytest.mark.parametrize("noun", ["Users", "Groups"])
async def test_a_filter_that_would_ask_too_much_of_many_is_refused(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, noun: str
) -> None:
    monkeypatch.setattr("app.web.scim.queries.MAX_COMPARISONS", 12)
    few = 'not (displayName sw "x")'
    many = f'not (displayName sw "x" or ({" or ".join(["displayName pr"] * 12)}))'

    taken = await provider.call("GET", f"/{noun}", query={"filter": few})
    refused = await provider.call("GET", f"/{noun}", query={"filter": many})

    assert taken.status_code == 200
    assert fault_of(refused)[:2] == (400, "tooMany")


async def test_many_are_scanned_batch_by_batch(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.scim.BATCH", 1)
    monkeypatch.setattr("app.web.scim.queries.TURN_S", -1.0)

    found = await provider.get("/Users", filter='not (userName eq "ben")', startIndex="2", count="1")

    assert (found["totalResults"], names(found)) == (3, ["cleo"])


async def test_a_name_is_found_whatever_its_letters(world: Gateway) -> None:
    await world.create_users("Stra\u00dfe", "\u00c9va", "IPEK")
    provider = Provider(world, world.token)

    for asked, found in (("STRASSE", "Stra\u00dfe"), ("e\u0301VA", "\u00c9va"), ("ipek", "IPEK")):
        assert names(await provider.get("/Users", filter=f'userName eq "{asked}"')) == [found]


# ---------------------------------------------------------------------- projection, conditions


@each_of(
    ("query", "found"),
    [
        ({"attributes": "userName"}, {"schemas", "id", "userName"}),
        ({"attributes": "USERNAME,active"}, {"schemas", "id", "userName", "active"}),
        ({"attributes": f"{USER}:userName"}, {"schemas", "id", "userName"}),
        ({"attributes": "groups.value"}, {"schemas", "id", "groups"}),
        ({"attributes": "title"}, {"schemas", "id"}),
        (
            {"excludedAttributes": "roles, groups,meta,id"},
            {"schemas", "id", "userName", "name", "displayName", "active"},
        ),
    ],
)  # fmt: skip
async def test_attributes_are_chosen(world: Gateway, query: dict[str, str], found: set[str]) -> None:
    provider = Provider(world, world.token)

    one = await provider.get(f"/Users/{world.ids['ana']}", **query)
    (of_many,) = (await provider.get("/Users", filter='userName eq "ana"', **query))["Resources"]

    assert set(one) == set(of_many) == found
    if "groups.value" in query.values():
        assert one["groups"] == [{"value": world.ids["support"]}]


async def test_attributes_are_chosen_in_one_way_at_a_time(provider: Provider) -> None:
    response = await provider.call("GET", "/Users", query={"attributes": "id", "excludedAttributes": "meta"})

    assert fault_of(response)[:2] == (400, "invalidValue")


@each_of("parameter", ["attributes", "excludedAttributes"])
async def test_more_attributes_than_there_are_are_not_looked_for(provider: Provider, parameter: str) -> None:
    """Ten kilobytes of names took six seconds, and nobody else was served meanwhile."""
    query = {parameter: ",".join(f"a{number}" for number in range(101))}
    search = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        parameter: query[parameter].split(","),
    }

    for answer in (
        await provider.call("GET", "/Users", query=query),
        await provider.call("GET", f"/Users/{provider.gateway.ids['ana']}", query=query),
        await provider.call("POST", "/Users/.search", search),
    ):
        assert fault_of(answer)[:2] == (400, "invalidValue")


async def test_what_is_known_is_not_sent_again(provider: Provider) -> None:
    path = f"/Users/{provider.gateway.ids['ana']}"
    tag = (await provider.call("GET", path)).headers["etag"]

    for header in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        response = await provider.call("GET", path, if_none_match=header)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert (await provider.call("GET", path, if_none_match='"x"')).status_code == 200


async def test_a_tag_is_of_the_resource_and_of_nothing_else(world: Gateway) -> None:
    provider = Provider(world, world.token)
    ana, cleo = [f"/Users/{world.ids[name]}" for name in ("ana", "cleo")]
    before = [(await provider.call("GET", path)).headers["etag"] for path in (ana, cleo)]

    await world.assign(holder(user="cleo"), "writers")

    after = [(await provider.call("GET", path)).headers["etag"] for path in (ana, cleo)]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


@each_of("query", [{"count": "x"}, {"startIndex": "1.5"}, {"count": ""}])
async def test_parameters_that_are_no_numbers_are_refused(world: Gateway, query: dict[str, str]) -> None:
    response = await Provider(world, world.token).call("GET", "/Users", query=query)

    assert fault_of(response)[:2] == (400, "invalidValue")


async def test_a_parameter_that_is_given_twice_is_refused(world: Gateway) -> None:
    response = await Provider(world, world.token).call("GET", "/Users?count=1&count=2")

    assert fault_of(response) == (400, "invalidValue", "`count` is given twice")


async def test_the_number_of_statements_does_not_grow_with_the_page(world: Gateway) -> None:
    provider = Provider(world, world.token)
    await provider.get("/Users")
    counted = []
    for count in ("1", "4"):
        with world.counting() as statements:
            await provider.get("/Users", count=count)
        counted.append(len(statements))

    assert counted[0] == counted[1]


# ---------------------------------------------------------------------- sight


async def test_somebody_without_rights_sees_themselves_alone(world: Gateway) -> None:
    cleo = Provider(world, (await world.issue_token("cleo"))[1])

    assert names(await cleo.get("/Users")) == ["cleo"]
    assert names(await cleo.get("/Groups")) == []
    assert names(await cleo.get("/Users", filter='userName eq "ana" or userName eq "cleo"')) == ["cleo"]
    for path in (f"/Users/{world.ids['ana']}", f"/Groups/{world.ids['support']}"):
        missing = await cleo.call("GET", path)
        nowhere = await cleo.call("GET", path[:-4] + "0000")
        assert fault_of(missing)[0] == fault_of(nowhere)[0] == 404


async def test_who_sees_people_and_no_rights_sees_no_roles(world: Gateway) -> None:
    viewer = Provider(world, await world.trust("cleo", Right.VIEW_USERS))

    ana = await viewer.get(f"/Users/{world.ids['ana']}")

    assert set(ana) == {"schemas", "id", "meta", "userName", "name", "displayName", "active"}
    assert names(await viewer.get("/Users", filter='roles.value eq "agents"')) == []
    assert fault_of(await viewer.call("GET", f"/Groups/{world.ids['support']}"))[0] == 404


async def test_who_sees_the_people_of_a_contract_sees_those(world: Gateway) -> None:
    await world.set_level("C-1", "cleo")
    viewer = Provider(world, await world.trust("cleo", Right.VIEW_USERS, contract="C-1"))

    assert names(await viewer.get("/Users")) == ["ana", "ben", "cleo"]
    assert (await viewer.get("/Users", count="0"))["totalResults"] == 3
    assert names(await viewer.get("/Users", filter='userName eq "olga"')) == []


async def test_members_who_are_not_to_be_seen_are_not_told(world: Gateway) -> None:
    viewer = Provider(world, await world.trust("cleo", Right.VIEW_TEAMS))

    group = await viewer.get(f"/Groups/{world.ids['support']}")

    assert group == {
        "schemas": [GROUP], "id": world.ids["support"], "displayName": "support", "meta": group["meta"]
    }  # fmt: skip
