"""unassignRoles: assignments of exactly this role, contract, window and source end."""

from app.domain.holders import Assignment
from tests.factories import Gateway, holder

ANA, C1, AGENTS = holder(user="ana"), {"number": "C-1"}, {"role": {"key": "agents"}}
ROLES = "... on User { roles { id role { key } } } ... on Team { roles { id } }"


async def test_ends_the_assignment(world: Gateway) -> None:
    payload = await world.both_ways("unassignRoles", {"holder": ANA, "roles": [AGENTS]}, ROLES)

    assert payload["holder"]["roles"] == []
    (change,) = payload["changes"]
    assert (change["action"], change["before"], change["after"]) == ("unassign", "assigned", None)
    assert change["role"] == {"key": "agents"}


async def test_from_a_team_as_well(world: Gateway) -> None:
    await world.assign(holder(team="support"), "agents")

    payload = await world.both_ways("unassignRoles", {"holder": holder(team="support"), "roles": [AGENTS]}, ROLES)

    assert payload["holder"]["roles"] == []


async def test_every_window_ends_unless_one_is_named(world: Gateway) -> None:
    window = {"validFrom": "2026-07-01T00:00:00Z", "validUntil": "2026-08-01T00:00:00Z"}
    (later,) = await world.assign(ANA, "agents", **window)
    (other,) = await world.assign(ANA, "agents", validFrom="2026-09-01T00:00:00Z")

    payload = await world.both_ways("unassignRoles", {"holder": ANA, "roles": [{**AGENTS, **window}]}, ROLES)
    assert [change["row"] for change in payload["changes"]] == [later]

    payload = await world.both_ways("unassignRoles", {"holder": ANA, "roles": [AGENTS]}, ROLES)
    assert payload["holder"]["roles"] == []
    assert other in {change["row"] for change in payload["changes"]}


async def test_only_rows_of_exactly_that_contract(world: Gateway) -> None:
    (row,) = await world.assign(ANA, "agents", contract=C1)

    payload = await world.both_ways("unassignRoles", {"holder": ANA, "roles": [{**AGENTS, "contract": C1}]}, ROLES)

    assert [change["row"] for change in payload["changes"]] == [row]
    assert len(payload["holder"]["roles"]) == 1


async def test_rows_of_another_source_stay_and_are_named(world: Gateway) -> None:
    synced = Assignment(
        id=world.new_id(Assignment), holder=world.ids["ana"], role=world.ids["agents"], source="hr",
        created_at=world.clock(),
    )  # fmt: skip
    await world.plant([synced])

    payload = await world.both_ways("unassignRoles", {"holder": ANA, "roles": [AGENTS]}, ROLES)
    assert [(warning["code"], warning["message"]) for warning in payload["warnings"]] == [
        ("CONFLICT", f"`agents` is also assigned by `hr` (row {synced.id}), which was not touched")
    ]
    assert payload["holder"]["roles"] == [{"id": synced.id, "role": {"key": "agents"}}]

    (error,) = await world.refuse("unassignRoles", {"holder": ANA, "roles": [AGENTS]})
    assert error["message"] == "the role `agents` is not assigned in this scope from `manual`; it is assigned by `hr`"


async def test_a_role_holds_no_roles(world: Gateway) -> None:
    errors = await world.refuse("unassignRoles", {"holder": holder(role="writers"), "roles": [AGENTS]})

    assert (errors[0]["code"], errors[0]["path"]) == ("INVALID_VALUE", ["holder", "role"])


async def test_what_is_not_assigned_or_unknown_is_refused(world: Gateway) -> None:
    roles = [{"role": {"key": "writers"}}, {"role": {"key": "nobody"}}]

    errors = await world.refuse("unassignRoles", {"holder": ANA, "roles": roles})

    assert sorted((error["code"], error["path"]) for error in errors) == [
        ("NOT_FOUND", ["roles", "0", "role"]),
        ("NOT_FOUND", ["roles", "1", "role"]),
    ]


async def test_dependents(world: Gateway) -> None:
    (row,) = await world.grant(ANA, "desk.reports.real_time")
    given = {"holder": ANA, "roles": [AGENTS]}

    (error,) = await world.refuse("unassignRoles", given)
    assert (error["code"], error["path"]) == ("DEPENDENTS_EXIST", ["roles", "0", "role"])
    assert error["permission"] == {"key": "desk.reports.menu"}
    assert error["dependents"] == [{"key": "desk.reports.real_time"}]

    payload = await world.send("unassignRoles", {**given, "onDependents": "SUSPEND", "dryRun": True})
    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]

    payload = await world.both_ways("unassignRoles", {**given, "onDependents": "CASCADE"})
    assert [change["action"] for change in payload["changes"]] == ["unassign", "revoke"]
    assert payload["changes"][1]["row"] == row


async def test_more_than_a_thousand_are_refused_unread(world: Gateway) -> None:
    (error,) = await world.refuse("unassignRoles", {"holder": ANA, "roles": [AGENTS] * 1001})

    assert (error["code"], error["path"]) == ("TOO_MANY", ["roles"])
