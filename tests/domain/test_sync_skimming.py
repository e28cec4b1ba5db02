"""A feed that is skimmed first is the feed that is compared whole."""

from dataclasses import replace

from app.domain.holders import UserId
from app.domain.sync.brake import find_managed
from app.domain.sync.diff import SyncPlan, diff
from app.domain.sync.items import Teller, digest_lines, line_of
from app.domain.sync.skimming import UNIT, Standing, skim
from app.domain.sync.units import Directory
from app.domain.world import World
from tests.domain.test_sync_laws import on_random_feeds
from tests.feeds import SOURCE, Feed


def keep_people(world: World, kept: set[UserId]) -> World:
    """The world as it is loaded for a skimmed feed: without those people whom nobody asked for."""
    gone = world.users.keys() - kept
    users = {user: record for user, record in world.users.items() if user in kept}
    rows = {holder: rows for holder, rows in world.rows.items() if holder not in gone}
    return World(users, world.roles, world.teams, world.contracts, rows)


def tell(feed: Feed, world: World, plan: SyncPlan) -> str:
    return digest_lines(map(line_of, Teller.of(feed.catalog, world, plan).tell(plan)))


@on_random_feeds(2000)
def test_a_skimmed_feed_is_planned_like_the_whole(feed: Feed) -> None:
    people_alone = replace(feed.desired, roles=None, teams=None, take_over=False)
    users = tuple(people_alone.users or ())
    whole = diff(feed.current(), people_alone)

    current = feed.current()
    skimmed = skim(Directory(current), Standing.of(feed.world, SOURCE), users)
    managed = find_managed(feed.world, SOURCE)
    named = {entry.external_id for entry in skimmed.left} | {entry.user_name for entry in skimmed.left}
    kept = {UserId(user) for user in managed.people - skimmed.settled} | {
        user.id for user in feed.world.users.values() if user.external_id in named or user.user_name in named
    }
    world = keep_people(feed.world, kept)
    plan = diff(replace(current, world=world), replace(people_alone, users=skimmed.left), (), skimmed.settled)

    assert tell(feed, world, plan) == tell(feed, feed.world, whole)
    assert (plan.unchanged, plan.matched, plan.emptied) == (whole.unchanged, whole.matched, whole.emptied)
    assert skimmed.settled.isdisjoint(unit.holder for unit in whole.units)


def test_whoever_is_listed_as_they_are_is_set_aside() -> None:
    """Else nothing is gained by it: of the feed that changes nothing nobody is left."""
    found = []

    @on_random_feeds(400)
    def look(feed: Feed) -> None:
        plain = replace(feed.desired, roles=None, teams=None, take_over=False)
        users = tuple(plain.users or ())
        touched = {unit.subject for unit in diff(feed.current(), plain).units}
        standing = Standing.of(feed.world, SOURCE)
        apart = standing.dated | {contract.owner for contract in feed.world.contracts.values()}
        skimmed = skim(Directory(feed.current()), standing, users)
        own = {name for name, line in standing.lines.items() if line.partition(UNIT)[0] not in apart}
        idle = {entry.subject for entry in users if entry.external_id in own} - touched
        found.append((len(idle), len(idle & {entry.subject for entry in skimmed.left})))

    look(deep=False)
    assert sum(idle for idle, _ in found) > 20
    assert sum(left for _, left in found) <= sum(idle for idle, _ in found) // 10
