"""Whose doing it is that somebody is not active, or a role or team archived: what others have put down stays down."""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from app.domain.holders import UserStatus


class Version(NamedTuple):
    """A person, role or team as it was from one revision to the next, and the source by which it became so."""

    subject: str
    depth: int
    source: str


def depth_of(status: UserStatus) -> int:
    """How far down a person is who has this status; 0 is active."""
    match status:
        case UserStatus.ACTIVE:
            return 0
        case UserStatus.ARCHIVED:
            return 2
    return 1


def find_held_down(versions: Iterable[Version], source: str) -> frozenset[str]:
    """Those who went down as deep as they are by another than this source.

    `versions` are all of each, one after the other, the oldest first. Whom a source has suspended and somebody has
    archived since, is archived by that one; who was woken meanwhile, is as if nothing had been.
    """
    found: set[str] = set()
    for subject, history in groupby(versions, key=attrgetter("subject")):
        doer: str | None = None
        before = 0
        for version in history:
            if version.depth == 0:
                doer = None
            elif version.depth > before:
                doer = version.source
            before = version.depth
        if doer is not None and doer != source:
            found.add(subject)
    return frozenset(found)
