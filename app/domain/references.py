"""What a client names a thing by."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

Attribute = Literal["id", "user_name", "external_id", "key", "number"]


@dataclass(frozen=True, slots=True)
class Ref:
    """What a client names a thing by: `attribute` is `id` or one of its natural keys."""

    attribute: Attribute
    value: str

    @staticmethod
    def of(attribute: Attribute, value: str) -> "Ref":
        """A reference in the form in which names are kept."""
        return Ref(attribute, normalize(value))


def normalize(name: str) -> str:
    """A name in the form in which names are kept (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
