"""When time alone changes what somebody holds: rows begin and end without anything being written."""

from collections.abc import Iterable
from datetime import datetime

from app.domain.world import World


def is_within(now: datetime, since: datetime, until: datetime | None) -> bool:
    """Whether a moment lies in what begins with one and ends before another (None: never)."""
    return since <= now and (until is None or now < until)


def find_next_moment(world: World, holders: Iterable[str], after: datetime) -> datetime | None:
    """The first moment after another at which a row of these holders begins or ends; None: none ever does."""
    moments = [
        moment
        for holder in holders
        for row in world.rows_of(holder)
        for moment in (row.valid_from, row.valid_until)
        if moment is not None and moment > after
    ]
    return min(moments, default=None)
