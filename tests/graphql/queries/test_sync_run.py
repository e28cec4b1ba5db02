"""syncRun: a plan and what became of it, item by item."""

from typing import Any

import pytest

from app.domain.callers import Right
from tests.factories import ERROR, Answer, Gateway, each_of
from tests.syncing import ITEMS, RUN, applied, codes, person, plan, planned, role

MENU = {"permission": "desk.reports.menu"}
DOCUMENT = f"query($id: ID!) {{ syncRun(id: $id) {{ {RUN} {ITEMS} }} }}"
PAGE = f"""query($id: ID!, $first: Int, $after: String, $action: SyncAction) {{ syncRun(id: $id) {{
  items(first: $first, after: $after, action: $action) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    edges {{ cursor node {{ action subject path detail errors {{ {ERROR} }} }} }}
  }}
}} }}"""
UNKNOWN = "syn_00000000000000000000000000"


async def read(world: Gateway, run: str) -> Any:
    return (await world.gql(DOCUMENT, {"id": run}))["syncRun"]


async def page(world: Gateway, run: Answer, **given: Any) -> Answer:
    found: Answer = (await world.gql(PAGE, {"id": run["id"], **given}))["syncRun"]["items"]
    return found


@pytest.fixture
async def mixed(world: Gateway) -> Answer:
    """A run with items of every action: three people come, one changes, one row ends, one conflicts, one is refused."""
    await applied(world, await planned(world, users=[person("dora"), person("emil", roles=[role("agents")])]))
    payload = await plan(
        world,
        users=[
            person("fay"), person("dora", displayName="Dora"), person("emil", roles=[]), person("gus"),
            person("ana", email="ana@example.org"), person("hal", roles=[role("nobody")]), person("ida"),
        ],
        maxRemovals=1,
    )  # fmt: skip
    run: Answer = payload["run"]
    return run


async def test_is_what_the_plan_said(world: Gateway, mixed: Answer) -> None:
    assert await read(world, mixed["id"]) == mixed


async def test_tells_what_became_of_it(world: Gateway) -> None:
    run = await planned(world, users=[person("dora")])

    done = await applied(world, run, reason="the first night")

    assert await read(world, run["id"]) == done
    assert (done["status"], done["reason"]) == ("APPLIED", "the first night")


async def test_errors_are_kept_as_they_were_told(world: Gateway) -> None:
    payload = await plan(
        world, roles=[{"key": "spies", "grants": [{"permission": "desk.reports.spy"}]}],
        users=[person("dora", email="dora")],
    )  # fmt: skip

    run = await read(world, payload["run"]["id"])

    kept = [error for edge in run["items"]["edges"] for error in edge["node"]["errors"]]
    assert {error["__typename"] for error in kept} == {"InvalidValue", "PrerequisiteNotMet"}
    assert sorted(kept, key=str) == sorted(payload["errors"], key=str)


# ---------------------------------------------------------------------- pages


@each_of(
    ("action", "subjects"),
    [
        ("CREATE", ["e-fay", "e-gus", "e-ida"]),
        ("UPDATE", ["e-dora"]),
        ("REMOVE", ["e-emil"]),
        ("CONFLICT", ["e-ana", "e-ana"]),
        ("REFUSED", ["e-hal"]),
        (None, ["e-fay", "e-dora", "e-emil", "e-gus", "e-ana", "e-ana", "e-hal", "e-ida"]),
    ],
)
async def test_items_are_paged_by_action(
    world: Gateway, mixed: Answer, action: str | None, subjects: list[str]
) -> None:
    found: list[str] = []
    after = None
    for number in range(len(subjects)):
        items = await page(world, mixed, first=1, after=after, action=action)
        (edge,) = items["edges"]
        found.append(edge["node"]["subject"])
        after = edge["cursor"]
        assert action in (None, edge["node"]["action"])
        assert items["totalCount"] == len(subjects)
        assert items["pageInfo"] == {
            "hasNextPage": number < len(subjects) - 1, "hasPreviousPage": number > 0, "startCursor": after,
            "endCursor": after,
        }  # fmt: skip

    assert found == subjects
    assert (await page(world, mixed, after=after, action=action))["edges"] == []


async def test_a_large_plan_is_paged_to_its_end(world: Gateway) -> None:
    """Across the blocks in which items are kept."""
    run = await planned(world, users=[person(f"p{number:04}") for number in range(2050)])

    found, after = [], None
    while not found or after:
        items = await page(world, run, first=100, after=after)
        found += [edge["node"]["subject"] for edge in items["edges"]]
        after = items["pageInfo"]["endCursor"] if items["pageInfo"]["hasNextPage"] else None

    assert found == [f"e-p{number:04}" for number in range(2050)]
    assert items["totalCount"] == run["creates"] == 2050


async def test_a_cursor_of_another_run_is_refused(world: Gateway, mixed: Answer) -> None:
    other = await planned(world, users=[person("fay"), person("gus")])
    cursor = (await page(world, other, first=1))["edges"][0]["cursor"]

    code, message = await world.fault(PAGE, {"id": mixed["id"], "after": cursor})

    assert (code, message) == ("BAD_USER_INPUT", "this cursor was not handed out for this list")


@each_of("first", [-1, 101])
async def test_a_page_has_bounds(world: Gateway, mixed: Answer, first: int) -> None:
    code, _ = await world.fault(PAGE, {"id": mixed["id"], "first": first})

    assert code == "BAD_USER_INPUT"


# ---------------------------------------------------------------------- who


async def test_what_is_no_run_is_null(world: Gateway) -> None:
    for one in (UNKNOWN, world.ids["ana"], "", "run"):
        assert await read(world, one) is None


async def test_who_may_not_view_is_told_the_same_of_every_id(world: Gateway, mixed: Answer) -> None:
    for secret in (
        await world.trust("cleo", Right.VIEW_HISTORY),
        await world.trust("ben", Right.VIEW_SYNC, Right.RUN_SYNC, contract="C-1"),
    ):
        told = [await world.ask(DOCUMENT, {"id": one}, token=secret) for one in (mixed["id"], UNKNOWN)]

        assert told[0] == told[1]
        (error,) = told[0]["errors"]
        assert (error["extensions"]["code"], told[0]["data"]) == ("FORBIDDEN", {"syncRun": None})
        assert error["message"] == "you may not do this. Needs the right `gateway.sync.view` held everywhere."


async def test_a_run_is_a_node_for_whoever_may_view(world: Gateway, mixed: Answer) -> None:
    document = """query($id: ID!, $ids: [ID!]!) {
      node(id: $id) { id ... on SyncRun { source status } } nodes(ids: $ids) { __typename id }
    }"""
    asked = {"id": mixed["id"], "ids": [UNKNOWN, mixed["id"]]}
    viewer, nobody = await world.trust("ben", Right.VIEW_SYNC), (await world.issue_token("cleo"))[1]

    seen = await world.gql(document, asked, token=viewer)
    hidden = await world.gql(document, asked, token=nobody)

    assert seen["node"] == {"id": mixed["id"], "source": "hr", "status": "REFUSED"}
    assert seen["nodes"] == [None, {"__typename": "SyncRun", "id": mixed["id"]}]
    assert hidden == {"node": None, "nodes": [None, None]}


async def test_items_name_nobody_whom_the_viewer_does_not_see(world: Gateway) -> None:
    """Words are those of the plan; the holder that an error refers to is shown like any other."""
    await world.create_role("watchers", MENU, "desk.reports.real_time")
    await applied(world, await planned(world, roles=[
        {"key": "spies", "grants": [{"permission": "desk.reports.spy"}], "parents": [{"key": "watchers"}]}
    ]))  # fmt: skip
    payload = await plan(world, roles=[{"key": "spies", "grants": [{"permission": "desk.reports.spy"}], "parents": []}])
    viewer = await world.trust("cleo", Right.VIEW_SYNC)

    told = (await world.gql(DOCUMENT, {"id": payload["run"]["id"]}, token=viewer))["syncRun"]["items"]["edges"]

    kept = [error for edge in told for error in edge["node"]["errors"]]
    assert codes(payload["errors"]) == [("DEPENDENTS_EXIST", "roles 0")] * 2
    assert all(error["holder"] for error in payload["errors"])
    assert kept == [{**error, "holder": None} for error in payload["errors"]]
