"""syncRuns: what sync has done, newest first."""

from typing import Any

from app.domain.callers import Right
from tests.factories import Answer, Gateway, each_of
from tests.syncing import person, planned, sync

DOCUMENT = """query($source: String, $first: Int, $after: String) {
  syncRuns(source: $source, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor } edges { cursor node { id source status } }
  }
}"""


async def find(world: Gateway, **given: Any) -> tuple[list[str], Answer]:
    """The ids of a page, and the page."""
    found = (await world.gql(DOCUMENT, given))["syncRuns"]
    return [edge["node"]["id"] for edge in found["edges"]], found


async def test_there_are_none_at_first(world: Gateway) -> None:
    ids, found = await find(world)

    assert (ids, found["totalCount"]) == ([], 0)


async def test_newest_first_of_all_sources_or_of_one(world: Gateway) -> None:
    runs = [(await planned(world, source=source, users=[person("dora")]))["id"] for source in ("hr", "idp", "hr")]

    everything, found = await find(world)
    of_hr, counted = await find(world, source="hr")

    assert (everything, found["totalCount"]) == (runs[::-1], 3)
    assert (of_hr, counted["totalCount"]) == ([runs[2], runs[0]], 2)
    assert (await find(world, source="HR"))[0] == (await find(world, source="manual"))[0] == []


async def test_each_tells_what_became_of_it(world: Gateway) -> None:
    done = await sync(world, users=[person("dora")])
    waiting = await planned(world, users=[person("emil")])

    _, found = await find(world)

    assert [edge["node"] for edge in found["edges"]] == [
        {"id": waiting["id"], "source": "hr", "status": "PLANNED"},
        {"id": done["id"], "source": "hr", "status": "APPLIED"},
    ]


async def test_each_has_items_of_its_own_however_many_are_asked_for_at_once(world: Gateway) -> None:
    for name in ("dora", "emil"):
        await planned(world, source=name, users=[person(f"{name}{number}") for number in range(3)])
    document = """{ syncRuns { edges { node {
      source
      one: items(first: 1) { totalCount edges { node { subject } } }
      created: items(first: 2, action: CREATE) { totalCount edges { node { subject } } }
      ended: items(action: REMOVE) { totalCount edges { node { subject } } }
    } } } }"""

    data = await world.gql(document)

    def told(*names: str) -> list[Answer]:
        return [{"node": {"subject": f"e-{name}"}} for name in names]

    assert [edge["node"] for edge in data["syncRuns"]["edges"]] == [
        {
            "source": name, "one": {"totalCount": 3, "edges": told(f"{name}0")},
            "created": {"totalCount": 3, "edges": told(f"{name}0", f"{name}1")},
            "ended": {"totalCount": 0, "edges": []},
        }
        for name in ("emil", "dora")
    ]  # fmt: skip


async def test_pages_to_the_end_and_what_is_planned_meanwhile_moves_none(world: Gateway) -> None:
    runs = [(await planned(world, users=[person(f"p{number}")]))["id"] for number in range(5)]

    first, found = await find(world, first=2)
    await planned(world, users=[person("late")])
    second, middle = await find(world, first=2, after=found["pageInfo"]["endCursor"])
    third, last = await find(world, first=2, after=middle["edges"][1]["cursor"])

    assert first + second + third == runs[::-1]
    assert found["pageInfo"]["hasNextPage"] and not found["pageInfo"]["hasPreviousPage"]
    assert not last["pageInfo"]["hasNextPage"] and last["pageInfo"]["hasPreviousPage"]


@each_of("given", [{"first": 101}, {"first": -1}, {"after": "x"}])
async def test_a_page_has_bounds_and_cursors_of_its_own(world: Gateway, given: Answer) -> None:
    code, _ = await world.fault(DOCUMENT, given)

    assert code == "BAD_USER_INPUT"


async def test_needs_the_right_everywhere(world: Gateway) -> None:
    await planned(world, users=[person("dora")])
    nobody = await world.trust("cleo", Right.VIEW_HISTORY)
    somewhere = await world.trust("ben", Right.VIEW_SYNC, contract="C-1")
    everywhere = await world.trust("ana", Right.VIEW_SYNC)

    for secret in (nobody, somewhere):
        (error,) = (await world.ask(DOCUMENT, token=secret))["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("FORBIDDEN", ["syncRuns"])
    assert (await world.gql(DOCUMENT, token=everywhere))["syncRuns"]["totalCount"] == 1
