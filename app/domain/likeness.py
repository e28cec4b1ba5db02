"""Names that are easily taken for one another: a warning, since names are compared exactly and another name is another.

Confusing is a word whose letters come from several scripts that look alike (Unicode technical standard 39, mixed
scripts), and a name with letters in another form (compatibility characters, such as full-width ones).
"""

import unicodedata
from collections.abc import Iterable, Iterator

from app.domain.errors import DomainError, Warned
from app.domain.holders import Contract, Role, Team, User
from app.domain.world import Change

_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})  # have letters of one look
_KEYS: dict[type, tuple[tuple[str, str], ...]] = {  # attribute, and what requests call it
    User: (("user_name", "userName"), ("external_id", "externalId")),
    Role: (("key", "key"),),
    Team: (("key", "key"),),
    Contract: (("number", "number"),),
}


def warn_of_look(changes: Iterable[Change]) -> Iterator[DomainError]:
    """A warning of each natural key that a change gives and that may be taken for another."""
    for change in changes:
        for attribute, field in _KEYS.get(type(change.after), ()):
            name = getattr(change.after, attribute)
            if name is not None and name != getattr(change.before, attribute, None) and is_confusing(name):
                message = f"`{spell(name)}` has letters of several scripts or forms: it may be taken for another name"
                yield Warned(message, path=(field,))


def is_confusing(name: str) -> bool:
    """Whether a name in NFC may be taken for another."""
    if unicodedata.normalize("NFKC", name) != name:
        return True
    scripts: set[str] = set()
    for character in name:
        if not character.isalpha():
            scripts.clear()
            continue
        scripts.add(unicodedata.name(character, "").partition(" ")[0])
        if len(scripts & _ALIKE) > 1:
            return True
    return False


def spell(name: str) -> str:
    """A name with every character beyond ASCII as its number, so that what looks alike reads apart."""
    return "".join(character if character.isascii() else f"\\u{ord(character):04x}" for character in name)
