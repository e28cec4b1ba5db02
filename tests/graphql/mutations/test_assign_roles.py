"""assignRoles: roles for users and teams."""

from typing import Any

import pytest

from tests.factories import Gateway, holder

CLEO, C1 = holder(user="cleo"), {"number": "C-1"}
AGENTS, WRITERS = {"role": {"key": "agents"}}, {"role": {"key": "writers"}}
ROLES = """... on User { roles {
  id role { key } contract { number } validFrom validUntil source reason createdAt revision
} }"""


async def test_gives_a_row_with_all_that_was_asked(world: Gateway) -> None:
    given = {
        "holder": CLEO, "reason": "stands in",
        "roles": [
            {**AGENTS, "contract": C1, "validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z"}
        ],
    }  # fmt: skip

    payload = await world.mutate("assignRoles", given, ROLES)

    (change,) = payload["changes"]
    assert payload["holder"]["roles"] == [
        {
            "id": change["row"], "role": {"key": "agents"}, "contract": {"number": "C-1"},
            "validFrom": "2026-06-10T00:00:00Z", "validUntil": "2026-06-20T00:00:00Z", "source": "manual",
            "reason": "stands in", "createdAt": "2026-06-01T09:00:00Z", "revision": payload["revision"],
        }
    ]  # fmt: skip
    assert change == {
        "action": "assign", "row": change["row"], "before": None, "after": "assigned", "detail": "assigned a role",
        "holder": {"id": world.ids["cleo"]}, "permission": None, "role": {"key": "agents"}, "team": None,
        "contract": {"number": "C-1"},
    }  # fmt: skip


async def test_to_a_team_as_well(world: Gateway) -> None:
    payload = await world.both_ways(
        "assignRoles", {"holder": holder(team="support"), "roles": [WRITERS]},
        "... on Team { roles { role { key } } }",
    )  # fmt: skip

    assert payload["holder"]["roles"] == [{"role": {"key": "writers"}}]
    data = await world.gql('{ user(ref: {userName: "ben"}) { can(node: "desk.staff.edit_contacts") { allowed } } }')
    assert data["user"]["can"]["allowed"]


async def test_a_role_holds_no_roles(world: Gateway) -> None:
    (error,) = await world.refuse("assignRoles", {"holder": holder(role="writers"), "roles": [AGENTS]})

    assert (error["code"], error["path"], error["expected"]) == (
        "INVALID_VALUE",
        ["holder", "role"],
        "a user or a team",
    )


async def test_the_same_again_is_no_change_another_window_is_a_row_of_its_own(world: Gateway) -> None:
    await world.no_change("assignRoles", {"holder": holder(user="ana"), "roles": [AGENTS, AGENTS]})

    payload = await world.both_ways(
        "assignRoles", {"holder": holder(user="ana"), "roles": [{**AGENTS, "validUntil": "2026-07-01T00:00:00Z"}]}
    )

    assert len(payload["changes"]) == 1


@pytest.mark.parametrize("ids", [True, False])
async def test_by_id_or_key(world: Gateway, ids: bool) -> None:
    ref = {"id": world.ids["agents"]} if ids else {"key": "agents"}

    await world.both_ways("assignRoles", {"holder": {"user": {"id": world.ids["cleo"]}}, "roles": [{"role": ref}]})


async def test_all_faults_come_together(world: Gateway) -> None:
    await world.mutate("archiveRole", {"role": {"key": "writers"}})
    roles: list[dict[str, Any]] = [
        {"role": {"key": "nobody"}, "contract": {"number": "C-9"}},
        WRITERS,
        {**AGENTS, "validFrom": "2026-07-02T00:00:00Z", "validUntil": "2026-07-01T00:00:00Z"},
    ]

    errors = await world.refuse("assignRoles", {"holder": holder(user="nobody"), "roles": roles})

    assert sorted((".".join(error["path"]), error["code"]) for error in errors) == [
        ("holder.user", "NOT_FOUND"),
        ("roles.0.contract", "NOT_FOUND"),
        ("roles.0.role", "NOT_FOUND"),
        ("roles.1.role", "CONFLICT"),
        ("roles.2.validUntil", "INVALID_VALUE"),
    ]


async def test_a_person_must_not_come_to_a_right_without_what_it_needs(world: Gateway) -> None:
    """The role `thin` holds real time suspended; whoever gets the role would hold it suspended as well."""
    await world.create_role("thin", "desk.reports.menu", "desk.reports.real_time")
    await world.mutate(
        "revokePermissions",
        {"holder": holder(role="thin"), "revokes": [{"permission": "desk.reports.menu"}], "onDependents": "SUSPEND"},
    )
    given = {"holder": CLEO, "roles": [{"role": {"key": "thin"}}]}

    (error,) = await world.refuse("assignRoles", given)
    assert (error["code"], error["path"]) == ("PREREQUISITE_NOT_MET", ["roles", "0", "role"])
    assert error["missing"] == [{"text": "Reports menu"}]
    await world.create_role("empty")
    (error,) = await world.refuse(
        "assignRoles", {"holder": CLEO, "roles": [{"role": {"key": "empty"}}, *given["roles"]]}
    )
    assert error["path"] == ["roles", "1", "role"]

    await world.assign(CLEO, "agents")
    await world.both_ways("assignRoles", given)


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("assignRoles", {"holder": CLEO, "roles": [AGENTS] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["roles"])
