"""Whether the audit log is what was written: each entry its own hash, each the hash before it, none missing.

Of an entry whose changes are in parts the parts are verified before it, one after the other (`PartsCheck`).

The chain shows an entry that was altered, dropped or moved. It cannot show that its end was cut off, that an older file
was put back, or that somebody wrote the whole of it anew: for that a head is exported, signed, and kept elsewhere
(`heads`), and a log is refused that does not hold it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from app.domain.audit import FIRST_HASH, AuditPart, Parts, Summary, hash_part, read_changes
from app.domain.heads import Head

BEFORE_ALL, LAST_OF_ALL = -(2**62), 2**62  # beyond any revision that there is


class Link(NamedTuple):
    """What the chain is of: the hash before an entry, its own as it lies there, and `digest`, which its content has."""

    previous_hash: str
    hash: str
    digest: str
    subjects: frozenset[str]
    parts: Parts | None


class StoredEntry(NamedTuple):
    """An entry as a database gives it, nothing in it believed.

    `fault` says what in its row is not as this program writes it; `named` are the subjects under which it is found,
    those of an entry in parts left out: they are many, and looked at apart. `has_parts`: whether there are any of it.
    With neither link nor fault there is nothing of that revision but parts, or subjects under which it would be found.
    """

    revision: int
    link: Link | None = None
    fault: str | None = None
    named: frozenset[str] = frozenset()
    has_parts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of a look through the whole log: sound up to `revision`, whose hash is `hash`.

    `bad` is the revision of the first entry that is not as it was written, or is not there; `problem` says why.
    """

    revision: int
    hash: str
    bad: int | None = None
    problem: str | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None


class Chain:
    """A chain being followed from its beginning; `head` is what it is known to have held."""

    def __init__(self, head: Head | None = None) -> None:
        self.head = head
        self.revision = 0
        self.hash = FIRST_HASH

    def follow(self, stored: StoredEntry) -> Verification | None:
        """What is wrong with the next entry; None: it is sound, and the chain is longer by it."""
        following = self.revision + 1
        if stored.revision < following:
            return self._break(stored.revision, "it stands before the first revision")
        if stored.revision > following or (stored.link is None and stored.fault is None):
            return self._break(following, stored.fault if stored.revision == LAST_OF_ALL else "it is missing")
        link = stored.link
        if link is None or stored.fault is not None:
            return self._break(following, stored.fault or "it cannot be read")
        if link.previous_hash != self.hash:
            return self._break(following, "it does not hold the hash of the entry before it")
        if link.hash != link.digest:
            return self._break(following, "its hash is not that of its content")
        if stored.has_parts and link.parts is None:
            return self._break(following, "there are parts of it, and its changes are in itself")
        if stored.named != link.subjects:
            return self._break(following, "it is not found under the subjects that it names, or under others")
        if self.head is not None and self.head.revision == following and self.head.hash != link.hash:
            return self._break(following, "it is not the entry that the head is of: the log was written anew")
        self.revision, self.hash = following, link.hash
        return None

    def end(self) -> Verification:
        """What came of it, all there is having been followed."""
        if self.head is not None and self.head.revision > self.revision:
            message = (
                f"it is missing: the head is of revision {self.head.revision}. The end of the log was cut off, or an "
                "older database was put back"
            )
            return self._break(self.revision + 1, message)
        return Verification(revision=self.revision, hash=self.hash)

    def _break(self, bad: int, problem: str | None) -> Verification:
        return Verification(revision=self.revision, hash=self.hash, bad=bad, problem=problem)


class PartsCheck:
    """The parts of an entry being looked through in their order, and then the subjects under which it is found.

    What it keeps meanwhile are the ids that the entry names, and of the changes one part. Each step tells the first
    fault there is, as `StoredEntry` wants it; None: none so far.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._summary = Summary()
        self._following = 0

    def follow(self, part: AuditPart) -> str | None:
        """What is wrong with the next part. Nothing in it is believed."""
        if part.number != self._following or not isinstance(part.number, int):
            return f"its part {self._following} is missing, or is there under another number"
        try:
            if part.hash != hash_part(part.text):
                return f"the hash of its part {part.number} is not that of its changes"
            self._summary.add(part, read_changes(part.text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return f"its part {part.number} cannot be read"
        self._following += 1
        return None

    def end_parts(self) -> str | None:
        """What is wrong with all the parts together."""
        found = self._summary.finish()
        if found != self._parts:
            return "its parts are not those that it was written with"
        return None

    def name(self, subjects: Iterable[str]) -> str | None:
        """What is wrong with subjects under which it is found, given each once; call it after `end_parts`."""
        for subject in subjects:
            if subject not in self._summary.subjects:
                return "it is found under a subject that its parts do not name"
            self._summary.subjects.remove(subject)
        return None

    def end(self) -> str | None:
        """What is wrong, all subjects having been given."""
        return "it is not found under every subject that its parts name" if self._summary.subjects else None
