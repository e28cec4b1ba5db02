"""updateRole: changed attributes, parents, archived or not."""

from typing import Any

import pytest

from tests.factories import Gateway, each_of, holder

SELECT = "id key displayName description archived parents { key }"
WRITERS, AGENTS = {"key": "writers"}, {"key": "agents"}


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"displayName": "Writers"}, {"displayName": "Writers"}),
        ({"displayName": None}, {"displayName": "leads"}),
        ({"description": "other"}, {"description": "other"}),
        ({"description": None}, {"description": None}),
        ({"description": ""}, {"description": ""}),
        ({"parents": []}, {"parents": []}),
        ({"parents": None}, {"parents": []}),
        ({"parents": [WRITERS]}, {"parents": [{"key": "writers"}]}),
        ({"archived": True}, {"archived": True}),
    ],
)
async def test_changes_what_is_given_and_null_clears(
    world: Gateway, given: dict[str, Any], after: dict[str, Any]
) -> None:
    found = await world.create_role("leads", displayName="Leads", description="lead", parents=[AGENTS])
    before = {
        "id": found, "key": "leads", "displayName": "Leads", "description": "lead", "archived": False,
        "parents": [{"key": "agents"}],
    }  # fmt: skip

    payload = await world.both_ways("updateRole", {"role": {"key": "leads"}, **given}, SELECT)

    assert payload["role"] == {**before, **after}
    assert [(change["action"], change["row"]) for change in payload["changes"]] == [("update_role", found)]


@each_of("given", [{}, {"archived": False}, {"archived": None}, {"parents": [AGENTS]}])
async def test_what_is_so_already_is_no_change(world: Gateway, given: dict[str, Any]) -> None:
    await world.no_change("updateRole", {"role": WRITERS, **given})


async def test_found_by_id_as_well(world: Gateway) -> None:
    given = {"role": {"id": world.ids["writers"]}, "displayName": "W"}

    payload = await world.mutate("updateRole", given, "displayName")

    assert payload["role"]["displayName"] == "W"


@pytest.mark.parametrize("parent", ["writers", "agents", "leads"])
async def test_a_cycle_is_refused(world: Gateway, parent: str) -> None:
    await world.create_role("leads", parents=[WRITERS])

    (error,) = await world.refuse("updateRole", {"role": AGENTS, "parents": [{"key": parent}]})

    assert (error["code"], error["path"]) == ("CYCLE", ["parents", "0"])
    assert error["message"] == f"`{parent}` includes this role already, so it cannot be its parent"


async def test_unknown_and_repeated_parents_are_refused(world: Gateway) -> None:
    (unknown,) = await world.refuse("updateRole", {"role": WRITERS, "parents": [{"key": "nobody"}]})
    (twice,) = await world.refuse("updateRole", {"role": WRITERS, "parents": [AGENTS, AGENTS]})

    assert (unknown["code"], unknown["path"]) == ("NOT_FOUND", ["parents", "0"])
    assert (twice["code"], twice["path"]) == ("DUPLICATE", ["parents", "1"])


async def test_an_archived_parent_stays_and_is_not_taken_on(world: Gateway) -> None:
    await world.create_role("leads")
    await world.mutate("archiveRole", {"role": AGENTS})

    await world.no_change("updateRole", {"role": WRITERS, "parents": [AGENTS]})
    (error,) = await world.refuse("updateRole", {"role": {"key": "leads"}, "parents": [AGENTS]})

    assert (error["code"], error["path"]) == ("CONFLICT", ["parents", "0"])


async def test_an_unknown_role_is_refused(world: Gateway) -> None:
    (error,) = await world.refuse("updateRole", {"role": {"key": "nobody"}, "displayName": "x"})

    assert (error["code"], error["path"]) == ("NOT_FOUND", ["role"])


async def test_a_lost_parent_that_rights_stand_on_is_refused_on_the_first_holder(world: Gateway) -> None:
    await world.create_role("leads", "desk.reports.real_time", parents=[AGENTS])
    await world.assign(holder(user="cleo"), "leads")
    await world.assign(holder(user="ben"), "leads")

    (error,) = await world.refuse("updateRole", {"role": {"key": "leads"}, "parents": []})

    assert error["code"] == "DEPENDENTS_EXIST"
    assert error["path"] == ["role"]
    assert error["holder"] == {"id": world.ids["leads"]}
    assert error["affectedCount"] == 3
    assert error["permission"] == {"key": "desk.reports.menu"}
    assert error["dependents"] == [{"key": "desk.reports.real_time"}]


async def test_cascade_ends_the_dependents_on_the_same_role(world: Gateway) -> None:
    await world.create_role("leads", "desk.reports.real_time", parents=[AGENTS])

    payload = await world.both_ways(
        "updateRole", {"role": {"key": "leads"}, "parents": [], "onDependents": "CASCADE"}, "grants { id }"
    )

    assert [change["action"] for change in payload["changes"]] == ["update_role", "revoke"]
    assert payload["role"]["grants"] == []


async def test_suspend_leaves_them_suspended(world: Gateway) -> None:
    await world.create_role("leads", "desk.reports.real_time", parents=[AGENTS])

    payload = await world.both_ways(
        "updateRole",
        {"role": {"key": "leads"}, "parents": [], "onDependents": "SUSPEND"},
        "rights { permission { key } state missing { text } }",
    )

    assert payload["role"]["rights"] == [
        {"permission": {"key": "desk.reports.real_time"}, "state": "SUSPENDED", "missing": [{"text": "Reports menu"}]}
    ]
    assert [warning["code"] for warning in payload["warnings"]] == ["DEPENDENTS_EXIST"]


async def test_an_archived_role_comes_back(world: Gateway) -> None:
    await world.mutate("archiveRole", {"role": AGENTS})

    payload = await world.both_ways("updateRole", {"role": AGENTS, "archived": None}, "archived")

    assert payload["role"]["archived"] is False


async def test_a_role_that_comes_back_must_not_break_what_it_gives(world: Gateway) -> None:
    """`leads` gives Real time to whoever has it; archived meanwhile, the menu went from under it."""
    await world.create_role("base", "desk.reports.menu")
    await world.create_role("leads", "desk.reports.real_time", parents=[{"key": "base"}])
    await world.mutate("archiveRole", {"role": {"key": "leads"}})
    await world.mutate("updateRole", {"role": {"key": "leads"}, "parents": []})

    (error,) = await world.refuse("updateRole", {"role": {"key": "leads"}, "archived": False})

    assert error["code"] == "PREREQUISITE_NOT_MET"
    assert error["holder"] == {"id": world.ids["leads"]}
    assert error["missing"] == [{"text": "Reports menu"}]
