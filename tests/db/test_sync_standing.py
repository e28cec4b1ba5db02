"""What a source has, as the database puts it together, is what is made of the records of the whole world."""

from app.domain.sync.skimming import SEPARATOR, Standing, Words
from tests.factories import Gateway
from tests.synced import SOURCE, olga, sync, write_feed

PEOPLE = [
    {"externalId": "e1", "userName": "ida", "roles": ["agents", {"role": "writers", "contract": "C-1"}]},
    {"externalId": "e2", "userName": "jon", "teams": ["support", "night"], "access": ["C-1:pbx:USER"]},
    {"externalId": "e3", "userName": "kai", "active": False,
     "roles": [{"role": "agents", "validUntil": "2090-01-01T00:00:00Z"}]},
    {"externalId": "e4", "userName": "lou", "email": "lou@example.org", "roles": []},
]  # fmt: skip


def sort(words: Words) -> dict[str, list[str]]:
    return {holder: sorted(said.split(SEPARATOR)) for holder, said in words.items()}


async def test_it_is_what_the_records_say(world: Gateway) -> None:
    done = await sync(world.services, olga(world.owner), write_feed(PEOPLE))
    assert done.errors == ()

    async with world.services.reading() as reading:
        read = await reading.unit.sync.read_standing(SOURCE)
        made = Standing.of(await reading.load_world(None), SOURCE)

    assert read.lines == made.lines and len(read.lines) == 4
    for name in ("assignments", "memberships", "access"):
        assert sort(getattr(read, name)) == sort(getattr(made, name)) != {}
    assert read.dated == made.dated and len(read.dated) == 1
    assert read.managed.people == made.managed.people
    assert (read.managed.active, +read.managed.rows) == (made.managed.active, +made.managed.rows)  # type: ignore[operator]  # both count
