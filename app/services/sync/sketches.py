"""What a plan came to, kept for a while by the process that made it, so that applying it need not read all of it again.

A sketch is good for as long as nothing at all has been committed since. Then the state is the one that was compared: an
entry that asked for what there was still does, and whoever was missing still is. What is left is compared and weighed
again, by the rights of whoever applies it.
"""

from collections import OrderedDict
from dataclasses import dataclass

from app.domain.holders import UserId
from app.domain.sync.desired import Desired, UserDesired
from app.domain.sync.diff import SyncPlan
from app.domain.sync.people import LIST
from app.services.sync.feeds import ReadFeed

KEPT = 2  # plans of which something is kept: of the one being looked at, and of one beside it
MOST = 200_000  # entries of all that are kept: about a hundred megabytes


@dataclass(frozen=True, slots=True)
class Sketch:
    """Of a plan of people alone, without a fault: the entries that ask for something, and the people who leave."""

    entries: tuple[UserDesired, ...]
    leaving: tuple[UserId, ...]

    def known(self) -> ReadFeed:
        return ReadFeed(users=self.entries, roles=None, teams=None, spoiled=())

    def desired(self, source: str, *, take_over: bool) -> Desired:
        return Desired(
            source=source, users=self.entries, take_over=take_over, complete=False, leaving=self.leaving
        )  # fmt: skip


class Sketches:
    """The latest sketches of a process, by run."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Sketch] = OrderedDict()

    def keep(self, run: str, known: ReadFeed, plan: SyncPlan) -> None:
        """Keeps a sketch of a plan, where one can be made of it."""
        if known.users is None or known.roles is not None or known.teams is not None:
            return
        if not all(unit.is_sound for unit in plan.units):
            return
        changed = {unit.subject for unit in plan.units if unit.path != LIST}
        entries = tuple(entry for entry in known.users if entry.subject in changed)
        if len(entries) > MOST:
            return
        leaving = tuple(UserId(unit.holder) for unit in plan.units if unit.path == LIST)
        self._kept[run] = Sketch(entries, leaving)
        while len(self._kept) > KEPT or sum(len(sketch.entries) for sketch in self._kept.values()) > MOST:
            self._kept.popitem(last=False)

    def find(self, run: str) -> Sketch | None:
        return self._kept.get(run)

    def forget(self, run: str) -> None:
        self._kept.pop(run, None)
