"""What is wrong in a feed, where, and whose entry it spoiled."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.errors import InvalidValue
from app.domain.names import tell_unknown
from app.domain.sync.desired import Path


class Kind(StrEnum):
    """What an entry of a feed is: the list of the contract's `SyncInput` that it stands in."""

    USERS = "users"
    ROLES = "roles"
    TEAMS = "teams"


@dataclass(eq=False)
class Fault(InvalidValue):
    """Something that cannot be read. It spoils one entry: the `kind` with the `key` (of a person the external id).

    `key` None: nobody knows whose entry it was, so nobody of that kind may be taken for missing; `kind` None: of any
    kind. `line` is that of the file, where it is known.
    """

    kind: Kind | None = field(default=None, kw_only=True)
    key: str | None = field(default=None, kw_only=True)
    line: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands: the beginning of its paths, and its line where that is known."""

    path: Path
    line: int | None = None

    @staticmethod
    def at_line(line: int) -> "Place":
        """The place of what is named by its line alone."""
        return Place((f"line {line}",), line)

    def fault(
        self, message: str, expected: str, *inner: str, kind: Kind | None = None, key: str | None = None
    ) -> Fault:
        """What is wrong here, or further in."""
        path = (*self.path, *inner)
        return Fault(message, path=path, expected=expected, kind=kind, key=key, line=self.line)


def refuse_unknown(noun: str, word: str, known: tuple[str, ...]) -> tuple[str, str]:
    """Message and expectation for a word that is not known."""
    return tell_unknown(noun, word, known), list_names(known)


def list_names(names: tuple[str, ...]) -> str:
    """Names one after another, as a message gives them."""
    return ", ".join(f"`{name}`" for name in names)
