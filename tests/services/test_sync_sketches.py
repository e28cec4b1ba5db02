"""Applying a plan from what the process kept of it does what applying it from its feed does."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.services.context import Services
from app.services.sync.feeds import ReadFeed
from app.services.sync.sketches import Sketches
from tests.desks import YAN, ZOE, by_hr, desk, entry, hired
from tests.factories import Clock, Template, open_copy, select
from tests.moves import assign, by
from tests.staff import AGENTS, assigned, person
from tests.synced import apply, codes, olga, plan, sync, write_feed

FIRST = [
    {"externalId": f"e{n}", "userName": f"person.{n}", "roles": ["agents"], "teams": ["support"]} for n in range(8)
]  # fmt: skip


def next_night() -> list[dict[str, Any]]:
    """Somebody new, somebody gone, somebody idle, somebody with another role, and the rest as they were."""
    people = [dict(person) for person in FIRST[1:]]
    people[0]["roles"] = ["writers"]
    people[1]["active"] = False
    people[2]["userName"] = "another name"
    return [*people, {"externalId": "new", "userName": "person.0b", "roles": []}]


def left(path: Path) -> list[tuple[Any, ...]]:
    """Who is there and what they have, but for ids."""
    people = "SELECT external_id, user_name, status, source FROM users WHERE ended_revision IS NULL"
    roles = """SELECT user_name, key, assignments.source FROM assignments
      JOIN users ON users.id = holder AND users.ended_revision IS NULL
      JOIN roles ON roles.id = role AND roles.ended_revision IS NULL WHERE assignments.ended_revision IS NULL"""
    teams = """SELECT user_name, team, memberships.source FROM memberships
      JOIN users ON users.id = "user" AND users.ended_revision IS NULL WHERE memberships.ended_revision IS NULL"""
    return sorted([*select(path, people), *select(path, roles), *select(path, teams)], key=repr)


async def prepare(template: Template, path: Path) -> Services:
    shutil.copyfile(template.path, path)
    services = open_copy(template, path, Clock())
    assert (await sync(services, olga(template.owner), write_feed(FIRST))).errors == ()
    return services


async def test_from_what_was_kept_and_from_the_feed_is_the_same(stocked_template: Template, tmp_path: Path) -> None:
    caller = olga(stocked_template.owner)
    outcomes = []
    for name in ("kept", "forgotten"):
        services = await prepare(stocked_template, tmp_path / f"{name}.db")
        planned = await plan(services, caller, write_feed(next_night()))
        assert planned.run is not None and planned.errors == ()
        sketch = services.sketches.find(planned.run.id)
        assert sketch is not None and len(sketch.entries) == 4 and len(sketch.leaving) == 1
        if name == "forgotten":
            services.sketches = Sketches()
        done = await apply(services, caller, planned.run)
        assert done.errors == () and services.sketches.find(planned.run.id) is None
        nothing = await plan(services, caller, write_feed(next_night()))
        assert nothing.run is not None and nothing.run.counts.is_nothing
        await services.close()
        outcomes.append(left(tmp_path / f"{name}.db"))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("kept", [True, False])
async def test_what_was_kept_is_not_believed_once_anything_was_committed(
    stocked_template: Template, tmp_path: Path, kept: bool
) -> None:
    """The person it changes has a role more by then."""
    services = await prepare(stocked_template, tmp_path / "world.db")
    caller = olga(stocked_template.owner)
    planned = await plan(services, caller, write_feed(next_night()))
    assert planned.run is not None
    move = by("olga", assign, "person.1", "agents")
    assert (await move.make(services, {"olga": stocked_template.owner})).errors == ()
    if not kept:
        services.sketches = Sketches()

    assert codes((await apply(services, caller, planned.run)).errors) == ["STALE_PLAN"]
    await services.close()


async def test_the_brake_is_that_of_the_whole_feed(stocked_template: Template, tmp_path: Path) -> None:
    services = await prepare(stocked_template, tmp_path / "world.db")
    caller = olga(stocked_template.owner)
    half = await plan(services, caller, write_feed(FIRST[:4]))
    assert half.run is not None and services.sketches.find(half.run.id) is not None

    stopped = await apply(services, caller, half.run, override_brake=False, reason=None)
    assert set(codes(stopped.errors)) == {"BRAKE"}
    await services.close()


async def test_of_a_few_plans_alone_something_is_kept(stocked_template: Template, tmp_path: Path) -> None:
    services = await prepare(stocked_template, tmp_path / "world.db")
    caller = olga(stocked_template.owner)
    runs = [(await plan(services, caller, write_feed(next_night()))).run for _ in range(3)]

    assert [run is not None and services.sketches.find(run.id) is not None for run in runs] == [False, True, True]
    await services.close()


def test_who_leaves_is_not_mistaken_for_who_is_listed_by_a_name_alike() -> None:
    """Who has no external id is called by the user name in a plan, which may be the external id of somebody else."""
    here = desk(
        hired(ZOE), by_hr(replace(person(YAN), user_name="E-zoe")), by_hr(assigned(YAN, AGENTS))
    )  # fmt: skip
    listed, sketches = (entry("zoe", path=("users", "0"), roles=["agents"]),), Sketches()

    sketches.keep("syn", ReadFeed(users=listed, roles=None, teams=None, spoiled=()), here.plan(users=listed))

    sketch = sketches.find("syn")
    assert sketch is not None and (sketch.entries, sketch.leaving) == (listed, (YAN,))
