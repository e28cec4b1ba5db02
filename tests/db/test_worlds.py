"""Everybody, read at once: the same as one by one, and nothing is left behind."""

import gc

import pytest

from app.db.repositories.worlds import READ_AT_ONCE, Worlds
from app.domain.holders import User, UserId
from app.domain.world import World
from tests.bulk import assign, create, make_people
from tests.factories import Gateway


async def test_everybody_is_whoever_is_asked_for_one_by_one(world: Gateway) -> None:
    """More people than are made records in one go; and a role of each of them."""
    people = make_people(world, READ_AT_ONCE + 1)
    await create(world, [*people, *assign(world, "agents", people)])

    async with world.services.database.reading(world.services.catalog) as unit:
        directory = await unit.worlds.load_directory()
        everybody = await unit.worlds.join_people(directory, None)
        some = await unit.worlds.join_people(directory, [people[0].id, people[-1].id, UserId(world.ids["ana"])])

    assert set(everybody.users) >= {user.id for user in people} | {world.ids["ana"], world.ids["cleo"]}
    assert len(some.users) == 3
    for user in some.users:
        assert (some.users[user], some.rows_of(user)) == (everybody.users[user], everybody.rows_of(user))
        assert some.rows_of(user).assignments
    assert (everybody.roles, everybody.teams, everybody.contracts) == (some.roles, some.teams, some.contracts)


async def test_whoever_is_there_stays_as_they_are(world: Gateway) -> None:
    """The world after a dry run knows more of somebody than the database does."""
    ana = User(id=UserId(world.ids["ana"]), user_name="ana", display_name="Another")

    async with world.services.database.reading(world.services.catalog) as unit:
        joined = await unit.worlds.join_people(World.of([ana]), None)

    assert joined.users[ana.id] == ana
    assert not list(joined.rows_of(ana.id))
    assert world.ids["cleo"] in joined.users


@pytest.mark.parametrize("fails", [False, True])
async def test_garbage_is_collected_again_afterwards(
    world: Gateway, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    seen = []

    async def load(_worlds: Worlds, _users: object) -> list[User]:
        seen.append(gc.isenabled())
        if fails:
            raise RuntimeError("the disk is gone")
        return []

    monkeypatch.setattr(Worlds, "load_people", load)
    async with world.services.database.reading(world.services.catalog) as unit:
        if fails:
            with pytest.raises(RuntimeError, match="the disk is gone"):
                await unit.worlds.join_people(World(), None)
        else:
            await unit.worlds.join_people(World(), None)

    assert (seen, gc.isenabled()) == ([False], True)
