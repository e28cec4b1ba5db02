"""createRole: a new role with its parents and grants."""

from tests.factories import Gateway, each_of, holder

SELECT = """id key displayName description archived source parents { key } limits { id }
  grants { id permission { key } value { text } contract { number } validFrom validUntil source reason createdAt }"""
REAL_TIME, SPY, MENU = "desk.reports.real_time", "desk.reports.spy", "desk.reports.menu"


async def test_creates_a_role_with_all_it_is_given(world: Gateway) -> None:
    given = {
        "key": "leads",
        "displayName": "Team leads",
        "description": "lead a shift\nand listen in",
        "parents": [{"key": "writers"}, {"key": "agents"}],
        "grants": [
            {"permission": "desk.staff.accounts.users", "value": {"level": "Modify"}, "contract": {"number": "C-1"}},
            {
                "permission": "desk.calls.channels", "value": {"amount": 3},
                "validFrom": "2026-07-01T00:00:00+02:00", "validUntil": "2026-08-01T00:00:00Z",
            },
        ],
        "reason": "a new shift",
    }  # fmt: skip

    payload = await world.both_ways("createRole", given, SELECT)

    role = payload["role"]
    first, second = role.pop("grants")
    assert sorted(parent["key"] for parent in role.pop("parents")) == ["agents", "writers"]
    assert role == {
        "id": role["id"], "key": "leads", "displayName": "Team leads", "description": "lead a shift\nand listen in",
        "archived": False, "source": "manual", "limits": [],
    }  # fmt: skip
    common = {"source": "manual", "reason": "a new shift", "createdAt": "2026-06-01T09:00:00Z"}
    assert first == common | {
        "id": first["id"], "permission": {"key": "desk.staff.accounts.users"}, "value": {"text": "Modify"},
        "contract": {"number": "C-1"}, "validFrom": None, "validUntil": None,
    }  # fmt: skip
    assert second == common | {
        "id": second["id"], "permission": {"key": "desk.calls.channels"}, "value": {"text": "3 channels"},
        "contract": None, "validFrom": "2026-06-30T22:00:00Z", "validUntil": "2026-08-01T00:00:00Z",
    }  # fmt: skip
    assert [change["action"] for change in payload["changes"]] == ["create_role", "grant", "grant"]
    assert [change["row"] for change in payload["changes"]] == [role["id"], first["id"], second["id"]]


async def test_a_key_alone_will_do(gateway: Gateway) -> None:
    payload = await gateway.both_ways("createRole", {"key": "leads"}, SELECT)

    assert payload["role"] == {
        "id": payload["role"]["id"], "key": "leads", "displayName": "leads", "description": None, "archived": False,
        "source": "manual", "parents": [], "limits": [], "grants": [],
    }  # fmt: skip


async def test_null_is_as_left_out(gateway: Gateway) -> None:
    given = {"key": "leads", "displayName": None, "description": None, "parents": None, "grants": None, "reason": None}

    payload = await gateway.mutate("createRole", given, SELECT)

    assert payload["role"]["displayName"] == "leads"
    assert [payload["role"][name] for name in ("description", "parents", "grants")] == [None, [], []]


async def test_a_grant_without_what_it_needs_is_refused_with_the_smallest_set_that_would_do(gateway: Gateway) -> None:
    (error,) = await gateway.refuse("createRole", {"key": "leads", "grants": [{"permission": SPY}]})

    assert error == {
        "__typename": "PrerequisiteNotMet",
        "code": "PREREQUISITE_NOT_MET",
        "message": "`Spy on calls` needs `Real time`, `Reports menu`",
        "path": ["grants", "0", "permission"],
        "holder": None,
        "affectedCount": 1,
        "permission": {"key": SPY},
        "missing": [{"text": "Real time"}, {"text": "Reports menu"}],
        "fixes": [
            {
                "grants": [
                    {"holder": None, "permission": {"key": MENU}, "value": {"text": "on"}, "contract": None},
                    {"holder": None, "permission": {"key": REAL_TIME}, "value": {"text": "on"}, "contract": None},
                ],
                "removals": [],
                "other": [],
            }
        ],
    }


async def test_include_adds_what_is_needed_in_the_same_revision(gateway: Gateway) -> None:
    given = {"key": "leads", "grants": [{"permission": SPY}], "onMissingPrerequisites": "INCLUDE"}

    payload = await gateway.both_ways("createRole", given, SELECT)

    granted = [change["permission"]["key"] for change in payload["changes"] if change["action"] == "grant"]
    assert sorted(granted) == sorted([SPY, REAL_TIME, MENU])
    assert len(payload["role"]["grants"]) == 3


async def test_what_a_parent_gives_counts(gateway: Gateway) -> None:
    await gateway.create_role("base", MENU)

    payload = await gateway.mutate(
        "createRole", {"key": "leads", "parents": [{"key": "base"}], "grants": [{"permission": REAL_TIME}]}
    )

    assert [change["action"] for change in payload["changes"]] == ["create_role", "grant"]


async def test_a_taken_key_is_refused_an_archived_one_too(world: Gateway) -> None:
    await world.mutate("archiveRole", {"role": {"key": "agents"}})

    (error,) = await world.refuse("createRole", {"key": "agents"})

    assert (error["code"], error["path"]) == ("DUPLICATE", ["key"])
    assert error["message"] == "there is a role `agents` already"


async def test_the_key_of_a_team_is_free(world: Gateway) -> None:
    await world.mutate("createRole", {"key": "support"})


async def test_all_faults_come_together_each_with_its_path(world: Gateway) -> None:
    given = {
        "key": "",
        "displayName": "\u0007",
        "description": "\u0000",
        "parents": [{"key": "agents"}, {"key": "nobody"}, {"key": "agents"}],
        "grants": [
            {"permission": "desk.nothing"},
            {"permission": "desk.reports"},
            {"permission": "desk.reports.listen_in"},
            {"permission": "core.system.access", "value": {"level": "User"}},
            {"permission": "desk.staff.accounts.users"},
            {"permission": MENU, "value": {"level": "Modify"}},
            {"permission": MENU, "validFrom": "2026-08-01T00:00:00Z", "validUntil": "2026-07-01T00:00:00Z"},
            {"permission": MENU, "validUntil": "2026-01-01T00:00:00Z"},
            {"permission": MENU, "value": {"on": False}},
            {"permission": MENU, "contract": {"number": "C-9"}},
        ],
    }

    errors = await world.refuse("createRole", given)

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("description", "INVALID_VALUE"),
        ("displayName", "INVALID_VALUE"),
        ("grants.0.permission", "NOT_FOUND"),
        ("grants.1.permission", "NOT_GRANTABLE"),
        ("grants.2.permission", "NOT_GRANTABLE"),
        ("grants.3.permission", "NOT_GRANTABLE"),
        ("grants.4.value", "INVALID_VALUE"),
        ("grants.5.value", "INVALID_VALUE"),
        ("grants.6.validUntil", "INVALID_VALUE"),
        ("grants.7.validUntil", "INVALID_VALUE"),
        ("grants.8.value", "INVALID_VALUE"),
        ("grants.9.contract", "NOT_FOUND"),
        ("key", "INVALID_VALUE"),
        ("parents.1", "NOT_FOUND"),
        ("parents.2", "DUPLICATE"),
    ]


async def test_an_archived_parent_is_refused(world: Gateway) -> None:
    await world.mutate("archiveRole", {"role": {"key": "agents"}})

    (error,) = await world.refuse("createRole", {"key": "leads", "parents": [{"key": "agents"}]})

    assert (error["code"], error["path"]) == ("CONFLICT", ["parents", "0"])


async def test_the_same_grant_twice_is_one_row(gateway: Gateway) -> None:
    payload = await gateway.mutate("createRole", {"key": "a", "grants": [{"permission": MENU}] * 2}, "grants { id }")

    assert len(payload["role"]["grants"]) == 1


async def test_an_advisory_requirement_is_a_warning(gateway: Gateway) -> None:
    payload = await gateway.both_ways("createRole", {"key": "a", "grants": [{"permission": "desk.reports.export"}]})

    (warning,) = payload["warnings"]
    assert (warning["code"], warning["path"]) == ("ADVISORY", ["grants", "0", "permission"])
    assert warning["message"] == "`Export` is of little use without `Reports menu`"


@each_of("count", [101, 1000])
async def test_a_hundred_faults_are_listed_and_all_are_counted(gateway: Gateway, count: int) -> None:
    errors = await gateway.refuse("createRole", {"key": "a", "grants": [{"permission": "nothing"}] * count})

    assert len(errors) == 101
    assert {error["code"] for error in errors[:100]} == {"NOT_FOUND"}
    assert errors[100]["code"] == "TOO_MANY"
    assert errors[100]["message"] == f"{count} in all, of which the first 100 are listed"


async def test_more_than_a_thousand_grants_are_refused_unread(gateway: Gateway) -> None:
    (error,) = await gateway.refuse("createRole", {"key": "a", "grants": [{"permission": "nothing"}] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["grants"])
    assert error["message"] == "1001 items; at most 1000 in one request"


async def test_a_role_that_is_made_can_be_assigned(gateway: Gateway) -> None:
    await gateway.create_user("ana")
    await gateway.create_role("leads", MENU)

    await gateway.assign(holder(user="ana"), "leads")

    data = await gateway.gql('{ user(ref: {userName: "ana"}) { can(node: "desk.reports.menu") { allowed } } }')
    assert data["user"]["can"]["allowed"]
