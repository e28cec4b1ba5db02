"""Readings: one snapshot, people loaded when they are asked for, each once."""

import asyncio

from app.domain.holders import UserId
from tests.factories import Gateway


async def test_people_are_loaded_once_and_stay(world: Gateway) -> None:
    ana, ben = UserId(world.ids["ana"]), UserId(world.ids["ben"])
    async with world.services.reading() as reading:
        await reading.load_world()
        with world.counting() as statements:
            first = await reading.load_world([ana])
        with world.counting() as again:
            second = await reading.load_world([ana, ben, ana])
            third = await reading.load_world([ben])

    assert set(first.users) == {ana}
    assert set(second.users) == set(third.users) == {ana, ben}
    assert len(statements) == len(again) == 8


async def test_siblings_share_what_each_of_them_loads(world: Gateway) -> None:
    ids = [UserId(world.ids[name]) for name in ("ana", "ben", "cleo")]
    async with world.services.reading() as reading:
        worlds = await asyncio.gather(*(reading.load_world([one]) for one in ids))
        whole = await reading.load_world()

    assert set(whole.users) == set(ids)
    assert all(one in world_of.users for one, world_of in zip(ids, worlds, strict=True))


async def test_everybody_is_everybody(world: Gateway) -> None:
    async with world.services.reading() as reading:
        await reading.load_world([UserId(world.ids["ana"])])
        found = await reading.load_world(None)
        with world.counting() as statements:
            again = await reading.load_world([UserId(world.ids["ben"])])

    assert {user.user_name for user in found.users.values()} == {"ana", "ben", "cleo", "olga"}
    assert again is found
    assert statements == []


async def test_nobody_is_left_out(world: Gateway) -> None:
    async with world.services.reading() as reading:
        found = await reading.load_world([UserId("usr_0"), UserId(world.ids["ana"])])

    assert set(found.users) == {world.ids["ana"]}


async def test_one_moment_for_one_reading(world: Gateway) -> None:
    async with world.services.reading() as reading:
        before = reading.now
        world.clock.advance(hours=1)

        assert reading.now == before
        assert (await reading.evaluate([], None)).at == before
        assert await reading.evaluate([], None) is await reading.evaluate([], None)


async def test_a_loaded_person_is_not_missed_in_an_evaluation_made_before(world: Gateway) -> None:
    ana, ben = UserId(world.ids["ana"]), UserId(world.ids["ben"])
    async with world.services.reading() as reading:
        await reading.evaluate([ana], None)
        evaluation = await reading.evaluate([ben], None)

    assert {ana, ben} <= set(evaluation.world.users)


async def test_the_directory_of_a_revision_is_kept_and_the_next_read_anew(world: Gateway) -> None:
    async with world.services.reading() as reading:
        first = await reading.load_world()
    async with world.services.reading() as reading:
        assert await reading.load_world() is first

    await world.create_role("new")

    async with world.services.reading() as reading:
        assert "new" in {role.key for role in (await reading.load_world()).roles.values()}
